"""`reviewer report PATH… -o OUT.pdf`: a review on paper (docs/signing.md)."""

from __future__ import annotations

import argparse
from pathlib import Path

from reviewer.backends.discovery import discover
from reviewer.cli.commands.gating import followed, likeliest
from reviewer.cli.inputs import add_input_arguments, load
from reviewer.cli.output import Progress, print_json, say
from reviewer.dosimetry.sheets import Sheet, all_sheets, load_sheet
from reviewer.errors import InputError
from reviewer.gating.trace import Trace
from reviewer.report.contents import gather
from reviewer.report.write import check, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="a file that ends in .pdf, .html or .csv"
    )
    parser.add_argument(
        "--sheet",
        metavar="NAME",
        help="a sheet of `reviewer sheets`, or the path of one's own (default: for the number of fractions)",
    )
    parser.add_argument(
        "--gating",
        action="append",
        metavar="BACKEND",
        help="track the likeliest target through the first cine, with this backend (repeatable), and report it",
    )
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="of a PDF (default: a4)")


def run(arguments: argparse.Namespace) -> int:
    check(arguments.output)
    sheet = _sheet(arguments.sheet) if arguments.sheet else None
    backends = [discover().get("gating", name) for name in dict.fromkeys(arguments.gating or ())]
    opening = load(arguments)
    if backends and not opening.case.doses:
        raise InputError(
            "a report needs a dose, and there is none",
            remedy="a gating review alone is written by `reviewer gating --csv FILE` or `--json`",
        )
    problems = opening.read_voxels(lambda image_id: None)
    traces: list[Trace] = []
    if backends:
        if not opening.case.cines:
            raise InputError("the input holds no cine", where="--gating")
        cine = opening.case.cines[0]
        traces = followed(cine, likeliest(opening.case, cine), backends)
    with Progress() as progress:
        report = gather(opening.case, sheet=sheet, workspace=opening.workspace, gating=traces, progress=progress)
        progress(0.8, "Writing")
        write(report, arguments.output, arguments.paper)
    for problem in problems:
        say(f"{problem.file}: {problem.message}")
    for doubt in report.doubts:
        say(doubt)
    if arguments.json:
        print_json(
            {
                "file": arguments.output,
                "sheet": report.comparison.sheet.id,
                "plans": list(report.labels),
                "signatures": len(report.sign_offs),
                "doubts": list(report.doubts),
                "head": report.head,
            }
        )
    return 0


def _sheet(name: str) -> Sheet:
    path = Path(name)
    return load_sheet(path) if path.suffix.lower() in (".yaml", ".yml") else all_sheets().get(name)
