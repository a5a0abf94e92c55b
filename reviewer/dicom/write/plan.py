"""Plans as RT Plan Storage."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage, RTStructureSetStorage

from reviewer.case import Aperture, Beam, Case, ControlPoint, Image, Plan
from reviewer.dicom.write.header import (
    date,
    decimal,
    frame_uid,
    image_of_frame,
    millimetres,
    new_object,
    reference,
    save,
    text,
    uid_of,
)
from reviewer.dicom.write.structures import image_of


def planning_image(plan: Plan, case: Case) -> Image | None:
    """The image under the plan's structure set, or one in its frame of reference."""
    structure_set = case.structure_set(plan.structure_set_id)
    image = image_of(structure_set, case) if structure_set is not None else None
    return image if image is not None else image_of_frame(case, plan.frame_of_reference_uid)


def write_plan(plan: Plan, case: Case, path: Path) -> Path:
    """An RTPLAN: prescription, one fraction group, beams with their control points, approval.

    Control points after the first carry only what changes, as the standard asks (PS3.3 C.8.8.14.5).
    """
    image = planning_image(plan, case)
    ds = new_object(case, RTPlanStorage, uid_of(plan.id), "RTPLAN", plan.label, plan.date, image)
    ds.RTPlanLabel = text(plan.label, 16) or "RTPLAN"
    ds.RTPlanName = text(plan.label)
    ds.RTPlanDate = date(plan.date)
    ds.RTPlanTime = ""
    ds.RTPlanGeometry = "PATIENT" if plan.structure_set_id else "TREATMENT_DEVICE"
    if plan.structure_set_id:
        ds.ReferencedStructureSetSequence = [reference(RTStructureSetStorage, uid_of(plan.structure_set_id))]
    ds.FrameOfReferenceUID = frame_uid(plan.frame_of_reference_uid, plan.id)
    ds.PositionReferenceIndicator = ""
    if plan.prescriptions:
        ds.DoseReferenceSequence = [_dose_reference(plan, i) for i in range(len(plan.prescriptions))]
    setup = Dataset()
    setup.PatientSetupNumber = 1
    stated = next((b.patient_position for b in plan.beams if b.patient_position), "")
    setup.PatientPosition = stated or (image.patient_position if image is not None else "")
    ds.PatientSetupSequence = [setup]
    ds.FractionGroupSequence = [_fraction_group(plan)]
    if plan.beams:
        ds.BeamSequence = [_beam(b) for b in plan.beams]
    ds.ApprovalStatus = plan.approval if plan.approval in ("APPROVED", "REJECTED") else "UNAPPROVED"
    if ds.ApprovalStatus != "UNAPPROVED":
        ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = date(plan.date), "", ""
    return save(ds, path)


def _dose_reference(plan: Plan, index: int) -> Dataset:
    """C.8.8.10. The case names targets by text, so the dose is prescribed to a volume by description, not to an ROI number."""
    prescription = plan.prescriptions[index]
    item = Dataset()
    item.DoseReferenceNumber = index + 1
    item.DoseReferenceStructureType = "SITE"
    item.DoseReferenceDescription = text(prescription.target)
    item.DoseReferenceType = prescription.type
    if prescription.type == "TARGET":
        item.TargetPrescriptionDose = decimal(prescription.dose_gy)
    else:
        item.OrganAtRiskMaximumDose = decimal(prescription.dose_gy)
    return item


def _fraction_group(plan: Plan) -> Dataset:
    group = Dataset()
    group.FractionGroupNumber = 1
    group.NumberOfFractionsPlanned = plan.fractions
    group.NumberOfBeams = len(plan.beams)
    group.NumberOfBrachyApplicationSetups = 0
    if plan.beams:
        group.ReferencedBeamSequence = []
    for beam in plan.beams:
        item = Dataset()
        item.ReferencedBeamNumber = beam.number
        if beam.meterset is not None:
            item.BeamMeterset = decimal(beam.meterset)
        group.ReferencedBeamSequence.append(item)
    return group


def _beam(beam: Beam) -> Dataset:
    """C.8.8.14."""
    ds = Dataset()
    ds.Manufacturer = ""
    ds.TreatmentMachineName = text(beam.machine, 16)
    ds.PrimaryDosimeterUnit = "MU"
    if beam.sad_mm is not None:
        ds.SourceAxisDistance = decimal(beam.sad_mm)
    ds.BeamLimitingDeviceSequence = _devices(beam)
    ds.BeamNumber = beam.number
    ds.BeamName = text(beam.name)
    ds.BeamType = beam.type
    ds.RadiationType = beam.radiation
    ds.TreatmentDeliveryType = beam.delivery
    ds.NumberOfWedges = ds.NumberOfCompensators = ds.NumberOfBoli = ds.NumberOfBlocks = 0
    ds.FinalCumulativeMetersetWeight = decimal(beam.final_weight)
    ds.NumberOfControlPoints = len(beam.control_points)
    ds.ControlPointSequence = []
    before: ControlPoint | None = None
    for index, point in enumerate(beam.control_points):
        ds.ControlPointSequence.append(_control_point(index, point, before, beam))
        before = point
    ds.ReferencedPatientSetupNumber = 1
    return ds


def _devices(beam: Beam) -> list[Dataset]:
    """Every device that some control point positions: leaf boundaries where it is an MLC, else one pair of jaws."""
    boundaries = dict(beam.leaf_boundaries_mm)
    names = dict.fromkeys(a.device for point in beam.control_points for a in point.apertures) | boundaries
    devices = []
    for name in names:
        item = Dataset()
        item.RTBeamLimitingDeviceType = name
        item.NumberOfLeafJawPairs = len(boundaries[name]) - 1 if name in boundaries else 1
        if name in boundaries:
            item.LeafPositionBoundaries = millimetres(boundaries[name])
        devices.append(item)
    return devices


def _control_point(index: int, point: ControlPoint, before: ControlPoint | None, beam: Beam) -> Dataset:
    ds = Dataset()
    ds.ControlPointIndex = index
    ds.CumulativeMetersetWeight = decimal(point.weight)
    if before is None:
        if beam.energy_mv is not None:
            ds.NominalBeamEnergy = decimal(beam.energy_mv)
        ds.TableTopPitchAngle = ds.TableTopRollAngle = 0.0
        ds.TableTopPitchRotationDirection = ds.TableTopRollRotationDirection = "NONE"
        ds.TableTopEccentricAngle = "0"
        ds.TableTopEccentricRotationDirection = "NONE"
        ds.TableTopVerticalPosition = ds.TableTopLongitudinalPosition = ds.TableTopLateralPosition = None
        ds.IsocenterPosition = millimetres(beam.isocentre_mm) if beam.isocentre_mm is not None else None
    if before is None or point.gantry_deg != before.gantry_deg:
        ds.GantryAngle = decimal(point.gantry_deg)
        ds.GantryRotationDirection = "NONE"
    if before is None or point.collimator_deg != before.collimator_deg:
        ds.BeamLimitingDeviceAngle = decimal(point.collimator_deg)
        ds.BeamLimitingDeviceRotationDirection = "NONE"
    if before is None or point.couch_deg != before.couch_deg:
        ds.PatientSupportAngle = decimal(point.couch_deg)
        ds.PatientSupportRotationDirection = "NONE"
    changed = [a for a in point.apertures if before is None or a not in before.apertures]
    if changed:
        ds.BeamLimitingDevicePositionSequence = [_position(a) for a in changed]
    return ds


def _position(aperture: Aperture) -> Dataset:
    ds = Dataset()
    ds.RTBeamLimitingDeviceType = aperture.device
    ds.LeafJawPositions = millimetres(aperture.positions_mm)
    return ds
