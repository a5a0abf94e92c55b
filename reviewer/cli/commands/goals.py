"""`reviewer goals PATH… --sheet NAME`: a dose against a goal sheet, and what speaks for adapting (docs/goals.md)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewer.case import Case
from reviewer.cli import printable
from reviewer.cli.commands.dvh import chosen_dose, chosen_set, named
from reviewer.cli.inputs import add_input_arguments, load_case
from reviewer.cli.output import number, print_json, print_table, say
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.goals import NOT_EVALUATED, SYMBOLS, VIOLATED, Delivery, Evaluation, GoalResult, evaluate
from reviewer.dosimetry.plans import Decision, Price, decide
from reviewer.dosimetry.sheets import Sheet, all_sheets, load_sheet
from reviewer.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument(
        "--sheet", required=True, metavar="NAME", help="a sheet of `reviewer sheets`, or the path of one's own (.yaml)"
    )
    parser.add_argument(
        "--dose",
        type=int,
        metavar="N",
        help="place in the list of doses of `reviewer info` (default: of the newest plan)",
    )
    parser.add_argument(
        "--set", type=int, metavar="N", help="place in the list of structure sets (default: the set of the dose)"
    )
    parser.add_argument(
        "--prescription", type=float, metavar="GY", help="what 100 %% is (default: as in the RTPLAN of the dose)"
    )
    parser.add_argument("--fractions", type=int, metavar="N", help="in how many (default: as in the RTPLAN)")
    parser.add_argument(
        "--assign",
        action="append",
        default=[],
        metavar="NAME=ROI",
        help="take this structure for a name of the sheet; repeatable (default: by TG-263 name and synonyms)",
    )
    parser.add_argument(
        "--baseline",
        type=int,
        metavar="N",
        help="the approved plan's dose on the anatomy of the day: tells the reason to adapt",
    )
    parser.add_argument(
        "--planned",
        type=int,
        metavar="N",
        help="with --baseline: its dose as planned; what it broke there is no reason",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1, too, when a goal is not evaluated")


def run(arguments: argparse.Namespace) -> int:
    if arguments.planned is not None and arguments.baseline is None:
        raise InputError("--planned needs --baseline")
    sheet = _sheet(arguments.sheet)
    case = load_case(arguments)
    cache = DvhCache()
    evaluation = _evaluation(case, sheet, arguments, arguments.dose, cache, arguments.set)
    others = [
        None if index is None else _evaluation(case, sheet, arguments, index, cache)
        for index in (arguments.baseline, arguments.planned)
    ]
    if any(other is not None and other.delivery.dose is evaluation.delivery.dose for other in others):
        raise InputError(
            "a dose cannot be set against itself",
            remedy="choose the adapted one with --dose, the approved ones with --baseline and --planned",
        )
    decision = decide(others[0], evaluation, others[1]) if others[0] is not None else None
    if arguments.json:
        print_json(_document(evaluation, decision))
    else:
        _print(evaluation, decision)
    failed = evaluation.count(VIOLATED) or (arguments.strict and evaluation.count(NOT_EVALUATED))
    return 1 if failed else 0


def _sheet(name: str) -> Sheet:
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml"):
        return load_sheet(path)
    found = all_sheets()
    for error in found.errors:
        say(f"a sheet was left out: {error}")
    return found.get(name)


def _evaluation(
    case: Case,
    sheet: Sheet,
    arguments: argparse.Namespace,
    index: int | None,
    cache: DvhCache,
    set_index: int | None = None,
) -> Evaluation:
    dose = chosen_dose(case, index)
    group = chosen_set(case, dose, set_index)
    delivery = Delivery.of(case, dose, group, arguments.prescription, arguments.fractions)
    assigned: dict[str, str] = {}
    for text in arguments.assign:
        wanted, sign, roi = text.partition("=")
        if not sign:
            raise InputError(f"{text!r} is no NAME=ROI", where="--assign")
        if not any(wanted.strip() in names for goal in sheet.goals for names in goal.structures):
            raise InputError(f"the sheet has no {wanted.strip()!r}", where="--assign")
        assigned[wanted.strip()] = named(group.structures, [roi])[0].id
    return evaluate(sheet, delivery, cache, assigned)


def _document(evaluation: Evaluation, decision: Decision | None) -> dict[str, Any]:
    delivery = evaluation.delivery
    case = delivery.case
    document: dict[str, Any] = {
        "sheet": {"id": evaluation.sheet.id, "name": evaluation.sheet.name, "source": evaluation.sheet.source},
        "dose": {"index": case.doses.index(delivery.dose), "label": delivery.dose.label, "uid": delivery.dose.id},
        "structure_set": {
            "index": case.structure_sets.index(delivery.group),
            "label": delivery.group.label,
            "uid": delivery.group.id,
        },
        "prescribed_gy": delivery.prescribed_gy,
        "fractions": delivery.fractions,
        "goals": [_goal(evaluation.sheet, result) for result in evaluation.results],
        "unmatched": [s.name for s in evaluation.unmatched],
    }
    if decision is not None:
        document["decision"] = {
            "reason": decision.reason,
            "sentence": decision.sentence,
            "broken": _names(decision.broken),
            "accepted": _names(decision.accepted),
            "mended": _names(decision.mended),
            "baseline": _price(decision.baseline),
            "adapted": _price(decision.adapted) if decision.adapted else None,
        }
    return document


def _goal(sheet: Sheet, result: GoalResult) -> dict[str, Any]:
    goal = result.goal
    return {
        "structure": result.name,
        "wanted": result.wanted,
        "metric": str(goal.metric),
        "comparison": goal.limit.sign,
        "limit": goal.limit.value,
        "acceptable": goal.acceptable.value if goal.acceptable else None,
        "value": result.value,
        "unit": goal.limit.unit,
        "status": result.status,
        "reason": result.reason,
        "note": result.note,
        "outside_dose_fraction": result.outside_fraction,
        "priority": goal.priority,
        "source": f"{sheet.source}: {goal.source}" if goal.source else sheet.source,
        "unverified": goal.unverified,
    }


def _names(results: Sequence[GoalResult]) -> list[dict[str, str]]:
    return [{"structure": r.name, "metric": str(r.goal.metric)} for r in results]


def _price(price: Price) -> dict[str, Any]:
    return {
        "label": price.label,
        "violated": _names(price.violated),
        "acceptable": _names(price.acceptable),
        "not_evaluated": _names(price.unknown),
        "worse": [
            {"structure": r.name, "metric": str(r.goal.metric), "difference": difference, "unit": r.goal.limit.unit}
            for r, difference in price.worse
        ],
    }


def _print(evaluation: Evaluation, decision: Decision | None) -> None:
    delivery, sheet = evaluation.delivery, evaluation.sheet
    prescribed = f"prescribed {delivery.prescription}" if delivery.prescription else "no prescription"
    fractions = "unknown number of fractions" if delivery.fractions is None else f"{delivery.fractions} fractions"
    print(printable(f"{sheet.name} ({sheet.source})"))
    print(printable(f"Dose {delivery.dose.label}, structures {delivery.group.label}, {prescribed}, {fractions}"))
    rows = [
        [
            SYMBOLS[r.status],
            r.name,
            str(r.goal.metric),
            str(r.goal.limit),
            number(r.value, 2),
            r.status,
            r.reason or r.note or (f"unverified: {r.goal.unverified}" if r.goal.unverified else ""),
        ]
        for r in evaluation.results
    ]
    print_table("Goals", ["", "structure", "goal", "limit", "value", "status", "note"], rows, right=["value"])
    if evaluation.unmatched:
        print()
        print(printable(f"Without a goal: {', '.join(s.name for s in evaluation.unmatched)}"))
    if decision is not None:
        print()
        print(printable(decision.sentence))
        for price in (decision.baseline, decision.adapted):
            if price is not None:
                worse = [f"{r.name} {r.goal.metric} {d:+.1f} {r.goal.limit.unit}" for r, d in price.worse]
                counts = f"{len(price.violated)} violated, {len(price.unknown)} not evaluated"
                print(printable(f"  {price.label}: {counts}; worse in {', '.join(worse) or 'nothing'}"))
