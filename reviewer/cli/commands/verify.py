"""`reviewer verify X.reviewer`: is the log as it was written, are the source files still the same."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reviewer.approval.content import differences, sheet_difference
from reviewer.approval.trail import Signature, SignOff, sign_offs
from reviewer.case import Case
from reviewer.cli import printable
from reviewer.cli.output import Progress, print_json
from reviewer.dosimetry.sheets import all_sheets
from reviewer.errors import ReviewerError
from reviewer.opening import begin
from reviewer.store import Workspace, digests, first_break, located


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="X.reviewer", help="a workspace; it is only read")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")


def run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.path
    workspace = Workspace.open(path, hold=False)
    broken = first_break(workspace.entries, workspace.id)
    whole = list(workspace.told)
    found = located(workspace.sources, path.absolute().parent)
    with Progress() as progress:
        computed = digests(workspace.sources, path.absolute().parent, progress)
    changed = [*found.problems, *workspace.sources_read(computed)]
    document: dict[str, Any] = {
        "workspace": str(path),
        "entries": len(workspace.entries),
        "head": workspace.head.hex(),
        "chain_holds": broken is None and not whole,
        "broken": {"entry": broken[0], "reason": broken[1]} if broken else None,
        "remarks": whole,
        "put_aside": sum(entry.kind == "aside" for entry in workspace.entries),
        "sources": len(workspace.sources),
        "sources_changed": [{"file": p.file, "message": p.message} for p in changed],
    }
    signed = sign_offs(workspace.entries[: broken[0] - 1] if broken else workspace.entries)
    document["signatures"] = [_sign_off(each) for each in signed]
    document["doubts"] = _doubts(path, signed)
    document["holds"] = document["chain_holds"] and not changed and not document["doubts"]
    if arguments.json:
        print_json(document)
    else:
        _print(document)
        for each in signed:
            print(printable(_line(each)))
        for doubt in document["doubts"]:
            print(printable(f"  {doubt}"))
    return 0 if document["holds"] else 1


def _doubts(path: Path, signed: Sequence[SignOff]) -> list[str]:
    """What keeps a signature that was not taken back from standing for what the files and the log amount to now."""
    stand = [each for each in signed if each.reopened is None]
    if not stand:
        return []
    try:
        case: Case = begin([path]).case
        sheets = all_sheets()
        found = [sentence for each in stand for sentence in differences(each.content, case)]
        return [*found, *(sentence for each in stand if (sentence := sheet_difference(each.content, sheets)))]
    except (KeyError, TypeError, AttributeError):
        return ["what was signed cannot be read"]
    except ReviewerError as error:
        return [f"what was signed cannot be compared: {error}"]


def _sign_off(each: SignOff) -> dict[str, Any]:
    return {
        "entry": each.number,
        "verdict": each.verdict,
        "first": asdict(each.first),
        "second": asdict(each.second) if each.second else None,
        "reopened": asdict(each.reopened) if each.reopened else None,
        "version": each.version,
    }


def _line(each: SignOff) -> str:
    def by(signature: Signature) -> str:
        return f"{signature.name} ({signature.role}), {signature.at}"

    second = f", second {by(each.second)}" if each.second else ""
    void = f"; void: opened again by {by(each.reopened)}: {each.reopened.statement}" if each.reopened else ""
    return f"{each.verdict.capitalize()} by {by(each.first)}{second}{void}"


def _print(document: dict[str, Any]) -> None:
    if document["chain_holds"]:
        print(f"The log holds: {document['entries']} entries, the last with hash {document['head'][:16]}…")
    elif document["broken"]:
        print(f"The log does not hold: {printable(document['broken']['reason'])}")
    for remark in document["remarks"]:
        print(printable(f"{remark[:1].upper()}{remark[1:]}"))
    if document["put_aside"]:
        print(f"Damaged entries were put aside {document['put_aside']} times; the log says when")
    print(f"{document['sources']} source files, {len(document['sources_changed']) or 'none'} missing or changed")
    for problem in document["sources_changed"]:
        print(f"  {printable(problem['file'])}: {printable(problem['message'])}")
