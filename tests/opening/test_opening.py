"""Opening folders: choosing a patient, cancel, problems, and what is said when nothing is usable."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from dicom_samples import CT, base, change, dose, image, save, square, structure_set, write_stack

from reviewer.errors import CancelledError, InputError
from reviewer.opening import DIRECTORY, SeveralPatientsError, begin, middle_out, open_case


def test_files_and_folders_mix_and_are_searched_recursively(tmp_path):
    deep = tmp_path / "a" / "b"
    files = write_stack(deep, [0.0, 3.0, 6.0])
    other = save(structure_set({"x": [square(3.0)]}), tmp_path / "rs.dcm")
    case = open_case([tmp_path / "a", other, str(files[0])])
    assert case.images[0].grid.shape_zyx[0] == 3
    assert len(case.structures) == 1
    assert case.problems == ()
    assert case.structure_sets[0].path == str(other)


def two_patients(folder: Path) -> None:
    for name in ("p1", "p2"):
        write_stack(
            folder / name, [0.0, 3.0], PatientID=name, PatientName=f"Name^{name}", StudyInstanceUID=f"1.2.{name[1]}"
        )
    write_stack(
        folder / "second", [0.0], PatientID="p2", PatientName="Name^p2", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.99",
        StudyDescription="later", StudyDate="20260301",
    )  # fmt: skip


def test_several_patients_are_for_the_caller_to_choose(tmp_path):
    two_patients(tmp_path)
    with pytest.raises(SeveralPatientsError) as caught:
        begin([tmp_path])
    first, second = sorted(caught.value.candidates, key=lambda c: c.patient.id)
    assert (first.patient.id, first.patient.name) == ("p1", "Name^p1")
    assert set(second.study_uids) == {"1.2.2", "1.2.9"}
    later = next(s for s in second.studies if s.uid == "1.2.9")
    assert (later.date, later.description, later.counts) == ("2026-03-01", "later", {"CT": 1})
    assert isinstance(caught.value, InputError)


def test_a_chosen_patient_opens_with_all_or_some_of_its_studies(tmp_path):
    two_patients(tmp_path)
    assert {i.study_uid for i in open_case([tmp_path], patient_id="p2").images} == {"1.2.2", "1.2.9"}
    one = open_case([tmp_path], patient_id="p2", study_uids=frozenset({"1.2.9"}))
    assert {i.study_uid for i in one.images} == {"1.2.9"}
    assert one.patient.id == "p2"
    with pytest.raises(InputError, match="no patient"):
        open_case([tmp_path], patient_id="nobody")


def test_objects_without_patient_id_go_with_their_study_or_are_left_out(tmp_path):
    write_stack(tmp_path / "a", [0.0, 3.0])
    save(structure_set({"mine": [square(0.0)]}, PatientID=None), tmp_path / "mine.dcm")
    save(structure_set({"whose": [square(0.0)]}, PatientID="", StudyInstanceUID="1.2.77"), tmp_path / "whose.dcm")
    case = open_case([tmp_path])
    assert [s.name for s in case.structures] == ["mine"]
    assert case.patient.id == "p1"
    said = {p.file: p.severity for p in case.problems}
    assert said == {str(tmp_path / "mine.dcm"): "warning", str(tmp_path / "whose.dcm"): "error"}


def test_several_names_for_one_id_are_a_warning(tmp_path):
    write_stack(tmp_path / "a", [0.0, 3.0])
    save(structure_set({"x": [square(0.0)]}, PatientName="Other^Jane"), tmp_path / "rs.dcm")
    assert any("several names" in p.message for p in open_case([tmp_path]).problems if p.severity == "warning")


def test_other_files_are_one_note_and_a_false_dicom_name_is_an_error(tmp_path):
    write_stack(tmp_path, [0.0, 3.0])
    for name in ("a.txt", "b.pdf"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "c.dcm").write_text("not DICOM at all, but named like it")
    case = open_case([tmp_path])
    assert [p.severity for p in case.problems] == ["error", "note"]
    assert case.problems[0].file == str(tmp_path / "c.dcm")
    assert "a.txt, b.pdf" in case.problems[1].message


@pytest.mark.parametrize("fill", [None, b"", b"plain text", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_nothing_usable_is_one_sentence(tmp_path, fill):
    if fill is not None:
        (tmp_path / "x").write_bytes(fill)
    with pytest.raises(InputError) as caught:
        open_case([tmp_path])
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_nothing_usable_of_the_chosen_patient_tells_of_its_own_files(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    relative = dose(np.ones((2, 2), np.uint16), None, PatientID="p2", DoseUnits="RELATIVE")
    save(relative, tmp_path / "z.dcm")
    with pytest.raises(InputError, match="RELATIVE"):
        open_case([tmp_path], patient_id="p2")


def test_a_path_that_does_not_exist_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_case([tmp_path / "nowhere"])


def test_an_object_without_content_is_not_a_case(tmp_path):
    save(base(CT, "CT"), tmp_path / "x.dcm")
    with pytest.raises(InputError, match="no pixel data"):
        open_case([tmp_path])


def test_progress_rises_to_one_and_cancel_stops(tmp_path):
    write_stack(tmp_path, [3.0 * k for k in range(30)])
    said = []
    opening = begin([tmp_path], progress=lambda fraction, what: said.append(fraction))
    assert said == sorted(said)
    assert said[-1] == 1.0
    with pytest.raises(CancelledError):
        begin([tmp_path], cancelled=lambda: True)
    calls = []
    with pytest.raises(CancelledError):
        opening.read_voxels(lambda image_id: None, cancelled=lambda: calls.append(1) or len(calls) > 5)
    assert opening.case.images[0].pending.sum() == 25


def test_the_wanted_image_is_read_first(tmp_path):
    write_stack(tmp_path / "a", [0.0, 3.0], SeriesInstanceUID="1.1")
    write_stack(tmp_path / "b", [0.0, 3.0], SeriesInstanceUID="1.2")
    for first in ("1.1", "1.2"):
        seen = []
        begin([tmp_path]).read_voxels(seen.append, first=first)
        assert seen[0] == first
        assert set(seen) == {"1.1", "1.2"}


def test_a_plane_that_turns_out_unreadable_stays_pending_and_is_a_problem(tmp_path):
    files = write_stack(tmp_path, [0.0, 3.0, 6.0])
    opening = begin([tmp_path])
    files[2].unlink()
    problems = opening.read_voxels(lambda image_id: None)
    assert len(problems) == 1
    assert opening.case.problems[-1] is problems[0]
    assert opening.case.images[0].pending.sum() == 1
    assert not opening.case.images[0].complete


def test_a_symbolic_link_loop_and_the_same_file_twice_are_harmless(tmp_path):
    files = write_stack(tmp_path, [0.0, 3.0])
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "again.dcm").symlink_to(files[0])
    case = open_case([tmp_path, tmp_path])
    assert case.images[0].grid.shape_zyx[0] == 2
    assert case.problems == ()


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_middle_out_visits_every_plane_once_from_the_middle(count):
    order = middle_out(count)
    assert sorted(order) == list(range(count))
    distances = [abs(k - count // 2) for k in order]
    assert distances == sorted(distances)


def test_one_slice_is_an_image_of_its_thickness(tmp_path):
    save(image(5.0), tmp_path / "x.dcm")
    (volume,) = open_case([tmp_path]).images
    assert volume.grid.thickness_mm == 3.0


def test_a_dicomdir_is_an_index_and_alone_says_what_to_open(tmp_path):
    write_stack(tmp_path, [0.0, 3.0])
    save(change(base(DIRECTORY, "OT"), PatientID=None), tmp_path / "DICOMDIR")
    assert open_case([tmp_path]).problems == ()
    with pytest.raises(InputError, match="open the folder"):
        open_case([tmp_path / "DICOMDIR"])


def test_many_files_with_the_same_fault_are_one_line(tmp_path):
    whole = write_stack(tmp_path, [0.0, 3.0])[0].read_bytes()
    for k in range(40):
        (tmp_path / f"x{k:02d}.dcm").write_bytes(b"rubbish %d" % k)
        (tmp_path / f"y{k:02d}.dcm").write_bytes(whole[: len(whole) - 2 * k - 2])
    lines = open_case([tmp_path]).problems
    assert [Path(p.file).name for p in lines] == ["x00.dcm", "y00.dcm"]
    assert all("39 more files" in p.message for p in lines)


def test_what_the_search_does_not_reach_is_told(tmp_path):
    write_stack(tmp_path / "a", [0.0, 3.0])
    write_stack(tmp_path / "elsewhere", [6.0])
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "gone.dcm").symlink_to(tmp_path / "nothing.dcm")
    told = {Path(p.file).name: p.message for p in open_case([tmp_path / "a"]).problems}
    assert "not searched" in told["linked"]
    assert "leads to no file" in told["gone.dcm"]
    assert len(open_case([tmp_path / "a", tmp_path / "elsewhere"]).problems) == 1


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    write_stack(tmp_path, [0.0, 3.0])
    walk = os.walk

    def refused(path, onerror):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "private")))
        return walk(path)

    monkeypatch.setattr("os.walk", refused)
    (problem,) = open_case([tmp_path]).problems
    assert (Path(problem.file).name, problem.severity) == ("private", "error")
