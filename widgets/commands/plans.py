"""Commands on plans set side by side: which are compared, how their doses are shown against each other, doses made of doses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from reviewer.case import Case, Dose
from reviewer.columns import Column, DayPlans, day_plans, prescribed
from reviewer.dose_map import DoseMap, difference_map, gamma_map
from reviewer.errors import CancelledError
from reviewer.scene import MapKind
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command
from ..binding import Changes, follow
from ..jobs import Jobs, Progress
from ..loading import load
from ..wording import dose_title

if TYPE_CHECKING:
    from ..main_window import MainWindow

MAP_JOB = "dose map"


class PlanCommands:
    """say: shows a sentence; warn: shows one that must be read."""

    def __init__(
        self, window: MainWindow, session: Session, jobs: Jobs, say: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self._window, self._session, self._jobs = window, session, jobs
        self._say, self._warn = say, warn
        self._maps: dict[tuple[Any, ...], tuple[Dose, Dose, DoseMap]] = {}
        self._day: tuple[Case, DayPlans | None] | None = None
        follow(window, session, self._heard)

    def commands(self) -> Iterator[Command]:
        session = self._session
        yield Command(
            "plans.day",
            "Baseline on the day against adapted",
            "Plans",
            self.compare_day,
            "Ctrl+B",
            "The approved plan on the anatomy of the day beside the plan that was made for it: goals, DVH, pictures",
            refusal=self._no_day,
            checked=lambda: self._is_day,
            icon="plans",
        )
        yield Command(
            "plans.switch",
            "Show the other plan",
            "Plans",
            self.switch,
            "Y",
            "The next of the plans that are compared, in all views",
            refusal=self._no_other,
            icon="plan-switch",
        )
        yield Command(
            "plans.decision",
            "Decision…",
            "Plans",
            self._opens("decision.DecisionDialog"),
            tip="Why to adapt, and the price of each plan; the human decides",
            refusal=self._no_day,
        )
        for kind, text, key, tip in (
            ("gy", "Dose difference in Gy", "U", "The dose that is shown less the one that it is compared with"),
            ("percent", "Dose difference in %", "Ctrl+U", "In % of the reference dose"),
            (
                "gamma",
                "Gamma map",
                "Shift+U",
                "By the gamma criteria that are chosen, 3 % and 2 mm to begin with (Low 1998)",
            ),
        ):
            yield Command(
                f"dose.map.{kind}",
                text,
                "Plans",
                lambda kind=kind: self.show_map(kind),
                key,
                tip,
                refusal=lambda kind=kind: self._no_map(kind),
                checked=lambda kind=kind: session.view.wanted_map == kind,
            )
        yield Command(
            "dose.gamma",
            "Gamma criteria…",
            "Plans",
            self._opens("gamma.GammaDialog"),
            tip="Dose difference, global or local, distance, cut-off; how many points pass",
            refusal=lambda: self._no_map("gamma"),
        )
        yield Command(
            "dose.both",
            "Isodoses of both plans",
            "Plans",
            lambda: session.look(both_isodoses=not session.view.both_isodoses),
            "J",
            "Those of the plan that is shown are solid, those of the other dashed",
            refusal=self._no_other,
            checked=lambda: session.view.both_isodoses,
        )

    # -- which plans ----------------------------------------------------------------------------------------------------

    @property
    def day(self) -> DayPlans | None:
        case = self._session.case
        if self._day is None or self._day[0] is not case:
            self._day = case, day_plans(case)
        return self._day[1]

    @property
    def _is_day(self) -> bool:
        return self.day is not None and self._session.view.columns[:2] == self.day.columns

    def compare_day(self) -> None:
        """Or back to the plan that is shown alone."""
        if self._is_day:
            self._session.look(columns=(), both_isodoses=False, map=None, wanted_map=None)
        elif self.day is not None:
            self._session.look(columns=self.day.columns)
            shown = {c.dose for c in self.day.columns}
            if self._session.view.dose not in shown:
                show_column(self._session, self.day.adapted)

    def switch(self) -> None:
        columns = self._session.view.columns
        here = next((n for n, c in enumerate(columns) if c.dose == self._session.view.dose), -1)
        show_column(self._session, columns[(here + 1) % len(columns)])
        dose = self._session.case.dose(self._session.view.dose)
        if dose is not None:
            self._say(f"shown: {dose_title(dose)}")

    # -- maps -----------------------------------------------------------------------------------------------------------

    def show_map(self, kind: MapKind) -> None:
        """Or take it away; it is made when the view is heard of."""
        if self._session.view.wanted_map == kind:
            self._session.look(wanted_map=None, map=None)
        else:
            self._session.look(wanted_map=kind)

    def _make_map(self) -> None:
        """What is wanted, of the two doses that are compared now. The one before goes at once: it is of other doses."""
        case, view = self._session.case, self._session.view
        kind = view.wanted_map
        shown, other = case.dose(view.dose), case.dose(view.other_dose)
        if kind is None or shown is None or other is None:
            return
        reference = view.reference_gy if kind == "percent" else None
        key = kind, shown.id, other.id, view.gamma if kind == "gamma" else reference
        known = self._maps.get(key)
        if known is not None and known[0] is shown and known[1] is other:
            self._session.look(map=known[2])
            return
        self._session.look(map=None)

        def work(progress: Progress) -> DoseMap:
            to_other = case.transform(shown.grid.frame_of_reference_uid, other.grid.frame_of_reference_uid)
            if kind != "gamma":
                values = load("reviewer.dosimetry.accumulation").difference(shown, other, to_other)
                return difference_map(shown, other, values, reference)
            module = load("reviewer.dosimetry.gamma")

            def report(part: float) -> bool:
                progress.report(part)
                return progress.cancelled()

            found = module.gamma(shown, other, view.gamma, to_other, report)
            return gamma_map(shown, other, found.values, str(view.gamma), found.pass_percent, found.summary)

        def done(made: DoseMap) -> None:
            self._maps[key] = shown, other, made
            if self._session.view.wanted_map == kind:
                self._session.look(map=made)

        def failed(error: Exception) -> None:
            if not isinstance(error, CancelledError):
                self._session.look(wanted_map=None)
                self._warn(f"The {'gamma map' if kind == 'gamma' else 'dose difference'}: {error}")

        label = "Gamma" if kind == "gamma" else "Dose difference"
        self._jobs.run(label, work, done, failed, key=MAP_JOB)

    # -- doses made of doses --------------------------------------------------------------------------------------------

    def dose_commands(self) -> Iterator[Command]:
        yield Command(
            "dose.prescription",
            "Prescription…",
            "Dose",
            self._opens("doses.PrescriptionDialog"),
            tip="What 100 % is and in how many fractions: as in the plan, or typed in",
            refusal=self._no_dose,
        )
        yield Command(
            "dose.sum",
            "Sum of doses…",
            "Dose",
            self._opens("doses.SumDialog"),
            tip="Doses added up with weights, as physical dose or as EQD2 or BED; it can be removed again",
            refusal=self._no_dose,
        )
        yield Command(
            "dose.effect",
            "EQD2 or BED map…",
            "Dose",
            self._opens("doses.EffectDialog"),
            tip="Each voxel with its own dose per fraction; a dose of its own, which says what it is and can be removed",
            refusal=self._no_dose,
        )
        yield Command(
            "dose.remove",
            "Remove the computed dose",
            "Dose",
            self.remove_dose,
            tip="Takes away a sum or a map that was made here; doses of files stay",
            refusal=self._no_made,
        )

    def remove_dose(self) -> None:
        dose = self._session.case.dose(self._session.view.dose)
        if dose is not None:
            self._session.take_dose(dose.id)
            case, view = self._session.case, self._session.view
            shown = case.dose(view.dose)
            self._session.look(reference_gy=prescribed(case, shown, view.prescribed).gy if shown else None)
            self._say(f"removed: {dose_title(dose)}")

    # -- goals ----------------------------------------------------------------------------------------------------------

    def goal_commands(self) -> Iterator[Command]:
        session = self._session
        yield Command(
            "goals.planned",
            "The approved plan as it was planned, too",
            "Goals",
            self.show_planned,
            tip="A third column: the same plan on the anatomy that it was made for",
            refusal=self._no_planned,
            checked=lambda: self.day is not None and self.day.planned in session.view.columns,
        )
        yield Command(
            "goals.bands",
            "Published values behind the goals",
            "Goals",
            lambda: session.look(bands=not session.view.bands),
            tip="Median and range of Bordeau 2023, table 2, and Ugurluer 2021: what others had, no limits",
            checked=lambda: session.view.bands,
        )

        yield Command(
            "goals.match",
            "Match structures with goals…",
            "Goals",
            self._opens("matching.MatchingDialog"),
            tip="Choose the structure for a name of the sheet that was not found",
            refusal=lambda: self._no_dose() or self._no_goals(),
        )
        yield Command(
            "goals.edit",
            "Edit goal sheets…",
            "Goals",
            self._opens("sheets.SheetsDialog"),
            tip="Own sheets; one of the program is copied first",
            refusal=self._no_goals,
        )

    def show_planned(self) -> None:
        day, columns = self.day, self._session.view.columns
        if day is None or day.planned is None:
            return
        if day.planned in columns:
            self._session.look(columns=tuple(c for c in columns if c != day.planned))
        else:
            self._session.look(columns=(*(columns or day.columns), day.planned))

    def _opens(self, dialog: str) -> Callable[[], None]:
        """What opens a dialogue; dialog: its module among `dialogs`, and its class. It is loaded when it is wanted."""
        module, kind = dialog.split(".")
        return lambda: getattr(load(f"..dialogs.{module}", __package__), kind)(self._window).open()

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _heard(self, changes: Changes) -> None:
        if changes.opened:
            self._maps.clear()
        if not changes.view("wanted_map", "dose", "columns", "reference_gy", "gamma"):
            return
        kind = self._session.view.wanted_map
        if kind is not None and not self._no_map(kind):
            self._make_map()
        else:
            self._jobs.cancel(MAP_JOB)
            self._session.look(map=None, wanted_map=None)

    # -- why not --------------------------------------------------------------------------------------------------------

    def _no_day(self) -> str:
        if not self._session.view.base:
            return NOTHING_OPEN
        return "" if self.day else "no anatomy has both a plan that was made elsewhere and one that was made for it"

    def _no_planned(self) -> str:
        return self._no_day() or ("" if self.day and self.day.planned else "the plan's original dose is not there")

    def _no_goals(self) -> str:
        return "" if self._window.goals is not None else "the goals are still being loaded"

    def _no_dose(self) -> str:
        if not self._session.view.base:
            return NOTHING_OPEN
        return "" if self._session.view.dose else "no dose is shown"

    def _no_other(self) -> str:
        return self._no_dose() or ("" if self._session.view.other_dose else "no other plan is compared")

    def _no_map(self, kind: str) -> str:
        refused = self._no_other()
        if not refused and kind == "percent" and not self._session.view.reference_gy:
            return "no dose is set as 100 %"
        return refused

    def _no_made(self) -> str:
        dose = self._session.view.dose
        return self._no_dose() or ("" if dose and self._session.made(dose) else "this dose is of a file")


def show_column(session: Session, column: Column) -> None:
    """Its dose and its structures in the pictures; on another anatomy the image of that anatomy below them."""
    case = session.case
    group = case.structure_set(column.structure_set)
    wishes: dict[str, Any] = {"dose": column.dose}
    if group is not None and group.id != session.view.structure_set:
        wishes.update(structure_set=group.id, active=None, highlighted=None)
        base, own = case.image(session.view.base), case.image(group.image_id)
        if own is not None and (base is None or base.grid.frame_of_reference_uid != group.frame_of_reference_uid):
            wishes["base"] = own.id
    dose = case.dose(column.dose)
    if dose is not None:
        wishes["reference_gy"] = prescribed(case, dose, session.view.prescribed).gy
    session.look(**wishes)
