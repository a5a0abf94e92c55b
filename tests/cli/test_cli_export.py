"""`reviewer export`: what is written, what is said, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
import shapely

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.cli import main
from reviewer.dicom.write import write_case
from reviewer.geometry.grid import Grid
from reviewer.opening import open_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sets on one MR of 2.5 mm slices."""
    grid = Grid(np.eye(3), (-30.0, -30.0), (2.0, 2.0), (31, 31), np.arange(8) * 2.5, "1.2.3.4")
    image = Image("1.2.3.5", "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")

    def drawn(name: str, number: int, half: float) -> Structure:
        region = shapely.box(-half, -half, half, half)
        return Structure(
            f"{name}{number}", name, grid, dict.fromkeys(range(2, 6), region), number=number, image_id=image.id
        )

    first = StructureSet(
        "1.2.3.6", "Plan", (drawn("Liver", 1, 20), drawn("GTV", 2, 9)), image.id, "1.2.3.4", approval="APPROVED"
    )
    second = StructureSet("1.2.3.7", "Plan", (drawn("Liver", 1, 18),), image.id, "1.2.3.4")
    path = tmp_path_factory.mktemp("export")
    write_case(Case(Patient("Doe^Jane", "p1"), (image,), (first, second)), path)
    return path


def run(capsys, *arguments: str) -> tuple[dict, str]:
    assert main(["export", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_all_sets_in_all_formats(folder, capsys, tmp_path):
    document, _ = run(capsys, str(folder), "-o", str(tmp_path), "--seg", "--nifti")
    kinds = [(f["kind"], f["path"].removeprefix(str(tmp_path) + "/")) for f in document["files"]]
    assert kinds == [
        ("RTSTRUCT", "RS_Plan.dcm"),
        ("SEG", "SEG_Plan.dcm"),
        ("NIfTI", "NIFTI_Plan/Liver.nii.gz"),
        ("NIfTI", "NIFTI_Plan/GTV.nii.gz"),
        ("RTSTRUCT", "RS_Plan_2.dcm"),
        ("SEG", "SEG_Plan_2.dcm"),
        ("NIfTI", "NIFTI_Plan_2/Liver.nii.gz"),
    ]
    assert {f.name for f in tmp_path.rglob("*") if f.is_file()} == {k[1].split("/")[-1] for k in kinds}
    before = {s.name: s for s in open_case([folder]).structure_sets[0].structures}
    back = open_case([folder, tmp_path / "RS_Plan.dcm"]).structure_sets[-1]
    for structure in back.structures:
        assert all(region.equals(before[structure.name].planes[k]) for k, region in structure.planes.items())


def test_chosen_structures_of_one_set(folder, capsys, tmp_path):
    document, err = run(capsys, str(folder), "-o", str(tmp_path), "--set", "0", "--structures", "gtv")
    (file,) = document["files"]
    assert file["structures"] == ["GTV"]
    assert [r.ROIName for r in pydicom.dcmread(file["path"]).StructureSetROISequence] == ["GTV"]
    assert document["structure_sets"][0]["structures"][0]["volume_cc"] == pytest.approx(18 * 18 * 10 / 1000, rel=2e-3)
    assert pydicom.dcmread(file["path"]).ApprovalStatus == "UNAPPROVED"
    assert document["remarks"] == [err.removeprefix("reviewer: ").rstrip("\n")]
    assert "written as unapproved" in err


def test_without_identity(folder, capsys, tmp_path):
    document, err = run(capsys, str(folder), "-o", str(tmp_path), "--anonymise")
    assert len(document["files"]) == 8 + 2
    assert "faces" in err
    for file in document["files"]:
        assert pydicom.dcmread(file["path"]).PatientName == "Anonymous"
    assert len(open_case([tmp_path]).structures) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--structures", "Spleen"], "no structure is called 'Spleen'"),
        (["--set", "4"], "there is no structure set 4"),
    ],
)
def test_mistakes_are_one_sentence_and_status_2(folder, capsys, tmp_path, arguments, message):
    assert main(["export", str(folder), "-o", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(folder, capsys, tmp_path):
    (tmp_path / "RS_Plan_2.dcm").write_text("mine")
    assert main(["export", str(folder), "-o", str(tmp_path)]) == 2
    assert "RS_Plan_2.dcm: the file exists and is not overwritten" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["RS_Plan_2.dcm"]


def test_a_place_that_cannot_be_written_to_is_one_sentence(folder, capsys, tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert main(["export", str(folder), "-o", str(tmp_path / "file" / "out")]) == 2
    error = capsys.readouterr().err
    assert "could not be written" in error
    assert error.count("\n") == 1


def test_derived_structures_leave_with_their_formula(folder, capsys, tmp_path):
    out = tmp_path / "RS.dcm"
    assert main(["derive", str(folder), "PTV = GTV + 5 mm", "--set", "0", "-o", str(out)]) == 0
    assert "written as unapproved" in capsys.readouterr().err
    ds = pydicom.dcmread(out)
    ptv = ds.StructureSetROISequence[2]
    assert (ptv.ROIGenerationAlgorithm, ptv.ROIDescription) == ("AUTOMATIC", "Reviewer: formula = GTV + 5 mm")
    assert ds.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == "1.2.3.6"
    back = open_case([out]).structures[2]
    assert (back.formula, back.frozen) == ("GTV + 5 mm", True)
