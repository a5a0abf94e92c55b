"""Interpolation between drawn slices, by the rule that the solid follows between planes (docs/decisions/0003-the-solid.md).

The empty planes of a gap are taken out of the stack and the solid of what is left is cut where they lie. So what is proposed is what the
structure would be if it had been drawn on a coarser stack, and volumes before and after agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reviewer.edit.operations.outline import simplified
from reviewer.edit.operations.planes import Changes, differing, slice_name
from reviewer.errors import InputError
from reviewer.geometry.between import Between
from reviewer.geometry.edges import rings_of_segments, segments_of
from reviewer.geometry.grid import Grid
from reviewer.geometry.memo import Memo
from reviewer.geometry.reach import apart, reaches
from reviewer.geometry.region import Region, region_of, region_of_rings
from reviewer.geometry.stack import Stack

Floats = NDArray[np.float64]
Gap = tuple[int, int]

DETAIL_MM = 0.02
"""Interpolated outlines are left with so many points that they run within this of the interpolation."""

_found: Memo[tuple[Region | None, ...]] = Memo(20_000)
"""Regions in a gap, for as long as the planes around it stay: while one plane is drawn, the gaps away from it are not worked out again."""


def gaps(stack: Stack) -> list[Gap]:
    """Pairs of drawn planes with empty ones between them."""
    return [(a, b) for a, b in pairwise(sorted(stack.planes)) if b - a > 1]


def interpolate(stack: Stack, first: int | None = None, last: int | None = None, *, anew: bool = False) -> Changes:
    """Regions on the empty planes between drawn ones; parts that end, begin, merge or split do so as in the solid.

    first, last: only planes within these, both included; all by default. anew: what is drawn strictly between the two is replaced.
    What was found is kept for as long as the planes around a gap stay, so that a preview costs as much as the gaps that the hand changes.
    Raises InputError, which says why, where no plane can be filled.
    """
    drawn = sorted(stack.planes)
    low = drawn[0] if first is None and drawn else first or 0
    high = drawn[-1] if last is None and drawn else last or 0
    low, high = min(low, high), max(low, high)
    old = {k for k in drawn if anew and low < k < high}
    kept = {k: region for k, region in stack.planes.items() if k not in old}
    wanted = [(a, b) for a, b in pairwise(sorted(kept)) if b - a > 1 and a < high and b > low]
    if not wanted:
        raise InputError(_why_not(stack, sorted(kept), low, high), remedy="draw the structure on both sides of a gap")
    regions = regions_between(stack.grid, kept, wanted)
    after = {k: region for k, region in regions.items() if low <= k <= high}
    return differing(stack.planes, {**dict.fromkeys(old), **after})


def _why_not(stack: Stack, drawn: Sequence[int], low: int, high: int) -> str:
    if not drawn:
        return "nothing is drawn, so there is nothing to interpolate between"
    if high <= drawn[0] and low < drawn[0]:
        return f"nothing is drawn before {slice_name(stack, drawn[0])}, so there is nothing to interpolate from"
    if low >= drawn[-1] and high > drawn[-1]:
        return f"nothing is drawn beyond {slice_name(stack, drawn[-1])}, so there is nothing to interpolate towards"
    if len(drawn) == 1:
        return f"only {slice_name(stack, drawn[0])} is drawn, so there is nothing to interpolate towards"
    return "there is no empty slice between the drawn ones"


def regions_between(grid: Grid, kept: dict[int, Region], wanted: Sequence[Gap]) -> dict[int, Region | None]:
    """The regions on all planes of `grid` strictly within the `wanted` gaps between planes that are `kept`."""
    numbers = sorted(kept)
    w = grid.positions_mm
    heights = [float(w[k]) for k in numbers]
    edges = [segments_of([kept[k]])[0] for k in numbers]
    apart_mm = [float(apart(a, b)) for a, b in pairwise(edges)]
    distances = np.diff([heights[0] - grid.spacing_w_mm, *heights, heights[-1] + grid.spacing_w_mm])
    reach = reaches(edges, apart_mm, distances.tolist())
    between = Between([kept[k] for k in numbers], heights, reach)
    found: dict[int, Region | None] = {}
    for gap in wanted:
        n = numbers.index(gap[0])
        near = slice(max(n - 2, 0), n + 4)
        regions = tuple(kept[k] for k in numbers[near])
        setting = (between.cell_mm, gap, tuple(heights[near]), tuple(reach[near]))
        filled = _found.get(regions, setting)
        if filled is None:
            below = [between.plane(j) for j in range(n, near.start - 1, -1)]
            above = [between.plane(j) for j in range(n + 1, min(near.stop, len(numbers)))]
            shares = [(float(w[k]) - w[gap[0]]) / (w[gap[1]] - w[gap[0]]) for k in range(gap[0] + 1, gap[1])]
            filled = tuple(_region(e) for e in between.at(below, above, shares))
            _found.put(regions, filled, len(filled), setting)
        found.update(zip(range(gap[0] + 1, gap[1]), filled, strict=True))
    return found


def _region(edges: Floats) -> Region | None:
    region = region_of_rings(rings_of_segments(edges))
    return None if region is None else region_of(simplified(region, DETAIL_MM))
