# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""`Solid`: the body of a structure as a pile of thin prisms, in arrays that compiled code runs through.

Every question about a structure (volume, coverage, cuts, DVH) is put to its solid, so that the answers agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from reviewer.geometry.between import Between, Layer, steps
from reviewer.geometry.edges import Floats, Integers, rings_of_segments, segments_of
from reviewer.geometry.memo import Memo, Recent
from reviewer.geometry.reach import apart, reaches
from reviewer.geometry.region import Region, region_of_rings
from reviewer.geometry.stack import Stack, small

EDGES_TO_A_BOX = 16
"""What misses the box around so many edges that are near each other need not look at each."""


@dataclass(frozen=True, eq=False)
class Solid:
    """Prisms with polygonal floors, in the plane coordinates (u, v, w) mm of the stack's grid.

    borders_mm: (n, 2) w of floor and top of each prism, rising; prisms do not overlap, neighbours share a border where the structure goes on.
    starts:     (n + 1,) first row in `segments` of each prism.
    segments:   (m, 4) u, v of the start and u, v of the end of each edge; the inside lies to the left, seen with u to the right and v upward.
    drawn:      prism number -> region, for the prisms whose floor is the region of a plane itself.
    edges:      of each prism its rows of `segments`, the same object in every solid that has the prism.
    """

    borders_mm: Floats
    starts: Integers
    segments: Floats
    drawn: Mapping[int, Region]
    edges: Sequence[Floats]

    @classmethod
    def of(
        cls, borders_mm: Sequence[tuple[float, float]], floors: Sequence[Floats], drawn: Mapping[int, Region]
    ) -> Solid:
        starts = np.zeros(len(floors) + 1, dtype=np.int64)
        np.cumsum([len(floor) for floor in floors], out=starts[1:])
        return cls(np.array(borders_mm), starts, np.concatenate(floors), drawn, floors)

    @cached_property
    def bounds_mm(self) -> tuple[Floats, Floats]:
        """Lowest and highest (u, v, w); a Solid without prisms has none and raises ValueError."""
        u, v = self.segments[:, 0], self.segments[:, 1]  # every point is the start of an edge
        low = np.array([u.min(), v.min(), self.borders_mm[0, 0]])
        return low, np.array([u.max(), v.max(), self.borders_mm[-1, 1]])

    @cached_property
    def by_u(self) -> tuple[Integers, Floats]:
        """Rows of `segments`, in each prism about by their u, and the (b, 4) least u, v and greatest u, v of each EDGES_TO_A_BOX rows."""
        return self._boxed(0)

    @cached_property
    def by_v(self) -> tuple[Integers, Floats]:
        """The same in the order of their v."""
        return self._boxed(1)

    def _boxed(self, axis: int) -> tuple[Integers, Floats]:
        # Regions themselves go round from edge to edge; what is between planes need not.
        found: tuple[Integers, Floats] = _boxed(
            self.segments, self.starts, axis, len(self.drawn) < len(self.borders_mm)
        )
        return found

    @cached_property
    def areas_mm2(self) -> Floats:
        """(n,) area of each prism's floor."""
        u0, v0, u1, v1 = self.segments.T
        doubled = np.append(0.0, np.cumsum(u0 * v1 - u1 * v0))
        return np.diff(doubled[self.starts]) / 2

    @cached_property
    def _floors(self) -> dict[int, Region | None]:
        return {**self.drawn}

    def floor(self, prism: int) -> Region | None:
        """The floor of a prism as a region."""
        if prism not in self._floors:
            self._floors[prism] = region_of_rings(
                rings_of_segments(self.segments[self.starts[prism] : self.starts[prism + 1]])
            )
        return self._floors[prism]

    @cached_property
    def volume_mm3(self) -> float:
        return float(self.areas_mm2 @ np.diff(self.borders_mm, axis=1)[:, 0]) if len(self.borders_mm) else 0.0


NO_EDGES: Floats = np.empty((0, 4))
NOTHING = Solid(np.empty((0, 2)), np.zeros(1, dtype=np.int64), NO_EDGES, {}, ())

_solids: Recent[Stack, Solid] = Recent(8_000_000)
"""Solids by their stacks; the weight is the number of edges, of 32 bytes each: 256 MB, a hundred livers. What the prisms themselves hold comes
on top, once for all solids that share them."""


_being_built: WeakKeyDictionary[Stack, Lock] = WeakKeyDictionary()
_one_at_a_time = Lock()


def solid(stack: Stack) -> Solid:
    """The solid of a stack, computed once for each stack object: threads that ask while it is being computed wait for it."""
    found = _solids.get(stack)
    if found is None:
        with _one_at_a_time:
            turn = _being_built.setdefault(stack, Lock())
        with turn:
            found = _solids.get(stack)
            if found is None:
                with _taking_turns(stack):
                    found = _build(stack)
                _solids.put(stack, found, 1 + len(found.segments))
    return found


_small_ones = Lock()


def _taking_turns(stack: Stack) -> AbstractContextManager[object]:
    return _small_ones if small(stack) else nullcontext()


def known(stack: Stack) -> bool:
    """Whether the solid of a stack is there, so that nobody has to wait for it."""
    return _solids.get(stack) is not None


def prisms_between(body: Solid, low: Floats, high: Floats) -> list[slice]:
    """The prisms that reach into each of some low to high, w mm."""
    first = np.searchsorted(body.borders_mm[:, 1], low, side="right")
    stop = np.maximum(np.searchsorted(body.borders_mm[:, 0], high, side="left"), first)
    return list(map(slice, first.tolist(), stop.tolist()))


def unlike(one: Solid, other: Solid, beyond: int = 0) -> tuple[float, float] | None:
    """Lowest and highest w (mm) of what is not exactly the same in two solids, and of so many prisms `beyond`; None where all is."""
    if one is other:
        return None
    counts = len(one.borders_mm), len(other.borders_mm)
    below = _in_common(one, other, slice(None))
    above = min(_in_common(one, other, slice(None, None, -1)), min(counts) - below)
    if below + above == max(counts):
        return None
    chosen = [slice(max(below - beyond, 0), n - max(above - beyond, 0)) for n in counts]
    borders = np.concatenate([one.borders_mm[chosen[0]], other.borders_mm[chosen[1]]])
    return float(borders.min()), float(borders.max())


def _in_common(one: Solid, other: Solid, way: slice) -> int:
    """How many prisms are exactly the same, counted from below or, for a slice that runs backwards, from above."""
    count = min(len(one.borders_mm), len(other.borders_mm))
    borders = (one.borders_mm[way][:count] == other.borders_mm[way][:count]).all(axis=1).tolist()
    for n, (level, own, others) in enumerate(zip(borders, one.edges[way], other.edges[way], strict=False)):
        if not level or not (own is others or np.array_equal(own, others)):
            return n
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _boxed(segments, starts, axis, mixed):  # type: ignore[no-untyped-def]
    """Rows of `segments`, of each prism about by u (axis 0) or v (axis 1) of their starts, and the boxes of each EDGES_TO_A_BOX of them.

    mixed: else the rows stay in their order.
    """
    count = len(segments)
    rows = np.arange(count)
    if mixed:
        for n in range(len(starts) - 1):
            begin, end = starts[n], starts[n + 1]
            low, high = np.inf, -np.inf
            for m in range(begin, end):
                low, high = min(low, segments[m, axis]), max(high, segments[m, axis])
            # As many steps as there are edges are order enough for boxes.
            per_mm = (end - begin - 1) / max(high - low, 1e-9)
            behind = np.zeros(end - begin + 1, dtype=np.int64)
            for m in range(begin, end):
                behind[int((segments[m, axis] - low) * per_mm) + 1] += 1
            place = begin + np.cumsum(behind)
            for m in range(begin, end):
                step = int((segments[m, axis] - low) * per_mm)
                rows[place[step]] = m
                place[step] += 1
    boxes = np.empty((-(-count // EDGES_TO_A_BOX), 4))
    for b in range(len(boxes)):
        left, bottom, right, top = np.inf, np.inf, -np.inf, -np.inf
        for j in range(b * EDGES_TO_A_BOX, min((b + 1) * EDGES_TO_A_BOX, count)):
            m = rows[j]
            left, right = min(left, segments[m, 0], segments[m, 2]), max(right, segments[m, 0], segments[m, 2])
            bottom, top = min(bottom, segments[m, 1], segments[m, 3]), max(top, segments[m, 1], segments[m, 3])
        boxes[b, 0], boxes[b, 1], boxes[b, 2], boxes[b, 3] = left, bottom, right, top
    return rows, boxes


_edges: Memo[Floats] = Memo(500_000)
_apart: Memo[float] = Memo(50_000)
_goes_on: Memo[bool] = Memo(50_000)
_layers: Memo[list[Layer]] = Memo(2_000_000)
"""Edges of regions, how far two lie apart, and what is between planes (64 MB): all that an edit of one plane leaves as it was."""


def _build(stack: Stack) -> Solid:
    """The planes' own regions, each half a step thick to either side, and the layers between them."""
    grid, planes = stack.grid, stack.planes
    if not planes:
        return NOTHING
    w = grid.positions_mm
    # One imagined plane beyond either end, as far away as the slab's border is mirrored; of all planes those that bear on anything here.
    positions = np.concatenate([[2 * grid.slab_borders_mm[0] - w[0]], w, [2 * grid.slab_borders_mm[-1] - w[-1]]])
    occupied = sorted(planes)
    first = max(occupied[0] - 2, 0)
    heights = positions[first : occupied[-1] + 5].tolist()
    numbers = range(first - 1, first - 1 + len(heights))
    gaps = [above - below for below, above in pairwise(heights)]
    edges = _edges_of(planes)
    apart_mm = [_distance(planes, edges, k) if k in planes and k + 1 in planes else 0.0 for k in numbers[:-1]]
    reach = tuple(reaches([edges.get(k, NO_EDGES) for k in numbers], apart_mm, [0.0, *gaps, 0.0]))
    regions = tuple(planes.get(k) for k in numbers)
    between = Between(regions, heights, reach)

    counts = [steps(gap) for gap in gaps]
    pieces: list[tuple[float, float, Floats, Region | None]] = []
    for n, k in enumerate(numbers):
        if k in planes:
            low = heights[n] - gaps[n - 1] / counts[n - 1] / 2
            high = heights[n] + gaps[n] / counts[n] / 2
            pieces.append((low, high, edges[k], planes[k]))

    for n, pair in enumerate(pairwise(regions)):
        if pair[0] is None and pair[1] is None:
            continue
        goes_on = _goes_on.get(pair)
        if goes_on is None:
            goes_on = _goes_on.put(pair, between.goes_on(n))
        beyond = 1 if goes_on else 2  # so many planes more to either side, two where something ends
        near = slice(max(n - beyond, 0), n + beyond + 2)
        open_end = first + n in (0, len(w))

        def make(n: int = n, near: slice = near, open_end: bool = open_end) -> tuple[list[Layer], int]:
            below = [between.plane(j) for j in range(n, near.start - 1, -1)]
            above = [between.plane(j) for j in range(n + 1, min(near.stop, len(heights)))]
            layers = between.layers(below, above, counts[n], open_end)
            return layers, 1 + sum(len(layer.segments) for layer in layers)

        setting = (between.cell_mm, open_end, n - near.start, tuple(heights[near]), reach[near])
        layers = _layers.once(regions[near], setting, make)
        pieces.extend((layer.low_mm, layer.high_mm, layer.segments, None) for layer in layers)
    pieces.sort(key=lambda piece: piece[0])
    return Solid.of(
        [piece[:2] for piece in pieces],
        [piece[2] for piece in pieces],
        {n: piece[3] for n, piece in enumerate(pieces) if piece[3] is not None},
    )


def _edges_of(planes: Mapping[int, Region]) -> dict[int, Floats]:
    """`segments_of` each region."""
    found = {k: _edges.get((region,)) for k, region in planes.items()}
    new = [k for k, edges in found.items() if edges is None]
    if new:
        segments, starts = segments_of([planes[k] for k in new])
        for k, edges in zip(new, np.split(segments, starts[1:-1]), strict=True):
            found[k] = _edges.put((planes[k],), edges.copy(), len(edges))
    return {k: edges for k, edges in found.items() if edges is not None}


def _distance(planes: Mapping[int, Region], edges: Mapping[int, Floats], k: int) -> float:
    """About how far the contours of planes k and k + 1 lie apart."""
    pair = (planes[k], planes[k + 1])
    known = _apart.get(pair)
    return _apart.put(pair, float(apart(edges[k], edges[k + 1]))) if known is None else known
