"""Plans: RTPLAN for photons and electrons (PS3.3 C.8.8.9 to C.8.8.14); of brachytherapy and ion plans the facts that they share."""

from __future__ import annotations

from pydicom.dataset import Dataset

from reviewer.case import Aperture, Beam, ControlPoint, Plan, Prescription
from reviewer.dicom.file import DicomFile
from reviewer.dicom.series import Report
from reviewer.dicom.values import date, integer, item, items, number, numbers, text

RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
RT_ION_PLAN = "1.2.840.10008.5.1.4.1.1.481.8"


def plan_of(file: DicomFile, report: Report) -> Plan:
    """The plan of one file. What a control point leaves out is carried over from the one before (C.8.8.14.5)."""
    ds = file.dataset
    groups = items(ds, "FractionGroupSequence")
    if len(groups) > 1:
        report(
            file.path,
            "warning",
            f"the plan has {len(groups)} fraction groups: only the metersets of the first are shown, and nothing is derived from a "
            "number of fractions",
        )
    group = groups[0] if groups else Dataset()
    metersets = {
        n: number(b, "BeamMeterset")
        for b in items(group, "ReferencedBeamSequence")
        if (n := integer(b, "ReferencedBeamNumber")) is not None
    }
    setups = {
        integer(setup, "PatientSetupNumber"): text(setup, "PatientPosition").upper()
        for setup in items(ds, "PatientSetupSequence")
    }
    if len(setups) == 1:
        setups[None] = next(iter(setups.values()))  # a beam need not name the only one
    beams = []
    for entry in items(ds, "BeamSequence"):
        beam = _beam(entry, metersets, setups, file.path, report)
        beams.append(beam)
    if items(ds, "IonBeamSequence"):
        report(file.path, "warning", "it is an ion plan: its prescription is shown, its beams are not")
    elif items(ds, "ApplicationSetupSequence"):
        report(file.path, "warning", "it is a brachytherapy plan: its prescription is shown, its sources are not")
    elif not beams:
        report(file.path, "warning", "the plan has no beams")
    fractions = integer(group, "NumberOfFractionsPlanned") if len(groups) < 2 else None
    structures = item(ds, "ReferencedStructureSetSequence")
    return Plan(
        id=file.sop_uid,
        label=text(ds, "RTPlanLabel") or text(ds, "RTPlanName") or "Plan",
        date=date(ds, "RTPlanDate", "SeriesDate", "StudyDate"),
        approval=text(ds, "ApprovalStatus").upper(),
        fractions=fractions if fractions and fractions > 0 else None,
        prescriptions=_prescriptions(ds),
        beams=tuple(beams),
        structure_set_id=text(structures, "ReferencedSOPInstanceUID") or None,
        frame_of_reference_uid=text(ds, "FrameOfReferenceUID"),
        path=file.path,
    )


def _prescriptions(ds: Dataset) -> tuple[Prescription, ...]:
    """Dose references that state a total dose in Gy (C.8.8.10)."""
    found = []
    for reference in items(ds, "DoseReferenceSequence"):
        kind = text(reference, "DoseReferenceType").upper()
        limit = kind == "ORGAN_AT_RISK"
        dose = number(reference, "OrganAtRiskMaximumDose" if limit else "TargetPrescriptionDose")
        if dose is not None and dose > 0:
            roi = integer(reference, "ReferencedROINumber")
            name = text(reference, "DoseReferenceDescription") or (f"ROI {roi}" if roi is not None else "")
            found.append(Prescription(name, dose, kind or "TARGET"))
    return tuple(found)


MODIFIERS = {
    "NumberOfWedges": "wedge",
    "NumberOfCompensators": "compensator",
    "NumberOfBoli": "bolus",
    "NumberOfBlocks": "block",
}

TILTS = {"TableTopPitchAngle": "a table pitch", "TableTopRollAngle": "a table roll"}

LEVEL_DEG = 0.5
"""A table that is tilted by less is level: 0.9 mm at 100 mm."""


def _beam(
    ds: Dataset, metersets: dict[int, float | None], setups: dict[int | None, str], path: str, report: Report
) -> Beam:
    name = text(ds, "BeamName") or text(ds, "BeamDescription")
    given = integer(ds, "BeamNumber")
    if given is None:
        report(path, "warning", f'beam "{name}" has no number: its meterset is unknown')
    boundaries = []
    for device in items(ds, "BeamLimitingDeviceSequence"):
        edges = numbers(device, "LeafPositionBoundaries")
        if edges:
            boundaries.append((text(device, "RTBeamLimitingDeviceType").upper(), edges))
    leaves = {kind: len(edges) - 1 for kind, edges in boundaries}

    points = []
    gantry = collimator = couch = weight = 0.0
    energy: float | None = None
    isocentre: tuple[float, float, float] | None = None
    isocentres = set()
    apertures: dict[str, Aperture] = {}
    gantry_known = False
    tilts: dict[str, None] = {}
    for point in items(ds, "ControlPointSequence"):
        for key, said in TILTS.items():
            degrees = (_or(number(point, key), 0.0) + 180.0) % 360.0 - 180.0
            if abs(degrees) > LEVEL_DEG:
                tilts[f"{said} of {degrees:g}°"] = None
        angle = number(point, "GantryAngle")
        gantry, gantry_known = (gantry, gantry_known) if angle is None else (angle, True)
        collimator = _or(number(point, "BeamLimitingDeviceAngle"), collimator)
        couch = _or(number(point, "PatientSupportAngle"), couch)
        weight = _or(number(point, "CumulativeMetersetWeight"), weight)
        energy = energy if energy is not None else number(point, "NominalBeamEnergy")
        centre = numbers(point, "IsocenterPosition", 3)
        if centre is not None:
            isocentres.add(centre)
            isocentre = isocentre or (centre[0], centre[1], centre[2])
        for device in items(point, "BeamLimitingDevicePositionSequence"):
            kind = text(device, "RTBeamLimitingDeviceType").upper()
            positions = numbers(device, "LeafJawPositions")
            pairs = leaves.get(kind, 1)
            if positions is None or len(positions) != 2 * pairs:
                report(
                    path, "warning", f'beam "{name}": the {kind or "unnamed"} positions are not valid and were left out'
                )
                apertures.pop(kind, None)
                continue
            apertures[kind] = Aperture(kind, positions)
        points.append(ControlPoint(weight, gantry, collimator, couch, tuple(apertures.values())))
    if points and not gantry_known and text(ds, "TreatmentDeliveryType") != "SETUP":
        report(path, "warning", f'beam "{name}" states no gantry angle: 0 is shown')
    if len(isocentres) > 1:
        report(path, "warning", f'beam "{name}" moves its isocentre: the first one is shown')
    return Beam(
        number=given or 0,
        name=name or f"Beam {given or '?'}",
        type=text(ds, "BeamType").upper(),
        radiation=text(ds, "RadiationType").upper(),
        energy_mv=energy,
        machine=text(ds, "TreatmentMachineName"),
        sad_mm=number(ds, "SourceAxisDistance"),
        isocentre_mm=isocentre,
        meterset=metersets.get(given) if given is not None else None,
        final_weight=_or(number(ds, "FinalCumulativeMetersetWeight"), points[-1].weight if points else 0.0),
        control_points=tuple(points),
        leaf_boundaries_mm=tuple(boundaries),
        delivery=text(ds, "TreatmentDeliveryType").upper() or "TREATMENT",
        patient_position=setups.get(integer(ds, "ReferencedPatientSetupNumber"), ""),
        modifiers=tuple(
            f"{count} {name}{'s' if count > 1 else ''}"
            for key, name in MODIFIERS.items()
            if (count := integer(ds, key)) is not None and count > 0
        )
        + tuple(tilts),
    )


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
