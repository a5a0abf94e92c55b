# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""A plane's region as a function on a lattice, negative inside: the f of `reviewer.geometry.between`."""

from __future__ import annotations

import math
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


@dataclass(frozen=True)
class Box:
    """Points of a lattice: the first column and row, which are multiples of the cell from the origin, and how many there are."""

    x: int
    y: int
    columns: int
    rows: int


@dataclass(frozen=True)
class Shape:
    """f and d of the module's docstring on the lattice, and the number of the ring that each point is nearest to."""

    f: Singles
    d: Singles
    ring: NDArray[np.int32]

    @classmethod
    def of(cls, parts: Parts, lattice: Box, cell: float, reach_mm: float, ending: bool) -> Shape:
        rings = np.asarray(parts, dtype=object)
        part_of_ring = np.arange(len(parts))
        if hollow(parts):  # else each part is its ring
            rings, part_of_ring = shapely.get_rings(rings, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        if ending:
            radius = np.array([thickness(part) for part in parts])[part_of_ring]
            side = np.ones(len(rings))
        else:
            areas = shapely.area(parts if len(rings) == len(parts) else shapely.polygons(rings))
            radius = np.sqrt(areas / math.pi)
            side = np.where(np.append(True, part_of_ring[1:] != part_of_ring[:-1]), 1.0, -1.0)
        reach = reach_mm / cell + 2
        return cls(
            *_distances(points, ring, radius, side, lattice.x, lattice.y, lattice.rows, lattice.columns, cell, reach)
        )


_shapes: Memo[Shape] = Memo(5_000_000)
"""Shapes by their parts; the weight is the number of points, of 12 bytes each: 60 MB, about two livers."""


@dataclass(frozen=True)
class Place:
    """Where shapes are worked out, in all of the lattice near an interval, and the box of it that is asked for."""

    cell_mm: float
    lattice: Box
    box: Box

    def window(self, other: Place) -> tuple[slice, slice]:
        """Where its box lies in that of another place, which holds it."""
        x, y = self.box.x - other.box.x, self.box.y - other.box.y
        return slice(y, y + self.box.rows), slice(x, x + self.box.columns)

    def ending(self, parts: Parts, reach_mm: float) -> Shape:
        """Of parts of a plane that end, or that they follow from: f by their thickness, known as far as their middle."""
        radius = math.sqrt(max(part.area for part in parts) / math.pi)
        to_the_middle = min(math.ceil(radius / REACH_STEP_MM) * REACH_STEP_MM, FARTHEST_MM)
        return self.shape(parts, max(reach_mm, to_the_middle), True)

    def shape(self, parts: Parts, reach_mm: float, ending: bool = False) -> Shape:
        """The same parts are asked for by the intervals to either side, and again after an edit of another plane."""
        setting = (self.cell_mm, self.lattice, reach_mm, ending)
        points = self.lattice.rows * self.lattice.columns
        found = _shapes.once(
            parts, setting, lambda: (Shape.of(parts, self.lattice, self.cell_mm, reach_mm, ending), points)
        )
        x, y = self.box.x - self.lattice.x, self.box.y - self.lattice.y
        there = slice(y, y + self.box.rows), slice(x, x + self.box.columns)
        return Shape(found.f[there], found.d[there], found.ring[there])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _distances(points, ring_of, radius, side, first_x, first_y, ny, nx, cell, reach):  # type: ignore[no-untyped-def]
    """f, d (mm) and the nearest ring at every point of a lattice that begins so many cells from the origin.

    points: (n, 2) mm, ring after ring, each closed; ring_of: (n,) its number. radius, side: of each ring.
    Farther from the contour than `reach` cells, d and f are those at that distance.
    """
    segments, whose = np.empty((len(points), 4)), np.empty(len(points), dtype=np.int32)
    count = 0
    for m in range(len(points) - 1):
        if ring_of[m] == ring_of[m + 1]:
            for n in range(2):
                segments[count, 2 * n] = points[m + n, 0] / cell - first_x
                segments[count, 2 * n + 1] = points[m + n, 1] / cell - first_y
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
        for row in range(max(int(np.ceil(min(ya, yb))), 0), min(int(np.ceil(max(ya, yb))), ny)):
            column = max(int(np.ceil(xa + (row - ya) / (yb - ya) * (xb - xa))), 0)
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
            middle_x, middle_y = np.float32(left + (BLOCK - 1) / 2), np.float32(top + (BLOCK - 1) / 2)
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
                    number, start, under = np.int32(m), np.float32(left) - x0[m], np.float32(top) - y0[m]
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
