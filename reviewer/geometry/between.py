# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""What a structure is between two planes: shape-based interpolation (docs/decisions/0003-the-solid.md).

Each plane's region is turned into a function of the plane that is negative inside and zero on the contour,

    f(x) = 2 r d + s d^2,   d signed distance to the contour (negative inside), r radius of the disc with the area of the nearest ring,
                            s +1 around an outer ring, -1 around a hole,

and f is interpolated along w by a cubic through the four nearest planes. For discs f is rho^2 - r^2, a quadratic of w in every sphere,
cylinder and cone, straight or slanted, so these are met exactly; so is every straight wall. A part without successor on the next plane
ends in a cap that follows the parabola through its last three planes; there r is the radius of the largest disc within the part and s is +1
throughout, so that a tube that lies in the planes, or a ring, closes as its thickness does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from reviewer.geometry.edges import segments_of
from reviewer.geometry.level import level_edges
from reviewer.geometry.parts import (
    Booleans,
    Parts,
    closed,
    enclosed,
    ended_and_through,
    ended_in,
    following,
    going_on,
    holes_of,
    hollow,
    less_islands,
    meeting,
    parts_of,
    pick,
    touching,
    without_holes,
)
from reviewer.geometry.region import Region
from reviewer.geometry.shape import BLOCK, FAST, Bounds, Box, Shape, Singles, reach_of_ending_mm, shape

Floats = NDArray[np.float64]

STEP_MM = 1.0
"""Largest distance between two levels at which the interpolation is evaluated."""

FLAT = 0.25
"""A cap is cut half-way to the next plane where its extrapolation still has this part (or more) of its area there; the less it has, the
farther out lies the cut, as far as the next plane for a cap that closes just there."""

ON_THE_EDGE = np.float32(1e-4)
"""mm2. Points of the lattice that lie on the surface itself count as this far outside, so that no two edges share a start."""

OUTSIDE = np.float32(1e9)


@dataclass(frozen=True)
class Layer:
    """A prism from `low_mm` to `high_mm` (w); segments as in `Solid`."""

    low_mm: float
    high_mm: float
    segments: Floats


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane near an interval, empty or not.

    reach_mm: how far from the contour distances are of interest: about as far as the contours of the next two planes to either side lie.
    bounds:   of all its parts. room: where its shape may be asked for, around these and those of the next three planes to either side.
    hollow:   whether any part has a hole.
    """

    w_mm: float
    parts: Parts
    reach_mm: float
    bounds: Bounds | None
    room: Box | None
    hollow: bool


def steps(length_mm: float) -> int:
    """Into how many steps the distance of two planes is divided."""
    return math.ceil(length_mm / STEP_MM - 1e-6)


class Between:
    """Finds the layers between the planes of one structure.

    What it finds between two planes depends on nothing but the planes handed over and `cell_mm`, and may be kept for as long as these stay.
    """

    def __init__(
        self, regions: Sequence[Region | None], heights_mm: Sequence[float], reach_mm: Sequence[float]
    ) -> None:
        """Of successive planes, some of which may be empty: their regions, w, and `Plane.reach_mm`.

        A GTV is sought in cells of 0.5 mm, a liver in 1 mm, a body in 2 mm; smooth outlines are met to a few hundredths of a cell.
        """
        found = shapely.bounds(np.array([region for region in regions if region is not None], dtype=object))
        extent = found[:, 2:].max(axis=0) - found[:, :2].min(axis=0)
        size = math.sqrt(extent[0] * extent[1])
        self.cell_mm = 0.5 if size < 60 else 1.0 if size < 250 else 2.0
        self._margin_mm = max(b - a for a, b in pairwise(heights_mm)) / 2
        self._heights, self._reach = heights_mm, reach_mm
        self._parts = [() if region is None else parts_of(region) for region in regions]
        holes = iter(shapely.get_num_interior_rings([part for parts in self._parts for part in parts]).tolist())
        self._hollow = [sum(next(holes) for _ in parts) > 0 for parts in self._parts]
        bounds = iter(found.tolist())
        self._bounds = [None if region is None else tuple(next(bounds)) for region in regions]
        self._planes: dict[int, Plane] = {}
        self._shapes: dict[Plane, Shape] = {}
        self._on: dict[tuple[Plane, Plane], tuple[list[bool], list[bool]]] = {}

    def plane(self, number: int) -> Plane:
        known = self._planes.get(number)
        if known is None:
            bounds = self._bounds[number]
            room = None
            if bounds is not None:
                near = [b for b in self._bounds[max(number - 3, 0) : number + 4] if b is not None]
                room = Box.around(near, self._margin_mm, self.cell_mm, BLOCK)
            parts = self._parts[number]
            known = Plane(self._heights[number], parts, self._reach[number], bounds, room, self._hollow[number])
            self._planes[number] = known
        return known

    def layers(self, below: Sequence[Plane], above: Sequence[Plane], count: int, open_end: bool) -> list[Layer]:
        """The solid between two planes, but for the half step next to each, which belongs to the planes' own regions.

        below:    the lower plane and up to two more downward; above: the upper plane and up to two more upward.
        count:    into how many `steps` the distance of the two is divided.
        open_end: the grid ends here: one of the two planes is imagined one slice beyond, and nothing is known to be empty there.
        """
        start, length = below[0].w_mm, above[0].w_mm - below[0].w_mm
        lower, upper = below[0].parts, above[0].parts
        if count < 2 and lower and upper:
            return []
        if _straight(below, above):
            low = 0.5 / count if lower else 0.5
            high = 1 - 0.5 / count if upper else 0.5
            if low == high:
                return []
            edges, _ = segments_of([MultiPolygon(lower or upper)])
            return [Layer(start + low * length, start + high * length, edges)]
        filling = self._filling(below, above, open_end)
        first, last = (0.5 / count if lower else 0.0), (1 - 0.5 / count if upper else 1.0)
        marks = {(i + 0.5) / count for i in range(count)} | {
            min(max(cap.cut, first), last) for cap in filling.caps + filling.hollows
        }
        ends = [(low, high) for low, high in pairwise(sorted(marks)) if high - low >= 1e-6]
        outlines = self._edges(filling, [(low + high) / 2 for low, high in ends])
        return [
            Layer(start + low * length, start + high * length, edges)
            for (low, high), edges in zip(ends, outlines, strict=True)
            if len(edges)
        ]

    def at(self, below: Sequence[Plane], above: Sequence[Plane], shares: Sequence[float]) -> list[Floats]:
        """The solid's edges, as in `Solid`, at some shares of the way between two planes of a grid: there, not at the nearest level.

        below, above: as in `layers`.
        """
        lower, upper = below[0].parts, above[0].parts
        if not lower and not upper:
            return [np.empty((0, 4)) for _ in shares]
        if lower and upper and _straight(below, above):
            edges, _ = segments_of([MultiPolygon(lower)])
            return [edges for _ in shares]
        filling = self._filling(below, above, False)
        return self._edges(filling, shares)

    def _edges(self, filling: _Filling, shares: Sequence[float]) -> list[Floats]:
        pair, box = filling.pair, filling.box
        if pair is None or pair.inner is not None or filling.caps or filling.hollows:
            return [_outline(filling.at(t), box.x, box.y, self.cell_mm) for t in shares]
        edges, starts = _outlines(np.array(shares), pair.known, box.x, box.y, self.cell_mm)
        return [edges[a:b] for a, b in pairwise(starts.tolist())]

    def _filling(self, below: Sequence[Plane], above: Sequence[Plane], open_end: bool) -> _Filling:
        length = above[0].w_mm - below[0].w_mm
        lower, upper = below[0].parts, above[0].parts
        box = self._box([b for b in (below[0].bounds, above[0].bounds) if b is not None], length)
        lower_on, upper_on = self._going_on(below[0], above[0])
        # Most structures have no holes, and are looked at no further for what becomes of them.
        plain = not any(p.hollow for side in (below, above) for p in side[:2])
        if plain and lower and upper and all(lower_on) and all(upper_on):
            return _Filling(self._pair(lower, upper, below, above, box), [], [], box)
        pits, peaks = ((), ()) if plain else (enclosed(lower, upper), enclosed(upper, lower))
        pair = None
        if any(lower_on):
            pair = self._pair(pick(lower, lower_on), pick(upper, upper_on), below, above, box)
        caps: list[_Cap] = []
        hollows: list[_Cap] = []
        for parts, planes, from_above in (
            (pick(lower, [not on for on in lower_on]), below, False),
            (pick(upper, [not on for on in upper_on]), above, True),
        ):
            for part in parts:
                young = _young(part, planes)
                (whole,) = without_holes((part,), young)
                caps.append(self._cap((whole,), planes, length, from_above, open_end, box))
                hollows += [
                    replace(self._cap((h,), planes[:1], length, from_above, open_end, box), reach=1.0) for h in young
                ]
        for ended, planes, from_above in ((pits, below, False), (peaks, above, True)):
            if ended:
                inverse = _hollow(planes)
                hollows += [self._cap((h,), inverse, length, from_above, open_end, box) for h in ended]
        return _Filling(pair, caps, hollows, box)

    def _going_on(self, lower: Plane, upper: Plane) -> tuple[list[bool], list[bool]]:
        """Which parts of two planes overlap any of the other's."""
        known = self._on.get((lower, upper))
        if known is None:
            known = self._on[lower, upper] = going_on(meeting(lower.parts, upper.parts))
        return known

    def goes_on(self, number: int) -> bool:
        """Whether all that there is on a plane and on the next goes on there, so that no third plane bears on what lies between."""
        lower, upper = self.plane(number), self.plane(number + 1)
        if not lower.parts or not upper.parts or not all(map(all, self._going_on(lower, upper))):
            return False
        if not lower.hollow and not upper.hollow:
            return True
        return not enclosed(lower.parts, upper.parts) and not enclosed(upper.parts, lower.parts)

    def _box(self, bounds_mm: Sequence[Bounds], length: float) -> Box:
        """Of the lattice, for what lies between planes so far apart within `bounds_mm`."""
        return Box.around(bounds_mm, length / 2, self.cell_mm)

    def _shape(self, parts: Parts, plane: Plane, box: Box) -> _Window:
        """Of parts of a plane, all or some of them, and where the box lies in it."""
        assert plane.room is not None, "an empty plane has no shape"
        known = self._shapes.get(plane) if parts is plane.parts else None
        if known is None:
            known = shape(parts, plane.room, self.cell_mm, plane.reach_mm, plane.hollow)
            if parts is plane.parts:
                self._shapes[plane] = known
        return known.f, known.d, known.ring, box.y - plane.room.y, box.x - plane.room.x

    def _ending(self, parts: Parts, plane: Plane, box: Box) -> Shape:
        """Of parts that end on a plane, or that these follow from: f by their thickness, known as far as their middle."""
        assert plane.room is not None, "an empty plane has no shape"
        reach = reach_of_ending_mm(parts, plane.reach_mm)
        return shape(parts, plane.room, self.cell_mm, reach, plane.hollow, ending=True).cut(box.window(plane.room))

    def _pair(self, lower: Parts, upper: Parts, below: Sequence[Plane], above: Sequence[Plane], box: Box) -> _Pair:
        """The parts that go on from one plane to the next, without the holes that end. Holes that go on as one are a pair of their own: a wall
        may be thinner than it shifts from plane to plane."""
        pits: Parts = ()
        peaks: Parts = ()
        inner = None
        if below[0].hollow or above[0].hollow:
            pits, deep = ended_and_through(lower, upper)
            peaks, high = ended_and_through(upper, lower)
            deep_on, high_on = going_on(following(deep, high, lower, upper))
            if any(deep_on):
                deep, high = pick(deep, deep_on), pick(high, high_on)
                within = self._box([p.bounds for p in deep + high], above[0].w_mm - below[0].w_mm)
                cavities = less_islands(deep, below[0].parts), less_islands(high, above[0].parts)
                inner = _Inner(self._pair(*cavities, _hollow(below), _hollow(above), within), within.window(box))
                pits, peaks = (*pits, *deep), (*peaks, *high)
            lower, upper = without_holes(lower, pits), without_holes(upper, peaks)
        first, second = self._shape(lower, below[0], box), self._shape(upper, above[0], box)
        before, gap_before, follows = self._next(lower, pits, below, box)
        after, gap_after, goes_on = self._next(upper, peaks, above, box)
        gaps = above[0].w_mm - below[0].w_mm, gap_before, gap_after
        size = box.rows, box.columns
        return _Pair((first, second, before or first, after or second, (follows, goes_on), gaps, size), inner)

    def _next(
        self, parts: Parts, ended: Parts, planes: Sequence[Plane], box: Box
    ) -> tuple[_Window | None, float, Booleans]:
        """Shape of the second of `planes` without what became of the holes `ended`, its distance from the first, and which rings of the first's
        `parts` go on there."""
        if len(planes) < 2 or not planes[1].parts:
            return None, 1.0, np.zeros(sum(1 + len(part.interiors) for part in parts), dtype=np.bool_)
        gap = abs(planes[1].w_mm - planes[0].w_mm)
        there = planes[1].parts
        if not planes[0].hollow and not planes[1].hollow:
            if parts is not planes[0].parts:
                on, _ = going_on(meeting(parts, there))
            elif planes[0].w_mm < planes[1].w_mm:
                on, _ = self._going_on(planes[0], planes[1])
            else:
                _, on = self._going_on(planes[1], planes[0])
        else:
            there = without_holes(there, ended_in(there, parts, ended))
            on = []
            for part in parts:
                on += [bool(meeting((part,), there).any()), *(not closed(hole, there) for hole in holes_of((part,)))]
        return self._shape(there, planes[1], box), gap, np.array(on, dtype=np.bool_)

    def _cap(
        self,
        parts: Parts,
        planes: Sequence[Plane],
        length: float,
        from_above: bool,
        open_end: bool,
        box: Box,
    ) -> _Cap:
        """The end of parts of the first of `planes` that have no successor on the other side."""
        last = self._ending(parts, planes[0], box)
        f, d = last.f, last.d
        slope: Singles = np.zeros_like(f)
        curvature: Singles = np.zeros_like(f)
        gap = 0.0
        ancestors = touching(parts, planes[1].parts) if len(planes) > 1 else ()
        if ancestors:
            gap = abs(planes[1].w_mm - planes[0].w_mm)
            ended = enclosed(ancestors, parts)
            ancestors = without_holes(ancestors, ended)
            before = self._ending(ancestors, planes[1], box).f
            slope = np.divide(f - before, gap, dtype=np.float32)
            older = touching(ancestors, planes[2].parts) if len(planes) > 2 else ()
            older = without_holes(older, ended_in(older, ancestors, ended))
            if older:
                farther = abs(planes[2].w_mm - planes[1].w_mm)
                steeper = np.divide(before - self._ending(older, planes[2], box).f, farther, dtype=np.float32)
                curvature = np.divide(slope - steeper, gap + farther, dtype=np.float32)
        cap = _Cap(f, d, slope, curvature, gap, length, from_above, 1.0)
        left = np.count_nonzero(cap.at(0.0 if from_above else 1.0) < 0) / max(int(np.count_nonzero(d < 0)), 1)
        reach = 1 - 0.5 * min(left / FLAT, 1.0) if left else cap.closing
        return replace(cap, reach=min(reach, 0.5) if open_end else reach)


_Window = tuple[Singles, Singles, NDArray[np.int32], int, int]
"""f, d and ring of a `Shape`, and the row and the column of it in which a box begins."""

_Known = tuple[
    _Window, _Window, _Window, _Window, tuple[Booleans, Booleans], tuple[float, float, float], tuple[int, int]
]
"""Of two planes, the one before and the one after them (or of the two again where there is none); which rings of the two go on there; how far
apart the two are, and the others from these; rows and columns of the box."""


@dataclass(frozen=True)
class _Pair:
    known: _Known
    inner: _Inner | None

    def at(self, t: float) -> Singles:
        values: Singles = _cubic(t, self.known, *_slopes(self.known))
        if self.inner:
            around = values[self.inner.window]
            np.maximum(around, -self.inner.pair.at(t), out=around)
        return values


@dataclass(frozen=True)
class _Inner:
    """Holes that go on, as a pair of their own, and where it lies in the lattice of the pair around it."""

    pair: _Pair
    window: tuple[slice, slice]


@dataclass(frozen=True)
class _Cap:
    """f and d on the last plane, and the parabola of f beyond it; cut off at `reach`, 0 at the last plane and 1 at the next."""

    f: Singles
    d: Singles
    slope: Singles
    curvature: Singles
    gap_mm: float
    length_mm: float
    from_above: bool
    reach: float

    @property
    def cut(self) -> float:
        """`reach` counted from the lower plane."""
        return 1 - self.reach if self.from_above else self.reach

    @property
    def closing(self) -> float:
        """From where on it is empty, as `reach`; 1 where it is not."""
        inside = self.d < 0
        f, slope, bend = (values[inside].astype(np.float64) for values in (self.f, self.slope, self.curvature))
        rising = slope + self.gap_mm * bend
        square = rising * rising - 4 * bend * f
        with np.errstate(invalid="ignore"):
            under = rising + np.sqrt(square)
        closes = under > 0  # false, too, where there is no root
        if not closes.all():
            return 1.0
        return min(float((-2 * f / under).max(initial=0.0)) / self.length_mm, 1.0)

    def _extrapolated(self, distance: float) -> Singles:
        rising = np.float32(distance) * self.slope
        rising += np.float32(distance * (distance + self.gap_mm)) * self.curvature
        rising += self.f
        return rising

    def at(self, t: float) -> Singles:
        beyond = 1 - t if self.from_above else t
        if beyond > self.reach:
            return np.full_like(self.f, OUTSIDE)
        values = self._extrapolated(beyond * self.length_mm)
        values[self.d > self.length_mm / 2] = OUTSIDE
        return values


@dataclass(frozen=True)
class _Filling:
    """What lies between two planes, in a box of the lattice."""

    pair: _Pair | None
    caps: list[_Cap]
    hollows: list[_Cap]
    box: Box

    def at(self, t: float) -> Singles:
        """Negative inside, at the share t of the way."""
        values = self.pair.at(t) if self.pair else np.full((self.box.rows, self.box.columns), OUTSIDE)
        for cap in self.caps:
            np.minimum(values, cap.at(t), out=values)
        for pit in self.hollows:
            np.maximum(values, -pit.at(t), out=values)
        return values


def _straight(below: Sequence[Plane], above: Sequence[Plane]) -> bool:
    """Whether all the planes that bear on the interval show the same region: then so does everything between, and a cap is flat."""
    reach = 2 if below[0].parts and above[0].parts else 3
    first, *others = (p for side in (below, above) for p in takewhile(lambda p: bool(p.parts), side[:reach]))
    return all(p.parts is first.parts or (p.bounds == first.bounds and _same(p.parts, first.parts)) for p in others)


def _same(some: Parts, others: Parts) -> bool:
    return len(some) == len(others) and bool(shapely.equals_exact(some, others, 0.0).all())


def _young(part: Polygon, planes: Sequence[Plane]) -> Parts:
    """Holes of a part of the first of `planes` that have only just begun, as the dent does that an organ cuts into the end of a target: beyond
    the plane the part closes as if they were not there, less what they take of it. A hole that holds another part is none of them."""
    before = planes[1].parts if len(planes) > 1 else ()
    others = tuple(p for p in planes[0].parts if p is not part)
    return tuple(hole for hole in enclosed((part,), before) if not touching((hole,), others))


def _hollow(planes: Sequence[Plane]) -> list[Plane]:
    """The planes of the holes instead of the parts."""
    holes = [less_islands(holes_of(p.parts), p.parts) for p in planes]
    return [replace(p, parts=parts, hollow=hollow(parts)) for p, parts in zip(planes, holes, strict=True)]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _slopes(known):  # type: ignore[no-untyped-def]
    """Slopes of f at two planes, times their distance: of the parabola through three planes, where there are three, else of the line."""
    one, other, outer, farther, (follows, goes_on), (length, gap_before, gap_after), (ny, nx) = known
    first, first_ring = _cut(one, one[0], ny, nx), _cut(one, one[2], ny, nx)
    second, second_ring = _cut(other, other[0], ny, nx), _cut(other, other[2], ny, nx)
    before, after = _cut(outer, outer[0], ny, nx), _cut(farther, farther[0], ny, nx)
    lower = np.empty((ny, nx), dtype=np.float32)
    upper = np.empty((ny, nx), dtype=np.float32)
    mixed = follows.any() != follows.all() or goes_on.any() != goes_on.all()
    has_before, has_after = follows.all(), goes_on.all()
    bend, below, above = length * length, length + gap_before, length + gap_after
    for y in range(ny):
        if mixed:
            for x in range(nx):
                rise = second[y, x] - first[y, x]
                bend_before = (rise / length - (first[y, x] - before[y, x]) / gap_before) / below
                bend_after = ((after[y, x] - second[y, x]) / gap_after - rise / length) / above
                has_before, has_after = follows[first_ring[y, x]], goes_on[second_ring[y, x]]
                other = bend_after if has_after else 0.0
                lower[y, x] = rise - (bend_before if has_before else other) * bend
                upper[y, x] = rise + (bend_after if has_after else bend_before if has_before else 0.0) * bend
        else:
            for x in range(nx):
                rise = second[y, x] - first[y, x]
                bend_before = (rise / length - (first[y, x] - before[y, x]) / gap_before) / below if has_before else 0.0
                bend_after = ((after[y, x] - second[y, x]) / gap_after - rise / length) / above if has_after else 0.0
                lower[y, x] = rise - (bend_before if has_before else bend_after) * bend
                upper[y, x] = rise + (bend_after if has_after else bend_before) * bend
    return lower, upper


@njit(cache=True, nogil=True)
def _cut(window, values, rows, columns):  # type: ignore[no-untyped-def]
    """Of one of the arrays of a `_Window`."""
    y, x = window[3], window[4]
    return values[y : y + rows, x : x + columns]


@njit(cache=True, nogil=True, fastmath=FAST)
def _outline(values, first_x, first_y, cell):  # type: ignore[no-untyped-def]
    """The solid's edges, mm, where `values`, negative inside, are 0; they are turned around, with the points on the edge outside.

    first_x, first_y: the lattice's first column and row, in cells from the origin.
    """
    ny, nx = values.shape
    for y in range(ny):
        for x in range(nx):
            value = values[y, x]
            values[y, x] = -ON_THE_EDGE if abs(value) < ON_THE_EDGE else -value
    edges, _ = level_edges(values, 0.0)
    for m in range(len(edges)):
        edges[m, 0], edges[m, 1] = (edges[m, 0] + first_x) * cell, (edges[m, 1] + first_y) * cell
        edges[m, 2], edges[m, 3] = (edges[m, 2] + first_x) * cell, (edges[m, 3] + first_y) * cell
    return edges


@njit(cache=True, nogil=True)
def _outlines(shares, known, first_x, first_y, cell):  # type: ignore[no-untyped-def]
    """`_outline` of `_cubic` at some shares of the way: (m, 4) edges, one share's behind the other's, and the (shares + 1,) first of each."""
    lower, upper = _slopes(known)
    found = [_outline(_cubic(t, known, lower, upper), first_x, first_y, cell) for t in shares]
    starts = np.zeros(len(shares) + 1, dtype=np.int64)
    for n in range(len(shares)):
        starts[n + 1] = starts[n] + len(found[n])
    edges = np.empty((starts[-1], 4))
    for n in range(len(shares)):
        edges[starts[n] : starts[n + 1]] = found[n]
    return edges, starts


@njit(cache=True, nogil=True, fastmath=FAST)
def _cubic(t, known, lower, upper):  # type: ignore[no-untyped-def]
    """f between two planes (Hermite) with these slopes there. A point inside both contours stays inside; one that is farther than half the distance
    of the planes from both stays outside."""
    (f1, d1, _, y1, x1), (f2, d2, _, y2, x2) = known[0], known[1]
    ny, nx = known[6]
    out = np.empty((ny, nx), dtype=np.float32)
    h1 = np.float32(t * t * (3 - 2 * t))
    h0 = np.float32(1 - t * t * (3 - 2 * t))
    g0, g1 = np.float32(t * (1 - t) * (1 - t)), np.float32(t * t * (t - 1))
    half, none, limit = np.float32(0.5), np.float32(0.0), np.float32(known[5][0] / 2)
    for y in range(ny):
        # Rows of whole arrays, which vector registers take in.
        first, second = f1[y1 + y, x1 : x1 + nx], f2[y2 + y, x2 : x2 + nx]
        first_d, second_d = d1[y1 + y, x1 : x1 + nx], d2[y2 + y, x2 : x2 + nx]
        for x in range(nx):
            a, b = first[x], second[x]
            value = h0 * a + h1 * b + g0 * lower[y, x] + g1 * upper[y, x]
            both, either = max(a, b), min(a, b)
            far = min(first_d[x], second_d[x]) > limit
            value = min(value, half * both) if both < none else value
            out[y, x] = max(value, half * either) if far and both >= none else value
    return out
