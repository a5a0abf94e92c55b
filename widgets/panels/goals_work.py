"""`GoalWork`: goal sheets put to the plans that are set side by side, worked out beside the window and kept up to date."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from reviewer.case import Case, Dose, Structure
from reviewer.changes import CaseOpened, Change
from reviewer.columns import Column, day_plans, prescribed
from reviewer.dosimetry.cache import DvhCache
from reviewer.scene import View
from reviewer.session import Session, structure_set_of

from ..jobs import Jobs, Progress
from ..loading import load

if TYPE_CHECKING:  # importing them for good would load numba
    from reviewer.dosimetry.bands import Bands
    from reviewer.dosimetry.plans import Comparison, Decision
    from reviewer.dosimetry.sheets import Sheet, Sheets


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a sheet makes of the columns. decision: where they are the plans of a day, with the baseline first."""

    case: Case
    columns: tuple[Column, ...]
    sheet: Sheet
    comparison: Comparison
    decision: Decision | None


class GoalWork(QObject):
    """arrived: sheets, an outcome, or a reason why there is none."""

    arrived = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self._cache = DvhCache()
        self._at_work = threading.Lock()
        self.sheets: Sheets | None = None
        self.bands: tuple[Bands, ...] = ()
        self.outcome: Outcome | None = None
        self.failure = ""
        session.changed.connect(self._hear)

    @property
    def running(self) -> bool:
        return any(job.key == self._key for job in self._jobs.running)

    @property
    def fresh(self) -> bool:
        """Whether the outcome is of the case as it is now."""
        return self.outcome is not None and self.outcome.case is self._session.case

    def read_sheets(self) -> None:
        """Anew, since the user's folder may hold others now; then `ask`."""

        def work(_: Progress) -> tuple[Any, Any]:
            return load("reviewer.dosimetry.sheets").all_sheets(), load("reviewer.dosimetry.bands").all_bands()

        def done(found: tuple[Sheets, tuple[Bands, ...]]) -> None:
            self.sheets, self.bands = found
            self.ask()

        self._jobs.run("Reading goal sheets", work, done, self._failed, key=f"sheets {id(self)}")

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

    def ask(self) -> None:
        """Work out what is wished for now. The last outcome stays until the new one is there."""
        sheet, columns = self.sheet(), self.columns()
        self.failure = ""
        if sheet is None or not columns:
            self._jobs.cancel(self._key)
            self.outcome = None
            self.arrived.emit()
            return
        case, view = self._session.case, self._session.view

        def work(progress: Progress) -> Outcome:
            with self._at_work:  # the one before may still be on its way out
                return self._evaluated(case, view, sheet, columns, progress)

        self._jobs.run("Goals", work, self._done, self._failed, key=self._key)

    def _evaluated(
        self, case: Case, view: View, sheet: Sheet, columns: tuple[Column, ...], progress: Progress
    ) -> Outcome:
        goals, plans = load("reviewer.dosimetry.goals"), load("reviewer.dosimetry.plans")

        def evaluated(column: Column) -> Any:
            dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
            typed = view.prescribed.get(column.dose)
            gy, fractions = (typed.gy, typed.fractions) if typed else (None, None)
            delivery = goals.Delivery.of(case, dose, group, gy, fractions)
            return goals.evaluate(sheet, delivery, self._cache, view.assigned, progress.cancelled)

        evaluations = [evaluated(column) for column in columns]
        day = day_plans(case)
        decision = None
        if day is not None and columns[:2] == day.columns:
            before = evaluated(day.planned) if day.planned else None
            decision = plans.decide(*evaluations[:2], before)
        return Outcome(case, columns, sheet, plans.compare(evaluations), decision)

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

    @property
    def _key(self) -> str:
        return f"goals {id(self)}"

    def _done(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.arrived.emit()

    def _failed(self, error: Exception) -> None:
        self.outcome, self.failure = None, str(error)
        self.arrived.emit()

    def _hear(self, change: Change) -> None:
        if isinstance(change, CaseOpened):
            self._jobs.cancel(self._key)
            self._cache, self._at_work = DvhCache(), threading.Lock()
            self.outcome = None


def _fractions(case: Case, view: View, column: Column) -> int | None:
    dose = case.dose(column.dose)
    return prescribed(case, dose, view.prescribed).fractions if dose is not None else None
