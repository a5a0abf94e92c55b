"""What was edited comes back: state, history, and what can be undone and redone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from drawn import delete, drawn_case, rename, same_contents, stroke
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, LineString, MultiPolygon, Polygon, box

from reviewer.case import Structure, StructureSet
from reviewer.edit import Edit, Swap, swapped
from reviewer.errors import GeometryError, ReviewerError
from reviewer.formula.derivations import Derivations, derive
from reviewer.geometry.grid import Grid
from reviewer.session import Session
from reviewer.store import Workspace
from reviewer.store.codec import STRUCTURE, STRUCTURE_SET, regions_of
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


@settings(max_examples=60)
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


def test_what_another_structure_or_another_formula_made_is_no_surprise(tmp_path):
    """A number that is free again goes to the next structure; a formula is changed after strokes, and changed back."""
    path = tmp_path / "x.reviewer"
    session, workspace = kept(path)
    session.follow(Derivations())

    def make(name: str, text: str) -> Structure:
        derived = derive(session.case, session.case.structure_sets[0], name, text, "PTV").structure
        session.apply(Edit("Derive", (Swap("set", None, derived),)))
        return session.case.structures[-1]

    def nothing_to_say() -> None:
        with closing(Workspace.open(path, hold=False)) as opened:
            found = opened.replay(drawn_case())
        again = evaluated(found.case)
        same_shapes(again, session.case)
        for s in found.case.structures:
            if s.live:
                assert difference(fingerprint(again.structure(s.id)), found.followed.get(s.id, fingerprint(s))) == ""

    wide = make("Wide", "Stomach + 9 mm")
    session.apply(stroke(session.case, 4))
    session.undo()
    session.undo()
    narrow = make("Narrow", "Stomach + 2 mm")
    assert narrow.id == wide.id
    nothing_to_say()
    session.apply(stroke(session.case, 5))
    before = session.case.structures[-1]
    changed = replace(before, formula="Stomach + 5 mm")
    there = swapped(session.case, [Swap("set", before, changed)])
    other = Derivations().follow(there, [Swap("set", before, changed)])[-1].after
    session.apply(Edit.of("Change the formula", session.case, before, other))
    nothing_to_say()
    session.apply(stroke(session.case, 6))
    for position in (2, 1, 3, 0, 1, 4):
        session.go_to(position)
        nothing_to_say()
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


LIVE = st.lists(
    st.tuples(
        st.sampled_from(["stroke", "recolour", "freeze", "delete", "derive", "rename", "undo", "redo", "jump"]),
        st.integers(0, 20),
    ),
    min_size=3,
    max_size=9,
)


def carry_out_live(session: Session, derivations: Derivations, what: str, number: int) -> None:
    """As a user may: what a formula forbids is refused and changes nothing."""
    ptv = next((s for s in session.case.structures if s.name.startswith("PTV")), None)
    try:
        if what == "derive" and ptv is None:
            derived = derive(session.case, session.case.structure_sets[0], "PTV", "Stomach + 3 mm", "PTV")
            derivations.adopt(session.case.structure_sets[0], derived)
            session.apply(Edit("Derive", (Swap("set", None, derived.structure),)))
        elif what == "recolour" and ptv is not None:
            session.apply(Edit.of("Recolour", session.case, ptv, replace(ptv, colour=(number, 1, 2))))
        elif what == "rename" and ptv is not None:
            session.apply(Edit.of("Rename", session.case, ptv, replace(ptv, name=f"PTV{number}")))
        elif what == "freeze" and ptv is not None:
            session.apply(Edit.of("Freeze", session.case, ptv, replace(ptv, frozen=not ptv.frozen)))
        elif what == "delete" and ptv is not None:
            session.apply(Edit("Delete", (Swap("set", ptv, None),)))
        elif what == "stroke":
            session.apply(stroke(session.case, number))
        elif what in ("undo", "redo", "jump"):
            carry_out(session, what, number)
    except ReviewerError:
        pass


def evaluated(case):
    """The structures that follow a formula as their formula makes them now."""
    live = [s for s in case.structures if s.live]
    return swapped(case, Derivations().follow(case, [Swap("set", s, s) for s in live])) if live else case


def same_shapes(a, b) -> None:
    assert [(s.id, s.name, s.colour, s.frozen) for s in a.structures] == [
        (s.id, s.name, s.colour, s.frozen) for s in b.structures
    ]
    for s, t in zip(a.structures, b.structures, strict=True):
        assert s.planes.keys() == t.planes.keys()
        for k, region in s.planes.items():
            assert region.symmetric_difference(t.planes[k]).area <= 1e-6 * region.area


@settings(max_examples=15)
@given(LIVE, LIVE)
def test_replay_with_formulas_that_follow_freeze_and_thaw(first, second):
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "x.reviewer"
        session, workspace = kept(path)
        derivations = Derivations()
        session.follow(derivations)
        carry_out_live(session, derivations, "derive", 0)
        for step in first:
            carry_out_live(session, derivations, *step)
        workspace.close()
        workspace = Workspace.open(path, hold=True)
        found = workspace.replay(drawn_case())
        assert found.stopped == ""
        assert found.remarks == ()
        same_shapes(evaluated(found.case), session.case)
        again, others = Session(), Derivations()
        again.open(evaluated(found.case), found.history, workspace)
        again.follow(others)
        for step in second:
            carry_out_live(session, derivations, *step)
            carry_out_live(again, others, *step)
        same_shapes(again.case, session.case)
        workspace.close()


def test_numbers_of_numpy_are_kept_as_numbers(tmp_path):
    session, workspace = kept(tmp_path / "x.reviewer")
    before = session.case.structures[0]
    planes = {np.int64(k): region for k, region in before.planes.items()} | {np.int32(1): box(1, 1, 5, 5)}
    colour = tuple(np.array([1, 2, 3], np.uint8))
    session.apply(
        Edit.of("Brush", session.case, before, replace(before, planes=planes, colour=colour, number=np.int64(5)))
    )
    made = replace(before, id="set#9", name="Copy", planes={np.int64(2): box(1, 1, 5, 5)})
    session.apply(Edit("New", (Swap("set", None, made, np.int64(1)),)))
    workspace.close()
    again, workspace = reopened(tmp_path / "x.reviewer")
    same_contents(again.case, session.case)
    workspace.close()


def test_what_is_no_area_does_not_spoil_what_comes_after(tmp_path):
    session, workspace = kept(tmp_path / "x.reviewer")
    before = session.case.structures[0]
    line, bow = LineString([(0, 0), (5, 5)]), Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    planes = {**before.planes, 0: Polygon(), 1: line, 2: bow, 3: GeometryCollection([line, box(0, 0, 1, 1)])}
    session.apply(Edit.of("A tool with a fault", session.case, before, replace(before, planes=planes)))
    session.apply(stroke(session.case, 5))
    workspace.close()
    again, workspace = reopened(tmp_path / "x.reviewer")
    stomach = again.case.structures[0]
    assert sorted(stomach.planes) == [2, 3, 4, 5, 6, 7, 8]
    assert stomach.planes[2].is_valid
    assert stomach.planes[2].area == pytest.approx(2 * 81 / 4)  # both wings of the bow
    assert stomach.planes[3].equals(box(0, 0, 1, 1))
    assert stomach.planes[5].equals(session.case.structures[0].planes[5])
    workspace.close()


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("coordinate", [np.nan, np.inf, 2e5])
def test_an_edit_that_cannot_be_written_down_is_refused_and_changes_nothing(tmp_path, coordinate):
    session, workspace = kept(tmp_path / "x.reviewer")
    before = session.case.structures[0]
    nowhere = Polygon([(0, 0), (coordinate, 1), (1, 0)])
    with pytest.raises(GeometryError, match="no patient's"):
        session.apply(Edit.of("Brush", session.case, before, replace(before, planes={1: nowhere})))
    assert session.case.structures[0] is before
    assert session.history.entries == ()
    assert workspace.entries == ()
    session.apply(stroke(session.case, 1))
    workspace.close()
    same_contents(reopened(tmp_path / "x.reviewer")[0].case, session.case)


def test_shapes_of_a_hostile_file_are_no_regions():
    def nested(code: int, depth: int) -> bytes:
        return (b"\x01" + bytes([code, 0, 0, 0, 1, 0, 0, 0])) * depth

    square, two = box(0, 0, 2, 2), MultiPolygon([box(0, 0, 2, 2), box(5, 0, 6, 1)])
    hostile = [nested(6, 300_000), nested(7, 300_000), nested(6, 1), b"", two.wkb[:-8], box(0, 0, 2e5, 1).wkb]
    found = regions_of([square.wkb, *hostile, two.wkb])
    assert found == [square, *[None] * len(hostile), two]
