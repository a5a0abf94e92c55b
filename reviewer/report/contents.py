"""What a report tells, gathered before anything is laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from reviewer.approval.trail import SignOff, sign_offs
from reviewer.case import Case, Structure
from reviewer.columns import Column, Prescribed, day_plans
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.dvh import NEVER, Dvh, dvh
from reviewer.dosimetry.goals import SYMBOLS, Delivery, Evaluation, GoalResult, Status, evaluate
from reviewer.dosimetry.plans import Comparison, Decision, compare, decide
from reviewer.dosimetry.sheets import Sheet, all_sheets
from reviewer.errors import InputError, NotRegisteredError
from reviewer.gating.trace import Trace
from reviewer.report.pictures import Picture, pictures_of
from reviewer.session import newest_dose, structure_set_of
from reviewer.store.workspace import Workspace

Progress = Callable[[float, str], None]

NOT_A_DEVICE = "Reviewer is not a medical device. Its figures are to be checked by other means before they are used."

WORDS: Mapping[Status, str] = MappingProxyType(
    {"met": "met", "acceptable": "acceptable", "violated": "violated", "not-evaluated": "not evaluated"}
)


@dataclass(frozen=True, eq=False)
class Curves:
    """A structure and its DVH under each plan; None where it has none, and why."""

    structure: Structure
    dvhs: tuple[Dvh | None, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """comparison: the columns are its evaluations. sign_offs: of the workspace, the void ones too; doubts: what was changed from outside.

    head: hash of the last entry of the log, empty without a workspace; workspace: its path. made: with the zone.
    gating: of one cine, a trace for each backend that has tracked; empty where nothing was.
    """

    case: Case
    comparison: Comparison
    decision: Decision | None
    curves: tuple[Curves, ...]
    pictures: tuple[tuple[Picture, ...], ...]
    sign_offs: tuple[SignOff, ...]
    doubts: tuple[str, ...]
    head: str
    workspace: str
    made: datetime
    gating: tuple[Trace, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the columns; made different where plans are called the same."""
        return tuple(e.delivery.label for e in self.comparison.evaluations)


def gather(
    case: Case,
    *,
    sheet: Sheet | None = None,
    columns: Sequence[Column] = (),
    assigned: Mapping[str, str] = MappingProxyType({}),
    prescribed: Mapping[str, Prescribed] = MappingProxyType({}),
    workspace: Workspace | None = None,
    made: datetime | None = None,
    gating: Sequence[Trace] = (),
    progress: Progress = lambda share, what: None,
    cancelled: Callable[[], bool] = NEVER,
) -> Report:
    """Everything of a case, its images read.

    sheet: else one for the number of fractions. columns: else the plans of the day, else the newest dose. assigned, prescribed: as typed in.
    Raises InputError where there is no dose on any structures; CancelledError.
    """
    cache = DvhCache()
    progress(0.05, "Goals")
    evaluations, decision = judged(
        case, tuple(columns) or default_columns(case), sheet, assigned, prescribed, cache, cancelled
    )
    deliveries = [e.delivery for e in evaluations]
    progress(0.3, "Dose-volume histograms")
    curves = _curves(case, deliveries, cache, cancelled)
    progress(0.5, "Pictures")
    pictures = pictures_of(case, evaluations, decision.broken if decision else (), cancelled)
    entries = workspace.entries if workspace else ()
    return Report(
        case,
        compare(evaluations),
        decision,
        curves,
        pictures,
        sign_offs(entries),
        workspace.doubts if workspace else (),
        workspace.head.hex() if workspace and entries else "",
        str(workspace.keeping.path or "") if workspace else "",
        (made or datetime.now()).astimezone(),
        tuple(gating),
    )


def judged(
    case: Case,
    columns: Sequence[Column],
    sheet: Sheet | None = None,
    assigned: Mapping[str, str] = MappingProxyType({}),
    prescribed: Mapping[str, Prescribed] = MappingProxyType({}),
    cache: DvhCache | None = None,
    cancelled: Callable[[], bool] = NEVER,
) -> tuple[tuple[Evaluation, ...], Decision | None]:
    """The columns put to a sheet, and the decision where they are the plans of a day. Parameters and errors as in `gather`."""
    cache = cache or DvhCache()

    def delivery_of(column: Column) -> Delivery:
        dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
        if dose is None or group is None:
            raise InputError("a plan that was to be compared is not there any more")
        typed = prescribed.get(column.dose, Prescribed())
        return Delivery.of(case, dose, group, typed.gy, typed.fractions)

    deliveries = [delivery_of(c) for c in columns]
    chosen = sheet or default_sheet(deliveries[0].fractions)

    def evaluated(delivery: Delivery) -> Evaluation:
        return evaluate(chosen, delivery, cache, assigned, cancelled)

    evaluations = tuple(evaluated(d) for d in deliveries)
    day = day_plans(case)
    if day is None or tuple(columns[:2]) != day.columns:
        return evaluations, None
    planned = evaluated(delivery_of(day.planned)) if day.planned else None
    return evaluations, decide(evaluations[0], evaluations[1], planned)


def default_columns(case: Case) -> tuple[Column, ...]:
    """The plans of the day side by side, else the newest dose on its own structures. Raises InputError where there is none."""
    day = day_plans(case)
    if day is not None:
        return day.columns
    dose = newest_dose(case)
    group = structure_set_of(case, dose) if dose else None
    if dose is None or group is None:
        raise InputError(
            "there is no dose on any structures to report" if dose else "there is no dose to report",
            remedy="open the dose (RTDOSE) together with its structures",
        )
    return (Column(dose.id, group.id),)


def default_sheet(fractions: int | None) -> Sheet:
    """The longest of the program's sheets for this number of fractions, else the first."""
    sheets = all_sheets().sheets
    fitting = [s for s in sheets if fractions is not None and s.fractions == fractions and not s.own]
    return max(fitting, key=lambda s: len(s.goals), default=sheets[0])


def shown_value(result: GoalResult | None) -> str:
    """The value with as many digits as can be told apart from the limit, a dash where there is none."""
    if result is None or result.value is None:
        return "–"
    text = f"{result.value:.2f}"
    close = abs(result.value - result.goal.limit.value) < 0.005 and result.value != result.goal.limit.value
    return f"{result.value:.4g}" if close else text


def mark(result: GoalResult | None) -> str:
    return SYMBOLS[result.status] if result else "–"


def _curves(
    case: Case, deliveries: Sequence[Delivery], cache: DvhCache, cancelled: Callable[[], bool]
) -> tuple[Curves, ...]:
    """Structures of the first column's set by name, each with the one of the same name under the others."""
    found = []
    for structure in deliveries[0].group.structures:
        if structure.empty:
            continue
        row: list[Dvh | None] = []
        for delivery in deliveries:
            own = next((s for s in delivery.group.structures if s.name == structure.name and not s.empty), None)
            row.append(_curve(case, own, delivery, cache, cancelled) if own is not None else None)
        found.append(Curves(structure, tuple(row)))
    return tuple(found)


def _curve(
    case: Case, structure: Structure, delivery: Delivery, cache: DvhCache, cancelled: Callable[[], bool]
) -> Dvh | None:
    dose = delivery.dose
    try:
        tie = case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return None
    known = cache.get(structure, dose, tie)
    if known is None:
        known = dvh(structure, dose, tie, cancelled)
        cache.put(structure, dose, tie, known)
    return known
