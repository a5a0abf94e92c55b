"""Public example data, opened as a user would and held against SimpleITK and pydicom reading the same files."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from reviewer.errors import InputError
from reviewer.opening import SeveralPatientsError, open_case


def simpleitk_series(folder):
    """(voxels, image): the series as SimpleITK sorts and reads it, for series that it can."""
    files = sorted((p for p in folder.iterdir() if "LICENSE" not in p.name), key=str)
    sliced = [(dcmread(p, stop_before_pixels=True), p) for p in files]
    sliced = [(d, p) for d, p in sliced if d.Modality in ("CT", "MR")]
    row, column = np.array(sliced[0][0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    sliced.sort(key=lambda pair: float(np.array(pair[0].ImagePositionPatient, float) @ normal))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(p) for _, p in sliced])
    image = reader.Execute()
    return sitk.GetArrayFromImage(image), image


@pytest.mark.parametrize(
    "name",
    [
        "cort_tg119_dicom/CT",
        "totalseg_ct_dicom/example_ct_dicom",
        "mr_positions/HFS/3_t1_fl2d_sag",
        "geometry_odd/non_isotropic",
    ],
)
def test_every_voxel_and_corner_agrees_with_simpleitk(shared_data, name):
    case = open_case([shared_data / name])
    (volume,) = case.images
    truth, image = simpleitk_series(shared_data / name)
    np.testing.assert_allclose(volume.voxels * volume.slope + volume.intercept, truth, rtol=1e-6)
    nz, ny, nx = volume.grid.shape_zyx
    for z in (0, nz - 1):
        for y in (0, ny - 1):
            for x in (0, nx - 1):
                expected = image.TransformIndexToPhysicalPoint((x, y, z))
                np.testing.assert_allclose(volume.grid.point_of_index_mm([z, y, x]), expected, atol=0.02)


def test_tg119_structures_lie_where_their_contours_do(shared_data):
    case = open_case([shared_data / "cort_tg119_dicom"])
    (volume,) = case.images
    (group,) = case.structure_sets
    assert group.image_id == volume.id
    raw = dcmread(shared_data / "cort_tg119_dicom" / "RTSTRUCT_TG119.dcm")
    for entry, structure in zip(raw.ROIContourSequence, group.structures, strict=True):
        heights = {round(float(c.ContourData[2]), 3) for c in entry.ContourSequence}
        assert heights == {round(float(volume.grid.positions_mm[k]), 3) for k in structure.planes}
        if structure.name == "Core":  # no holes: the areas of its rings, by the shoelace formula, add up
            rings = [np.array(c.ContourData, float).reshape(-1, 3)[:, :2] for c in entry.ContourSequence]
            areas = [abs(np.sum(r[:, 0] * np.roll(r[:, 1], -1) - r[:, 1] * np.roll(r[:, 0], -1))) / 2 for r in rings]
            assert sum(r.area for r in structure.planes.values()) == pytest.approx(sum(areas), rel=1e-9)


def test_the_segmentation_lies_on_the_ct_voxel_by_voxel(shared_data):
    folder = shared_data / "totalseg_ct_dicom"
    case = open_case([folder])
    (volume,) = case.images
    (group,) = case.structure_sets
    assert group.image_id == volume.id
    assert len(group.structures) == 31
    labels = sitk.ReadImage(str(folder / "example_seg_dicom.nii.gz"))
    counted = np.bincount(sitk.GetArrayFromImage(labels).ravel(), minlength=256)
    voxel_mm2 = float(np.prod(volume.grid.spacing_uv_mm))
    for s in group.structures:
        assert sum(r.area for r in s.planes.values()) == pytest.approx(counted[s.number] * voxel_mm2, rel=1e-6)
        assert all(r.is_valid for r in s.planes.values())
    liver = next(s for s in group.structures if s.name == "liver")
    assert liver.number == 5
    for k, region in list(liver.planes.items())[::6]:
        point = region.representative_point()
        patient = volume.grid.point_mm([point.x, point.y, volume.grid.positions_mm[k]])
        assert labels.GetPixel(labels.TransformPhysicalPointToIndex(patient.tolist())) == 5


def test_the_mr_segmentation_lies_on_the_mr(shared_data):
    case = open_case([shared_data / "totalseg_mr_nifti"])
    (volume,) = case.images
    assert case.structure_sets[0].image_id == volume.id
    assert len(case.structures) == 23
    image = sitk.ReadImage(str(shared_data / "totalseg_mr_nifti" / "example_mr_sm.nii.gz"))
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(
        volume.grid.point_of_index_mm([19, 90, 116]), image.TransformIndexToPhysicalPoint((116, 90, 19)), atol=1e-3
    )


def test_dicompyler_breast_keeps_contours_off_its_single_slice(shared_data):
    case = open_case([shared_data / "dicompyler_breast"])
    areola = next(s for s in case.structures if s.name == "Areola")
    assert areola.empty
    heart = next(s for s in case.structures if s.name == "Heart")
    raw = dcmread(shared_data / "dicompyler_breast" / "rtss.dcm")
    number = next(r.ROINumber for r in raw.StructureSetROISequence if r.ROIName == "Heart")
    entry = next(c for c in raw.ROIContourSequence if c.ReferencedROINumber == number)
    heights = sorted({float(c.ContourData[2]) for c in entry.ContourSequence})
    np.testing.assert_allclose([heart.grid.positions_mm[k] for k in heart.planes], heights, atol=0.05)
    (plan,) = case.plans
    assert (plan.fractions, plan.prescribed_gy, len(plan.beams)) == (7, 14.0, 4)
    assert plan.beams[0].control_points[0].apertures
    assert all(p.severity != "error" for p in case.problems)


def test_feet_first_dose_runs_against_z(shared_data):
    (dose,) = open_case([shared_data / "feet_first_dose"]).doses
    raw = dcmread(shared_data / "feet_first_dose" / "RD.TBB_feet_in_supine.dcm")
    values = raw.pixel_array * float(raw.DoseGridScaling)
    offsets = np.array(raw.GridFrameOffsetVector, float)
    normal = np.cross([-1, 0, 0], [0, 1, 0])
    for frame, row, column in ((0, 0, 0), (80, 100, 100), (40, 50, 20)):
        point = (
            np.array(raw.ImagePositionPatient, float)
            + 2.0 * column * np.array([-1, 0, 0])
            + 2.0 * row * np.array([0, 1, 0])
            + offsets[frame] * normal
        )
        index = dose.grid.index_zyx(point)
        np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
        assert dose.gray[tuple(np.rint(index).astype(int))] == pytest.approx(values[frame, row, column], rel=1e-6)
    assert dose.gray.max() == pytest.approx(values.max(), rel=1e-6)


def test_odd_geometry(shared_data):
    tilted = open_case([shared_data / "geometry_odd" / "gantrytilting"])
    assert any("sheared" in p.message and p.severity == "warning" for p in tilted.problems)
    (volume,) = tilted.images
    raw = [dcmread(p) for p in sorted((shared_data / "geometry_odd" / "gantrytilting").iterdir())]
    positions = np.array([d.ImagePositionPatient for d in raw], float)
    index = volume.grid.index_zyx(positions)
    np.testing.assert_allclose(np.sort(index[:, 0]), np.arange(4), atol=1e-3)
    for ds, first in zip(
        raw, index, strict=True
    ):  # at interior points the resampled values are those of the linear interpolation
        rows, columns = np.arange(200, 300, 7), np.arange(200, 300, 7)
        k = round(float(first[0]))
        stored = ds.pixel_array.astype(float)
        shift = first[1]
        low = int(np.floor(-shift)) if shift % 1 else int(-shift)
        part = -shift - low
        truth = stored[rows + 100 + low][:, columns] * (1 - part) + stored[rows + 101 + low][:, columns] * part
        found = volume.voxels[k][rows + 100][:, columns]
        assert np.abs(found - truth).max() <= 0.5 + 1e-3

    missing = open_case([shared_data / "geometry_odd" / "missing_slice"])
    assert not missing.images[0].grid.uniform
    np.testing.assert_allclose(np.sort(np.diff(missing.images[0].grid.positions_mm)), [5, 5, 10], atol=0.01)
    assert any("gap" in p.message for p in missing.problems)

    (enhanced,) = open_case([shared_data / "geometry_odd" / "enhanced_mr_siemens"]).images
    path = shared_data / "geometry_odd" / "enhanced_mr_siemens" / "IM-0001-0001-0001.dcm"
    ds = dcmread(path)
    np.testing.assert_array_equal(enhanced.voxels, ds.pixel_array)
    for k, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        np.testing.assert_allclose(
            enhanced.grid.point_of_index_mm([k, 0, 0]), frame.PlanePositionSequence[0].ImagePositionPatient, atol=0.01
        )


def test_broken_references_of_rt_utils_are_told(shared_data):
    case = open_case([shared_data / "rtutils"])
    assert case.images[0].grid.shape_zyx[0] == 2
    assert all(s.image_id is None or s.grid is case.image(s.image_id).grid for s in case.structures)
    assert case.problems


ODD = {
    "CT_small.dcm": "image",
    "MR_small_RLE.dcm": "image",
    "rtplan.dcm": "plan",
    "rtstruct.dcm": "structures",
}


def test_each_odd_file_alone_opens_or_is_one_sentence(shared_data):
    for path in sorted((shared_data / "odd").iterdir()):
        wanted = ODD.get(path.name)
        if wanted is None:
            with pytest.raises(InputError) as caught:
                open_case([path])
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
            continue
        case = open_case([path])
        found = {"image": case.images, "plan": case.plans, "structures": case.structure_sets}[wanted]
        assert len(found) == 1, path.name
    with pytest.raises(SeveralPatientsError):
        open_case([shared_data / "odd"])


def test_every_patient_of_the_odd_folder_opens_or_is_one_sentence(shared_data):
    with pytest.raises(SeveralPatientsError) as caught:
        open_case([shared_data / "odd"])
    ids = [c.patient.id for c in caught.value.candidates]
    assert len(set(ids)) == len(ids) > 5
    for patient_id in ids:
        try:
            case = open_case([shared_data / "odd"], patient_id=patient_id)
        except InputError:
            continue
        assert case.patient.id == patient_id


def test_small_odd_images_have_the_values_that_pydicom_reads(shared_data):
    for name in ("CT_small.dcm", "MR_small_RLE.dcm"):
        (volume,) = open_case([shared_data / "odd" / name]).images
        np.testing.assert_array_equal(volume.voxels[0], dcmread(shared_data / "odd" / name).pixel_array)
