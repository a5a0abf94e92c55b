"""A workspace as PATH: the files that it builds on, wherever they are now, with what was edited."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_samples import save, square, structure_set, write_stack
from drawn import same_contents
from shapely import box

from reviewer.approval.content import content_of
from reviewer.approval.signing import Person, approve
from reviewer.edit import Edit, Swap
from reviewer.errors import InputError
from reviewer.formula.derivations import Derivations, derive
from reviewer.opening import begin, open_case
from reviewer.session import Session
from reviewer.store import Workspace


@pytest.fixture(autouse=True)
def _data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture
def data(tmp_path):
    write_stack(tmp_path / "data", [0.0, 3.0, 6.0, 9.0])
    save(structure_set({"Liver": [square(0.0), square(3.0)], "Heart": [square(6.0)]}), tmp_path / "data" / "rs.dcm")
    return tmp_path / "data"


def edited(data, path, formula: bool = False) -> Session:
    opening = begin([data])
    session = Session(opening.case)
    workspace = Workspace.new(lambda: path, opening.sources, {})
    session.keep(workspace)
    session.follow(Derivations())
    liver = session.case.structures[0]
    if formula:
        ring = derive(session.case, session.case.structure_sets[0], "Ring", "Liver + 2 mm").structure
        session.apply(Edit("Derive Ring", (Swap(session.case.structure_sets[0].id, None, ring),)))
    session.apply(
        Edit.of("Brush Liver", session.case, liver, replace(liver, planes={**liver.planes, 2: box(-9, -18, 0, -11)}))
    )
    workspace.close()
    return session


def test_a_workspace_opens_with_its_files_and_its_edits(data, tmp_path):
    session = edited(data, tmp_path / "x.reviewer")
    opening = begin([tmp_path / "x.reviewer"])
    same_contents(opening.case, session.case)
    assert opening.case.problems == ()
    assert opening.history.undo_label == "Brush Liver"
    assert opening.workspace.keeping.refusal  # nobody asked to write it
    held = begin([tmp_path / "x.reviewer"], hold=True)
    assert held.workspace.keeping.refusal == ""
    held.workspace.close()
    assert open_case([tmp_path / "x.reviewer"]).images[0].complete


def test_a_workspace_beside_its_data_is_no_file_of_theirs(data):
    edited(data, data / "x.reviewer")
    (data / "x.reviewer.lock").touch()
    opening = begin([data])
    assert opening.case.problems == ()
    assert opening.workspace is None


def test_a_moved_folder_opens_again_and_what_is_missing_is_named(data, tmp_path):
    session = edited(data, data / "x.reviewer")
    data.rename(tmp_path / "moved")
    held = begin([tmp_path / "moved" / "x.reviewer"], hold=True)
    same_contents(_without_paths(held.case), _without_paths(session.case))
    held.workspace.checkpoint()
    assert {s.path for s in held.workspace.sources} == {str(p) for p in (tmp_path / "moved").glob("*.dcm")}
    held.workspace.close()
    (tmp_path / "moved" / "rs.dcm").unlink()
    opening = begin([tmp_path / "moved" / "x.reviewer"])
    (missing,) = (p for p in opening.case.problems if p.severity == "error")
    assert missing.file.endswith("rs.dcm")
    assert "missing" in missing.message
    assert any("not among the files any more" in p.message for p in opening.case.problems if p.severity == "warning")
    (liver,) = opening.case.structures
    assert set(liver.planes) == {0, 1, 2}


def _without_paths(case):
    return replace(case, structure_sets=tuple(replace(g, path="") for g in case.structure_sets))


def test_files_that_are_elsewhere_can_be_named_beside_the_workspace(data, tmp_path):
    session = edited(data, tmp_path / "one" / "x.reviewer")
    data.rename(tmp_path / "far")
    workspace = tmp_path / "one" / "x.reviewer"
    with pytest.raises(InputError, match=r"none of the 5 files .* open the workspace together with the folder"):
        begin([workspace])
    opening = begin([workspace, tmp_path / "far"], hold=True)
    same_contents(_without_paths(opening.case), _without_paths(session.case))
    assert opening.case.problems == ()
    opening.workspace.checkpoint()
    opening.workspace.close()
    assert begin([workspace]).case.problems == ()  # it has learnt where they are


@pytest.mark.parametrize("replaced", [False, True])
def test_a_workspace_of_another_case_is_refused(data, tmp_path, replaced):
    """Its contours never come into another patient's images: given beside them, or where its own files have lain."""
    session = edited(data, tmp_path / "x.reviewer")
    data.rename(tmp_path / "own")
    other = data if replaced else tmp_path / "other"
    write_stack(other, [0.0, 3.0, 6.0, 9.0], PatientID="p2")
    save(structure_set({"Liver": [square(0.0)]}, PatientID="p2"), other / "rs.dcm")
    with pytest.raises(InputError, match="it belongs to other data"):
        begin([tmp_path / "x.reviewer", *([] if replaced else [other])])
    if not replaced:
        again = begin([tmp_path / "x.reviewer", tmp_path / "own"]).case.structures[0]
        assert again.planes[2].equals(session.case.structures[0].planes[2])


def test_a_formula_is_followed_and_one_that_cannot_be_is_never_shown_stale(data, tmp_path):
    path = tmp_path / "x.reviewer"
    session = edited(data, path, formula=True)
    opening = begin([path])
    assert opening.case.problems == ()
    ring = opening.case.structures[-1]
    assert ring.live
    assert ring.planes.keys() == session.case.structures[-1].planes.keys()
    for k, region in ring.planes.items():
        assert region.symmetric_difference(session.case.structures[-1].planes[k]).area < 1e-6
    held = begin([path], hold=True)
    again = Session()
    again.open(held.case, held.history, held.workspace)
    liver = again.case.structures[0]
    near = derive(again.case, again.case.structure_sets[0], "Near", "Heart + 2 mm").structure
    again.apply(Edit("Derive Near", (Swap(again.case.structure_sets[0].id, None, near),)))
    again.apply(
        Edit.of("Rename", again.case, liver, replace(liver, name="Leber"))
    )  # nothing follows: the formula is now in the air
    held.workspace.close()
    opening = begin([path])
    (problem,) = opening.case.problems
    assert "Ring" in problem.message
    assert "without contours" in problem.message
    ring, beside = opening.case.structures[-2:]
    assert ring.empty
    assert beside.planes.keys() == near.planes.keys()  # what can be evaluated is


def volumes(folder):
    """An image and a label map without any UID."""
    folder.mkdir()
    values = np.zeros((4, 20, 20), np.int16)
    sitk.WriteImage(
        sitk.GetImageFromArray((values + np.random.default_rng(1).normal(300, 90, values.shape)).astype(np.int16)),
        str(folder / "mr.nii.gz"),
    )
    labels = values.astype(np.uint8)
    labels[1:3, 5:12, 5:12] = 1
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / "organs.label.nii.gz"))
    return folder


def test_volumes_keep_their_edits_when_they_move_twice(tmp_path):
    folder = volumes(tmp_path / "one")
    opening = begin([folder])
    assert len(opening.case.images) == len(opening.case.structures) == 1
    session = Session(opening.case)
    workspace = Workspace.new(lambda: folder / "x.reviewer", opening.sources, {})
    session.keep(workspace)
    _stroke(session, 1)
    workspace.close()
    for number, name in enumerate(("two", "three"), start=2):
        folder.rename(tmp_path / name)
        folder = tmp_path / name
        opening = begin([folder / "x.reviewer"], hold=True)
        again = Session()
        again.open(opening.case, opening.history, opening.workspace)
        assert [p for p in again.case.problems if p.severity != "note"] == []
        assert (
            again.case.structures[0].grid.frame_of_reference_uid == opening.case.images[0].grid.frame_of_reference_uid
        )
        assert [e.label for e in again.history.entries] == [f"Stroke {n}" for n in range(1, number)]
        assert again.case.structures[0].planes.keys() == session.case.structures[0].planes.keys()
        _stroke(again, number)
        session = again
        opening.workspace.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("together", [True, False], ids=["with the workspace", "away from it"])
def test_volumes_keep_their_signature_wherever_they_lie(tmp_path, together):
    """They go by their content; where that is changed in its place the signature does not hold, and the edits are still there."""
    folder = volumes(tmp_path / "one")
    path = (folder if together else tmp_path) / "x.reviewer"
    opening = begin([folder])
    session = Session(opening.case)
    workspace = Workspace.new(lambda: path, opening.sources, {})
    session.keep(workspace)
    _stroke(session, 1)
    group = session.case.structure_sets[0]
    person = Person("Marie Dupont", "physician")
    session.sign(approve(session.case, content_of(session.case, group), person, "Good."))
    workspace.close()
    moved = folder.rename(tmp_path / "two")
    path = moved / "x.reviewer" if together else path
    paths = [path] if together else [path, moved]
    opening = begin(paths)
    assert opening.workspace.doubts == ()
    assert [(g.signed, g.reviewer) for g in opening.case.structure_sets] == [(True, "Marie Dupont")]
    assert [e.label for e in opening.history.entries] == ["Stroke 1"]

    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(moved / "organs.label.nii.gz")))
    labels[3, 5:12, 5:12] = 1
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(moved / "organs.label.nii.gz"))
    changed = begin(paths)
    found = {g.path: g.signed for g in changed.case.structure_sets}
    assert found.pop(str(moved / "organs.label.nii.gz")) is False
    assert list(found.values()) == ([] if together else [True])  # what nothing ties to the file is as the log has it
    assert bool(changed.workspace.doubts) == together
    assert [e.label for e in changed.history.entries] == ["Stroke 1"]


def test_two_files_of_one_content_are_two_volumes(tmp_path):
    folder = volumes(tmp_path / "one")
    shutil.copy(folder / "organs.label.nii.gz", folder / "again.label.nii.gz")
    case = begin([folder]).case
    assert len({g.id for g in case.structure_sets}) == len({s.id for s in case.structures}) == 2
    assert {s.name for s in case.structures} == {"again.label", "organs.label"}
    assert begin([folder]).case.structure_sets[1].id == case.structure_sets[1].id


def _stroke(session: Session, number: int) -> None:
    before = session.case.structures[0]
    planes = {**before.planes, number % 4: box(-5, -5, number, number)}
    session.apply(Edit.of(f"Stroke {number}", session.case, before, replace(before, planes=planes)))
