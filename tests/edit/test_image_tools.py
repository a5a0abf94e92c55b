"""Livewire, smart fill and threshold in the hand: scripted strokes on images with known values."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hands import BARE, GRID, SQUARE, axial, case_of, clicked, coronal, drawn, image_on, on
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, rectangle, stack

from reviewer.case import Registration
from reviewer.edit.tools.livewire import Livewire
from reviewer.edit.tools.setting import settings_of
from reviewer.edit.tools.smart_fill import SmartFill
from reviewer.edit.tools.threshold import Threshold
from reviewer.edit.tools.tool import Pane, Pen, Target, drafted, edit_of
from reviewer.errors import CancelledError, InputError

BALL = image_on(GRID, lambda u, v, w: 100 / (1 + np.exp((np.sqrt(u**2 + v**2 + w**2) - 18) / 0.8)))
"""100 within 18 mm of the middle, 0 outside, 50 at the edge."""
EVEN = image_on(GRID, lambda u, v, w: 0 * u + 50)
TOOLS = [Livewire(), SmartFill(), Threshold(50.0, 200.0)]


def around(radius, count, start=0.0):
    angles = start + 2 * math.pi * np.arange(count) / count
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def off_circle(region, radius):
    points = shapely.get_coordinates(shapely.segmentize(region.boundary, 0.5))
    return np.abs(np.hypot(*points.T) - radius)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_without_an_image_they_say_so(tool):
    with pytest.raises(InputError, match="show an image"):
        tool.begin(on(BARE))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_their_settings_are_labelled_and_checked(tool):
    shown = settings_of(tool)
    assert shown
    for name, setting in shown.items():
        assert setting.label
        assert setting.tooltip
        if setting.most is not None:
            assert setting.least <= getattr(tool, name) <= setting.most
            with pytest.raises(InputError, match=f"{setting.label.lower()} is from"):
                replace(tool, **{name: setting.most + 1})
            with pytest.raises(InputError, match=r"found nan"):
                replace(tool, **{name: math.nan})


# -- livewire -------------------------------------------------------------------------------------------------------------


def test_four_clicks_near_an_edge_outline_it():
    stroke = clicked(Livewire().begin(on(BARE, image=BALL)), *around(17.0, 4, 0.3))
    stroke.accept()
    assert stroke.finished
    (plane,) = stroke.draft
    assert plane == 10
    assert off_circle(stroke.draft[10], 18.0).max() < 0.5
    assert stroke.draft[10].area == pytest.approx(math.pi * 18**2, rel=0.02)
    assert edit_of(stroke, case_of(BARE)).label == "Livewire on bare, slice 11"


def test_a_click_on_the_first_anchor_closes_and_a_double_click_adds_no_second_anchor():
    target = on(BARE, image=BALL)
    places = around(18.0, 3)
    closed = clicked(Livewire().begin(target), *places, places[0])
    doubled = clicked(Livewire().begin(target), *places, places[-1])
    assert closed.finished
    assert not doubled.finished
    doubled.accept()
    assert doubled.finished
    assert closed.draft[10].symmetric_difference(doubled.draft[10]).area < 0.5


def test_the_path_to_the_hand_is_shown_before_the_click():
    stroke = clicked(Livewire().begin(on(BARE, image=BALL)), (18.0, 0.0))
    stroke.hover(Pen((0.0, 18.0), 0.5))
    (live,) = [g.points_mm for g in stroke.guides if g.kind == "line"]
    assert np.abs(np.hypot(*live.T) - 18).max() < 0.5
    assert not stroke.draft
    stroke.hover(Pen((0.0, 18.0), 0.5, ctrl=True))
    (straight,) = [g.points_mm for g in stroke.guides if g.kind == "line"]
    assert len(straight) == 2


def test_backspace_takes_back_anchors_and_two_are_needed():
    stroke = clicked(Livewire().begin(on(BARE, image=BALL)), *around(18.0, 4))
    with_four = stroke.draft[10].area
    stroke.step_back()
    assert stroke.draft[10].area < with_four
    for _ in range(5):
        stroke.step_back()
    assert not stroke.draft
    assert not stroke.guides
    stroke.accept()
    assert not stroke.finished
    assert "two anchors" in stroke.note


def test_an_outline_beyond_the_image_says_so():
    body = replace(BARE, image_id=BALL.id)
    stroke = Livewire().begin(on(body, image=BALL))
    for place in ((70.0, 0.0), (90.0, 0.0), (90.0, 20.0)):
        stroke.press(Pen(place, 0.5, ctrl=True))
    stroke.accept()
    assert not stroke.draft
    assert "beyond the image" in stroke.note


def test_two_anchors_close_by_a_straight_line():
    """Half of the circle: the way back along the edge would be the way there."""
    stroke = clicked(Livewire().begin(on(BARE, image=BALL)), (18.0, 0.3), (-18.0, 0.3))
    stroke.accept()
    assert stroke.draft[10].area == pytest.approx(math.pi * 18**2 / 2, rel=0.05)


def test_shift_at_the_first_click_takes_away():
    first, *others = around(18.0, 4)
    stroke = clicked(Livewire().begin(on(SQUARE, image=BALL)), first, shift=True)
    clicked(stroke, *others).accept()
    assert 1600 - stroke.draft[10].area == pytest.approx(math.pi * 18**2, rel=0.02)


def test_the_livewire_follows_the_image_across_the_slices():
    stroke = clicked(Livewire().begin(on(BARE, coronal(thickness=2.0), image=BALL)), *around(18.0, 5, 0.2))
    stroke.accept()
    assert set(range(5, 16)) <= set(stroke.draft) <= set(range(4, 17))
    for k in range(5, 16):
        half = math.sqrt(18**2 - GRID.positions_mm[k] ** 2)
        assert stroke.draft[k].bounds == pytest.approx((-half, -1.0, half, 1.0), abs=0.5)


# -- smart fill -----------------------------------------------------------------------------------------------------------

PLAIN = SmartFill(passage_mm=0.0, smallest_mm2=1.0, smooth_mm=0.0)


def test_a_click_fills_the_body():
    noisy = replace(
        BALL, voxels=BALL.voxels + np.random.default_rng(0).normal(0, 4, BALL.voxels.shape).astype(np.float32)
    )
    stroke = clicked(SmartFill().begin(on(BARE, image=noisy)), (2.0, 3.0))
    assert stroke.finished
    assert stroke.slow
    assert set(range(6, 15)) <= set(stroke.draft) <= set(range(4, 17)), "near its tips a ball has hardly a core"
    for k in range(6, 15):
        radius = math.sqrt(18**2 - GRID.positions_mm[k] ** 2)
        assert stroke.draft[k].area == pytest.approx(math.pi * radius**2, rel=0.12)
    named = f"slices {min(stroke.draft) + 1}–{max(stroke.draft) + 1}"
    assert edit_of(stroke, case_of(BARE)).label == f"Smart fill on bare, {named}"


def test_a_fill_that_came_to_a_bound_of_the_tool_and_not_to_an_edge_says_so():
    """A rod of 12 mm radius through all 21 slices of 3 mm."""
    rod = image_on(GRID, lambda u, v, w: np.where(np.hypot(u, v) < 12, 100.0, 0.0))
    tool = replace(PLAIN, depth_mm=10.0)
    stroke = clicked(tool.begin(on(BARE, image=rod)), (0.0, 0.0))
    assert set(stroke.draft) == {7, 8, 9, 10, 11, 12, 13}
    assert "its depth" in stroke.note
    assert "its reach" not in stroke.note
    single = replace(tool, slices=False)
    for stroke, told in (
        (clicked(single.begin(on(BARE, image=rod)), (0.0, 0.0)), False),
        (clicked(replace(single, reach_mm=10.0).begin(on(BARE, image=rod)), (0.0, 0.0)), True),
        (drawn(single.begin(on(BARE, image=rod)), (0.0, 0.0), (8.0, 8.0)), False),
        (clicked(replace(PLAIN, depth_mm=60.0).begin(on(BARE, image=rod)), (0.0, 0.0)), False),
        (clicked(SmartFill().begin(on(BARE, image=BALL)), (0.0, 0.0)), False),
    ):
        assert stroke.draft
        assert ("its reach on 1 slice:" in stroke.note) == ("a leak" in stroke.note) == told


def test_a_fill_tells_what_it_found():
    """A rod of 12 mm radius through slices 8 to 14 of 21; the click is on the 11th."""
    rod = image_on(GRID, lambda u, v, w: np.where((np.hypot(u, v) < 12) & (np.abs(w) < 10), 100.0, 0.0))
    for all_slices, more in ((True, ", on slices 8–14 in all"), (False, "")):
        stroke = clicked(replace(PLAIN, slices=all_slices).begin(on(BARE, image=rod)), (0.0, 0.0))
        assert sorted(stroke.draft) == (list(range(7, 14)) if all_slices else [10])
        told = re.fullmatch(rf"found (\S+) cm² on slice 11{more} · too small: raise Tolerance · .*", stroke.note)
        assert told
        assert float(told[1]) == pytest.approx(stroke.draft[10].area / 100, abs=0.051)
        assert float(told[1]) == pytest.approx(math.pi * 1.2**2, rel=0.05)


def test_a_stroke_through_the_slices_tells_how_far_it_is_and_can_be_stopped():
    stroke = SmartFill().begin(on(BARE, image=BALL))
    pen = Pen((0.0, 0.0))
    stroke.press(pen)
    stroke.release(pen)

    def stop(share):
        raise CancelledError

    with pytest.raises(CancelledError):
        stroke.work(stop)
    shares = []
    again = SmartFill().begin(on(BARE, image=BALL))
    again.press(pen)
    again.release(pen)
    again.work(shares.append)
    assert shares
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert len(again.draft) > 5


def test_while_the_button_is_down_only_the_slice_is_filled():
    stroke = PLAIN.begin(on(BARE, image=BALL))
    stroke.press(Pen((0.0, 0.0)))
    assert set(stroke.draft) == {10}
    stroke.release(Pen((0.0, 0.0)))
    assert len(stroke.draft) > 5
    slice_only = clicked(replace(PLAIN, slices=False).begin(on(BARE, image=BALL)), (0.0, 0.0))
    assert set(slice_only.draft) == {10}


def test_dragging_draws_the_box():
    """8 mm to the side and 5 mm down: a box of 16 x 10 mm about the press."""
    stroke = PLAIN.begin(on(BARE, image=BALL))
    stroke.press(Pen((1.0, 2.0)))
    stroke.drag(Pen((9.0, 7.0)))
    (box,) = stroke.guides
    assert box.points_mm.min(axis=0).tolist() == [-7.0, -3.0]
    stroke.release(Pen((9.0, 7.0)))
    assert shapely.box(-7, -3, 9, 7).buffer(1.6).contains(stroke.draft[10])


def test_a_box_in_a_pane_across_is_as_deep_as_it_is_wide():
    stroke = drawn(PLAIN.begin(on(BARE, coronal(), image=EVEN)), (0.0, 0.0), (6.0, 9.5))
    assert set(stroke.draft) == {7, 8, 9, 10, 11, 12, 13}
    assert stroke.draft[10].bounds == pytest.approx((-6, -9.5, 6, 9.5), abs=2.25)


def test_limits_hold_the_growing_itself():
    half = stack(GRID, lambda w: [rectangle(0, -50, 50, 50)] if w > -1 else None, "half")
    stroke = clicked(PLAIN.begin(Target.on(case_of(BARE, half), BARE, axial(), image=BALL, within=[half])), (5.0, 0.0))
    assert min(stroke.draft) == 10
    assert all(r.bounds[0] >= -1e-9 for r in stroke.draft.values())
    outside = clicked(
        PLAIN.begin(Target.on(case_of(BARE, half), BARE, axial(), image=BALL, within=[half])), (-25.0, 0.0)
    )
    assert not outside.draft
    assert outside.note


def test_clicks_where_nothing_can_be_filled_say_why():
    body = replace(BARE, image_id=BALL.id)
    beyond = clicked(PLAIN.begin(on(body, image=BALL)), (80.0, 0.0))
    assert not beyond.draft
    assert "beyond the image" in beyond.note
    pending = replace(BALL, pending=np.ones(21, dtype=bool))
    waiting = clicked(PLAIN.begin(on(body, image=pending)), (0.0, 0.0))
    assert drafted(waiting) is body
    assert "loaded" in waiting.note


def test_filling_with_shift_takes_away():
    stroke = clicked(replace(PLAIN, slices=False).begin(on(SQUARE, image=BALL)), (0.0, 0.0), shift=True)
    assert stroke.erasing
    assert set(stroke.draft) == {10}
    assert 1600 - stroke.draft[10].area == pytest.approx(math.pi * 18**2, rel=0.08)


def test_the_image_may_lie_in_another_frame():
    """The image's frame is shifted by (4, -6, 9) mm against the structure's: its ball lies around (-4, 6, -9)."""
    shift = np.eye(4)
    shift[:3, 3] = 4, -6, 9
    tie = Registration("reg", "", "frame", "other", shift)
    image = replace(BALL, grid=planes_grid(GRID.positions_mm, frame="other"))
    case = replace(case_of(BARE, image=image), registrations=(tie,))
    stroke = clicked(PLAIN.begin(Target.on(case, BARE, axial(-9.0), image=image)), (-4.0, 6.0))
    centre = stroke.draft[7].centroid
    assert (centre.x, centre.y) == pytest.approx((-4.0, 6.0), abs=0.5)
    places = [(x - 4, y + 6) for x, y in around(18.0, 4)]
    wire = clicked(Livewire().begin(Target.on(case, BARE, axial(-9.0), image=image)), *places)
    wire.accept()
    assert off_circle(shapely.transform(wire.draft[7], lambda p: p - (-4, 6)), 18.0).max() < 0.5


# -- threshold ------------------------------------------------------------------------------------------------------------

OVER = Threshold(50.0, 200.0, smallest_mm2=0.0)


def test_a_box_holds_the_threshold():
    stroke = drawn(OVER.begin(on(BARE, image=BALL)), (0.0, 0.0), (30.0, 30.0))
    assert set(stroke.draft) == {10}
    assert stroke.draft[10].area == pytest.approx(math.pi * 18**2 / 4, rel=0.01)
    assert stroke.draft[10].bounds[:2] == pytest.approx((0.0, 0.0))


def test_a_click_takes_the_limit_structure_on_one_slice_or_on_all():
    limit = stack(GRID, lambda w: [rectangle(-30, -30, 0, 30)] if -10 < w < 10 else None, "limit")
    target = Target.on(case_of(BARE, limit), BARE, axial(), image=BALL, within=[limit])
    one = clicked(OVER.begin(target), (-5.0, 0.0))
    assert set(one.draft) == {10}
    stroke = clicked(replace(OVER, slices=True).begin(target), (-5.0, 0.0))
    assert set(stroke.draft) == set(limit.planes)
    for k, region in stroke.draft.items():
        assert region.area == pytest.approx(math.pi * (18**2 - GRID.positions_mm[k] ** 2) / 2, rel=0.01)
    with pytest.raises(InputError, match="choose a structure"):
        replace(OVER, slices=True).begin(on(BARE, image=BALL))


def test_a_click_without_limit_and_a_box_without_values_say_why():
    stroke = clicked(OVER.begin(on(BARE, image=BALL)), (0.0, 0.0))
    assert not stroke.draft
    assert "draw a box" in stroke.note
    stroke = drawn(OVER.begin(on(BARE, image=BALL)), (30.0, 30.0), (40.0, 40.0))
    assert not stroke.draft
    assert "no value here lies between 50 and 200" in stroke.note
    with pytest.raises(InputError, match="before it begins"):
        Threshold(5.0, 4.0)


def test_a_threshold_in_a_pane_across_and_with_shift():
    stroke = drawn(OVER.begin(on(BARE, coronal(), image=BALL)), (-30.0, -10.0), (30.0, 10.0))
    assert set(stroke.draft) == set(range(7, 14))
    for k, region in stroke.draft.items():
        half = math.sqrt(18**2 - 1 - GRID.positions_mm[k] ** 2)
        assert region.area == pytest.approx(4 * half, rel=0.03)
    ring = stack(GRID, lambda w: [circle(25.0)], "ring")
    off = drawn(OVER.begin(on(ring, image=BALL)), (-30.0, -30.0), (30.0, 30.0), shift=True)
    assert off.draft[10].area == pytest.approx(math.pi * (25**2 - 18**2), rel=0.01)


# -- laws -----------------------------------------------------------------------------------------------------------------

NOISE = image_on(GRID, lambda u, v, w: np.random.default_rng(5).uniform(0, 100, u.shape))
PANES = st.sampled_from(
    [axial(), axial(4.0), coronal(), Pane((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (3.0, 0.0, 0.0), "frame", 1.0)]
)
PLACES = st.lists(st.tuples(st.floats(-70, 70), st.floats(-70, 70)), min_size=1, max_size=4)


SMALL = replace(PLAIN, reach_mm=15.0)
HANDS = [Livewire(), SMALL, replace(SMALL, passage_mm=4.0, smooth_mm=1.5), Threshold(30.0, 70.0)]


@settings(max_examples=40)
@given(st.sampled_from(HANDS), PANES, PLACES, st.booleans(), st.sampled_from([BALL, NOISE]))
def test_any_hand_gives_valid_regions_and_leaves_the_structure(tool, pane, places, shift, image):
    body = replace(SQUARE, image_id=image.id)
    before = dict(body.planes)
    stroke = tool.begin(on(body, pane, image=image))
    stroke = (
        clicked(stroke, *places, shift=shift) if isinstance(tool, Livewire) else drawn(stroke, *places, shift=shift)
    )
    stroke.accept()
    for k, region in stroke.draft.items():
        assert 0 <= k < len(GRID.positions_mm)
        assert region is None or (region.is_valid and not region.is_empty)
        assert region is not before.get(k)
    assert dict(body.planes) == before
