"""Goals evaluated: one dose on one anatomy against a sheet.

A value counts only where everything that it needs is known. Where part of a structure has no known dose, the goal is evaluated twice, with
no dose there and with any dose however high; where both give the same verdict it holds, else the goal is *not evaluated* and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Case, Dose, Prescription, Structure, StructureSet
from reviewer.dosimetry.biology import Effect
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.dvh import NEVER, Dvh, dvh
from reviewer.dosimetry.isodose import Isodoses
from reviewer.dosimetry.metrics import Basis, Metric
from reviewer.dosimetry.sheets import PLAN, SUM, Goal, Sheet
from reviewer.errors import InputError, NotRegisteredError
from reviewer.names import standard
from reviewer.threads import shared

Status = Literal["met", "acceptable", "violated", "not-evaluated"]
MET: Status = "met"
ACCEPTABLE: Status = "acceptable"
VIOLATED: Status = "violated"
NOT_EVALUATED: Status = "not-evaluated"

SYMBOLS: Mapping[Status, str] = MappingProxyType({MET: "✓", ACCEPTABLE: "~", VIOLATED: "✗", NOT_EVALUATED: "?"})
"""A mark for each status, so that none is told by its colour alone."""

ANY_GY = 1e6
"""Stands for "however high" where dose is not known."""

TARGETS = ("GTV", "CTV", "PTV")


@dataclass(frozen=True, eq=False)
class Delivery:
    """One dose on one anatomy: what a goal sheet is put to.

    group:         the anatomy; it need not be the one that the dose was planned on, but its frame must be tied to the dose's.
    prescribed_gy, fractions: of the plan, or typed in. targets: what the plan prescribes to each, where that differs.
    dose_kind:     PLAN, or SUM for a sum over courses, which a dose of several plans is where nothing says that they are fractions of one
                   course. scale: on which, if it is BED or EQD2.
    """

    case: Case
    dose: Dose
    group: StructureSet
    prescribed_gy: float | None = None
    fractions: int | None = None
    dose_kind: str = PLAN
    scale: Effect | None = None
    label: str = ""
    targets: tuple[Prescription, ...] = ()

    @classmethod
    def of(
        cls,
        case: Case,
        dose: Dose,
        group: StructureSet,
        prescribed_gy: float | None = None,
        fractions: int | None = None,
        label: str = "",
    ) -> Delivery:
        """With what `Case.prescription` knows where none are given. Raises InputError for numbers that are none."""
        known_gy, known = case.prescription(dose)
        prescribed = prescribed_gy if prescribed_gy is not None else known_gy
        number = fractions if fractions is not None else known
        if prescribed is not None and not (np.isfinite(prescribed) and prescribed > 0):
            raise InputError(f"{prescribed:g} Gy is no prescription", where=dose.label, remedy="give more than 0 Gy")
        if number is not None and number < 1:
            raise InputError(f"{number} is no number of fractions", where=dose.label, remedy="give 1 or more")
        courses = dose.recipe.courses if dose.recipe is not None else dose.summation == "MULTI_PLAN"
        scale = Effect.parse(dose.scale)
        plan = (
            case.plan(dose.plan_id) if prescribed_gy is None and known_gy is not None and dose.recipe is None else None
        )
        targets = tuple(p for p in plan.prescriptions if p.type == "TARGET") if plan is not None else ()
        if len({p.dose_gy for p in targets}) < 2:
            targets = ()
        return cls(case, dose, group, prescribed, number, SUM if courses else PLAN, scale, label or dose.title, targets)

    @property
    def prescription(self) -> str:
        """In words: 50 Gy; 83.33 Gy EQD2_10, which is no physical dose; 50 Gy to PTV1 and 45 Gy to PTV2."""
        if self.targets:
            return " and ".join(f"{p.dose_gy:g} Gy to {p.target or 'a target without name'}" for p in self.targets)
        return "" if self.prescribed_gy is None else f"{self.prescribed_gy:.4g} Gy {self.dose.scale}".strip()

    def prescribed_to(self, structure: Structure) -> float | None:
        """What 100 % is for a structure, Gy: for a target its own prescription where the plan has different ones; None where it is not known.

        Organs go by the highest.
        """
        if not self.targets:
            return self.prescribed_gy
        own = {
            p.dose_gy for p in self.targets if p.target == f"ROI {structure.number}" or _one(p.target, structure.name)
        }
        if len(own) == 1:
            return own.pop()
        return None if own or _kind(structure.name, structure) in TARGETS else self.prescribed_gy


@dataclass(frozen=True, eq=False)
class GoalResult:
    """One goal on one structure.

    wanted:    the name in the sheet. structure: the one that was found; None where none was.
    value:     of the part with known dose, in the metric's unit; None where there is none.
    outside_fraction: part of the structure, 0 to 1, without known dose.
    reason:    why the goal is not evaluated; note: what else is to be known, such as dose outside the grid that cannot change the verdict.
    """

    goal: Goal
    wanted: str
    structure: Structure | None
    status: Status
    value: float | None = None
    outside_fraction: float = 0.0
    reason: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Of the structure, or of the one that is missing."""
        return self.structure.name if self.structure else self.wanted

    @property
    def side(self) -> Literal["target", "organ", "other"]:
        """Whether the goal is one of target coverage or of dose to an organ at risk."""
        if _kind(self.name, self.structure) in TARGETS:
            return "target" if self.goal.limit.at_least else "other"
        return "organ"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A sheet put to a delivery. unmatched: structures that no goal of the sheet is about."""

    sheet: Sheet
    delivery: Delivery
    results: tuple[GoalResult, ...]
    unmatched: tuple[Structure, ...] = ()

    def count(self, status: Status) -> int:
        return sum(r.status == status for r in self.results)


def evaluate(
    sheet: Sheet,
    delivery: Delivery,
    cache: DvhCache | None = None,
    assigned: Mapping[str, str] = MappingProxyType({}),
    cancelled: Callable[[], bool] = NEVER,
) -> Evaluation:
    """Every goal of the sheet for every structure that it is about, in the order of the sheet.

    cache:     of DVHs, to take from, to go on from after an edit, and to add to. Not to be shared with a thread at work.
    assigned:  name in the sheet -> id of the structure that a person chose for it.
    cancelled: asked now and then, in any thread; raises CancelledError once it says so.
    """
    rows: list[tuple[Goal, tuple[str, ...], Structure | None]] = []
    for goal in sheet.goals:
        done: set[str] = set()
        for wanted in goal.structures:
            found = match(wanted, delivery.group.structures, assigned)
            rows += [(goal, wanted, s) for s in found if s.id not in done] if found else [(goal, wanted, None)]
            done |= {s.id for s in found}
    work = _Work(delivery, cache or DvhCache())
    work.prepare([(goal, structure) for goal, _, structure in rows if structure is not None], cancelled)
    results = [
        GoalResult(goal, wanted[0], None, NOT_EVALUATED, reason=_missing(wanted, delivery.group))
        if structure is None
        else work.result(goal, wanted[0], structure)
        for goal, wanted, structure in rows
    ]
    used = {r.structure.id for r in results if r.structure}
    left = tuple(s for s in delivery.group.structures if s.id not in used)
    return Evaluation(sheet, delivery, tuple(results), left)


def match(
    wanted: Sequence[str], structures: Sequence[Structure], assigned: Mapping[str, str] = MappingProxyType({})
) -> list[Structure]:
    """The structures that any of the names stands for: by person, by TG-263 name or synonym, else by the very letters."""
    ids = {assigned[name] for name in wanted if name in assigned}
    if ids:
        return [s for s in structures if s.id in ids]
    return [s for s in structures if any(_same(name, s.name) for name in wanted)]


def _kind(name: str, structure: Structure | None) -> str:
    """The type of the structure, else that which its name stands for."""
    found = standard(name)
    return structure.type if structure and structure.type else found.type if found else ""


def _one(name: str, other: str) -> bool:
    """Whether two names are the same, or stand for the same: PTV_1 is PTV1, and not PTV."""
    first, second = standard(name), standard(other)
    if first is not None and second is not None:
        return first.name == second.name
    return name.strip().casefold() == other.strip().casefold()


def _same(wanted: str, name: str) -> bool:
    asked, found = standard(wanted), standard(name)
    if asked is not None and found is not None:
        return asked.name in (found.name, found.root)
    return asked is None and wanted.strip().casefold() == name.strip().casefold()


def _missing(wanted: Sequence[str], group: StructureSet) -> str:
    reason = f"no structure is called {' or '.join(wanted)}"
    whole, minus, less = wanted[0].partition("-")
    if minus and match([whole], group.structures) and match([less], group.structures):
        return f"{reason}; the formula {wanted[0]} = {whole} - {less} makes it"
    return reason


class _Work:
    """DVHs and isodoses of one delivery, each made once."""

    def __init__(self, delivery: Delivery, cache: DvhCache) -> None:
        self._delivery, self._cache = delivery, cache
        self._isodoses: dict[str, Isodoses] = {}

    def prepare(self, rows: Sequence[tuple[Goal, Structure]], cancelled: Callable[[], bool]) -> None:
        """The DVHs that will be asked for, in two threads."""
        delivery = self._delivery
        needed: dict[str, tuple[Structure, NDArray[np.float64]]] = {}
        for goal, structure in rows:
            with suppress(NotRegisteredError):
                matrix = self._to_dose(structure)
                if self._refusal(goal, structure) or self._cache.get(structure, delivery.dose, matrix) is not None:
                    continue
                needed[structure.id] = structure, matrix

        def curve_of(structure: Structure, matrix: NDArray[np.float64]) -> Dvh:
            return dvh(structure, delivery.dose, matrix, cancelled)

        # The largest first, so that both threads come to their end together.
        tasks = sorted(needed.values(), key=lambda each: -len(each[0].planes))
        curves = shared(lambda each: curve_of(*each), tasks)
        for (structure, matrix), curve in zip(tasks, curves, strict=True):
            self._cache.put(structure, delivery.dose, matrix, curve)

    def result(self, goal: Goal, wanted: str, structure: Structure) -> GoalResult:
        refusal = self._refusal(goal, structure)
        if refusal:
            return GoalResult(goal, wanted, structure, NOT_EVALUATED, reason=refusal)
        try:
            matrix = self._to_dose(structure)
        except NotRegisteredError:
            reason = "the dose is in another frame of reference, and no registration ties the two"
            return GoalResult(goal, wanted, structure, NOT_EVALUATED, reason=reason)
        curve = self._cache.get(structure, self._delivery.dose, matrix)
        assert curve is not None, "prepared"
        basis = self._basis(goal.metric, structure, matrix)
        draft = GoalResult(goal, wanted, structure, NOT_EVALUATED, outside_fraction=curve.outside_fraction)
        reason = goal.metric.refusal(curve, basis)
        if reason:
            if curve.outside_fraction >= 1:
                reason = "the structure lies outside the dose grid"
            elif goal.metric.needs_prescription and not basis.prescribed_gy and self._delivery.targets:
                doses = " and ".join(f"{gy:g} Gy" for gy in sorted({p.dose_gy for p in self._delivery.targets}))
                reason = f"the plan prescribes {doses}, and does not say which to this target"
            return replace(draft, reason=reason)
        value = goal.metric.of(curve, basis=basis)
        assert value is not None
        draft = replace(draft, value=value)
        if curve.outside_fraction == 0:
            return replace(draft, status=verdict(goal, value))
        part = f"{_percent(curve.outside_fraction)} of the structure lies outside the dose grid"
        possible = _possible(goal, curve, basis)
        if len(possible) == 1:
            return replace(draft, status=possible.pop(), note=f"{part}, which cannot change the verdict")
        return replace(draft, reason=f"{part}, which may change the verdict")

    def _refusal(self, goal: Goal, structure: Structure) -> str:
        delivery = self._delivery
        if goal.dose != delivery.dose_kind:
            return "the goal is about the sum of all courses" if goal.dose == SUM else "the goal is about one plan"
        if delivery.dose.type not in ("PHYSICAL", "EFFECTIVE"):
            return f"the dose is of type {delivery.dose.type or 'unknown'}"
        if not delivery.dose.whole:
            return f"the dose is that of a {delivery.dose.summation.lower()}, not of the plan"
        if goal.fractions and delivery.fractions and goal.fractions != delivery.fractions:
            return f"the limit is for {_fractions(goal.fractions)}, the plan has {delivery.fractions}"
        if goal.fractions and not delivery.fractions:
            return f"the limit is for {_fractions(goal.fractions)}, and those of the plan are not known"
        return "the structure is empty" if structure.empty else ""

    def _to_dose(self, structure: Structure) -> NDArray[np.float64]:
        dose_frame = self._delivery.dose.grid.frame_of_reference_uid
        return self._delivery.case.transform(structure.grid.frame_of_reference_uid, dose_frame)

    def _basis(self, metric: Metric, structure: Structure, matrix: NDArray[np.float64]) -> Basis:
        delivery = self._delivery
        isodoses = None
        if metric.needs_isodoses:
            if structure.id not in self._isodoses:
                others = other_targets(structure, delivery.group)
                self._isodoses[structure.id] = Isodoses(structure, delivery.dose, matrix, others)
            isodoses = self._isodoses[structure.id]
        return Basis(
            delivery.prescribed_to(structure),
            delivery.fractions,
            isodoses,
            delivery.dose.type == "PHYSICAL",
            delivery.scale,
        )


def other_targets(structure: Structure, group: StructureSet) -> list[Structure]:
    """The other PTVs of the set: an isodose that holds one of them does not belong to `structure` alone."""
    return [s for s in group.structures if s is not structure and s.type == "PTV" and not s.empty]


def verdict(goal: Goal, value: float) -> Status:
    """What a value that is fully known makes of a goal."""
    if goal.limit.holds(value):
        return MET
    return ACCEPTABLE if goal.acceptable is not None and goal.acceptable.holds(value) else VIOLATED


def _possible(goal: Goal, curve: Dvh, basis: Basis) -> set[Status]:
    """The verdicts between no dose and any dose where it is not known."""
    if not goal.metric.monotone:
        return {MET, VIOLATED}
    values = [goal.metric.of(each, basis=basis) for each in (with_unknown(curve, 0.0), with_unknown(curve, ANY_GY))]
    return {NOT_EVALUATED if value is None else verdict(goal, value) for value in values}


def with_unknown(curve: Dvh, gy: float) -> Dvh:
    """The DVH of the whole structure if the part without known dose received `gy`, which is no more than the lowest or no less than the highest."""
    assert curve.min_gy is not None
    assert curve.mean_gy is not None
    assert curve.max_gy is not None
    known, unknown = curve.known_cc, curve.volume_cc - curve.known_cc
    least = 1e-9
    if gy <= curve.min_gy:
        first = min(gy, curve.min_gy - least)
        dose = np.concatenate([[first, first + least / 2], curve.dose_gy])
        volume = np.concatenate([[known + unknown, known], curve.cumulative_cc])
        low, high = first, curve.max_gy
    else:
        dose = np.concatenate([curve.dose_gy, [curve.max_gy + least, gy]])
        volume = np.concatenate([curve.cumulative_cc + unknown, [unknown, unknown]])
        low, high = curve.min_gy, gy
    mean = (curve.mean_gy * known + gy * unknown) / (known + unknown)
    return replace(
        curve, outside_fraction=0.0, dose_gy=dose, cumulative_cc=volume, min_gy=low, mean_gy=mean, max_gy=high
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %" if fraction >= 0.001 else "less than 0.1 %"


def _fractions(number: int) -> str:
    return "a single fraction" if number == 1 else f"{number} fractions"
