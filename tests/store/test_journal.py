"""What was edited comes back: state, history, and what can be undone and redone."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from drawn import delete, drawn_case, rename, same_contents, stroke
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, box

from reviewer.case import Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.formula.derivations import Derivations, derive
from reviewer.geometry.grid import Grid
from reviewer.session import Session
from reviewer.store import Workspace
from reviewer.store.codec import STRUCTURE, STRUCTURE_SET
from reviewer.store.followed import difference, fingerprint


def kept(path: Path) -> tuple[Session, Workspace]:
    workspace = Workspace.new(lambda: path, (), {"patient": "Doe"})
    session = Session(drawn_case())
    session.keep(workspace)
    return session, workspace


def reopened(path: Path) -> tuple[Session, Workspace]:
    workspace = Workspace.open(path, hold=True)
    found = workspace.replay(drawn_case())
    assert found.stopped == ""
    session = Session()
    session.open(found.case, found.history, workspace)
    return session, workspace


def new_structure(session: Session, number: int) -> Edit:
    grid = session.case.structures[0].grid if session.case.structures else session.case.images[0].grid
    other = Grid(grid.axes, (0.1, 0.2), (1.1, 0.7), (70, 50), np.cumsum([1.1, 2.2, 3.3]), "frame", 0.3)
    if number % 2:
        grid = other
    made = Structure(
        f"set#new{number}", f"New {number}", grid, {1: box(1, 1, 9 + 1 / 3, 9)}, "CTV", (1, 2, 3), None, number
    )
    return Edit(f"New structure {number}", (Swap("set", None, made, number % 2),))


def new_set(number: int) -> Edit:
    group = StructureSet(f"added{number}", f"Set {number}", (), "image", "frame", "2026-01-02", "", "", ("1.2", "1.3"))
    grid = drawn_case().images[0].grid
    islands = MultiPolygon([box(0, 0, 1, 1), box(5, 5, 7, 8)])
    made = Structure(f"added{number}#1", "A", grid, {0: islands}, number=1)
    return Edit(f"New set {number}", (Swap(group.id, None, made),), added=(group,))


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["stroke", "rename", "recolour", "delete", "new", "set", "clear"]), st.integers(0, 40)
        ),
        st.tuples(st.sampled_from(["undo", "redo"]), st.just(0)),
        st.tuples(st.just("jump"), st.integers(0, 40)),
    ),
    max_size=25,
)


def carry_out(session: Session, what: str, number: int) -> None:
    case, history = session.case, session.history
    there = len(case.structure_sets[0].structures)
    if what == "undo":
        session.undo()
    elif what == "redo":
        session.redo()
    elif what == "jump":
        session.go_to(number % (len(history.entries) + 1))
    elif what == "new" and case.structure(f"set#new{number}") is None:
        session.apply(new_structure(session, number))
    elif what == "set" and case.structure_set(f"added{number}") is None:
        session.apply(new_set(number))
    elif there:
        index = number % there
        before = case.structures[index]
        if what == "stroke" and len(before.grid.positions_mm) == 12:
            case = replace(case, structure_sets=(replace(case.structure_sets[0], structures=(before,)),))
            swaps = stroke(case, number).swaps
            session.apply(Edit(f"Stroke {number}", swaps))
        elif what == "rename":
            session.apply(rename(case, index, f"N{number}"))
        elif what == "recolour":
            session.apply(Edit.of("Recolour", case, before, replace(before, colour=(number, 7, 9), locked=False)))
        elif what == "delete":
            session.apply(delete(case, index))
        elif what == "clear":
            session.apply(Edit.of("Clear", case, before, replace(before, planes={})))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, STEPS)
def test_replay_is_the_state_in_memory_and_goes_on_being_so(first, second):
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # no disk to wait for
        path = Path(folder) / "x.reviewer"
        session, workspace = kept(path)
        session.apply(stroke(session.case, 1))
        for step in first:
            carry_out(session, *step)
        workspace.close()
        again, workspace = reopened(path)
        same_contents(session.case, again.case)
        assert again.history.entries == session.history.entries
        assert again.history.position == session.history.position
        for step in second:
            carry_out(session, *step)
            carry_out(again, *step)
        same_contents(session.case, again.case)
        workspace.close()
        for position in (0, len(session.history.entries)):
            third, workspace = reopened(path)
            same_contents(again.case, third.case)
            third.go_to(position)
            session.go_to(position)
            same_contents(session.case, third.case)
            workspace.close()
            again = third


def test_every_attribute_of_a_structure_and_of_a_set_is_kept():
    assert {f.name for f in fields(Structure)} == {*STRUCTURE, "id", "grid", "planes"}
    assert {f.name for f in fields(StructureSet)} == {*STRUCTURE_SET, "id", "structures"}


def test_untouched_structures_are_those_of_the_files(tmp_path):
    session, workspace = kept(tmp_path / "x.reviewer")
    session.apply(stroke(session.case, 4))
    workspace.close()
    case = drawn_case()
    workspace = Workspace.open(tmp_path / "x.reviewer", hold=True)
    found = workspace.replay(case)
    assert found.case.structures[1] is case.structures[1]
    kept_planes = found.case.structures[0].planes
    assert all(kept_planes[k] is region for k, region in case.structures[0].planes.items() if k != 4)
    assert found.case.structures[0].grid is case.structures[0].grid
    workspace.close()


def test_an_edit_is_told_by_the_planes_that_changed(tmp_path):
    session, workspace = kept(tmp_path / "x.reviewer")
    session.apply(stroke(session.case, 1))
    session.apply(stroke(session.case, 2))
    assert len(workspace.entries[1].shapes) == 4 + len(session.case.structures[0].planes[2].wkb)
    assert len(workspace.entries[1].body) < 200
    workspace.close()


def test_what_follows_a_formula_is_evaluated_again_and_compared(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    derivations = Derivations()
    session.follow(derivations)
    group = session.case.structure_sets[0]
    derived = derive(session.case, group, "PTV", "Stomach + 4 mm", "PTV")
    derivations.adopt(group, derived)
    session.apply(Edit("Derive", (Swap("set", None, derived.structure),)))
    size = len(workspace.entries[-1].shapes)
    for n in range(3, 7):
        session.apply(stroke(session.case, n))
    session.undo()
    assert len(workspace.entries[-2].shapes) < size / 2  # the PTV is not in it
    ptv = session.case.structures[-1]
    workspace.close()

    workspace = Workspace.open(path, hold=True)
    found = workspace.replay(drawn_case())
    assert found.history.formulas
    stale = found.case.structures[-1]
    assert difference(fingerprint(stale), found.followed[ptv.id]) != ""
    swaps = Derivations().follow(found.case, [Swap("set", s, s) for s in found.case.structures if s.live])
    fresh = swaps[-1].after
    assert difference(fingerprint(fresh), found.followed[ptv.id]) == ""
    assert fresh.planes.keys() == ptv.planes.keys()
    for k, region in ptv.planes.items():
        assert region.symmetric_difference(fresh.planes[k]).area < 1e-6 * region.area
    workspace.close()


def test_a_frozen_structure_keeps_the_contours_that_it_had(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    session.follow(Derivations())
    derived = derive(session.case, session.case.structure_sets[0], "PTV", "Stomach + 4 mm", "PTV").structure
    session.apply(Edit("Derive", (Swap("set", None, derived),)))
    session.apply(stroke(session.case, 4))
    live = session.case.structures[-1]
    session.apply(Edit.of("Freeze", session.case, live, replace(live, frozen=True)))
    session.apply(stroke(session.case, 5))
    workspace.close()
    again, workspace = reopened(path)
    same_contents(session.case, again.case)
    assert again.case.structures[-1].planes[4].wkb == live.planes[4].wkb
    workspace.close()


def test_the_edit_is_in_the_file_before_anybody_hears_of_it(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    seen = []
    session.changed.connect(lambda _: seen.append(len(Workspace.open(path, hold=False).entries)), check_nargs=False)
    session.apply(stroke(session.case, 1))
    assert seen
    assert set(seen) == {1}
    workspace.close()


def test_a_formula_that_comes_out_differently_is_noticed():
    a = drawn_case().structures[0]
    shifted = replace(a, planes={k: box(10.1, 10, 40.1, 40).difference(box(20.1, 20, 25.1, 25)) for k in a.planes})
    assert "0.10 mm" in difference(fingerprint(shifted), fingerprint(a))
    thinner = replace(a, planes={k: r for k, r in a.planes.items() if k > 3})
    assert "6 slices" in difference(fingerprint(thinner), fingerprint(a))
    assert difference(fingerprint(a), fingerprint(replace(a))) == ""


@pytest.mark.parametrize("field", ["planes", "colour"])
def test_a_source_that_changed_does_not_change_what_was_edited(tmp_path, field):
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    session.apply(stroke(session.case, 4))
    workspace.close()
    case = drawn_case()
    other = replace(
        case.structures[0], **({"planes": {4: box(0, 0, 5, 5)}} if field == "planes" else {"colour": (0, 0, 1)})
    )
    group = case.structure_sets[0]
    case = replace(case, structure_sets=(replace(group, structures=(other, *group.structures[1:])),))
    workspace = Workspace.open(path, hold=True)
    found = workspace.replay(case)
    same_contents(found.case, session.case)
    assert any("Stomach" in sentence and "not in its file as it was" in sentence for sentence in workspace.told)
    workspace.close()


def test_a_structure_set_that_is_lost_stands_again_with_what_was_edited(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    session.apply(stroke(session.case, 4))
    workspace.close()
    workspace = Workspace.open(path, hold=True)
    found = workspace.replay(replace(drawn_case(), structure_sets=()))
    (only,) = found.case.structures
    assert only.planes[4].wkb == session.case.structures[0].planes[4].wkb
    assert any("Day" in sentence for sentence in workspace.told)
    workspace.close()
