"""Laws that hold for every tool and any hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hands import GRID, axial, case_of, coronal, driven, image_on
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, rectangle, stack

from reviewer.edit.tools.brush import Brush
from reviewer.edit.tools.cut import Cut, Island
from reviewer.edit.tools.nudge import Nudge
from reviewer.edit.tools.outline import Freehand, PolygonTool
from reviewer.edit.tools.tool import Pane, Pen, Target, drafted, edit_if_lifted, edit_of
from reviewer.edit.tools.transform import Rotate, Scale, Translate
from reviewer.edit.tools.vertices import Vertices
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.overlay import shared, without
from reviewer.session import Session

IMAGE = image_on(GRID, lambda u, v, w: 100 * np.sin(u / 5) + 100 * np.cos(v / 7))
BODY = replace(
    stack(
        GRID,
        lambda w: [circle(25.0), circle(8.0, (5.0, 0.0)), rectangle(30, 30, 40, 40)] if abs(w) < 14 else None,
        "body",
    ),
    image_id=IMAGE.id,
)
LIVER = replace(stack(GRID, lambda w: [circle(30.0, (15.0, 0.0))] if abs(w) < 20 else None, "liver"), image_id=IMAGE.id)
BOTH = case_of(BODY, LIVER, image=IMAGE)
LONE = case_of(BODY, image=IMAGE)

OWN_SLICES = (Cut(), Island(), Island(keep=True, through=True), Vertices(), Rotate(), Scale(), Scale(whole=True))
EVERYWHERE = (
    Brush(6.0),
    Brush(6.0, erase=True),
    Brush(9.0, ball=True),
    Brush(9.0, ball=True, erase=True),
    Nudge(7.0),
    Freehand(),
    PolygonTool(),
    Translate(),
    Translate(whole=True),
)

places = st.tuples(*[st.one_of(st.floats(-75, 75), st.integers(-45, 45).map(float))] * 2)
paths = st.lists(places, min_size=1, max_size=12)
limits = st.fixed_dictionaries(
    {},
    optional={
        "within": st.just((LIVER,)),
        "outside": st.just((LIVER,)),
        "values": st.sampled_from([(0.0, 80.0), (-300.0, 20.0), (500.0, 600.0)]),
    },
)


@st.composite
def strokes(draw, tools=EVERYWHERE + OWN_SLICES):
    """A tool, its target and a hand that does anything."""
    tool = draw(st.sampled_from(tools))
    panes = st.floats(-31, 31).map(axial)
    if tool in EVERYWHERE:
        panes |= st.builds(coronal, st.floats(-70, 70), st.sampled_from([0.5, 2.0, 30.0]))
    target = Target.on(BOTH, BODY, draw(panes), image=IMAGE, **draw(limits))
    return tool, target, draw(paths), draw(st.booleans())


def check(stroke):
    structure = stroke.target.structure
    for k, region in stroke.draft.items():
        assert 0 <= k < len(GRID.positions_mm)
        before = structure.planes.get(k)
        if region is None:
            assert before is not None
            continue
        assert isinstance(region, shapely.Polygon | shapely.MultiPolygon)
        assert region.is_valid
        assert region.area > 0
        assert before is None or region.symmetric_difference(before).area > 0
    for guide in stroke.guides:
        assert guide.points_mm.ndim == 2
        assert guide.points_mm.shape[1] == 2
        assert np.isfinite(guide.points_mm).all()


@given(strokes())
@settings(max_examples=40)
def test_every_draft_is_valid_and_differs(stroke):
    planes = dict(BODY.planes)
    try:
        done = driven(*stroke, look_at=check)
    except InputError:
        return
    check(done)
    assert dict(BODY.planes) == planes
    edit = edit_of(done, BOTH)
    assert (edit is None) is (not done.draft)
    if edit is not None:
        assert edit.swaps[0].planes == done.draft.keys()


@given(st.lists(strokes(), min_size=1, max_size=4))
@settings(max_examples=15)
def test_undo_after_apply_is_the_identity(sequence):
    session = Session(LONE)
    states = [session.case.structure("body")]
    for tool, target, path, shift in sequence:
        structure = session.case.structure("body")
        try:
            here = Target.on(session.case, structure, target.pane, image=IMAGE, values=target.values)
            edit = edit_of(driven(tool, here, path, shift), session.case)
        except InputError:
            continue
        if edit is not None:
            session.apply(edit)
            states.append(session.case.structure("body"))
    for state in states[-2::-1]:
        session.undo()
        assert session.case.structure("body") is state
    for state in states[1:]:
        session.redo()
        assert session.case.structure("body") is state


@given(strokes((Brush(6.0), Brush(9.0, ball=True), Freehand(), PolygonTool())))
@settings(max_examples=40)
def test_what_was_drawn_is_erased_by_the_same_hand(stroke):
    """Drawn, then erased along the same path: nothing of what the hand covered is left, and all the rest is as it was."""
    tool, target, path, _ = stroke
    nothing_is_left(tool, target, path)


def test_a_part_that_an_overlay_takes_for_outside_is_noticed():
    """On two slices of this stroke GEOS 3.14 takes the hole of the body, 135 mm2, for outside of what was covered; all areas fit each other."""
    nothing_is_left(Brush(9.0, ball=True), Target.on(BOTH, BODY, axial(0.0), image=IMAGE), [(1.0, -48.0), (0.03, 40.0)])


def nothing_is_left(tool, target, path):
    drawn = drafted(driven(tool, target, path, False))
    erased = drafted(driven(tool, replace(target, structure=drawn), path, True))
    for k in drawn.planes.keys() | BODY.planes.keys():
        before, grown, left = (s.planes.get(k, shapely.Polygon()) for s in (BODY, drawn, erased))
        assert without(before, grown).area < 0.05
        assert without(left, before).area < 0.05
        covered = without(grown, left)
        assert shared(left, covered).area < 0.05
        assert without(without(grown, before), covered).area < 0.05


@given(
    strokes(
        (
            Brush(6.0),
            Brush(6.0, erase=True),
            Brush(9.0, ball=True),
            Nudge(7.0),
            Freehand(),
            PolygonTool(),
            Vertices(),
            Cut(),
        )
    )
)
@settings(max_examples=40)
def test_nothing_changes_beyond_the_limits(stroke):
    tool, target, path, shift = stroke
    target = replace(target, limits=Target.on(BOTH, BODY, target.pane, within=[LIVER]).limits, values=None)
    done = driven(tool, target, path, shift)
    for k, region in done.draft.items():
        change = (region or shapely.Polygon()).symmetric_difference(BODY.planes.get(k, shapely.Polygon()))
        assert change.difference(LIVER.planes.get(k, shapely.Polygon())).area < 0.05


@pytest.mark.parametrize("tool", EVERYWHERE + OWN_SLICES, ids=lambda t: f"{t!r}")
def test_a_click_far_outside_changes_nothing(tool):
    """Also not beyond the border of the image, where it lies at 60.5 mm."""
    target = Target.on(BOTH, BODY, axial(0.0), image=IMAGE)
    stroke = driven(tool, target, [(100.0, 100.0)], False)
    assert not stroke.draft


@pytest.mark.parametrize("tool", EVERYWHERE + OWN_SLICES, ids=lambda t: f"{t!r}")
def test_events_in_any_order_are_harmless(tool):
    """A release or a drag without press, Enter and Backspace out of nowhere."""
    stroke = tool.begin(Target.on(BOTH, BODY, axial(0.0), image=IMAGE))
    pen = Pen((10.0, 10.0))
    for event in (stroke.release, stroke.drag):
        event(pen)
        check(stroke)
    stroke.accept()
    stroke.step_back()
    assert not stroke.draft


OBLIQUE = np.array([[0.9, 0.3, np.sqrt(0.1)], [-0.3, 0.9, 0.0], [0.0, 0.0, 0.0]])
OBLIQUE[1] -= OBLIQUE[1] @ OBLIQUE[0] * OBLIQUE[0]
OBLIQUE[1] /= np.linalg.norm(OBLIQUE[1])
OBLIQUE[2] = np.cross(OBLIQUE[0], OBLIQUE[1])
SAGITTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
UNEVEN = np.cumsum([0.0, 1.0, 5.0, 2.5, 7.0, 1.0, 3.0]) - 10.0

grids = st.builds(
    lambda axes, w: Grid(axes, (-59.0, -59.0), (2.0, 2.0), (60, 60), w, "frame"),
    st.sampled_from([np.eye(3), OBLIQUE, SAGITTAL]),
    st.sampled_from([UNEVEN, np.array([0.0]), np.array([-2.0, 2.0])]),
)
anywhere = st.lists(places | st.tuples(st.sampled_from([-1e6, 300.0, 1e9]), st.floats(-40, 40)), min_size=1, max_size=8)
holed = [circle(25.0), circle(12.0, (3.0, 2.0))]


@given(
    grids,
    st.booleans(),
    st.sampled_from([(0, 1), (0, 2), (1, 2)]),
    st.lists(st.tuples(st.sampled_from(EVERYWHERE + OWN_SLICES), anywhere, st.booleans()), min_size=1, max_size=5),
)
@settings(max_examples=25)
def test_on_any_grid_any_hand_leaves_valid_regions_that_undo_takes_back(grid, lone_plane, pane_axes, hands):
    """Turned grids of uneven, two, or one slice; a structure with a hole, on one slice only; places far outside."""
    middle = len(grid.positions_mm) // 2
    body = stack(grid, lambda w: None if lone_plane and w != grid.positions_mm[middle] else holed, "body")
    image = image_on(grid)
    session = Session(case_of(replace(body, image_id=image.id), image=image))
    pane = Pane(
        *(tuple(grid.axes[n]) for n in pane_axes), tuple(grid.point_mm([2.0, 1.0, grid.positions_mm[middle]])), "frame"
    )
    first = session.case.structure("body")
    for tool, path, shift in hands:
        try:
            target = Target.on(session.case, session.case.structure("body"), pane, image=image)
            stroke = driven(tool, target, path, shift)
            edit = edit_of(stroke, session.case)
        except InputError:
            continue
        for k, region in stroke.draft.items():
            assert 0 <= k < len(grid.positions_mm)
            assert region is None or (region.is_valid and region.area > 0)
        if edit is not None:
            session.apply(edit)
    while session.history.undo_label:
        session.undo()
    assert session.case.structure("body") is first


@given(strokes())
@settings(max_examples=25)
def test_a_stroke_that_ends_where_the_hand_rests_becomes_what_was_foreseen(stroke):
    """To look at what it would become changes nothing of it; and a sweep then ends in the very same structure."""
    tool, target, path, shift = stroke
    pens = [Pen(place, 0.5, shift) for place in path]
    strokes = []
    try:
        for rests in (False, True):
            hand = tool.begin(target)
            hand.hover(pens[0])
            hand.press(pens[0])
            for pen in pens:
                hand.drag(pen)
                foreseen = edit_if_lifted(hand, BOTH) if rests else None
            hand.release(pens[-1])
            strokes.append(hand)
    except InputError:
        return
    ended, rested = strokes
    assert ended.draft.keys() == rested.draft.keys()
    for k, region in ended.draft.items():
        other = rested.draft[k]
        assert (region is None) is (other is None)
        assert region is None or region.equals_exact(other, 0.0)
    edit = edit_of(rested, BOTH)
    if isinstance(tool, Brush | Nudge):
        assert (edit is None) is (foreseen is None)
        assert edit is None or edit.swaps[0].after is foreseen.swaps[0].after
