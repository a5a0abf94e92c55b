"""`reviewer dose-check PATH… --backend NAME`: a plan's dose computed again by a backend, and how far it agrees (docs/dose-check.md)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from reviewer.backends.density import SPACING_MM, density_map
from reviewer.backends.discovery import discover
from reviewer.backends.dose_check import Check, Question, ask, normalised
from reviewer.case import Case, Dose, Plan, StructureSet
from reviewer.cli import printable
from reviewer.cli.commands.dvh import METRICS, chosen_set, named, numbered
from reviewer.cli.inputs import add_input_arguments, load
from reviewer.cli.output import Progress, number, print_json, print_table
from reviewer.dicom.write.dose import write_dose
from reviewer.dosimetry.criteria import Criteria
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.gamma import Gamma, gamma
from reviewer.dosimetry.metrics import Basis, Metric
from reviewer.errors import InputError, NotRegisteredError
from reviewer.session import newest_dose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    place = "place in the list of `reviewer info`, from 0"
    parser.add_argument("--backend", required=True, metavar="NAME", help="a dose backend of `reviewer backends`")
    parser.add_argument("--plan", type=int, metavar="N", help=f"{place} (default: the plan of --dose)")
    parser.add_argument(
        "--dose",
        type=int,
        metavar="N",
        help=f"the plan's own dose, to compare with: {place} (default: the newest plan's)",
    )
    parser.add_argument("--set", type=int, metavar="N", help=f"the anatomy: {place} (default: the set of the dose)")
    parser.add_argument(
        "--density", choices=("auto", "ct", "bulk"), default="auto", help="CT by HU, or by structure (default: auto)"
    )
    parser.add_argument(
        "--density-of", action="append", default=[], metavar="ROI=DENSITY", help="relative to water; repeatable"
    )
    parser.add_argument(
        "--grid-mm", type=float, default=SPACING_MM, metavar="MM", help=f"of the density (default: {SPACING_MM:g})"
    )
    parser.add_argument(
        "--isocentre", metavar="X,Y,Z", help="on this anatomy, in mm (default: the plan's, by registration)"
    )
    parser.add_argument("--normalise", metavar="ROI", help="scale to the planned mean dose of this structure")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="a setting of the backend")
    parser.add_argument(
        "--dose-percent", type=float, default=3.0, metavar="PERCENT", help="of the gamma index (default: 3)"
    )
    parser.add_argument("--distance-mm", type=float, default=3.0, metavar="MM", help="of the gamma index (default: 3)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the dose as RTDOSE")


def run(arguments: argparse.Namespace) -> int:
    backend = discover().get("dose", arguments.backend)
    settings = dict(_pair(text, "--option") for text in arguments.option)
    opening = load(arguments)
    opening.read_voxels(lambda image_id: None)
    case = opening.case
    if not case.plans:
        raise InputError("the input holds no plan", remedy="add the RTPLAN to PATH")
    planned = _planned(case, arguments)
    plan = _plan(case, arguments, planned)
    group = _group(case, arguments, plan, planned)
    overrides = []
    for text in arguments.density_of:
        roi, value = _pair(text, "--density-of")
        overrides.append((named(group.structures, [roi])[0].id, _number(value, "--density-of")))
    density = density_map(case, group, arguments.density, overrides, arguments.grid_mm)
    isocentre = None
    if arguments.isocentre is not None:
        parts = [_number(part, "--isocentre") for part in arguments.isocentre.split(",")]
        if len(parts) != 3:
            raise InputError("give three numbers, X,Y,Z", where="--isocentre")
        isocentre = (parts[0], parts[1], parts[2])
    with Progress() as progress:
        check = ask(backend, Question(case, plan, group, density, planned, isocentre), settings, progress)
    if arguments.normalise is not None:
        if planned is None:
            raise InputError("--normalise needs the plan's own dose")
        target = named(group.structures, [arguments.normalise])[0]
        to_planned = case.transform(target.grid.frame_of_reference_uid, planned.grid.frame_of_reference_uid)
        check = normalised(check, planned, target, to_planned)
    found, why_not = None, "there is no dose of the plan to compare with"
    if planned is not None:
        try:
            matrix = case.transform(planned.grid.frame_of_reference_uid, check.dose.grid.frame_of_reference_uid)
            criteria = Criteria(arguments.dose_percent, arguments.distance_mm)
            found, why_not = gamma(planned, check.dose, criteria, matrix), ""
        except NotRegisteredError as error:
            why_not = str(error)
    checked = replace(case, doses=(*case.doses, check.dose))
    if arguments.output is not None:
        write_dose(check.dose, checked, arguments.output)
    document = _document(checked, check, plan, group, planned, found, why_not)
    if arguments.json:
        print_json(document)
    else:
        _print(document, check)
    return 0


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"{text!r} is no NAME=VALUE", where=option)
    return name.strip(), value.strip()


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{text!r} is no number", where=option) from None


def _planned(case: Case, arguments: argparse.Namespace) -> Dose | None:
    if arguments.dose is not None:
        return numbered(case.doses, arguments.dose, "--dose", "dose")
    if arguments.plan is not None:
        plan = numbered(case.plans, arguments.plan, "--plan", "plan")
        return next((d for d in case.doses if d.plan_id == plan.id), None)
    return newest_dose(case)


def _plan(case: Case, arguments: argparse.Namespace, planned: Dose | None) -> Plan:
    if arguments.plan is not None:
        return numbered(case.plans, arguments.plan, "--plan", "plan")
    plan = case.plan(planned.plan_id) if planned is not None else None
    if plan is None and len(case.plans) > 1:
        listed = ", ".join(f"{n} ({p.label})" for n, p in enumerate(case.plans))
        raise InputError("there are several plans", remedy=f"choose one with --plan: {listed}")
    return plan or case.plans[0]


def _group(case: Case, arguments: argparse.Namespace, plan: Plan, planned: Dose | None) -> StructureSet:
    if arguments.set is None and planned is None:
        group = case.structure_set(plan.structure_set_id)
        if group is None:
            raise InputError("the plan names no structure set that is there", remedy="choose one with --set")
        return group
    if planned is not None:
        return chosen_set(case, planned, arguments.set)
    return numbered(case.structure_sets, arguments.set, "--set", "structure set")


def _document(
    case: Case, check: Check, plan: Plan, group: StructureSet, planned: Dose | None, found: Gamma | None, why_not: str
) -> dict[str, Any]:
    origin = check.provenance
    return {
        "backend": {
            "name": origin.backend,
            "title": origin.title,
            "version": origin.version,
            "licence": origin.licence,
            "magnetic_field": origin.magnetic_field,
            "data_sha256": origin.data_sha256,
            "job_sha256": origin.job_sha256,
            "settings": dict(origin.settings),
            "grid": origin.grid,
            "uncertainty": origin.uncertainty,
            "wall_s": origin.wall_s,
            "statements": list(check.statements),
        },
        "plan": {"label": plan.label, "uid": plan.id, "fractions": plan.fractions},
        "structure_set": {"label": group.label, "uid": group.id},
        "planned": {"label": planned.label, "uid": planned.id} if planned is not None else None,
        "gamma": {
            "dose_percent": found.criteria.dose_percent,
            "distance_mm": found.criteria.distance_mm,
            "cutoff_percent": found.criteria.cutoff_percent,
            "local": found.criteria.local,
            "pass_percent": found.pass_percent,
            "points": found.points,
            "unknown_points": found.unknown,
            "mean_gamma": found.mean,
        }
        if found is not None
        else {"reason": why_not},
        "metrics": [
            {
                "structure": structure.name,
                "checked": _metrics(case, structure.id, check.dose, plan),
                "planned": _metrics(case, structure.id, planned, plan),
            }
            for structure in group.structures
            if not structure.empty
        ],
    }


def _metrics(case: Case, structure_id: str, dose: Dose | None, plan: Plan) -> dict[str, float | None] | None:
    structure = case.structure(structure_id)
    if dose is None or structure is None:
        return None
    try:
        to_dose = case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return None
    curve = dvh(structure, dose, to_dose)
    basis = Basis(plan.prescribed_gy, plan.fractions, None, dose.type == "PHYSICAL")
    return {text: Metric.parse(text).of(curve, basis=basis) for text in METRICS}


def _print(document: dict[str, Any], check: Check) -> None:
    backend, compared = document["backend"], document["gamma"]
    print(
        printable(f"{document['plan']['label']} by {backend['title']} {backend['version']}, {backend['wall_s']:.1f} s")
    )
    for statement in check.statements:
        print(printable(f"  - {statement}"))
    if "reason" in compared:
        print(printable(f"Gamma: not evaluated: {compared['reason']}"))
    else:
        print(
            printable(
                f"Gamma against {document['planned']['label']}: {number(compared['pass_percent'], 1)} % of {compared['points']} points "
                f"pass {compared['dose_percent']:g} %/{compared['distance_mm']:g} mm, mean {number(compared['mean_gamma'], 2)}"
            )
        )
    rows = [
        [
            row["structure"],
            *(f"{number(row['checked'][m], 2)} ({number((row['planned'] or {}).get(m), 2)})" for m in METRICS),
        ]
        for row in document["metrics"]
        if row["checked"] is not None
    ]
    print_table("Checked (planned)", ["name", *METRICS], rows, right=METRICS)
