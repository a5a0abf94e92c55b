"""`reviewer verify`: what changed from outside is found, and the exit status says so."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from dicom_samples import write_stack

from reviewer.cli import main
from reviewer.opening import begin
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
