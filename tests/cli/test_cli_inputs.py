"""Files from nowhere: whatever PATH is, the answer is a document or one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reviewer.case import Case
from reviewer.cli import main
from reviewer.dicom.write import write_case


@pytest.fixture
def written(box_case, tmp_path) -> Path:
    """The case of tests/cli/conftest.py as DICOM files."""
    folder = tmp_path / "case"
    write_case(box_case, folder)
    return folder


def again_for(case: Case, patient_id: str) -> Case:
    """The images of the case under other UIDs, as another patient's."""
    images = tuple(replace(i, id=f"{i.id}.7", study_uid="1.1.7") for i in case.images)
    return Case(replace(case.patient, id=patient_id), images=images)


def nothing(folder: Path) -> Path:
    return folder


def text(folder: Path) -> Path:
    (folder / "notes.txt").write_text("not DICOM\n" * 100)
    return folder / "notes.txt"


def empty_file(folder: Path) -> Path:
    (folder / "a.dcm").touch()
    return folder


def truncated(folder: Path) -> Path:
    (folder / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00\xff\xff")
    return folder


def noise(folder: Path) -> Path:
    (folder / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + bytes(range(256)) * 50)
    return folder


def broken_link(folder: Path) -> Path:
    (folder / "a.dcm").symlink_to(folder / "gone")
    return folder


@pytest.mark.parametrize("make", [nothing, text, empty_file, truncated, noise, broken_link], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["info", "dvh"])
def test_nothing_usable_is_one_sentence_and_two(make, name, tmp_path, capsys):
    assert main([name, str(make(tmp_path)), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("reviewer: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--demo", "x"]], ids=["neither", "both"])
def test_either_path_or_demo(arguments, capsys):
    assert main(["info", *arguments]) == 2
    assert "give either PATH or --demo" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["info", ""], ["open", ""], ["compare", ".", "--with", ""]], ids=lambda a: a[0])
def test_an_empty_path_is_not_the_folder_where_one_is(arguments, written, monkeypatch, capsys):
    """As an unset variable of a script leaves it."""
    monkeypatch.chdir(written)
    assert main(arguments) == 2
    assert "a path is empty" in capsys.readouterr().err


def test_a_written_case_is_described(written, box_cc):
    """The whole way, in a process of its own: files, reader, JSON on standard output and nothing on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "reviewer", "info", "--json", str(written)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert sorted(i["modality"] for i in document["images"]) == ["CT", "MR"]
    (ptv,) = (s for s in document["structures"] if s["name"] == "PTV")
    assert ptv["volume_cc"] == box_cc


def test_a_written_case_has_its_dvh(written, capsys):
    assert main(["dvh", "--json", "-s", "PTV", "-m", "D95%", "-m", "Mean", str(written)]) == 0
    (ptv,) = json.loads(capsys.readouterr().out)["structures"]
    assert ptv["metrics"]["D95%[Gy]"] == pytest.approx(21.0, abs=0.01)
    assert ptv["metrics"]["Mean[Gy]"] == pytest.approx(30.0, abs=0.01)


def test_one_bad_file_does_not_take_the_rest_along(written, capsys):
    (written / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    assert main(["info", "--json", str(written)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["images"]) == 2
    assert [p["file"].endswith("broken.dcm") for p in document["problems"]].count(True) == 1


def test_two_patients_are_a_choice(written, box_case, tmp_path, capsys):
    other = tmp_path / "other"
    write_case(again_for(box_case, "4712"), other)
    both = [str(written), str(other)]
    assert main(["info", *both]) == 2
    err = capsys.readouterr().err
    assert "4711" in err
    assert "4712" in err
    assert "--patient" in err
    assert main(["info", "--json", "--patient", "4712", *both]) == 0
    assert json.loads(capsys.readouterr().out)["patient"]["id"] == "4712"
    assert main(["info", "--patient", "4713", *both]) == 2
    assert "4713" in capsys.readouterr().err


def test_every_odd_file_is_a_document_or_a_sentence(shared_data, capsys):
    for path in sorted((shared_data / "odd").iterdir()):
        status = main(["info", "--json", str(path)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err, path
        assert "unexpectedly" not in err, path
        if status == 0:
            assert "images" in json.loads(out), path
        else:
            assert (status, out, err.count("\n")) == (2, "", 1), path


def test_the_demo_is_not_written_among_other_files(tmp_path, capsys):
    (tmp_path / "patient.dcm").touch()
    assert main(["demo", "--write", str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["patient.dcm"]


def test_a_study_that_is_not_there(written, capsys):
    assert main(["info", "--study", "1.2.3.4", str(written)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("reviewer: no file belongs to study 1.2.3.4; there are: ")
    assert main(["info", "--study", err.split()[-1].strip(","), str(written)]) == 0


def test_file_names_that_are_not_text(written):
    """A name that is not UTF-8, on a terminal that knows only ASCII, in JSON and in tables."""
    (written / os.fsdecode(b"\xff\x1b[31m.dcm")).write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    for options in (["--json"], []):
        done = subprocess.run(
            [sys.executable, "-m", "reviewer", "info", *options, str(written)],
            capture_output=True,
            timeout=120,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\x1b" not in done.stdout
        if options:
            assert any("\udcff\x1b[31m.dcm" in p["file"] for p in json.loads(done.stdout)["problems"])


def test_a_name_in_a_file_does_not_command_the_terminal(box_case, on_case):
    (group,) = box_case.structure_sets
    patient = replace(box_case.patient, name="\x1b]0;Owned\x07")
    labelled = replace(group, label="\x1b[2J", structures=(replace(group.structures[0], name="PTV\x1b[1A"),))
    case = replace(box_case, patient=patient, structure_sets=(labelled,))
    for name in ("info", "dvh"):
        status, out, err = on_case(case, name)
        assert status == 0
        assert not any(c in out + err for c in "\x1b\x07")
    _, _, err = on_case(case, "dvh", "-s", "\x1b[2J")
    assert "\x1b" not in err
