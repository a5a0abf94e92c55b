"""Move, turn and scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hands import BALL, GRID, SQUARE, axial, clicked, coronal, drawn, on
from phantoms import planes_grid, rectangle, stack

from reviewer.edit.tools.tool import drafted
from reviewer.edit.tools.transform import Rotate, Scale, Translate
from reviewer.errors import InputError
from reviewer.geometry.solid import solid

BAR = stack(GRID, lambda w: [rectangle(10, -5, 40, 5)] if abs(w) < 10 else None, "bar")


def test_one_slice_moves_with_the_hand():
    stroke = drawn(Translate().begin(on(SQUARE)), (0.0, 0.0), (3.0, 4.0), (5.0, -7.0))
    assert stroke.finished
    assert list(stroke.draft) == [10]
    assert stroke.draft[10].equals(shapely.box(-15, -27, 25, 13))


def test_shift_keeps_to_one_way():
    stroke = drawn(Translate().begin(on(SQUARE)), (0.0, 0.0), (5.0, -7.0), shift=True)
    assert stroke.draft[10].equals(shapely.box(-20, -27, 20, 13))


def test_the_whole_structure_moves():
    stroke = drawn(Translate(whole=True).begin(on(SQUARE)), (0.0, 0.0), (5.0, 0.0))
    assert sorted(stroke.draft) == sorted(SQUARE.planes)
    assert all(region.equals(shapely.box(-15, -20, 25, 20)) for region in stroke.draft.values())


def test_across_the_slices_it_moves_by_whole_slices():
    """Down by 7 mm in the coronal pane is 2 slices of 3 mm towards the feet."""
    stroke = drawn(Translate().begin(on(BALL, coronal())), (0.0, 0.0), (4.0, 7.0))
    after = drafted(stroke)
    assert sorted(after.planes) == [k - 2 for k in sorted(BALL.planes)]
    for k, region in after.planes.items():
        assert region.area == pytest.approx(BALL.planes[k + 2].area)
        assert region.centroid.coords[0] == pytest.approx((4.0, 0.0), abs=1e-6)


def test_it_stays_within_the_stack():
    after = drafted(drawn(Translate().begin(on(BALL, coronal())), (0.0, 0.0), (0.0, -300.0)))
    assert len(after.planes) == len(BALL.planes)
    assert max(after.planes) == len(GRID.positions_mm) - 1


def test_uneven_slices_are_not_left():
    grid = planes_grid([0.0, 3.0, 7.0, 10.0])
    body = stack(grid, lambda w: [rectangle(-5, -5, 5, 5)] if w < 9 else None)
    stroke = drawn(Translate().begin(on(body, coronal())), (0.0, 0.0), (6.0, -6.0))
    assert sorted(stroke.draft) == [0, 1, 2]
    assert stroke.draft[0].equals(shapely.box(1, -5, 11, 5))
    assert "unevenly spaced" in stroke.note


def test_moved_beyond_the_border_it_is_kept():
    assert drawn(Translate().begin(on(SQUARE)), (0.0, 0.0), (500.0, 0.0)).draft[10].area == pytest.approx(1600)


def test_a_quarter_turn_about_the_centroid():
    """The centroid is (25, 0): the hand goes a quarter around it."""
    stroke = drawn(Rotate().begin(on(BAR)), (45.0, 0.0), (40.0, 15.0), (25.0, 20.0))
    assert list(stroke.draft) == [10]
    assert stroke.draft[10].symmetric_difference(shapely.box(20, -15, 30, 15)).area < 1e-6


@pytest.mark.parametrize("degrees", [-170.0, -33.0, 10.0, 90.0, 179.0])
def test_turning_keeps_area_and_centroid(degrees):
    angle = math.radians(degrees)
    to = (25 + 20 * math.cos(angle), 20 * math.sin(angle))
    region = drawn(Rotate().begin(on(BAR)), (45.0, 0.0), to).draft[10]
    assert region.area == pytest.approx(300)
    assert region.centroid.coords[0] == pytest.approx((25.0, 0.0))
    assert region.distance(shapely.Point(25 + 15 * math.cos(angle), 15 * math.sin(angle))) < 1e-9


def test_shift_turns_in_steps():
    """21 degrees of the hand are 15 of the structure."""
    to = (25 + 20 * math.cos(math.radians(21)), 20 * math.sin(math.radians(21)))
    region = drawn(Rotate().begin(on(BAR)), (45.0, 0.0), to, shift=True).draft[10]
    turned = math.atan2(*np.subtract(region.minimum_rotated_rectangle.exterior.coords[1], (25, 0))[::-1])
    corners = {round(math.degrees(turned) + math.degrees(math.atan2(s, 15))) % 180 for s in (5, -5)}
    assert 15 in corners


def test_the_hand_is_followed_in_panes_with_other_axes():
    """Seen from the feet with the other hand: right is -u, down is +v."""
    pane = axial()
    mirrored = type(pane)((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), pane.point_mm, "frame")
    region = drawn(
        Rotate().begin(on(BAR, mirrored)), (-45.0, 0.0), (-25.0 - 20 * math.cos(0.5), 20 * math.sin(0.5))
    ).draft[10]
    assert region.distance(shapely.Point(25 + 15 * math.cos(0.5), 15 * math.sin(0.5))) < 1e-9


def test_the_whole_structure_turns_and_scales():
    turned = drafted(drawn(Rotate(whole=True).begin(on(BAR)), (45.0, 0.0), (25.0, 20.0)))
    assert solid(turned).volume_mm3 == pytest.approx(solid(BAR).volume_mm3)
    assert all(region.bounds == pytest.approx((20, -15, 30, 15)) for region in turned.planes.values())


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.5, 2.0])
def test_scaling_one_slice_scales_its_area(factor):
    region = drawn(Scale().begin(on(BAR)), (45.0, 0.0), (25.0 + 20 * factor, 0.0)).draft[10]
    assert region.area == pytest.approx(300 * factor**2)
    assert region.centroid.coords[0] == pytest.approx((25.0, 0.0))


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_scaling_the_whole_structure_scales_its_volume(factor):
    """A ball on slices of 3 mm: the volume within the error that the slices leave, the equator and the poles where they should be."""
    after = drafted(drawn(Scale(whole=True).begin(on(BALL)), (20.0, 0.0), (20.0 * factor, 0.0)))
    assert solid(after).volume_mm3 == pytest.approx(solid(BALL).volume_mm3 * factor**3, rel=0.03)
    assert after.planes[10].area == pytest.approx(math.pi * 400 * factor**2, rel=1e-3)
    assert max(after.planes) == 10 + int(20 * factor // 3)


def test_there_and_back_changes_nothing():
    for tool in (Translate(), Translate(whole=True), Rotate(), Scale(), Scale(whole=True)):
        stroke = drawn(tool.begin(on(BAR)), (45.0, 0.0), (40.0, 20.0), (45.0, 0.0))
        assert stroke.finished
        assert not stroke.draft


@pytest.mark.parametrize("tool", [Rotate(), Scale()])
def test_at_the_centroid_there_is_no_arm(tool):
    stroke = drawn(tool.begin(on(BAR)), (25.0, 0.2), (40.0, 20.0))
    assert not stroke.draft
    assert "centroid" in stroke.note


@pytest.mark.parametrize("tool", [Translate(), Rotate(), Scale()])
def test_a_slice_without_contour_is_refused(tool):
    with pytest.raises(InputError, match="no contour on this slice"):
        tool.begin(on(BAR, axial(27.0)))


def test_a_click_moves_nothing():
    assert not clicked(Translate().begin(on(BAR)), (25.0, 0.0)).draft
