"""`reviewer goals`, `gamma` and `sheets` on a box in a dose that rises along x; the day's plans on the embedded case."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from reviewer.cli import main
from reviewer.demo import demo_folder
from reviewer.opening import begin

SHEET = """\
name: Test
source: by hand
goals:
  - {structures: PTV, metric: "V60%[%]", limit: ">= 45 %", unverified: nobody looked}
  - {structures: PTV, metric: "Mean[Gy]", limit: "< 29 Gy", acceptable: "< 31 Gy", source: table 1}
  - {structures: [Liver, Empty], metric: "Max[Gy]", limit: "< 99 Gy"}
"""


@pytest.fixture
def sheet(tmp_path):
    """Writes a sheet with other text than `SHEET`, if need be."""

    def write(text=SHEET):
        path = tmp_path / "test.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("reviewer.dosimetry.sheets.user_config_dir", lambda name: str(tmp_path / "config"))
    return tmp_path / "config" / "goals"


def test_goals(box_case, json_of, sheet):
    document = json_of(box_case, "goals", "--sheet", sheet())
    coverage, mean, liver, empty = document["goals"]
    assert {k: coverage[k] for k in ("structure", "metric", "limit", "comparison", "unit", "status", "source")} == {
        "structure": "PTV",
        "metric": "V60%[%]",
        "limit": 45.0,
        "comparison": ">=",
        "unit": "%",
        "status": "met",
        "source": "by hand",
    }
    assert coverage["value"] == pytest.approx(50, abs=0.1), "60 % of 50 Gy is the dose in the middle"
    assert coverage["unverified"] == "nobody looked"
    assert (mean["status"], mean["acceptable"], mean["source"]) == ("acceptable", 31.0, "by hand: table 1")
    assert (liver["status"], liver["value"], liver["reason"]) == ("not-evaluated", None, "no structure is called Liver")
    assert empty["reason"] == "the structure is empty"
    assert document["prescribed_gy"] == 50.0
    assert document["unmatched"] == []


@pytest.mark.parametrize(
    ("extra", "limit", "status"),
    [((), "< 31 Gy", 0), ((), "< 29 Gy", 1), (("--strict",), "< 31 Gy", 0), (("--assign", "PTV=empty"), "< 29 Gy", 0),
     (("--assign", "PTV=empty", "--strict"), "< 29 Gy", 1)],
)  # fmt: skip
def test_the_exit_status_is_1_for_a_violated_goal(box_case, on_case, sheet, extra, limit, status):
    path = sheet(f'name: A\nsource: B\ngoals: [{{structures: PTV, metric: Mean, limit: "{limit}"}}]')
    assert on_case(box_case, "goals", "--sheet", path, *extra)[0] == status


def test_a_prescription_can_be_typed(box_case, json_of, sheet):
    case = replace(box_case, plans=())
    first, *_ = json_of(case, "goals", "--sheet", sheet())["goals"]
    assert (first["status"], first["reason"]) == ("not-evaluated", "no prescribed dose is known")
    first, *_ = json_of(case, "goals", "--sheet", sheet(), "--prescription", "50", "--fractions", "5")["goals"]
    assert first["status"] == "met"


def test_the_table_for_people(box_case, on_case, sheet):
    _, out, _ = on_case(box_case, "goals", "--sheet", sheet())
    assert "✓  PTV" in out
    assert "~  PTV" in out
    assert "?  Liver" in out
    assert "unverified: nobody looked" in out
    assert "\N{REPLACEMENT CHARACTER}" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--sheet", "none"), "there is no goal sheet 'none'"),
        (("--sheet", "none.yaml"), "No such file"),
        (("--planned", "0", "--sheet", "smart-liver-5fx"), "--planned needs --baseline"),
        (("--baseline", "0", "--sheet", "smart-liver-5fx"), "cannot be set against itself"),
        (("--sheet", "smart-liver-5fx", "--assign", "PTV"), "no NAME=ROI"),
        (("--sheet", "smart-liver-5fx", "--assign", "Brain=PTV"), "the sheet has no 'Brain'"),
        (("--sheet", "smart-liver-5fx", "--assign", "PTV=x"), "no structure is called 'x'"),
        (("--sheet", "smart-liver-5fx", "--prescription", "-3"), "no prescription"),
    ],
)
def test_usage(box_case, on_case, arguments, sentence):
    status, out, err = on_case(box_case, "goals", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err


def test_a_bad_sheet_in_the_own_folder_is_told(box_case, on_case, own_folder):
    own_folder.mkdir(parents=True)
    (own_folder / "broken.yaml").write_text("name: x\nsource: y\ngoals:\n  - {structures: PTV}\n")
    status, out, err = on_case(box_case, "goals", "--sheet", "montpellier-50gy-5fx", "--json")
    assert status == 1
    assert json.loads(out)["goals"][0]["status"] == "violated"
    assert "broken.yaml, line 4: metric is missing" in err
    status, _, err = on_case(box_case, "goals", "--sheet", "broken")
    assert status == 2


def test_the_day_of_the_embedded_case(on_case):
    """The approved plan breaks the duodenum's goals on the anatomy of the day, the adapted one meets them."""
    case = begin([demo_folder()]).case
    labels = [d.label for d in case.doses]
    planned, baseline, adapted = (str(labels.index(f"LIV_50_5 {what}")) for what in ("original", "on day", "adapted"))
    status, out, _ = on_case(
        case,
        "goals",
        "--sheet",
        "smart-liver-5fx",
        "--dose",
        adapted,
        "--baseline",
        baseline,
        "--planned",
        planned,
        "--json",
    )
    document = json.loads(out)
    duodenum = {g["metric"]: g for g in document["goals"] if g["structure"] == "Duodenum"}
    assert [duodenum[m]["status"] for m in ("D0.5cc[Gy]", "D1cc[Gy]")] == ["met", "met"]
    decision = document["decision"]
    assert decision["reason"] == "OAR dose"
    assert {b["structure"] for b in decision["broken"]} == {"Duodenum"}
    assert decision["mended"] == decision["broken"]
    assert status == 1, "of the coverage that was accepted when it was planned"


# -- gamma -----------------------------------------------------------------------------------------------------------------


def pair(box_case, offset=0.9):
    """A second dose, `offset` Gy higher everywhere: of the maximum of 60 Gy 1.5 %."""
    (dose,) = box_case.doses
    return replace(
        box_case, doses=(dose, replace(dose, id="1.5.2", label="higher", gray=dose.gray + np.float32(offset)))
    )


def test_gamma(box_case, json_of):
    """On a slope of 0.5 Gy/mm: 0.9 Gy of √(1.8² + (0.5 · 2)²) Gy."""
    found = json_of(pair(box_case), "gamma", "--reference", "0", "--evaluated", "1")
    assert found["pass_percent"] == 100.0
    assert found["points"] == 41 * 61 * 55, "from 6 Gy on"
    assert found["mean_gamma"] == pytest.approx(0.9 / np.sqrt(1.8**2 + 1), rel=0.01)
    assert found["criteria"] == {"dose_percent": 3.0, "distance_mm": 2.0, "cutoff_percent": 10.0, "local": False}


@pytest.mark.parametrize(("least", "status"), [("99", 1), ("0", 0)])
def test_gamma_under_its_limit(box_case, on_case, least, status):
    arguments = (
        "--reference",
        "0",
        "--evaluated",
        "1",
        "--dose-percent",
        "1",
        "--distance-mm",
        "0.5",
        "--at-least",
        least,
    )
    assert on_case(pair(box_case), "gamma", *arguments)[0] == status


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--reference", "0", "--evaluated", "7"), "--evaluated: there is no dose 7"),
        (("--reference", "0", "--evaluated", "1", "--distance-mm", "0"), "make no sense"),
        (("--reference", "0", "--evaluated", "1", "--at-least", "101"), "0 to 100"),
        (("--reference", "0"), "required"),
    ],
)
def test_gamma_usage(box_case, on_case, arguments, sentence):
    status, out, err = on_case(pair(box_case), "gamma", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err


# -- sheets ----------------------------------------------------------------------------------------------------------------


def test_sheets(capsys, sheet, own_folder):
    assert main(["sheets", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {s["id"] for s in document["sheets"]} >= {
        "smart-liver-5fx",
        "smart-liver-3fx",
        "liver-1fx",
        "montpellier-50gy-5fx",
    }
    assert document["folder"] == str(own_folder)
    assert main(["sheets", "--check", sheet()]) == 0
    assert "Liver and Empty" in capsys.readouterr().out
    assert main(["sheets", "--check", sheet(SHEET.replace("< 29 Gy", "< 29 cc"))]) == 2
    assert "test.yaml, line 5: limit is in cc" in capsys.readouterr().err
