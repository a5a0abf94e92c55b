"""`reviewer export PATH… -o DIR`: structures as RTSTRUCT, and on demand as DICOM SEG and NIfTI label maps."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from reviewer.case import Case, StructureSet
from reviewer.cli.commands.dvh import named, numbered
from reviewer.cli.inputs import add_input_arguments, load
from reviewer.cli.output import Progress, number, print_json, print_table, say
from reviewer.errors import InputError
from reviewer.export import Formats, export
from reviewer.geometry.volume import volume_cc


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.epilog = (
        "Contours that nobody changed are written byte for byte as they came. No file is ever written over. "
        "See docs/export.md for what else is taken over from the source, and for the limits of --anonymise."
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="folder to write into")
    parser.add_argument(
        "-s", "--structures", action="extend", nargs="+", metavar="NAME",
        help="only these, upper or lower case alike; the default is all of each set",
    )  # fmt: skip
    parser.add_argument(
        "--set", type=int, metavar="N", help="position in the list of structure sets of `reviewer info`, from 0 (default: all)"
    )  # fmt: skip
    parser.add_argument("--seg", action="store_true", help="also a DICOM SEG on the slices of the image")
    parser.add_argument(
        "--fractional", action="store_true", help="the SEG holds the filled part of each voxel, not yes or no"
    )
    parser.add_argument(
        "--nifti", action="store_true", help="also NIfTI label maps on the voxels of the image, one each"
    )
    parser.add_argument(
        "--merged",
        action="store_true",
        help="one label map for all; where structures overlap, the smaller has the voxel",
    )
    parser.add_argument(
        "--anonymise",
        action="store_true",
        help="write images, structures, doses and registrations without the patient's identity (PS3.15 basic profile)",
    )


def run(arguments: argparse.Namespace) -> int:
    formats = Formats(
        seg=arguments.seg or arguments.fractional,
        fractional=arguments.fractional,
        nifti=arguments.nifti or arguments.merged,
        merged=arguments.merged,
        anonymise=arguments.anonymise,
    )
    opening = load(arguments)
    if formats.anonymise:
        with Progress() as progress:
            progress(0.0, "Reading images")
            opening.read_voxels(lambda image_id: None)
    case = opening.case
    sets = _sets(case, arguments)
    with Progress() as progress:
        done = export(case, sets, arguments.output, formats, progress=progress)
    for remark in done.remarks:
        say(remark)
    document = _document(sets, done.files, done.remarks)
    if arguments.json:
        print_json(document)
        return 0
    rows = [
        [s["name"], number(s["volume_cc"], 2), g["label"]] for g in document["structure_sets"] for s in g["structures"]
    ]
    print_table("Structures", ["name", "volume (cc)", "set"], rows, ["volume (cc)"])
    print(f"\n{len(done.files)} files written")
    for place in dict.fromkeys(f.path if f.kind != "DICOM" else arguments.output / "anonymous" for f in done.files):
        print(f"  {place}")
    return 0


def _document(sets: list[StructureSet], files: Any, remarks: Any) -> dict[str, Any]:
    return {
        "files": [
            {"path": f.path, "kind": f.kind, "structure_set": f.label, "structures": list(f.structures)} for f in files
        ],
        "structure_sets": [
            {
                "label": g.label,
                "uid": g.id,
                "structures": [
                    {"name": s.name, "type": s.type, "volume_cc": volume_cc(s), "planes": len(s.planes)}
                    for s in g.structures
                ],
            }
            for g in sets
        ],
        "remarks": list(remarks),
    }


def _sets(case: Case, arguments: argparse.Namespace) -> list[StructureSet]:
    """The sets asked for, with the structures asked for; sets that hold none of them are left out."""
    sets = list(case.structure_sets)
    if not sets:
        raise InputError("the input holds no structures", remedy="add the RTSTRUCT to PATH")
    if arguments.set is not None:
        sets = [numbered(sets, arguments.set, "--set", "structure set")]
    if not arguments.structures:
        return sets
    asked = {s.id for s in named([s for g in sets for s in g.structures], arguments.structures)}
    chosen = [replace(g, structures=tuple(s for s in g.structures if s.id in asked)) for g in sets]
    return [g for g in chosen if g.structures]
