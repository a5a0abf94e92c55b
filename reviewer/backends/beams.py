"""Beams of a plan as what passes their apertures: the dose input of every backend (RTPLAN, PS3.3 C.8.8.14; angles by IEC 61217)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from reviewer.backends.contract import BeamInput, Floats, Leaves, Segment
from reviewer.case import Aperture, Beam, ControlPoint, Plan
from reviewer.errors import InputError

TABLE_TO_PATIENT: dict[str, tuple[str, str, str]] = {
    "HFS": ("+x", "-z", "+y"),
    "HFP": ("-x", "+z", "+y"),
    "FFS": ("-x", "-z", "-y"),
    "FFP": ("+x", "+z", "-y"),
    "HFDR": ("+z", "+x", "+y"),
    "HFDL": ("-z", "-x", "+y"),
    "FFDR": ("+z", "-x", "-y"),
    "FFDL": ("-z", "+x", "-y"),
}
"""Patient position (PS3.3 C.7.3.1.1.2) -> the patient's left, posterior and superior in the axes of the table top (IEC 61217)."""

ALONG = {"X": "x", "ASYMX": "x", "MLCX": "x", "MLCX1": "x", "MLCX2": "x", "Y": "y", "ASYMY": "y", "MLCY": "y"}
"""Beam limiting device -> the axis along which it moves."""

ARC_STEP_DEG = 2.0
LEAF_STEP_MM = 4.0
"""Between two control points a beam that moves is cut into parts that move no farther than this."""


def beams_of(plan: Plan, patient_position: str, isocentre_mm: ArrayLike | None = None) -> tuple[BeamInput, ...]:
    """The treatment beams of a plan with the MU of one fraction; setup beams are passed over.

    patient_position: one of TABLE_TO_PATIENT; taken where the plan states none. isocentre_mm: (3,) in patient coordinates, for all
    beams; None for the plan's own. Where aperture and gantry move between two control points, so they do here, in parts.
    Raises InputError with a sentence for what cannot be computed: part of a plan is no plan.
    """
    beams = [beam for beam in plan.beams if beam.delivery not in ("SETUP", "OPEN_PORTFILM", "TRMT_PORTFILM")]
    if not beams:
        raise InputError("the plan has no treatment beams", where=plan.label)
    table = patient_matrix(beams[0].patient_position or patient_position)
    if len({beam.patient_position for beam in beams}) > 1:
        raise InputError("the patient is turned between beams, which is not covered", where=plan.label)
    return tuple(_beam(beam, table, isocentre_mm) for beam in beams)


def patient_matrix(patient_position: str) -> Floats:
    """(3, 3) rotation from table-top axes (IEC 61217) to patient LPS. Raises InputError for a position that is unknown."""
    try:
        letters = TABLE_TO_PATIENT[patient_position.upper()]
    except KeyError:
        raise InputError(
            f"the patient position {patient_position!r} is not known"
            if patient_position
            else "no patient position is stated",
            remedy=f"give one of {', '.join(TABLE_TO_PATIENT)}",
        ) from None
    matrix = np.zeros((3, 3))
    for row, letter in enumerate(letters):
        matrix[row, "xyz".index(letter[1])] = 1.0 if letter[0] == "+" else -1.0
    return matrix


def beam_axes(gantry_deg: float, collimator_deg: float, couch_deg: float, table: Floats) -> Floats:
    """(3, 3); rows are the x, y and z axis of the beam limiting device in patient coordinates; z points from the isocentre to the source.

    Gantry turns about the fixed y, the beam limiting device about the gantry's z, the patient support about the fixed z, each by the
    right-hand rule (IEC 61217). table: as `patient_matrix` gives it.
    """
    gantry, collimator, couch = np.deg2rad([gantry_deg, collimator_deg, couch_deg])
    x = np.array([np.cos(gantry), 0.0, -np.sin(gantry)])
    y = np.array([0.0, 1.0, 0.0])
    z = np.array([np.sin(gantry), 0.0, np.cos(gantry)])
    device = np.array(
        [np.cos(collimator) * x + np.sin(collimator) * y, -np.sin(collimator) * x + np.cos(collimator) * y, z]
    )
    to_table = np.array([[np.cos(couch), np.sin(couch), 0.0], [-np.sin(couch), np.cos(couch), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(device @ (table @ to_table).T)


def _beam(beam: Beam, table: Floats, isocentre_mm: ArrayLike | None) -> BeamInput:
    where = f'beam {beam.number} "{beam.name}"'
    if beam.radiation != "PHOTON":
        raise InputError(f"its radiation is {beam.radiation.lower() or 'not stated'}, not photons", where=where)
    if beam.modifiers:
        raise InputError(f"it has {' and '.join(beam.modifiers)}, which is not covered", where=where)
    if beam.meterset is None or beam.final_weight <= 0:
        raise InputError("the plan states no monitor units", where=where, remedy="export the plan with its fractions")
    if beam.sad_mm is None or beam.sad_mm <= 0:
        raise InputError("the plan states no source-axis distance", where=where)
    given = beam.isocentre_mm if isocentre_mm is None else isocentre_mm
    if given is None:
        raise InputError("the plan states no isocentre", where=where, remedy="give one")
    isocentre = np.asarray(given, dtype=np.float64)
    boundaries = dict(beam.leaf_boundaries_mm)
    segments = []
    for before, after in pairwise(beam.control_points):
        mu = beam.meterset * (after.weight - before.weight) / beam.final_weight
        if mu < 0:
            raise InputError("its meterset falls from one control point to the next", where=where)
        if mu > 0:
            parts = _parts(before, after, where)
            for n in range(parts):
                point = _between(before, after, (n + 0.5) / parts)
                axes = beam_axes(point.gantry_deg, point.collimator_deg, point.couch_deg, table)
                segments.append(
                    Segment(
                        mu / parts,
                        point.gantry_deg,
                        point.collimator_deg,
                        point.couch_deg,
                        isocentre + beam.sad_mm * axes[2],
                        axes[0],
                        axes[1],
                        tuple(_leaves(aperture, boundaries, where) for aperture in point.apertures),
                    )
                )
    delivered = sum(segment.mu for segment in segments)
    if abs(delivered - beam.meterset) > 1e-3 * beam.meterset + 1e-6:
        raise InputError(f"its control points deliver {delivered:.2f} of {beam.meterset:.2f} MU", where=where)
    return BeamInput(beam.number, beam.name, isocentre, beam.sad_mm, beam.energy_mv, tuple(segments))


def _turn(before: float, after: float) -> float:
    """The shorter way from one angle to another, degrees: two neighbouring control points are less than half a turn apart."""
    return (after - before + 180.0) % 360.0 - 180.0


def _parts(before: ControlPoint, after: ControlPoint, where: str) -> int:
    if [a.device for a in before.apertures] != [a.device for a in after.apertures] or not before.apertures:
        raise InputError(
            "its aperture is not stated throughout" if before.apertures else "it has no aperture", where=where
        )
    turns = [
        abs(_turn(getattr(before, name), getattr(after, name)))
        for name in ("gantry_deg", "collimator_deg", "couch_deg")
    ]
    moves = [
        float(np.abs(np.subtract(a.positions_mm, b.positions_mm)).max())
        for a, b in zip(before.apertures, after.apertures, strict=True)
    ]
    return max(1, int(np.ceil(max(turns) / ARC_STEP_DEG - 1e-9)), int(np.ceil(max(moves) / LEAF_STEP_MM - 1e-9)))


def _between(before: ControlPoint, after: ControlPoint, part: float) -> ControlPoint:
    def angle(a: float, b: float) -> float:
        return (a + part * _turn(a, b)) % 360.0

    return ControlPoint(
        before.weight + part * (after.weight - before.weight),
        angle(before.gantry_deg, after.gantry_deg),
        angle(before.collimator_deg, after.collimator_deg),
        angle(before.couch_deg, after.couch_deg),
        tuple(
            Aperture(a.device, tuple(p + part * (q - p) for p, q in zip(a.positions_mm, b.positions_mm, strict=True)))
            for a, b in zip(before.apertures, after.apertures, strict=True)
        ),
    )


def _leaves(aperture: Aperture, boundaries: dict[str, tuple[float, ...]], where: str) -> Leaves:
    if aperture.device not in ALONG:
        raise InputError(f"its device {aperture.device!r} is not covered", where=where)
    sides = boundaries.get(aperture.device)
    if sides is None:
        if aperture.device.startswith("MLC"):
            raise InputError(f"the plan states no leaf boundaries of its {aperture.device}", where=where)
        sides = (-np.inf, np.inf)
    positions = np.asarray(aperture.positions_mm, dtype=np.float64)
    pairs = len(sides) - 1
    if positions.shape != (2 * pairs,) or np.any(np.diff(sides) <= 0):
        raise InputError(f"the positions of its {aperture.device} do not fit its leaves", where=where)
    return Leaves(ALONG[aperture.device], np.asarray(sides, dtype=np.float64), positions[:pairs], positions[pairs:])
