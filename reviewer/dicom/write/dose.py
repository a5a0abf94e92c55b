"""Doses as RT Dose Storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage, RTPlanStorage, RTStructureSetStorage

from reviewer.case import Case, Dose, Image
from reviewer.dicom.write.header import (
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
from reviewer.dicom.write.plan import planning_image
from reviewer.dicom.write.structures import image_of
from reviewer.errors import InputError

LARGEST_STORED = 2**31 - 1
"""Half of what 32 bits hold, so that a reader that takes them as signed reads the same; finer than float32 nonetheless."""


def write_dose(dose: Dose, case: Case, path: Path) -> Path:
    """An RTDOSE in Gy, 32-bit unsigned, frames in the order of the grid's planes.

    GridFrameOffsetVector is relative to ImagePositionPatient, along the normal of the planes (PS3.3 C.8.8.3.2, case a).
    The structure set is referred to although no DVH is stored (Standard Extended SOP Class, PS3.2): a dose on the anatomy of another day
    than its plan's can be tied to its contours in no other way.
    Raises InputError for dose that is negative or not a number.
    """
    if not np.isfinite(dose.gray).all() or float(dose.gray.min()) < 0:
        raise InputError("the dose has values that are negative or not numbers", where=dose.label)
    image = dose_image(dose, case)
    ds = new_object(case, RTDoseStorage, uid_of(dose.id), "RTDOSE", dose.label, dose.date, image)
    grid = dose.grid
    ds.FrameOfReferenceUID = frame_uid(grid.frame_of_reference_uid, dose.id)
    ds.PositionReferenceIndicator = ""
    ds.SliceThickness = millimetres([grid.spacing_w_mm])[0]
    ds.ImagePositionPatient = millimetres(grid.point_of_index_mm((0, 0, 0)))
    ds.ImageOrientationPatient = [decimal(round(float(c), 12)) for c in grid.axes[:2].ravel()]
    ds.PixelSpacing = [decimal(s) for s in grid.spacing_uv_mm[::-1]]
    ds.GridFrameOffsetVector = millimetres(grid.positions_mm - grid.positions_mm[0])
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = dose.gray.shape
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.BitsAllocated = ds.BitsStored = 32
    ds.HighBit = 31
    ds.PixelRepresentation = 0
    ds.DoseUnits = "GY"
    ds.DoseType = dose.type
    ds.DoseSummationType = dose.summation
    ds.DoseComment = text(dose.label)
    if dose.statements:  # General Image (PS3.3 C.7.6.1), a module of RT Dose
        ds.DerivationDescription = text(" | ".join(dose.statements), 1024)
    highest = float(dose.gray.max())
    scaling = decimal(highest / LARGEST_STORED if highest > 0 else 1.0)
    ds.DoseGridScaling = scaling
    # The scaling as written, so that rounding it to 16 characters costs nothing.
    ds.PixelData = np.rint(dose.gray.astype(np.float64) / float(scaling)).astype("<u4").tobytes()
    if dose.plan_id:
        ds.ReferencedRTPlanSequence = [reference(RTPlanStorage, uid_of(dose.plan_id))]
    if dose.structure_set_id:
        ds.ReferencedStructureSetSequence = [reference(RTStructureSetStorage, uid_of(dose.structure_set_id))]
    return save(ds, path)


def dose_image(dose: Dose, case: Case) -> Image | None:
    """The image that the dose belongs to: that of its structure set, else one in its frame of reference, else its plan's."""
    structure_set = case.structure_set(dose.structure_set_id)
    plan = case.plan(dose.plan_id)
    return (
        (image_of(structure_set, case) if structure_set is not None else None)
        or image_of_frame(case, dose.grid.frame_of_reference_uid)
        or (planning_image(plan, case) if plan is not None else None)
    )
