"""What panels want to know: worked out together, told once, of exactly the shape that was asked about, and known again after an undo."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import shapely
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget
from reviewer_widgets import numbers as module
from reviewer_widgets.binding import follow
from reviewer_widgets.jobs import Jobs
from reviewer_widgets.numbers import Numbers, Want

from reviewer.case import Case, Dose, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.grid import Grid
from reviewer.session import Session


def grid(frame="F"):
    return Grid(np.eye(3), (-60.0, -60.0), (2.0, 2.0), (61, 61), (np.arange(41) - 20) * 3.0, frame)


def box(name, x, frame="F"):
    """8 x 20 x 21 mm: planes at -9 to 9 mm stand for 21 mm."""
    g = grid(frame)
    return Structure(name, name, g, {k: shapely.box(x, -10, x + 8, 10) for k in range(17, 24)})


def ramp(frame="F"):
    """0.5 Gy per mm from 0 Gy at x = -60 mm."""
    values = np.broadcast_to(np.arange(61, dtype=np.float32), (41, 61, 61)).copy()
    return Dose("D", "adapted", grid(frame), values)


class Desk:
    """Two boxes in a ramp, and how often the numbers were told."""

    def __init__(self, jobs, dose=None):
        self.jobs, self.dose = jobs, dose or ramp()
        group = StructureSet("RS", "day", (box("Duodenum", -40), box("Stomach", 10)), None, "F")
        self.session = Session(Case(structure_sets=(group,), doses=(self.dose,)))
        self.numbers = Numbers(self.session, jobs, jobs)
        self.numbers.follow(lambda case: self.numbers.volumes(case.structures))
        self.numbers.follow(lambda case: self.numbers.dvhs((s, self.dose) for s in case.structures))
        self.told = 0
        self.numbers.told.connect(self._count)

    def _count(self):
        self.told += 1

    @property
    def structures(self):
        return self.session.case.structure_sets[0].structures

    def named(self, name):
        return next(s for s in self.structures if s.name == name)

    def edit(self, name, x):
        before = self.named(name)
        after = replace(before, planes={k: shapely.box(x, -10, x + 8, 10) for k in before.planes})
        return Edit.of("Move", self.session.case, before, after)

    def move(self, name, x):
        edit = self.edit(name, x)
        self.session.apply(edit)
        return edit.swaps[0].after

    def settle(self):
        for _ in range(3):
            QTest.qWait(1)
            assert self.jobs.wait(60)
        assert self.numbers.complete


@pytest.fixture
def desk(jobs, monkeypatch):
    # A machine under load takes longer than a moment, and then more is told.
    monkeypatch.setattr(module, "PATIENCE_MS", 2000)
    made = Desk(jobs)
    made.numbers.ask()
    made.settle()
    made.told = 0
    return made


def test_what_is_wanted_becomes_known(desk):
    stomach = desk.named("Stomach")
    assert desk.numbers.volume(stomach) == pytest.approx(0.8 * 2.0 * 2.1)
    assert desk.numbers.curve(stomach, desk.dose).mean_gy == pytest.approx((10 + 4 + 60) / 2, abs=0.05)


def test_an_edit_is_told_once_with_all_its_numbers(desk):
    moved = desk.move("Duodenum", -30)
    assert desk.told == 0
    desk.settle()
    assert desk.told == 1
    assert desk.numbers.curve(moved, desk.dose).mean_gy == pytest.approx((-30 + 4 + 60) / 2, abs=0.05)
    assert desk.numbers.volume(moved) == pytest.approx(0.8 * 2.0 * 2.1)


def test_an_edit_waits_a_moment_for_its_numbers_and_no_longer(desk, qtbot):
    """What takes a moment is known when the edit returns; what takes longer is left to its thread."""
    go, ended = threading.Event(), []

    def wanting(case):
        x = min(case.structures[0].planes[20].bounds)
        work = {-30: lambda _: ended.append("short"), -20: lambda _: ended.append("long" if go.wait(60) else "late")}
        return [Want(x, "work", work[x], lambda _: None, pytest.fail)] if x in work and len(ended) < 2 else []

    numbers = Numbers(desk.session, desk.jobs, desk.jobs)
    numbers.follow(wanting)
    desk.session.apply(desk.edit("Duodenum", -30))
    qtbot.waitUntil(lambda: ended == ["short"], timeout=60_000)
    desk.session.apply(desk.edit("Duodenum", -20))  # returns, although its work waits for what comes next
    assert ended == ["short"]
    go.set()
    qtbot.waitUntil(lambda: ended == ["short", "long"], timeout=60_000)


class Sheet(QLabel):
    """Takes down what it showed when it was painted."""

    def __init__(self, name, seen, parent):
        super().__init__("", parent)
        self.name, self.seen = name, seen
        self.setMinimumSize(60, 20)

    def paintEvent(self, event):
        super().paintEvent(event)
        self.seen.append((self.name, self.text()))


def test_the_numbers_of_an_edit_are_painted_before_the_pictures(desk, qtbot, monkeypatch):
    """Those that were just worked out, and those of an undo, which are known. Mean doses by hand: 0.5 Gy/mm from -60 mm to the middle of the box."""
    monkeypatch.setattr(module, "BREATH_S", 60.0)
    seen = []
    window = QWidget()
    qtbot.addWidget(window)
    picture, number = Sheet("picture", seen, window), Sheet("number", seen, window)
    number.move(0, 30)

    def draw(changes):
        picture.setText(f"{desk.named('Duodenum').planes[20].bounds[0]:g}")

    def tell():
        number.setText(f"{desk.numbers.curve(desk.named('Duodenum'), desk.dose).mean_gy:.0f}")

    follow(picture, desk.session, draw)
    desk.numbers.told.connect(tell)
    window.show()
    qtbot.waitExposed(window)
    desk.settle()
    for change, shown in (
        (lambda: desk.move("Duodenum", -30), [("number", "17"), ("picture", "-30")]),
        (desk.session.undo, [("number", "12"), ("picture", "-40")]),
    ):
        seen.clear()
        change()
        assert seen == []
        qtbot.waitUntil(lambda: len(seen) > 1, timeout=60_000)
        assert seen == shown


def test_an_undo_finds_the_numbers_again_without_a_job(desk):
    before = desk.named("Duodenum")
    known = desk.numbers.curve(before, desk.dose)
    desk.move("Duodenum", -30)
    desk.settle()
    desk.told = 0
    desk.session.undo()
    assert desk.jobs.idle
    assert desk.numbers.curve(desk.named("Duodenum"), desk.dose) is known
    desk.settle()
    assert desk.told == 1


def test_what_was_foreseen_is_known_without_a_job_and_told_with_the_edit(desk):
    edit = desk.edit("Duodenum", -30)
    desk.numbers.foresee(edit)
    desk.settle()
    assert desk.told == 0
    desk.session.apply(edit)
    assert desk.jobs.idle
    moved = desk.named("Duodenum")
    assert desk.numbers.volume(moved) == pytest.approx(0.8 * 2.0 * 2.1)
    assert desk.numbers.curve(moved, desk.dose).mean_gy == pytest.approx((-30 + 4 + 60) / 2, abs=0.05)
    desk.settle()
    assert desk.told == 1


def test_what_was_foreseen_and_does_not_come_leaves_everything_as_it_is(desk):
    duodenum = desk.named("Duodenum")
    known = desk.numbers.curve(duodenum, desk.dose), desk.numbers.volume(duodenum)
    desk.numbers.foresee(desk.edit("Duodenum", -30))
    desk.settle()
    moved = desk.move("Duodenum", -20)
    desk.settle()
    assert desk.numbers.curve(moved, desk.dose).mean_gy == pytest.approx((-20 + 4 + 60) / 2, abs=0.05)
    desk.session.undo()
    assert (desk.numbers.curve(duodenum, desk.dose), desk.numbers.volume(duodenum)) == known


def test_an_edit_that_comes_while_it_is_foreseen_waits_for_what_is_under_way(desk, qtbot):
    """Nothing is worked out twice, and it is told when it is there."""
    go, begun, heard = threading.Event(), [], []

    def slow(_):
        begun.append(1)
        return go.wait()

    def wanting(case):
        there = min(case.structures[0].planes[20].bounds) == -30
        return [Want("slow", "slow", slow, heard.append, pytest.fail)] if there and not heard else []

    desk.numbers.follow(wanting)
    edit = desk.edit("Duodenum", -30)
    desk.numbers.foresee(edit)
    try:
        qtbot.waitUntil(lambda: bool(begun), timeout=60_000)
        assert desk.numbers.complete
        desk.session.apply(edit)
        assert not desk.numbers.complete
    finally:
        go.set()
    desk.settle()
    assert (begun, heard, desk.numbers.complete) == ([1], [True], True)
    assert desk.told >= 1


def test_a_hand_that_goes_on_gives_up_what_was_foreseen(desk, qtbot):
    asked, begun, go = [], [], threading.Event()

    def slow(progress):
        begun.append(1)
        go.wait()
        asked.append(progress.cancelled())

    desk.numbers.follow(lambda case: [Want("slow", "slow", slow, pytest.fail, pytest.fail)] if not asked else [])
    desk.numbers.foresee(desk.edit("Duodenum", -30))
    try:
        qtbot.waitUntil(lambda: bool(begun), timeout=60_000)
        desk.session.look(stroke=desk.named("Duodenum"))
    finally:
        go.set()
    desk.settle()
    assert asked == [True]
    assert desk.told == 0


def test_the_same_regions_in_another_object_are_known(desk):
    before = desk.named("Duodenum")
    again = replace(before, colour=(1, 2, 3), planes=dict(before.planes))
    assert desk.numbers.curve(again, desk.dose) is desk.numbers.curve(before, desk.dose)
    assert desk.numbers.volume(again) == desk.numbers.volume(before)
    assert desk.numbers.curve(replace(before, id="other"), desk.dose) is None
    assert desk.numbers.volume(replace(before, grid=grid())) is None


def test_only_the_latest_shape_counts(desk):
    first = desk.move("Duodenum", -30)
    second = desk.move("Duodenum", -20)
    desk.settle()
    assert desk.told == 1
    assert desk.numbers.curve(second, desk.dose).mean_gy == pytest.approx((-20 + 4 + 60) / 2, abs=0.05)
    assert not first.same_shape(second)


def test_a_dose_that_nothing_ties_is_refused(jobs):
    desk = Desk(jobs, ramp("elsewhere"))
    stomach = desk.named("Stomach")
    assert not desk.numbers.tied(stomach, desk.dose)
    with pytest.raises(NotRegisteredError):
        desk.numbers.curve(stomach, desk.dose)


def test_what_takes_long_is_told_to_be_pending_and_the_rest_is_told(desk, qtbot):
    go, heard = threading.Event(), []
    desk.numbers.follow(
        lambda _: [] if heard else [Want("slow", "slow", lambda _: go.wait(), heard.append, pytest.fail)]
    )
    moved = desk.move("Duodenum", -30)
    try:
        qtbot.waitUntil(lambda: desk.told >= 1 and desk.numbers.curve(moved, desk.dose) is not None, timeout=60_000)
        assert not desk.numbers.complete
        assert heard == []
    finally:
        go.set()
    desk.settle()
    assert heard == [True]


def test_what_fails_holds_up_nobody(desk):
    def bad(_):
        raise InputError("no such thing")

    failed, order = [], []
    tries = iter([True])
    desk.numbers.follow(lambda _: [Want("bad", "bad", bad, pytest.fail, failed.append)] if next(tries, False) else [])
    moved = desk.move("Duodenum", -30)
    desk.numbers.told.connect(lambda: order.append(len(failed)))
    desk.settle()
    assert order == [1]
    assert str(failed[0]) == "no such thing"
    assert desk.numbers.volume(moved) is not None


def test_what_comes_last_finds_all_else_done(desk):
    seen = []

    def late(_):
        moved = desk.named("Duodenum")
        curves, dose = desk.numbers.curves, desk.dose
        if seen:
            return []
        work = lambda _: curves.get(moved, dose, np.eye(4)) is not None  # noqa: E731
        return [Want("late", "late", work, seen.append, pytest.fail, last=True)]

    desk.numbers._wanting.insert(0, late)
    desk.move("Duodenum", -30)
    desk.settle()
    assert seen == [True]


def test_what_is_under_way_is_not_begun_anew(desk, qtbot):
    go, begun, heard = threading.Event(), [], []

    def slow(_):
        begun.append(1)
        return go.wait()

    desk.numbers.follow(lambda _: [] if heard else [Want("slow", "slow", slow, heard.append, pytest.fail)])
    desk.numbers.ask()
    try:
        qtbot.waitUntil(lambda: bool(begun), timeout=60_000)
        desk.numbers.ask()
        qtbot.waitUntil(lambda: not desk.numbers._again.isActive(), timeout=60_000)
    finally:
        go.set()
    desk.settle()
    assert begun == [1]
    assert heard == [True]


def test_another_case_forgets(desk):
    stomach = desk.named("Stomach")
    desk.session.open(desk.session.case)
    assert desk.numbers.volume(stomach) is None
    desk.settle()
    assert desk.numbers.volume(stomach) is not None


@pytest.mark.usefixtures("no_survivors")
def test_nothing_is_left_behind(qapp):
    jobs = Jobs()
    desk = Desk(jobs)
    desk.numbers.ask()
    QTest.qWait(5)
    jobs.close()
    jobs.deleteLater()
