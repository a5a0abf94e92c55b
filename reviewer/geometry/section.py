# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The cut of a structure with any plane."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import shapely
from numba import njit
from numpy.typing import ArrayLike

from reviewer.geometry.edges import Floats, Integers
from reviewer.geometry.field import field, occupied
from reviewer.geometry.grid import Grid
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region, region_of_rings, rings_of
from reviewer.geometry.solid import EDGES_TO_A_BOX, Solid, solid
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
    found = _cut(solid(stack), stack, to_stack, origin_mm, right, down)
    return region_of_rings(found) if isinstance(found, list) else found


def outline(
    stack: Stack, to_stack: ArrayLike | None, origin_mm: ArrayLike, right: ArrayLike, down: ArrayLike
) -> list[Floats]:
    """The rings around `section`, (n, 2) points each, by the even-odd rule; none where the plane misses. A picture needs no more."""
    return _rings(_cut(solid(stack), stack, to_stack, origin_mm, right, down))


class Sketch:
    """The cut of a stroke in hand with one plane: as `outline`, but of slabs, each plane's own region as thick as its slab, and made at once.

    On planes of the stack that are evenly apart it is exact. What is crossed in slices that a move leaves as they are is kept for the next.
    Only for planes that are `upright`; all stacks have one grid.
    """

    def __init__(
        self, grid: Grid, to_stack: ArrayLike | None, origin_mm: ArrayLike, right: ArrayLike, down: ArrayLike
    ) -> None:
        self._grid = grid
        self._plane = _seen(grid, _fixed(to_stack), _fixed(origin_mm), _fixed(right), _fixed(down))
        self._known: dict[int, tuple[Region, Floats]] = {}

    def rings(self, planes: Mapping[int, Region]) -> list[Floats]:
        """As `outline`, of the stack's planes."""
        across, borders = self._plane.across, self._grid.slab_borders_mm
        if across is None:
            k = int(np.searchsorted(borders, self._plane.start[2], side="right")) - 1
            return rings_of(_moved(planes[k], self._plane)) if k in planes else []
        occupied = sorted(planes)
        known = self._known
        new = [k for k in occupied if k not in known or known[k][0] is not planes[k]]
        for k, places in zip(new, _crossed([planes[k] for k in new], across), strict=True):
            known[k] = planes[k], places
        met = [known[k][1] for k in occupied]
        first = np.cumsum([0, *map(len, met)])
        if not first[-1]:
            return []
        slabs = np.column_stack([borders[:-1][occupied], borders[1:][occupied]])
        return _shown(_joined(slabs, np.concatenate(met), first), across)


def _crossed(regions: list[Region], across: _Across) -> list[Floats]:
    """Where a line enters and leaves each region, rising."""
    if not regions:
        return []
    parts, region_of_part = shapely.get_parts(regions, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    places, first = _met(points, ring_of_point, region_of_part[part_of_ring], len(regions), across.n, across.c)
    return [places[a:b] for a, b in pairwise(first.tolist())]


@njit(cache=True, nogil=True)
def _met(points, ring_of_point, region_of_ring, count, n, c):  # type: ignore[no-untyped-def]
    """As `_crossings`, of regions whose rings are (m, 2) points in a row."""
    found = np.empty(len(points))
    first = np.zeros(count + 1, dtype=np.int64)
    i = 0
    for k in range(count):
        m = first[k]
        while i < len(points) and region_of_ring[ring_of_point[i]] == k:
            if i > 0 and ring_of_point[i] == ring_of_point[i - 1]:
                m = _add_crossing(
                    points[i - 1, 0], points[i - 1, 1], points[i, 0], points[i, 1], n[0], n[1], c, found, first[k], m
                )
            i += 1
        first[k + 1] = _paired(found, first[k], m)
    return found, first


def _rings(found: Region | list[Floats] | None) -> list[Floats]:
    return found if isinstance(found, list) else [] if found is None else rings_of(found)


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
) -> Region | list[Floats] | None:
    """The region, or the rings around it."""
    if len(body.borders_mm) == 0:
        return None
    plane = _seen(stack.grid, _fixed(to_stack), _fixed(origin_mm), _fixed(right), _fixed(down))
    if plane.misses(body):
        return None
    if plane.across is not None:
        return _perpendicular(body, plane.across)
    if plane.parallel:
        return _parallel(body, plane)
    return _oblique(body, plane)


class _Across(NamedTuple):
    """A plane that stands across a stack's planes: the line ``n @ (u, v) == c``.

    offset, to_view: ``(point - offset) @ to_view`` turns (s, w), s along the line, into the viewer's (a, b).
    """

    n: Floats
    c: float
    offset: Floats
    to_view: Floats


class _Plane(NamedTuple):
    """A plane in a stack's coordinates (u, v, w) mm: start + a * e + b * f is seen at (a, b)."""

    start: Floats
    e: Floats
    f: Floats
    normal: Floats
    parallel: bool
    across: _Across | None

    def misses(self, body: Solid) -> bool:
        """Whether it passes the box around a body; in plain floats, which for so few are faster than arrays."""
        apart = room = 0.0
        bounds = (each.tolist() for each in body.bounds_mm)
        for n, s, low, high in zip(self.normal.tolist(), self.start.tolist(), *bounds, strict=True):
            apart += n * ((low + high) / 2 - s)
            room += abs(n) * (high - low) / 2
        return abs(apart) > room


def _fixed(value: ArrayLike | None) -> Any:
    """A value as a key: tuples as they are, arrays as tuples."""
    if value is None or isinstance(value, tuple):
        return value
    array = np.asarray(value, dtype=np.float64)
    return tuple(map(tuple, array.tolist())) if array.ndim == 2 else tuple(array.tolist())


@lru_cache(64)  # all structures of a set lie on one grid
def _seen(grid: Grid, to_stack: Any, origin_mm: Any, right: Any, down: Any) -> _Plane:
    matrix = np.eye(4) if to_stack is None else np.array(to_stack, dtype=np.float64)
    turn = grid.axes @ matrix[:3, :3]
    origin, across, along = (np.array(each, dtype=np.float64) for each in (origin_mm, right, down))
    e, f = turn @ across, turn @ along
    start = turn @ origin + grid.axes @ matrix[:3, 3] - (origin @ across) * e - (origin @ along) * f
    normal = _cross(e, f)
    parallel = bool(np.hypot(normal[0], normal[1]) < TILT_TOLERANCE)
    if parallel or abs(normal[2]) >= TILT_TOLERANCE:
        return _Plane(start, e, f, normal, parallel, None)
    n = normal[:2] / np.hypot(normal[0], normal[1])
    line = np.array([-n[1], n[0]])
    to_view = np.array([[line @ e[:2], line @ f[:2]], [e[2], f[2]]])
    offset = np.array([line @ start[:2], start[2]])
    return _Plane(start, e, f, normal, parallel, _Across(n, float(n @ start[:2]), offset, to_view))


def _cross(a: Floats, b: Floats) -> Floats:
    """As `np.cross` of two vectors, which takes longer than the cut itself."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _parallel(body: Solid, plane: _Plane) -> Region | None:
    w = plane.start[2]
    n = int(np.searchsorted(body.borders_mm[:, 0], w, side="right")) - 1
    if n < 0 or w >= body.borders_mm[n, 1]:
        return None
    region = body.floor(n)
    if region is None:
        return None
    return _moved(region, plane)


def _moved(region: Region, plane: _Plane) -> Region:
    """A region of a stack's own plane, as a parallel one sees it."""
    start, e, f = plane.start, plane.e, plane.f
    to_view = np.array([e[:2], f[:2]])
    if np.allclose(to_view, np.eye(2), atol=1e-9) and np.allclose(start[:2], 0, atol=1e-6):
        return region
    moved: Region = shapely.transform(region, lambda points: (points - start[:2]) @ to_view.T)
    return moved


def _perpendicular(body: Solid, across: _Across) -> list[Floats]:
    n = across.n
    rows, boxes = body.by_u if abs(n[0]) > abs(n[1]) else body.by_v
    crossings, first = _crossings(body.starts, body.segments, rows, boxes, n, across.c)
    return _shown(_joined(body.borders_mm, crossings, first), across)


def _shown(found: tuple[Floats, Integers], across: _Across) -> list[Floats]:
    points, starts = found
    points = (points - across.offset) @ across.to_view
    return [points[a:b] for a, b in pairwise(starts.tolist())]


@njit(cache=True, nogil=True)
def _joined(borders, crossings, first):  # type: ignore[no-untyped-def]
    """Rings around the cut with a line through all prisms, as (m, 2) points (s, w) and (rings + 1,) first points.

    borders: as in `Solid`; crossings, first: as `_crossings` gives them.
    Each prism gives intervals along the line. Where neighbours have the same number of intervals, overlapping one by one, straight lines
    join their middles. Elsewhere the intervals end at the common border, of which what belongs to only one of the two prisms is outline.
    """
    count, total = len(borders), first[-1]
    # Where the outline goes on from each crossing, above and below: straight to a neighbour, or along a border to a crossing on either side.
    above, below = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    straight = np.zeros(count + 1, dtype=np.bool_)  # at the upper border of each prism; the last: below the lowest
    prism = np.empty(total, dtype=np.int64)
    for k in range(count):
        prism[first[k] : first[k + 1]] = k
    for k in range(-1, count):
        a, b = first[max(k, 0)], first[k + 1]
        e = first[min(k + 2, count)]
        if 0 <= k < count - 1 and abs(borders[k, 1] - borders[k + 1, 0]) <= 1e-6:
            if _go_on(crossings, a, b, e):
                straight[k] = True
                for i in range(b - a):
                    above[a + i], below[b + i] = b + i, a + i
            else:
                _join(crossings, a, b, e, above, below)
        else:
            _join(crossings, a, b, b, above, below)
            _join(crossings, b, b, e, above, below)
    points = np.empty((3 * total, 2))
    rings = [0]
    filled = 0
    seen = np.zeros(total, dtype=np.bool_)
    for s in range(total):
        if seen[s]:
            continue
        q, upward = s, True
        while not seen[q]:
            seen[q] = True
            k = prism[q]
            points[filled] = crossings[q], (borders[k, 0] + borders[k, 1]) / 2
            filled += 1
            p = above[q] if upward else below[q]
            if not straight[k if upward else k - 1]:
                w = borders[k, 1 if upward else 0]
                points[filled] = crossings[q], w
                filled += 1
                upward = prism[p] > k or (prism[p] == k and not upward)
                if crossings[p] != crossings[q]:
                    points[filled] = crossings[p], w
                    filled += 1
            q = p
        rings.append(filled)
    return points[:filled], np.array(rings)


@njit(cache=True, nogil=True)
def _crossings(starts, segments, rows, boxes, n, c):  # type: ignore[no-untyped-def]
    """Where the line ``n @ (u, v) == c`` enters and leaves the prisms, from below, rising in each, and the (prisms + 1,) first of each prism.

    starts, segments: as in `Solid`; rows, boxes: as its `by_u`.
    """
    count = len(starts) - 1
    found = np.empty(256)
    first = np.zeros(count + 1, dtype=np.int64)
    nu, nv = n[0], n[1]
    for k in range(count):
        m = first[k]
        j = starts[k]
        while j < starts[k + 1]:
            b = j // EDGES_TO_A_BOX
            end = min((b + 1) * EDGES_TO_A_BOX, starts[k + 1])
            middle = nu * (boxes[b, 0] + boxes[b, 2]) + nv * (boxes[b, 1] + boxes[b, 3]) - 2.0 * c
            if abs(middle) > abs(nu) * (boxes[b, 2] - boxes[b, 0]) + abs(nv) * (boxes[b, 3] - boxes[b, 1]) + 1e-6:
                j = end
                continue
            while m + EDGES_TO_A_BOX > len(found):
                found = np.concatenate((found, np.empty(len(found))))
            while j < end:
                r = rows[j]
                m = _add_crossing(
                    segments[r, 0], segments[r, 1], segments[r, 2], segments[r, 3], nu, nv, c, found, first[k], m
                )
                j += 1
        first[k + 1] = _paired(found, first[k], m)
    return found, first


@njit(cache=True, nogil=True)
def _add_crossing(u0, v0, u1, v1, nu, nv, c, found, begin, m):  # type: ignore[no-untyped-def]
    """Sort the place where an edge crosses the line in among those found from `begin` to `m`; where they end now."""
    g0, g1 = nu * u0 + nv * v0 - c, nu * u1 + nv * v1 - c
    if (g0 > 0.0) == (g1 > 0.0):
        return m
    if g0 > g1:  # an edge is crossed at the very same place whichever way it runs
        u0, v0, g0, u1, v1, g1 = u1, v1, g1, u0, v0, g0
    t = g0 / (g0 - g1)
    s = nu * (v0 + t * (v1 - v0)) - nv * (u0 + t * (u1 - u0))
    i = m
    while i > begin and found[i - 1] > s:
        found[i] = found[i - 1]
        i -= 1
    found[i] = s
    return m + 1


@njit(cache=True, nogil=True)
def _paired(found, begin, end):  # type: ignore[no-untyped-def]
    """Without intervals of no length; where they end now."""
    kept = begin
    for i in range(begin, end - 1, 2):
        if found[i + 1] - found[i] > 1e-6:
            found[kept], found[kept + 1] = found[i], found[i + 1]
            kept += 2
    return kept


@njit(cache=True, nogil=True)
def _go_on(crossings, a, b, e):  # type: ignore[no-untyped-def]
    """Whether the intervals of a prism, from crossing a on, and of the next, b to e, meet one by one."""
    if b - a != e - b:
        return False
    apart = 0
    for i in range(0, b - a, 2):
        apart += crossings[a + i + 1] <= crossings[b + i] or crossings[b + i + 1] <= crossings[a + i]
    return apart == 0


@njit(cache=True, nogil=True)
def _join(crossings, a, b, e, above, below):  # type: ignore[no-untyped-def]
    """Join the crossings of a prism, from a on, and of the next, b to e, along their common border.

    In order along the border, each crossing begins or ends what belongs to one of the two alone: so every other one is joined to the next.
    """
    i, j, before = a, b, -1
    while i < b or j < e:
        if j == e or (i < b and crossings[i] <= crossings[j]):
            q = i
            i += 1
        else:
            q = j
            j += 1
        if before < 0:
            before = q
            continue
        for one, other in ((before, q), (q, before)):
            if one < b:
                above[one] = other
            else:
                below[one] = other
        before = -1


def _oblique(body: Solid, plane: _Plane) -> Region | None:
    start, e, f, normal = plane.start, plane.e, plane.f, plane.normal
    density = field(body)
    low, high = body.bounds_mm
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
