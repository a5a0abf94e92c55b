"""Several plans side by side, and what speaks for adapting: facts for the human who decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reviewer.dosimetry.goals import ACCEPTABLE, MET, NOT_EVALUATED, VIOLATED, Evaluation, GoalResult, Status
from reviewer.dosimetry.sheets import Goal, Sheet
from reviewer.errors import InputError
from reviewer.names import standard

Reason = Literal["target coverage", "OAR dose", "both", "other", "none"]
"""Why a plan was re-optimised, in the terms of Ugurluer et al., Radiat Oncol J 2021;39:33-40."""

WORTH = 0.1
"""A difference of values (Gy, %, cc) below this is none."""

_RANK: dict[Status, int] = {MET: 0, ACCEPTABLE: 1, VIOLATED: 2}


@dataclass(frozen=True, eq=False)
class Row:
    """One goal on one structure under each plan; None where the plan's anatomy has no such row."""

    goal: Goal
    name: str
    results: tuple[GoalResult | None, ...]

    def difference(self, column: int, against: int = 0) -> float | None:
        """Value under one plan less that under another; None where either is missing."""
        a, b = self.results[column], self.results[against]
        return None if a is None or b is None or a.value is None or b.value is None else a.value - b.value

    def worse(self, column: int, against: int) -> bool:
        """Whether a plan is worse than another here: in its status where both have one, and in its value by more than `WORTH`."""
        a, b = self.results[column], self.results[against]
        if a is None or b is None or NOT_EVALUATED in (a.status, b.status):
            return False
        difference = self.difference(column, against)
        if difference is None or _RANK[a.status] < _RANK[b.status]:
            return False
        loss = -difference if self.goal.limit.at_least else difference
        return _RANK[a.status] > _RANK[b.status] or loss > WORTH


@dataclass(frozen=True, eq=False)
class Comparison:
    """One sheet put to several deliveries; rows in the order of the sheet, columns in that of the evaluations."""

    sheet: Sheet
    evaluations: tuple[Evaluation, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Price:
    """What a plan costs: goals that it violates, that it meets only within the acceptable variation, that nobody can tell; and where it is
    worse than the other plan, with the difference of the values."""

    label: str
    violated: tuple[GoalResult, ...]
    acceptable: tuple[GoalResult, ...]
    unknown: tuple[GoalResult, ...]
    worse: tuple[tuple[GoalResult, float], ...]


@dataclass(frozen=True, eq=False)
class Decision:
    """What today's anatomy makes of the baseline plan, and what either plan costs. Nothing here decides.

    broken:   goals that the baseline violates today, and did not when it was planned, where that is known.
    accepted: goals that it violates today and did when it was planned.
    mended:   of the broken ones those that the adapted plan does not violate. reason: what kind of goals are broken.
    """

    reason: Reason
    broken: tuple[GoalResult, ...]
    accepted: tuple[GoalResult, ...]
    mended: tuple[GoalResult, ...]
    baseline: Price
    adapted: Price | None
    comparison: Comparison

    @property
    def sentence(self) -> str:
        """The reason in words, with what is not known."""
        unknown = len(self.baseline.unknown)
        rest = f"; {unknown} {'goal' if unknown == 1 else 'goals'} could not be evaluated" if unknown else ""
        if not self.broken:
            known = "no goal that it met when it was planned" if self.accepted else "no goal"
            return f"The baseline plan breaks {known}{rest}."
        names = ", ".join(dict.fromkeys(f"{r.name} {r.goal.metric}" for r in self.broken))
        return f"Reason to adapt: {self.reason} ({names}){rest}."


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """Evaluations of one sheet, row by row. Structures of different sets belong together by their standard names.

    Raises InputError where there is none, or they are of different sheets.
    """
    if not evaluations or any(e.sheet is not evaluations[0].sheet for e in evaluations):
        raise InputError(
            "only evaluations of one goal sheet can be compared", remedy="evaluate all plans with one sheet"
        )
    rows: dict[tuple[int, str], list[GoalResult | None]] = {}
    for column, evaluation in enumerate(evaluations):
        for result in evaluation.results:
            key = evaluation.sheet.goals.index(result.goal), _key(result)
            while rows.setdefault(key, [None] * len(evaluations))[column] is not None:  # several of one name
                key = key[0], key[1] + "'"
            rows[key][column] = result
    ordered = sorted(rows.items(), key=lambda item: item[0][0])
    found = []
    for (place, _), results in ordered:
        name = next((r.name for r in results if r is not None), "")
        found.append(Row(evaluations[0].sheet.goals[place], name, tuple(results)))
    return Comparison(evaluations[0].sheet, tuple(evaluations), tuple(found))


def decide(baseline: Evaluation, adapted: Evaluation | None = None, planned: Evaluation | None = None) -> Decision:
    """The facts for a decision.

    baseline: the approved plan on the anatomy of the day. adapted: the re-optimised plan there. planned: the approved plan on the anatomy that
    it was made for; what it violated there was accepted then and is no reason to adapt.
    """
    comparison = compare([e for e in (baseline, adapted, planned) if e is not None])
    last = len(comparison.evaluations) - 1
    broken, accepted, mended = [], [], []
    for row in comparison.rows:
        today = row.results[0]
        if today is None or today.status != VIOLATED:
            continue
        before = row.results[last] if planned is not None else None
        if before is not None and before.status == VIOLATED:
            accepted.append(today)
            continue
        broken.append(today)
        after = row.results[1] if adapted is not None else None
        if after is not None and after.status in (MET, ACCEPTABLE):
            mended.append(today)
    return Decision(
        _reason(broken),
        tuple(broken),
        tuple(accepted),
        tuple(mended),
        _price(comparison, 0, 1 if adapted is not None else None),
        _price(comparison, 1, 0) if adapted is not None else None,
        comparison,
    )


def _key(result: GoalResult) -> str:
    found = standard(result.name)
    return found.name if found else result.name.strip().casefold()


def _reason(broken: Sequence[GoalResult]) -> Reason:
    sides = {result.side for result in broken}
    if {"target", "organ"} <= sides:
        return "both"
    if "target" in sides:
        return "target coverage"
    if "organ" in sides:
        return "OAR dose"
    return "other" if sides else "none"


def _price(comparison: Comparison, column: int, against: int | None) -> Price:
    evaluation = comparison.evaluations[column]

    def having(status: Status) -> tuple[GoalResult, ...]:
        return tuple(r for r in evaluation.results if r.status == status)

    worse: list[tuple[GoalResult, float]] = []
    for row in comparison.rows if against is not None else ():
        result = row.results[column]
        if against is not None and result is not None and row.worse(column, against):
            worse.append((result, row.difference(column, against) or 0.0))
    return Price(evaluation.delivery.label, having(VIOLATED), having(ACCEPTABLE), having(NOT_EVALUATED), tuple(worse))
