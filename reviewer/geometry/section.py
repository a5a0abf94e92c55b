# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The cut of a structure with any plane."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from numba import njit
from numpy.typing import ArrayLike
from shapely import MultiPolygon

from reviewer.geometry.edges import Floats, Integers
from reviewer.geometry.field import field, occupied
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region, region_of_rings
from reviewer.geometry.solid import EDGES_TO_A_BOX, Solid, slabs, solid
from reviewer.geometry.stack import Stack

TILT_TOLERANCE = 1e-4
"""Sine of the largest angle at which a plane counts as parallel or perpendicular to the stack's planes: 0.03 mm across 300 mm."""


def section(
    stack: Stack, to_stack: ArrayLike | None, origin_mm: ArrayLike, right: ArrayLike, down: ArrayLike
) -> Region | None:
    """Where the plane through `origin_mm` spanned by the unit vectors `right` and `down` cuts the solid of `stack`; None where it misses.

    origin_mm, right, down: (3,) patient coordinates (mm) of the viewing frame; to_stack: (4, 4) rigid map of that frame to the stack's.
    The region is in mm of the viewing frame: a point p of the plane has the coordinates ``(p @ right, p @ down)``.
    Parallel to the stack's planes: the exact region there. Perpendicular: exact crossings at each prism of the solid, joined by straight
    lines. At another angle: the half-occupied line of a `Field`, smooth to about half of its cells (0.5 to 2 mm).
    """
    return _cut(solid(stack), stack, to_stack, origin_mm, right, down)


def sketch(
    stack: Stack, to_stack: ArrayLike | None, origin_mm: ArrayLike, right: ArrayLike, down: ArrayLike
) -> Region | None:
    """As `section`, but of the `slabs`: made at once, for a stroke in hand. On planes of the stack that are evenly apart it is exact.

    Only for planes that are `upright`.
    """
    return _cut(slabs(stack), stack, to_stack, origin_mm, right, down)


def upright(stack: Stack, to_stack: ArrayLike | None, right: ArrayLike, down: ArrayLike) -> bool:
    """Whether a plane lies along the stack's planes or stands across them, as `section` takes it."""
    matrix = np.eye(4) if to_stack is None else np.asarray(to_stack, dtype=np.float64)
    turn = stack.grid.axes @ matrix[:3, :3]
    normal = _cross(turn @ np.asarray(right, dtype=np.float64), turn @ np.asarray(down, dtype=np.float64))
    return bool(np.hypot(normal[0], normal[1]) < TILT_TOLERANCE or abs(normal[2]) < TILT_TOLERANCE)


def _cut(
    body: Solid,
    stack: Stack,
    to_stack: ArrayLike | None,
    origin_mm: ArrayLike,
    right: ArrayLike,
    down: ArrayLike,
) -> Region | None:
    if len(body.borders_mm) == 0:
        return None
    matrix = np.eye(4) if to_stack is None else np.asarray(to_stack, dtype=np.float64)
    turn = stack.grid.axes @ matrix[:3, :3]
    origin = np.asarray(origin_mm, dtype=np.float64)
    across, along = np.asarray(right, dtype=np.float64), np.asarray(down, dtype=np.float64)
    # The plane in the stack's coordinates: start + a * e + b * f is seen at (a, b).
    e, f = turn @ across, turn @ along
    start = turn @ origin + stack.grid.axes @ matrix[:3, 3] - (origin @ across) * e - (origin @ along) * f
    normal = _cross(e, f)
    low, high = body.bounds_mm
    if abs(normal @ ((low + high) / 2 - start)) > np.abs(normal) @ ((high - low) / 2):
        return None
    if np.hypot(normal[0], normal[1]) < TILT_TOLERANCE:
        return _parallel(body, start, e, f)
    if abs(normal[2]) < TILT_TOLERANCE:
        return _perpendicular(body, start, e, f, normal)
    return _oblique(body, start, e, f)


def _cross(a: Floats, b: Floats) -> Floats:
    """As `np.cross` of two vectors, which takes longer than the cut itself."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _parallel(body: Solid, start: Floats, e: Floats, f: Floats) -> Region | None:
    w = start[2]
    n = int(np.searchsorted(body.borders_mm[:, 0], w, side="right")) - 1
    if n < 0 or w >= body.borders_mm[n, 1]:
        return None
    region = body.floor(n)
    if region is None:
        return None
    to_view = np.array([e[:2], f[:2]])
    if np.allclose(to_view, np.eye(2), atol=1e-9) and np.allclose(start[:2], 0, atol=1e-6):
        return region
    moved: Region = shapely.transform(region, lambda points: (points - start[:2]) @ to_view.T)
    return moved


def _perpendicular(body: Solid, start: Floats, e: Floats, f: Floats, normal: Floats) -> Region | None:
    n = normal[:2] / np.hypot(normal[0], normal[1])
    rings, starts = _outlines(body.borders_mm, body.starts, body.segments, body.boxes_mm, n, float(n @ start[:2]))
    if len(starts) < 2:
        return None
    # (s, w) of the cut, s along the line in the plane, to the viewer's (a, b).
    line = np.array([-n[1], n[0]])
    offset = np.array([line @ start[:2], start[2]])
    to_view = np.array([[line @ e[:2], e[2]], [line @ f[:2], f[2]]])
    points = (rings - offset) @ to_view.T
    if len(starts) == 2:
        region: Region = shapely.polygons(points)
        return region
    parts = shapely.polygons([shapely.linearrings(points[a:b]) for a, b in pairwise(starts.tolist())])
    united = shapely.union_all(parts) if _touching(rings, starts) else MultiPolygon(list(parts))
    return united if isinstance(united, Region) else None


def _touching(rings: Floats, starts: Integers) -> bool:
    """Whether any two outlines may share a piece of border: their boxes touch."""
    low = np.minimum.reduceat(rings, starts[:-1])
    high = np.maximum.reduceat(rings, starts[:-1])
    apart = (low[:, None] > high[None, :]).any(axis=2)
    return bool((~(apart | apart.T)).sum() > len(low))


@njit(cache=True, nogil=True)
def _outlines(borders, starts, segments, boxes, n, c):  # type: ignore[no-untyped-def]
    """Outlines of the cut with the line ``n @ (u, v) == c`` through all prisms, as (m, 2) points (s, w) and (rings + 1,) first points.

    Each prism gives intervals along the line. Where neighbours have the same number of intervals, overlapping one by one, straight lines
    join their middles; elsewhere the intervals end at the common border. Outlines touch along borders only.
    """
    count = len(borders)
    most = 0
    for k in range(count):
        most = max(most, starts[k + 1] - starts[k])
    found = np.empty(most + 1)
    crossings = np.empty(64)
    first = np.zeros(count + 1, dtype=np.int64)
    for k in range(count):
        m = 0
        j = starts[k]
        while j < starts[k + 1]:
            box = boxes[j // EDGES_TO_A_BOX]
            end = min((j // EDGES_TO_A_BOX + 1) * EDGES_TO_A_BOX, starts[k + 1])
            middle = n[0] * (box[0] + box[2]) + n[1] * (box[1] + box[3]) - 2.0 * c
            if abs(middle) > abs(n[0]) * (box[2] - box[0]) + abs(n[1]) * (box[3] - box[1]) + 1e-6:
                j = end
                continue
            while j < end:
                g0 = n[0] * segments[j, 0] + n[1] * segments[j, 1] - c
                g1 = n[0] * segments[j, 2] + n[1] * segments[j, 3] - c
                if (g0 > 0.0) != (g1 > 0.0):
                    t = g0 / (g0 - g1)
                    u = segments[j, 0] + t * (segments[j, 2] - segments[j, 0])
                    v = segments[j, 1] + t * (segments[j, 3] - segments[j, 1])
                    found[m] = n[0] * v - n[1] * u
                    m += 1
                j += 1
        ordered = np.sort(found[:m])
        kept = first[k]
        while kept + m > len(crossings):
            crossings = np.concatenate((crossings, np.empty(len(crossings))))
        for i in range(0, m - 1, 2):
            if ordered[i + 1] - ordered[i] > 1e-6:
                crossings[kept], crossings[kept + 1] = ordered[i], ordered[i + 1]
                kept += 2
        first[k + 1] = kept
    points = np.empty((first[count] * 3, 2))
    rings = [0]
    filled = 0
    k = 0
    while k < count:
        intervals = (first[k + 1] - first[k]) // 2
        last = k
        while last + 1 < count and _continues(borders, crossings, first, last):
            last += 1
        for i in range(intervals):
            points[filled] = crossings[first[k] + 2 * i], borders[k, 0]
            filled += 1
            for j in range(k, last + 1):
                points[filled] = crossings[first[j] + 2 * i], (borders[j, 0] + borders[j, 1]) / 2
                filled += 1
            points[filled] = crossings[first[last] + 2 * i], borders[last, 1]
            points[filled + 1] = crossings[first[last] + 2 * i + 1], borders[last, 1]
            filled += 2
            for j in range(last, k - 1, -1):
                points[filled] = crossings[first[j] + 2 * i + 1], (borders[j, 0] + borders[j, 1]) / 2
                filled += 1
            points[filled] = crossings[first[k] + 2 * i + 1], borders[k, 0]
            filled += 1
            rings.append(filled)
        k = last + 1
    return points[:filled], np.array(rings)


@njit(cache=True, nogil=True)
def _continues(borders, crossings, first, k):  # type: ignore[no-untyped-def]
    """Whether the intervals of prism k and of the next meet one by one."""
    if abs(borders[k, 1] - borders[k + 1, 0]) > 1e-6 or first[k + 1] - first[k] != first[k + 2] - first[k + 1]:
        return False
    for i in range(0, first[k + 1] - first[k], 2):
        here, there = first[k] + i, first[k + 1] + i
        if crossings[here + 1] <= crossings[there] or crossings[there + 1] <= crossings[here]:
            return False
    return True


def _oblique(body: Solid, start: Floats, e: Floats, f: Floats) -> Region | None:
    density = field(body)
    low, high = body.bounds_mm
    normal = _cross(e, f)
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T - start
    side = corners @ normal
    if side.min() > 0 or side.max() < 0:
        return None
    edges = [
        (i, i ^ bit) for i in range(8) for bit in (1, 2, 4) if i < i ^ bit and (side[i] > 0) != (side[i ^ bit] > 0)
    ]
    met = np.array([corners[i] + side[i] / (side[i] - side[j]) * (corners[j] - corners[i]) for i, j in edges])
    if len(met) == 0:
        return None
    seen = met @ np.column_stack([e, f])
    step = float(density.step_mm.min())
    first = seen.min(axis=0) - 2 * step
    size = np.ceil((seen.max(axis=0) + 2 * step - first) / step).astype(int) + 1
    samples = _sampled(
        density.samples,
        (start + first[0] * e + first[1] * f - density.first_mm) / density.step_mm,
        e * step / density.step_mm,
        f * step / density.step_mm,
        int(size[0]),
        int(size[1]),
    )
    return region_of_rings([ring * step + first for ring in level_rings(samples, 0.5)])


@njit(cache=True, nogil=True)
def _sampled(samples, start, right, down, nx, ny):  # type: ignore[no-untyped-def]
    out = np.empty((ny, nx), dtype=np.float32)
    for y in range(ny):
        for x in range(nx):
            out[y, x] = occupied(
                samples,
                start[0] + x * right[0] + y * down[0],
                start[1] + x * right[1] + y * down[1],
                start[2] + x * right[2] + y * down[2],
            )
    return out
