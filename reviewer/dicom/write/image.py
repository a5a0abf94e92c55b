"""Images as CT or MR Image Storage, one file per plane, and cines as single-frame MR images in time."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from reviewer.case import Case, Cine, Image
from reviewer.dicom.write.header import (
    STORAGE_CLASS,
    decimal,
    frame_uid,
    image_of_frame,
    millimetres,
    new_object,
    plane_uids,
    save,
    series_uid,
    text,
    uid_of,
)
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid


def refusal_of_image(image: Image) -> str:
    """Why an image is not written, empty where it can be. A dose grid that stands in for an image is none."""
    if image.modality not in STORAGE_CLASS:
        return f"an image of modality {image.modality or '(none)'} is not written"
    if image.voxels.dtype.kind not in "iu" or image.voxels.dtype.itemsize != 2:
        return f"voxels of type {image.voxels.dtype} are not written, only 16-bit integers"
    return ""


def one_object_each(image: Image) -> Image:
    """The image as `write_image` writes it: planes that were frames of one object become objects of their own."""
    if not image.frame_numbers:
        return image
    return replace(image, sop_instance_uids=(), frame_numbers=(), sop_class_uid=STORAGE_CLASS.get(image.modality, ""))


def write_image(image: Image, case: Case, folder: Path) -> list[Path]:
    """One file per plane, in plane order, explicit VR little endian, stored values untouched.

    Raises InputError for modalities other than CT and MR, and for voxels that are not 16-bit integers.
    """
    if refusal := refusal_of_image(image):
        raise InputError(refusal, where=image.description)
    sop_class = STORAGE_CLASS[image.modality]
    ds = new_object(case, sop_class, uid_of(image.id), image.modality, image.description, image.date, image)
    ds.SeriesInstanceUID = uid_of(series_uid(image))
    ds.PatientPosition = image.patient_position
    _pixel_module(ds, image.voxels, image.description)
    if image.modality == "CT":
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        ds.KVP = None
        ds.AcquisitionNumber = None
        ds.RescaleType = "HU"
    else:
        _mr_module(ds, image.field_strength_t)
    if image.modality == "CT" or (image.slope, image.intercept) != (1.0, 0.0):
        ds.RescaleIntercept = decimal(image.intercept)
        ds.RescaleSlope = decimal(image.slope)
    if image.window is not None:
        ds.WindowCenter = decimal(image.window.level)
        ds.WindowWidth = decimal(image.window.width)
    _plane_module(ds, image.grid)
    digits = max(4, len(str(len(image.voxels))))
    paths = []
    for k, (uid, voxels) in enumerate(zip(plane_uids(image), image.voxels, strict=True)):
        plane = copy(ds)
        plane.SOPInstanceUID = uid
        plane.InstanceNumber = k + 1
        plane.ImagePositionPatient = millimetres(image.grid.point_of_index_mm((k, 0, 0)))
        plane.SliceLocation = millimetres(image.grid.positions_mm[k : k + 1])[0]
        plane.PixelData = _bytes(voxels)
        paths.append(save(plane, folder / f"{k + 1:0{digits}d}.dcm"))
    return paths


def write_cine(cine: Cine, case: Case, folder: Path) -> list[Path]:
    """One single-frame MR image per time point, all in one plane.

    The classic MR object has no frames and Enhanced MR is not read everywhere; a series of single frames is valid and is what scanners send.
    Time of a frame: AcquisitionTime (microseconds; the case knows no time of day, the first frame is at noon), and its rank
    in TemporalPositionIdentifier (PS3.3 C.7.6.2 and C.8.3.1).
    """
    if cine.modality != "MR":
        raise InputError(f"a cine of modality {cine.modality or '(none)'} is not written", where=cine.description)
    image = image_of_frame(case, cine.grid.frame_of_reference_uid)
    ds = new_object(case, MRImageStorage, uid_of(cine.id), "MR", cine.description, cine.date, image)
    ds.SeriesInstanceUID = uid_of(cine.id)
    ds.PatientPosition = image.patient_position if image is not None else ""
    _pixel_module(ds, cine.frames, cine.description)
    _mr_module(ds, image.field_strength_t if image is not None else None)
    _plane_module(ds, cine.grid)
    ds.ImagePositionPatient = millimetres(cine.grid.point_of_index_mm((0, 0, 0)))
    ds.SliceLocation = millimetres(cine.grid.positions_mm)[0]
    ds.NumberOfTemporalPositions = len(cine.frames)
    if len(cine.times_s) > 1:
        ds.TemporalResolution = decimal(round(1000 * float(np.median(np.diff(cine.times_s))), 3))
    digits = max(4, len(str(len(cine.frames))))
    paths = []
    for t, (seconds, voxels) in enumerate(zip(cine.times_s, cine.frames, strict=True)):
        frame = copy(ds)
        frame.SOPInstanceUID = uid_of(cine.id, "frame", str(t))
        frame.InstanceNumber = t + 1
        frame.TemporalPositionIdentifier = t + 1
        frame.AcquisitionNumber = t + 1
        frame.AcquisitionTime = frame.ContentTime = _time_of_day(12 * 3600 + float(seconds))
        frame.ContentDate = frame.AcquisitionDate = frame.get("SeriesDate", "")
        frame.PixelData = _bytes(voxels)
        paths.append(save(frame, folder / f"{t + 1:0{digits}d}.dcm"))
    return paths


def _time_of_day(seconds: float) -> str:
    """TM, HHMMSS.FFFFFF."""
    microseconds = round(seconds * 1e6)
    minutes, rest = divmod(microseconds, 60_000_000)
    return f"{minutes // 60:02d}{minutes % 60:02d}{rest // 1_000_000:02d}.{rest % 1_000_000:06d}"


def _pixel_module(ds: Dataset, voxels: NDArray[np.generic], where: str) -> None:
    if voxels.dtype.kind not in "iu" or voxels.dtype.itemsize != 2:
        raise InputError(f"voxels of type {voxels.dtype} are not written, only 16-bit integers", where=text(where))
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = voxels.shape[-2:]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = int(voxels.dtype.kind == "i")


def _mr_module(ds: Dataset, field_strength_t: float | None) -> None:
    """Type 1 of PS3.3 C.8.3.1. The case does not know the pulse sequence: RM (research mode) claims none."""
    ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    ds.ScanningSequence = "RM"
    ds.SequenceVariant = "NONE"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = ""
    ds.RepetitionTime = None
    ds.EchoTime = None
    ds.EchoTrainLength = None
    if field_strength_t is not None:
        ds.MagneticFieldStrength = decimal(field_strength_t)


def _plane_module(ds: Dataset, grid: Grid) -> None:
    """PS3.3 C.7.4.1, C.7.6.2, without the position."""
    ds.FrameOfReferenceUID = frame_uid(grid.frame_of_reference_uid, ds.SeriesInstanceUID)
    ds.PositionReferenceIndicator = ""
    ds.ImageOrientationPatient = [decimal(round(float(c), 12)) for c in grid.axes[:2].ravel()]
    ds.PixelSpacing = [decimal(s) for s in grid.spacing_uv_mm[::-1]]
    ds.SliceThickness = millimetres([grid.spacing_w_mm])[0]


def _bytes(plane: NDArray[np.generic]) -> bytes:
    data = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<")).tobytes()
    return data + b"\0" * (len(data) % 2)
