"""Structures as DICOM Segmentation Storage (PS3.3 C.8.20), by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from reviewer import __version__
from reviewer.case import Case, Image, Structure
from reviewer.dicom.annotation import Annotations, described
from reviewer.dicom.write.codes import meaning_of
from reviewer.dicom.write.header import (
    MANUFACTURER,
    STORAGE_CLASS,
    date,
    decimal,
    frame_uid,
    mark_identity,
    millimetres,
    plane_uids,
    save,
    series_uid,
    study_uid,
    text,
    uid_of,
)
from reviewer.dicom.write.source import Report
from reviewer.errors import InputError
from reviewer.occupancy import Box, Progress, filled, image_for, marked

FULL = 255
"""Stored value of a voxel that is filled altogether, in a fractional segmentation."""

LARGEST_BYTES = 3 * 2**30
"""highdicom wants all segments as one array; beyond this an ordinary computer has no room."""


def write_segmentation(
    structures: Sequence[Structure],
    image: Image,
    case: Case,
    path: Path,
    *,
    label: str,
    instance_uid: str,
    made: datetime,
    fractional: bool = False,
    progress: Progress = lambda share, what: None,
    report: Report = lambda sentence: None,
) -> list[Structure]:
    """A SEG with a segment for each structure that is not empty, on the voxels of `image`.

    Binary: voxels of which a structure fills at least half. fractional: the part of each voxel that it fills, exact to 1/255
    (occupancy, C.8.20.2.3). Segments may overlap. Planes in which a segment has no voxel are left out.
    Returns the structures that are segments now; report: told which are none since they fill no voxel.
    Raises InputError where the image is no classic CT or MR series, and for nothing to write.
    """
    drawn = [s for s in structures if not s.empty]
    image = image_for(drawn, case, image)
    sources = _planes(image, case)
    parts: list[tuple[Structure, Box, NDArray[np.generic]]]
    if fractional:
        exact = ((s, part.box, part.fraction) for s, part in filled(drawn, image, case, progress))
        parts = [(s, box, np.where(fraction >= 0.5 / FULL, fraction, 0)) for s, box, fraction in exact]
    else:
        parts = list(marked(drawn, image, case, progress))
    parts = [(s, box, values) for s, box, values in parts if values.any()]
    structures = [s for s, _, _ in parts]
    absent = [s.name for s in drawn if s not in structures]
    if absent:
        report(f"not among the segments, since no voxel of the image is filled: {', '.join(absent)}")
    if not structures:
        raise InputError("no structure fills a voxel of the image", where=label)
    voxels, first = _segments(
        [(box, values) for _, box, values in parts], image, np.float32 if fractional else np.uint8
    )
    uid = UID(instance_uid)
    segmentation = Segmentation(
        source_images=sources[first : first + len(voxels)],
        pixel_array=voxels,
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        fractional_type="OCCUPANCY",
        max_fractional_value=FULL,
        segment_descriptions=[_described(n, s, uid) for n, s in enumerate(structures, start=1)],
        series_instance_uid=uid_of(instance_uid, "series"),
        series_number=1,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description=text(label),
        series_description=text(label),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=True,
    )
    segmentation.ContentDate = segmentation.SeriesDate = segmentation.InstanceCreationDate = made.strftime("%Y%m%d")
    segmentation.ContentTime = segmentation.SeriesTime = segmentation.InstanceCreationTime = made.strftime("%H%M%S")
    for item, structure in zip(segmentation.SegmentSequence, structures, strict=True):
        side = meaning_of(structure).side
        if side is not None:
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [_code(side)]
        item.SegmentDescription = described("", Annotations(type=structure.type))
    mark_identity(segmentation, case)
    save(segmentation, path)
    return structures


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _described(number: int, structure: Structure, instance: UID) -> SegmentDescription:
    meaning = meaning_of(structure)
    return SegmentDescription(
        segment_number=number,
        segment_label=text(structure.name) or f"Segment {number}",
        segmented_property_category=meaning.category,
        segmented_property_type=meaning.type,
        algorithm_type="MANUAL" if structure.formula is None else "SEMIAUTOMATIC",
        algorithm_identification=None if structure.formula is None else _formulas(),
        tracking_uid=uid_of(instance, "segment", str(number)),
        tracking_id=text(structure.name) or f"Segment {number}",
        display_color=highdicom.color.CIELabColor.from_rgb(*structure.colour),
    )


def _formulas() -> highdicom.AlgorithmIdentificationSequence:
    return highdicom.AlgorithmIdentificationSequence(
        name="Reviewer formula", family=codes.DCM.MorphologicalOperations, version=__version__
    )


def _segments(
    parts: Sequence[tuple[Box, NDArray[np.generic]]], image: Image, kind: type[np.generic]
) -> tuple[NDArray[np.generic], int]:
    """(planes, rows, columns, segments) of all planes that any structure reaches, and the first of them."""
    first = min(box[0].start for box, _ in parts)
    last = max(box[0].stop for box, _ in parts)
    shape = (last - first, *image.grid.shape_zyx[1:], len(parts))
    if np.prod(shape, dtype=float) * np.dtype(kind).itemsize > LARGEST_BYTES:
        raise InputError(
            "so many segments on so large an image need more memory than is sensible", remedy="choose fewer"
        )
    voxels: NDArray[np.generic] = np.zeros(shape, kind)
    for n, ((z, y, x), values) in enumerate(parts):
        voxels[z.start - first : z.stop - first, y, x, n] = values
    return voxels, first


def _planes(image: Image, case: Case) -> list[Dataset]:
    """What a segmentation takes over from the images that it refers to, without their pixels."""
    sop_class = image.sop_class_uid or STORAGE_CLASS.get(image.modality, "")
    if sop_class not in STORAGE_CLASS.values():
        raise InputError(
            "a DICOM SEG refers to the slices of a CT or MR series, and this image is none",
            where=image.description,
            remedy="export NIfTI instead",
        )
    study = study_uid(case, image)
    dates = [i.date for i in case.images if i.date and study_uid(case, i) == study]
    grid = image.grid
    planes = []
    for k, uid in enumerate(plane_uids(image)):
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.SOPClassUID, ds.SOPInstanceUID = sop_class, uid
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, uid_of(series_uid(image))
        ds.PatientName, ds.PatientID = case.patient.name, text(case.patient.id)
        ds.PatientBirthDate = date(case.patient.birth_date)
        ds.PatientSex = case.patient.sex if case.patient.sex in ("F", "M", "O") else ""
        ds.StudyDate, ds.StudyTime = date(min(dates, default="")), ""
        ds.StudyID = ds.AccessionNumber = ds.ReferringPhysicianName = ""
        ds.Modality = image.modality
        ds.FrameOfReferenceUID = frame_uid(grid.frame_of_reference_uid, image.id)
        ds.PositionReferenceIndicator = ""
        ds.Rows, ds.Columns = grid.size_uv[1], grid.size_uv[0]
        ds.ImagePositionPatient = millimetres(grid.point_of_index_mm((k, 0, 0)))
        ds.ImageOrientationPatient = [decimal(round(float(c), 12)) for c in grid.axes[:2].ravel()]
        ds.PixelSpacing = [decimal(s) for s in grid.spacing_uv_mm[::-1]]
        ds.SliceThickness = millimetres([grid.spacing_w_mm])[0]
        planes.append(ds)
    return planes
