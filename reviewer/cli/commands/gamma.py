"""`reviewer gamma PATH… --reference N --evaluated N`: how far two doses agree."""

from __future__ import annotations

import argparse

from reviewer.cli import printable
from reviewer.cli.commands.dvh import numbered
from reviewer.cli.inputs import add_input_arguments, load_case
from reviewer.cli.output import Progress, print_json
from reviewer.dosimetry.criteria import Criteria
from reviewer.dosimetry.gamma import gamma
from reviewer.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    place = "place in the list of doses of `reviewer info`, from 0"
    parser.add_argument(
        "--reference", type=int, required=True, metavar="N", help=f"the dose that is asked in its voxels: {place}"
    )
    parser.add_argument(
        "--evaluated", type=int, required=True, metavar="N", help=f"the dose that is compared with it: {place}"
    )
    parser.add_argument(
        "--dose-percent", type=float, default=3.0, metavar="PERCENT", help="dose difference (default: 3)"
    )
    parser.add_argument(
        "--distance-mm", type=float, default=2.0, metavar="MM", help="distance to agreement (default: 2)"
    )
    parser.add_argument(
        "--cutoff-percent",
        type=float,
        default=10.0,
        metavar="PERCENT",
        help="leave out where the reference is below this part of its maximum (default: 10)",
    )
    parser.add_argument(
        "--local", action="store_true", help="the difference in %% of the dose in the point, not of the maximum"
    )
    parser.add_argument("--at-least", type=float, metavar="PERCENT", help="exit with 1 when fewer points pass")


def run(arguments: argparse.Namespace) -> int:
    criteria = Criteria(arguments.dose_percent, arguments.distance_mm, arguments.cutoff_percent, arguments.local)
    if arguments.at_least is not None and not 0 <= arguments.at_least <= 100:
        raise InputError("give 0 to 100 %", where="--at-least")
    case = load_case(arguments)
    reference = numbered(case.doses, arguments.reference, "--reference", "dose")
    evaluated = numbered(case.doses, arguments.evaluated, "--evaluated", "dose")
    matrix = case.transform(reference.grid.frame_of_reference_uid, evaluated.grid.frame_of_reference_uid)

    with Progress() as progress:

        def told(part: float) -> bool:
            progress(part, "gamma")
            return False

        found = gamma(reference, evaluated, criteria, matrix, told)
    if found.pass_percent is None:
        raise InputError(
            "the two doses have no point in common above the cut-off",
            remedy="choose doses of the same part of the patient",
        )
    holds = arguments.at_least is None or found.pass_percent >= arguments.at_least
    if arguments.json:
        print_json(
            {
                "reference": {"index": arguments.reference, "label": reference.label, "uid": reference.id},
                "evaluated": {"index": arguments.evaluated, "label": evaluated.label, "uid": evaluated.id},
                "criteria": {
                    "dose_percent": criteria.dose_percent,
                    "distance_mm": criteria.distance_mm,
                    "cutoff_percent": criteria.cutoff_percent,
                    "local": criteria.local,
                },
                "pass_percent": found.pass_percent,
                "points": found.points,
                "unknown_points": found.unknown,
                "mean_gamma": found.mean,
                "holds": holds,
            }
        )
    else:
        print(printable(f"{evaluated.label} against {reference.label}, {criteria}"))
        print(found.summary)
    return 0 if holds else 1
