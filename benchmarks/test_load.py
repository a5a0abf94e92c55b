"""Opening a planning case against SimpleITK reading its CT alone (page cache warm): the budget of issue 2 is a ratio of 1.0.

pytest benchmarks/test_load.py --benchmark-group-by=group
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from reviewer.opening import begin, open_case

SLICES, SIDE = 120, 512
ROIS, POINTS = 12, 160
ROOT = "1.2.826.0.1.3680043.10.9999"
FRAME, STUDY, CT_SERIES = f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3"


def _base(sop_class: str, sop_uid: str, modality: str, series: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = sop_uid
    ds.PatientName, ds.PatientID = "Load^Test", "load"
    ds.PatientSex, ds.PatientBirthDate, ds.StudyDate, ds.StudyTime = "O", "", "20260101", "120000"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = STUDY, series, modality
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = FRAME, ""
    return ds


def write_case(folder: Path) -> None:
    """A noisy CT with the header of a common scanner, 12 ROIs of 160 points on most slices, a dose of 2.5 mm in 32 bits."""
    noise = np.random.default_rng(0)
    for k in range(SLICES):
        ds = _base("1.2.840.10008.5.1.4.1.1.2", f"{CT_SERIES}.{k + 1}", "CT", CT_SERIES)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.SeriesDescription, ds.Manufacturer, ds.ProtocolName = "CT abdomen", "Bench", "Abdomen"
        ds.AcquisitionDate, ds.AcquisitionTime, ds.ContentDate, ds.ContentTime = (
            "20260101",
            "120001",
            "20260101",
            "120001",
        )
        ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent, ds.ConvolutionKernel = "120", "500", "200", "B30f"
        ds.SliceThickness, ds.PatientPosition, ds.InstanceNumber, ds.AcquisitionNumber = "2.5", "HFS", k + 1, 1
        ds.ImagePositionPatient = [-250, -250, -150 + 2.5 * k]
        ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.9765625, 0.9765625]
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", SIDE, SIDE
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 40, 400, 0, 1, "HU"
        ds.PixelData = noise.integers(-1000, 1000, (SIDE, SIDE), dtype=np.int16).tobytes()
        ds.save_as(folder / f"CT.{k:03d}.dcm", enforce_file_format=True)

    rs = _base("1.2.840.10008.5.1.4.1.1.481.3", f"{ROOT}.4", "RTSTRUCT", f"{ROOT}.5")
    rs.StructureSetLabel = "bench"
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = CT_SERIES
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", STUDY
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = FRAME, [study]
    rs.ReferencedFrameOfReferenceSequence = [frame]
    rs.StructureSetROISequence, rs.ROIContourSequence, rs.RTROIObservationsSequence = [], [], []
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    for n in range(1, ROIS + 1):
        roi, contours, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = n, f"ROI{n}", FRAME
        contours.ReferencedROINumber, contours.ROIDisplayColor, contours.ContourSequence = n, [255, 10 * n, 0], []
        observation.ObservationNumber = observation.ReferencedROINumber = n
        observation.RTROIInterpretedType = "ORGAN"
        for k in range(20, 20 + 6 * n):
            radius = 20 + 5 * n + 2 * np.cos(3 * angle)
            points = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(POINTS, -150 + 2.5 * k)], axis=1)
            contour, image = Dataset(), Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = (
                "1.2.840.10008.5.1.4.1.1.2",
                f"{CT_SERIES}.{k + 1}",
            )
            contour.ContourImageSequence, contour.ContourGeometricType = [image], "CLOSED_PLANAR"
            contour.NumberOfContourPoints, contour.ContourData = POINTS, [f"{v:.3f}" for v in points.ravel()]
            contours.ContourSequence.append(contour)
        rs.StructureSetROISequence.append(roi)
        rs.ROIContourSequence.append(contours)
        rs.RTROIObservationsSequence.append(observation)
    rs.save_as(folder / "RS.dcm", enforce_file_format=True)

    rd = _base("1.2.840.10008.5.1.4.1.1.481.2", f"{ROOT}.6", "RTDOSE", f"{ROOT}.7")
    rd.ImagePositionPatient, rd.ImageOrientationPatient = [-200, -150, -150], [1, 0, 0, 0, 1, 0]
    rd.PixelSpacing, rd.SliceThickness = [2.5, 2.5], "2.5"
    rd.SamplesPerPixel, rd.PhotometricInterpretation, rd.Rows, rd.Columns, rd.NumberOfFrames = (
        1,
        "MONOCHROME2",
        120,
        160,
        SLICES,
    )
    rd.BitsAllocated, rd.BitsStored, rd.HighBit, rd.PixelRepresentation = 32, 32, 31, 0
    rd.DoseUnits, rd.DoseType, rd.DoseSummationType, rd.DoseGridScaling = "GY", "PHYSICAL", "PLAN", "1e-6"
    rd.FrameIncrementPointer, rd.GridFrameOffsetVector = 0x3004000C, [2.5 * k for k in range(SLICES)]
    rd.PixelData = noise.integers(0, 50_000_000, (SLICES, 120, 160), dtype=np.uint32).tobytes()
    rd.save_as(folder / "RD.dcm", enforce_file_format=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("case")
    write_case(case)
    return case


def _simpleitk(folder: Path) -> np.ndarray:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), CT_SERIES))
    return sitk.GetArrayViewFromImage(reader.Execute())


@pytest.mark.benchmark(group="open CT + RTSTRUCT + RTDOSE")
def test_reviewer_opens_everything(benchmark, folder):
    case = benchmark.pedantic(open_case, ([folder],), rounds=5, warmup_rounds=1)
    assert case.images[0].complete
    assert len(case.structures) == ROIS
    assert case.doses[0].gray.shape == (SLICES, 120, 160)


@pytest.mark.benchmark(group="open CT + RTSTRUCT + RTDOSE")
def test_peer_simpleitk_reads_the_ct_alone(benchmark, folder):
    voxels = benchmark.pedantic(_simpleitk, (folder,), rounds=5, warmup_rounds=1)
    assert voxels.shape == (SLICES, SIDE, SIDE)


@pytest.mark.benchmark(group="first slice")
def test_first_slice(benchmark, folder):
    """Until the first plane can be painted."""

    class PaintedError(Exception):
        pass

    def until_painted() -> None:
        def arrived(image_id: str) -> None:
            raise PaintedError

        with pytest.raises(PaintedError):
            begin([folder]).read_voxels(arrived)

    benchmark.pedantic(until_painted, rounds=5, warmup_rounds=1)


def test_peak_memory(folder):
    """Peak resident memory of a process of its own stays below 2.5 times the voxels' bytes and 300 MB."""
    program = (
        "import sys; from reviewer.opening import open_case; case = open_case([sys.argv[1]]); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    peak = int(done.stdout) * 1024
    voxels = SLICES * SIDE * SIDE * 2
    print(f"peak {peak / 1e6:.0f} MB for {voxels / 1e6:.0f} MB of voxels")
    assert peak <= 2.5 * voxels + 300e6
