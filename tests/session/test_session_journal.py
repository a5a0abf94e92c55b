"""The journal of a session hears of everything that is done, before anybody else, and can refuse nothing but nonsense."""

import pytest
from drawn import drawn_case, stroke

from reviewer.changes import JournalChanged, StructuresChanged
from reviewer.session import Session


class Notes:
    """A journal that remembers the calls."""

    def __init__(self, refuse: bool = False):
        self.calls, self.refuse = [], refuse

    def applied(self, edit, case, swaps):
        if self.refuse:
            raise ValueError("nonsense")
        self.calls.append(("applied", edit.label, case, [(s.before, s.after) for s in swaps]))

    def moved(self, position, label, swaps):
        self.calls.append(("moved", position, label, [(s.before, s.after) for s in swaps]))

    def stroke_begun(self, label):
        self.calls.append(("begun", label))

    def stroke_ended(self):
        self.calls.append(("ended",))


def test_edits_undo_redo_and_jumps_are_taken_down_before_they_are_announced():
    session, notes, heard = Session(drawn_case()), Notes(), []
    session.keep(notes)
    session.changed.connect(lambda change: heard.append((type(change), len(notes.calls))), check_nargs=False)
    before = session.case
    edit = stroke(before, 1)
    session.apply(edit)
    assert notes.calls == [("applied", "Brush Stomach (1)", before, [(s.before, s.after) for s in edit.swaps])]
    assert (StructuresChanged, 1) in heard
    assert (JournalChanged, 1) in heard
    session.apply(stroke(session.case, 2))
    session.undo()
    session.redo()
    session.go_to(0)
    session.go_to(0)  # is nothing
    session.go_to(2)
    assert [call[:3] for call in notes.calls[2:]] == [
        ("moved", 1, "Undo Brush Stomach (2)"),
        ("moved", 2, "Redo Brush Stomach (2)"),
        ("moved", 0, "Go to edit 0 in the history"),
        ("moved", 2, "Go to edit 2 in the history"),
    ]


def test_what_the_journal_cannot_take_down_is_not_done():
    session, notes = Session(drawn_case()), Notes(refuse=True)
    session.keep(notes)
    case = session.case
    with pytest.raises(ValueError, match="nonsense"):
        session.apply(stroke(session.case, 1))
    assert session.case is case
    assert session.history.entries == ()


def test_another_case_has_another_journal():
    session, first, second = Session(drawn_case()), Notes(), Notes()
    session.keep(first)
    session.stroke_begun("a stroke")
    session.stroke_ended()
    session.open(drawn_case(), journal=second)
    session.apply(stroke(session.case, 1))
    session.open(drawn_case())
    session.stroke_begun("a stroke")
    session.apply(stroke(session.case, 1))
    assert first.calls == [("begun", "a stroke"), ("ended",)]
    assert len(second.calls) == 1
