"""`change`: what an edit has made of a structure. Only what lies about the planes that moved is looked at, so that it can follow the hand."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Structure
from reviewer.comparison.overlap import common_mm3
from reviewer.comparison.surface import Surface, cell_for, drawn
from reviewer.geometry.solid import Solid, prisms_between, solid, unlike
from reviewer.threads import shared

Floats = NDArray[np.float64]

CELL_MM = 2.0
"""Of the surfaces, where `compare` has finer cells: an outline with a radius of 10 mm is met within 0.05 mm."""

NEAR_MM = 4.0
"""So far beyond the planes that moved the surfaces are drawn, to begin with."""


@dataclass(frozen=True, eq=False)
class Change:
    """As in `Comparison`; hd95_mm is None where one of the two is empty."""

    volume_cc: tuple[float, float]
    dice: float | None
    hd95_mm: float | None


def change(before: Structure, after: Structure) -> Change:
    """Volumes, Dice and 95th percentile of the surface distance of two states of one structure, on the same grid.

    Dice is that of `compare`. The distance lies, within 0.1 mm, between the 94.5th and the 95.5th percentile of the surfaces of `compare`, which
    are drawn in finer cells: where little more or less than 5 % of a surface has moved, it matters how the percent are counted.
    """
    assert before.grid is after.grid, "states of one structure"
    one, other = solid(before), solid(after)
    volumes = one.volume_mm3 / 1000, other.volume_mm3 / 1000
    empty = [not len(body.borders_mm) for body in (one, other)]
    if any(empty):
        return Change(volumes, None if all(empty) else 0.0, None)
    moved = unlike(one, other)
    if moved is None:
        return Change(volumes, 1.0, 0.0)
    low, high = moved
    some, others = (_part(body, low, high) for body in (one, other))
    common = one.volume_mm3 - some.volume_mm3 + common_mm3(some, others)
    dice = min(2 * common / (one.volume_mm3 + other.volume_mm3), 1.0)
    return Change(volumes, dice, _hd95(one, other, low, high))


def _part(body: Solid, low: float, high: float) -> Solid:
    """The prisms that reach into low to high, w mm."""
    chosen = prisms_between(body, low, high)
    starts = body.starts[chosen.start : chosen.stop + 1]
    return Solid(body.borders_mm[chosen], starts - starts[0], body.segments[starts[0] : starts[-1]], {})


_areas: WeakKeyDictionary[Solid, float] = WeakKeyDictionary()


def _area_mm2(body: Solid, cell: float) -> float:
    """Of the whole surface, once for each solid."""
    if body not in _areas:
        _areas[body] = float(drawn(body, cell).areas_mm2.sum())
    return _areas[body]


def _hd95(one: Solid, other: Solid, low: float, high: float) -> float:
    """The larger of both directions. Beyond low to high the surfaces are the same."""
    cell = max(CELL_MM, cell_for(one))
    layer = 1.25 * cell
    whole = _area_mm2(one, cell)
    bottom = min(float(body.borders_mm[0, 0]) for body in (one, other))
    top = max(float(body.borders_mm[-1, 1]) for body in (one, other))
    near = NEAR_MM
    while True:
        ends = max(low - layer - near, bottom), min(high + layer + near, top)
        parts = [_part(body, *ends) for body in (one, other)]
        if not all(len(part.borders_mm) for part in parts):
            near *= 2
            continue
        surfaces = shared(lambda part: _with_tree(part, cell), parts)
        looked_at = [_within(s.vertices_mm[:, 2], low - layer, high + layer) for s in surfaces]
        pairs = [(surfaces[0], looked_at[0], surfaces[1]), (surfaces[1], looked_at[1], surfaces[0])]
        away = shared(lambda pair: pair[2].tree.distances(pair[0].vertices_mm[pair[1]]), pairs)
        areas = [s.areas_mm2[seen] for s, seen in zip(surfaces, looked_at, strict=True)]
        wholes = whole, whole - float(areas[0].sum()) + float(areas[1].sum())
        found = max(_percentile(d, a, total) for d, a, total in zip(away, areas, wholes, strict=True))
        if found <= near or ends == (bottom, top):
            return found
        near = 1.01 * found  # what lies beyond the part that was drawn may be nearer, but not nearer than its ends


def _with_tree(part: Solid, cell: float) -> Surface:
    surface = drawn(part, cell)
    _ = surface.tree  # grown here, so that both grow at the same time
    return surface


def _within(heights: Floats, low: float, high: float) -> NDArray[np.bool_]:
    return np.asarray((heights >= low) & (heights <= high))


def _percentile(away: Floats, areas: Floats, whole: float) -> float:
    """Of a surface with the area `whole`, whose rest is 0 away: the smallest distance that 95 % of it does not exceed."""
    beyond = 0.95 * whole - max(whole - float(areas.sum()), 0.0)
    if beyond <= 0 or not len(away):
        return 0.0
    order = np.argsort(away)
    place = int(np.searchsorted(np.cumsum(areas[order]), beyond))
    return float(away[order[min(place, len(order) - 1)]])
