"""`Plan`: what was prescribed and how it is delivered (RTPLAN)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prescription:
    """A dose reference: total dose in Gy over all fractions to a target."""

    target: str
    dose_gy: float
    type: str = "TARGET"


@dataclass(frozen=True)
class Aperture:
    """Position of one beam limiting device at a control point.

    device:     RT beam limiting device type: X, Y, ASYMX, ASYMY, MLCX, MLCY, MLCX1, MLCX2 …
    positions_mm: as in Leaf/Jaw Positions (300A,011C), at the isocentre plane: first all of bank 1, then all of bank 2.
    """

    device: str
    positions_mm: tuple[float, ...]


@dataclass(frozen=True)
class ControlPoint:
    """State of a beam at a cumulative meterset weight; what DICOM leaves out is carried over from the control point before."""

    weight: float
    gantry_deg: float
    collimator_deg: float
    couch_deg: float
    apertures: tuple[Aperture, ...]


@dataclass(frozen=True)
class Beam:
    """One treatment beam. Isocentre in patient coordinates (mm); `meterset` per fraction in MU, None when not given.

    delivery:  TREATMENT, SETUP, OPEN_PORTFILM … (TreatmentDeliveryType). patient_position: HFS … of its patient setup, or empty.
    modifiers: what else is in its way, or in that of its angles: "1 wedge", "2 blocks", "a table pitch of 3°".
    """

    number: int
    name: str
    type: str
    radiation: str
    energy_mv: float | None
    machine: str
    sad_mm: float | None
    isocentre_mm: tuple[float, float, float] | None
    meterset: float | None
    final_weight: float
    control_points: tuple[ControlPoint, ...]
    leaf_boundaries_mm: tuple[tuple[str, tuple[float, ...]], ...] = ()
    delivery: str = "TREATMENT"
    patient_position: str = ""
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One RTPLAN. `id` is its SOP instance UID."""

    id: str
    label: str
    date: str = ""
    approval: str = ""
    fractions: int | None = None
    prescriptions: tuple[Prescription, ...] = ()
    beams: tuple[Beam, ...] = ()
    structure_set_id: str | None = None
    frame_of_reference_uid: str = ""
    path: str = ""

    @property
    def prescribed_gy(self) -> float | None:
        """The highest target prescription in Gy, None where the plan states none."""
        doses = [p.dose_gy for p in self.prescriptions if p.type == "TARGET"]
        return max(doses) if doses else None
