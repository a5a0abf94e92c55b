"""`reviewer derive PATH… "NAME = FORMULA"…`: structures made by formulas, with their volumes, and as an RTSTRUCT."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from reviewer.case import Case, StructureSet
from reviewer.cli.commands.dvh import numbered
from reviewer.cli.inputs import add_input_arguments, load_case
from reviewer.cli.output import number, print_json, print_table, say
from reviewer.dicom.write import fresh_uid, write_structure_set
from reviewer.edit import Swap, swapped
from reviewer.errors import InputError
from reviewer.files import refuse_existing
from reviewer.formula.derivations import Derived, derive
from reviewer.formula.grammar import FUNCTIONS, FormulaError, mentions, parse, split_assignment
from reviewer.geometry.volume import volume_cc
from reviewer.session import first_view

TYPES = ("GTV", "CTV", "PTV")
"""RT ROI interpreted types that a name beginning like them stands for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.epilog = (
        'A formula is given as "NAME = FORMULA" among the paths and may use names made before it. Operators: | union, & intersection, '
        "- difference, ^ symmetric difference, + 5 mm and - 3 mm margins; functions: " + "; ".join(FUNCTIONS.values())
    )
    parser.add_argument(
        "--set",
        type=int,
        metavar="N",
        help="position in the list of structure sets of `reviewer info`, from 0 (default: the one that the window opens with)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="RS.dcm", help="write the set with the new structures; never over an existing file"
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    # os.path, because a formula may well be longer than any file's name, at which Path.exists raises.
    formulas = [str(p) for p in arguments.paths if "=" in str(p) and not os.path.exists(p)]
    arguments.paths = [p for p in arguments.paths if str(p) not in formulas]
    if not formulas:
        raise InputError("no formula is given", remedy='add for example "PTV = GTV + 5 mm"')
    assignments = [split_assignment(text) for text in formulas]
    _check_order(assignments)  # a slip of the pen is told before a large case is read
    if arguments.output is not None:
        refuse_existing([arguments.output])
    case = load_case(arguments)
    group = _structure_set(case, arguments.set, [text for _, text in assignments])
    made: list[Derived] = []
    for name, text in assignments:
        kind = next((t for t in TYPES if name.upper().startswith(t)), "")
        derived = derive(case, group, name, text, kind)
        made.append(derived)
        case = swapped(case, [Swap(group.id, None, derived.structure)])
        group = case.structure_set(group.id) or group
    document: dict[str, Any] = {
        "structure_set": {"label": group.label, "uid": group.id},
        "structures": [_structure(d) for d in made],
        "output": None,
    }
    if arguments.output is not None:
        document["output"] = str(
            write_structure_set(
                group, case, arguments.output, instance_uid=fresh_uid(), made=datetime.now(), report=say
            )
        )
    for derived in made:
        for warning in derived.warnings:
            say(f"{derived.structure.name}: {warning}")
    if arguments.json:
        print_json(document)
    else:
        rows = [[s["name"], number(s["volume_cc"], 2), str(s["planes"]), s["formula"]] for s in document["structures"]]
        print_table("Derived structures", ["name", "volume (cc)", "planes", "formula"], rows, ["volume (cc)", "planes"])
        if document["output"]:
            print(f"\nwritten to {document['output']}")
    return 0


def _check_order(assignments: list[tuple[str, str]]) -> None:
    """Raises FormulaError for what cannot be read, and for a name that only a later formula makes."""
    names = [name for name, _ in assignments]
    for n, (_, text) in enumerate(assignments):
        for mention in mentions(parse(text)):
            if mention.name in names[n + 1 :]:
                remedy = "give its formula first; formulas that need each other go round in a circle and have no answer"
                raise FormulaError(f"“{mention.name}” is made only later", text, mention.span, remedy=remedy)


def _structure(derived: Derived) -> dict[str, Any]:
    structure = derived.structure
    return {
        "name": structure.name,
        "formula": structure.formula,
        "volume_cc": volume_cc(structure),
        "planes": len(structure.planes),
        "type": structure.type,
        "warnings": list(derived.warnings),
    }


def _structure_set(case: Case, index: int | None, texts: list[str]) -> StructureSet:
    sets = case.structure_sets
    if not sets:
        raise InputError("the input holds no structures", remedy="add the RTSTRUCT to PATH")
    if index is not None:
        return numbered(sets, index, "--set", "structure set")
    first = case.structure_set(first_view(case).structure_set) or sets[0]
    wanted = {mention.name for text in texts for mention in mentions(parse(text))}
    # Where only another set knows the names, that one is meant; two that do would leave a choice to chance.
    known = [g for g in sets if wanted & {s.name for s in g.structures}]
    return known[0] if len(known) == 1 else first
