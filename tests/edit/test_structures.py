"""What structures there are and what they are called."""

from dataclasses import replace

import numpy as np
import pytest
from shapely import Point, box

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.edit.structures import add_structures, copy_set, duplicate, free_name, name_refusal
from reviewer.errors import InputError
from reviewer.formula.derivations import Derivations, derive
from reviewer.formula.naming import rename
from reviewer.geometry.grid import Grid
from reviewer.names import Standard
from reviewer.session import Session

GRID = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (40, 40), np.arange(0.0, 30.0, 3.0), "frame")
LIVER = Standard("Liver", "ORGAN", (1, 2, 3), "Liver")
IMAGE = Image("image", "MR", "", GRID, np.zeros((10, 40, 40), np.int16))


def case_of(*structures: Structure, **fields) -> Case:
    group = StructureSet("set", "Day", structures, "image", "frame", **fields)
    return Case(images=(IMAGE,), structure_sets=(group,))


def structure(number: int, name: str, **fields) -> Structure:
    given_fields = {"planes": {4: Point(20, 20).buffer(6)}, "image_id": "image", "number": number, **fields}
    return Structure(f"set#{number}", name, GRID, **given_fields)


def test_a_new_structure_lies_on_the_slices_of_its_set() -> None:
    other = Image("other", "CT", "", replace(GRID, size_uv=(20, 20)), np.zeros((10, 20, 20), np.int16))
    case = replace(case_of(structure(3, "GTV")), images=(other, IMAGE))
    after = add_structures(case, case.structure_sets[0], other, (LIVER,)).applied_to(case)
    made = after.structures[-1]
    assert (made.name, made.type, made.colour, made.number, made.id) == ("Liver", "ORGAN", (1, 2, 3), 4, "set#4")
    assert made.grid is GRID
    assert made.image_id == "image"
    assert made.empty


def test_without_a_set_there_comes_one_and_without_an_image_a_sentence() -> None:
    case = Case(images=(IMAGE,))
    after = add_structures(case, None, IMAGE, (LIVER,)).applied_to(case)
    (group,) = after.structure_sets
    assert (group.image_id, group.frame_of_reference_uid) == ("image", "frame")
    assert group.id.startswith("2.25.")
    assert len(group.id) <= 64
    assert group.structures[0].id == f"{group.id}#1"
    with pytest.raises(InputError, match="no image to draw on"):
        add_structures(Case(), None, None, (LIVER,))


def test_several_at_once_are_one_step_and_no_name_is_given_twice() -> None:
    session = Session(Case(images=(IMAGE,)))
    wanted = (LIVER, replace(LIVER, name="Stomach"))
    session.apply(add_structures(session.case, None, IMAGE, wanted))
    assert [(s.name, s.number) for s in session.case.structures] == [("Liver", 1), ("Stomach", 2)]
    session.undo()
    assert session.case.structure_sets == ()
    with pytest.raises(InputError, match="already"):
        add_structures(session.case, None, IMAGE, (LIVER, LIVER))


def test_a_duplicate_stands_after_its_original_and_follows_nothing() -> None:
    session = Session(case_of(structure(1, "GTV"), structure(2, "PTV", formula="GTV", locked=True), structure(3, "S")))
    ptv = session.case.structures[1]
    session.apply(duplicate(session.case, ptv))
    assert [s.name for s in session.case.structures] == ["GTV", "PTV", "PTV_2", "S"]
    copy = session.case.structures[2]
    assert copy.same_shape(ptv)
    assert (copy.formula, copy.locked, copy.number) == (None, False, 4)
    assert copy.colour != ptv.colour


def test_names_and_numbers_of_duplicates_fit_into_a_file() -> None:
    """64 characters, and 2147483647 as the last number."""
    session = Session(case_of(structure(2147483647, "N" * 64), structure(1, "S")))
    for _ in range(10):
        session.apply(duplicate(session.case, session.case.structures[0]))
    names = [s.name for s in session.case.structures]
    assert len(set(names)) == 12
    assert {len(name) for name in names} == {64, 1}
    assert "N" * 61 + "_11" in names
    assert sorted(s.number for s in session.case.structures) == [*range(1, 12), 2147483647]


def test_a_copy_of_an_approved_set_can_be_edited_and_the_set_stays() -> None:
    session = Session(case_of(structure(1, "GTV", locked=True), approval="APPROVED", path="/x.dcm"))
    before = session.case.structure_sets[0]
    session.apply(copy_set(session.case, before))
    kept, copy = session.case.structure_sets
    assert kept is before
    assert (copy.label, copy.approval, copy.path) == ("Day copy", "", "")
    assert copy.structures[0].id != before.structures[0].id
    session.apply(rename(session.case, copy.structures[0], "GTVp1"))
    session.go_to(0)
    assert session.case.structure_sets == (before,)


def test_a_new_name_is_taken_up_by_the_formulas_that_mention_the_structure() -> None:
    session = Session(case_of(structure(1, "GTV")))
    session.follow(Derivations())
    group = session.case.structure_sets[0]
    made = derive(session.case, group, "PTV", "GTV + 2 mm")
    session.apply(Edit("Make PTV", (Swap("set", None, made.structure),)))
    session.apply(rename(session.case, session.case.structures[0], "GTV liver"))
    gtv, ptv = session.case.structures
    assert (gtv.name, ptv.formula) == ("GTV liver", '"GTV liver" + 2 mm')
    assert ptv.planes[4].area == pytest.approx(made.structure.planes[4].area)
    session.undo()
    assert session.case.structures[1].formula == "GTV + 2 mm"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "needs a name"),
        ("GTV", "already"),
        ("gtv ", "structure GTV already"),
        ("x" * 65, "64 characters"),
        ("a\\b", "backslash"),
        ("a\nb", "control"),
    ],
)
def test_names_that_cannot_be_taken(name: str, why: str) -> None:
    case = case_of(structure(1, "GTV"), structure(2, "S", planes={4: box(0, 0, 1, 1)}))
    group = case.structure_sets[0]
    assert why in name_refusal(group, name)
    with pytest.raises(InputError, match=why):
        add_structures(case, group, IMAGE, (Standard(name, "", (0, 0, 0), ""),))
    with pytest.raises(InputError, match=why):
        rename(case, case.structures[1], name)
    assert name_refusal(group, "gtv", case.structures[0]) == ""
    assert free_name("Gtv", {"GTV", "gtv_2"}) == "Gtv_3"
