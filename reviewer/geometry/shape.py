# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""A plane's region as a function on a lattice, negative inside: the f of `reviewer.geometry.between`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from reviewer.geometry.memo import Memo
from reviewer.geometry.parts import Parts, hollow, thickness
from reviewer.geometry.reach import FARTHEST_MM, REACH_STEP_MM

Singles = NDArray[np.float32]

BLOCK = 8
"""Cells by which the lattice grows at a time."""

POINTS = BLOCK * BLOCK

FAST = {"nnan", "nsz", "contract", "arcp"}
"""There are no NaN in here, so that loops may run through vector registers."""


Bounds = tuple[float, float, float, float]
"""Lowest u, v and highest u, v, mm."""


@dataclass(frozen=True)
class Box:
    """Points of a lattice: the first column and row, which are multiples of the cell from the origin, and how many there are."""

    x: int
    y: int
    columns: int
    rows: int

    @classmethod
    def around(cls, bounds_mm: Sequence[Bounds], margin_mm: float, cell_mm: float, block: int = 1) -> Box:
        """All of `bounds_mm` with a margin, in whole blocks of so many cells."""
        x0, y0, x1, y1 = zip(*bounds_mm, strict=True)
        x, y = (math.floor(((min(a) - margin_mm) / cell_mm - 1) / block) * block for a in (x0, y0))
        right, top = (math.ceil(((max(a) + margin_mm) / cell_mm + 1) / block) * block for a in (x1, y1))
        return cls(x, y, right - x + 1, top - y + 1)

    def window(self, other: Box) -> tuple[slice, slice]:
        """Rows and columns that it has in another, which holds it."""
        x, y = self.x - other.x, self.y - other.y
        return slice(y, y + self.rows), slice(x, x + self.columns)


@dataclass(frozen=True)
class Shape:
    """f and d of the module's docstring on the lattice, and the number of the ring that each point is nearest to."""

    f: Singles
    d: Singles
    ring: NDArray[np.int32]

    def cut(self, there: tuple[slice, slice]) -> Shape:
        return Shape(self.f[there], self.d[there], self.ring[there])


_shapes: Memo[Shape] = Memo(5_000_000)
"""Shapes by their parts; the weight is the number of points, of 12 bytes each: 60 MB, about two livers."""


def shape(parts: Parts, room: Box, cell_mm: float, reach_mm: float, holes: bool, ending: bool = False) -> Shape:
    """Of the parts of a plane, in `room`, which begins with a whole block. What it says of a point is the same in every room.

    reach_mm: how far from the contour it is known. holes: whether any part may have one.
    ending: of parts that end, or that these follow from: f by their thickness.
    The same parts are asked for by the intervals to either side, and again after an edit of another plane.
    """

    def make() -> tuple[Shape, int]:
        rings, part_of_ring, side = np.array(parts, dtype=object), np.arange(len(parts)), np.ones(len(parts))
        if holes and hollow(parts):  # else each part is its ring
            rings, part_of_ring = shapely.get_rings(rings, return_index=True)
            side = np.where(np.append(True, part_of_ring[1:] != part_of_ring[:-1]), 1.0, -1.0)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        if ending:
            radius = np.array([thickness(part) for part in parts])[part_of_ring]
            side[:] = 1.0
        else:
            radius = np.sqrt(shapely.area(rings if len(rings) == len(parts) else shapely.polygons(rings)) / math.pi)
        origin = math.floor(points[0, 0] / cell_mm), math.floor(points[0, 1] / cell_mm)
        reach = reach_mm / cell_mm + 2
        found = _distances(points, ring, radius, side, origin, room.x, room.y, room.rows, room.columns, cell_mm, reach)
        return Shape(*found), room.rows * room.columns

    return _shapes.once(parts, (cell_mm, room, reach_mm, ending), make)


def reach_of_ending_mm(parts: Parts, reach_mm: float) -> float:
    """As far as the middle of the largest part, or farther."""
    radius = math.sqrt(max(part.area for part in parts) / math.pi)
    return max(reach_mm, min(math.ceil(radius / REACH_STEP_MM) * REACH_STEP_MM, FARTHEST_MM))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _distances(points, ring_of, radius, side, origin, first_x, first_y, ny, nx, cell, reach):  # type: ignore[no-untyped-def]
    """f, d (mm) and the nearest ring at every point of a lattice.

    origin: x, y of a place near the contour, from which coordinates count, in single precision: so they are the same in each room.
    first_x, first_y: where the room begins. All of these in cells.
    points: (n, 2) mm, ring after ring, each closed; ring_of: (n,) its number. radius, side: of each ring.
    Farther from the contour than `reach` cells, d and f are those at that distance.
    """
    corner_x, corner_y = first_x - origin[0], first_y - origin[1]
    segments, whose = np.empty((len(points), 4)), np.empty(len(points), dtype=np.int32)
    count = 0
    for m in range(len(points) - 1):
        if ring_of[m] == ring_of[m + 1]:
            for n in range(2):
                segments[count, 2 * n] = points[m + n, 0] / cell - origin[0]
                segments[count, 2 * n + 1] = points[m + n, 1] / cell - origin[1]
            whose[count] = ring_of[m]
            count += 1
    segments = segments[:count]
    f = np.empty((ny, nx), dtype=np.float32)
    d = np.empty((ny, nx), dtype=np.float32)
    ring = np.empty((ny, nx), dtype=np.int32)
    inside = np.zeros((ny, nx), dtype=np.bool_)
    none, one, farthest = np.float32(0.0), np.float32(1.0), np.float32(reach * reach)
    widest = radius.max()
    # Even-odd: every point to the right of a crossing changes sides.
    for m in range(count):
        xa, ya, xb, yb = segments[m]
        for row in range(max(int(np.ceil(min(ya, yb))) - corner_y, 0), min(int(np.ceil(max(ya, yb))) - corner_y, ny)):
            column = max(int(np.ceil(xa + (row + corner_y - ya) / (yb - ya) * (xb - xa))) - corner_x, 0)
            if column < nx:
                inside[row, column] = not inside[row, column]
    for y in range(ny):
        odd = False
        for x in range(nx):
            odd = odd != inside[y, x]
            inside[y, x] = odd
    x0, y0 = segments[:, 0].astype(np.float32), segments[:, 1].astype(np.float32)
    ex, ey = (segments[:, 2] - segments[:, 0]).astype(np.float32), (segments[:, 3] - segments[:, 1]).astype(np.float32)
    inverse, away = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.float32)
    for m in range(count):
        length = ex[m] * ex[m] + ey[m] * ey[m]
        inverse[m] = one / length if length > none else none
    # Block by block: the segments that can be nearest to any of its points are those hardly farther from its middle than the nearest.
    # A block's points stand in one row of a length known beforehand, which vector registers take in without a remainder.
    radius_of_block = (BLOCK - 1) / np.sqrt(2.0)
    across, along = np.empty(POINTS, dtype=np.float32), np.empty(POINTS, dtype=np.float32)
    for n in range(POINTS):
        across[n], along[n] = n % BLOCK, n // BLOCK
    square, nearest = np.empty(POINTS, dtype=np.float32), np.empty(POINTS, dtype=np.int32)
    for top in range(0, ny, BLOCK):
        for left in range(0, nx, BLOCK):
            begin_x, begin_y = np.float32(left + corner_x), np.float32(top + corner_y)
            middle_x, middle_y = begin_x + np.float32((BLOCK - 1) / 2), begin_y + np.float32((BLOCK - 1) / 2)
            closest = np.float32(np.inf)
            for m in range(count):
                px, py = middle_x - x0[m], middle_y - y0[m]
                t = min(max((px * ex[m] + py * ey[m]) * inverse[m], none), one)
                dx, dy = px - t * ex[m], py - t * ey[m]
                away[m] = dx * dx + dy * dy
                closest = min(closest, away[m])
            square[:], nearest[:] = farthest, -1
            if np.sqrt(closest) - radius_of_block <= reach:
                limit = np.sqrt(closest) + 2 * radius_of_block + 0.01
                limit = np.float32(limit * limit)
                for m in range(count):
                    if away[m] > limit:
                        continue
                    number, start, under = np.int32(m), begin_x - x0[m], begin_y - y0[m]
                    slope_x, slope_y, per = ex[m], ey[m], inverse[m]
                    for n in range(POINTS):
                        px, py = start + across[n], under + along[n]
                        t = min(max((px * slope_x + py * slope_y) * per, none), one)
                        dx, dy = px - t * slope_x, py - t * slope_y
                        s = dx * dx + dy * dy
                        nearest[n] = number if s < square[n] else nearest[n]
                        square[n] = min(s, square[n])
            for y in range(top, min(top + BLOCK, ny)):
                for x in range(left, min(left + BLOCK, nx)):
                    n = (y - top) * BLOCK + x - left
                    distance = np.sqrt(np.float64(square[n])) * cell
                    if inside[y, x]:
                        distance = -distance
                    d[y, x] = distance
                    m = nearest[n]
                    if m < 0:
                        ring[y, x] = 0
                        f[y, x] = 2 * widest * distance
                    else:
                        r = whose[m]
                        ring[y, x] = r
                        f[y, x] = 2 * radius[r] * distance + side[r] * distance * distance
    return f, d, ring
