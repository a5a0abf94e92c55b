# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Comparison plane by plane, on the polygons themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.comparison.nearest import Tree
from reviewer.comparison.overlap import common_mm2
from reviewer.geometry.edges import segments_of
from reviewer.geometry.region import Region, rings_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

STEP_MM = 0.5
"""Contours are measured at their vertices and at least this often in between."""

APART_MM = 1e4
"""Contours of different planes are kept this far apart while distances are sought, so that none finds another plane's."""


@dataclass(frozen=True)
class SliceComparison:
    """One plane of the reference; see `Comparison` for the measures, here in two dimensions.

    position_mm: w of the plane. What needs two contours is None where there is one.
    """

    position_mm: float
    area_mm2: tuple[float, float]
    dice: float
    hausdorff_mm: float | None
    mean_distance_mm: float | None
    added_path_length_mm: float


@dataclass(frozen=True, eq=False)
class _Contours:
    """The contours of all planes in one.

    corners, after: (n, 3) u, v and the plane's place on the third axis; the number of the corner that follows on the same ring.
    points, following, plane, lengths: the same with points in between, the plane's number, and the distance to the point that follows.
    """

    corners: Floats
    after: Integers
    points: Floats
    following: Integers
    plane: Integers
    lengths: Floats

    @classmethod
    def of(cls, regions: Sequence[Region | None]) -> _Contours:
        rings = [(k, ring) for k, region in enumerate(regions) if region is not None for ring in rings_of(region)]
        starts = np.cumsum([0, *(len(ring) for _, ring in rings)])
        corners = np.concatenate([ring for _, ring in rings]) if rings else np.empty((0, 2))
        planes = np.array([k for k, _ in rings], dtype=np.int64)
        after = np.arange(1, len(corners) + 1)
        after[starts[1:] - 1] = starts[:-1]
        flat, following, of_ring = _sampled(corners, starts, STEP_MM)
        plane = planes[of_ring]
        return cls(
            np.column_stack([corners, np.repeat(planes, np.diff(starts)) * APART_MM]),
            after,
            np.column_stack([flat, plane * APART_MM]),
            following,
            plane,
            np.hypot(*(flat[following] - flat).T),
        )

    def tree(self) -> Tree:
        return Tree.of(self.corners, np.column_stack([np.arange(len(self.corners)), self.after, self.after]))

    def total(self, pieces: Floats, planes: int) -> Floats:
        """(planes,) sum of a number that belongs to the piece from each point to the next."""
        summed: Floats = np.bincount(self.plane, pieces, planes).astype(np.float64)
        return summed


def compare_slices(
    positions_mm: Sequence[float], a: Sequence[Region | None], b: Sequence[Region | None], path_tolerance_mm: float
) -> list[SliceComparison]:
    """The planes at `positions_mm` with the reference's regions `a` and the other's `b`, of which at least one is there.

    Areas are exact. Distances are exact at points at most STEP_MM apart and linear in between: a 2D Hausdorff distance may be low by up to
    half a step where the farthest point lies between two of them.
    """
    n = len(positions_mm)
    if n == 0:
        return []
    both = np.array([p is not None and q is not None for p, q in zip(a, b, strict=True)])
    same = np.array([_same(p, q) for p, q in zip(a, b, strict=True)])
    mine, theirs = _Contours.of(a), _Contours.of(b)
    away = [_distances(some, other, both, same) for some, other in ((mine, theirs), (theirs, mine))]
    perimeter = mine.total(mine.lengths, n), theirs.total(theirs.lengths, n)
    summed = [
        c.total(np.where(np.isfinite(d), c.lengths * (d + d[c.following]) / 2, 0.0), n)
        for c, d in zip((mine, theirs), away, strict=True)
    ]
    farthest = np.zeros(n)
    for c, d in zip((mine, theirs), away, strict=True):
        np.maximum.at(farthest, c.plane, np.where(np.isfinite(d), d, 0.0))
    added = mine.total(mine.lengths * _beyond(away[0], away[0][mine.following], path_tolerance_mm), n)
    found = []
    for k, (p, q) in enumerate(zip(a, b, strict=True)):
        areas = (p.area if p is not None else 0.0), (q.area if q is not None else 0.0)
        length = float(perimeter[0][k] + perimeter[1][k])
        found.append(
            SliceComparison(
                float(positions_mm[k]),
                areas,
                1.0 if same[k] else 2 * _common(p, q) / sum(areas),
                float(farthest[k]) if both[k] else None,
                float(summed[0][k] + summed[1][k]) / length if both[k] else None,
                float(added[k]),
            )
        )
    return found


def _same(a: Region | None, b: Region | None) -> bool:
    return a is not None and b is not None and (a is b or bool(a.equals_exact(b, 0.0)))


def _common(a: Region | None, b: Region | None) -> float:
    if a is None or b is None:
        return 0.0
    edges, starts = segments_of([a, b])
    return min(common_mm2(edges[: starts[1]], edges[starts[1] :]), float(a.area), float(b.area))


def _distances(some: _Contours, others: _Contours, both: NDArray[np.bool_], same: NDArray[np.bool_]) -> Floats:
    """Distance of each point from the other contours of its plane; infinite where there are none."""
    found = np.where(same[some.plane], 0.0, np.inf)
    asked = (both & ~same)[some.plane]
    if asked.any():
        found[asked] = others.tree().distances(some.points[asked])
    return found


def _beyond(start: Floats, end: Floats, tolerance: float) -> Floats:
    """Part of each piece on which a distance that is linear from start to end exceeds the tolerance."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    partly = (low <= tolerance) & (high > tolerance)
    parts = np.where(low > tolerance, 1.0, 0.0)
    parts[partly] = (high[partly] - tolerance) / (high[partly] - low[partly])
    return parts


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled(corners, starts, step):  # type: ignore[no-untyped-def]
    """Points along closed rings, at the corners and at most `step` apart; the number of the following one; the ring of each."""
    count = 0
    for r in range(len(starts) - 1):
        for i in range(starts[r], starts[r + 1]):
            p, q = corners[i], corners[i + 1 if i + 1 < starts[r + 1] else starts[r]]
            count += max(1, int(np.ceil(np.hypot(q[0] - p[0], q[1] - p[1]) / step)))
    points = np.empty((count, 2))
    following = np.empty(count, dtype=np.int64)
    ring = np.empty(count, dtype=np.int64)
    n = 0
    for r in range(len(starts) - 1):
        begin = n
        for i in range(starts[r], starts[r + 1]):
            p, q = corners[i], corners[i + 1 if i + 1 < starts[r + 1] else starts[r]]
            pieces = max(1, int(np.ceil(np.hypot(q[0] - p[0], q[1] - p[1]) / step)))
            for j in range(pieces):
                t = j / pieces
                points[n, 0], points[n, 1] = p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])
                following[n], ring[n] = n + 1, r
                n += 1
        if n > begin:
            following[n - 1] = begin
    return points, following, ring
