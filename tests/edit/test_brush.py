"""Brush and eraser against closed forms: disks, stadiums, balls."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hands import BALL, BARE, GRID, SQUARE, axial, case_of, clicked, coronal, drawn, on
from phantoms import planes_grid, rectangle, stack

from reviewer.edit.tools.brush import Brush
from reviewer.edit.tools.sweep import capsule, disk
from reviewer.edit.tools.tool import Pen, drafted, edit_of
from reviewer.errors import InputError

RADII = (0.25, 1.0, 5.0, 12.0, 40.0, 100.0)


@pytest.mark.parametrize("radius", RADII)
def test_a_disk_has_its_area_and_stays_near_the_circle(radius):
    corners = disk((3.0, -2.0), radius)
    assert shapely.polygons(corners).area == pytest.approx(math.pi * radius**2)
    away = np.hypot(*(corners - (3.0, -2.0)).T)
    middles = np.hypot(*((corners + np.roll(corners, 1, axis=0)) / 2 - (3.0, -2.0)).T)
    assert away.max() - radius < 0.02
    assert radius - middles.min() < 0.02


@pytest.mark.parametrize("radius", RADII)
def test_a_click_paints_the_disk(radius):
    stroke = clicked(Brush(radius).begin(on(BARE)), (4.0, 5.0))
    assert stroke.finished
    assert list(stroke.draft) == [10]
    assert stroke.draft[10].area == pytest.approx(math.pi * radius**2)
    assert stroke.draft[10].centroid.coords[0] == pytest.approx((4.0, 5.0))


def test_a_straight_stroke_paints_a_stadium():
    stroke = drawn(Brush(6.0).begin(on(BARE)), (-10.0, 0.0), (0.0, 7.5), (10.0, 15.0))
    assert stroke.draft[10].area == pytest.approx(math.pi * 36 + 2 * 6 * 25, rel=1e-3)


def test_a_long_crooked_stroke_is_the_sum_of_its_path_with_a_disk():
    """Against shapely's own buffer of the path with many segments: the outlines are within 0.05 mm of each other."""
    t = np.linspace(0, 1, 400)
    path = np.column_stack([45 * t * np.cos(15 * t), 40 * t * np.sin(15 * t)])
    stroke = drawn(Brush(4.0).begin(on(BARE)), *map(tuple, path))
    region = stroke.draft[10]
    true = shapely.LineString(path).buffer(4.0, quad_segs=64)
    assert shapely.hausdorff_distance(region.boundary, true.boundary, 0.2) < 0.05
    assert region.area == pytest.approx(true.area, rel=1e-3)
    assert len(shapely.get_coordinates(region)) < 2 * len(path)


def test_a_closed_stroke_leaves_a_hole():
    angle = np.linspace(0, 2 * np.pi, 200)
    path = 30 * np.column_stack([np.cos(angle), np.sin(angle)])
    region = drawn(Brush(5.0).begin(on(BARE)), *map(tuple, path)).draft[10]
    assert len(region.interiors) == 1
    assert region.area == pytest.approx(np.pi * (35**2 - 25**2), rel=1e-3)


def test_the_draft_follows_the_hand():
    stroke = Brush(5.0).begin(on(BARE))
    stroke.press(Pen((0.0, 0.0)))
    areas = []
    for x in range(1, 20):
        stroke.drag(Pen((float(x), 0.0)))
        areas.append(stroke.draft[10].area)
    np.testing.assert_allclose(areas, np.pi * 25 + 10 * np.arange(1, 20), rtol=2e-3)
    assert not stroke.finished


def test_the_eraser_takes_away_and_shift_inverts():
    half = math.pi * 100 / 2
    before = SQUARE.planes[10].area
    for tool, shift, change, label in (
        (Brush(10.0), False, half, "Brush"),
        (Brush(10.0), True, -half, "Eraser"),
        (Brush(10.0, erase=True), False, -half, "Eraser"),
        (Brush(10.0, erase=True), True, half, "Brush"),
    ):
        stroke = clicked(tool.begin(on(SQUARE)), (20.0, 0.0), shift=shift)
        assert stroke.erasing is (change < 0)
        assert stroke.label == label
        assert stroke.draft[10].area - before == pytest.approx(change)


def test_an_eraser_that_meets_nothing_says_so():
    for structure, place, told in ((BARE, (0.0, 0.0), True), (SQUARE, (60.0, 60.0), True), (SQUARE, (0.0, 0.0), False)):
        stroke = clicked(Brush(3.0, erase=True).begin(on(structure)), place)
        assert bool(stroke.draft) != told
        assert ("nothing of" in stroke.note) == told
    again = clicked(Brush(3.0).begin(on(SQUARE)), (0.0, 0.0))
    assert (bool(again.draft), again.note) == (False, ""), "what is painted twice is as it was"


def test_the_eraser_empties_a_plane():
    stroke = clicked(Brush(60.0, erase=True).begin(on(SQUARE)), (0.0, 0.0))
    assert stroke.draft == {10: None}
    assert 10 not in drafted(stroke).planes


def test_a_ball_has_the_radii_of_its_chords():
    stroke = clicked(Brush(10.0, ball=True).begin(on(BARE)), (2.0, 3.0))
    assert sorted(stroke.draft) == list(range(7, 14))
    for k, region in stroke.draft.items():
        height = GRID.positions_mm[k]
        assert region.area == pytest.approx(math.pi * (100 - height**2))
        assert region.centroid.coords[0] == pytest.approx((2.0, 3.0))


def test_the_ball_of_a_click_between_slices_lies_on_the_nearest():
    stroke = clicked(Brush(10.0, ball=True).begin(on(BARE, axial(1.2))), (2.0, 3.0))
    assert stroke.draft[10].area == pytest.approx(math.pi * 100)
    assert stroke.draft[11].area == stroke.draft[9].area


def test_a_ball_on_uneven_slices():
    grid = planes_grid([-9.0, -4.0, -3.0, 0.0, 2.0, 8.0])
    body = stack(grid, lambda w: [rectangle(50, 50, 55, 55)] if w == -9 else None)
    stroke = clicked(Brush(6.0, ball=True).begin(on(body)), (0.0, 0.0))
    assert sorted(stroke.draft) == [1, 2, 3, 4]
    for k, region in stroke.draft.items():
        assert region.area == pytest.approx(math.pi * (36 - grid.positions_mm[k] ** 2))


def test_a_ball_erases_a_ball():
    stroke = clicked(Brush(9.5, ball=True, erase=True).begin(on(BALL)), (0.0, 0.0))
    for k, region in stroke.draft.items():
        w = GRID.positions_mm[k]
        assert region.area == pytest.approx(math.pi * (400 - w**2) - math.pi * (9.5**2 - w**2), rel=1e-6)
        assert len(region.interiors) == 1


def test_a_disk_across_the_slices_is_a_strip_of_its_chords():
    stroke = clicked(Brush(10.0).begin(on(BARE, coronal(v=4.0, thickness=2.5))), (5.0, 3.0))
    assert sorted(stroke.draft) == list(range(6, 13))
    for k, region in stroke.draft.items():
        half = math.sqrt(100 - (GRID.positions_mm[k] + 3.0) ** 2)
        assert region.area == pytest.approx(2 * half * 2.5, rel=1e-2)
        assert region.bounds == pytest.approx((5 - half, 2.75, 5 + half, 5.25), abs=0.03)


def test_a_ball_across_the_slices_is_the_same_ball():
    across = clicked(Brush(10.0, ball=True).begin(on(BARE, coronal(v=4.0))), (5.0, -3.0)).draft
    along = clicked(Brush(10.0, ball=True).begin(on(BARE, axial(3.0))), (5.0, 4.0)).draft
    assert sorted(across) == sorted(along)
    for k in across:
        assert across[k].symmetric_difference(along[k]).area < 1e-6


def test_a_ball_that_rises_sweeps_the_cut_of_a_capsule():
    """Straight up a plane gets the full disk; at a slant the ellipse of the cylinder and the disks at its ends."""
    upward = drawn(Brush(5.0, ball=True).begin(on(BARE, coronal())), (0.0, 0.0), (0.0, -12.0)).draft
    assert upward[12].area == pytest.approx(math.pi * 25, rel=1e-3)
    slant = drawn(Brush(5.0, ball=True).begin(on(BARE, coronal())), (-20.0, 20.0), (20.0, -20.0)).draft
    assert slant[10].area == pytest.approx(math.pi * 25 * math.sqrt(2), rel=2e-3)


def test_a_strip_between_two_slices_says_so():
    stroke = clicked(Brush(1.0).begin(on(BARE, coronal())), (0.0, 1.5))
    assert not stroke.draft
    assert "between two slices" in stroke.note
    assert edit_of(stroke, None) is None


def test_a_hand_that_trembles_in_place_paints_the_disk():
    stroke = drawn(Brush(5.0).begin(on(BARE)), (0.0, 0.0), (0.001, 0.0), (0.0, 0.001))
    assert stroke.draft[10].area == pytest.approx(math.pi * 25)


@pytest.mark.parametrize("shift", [False, True], ids=["painted", "erased"])
def test_the_same_stroke_again_met_at_other_places_of_its_way_is_no_edit(shift):
    """Sampled anew the outline moves by less than 0.01 mm; half a millimetre farther it is an edit."""
    way = [(40 * math.cos(t) - 20, 15 * math.sin(2 * t)) for t in np.linspace(0, 2.5, 400)]
    first = drawn(Brush(radius_mm=8.0).begin(on(SQUARE)), *way, shift=shift)
    once = drafted(first)
    assert once is not SQUARE
    again = drawn(Brush(radius_mm=8.0).begin(on(once)), *way[:1], *way[1:-1:2], *way[-1:], shift=shift)
    assert edit_of(again, case_of(once)) is None
    wider = drawn(Brush(radius_mm=8.5).begin(on(once)), *way, shift=shift)
    assert edit_of(wider, case_of(once)) is not None


def test_a_capsule_is_convex_and_holds_both_ends():
    way = capsule((0.0, 0.0), (10.0, 3.0), 2.0)
    assert way.area == pytest.approx(math.pi * 4 + 4 * math.hypot(10, 3), rel=3e-3)
    assert way.contains(shapely.polygons(disk((10.0, 3.0), 1.99)))


def test_the_sides_of_a_stroke_may_not_be_lost_by_a_jump():
    """Two far events (a slow machine) paint all that lies between them."""
    stroke = drawn(Brush(2.0).begin(on(BARE)), (-50.0, 0.0), (50.0, 0.0))
    assert stroke.draft[10].contains(shapely.LineString([(-51.9, 0), (51.9, 0)]))


@pytest.mark.parametrize("radius", [0.0, -3.0, 0.1, 1000.0, math.nan, math.inf])
def test_impossible_sizes_are_refused(radius):
    with pytest.raises(InputError, match="radius is from"):
        Brush(radius)
