"""Structure sets as RT Structure Set Storage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pydicom.charset import default_encoding
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage
from shapely import Polygon

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.dicom.annotation import Annotations, described
from reviewer.dicom.values import decimal_array, integer, items, lines
from reviewer.dicom.write.header import (
    date,
    frame_uid,
    image_of_frame,
    millimetres,
    new_object,
    plane_reference,
    plane_references,
    reference,
    save,
    series_uid,
    study_uid,
    text,
    uid_of,
)
from reviewer.dicom.write.source import (
    CONTOUR_DATA,
    Report,
    Source,
    SourceRoi,
    carried,
    closed,
    contour_data,
    source_of,
)
from reviewer.errors import InputError
from reviewer.geometry.grid import POSITION_TOLERANCE_MM

DETACHED_STUDY_MANAGEMENT = UID("1.2.840.10008.3.1.2.3.1")
"""Retired, and still what ReferencedSOPClassUID of a study is in every structure set (PS3.3 C.8.8.5)."""


def image_of(structure_set: StructureSet, case: Case) -> Image | None:
    """The image that a structure set was drawn on, or one in its frame of reference."""
    return case.image(structure_set.image_id) or image_of_frame(case, structure_set.frame_of_reference_uid)


def write_structure_set(
    structure_set: StructureSet,
    case: Case,
    path: Path,
    *,
    instance_uid: str = "",
    made: datetime | None = None,
    report: Report = lambda sentence: None,
) -> Path:
    """An RTSTRUCT with one ROI per structure, empty ones included.

    What was read from an RTSTRUCT and is as it was read is written as it came: the items of every plane that nobody changed, byte for byte,
    and whatever else the file says of patient, study and ROIs (see `_carry_header` and `_roi` for what is left out, and when).

    Other contours are CLOSED_PLANAR. A hole is joined to its outline by a channel of no width (keyhole, PS3.3 C.8.8.6.3): unlike separate
    rings it means the same to readers that fill each contour, that unite contours and that apply the even-odd rule.
    Implicit VR little endian, because in explicit VR a contour of more than 64 KiB has no valid length.
    ROI numbers are kept where they are unique and positive.

    instance_uid: of the new object; without one it is the id of the set, which then is written from the case alone.
    made: when; without it the object has the date of the set. report: told what a reader of the file should know.
    """
    source = source_of(structure_set, case, report) if instance_uid else None
    image = image_of(structure_set, case)
    day = made.date().isoformat() if made else structure_set.date
    ds = new_object(
        case,
        RTStructureSetStorage,
        uid_of(instance_uid or structure_set.id),
        "RTSTRUCT",
        structure_set.label,
        day,
        image,
    )
    untouched = source is not None and source.untouched(structure_set)
    if source is not None:
        _carry_header(source, ds, private=untouched)
    ds.StructureSetLabel = text(structure_set.label, 16) or "RTSTRUCT"
    ds.StructureSetName = text(structure_set.label)
    ds.StructureSetDate = date(day)
    ds.StructureSetTime = made.strftime("%H%M%S") if made else ""
    frame = frame_uid(structure_set.frame_of_reference_uid, structure_set.id)
    ds.FrameOfReferenceUID = frame
    ds.PositionReferenceIndicator = ""
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    drawn_on: dict[str, Image] = {}
    observed = _observation_numbers(structure_set, source)
    related = source is None or source.rois.keys() <= {s.id for s in structure_set.structures}
    for number, structure in zip(_numbers(structure_set, source), structure_set.structures, strict=True):
        own_frame = frame_uid(structure.grid.frame_of_reference_uid, structure_set.id)
        known = source.rois.get(structure.id) if source is not None else None
        changed = known.changed(structure) if known is not None else frozenset(structure.planes)
        touched = known is None or bool(changed)
        ds.StructureSetROISequence.append(_roi(structure, number, own_frame, known, touched, report))

        own_image = case.image(structure.image_id) or image
        items_of_roi, written_anew = _contours(structure, own_image, known, changed, report)
        if own_image is not None and written_anew:
            drawn_on[own_image.id] = own_image
        contours = carried(known.contours, _CONTOUR_OWN, private=not touched) if known is not None else Dataset()
        contours.ReferencedROINumber = number
        if known is None or structure.colour != known.read.structure.colour:
            contours.ROIDisplayColor = list(structure.colour)
        if items_of_roi:
            contours.ContourSequence = items_of_roi
        ds.ROIContourSequence.append(contours)
        ds.RTROIObservationsSequence.extend(_observations(structure, number, known, touched, observed, related))
    ds.ReferencedFrameOfReferenceSequence = _referenced_frames(source, frame, image, list(drawn_on.values()), case)
    _approve(ds, structure_set, source, untouched or not instance_uid or not structure_set.path, day, report)
    return save(ds, path, ImplicitVRLittleEndian)


# -- the set --------------------------------------------------------------------------------------------------------------


_ITS_OWN = {
    Tag(keyword)
    for keyword in (
        "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "InstanceCreationDate", "InstanceCreationTime", "InstanceCreatorUID",
        "SeriesInstanceUID", "SeriesDate", "SeriesTime", "SeriesDescription", "SeriesNumber", "InstanceNumber", "Modality", "OperatorsName",
        "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "StationName", "DeviceSerialNumber", "DeviceUID", "InstitutionName",
        "InstitutionAddress", "InstitutionalDepartmentName", "ContributingEquipmentSequence", "OriginalAttributesSequence",
        "DigitalSignaturesSequence", "MACParametersSequence", "EncryptedAttributesSequence",
        "FrameOfReferenceUID", "PositionReferenceIndicator", "TimezoneOffsetFromUTC",
        "StructureSetLabel", "StructureSetName", "StructureSetDate", "StructureSetTime", "PredecessorStructureSetSequence",
        "ReferencedFrameOfReferenceSequence", "StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence",
        "ApprovalStatus", "ReviewDate", "ReviewTime", "ReviewerName",
    )
}  # fmt: skip
"""Top-level attributes that are a new object's own; all others describe patient and study and stay true."""


def _carry_header(source: Source, ds: Dataset, *, private: bool) -> None:
    """Patient, study and what else the source says at its top, and the reference to it.

    private: attributes whose meaning we do not know come along only where the whole set is as it was, since they may describe it.
    """
    for element in carried(source.dataset, _ITS_OWN, private=private):
        if element.tag not in ds or not element.is_empty:
            ds[element.tag] = element
    if source.sop_uid:
        ds.PredecessorStructureSetSequence = [reference(RTStructureSetStorage, source.sop_uid)]


def _referenced_frames(
    source: Source | None, frame: UID, image: Image | None, drawn_on: list[Image], case: Case
) -> list[Dataset]:
    """The frames and images that the source refers to, and those that new contours lie on."""
    frames = [carried(item) for item in items(source.dataset, "ReferencedFrameOfReferenceSequence")] if source else []
    if source is None and image is not None and image not in drawn_on:
        drawn_on = [image, *drawn_on]
    wanted: list[tuple[UID, Image | None]] = [(frame, None)] if not frames else []
    wanted += [(frame_uid(i.grid.frame_of_reference_uid, i.id) if i is not image else frame, i) for i in drawn_on]
    for uid, referred in wanted:
        entry = next((item for item in frames if item.get("FrameOfReferenceUID") == uid), None)
        if entry is None:
            entry = Dataset()
            entry.FrameOfReferenceUID = uid
            frames.append(entry)
        if referred is not None and (references := plane_references(referred)):
            _refer(entry, referred, references, case)
    return frames


def _refer(frame: Dataset, image: Image, references: list[Dataset], case: Case) -> None:
    """Name an image in its frame of reference, unless it is named there."""
    uid = uid_of(series_uid(image))
    studies = items(frame, "RTReferencedStudySequence")
    if any(s.get("SeriesInstanceUID") == uid for study in studies for s in items(study, "RTReferencedSeriesSequence")):
        return
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ContourImageSequence = references
    study = reference(DETACHED_STUDY_MANAGEMENT, study_uid(case, image))
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [*studies, study]


def _approve(
    ds: Dataset, structure_set: StructureSet, source: Source | None, unchanged: bool, day: str, report: Report
) -> None:
    """The approval of the set; one that came with the source holds only for what the source says. unchanged: whether that is written."""
    status = structure_set.approval if structure_set.approval in ("APPROVED", "REJECTED") else "UNAPPROVED"
    before = source.dataset if source is not None else Dataset()
    given_here = structure_set.signed or (
        source is not None and text(str(before.get("ApprovalStatus", ""))).upper() != status
    )
    if status != "UNAPPROVED" and not unchanged and not given_here:
        report(
            f"{structure_set.label} was {status.lower()}, and what is written differs from it: written as unapproved"
        )
        status = "UNAPPROVED"
    ds.ApprovalStatus = status
    if status == "UNAPPROVED":
        return
    reviewed, _, clock = structure_set.reviewed.partition("T")
    ds.ReviewDate = date(reviewed) or date(day)
    ds.ReviewTime, ds.ReviewerName = clock[:8].replace(":", ""), text(structure_set.reviewer)
    if source is not None and not given_here:
        for keyword in ("ReviewDate", "ReviewTime", "ReviewerName"):
            if keyword in before:
                setattr(ds, keyword, before[keyword].value)


# -- one ROI --------------------------------------------------------------------------------------------------------------

_CONTOUR_OWN = {Tag("ContourSequence"), Tag("ReferencedROINumber")}

_OF_THE_SHAPE = {Tag("ROIVolume"), Tag("ROIDateTime"), Tag("ROICreatorSequence"), Tag("DerivationCodeSequence")}
"""What a source says about the contours themselves: no longer true once they are changed."""

_RELATED = {Tag("RTRelatedROISequence"), Tag("RelatedRTROIObservationsSequence")}

ATTACHED = Tag(0x3006, 0x0049)
"""AttachedContours, retired: numbers of other contours, which may be gone."""


def _roi(
    structure: Structure, number: int, frame: UID, known: SourceRoi | None, touched: bool, report: Report
) -> Dataset:
    """Item of the Structure Set ROI Sequence. Live formulas are AUTOMATIC; see `reviewer.dicom.annotation` for the formula itself."""
    before = known.read.structure if known is not None else None
    roi = carried(known.roi, _OF_THE_SHAPE if touched else (), private=not touched) if known is not None else Dataset()
    roi.ROINumber = number
    moved = before is None or before.grid.frame_of_reference_uid != structure.grid.frame_of_reference_uid
    if moved or "ReferencedFrameOfReferenceUID" not in roi:
        roi.ReferencedFrameOfReferenceUID = frame
    if before is None or structure.name != before.name or not roi.get("ROIName"):
        roi.ROIName = text(structure.name)
        if roi.ROIName != structure.name.strip():
            report(
                f'{structure.name} is called "{roi.ROIName}" in the RTSTRUCT, which holds 64 characters and no control characters'
            )
    algorithm = str(roi.get("ROIGenerationAlgorithm") or "")
    if structure.live:
        algorithm = "AUTOMATIC"
    elif touched and (structure.formula is not None or algorithm == "AUTOMATIC"):
        algorithm = "SEMIAUTOMATIC"
    roi.ROIGenerationAlgorithm = algorithm
    now = Annotations(structure.formula, structure.locked)
    if now != (Annotations(before.formula, before.locked) if before is not None else Annotations()):
        description = lines(roi, "ROIDescription")
        try:
            described_anew = described(description, now)
        except InputError as error:
            report(f"{structure.name}: its formula was not written: {error.what}")
            described_anew = described(description, Annotations(None, structure.locked))
        roi.ROIDescription = described_anew
        if not described_anew:
            del roi.ROIDescription
    return roi


def _observations(
    structure: Structure, number: int, known: SourceRoi | None, touched: bool, free: Iterator[int], related: bool
) -> list[Dataset]:
    """Items of the RT ROI Observations Sequence: those of the source, else a new one. related: whether all that they may refer to is there."""
    before = known.read.structure if known is not None else None
    observations = (
        [carried(item, () if related else _RELATED, private=not touched) for item in known.observations]
        if known is not None
        else []
    )
    if not observations:
        observations = [Dataset()]
        observations[0].ObservationNumber = next(free)
        observations[0].ROIInterpreter = ""
    for observation in observations:
        observation.ReferencedROINumber = number
        if before is None or structure.type != before.type or "RTROIInterpretedType" not in observation:
            observation.RTROIInterpretedType = text(structure.type, 16).upper()
        if "ROIInterpreter" not in observation:
            observation.ROIInterpreter = ""
    return observations


def _observation_numbers(structure_set: StructureSet, source: Source | None) -> Iterator[int]:
    """Numbers that no observation of the source has, from 1 on."""
    kept = [source.rois[s.id] for s in structure_set.structures if s.id in source.rois] if source is not None else []
    taken = {integer(item, "ObservationNumber") for roi in kept for item in roi.observations}
    return (number for number in count(1) if number not in taken)


def _contours(
    structure: Structure, image: Image | None, known: SourceRoi | None, changed: frozenset[int], report: Report
) -> tuple[list[Dataset], bool]:
    """Items of the Contour Sequence, and whether any of them is new.

    Items of planes that did not change stay as they came and where they came; the items of a changed plane give way to new ones.
    """
    if known is None:
        made = [item for k in structure.planes for item in _new_contours(structure, k, image, "CLOSED_PLANAR")]
        return made, bool(made)
    given = items(known.contours, "ContourSequence")
    kept = [k is None or k not in changed for k in known.read.planes]
    if changed:
        # They were never on the screen: whoever changed the ROI did so without them.
        lost = [k is None and closed(item) for k, item in zip(known.read.planes, given, strict=True)]
        if any(lost):
            report(
                f"{structure.name}: contours that could not be opened ({sum(lost)}) were left out, since the ROI was edited"
            )
        kept = [keep and not gone for keep, gone in zip(kept, lost, strict=True)]
    kinds = {text(str(item.get("ContourGeometricType", ""))) for item, keep in zip(given, kept, strict=True) if keep}
    # Where one contour of an ROI is of the XOR type all have to be (C.8.8.6.3); a keyhole means the same in both.
    kind = "CLOSEDPLANAR_XOR" if "CLOSEDPLANAR_XOR" in kinds else "CLOSED_PLANAR"
    due = {k: _new_contours(structure, k, image, kind) for k in sorted(changed) if k in structure.planes}
    anew = bool(due)
    written: list[Dataset] = []
    for k, item, keep in zip(known.read.planes, given, kept, strict=True):
        if keep:
            written.append(_counted(carried(item, {ATTACHED} if changed else ())))
        elif k is not None:
            written += due.pop(k, [])
    return [*written, *(item for new in due.values() for item in new)], anew


def _counted(contour: Dataset) -> Dataset:
    """With the number of its points where the source leaves it out (type 1): other programs drop such a contour without a word."""
    if (
        integer(contour, "NumberOfContourPoints") is None
        and (data := decimal_array(contour, "ContourData")) is not None
    ):
        contour.NumberOfContourPoints = len(data) // 3
    return contour


def keyholed(polygon: Polygon) -> NDArray[np.float64]:
    """(n, 2) one ring around a polygon, its holes joined by channels walked to and fro; no closing duplicate.

    Holes run against the outline, so that filling by winding number leaves them out as well.

    The shortest way from what is joined already to the nearest hole crosses no ring: if it did, the crossing would be nearer.
    """
    polygon = shapely.orient_polygons(polygon)
    ring: NDArray[np.float64] = shapely.get_coordinates(polygon.exterior)[:-1]
    holes = list(polygon.interiors)
    while holes:
        outline = shapely.linearrings(ring) if len(ring) > 2 else shapely.linestrings(ring)
        hole = holes.pop(int(np.argmin(shapely.distance(outline, holes))))
        way = shapely.get_coordinates(shapely.shortest_line(outline, hole))
        outer = _starting_at(ring, way[0])
        inner = _starting_at(shapely.get_coordinates(hole)[:-1], way[1])
        ring = np.concatenate([outer, outer[:1], inner, inner[:1]])
    return ring


def _starting_at(ring: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ring from `point`, which lies on it; put in as a vertex where it is none."""
    following = np.roll(ring, -1, axis=0)
    along = following - ring
    length = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", point - ring, along) / np.where(length > 0, length, 1.0)
    share = np.clip(share, 0.0, 1.0)
    k = int(np.argmin(np.linalg.norm(ring + share[:, None] * along - point, axis=1)))
    if np.array_equal(point, ring[k]):
        return np.roll(ring, -k, axis=0)
    if np.array_equal(point, following[k]):
        return np.roll(ring, -(k + 1), axis=0)
    return np.concatenate([point[None], np.roll(ring, -(k + 1), axis=0)])


def _new_contours(structure: Structure, k: int, image: Image | None, kind: str) -> list[Dataset]:
    """Items of the Contour Sequence for one plane: an item for each island, its holes joined to it."""
    w = float(structure.grid.positions_mm[k])
    referred = _slice_at(image, structure, w) if image is not None else None
    made = []
    for polygon in shapely.get_parts(structure.planes[k]):
        ring = keyholed(polygon)
        points = structure.grid.point_mm(np.column_stack([ring, np.full(len(ring), w)]))
        item = Dataset()
        if referred is not None:
            item.ContourImageSequence = [referred]
        item.ContourGeometricType = kind
        item.NumberOfContourPoints = len(points)
        value = "\\".join(millimetres(points.ravel())).encode("ascii")
        item[CONTOUR_DATA] = contour_data(value + b" " * (len(value) % 2))
        # As the file is: else pydicom makes an object of each number after all, and writes the same bytes anew.
        item.set_original_encoding(True, True, default_encoding)
        made.append(item)
    return made


def _numbers(structure_set: StructureSet, source: Source | None) -> list[int]:
    """Each structure's own number where the source has it or it is positive, and no other has it before; else a free one."""
    structures = structure_set.structures
    free = count(max([s.number for s in structures if s.number > 0], default=0) + 1)
    taken: set[int] = set()
    numbers = []
    for structure in structures:
        own = structure.number > 0 or (source is not None and structure.id in source.rois)
        number = structure.number if own and structure.number not in taken else next(free)
        taken.add(number)
        numbers.append(number)
    return numbers


def _slice_at(image: Image, structure: Structure, w_mm: float) -> Dataset | None:
    """Reference to the slice of the image that a plane of the structure lies on; None where it lies on none."""
    nearest = image.grid.nearest_plane(w_mm)
    apart = abs(float(image.grid.positions_mm[nearest]) - w_mm) > POSITION_TOLERANCE_MM
    if apart or not np.allclose(image.grid.axes, structure.grid.axes, atol=1e-6):
        return None
    return plane_reference(image, nearest)
