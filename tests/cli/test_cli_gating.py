"""`reviewer gating`."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_cine import LESION_MM, RADII_MM, breathing, film

from reviewer.cli import main


def test_the_demo_as_json_and_csv(tmp_path, capsys):
    table = tmp_path / "trace.csv"
    assert main(["gating", "--demo", "--json", "--csv", str(table)]) == 0
    (document,) = json.loads(capsys.readouterr().out)["traces"]
    assert document["backend"]["name"] == "template"
    assert document["backend"]["statements"]
    assert len(document["frames"]) == 120
    assert {"time_s", "outside_percent", "beam_on", "shift_mm", "confidence"} <= document["frames"][0].keys()
    # At 4 frames/s each frame is a quarter of a second: the duty cycle is their share.
    on = sum(frame["beam_on"] for frame in document["frames"])
    assert document["duty_cycle_percent"] == pytest.approx(100 * on / 120)
    assert sum(h["length_s"] for h in document["holds"]) == pytest.approx(30 - on / 4)
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["beam_on"] == "1" for row in rows] == [frame["beam_on"] for frame in document["frames"]]
    assert main(["gating", "--demo", "--csv", str(table)]) == 2
    assert "not overwritten" in capsys.readouterr().err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two seconds of a synthetic cine as the TrackRAD2025 data come."""
    made = film(breathing(20), duration_s=2)
    folder = tmp_path_factory.mktemp("Z_001")
    axis = 2.4 * (np.arange(128) - 63.5)
    labels = np.zeros(made.cine.frames.shape, np.uint8)
    for k, (u, v) in enumerate(LESION_MM + made.shift_mm):
        labels[k] = ((axis - u) / RADII_MM[0])[None] ** 2 + ((axis - v) / RADII_MM[1])[:, None] ** 2 <= 1
    for name, array in (
        ("images/Z_001_frames.mha", np.moveaxis(made.cine.frames, 0, 2)),
        ("targets/Z_001_first_label.mha", np.moveaxis(labels[:1], 0, 2)),
        ("targets/Z_001_labels.mha", np.moveaxis(labels, 0, 2)),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing((1.0, 2.4, 2.4))
        sitk.WriteImage(image, str(folder / name))
    (folder / "frame-rate.json").write_text("8.0")
    return folder


def test_a_wide_margin_keeps_the_beam_on(folder, capsys):
    assert main(["gating", str(folder), "--margin-mm", "40"]) == 0
    assert re.search(r"Duty cycle +100\.0 %", capsys.readouterr().out)
    assert main(["gating", str(folder)]) == 0
    assert not re.search(r"Duty cycle +100\.0 %", capsys.readouterr().out)


def test_a_polygon_and_another_backend(folder, capsys):
    options = ["--polygon", "60,56 74,56 74,66 60,66", "--backend", "optical-flow", "--latency-ms", "125", "--json"]
    assert main(["gating", str(folder), *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["target"]["area_mm2"] == pytest.approx(14 * 10 * 2.4**2)
    (trace,) = document["traces"]
    assert trace["holds"][0]["reason"] == "no decision yet"
    assert trace["motion"][0]["way"] == "up", "the files do not say how the plane lies in the patient"
    assert trace["motion"][0]["range_mm"] == pytest.approx(20, abs=1.5)
    assert trace["labels"] is None, "what is drawn is not what is labelled"


def test_two_backends_against_the_labels(folder, capsys, tmp_path):
    table = tmp_path / "trace.csv"
    options = ["--backend", "template", "--backend", "optical-flow", "--csv", str(table)]
    assert main(["gating", str(folder), *options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [t["backend"]["name"] for t in document["traces"]] == ["template", "optical-flow"]
    for trace in document["traces"]:
        assert trace["labels"]["frames"] == 15, "all but the reference frame"
        assert trace["labels"]["dice_mean"] > 0.9
        assert trace["labels"]["centroid_error_mm"]["mean"] <= 0.6
    assert document["compared"][0]["with"] == "template"
    rows = list(csv.DictReader(table.open()))
    assert [sum(row["backend"] == name for row in rows) for name in ("template", "optical-flow")] == [16, 16]
    assert rows[0]["dice"] == ""
    assert float(rows[1]["dice"]) > 0.8


def test_a_cine_alone_has_no_report_and_it_says_what_to_do(folder, capsys, tmp_path):
    assert main(["report", str(folder), "-o", str(tmp_path / "review.pdf"), "--gating", "template"]) == 2
    said = capsys.readouterr().err
    assert "a report needs a dose" in said
    assert "`reviewer gating --csv FILE`" in said
    assert not (tmp_path / "review.pdf").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--backend", "crystal-ball"], "there is no gating backend"),
        (["--target", "nothing"], "no structure is called"),
        (["--margin-mm", "-1"], "0 to 50 mm"),
        (["--cine", "3"], "there is no cine 3"),
        (["--polygon", "1,2 3"], "written X,Y"),
        (["--setting", "speed=9"], "no setting speed"),
        (["--reference", "999"], "no 999"),
    ],
)
def test_bad_wishes_are_one_sentence(folder, capsys, options, sentence):
    assert main(["gating", str(folder), *options]) == 2
    assert sentence in capsys.readouterr().err
