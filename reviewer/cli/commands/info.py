"""`reviewer info PATH…`: what the case holds, and what was wrong with its files."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from reviewer.case import Beam, Case, Cine, Dose, Image, Plan, Registration, Structure, StructureSet
from reviewer.cli import printable
from reviewer.cli.inputs import add_input_arguments, load_case
from reviewer.cli.output import number, print_json, print_table
from reviewer.geometry.grid import Grid
from reviewer.geometry.volume import volume_cc
from reviewer.session import structure_set_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    document = describe(load_case(arguments))
    if arguments.json:
        print_json(document)
    else:
        _print(document)
    return 0


def describe(case: Case) -> dict[str, Any]:
    """The case as one JSON document. Lengths in mm, volumes in cc, doses in Gy; positions along a grid's own normal."""
    with (
        ThreadPoolExecutor() as pool
    ):  # each volume is the work of a moment, and much of it runs compiled, without the interpreter
        volumes = dict(zip(case.structures, pool.map(volume_cc, case.structures), strict=True))
    return {
        "patient": {
            "name": case.patient.name,
            "id": case.patient.id,
            "sex": case.patient.sex,
            "birth_date": case.patient.birth_date,
            "age": case.patient.age,
        },
        "images": [_image(i) for i in case.images],
        "structure_sets": [_structure_set(case, g, n) for n, g in enumerate(case.structure_sets)],
        "structures": [
            _structure(s, volumes[s], n) for n, group in enumerate(case.structure_sets) for s in group.structures
        ],
        "doses": [_dose(case, d, n) for n, d in enumerate(case.doses)],
        "plans": [_plan(p) for p in case.plans],
        "registrations": [_registration(r) for r in case.registrations],
        "cines": [_cine(c) for c in case.cines],
        "problems": [{"file": p.file, "severity": p.severity, "message": p.message} for p in case.problems],
    }


def _grid(grid: Grid) -> dict[str, Any]:
    """Of a uniform and of an uneven stack; spacing along z is the median, `plane_positions_mm` are exact: projections on the normal."""
    return {
        "shape_zyx": grid.shape_zyx,
        "spacing_mm": grid.spacing_mm,
        "plane_positions_mm": grid.positions_mm,
        "normal": grid.axes[2],
        "first_voxel_mm": grid.point_of_index_mm([0, 0, 0]),
        "frame_of_reference_uid": grid.frame_of_reference_uid,
        "uniform": grid.uniform,
    }


def _image(image: Image) -> dict[str, Any]:
    return {
        "modality": image.modality,
        "description": image.description,
        "series_uid": image.id,
        **_grid(image.grid),
        "patient_position": image.patient_position,
        "study_uid": image.study_uid,
        "date": image.date,
        "field_strength_t": image.field_strength_t,
        "unit": image.unit,
    }


def _structure_set(case: Case, group: StructureSet, index: int) -> dict[str, Any]:
    image = case.image(group.image_id)
    return {
        "index": index,
        "label": group.label,
        "uid": group.id,
        "image": (image.description or image.modality) if image else None,
        "series_uid": group.image_id,
        "frame_of_reference_uid": group.frame_of_reference_uid,
        "date": group.date,
        "approval": group.approval,
    }


def _structure(structure: Structure, cc: float, set_index: int) -> dict[str, Any]:
    return {
        "name": structure.name,
        "type": structure.type,
        "volume_cc": cc,
        "planes": len(structure.planes),
        "structure_set": set_index,
        "number": structure.number,
        "colour": structure.colour,
    }


def _dose(case: Case, dose: Dose, index: int) -> dict[str, Any]:
    plan, group = case.plan(dose.plan_id), structure_set_of(case, dose)
    return {
        "index": index,
        "label": dose.label,
        "uid": dose.id,
        "type": dose.type,
        "summation": dose.summation,
        **_grid(dose.grid),
        "max_gy": float(np.max(dose.gray)) if dose.gray.size else None,
        "plan": plan.label if plan else None,
        "structure_set": case.structure_sets.index(group) if group else None,
        "date": dose.date,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    metersets = [b.meterset for b in plan.beams if b.meterset is not None]
    return {
        "label": plan.label,
        "uid": plan.id,
        "date": plan.date,
        "approval": plan.approval,
        "fractions": plan.fractions,
        "prescribed_gy": plan.prescribed_gy,
        "prescriptions": [{"target": p.target, "dose_gy": p.dose_gy, "type": p.type} for p in plan.prescriptions],
        "beams": [_beam(b) for b in plan.beams],
        "meterset_mu": sum(metersets) if metersets else None,
        "structure_set_uid": plan.structure_set_id,
    }


def _beam(beam: Beam) -> dict[str, Any]:
    return {
        "number": beam.number,
        "name": beam.name,
        "type": beam.type,
        "radiation": beam.radiation,
        "energy_mv": beam.energy_mv,
        "machine": beam.machine,
        "isocentre_mm": beam.isocentre_mm,
        "meterset_mu": beam.meterset,
        "gantry_deg": sorted({c.gantry_deg for c in beam.control_points}),
        "control_points": len(beam.control_points),
    }


def _registration(registration: Registration) -> dict[str, Any]:
    return {
        "label": registration.label,
        "uid": registration.id,
        "moving_frame_uid": registration.moving_frame_uid,
        "fixed_frame_uid": registration.fixed_frame_uid,
        "matrix": registration.matrix,
        "date": registration.date,
    }


def _cine(cine: Cine) -> dict[str, Any]:
    times = cine.times_s
    return {
        "modality": cine.modality,
        "description": cine.description,
        "series_uid": cine.id,
        "frames": len(cine.frames),
        "seconds": float(times[-1] - times[0]) if len(times) else 0.0,
        "shape_yx": cine.grid.shape_zyx[1:],
        "spacing_mm": cine.grid.spacing_mm,
        "normal": cine.grid.axes[2],
        "frame_of_reference_uid": cine.grid.frame_of_reference_uid,
        "date": cine.date,
    }


# -- for people -----------------------------------------------------------------------------------------------------------


def _print(document: dict[str, Any]) -> None:
    frames = _letters(document)
    print(printable("  ".join(v for v in document["patient"].values() if v)) or "no patient")
    print_table(
        "Images",
        ["", "image", "voxels", "spacing (mm)", "planes (mm)", "position", "date", "frame"],
        [
            [
                i["modality"],
                i["description"],
                _size(i),
                _spacing(i),
                _planes(i),
                i["patient_position"],
                i["date"],
                _frame(i, frames),
            ]
            for i in document["images"]
        ],
    )
    print_table(
        "Structure sets",
        ["#", "label", "on", "date", "approval", "frame"],
        [
            [str(g["index"]), g["label"], g["image"] or "–", g["date"], g["approval"], _frame(g, frames)]
            for g in document["structure_sets"]
        ],
    )
    print_table(
        "Structures",
        ["set", "name", "type", "volume (cc)", "planes"],
        [
            [str(s["structure_set"]), s["name"], s["type"], number(s["volume_cc"], 2), str(s["planes"])]
            for s in document["structures"]
        ],
        right=("volume (cc)", "planes"),
    )
    print_table(
        "Doses",
        ["#", "label", "of", "plan", "set", "voxels", "spacing (mm)", "max (Gy)", "date", "frame"],
        [
            [
                str(d["index"]),
                d["label"],
                d["summation"].lower() if d["type"] == "PHYSICAL" else f"{d['summation'].lower()}, {d['type'].lower()}",
                d["plan"] or "–",
                "–" if d["structure_set"] is None else str(d["structure_set"]),
                _size(d),
                _spacing(d),
                number(d["max_gy"], 2),
                d["date"],
                _frame(d, frames),
            ]
            for d in document["doses"]
        ],
        right=("max (Gy)",),
    )
    print_table(
        "Plans",
        ["label", "prescribed (Gy)", "fractions", "beams", "MU", "approval", "date"],
        [
            [
                p["label"],
                number(p["prescribed_gy"], 2),
                str(p["fractions"] or "–"),
                str(len(p["beams"])),
                number(p["meterset_mu"], 1),
                p["approval"],
                p["date"],
            ]
            for p in document["plans"]
        ],
        right=("prescribed (Gy)", "fractions", "beams", "MU"),
    )
    print_table(
        "Registrations",
        ["label", "moving", "fixed", "shift (mm)", "date"],
        [
            [
                r["label"],
                frames.get(r["moving_frame_uid"], "?"),
                frames.get(r["fixed_frame_uid"], "?"),
                " ".join(f"{t:+.1f}" for t in r["matrix"][:3, 3]),
                r["date"],
            ]
            for r in document["registrations"]
        ],
    )
    print_table(
        "Cines",
        ["", "cine", "frames", "length (s)", "pixels", "frame"],
        [
            [
                c["modality"],
                c["description"],
                str(c["frames"]),
                number(c["seconds"], 1),
                "×".join(map(str, reversed(c["shape_yx"]))),
                _frame(c, frames),
            ]
            for c in document["cines"]
        ],
        right=("frames", "length (s)"),
    )
    if document["problems"]:
        print("\nProblems")
    for problem in document["problems"]:
        print(f"  {problem['severity']:<7}  {printable(problem['message'])}\n           {printable(problem['file'])}")


def _letters(document: dict[str, Any]) -> dict[str, str]:
    """A letter for each frame of reference, since nobody compares UIDs by eye."""
    items = [*document["images"], *document["structure_sets"], *document["doses"], *document["cines"]]
    uids = [i["frame_of_reference_uid"] for i in items]
    uids += [r[key] for r in document["registrations"] for key in ("moving_frame_uid", "fixed_frame_uid")]
    return {uid: _column(n) for n, uid in enumerate(dict.fromkeys(u for u in uids if u))}


def _column(n: int) -> str:
    """A … Z, AA, AB …"""
    return (_column(n // 26 - 1) if n >= 26 else "") + chr(ord("A") + n % 26)


def _frame(item: dict[str, Any], frames: dict[str, str]) -> str:
    return frames.get(item["frame_of_reference_uid"], "none")


def _size(item: dict[str, Any]) -> str:
    return "×".join(str(n) for n in reversed(item["shape_zyx"]))


def _spacing(item: dict[str, Any]) -> str:
    return "×".join(f"{s:.3g}" for s in item["spacing_mm"]) + ("" if item["uniform"] else " uneven")


def _planes(item: dict[str, Any]) -> str:
    positions = item["plane_positions_mm"]
    return f"{positions[0]:.1f} … {positions[-1]:.1f}"
