"""`reviewer verify`: what changed from outside is found, and the exit status says so."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from dicom_samples import write_stack
from drawn import drawn_case
from shapely import box

from reviewer.approval.content import content_of
from reviewer.approval.signing import Person, approve
from reviewer.case import Structure, StructureSet
from reviewer.cli import main
from reviewer.dicom.write import write_case, write_structure_set
from reviewer.opening import begin
from reviewer.session import Session
from reviewer.store import Workspace, digests


@pytest.fixture
def path(tmp_path):
    write_stack(tmp_path / "data", [0.0, 3.0])
    opening = begin([tmp_path / "data"])
    workspace = Workspace.new(lambda: tmp_path / "x.reviewer", opening.sources, {})
    workspace.note("exported", "Export", {"to": "somewhere"})
    workspace.note("exported", "Export again", {})
    workspace.sources_read(digests(workspace.sources, tmp_path))
    workspace.close()
    return tmp_path / "x.reviewer"


def verified(path, capsys) -> tuple[int, dict]:
    status = main(["verify", str(path), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_all_is_well(path, capsys):
    status, document = verified(path, capsys)
    assert status == 0
    assert (document["holds"], document["entries"], document["sources"]) == (True, 2, 2)
    assert main(["verify", str(path)]) == 0
    assert "The log holds: 2 entries" in capsys.readouterr().out
    assert main(["info", str(path)]) == 0


def test_an_entry_that_was_changed(path, capsys):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entry SET who = 'somebody@else' WHERE number = 1")
    status, document = verified(path, capsys)
    assert (status, document["chain_holds"], document["broken"]["entry"]) == (1, False, 1)
    assert main(["verify", str(path)]) == 1
    assert "does not hold" in capsys.readouterr().out


def test_the_last_entry_was_taken_away(path, capsys):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM entry WHERE number = 2")
    assert verified(path, capsys)[1]["chain_holds"] is False


def test_a_source_file_that_was_changed_in_place(path, capsys):
    file = path.parent / "data" / "000.dcm"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    status, document = verified(path, capsys)
    assert (status, document["chain_holds"]) == (1, True)
    assert [p["file"] for p in document["sources_changed"]] == [str(file)]


def test_no_workspace(tmp_path, capsys):
    (tmp_path / "x.reviewer").write_bytes(b"nothing")
    assert main(["verify", str(tmp_path / "x.reviewer")]) == 2
    assert "not a workspace" in capsys.readouterr().err


@pytest.fixture
def signed(tmp_path):
    """A structure set on a stack, signed as it is in its file."""
    write_case(replace(drawn_case(), structure_sets=()), tmp_path / "data")
    case = begin([tmp_path / "data"]).case
    image = case.images[0]
    square = Structure("1.2.3#1", "Liver", image.grid, {4: box(10, 10, 40, 40)}, "ORGAN", image_id=image.id, number=1)
    group = StructureSet("1.2.3", "Day", (square,), image.id, image.grid.frame_of_reference_uid)
    write_structure_set(group, case, tmp_path / "data" / "rs.dcm")
    opening = begin([tmp_path / "data"])
    path = tmp_path / "signed.reviewer"
    workspace = Workspace.new(lambda: path, opening.sources, {})
    session = Session(opening.case)
    session.keep(workspace)
    content = content_of(session.case, session.case.structure_sets[0])
    session.sign(approve(session.case, content, Person("Marie Dupont", "physician"), "Good."))
    workspace.sources_read(digests(workspace.sources, tmp_path))
    workspace.close()
    return path


def test_who_signed_is_told_and_that_it_stands(signed, capsys):
    status, document = verified(signed, capsys)
    assert (status, document["doubts"]) == (0, [])
    (found,) = document["signatures"]
    assert (found["verdict"], found["first"]["name"], found["reopened"]) == ("approved", "Marie Dupont", None)
    assert begin([signed]).case.structure_sets[0].reviewer == "Marie Dupont"
    main(["verify", str(signed)])
    assert "Approved by Marie Dupont (physician)" in capsys.readouterr().out


def test_a_signature_does_not_stand_for_contours_that_were_changed_with_their_hash(signed, capsys):
    """Who changes the file can change the SHA-256 of the file in the workspace too; not what was signed."""
    file = signed.parent / "data" / "rs.dcm"
    content = file.read_bytes()
    assert content.count(b"Liver") == 1
    file.write_bytes(content.replace(b"Liver", b"Lever"))
    with closing(sqlite3.connect(signed)) as connection, connection:
        connection.execute("UPDATE source SET sha256 = NULL")
    status, document = verified(signed, capsys)
    assert (status, document["chain_holds"], document["sources_changed"]) == (1, True, [])
    assert document["doubts"] == ["Lever is not as it was"]
    opening = begin([signed])
    assert not opening.case.structure_sets[0].signed
    assert "does not hold any more" in opening.workspace.doubts[0]
