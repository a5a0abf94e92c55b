"""Signing off: what is bound, what is locked, what makes a signature void."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

import numpy as np
import pytest
from drawn import drawn_case, rename, stroke

from reviewer.approval.content import beyond, content_of, differences
from reviewer.approval.signing import Person, approve, countersign, reopen
from reviewer.approval.trail import judging_signed, sign_offs, signed_case, standing
from reviewer.case import Dose, Part, Plan, Prescription, Recipe
from reviewer.columns import Prescribed
from reviewer.dosimetry.goals import Delivery, evaluate
from reviewer.dosimetry.made import make
from reviewer.dosimetry.sheets import read_sheet, save_sheet, user_folder
from reviewer.edit import Edit
from reviewer.edit.structures import copy_set
from reviewer.errors import InputError
from reviewer.session import Session
from reviewer.store import Workspace
from reviewer.view_state import judging

MARIE = Person("Marie Dupont", "radiation oncologist")
OTTO = Person("Otto Berg", "medical physicist")
AT = datetime(2026, 11, 21, 14, 2, tzinfo=timezone(timedelta(hours=1)))

SHEET = """
name: Trial
source: nobody
goals:
  - {structures: Stomach, metric: Mean, limit: < 36 Gy}
  - {structures: Heart, metric: Mean, limit: < 10 Gy}
"""


def planned_case():
    case = drawn_case()
    grid = case.images[0].grid
    plan = Plan("plan", "LIV", prescriptions=(Prescription("PTV", 50.0),), fractions=5)
    dose = Dose("dose", "LIV", grid, np.full(grid.shape_zyx, 20.0, np.float32), plan_id="plan", structure_set_id="set")
    return replace(case, plans=(plan,), doses=(dose,))


@pytest.fixture(autouse=True)
def own_sheets(tmp_path, monkeypatch):
    """The user's folder, with the sheet that is signed in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save_sheet(SHEET, "trial")
    return user_folder()


@pytest.fixture
def session(tmp_path):
    workspace = Workspace.new(lambda: tmp_path / "x.reviewer", (), {})
    session = Session(planned_case())
    session.keep(workspace)
    yield session
    workspace.close()


def log(session):
    return session._journal


def shown(case):
    sheet = read_sheet(SHEET, "trial.yaml", "trial")
    evaluation = evaluate(sheet, Delivery.of(case, case.doses[0], case.structure_sets[0]))
    return content_of(case, case.structure_sets[0], [evaluation], "No goal is broken.")


def sign(session, person=MARIE, verdict="approved"):
    session.sign(approve(session.case, shown(session.case), person, "May be delivered.", verdict, AT))
    return standing(sign_offs(log(session).entries), "set")


def test_what_is_signed_is_in_the_log_and_on_the_set(session):
    found = sign(session)
    assert (found.verdict, found.first.name, found.first.role) == ("approved", MARIE.name, MARIE.role)
    assert datetime.fromisoformat(found.first.at) == AT
    assert datetime.fromisoformat(found.first.at).utcoffset() is not None
    assert found.first.hash == log(session).head.hex()
    stomach, heart = found.content["goals"]
    assert stomach["plans"][0]["value"] == pytest.approx(20.0)
    assert stomach["plans"][0]["status"] == "met"
    assert heart["plans"][0]["status"] == "not-evaluated"
    group = session.case.structure_sets[0]
    assert (group.approval, group.reviewer, group.signed) == ("APPROVED", MARIE.name, True)


@pytest.mark.parametrize("verdict", ["approved", "rejected"])
def test_nothing_of_it_can_be_changed_until_it_is_opened_again(session, verdict):
    session.apply(stroke(session.case, 4))
    signed = sign(session, verdict=verdict)
    before = session.case
    for edit in (stroke(session.case, 5), rename(session.case, 0, "Other")):
        with pytest.raises(InputError, match=f"{verdict} by Marie Dupont"):
            session.apply(edit)
    with pytest.raises(InputError, match=f"{verdict} by Marie Dupont"):
        session.undo()
    assert session.case is before
    session.sign(reopen(session.case, signed, OTTO, "the stomach has moved"))
    group = session.case.structure_sets[0]
    assert (group.approval, group.reviewer, group.signed) == ("", "", False)
    session.apply(stroke(session.case, 5))
    (void,) = sign_offs(log(session).entries)
    assert void.reopened.name == OTTO.name
    assert void.reopened.statement == "the stomach has moved"
    assert standing([void], "set") is None


def test_a_copy_can_be_worked_on_and_is_not_signed(session):
    sign(session)
    session.apply(copy_set(session.case, session.case.structure_sets[0]))
    copy = session.case.structure_sets[1]
    assert (copy.approval, copy.reviewer, copy.signed) == ("", "", False)
    session.undo()
    assert len(session.case.structure_sets) == 1


def test_a_copy_that_is_signed_is_not_undone(session):
    session.apply(copy_set(session.case, session.case.structure_sets[0]))
    case = session.case
    session.sign(approve(case, content_of(case, case.structure_sets[1]), MARIE, "Good.", at=AT))
    with pytest.raises(InputError, match="approved by"):
        session.undo()


def test_the_second_signature_is_that_of_another(session):
    signed = sign(session)
    with pytest.raises(InputError, match="another person"):
        session.sign(countersign(session.case, signed, Person(" marie  DUPONT", "x"), "I agree."))
    session.sign(countersign(session.case, signed, OTTO, "I agree.", AT))
    (found,) = sign_offs(log(session).entries)
    assert found.second.name == OTTO.name
    with pytest.raises(InputError, match="already"):
        countersign(session.case, found, Person("Third", "x"), "I too.")


def test_who_cannot_sign(session):
    content = shown(session.case)
    for person, statement in (
        (Person("", "x"), "a"),
        (Person("x", " "), "a"),
        (Person("x" * 65, "x"), "a"),
        (Person("a\\b", "x"), "a"),
        (MARIE, " "),
    ):
        with pytest.raises(InputError):
            approve(session.case, content, person, statement)
    with pytest.raises(InputError, match="nothing keeps a record"):
        Session(session.case).sign(approve(session.case, content, MARIE, "a"))
    sign(session)
    with pytest.raises(InputError, match="already"):
        approve(session.case, content, OTTO, "a")


def test_what_has_changed_since_it_was_shown_is_not_signed(session):
    content = shown(session.case)
    act = approve(session.case, content, MARIE, "Good.")
    session.apply(stroke(session.case, 4))
    with pytest.raises(InputError, match="Stomach is not as it was"):
        approve(session.case, content, MARIE, "Good.")
    with pytest.raises(InputError, match="has changed since"):
        session.sign(act)


def dose_changed(case):
    gray = case.doses[0].gray.copy()
    gray[0, 0, 0] += 0.001
    return replace(case, doses=(replace(case.doses[0], gray=gray),))


def plan_changed(case):
    return replace(case, plans=(replace(case.plans[0], fractions=6),))


def structure_changed(case):
    return stroke(case, 3).applied_to(case)


def structure_deleted(case):
    group = case.structure_sets[0]
    return replace(case, structure_sets=(replace(group, structures=group.structures[1:]),))


def structure_added(case):
    group = case.structure_sets[0]
    more = replace(group.structures[0], id="set#9", name="More")
    return replace(case, structure_sets=(replace(group, structures=(*group.structures, more)),))


def set_gone(case):
    return replace(case, structure_sets=())


@pytest.mark.parametrize(
    "change", [dose_changed, plan_changed, structure_changed, structure_deleted, structure_added, set_gone]
)
def test_a_signature_does_not_hold_for_anything_else(session, change):
    found = sign(session)
    assert differences(found.content, session.case) == []
    assert len(differences(found.content, change(planned_case()))) == 1
    case, doubts = signed_case(change(planned_case()), log(session).entries)
    assert len(doubts) == 1
    assert not any(g.signed for g in case.structure_sets)


def test_colour_and_lock_are_not_signed(session):
    found = sign(session)
    case = planned_case()
    before = case.structures[0]
    edit = Edit.of("Colour", case, before, replace(before, colour=(1, 2, 3), locked=True))
    assert differences(found.content, edit.applied_to(case)) == []


def test_it_comes_back_with_the_file_and_is_void_where_the_file_was_changed(session, tmp_path):
    session.apply(stroke(session.case, 4))
    sign(session)
    log(session).close()
    path = tmp_path / "x.reviewer"
    workspace = Workspace.open(path, hold=False)
    case, doubts = signed_case(workspace.replay(planned_case()).case, workspace.entries)
    assert doubts == ()
    assert case.structure_sets[0].signed
    assert case.structure_sets[0].reviewer == MARIE.name

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entry SET body = replace(body, 'Marie Dupont', 'Otto Berg') WHERE kind = 'sign'")
    workspace = Workspace.open(path, hold=False)
    case, _ = signed_case(workspace.replay(planned_case()).case, workspace.entries)
    assert not case.structure_sets[0].signed
    assert "not as it was written" in workspace.doubts[0]


def test_what_goals_are_judged_by_is_locked_with_them(session):
    """Sheet, prescription and chosen structures, and doses that were made here, until it is opened again; all of it is in the log."""
    session.judge("Goal sheet: trial", sheet="trial")
    made = make(Recipe((Part("dose", 0.5, 5),)), session.case)
    session.put_dose(made)
    signed = sign(session)
    typed = MappingProxyType({"dose": Prescribed(45.0, 3)})
    for wish in (
        {"sheet": "smart-liver-5fx"},
        {"prescribed": typed},
        {"assigned": MappingProxyType({"Heart": "set#1"})},
    ):
        with pytest.raises(InputError, match="approved by Marie Dupont: what the goals are judged by stays"):
            session.judge("Other", **wish)
    with pytest.raises(InputError, match="approved by Marie Dupont"):
        session.take_dose(made.id)
    session.judge("The same", sheet="trial")  # changes nothing
    assert (session.view.sheet, dict(session.view.prescribed)) == ("trial", {})
    assert session.case.dose(made.id) is made
    assert differences(signed.content, session.case) == []

    session.sign(reopen(session.case, signed, OTTO, "45 Gy in 3 was meant"))
    session.judge("Prescription of LIV: 45 Gy in 3", prescribed=typed)
    session.take_dose(made.id)
    told = [(e.kind, e.label) for e in log(session).entries]
    assert told[0] == ("judging", "Goal sheet: trial")
    assert [kind for kind, _ in told] == ["judging", "dose", "sign", "reopen", "judging", "dose removed"]
    assert log(session).entries[-2].content["prescribed"] == {"dose": [45.0, 3]}


def test_a_sheet_that_was_changed_from_outside_is_told(session, own_sheets):
    """The signature stands for the values that it holds, but the goals that are shown are others."""
    sign(session)
    for change, says in (
        (lambda: save_sheet(SHEET.replace("36", "37"), "trial"), "Trial is not as it was signed"),
        (lambda: (own_sheets / "trial.yaml").unlink(), "Trial that was signed is not here"),
    ):
        change()
        case, (doubt,) = signed_case(planned_case(), log(session).entries)
        assert says in doubt
        assert case.structure_sets[0].signed


def test_a_signature_is_for_what_was_shown_and_nothing_else(session):
    content = sign(session).content
    case = session.case
    group, dose = case.structure_sets[0], case.doses[0]

    def others(text=SHEET, case=case, dose=dose, **typed):
        return beyond(content, [evaluate(read_sheet(text, "t", "trial"), Delivery.of(case, dose, group, **typed))])

    assert others() == []
    assert others(SHEET.replace("36", "37")) == ["the goals that were signed are those of Trial"]
    assert others(prescribed_gy=45.0) == ["LIV was signed with another prescription"]
    assert others(dose=replace(dose, id="new", label="NEW")) == ["NEW was not signed"]
    hotter = replace(dose, gray=dose.gray + 1)
    assert others(dose=hotter) == ["Stomach Mean[Gy] under LIV was signed with another value"]
    assert beyond(content_of(case, group), []) == ["no goals were signed"]


def test_what_was_signed_is_what_is_judged_by_when_it_is_opened(session):
    session.judge("Sheet", sheet="trial")
    content = shown(session.case)
    assert judging_signed(session.case, log(session).entries) == {}
    session.sign(approve(session.case, {**content, "judging": judging(session.view)}, MARIE, "Good.", at=AT))
    found = judging_signed(session.case, log(session).entries)
    assert found == {"sheet": "trial", "prescribed": {}, "assigned": {}}


def test_each_session_tells_its_version_once(tmp_path):
    workspace = Workspace.new(lambda: tmp_path / "y.reviewer", (), {})
    workspace.begin_session({"version": "1.2"})
    assert workspace.entries == ()
    workspace.note("x", "X", {})
    workspace.note("x", "X", {})
    workspace.close()
    assert [e.kind for e in workspace.entries] == ["session", "x", "x"]
    assert workspace.entries[0].content == {"version": "1.2"}
