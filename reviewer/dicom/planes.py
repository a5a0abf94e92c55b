"""Every image file as a list of planes: one record for each slice, classic or a frame of an enhanced multi-frame object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reviewer.case import Window
from reviewer.dicom.file import DicomFile
from reviewer.dicom.pixels import Pixels
from reviewer.dicom.values import Header, date, integer, item, items, moment, number, numbers, raw, seconds, text
from reviewer.errors import InputError
from reviewer.geometry.grid import AXIS_TOLERANCE, MAX_MM

IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",  # enhanced
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",  # legacy converted enhanced
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What all planes of a series share."""

    series_uid: str
    modality: str
    description: str
    study_uid: str
    frame_uid: str
    patient_position: str
    date: str
    sop_class_uid: str
    field_strength_t: float | None
    window: Window | None
    rescaled: bool
    rescale_type: str
    inverted: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice.

    axes:        (3, 3) unit vectors u (along a row), v (down a column), w = u x v.
    uvw_mm:      plane coordinates of the centre of the first pixel.
    contrast:    what makes it another picture of the same anatomy (echo, image type, b-value), as (name, value) pairs.
    group:       what may number repetitions in time (temporal position, acquisition, phase), as (name, value) pairs.
    times_s:     clock -> seconds.
    """

    pixels: Pixels
    frame: int
    sop_uid: str
    axes: NDArray[np.float64]
    uvw_mm: NDArray[np.float64]
    spacing_uv_mm: tuple[float, float]
    slope: float
    intercept: float
    thickness_mm: float | None
    instance: int
    contrast: tuple[tuple[str, str], ...]
    group: tuple[tuple[str, str], ...]
    times_s: dict[str, float]

    @property
    def size_uv(self) -> tuple[int, int]:
        return self.pixels.columns, self.pixels.rows


def head_of(file: DicomFile) -> Head:
    ds = file.dataset
    levels, widths = numbers(ds, "WindowCenter"), numbers(ds, "WindowWidth")
    window = Window(levels[0], widths[0]) if levels and widths and widths[0] > 0 else None
    rescale = item(item(ds, "SharedFunctionalGroupsSequence"), "PixelValueTransformationSequence") or ds
    return Head(
        series_uid=file.series_uid,
        modality=IMAGE_CLASSES.get(file.sop_class_uid, file.modality),
        description=text(ds, "SeriesDescription") or text(ds, "ProtocolName"),
        study_uid=file.study_uid,
        frame_uid=text(ds, "FrameOfReferenceUID"),
        patient_position=text(ds, "PatientPosition").upper(),
        date=date(ds, "AcquisitionDate", "SeriesDate", "ContentDate", "AcquisitionDateTime", "StudyDate"),
        sop_class_uid=file.sop_class_uid,
        field_strength_t=number(ds, "MagneticFieldStrength"),
        window=window,
        rescaled=bool(text(rescale, "RescaleSlope")) or "PerFrameFunctionalGroupsSequence" in ds,
        rescale_type=text(rescale, "RescaleType").upper(),
        inverted=text(ds, "PhotometricInterpretation") == "MONOCHROME1",
    )


def planes_of(file: DicomFile) -> list[Plane]:
    """All planes of one image file.

    Raises InputError where the geometry or the scale of the values is missing or impossible.
    """
    if file.pixels is None:
        raise InputError(file.refusal)
    if "PerFrameFunctionalGroupsSequence" in file.dataset or "SharedFunctionalGroupsSequence" in file.dataset:
        return _enhanced(file, file.pixels)
    if file.pixels.frames > 1:
        return _cine(file, file.pixels)
    return [_plane(file, file.pixels, 0, lambda keyword: file.dataset, _classic_times(file.dataset))]


Find = Callable[[str], Header]
"""The dataset that holds an attribute, for one frame."""

_CONTRAST = (
    ("echo time", "EchoTime", "MREchoSequence", "EffectiveEchoTime"),
    ("echo", "EchoNumbers", "", ""),
    ("inversion time", "InversionTime", "", ""),
    ("flip angle", "FlipAngle", "MRTimingAndRelatedParametersSequence", "FlipAngle"),
    ("b-value", "DiffusionBValue", "MRDiffusionSequence", "DiffusionBValue"),
    ("kernel", "ConvolutionKernel", "CTReconstructionSequence", "ConvolutionKernel"),
    ("image type", "ImageType", "MRImageFrameTypeSequence", "FrameType"),
    ("image type ", "", "CTImageFrameTypeSequence", "FrameType"),
)
_GROUPS = (
    ("temporal position", "TemporalPositionIdentifier", "FrameContentSequence", "TemporalPositionIndex"),
    ("acquisition", "AcquisitionNumber", "FrameContentSequence", "FrameAcquisitionNumber"),
    ("stack", "StackID", "FrameContentSequence", "StackID"),
    (
        "gradient direction",
        "DiffusionGradientOrientation",
        "MRDiffusionSequence/DiffusionGradientDirectionSequence",
        "DiffusionGradientOrientation",
    ),
    ("cardiac phase", "NominalPercentageOfCardiacPhase", "", ""),
    ("trigger time", "TriggerTime", "", ""),
    ("series time", "SeriesTime", "", ""),
    ("acquisition time", "AcquisitionTime", "", ""),
)


def _enhanced(file: DicomFile, pixels: Pixels) -> list[Plane]:
    shared = item(file.dataset, "SharedFunctionalGroupsSequence")
    frames = items(file.dataset, "PerFrameFunctionalGroupsSequence")
    if len(frames) != pixels.frames:
        raise InputError(f"it has {pixels.frames} frames, but describes {len(frames)}")
    planes = []
    for index, frame in enumerate(frames):

        def find(sequence: str, frame: Dataset = frame) -> Dataset:
            return item(frame, sequence) if sequence in frame else item(shared, sequence)

        content = find("FrameContentSequence")
        times = {}
        for name, keyword in (
            ("FrameReferenceDateTime", "FrameReferenceDateTime"),
            ("FrameAcquisitionDateTime", "FrameAcquisitionDateTime"),
        ):
            if (stamp := moment(text(content, keyword))) is not None:
                times[name] = stamp
        offset = number(find("TemporalPositionSequence"), "TemporalPositionTimeOffset")
        if offset is not None:
            times["TemporalPositionTimeOffset"] = offset
        delay = number(find("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime")
        if delay is not None:
            times["NominalCardiacTriggerDelayTime"] = delay / 1000
        step = number(file.dataset, "FrameTime")
        if step and step > 0:
            times["FrameTime"] = index * step / 1000
        planes.append(_plane(file, pixels, index, find, times))
    return planes


def _cine(file: DicomFile, pixels: Pixels) -> list[Plane]:
    """A classic multi-frame object: one plane in time (PS3.3 C.7.6.5); anything else does not say where its frames are."""
    step, vector = number(file.dataset, "FrameTime"), numbers(file.dataset, "FrameTimeVector")
    if vector and len(vector) == pixels.frames:
        source, seconds_of = "FrameTimeVector", [float(t) / 1000 for t in np.cumsum(vector)]
    elif step and step > 0:
        source, seconds_of = "FrameTime", [i * step / 1000 for i in range(pixels.frames)]
    else:
        raise InputError("it has several frames, but neither their positions nor their times")
    return [
        _plane(file, pixels, i, lambda keyword: file.dataset, {source: seconds_of[i]}) for i in range(pixels.frames)
    ]


def _classic_times(ds: Header) -> dict[str, float]:
    times = {}
    trigger = number(ds, "TriggerTime")
    if trigger is not None:
        times["TriggerTime"] = trigger / 1000
    stamp = moment(text(ds, "AcquisitionDateTime"))
    if stamp is not None:
        times["AcquisitionDateTime"] = stamp
    for name in ("Acquisition", "Content"):
        clock = seconds(text(ds, f"{name}Time"))
        if clock is not None:
            times[f"{name}Time"] = (moment(text(ds, f"{name}Date") + "000000") or 0.0) + clock
    resolution, index = number(ds, "TemporalResolution"), number(ds, "TemporalPositionIdentifier")
    if resolution and resolution > 0 and index is not None:
        times["TemporalPositionIdentifier"] = index * resolution / 1000
    step, instance = number(ds, "FrameTime"), number(ds, "InstanceNumber")
    if step and step > 0 and instance is not None:
        times["FrameTime"] = instance * step / 1000
    return times


def _plane(file: DicomFile, pixels: Pixels, index: int, find: Find, times: dict[str, float]) -> Plane:
    ds = file.dataset

    def geometry(sequence: str, keyword: str, count: int) -> tuple[float, ...]:
        holder = find(sequence)
        values = numbers(holder, keyword, count) or numbers(ds, keyword, count)
        if values is None:
            state = "missing" if not text(holder, keyword) and not text(ds, keyword) else "not valid"
            raise InputError(f"its {_WORDS[keyword]} ({keyword}) is {state}")
        if max(map(abs, values)) > MAX_MM:
            raise InputError(f"its {_WORDS[keyword]} ({keyword}) is beyond any patient: {values}")
        return values

    position = geometry("PlanePositionSequence", "ImagePositionPatient", 3)
    axes = axes_of(geometry("PlaneOrientationSequence", "ImageOrientationPatient", 6))
    row_spacing, column_spacing = geometry("PixelMeasuresSequence", "PixelSpacing", 2)
    if min(row_spacing, column_spacing) <= 0:
        raise InputError(f"its pixel spacing is {row_spacing} x {column_spacing} mm")
    scale = find("PixelValueTransformationSequence")
    if "ModalityLUTSequence" in ds:
        raise InputError("its values go through a lookup table (ModalityLUTSequence), which is not supported")
    thickness = number(find("PixelMeasuresSequence"), "SliceThickness") or number(ds, "SliceThickness")
    slope, intercept = _rescale(scale, "RescaleSlope", 1.0), _rescale(scale, "RescaleIntercept", 0.0)
    if slope == 0:
        raise InputError("its rescale slope is zero, so all its values would be the same")
    return Plane(
        pixels=pixels,
        frame=index,
        sop_uid=file.sop_uid,
        axes=axes,
        uvw_mm=axes @ np.array(position),
        spacing_uv_mm=(column_spacing, row_spacing),
        slope=slope,
        intercept=intercept,
        thickness_mm=thickness if thickness and thickness > 0 else None,
        instance=integer(ds, "InstanceNumber") or 0,
        contrast=_marks(_CONTRAST, ds, find),
        group=_marks(_GROUPS, ds, find),
        times_s=times,
    )


_WORDS = {
    "ImagePositionPatient": "position",
    "ImageOrientationPatient": "orientation",
    "PixelSpacing": "pixel spacing",
}


def _rescale(holder: Header, keyword: str, default: float) -> float:
    if keyword not in holder or raw(holder, keyword) in (None, ""):
        return default
    value = number(holder, keyword)
    if value is None:
        raise InputError(f"its {keyword} is not a number")
    return value


def _marks(names: tuple[tuple[str, str, str, str], ...], ds: Header, find: Find) -> tuple[tuple[str, str], ...]:
    marks = []
    for name, classic, sequence, enhanced in names:
        value = text(ds, classic) if classic else ""
        first, *deeper = sequence.split("/")
        if first and (holder := find(first)) is not ds:
            for below in deeper:
                holder = item(holder, below)
            value = text(holder, enhanced) or value
        if value:
            marks.append((name.strip(), value))
    return tuple(marks)


@lru_cache(maxsize=64)
def axes_of(orientation: tuple[float, ...]) -> NDArray[np.float64]:
    """(3, 3) right-handed axes u, v, w of an ImageOrientationPatient; raises InputError where it is not orthonormal (PS3.3 C.7.6.2.1.1)."""
    u, v = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(u), np.linalg.norm(v)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1)) > AXIS_TOLERANCE:
        raise InputError("its orientation (ImageOrientationPatient) is not made of unit vectors")
    if abs(u @ v) > AXIS_TOLERANCE:
        raise InputError("its rows and columns (ImageOrientationPatient) are not perpendicular")
    u = u / lengths[0]
    v = v - (u @ v) * u
    v = v / np.linalg.norm(v)
    axes = np.array([u, v, np.cross(u, v)])
    axes.flags.writeable = False
    return axes
