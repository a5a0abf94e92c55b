"""Which plans are set side by side: a plan on an anatomy is a column. No numba: the window imports it at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reviewer.case import Case, Dose, StructureSet


@dataclass(frozen=True)
class Column:
    """Ids of a dose and of the structure set that it is judged on."""

    dose: str
    structure_set: str


@dataclass(frozen=True)
class Prescribed:
    """What somebody typed in for a dose, in place of what its plan says; None: as in the plan."""

    gy: float | None = None
    fractions: int | None = None


def prescribed(case: Case, dose: Dose, typed: Mapping[str, Prescribed]) -> Prescribed:
    """What counts as prescribed: what was typed for this dose (by its id), else what `Case.prescription` knows."""
    given, (gy, fractions) = typed.get(dose.id, Prescribed()), case.prescription(dose)
    return Prescribed(given.gy or gy, given.fractions or fractions)


@dataclass(frozen=True)
class DayPlans:
    """The approved plan on the anatomy of the day, the plan that was made for that anatomy, and the approved plan as it was planned."""

    baseline: Column
    adapted: Column
    planned: Column | None = None

    @property
    def columns(self) -> tuple[Column, Column]:
        return self.baseline, self.adapted


def day_plans(case: Case) -> DayPlans | None:
    """The newest anatomy on which a plan made elsewhere was computed, beside a plan made for it; None where there is no such pair."""
    for group in sorted(case.structure_sets, key=lambda g: g.date, reverse=True):
        carried = [d for d in case.doses if _on(case, d, group) and _home(case, d) not in (None, group.id)]
        made = [d for d in case.doses if _on(case, d, group) and _home(case, d) == group.id]
        if not carried or not made:
            continue
        baseline = max(carried, key=lambda d: (_approved(case, d), _age(case, d)))
        adapted = max(made, key=lambda d: _age(case, d))
        home = _home(case, baseline)
        before = next(
            (d for d in case.doses if d.plan_id == baseline.plan_id and d.structure_set_id == home and _whole(d)), None
        )
        planned = Column(before.id, home) if before is not None and home is not None else None
        return DayPlans(Column(baseline.id, group.id), Column(adapted.id, group.id), planned)
    return None


def _on(case: Case, dose: Dose, group: StructureSet) -> bool:
    """Whether a dose says that it was computed on these structures, or lies in their frame and says nothing."""
    if not _whole(dose):
        return False
    if case.structure_set(dose.structure_set_id) is not None:
        return dose.structure_set_id == group.id
    return bool(group.frame_of_reference_uid) and dose.grid.frame_of_reference_uid == group.frame_of_reference_uid


def _whole(dose: Dose) -> bool:
    """A second opinion of a backend is no plan's dose, though it is called after the plan."""
    return dose.type == "PHYSICAL" and dose.summation in ("PLAN", "") and not dose.statements


def _home(case: Case, dose: Dose) -> str | None:
    """The structures that the dose's plan was made for."""
    plan = case.plan(dose.plan_id)
    return plan.structure_set_id if plan else None


def _approved(case: Case, dose: Dose) -> bool:
    plan = case.plan(dose.plan_id)
    return plan is not None and plan.approval == "APPROVED"


def _age(case: Case, dose: Dose) -> tuple[str, str, int]:
    plan = case.plan(dose.plan_id)
    return (plan.date if plan else "", dose.date, case.doses.index(dose))
