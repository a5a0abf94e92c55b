"""`reviewer dvh PATH…`: dose-volume values of structures, in the notation of AAPM TG-263."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Case, Dose, Structure, StructureSet
from reviewer.cli import printable
from reviewer.cli.inputs import add_input_arguments, load_case
from reviewer.cli.output import number, print_json, print_table
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.goals import Delivery, other_targets
from reviewer.dosimetry.isodose import Isodoses
from reviewer.dosimetry.metrics import Basis, Metric
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.volume import volume_cc
from reviewer.session import newest_dose, structure_set_of

T = TypeVar("T")

METRICS = ("D95%", "D2%", "Mean", "Max", "D0.035cc[Gy]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument(
        "-s", "--structure", action="append", metavar="ROI", help="name, upper or lower case; repeatable (default: all)"
    )
    parser.add_argument(
        "-m",
        "--metric",
        action="append",
        metavar="METRIC",
        help="as in TG-263: D95%%, D0.5cc[Gy], V18Gy[cc], V95%%[%%], CV18Gy[cc], Mean, Max, "
        "D0.5cc[EQD2_3], gEUD(8), HI, CI_Paddick …; repeatable "
        f"(default: {' '.join(METRICS).replace('%', '%%')})",
    )
    parser.add_argument(
        "--dose",
        type=int,
        metavar="N",
        help="position in the list of doses of `reviewer info`, from 0 (default: the dose of the newest plan)",
    )
    parser.add_argument(
        "--set",
        type=int,
        metavar="N",
        help="position in the list of structure sets of `reviewer info`, from 0 (default: the set of the dose)",
    )
    parser.add_argument("--curves", action="store_true", help="with --json: the cumulative curves too")


def run(arguments: argparse.Namespace) -> int:
    if arguments.curves and not arguments.json:
        raise InputError("--curves needs --json")
    metrics = [Metric.parse(text) for text in arguments.metric or METRICS]
    case = load_case(arguments)
    dose = chosen_dose(case, arguments.dose)
    group = chosen_set(case, dose, arguments.set)
    structures = named(group.structures, arguments.structure)
    document: dict[str, Any] = {
        "dose": {
            "index": case.doses.index(dose),
            "label": dose.label,
            "uid": dose.id,
            "type": dose.type,
            "summation": dose.summation,
        },
        "structure_set": {"index": case.structure_sets.index(group), "label": group.label, "uid": group.id},
        "prescribed_gy": case.prescription(dose)[0],
        "structures": _rows(case, dose, structures, metrics, arguments.curves),
    }
    if arguments.json:
        print_json(document)
    else:
        _print(document, dose.unusual)
    return 0


def named(structures: Sequence[Structure], names: Sequence[str] | None) -> list[Structure]:
    """The structures with these names, whatever the case of the letters, in the order asked for; all when no name is given.

    Raises InputError for a name that no structure has.
    """
    if not names:
        return list(structures)
    chosen: list[Structure] = []
    for name in names:
        found = [s for s in structures if s.name.strip().casefold() == name.strip().casefold()]
        if not found:
            there = ", ".join(s.name for s in structures) or "none"
            raise InputError(f"no structure is called {name!r}", remedy=f"there are: {there}")
        chosen += [s for s in found if s not in chosen]
    return chosen


def chosen_dose(case: Case, index: int | None) -> Dose:
    """The dose at a place in the list, by default that of the newest plan. Raises InputError where there is none."""
    if not case.doses:
        raise InputError("the input holds no dose", remedy="add the RTDOSE to PATH")
    if index is not None:
        return numbered(case.doses, index, "--dose", "dose")
    return newest_dose(case) or case.doses[-1]


def chosen_set(case: Case, dose: Dose, index: int | None) -> StructureSet:
    """The structure set at a place in the list, by default the one that the dose belongs to. Raises InputError where there is none."""
    sets = case.structure_sets
    if not sets:
        raise InputError("the input holds no structures", remedy="add the RTSTRUCT to PATH")
    if index is not None:
        return numbered(sets, index, "--set", "structure set")
    group = structure_set_of(case, dose) or (sets[0] if len(sets) == 1 else None)
    if group is None:
        listed = ", ".join(f"{n} ({g.label})" for n, g in enumerate(sets))
        raise InputError(f"dose {dose.label!r} names no structure set", remedy=f"choose one with --set: {listed}")
    return group


def numbered(items: Sequence[T], index: int, option: str, kind: str) -> T:
    """The item that an option asked for by its place, from 0. Raises InputError beyond the end."""
    if not 0 <= index < len(items):
        raise InputError(f"there is no {kind} {index}", where=option, remedy=f"there are 0 to {len(items) - 1}")
    return items[index]


def _rows(
    case: Case, dose: Dose, structures: Sequence[Structure], metrics: Sequence[Metric], curves: bool
) -> list[dict[str, Any]]:
    """What is asked of each structure; raises NotRegisteredError where none is tied to the dose."""
    rows: list[dict[str, Any]] = []
    untied: list[NotRegisteredError] = []
    for structure in structures:
        try:
            to_dose = case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
        except NotRegisteredError as error:
            untied.append(error)
            rows.append(_unknown(structure, metrics, error.what, curves))
        else:
            rows.append(_row(case, dose, structure, to_dose, metrics, curves))
    if untied and len(untied) == len(rows):
        raise untied[0]
    return rows


def _unknown(structure: Structure, metrics: Sequence[Metric], why: str, curves: bool) -> dict[str, Any]:
    return {
        "name": structure.name,
        "type": structure.type,
        "volume_cc": volume_cc(structure),
        "outside_dose_fraction": None,
        "metrics": {str(m): None for m in metrics},
        "reasons": {str(m): why for m in metrics},
        **({"curve": {"dose_gy": [], "volume_cc": []}} if curves else {}),
    }


def _row(
    case: Case,
    dose: Dose,
    structure: Structure,
    to_dose: NDArray[np.float64],
    metrics: Sequence[Metric],
    curves: bool,
) -> dict[str, Any]:
    result = dvh(structure, dose, to_dose)
    isodoses = None
    group = next(g for g in case.structure_sets if structure in g.structures)
    delivery = Delivery.of(case, dose, group)
    if any(m.needs_isodoses for m in metrics):
        isodoses = Isodoses(structure, dose, to_dose, other_targets(structure, group))
    answers = {m: _basis(delivery, structure, m, isodoses) for m in metrics}
    document: dict[str, Any] = {
        "name": structure.name,
        "type": structure.type,
        "volume_cc": result.volume_cc,
        "outside_dose_fraction": None if structure.empty else result.outside_fraction,
        "metrics": {str(m): m.of(result, basis=basis) for m, basis in answers.items()},
        "reasons": {str(m): why for m, basis in answers.items() if (why := m.refusal(result, basis))},
    }
    if curves:
        document["curve"] = {"dose_gy": result.dose_gy, "volume_cc": result.cumulative_cc}
    return document


def _basis(delivery: Delivery, structure: Structure, metric: Metric, isodoses: Isodoses | None) -> Basis:
    """Values of effective dose are shown as they are in the file, but no biological dose is made of it again."""
    physical = delivery.dose.type == "PHYSICAL" or metric.effect is None
    return Basis(delivery.prescribed_to(structure), delivery.fractions, isodoses, physical, delivery.scale)


def _print(document: dict[str, Any], unusual: Sequence[str]) -> None:
    dose, group = document["dose"], document["structure_set"]
    gy = document["prescribed_gy"]
    prescribed = "no prescription" if gy is None else f"prescribed {gy:.2f} Gy"
    kind = f" ({' '.join(unusual)} dose)" if unusual else ""
    print(
        printable(
            f"Dose {dose['index']} {dose['label']}{kind}, structure set {group['index']} {group['label']}, {prescribed}"
        )
    )
    names = list(document["structures"][0]["metrics"]) if document["structures"] else []
    headings = ["name", "volume (cc)", "outside dose (%)", *names]
    rows = []
    for s in document["structures"]:
        outside = s["outside_dose_fraction"]
        percent = None if outside is None else 100 * outside
        rows.append(
            [s["name"], number(s["volume_cc"], 2), number(percent, 1), *(number(v, 2) for v in s["metrics"].values())]
        )
    print_table("Structures", headings, rows, right=headings[1:])
    reasons: dict[str, list[str]] = {}
    for s in document["structures"]:
        for metric, why in s["reasons"].items():
            reasons.setdefault(f"{metric}: {why}", []).append(s["name"])
    if reasons:
        print("\nNot evaluated")
    for what, where in reasons.items():
        print(printable(f"  {what} ({', '.join(where)})"))
