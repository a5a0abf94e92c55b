"""Operations as they are asked for: each on the slices that it says, one edit, refused where it cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Point, box

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import catalogue
from reviewer.edit.catalogue import Clear, Copy, Crop, FillHoles, Interpolate, KeepLargest, Smooth, Where
from reviewer.edit.tools.setting import settings_of
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.scene import view_planes

GRID = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (60, 60), np.arange(0.0, 30.0, 3.0), "f")
ORGAN = Structure("set#1", "Liver", GRID, {k: Point(30, 30).buffer(10) for k in (2, 4, 6)}, "ORGAN", image_id="image")


def case_of(*structures):
    image = Image("image", "MR", "", GRID, np.zeros((10, 60, 60), np.int16))
    return Case(images=(image,), structure_sets=(StructureSet("set", "Day", structures, "image", "f"),))


def test_every_operation_says_what_it_does_and_how_its_settings_are_called():
    names = [each.name for each in catalogue.OPERATIONS]
    assert len(set(names)) == len(names)
    for each in catalogue.OPERATIONS:
        operation = each()
        assert operation.tip
        assert set(settings_of(operation)) == {f for f in operation.__dataclass_fields__ if f not in ("name", "tip")}


def test_interpolation_fills_the_gaps_with_the_same_disk():
    changes = Interpolate().changes(Where(ORGAN))
    assert sorted(changes) == [3, 5]
    assert all(r.area == pytest.approx(ORGAN.planes[4].area, rel=0.01) for r in changes.values())


def test_a_scope_is_the_slice_shown_or_all():
    rough = replace(ORGAN, planes={k: box(10, 10, 30, 30) for k in (2, 4)})
    assert sorted(Smooth(scope="this slice").changes(Where(rough, 4))) == [4]
    assert sorted(Smooth(scope="all slices").changes(Where(rough, 4))) == [2, 4]
    with pytest.raises(InputError, match="no view shows a slice"):
        Smooth(scope="this slice").changes(Where(rough))


@pytest.mark.parametrize(
    ("which", "gone"), [("this slice", [4]), ("this and above", [4, 6]), ("this and below", [2, 4]), ("all", [2, 4, 6])]
)
def test_slices_are_cleared_from_the_one_shown(which, gone):
    assert Clear(which).changes(Where(ORGAN, 4)) == dict.fromkeys(gone)


@pytest.mark.parametrize(
    ("first", "last", "gone"), [(4, 5, [4]), (5, 7, [4, 6]), (7, 5, [4, 6]), (1, 100_000, [2, 4, 6])]
)
def test_slices_are_cleared_by_their_numbers(first, last, gone):
    """Plane 4 is the fifth slice."""
    assert Clear("from … to …", first, last).changes(Where(ORGAN)) == dict.fromkeys(gone)


def test_no_slice_with_a_contour_in_the_range_is_told():
    with pytest.raises(InputError, match="nothing is drawn from slice 8 to slice 9"):
        Clear("from … to …", 8, 9).changes(Where(ORGAN))


def test_a_copy_goes_to_the_neighbour():
    assert Copy("up").changes(Where(ORGAN, 4))[5].equals(ORGAN.planes[4])
    assert sorted(Copy("down").changes(Where(ORGAN, 4))) == [3]
    with pytest.raises(InputError, match="nothing is drawn on slice 1"):
        Copy("up").changes(Where(ORGAN, 0))


def test_feet_first_slices_are_counted_as_the_view_counts_them_and_up_is_towards_the_head():
    """Axial rows to the right and columns backwards: the planes rise towards the feet, plane 4 of ten is the sixth slice from the feet."""
    feet = replace(GRID, axes=np.diag([-1.0, 1.0, -1.0]))
    organ = replace(ORGAN, grid=feet)
    here = Where(organ, 4)
    assert Clear("this and above").changes(here) == dict.fromkeys([2, 4])
    assert Clear("this and below").changes(here) == dict.fromkeys([4, 6])
    assert Clear("from … to …", 6, 7).changes(here) == {4: None}
    assert list(Copy("up").changes(here)) == [3]
    with pytest.raises(InputError, match="nothing is drawn from slice 1 to slice 3"):
        Clear("from … to …", 1, 3).changes(here)
    with pytest.raises(InputError, match="nothing is drawn on slice 10"):
        Copy("up").changes(Where(organ, 0))
    clear = Clear("this slice")
    edit = catalogue.edit_of_operation(case_of(organ), clear, here, clear.changes(here))
    assert edit.label.endswith("slice 6")


directions = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@settings(max_examples=50)
@given(directions, directions)
def test_numbers_of_slices_are_those_of_the_view(normal, across):
    w = np.array(normal) / np.linalg.norm(normal)
    u = np.cross(w, across)
    assume(np.linalg.norm(u) > 0.05)
    u /= np.linalg.norm(u)
    grid = replace(GRID, axes=np.array([u, np.cross(w, u), w]))
    along = next(p for p in view_planes(grid).values() if abs(np.dot(p.normal, grid.axes[2])) > 0.99)
    up = np.dot(along.normal, grid.axes[2]) > 0
    assert [grid.slice_number(k) for k in (0, 9)] == ([1, 10] if up else [10, 1])
    assert [grid.plane_of(grid.slice_number(k)) for k in range(10)] == list(range(10))


def test_crop_needs_a_structure_and_cuts_it_off():
    with pytest.raises(InputError, match="no structure is chosen"):
        Crop().changes(Where(ORGAN, 4))
    half = replace(ORGAN, id="set#2", planes={k: box(30, 0, 60, 60) for k in range(10)})
    outside = Crop("outside").changes(Where(ORGAN, 4, half))
    assert all(r.area == pytest.approx(ORGAN.planes[4].area / 2, rel=1e-6) for r in outside.values())


def test_the_edit_has_a_name_and_a_locked_structure_gets_none():
    case = case_of(replace(ORGAN, planes={4: box(0, 0, 30, 30) - box(10, 10, 20, 20)}))
    where = Where(case.structures[0], 4)
    operation = FillHoles()
    edit = catalogue.edit_of_operation(case, operation, where, operation.changes(where))
    assert edit.label == "Fill holes Liver, slice 5"
    assert edit.applied_to(case).structures[0].planes[4].area == pytest.approx(900)
    assert catalogue.edit_of_operation(case, operation, where, {}) is None
    locked = case_of(replace(case.structures[0], locked=True))
    with pytest.raises(InputError, match="locked"):
        catalogue.edit_of_operation(locked, operation, Where(locked.structures[0], 4), {})


def test_the_largest_part_is_kept_on_each_slice_or_through_all():
    planes = {4: box(0, 0, 10, 10) | box(30, 30, 32, 32), 5: box(30, 30, 33, 33)}
    two = replace(ORGAN, planes=planes)
    assert KeepLargest("in 3D").changes(Where(two))[5] is None
    assert sorted(KeepLargest("on each slice").changes(Where(two))) == [4]
