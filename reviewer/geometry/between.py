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
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    holes_of,
    hollow,
    less_islands,
    meeting,
    pick,
    touching,
    without_holes,
)
from reviewer.geometry.shape import BLOCK, FAST, Box, Place, Shape, Singles

Floats = NDArray[np.float64]
Bounds = tuple[float, float, float, float]

STEP_MM = 1.0
"""Largest distance between two levels at which the interpolation is evaluated."""

FLAT = 0.25
"""A cap is cut half-way to the next plane where its extrapolation still has this part (or more) of its area there; the less it has, the
farther out lies the cut, as far as the next plane for a cap that closes just there."""

SMALL_MM = 60.0
"""A structure smaller than this across the planes is worked out around all of its planes at once."""

ON_THE_EDGE = np.float32(1e-4)
"""mm2. Points of the lattice that lie on the surface itself count as this far outside, so that no two edges share a start."""

OUTSIDE = np.float32(1e9)


@dataclass(frozen=True)
class Layer:
    """A prism from `low_mm` to `high_mm` (w); segments as in `Solid`."""

    low_mm: float
    high_mm: float
    segments: Floats


@dataclass(frozen=True)
class Plane:
    """A plane near an interval, empty or not.

    reach_mm: how far from the contour distances are of interest: about as far as the contours of the next two planes to either side lie.
    """

    w_mm: float
    parts: Parts = ()
    reach_mm: float = 0.0

    @cached_property
    def bounds(self) -> list[Bounds]:
        """Of each part."""
        return [part.bounds for part in self.parts]

    @cached_property
    def hollow(self) -> bool:
        """Whether any part has a hole."""
        return hollow(self.parts)


def steps(length_mm: float) -> int:
    """Into how many steps the distance of two planes is divided."""
    return math.ceil(length_mm / STEP_MM - 1e-6)


class Between:
    """Finds the layers between the planes of one structure.

    What it finds between two planes depends on nothing but the planes handed over and `setting`, and may be kept for as long as these stay.
    """

    def __init__(self, bounds_mm: Floats) -> None:
        """bounds_mm: lowest u, v and highest u, v of all planes.

        A GTV is sought in cells of 0.5 mm, a liver in 1 mm, a body in 2 mm; smooth outlines are met to a few hundredths of a cell.
        """
        extent = bounds_mm[2:] - bounds_mm[:2]
        size = math.sqrt(extent[0] * extent[1])
        self.cell_mm = 0.5 if size < SMALL_MM else 1.0 if size < 250 else 2.0
        self._small = size < SMALL_MM
        low, high = self._rounded(bounds_mm[:2], math.floor), self._rounded(bounds_mm[2:], math.ceil)
        self._bounds: Bounds = (*low, *high)

    def _rounded(self, point: Floats, way: Callable[[float], int]) -> tuple[float, float]:
        """To whole blocks, so that a stroke seldom moves it."""
        block = BLOCK * self.cell_mm
        return way(point[0] / block) * block, way(point[1] / block) * block

    @property
    def setting(self) -> Hashable:
        """What the layers between planes follow from, besides the planes."""
        return (self.cell_mm, self._bounds) if self._small else self.cell_mm

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
        edges, starts = _outlines(
            np.array(shares),
            pair.first,
            pair.second,
            pair.first_slope,
            pair.second_slope,
            pair.first_d,
            pair.second_d,
            pair.reach_mm,
            box.x,
            box.y,
            self.cell_mm,
        )
        return [edges[a:b] for a, b in pairwise(starts.tolist())]

    def _filling(self, below: Sequence[Plane], above: Sequence[Plane], open_end: bool) -> _Filling:
        length = above[0].w_mm - below[0].w_mm
        lower, upper = below[0].parts, above[0].parts
        met = meeting(lower, upper)
        # Most structures have no holes, and are looked at no further for what becomes of them.
        plain = not any(p.hollow for side in (below, above) for p in side[:2])
        pits, peaks = ((), ()) if plain else (enclosed(lower, upper), enclosed(upper, lower))
        place = self._place(below[0].bounds + above[0].bounds, below, above)
        pair = None
        if met.any():
            going_on = pick(lower, np.any(met, axis=1)), pick(upper, np.any(met, axis=0))
            pair = self._pair(*going_on, below, above, place)
        if plain and met.any(axis=0).all() and met.any(axis=1).all():
            return _Filling(pair, [], [], place.box)
        caps: list[_Cap] = []
        hollows: list[_Cap] = []
        for parts, planes, from_above in (
            (pick(lower, ~np.any(met, axis=1)), below, False),
            (pick(upper, ~np.any(met, axis=0)), above, True),
        ):
            for part in parts:
                young = _young(part, planes)
                (whole,) = without_holes((part,), young)
                caps.append(self._cap((whole,), planes, length, from_above, open_end, place))
                hollows += [
                    replace(self._cap((h,), planes[:1], length, from_above, open_end, place), reach=1.0) for h in young
                ]
        for ended, planes, from_above in ((pits, below, False), (peaks, above, True)):
            if ended:
                inverse = _hollow(planes)
                hollows += [self._cap((h,), inverse, length, from_above, open_end, place) for h in ended]
        return _Filling(pair, caps, hollows, place.box)

    def _box(self, bounds_mm: Sequence[Bounds], margin: float, block: int = 1) -> Box:
        """Points of the lattice around all of `bounds_mm`; in whole blocks, so that a stroke seldom moves its borders."""
        x0, y0, x1, y1 = zip(*bounds_mm, strict=True)
        x, y = (math.floor(((min(a) - margin) / self.cell_mm - 1) / block) * block for a in (x0, y0))
        right, top = (math.ceil(((max(a) + margin) / self.cell_mm + 1) / block) * block for a in (x1, y1))
        return Box(x, y, right - x + 1, top - y + 1)

    def _place(self, bounds_mm: Sequence[Bounds], below: Sequence[Plane], above: Sequence[Plane]) -> Place:
        """For what lies between the first planes of each side within `bounds_mm`."""
        margin = (above[0].w_mm - below[0].w_mm) / 2
        # Of a small structure it reaches around all planes, so that each is worked out once; of a large one only around those nearby, so that
        # a stroke that pushes the outline over the border of a block leaves the others alone.
        near = [bounds for plane in (*below, *above) for bounds in plane.bounds] if not self._small else [self._bounds]
        return Place(self.cell_mm, self._box(near, margin, BLOCK), self._box(bounds_mm, margin))

    def _pair(self, lower: Parts, upper: Parts, below: Sequence[Plane], above: Sequence[Plane], place: Place) -> _Pair:
        """The parts that go on from one plane to the next, without the holes that end. Holes that go on as one are a pair of their own: a wall
        may be thinner than it shifts from plane to plane."""
        pits: Parts = ()
        peaks: Parts = ()
        inner = None
        if below[0].hollow or above[0].hollow:
            pits, deep = ended_and_through(lower, upper)
            peaks, high = ended_and_through(upper, lower)
            met = following(deep, high, lower, upper)
            if met.any():
                deep, high = pick(deep, np.any(met, axis=1)), pick(high, np.any(met, axis=0))
                place_within = self._place([p.bounds for p in deep + high], below, above)
                cavities = less_islands(deep, below[0].parts), less_islands(high, above[0].parts)
                inner = _Inner(
                    self._pair(*cavities, _hollow(below), _hollow(above), place_within), place_within.window(place)
                )
                pits, peaks = (*pits, *deep), (*peaks, *high)
            lower, upper = without_holes(lower, pits), without_holes(upper, peaks)
        first, second = place.shape(lower, below[0].reach_mm), place.shape(upper, above[0].reach_mm)
        before, gap_before, follows = self._next(lower, pits, below, place)
        after, gap_after, goes_on = self._next(upper, peaks, above, place)
        length = above[0].w_mm - below[0].w_mm
        lower_slope, upper_slope = _slopes(
            first.f,
            second.f,
            (before or first).f,
            (after or second).f,
            first.ring,
            second.ring,
            follows,
            goes_on,
            length,
            gap_before,
            gap_after,
        )
        return _Pair(first.f, second.f, first.d, second.d, lower_slope, upper_slope, length / 2, inner)

    def _next(
        self, parts: Parts, ended: Parts, planes: Sequence[Plane], place: Place
    ) -> tuple[Shape | None, float, Booleans]:
        """Shape of the second of `planes` without what became of the holes `ended`, its distance from the first, and which rings of the first's
        `parts` go on there."""
        if len(planes) < 2 or not planes[1].parts:
            return None, 1.0, np.zeros(sum(1 + len(part.interiors) for part in parts), dtype=np.bool_)
        gap = abs(planes[1].w_mm - planes[0].w_mm)
        if not planes[0].hollow and not planes[1].hollow:
            return (
                place.shape(planes[1].parts, planes[1].reach_mm),
                gap,
                np.asarray(meeting(parts, planes[1].parts).any(axis=1)),
            )
        there = without_holes(planes[1].parts, ended_in(planes[1].parts, parts, ended))
        goes_on: list[bool] = []
        for part in parts:
            goes_on += [bool(meeting((part,), there).any()), *(not closed(hole, there) for hole in holes_of((part,)))]
        return place.shape(there, planes[1].reach_mm), gap, np.array(goes_on)

    def _cap(
        self,
        parts: Parts,
        planes: Sequence[Plane],
        length: float,
        from_above: bool,
        open_end: bool,
        place: Place,
    ) -> _Cap:
        """The end of parts of the first of `planes` that have no successor on the other side."""
        last = place.ending(parts, planes[0].reach_mm)
        f, d = last.f, last.d
        slope: Singles = np.zeros_like(f)
        curvature: Singles = np.zeros_like(f)
        gap = 0.0
        ancestors = touching(parts, planes[1].parts) if len(planes) > 1 else ()
        if ancestors:
            gap = abs(planes[1].w_mm - planes[0].w_mm)
            ended = enclosed(ancestors, parts)
            ancestors = without_holes(ancestors, ended)
            before = place.ending(ancestors, planes[1].reach_mm).f
            slope = np.divide(f - before, gap, dtype=np.float32)
            older = touching(ancestors, planes[2].parts) if len(planes) > 2 else ()
            older = without_holes(older, ended_in(older, ancestors, ended))
            if older:
                farther = abs(planes[2].w_mm - planes[1].w_mm)
                steeper = np.divide(before - place.ending(older, planes[2].reach_mm).f, farther, dtype=np.float32)
                curvature = np.divide(slope - steeper, gap + farther, dtype=np.float32)
        cap = _Cap(f, d, slope, curvature, gap, length, from_above, 1.0)
        left = np.count_nonzero(cap.at(0.0 if from_above else 1.0) < 0) / max(int(np.count_nonzero(d < 0)), 1)
        reach = 1 - 0.5 * min(left / FLAT, 1.0) if left else cap.closing
        return replace(cap, reach=min(reach, 0.5) if open_end else reach)


@dataclass(frozen=True)
class _Pair:
    """f and d on two planes, and the slopes of f there, per distance of the planes."""

    first: Singles
    second: Singles
    first_d: Singles
    second_d: Singles
    first_slope: Singles
    second_slope: Singles
    reach_mm: float
    inner: _Inner | None

    def at(self, t: float) -> Singles:
        values: Singles = _cubic(
            t, self.first, self.second, self.first_slope, self.second_slope, self.first_d, self.second_d, self.reach_mm
        )
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
    shown = [p.parts for side in (below, above) for p in takewhile(lambda p: bool(p.parts), side[:reach])]
    first = shown[0]
    return all(len(s) == len(first) and bool(shapely.equals_exact(s, first, 0.0).all()) for s in shown[1:])


def _young(part: Polygon, planes: Sequence[Plane]) -> Parts:
    """Holes of a part of the first of `planes` that have only just begun, as the dent does that an organ cuts into the end of a target: beyond
    the plane the part closes as if they were not there, less what they take of it. A hole that holds another part is none of them."""
    before = planes[1].parts if len(planes) > 1 else ()
    others = tuple(p for p in planes[0].parts if p is not part)
    return tuple(hole for hole in enclosed((part,), before) if not touching((hole,), others))


def _hollow(planes: Sequence[Plane]) -> list[Plane]:
    """The planes of the holes instead of the parts."""
    return [Plane(p.w_mm, less_islands(holes_of(p.parts), p.parts), p.reach_mm) for p in planes]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _slopes(first, second, before, after, first_ring, second_ring, follows, goes_on, length, gap_before, gap_after):  # type: ignore[no-untyped-def]
    """Slopes of f at two planes, times their distance: of the parabola through three planes, where there are three, else of the line."""
    ny, nx = first.shape
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
def _outlines(shares, first, second, first_slope, second_slope, first_d, second_d, reach, first_x, first_y, cell):  # type: ignore[no-untyped-def]
    """`_outline` of `_cubic` at some shares of the way: (m, 4) edges, one share's behind the other's, and the (shares + 1,) first of each."""
    found = [
        _outline(_cubic(t, first, second, first_slope, second_slope, first_d, second_d, reach), first_x, first_y, cell)
        for t in shares
    ]
    starts = np.zeros(len(shares) + 1, dtype=np.int64)
    for n in range(len(shares)):
        starts[n + 1] = starts[n] + len(found[n])
    edges = np.empty((starts[-1], 4))
    for n in range(len(shares)):
        edges[starts[n] : starts[n + 1]] = found[n]
    return edges, starts


@njit(cache=True, nogil=True, fastmath=FAST)
def _cubic(t, first, second, first_slope, second_slope, first_d, second_d, reach):  # type: ignore[no-untyped-def]
    """f between two planes (Hermite). A point inside both contours stays inside; one farther than `reach` from both stays outside."""
    ny, nx = first.shape
    out = np.empty((ny, nx), dtype=np.float32)
    h1 = np.float32(t * t * (3 - 2 * t))
    h0 = np.float32(1 - t * t * (3 - 2 * t))
    g0, g1 = np.float32(t * (1 - t) * (1 - t)), np.float32(t * t * (t - 1))
    half, none, limit = np.float32(0.5), np.float32(0.0), np.float32(reach)
    for y in range(ny):
        for x in range(nx):
            a, b = first[y, x], second[y, x]
            value = h0 * a + h1 * b + g0 * first_slope[y, x] + g1 * second_slope[y, x]
            both, either = max(a, b), min(a, b)
            far = min(first_d[y, x], second_d[y, x]) > limit
            value = min(value, half * both) if both < none else value
            out[y, x] = max(value, half * either) if far and both >= none else value
    return out
