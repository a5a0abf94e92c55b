"""Pieces: a cut by a line, islands by a click."""

from __future__ import annotations

import pytest
import shapely
from hands import BALL, BARE, GRID, SQUARE, axial, case_of, clicked, drawn, on
from phantoms import rectangle, stack

from reviewer.edit.tools.cut import Cut, Island
from reviewer.edit.tools.tool import Pen, Target, edit_of

LEFT, RIGHT, SMALL = rectangle(-30, -10, -5, 10), rectangle(5, -10, 30, 10), rectangle(-3, 20, 3, 26)
ISLANDS = stack(GRID, lambda w: [LEFT, RIGHT, SMALL] if abs(w) < 10 else [LEFT] if abs(w) < 16 else None, "islands")
RING = stack(
    GRID, lambda w: [rectangle(-20, -20, 20, 20), rectangle(-10, -10, 10, 10)] if abs(w) < 10 else None, "ring"
)


@pytest.mark.parametrize(("shift", "left"), [(False, (-20, -20, 5, 20)), (True, (5, -20, 20, 20))])
def test_the_largest_piece_stays_and_shift_takes_it(shift, left):
    stroke = drawn(Cut().begin(on(SQUARE)), (5.0, -30.0), (5.0, 30.0), shift=shift)
    assert stroke.finished
    assert stroke.draft[10].equals_exact(shapely.box(*left).normalize(), 1e-9) or stroke.draft[10].equals(
        shapely.box(*left)
    )


def test_equal_halves_leave_one():
    assert drawn(Cut().begin(on(SQUARE)), (0.0, -30.0), (0.0, 30.0)).draft[10].area == pytest.approx(800)


def test_the_cut_is_shown_before_it_is_done():
    stroke = Cut().begin(on(SQUARE))
    stroke.press(Pen((10.0, -30.0)))
    stroke.drag(Pen((10.0, 0.0)))
    assert not stroke.draft
    stroke.drag(Pen((10.0, 30.0)))
    assert stroke.draft[10].area == pytest.approx(1200)


def test_a_line_that_does_not_reach_the_other_side_cuts_nothing():
    stroke = drawn(Cut().begin(on(SQUARE)), (0.0, -30.0), (0.0, 15.0))
    assert not stroke.draft
    assert "from side to side" in stroke.note


def test_a_bent_line_cuts_off_a_corner():
    stroke = drawn(Cut().begin(on(SQUARE)), (10.0, -30.0), (10.0, -10.0), (30.0, -10.0))
    assert stroke.draft[10].area == pytest.approx(1600 - 100)


def test_each_island_is_cut_by_itself():
    stroke = drawn(Cut().begin(on(ISLANDS)), (-40.0, 5.0), (40.0, 5.0))
    assert stroke.draft[10].area == pytest.approx(2 * 25 * 15 + 36)


def test_a_ring_is_cut_across_both_sides_only():
    once = drawn(Cut().begin(on(RING)), (0.0, -30.0), (0.0, 0.0))
    assert not once.draft
    twice = drawn(Cut().begin(on(RING)), (5.0, -30.0), (5.0, 30.0))
    assert twice.draft[10].equals(shapely.box(-20, -20, 5, 20).difference(shapely.box(-10, -10, 10, 10)))


def test_a_click_cuts_nothing():
    assert not clicked(Cut().begin(on(SQUARE)), (0.0, 0.0)).draft
    bare = drawn(Cut().begin(on(BARE)), (-20.0, 0.0), (20.0, 0.0))
    assert not bare.draft
    assert bare.note == "bare has no contour on this slice"


@pytest.mark.parametrize(("tool", "shift"), [(Island(), False), (Island(keep=True), True)])
def test_the_clicked_island_goes(tool, shift):
    stroke = clicked(tool.begin(on(ISLANDS)), (10.0, 0.0), shift=shift)
    assert stroke.draft.keys() == {10}
    assert stroke.draft[10].area == pytest.approx(500 + 36)
    case = case_of(ISLANDS)
    stroke = clicked(tool.begin(Target.on(case, ISLANDS, axial())), (10.0, 0.0), shift=shift)
    assert edit_of(stroke, case).label == "Delete island on islands, slice 11"


@pytest.mark.parametrize(("tool", "shift"), [(Island(keep=True), False), (Island(), True)])
def test_the_clicked_island_stays(tool, shift):
    stroke = clicked(tool.begin(on(ISLANDS)), (0.0, 23.0), shift=shift)
    assert stroke.draft[10].equals(shapely.box(-3, 20, 3, 26))


def test_the_last_island_empties_the_slice():
    assert clicked(Island().begin(on(SQUARE)), (0.0, 0.0)).draft == {10: None}


def test_through_the_slices_what_hangs_together_goes():
    gone = clicked(Island(through=True).begin(on(ISLANDS)), (-20.0, 0.0)).draft
    assert sorted(gone) == sorted(ISLANDS.planes)
    assert {k for k, region in gone.items() if region is None} == {
        k for k in ISLANDS.planes if abs(GRID.positions_mm[k]) > 10
    }
    kept = clicked(Island(keep=True, through=True).begin(on(ISLANDS)), (-20.0, 0.0)).draft
    assert all(region.equals(shapely.box(-30, -10, -5, 10)) for region in kept.values())
    assert not clicked(Island(keep=True, through=True).begin(on(BALL)), (0.0, 0.0)).draft


@pytest.mark.parametrize("at", [(0.0, 0.0), (50.0, 50.0)])
def test_a_click_beside_the_islands_says_so(at):
    """A hole counts as beside."""
    for body in (ISLANDS, RING):
        stroke = clicked(Island().begin(on(body)), at)
        assert not stroke.finished
        assert not stroke.draft
        assert "no island" in stroke.note
