"""Sampling a volume along a plane, for the slice views and for reports.

Where the plane follows the volume's own rows, columns or planes, no more is read than one slice (or the two around it) and OpenCV
enlarges it; an oblique plane is sampled trilinearly by a compiled loop, and numba is loaded only then.

Every sample is a point, a voxel's value stands at its centre, and a volume reaches half a voxel beyond its outermost centres (along the
stack to the outer slab borders); there the nearest value holds. Beyond that a sample is *not inside*: unknown, whatever its value says.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from itertools import pairwise
from math import ceil
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.geometry.grid import POSITION_TOLERANCE_MM, Grid

Floats = NDArray[np.float64]
Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
Span = tuple[float, float]

OBLIQUE_STEP = 0.75
"""Sample distance of an oblique `cut`, as a fraction of the volume's voxels along each direction of the plane."""

MOST_THREADS = 4
WORTH_THREADS = 40_000
"""An oblique plane of at least so many samples is shared among up to so many threads."""

ON_A_SAMPLE = 1e-6
"""Fractional indices closer than this to an integer are at a voxel centre."""


@dataclass(frozen=True)
class PlaneSampling:
    """A lattice of points in a plane: column j, row i lies at ``origin_mm + j * step_mm[0] * right + i * step_mm[1] * down``.

    origin_mm: patient point (x, y, z) of the first sample's centre; right, down: perpendicular unit vectors; size: columns, rows.
    """

    origin_mm: tuple[float, float, float]
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    step_mm: tuple[float, float]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Cut:
    """A volume along a plane, at its own resolution, in the plane coordinates of `reviewer.geometry.section`.

    x_mm, y_mm: (w,), (h,) rising; dot(p, right) and dot(p, down) of the sample centres, in the viewing frame.
    values:     (h, w) as stored; of an oblique plane float32 of its own, NaN where not inside.
    inside:     (h, w) bool, or None where every sample is inside.
    oblique:    whether the plane lies across the volume's own axes.
    reach_x_mm, reach_y_mm: from where to where the samples hold.
    """

    x_mm: Floats
    y_mm: Floats
    values: NDArray[np.generic]
    inside: Mask | None
    reach_x_mm: Span
    reach_y_mm: Span
    oblique: bool = False

    def sample(
        self, start_mm: Span, step_mm: Span, size: tuple[int, int], *, smooth: bool = False
    ) -> tuple[Values, Mask]:
        """(rows, columns) bilinear values, and whether each is inside: within reach, and between samples that all are inside.

        start_mm, step_mm: (x, y) of the first sample and the distances; size: columns, rows. smooth: average over the area of a step
        where it is larger than the distance of the samples (a picture smaller than its voxels).
        """
        taps = _taps(self.x_mm, step_mm[0]), _taps(self.y_mm, step_mm[1])
        if smooth and max(taps) > 1:
            fine_step = step_mm[0] / taps[0], step_mm[1] / taps[1]
            fine_start = (
                start_mm[0] - (step_mm[0] - fine_step[0]) / 2,
                start_mm[1] - (step_mm[1] - fine_step[1]) / 2,
            )
            fine, fine_inside = self.sample(fine_start, fine_step, (size[0] * taps[0], size[1] * taps[1]))
            values = np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
            share = cv2.resize(fine_inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            return values, np.asarray(share) > 0.999

        columns, rows = size
        x: Floats = start_mm[0] + step_mm[0] * np.arange(columns, dtype=np.float64)
        y: Floats = start_mm[1] + step_mm[1] * np.arange(rows, dtype=np.float64)
        xi, yi = _fractional_index(self.x_mm, x), _fractional_index(self.y_mm, y)
        inside = _within(y, self.reach_y_mm)[:, None] & _within(x, self.reach_x_mm)[None, :]
        if self.inside is not None and not self.inside.all():
            inside &= _enlarged_mask(self.inside, xi, yi)
        return _enlarged(np.asarray(self.values, dtype=np.float32), xi, yi), inside


def reslice(
    array: NDArray[np.generic],
    grid: Grid,
    to_grid: ArrayLike,
    plane: PlaneSampling,
    *,
    present: Mask | None = None,
    smooth: bool = False,
) -> tuple[Values, Mask]:
    """The values of a volume at the points of a lattice, interpolated linearly in all three directions.

    array: (z, y, x) on `grid`. to_grid: (4, 4), maps patient points of the lattice's frame to the grid's (mm). present: (z,) bool, False for
    planes without data: nothing that would draw on them is inside. smooth: see `Cut.sample`.
    Returns (rows, columns) float32 in stored units, and bool: inside the volume.
    """
    facing = _facing(grid, to_grid, plane.right, plane.down)
    origin = facing.point(plane.origin_mm)
    axes = tuple(_aligned(d, n * step) for d, n, step in zip(facing.along, plane.size, plane.step_mm, strict=True))
    if axes[0] is not None and axes[1] is not None and axes[0] != axes[1]:
        straight = _straight_cut(array, grid, origin, facing, (0.0, 0.0), (axes[0], axes[1]), present)
        if straight is None:
            return np.zeros(plane.size[::-1], dtype=np.float32), np.zeros(plane.size[::-1], dtype=np.bool_)
        return straight.sample((0.0, 0.0), plane.step_mm, plane.size, smooth=smooth)
    right, down = facing.along
    return _oblique(array, grid, origin, right * plane.step_mm[0], down * plane.step_mm[1], plane.size, present, 0.0)


def cut(
    array: NDArray[np.generic],
    grid: Grid,
    to_grid: ArrayLike,
    origin_mm: Sequence[float],
    right: Sequence[float],
    down: Sequence[float],
    *,
    box_mm: tuple[float, float, float, float] | None = None,
    present: Mask | None = None,
) -> Cut | None:
    """The volume along the plane through `origin_mm` spanned by the unit vectors `right` and `down`; None where the plane misses it.

    Aligned with the volume: its own rows and columns, interpolated only across the plane. Oblique: sampled every OBLIQUE_STEP of a voxel
    over its whole extent, or over `box_mm` (x, y, x, y: least and largest plane coordinates) where that is less.
    array, to_grid, present: as in `reslice`.
    """
    facing = _facing(grid, to_grid, right, down)
    origin = facing.point(origin_mm)
    offset = float(np.dot(origin_mm, right)), float(np.dot(origin_mm, down))
    if facing.axes is not None:
        return _straight_cut(array, grid, origin, facing, offset, facing.axes, present)

    r, d = facing.along
    to_seen = offset[0] - float(origin @ r), offset[1] - float(origin @ d)
    least = [facing.reach_mm[n][0] + to_seen[n] for n in range(2)]
    most = [facing.reach_mm[n][1] + to_seen[n] for n in range(2)]
    if box_mm is not None:
        least, most = [max(least[n], box_mm[n]) for n in range(2)], [min(most[n], box_mm[n + 2]) for n in range(2)]
    if most[0] <= least[0] or most[1] <= least[1]:
        return None
    step = facing.step_mm
    columns, rows = (ceil((most[n] - least[n]) / step[n]) + 1 for n in range(2))
    start = origin + (least[0] - offset[0]) * r + (least[1] - offset[1]) * d
    values, inside = _oblique(array, grid, start, r * step[0], d * step[1], (columns, rows), present, np.nan)
    if not inside.any():
        return None
    x_mm: Floats = least[0] + step[0] * np.arange(columns, dtype=np.float64)
    y_mm: Floats = least[1] + step[1] * np.arange(rows, dtype=np.float64)
    reach = (float(x_mm[0]), float(x_mm[-1])), (float(y_mm[0]), float(y_mm[-1]))
    return Cut(x_mm, y_mm, values, inside, *reach, oblique=True)


def value_at(
    array: NDArray[np.generic],
    grid: Grid,
    to_grid: ArrayLike,
    point_mm: Sequence[float],
    *,
    nearest: bool = False,
    present: Mask | None = None,
) -> float | None:
    """The stored value at one patient point, trilinear or of the voxel that holds it; None outside or where the plane has no data."""
    to_uvw, axes = _axes_of(grid, np.asarray(to_grid, dtype=np.float64).tobytes())
    uvw = to_uvw @ np.array([*point_mm, 1.0])
    low, high = [], []
    for (least, most, centres), coordinate, axis in zip(axes, uvw.tolist(), (2, 1, 0), strict=True):
        if not least <= coordinate <= most:
            return None
        k = min(max(bisect_right(centres, coordinate) - 1, 0), max(len(centres) - 2, 0))
        part = 0.0 if len(centres) == 1 else (coordinate - centres[k]) / (centres[k + 1] - centres[k])
        index = min(max(k + part, 0.0), len(centres) - 1.0)
        if nearest and axis == 2:
            index = float(min(k + (part > 0.5), len(centres) - 1))
        elif nearest:
            index = float(round(index))
        low.append(min(int(index), len(centres) - 1))
        high.append(index - low[-1])
    value = 0.0
    for corner in range(8):
        offsets = [(corner >> bit) & 1 for bit in range(3)]
        weight = float(np.prod([f if o else 1 - f for o, f in zip(offsets, high, strict=True)]))
        if weight <= ON_A_SAMPLE:
            continue
        z, y, x = (k + o for k, o in zip(low, offsets, strict=True))
        if present is not None and not present[z]:
            return None
        value += weight * float(array[z, y, x])
    return value


@lru_cache(64)  # of a volume nothing changes
def _axes_of(grid: Grid, to_grid: bytes) -> tuple[Floats, tuple[tuple[float, float, list[float]], ...]]:
    """(3, 4), to the plane coordinates w, v, u of a point; reach and rising centres along each of these."""
    turn = (grid.axes @ np.frombuffer(to_grid).reshape(4, 4)[:3])[::-1]
    return turn, tuple((*_reach(grid, axis), _centres(grid, axis).tolist()) for axis in (2, 1, 0))


def warm_up(dtypes: Sequence[Any] = (np.int16, np.uint16, np.float32)) -> None:
    """Load the compiled loop for oblique planes, so that the first one is not late by a second. May be called in any thread."""
    grid = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (2, 2), np.arange(2.0), "")
    for dtype in dtypes:
        _oblique(np.zeros((2, 2, 2), dtype), grid, np.zeros(3), np.full(3, 0.1), np.full(3, 0.1), (2, 2), None, 0.0)


# -- where the samples are ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Facing:
    """How planes of one direction lie to a volume, all in its plane coordinates (u, v, w) mm.

    turn, shift: of patient points; along: (right, down); axes: the grid axes that these follow over the whole volume, None where they
    don't; reach_mm: least and greatest projection of the volume on each; step_mm: distance of samples along each.
    """

    turn: Floats
    shift: Floats
    along: tuple[Floats, Floats]
    axes: tuple[int, int] | None
    reach_mm: tuple[Span, Span]
    step_mm: Span

    def point(self, point_mm: Sequence[float]) -> Floats:
        return np.asarray(self.turn @ np.asarray(point_mm, dtype=np.float64) + self.shift)


def _facing(grid: Grid, to_grid: ArrayLike, right: Sequence[float], down: Sequence[float]) -> _Facing:
    matrix = np.asarray(to_grid, dtype=np.float64)
    return _facing_known(grid, matrix.tobytes(), tuple(right), tuple(down))


@lru_cache(64)  # from slice to slice nothing of it changes
def _facing_known(grid: Grid, to_grid: bytes, right: tuple[float, ...], down: tuple[float, ...]) -> _Facing:
    matrix = np.frombuffer(to_grid).reshape(4, 4)
    turn = grid.axes @ matrix[:3, :3]
    along = turn @ np.array(right), turn @ np.array(down)
    corners = _corners(grid)
    size = float(np.ptp(corners, axis=0).max())
    x, y = _aligned(along[0], size), _aligned(along[1], size)
    axes = (x, y) if x is not None and y is not None and x != y else None
    (x0, x1), (y0, y1) = ((float(seen.min()), float(seen.max())) for seen in (corners @ d for d in along))
    step_x, step_y = (OBLIQUE_STEP / float(np.linalg.norm(d / grid.spacing_mm)) for d in along)
    return _Facing(turn, grid.axes @ matrix[:3, 3], along, axes, ((x0, x1), (y0, y1)), (step_x, step_y))


def _aligned(direction: Floats, extent_mm: float) -> int | None:
    """The grid axis (0: u, 1: v, 2: w) that a direction follows, over its whole extent within POSITION_TOLERANCE_MM; None: no one."""
    axis = int(np.argmax(np.abs(direction)))
    along = np.zeros(3)
    along[axis] = np.sign(direction[axis])
    return axis if float(np.abs(direction - along).max()) * extent_mm <= POSITION_TOLERANCE_MM else None


def _centres(grid: Grid, axis: int) -> Floats:
    if axis == 2:
        return grid.positions_mm
    return np.asarray(
        grid.origin_uv_mm[axis] + grid.spacing_uv_mm[axis] * np.arange(grid.size_uv[axis]), dtype=np.float64
    )


def _reach(grid: Grid, axis: int) -> Span:
    if axis == 2:
        return float(grid.slab_borders_mm[0]), float(grid.slab_borders_mm[-1])
    first = grid.origin_uv_mm[axis] - grid.spacing_uv_mm[axis] / 2
    return first, first + grid.spacing_uv_mm[axis] * grid.size_uv[axis]


def _corners(grid: Grid) -> Floats:
    """(8, 3) plane coordinates of the corners of the volume."""
    u, v, w = (_reach(grid, axis) for axis in range(3))
    return np.array([(a, b, c) for a in u for b in v for c in w])


def _fractional_index(centres: Floats, positions: Floats) -> Floats:
    """Index of positions among rising centres, exact where they are uneven, beyond the ends as if they went on evenly."""
    if len(centres) == 1:
        return np.zeros_like(positions)
    k = np.clip(np.searchsorted(centres, positions, side="right") - 1, 0, len(centres) - 2)
    return np.asarray(k + (positions - centres[k]) / (centres[k + 1] - centres[k]))


def _within(positions: Floats, reach: Span) -> Mask:
    return np.asarray((positions >= reach[0] - ON_A_SAMPLE) & (positions <= reach[1] + ON_A_SAMPLE))


def _taps(centres: Floats, step_mm: float) -> int:
    """How many samples to average for one step: about as many as there are centres in it."""
    if len(centres) < 2:
        return 1
    return max(1, round(step_mm * (len(centres) - 1) / float(centres[-1] - centres[0])))


# -- planes along the volume's own axes ---------------------------------------------------------------------------------


def _straight_cut(
    array: NDArray[np.generic],
    grid: Grid,
    origin: Floats,
    facing: _Facing,
    offset: Span,
    axes: tuple[int, int],
    present: Mask | None,
) -> Cut | None:
    """The slice of an aligned plane. origin: (u, v, w) mm; offset: plane coordinates that the origin is to have."""
    right, down = facing.along
    across = 3 - axes[0] - axes[1]
    least, most = _reach(grid, across)
    if not least - ON_A_SAMPLE <= origin[across] <= most + ON_A_SAMPLE:
        return None
    centres = _centres(grid, across)
    index = float(np.clip(_fractional_index(centres, origin[across : across + 1])[0], 0, len(centres) - 1))
    k = min(int(index + ON_A_SAMPLE), len(centres) - 1)
    fraction = index - k
    first = np.moveaxis(array, 2 - across, 0)[k]
    here = present is None or across != 2 or bool(present[k])
    if fraction > ON_A_SAMPLE:
        second = np.moveaxis(array, 2 - across, 0)[k + 1]
        first = np.asarray(
            cv2.addWeighted(
                np.asarray(first, dtype=np.float32), 1 - fraction, np.asarray(second, dtype=np.float32), fraction, 0
            )
        )
        here = here and (present is None or across != 2 or bool(present[k + 1]))
    values = first if axes[0] < axes[1] else first.T  # the array's rows follow the later of (u, v, w)

    x, reach_x, flip_x = _along(grid, axes[0], float(origin[axes[0]]), float(right[axes[0]]), offset[0])
    y, reach_y, flip_y = _along(grid, axes[1], float(origin[axes[1]]), float(down[axes[1]]), offset[1])
    inside: Mask | None = None
    if not here:
        inside = np.zeros(values.shape, dtype=np.bool_)
    elif present is not None and across != 2 and not present.all():
        along = present[:, None] if axes[1] == 2 else present[None, :]
        inside = np.broadcast_to(along, values.shape)
    turn = slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1)
    return Cut(x, y, values[turn], None if inside is None else inside[turn], reach_x, reach_y)


def _along(grid: Grid, axis: int, origin: float, direction: float, offset: float) -> tuple[Floats, Span, bool]:
    """Rising plane coordinates of the centres along an axis, their reach, and whether the array has to be turned round for it."""
    sign = 1.0 if direction > 0 else -1.0
    centres = (_centres(grid, axis) - origin) * sign + offset
    a, b = ((edge - origin) * sign + offset for edge in _reach(grid, axis))
    return (centres, (a, b), False) if sign > 0 else (centres[::-1], (b, a), True)


def _enlarged(source: Values, xi: Floats, yi: Floats) -> Values:
    """Bilinear values at the outer product of fractional indices; beyond the ends the end values."""
    x, y = _as_line(xi), _as_line(yi)
    if x is None or y is None:  # uneven planes: interpolate the uneven directions first
        if y is None:
            source, y = _rows_at(source, yi), (0.0, 1.0)
        if x is None:
            source, x = np.ascontiguousarray(_rows_at(np.ascontiguousarray(source.T), xi).T), (0.0, 1.0)
    matrix = np.array([[x[1], 0.0, x[0]], [0.0, y[1], y[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (len(xi), len(yi))
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(source), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )


def _enlarged_mask(mask: Mask, xi: Floats, yi: Floats) -> Mask:
    """Whether all the samples around each place are in the mask; beyond the ends those at the end."""
    cells = np.pad(mask, ((0, 1), (0, 1)), mode="edge").view(np.uint8)
    cells = cells[:-1] & cells[1:]
    cells = cells[:, :-1] & cells[:, 1:]
    row, column = (
        np.clip(np.floor(i + ON_A_SAMPLE).astype(np.intp), 0, n - 1)
        for i, n in ((yi, mask.shape[0]), (xi, mask.shape[1]))
    )
    # whole rows are taken twice, since taking columns is slow
    return np.asarray(cv2.transpose(cv2.transpose(cells[row])[column])).view(np.bool_)


def _as_line(index: Floats) -> Span | None:
    """Start and slope of indices that are evenly spaced, else None."""
    if len(index) < 2:
        return float(index[0]), 1.0
    slope = float(index[-1] - index[0]) / (len(index) - 1)
    off = float(np.abs(index - index[0] - slope * np.arange(len(index))).max())
    return (float(index[0]), slope) if off < 1e-4 else None


def _rows_at(source: Values, index: Floats) -> Values:
    """Rows of (h, w) interpolated at fractional indices, the end rows beyond the ends."""
    index = np.clip(index, 0, len(source) - 1)
    k = np.minimum(index.astype(np.intp), max(len(source) - 2, 0))
    fraction = (index - k).astype(np.float32)[:, None]
    above = source[np.minimum(k + 1, len(source) - 1)]
    return np.asarray(source[k] * (1 - fraction) + above * fraction, dtype=np.float32)


# -- oblique planes -----------------------------------------------------------------------------------------------------


def _oblique(
    array: NDArray[np.generic],
    grid: Grid,
    origin: Floats,
    per_column: Floats,
    per_row: Floats,
    size: tuple[int, int],
    present: Mask | None,
    outside: float,
) -> tuple[Values, Mask]:
    """Trilinear samples. origin, per_column, per_row: (u, v, w) mm; outside: what stands where the volume is not."""
    columns, rows = size
    values = np.full((rows, columns), outside, dtype=np.float32)
    inside = np.zeros((rows, columns), dtype=np.bool_)
    u0, v0 = grid.origin_uv_mm
    du, dv = grid.spacing_uv_mm
    w = grid.positions_mm
    w0, dw = float(w[0]), (float(w[-1] - w[0]) / (len(w) - 1) if len(w) > 1 else grid.thickness_mm)
    uneven = float(np.abs(w - w0 - dw * np.arange(len(w))).max()) > POSITION_TOLERANCE_MM / 10
    shift, scale = np.array([u0, v0, 0.0 if uneven else w0]), np.array([du, dv, 1.0 if uneven else dw])
    start, column_step, row_step = (origin - shift) / scale, per_column / scale, per_row / scale
    borders = grid.slab_borders_mm[[0, -1]]
    low = np.array([-0.5, -0.5, borders[0] if uneven else (borders[0] - w0) / dw])
    high = np.array([grid.size_uv[0] - 0.5, grid.size_uv[1] - 0.5, borders[1] if uneven else (borders[1] - w0) / dw])
    volume = np.ascontiguousarray(array)
    planes = w.copy() if uneven else np.empty(0)
    known = np.empty(0, dtype=np.bool_) if present is None else np.array(present)
    loop = _compiled()

    def fill(first: int, last: int) -> None:
        part = start + first * row_step
        loop(volume, planes, part, column_step, row_step, low, high, known, values[first:last], inside[first:last])

    shares = _most() if rows * columns >= WORTH_THREADS else 1
    borders_of_shares = [rows * n // shares for n in range(shares + 1)]
    others = [_threads().submit(fill, a, b) for a, b in pairwise(borders_of_shares[1:])]
    fill(0, borders_of_shares[1])
    for other in others:
        other.result()
    return values, inside


@cache  # asking takes as long as some rows
def _most() -> int:
    return min(os.cpu_count() or 1, MOST_THREADS)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="reslice")


@cache
def _compiled() -> Callable[..., None]:
    """`trilinear.fill`: numba is half a second that no one should wait for before a plane is oblique."""
    loop: Callable[..., None] = import_module("reviewer.geometry.trilinear").fill
    return loop
