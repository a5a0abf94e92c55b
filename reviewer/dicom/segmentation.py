"""Segments of a DICOM Segmentation or Label Map Segmentation as structures (PS3.3 C.8.20), traced exactly along the edges of their voxels.

A frame says itself where it lies, so that frames may come in any order, and those of empty planes not at all. Segments may overlap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reviewer.case import Colour, Image, Structure, StructureSet
from reviewer.case.structure import PALETTE
from reviewer.case.uid import stand_in_uid
from reviewer.dicom.annotation import annotations_in
from reviewer.dicom.file import DicomFile
from reviewer.dicom.pixels import Pixels, read_frame
from reviewer.dicom.planes import axes_of
from reviewer.dicom.series import Report
from reviewer.dicom.structures import PARALLEL, SNAP_FRACTION, completed, levels_of, snapped
from reviewer.dicom.values import date, integer, item, items, lines, number, numbers, text
from reviewer.errors import InputError
from reviewer.geometry.grid import AXIS_TOLERANCE, MAX_MM, Grid
from reviewer.geometry.region import Region, region_of_rings, rings_of
from reviewer.geometry.tracing import region_of_pixels

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"

TYPES = {
    ("DCM", "130041"): {"GTV": "GTV", "CTV": "CTV", "PTV": "PTV"},
    ("DCM", "130047"): {"": "EXTERNAL"},
    ("SCT", "91723000"): {"": "ORGAN"},
    ("SRT", "T-D000A"): {"": "ORGAN"},
}
"""Property category (CID 9580) -> first letters of the meaning of the property type -> RT ROI interpreted type."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame. segment: its number, None where the values of the pixels are numbers of segments. origin_mm: (3,) centre of its first pixel."""

    index: int
    segment: int | None
    axes: NDArray[np.float64]
    origin_mm: NDArray[np.float64]
    spacing_uv_mm: tuple[float, float]

    @property
    def w_mm(self) -> float:
        return float(self.axes[2] @ self.origin_mm)


Masks = Iterator[tuple[int, NDArray[np.bool_]]]


def structure_set_of_segments(
    file: DicomFile, images: Sequence[Image], report: Report, check: Callable[[], None]
) -> StructureSet:
    """All segments of one file, in their order, the empty ones too. check: called before each frame, raises to stop.

    They lie on the planes of the image that is referred to, or of another in the same frame of reference, where every frame lies on one
    and they are no further apart; else on planes of their own. In their planes they are where the file says, on whichever pixels.
    Raises InputError where the places of the frames are missing, or they are not parallel.
    """
    ds, pixels = file.dataset, file.pixels
    if not isinstance(ds, Dataset) or pixels is None:
        raise InputError(file.refusal)
    described = _described(ds, file.path, report)
    series = tuple(
        dict.fromkeys(uid for s in items(ds, "ReferencedSeriesSequence") if (uid := text(s, "SeriesInstanceUID")))
    )
    referred = [image for image in images if image.id.split("#")[0] in series]
    frames = _frames(ds, pixels, referred)
    frame_uid = text(ds, "FrameOfReferenceUID")
    if not frame_uid:
        frame_uid = referred[0].grid.frame_of_reference_uid if referred else stand_in_uid("frame", file.sop_uid)
        what = "that of the image that it refers to is taken" if referred else "it cannot be laid over an image"
        report(file.path, "warning", f"the segmentation names no frame of reference: {what}")
    own, spacing = _own_grid(ds, frames, pixels, frame_uid)
    others = [image for image in images if image not in referred]
    candidates = [i for i in (*referred, *others) if i.grid.frame_of_reference_uid == frame_uid]
    image = next((i for i in candidates if _on_planes(frames, i.grid, spacing)), None)
    grid = image.grid if image else own
    if image is None and candidates:
        report(file.path, "note", "the segments do not lie on the slices of the image; their own planes are kept")
    elif image is None and referred:
        report(file.path, "warning", "in another frame of reference than the image referred to: not laid on that image")
    planes = _planes(ds, frames, pixels, described, grid, file.path, report, check)
    structures = tuple(
        Structure(
            id=f"{file.sop_uid}#{n}",
            name=text(segment, "SegmentLabel") or f"Segment {n}",
            grid=grid,
            planes=planes.get(n, {}),
            type=_type(segment),
            colour=_colour(segment) or PALETTE[k % len(PALETTE)],
            image_id=image.id if image else None,
            number=n,
        )
        for k, (n, segment) in enumerate(described.items())
    )
    label = text(ds, "SeriesDescription") or text(ds, "ContentDescription") or text(ds, "ContentLabel")
    return StructureSet(
        id=file.sop_uid,
        label=label or "Segmentation",
        structures=structures,
        image_id=image.id if image else None,
        frame_of_reference_uid=frame_uid,
        date=date(ds, "ContentDate", "SeriesDate", "StudyDate"),
        path=file.path,
        referenced_series_uids=series,
    )


def _described(ds: Dataset, path: str, report: Report) -> dict[int, Dataset]:
    """The items of the Segment Sequence by number, but that of the background."""
    found: dict[int, Dataset] = {}
    for segment in items(ds, "SegmentSequence"):
        n = integer(segment, "SegmentNumber")
        if n is None or n in found:
            said = "has no number" if n is None else f"has the number {n} of another one"
            report(path, "warning", f'the segment "{text(segment, "SegmentLabel")}" {said} and was left out')
        elif n != _background(ds):
            found[n] = segment
    if not found:
        raise InputError("it describes no segments")
    return found


def _background(ds: Dataset) -> int | None:
    """The value of a label map that is no segment; segments of other kinds count from 1."""
    padding = integer(ds, "PixelPaddingValue")
    return 0 if padding is None or text(ds, "SegmentationType").upper() != "LABELMAP" else padding


# -- where frames lie -----------------------------------------------------------------------------------------------------


def _frames(ds: Dataset, pixels: Pixels, images: Sequence[Image]) -> list[_Frame]:
    shared = item(ds, "SharedFunctionalGroupsSequence")
    groups = items(ds, "PerFrameFunctionalGroupsSequence")
    if len(groups) != pixels.frames:
        raise InputError(f"it has {pixels.frames} frames, but describes {len(groups)}")
    if "TotalPixelMatrixColumns" in ds:
        raise InputError("it is of a slide, not of a patient's planes")
    mapped = text(ds, "SegmentationType").upper() == "LABELMAP"
    slices = {
        (uid, image.frame_numbers[k] if image.frame_numbers else None): (image, k)
        for image in images
        for k, uid in enumerate(image.sop_instance_uids)
    }
    frames = []
    for index, group in enumerate(groups):

        def find(sequence: str, group: Dataset = group) -> Dataset:
            return item(group, sequence) if sequence in group else item(shared, sequence)

        segment = None if mapped else integer(find("SegmentIdentificationSequence"), "ReferencedSegmentNumber")
        if segment is None and not mapped:
            raise InputError(f"frame {index + 1} does not say of which segment it is")
        position = numbers(find("PlanePositionSequence"), "ImagePositionPatient", 3)
        orientation = numbers(find("PlaneOrientationSequence"), "ImageOrientationPatient", 6)
        spacing = numbers(find("PixelMeasuresSequence"), "PixelSpacing", 2)
        if position is None and orientation is None and spacing is None:
            frames.append(_on_slice(index, segment, find("DerivationImageSequence"), slices, pixels))
        elif position is None or orientation is None or spacing is None:
            raise InputError(f"position, orientation or pixel spacing of frame {index + 1} is missing or not valid")
        elif max(map(abs, (*position, *spacing))) > MAX_MM or min(spacing) <= 0:
            raise InputError(f"position or pixel spacing of frame {index + 1} is not that of a patient")
        else:
            place = np.array(position), (spacing[1], spacing[0])
            frames.append(_Frame(index, segment, axes_of(orientation), *place))
    first = frames[0]
    for frame in frames:
        if not np.abs(frame.axes - first.axes).max() <= AXIS_TOLERANCE:
            raise InputError("its frames are not parallel")
        if not np.allclose(frame.spacing_uv_mm, first.spacing_uv_mm, rtol=1e-4):
            raise InputError("its frames have different pixel spacings")
    return [frame if frame.axes is first.axes else replace(frame, axes=first.axes) for frame in frames]


def _on_slice(
    index: int,
    segment: int | None,
    derivation: Dataset,
    slices: Mapping[tuple[str, int | None], tuple[Image, int]],
    pixels: Pixels,
) -> _Frame:
    """A frame that only names the image that it was drawn on."""
    source = item(derivation, "SourceImageSequence")
    uid = text(source, "ReferencedSOPInstanceUID")
    place = slices.get((uid, integer(source, "ReferencedFrameNumber"))) or slices.get((uid, None))
    if place is None:
        raise InputError("its frames do not say where they lie, and the images that they were drawn on are not there")
    image, k = place
    if image.grid.size_uv != (pixels.columns, pixels.rows):
        raise InputError("its frames do not say where they lie, and have other pixels than the image that they name")
    origin = image.grid.point_of_index_mm((k, 0, 0))
    return _Frame(index, segment, image.grid.axes, origin, image.grid.spacing_uv_mm)


def _own_grid(ds: Dataset, frames: Sequence[_Frame], pixels: Pixels, frame_uid: str) -> tuple[Grid, float | None]:
    """The lattice of the frames, with those that were left out between them; and how far apart they are, where they say so."""
    first = frames[0]
    levels = np.array(levels_of(np.array([frame.w_mm for frame in frames]))[0])
    measures = item(item(ds, "SharedFunctionalGroupsSequence"), "PixelMeasuresSequence") or item(
        items(ds, "PerFrameFunctionalGroupsSequence")[0], "PixelMeasuresSequence"
    )
    between, thick = number(measures, "SpacingBetweenSlices"), number(measures, "SliceThickness")
    between, thick = (abs(mm) if mm and abs(mm) <= MAX_MM else None for mm in (between, thick))
    for step in filter(None, (between, float(np.diff(levels).min()) if len(levels) > 1 else None)):
        whole = completed(levels, step)
        if len(whole) > len(levels):
            levels = whole
            break
    uv = np.array([first.axes[:2] @ frame.origin_mm for frame in frames])
    low, high = uv.min(axis=0), uv.max(axis=0)
    more = np.ceil((high - low) / first.spacing_uv_mm - 1e-3).astype(int)
    size = (pixels.columns + int(more[0]), pixels.rows + int(more[1]))
    origin = (float(low[0]), float(low[1]))
    grid = Grid(first.axes, origin, first.spacing_uv_mm, size, levels, frame_uid, between or thick or 1.0)
    return grid, between or (None if len(levels) > 1 or thick is None else thick)


def _on_planes(frames: Sequence[_Frame], grid: Grid, spacing_mm: float | None) -> bool:
    """Whether each frame lies on a plane of a grid, and the frames that are not there may be its empty planes."""
    if abs(float(grid.axes[2] @ frames[0].axes[2])) < PARALLEL:
        return False
    planes = snapped(np.array([float(grid.uvw_mm(frame.origin_mm)[2]) for frame in frames]), grid)
    if planes.min() < 0:
        return False
    steps = np.diff(np.unique(planes))
    if spacing_mm is None or (len(steps) and steps.min() == 1):
        return True
    return abs(spacing_mm - grid.spacing_w_mm) <= SNAP_FRACTION * grid.spacing_w_mm


# -- what they hold -------------------------------------------------------------------------------------------------------


def _planes(
    ds: Dataset,
    frames: Sequence[_Frame],
    pixels: Pixels,
    described: Mapping[int, Dataset],
    grid: Grid,
    path: str,
    report: Report,
    check: Callable[[], None],
) -> dict[int, dict[int, Region]]:
    """Regions by segment and plane of the grid. What cannot be told, or read, is left out with a line."""
    regions: dict[int, dict[int, Region]] = defaultdict(dict)
    unknown: set[int] = set()
    unread: Counter[str] = Counter()
    twice: set[int] = set()
    least = _least(ds, path, report)
    places = grid.uvw_mm(np.array([frame.origin_mm for frame in frames]))[:, 2]
    for frame, w in zip(frames, places, strict=True):
        check()
        try:
            values = read_frame(pixels, frame.index)
        except InputError as error:
            unread[error.what] += 1
            continue
        plane = grid.nearest_plane(float(w))
        for n, mask in _masks(values, frame.segment, least, _background(ds)):
            if n not in described:
                unknown.add(n)
                continue
            region = _region(mask, frame, grid)
            if region is None:
                continue
            if plane in regions[n] and not region.equals_exact(regions[n][plane], 0.0):
                twice.add(n)
            regions[n][plane] = region
    for why, count in unread.items():
        report(path, "error", f"{count} of {len(frames)} frames could not be read and are empty: {why}")
    if unknown:
        named = ", ".join(map(str, sorted(unknown)[:5])) + (", …" if len(unknown) > 5 else "")
        report(
            path, "warning", f"what is marked as segment {named} was left out: the segmentation does not describe it"
        )
    for n in sorted(twice):
        report(
            path,
            "error",
            f"segment {n} has different frames in one place and nothing that tells them apart: it is empty",
        )
        del regions[n]
    return regions


def _least(ds: Dataset, path: str, report: Report) -> float:
    """The value from which on a voxel counts as filled."""
    if text(ds, "SegmentationType").upper() != "FRACTIONAL":
        return 1.0
    full = number(ds, "MaximumFractionalValue")
    if full is None or full <= 0:
        raise InputError("it is fractional, but does not say which value is a full voxel (MaximumFractionalValue)")
    what = "probability" if text(ds, "SegmentationFractionalType").upper() == "PROBABILITY" else "part of a voxel"
    report(path, "note", f"it is fractional: a voxel belongs to a segment from a {what} of one half on")
    return full / 2


def _masks(values: NDArray[np.generic], segment: int | None, least: float, background: int | None) -> Masks:
    if segment is not None:
        yield segment, np.greater_equal(values, least)
        return
    for value in np.unique(values).tolist():
        if value != background:
            yield int(value), values == value


def _region(mask: NDArray[np.bool_], frame: _Frame, grid: Grid) -> Region | None:
    """The union of the pixels that are set, in plane coordinates of `grid`."""
    u, v, w = (float(c) for c in frame.axes @ frame.origin_mm)
    lattice = Grid(frame.axes, (u, v), frame.spacing_uv_mm, mask.shape[::-1], np.array([w]), "")
    region = region_of_pixels(mask, lattice)
    if region is None or np.array_equal(frame.axes, grid.axes):
        return region
    rings = [np.column_stack([ring, np.full(len(ring), w)]) for ring in rings_of(region)]
    return region_of_rings([grid.uvw_mm(lattice.point_mm(ring))[:, :2] for ring in rings])


# -- what they are --------------------------------------------------------------------------------------------------------


def _type(segment: Dataset) -> str:
    """As this program wrote it, else what the codes say for certain."""
    own = annotations_in(lines(segment, "SegmentDescription")).type
    if own is not None:
        return own
    category = item(segment, "SegmentedPropertyCategoryCodeSequence")
    known = TYPES.get((text(category, "CodingSchemeDesignator"), text(category, "CodeValue")), {})
    meaning = text(item(segment, "SegmentedPropertyTypeCodeSequence"), "CodeMeaning").upper()
    return next((kind for begin, kind in known.items() if meaning.startswith(begin)), "")


def _colour(segment: Dataset) -> Colour | None:
    """The recommended colour as sRGB: PCS values of 16 bits are CIELab (PS3.3 C.10.7.1.1), taken as of the white of sRGB as others write them."""
    lab = numbers(segment, "RecommendedDisplayCIELabValue", 3)
    if lab is None or not all(0 <= c <= 65535 for c in lab):
        return None
    light, a, b = lab[0] * 100 / 65535, lab[1] * 255 / 65535 - 128, lab[2] * 255 / 65535 - 128
    fy = (light + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE
    linear = np.clip(np.linalg.solve(TO_XYZ, xyz), 0, 1)
    rgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    red, green, blue = np.rint(255 * rgb).astype(int).tolist()
    return red, green, blue


WHITE = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""D65 and the primaries of sRGB (IEC 61966-2-1)."""
