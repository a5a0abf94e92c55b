"""`change`: what an edit has made of a structure. Only what lies about the planes that moved is looked at, so that it can follow the hand."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Structure
from reviewer.comparison.overlap import common_and_unlike
from reviewer.comparison.surface import Surface, cell_for, drawn
from reviewer.geometry.solid import Solid, solid
from reviewer.threads import shared

Floats = NDArray[np.float64]

CELL_MM = 2.0
"""Of the surfaces, where `compare` has finer cells: an outline with a radius of 10 mm is met within 0.05 mm."""

SAME_MM = 0.001
"""Vertices of two surfaces that are no farther apart are the same."""

NEAR_MM = 6.0
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
    common, moved = common_and_unlike(one, other)
    if moved is None:
        return Change(volumes, 1.0, 0.0)
    dice = min(2 * common / (one.volume_mm3 + other.volume_mm3), 1.0)
    return Change(volumes, dice, _hd95(one, other, *moved))


_whole: WeakKeyDictionary[Solid, Surface] = WeakKeyDictionary()


def _hd95(one: Solid, other: Solid, low: float, high: float) -> float:
    """The larger of both directions. Beyond low to high the surfaces are the same."""
    cell = max(CELL_MM, cell_for(one))
    layer = 1.25 * cell
    before = _whole.get(one)
    if before is None:
        before = _whole[one] = drawn(one, cell)
    looked_at = low - layer, high + layer
    points, areas = _between(before, *looked_at)
    places = _places(points)
    whole = float(before.areas_mm2.sum())
    near = NEAR_MM
    while True:
        ends = looked_at[0] - near, looked_at[1] + near
        after = drawn(other, cell, *ends)
        others, their_areas = _between(after, *looked_at)
        their_places = _places(others)
        gone, new = ~_among(places, their_places), ~_among(their_places, places)
        now_whole = whole - float(areas.sum()) + float(their_areas.sum())
        if areas[gone].sum() <= 0.05 * whole and their_areas[new].sum() <= 0.05 * now_whole:
            return 0.0
        away = shared(lambda pair: pair[0].tree.distances(pair[1]), [(after, points[gone]), (before, others[new])])
        found = max(_percentile(away[0], areas[gone], whole), _percentile(away[1], their_areas[new], now_whole))
        if found <= near or (ends[0] <= other.borders_mm[0, 0] and ends[1] >= other.borders_mm[-1, 1]):
            return found
        near = 1.01 * found  # what lies beyond the part that was drawn may be nearer, but not nearer than its ends


def _places(points: Floats) -> NDArray[np.int64]:
    """(n,) one number for each place, the same for points within SAME_MM; two points less than 2 m apart along each axis never share one."""
    u, v, w = np.rint(points / SAME_MM).astype(np.int64).T
    return np.asarray((u << 42) + (v << 21) + w)


def _among(places: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each place whether it is one of the others; `np.isin` takes four times as long for so few."""
    ordered = np.append(np.sort(others), np.iinfo(np.int64).max)
    return np.asarray(ordered[np.searchsorted(ordered, places)] == places)


def _between(surface: Surface, low: float, high: float) -> tuple[Floats, Floats]:
    """Vertices from low to high, w mm, and the areas that they stand for."""
    heights = surface.vertices_mm[:, 2]
    within = (heights >= low) & (heights <= high)
    return surface.vertices_mm[within], surface.areas_mm2[within]


def _percentile(away: Floats, areas: Floats, whole: float) -> float:
    """Of a surface with the area `whole`, whose rest is 0 away: the smallest distance that 95 % of it does not exceed."""
    beyond = 0.95 * whole - max(whole - float(areas.sum()), 0.0)
    if beyond <= 0 or not len(away):
        return 0.0
    order = np.argsort(away)
    place = int(np.searchsorted(np.cumsum(areas[order]), beyond))
    return float(away[order[min(place, len(order) - 1)]])
