"""Nudge: the outline is pushed by a disk, and stays smooth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hands import BALL, BARE, SQUARE, clicked, coronal, drawn, on
from phantoms import circle, planes_grid, stack

from reviewer.edit.tools.nudge import Nudge
from reviewer.edit.tools.sweep import disk
from reviewer.edit.tools.tool import Pen
from reviewer.errors import InputError


def sharpest_turn_deg(region, near, within_mm):
    """The largest angle by which the outline turns within 1 mm of its length, near a place."""
    ring = region.exterior
    places = np.array([ring.interpolate(d).coords[0] for d in np.arange(0, ring.length, 0.5)])
    way = np.roll(places, -1, axis=0) - places
    angle = np.degrees(np.arctan2(way[:, 1], way[:, 0]))
    turn = np.abs((np.roll(angle, -2) - angle + 180) % 360 - 180)
    return turn[np.hypot(*(places - near).T) < within_mm].max()


def test_from_inside_it_pushes_outwards():
    stroke = drawn(Nudge(8.0).begin(on(SQUARE)), (5.0, 0.0), (15.0, 0.0), (20.0, 0.0))
    region = stroke.draft[10]
    assert not stroke.erasing
    assert region.bounds[2] == pytest.approx(28.0, abs=0.02)
    assert region.contains(shapely.box(-20, -20, 20, 20).buffer(-1e-9))
    assert region.area > 1600 + math.pi * 64 / 2


def test_from_outside_it_pushes_inwards():
    stroke = drawn(Nudge(8.0).begin(on(SQUARE)), (40.0, 0.0), (20.0, 0.0))
    region = stroke.draft[10]
    assert stroke.erasing
    assert shapely.box(-20, -20, 20, 20).buffer(1e-9).contains(region)
    assert not region.intersects(shapely.polygons(disk((20.0, 0.0), 7.9)))
    assert region.area < 1600 - math.pi * 64 / 2


@pytest.mark.parametrize(("start", "shift", "grows"), [(5.0, False, True), (5.0, True, False), (28.0, True, True)])
def test_shift_does_the_other_one(start, shift, grows):
    stroke = drawn(Nudge(9.0).begin(on(SQUARE)), (start, 0.0), (19.0, 0.0), shift=shift)
    assert (stroke.draft[10].area > 1600) is grows


@pytest.mark.parametrize("ways", [((20.0, 0.0), (30.0, 0.0)), ((40.0, 0.0), (32.0, 0.0))])
def test_corners_are_rounded(ways):
    """A circle of 30 mm met by a disk of 9 mm: the raw union or difference has corners of more than 60 degrees."""
    body = stack(planes_grid(3.0 * np.arange(-10, 11)), lambda w: [circle(30.0, points=400)] if abs(w) < 10 else None)
    stroke = drawn(Nudge(9.0).begin(on(body)), *ways)
    region = stroke.draft[10]
    swept = shapely.convex_hull(shapely.union_all([shapely.Point(p).buffer(9.0, 64) for p in ways]))
    disc = shapely.Polygon(circle(30.0, points=400))
    raw = disc.difference(swept) if stroke.erasing else disc.union(swept)
    corner = shapely.get_coordinates(disc.boundary.intersection(swept.boundary))[0]
    assert sharpest_turn_deg(raw, corner, 6.0) > 60
    assert sharpest_turn_deg(region, corner, 6.0) < 45
    assert region.symmetric_difference(raw).area < 0.1 * swept.area


def test_far_from_the_disk_nothing_moves():
    region = drawn(Nudge(5.0).begin(on(BALL)), (15.0, 0.0), (18.0, 0.0)).draft[10]
    left = shapely.box(-40, -40, 5, 40)
    assert region.intersection(left).symmetric_difference(BALL.planes[10].intersection(left)).area < 1e-9


def test_off_the_outline_nothing_happens():
    for structure, place, why in (
        (SQUARE, (0.0, 0.0), "nothing was pushed"),
        (SQUARE, (40.0, 0.0), "nothing was pushed"),
        (BARE, (0.0, 0.0), "has no contour on this slice"),
    ):
        stroke = clicked(Nudge(5.0).begin(on(structure)), place)
        assert not stroke.draft
        assert why in stroke.note
    assert not drawn(Nudge(5.0).begin(on(BALL)), (15.0, 0.0), (18.0, 0.0)).note


@pytest.mark.parametrize("at", [(12.0, 0.0), (17.0, 0.0), (27.0, 0.0)])
def test_a_large_disk_moves_the_outline_with_the_hand_and_not_by_the_press(at):
    """12 mm would reach over the outline at 20 mm from each of these places."""
    assert not clicked(Nudge(12.0).begin(on(SQUARE)), at).draft
    stroke = drawn(Nudge(12.0).begin(on(SQUARE)), at, (20.0, 0.0))
    region, reach = stroke.draft[10], abs(at[0] - 20.0)
    swept = shapely.convex_hull(shapely.union_all([shapely.Point(p).buffer(reach, 64) for p in (at, (20.0, 0.0))]))
    square = shapely.box(-20, -20, 20, 20)
    raw = square.difference(swept) if stroke.erasing else square.union(swept)
    assert region.symmetric_difference(raw).area < 0.1 * swept.area


def test_nearer_to_the_outline_than_2_mm_the_disk_pushes_at_once():
    assert clicked(Nudge(12.0).begin(on(SQUARE)), (19.0, 0.0)).draft[10].bounds[2] == pytest.approx(21.0, abs=0.02)
    assert clicked(Nudge(1.0).begin(on(SQUARE)), (19.5, 0.0)).draft[10].bounds[2] == pytest.approx(20.5, abs=0.02)


def test_the_cursor_tells_the_way_before_the_press():
    stroke = Nudge(5.0).begin(on(SQUARE))
    stroke.hover(Pen((0.0, 0.0)))
    assert not stroke.erasing
    stroke.hover(Pen((30.0, 0.0)))
    assert stroke.erasing


def test_across_the_slices_it_pushes_strips():
    stroke = drawn(Nudge(5.0).begin(on(SQUARE, coronal(0.0, 4.0))), (15.0, 0.0), (20.0, 0.0))
    assert sorted(stroke.draft) == [9, 10, 11]
    assert stroke.draft[10].area == pytest.approx(1600 + 5 * 4, rel=1e-3)


def test_impossible_sizes_are_refused():
    with pytest.raises(InputError):
        Nudge(0.0)
