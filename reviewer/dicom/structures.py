"""Structure sets: the contours of an RTSTRUCT as regions on the planes of the image that they were drawn on (PS3.3 C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from reviewer.case import Colour, Image, Structure, StructureSet
from reviewer.case.structure import PALETTE
from reviewer.case.uid import stand_in_uid
from reviewer.dicom.annotation import annotations_in
from reviewer.dicom.file import DicomFile
from reviewer.dicom.series import Report
from reviewer.dicom.values import date, decimal_arrays, integer, items, lines, numbers, text
from reviewer.errors import GeometryError
from reviewer.geometry.grid import MAX_MM, Grid
from reviewer.geometry.region import SMALLEST_PART_MM2, Region, region_of_rings

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"

SNAP_FRACTION, SNAP_MM = 0.1, 0.05
"""A contour belongs to a plane within this part of the distance to the next plane, and always within this many mm."""

PARALLEL = 0.9999
"""Cosine above which a contour's normal and an axis are the same direction (0.8 degrees)."""

CROSSING = 0.01
"""Part of the smaller of two contours below which an overlap, or what sticks out of the larger, is rounding or a slip of the hand."""

NAMED = 20
"""ROIs that share a warning are named up to this many."""

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR", "")

OFFSET = Tag("ContourOffsetVector")
"""Retired; whether the points hold it already is not defined."""

Points = NDArray[np.float64]


class _Remarks:
    """Warnings that many ROIs of one file are likely to share: one line for all ROIs of which the same is to be said."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = defaultdict(list)

    def add(self, what: str, roi: _Roi, detail: str = "") -> None:
        """what: after "ROI …: "; detail: of this ROI only, in brackets."""
        self._names[what].append(f'"{roi.name}"' + (f" ({detail})" if detail else ""))

    def hand_on(self, path: str, report: Report) -> None:
        for what, names in self._names.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            which = "ROI" if len(names) == 1 else f"{len(names)} ROIs,"
            report(path, "warning", f"{which} {', '.join(names[:NAMED])}{more}: {what}")


@dataclass(frozen=True, slots=True)
class _Roi:
    number: int
    name: str
    frame_uid: str
    description: str


@dataclass(frozen=True, slots=True)
class ReadRoi:
    """One ROI of a file as it was understood.

    planes: of each item of its Contour Sequence the plane of `structure.grid` that it lies on; None where it is no part of the structure
            (another type than closed planar, coordinates that are not valid).
    """

    structure: Structure
    planes: tuple[int | None, ...]


def structure_set_of(file: DicomFile, images: Sequence[Image], report: Report) -> StructureSet:
    """All ROIs of one file, in their order, the empty ones too.

    Contours lie on the planes of the referenced image, or of one in the same frame of reference; where they lie off its planes, or
    there is none, the structure has planes of its own at the contours' positions. Nothing is moved but by rounding (SNAP_MM).
    """
    ds = file.dataset
    rois = rois_of(file, images, report)
    structures = tuple(roi.structure for roi in rois)
    tied = Counter(s.image_id for s in structures if s.image_id is not None)
    return StructureSet(
        id=file.sop_uid,
        label=text(ds, "StructureSetLabel") or text(ds, "StructureSetName") or "Structures",
        structures=structures,
        image_id=tied.most_common(1)[0][0] if tied else None,
        frame_of_reference_uid=structures[0].grid.frame_of_reference_uid if structures else _set_frame(ds),
        date=date(ds, "StructureSetDate", "SeriesDate", "StudyDate"),
        approval=text(ds, "ApprovalStatus").upper(),
        path=file.path,
        referenced_series_uids=tuple(dict.fromkeys(uid for uid in _series(ds) if uid)),
        reviewer=text(ds, "ReviewerName"),
        reviewed=_reviewed(ds),
    )


def _reviewed(ds: Dataset) -> str:
    """Date and, where it is given, time of the approval, ISO 8601."""
    day, time = date(ds, "ReviewDate"), text(ds, "ReviewTime")[:6]
    clock = f"T{time[:2]}:{time[2:4]}:{time[4:]}" if len(time) == 6 and time.isdigit() else ""
    return f"{day}{clock}" if day else ""


def _set_frame(ds: Dataset) -> str:
    frames = items(ds, "ReferencedFrameOfReferenceSequence")
    return next((uid for frame in frames if (uid := text(frame, "FrameOfReferenceUID"))), "")


def _series(ds: Dataset) -> list[str]:
    return [
        text(s, "SeriesInstanceUID")
        for frame in items(ds, "ReferencedFrameOfReferenceSequence")
        for study in items(frame, "RTReferencedStudySequence")
        for s in items(study, "RTReferencedSeriesSequence")
    ]


def rois_of(file: DicomFile, images: Sequence[Image], report: Report) -> list[ReadRoi]:
    """The ROIs of one file, in their order. The same file with the same images gives the same regions, bit for bit."""
    ds = file.dataset
    series = _series(ds)
    rois = _rois(ds, _set_frame(ds), file.path, report)
    types = {
        integer(o, "ReferencedROINumber"): text(o, "RTROIInterpretedType").upper()
        for o in items(ds, "RTROIObservationsSequence")
    }
    drawn: dict[int, Dataset] = {}
    for entry in items(ds, "ROIContourSequence"):
        number = integer(entry, "ReferencedROINumber")
        if number is None or number not in {roi.number for roi in rois}:
            report(file.path, "warning", "contours of an ROI that the structure set does not name were left out")
        elif number in drawn:
            report(file.path, "warning", f"the contours of ROI {number} are given twice: the second were left out")
        else:
            drawn[number] = entry
    known = {image.id.split("#")[0] for image in images}
    absent = [uid for uid in dict.fromkeys(series) if uid and uid not in known]
    if absent:
        report(
            file.path,
            "note",
            f"the structure set refers to {_count(len(absent), 'image series', 'image series')} not among the opened files",
        )

    read = []
    remarks = _Remarks()
    used: Counter[str] = Counter()
    for k, roi in enumerate(rois):
        entry = drawn.get(roi.number, Dataset())
        own_id = f"{file.sop_uid}#{roi.number}"
        used[own_id] += 1
        if used[own_id] > 1:
            own_id = f"{own_id}.{used[own_id]}"
        contours = _contours(entry, roi, file.path, report)
        candidates = _candidates(roi, series, images, remarks)
        placed = _placed([c for c in contours if c is not None], candidates, roi, file.path, report, remarks)
        own = annotations_in(roi.description)
        structure = Structure(
            id=own_id,
            name=roi.name,
            grid=placed.grid,
            planes=placed.regions,
            type=types.get(roi.number, ""),
            colour=_colour(entry, k),
            image_id=placed.image_id,
            number=roi.number,
            formula=own.formula,
            locked=own.locked,
            frozen=own.formula is not None,
        )
        place = iter(placed.planes)
        read.append(ReadRoi(structure, tuple(next(place, None) if c is not None else None for c in contours)))
    remarks.hand_on(file.path, report)
    return read


def _count(n: int, one: str, many: str) -> str:
    return f"one {one}" if n == 1 else f"{n} {many}"


def _rois(ds: Dataset, set_frame: str, path: str, report: Report) -> list[_Roi]:
    rois: list[_Roi] = []
    for entry in items(ds, "StructureSetROISequence"):
        number, name = integer(entry, "ROINumber"), text(entry, "ROIName")
        if number is None:
            report(path, "warning", f'the ROI "{name}" has no number and was left out')
            continue
        if any(roi.number == number for roi in rois):
            report(
                path,
                "warning",
                f'the ROI "{name}" has the number {number} of another one: its contours cannot be told and were left out',
            )
            continue
        frame_uid = text(entry, "ReferencedFrameOfReferenceUID") or set_frame
        rois.append(_Roi(number, name or f"ROI {number}", frame_uid, lines(entry, "ROIDescription")))
    if not rois:
        report(path, "warning", "the structure set has no ROIs")
    return rois


def _colour(entry: Dataset, k: int) -> Colour:
    given = numbers(entry, "ROIDisplayColor", 3)
    if given is None or not all(0 <= c <= 255 for c in given):
        return PALETTE[k % len(PALETTE)]
    return int(given[0]), int(given[1]), int(given[2])


def _contours(entry: Dataset, roi: _Roi, path: str, report: Report) -> list[Points | None]:
    """The closed contours of an ROI as (n, 3) patient points, None for the others; one line for each kind that is left out."""
    given = items(entry, "ContourSequence")
    contours: list[Points | None] = [None] * len(given)
    refused: Counter[str] = Counter()
    closed = []
    for n, contour in enumerate(given):
        kind = text(contour, "ContourGeometricType").upper()
        if OFFSET in contour and any(numbers(contour, "ContourOffsetVector") or (1.0,)):
            refused[
                f"contour with an offset (ContourOffsetVector {text(contour, 'ContourOffsetVector')}), which DICOM has withdrawn,"
            ] += 1
        elif kind in CLOSED:
            closed.append(n)
        else:
            refused[f"{kind} contour"] += 1
    for n, flat in zip(closed, decimal_arrays([given[n] for n in closed], "ContourData"), strict=True):
        if flat is None or len(flat) % 3 or not np.abs(flat).max(initial=0) <= MAX_MM:  # NaN fails the comparison
            refused["contour with coordinates that are missing or not valid"] += 1
        elif len(flat) < 9:
            refused["contour of fewer than three points"] += 1
        else:
            contours[n] = flat.reshape(-1, 3)
    nothing = all(c is None for c in contours)
    for what, n in refused.items():
        consequence = "was left out" if n == 1 else "were left out"
        empty = "; the ROI is empty" if nothing else ""
        plural = what.replace("contour", "contours", 1) if n > 1 else what
        harmless = what.endswith(" contour")
        report(
            path, "note" if harmless else "warning", f'ROI "{roi.name}": {_count(n, what, plural)} {consequence}{empty}'
        )
    return contours


def _candidates(roi: _Roi, series: Sequence[str], images: Sequence[Image], remarks: _Remarks) -> list[Image]:
    """Images that the contours may lie on: those referenced first, then those in the same frame of reference."""
    referenced = [i for i in images if i.id.split("#")[0] in series]
    fitting = [
        i
        for i in referenced
        if not roi.frame_uid
        or i.grid.frame_of_reference_uid in (roi.frame_uid, stand_in_uid("frame", i.id.split("#")[0]))
    ]
    if referenced and not fitting:
        remarks.add("in another frame of reference than the image referred to: not laid on that image", roi)
    others = [
        i for i in images if roi.frame_uid and i not in fitting and i.grid.frame_of_reference_uid == roi.frame_uid
    ]
    return fitting + others


# -- contours onto planes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Placed:
    """planes: the plane of each contour, None where it could not be placed."""

    grid: Grid
    regions: dict[int, Region]
    image_id: str | None
    planes: Sequence[int | None] = ()


def _placed(
    contours: list[Points], candidates: Sequence[Image], roi: _Roi, path: str, report: Report, remarks: _Remarks
) -> _Placed:
    """Grid, regions and image of an ROI. What cannot be placed is reported; the ROI is then empty."""
    if not contours:
        return _nowhere(candidates, roi)

    best: tuple[int, Image, NDArray[np.intp]] | None = None
    parallel: Image | None = None
    for image in candidates:
        uvw = [image.grid.uvw_mm(c) for c in contours]
        if not all(_flat(p[:, 2], image.grid.spacing_w_mm) for p in uvw):
            continue
        parallel = parallel or image
        planes = snapped(np.array([float(p[:, 2].min() + p[:, 2].max()) / 2 for p in uvw]), image.grid)
        hits = int((planes >= 0).sum())
        if best is None or hits > best[0]:
            best = (hits, image, planes)
        if hits == len(contours):
            break
    if best is not None and best[0] == len(contours):
        _, image, planes = best
        rings: dict[int, list[Points]] = defaultdict(list)
        for k, contour in zip(planes.tolist(), contours, strict=True):
            rings[k].append(image.grid.uvw_mm(contour)[:, :2])
        return _Placed(image.grid, _regions(rings, roi, path, report, remarks), image.id, planes.tolist())

    axes = parallel.grid.axes if parallel else _axes_of(contours)
    reference = (best[1] if best else parallel) or None
    if axes is None:
        report(path, "error", f'ROI "{roi.name}": its contours do not lie in parallel planes; the ROI is empty')
        return _nowhere(candidates, roi)
    if reference is not None and best is not None:
        remarks.add(
            "contours lie off the slices of the image; the planes that they were drawn on are kept",
            roi,
            f"{len(contours) - best[0]} of {len(contours)}",
        )
    elif candidates:
        remarks.add("not drawn on the slices of the image; own planes are kept", roi)
    uvw = [c @ axes.T for c in contours]
    positions, index = levels_of(np.array([float(p[:, 2].min() + p[:, 2].max()) / 2 for p in uvw]))
    frame_uid = reference.grid.frame_of_reference_uid if reference else roi.frame_uid
    grid = _own_grid(positions, axes, reference.grid if reference else None, np.concatenate(uvw)[:, :2], frame_uid)
    plane_of = [int(np.argmin(np.abs(grid.positions_mm - w))) for w in positions]
    rings = defaultdict(list)
    for level, points in zip(index.tolist(), uvw, strict=True):
        rings[plane_of[level]].append(points[:, :2])
    return _Placed(
        grid, _regions(rings, roi, path, report, remarks), None, [plane_of[level] for level in index.tolist()]
    )


def _nowhere(candidates: Sequence[Image], roi: _Roi) -> _Placed:
    """An empty ROI, on the slices of the first image that it may belong to."""
    if candidates:
        return _Placed(candidates[0].grid, {}, candidates[0].id)
    return _Placed(_own_grid([0.0], np.eye(3), None, np.zeros((1, 2)), roi.frame_uid), {}, None)


def _flat(w: Points, spacing_mm: float) -> bool:
    return float(np.ptp(w)) <= 2 * max(SNAP_MM, SNAP_FRACTION * spacing_mm)


def snapped(w: Points, grid: Grid) -> NDArray[np.intp]:
    """The plane of each position, -1 where it is off all planes."""
    positions = grid.positions_mm
    nearest = np.abs(positions[:, None] - w[None, :]).argmin(axis=0)
    steps = np.diff(positions)
    if len(steps):
        local = np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
    else:
        local = np.array([grid.thickness_mm])
    near = np.abs(positions[nearest] - w) <= np.maximum(SNAP_MM, SNAP_FRACTION * local[nearest])
    return np.where(near, nearest, -1)


def _regions(
    rings: dict[int, list[Points]], roi: _Roi, path: str, report: Report, remarks: _Remarks
) -> dict[int, Region]:
    regions = {}
    flat = copied = crossing = lost = 0
    for plane, given in rings.items():
        ring = _without_copies(given)
        copied += len(given) - len(ring)
        crossing += _cross(ring)
        try:
            region = region_of_rings(ring)
        except GeometryError as error:
            report(path, "warning", f'ROI "{roi.name}": the contours of a plane were left out: {error.what}')
            continue
        if region is not None:
            regions[plane] = region
        elif any(shapely.Polygon(points).area > SMALLEST_PART_MM2 for points in ring):
            lost += 1
        else:
            flat += 1
    if lost:
        what = "a contour goes around everything twice: by DICOM's XOR that is outside, and nothing is left"
        report(path, "warning", f'ROI "{roi.name}": in {_count(lost, "plane", "planes")} {what}')
    if flat:
        report(path, "note", f'ROI "{roi.name}": in {_count(flat, "plane", "planes")} its contours enclose no area')
    if copied:
        remarks.add("contours are given twice and taken once", roi, str(copied))
    if crossing:
        what = "contours of a plane cross each other: what lies inside of two of them is taken for outside, as DICOM's XOR does"
        remarks.add(what, roi, _count(crossing, "plane", "planes"))
    occupied = sorted(regions)
    if len(occupied) > 2 and min(b - a for a, b in pairwise(occupied)) > 1:
        remarks.add(
            "no two contours lie on neighbouring slices: each counts as one slice thick, and between is nothing", roi
        )
    return regions


def _without_copies(rings: list[Points]) -> list[Points]:
    """The rings, of those with the same points only the first: by the even-odd rule two would enclose nothing."""
    if len(rings) == 1:
        return rings
    return list({frozenset(map(tuple, ring.tolist())): ring for ring in reversed(rings)}.values())[::-1]


def _cross(rings: Sequence[Points]) -> bool:
    """Whether rings of a plane overlap in part (by more than CROSSING): neither beside each other nor one inside of the other."""
    if len(rings) == 1:
        return False
    areas = shapely.polygons([shapely.linearrings(ring) for ring in rings])
    areas = areas[shapely.is_valid(areas)]
    first, second = shapely.STRtree(areas).query(areas, predicate="overlaps")
    pairs = first < second
    both = shapely.area(shapely.intersection(areas[first[pairs]], areas[second[pairs]]))
    smaller = np.minimum(shapely.area(areas[first[pairs]]), shapely.area(areas[second[pairs]]))
    return bool(np.any((both > CROSSING * smaller) & (both < (1 - CROSSING) * smaller)))


def levels_of(w: Points) -> tuple[list[float], NDArray[np.intp]]:
    """Distinct positions in rising order, and the index of each position's own."""
    order = np.argsort(w)
    levels: list[float] = []
    index = np.empty(len(w), np.intp)
    for k in order:
        if not levels or w[k] - levels[-1] > SNAP_MM:
            levels.append(float(w[k]))
        index[k] = len(levels) - 1
    return levels, index


def _own_grid(positions: Sequence[float], axes: Points, reference: Grid | None, uv: Points, frame_uid: str) -> Grid:
    """A grid at the contours' positions, in the image's columns and rows where there is one, else in 1 mm pixels about the contours.

    Where all distances are multiples of the smallest, planes without contour are put between, as the image that was drawn on had
    them: a structure in two parts stays in two parts.
    """
    levels = np.array(positions)
    steps = np.diff(levels)
    thickness = reference.spacing_w_mm if reference else 1.0
    if len(steps):
        step = float(steps.min())
        if reference and step > 1.5 * reference.spacing_w_mm:
            step = reference.spacing_w_mm
        levels = completed(levels, step)
    if reference:
        return Grid(
            axes, reference.origin_uv_mm, reference.spacing_uv_mm, reference.size_uv, levels, frame_uid, thickness
        )
    low, high = np.floor(uv.min(axis=0)), np.ceil(uv.max(axis=0))
    size = np.clip(high - low, 0, 10_000).astype(int) + 1
    return Grid(
        axes, (float(low[0]), float(low[1])), (1.0, 1.0), (int(size[0]), int(size[1])), levels, frame_uid, thickness
    )


def completed(levels: Points, step: float) -> Points:
    """Rising positions with those between them that are missing; as they are where their distances are not multiples of `step`."""
    steps = np.diff(levels)
    counts = np.rint(steps / step)
    regular = np.all((counts >= 1) & (np.abs(steps - counts * step) <= np.maximum(SNAP_MM, 0.02 * step)))
    if not regular or counts.sum() >= 10_000:
        return levels
    between = [levels[k] + np.arange(int(n)) * (steps[k] / n) for k, n in enumerate(counts)]
    return np.concatenate([*between, levels[-1:]])


def _axes_of(contours: Sequence[Points]) -> Points | None:
    """Axes of the planes that all contours lie in, None where there are none; upright where the planes are (within PARALLEL)."""
    normals, weights = [], []
    for contour in contours:
        centred = contour - contour.mean(axis=0)
        area = np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0) / 2  # Newell: the vector area of a polygon
        size = float(np.linalg.norm(area))
        if size > 0:
            normals.append(area / size)
            weights.append(size)
    if not normals:
        return None
    normal = normals[int(np.argmax(weights))]
    main = int(np.argmax(np.abs(normal)))
    if abs(normal[main]) > PARALLEL:
        normal = np.eye(3)[main]
    along, down = {0: ((0, 1, 0), (0, 0, -1)), 1: ((1, 0, 0), (0, 0, -1)), 2: ((1, 0, 0), (0, 1, 0))}[main]
    w = normal * np.sign(normal @ np.cross(along, down))
    u = np.array(along, float) - (w @ np.array(along, float)) * w
    u /= np.linalg.norm(u)
    axes = np.array([u, np.cross(w, u), w])
    if not all(_flat(contour @ w, 1.0) for contour in contours):
        return None
    return axes
