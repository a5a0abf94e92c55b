"""`reviewer derive`: volumes against closed form, the file read back, and what is refused."""

import json
import math

import numpy as np
import pydicom
import pytest
from phantoms import planes_grid, sphere

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.cli import main
from reviewer.dicom.write import write_case
from reviewer.opening import open_case

Z = np.arange(-42.0, 43, 2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GTV of 10 mm radius and a stomach of 12 mm, 25 mm apart, on an MR of 2 mm slices."""
    grid = planes_grid(Z, half=60.0, spacing=2.0, frame="1.2.3.4")
    image = Image("1.2.3.5", "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")

    def ball(number: int, name: str, kind: str, radius: float, x: float) -> Structure:
        body = sphere(grid, radius, (x, 0.0, 0.0))
        return Structure(f"s{number}", name, grid, body.planes, kind, image_id=image.id, number=number)

    group = StructureSet(
        "1.2.3.6", "Day", (ball(1, "GTV", "GTV", 10, 0), ball(2, "Stomach 1", "ORGAN", 12, 25)), image.id, "1.2.3.4"
    )
    path = tmp_path_factory.mktemp("derive")
    write_case(Case(images=(image,), structure_sets=(group,)), path)
    return path


def run_json(capsys, *arguments: str) -> dict:
    assert main(["derive", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def ball_cc(radius: float) -> float:
    return 4 / 3 * math.pi * radius**3 / 1000


def test_volumes_and_names_made_before(folder, capsys) -> None:
    """PTV is the sphere of 15 mm; the stomach with 5 mm, 17 mm at 25 mm distance, takes the lens from it."""
    document = run_json(capsys, str(folder), "PTV = GTV + 5 mm", 'PTVopt = PTV - ("Stomach 1" + 5 mm)')
    ptv, opt = document["structures"]
    assert (ptv["name"], ptv["formula"], ptv["type"]) == ("PTV", "GTV + 5 mm", "PTV")
    assert ptv["volume_cc"] == pytest.approx(ball_cc(15), rel=0.01)
    a, b, d = 15.0, 17.0, 25.0
    lens = math.pi * (a + b - d) ** 2 * (d * d + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d) / 1000
    assert opt["volume_cc"] == pytest.approx(ball_cc(15) - lens, rel=0.015)


def test_written_set_is_read_back_with_the_same_volumes(folder, capsys, tmp_path) -> None:
    out = tmp_path / "RS.dcm"
    document = run_json(capsys, str(folder), "PTV = GTV + 5 mm", "-o", str(out))
    ds = pydicom.dcmread(out)
    assert [r.ROIName for r in ds.StructureSetROISequence] == ["GTV", "Stomach 1", "PTV"]
    assert ds.SOPInstanceUID != "1.2.3.6"
    again = open_case([folder, out])
    ptv = next(s for s in again.structures if s.name == "PTV")
    area = sum(r.area for r in ptv.planes.values()) * 2.0 / 1000
    assert area == pytest.approx(document["structures"][0]["volume_cc"], rel=0.01)
    assert main(["derive", str(folder), "PTV = GTV + 5 mm", "-o", str(out)]) == 2
    assert "not overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("PTV = GTV + 5", "the unit is missing"),
        ("PTV = GTW + 5 mm", "is “GTV” meant?"),
        ('GTV = "Stomach 1" + 5 mm', "there is a structure GTV already"),
        ('"' + 65 * "P" + '" = GTV', "at most 64 characters"),
        (r'"PTV\\50" = GTV', "no backslash"),
        ('"  " = GTV', "needs a name"),
        ("PTV = GTV + 60 mm", "at most 50 mm"),
        ("= GTV", "NAME = FORMULA"),
    ],
)
def test_mistakes_are_one_sentence_and_status_2(folder, capsys, formula, message) -> None:
    assert main(["derive", str(folder), formula]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_formula_may_be_longer_than_a_file_name(folder, capsys) -> None:
    organs = " | ".join(["GTV"] * 60)
    long, short = run_json(capsys, str(folder), f"Long = ({organs}) + 5 mm", "Short = GTV + 5 mm")["structures"]
    assert long["volume_cc"] == pytest.approx(short["volume_cc"], rel=1e-6)


def test_a_formula_is_needed(folder, capsys) -> None:
    assert main(["derive", str(folder)]) == 2
    assert "no formula" in capsys.readouterr().err


def test_what_is_cut_off_is_told(folder, capsys) -> None:
    document = run_json(capsys, str(folder), "Far = GTV + 40 mm")
    assert "cut off where the image ends" in document["structures"][0]["warnings"][0]


def test_a_result_without_anything_says_so(folder, capsys) -> None:
    assert main(["derive", str(folder), "Core = GTV - 12 mm"]) == 0
    assert "Core: nothing is left of it" in capsys.readouterr().err
