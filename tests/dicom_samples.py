"""Small DICOM objects written with pydicom alone, so that the reader is tested against files that this project did not write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

FRAME = "1.2.826.0.1.3680043.10.1.1"
STUDY = "1.2.826.0.1.3680043.10.1.2"
SERIES = "1.2.826.0.1.3680043.10.1.3"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
RTDOSE = "1.2.840.10008.5.1.4.1.1.481.2"
RTPLAN = "1.2.840.10008.5.1.4.1.1.481.5"
REG = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE = "1.2.840.10008.5.1.4.1.1.66.3"


def base(sop_class: str, modality: str, series: str = "", **tags) -> Dataset:
    """The header that all objects share; keyword arguments overwrite it, None removes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.PatientName, ds.PatientID, ds.StudyDate = "Doe^Jane", "p1", "20260102"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = STUDY, series or generate_uid(), modality
    ds.FrameOfReferenceUID = FRAME
    return change(ds, **tags)


def change(ds: Dataset, **tags) -> Dataset:
    for keyword, value in tags.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            delattr(ds, keyword)
    return ds


def save(ds: Dataset, path: Path) -> Path:
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def pixels(ds: Dataset, values: np.ndarray, stored: int | None = None) -> Dataset:
    """Put (y, x) or (t, y, x) values of 8, 16 or 32 bits into the pixel data."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = values.shape[-2:]
    if values.ndim == 3:
        ds.NumberOfFrames = values.shape[0]
    bits = 8 * values.dtype.itemsize
    ds.BitsAllocated, ds.BitsStored = bits, stored or bits
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(values.dtype.kind == "i")
    ds.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    return ds


def image(
    z: float,
    values: np.ndarray | None = None,
    *,
    sop_class: str = CT,
    modality: str = "CT",
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    position: Sequence[float] | None = None,
    spacing: Sequence[float] = (2.0, 1.5),
    **tags,
) -> Dataset:
    """A slice of 6 rows and 8 columns at z (mm) whose stored values are 100 z + 8 y + x, unless given."""
    if values is None:
        values = (100 * z + np.arange(48).reshape(6, 8)).astype(np.int16)
    ds = base(sop_class, modality, SERIES)
    ds.ImagePositionPatient = list(position or (-10.0, -20.0, z))
    ds.ImageOrientationPatient, ds.PixelSpacing = list(orientation), list(spacing)
    ds.SliceThickness, ds.PatientPosition = 3, "HFS"
    if modality == "CT":
        ds.RescaleIntercept, ds.RescaleSlope = -1024, 1
    return change(pixels(ds, values), **tags)


def write_stack(folder: Path, positions: Sequence[float], **tags) -> list[Path]:
    """One file for each position, written in an order that is not theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = np.random.default_rng(3).permutation(len(positions))
    return [
        save(image(positions[k], InstanceNumber=int(k) + 1, **tags), folder / f"{n:03d}.dcm")
        for n, k in enumerate(shuffled)
    ]


def item(**tags) -> Dataset:
    return change(Dataset(), **tags)


def structure_set(rois: dict[str, Sequence], *, series: str = SERIES, frame: str = FRAME, **tags) -> Dataset:
    """An RTSTRUCT. rois: name -> contours, each (n, 3) points of a closed contour or a dataset of its own making."""
    ds = base(RTSTRUCT, "RTSTRUCT")
    ds.StructureSetLabel = "set"
    study = item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=series)])
    ds.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])]
    ds.StructureSetROISequence = [
        item(ROINumber=n, ROIName=name, ReferencedFrameOfReferenceUID=frame) for n, name in enumerate(rois, start=1)
    ]
    ds.ROIContourSequence = [
        item(
            ReferencedROINumber=n,
            ROIDisplayColor=[10 * n, 20, 30],
            ContourSequence=[c if isinstance(c, Dataset) else contour(c) for c in cs],
        )
        for n, cs in enumerate(rois.values(), start=1)
    ]
    ds.RTROIObservationsSequence = [
        item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="ORGAN") for n in range(1, len(rois) + 1)
    ]
    return change(ds, **tags)


def contour(points, kind: str = "CLOSED_PLANAR") -> Dataset:
    flat = [f"{v:.4f}" if isinstance(v, float) else str(v) for v in np.asarray(points, dtype=object).ravel()]
    return item(ContourGeometricType=kind, NumberOfContourPoints=len(flat) // 3, ContourData=flat)


def square(z: float, low: float = 0.0, high: float = 4.0) -> np.ndarray:
    return np.array([[low, low, z], [high, low, z], [high, high, z], [low, high, z]], dtype=float)


def dose(values: np.ndarray, offsets: Sequence[float] | None, **tags) -> Dataset:
    """An RTDOSE of (z, y, x) unsigned values in units of 0.01 Gy."""
    ds = pixels(base(RTDOSE, "RTDOSE"), values)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [5.0, 6.0, 7.0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [3.0, 2.0]
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType, ds.DoseGridScaling = "GY", "PHYSICAL", "PLAN", "0.01"
    if offsets is not None:
        ds.FrameIncrementPointer, ds.GridFrameOffsetVector = 0x3004000C, list(offsets)
    return change(ds, **tags)
