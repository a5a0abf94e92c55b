"""Structure sets as RT Structure Set Storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage
from shapely import Polygon

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.dicom.write.header import (
    date,
    frame_uid,
    image_of_frame,
    millimetres,
    new_object,
    plane_references,
    reference,
    save,
    study_uid,
    text,
    uid_of,
)
from reviewer.geometry.grid import POSITION_TOLERANCE_MM
from reviewer.geometry.region import Region

CONTOUR_DATA = Tag(0x3006, 0x0050)
DETACHED_STUDY_MANAGEMENT = UID("1.2.840.10008.3.1.2.3.1")
"""Retired, and still what ReferencedSOPClassUID of a study is in every structure set (PS3.3 C.8.8.5)."""


def image_of(structure_set: StructureSet, case: Case) -> Image | None:
    """The image that a structure set was drawn on, or one in its frame of reference."""
    return case.image(structure_set.image_id) or image_of_frame(case, structure_set.frame_of_reference_uid)


def write_structure_set(structure_set: StructureSet, case: Case, path: Path) -> Path:
    """An RTSTRUCT with one ROI per structure, empty ones included.

    Contours are CLOSED_PLANAR. A hole is joined to its outline by a channel of no width (keyhole, PS3.3 C.8.8.6.3): unlike separate
    rings it means the same to readers that fill each contour, that unite contours and that apply the even-odd rule.
    Implicit VR little endian, because in explicit VR a contour of more than 64 KiB has no valid length.
    ROI numbers are kept where they are unique and positive.
    """
    image = image_of(structure_set, case)
    ds = new_object(
        case,
        RTStructureSetStorage,
        uid_of(structure_set.id),
        "RTSTRUCT",
        structure_set.label,
        structure_set.date,
        image,
    )
    ds.StructureSetLabel = text(structure_set.label, 16) or "RTSTRUCT"
    ds.StructureSetName = text(structure_set.label)
    ds.StructureSetDate = date(structure_set.date)
    ds.StructureSetTime = ""
    frame = frame_uid(structure_set.frame_of_reference_uid, structure_set.id)
    ds.FrameOfReferenceUID = frame
    ds.PositionReferenceIndicator = ""
    ds.ReferencedFrameOfReferenceSequence = [_referenced_frame(frame, image, case)]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, structure in zip(_numbers(structure_set.structures), structure_set.structures, strict=True):
        roi = Dataset()
        roi.ROINumber = number
        roi.ReferencedFrameOfReferenceUID = frame
        roi.ROIName = text(structure.name)
        roi.ROIGenerationAlgorithm = ""
        ds.StructureSetROISequence.append(roi)

        contours = Dataset()
        contours.ReferencedROINumber = number
        contours.ROIDisplayColor = list(structure.colour)
        items = list(_contours(structure, image))
        if items:
            contours.ContourSequence = items
        ds.ROIContourSequence.append(contours)

        observation = Dataset()
        observation.ObservationNumber = number
        observation.ReferencedROINumber = number
        observation.RTROIInterpretedType = text(structure.type, 16).upper()
        observation.ROIInterpreter = ""
        ds.RTROIObservationsSequence.append(observation)
    ds.ApprovalStatus = structure_set.approval if structure_set.approval in ("APPROVED", "REJECTED") else "UNAPPROVED"
    if ds.ApprovalStatus != "UNAPPROVED":
        ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = date(structure_set.date), "", ""
    return save(ds, path, ImplicitVRLittleEndian)


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


def _contours(structure: Structure, image: Image | None) -> Iterator[Dataset]:
    """Items of the Contour Sequence, plane by plane."""
    references = plane_references(image) if image is not None else []
    for k, region in structure.planes.items():
        w = float(structure.grid.positions_mm[k])
        nearest = image.grid.nearest_plane(w) if image is not None else 0
        on_slice = (
            image is not None
            and bool(references)
            and abs(float(image.grid.positions_mm[nearest]) - w) <= POSITION_TOLERANCE_MM
            and bool(np.allclose(image.grid.axes, structure.grid.axes, atol=1e-6))
        )
        for polygon in _polygons(region):
            ring = keyholed(polygon)
            points = structure.grid.point_mm(np.column_stack([ring, np.full(len(ring), w)]))
            item = Dataset()
            if on_slice:
                item.ContourImageSequence = [references[nearest]]
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(points)
            value = "\\".join(millimetres(points.ravel())).encode("ascii")
            value += b" " * (len(value) % 2)
            # As bytes: pydicom would make an object of each of a million numbers.
            item[CONTOUR_DATA] = RawDataElement(CONTOUR_DATA, "DS", len(value), value, 0, True, True)
            yield item


def _polygons(region: Region) -> list[Polygon]:
    return list(shapely.get_parts(region))


def _numbers(structures: tuple[Structure, ...]) -> list[int]:
    given = [s.number for s in structures]
    return given if len(set(given)) == len(given) and min(given, default=1) > 0 else list(range(1, len(given) + 1))


def _referenced_frame(frame: UID, image: Image | None, case: Case) -> Dataset:
    item = Dataset()
    item.FrameOfReferenceUID = frame
    if image is not None and (references := plane_references(image)):
        series = Dataset()
        series.SeriesInstanceUID = uid_of(image.id)
        series.ContourImageSequence = references
        study = reference(DETACHED_STUDY_MANAGEMENT, study_uid(case, image))
        study.RTReferencedSeriesSequence = [series]
        item.RTReferencedStudySequence = [study]
    return item
