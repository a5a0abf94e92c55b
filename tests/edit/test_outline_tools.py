"""Freehand, polygon and box against areas of figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hands import BARE, GRID, SQUARE, clicked, coronal, drawn, on

from reviewer.edit.tools.outline import Freehand, PolygonTool, enclosed
from reviewer.edit.tools.tool import Pen


def ring(radius, centre=(0.0, 0.0), turns=1.0, points=400):
    angle = np.linspace(0, 2 * np.pi * turns, points)
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angle]


def test_freehand_adds_what_it_encloses():
    stroke = drawn(Freehand().begin(on(BARE)), *ring(15.0))
    assert stroke.finished
    assert stroke.draft[10].area == pytest.approx(np.pi * 225, rel=2e-3)


def test_an_open_line_is_closed_by_a_straight_one():
    half = ring(15.0, turns=0.5)
    assert drawn(Freehand().begin(on(BARE)), *half).draft[10].area == pytest.approx(np.pi * 225 / 2, rel=1e-3)


@pytest.mark.parametrize("start", [0, 100])
def test_freehand_adds_wherever_it_begins_and_shift_takes_away(start):
    loop = ring(10.0, (20.0, 0.0))[:-1]
    loop = [*loop[start:], *loop[:start]]
    half = np.pi * 100 / 2
    assert drawn(Freehand().begin(on(SQUARE)), *loop).draft[10].area == pytest.approx(1600 + half, rel=1e-3)
    assert drawn(Freehand().begin(on(SQUARE)), *loop, shift=True).draft[10].area == pytest.approx(1600 - half, rel=1e-3)


def test_a_line_that_crosses_itself_encloses_all_its_loops():
    eight = [(10 * math.sin(2 * t), 20 * math.sin(t)) for t in np.linspace(0, 2 * np.pi, 300)]
    region = drawn(Freehand().begin(on(BARE)), *eight).draft[10]
    assert region.is_valid
    assert region.area == pytest.approx(4 / 3 * 10 * 20 * 2, rel=3e-3)  # two lobes of 2 a b 2/3 each
    overshot = drawn(Freehand().begin(on(BARE)), *ring(15.0, turns=1.3, points=260)).draft[10]
    assert overshot.area == pytest.approx(np.pi * 225, rel=2e-3)
    assert not overshot.interiors


def test_enclosed_by_too_little():
    assert enclosed([]) is None
    assert enclosed([(0, 0), (1, 1)]) is None
    assert enclosed([(0, 0), (1, 1), (2, 2)]) is None
    assert enclosed([(0, 0), (1, 1), (0, 0), (1, 1)]) is None


def test_a_click_with_freehand_says_what_to_do():
    stroke = clicked(Freehand().begin(on(BARE)), (3.0, 3.0))
    assert stroke.finished
    assert not stroke.draft
    assert "draw around" in stroke.note


def test_freehand_across_the_slices_is_a_strip():
    """A square of 20 mm in the coronal pane crosses the slices at -9 ... 9 mm."""
    stroke = drawn(
        Freehand().begin(on(BARE, coronal(3.0, 2.0))), (-10.0, -10.0), (10.0, -10.0), (10.0, 10.0), (-10.0, 10.0)
    )
    assert sorted(stroke.draft) == list(range(7, 14))
    for region in stroke.draft.values():
        assert region.equals(shapely.box(-10, 2, 10, 4))


def test_an_area_with_a_gap_across_leaves_the_gap():
    """A U in the coronal pane: two strips where its legs are, one below."""
    legs = [(-10, 10), (10, 10), (10, -10), (5, -10), (5, 5), (-5, 5), (-5, -10), (-10, -10)]
    stroke = drawn(Freehand().begin(on(BARE, coronal(0.0, 2.0))), *[(float(a), float(b)) for a, b in legs])
    assert stroke.draft[10].area == pytest.approx(2 * 5 * 2)
    assert len(shapely.get_parts(stroke.draft[10])) == 2
    assert stroke.draft[int(np.argmin(abs(GRID.positions_mm + 9)))].area == pytest.approx(20 * 2)


def test_a_polygon_by_clicks_closes_at_enter():
    stroke = clicked(PolygonTool().begin(on(BARE)), (0.0, 0.0), (20.0, 0.0), (20.0, 10.0))
    assert not stroke.finished
    assert stroke.draft[10].area == pytest.approx(100)
    stroke.accept()
    assert stroke.finished


def test_a_polygon_closes_at_its_first_corner_and_at_a_double_click():
    stroke = clicked(PolygonTool().begin(on(BARE)), (0.0, 0.0), (20.0, 0.0), (20.0, 10.0), (0.5, 0.5))
    assert stroke.finished
    assert stroke.draft[10].area == pytest.approx(100)
    stroke = clicked(PolygonTool().begin(on(BARE)), (0.0, 0.0), (20.0, 0.0), (20.0, 10.0), (20.0, 10.0))
    stroke.accept()
    assert stroke.finished
    assert len(stroke.guides[0].points_mm) == 3


def test_backspace_takes_corners_back_to_none():
    stroke = clicked(PolygonTool().begin(on(BARE)), (0.0, 0.0), (20.0, 0.0), (20.0, 10.0), (0.0, 40.0))
    stroke.step_back()
    assert stroke.draft[10].area == pytest.approx(100)
    stroke.step_back()
    assert not stroke.draft
    stroke.accept()
    assert not stroke.finished
    assert "three corners" in stroke.note
    for _ in range(5):
        stroke.step_back()
    assert not stroke.guides


def test_a_corner_follows_the_hand_until_it_is_let_go():
    stroke = clicked(PolygonTool().begin(on(BARE)), (0.0, 0.0), (20.0, 0.0))
    stroke.press(Pen((20.0, 10.0)))
    stroke.drag(Pen((20.0, 30.0)))
    assert stroke.draft[10].area == pytest.approx(300)
    stroke.release(Pen((20.0, 20.0)))
    stroke.hover(Pen((50.0, 50.0)))
    assert stroke.draft[10].area == pytest.approx(200)


def test_shift_at_the_first_click_takes_away():
    corners = (0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 20.0)
    stroke = clicked(PolygonTool().begin(on(SQUARE)), *corners, shift=True)
    assert stroke.erasing
    assert stroke.draft[10].area == pytest.approx(1200)
