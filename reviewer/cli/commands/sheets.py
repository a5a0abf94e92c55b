"""`reviewer sheets`: goal sheets that are there; with --check, whether a new one is good (docs/goals.md)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from reviewer.cli import printable
from reviewer.cli.output import print_json, print_table, say
from reviewer.dosimetry.sheets import Sheet, Sheets, all_sheets, load_sheet, user_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="read this sheet and show it, or tell what is wrong with it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def run(arguments: argparse.Namespace) -> int:
    if arguments.check is not None:
        found = Sheets((load_sheet(arguments.check),), ())
    else:
        found = all_sheets()
    sheets, errors = found.sheets, found.errors
    for error in errors:
        say(f"a sheet was left out: {error}")
    if arguments.json:
        print_json(
            {"folder": user_folder(), "sheets": [_document(s) for s in sheets], "errors": [str(e) for e in errors]}
        )
        return 0
    rows = [[s.id, s.name, str(s.fractions or "any"), str(len(s.goals)), s.source] for s in sheets]
    print_table("Goal sheets", ["id", "name", "fractions", "goals", "source"], rows, right=["fractions", "goals"])
    if arguments.check is not None:
        lines = [
            [" and ".join(" or ".join(n) for n in g.structures), str(g.metric), str(g.limit)] for g in sheets[0].goals
        ]
        print_table("Goals", ["structures", "goal", "limit"], lines)
    else:
        print()
        print(printable(f"Your own sheets: {user_folder()}"))
    return 0


def _document(sheet: Sheet) -> dict[str, Any]:
    return {
        "id": sheet.id,
        "name": sheet.name,
        "source": sheet.source,
        "fractions": sheet.fractions,
        "file": sheet.file,
        "own": sheet.own,
        "goals": [
            {
                "structures": [list(names) for names in g.structures],
                "metric": str(g.metric),
                "comparison": g.limit.sign,
                "limit": g.limit.value,
                "acceptable": g.acceptable.value if g.acceptable else None,
                "unit": g.limit.unit,
                "priority": g.priority,
                "dose": g.dose,
                "source": g.source,
                "unverified": g.unverified,
            }
            for g in sheet.goals
        ],
    }
