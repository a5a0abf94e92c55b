"""A structure set that was opened, changed and exported: what nobody touched comes out byte for byte, the rest as drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import dicom_samples as samples
import numpy as np
import pydicom
import pytest
import shapely
from dicom_samples import item, square
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon

from reviewer.case import Case, Structure, StructureSet
from reviewer.demo import demo_folder
from reviewer.dicom.annotation import LONGEST, Annotations, annotations_in, described
from reviewer.dicom.write.header import millimetres
from reviewer.dicom.write.structures import keyholed
from reviewer.errors import InputError, ReviewerError
from reviewer.export import Formats, export
from reviewer.files import new_file
from reviewer.opening import begin, open_case

CONTOUR_DATA = 0x30060050
HOLED = Polygon(
    [(0, 0), (20, 0), (20, 20), (0, 20)],
    [[(2, 2), (2, 6), (6, 6), (6, 2)], [(10, 10), (10, 18), (18, 18), (18, 10)]],
)
ISLAND = shapely.box(30, 0, 34, 3)


def exported(case: Case, group: StructureSet, folder: Path) -> tuple[pydicom.Dataset, tuple[str, ...]]:
    """The RTSTRUCT that `group`, in the place of the set of its id, is exported as, and the remarks."""
    sets = tuple(group if g.id == group.id else g for g in case.structure_sets)
    done = export(replace(case, structure_sets=sets), [group], folder)
    (file,) = done.files
    return pydicom.dcmread(file.path), done.remarks


def with_structure(group: StructureSet, structure: Structure) -> StructureSet:
    return replace(group, structures=tuple(structure if s.id == structure.id else s for s in group.structures))


def with_plane(structure: Structure, k: int, region) -> Structure:
    planes = {j: r for j, r in structure.planes.items() if j != k}
    return replace(structure, planes=planes | ({k: region} if region is not None else {}))


def contours(ds: pydicom.Dataset) -> dict[int, list[tuple]]:
    """Of each ROI number: bytes of the coordinates, type, number of points, image references, in order."""
    found = {}
    for entry in ds.ROIContourSequence:
        found[int(entry.ReferencedROINumber)] = [
            (
                bytes(c.get_item(CONTOUR_DATA).value),
                c.ContourGeometricType,
                int(c.NumberOfContourPoints),
                [i.ReferencedSOPInstanceUID for i in c.get("ContourImageSequence", [])],
            )
            for c in entry.get("ContourSequence", [])
        ]
    return found


def complaints(path: str) -> list[str]:
    out = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
    return [ln for ln in (out.stdout + out.stderr).splitlines() if ln.startswith("Error") or "Assertion" in ln]


dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed"
)

SHARED = {
    "rtutils one ROI": ("rtutils/mock_data/rt.dcm", "rtutils/mock_data/ct_1.dcm", "rtutils/mock_data/ct_2.dcm"),
    "rtutils broken references": ("rtutils/mock_data/invalid_reference_rt.dcm", "rtutils/mock_data/ct_1.dcm", "rtutils/mock_data/ct_2.dcm"),
    "rtutils missing references": ("rtutils/mock_data/non_existent_reference_rt.dcm", "rtutils/mock_data/ct_1.dcm", "rtutils/mock_data/ct_2.dcm"),
    "tg119": ("cort_tg119_dicom",),
    "breast": ("dicompyler_breast",),
}  # fmt: skip


@dciodvfy
@pytest.mark.parametrize("name", SHARED)
def test_one_plane_edited_in_files_of_other_systems(shared_data, tmp_path, name):
    case = begin([shared_data / part for part in SHARED[name]]).case
    (group,) = case.structure_sets
    before = pydicom.dcmread(group.path)
    drawn = next(s for s in group.structures if s.planes)
    k = sorted(drawn.planes)[len(drawn.planes) // 2]
    w = drawn.grid.positions_mm[k]
    ds, _ = exported(case, with_structure(group, with_plane(drawn, k, drawn.planes[k].buffer(2.0))), tmp_path)
    old, new = contours(before), contours(ds)
    assert old.keys() == new.keys()
    for number, items in old.items():
        if number != drawn.number:
            assert new[number] == items
    own = [c for c in old[drawn.number] if not _lies_at(c[0], drawn, w)]
    made = [c for c in new[drawn.number] if not _lies_at(c[0], drawn, w)]
    assert made == own
    assert len(old[drawn.number]) > len(own)
    assert sum(abs(_signed_area(c[0])) for c in new[drawn.number] if c not in own) == pytest.approx(
        drawn.planes[k].buffer(2.0).area, rel=1e-4
    )
    assert complaints(ds.filename) == []
    assert ds.SOPInstanceUID not in (before.SOPInstanceUID, "")
    assert ds.SeriesInstanceUID != before.SeriesInstanceUID
    assert ds.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyID", "StudyDate", "StructureSetLabel"):
        assert ds.get(keyword) == before.get(keyword), keyword
    assert ds.ApprovalStatus == "UNAPPROVED"


def _points(data: bytes) -> np.ndarray:
    return np.array(data.decode().strip().split("\\"), float).reshape(-1, 3)


def _lies_at(data: bytes, structure: Structure, w: float) -> bool:
    return abs(float(structure.grid.uvw_mm(_points(data))[:, 2].mean()) - w) < 0.1


def _signed_area(data: bytes) -> float:
    """Shoelace formula in the axial plane."""
    x, y, _ = _points(data).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


# -- a set with everything in it ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five CT slices 3 mm apart and a set from another system, with private attributes and contours of several kinds."""
    place = tmp_path / "in"
    samples.write_stack(place, [0.0, 3.0, 6.0, 9.0, 12.0], PatientPosition="HFS")
    marked = item(
        ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4, ContourNumber=7, ContourSlabThickness="3",
        ContourData=["0.100", "0", "3", "4.0", "0.00", "3", "4", "4", "3.0", "0", "4", "3"],
    )  # fmt: skip
    ds = samples.structure_set(
        {
            "Liver": [square(0), marked, samples.contour([[1, 1, 6]], "POINT"), square(6), square(9)],
            "Rind": [samples.contour(square(z, -8, 8), "CLOSEDPLANAR_XOR") for z in (0.0, 3.0)]
            + [samples.contour(square(z), "CLOSEDPLANAR_XOR") for z in (0.0, 3.0)],
            "Torn": [square(3), samples.contour([[0, 0, 6], [1, 0, 6]])],
        },
        StructureSetDate="20260101", ApprovalStatus="APPROVED", ReviewDate="20260102", ReviewTime="1200", ReviewerName="Roe^Ann",
        AccessionNumber="acc", StudyID="7", StudyDescription="Übung", SpecificCharacterSet="ISO_IR 100",
    )  # fmt: skip
    ds.private_block(0x3773, "OTHER SYSTEM", create=True).add_new(1, "LO", "of the set")
    for n, roi in enumerate(ds.StructureSetROISequence):
        roi.ROIGenerationAlgorithm = ["MANUAL", "AUTOMATIC", ""][n]
        roi.ROIDescription = "drawn in the morning"
        roi.ROIVolume = "12.5"
        roi.private_block(0x3773, "OTHER SYSTEM", create=True).add_new(2, "LO", "of the ROI")
    ds.RTROIObservationsSequence[0].ROIObservationLabel = "organ"
    samples.save(ds, place / "rs.dcm")
    return place


@pytest.fixture
def case(folder) -> Case:
    return open_case([folder])


def at(case: Case, z: float) -> int:
    return case.images[0].grid.nearest_plane(z)


def roi(ds: pydicom.Dataset, name: str) -> tuple[pydicom.Dataset, pydicom.Dataset]:
    entry = next(r for r in ds.StructureSetROISequence if name == r.ROIName)
    return entry, next(c for c in ds.ROIContourSequence if entry.ROINumber == c.ReferencedROINumber)


def said(ds: pydicom.Dataset) -> dict[str, str]:
    """Values of the attributes of an item, private ones by tag: their VR is not known any more in implicit VR."""
    return {
        e.keyword or str(e.tag): e.value.decode() if isinstance(e.value, bytes) else str(e.value or None) for e in ds
    }


def test_an_untouched_set_is_a_new_instance_of_the_same_content(case, folder, tmp_path):
    source = pydicom.dcmread(folder / "rs.dcm")
    ds, remarks = exported(case, case.structure_sets[0], tmp_path / "out")
    assert remarks == ()
    assert contours(ds) == contours(source)
    for name in ("StructureSetROISequence", "ReferencedFrameOfReferenceSequence"):
        assert [said(i) for i in ds[name].value] == [said(i) for i in source[name].value]
    for was, now in zip(source.RTROIObservationsSequence, ds.RTROIObservationsSequence, strict=True):
        assert said(now) == said(was) | {"ROIInterpreter": "None"}  # type 2: the source lacks it
    assert roi(ds, "Liver")[1].ContourSequence[1].ContourSlabThickness == 3
    assert (ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime) == ("APPROVED", "20260102", "1200")
    assert ds.ReviewerName == "Roe^Ann"
    assert (ds.AccessionNumber, ds.StudyID, ds.StudyDescription) == ("acc", "7", "Übung")
    assert ds.private_block(0x3773, "OTHER SYSTEM")[1].value == b"of the set"
    assert ds.StructureSetDate != "20260101"
    assert ds.Manufacturer == "Reviewer"


def test_what_describes_contours_goes_with_them(case, tmp_path):
    (group,) = case.structure_sets
    liver = group.structures[0]
    changed = with_structure(group, with_plane(liver, at(case, 9), shapely.box(1, 1, 3, 3)))
    ds, remarks = exported(case, changed, tmp_path / "out")
    edited, untouched = roi(ds, "Liver")[0], roi(ds, "Rind")[0]
    assert "ROIVolume" not in edited
    assert untouched.ROIVolume == 12.5
    assert (0x3773, 0x1002) not in edited
    assert (0x3773, 0x1002) in untouched
    assert (0x3773, 0x0010) not in ds
    assert edited.ROIDescription == "drawn in the morning"
    assert (edited.ROIGenerationAlgorithm, untouched.ROIGenerationAlgorithm) == ("MANUAL", "AUTOMATIC")
    assert any("unapproved" in remark for remark in remarks)
    assert "ReviewerName" not in ds
    kinds = [c.ContourGeometricType for c in roi(ds, "Liver")[1].ContourSequence]
    assert kinds == ["CLOSED_PLANAR", "CLOSED_PLANAR", "POINT", "CLOSED_PLANAR", "CLOSED_PLANAR"]


def test_new_contours_stay_in_the_place_of_the_old_and_new_planes_come_last(case, tmp_path):
    (group,) = case.structure_sets
    liver = with_plane(group.structures[0], at(case, 3), MultiPolygon([HOLED, ISLAND]))
    liver = with_plane(with_plane(liver, at(case, 0), None), at(case, 12), ISLAND)
    ds, _ = exported(case, with_structure(group, liver), tmp_path / "out")
    heights = [_points(bytes(c.get_item(CONTOUR_DATA).value))[0, 2] for c in roi(ds, "Liver")[1].ContourSequence]
    assert heights == [3, 3, 6, 6, 9, 12]
    images = {i: z for z, i in zip(case.images[0].grid.positions_mm, case.images[0].sop_instance_uids, strict=True)}
    for contour in roi(ds, "Liver")[1].ContourSequence:
        if "ContourImageSequence" in contour:
            z = _points(bytes(contour.get_item(CONTOUR_DATA).value))[0, 2]
            assert images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID] == z
    assert "ContourImageSequence" in roi(ds, "Liver")[1].ContourSequence[0]
    back = open_case([tmp_path / "in", tmp_path / "out"])
    again = next(g for g in back.structure_sets if g.approval == "UNAPPROVED").structures[0]
    assert again.planes[at(case, 3)].symmetric_difference(liver.planes[at(case, 3)]).area < 1e-3
    assert at(case, 0) not in again.planes


def drawn_on_frames(kind: str, modality: str, folder: Path) -> tuple[pydicom.Dataset, Case]:
    """An image of one file, and a set on it. Its frames are out of order: those of z = 0, 3 … 12 mm are number 3, 1, 5, 2 and 4."""
    place = [3.0, 9.0, 0.0, 12.0, 6.0]
    values = np.stack([np.full((20, 30), z, np.int16) for z in place])
    frames = samples.pixels(samples.base(kind, modality, samples.SERIES), values)
    frames.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[2.0, 2.0], SliceThickness=3)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    frames.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[-10.0, -10.0, z])]) for z in place
    ]
    samples.save(frames, folder / "frames.dcm")
    case = open_case([folder])
    (image,) = case.images
    drawn = Structure("new", "GTV", image.grid, {k: shapely.box(0, 0, 12, 12) for k in (1, 2, 3)}, image_id=image.id)
    group = StructureSet("set", "Day 1", (drawn,), image.id, image.grid.frame_of_reference_uid)
    return frames, replace(case, structure_sets=(group,))


@dciodvfy
@pytest.mark.parametrize(("kind", "modality"), [(samples.ENHANCED_MR, "MR"), (samples.ENHANCED_CT, "CT")])
def test_structures_on_a_multi_frame_image_are_sound_dicom(tmp_path, kind, modality):
    _, case = drawn_on_frames(kind, modality, tmp_path)
    ds, _ = exported(case, case.structure_sets[0], tmp_path / "out")
    assert ds.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0].ReferencedSOPClassUID == kind
    assert complaints(ds.filename) == []


def test_contours_on_a_multi_frame_image_refer_to_its_frames(tmp_path):
    frames, case = drawn_on_frames(samples.ENHANCED_MR, "MR", tmp_path)
    (group,) = case.structure_sets
    ds, _ = exported(case, group, tmp_path / "out")
    referred = [c.ContourImageSequence[0] for c in ds.ROIContourSequence[0].ContourSequence]
    assert [(i.ReferencedSOPInstanceUID, i.ReferencedFrameNumber) for i in referred] == [
        (frames.SOPInstanceUID, number) for number in (1, 5, 2)
    ]
    (study,) = ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    (whole,) = study.RTReferencedSeriesSequence[0].ContourImageSequence
    assert whole.ReferencedSOPInstanceUID == frames.SOPInstanceUID
    assert sorted(whole.ReferencedFrameNumber) == [1, 2, 3, 4, 5]
    # An anonymised case is written plane by plane: its structures refer to these.
    done = export(case, [group], tmp_path / "anonymous", Formats(anonymise=True))
    files = [pydicom.dcmread(file.path) for file in done.files]
    slices = {f.SOPInstanceUID: float(f.ImagePositionPatient[2]) for f in files if f.Modality == "MR"}
    assert len(slices) == 5
    sets = [f for f in files if f.Modality == "RTSTRUCT"]
    for contour in (c for f in sets for c in f.ROIContourSequence[0].ContourSequence):
        (reference,) = contour.ContourImageSequence
        assert slices[reference.ReferencedSOPInstanceUID] == float(contour.ContourData[2])
        assert "ReferencedFrameNumber" not in reference


def test_a_hole_among_xor_contours_is_xor_too(case, tmp_path):
    (group,) = case.structure_sets
    rind = with_plane(group.structures[1], at(case, 0), HOLED)
    ds, _ = exported(case, with_structure(group, rind), tmp_path / "out")
    assert {c.ContourGeometricType for c in roi(ds, "Rind")[1].ContourSequence} == {"CLOSEDPLANAR_XOR"}
    (back,) = open_case([tmp_path / "out"]).structure_sets
    area = sum(r.area for r in back.structures[1].planes.values())
    assert area == pytest.approx(HOLED.area + (16 * 16 - 4 * 4), rel=1e-6)


def test_contours_that_were_never_shown_do_not_outlive_an_edit(case, tmp_path):
    (group,) = case.structure_sets
    torn = group.structures[2]
    ds, remarks = exported(case, group, tmp_path / "same")
    assert len(roi(ds, "Torn")[1].ContourSequence) == 2
    assert remarks == ()
    ds, remarks = exported(case, with_structure(group, with_plane(torn, at(case, 3), ISLAND)), tmp_path / "edited")
    assert len(roi(ds, "Torn")[1].ContourSequence) == 1
    assert any("Torn: contours that could not be opened (1) were left out" in r for r in remarks)


@dciodvfy
def test_rois_are_renamed_added_and_deleted(case, tmp_path):
    (group,) = case.structure_sets
    liver, rind, _ = group.structures
    renamed = replace(liver, name="Liver_x", type="AVOIDANCE", colour=(1, 2, 3))
    new = Structure("new", "GTV", liver.grid, {1: ISLAND}, "GTV", (9, 9, 9), liver.image_id, rind.number)
    ds, _ = exported(case, replace(group, structures=(rind, renamed, new)), tmp_path / "out")
    assert [(r.ROINumber, r.ROIName) for r in ds.StructureSetROISequence] == [(2, "Rind"), (1, "Liver_x"), (3, "GTV")]
    by_number = {o.ReferencedROINumber: o for o in ds.RTROIObservationsSequence}
    assert [by_number[n].RTROIInterpretedType for n in (1, 2, 3)] == ["AVOIDANCE", "ORGAN", "GTV"]
    assert by_number[1].ROIObservationLabel == "organ"
    assert len({o.ObservationNumber for o in ds.RTROIObservationsSequence}) == 3
    assert list(roi(ds, "Liver_x")[1].ROIDisplayColor) == [1, 2, 3]
    assert contours(ds)[1] == contours(pydicom.dcmread(group.path))[1]
    assert set(complaints(ds.filename)) <= set(complaints(group.path))


def test_a_part_of_an_approved_set_is_not_what_was_approved(case, tmp_path):
    (group,) = case.structure_sets
    ds, remarks = exported(case, replace(group, structures=group.structures[:1]), tmp_path / "out")
    assert ds.ApprovalStatus == "UNAPPROVED"
    assert len(remarks) == 1


def test_an_approval_given_here_is_written(case, folder, tmp_path):
    ds = pydicom.dcmread(folder / "rs.dcm")
    ds.ApprovalStatus = "UNAPPROVED"
    ds.save_as(folder / "rs.dcm")
    again = open_case([folder])
    ds, remarks = exported(again, replace(again.structure_sets[0], approval="APPROVED"), tmp_path / "out")
    assert (ds.ApprovalStatus, remarks) == ("APPROVED", ())


@pytest.mark.parametrize("loss", ["gone", "other"])
def test_without_its_source_all_is_written_anew_and_that_is_said(case, folder, tmp_path, loss):
    if loss == "gone":
        (folder / "rs.dcm").unlink()
    else:
        samples.save(samples.structure_set({"Liver": [square(0)]}), folder / "rs.dcm")
    ds, remarks = exported(case, case.structure_sets[0], tmp_path / "out")
    assert any("rs.dcm" in remark for remark in remarks)
    assert ds.ApprovalStatus == "UNAPPROVED"
    assert "PredecessorStructureSetSequence" not in ds
    assert len(roi(ds, "Liver")[1].ContourSequence) == 4


def test_the_number_zero_is_a_number(case, folder, tmp_path):
    source = pydicom.dcmread(folder / "rs.dcm")
    for sequence, keyword in (
        ("StructureSetROISequence", "ROINumber"),
        ("ROIContourSequence", "ReferencedROINumber"),
        ("RTROIObservationsSequence", "ReferencedROINumber"),
    ):
        setattr(source[sequence].value[0], keyword, 0)
    source.save_as(folder / "rs.dcm")
    again = open_case([folder])
    ds, _ = exported(again, again.structure_sets[0], tmp_path / "out")
    assert [r.ROINumber for r in ds.StructureSetROISequence] == [0, 2, 3]
    assert contours(ds) == contours(source)


def test_contours_without_their_number_of_points_get_it_and_stay_as_they_are(folder, tmp_path):
    """plastimatch, for one, drops a contour without it."""
    source = pydicom.dcmread(folder / "rs.dcm")
    expected = contours(source)
    for entry in source.ROIContourSequence:
        del entry.ContourSequence[0].NumberOfContourPoints
    source.ROIContourSequence[0].ContourSequence[1].NumberOfContourPoints = None
    source.save_as(folder / "rs.dcm")
    again = open_case([folder])
    ds, _ = exported(again, again.structure_sets[0], tmp_path / "out")
    assert contours(ds) == expected


def test_no_observation_refers_to_an_roi_that_is_gone(case, folder, tmp_path):
    source = pydicom.dcmread(folder / "rs.dcm")
    source.RTROIObservationsSequence[0].RTRelatedROISequence = [
        item(ReferencedROINumber=3, RTROIRelationship="ENCLOSING")
    ]
    source.save_as(folder / "rs.dcm")
    (group,) = open_case([folder]).structure_sets
    ds, _ = exported(open_case([folder]), group, tmp_path / "all")
    assert "RTRelatedROISequence" in ds.RTROIObservationsSequence[0]
    ds, _ = exported(open_case([folder]), replace(group, structures=group.structures[:2]), tmp_path / "some")
    assert "RTRelatedROISequence" not in ds.RTROIObservationsSequence[0]


@dciodvfy
@pytest.mark.slow
def test_the_demo_with_one_plane_edited(tmp_path):
    case = begin([demo_folder()]).case
    group = case.structure_sets[0]
    stomach = next(s for s in group.structures if s.name == "Stomach")
    k = sorted(stomach.planes)[4]
    ds, _ = exported(case, with_structure(group, with_plane(stomach, k, stomach.planes[k].buffer(-2.0))), tmp_path)
    old, new = contours(pydicom.dcmread(group.path)), contours(ds)
    different = [(number, n) for number in old for n, c in enumerate(old[number]) if c != new[number][n]]
    assert {number for number, _ in different} == {stomach.number}
    assert len(different) == len(shapely.get_parts(stomach.planes[k]))
    assert complaints(ds.filename) == []


# -- formulas and locks ---------------------------------------------------------------------------------------------------


def test_formula_and_lock_come_back_frozen(case, tmp_path):
    (group,) = case.structure_sets
    liver, rind, torn = group.structures
    live = replace(liver, formula="Rind - (Torn + 5 mm)")
    frozen = with_plane(replace(rind, formula="Liver + 3 mm", frozen=True, locked=True), at(case, 0), HOLED)
    ds, _ = exported(case, replace(group, structures=(live, frozen, torn)), tmp_path / "out")
    assert roi(ds, "Liver")[0].ROIGenerationAlgorithm == "AUTOMATIC"
    assert roi(ds, "Rind")[0].ROIGenerationAlgorithm == "SEMIAUTOMATIC"
    assert roi(ds, "Liver")[0].ROIDescription.startswith("drawn in the morning\r\n")
    assert contours(ds)[1] == contours(pydicom.dcmread(group.path))[1]
    (back,) = open_case([tmp_path / "out"]).structure_sets
    found = [(s.formula, s.frozen, s.locked) for s in back.structures]
    assert found == [("Rind - (Torn + 5 mm)", True, False), ("Liver + 3 mm", True, True), (None, False, False)]
    plain = tuple(replace(s, formula=None, frozen=False, locked=False) for s in back.structures)
    ds, _ = exported(open_case([tmp_path / "out"]), replace(back, structures=plain), tmp_path / "plain")
    assert [r.ROIDescription for r in ds.StructureSetROISequence] == ["drawn in the morning"] * 3


def test_a_formula_that_does_not_fit_is_left_out_whole(case, tmp_path):
    (group,) = case.structure_sets
    long = " | ".join(["Rind"] * 200)
    ds, remarks = exported(case, with_structure(group, replace(group.structures[0], formula=long)), tmp_path / "out")
    assert roi(ds, "Liver")[0].ROIDescription == "drawn in the morning"
    assert any("its formula was not written" in r for r in remarks)


@given(st.text(max_size=LONGEST * 2))
def test_descriptions_of_others_never_break_the_reader(text):
    found = annotations_in(text)
    assert found.formula is None or "formula = " in text


@given(st.booleans(), st.sampled_from([None, "GTV + 5 mm", '"PTV 50" - (Stomach | Duodenum)']), st.text(max_size=90))
def test_our_lines_are_renewed_and_the_rest_is_kept(locked, formula, foreign):
    foreign = "\n".join(line for line in foreign.splitlines() if not line.startswith("Reviewer: "))
    once = described(foreign, Annotations(formula, locked))
    assert annotations_in(once) == Annotations(formula, locked)
    assert described(once, Annotations()).splitlines() == foreign.splitlines()


@pytest.mark.parametrize("name", ["Left\\Right", "a\nb", "N" * 80, "a\u2028b", "  ", "\x1b[31m", "GTV \udcfc"])
def test_names_of_other_systems_leave_by_a_name_that_can_be_written(case, tmp_path, name):
    """As they come from files, of volumes too: the window gives no such names."""
    group = case.structure_sets[0]
    ds, remarks = exported(case, with_structure(group, replace(group.structures[0], name=name)), tmp_path / "out")
    written = str(ds.StructureSetROISequence[0].ROIName or "")
    assert written.isprintable()
    assert "\\" not in written
    assert len(written) <= 64
    assert any(f'is called "{written}"' in r for r in remarks) == (written != name.strip())
    assert contours(ds) == contours(pydicom.dcmread(group.path))


def test_a_name_too_long_in_its_file_stays_as_it_came(folder, tmp_path):
    ds = pydicom.dcmread(folder / "rs.dcm")
    ds.StructureSetROISequence[0].ROIName = "N" * 80
    ds.save_as(folder / "rs.dcm")
    case = open_case([folder])
    again, remarks = exported(case, case.structure_sets[0], tmp_path / "out")
    assert again.StructureSetROISequence[0].ROIName == "N" * 80
    assert remarks == ()


@pytest.mark.parametrize("sequence", ["StructureSetROISequence", "ROIContourSequence"])
def test_what_the_source_does_not_tell_apart_is_told_and_ends_its_approval(folder, tmp_path, sequence):
    ds = pydicom.dcmread(folder / "rs.dcm")
    last = ds[sequence].value[-1]
    setattr(last, "ROINumber" if "ROINumber" in last else "ReferencedROINumber", 1)
    ds.save_as(folder / "rs.dcm")
    case = open_case([folder])
    again, remarks = exported(case, case.structure_sets[0], tmp_path / "out")
    assert "does not tell apart by their numbers" in remarks[0]
    assert again.ApprovalStatus == "UNAPPROVED"


def test_no_room_is_an_error():
    with pytest.raises(InputError):
        described("x" * LONGEST, Annotations(None, True))


# -- numbers and files ----------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6))
def test_coordinates_keep_a_micrometre_in_sixteen_characters(value):
    (text,) = millimetres([value])
    assert len(text) <= 16
    assert abs(float(text) - value) < 1e-6


@given(st.integers(3, 40), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
def test_keyholes_and_islands_keep_their_area_for_every_reader(corners, size, seed):
    """The sum of signed areas, which all filling rules agree on, is that of the region; so is what our reader makes of it."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    star = Polygon(np.column_stack([np.cos(angle), np.sin(angle)]) * random.uniform(10, 30, corners)[:, None])
    region = star.buffer(0).difference(shapely.Point(5, 3).buffer(10 * size)).difference(shapely.Point(-9, 1).buffer(4))
    for polygon in shapely.get_parts(region):
        ring = written_ring(polygon)
        x, y = ring.T
        area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)
        assert area == pytest.approx(polygon.area, rel=1e-6, abs=1e-3)


def written_ring(polygon: Polygon) -> np.ndarray:
    return np.array(millimetres(keyholed(polygon).ravel()), float).reshape(-1, 2)


def test_a_source_is_never_written_over(case, folder, tmp_path):
    before = (folder / "rs.dcm").read_bytes()
    os.rename(folder / "rs.dcm", folder / "RS_set.dcm")
    again = open_case([folder])
    with pytest.raises(InputError, match="not overwritten"):
        export(again, again.structure_sets, folder)
    os.symlink(folder / "RS_set.dcm", tmp_path / "RS_set.dcm")
    with pytest.raises(InputError, match="not overwritten"):
        export(again, again.structure_sets, tmp_path)
    assert (folder / "RS_set.dcm").read_bytes() == before


def test_a_failed_write_leaves_nothing(tmp_path):
    def half() -> None:
        with new_file(tmp_path / "a" / "x.dcm") as place:
            place.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    def late() -> None:
        with new_file(tmp_path / "x.dcm") as place:
            place.write_bytes(b"ours")
            (tmp_path / "x.dcm").write_bytes(b"theirs")

    with pytest.raises(InputError, match="not overwritten"):
        late()
    assert (tmp_path / "x.dcm").read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_does_not_read_back_is_not_kept(case, tmp_path, monkeypatch):
    """The written file is opened again: here a writer that moves every contour by a tenth of its size is caught."""
    spoilt = lambda values: millimetres([1.1 * v for v in values])  # noqa: E731
    monkeypatch.setattr("reviewer.dicom.write.structures.millimetres", spoilt)
    (group,) = case.structure_sets
    changed = with_structure(group, with_plane(group.structures[0], at(case, 9), HOLED))
    with pytest.raises(ReviewerError, match="does not read back"):
        exported(case, changed, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_when_one_format_fails_none_is_left(case, tmp_path):
    uneven = replace(case.images[0].grid, positions_mm=np.array([0.0, 3.0, 6.0, 9.0, 13.0]))
    image = replace(case.images[0], grid=uneven)
    with pytest.raises(InputError, match="unevenly spaced"):
        export(replace(case, images=(image,)), case.structure_sets, tmp_path / "out", Formats(nifti=True))
    assert list((tmp_path / "out").iterdir()) == []


# -- second opinions ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("plastimatch") is None, reason="plastimatch is not installed")
def test_plastimatch_finds_the_same_volume(tmp_path):
    """A region with holes and an island, 3 mm thick on 11 slices, on 1 mm pixels: exact but for pixels on the outline."""
    positions = [3.0 * k for k in range(11)]
    samples.write_stack(
        tmp_path / "in", positions, values=np.zeros((60, 60), np.int16), spacing=(1.0, 1.0), PatientPosition="HFS"
    )
    samples.save(samples.structure_set({"Ring": [square(z) for z in positions]}), tmp_path / "in" / "rs.dcm")
    case = open_case([tmp_path / "in"])
    (group,) = case.structure_sets
    (ring,) = group.structures
    drawn = replace(ring, planes={k: MultiPolygon([HOLED, ISLAND]) for k in ring.planes})
    exported(case, with_structure(group, drawn), tmp_path / "out")
    subprocess.run(
        [
            "plastimatch", "convert", "--input", tmp_path / "out" / "RS_set.dcm", "--referenced-ct", tmp_path / "in",
            "--output-prefix", tmp_path / "masks", "--prefix-format", "mha",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    out = subprocess.run(["plastimatch", "stats", tmp_path / "masks" / "Ring.mha"], capture_output=True, text=True)
    words = out.stdout.split()
    voxels = int(words[words.index("NONZERO") + 1])
    outline = drawn.planes[0].length
    assert abs(voxels / 11 - drawn.planes[0].area) < outline / 2
