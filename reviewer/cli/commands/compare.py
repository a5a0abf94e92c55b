"""`reviewer compare A… --with B…`: how far the structures of two inputs agree (docs/comparison.md)."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Case, Structure
from reviewer.cli.inputs import load_case
from reviewer.cli.output import number, print_json, print_table, say
from reviewer.cli.paths import existing, path
from reviewer.comparison import PATH_TOLERANCE_MM, TOLERANCES_MM, Comparison, compare, matched, same_name
from reviewer.errors import InputError, NotRegisteredError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=path, metavar="A", help="the reference: files or folders")
    parser.add_argument(
        "--with", dest="others", nargs="+", type=path, metavar="B", required=True, help="what is compared with it"
    )
    parser.add_argument(
        "-s", "--structure", action="append", metavar="ROI", help="name, upper or lower case; repeatable (default: all)"
    )
    parser.add_argument(
        "--tolerance",
        action="append",
        type=float,
        metavar="MM",
        help="a further tolerance of the surface Dice, besides "
        f"{', '.join(f'{mm:g}' for mm in TOLERANCES_MM)} mm; repeatable",
    )
    parser.add_argument(
        "--set", type=int, metavar="N", help="only this structure set of A, from 0 as in `reviewer info` (default: all)"
    )
    parser.add_argument("--with-set", type=int, metavar="N", help="only this structure set of B")
    parser.add_argument(
        "--same-frame",
        action="store_true",
        help="take the coordinates of A and B for the same, where the files do not say so (NIfTI label maps)",
    )
    parser.add_argument("--patient", metavar="ID", help="which patient, where an input holds several")
    parser.add_argument("--study", action="append", metavar="UID", help="only this study; can be given more than once")
    parser.add_argument("--slices", action="store_true", help="with --json: the measures of each plane too")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def run(arguments: argparse.Namespace) -> int:
    if arguments.slices and not arguments.json:
        raise InputError("--slices needs --json")
    tolerances = sorted({*TOLERANCES_MM, *(arguments.tolerance or ())})
    if not all(math.isfinite(mm) and mm >= 0 for mm in tolerances):
        raise InputError("a tolerance is a length in mm, 0 or more", where="--tolerance")
    one = _case(arguments, arguments.paths)
    other = _case(arguments, arguments.others)
    a = _structures(one, arguments.set, "--set")
    b = _structures(other, arguments.with_set, "--with-set")
    pairs, unmatched = _matched(a, b, arguments.structure)
    for each in unmatched:
        say(f"{each['name']!r} was not compared: {each['reason']}")
    if not pairs:
        raise InputError(
            "no structure of A has a namesake in B",
            remedy=f"A has {_listed(a)}; B has {_listed(b)}",
        )
    # A registration may come with either input.
    ties = Case(registrations=one.registrations + other.registrations)
    structures = []
    for p, q in pairs:
        to_b = np.eye(4) if arguments.same_frame else _tie(ties, p, q)
        structures.append(_document(p, q, compare(p, q, to_b, tolerances), arguments.slices))
    if arguments.json:
        document = {"path_tolerance_mm": PATH_TOLERANCE_MM, "structures": structures, "unmatched": unmatched}
        print_json(document)
    else:
        _print(structures)
    return 0


def _case(arguments: argparse.Namespace, paths: Sequence[Path]) -> Case:
    return load_case(argparse.Namespace(**{**vars(arguments), "paths": existing(paths), "demo": False}))


def _structures(case: Case, index: int | None, option: str) -> list[Structure]:
    """Those of one set, or of all sets if no name occurs in two of them."""
    sets = case.structure_sets
    if not sets:
        raise InputError("the input holds no structures", where="A" if option == "--set" else "B")
    if index is not None:
        if not 0 <= index < len(sets):
            raise InputError(
                f"there is no structure set {index}", where=option, remedy=f"there are 0 to {len(sets) - 1}"
            )
        return list(sets[index].structures)
    seen: dict[str, str] = {}
    for group in sets:
        for structure in group.structures:
            if seen.setdefault(same_name(structure.name), group.id) != group.id:
                listed = ", ".join(f"{n} ({g.label})" for n, g in enumerate(sets))
                raise InputError(
                    f"{structure.name!r} is in more than one structure set", remedy=f"choose with {option}: {listed}"
                )
    return [s for group in sets for s in group.structures]


def _matched(
    a: Sequence[Structure], b: Sequence[Structure], names: Sequence[str] | None
) -> tuple[list[tuple[Structure, Structure]], list[dict[str, str]]]:
    """Pairs with the same name, and who has none: {name, in, reason}."""
    if names:
        wanted = {same_name(name) for name in names}
        for name in names:
            if not any(same_name(s.name) == same_name(name) for s in (*a, *b)):
                raise InputError(f"no structure is called {name!r}", remedy=f"A has {_listed(a)}; B has {_listed(b)}")
        a = [s for s in a if same_name(s.name) in wanted]
        b = [s for s in b if same_name(s.name) in wanted]
    pairs, left = matched(a, b)
    unmatched = [{"name": each.structure.name, "in": each.side, "reason": each.reason} for each in left]
    return pairs, unmatched


def _listed(structures: Sequence[Structure]) -> str:
    return ", ".join(s.name for s in structures) or "none"


def _tie(ties: Case, a: Structure, b: Structure) -> NDArray[np.float64]:
    try:
        return ties.transform(a.grid.frame_of_reference_uid, b.grid.frame_of_reference_uid)
    except NotRegisteredError as error:
        raise NotRegisteredError(
            "A and B lie in frames of reference that are not registered",
            where=a.name,
            remedy="add the registration (REG) that ties them to A or B, or say --same-frame if the coordinates are the same",
        ) from error


def _document(a: Structure, b: Structure, found: Comparison, slices: bool) -> dict[str, Any]:
    shift = found.centroid_shift_mm
    document: dict[str, Any] = {
        "name": a.name,
        "dice": found.dice,
        "hausdorff_mm": found.hausdorff_mm,
        "hd95_mm": found.hd95_mm,
        "mean_surface_distance_mm": found.mean_surface_distance_mm,
        "surface_dice": {f"{mm:g}": part for mm, part in found.surface_dice.items()},
        "added_path_length_mm": found.added_path_length_mm,
        "volume_cc": found.volume_cc,
        "centroid_shift_mm": None if shift is None else float(np.linalg.norm(shift)),
        "centroid_shift_lps_mm": shift,
        "empty": [name for name, s in (("A", a), ("B", b)) if s.empty],
    }
    if slices:
        document["slices"] = [vars(s) for s in found.slices]
    return document


def _print(structures: Sequence[dict[str, Any]]) -> None:
    tolerances = list(structures[0]["surface_dice"])
    headings = ["name", "A (cc)", "B (cc)", "Dice", "mean (mm)", "HD95 (mm)", "HD (mm)"]
    headings += [*(f"surface Dice {mm} mm" for mm in tolerances), "added path (mm)", "centroid (mm)"]
    rows = [
        [
            s["name"],
            *(number(cc, 2) for cc in s["volume_cc"]),
            number(s["dice"], 3),
            number(s["mean_surface_distance_mm"], 2),
            number(s["hd95_mm"], 2),
            number(s["hausdorff_mm"], 2),
            *(number(s["surface_dice"][mm], 3) for mm in tolerances),
            number(s["added_path_length_mm"], 0),
            number(s["centroid_shift_mm"], 2),
        ]
        for s in structures
    ]
    print_table("B against the reference A", headings, rows, right=headings[1:])
