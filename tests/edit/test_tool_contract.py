"""What every tool may rely on: how panes lie to slices, what is refused, and how a stroke becomes an edit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hands import BALL, BARE, GRID, SQUARE, axial, case_of, clicked, coronal, drawn, image_on, on
from phantoms import planes_grid, rectangle, stack

from reviewer.case import Case, Registration, StructureSet
from reviewer.edit.tools.brush import Brush
from reviewer.edit.tools.cut import Cut, Island
from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.tool import Pane, Pen, Target, drafted, edit_of, painted, settled
from reviewer.edit.tools.transform import Rotate, Scale
from reviewer.edit.tools.vertices import Vertices
from reviewer.errors import InputError
from reviewer.session import Session


def test_pane_coordinates_are_projections_and_come_back():
    pane = Pane((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (5.0, 7.0, 9.0), "frame")
    assert pane.at((5.0, 7.0, 9.0)) == (7.0, -9.0)
    np.testing.assert_allclose(pane.patient_mm((7.0, -9.0)), (5.0, 7.0, 9.0))
    np.testing.assert_allclose(pane.patient_mm([(0.0, 0.0), (1.0, 2.0)]), [(5.0, 0.0, 0.0), (5.0, 1.0, -2.0)])


@pytest.mark.parametrize(("w", "plane"), [(0.0, 10), (1.4, 10), (1.6, 11), (-30.9, 0), (31.4, 20)])
def test_a_pane_along_the_slices_acts_on_the_nearest(w, plane):
    assert on(SQUARE, axial(w)).plane == plane


@pytest.mark.parametrize("w", [-32.0, 31.6, 500.0])
def test_a_pane_off_the_slices_is_refused(w):
    with pytest.raises(InputError, match="square: has no slice here; go to its nearest slice"):
        on(SQUARE, axial(w))


def test_a_tilted_pane_is_refused_with_the_way_out():
    tilted = Pane((1.0, 0.0, 0.0), (0.0, 0.8, 0.6), (0.0, 0.0, 0.0), "frame")
    with pytest.raises(InputError, match="show the image of square as base image"):
        on(SQUARE, tilted)


def test_a_pane_across_acts_on_the_slices_that_it_crosses():
    target = on(SQUARE, coronal())
    assert target.plane is None
    assert target.region is None


def test_registered_frames_are_followed_and_others_refused():
    """The pane's frame is shifted by (10, 0, 3) mm and turned by a quarter about the head-foot axis."""
    matrix = np.array([[0.0, -1.0, 0.0, 10.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
    tie = Registration("reg", "", "other", "frame", matrix)
    case = replace(case_of(BARE), registrations=(tie,))
    pane = replace(axial(), frame_of_reference_uid="other")
    target = Target.on(case, BARE, pane)
    assert target.plane == 11
    stroke = clicked(Brush(5.0).begin(target), (20.0, 4.0))
    centre = stroke.draft[11].centroid
    assert (centre.x, centre.y) == pytest.approx((10.0 - 4.0, 20.0))
    with pytest.raises(InputError, match="not registered"):
        Target.on(case_of(BARE), BARE, pane)


@pytest.mark.parametrize("columns", [((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (0, 0, 1)), ((0.6, 0.8, 0), (0, 0, -1))])
def test_slices_of_any_orientation(columns):
    """A stack seen in its own rows and columns is drawn on where the hand is, wherever it lies in the patient."""
    u, v = (np.array(c, dtype=float) for c in columns)
    grid = planes_grid(3.0 * np.arange(-10, 11), axes=np.array([u, v, np.cross(u, v)]))
    body = stack(grid, lambda w: [rectangle(50, 50, 55, 55)] if w < -29 else None)
    pane = Pane(tuple(v), tuple(-u), tuple(6.0 * np.cross(u, v)), "frame")
    stroke = clicked(Brush(5.0).begin(on(body, pane)), (11.0, -7.0))
    assert list(stroke.draft) == [12]
    assert (stroke.draft[12].centroid.x, stroke.draft[12].centroid.y) == pytest.approx((7.0, 11.0))


def test_what_may_not_be_edited_is_refused():
    for structure, words in (
        (replace(SQUARE, locked=True), "locked"),
        (replace(SQUARE, formula="GTV + 5 mm"), "freeze"),
    ):
        with pytest.raises(InputError, match=words):
            on(structure)
    approved = Case(structure_sets=(StructureSet("set", "set", (SQUARE,), approval="APPROVED"),))
    with pytest.raises(InputError, match="approved"):
        Target.on(approved, SQUARE, axial())


def test_a_structure_locked_during_the_stroke_yields_no_edit():
    stroke = clicked(Brush().begin(on(SQUARE)), (20.0, 0.0))
    locked = replace(SQUARE, locked=True)
    with pytest.raises(InputError):
        edit_of(stroke, case_of(locked))
    with pytest.raises(InputError, match="changed"):
        edit_of(stroke, case_of(replace(SQUARE)))


@pytest.mark.parametrize("tool", [Cut(), Island(), Vertices(), Rotate(), Scale()], ids=lambda t: t.name)
def test_tools_for_own_slices_refuse_panes_across(tool):
    with pytest.raises(InputError, match="works on the slices of square only"):
        tool.begin(on(SQUARE, coronal()))


def test_the_edit_is_named_and_undone():
    session = Session(case_of(SQUARE))
    stroke = clicked(Brush(5.0).begin(Target.on(session.case, SQUARE, axial())), (20.0, 0.0))
    edit = edit_of(stroke, session.case)
    assert edit.label == "Brush on square, slice 11"
    session.apply(edit)
    after = session.case.structure("square")
    assert after.planes[10].area > SQUARE.planes[10].area
    assert all(after.planes[k] is SQUARE.planes[k] for k in SQUARE.planes if k != 10)
    session.undo()
    assert session.case.structure("square") is SQUARE


def test_a_stroke_without_effect_yields_no_edit():
    inside = clicked(Brush(5.0).begin(on(SQUARE)), (0.0, 0.0))
    assert inside.finished
    assert not inside.draft
    assert drafted(inside) is SQUARE
    assert edit_of(inside, case_of(SQUARE)) is None


def test_strokes_end_at_the_border_of_the_image():
    """Pixels of 1 mm with centres at -60 ... 60 mm: the border is at 60.5 mm."""
    image = image_on(GRID)
    body = replace(BARE, image_id=image.id)
    stroke = clicked(Brush(5.0).begin(on(body, image=image)), (60.5, 0.0))
    assert stroke.draft[10].area == pytest.approx(np.pi * 25 / 2, rel=1e-3)
    assert stroke.draft[10].bounds[2] == pytest.approx(60.5)
    beyond = clicked(Brush(5.0).begin(on(body, image=image)), (80.0, 0.0))
    assert not beyond.draft
    assert "beyond the image" in beyond.note
    free = clicked(Brush(5.0).begin(on(BARE)), (80.0, 0.0))
    assert free.draft[10].area == pytest.approx(np.pi * 25)


def test_limits_hold_for_drawing_and_erasing():
    liver = stack(GRID, lambda w: [rectangle(0, -50, 50, 50)], "Liver")
    ptv = stack(GRID, lambda w: [rectangle(-50, 0, 50, 50)], "PTV")
    case = case_of(SQUARE, liver, ptv)
    quarter = np.pi * 100 / 4

    def area(erase, at, **limits):
        stroke = clicked(Brush(10.0, erase=erase).begin(Target.on(case, SQUARE, axial(), **limits)), at)
        return abs(drafted(stroke).planes[10].area - SQUARE.planes[10].area)

    assert area(True, (0.0, 0.0), within=[liver]) == pytest.approx(2 * quarter)
    assert area(True, (0.0, 0.0), outside=[ptv]) == pytest.approx(2 * quarter)
    assert area(True, (0.0, 0.0), within=[liver], outside=[ptv]) == pytest.approx(quarter)
    assert area(False, (20.0, 0.0), within=[liver], outside=[ptv]) == pytest.approx(quarter)
    assert area(False, (20.0, 0.0), within=[replace(liver, planes={})]) == 0


def test_limits_on_other_slices_are_cut_where_the_stroke_is():
    """A wedge on slices of 5 mm whose edge moves by 1 mm per mm: between its slices the solid tells where the edge is."""
    other = planes_grid(5.0 * np.arange(-8, 9))
    wedge = stack(other, lambda w: [rectangle(-50, -50, w, 50)], "wedge")
    case = case_of(BARE, wedge)
    stroke = drawn(Brush(4.0).begin(Target.on(case, BARE, axial(3.0), within=[wedge])), (-20.0, 0.0), (20.0, 0.0))
    assert stroke.draft[11].bounds[2] == pytest.approx(3.0, abs=0.5)


def test_a_range_of_values_is_followed_between_the_pixels():
    """A ramp of 10 per mm along u: values 25 to 73 lie at u = 2.5 to 7.3 mm."""
    image = image_on(GRID, lambda u, v, w: 10 * u)
    stroke = drawn(Brush(9.0).begin(on(BARE, image=image, values=(25.0, 73.0))), (-20.0, 0.0), (20.0, 0.0))
    assert stroke.draft[10].bounds == pytest.approx((2.5, -9.0, 7.3, 9.0), abs=0.02)
    stroke = clicked(Brush(5.0).begin(on(BARE, image=image, values=(900.0, 950.0))), (0.0, 0.0))
    assert not stroke.draft
    assert "limits" in stroke.note


@pytest.mark.parametrize("erase", [False, True])
def test_a_range_of_values_on_a_slanting_ramp_is_a_band_of_the_disk(erase):
    """The values 3 u + 4 v between -15 and 15 lie within 3 mm of a line: of a disk of 10 mm a band of 2 (3 sqrt(91) + 100 asin 0.3) mm2."""
    image = image_on(GRID, lambda u, v, w: 3 * u + 4 * v + 0 * w)
    body = SQUARE if erase else BARE
    stroke = clicked(Brush(10.0, erase=erase).begin(on(body, image=image, values=(-15.0, 15.0))), (0.0, 0.0))
    changed = stroke.draft[10].symmetric_difference(body.planes.get(10, shapely.Polygon()))
    band = 2 * (3 * math.sqrt(91) + 100 * math.asin(0.3))
    assert changed.area == pytest.approx(band, rel=1e-3)
    assert np.abs(shapely.get_coordinates(changed) @ [3, 4]).max() == pytest.approx(15.0, abs=1e-3)


def test_a_range_of_values_in_an_image_with_other_slices_and_a_slope():
    """The image lies on sagittal planes and stores (value - 5) / 2; the value is 4 per mm along w + 3 per mm along v."""
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    grid = planes_grid(2.5 * np.arange(-20, 21), axes=axes, spacing=1.5)
    image = replace(image_on(grid, lambda y, z, x: (3 * y + 4 * z - 5) / 2), slope=2.0, intercept=5.0)
    target = Target.on(case_of(BARE), BARE, axial(6.0), image=image, values=(24.0, 54.0))
    stroke = drawn(Brush(3.0).begin(target), (0.0, -20.0), (0.0, 20.0))
    _, low, _, high = stroke.draft[12].bounds
    assert (low, high) == pytest.approx((0.0, 10.0), abs=0.02)


def test_noise_in_a_range_of_values_leaves_no_specks():
    """Pixels of 1 mm that are in the range or not as it happens: parts and holes below a pixel are gone once the stroke is done."""
    rng = np.random.default_rng(2)
    image = image_on(GRID, lambda u, v, w: rng.normal(0, 1, u.shape))
    stroke = drawn(Brush(9.0).begin(on(BARE, image=image, values=(-1.0, 1.0))), (-20.0, 0.0), (20.0, 0.0))
    parts = shapely.get_parts(stroke.draft[10])
    holes = [shapely.Polygon(hole).area for part in parts for hole in part.interiors]
    assert min(part.area for part in parts) >= 1.0
    assert min(holes) >= 1.0


def test_a_range_of_values_needs_an_image():
    with pytest.raises(InputError, match="needs an image"):
        on(BARE, values=(0.0, 1.0))


def test_confined_lets_only_the_allowed_part_of_a_change_through():
    half = stack(GRID, lambda w: [rectangle(0, -50, 50, 50)], "half")
    ground = Ground(Target.on(case_of(SQUARE, half), SQUARE, axial(), within=[half]))
    before = shapely.box(-20, -20, 20, 20)
    assert ground.confined(10, before, shapely.box(-30, -20, 30, 20)).equals(shapely.box(-20, -20, 30, 20))
    assert ground.confined(10, before, shapely.box(-10, -20, 10, 20)).equals(shapely.box(-20, -20, 10, 20))
    assert ground.confined(10, before, None).area == pytest.approx(800)


def test_settled_drops_specks_and_pinholes_only():
    big, speck = shapely.box(0, 0, 10, 10), shapely.box(20, 0, 20.05, 0.05)
    pinhole = shapely.Polygon(big.exterior, [shapely.box(5, 5, 5.05, 5.05).exterior.coords])
    hole = shapely.Polygon(big.exterior, [shapely.box(5, 5, 6, 6).exterior.coords])
    assert settled(shapely.multipolygons([big, speck])).area == pytest.approx(100)
    assert settled(pinhole).area == pytest.approx(100)
    assert settled(hole).equals(hole)
    assert settled(speck) is None
    assert settled(shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])).is_valid


def test_painting_nothing_changes_nothing():
    assert painted(SQUARE, {10: shapely.box(-5, -5, 5, 5)}, erase=False) == {}
    assert painted(SQUARE, {10: shapely.box(30, 30, 40, 40)}, erase=True) == {}
    assert painted(SQUARE, {10: shapely.box(-50, -50, 50, 50)}, erase=True) == {10: None}
    assert painted(BARE, {3: shapely.box(0, 0, 1, 1)}, erase=True) == {}


def test_hovering_alone_changes_nothing():
    stroke = Brush(5.0).begin(on(BALL))
    stroke.hover(Pen((3.0, 4.0)))
    assert not stroke.draft
    assert not stroke.finished
    (cursor,) = stroke.guides
    np.testing.assert_allclose(np.hypot(*(cursor.points_mm - (3.0, 4.0)).T), 5.0)


@pytest.mark.parametrize("place", [(np.inf, 0.0), (0.0, -np.inf), (np.nan, 0.0), (0.0, np.nan), (1e300, 1.0)])
def test_a_hand_at_no_place_is_refused(place):
    with pytest.raises(InputError, match="at no place of the picture"):
        Pen(place)
