"""How things are called on the screen."""

from __future__ import annotations

import re

from reviewer.case import Beam, Case, Dose, Image, Patient, Plan, StructureSet

APPROVALS = {"APPROVED": "✓ approved", "UNAPPROVED": "○ not approved", "REJECTED": "✗ rejected"}


def patient_name(patient: Patient) -> str:
    """Family name, then the others: DICOM separates the parts with ^."""
    parts = [p.strip() for p in patient.name.split("=")[0].split("^")]
    given = " ".join(p for p in parts[1:] if p)
    return f"{parts[0]}, {given}" if parts[0] and given else parts[0] or given or "no patient name"


def patient_facts(patient: Patient) -> str:
    """Id, sex and age, as far as they are known."""
    number, unit = patient.age.strip()[:-1].lstrip("0"), patient.age.strip()[-1:]
    if number.isdigit() and unit in "YMWD":
        age = f"{number} {unit.lower()}"
    else:
        age = f"born {patient.birth_date}" if patient.birth_date else ""
    return "   ".join(p for p in (patient.id, patient.sex, age) if p)


def image_title(image: Image) -> str:
    """What the series is called, else its modality."""
    return image.description.strip() or image.modality


def image_facts(image: Image) -> str:
    nz, ny, nx = image.grid.shape_zyx
    du, dv, dw = image.grid.spacing_mm
    field = f", {image.field_strength_t:g} T" if image.field_strength_t else ""
    uneven = "" if image.grid.uniform else " (uneven)"
    lines = [
        f"{image.modality}{field}   {image.date}",
        f"{nx} × {ny} × {nz} voxels of {du:.2f} × {dv:.2f} × {dw:.2f} mm{uneven}",
    ]
    return "\n".join([image_title(image), *lines, *([image.patient_position] if image.patient_position else [])])


def dose_title(dose: Dose, plan: Plan | None = None) -> str:
    """With a mark where a backend has something to say of it (`said`)."""
    name = dose.label.strip() or (plan.label if plan else "") or "dose"
    kind = "" if dose.type == "PHYSICAL" else f" ({dose.type.lower()})"
    return f"{'⚠ ' if dose.statements else ''}{name}{kind}"


def said(dose: Dose) -> tuple[str, ...]:
    """Lines that belong to every number of a dose that a backend computed; empty for a dose of the files."""
    if not dose.statements:
        return ()
    return (f"⚠ {dose.label}: not the plan's own dose", *(f"⚠ {line}" for line in dose.statements))


def structure_set_title(group: StructureSet) -> str:
    return group.label.strip() or "structures"


def approval(status: str) -> str:
    """With a symbol, so that it does not rest on colour."""
    return APPROVALS.get(status.upper(), status.lower()) if status else "approval not stated"


def plan_in_view(case: Case, dose_id: str | None) -> Plan | None:
    """The plan of the dose that is shown; without a dose the only plan of the case."""
    dose = case.dose(dose_id)
    if dose is not None:
        return case.plan(dose.plan_id)
    return case.plans[0] if len(case.plans) == 1 else None


def fractions(plan: Plan, group: StructureSet | None) -> str:
    """Which fraction ("Fraction 3 of 5") where the structures' label says so and the plan does not contradict, else how many, else nothing."""
    said = re.search(r"\bfraction\s+(\d+)\s*(?:of|/)\s*(\d+)\b", group.label if group else "", re.IGNORECASE)
    if said is not None and plan.fractions in (None, int(said[2])) and 1 <= int(said[1]) <= int(said[2]):
        return f"Fraction {int(said[1])} of {int(said[2])}"
    if plan.fractions is None:
        return ""
    return "1 fraction" if plan.fractions == 1 else f"{plan.fractions} fractions"


def gantry(beam: Beam) -> str:
    """The angle, or first and last angle of an arc, in degrees."""
    angles = [c.gantry_deg for c in beam.control_points]
    if not angles:
        return "–"
    return f"{angles[0]:.0f}°" if max(angles) - min(angles) < 0.5 else f"{angles[0]:.0f}–{angles[-1]:.0f}°"


def gray(value: float | None) -> str:
    """A dose in Gy with as many digits as are sensible."""
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".") + " Gy"


def tie(case: Case, from_frame: str, to_frame: str) -> str:
    """By what two frames of reference are tied: "same frame", "REG" and the registration's label; "not registered" where by nothing."""
    if from_frame and from_frame == to_frame:
        return "same frame of reference"
    for registration in case.registrations:
        if {registration.moving_frame_uid, registration.fixed_frame_uid} == {from_frame, to_frame}:
            return f"by REG {registration.label}".strip()
    return "by a chain of REG"
