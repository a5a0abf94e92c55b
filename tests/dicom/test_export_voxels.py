"""DICOM SEG and NIfTI label maps: in the right place, with the right volume, read by others."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import shapely
import SimpleITK as sitk
from highdicom.seg import segread
from shapely.affinity import rotate

from reviewer.case import Case, Dose, Image, Patient, Registration, Structure, StructureSet
from reviewer.dicom.write import fresh_uid
from reviewer.errors import InputError
from reviewer.export import Formats, export
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid
from reviewer.occupancy import marked
from reviewer.opening import open_case
from reviewer.session import with_dose_as_image

FRAME, SERIES = fresh_uid(), fresh_uid()
EVEN = np.arange(12) * 2.5


def turned(degrees: float) -> np.ndarray:
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])


def make(positions=EVEN, axes=None) -> Case:
    """A GTV and a kidney that overlap on an oblique MR of 1.5 x 1.25 mm pixels; edges off the voxels' borders."""
    axes = turned(25) if axes is None else axes
    grid = Grid(axes, (-28.0, -33.0), (1.5, 1.25), (44, 52), np.asarray(positions), FRAME)
    image = Image(
        SERIES, "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS", date="2026-01-02"
    )
    gtv = {k: rotate(shapely.box(-6.3, -4.1, 7.7, 5.2), 10) for k in range(3, 8)}
    kidney = {k: shapely.Point(4, 2).buffer(13.3).difference(shapely.Point(10, 2).buffer(3)) for k in range(2, 10)}
    structures = (
        Structure("s1", "Kidney_L", grid, kidney, "ORGAN", (90, 200, 10), SERIES, 4),
        Structure("s2", "GTV", grid, gtv, "GTV", (255, 0, 0), SERIES, 5, formula="Kidney_L - 3 mm"),
        Structure("s3", "Couch", grid, {4: shapely.box(-20, -30, -12, -25)}, "", (1, 1, 1), SERIES, 6),
        Structure("s4", "Nothing", grid, {}, "", (1, 1, 1), SERIES, 7),
    )
    group = StructureSet("rs", "Day 1", structures, SERIES, FRAME, "2026-01-02")
    return Case(Patient("Doe^Jane", "p1", "F"), (image,), (group,))


def written(case: Case, folder: Path, **formats) -> dict[str, list[Path]]:
    done = export(case, case.structure_sets, folder, Formats(**formats))
    found: dict[str, list[Path]] = {}
    for file in done.files:
        found.setdefault(file.kind, []).append(file.path)
    return found


def exact(case: Case, structure: Structure) -> np.ndarray:
    """(z, y, x) filled part of each voxel of the image."""
    part = coverage(structure, case.images[0].grid)
    whole = np.zeros(case.images[0].grid.shape_zyx)
    whole[part.box] = part.fraction
    return whole


UNEVEN = np.array([0, 2, 4, 7, 10, 12, 15, 18, 20, 22, 25, 30.0])


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("positions", [np.arange(12) * 2.5, UNEVEN])
def test_a_segmentation_is_the_coverage_on_the_slices_of_the_image(tmp_path, fractional, positions):
    case = make(positions)
    (path,) = written(case, tmp_path, seg=True, fractional=fractional)["SEG"]
    seg = segread(path)
    assert seg.segmentation_type.value == ("FRACTIONAL" if fractional else "BINARY")
    drawn = case.structures[:3]
    grid = case.images[0].grid
    assert [d.segment_label for d in (seg.get_segment_description(n) for n in (1, 2, 3))] == [s.name for s in drawn]
    for number, structure in enumerate(drawn, start=1):
        whole = np.zeros(grid.shape_zyx)
        for frame, functional in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
            if functional.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
                place = np.array(functional.PlanePositionSequence[0].ImagePositionPatient, float)
                z, y, x = grid.index_zyx(place)
                assert abs(z - round(float(z))) < 1e-4
                assert np.hypot(x, y) < 1e-4
                whole[round(float(z))] = frame / (255 if fractional else 1)
        expected = exact(case, structure)
        if fractional:
            assert np.abs(whole - expected).max() <= 0.5 / 255 + 1e-6
        else:
            assert np.array_equal(whole, expected >= 0.5)
    out = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
    assert [ln for ln in (out.stdout + out.stderr).splitlines() if ln.startswith("Error") or "Assertion" in ln] == []


@pytest.mark.parametrize("normal", [(1, 0), (0, 1), (1, 1), (1, -1)])
def test_a_voxel_cut_through_its_centre_belongs_to_one_of_two_neighbours(normal):
    """A box of 12 x 12 voxels, cut in two exactly through the centres of a row, a column or a diagonal of them."""
    case = make(axes=np.eye(3))
    grid = replace(case.images[0].grid, origin_uv_mm=(-20.0, -20.0), spacing_uv_mm=(1.0, 1.0))
    a, b = normal
    half = shapely.Polygon(
        [(-90 * b, 90 * a), (90 * b, -90 * a), (90 * b + 90 * a, -90 * a + 90 * b), (-90 * b + 90 * a, 90 * a + 90 * b)]
    )
    whole = shapely.box(-6.5, -6.5, 5.5, 5.5)
    parts = [whole & half, whole - half]
    image = replace(case.images[0], grid=grid)
    structures = [Structure(f"s{n}", f"S{n}", grid, dict.fromkeys(range(3, 8), part)) for n, part in enumerate(parts)]
    masks = np.zeros((2, *grid.shape_zyx), int)
    for n, (_, box, mask) in enumerate(marked(structures, image, replace(case, images=(image,)))):
        masks[n][box] = mask
    assert masks.sum(axis=0).max() == 1
    assert masks.sum() == 5 * 12 * 12


def test_segments_are_coded_and_refer_to_the_slices(tmp_path):
    case = make()
    (path,) = written(case, tmp_path, seg=True)["SEG"]
    ds = pydicom.dcmread(path)
    kinds = [s.SegmentedPropertyTypeCodeSequence[0] for s in ds.SegmentSequence]
    assert [k.CodeMeaning for k in kinds] == ["Kidney", "GTV", "Tissue"]
    assert kinds[0].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert [s.SegmentAlgorithmType for s in ds.SegmentSequence] == ["MANUAL", "SEMIAUTOMATIC", "MANUAL"]
    (series,) = ds.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES
    assert (ds.PatientName, ds.PatientID, ds.FrameOfReferenceUID) == ("Doe^Jane", "p1", FRAME)


def test_simpleitk_finds_the_volume_of_a_segment(tmp_path):
    """Frames of one segment, lying side by side, as SimpleITK reads them; their sum is the coverage to half a level."""
    case = make(axes=np.eye(3))
    case = replace(case, structure_sets=(replace(case.structure_sets[0], structures=case.structures[:1]),))
    (path,) = written(case, tmp_path, fractional=True, seg=True)["SEG"]
    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    volume = voxels.sum() / 255 * 1.5 * 1.25 * 2.5
    expected = exact(case, case.structures[0])
    assert volume == pytest.approx(expected.sum() * 1.5 * 1.25 * 2.5, rel=1e-3)


def test_label_maps_lie_where_the_structures_lie(tmp_path):
    case = make()
    paths = written(case, tmp_path, nifti=True)["NIfTI"]
    assert [p.name for p in paths] == ["Kidney_L.nii.gz", "GTV.nii.gz", "Couch.nii.gz"]
    for path, structure in zip(paths, case.structures, strict=False):
        volume = sitk.ReadImage(str(path))
        inside = exact(case, structure) >= 0.5
        assert np.array_equal(sitk.GetArrayFromImage(volume), inside)
        for z, y, x in np.argwhere(inside)[:: max(1, inside.sum() // 5)]:
            point = volume.TransformIndexToPhysicalPoint((int(x), int(y), int(z)))
            assert point == pytest.approx(case.images[0].grid.point_of_index_mm((z, y, x)), abs=1e-3)


def test_the_header_of_a_map_is_in_ras(tmp_path):
    """The sform of NIfTI-1 (srow_x, y, z at byte 280), read by hand: RAS is LPS with x and y turned round."""
    case = make()
    path = written(case, tmp_path, nifti=True)["NIfTI"][0]
    header = gzip.decompress(path.read_bytes())[:348]
    affine = np.array(struct.unpack("<12f", header[280:328])).reshape(3, 4)
    grid = case.images[0].grid
    for index in ((0, 0, 0), (3, 10, 20), (11, 51, 43)):
        lps = grid.point_of_index_mm(index)
        ras = affine @ [index[2], index[1], index[0], 1]
        assert ras == pytest.approx([-lps[0], -lps[1], lps[2]], abs=1e-3)


def test_a_map_comes_back_as_the_structure_to_half_a_voxel(tmp_path):
    """Opened again by this program, beside nothing else: the area of each plane within the outline times half a pixel."""
    case = make(axes=np.eye(3))
    path = written(case, tmp_path, nifti=True)["NIfTI"][0]
    (back,) = open_case([path]).structures
    for k, region in case.structures[0].planes.items():
        assert abs(back.planes[k].area - region.area) < region.length * 1.5 / 2


def test_in_one_map_the_smaller_structure_has_the_voxel(tmp_path):
    case = make()
    done = export(case, case.structure_sets, tmp_path, Formats(nifti=True, merged=True))
    path = next(f.path for f in done.files if f.kind == "NIfTI")
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    kidney, gtv, couch = (exact(case, s) >= 0.5 for s in case.structures[:3])
    assert gtv.sum() < kidney.sum()
    assert np.array_equal(labels == 2, gtv)
    assert np.array_equal(labels == 1, kidney & ~gtv)
    assert np.array_equal(labels == 3, couch)
    hidden, own = int((kidney & gtv).sum()), int(kidney.sum())
    assert f"Kidney_L: {hidden} of its {own} voxels show a smaller structure that overlaps it" in done.remarks
    table = next(f.path for f in done.files if f.kind == "table").read_text()
    rows = [line.split(maxsplit=7) for line in table.splitlines() if not line.startswith("#")]
    assert (rows[0][0], rows[0][1:4], rows[0][7]) == ("1", ["90", "200", "10"], '"Kidney_L"')


def test_a_structure_of_another_frame_is_brought_over(tmp_path):
    """A structure drawn 7.5 mm along the slices' normal from here is three planes further up in this image."""
    case = make(axes=np.eye(3))
    kidney = case.structures[0]
    moved = replace(kidney, grid=replace(kidney.grid, frame_of_reference_uid="1.2.3"))
    matrix = np.eye(4)
    matrix[2, 3] = 7.5
    tie = Registration("r", "tie", "1.2.3", FRAME, matrix)
    group = replace(case.structure_sets[0], structures=(moved,))
    path = written(replace(case, structure_sets=(group,), registrations=(tie,)), tmp_path, nifti=True)["NIfTI"][0]
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    expected = exact(case, kidney) >= 0.5
    assert np.array_equal(found[3:], expected[:-3])
    with pytest.raises(InputError, match="not registered"):
        written(replace(case, structure_sets=(group,)), tmp_path / "untied", nifti=True)


def test_what_reaches_beyond_the_image_is_told(tmp_path):
    case = make(axes=np.eye(3))
    wide = replace(case.structures[0], planes={4: shapely.box(-100, -3, 0, 3)})
    group = replace(case.structure_sets[0], structures=(wide, case.structures[1]))
    done = export(replace(case, structure_sets=(group,)), [group], tmp_path, Formats(nifti=True))
    assert any(r.endswith("reach there: Kidney_L") for r in done.remarks)


def test_uneven_slices_are_no_nifti(tmp_path):
    with pytest.raises(InputError, match="unevenly spaced"):
        written(make(UNEVEN), tmp_path, nifti=True)


@pytest.mark.parametrize("formats", [{"seg": True}, {"nifti": True}])
def test_a_dose_that_stands_in_for_an_image_is_never_exported(tmp_path, formats):
    case = make()
    grid = case.images[0].grid
    dose = Dose("1.2.9", "dose", grid, np.ones(grid.shape_zyx, np.float32), structure_set_id="rs")
    shown = with_dose_as_image(replace(case, images=(), doses=(dose,)))
    assert shown.images
    with pytest.raises(InputError, match="stands in"):
        written(shown, tmp_path, **formats)
    (path,) = written(shown, tmp_path / "alone")["RTSTRUCT"]
    ds = pydicom.dcmread(path)
    assert "1.2.9" not in str(ds)
    assert "ContourImageSequence" not in ds.ROIContourSequence[0].ContourSequence[0]
    everything = export(shown, shown.structure_sets, tmp_path / "anonymous", Formats(anonymise=True))
    assert {pydicom.dcmread(f.path).Modality for f in everything.files} == {"RTSTRUCT", "RTDOSE"}
    assert any("is not among the files" in r for r in everything.remarks)


def test_a_seg_needs_a_series_to_refer_to(tmp_path):
    case = make()
    case = replace(case, images=(replace(case.images[0], modality=""),))
    with pytest.raises(InputError, match="CT or MR series"):
        written(case, tmp_path, seg=True)
    assert not list(tmp_path.iterdir())
