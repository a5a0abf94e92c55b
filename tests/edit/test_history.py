"""Edits and their history: whatever is done can be undone exactly, and what must not be done is refused in one place."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.changes import HistoryChanged, StructuresChanged
from reviewer.edit import Edit, Entry, History, Swap, merged, refusal
from reviewer.edit.history import size_of
from reviewer.errors import InputError
from reviewer.formula.derivations import Derivations, derive
from reviewer.geometry.grid import Grid
from reviewer.session import Session

GRID = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (40, 40), np.arange(0.0, 30.0, 3.0), "frame")


def structure(number: int, **fields) -> Structure:
    given_fields = {"planes": {4: box(2, 4, 6, 8)}, "image_id": "image", "number": number, **fields}
    return Structure(f"set#{number}", f"S{number}", GRID, **given_fields)


def case_of(*structures: Structure, approval: str = "") -> Case:
    image = Image("image", "MR", "", GRID, np.zeros((10, 40, 40), np.int16))
    return Case(
        images=(image,), structure_sets=(StructureSet("set", "Day", structures, "image", "frame", "", approval),)
    )


def content(case: Case) -> list:
    """The case as what it holds: the very structures, in their order."""
    return [(group.id, [*map(id, group.structures)]) for group in case.structure_sets]


def some_edit(case: Case, draw) -> Edit:
    """Any change that a person can make: add, delete, rename, draw, a set of its own, several at once."""
    kind = draw(st.sampled_from(("add", "delete", "rename", "draw", "set", "several")))
    groups = case.structure_sets
    group = draw(st.sampled_from(groups))
    taken = [*(s.number for s in case.structures), *(int(g.id.removeprefix("own")) for g in groups if g.id != "set")]
    fresh = structure(1 + max(taken, default=0) + draw(st.integers(0, 10**9)))
    if kind == "set":
        own = StructureSet(f"own{fresh.number}", "Own", (), "image", "frame")
        return Edit("New set", (Swap(own.id, None, fresh),), added=(own,))
    if kind == "add" or not group.structures:
        place = draw(st.none() | st.integers(0, len(group.structures)))
        return Edit("Add", (Swap(group.id, None, fresh, place),))
    old = draw(st.sampled_from(group.structures))
    if kind == "delete":
        return Edit("Delete", (Swap(group.id, old, None),))
    if kind == "rename":
        return Edit("Rename", (Swap(group.id, old, replace(old, name=f"{old.name}'")),))
    k, x = draw(st.integers(0, 9)), draw(st.integers(0, 30))
    drawn = replace(old, planes={**old.planes, k: box(x, x, x + 3, x + 4)})
    if kind == "draw":
        return Edit("Draw", (Swap(group.id, old, drawn),))
    return Edit("Several", (Swap(group.id, old, None), Swap(group.id, None, fresh), Swap(group.id, fresh, drawn)))


@settings(max_examples=60)
@given(st.data())
def test_every_state_comes_back_exactly_from_wherever_the_history_stands(data) -> None:
    session = Session(case_of(*(structure(n) for n in range(1, 5))))
    states = [content(session.case)]
    for _ in range(data.draw(st.integers(1, 8))):
        session.apply(some_edit(session.case, data.draw))
        states.append(content(session.case))
    for position in data.draw(st.lists(st.integers(0, len(states) - 1), max_size=6)):
        session.go_to(position)
        assert content(session.case) == states[position]
        assert session.history.position == position
    while session.history.undo_label:
        session.undo()
    assert content(session.case) == states[0]
    while session.history.redo_label:
        session.redo()
    assert content(session.case) == states[-1]


@settings(max_examples=60)
@given(st.data())
def test_an_edit_and_its_inverse_leave_nothing(data) -> None:
    case = case_of(*(structure(n) for n in range(1, 4)))
    for _ in range(4):
        edit = some_edit(case, data.draw).placed_in(case)
        after = edit.applied_to(case)
        assert content(edit.inverse.applied_to(after)) == content(case)
        case = after


@pytest.mark.parametrize(
    ("planes", "named"),
    [((36,), "slice 37"), ((4, 5, 6), "slices 5–7"), ((0, 3, 9), "3 slices from 1 to 10"), ((2, 3), "slices 3–4")],
)
def test_an_edit_of_contours_names_the_slices_that_differ(planes, named) -> None:
    before = replace(structure(1), planes={k: box(0, 0, 9, 9) for k in range(40)})
    after = replace(before, planes={**before.planes, **{k: box(0, 0, 5, 5) for k in planes}})
    for old, new in ((before, after), (after, before)):
        assert Edit.of_contours("Brush on S1", case_of(old), old, new).label == f"Brush on S1, {named}"
    emptied = replace(before, planes={k: r for k, r in before.planes.items() if k not in planes})
    assert Edit.of_contours("Clear S1", case_of(before), before, emptied).label == f"Clear S1, {named}"


def test_undo_of_a_deletion_restores_the_place_in_the_list() -> None:
    session = Session(case_of(*(structure(n) for n in range(1, 5))))
    session.apply(Edit("Delete S2", (Swap("set", session.case.structures[1], None),)))
    assert [s.name for s in session.case.structures] == ["S1", "S3", "S4"]
    session.undo()
    assert [s.name for s in session.case.structures] == ["S1", "S2", "S3", "S4"]


def test_a_case_without_contours_gets_its_first_structure_and_loses_the_set_again() -> None:
    session = Session(replace(case_of(), structure_sets=()))
    own = StructureSet("own", "Contours", (), "image", "frame")
    session.apply(Edit("New Liver", (Swap("own", None, structure(1)),), added=(own,)))
    session.look(structure_set="own")
    assert [s.name for s in session.case.structures] == ["S1"]
    session.undo()
    assert session.case.structure_sets == ()
    assert session.view.structure_set is None
    session.redo()
    assert [s.name for s in session.case.structures] == ["S1"]


def test_a_set_that_is_there_already_is_not_added_again() -> None:
    session = Session(case_of(structure(1)))
    again = StructureSet("set", "Day", ())
    with pytest.raises(InputError, match="already"):
        session.apply(Edit("New set", (), added=(again,)))
    full = replace(again, id="other", structures=(structure(2),))
    with pytest.raises(InputError, match="already"):
        session.apply(Edit("New set", (), added=(full,)))


def test_going_back_far_announces_once() -> None:
    session = Session(case_of(structure(1)))
    for n in range(6):
        old = session.case.structures[0]
        session.apply(
            Edit.of(f"Draw {n}", session.case, old, replace(old, planes={**old.planes, n: box(0, 0, n + 1, 1)}))
        )
    heard: list = []
    session.changed.connect(heard.append)
    session.go_to(1)
    assert heard == [StructuresChanged(frozenset({"set#1"}), frozenset(range(1, 6))), HistoryChanged()]
    assert [e.label for e in session.history.entries] == [f"Draw {n}" for n in range(6)]
    assert (session.history.undo_label, session.history.redo_label) == ("Draw 0", "Draw 1")


def test_derived_structures_follow_a_jump_in_the_history() -> None:
    session = Session(case_of(structure(1, planes={4: Point(20, 20).buffer(6)})))
    session.follow(Derivations())
    made = derive(session.case, session.case.structure_sets[0], "PTV", "S1 + 2 mm")
    session.apply(Edit("Make PTV", (Swap("set", None, made.structure),)))
    areas = [session.case.structures[1].planes[4].area]
    for radius in (7, 8, 9):
        old = session.case.structures[0]
        session.apply(Edit.of("Draw", session.case, old, replace(old, planes={4: Point(20, 20).buffer(radius)})))
        areas.append(session.case.structures[1].planes[4].area)
    assert areas == sorted(areas)
    assert len(set(areas)) == 4
    for position in (1, 3, 2, 4):
        session.go_to(position)
        assert session.case.structures[1].planes[4].area == pytest.approx(areas[position - 1], rel=1e-9)


def test_what_a_jump_amounts_to_names_each_structure_once() -> None:
    a, b, c = structure(1), structure(1), structure(1)
    other = structure(2)
    net = merged([Swap("set", a, b), Swap("set", None, other), Swap("set", b, c), Swap("set", other, None)])
    assert [(s.before, s.after) for s in net] == [(a, c)]


def test_names_are_kept_without_limit_and_contours_within_the_limit() -> None:
    circle = Point(10, 10).buffer(5, quad_segs=256)
    states = [structure(1, planes={4: circle.buffer(n)}) for n in range(40)]
    edits = [Edit(f"Draw {n}", (Swap("set", a, b),)) for n, (a, b) in enumerate(pairwise(states))]
    history = History(limit_bytes=10 * size_of(edits[0]))
    for edit in edits:
        history.record(edit)
    assert [e.label for e in history.entries] == [f"Draw {n}" for n in range(39)]
    kept = [e.label for e in history.entries if e.undoable]
    assert 5 <= len(kept) <= 10
    assert kept[-1] == "Draw 38"
    assert history.floor == 39 - len(kept)
    assert len(history.steps_to(history.floor)) == len(kept)
    with pytest.raises(InputError, match="does not go back"):
        history.steps_to(history.floor - 1)
    history.move_to(history.floor)
    assert history.undo_label is None


def test_the_newest_edit_can_be_undone_however_large_it_is() -> None:
    history = History(limit_bytes=1)
    for n in range(3):
        history.record(Edit(f"{n}", (Swap("set", structure(1), structure(1)),)))
        assert history.undo_label == f"{n}"
    assert history.entries == (Entry("0", False), Entry("1", False), Entry("2", True))


def test_a_new_edit_forgets_what_was_undone() -> None:
    session = Session(case_of(structure(1)))
    for name in ("A", "B", "C"):
        old = session.case.structures[0]
        session.apply(Edit.of(name, session.case, old, replace(old, name=name)))
    session.go_to(1)
    old = session.case.structures[0]
    session.apply(Edit.of("D", session.case, old, replace(old, name="D")))
    assert [e.label for e in session.history.entries] == ["A", "D"]
    with pytest.raises(InputError, match="no edit 3"):
        session.go_to(3)


# -- refusals -------------------------------------------------------------------------------------------------------------


def test_a_locked_structure_can_only_be_unlocked() -> None:
    session = Session(case_of(structure(1, locked=True)))
    before = session.case.structures[0]
    assert refusal(session.case, before) == "S1 is locked: unlock it first"
    changed = [replace(before, locked=False, planes={}), replace(before, colour=(1, 2, 3)), None]
    for after in changed:
        with pytest.raises(InputError, match="S1 is locked"):
            session.apply(Edit("Change", (Swap("set", before, after),)))
    session.apply(Edit.of("Unlock S1", session.case, before, replace(before, locked=False)))
    assert refusal(session.case, session.case.structures[0]) == ""
    session.undo()
    assert session.case.structures[0] is before


def test_an_approved_set_takes_no_edit_at_all() -> None:
    session = Session(case_of(structure(1), approval="APPROVED"))
    before = session.case.structures[0]
    assert "the structure set Day is approved" in refusal(session.case, before)
    for swap in (Swap("set", before, replace(before, name="Liver")), Swap("set", None, structure(2))):
        with pytest.raises(InputError, match="make a copy of it"):
            session.apply(Edit("Change", (swap,)))
    assert session.history.entries == ()


def test_what_follows_a_formula_asks_to_be_frozen_and_what_lies_nowhere_for_its_image() -> None:
    case = case_of(structure(1, formula="S2 + 5 mm"), structure(2, planes={}, image_id=None))
    follows, nowhere = case.structures
    assert refusal(case, follows) == "S1 follows its formula (S2 + 5 mm): freeze it to draw on it"
    assert refusal(case, replace(follows, frozen=True)) == ""
    assert "no slices to be drawn on" in refusal(case, nowhere)
    assert refusal(case, replace(nowhere, image_id="image")) == ""
