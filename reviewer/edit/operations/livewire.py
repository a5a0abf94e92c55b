# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Livewire (intelligent scissors): the path between two points that runs along the edges of a picture.

Mortensen & Barrett, Intelligent scissors for image composition, SIGGRAPH 1995:191-198. A step from a pixel p to its neighbour q costs

    0.43 f_Z(q) + 0.43 f_D(p, q) + 0.14 f_G(q),   times its length,

f_Z: 0 on a zero crossing of the Laplacian, else 1; f_D: by how far p, q and the step turn away from running along the edge; f_G: 1 minus the
gradient's magnitude as a share of the largest one around. Dijkstra's algorithm finds the cheapest path, which is then moved across itself to where
the gradient is largest between the pixels. Gradients are those of the picture as it is shown: values beyond the grey window are cut off there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Image, Window
from reviewer.errors import InputError
from reviewer.geometry.reslice import PlaneSampling, reslice

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Place = tuple[float, float]
Vector = tuple[float, float, float]

ZERO_CROSSING, DIRECTION, GRADIENT = 0.43, 0.43, 0.14
"""Weights of the three costs."""

BLUR_PIXELS = 0.8
"""Standard deviation of the Gaussian whose derivatives are taken. Of 0.8 and 1.2 the one that came nearer to the organs of the demo, 0.913 and 0.907
in Dice; weights that favour the gradient came less near with either."""

STRONG_PERCENT = 99.0
"""A gradient as large as this percentile of those around costs nothing: the largest of all may be a single wire or implant."""

LARGEST_PIXELS = 1_000_000
"""A pane with more pixels than that is sampled more coarsely."""

WINDOW_MM = 50.0
"""How far around its two ends a path may stray."""

LEVELS = 255
"""Steps of a cost of 1; whole numbers, so that the queue needs no comparisons (Dial, Commun ACM 1969;12:632-633)."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What a pane shows of an image, in square pixels: pixel (row i, column j) lies at ``first_mm + step_mm * (j, i)`` of the pane.

    values: (h, w) float32 in the image's units; NaN where nothing is known.
    """

    values: Singles
    first_mm: Place
    step_mm: float


def picture(image: Image, to_image: ArrayLike, right: Vector, down: Vector, point_mm: Vector) -> Picture:
    """The image along a pane, as finely as its own pixels lie in it.

    right, down, point_mm: unit vectors and a point of the pane, patient coordinates (mm); pane coordinates are ``(p @ right, p @ down)``.
    to_image: (4, 4), the pane's frame to the image's. Raises InputError where the pane misses the image.
    """
    matrix, grid = np.asarray(to_image, dtype=np.float64), image.grid
    e, f, point = (np.asarray(v, dtype=np.float64) for v in (right, down, point_mm))
    corners = [(z, y, x) for z in (0, grid.shape_zyx[0] - 1) for y in (0, grid.size_uv[1] - 1) for x in (0, grid.size_uv[0] - 1)]  # fmt: skip
    there = grid.point_of_index_mm(corners)
    here = (there - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    seen = here @ np.column_stack([e, f])
    along = np.abs(grid.axes @ matrix[:3, :3] @ np.cross(e, f)) < 0.7
    step = min(s for s, lies in zip(grid.spacing_mm, along, strict=True) if lies)
    low, extent = seen.min(axis=0), np.ptp(seen, axis=0)
    step = max(step, float(np.sqrt((extent[0] + step) * (extent[1] + step) / LARGEST_PIXELS)))
    size = round(float(extent[0]) / step) + 1, round(float(extent[1]) / step) + 1
    origin = point + (low[0] - point @ e) * e + (low[1] - point @ f) * f
    lattice = PlaneSampling((float(origin[0]), float(origin[1]), float(origin[2])), right, down, (step, step), size)
    present = None if image.pending is None else ~image.pending
    values, inside = reslice(image.voxels, grid, matrix, lattice, present=present)
    if not inside.any():
        raise InputError("the image shown has no values in this view", remedy="go to a slice of the image, or wait until it is loaded")  # fmt: skip
    values = values * np.float32(image.slope) + np.float32(image.intercept)
    values[~inside] = np.nan
    return Picture(values, (float(low[0]), float(low[1])), step)


def warm_up() -> None:
    """Load the compiled loops, so that the first anchor is not late by seconds. May be called in any thread."""
    ramp = np.add.outer(np.arange(16.0), np.arange(16.0)).astype(np.float32)
    wire = Wire(Picture(ramp, (0.0, 0.0), 1.0))
    wire.path(wire.snapped((2.0, 3.0), 2.0), (9.0, 12.0))


class Wire:
    """Cheapest paths on one picture, from an anchor to anywhere."""

    def __init__(self, shown: Picture, window: Window | None = None) -> None:
        self._picture = shown
        values = shown.values
        unknown = ~np.isfinite(values)
        if window is not None:
            values = np.clip(values, window.level - window.width / 2, window.level + window.width / 2)
        values = np.where(unknown, np.float32(values[~unknown].mean()) if not unknown.all() else 0, values)
        blurred = cv2.GaussianBlur(values.astype(np.float32), (0, 0), BLUR_PIXELS, borderType=cv2.BORDER_REPLICATE)
        gx = np.asarray(cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=0.125, borderType=cv2.BORDER_REPLICATE))
        gy = np.asarray(cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=0.125, borderType=cv2.BORDER_REPLICATE))
        curved = np.asarray(cv2.Laplacian(blurred, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE))
        if unknown.any():  # the step to what is unknown is no edge
            near = cv2.dilate(unknown.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(np.bool_)
            gx[near] = gy[near] = curved[near] = 0
        self._gradient: Singles = np.sqrt(gx * gx + gy * gy)
        safe = np.maximum(self._gradient, np.float32(1e-12))
        self._along_x = gy / safe  # the edge's own direction: the gradient turned by 90 degrees
        self._along_y = -gx / safe
        self._crossing = _zero_crossings(curved)
        self._tree: _Tree | None = None

    def snapped(self, at_mm: Place, within_mm: float) -> Place:
        """The place of the strongest edge within a distance; the place itself where there is none."""
        column, row = self._pixel(at_mm)
        reach = int(within_mm / self._picture.step_mm)
        if reach < 1:
            return at_mm
        top, left = max(row - reach, 0), max(column - reach, 0)
        near = self._gradient[top : row + reach + 1, left : column + reach + 1]
        y, x = np.mgrid[top : top + near.shape[0], left : left + near.shape[1]]
        strength = np.where((y - row) ** 2 + (x - column) ** 2 <= reach * reach, near, 0.0)
        if strength.max() <= 0:
            return at_mm
        i, j = np.unravel_index(int(strength.argmax()), strength.shape)
        best = _refined(np.array([[left + j, top + i]], dtype=np.float64), self._gradient, True)[0]
        return self._place(best)

    def path(self, start_mm: Place, end_mm: Place) -> Floats:
        """The cheapest path, (n, 2) pane coordinates in mm, n >= 2, from the one place to the other.

        Paths from one start share their work, so that the end may follow the hand. From an end that lies beyond the picture to the border
        the path is straight, and so it is all the way where both do.
        """
        start, end = self._pixel(start_mm), self._pixel(end_mm)
        ends = np.array([start_mm, end_mm], dtype=np.float64)
        if start == end or (self._beyond(start_mm, start) and self._beyond(end_mm, end)):
            return ends
        if self._tree is None or not self._tree.reaches(start, end):
            self._tree = self._grown(start, end)
        steps = self._tree.way(end)
        points = _smoothed(_refined(_smoothed(steps, 3), self._gradient, False), 3)
        first, step = np.asarray(self._picture.first_mm), self._picture.step_mm
        return np.concatenate([ends[:1], points[1:-1] * step + first, ends[1:]])

    def _grown(self, start: tuple[int, int], end: tuple[int, int]) -> _Tree:
        """The paths from `start` to all pixels of a window around both ends."""
        height, width = self._gradient.shape
        around = int(WINDOW_MM / self._picture.step_mm) + 1
        left, right = max(min(start[0], end[0]) - around, 0), min(max(start[0], end[0]) + around + 1, width)
        top, bottom = max(min(start[1], end[1]) - around, 0), min(max(start[1], end[1]) + around + 1, height)
        box = slice(top, bottom), slice(left, right)
        strong = float(np.percentile(self._gradient[box][::2, ::2], STRONG_PERCENT)) or 1.0
        flat = np.maximum(1 - self._gradient[box] / np.float32(strong), 0)
        static = np.where(self._crossing[box], np.float32(0), np.float32(ZERO_CROSSING)) + np.float32(GRADIENT) * flat
        along_x, along_y = np.ascontiguousarray(self._along_x[box]), np.ascontiguousarray(self._along_y[box])
        came = _spread(static, along_x, along_y, start[1] - top, start[0] - left, _ANGLES)
        return _Tree(start, left, top, came)

    def _pixel(self, at_mm: Place) -> tuple[int, int]:
        """Column and row nearest to a place."""
        shown = self._picture
        height, width = self._gradient.shape
        column, row = ((at - first) / shown.step_mm for at, first in zip(at_mm, shown.first_mm, strict=True))
        return min(max(round(column), 0), width - 1), min(max(round(row), 0), height - 1)

    def _beyond(self, at_mm: Place, pixel: tuple[int, int]) -> bool:
        """Whether a place lies farther than a pixel from the one nearest to it: beyond the picture."""
        x, y = self._place(np.array(pixel, dtype=np.float64))
        return max(abs(at_mm[0] - x), abs(at_mm[1] - y)) > self._picture.step_mm

    def _place(self, pixel: Floats) -> Place:
        shown = self._picture
        return shown.first_mm[0] + shown.step_mm * float(pixel[0]), shown.first_mm[1] + shown.step_mm * float(pixel[1])


@dataclass(frozen=True, eq=False)
class _Tree:
    """Where each pixel of a window was reached from: the number of the step in STEPS, -1 at the start."""

    start: tuple[int, int]
    left: int
    top: int
    came: NDArray[np.int8]

    def reaches(self, start: tuple[int, int], end: tuple[int, int]) -> bool:
        height, width = self.came.shape
        return start == self.start and 0 <= end[0] - self.left < width and 0 <= end[1] - self.top < height

    def way(self, end: tuple[int, int]) -> Floats:
        """(n, 2) columns and rows from the start to the end."""
        points: Floats = _way(self.came, end[0] - self.left, end[1] - self.top) + np.array([self.left, self.top])
        return points


STEPS = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
"""Columns and rows to the eight neighbours."""

_ANGLES = (np.arccos(np.linspace(-1, 1, 513)) * DIRECTION * 2 / (3 * np.pi)).astype(np.float32)
"""f_D's share of an angle, by its cosine."""


@njit(cache=True, nogil=True)
def _zero_crossings(curved):  # type: ignore[no-untyped-def]
    """Of two neighbours with different signs, the one nearer to zero."""
    ny, nx = curved.shape
    out = np.zeros((ny, nx), dtype=np.bool_)
    for y in range(ny):
        for x in range(nx):
            here = curved[y, x]
            for dy, dx in ((0, 1), (1, 0)):
                if y + dy < ny and x + dx < nx:
                    there = curved[y + dy, x + dx]
                    if (here > 0) != (there > 0):
                        if abs(here) <= abs(there):
                            out[y, x] = True
                        else:
                            out[y + dy, x + dx] = True
    return out


@njit(cache=True, nogil=True)
def _spread(static, along_x, along_y, row, column, angles):  # type: ignore[no-untyped-def]
    """Dijkstra from one pixel to all; returns the step by which each was reached.

    static: f_Z and f_G, weighted; along: unit vectors of the edges.
    """
    ny, nx = static.shape
    size = ny * nx
    buckets = 1 << 10  # more than the dearest step: 1.41 * 255 + 1
    head = np.full(buckets, -1, dtype=np.int32)
    after = np.full(size, -1, dtype=np.int32)
    before = np.full(size, -1, dtype=np.int32)
    total = np.full(size, np.int32(2**31 - 1), dtype=np.int32)
    done = np.zeros(size, dtype=np.bool_)
    came = np.full((ny, nx), -1, dtype=np.int8)
    seed = row * nx + column
    total[seed] = 0
    head[0] = seed
    waiting, cost = 1, 0
    root_half = np.sqrt(0.5)
    while waiting:
        bucket = cost & (buckets - 1)
        p = head[bucket]
        if p < 0:
            cost += 1
            continue
        head[bucket] = after[p]
        if after[p] >= 0:
            before[after[p]] = -1
        waiting -= 1
        done[p] = True
        y, x = p // nx, p % nx
        for n in range(8):
            dx, dy = STEPS[n, 0], STEPS[n, 1]
            i, j = y + dy, x + dx
            if i < 0 or j < 0 or i >= ny or j >= nx:
                continue
            q = i * nx + j
            if done[q]:
                continue
            length = 1.0 if n % 2 == 0 else 2 * root_half
            ux, uy = dx / length, dy / length
            d_p = along_x[y, x] * ux + along_y[y, x] * uy
            d_q = along_x[i, j] * ux + along_y[i, j] * uy
            if d_p < 0:
                d_p, d_q = -d_p, -d_q
            turn = (
                angles[int(min(max(d_p, -1.0), 1.0) * 256 + 256.5)]
                + angles[int(min(max(d_q, -1.0), 1.0) * 256 + 256.5)]
            )
            new = cost + 1 + int((static[i, j] + turn) * length * LEVELS)
            old = total[q]
            if new >= old:
                continue
            if old < 2**31 - 1:  # out of the bucket that it waits in
                if before[q] >= 0:
                    after[before[q]] = after[q]
                else:
                    head[old & (buckets - 1)] = after[q]
                if after[q] >= 0:
                    before[after[q]] = before[q]
                waiting -= 1
            total[q] = new
            came[i, j] = n
            place = new & (buckets - 1)
            after[q], before[q] = head[place], -1
            if head[place] >= 0:
                before[head[place]] = q
            head[place] = q
            waiting += 1
    return came


@njit(cache=True, nogil=True)
def _way(came, column, row):  # type: ignore[no-untyped-def]
    count = 1
    x, y = column, row
    while came[y, x] >= 0:
        n = came[y, x]
        x, y = x - STEPS[n, 0], y - STEPS[n, 1]
        count += 1
    points = np.empty((count, 2))
    x, y = column, row
    for k in range(count - 1, -1, -1):
        points[k, 0], points[k, 1] = x, y
        n = came[y, x]
        if n >= 0:
            x, y = x - STEPS[n, 0], y - STEPS[n, 1]
    return points


@njit(cache=True, nogil=True)
def _bilinear(field, x, y):  # type: ignore[no-untyped-def]
    ny, nx = field.shape
    x, y = min(max(x, 0.0), nx - 1.001), min(max(y, 0.0), ny - 1.001)
    j, i = int(x), int(y)
    a, b = x - j, y - i
    upper = field[i, j] * (1 - a) + field[i, min(j + 1, nx - 1)] * a
    lower = field[min(i + 1, ny - 1), j] * (1 - a) + field[min(i + 1, ny - 1), min(j + 1, nx - 1)] * a
    return upper * (1 - b) + lower * b


@njit(cache=True, nogil=True)
def _refined(points, gradient, ends):  # type: ignore[no-untyped-def]
    """Points moved, by up to a pixel, to the largest gradient across the path; across the edge for a single point."""
    out = points.copy()
    count = len(points)
    for _ in range(2):
        for k in range(count):
            x, y = out[k, 0], out[k, 1]
            if count > 1:
                if not ends and (k == 0 or k == count - 1):
                    continue
                a, b = max(k - 2, 0), min(k + 2, count - 1)
                tx, ty = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
                nx, ny = -ty, tx
            else:
                nx = _bilinear(gradient, x + 1, y) - _bilinear(gradient, x - 1, y)
                ny = _bilinear(gradient, x, y + 1) - _bilinear(gradient, x, y - 1)
            length = np.sqrt(nx * nx + ny * ny)
            if length <= 0:
                continue
            nx, ny = nx / length, ny / length
            low, here, high = (
                _bilinear(gradient, x - nx, y - ny),
                _bilinear(gradient, x, y),
                _bilinear(gradient, x + nx, y + ny),
            )
            bend = low - 2 * here + high
            if bend < 0:
                shift = min(max((low - high) / (2 * bend), -0.5), 0.5)
                out[k, 0], out[k, 1] = x + shift * nx, y + shift * ny
    return out


@njit(cache=True, nogil=True)
def _smoothed(points, times):  # type: ignore[no-untyped-def]
    """Each point averaged with its neighbours (1 2 1)/4; the ends stay."""
    out = points.copy()
    for _ in range(times):
        old = out.copy()
        for k in range(1, len(points) - 1):
            out[k, 0] = (old[k - 1, 0] + 2 * old[k, 0] + old[k + 1, 0]) / 4
            out[k, 1] = (old[k - 1, 1] + 2 * old[k, 1] + old[k + 1, 1]) / 4
    return out
