"""`GoalWork`: goal sheets put to the plans that are set side by side, worked out beside the window and kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shiboken6
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from reviewer.case import Case, Dose, Structure
from reviewer.changes import CaseOpened, Change
from reviewer.columns import Column, Prescribed, day_plans, prescribed
from reviewer.dosimetry.cache import DvhCache
from reviewer.scene import View
from reviewer.session import Session, structure_set_of

from ..jobs import Job, Jobs, Progress
from ..loading import load
from ..numbers import Numbers, Want

if TYPE_CHECKING:  # importing them for good would load numba
    from reviewer.dosimetry.bands import Bands
    from reviewer.dosimetry.plans import Comparison, Decision, Row
    from reviewer.dosimetry.sheets import Sheet, Sheets


STOPPED = "✗ stopped: choose the sheet again"


@dataclass(frozen=True, eq=False)
class Question:
    """A sheet put to columns of a case. prescribed, assigned: as in the view."""

    case: Case
    sheet: Sheet
    columns: tuple[Column, ...]
    prescribed: Mapping[str, Prescribed]
    assigned: Mapping[str, str]

    @property
    def basis(self) -> Hashable:
        """All that the answer depends on but the contours, told by identity: to be compared with that of a question that lives."""
        case = self.case
        judged = (case.plans, case.registrations, self.sheet, self.prescribed, self.assigned)
        return self.columns, tuple(map(id, (*judged, *(case.dose(c.dose) for c in self.columns))))

    @property
    def key(self) -> Hashable:
        """The contours, too. Whether they are signed makes no difference."""
        sets = (self.case.structure_set(c.structure_set) for c in self.columns)
        return self.basis, tuple(tuple(map(id, group.structures if group else ())) for group in sets)

    def holds(self, row: Row, case: Case) -> bool:
        """Whether contours of `case` make of a row of the answer what those that were asked about made."""

        def unmoved(structure: Structure | None) -> bool:
            now = case.structure(structure.id) if structure is not None else None
            if structure is None or now is None:
                return False
            return (now.name, now.type) == (structure.name, structure.type) and now.same_shape(structure)

        return not row.goal.metric.needs_isodoses and all(r is not None and unmoved(r.structure) for r in row.results)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a sheet makes of the columns. decision: where they are the plans of a day, with the baseline first."""

    question: Question
    comparison: Comparison
    decision: Decision | None

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.question.columns

    @property
    def sheet(self) -> Sheet:
        return self.question.sheet


class GoalWork(QObject):
    """Nothing is worked out unless somebody who is seen asked to `watch`. arrived: sheets, an outcome, or a reason why there is none.
    waiting: the last outcome does not hold; `state` tells whether another comes.
    """

    arrived = Signal()
    waiting = Signal()

    def __init__(self, session: Session, jobs: Jobs, numbers: Numbers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._numbers = session, jobs, numbers
        self._watchers: list[QWidget] = []
        self._reading: Job | None = None
        self.sheets: Sheets | None = None
        self.bands: tuple[Bands, ...] = ()
        self.outcome: Outcome | None = None
        self.failure = ""
        session.changed.connect(self._hear)
        numbers.follow(self._wanted)
        numbers.told.connect(self._told)

    @property
    def state(self) -> str:
        """Why there is no outcome that holds, in a few words; empty where there is one."""
        if self.fresh:
            return ""
        if self.failure:
            return f"✗ not evaluated: {self.failure}"
        if any(job.key == "open" for job in self._jobs.running):
            return "waiting for the case …"
        if self._read_now or (self.sheets is not None and self._question() is not None and not self._numbers.complete):
            return "evaluating …"
        if self.sheets is not None and not self.columns():
            return "no dose"
        if self.sheets is not None and self.sheet() is None:
            return "no goal sheet"
        return STOPPED

    @property
    def _read_now(self) -> bool:
        return self._reading is not None and not self._reading.progress.cancelled()

    @property
    def fresh(self) -> bool:
        """Whether the outcome answers what is asked now."""
        asked = self._question()
        return self.outcome is not None and asked is not None and self.outcome.question.key == asked.key

    def holding(self) -> Callable[[Row], bool]:
        """Which rows of the outcome answer what is asked now."""
        asked, outcome = self._question(), self.outcome
        if outcome is None or asked is None or outcome.question.basis != asked.basis:
            return lambda row: False
        if outcome.question.key == asked.key:
            return lambda row: True
        return lambda row: outcome.question.holds(row, asked.case)

    def read_sheets(self) -> None:
        """Anew, since the user's folder may hold others now; then `ask`."""

        def work(_: Progress) -> tuple[Any, Any]:
            return load("reviewer.dosimetry.sheets").all_sheets(), load("reviewer.dosimetry.bands").all_bands()

        def done(found: tuple[Sheets, tuple[Bands, ...]]) -> None:
            self._reading = None
            self.sheets, self.bands = found
            self._numbers.ask()
            self.arrived.emit()

        def failed(error: Exception) -> None:
            self._reading = None
            self._failed(error)

        self._reading = self._jobs.run("Reading goal sheets", work, done, failed, key=f"sheets {id(self)}")

    def columns(self) -> tuple[Column, ...]:
        """Those that are wished for, as far as they exist; else the dose that is shown on the structures that are shown."""
        case, view = self._session.case, self._session.view
        there = tuple(
            c for c in view.columns if case.dose(c.dose) is not None and case.structure_set(c.structure_set) is not None
        )
        if there:
            return there
        dose = case.dose(view.dose)
        group = case.structure_set(view.structure_set) or (structure_set_of(case, dose) if dose else None)
        return (Column(dose.id, group.id),) if dose is not None and group is not None else ()

    def sheet(self) -> Sheet | None:
        """The chosen one, else one for the number of fractions of the first column, else the first."""
        if self.sheets is None or not self.sheets.sheets:
            return None
        known = {sheet.id: sheet for sheet in self.sheets.sheets}
        chosen = known.get(self._session.view.sheet or "")
        columns = self.columns()
        number = _fractions(self._session.case, self._session.view, columns[0]) if columns else None
        fitting = [s for s in known.values() if number is not None and s.fractions == number and not s.own]
        return chosen or max(fitting, key=lambda s: len(s.goals), default=next(iter(known.values())))

    def watch(self, watcher: QWidget) -> None:
        """Keep up to date while this is visible; it asks when it comes into sight."""
        self._watchers.append(watcher)

    def ask(self) -> None:
        """Work out what is wished for now. The last outcome stays until the new one is there."""
        if self.sheets is not None:
            self._numbers.ask()
        elif not self._read_now:
            self.read_sheets()

    @property
    def _seen(self) -> bool:
        self._watchers = [w for w in self._watchers if shiboken6.isValid(w)]
        return any(w.isVisible() for w in self._watchers)

    def _question(self) -> Question | None:
        sheet, columns, view = self.sheet(), self.columns(), self._session.view
        if sheet is None or not columns:
            return None
        return Question(self._session.case, sheet, columns, view.prescribed, view.assigned)

    def _wanted(self, case: Case) -> Iterator[Want]:
        if self.sheets is None or self.fresh or not self._seen or case is not self._session.case:
            return
        question, self.failure = self._question(), ""
        if question is None:
            self.outcome = None
            self.arrived.emit()
            return
        cache = self._numbers.curves
        yield Want(
            ("goals", question.key),
            "Goals",
            lambda progress: _answer(question, cache, progress),
            self._done,
            self._failed,
            last=True,
        )

    def find_spot(self, structure: Structure, dose: Dose, lowest: bool) -> None:
        """Put the crosshair on the highest or lowest dose of a structure."""
        case, view = self._session.case, self._session.view

        def work(_: Progress) -> tuple[float, float, float] | None:
            base = case.image(view.base)
            if base is None:
                return None
            frame = dose.grid.frame_of_reference_uid
            to_dose = case.transform(structure.grid.frame_of_reference_uid, frame)
            spot = load("reviewer.dosimetry.hot_spot").hot_spot(structure, dose, to_dose, lowest=lowest)
            if spot is None:
                return None
            x, y, z = (float(c) for c in (case.transform(frame, base.grid.frame_of_reference_uid) @ [*spot, 1.0])[:3])
            return x, y, z

        def done(point: tuple[float, float, float] | None) -> None:
            if point is not None:
                self._session.look(point_mm=point)

        self._jobs.run(f"Looking for the spot in {structure.name}", work, done, key=f"spot {id(self)}")

    def _told(self) -> None:
        if not self.fresh and self._seen:
            self.waiting.emit()

    def _done(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.arrived.emit()

    def _failed(self, error: Exception) -> None:
        self.outcome, self.failure = None, str(error)
        self.arrived.emit()

    def _hear(self, change: Change) -> None:
        if isinstance(change, CaseOpened):
            self.outcome, self.failure = None, ""


def _answer(question: Question, cache: DvhCache, progress: Progress) -> Outcome:
    goals, plans = load("reviewer.dosimetry.goals"), load("reviewer.dosimetry.plans")
    case = question.case

    def evaluated(column: Column) -> Any:
        dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
        typed = question.prescribed.get(column.dose, Prescribed())
        delivery = goals.Delivery.of(case, dose, group, typed.gy, typed.fractions)
        return goals.evaluate(question.sheet, delivery, cache, question.assigned, progress.cancelled)

    evaluations = [evaluated(column) for column in question.columns]
    day = day_plans(case)
    decision = None
    if day is not None and question.columns[:2] == day.columns:
        before = evaluated(day.planned) if day.planned else None
        decision = plans.decide(*evaluations[:2], before)
    return Outcome(question, plans.compare(evaluations), decision)


def _fractions(case: Case, view: View, column: Column) -> int | None:
    dose = case.dose(column.dose)
    return prescribed(case, dose, view.prescribed).fractions if dose is not None else None
