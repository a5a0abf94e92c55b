"""What we write as DICOM, read by others: dciodvfy, dcmdump, SimpleITK and pydicom."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import shapely
import SimpleITK as sitk
from shapely import MultiPolygon, Polygon

from reviewer.case import (
    Aperture,
    Beam,
    Case,
    Cine,
    ControlPoint,
    Dose,
    Image,
    Patient,
    Plan,
    Prescription,
    Registration,
    Structure,
    StructureSet,
    Window,
)
from reviewer.dicom.write import (
    write_case,
    write_cine,
    write_dose,
    write_image,
    write_plan,
    write_registration,
    write_structure_set,
)
from reviewer.dicom.write.header import decimal, millimetres, uid_of
from reviewer.dicom.write.structures import keyholed
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings


def uid(*name: str) -> str:
    return str(uid_of("test", *name))


SIM_FRAME, DAY_FRAME = uid("frame", "sim"), uid("frame", "day")


def turned(degrees: float) -> np.ndarray:
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])


def make_case() -> Case:
    """One of each kind; values chosen so that no two axes, spacings or sizes are alike."""
    random = np.random.default_rng(5)
    ct_grid = Grid(np.eye(3), (-30.5, -41.25), (1.5, 1.25), (40, 56), np.array([-7.5, -5.0, -2.5, 0.0, 3.0]), SIM_FRAME)
    mr_grid = Grid(turned(20), (-30.0, -40.0), (1.5, 1.75), (31, 45), np.arange(4) * 3.0 + 7, DAY_FRAME)
    sagittal = Grid(
        np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
        (-30.0, -20.0),
        (2.4, 2.4),
        (25, 21),
        np.array([4.0]),
        DAY_FRAME,
        7.0,
    )
    ct = Image(
        uid("ct"),
        "CT",
        "CT contrast",
        ct_grid,
        random.integers(-1000, 3000, ct_grid.shape_zyx).astype(np.int16),
        1.0,
        0.0,
        Window(40, 400),
        tuple(uid("ct", str(k)) for k in range(5)),
        study_uid=uid("study", "sim"),
        patient_position="HFS",
        date="2025-02-24",
    )
    mr = Image(
        uid("mr"),
        "MR",
        "TrueFISP of the day",
        mr_grid,
        random.integers(0, 60000, mr_grid.shape_zyx).astype(np.uint16),
        study_uid=uid("study", "day"),
        patient_position="HFS",
        date="2025-03-07",
        field_strength_t=0.35,
    )
    outline = [(-20.0, -30.0), (10.0, -30.0), (10.0, 0.0), (-20.0, 0.0)]
    holes = [[(-15.0, -25.0), (-10.0, -25.0), (-10.0, -20.0)], [(0.0, -12.0), (5.0, -12.0), (5.0, -7.0), (0.0, -7.0)]]
    island = Polygon([(-3.0, 5.0), (4.123456, 5.0), (1.0, 9.0)])
    liver = Structure(
        uid("liver"),
        "Liver",
        ct_grid,
        {1: Polygon(outline, holes), 2: MultiPolygon([Polygon(outline), island])},
        "ORGAN",
        (200, 100, 50),
        ct.id,
        7,
    )
    empty = Structure(uid("empty"), "Areola", ct_grid, {}, "", (1, 2, 3), ct.id, 9)
    between = Structure(
        uid("between"),
        "Off_slice",
        replace(ct_grid, positions_mm=np.array([-6.0])),
        {0: island},
        "AVOIDANCE",
        number=12,
    )
    gtv = Structure(uid("gtv"), "GTV", mr_grid, {2: island.buffer(4)}, "GTV", (255, 0, 0), mr.id, 1)
    first = StructureSet(uid("rs"), "Simulation", (liver, empty, between), ct.id, SIM_FRAME, "2025-03-02", "APPROVED")
    second = StructureSet(uid("rs2"), "Day", (gtv,), mr.id, DAY_FRAME, "2025-03-07")
    leaves = tuple(float(b) for b in np.arange(-8.3, 8.31, 4.15))
    open_field = Aperture("MLCX", (-10.0, -12.5, -12.5, -3.0, 10.0, 11.0, 9.25, 2.0))
    blocked = Aperture("MLCX", (-10.0, -12.5, 0.0, 0.0, 10.0, 11.0, 0.0, 0.0))
    beam = Beam(
        3,
        "G030",
        "DYNAMIC",
        "PHOTON",
        6.0,
        "DEMO_MRL",
        900.0,
        (1.25, -20.0, -2.5),
        321.125,
        1.0,
        (
            ControlPoint(0.0, 30.0, 0.0, 0.0, (open_field,)),
            ControlPoint(0.625, 30.0, 0.0, 0.0, (open_field,)),
            ControlPoint(0.625, 30.0, 0.0, 0.0, (blocked,)),
            ControlPoint(1.0, 30.0, 0.0, 0.0, (blocked,)),
        ),
        (("MLCX", leaves),),
        patient_position="HFS",
    )
    plan = Plan(
        uid("plan"), "LIV_50_5", "2025-03-02", "APPROVED", 5, (Prescription("PTV", 50.0),), (beam,), first.id, SIM_FRAME
    )
    dose_grid = Grid(np.eye(3), (-30.0, -40.0), (3.0, 2.5), (14, 17), np.array([-8.0, -5.0, -2.0]), SIM_FRAME)
    dose = Dose(
        uid("dose"),
        "LIV_50_5 original",
        dose_grid,
        random.uniform(0, 61.7, dose_grid.shape_zyx).astype(np.float32),
        plan_id=plan.id,
        structure_set_id=first.id,
        date="2025-03-02",
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turned(1.1)
    matrix[:3, 3] = 2.4, 3.8, -4.6
    tie = Registration(uid("reg"), "Day to simulation", DAY_FRAME, SIM_FRAME, matrix, "2025-03-07")
    cine = Cine(
        uid("cine"),
        "MR",
        "TrueFISP cine sagittal",
        sagittal,
        random.integers(0, 900, (6, 21, 25)).astype(np.uint16),
        np.arange(6) * 0.25,
        "2025-03-07",
    )
    return Case(
        Patient("HEPAR^DEMO", "4711", "F", "1962-11-05", "062Y"),
        (ct, mr),
        (first, second),
        (dose,),
        (plan,),
        (tie,),
        (cine,),
    )


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


@pytest.fixture(scope="module")
def written(case, tmp_path_factory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("written")
    return folder, write_case(case, folder)


def by_modality(paths: list[Path], modality: str) -> list[pydicom.Dataset]:
    return [ds for ds in map(pydicom.dcmread, paths) if modality == ds.Modality]


# -- validity -------------------------------------------------------------------------------------------------------------


def complaints(path: Path) -> list[str]:
    """Errors of dciodvfy, and whatever kept it from finishing."""
    out = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
    lines = (out.stdout + out.stderr).splitlines()
    return [line for line in lines if line.startswith("Error") or "Assertion" in line]


DCIODVFY_ABORTS = "Assertion `bitsallocated <= bytesinword*8u' failed"
"""dciodvfy of 2022 stops at any 32-bit pixel data, as in shared/data/feet_first_dose/RD.TBB_feet_in_supine.dcm from another system.
PS3.3 C.8.8.3.4 allows 16 and 32 bits. So an RTDOSE is checked on a copy with 16-bit pixels."""

NO_DVH = "Error - Missing attribute Type 1 Required Element=<DVHSequence> Module=<RTDVH>"
"""The reference to a structure set makes dciodvfy expect the whole RT DVH module, which is user optional; see `write_dose`."""


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
def test_every_object_is_valid(written, tmp_path):
    found = {}
    for path in written[1]:
        lines = complaints(path)
        if any(DCIODVFY_ABORTS in line for line in lines):
            ds = pydicom.dcmread(path)
            assert ds.Modality == "RTDOSE"
            ds.BitsAllocated = ds.BitsStored = 16
            ds.HighBit = 15
            ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
            ds.save_as(tmp_path / "narrow.dcm")
            lines = [line for line in complaints(tmp_path / "narrow.dcm") if line != NO_DVH]
        if lines:
            found[str(path.relative_to(written[0]))] = lines
    assert found == {}


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmdump (Debian package dcmtk) is not installed")
def test_dcmtk_reads_every_object_without_a_word(written):
    for path in written[1]:
        out = subprocess.run(["dcmdump", str(path)], capture_output=True, text=True)
        assert (out.returncode, out.stderr) == (0, ""), path


def test_decimal_strings_fit(written):
    for path in written[1]:
        raw = pydicom.dcmread(path)
        for element in raw.iterall():
            if element.VR == "DS":
                values = element.value if element.VM > 1 else [element.value]
                assert all(len(str(v)) <= 16 for v in values if v is not None), (path, element)


def test_the_same_case_gives_the_same_bytes(written, tmp_path):
    again = write_case(make_case(), tmp_path)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in written[1]]


# -- identity -------------------------------------------------------------------------------------------------------------


def test_ids_of_the_case_are_the_uids(case, written):
    paths = written[1]
    assert {ds.SeriesInstanceUID for ds in by_modality(paths, "CT")} == {case.images[0].id}
    assert [ds.SOPInstanceUID for ds in by_modality(paths, "CT")] == list(case.images[0].sop_instance_uids)
    assert [ds.SOPInstanceUID for ds in by_modality(paths, "RTSTRUCT")] == [s.id for s in case.structure_sets]
    assert by_modality(paths, "RTPLAN")[0].SOPInstanceUID == case.plans[0].id
    assert by_modality(paths, "RTDOSE")[0].SOPInstanceUID == case.doses[0].id
    assert by_modality(paths, "REG")[0].SOPInstanceUID == case.registrations[0].id
    every = [pydicom.dcmread(p, stop_before_pixels=True) for p in paths]
    assert len({ds.SOPInstanceUID for ds in every}) == len(paths)
    assert {(str(ds.PatientName), ds.PatientID, ds.PatientBirthDate) for ds in every} == {
        ("HEPAR^DEMO", "4711", "19621105")
    }


def test_objects_join_the_study_of_their_image(case, written):
    study = {
        ds.SOPInstanceUID: (ds.StudyInstanceUID, ds.StudyDate)
        for ds in (pydicom.dcmread(p, stop_before_pixels=True) for p in written[1])
    }
    simulation, day = (case.images[0].study_uid, "20250224"), (case.images[1].study_uid, "20250307")
    assert study[case.structure_sets[0].id] == study[case.plans[0].id] == study[case.doses[0].id] == simulation
    assert study[case.structure_sets[1].id] == study[case.registrations[0].id] == day


def test_the_case_needs_no_dicom_ids(case, tmp_path):
    mr = replace(
        case.images[1], id="volume.nii.gz", study_uid="", grid=replace(case.images[1].grid, frame_of_reference_uid="")
    )
    paths = write_image(mr, Case(images=(mr,)), tmp_path)
    written = [pydicom.dcmread(p) for p in paths]
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        uids = {ds[name].value for ds in written}
        assert len(uids) == 1
        assert uids.pop().is_valid


# -- images ---------------------------------------------------------------------------------------------------------------


def test_simpleitk_sees_an_even_image_where_the_grid_has_it(case, tmp_path):
    image = case.images[1]
    write_image(image, case, tmp_path)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path), image.id)
    volume = sitk.ReadImage(files)
    assert np.array_equal(sitk.GetArrayFromImage(volume), image.voxels)
    for zyx in ((0, 0, 0), (3, 44, 30), (2, 7, 19)):
        seen = volume.TransformIndexToPhysicalPoint(zyx[::-1])
        assert seen == pytest.approx(image.grid.point_of_index_mm(zyx), abs=1e-5)


def test_each_plane_of_an_uneven_image_has_its_own_position(case, written):
    image = case.images[0]
    for k, ds in enumerate(by_modality(written[1], "CT")):
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert np.array_equal(ds.pixel_array, image.voxels[k])
        assert [float(v) for v in ds.ImagePositionPatient] == [-30.5, -41.25, image.grid.positions_mm[k]]
        assert [float(v) for v in ds.PixelSpacing] == [1.25, 1.5]
        assert (ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth) == (1, 0, 40, 400)


def test_cine_frames_carry_their_time(case, written):
    frames = [ds for ds in by_modality(written[1], "MR") if ds.SeriesInstanceUID == case.cines[0].id]
    assert [ds.AcquisitionTime for ds in frames[:3]] == ["120000.000000", "120000.250000", "120000.500000"]
    assert [ds.TemporalPositionIdentifier for ds in frames] == [1, 2, 3, 4, 5, 6]
    assert {tuple(ds.ImagePositionPatient) for ds in frames} == {(-4.0, -30.0, 20.0)}
    assert np.array_equal(np.stack([ds.pixel_array for ds in frames]), case.cines[0].frames)


def test_what_cannot_be_stored_is_refused(case, tmp_path):
    image = case.images[0]
    with pytest.raises(InputError, match="16-bit"):
        write_image(replace(image, voxels=image.voxels.astype(np.float32)), case, tmp_path)
    with pytest.raises(InputError, match="PT"):
        write_image(replace(image, modality="PT"), case, tmp_path)
    with pytest.raises(InputError, match="PT"):
        write_cine(replace(case.cines[0], modality="PT"), case, tmp_path)
    for bad in (-1.0, np.nan):
        gray = case.doses[0].gray.copy()
        gray[0, 0, 0] = bad
        with pytest.raises(InputError, match="negative"):
            write_dose(replace(case.doses[0], gray=gray), case, tmp_path / "dose.dcm")
    tie = case.registrations[0]
    with pytest.raises(InputError, match="not rigid"):
        write_registration(replace(tie, matrix=np.diag([1.1, 1, 1, 1])), case, tmp_path / "reg.dcm")
    with pytest.raises(InputError, match="both frames"):
        write_registration(replace(tie, moving_frame_uid=""), case, tmp_path / "reg.dcm")
    assert not list(tmp_path.iterdir())


# -- structures -----------------------------------------------------------------------------------------------------------


def rois(ds: pydicom.Dataset) -> dict[str, list[np.ndarray]]:
    """Contours by name, (n, 3)."""
    names = {r.ROINumber: r.ROIName for r in ds.StructureSetROISequence}
    return {
        names[c.ReferencedROINumber]: [
            np.array(i.ContourData, float).reshape(-1, 3) for i in c.get("ContourSequence", [])
        ]
        for c in ds.ROIContourSequence
    }


def test_contours_enclose_the_regions(case, written):
    ds = by_modality(written[1], "RTSTRUCT")[0]
    contours = rois(ds)
    assert list(contours) == ["Liver", "Areola", "Off_slice"]
    assert contours["Areola"] == []
    liver = case.structures[0]
    for k, z in ((1, -5.0), (2, -2.5)):
        rings = [c[:, :2] for c in contours["Liver"] if np.all(c[:, 2] == z)]
        assert len(rings) == len(shapely.get_parts(liver.planes[k]))
        assert region_of_rings(rings).symmetric_difference(liver.planes[k]).area < 1e-4
    assert np.all(contours["Off_slice"][0][:, 2] == -6.0)


def test_contours_refer_to_the_slice_they_lie_on(case, written):
    ds = by_modality(written[1], "RTSTRUCT")[0]
    uids = case.images[0].sop_instance_uids
    items = {r.ReferencedROINumber: r.get("ContourSequence", []) for r in ds.ROIContourSequence}
    assert [i.ContourImageSequence[0].ReferencedSOPInstanceUID for i in items[7]] == [uids[1], uids[2], uids[2]]
    assert all("ContourImageSequence" not in i for i in items[12])
    frame = ds.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert (frame.FrameOfReferenceUID, series.SeriesInstanceUID) == (SIM_FRAME, case.images[0].id)
    assert [i.ReferencedSOPInstanceUID for i in series.ContourImageSequence] == list(uids)
    assert all(i.NumberOfContourPoints == len(i.ContourData) // 3 for i in items[7])


def test_contours_on_turned_planes_lie_in_patient_coordinates(case, written):
    grid = case.images[1].grid
    contour = rois(by_modality(written[1], "RTSTRUCT")[1])["GTV"][0]
    uvw = grid.uvw_mm(contour)
    assert uvw[:, 2] == pytest.approx(np.full(len(uvw), grid.positions_mm[2]))
    assert Polygon(uvw[:, :2]).symmetric_difference(case.structures[3].planes[2]).area < 1e-4


def test_roi_facts_are_kept(written):
    first, second = by_modality(written[1], "RTSTRUCT")
    assert [r.ROINumber for r in first.StructureSetROISequence] == [7, 9, 12]
    assert [list(r.ROIDisplayColor) for r in first.ROIContourSequence] == [[200, 100, 50], [1, 2, 3], [255, 255, 0]]
    assert [o.RTROIInterpretedType for o in first.RTROIObservationsSequence] == ["ORGAN", "", "AVOIDANCE"]
    assert (first.ApprovalStatus, second.ApprovalStatus) == ("APPROVED", "UNAPPROVED")


def test_repeated_roi_numbers_are_replaced(case, tmp_path):
    twins = replace(
        case.structure_sets[0], structures=tuple(replace(s, number=3) for s in case.structure_sets[0].structures)
    )
    ds = pydicom.dcmread(write_structure_set(twins, case, tmp_path / "rs.dcm"))
    assert [r.ROINumber for r in ds.StructureSetROISequence] == [3, 4, 5]


def test_a_contour_beyond_64_kib_stays_a_contour(case, tmp_path):
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    wheel = Polygon(np.column_stack([20 * np.cos(angle), 20 * np.sin(angle)]))
    liver = replace(case.structures[0], planes={2: wheel})
    ds = pydicom.dcmread(
        write_structure_set(replace(case.structure_sets[0], structures=(liver,)), case, tmp_path / "rs.dcm")
    )
    element = ds.ROIContourSequence[0].ContourSequence[0]["ContourData"]
    assert (element.VR, element.VM) == ("DS", 15000)


def test_no_reference_is_invented_to_a_multi_frame_image(case, tmp_path):
    enhanced = replace(case.images[1], sop_class_uid="1.2.840.10008.5.1.4.1.1.4.1", sop_instance_uids=())
    ds = pydicom.dcmread(
        write_structure_set(case.structure_sets[1], replace(case, images=(enhanced,)), tmp_path / "rs.dcm")
    )
    assert "RTReferencedStudySequence" not in ds.ReferencedFrameOfReferenceSequence[0]
    assert "ContourImageSequence" not in ds.ROIContourSequence[0].ContourSequence[0]


def test_keyhole_means_the_same_to_every_filling_rule():
    """The signed area of one ring is what even-odd, non-zero winding and 'fill each contour' all see: 100 - 4 - 9 - 1."""
    polygon = Polygon(
        [(0, 0), (10, 0), (10, 10), (0, 10)],
        [[(1, 1), (3, 1), (3, 3), (1, 3)], [(5, 5), (8, 5), (8, 8), (5, 8)], [(4, 4), (4, 3), (3.5, 3), (3.5, 4)]],
    )
    ring = keyholed(polygon)
    x, y = ring.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(polygon.area)
    assert region_of_rings([ring]).symmetric_difference(polygon).area < 1e-9


# -- plan, dose, registration -----------------------------------------------------------------------------------------------


def test_plan_states_prescription_and_meterset(case, written):
    ds = by_modality(written[1], "RTPLAN")[0]
    assert (ds.RTPlanLabel, ds.ApprovalStatus) == ("LIV_50_5", "APPROVED")
    assert ds.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == case.structure_sets[0].id
    reference = ds.DoseReferenceSequence[0]
    assert (reference.DoseReferenceDescription, reference.TargetPrescriptionDose) == ("PTV", 50)
    group = ds.FractionGroupSequence[0]
    assert (group.NumberOfFractionsPlanned, group.ReferencedBeamSequence[0].BeamMeterset) == (5, 321.125)
    assert ds.PatientSetupSequence[0].PatientPosition == "HFS"


def test_control_points_carry_what_changes(case, written):
    beam = by_modality(written[1], "RTPLAN")[0].BeamSequence[0]
    points = beam.ControlPointSequence
    assert [float(p.CumulativeMetersetWeight) for p in points] == [0, 0.625, 0.625, 1]
    assert (points[0].GantryAngle, points[0].NominalBeamEnergy, list(points[0].IsocenterPosition)) == (
        30,
        6,
        [1.25, -20, -2.5],
    )
    assert ["BeamLimitingDevicePositionSequence" in p for p in points] == [True, False, True, False]
    assert ["GantryAngle" in p for p in points] == [True, False, False, False]
    for k, point in ((0, points[0]), (2, points[2])):
        position = point.BeamLimitingDevicePositionSequence[0]
        assert position.RTBeamLimitingDeviceType == "MLCX"
        assert tuple(position.LeafJawPositions) == case.plans[0].beams[0].control_points[k].apertures[0].positions_mm
    device = beam.BeamLimitingDeviceSequence[0]
    assert (device.NumberOfLeafJawPairs, len(device.LeafPositionBoundaries)) == (4, 5)


def test_a_long_label_is_cut_where_it_must_be(case, tmp_path):
    plan = replace(case.plans[0], label="LIV_50_5 adapted to the day")
    ds = pydicom.dcmread(write_plan(plan, case, tmp_path / "rp.dcm"))
    assert (ds.RTPlanLabel, ds.RTPlanName) == ("LIV_50_5 adapted", "LIV_50_5 adapted to the day")


def test_dose_is_kept_to_float32(case, written):
    dose = case.doses[0]
    ds = by_modality(written[1], "RTDOSE")[0]
    assert ds.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == case.structure_sets[0].id
    gray = ds.pixel_array * float(ds.DoseGridScaling)
    assert gray == pytest.approx(dose.gray, abs=61.7 / 2**31)
    assert int(ds.pixel_array.max()) < 2**31
    assert [float(v) for v in ds.GridFrameOffsetVector] == [0, 3, 6]
    assert [float(v) for v in ds.ImagePositionPatient] == [-30, -40, -8]
    assert [float(v) for v in ds.PixelSpacing] == [2.5, 3]
    assert (ds.DoseUnits, ds.DoseType, ds.DoseSummationType) == ("GY", "PHYSICAL", "PLAN")
    assert ds.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == case.plans[0].id
    assert ds.SeriesDescription == "LIV_50_5 original"


def test_a_dose_of_nothing_is_zero(case, tmp_path):
    dose = replace(case.doses[0], gray=np.zeros_like(case.doses[0].gray))
    ds = pydicom.dcmread(write_dose(dose, case, tmp_path / "rd.dcm"))
    assert not ds.pixel_array.any()
    assert float(ds.DoseGridScaling) > 0


def test_registration_maps_moving_to_fixed(case, written):
    ds = by_modality(written[1], "REG")[0]
    assert ds.FrameOfReferenceUID == SIM_FRAME
    matrices = {
        item.FrameOfReferenceUID: np.array(
            item.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix, float
        ).reshape(4, 4)
        for item in ds.RegistrationSequence
    }
    assert np.array_equal(matrices[SIM_FRAME], np.eye(4))
    assert matrices[DAY_FRAME] == pytest.approx(case.registrations[0].matrix, abs=1e-11)


# -- numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0.0, -0.0, 1 / 3, -1e-12 / 3, 123456789.123456789, -2e20 / 3, 61.7 / (2**31 - 1)])
def test_decimal_is_short_and_close(number):
    assert len(decimal(number)) <= 16
    assert re.fullmatch(r"[0-9+\-eE.]+", decimal(number))
    assert float(decimal(number)) == pytest.approx(number, rel=1e-9)


def test_millimetres_are_plain():
    assert millimetres([0.1 + 0.2, -0.0, -1e-9, 12.0, -123.4567894]) == ["0.3", "0", "0", "12", "-123.456789"]
