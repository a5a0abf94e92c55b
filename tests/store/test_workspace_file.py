"""The file itself: locks, full disks, damage, strangers, older formats, moves."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import drawn_case, same_contents, stroke

from reviewer.case import Patient
from reviewer.case.uid import frame_of_volume
from reviewer.errors import InputError
from reviewer.session import Session
from reviewer.store import (
    HeldError,
    Source,
    Workspace,
    automatic_folder,
    automatic_place,
    digests,
    first_break,
    located,
    matching,
    renamed,
    schema,
    source,
)
from reviewer.store.lock import Lock
from reviewer.store.schema import VERSION


def begun(path: Path, strokes: int = 0) -> tuple[Session, Workspace]:
    workspace = Workspace.new(lambda: path, (), {"patient": "Doe"})
    session = Session(drawn_case())
    session.keep(workspace)
    for n in range(strokes):
        session.apply(stroke(session.case, n))
    return session, workspace


def after(strokes: int) -> Session:
    """The same edits, without any file."""
    session = Session(drawn_case())
    for n in range(strokes):
        session.apply(stroke(session.case, n))
    return session


def as_left(path: Path, hold: bool = True) -> tuple[Session, Workspace]:
    workspace = Workspace.open(path, hold)
    found = workspace.replay(drawn_case())
    session = Session()
    session.open(found.case, found.history, workspace)
    return session, workspace


# -- who holds it -----------------------------------------------------------------------------------------------------------


HOLD = """
    import sys, time
    from pathlib import Path
    from reviewer.store import Workspace
    workspace = Workspace.open(Path(sys.argv[1]), hold=True)
    workspace.replay(__import__("drawn").drawn_case())
    print(workspace.keeping.refusal or "held", flush=True)
    sys.stdin.readline()
    if len(sys.argv) == 2:
        workspace.close()
"""


def other_process(code: str, *arguments: str) -> subprocess.Popen:
    folder = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n" + textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_reads_only_and_says_who_holds_it(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 2)[1].close()
    with other_process(HOLD, str(path)) as holder:
        assert holder.stdout.readline() == "held\n"
        session, workspace = as_left(path)
        assert f"process {holder.pid}" in workspace.keeping.refusal
        assert workspace.keeping.refusal.startswith("read-only, held by ")
        assert workspace.told == ()
        session.apply(stroke(session.case, 2))
        assert workspace.keeping.unsaved == 1
        with pytest.raises(HeldError, match="held by"):
            workspace.save_as(path)
        elsewhere = tmp_path / "mine.reviewer"
        workspace.save_as(elsewhere)
        workspace.close()
        holder.stdin.write("\n")
        holder.stdin.close()
    assert not path.with_name("x.reviewer.lock").exists()
    same_contents(as_left(elsewhere)[0].case, after(3).case)
    again, workspace = as_left(path)
    same_contents(again.case, after(2).case)
    assert workspace.keeping.refusal == ""
    workspace.close()


def test_the_lock_of_a_dead_process_is_no_lock_and_its_end_is_told(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 1)[1].close()
    with other_process(HOLD, str(path)) as holder:
        holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
    session, workspace = as_left(path)
    assert workspace.keeping.refusal == ""
    assert "ended unexpectedly; everything up to" in workspace.told[0]
    session.apply(stroke(session.case, 1))
    workspace.close()
    assert as_left(path)[1].told == ()


# -- the plug ---------------------------------------------------------------------------------------------------------------


DRAW = """
    import sys
    from pathlib import Path
    from drawn import drawn_case, stroke
    from reviewer.session import Session
    from reviewer.store import Workspace
    path = Path(sys.argv[1])
    workspace = Workspace.open(path, hold=True)
    found = workspace.replay(drawn_case())
    session = Session()
    session.open(found.case, found.history, workspace)
    n = len(session.history.entries)
    while True:
        session.stroke_begun(f"a stroke on Stomach, number {n},")
        print(f"begun {n}", flush=True)
        session.apply(stroke(session.case, n))
        print(f"done {n}", flush=True)
        n += 1
"""


def kill_at_random(path: Path, times: int) -> None:
    begun(path, 1)[1].close()
    reference, strokes = after(1), 1
    for seed in range(times):
        with other_process(DRAW, str(path)) as drawing:
            drawing.stdout.readline()
            count = (seed * 37) % 23
            lines = [drawing.stdout.readline() for _ in range(count)]
            drawing.send_signal(signal.SIGKILL)
            lines += drawing.stdout.read().splitlines()
        whole = [line.split() for line in lines if line.endswith(("\n", *"0123456789"))]
        done = max((int(line[1]) for line in whole if line[0] == "done"), default=strokes - 1)
        session, workspace = as_left(path)
        found = len(session.history.entries)
        assert found in (done + 1, done + 2), "every stroke whose end was reported, and at most the one then in hand"
        while strokes < found:
            reference.apply(stroke(reference.case, strokes))
            strokes += 1
        same_contents(session.case, reference.case)
        (sentence,) = workspace.told
        assert "ended unexpectedly" in sentence
        if "during" in sentence:
            assert f"during a stroke on Stomach, number {found}, at" in sentence
        workspace.close()


def test_killed_at_random_every_committed_stroke_is_there(tmp_path):
    kill_at_random(tmp_path / "x.reviewer", 5)


@pytest.mark.slow
def test_killed_fifty_times_every_committed_stroke_is_there(tmp_path):
    kill_at_random(tmp_path / "x.reviewer", 50)


def test_a_kill_in_the_middle_of_a_stroke_is_told(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 2)[1].close()
    code = DRAW.replace("session.apply(", "sys.stdin.readline(); session.apply(")
    with other_process(code, str(path)) as drawing:
        assert drawing.stdout.readline() == "begun 2\n"
        drawing.send_signal(signal.SIGKILL)
    session, workspace = as_left(path)
    same_contents(session.case, after(2).case)
    (sentence,) = workspace.told
    assert "the program ended unexpectedly during a stroke on Stomach, number 2, at " in sentence
    assert sentence.endswith("is here")
    workspace.close()


def test_other_writes_in_the_middle_of_a_stroke_keep_its_note(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 1)
    session.stroke_begun("a stroke on Stomach")
    workspace.set("view", {"blend": 0.5})
    workspace.checkpoint()
    with closing(sqlite3.connect(path)) as look:
        assert look.execute("SELECT label FROM stroke").fetchall() == [("a stroke on Stomach",)]
        session.apply(stroke(session.case, 1))
        assert look.execute("SELECT label FROM stroke").fetchall() == []
    workspace.close()


def test_a_stroke_that_was_given_up_is_forgotten(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path)
    session.stroke_begun("a stroke on Stomach")
    with closing(sqlite3.connect(path)) as look:
        assert look.execute("SELECT label FROM stroke").fetchall() == [("a stroke on Stomach",)]
        session.stroke_ended()
        assert look.execute("SELECT label FROM stroke").fetchall() == []
    workspace.close()


# -- disks ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(tmp_path):
    """No file of this process may grow beyond what is set; as on a full disk, a write then fails in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


def test_on_a_full_disk_editing_goes_on_and_nothing_is_lost(tmp_path, full_disk):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 3)
    full_disk(50_000)
    for n in range(3, 40):
        session.apply(stroke(session.case, n))
    assert workspace.keeping.refusal
    assert workspace.keeping.unsaved > 0
    same_contents(session.case, after(40).case)
    with pytest.raises(InputError, match="cannot be saved there"):
        workspace.save_as(tmp_path / "also full.reviewer")
    assert [p.name for p in tmp_path.glob("*full*")] == []
    full_disk(None)
    session.apply(stroke(session.case, 40))  # there is room again
    assert workspace.keeping.refusal == ""
    assert workspace.keeping.unsaved == 0
    workspace.close()
    same_contents(as_left(path)[0].case, after(41).case)


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 256 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_and_then_read_only(tiny_disk, tmp_path):
    session, workspace = begun(tiny_disk / "x.reviewer", 3)
    n = 3
    while not workspace.keeping.refusal:
        session.apply(stroke(session.case, n))
        n += 1
    assert workspace.keeping.refusal == "the disk is full"
    session.stroke_begun("a stroke on Stomach")
    session.apply(stroke(session.case, n))
    assert workspace.keeping.unsaved == 2
    workspace.save_as(tmp_path / "elsewhere.reviewer")
    workspace.close()
    same_contents(as_left(tmp_path / "elsewhere.reviewer")[0].case, after(n + 1).case)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    session, workspace = as_left(tiny_disk / "x.reviewer")
    assert workspace.keeping.refusal == "read-only, the folder or the file is read-only"
    same_contents(session.case, after(n - 1).case)


def test_what_a_full_disk_refused_is_in_the_file_that_is_saved_elsewhere(tmp_path, full_disk):
    session, workspace = begun(tmp_path / "x.reviewer", 3)
    full_disk(50_000)
    for n in range(3, 40):
        session.apply(stroke(session.case, n))
    assert workspace.keeping.unsaved > 0
    full_disk(None)
    workspace.save_as(tmp_path / "elsewhere")
    assert workspace.keeping.unsaved == 0
    session.apply(stroke(session.case, 40))
    session.undo()
    workspace.close()
    again, workspace = as_left(tmp_path / "elsewhere.reviewer")
    same_contents(again.case, after(40).case)
    assert again.history.redo_label == "Brush Stomach (40)"
    assert first_break(workspace.entries, workspace.id) is None
    workspace.close()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    _, workspace = begun(tmp_path / "file" / "x.reviewer", 2)
    assert workspace.keeping.refusal
    assert workspace.keeping.unsaved == 2
    workspace.save_as(tmp_path / "x")
    workspace.close()
    same_contents(as_left(tmp_path / "x.reviewer")[0].case, after(2).case)


def test_a_workspace_that_crashed_and_was_then_made_read_only_is_read_whole(tmp_path, monkeypatch):
    path = tmp_path / "x.reviewer"
    _, workspace = begun(path, 3)
    for part in ("", "-wal"):  # as a crash leaves them: the strokes are in the log only
        (tmp_path / f"left.reviewer{part}").write_bytes(path.with_name(path.name + part).read_bytes())
    workspace.close()
    shut = tmp_path / "left.reviewer"
    content = shut.read_bytes()
    connect = schema._connect

    def as_on_a_read_only_disk(uri):
        if uri.startswith(shut.as_uri()):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(uri)

    monkeypatch.setattr(schema, "_connect", as_on_a_read_only_disk)
    session, workspace = as_left(shut)
    same_contents(session.case, after(3).case)
    assert workspace.keeping.refusal == "read-only, the file cannot be written"
    assert shut.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_workspace_opens_and_says_so(tmp_path):
    folder = tmp_path / "shut"
    folder.mkdir()
    begun(folder / "x.reviewer", 2)[1].close()
    folder.chmod(0o500)
    try:
        session, workspace = as_left(folder / "x.reviewer")
        assert workspace.keeping.refusal == "read-only, the folder or the file is read-only"
        same_contents(session.case, after(2).case)
    finally:
        folder.chmod(0o700)


def test_a_file_that_is_moved_away_while_it_is_open_is_missed(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 2)
    path.rename(tmp_path / "away")
    session.apply(stroke(session.case, 2))
    assert "moved or deleted" in workspace.keeping.refusal
    same_contents(as_left(tmp_path / "away", hold=False)[0].case, after(2).case)
    workspace.save_as(path)
    workspace.close()
    same_contents(as_left(path)[0].case, after(3).case)


def test_a_file_that_comes_back_is_written_again(tmp_path):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 2)
    path.rename(tmp_path / "away")
    session.apply(stroke(session.case, 2))
    (tmp_path / "away").rename(path)
    session.apply(stroke(session.case, 3))
    assert workspace.keeping.unsaved == 0
    workspace.close()
    same_contents(as_left(path)[0].case, after(4).case)


def test_saving_elsewhere_that_fails_at_the_last_step_leaves_all_as_it_was(tmp_path, full_disk, monkeypatch):
    session, workspace = begun(tmp_path / "x.reviewer", 3)
    full_disk(50_000)
    for n in range(3, 40):
        session.apply(stroke(session.case, n))
    full_disk(None)
    waiting = workspace.keeping.unsaved
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        with pytest.raises(InputError, match="read-only"):
            workspace.save_as(tmp_path / "y.reviewer")
    assert workspace.keeping.unsaved == waiting > 0
    assert sorted(p.name for p in tmp_path.iterdir() if "y.rev" in p.name or p.name.startswith(".")) == []
    session.apply(stroke(session.case, 40))
    workspace.close()
    same_contents(as_left(tmp_path / "x.reviewer")[0].case, after(41).case)


def test_saving_over_a_workspace_on_a_disk_that_fills_up_leaves_the_new_or_the_old_one(tiny_disk, tmp_path):
    target, filler, outcomes = tiny_disk / "y.reviewer", tiny_disk / "filler", set()
    for room in range(136, 196, 4):  # kB
        begun(target, 1)[1].close()
        free = os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_bsize
        filler.write_bytes(bytes(free - room * 1024))
        session, workspace = begun(tmp_path / f"{room}.reviewer", 12)
        with suppress(InputError):
            workspace.save_as(target)
        saved = workspace.keeping.path == target
        workspace.close()
        same_contents(as_left(target, hold=False)[0].case, session.case if saved else after(1).case)
        outcomes.add(saved)
        for path in tiny_disk.iterdir():
            path.unlink()
    assert outcomes == {False, True}


def test_what_was_refused_and_is_in_the_file_all_the_same_is_no_stranger(tmp_path, full_disk):
    """As when a disk fails to confirm a commit: the program takes it for refused, and finds it at its next try."""
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 2)
    full_disk(0)
    session.apply(stroke(session.case, 2))
    full_disk(None)
    assert workspace.keeping.unsaved == 1
    with closing(sqlite3.connect(path)) as other:
        e = workspace.entries[-1]
        row = (e.number, e.at, e.who, e.kind, e.label, e.body, e.shapes, e.hash)
        other.execute("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", row)
        other.commit()
    session.apply(stroke(session.case, 3))
    assert (workspace.keeping.unsaved, workspace.keeping.refusal) == (0, "")
    workspace.close()
    same_contents(as_left(path)[0].case, after(4).case)


@pytest.mark.parametrize(
    "sql", ["DELETE FROM entry WHERE number > 1", "UPDATE entry SET hash = x'00' WHERE number = 2"]
)
def test_a_file_that_went_on_without_us_is_not_written(tmp_path, full_disk, sql):
    path = tmp_path / "x.reviewer"
    session, workspace = begun(path, 2)
    full_disk(0)
    session.apply(stroke(session.case, 2))
    full_disk(None)
    with closing(sqlite3.connect(path)) as other:
        other.execute(sql)
        other.commit()
    session.apply(stroke(session.case, 3))
    assert workspace.keeping.refusal == "another program has written into the file"
    workspace.save_as(tmp_path / "y.reviewer")
    workspace.close()
    same_contents(as_left(tmp_path / "y.reviewer")[0].case, after(4).case)


def test_a_disk_too_full_to_begin_is_not_littered(tmp_path, full_disk):
    full_disk(3000)
    names = iter(range(100))
    workspace = Workspace.new(lambda: tmp_path / f"{next(names)}.reviewer", (), {})
    session = Session(drawn_case())
    session.keep(workspace)
    for n in range(5):
        session.stroke_begun("a stroke")
        session.apply(stroke(session.case, n))
    assert list(tmp_path.glob("*.reviewer*")) == []
    full_disk(None)
    session.apply(stroke(session.case, 5))
    path = workspace.keeping.path
    workspace.close()
    same_contents(as_left(path)[0].case, after(6).case)


def test_two_names_of_one_file_have_one_lock(tmp_path):
    begun(tmp_path / "x.reviewer", 1)[1].close()
    (tmp_path / "y.reviewer").symlink_to(tmp_path / "x.reviewer")
    first = Workspace.open(tmp_path / "x.reviewer", hold=True)
    second = Workspace.open(tmp_path / "y.reviewer", hold=True)
    assert second.keeping.refusal.startswith("read-only, held by")
    first.close()
    second.close()


def test_two_hard_links_of_one_file_are_told(tmp_path):
    begun(tmp_path / "x.reviewer", 1)[1].close()
    os.link(tmp_path / "x.reviewer", tmp_path / "y.reviewer")
    first, one = as_left(tmp_path / "x.reviewer")
    second, other = as_left(tmp_path / "y.reviewer")
    first.apply(stroke(first.case, 1))
    second.apply(stroke(second.case, 1))
    assert other.keeping.refusal == "the file has another name (a hard link), by which it is written too"
    one.close()
    other.close()


def test_reading_leaves_nothing_beside_the_file(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 2)[1].close()
    content = path.read_bytes()
    same_contents(as_left(path, hold=False)[0].case, after(2).case)
    with closing(schema.connect_to_look(path)) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (2,)
    assert [p.name for p in tmp_path.iterdir()] == ["x.reviewer"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("put_back", ["earlier", "of another", "the same"])
def test_a_back_up_put_beside_the_log_of_a_crash_is_kept_and_told(tmp_path, put_back):
    """A crash left five strokes, two of them in the log alone; then the file is replaced by its state after one or by another workspace."""
    path, crashed = tmp_path / "x.reviewer", tmp_path / "crashed" / "x.reviewer"
    crashed.parent.mkdir()
    session, workspace = begun(path, 1)
    workspace.checkpoint()
    back_up = path.read_bytes()
    for n in range(1, 5):
        session.apply(stroke(session.case, n))
        if n == 2:
            workspace.checkpoint()
    as_it_was = path.read_bytes()
    for part in ("", schema.LOG):
        crashed.with_name(path.name + part).write_bytes(path.with_name(path.name + part).read_bytes())
    workspace.close()
    begun(tmp_path / "z.reviewer", 3)[1].close()
    found = {"earlier": back_up, "of another": (tmp_path / "z.reviewer").read_bytes(), "the same": as_it_was}[put_back]
    if put_back != "the same":
        crashed.write_bytes(found)
        os.utime(crashed.with_name(crashed.name + schema.LOG), (0, 0))  # written long before
    session, workspace = as_left(crashed)
    workspace.close()
    kept = [p for p in crashed.parent.iterdir() if "found" in p.name]
    if put_back == "the same":
        same_contents(session.case, after(5).case)
        assert not kept
        assert not workspace.told
        return
    assert kept[0].read_bytes() == found
    assert kept[0].name in workspace.told[0]
    assert workspace.doubts[0] == workspace.told[0]
    same_contents(as_left(kept[0])[0].case, after(1 if put_back == "earlier" else 3).case)


def test_a_lock_whose_file_cannot_be_removed_is_free_all_the_same(tmp_path, monkeypatch):
    """As on a disk that has become read-only: when it is writable again, the program must not be held up by itself."""
    lock = Lock(tmp_path / "x.reviewer")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
        with suppress(OSError):
            lock.release()
    Lock(tmp_path / "x.reviewer").release()


def test_names_that_are_no_text_are_kept(tmp_path):
    """Names of files are bytes: an archive from elsewhere unpacks to such ones."""
    path, folder = tmp_path / "x.reviewer", os.fsdecode(b"/data/M\xfcller")
    sources = (Source(f"{folder}/1.dcm", "1.2.3", 5), Source("/data/2.dcm", "1.2.4", 6))
    workspace = Workspace.new(lambda: path, sources, {})
    workspace.note("edit", os.fsdecode(b"Brush \xfc"), {"swaps": []})
    assert workspace.keeping.refusal == ""
    workspace.close()
    again = Workspace.open(path, hold=False)
    assert [(s.path, s.name, s.size) for s in again.sources] == [(s.path, s.name, s.size) for s in sources]
    assert again.entries[0].label == "Brush ?"
    assert first_break(again.entries, again.id) is None


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO stroke VALUES ('soon', 'who', 'a stroke')",
        "INSERT INTO stroke VALUES (x'ff', 'who', x'00ff')",
        "INSERT INTO stroke VALUES ('0001-01-01T00:00:00+00:00', 'who', 'a stroke')",
        "INSERT INTO setting VALUES ('view', '{\"opacity\": NaN}')",
        "INSERT INTO setting VALUES ('view', '1e999')",
        "INSERT INTO source VALUES ('a' || char(0), hex(zeroblob(5000)), '1.2', 1, NULL)",
    ],
)
def test_rubbish_beside_the_log_does_not_stop_the_work(tmp_path, sql):
    path = tmp_path / "x.reviewer"
    begun(path, 1)[1].close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(sql)
        other.commit()
    session, workspace = as_left(path)
    assert len(located(workspace.sources, tmp_path).problems) == len(workspace.sources)
    session.apply(stroke(session.case, 1))
    assert workspace.keeping.refusal == ""
    workspace.close()
    same_contents(as_left(path)[0].case, after(2).case)


def test_save_as_replaces_a_workspace_but_no_other_file(tmp_path):
    _, workspace = begun(tmp_path / "x.reviewer", 2)
    begun(tmp_path / "old.reviewer", 9)[1].close()
    precious = tmp_path / "precious.reviewer"
    precious.write_bytes(b"DICM" * 100)
    with pytest.raises(InputError, match="not a workspace"):
        workspace.save_as(precious)
    assert precious.read_bytes() == b"DICM" * 100
    workspace.save_as(tmp_path / "old.reviewer")
    workspace.close()
    assert sorted(p.name for p in tmp_path.glob("*")) == ["old.reviewer", "precious.reviewer", "x.reviewer"]
    same_contents(as_left(tmp_path / "old.reviewer")[0].case, after(2).case)


# -- damage and strangers ---------------------------------------------------------------------------------------------------


def tampered(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE entry SET label = 'Harmless' WHERE number = 4", ()),
        ("UPDATE entry SET at = '2020-01-01T00:00:00+00:00' WHERE number = 4", ()),
        ("UPDATE entry SET shapes = substr(shapes, 1, length(shapes) - 9) WHERE number = 4", ()),
        ("UPDATE entry SET shapes = zeroblob(300) WHERE number = 4", ()),
        ("UPDATE entry SET body = ? WHERE number = 4", ("[" * 100_000,)),
        ("UPDATE entry SET body = 17, who = x'ff' WHERE number = 4", ()),
        ("UPDATE entry SET body = cast(x'fffe80' AS TEXT) WHERE number = 4", ()),
        ("DELETE FROM entry WHERE number = 4", ()),
        ("UPDATE entry SET hash = x'00' WHERE number = 4", ()),
    ],
)
def test_a_changed_entry_breaks_the_chain_and_ends_the_replay_there(tmp_path, sql, values):
    path = tmp_path / "x.reviewer"
    begun(path, 6)[1].close()
    assert first_break(Workspace.open(path, hold=False).entries, json.loads(setting(path, "id"))) is None
    tampered(path, sql, *values)
    session, workspace = as_left(path)
    assert first_break(Workspace.open(path, hold=False).entries, workspace.id)[0] == 4
    same_contents(session.case, after(3).case)
    assert "entry 4" in workspace.told[0]
    assert "kept in the file" in workspace.told[0]
    left = 2 if sql.startswith("DELETE") else 3
    for n in range(3, 5):  # work goes on, and the rest is put aside, not away
        session.apply(stroke(session.case, n))
    workspace.save_as(tmp_path / "copy.reviewer")
    workspace.close()
    for file in (path, tmp_path / "copy.reviewer"):
        again, workspace = as_left(file)
        same_contents(again.case, after(5).case)
        assert workspace.told == ()
        assert [e.kind for e in workspace.entries] == ["edit"] * 3 + ["aside"] + ["edit"] * 2
        workspace.close()
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM aside").fetchone()[0] == left


def setting(path: Path, key: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()[0]


def test_entries_that_are_cut_off_at_the_end_are_missed(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 6)[1].close()
    tampered(path, "DELETE FROM entry WHERE number > 4")
    session, workspace = as_left(path)
    assert "the last entries of the journal are missing" in workspace.told[0]
    same_contents(session.case, after(4).case)
    workspace.close()


def test_an_entry_of_another_workspace_does_not_fit(tmp_path):
    a, b = tmp_path / "a.reviewer", tmp_path / "b.reviewer"
    begun(a, 2)[1].close()
    begun(b, 2)[1].close()
    with closing(sqlite3.connect(a)) as connection:
        rows = connection.execute("SELECT * FROM entry").fetchall()
    with closing(sqlite3.connect(b)) as connection, connection:
        connection.execute("DELETE FROM entry")
        connection.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", rows)
    workspace = Workspace.open(b, hold=False)
    assert first_break(workspace.entries, workspace.id)[0] == 1


def test_strangers_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "x.reviewer"
    for content in (b"", b"DICM", b"SQLite format 3\x00" + b"\x7f" * 5000, os.urandom(20_000)):
        path.write_bytes(content)
        for hold in (False, True):
            with pytest.raises(InputError):
                Workspace.open(path, hold)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE entry (x)")
    with pytest.raises(InputError, match="not a workspace of Reviewer"):
        Workspace.open(path, hold=True)
    with pytest.raises(InputError, match="no such workspace"):
        Workspace.open(tmp_path / "nothing.reviewer", hold=True)


def test_garbage_in_the_description_of_the_tables_is_a_sentence(tmp_path):
    """Bytes that are no text: in a statement, which SQLite quotes when it refuses it, and in the name of a column."""
    path = tmp_path / "x.reviewer"
    begun(path, 1)[1].close()
    whole = path.read_bytes()
    for hold in (False, True):
        path.write_bytes(whole.replace(b"at TEXT NOT NULL", b"at TEXT NOT \xe5ULL"))
        with pytest.raises(InputError, match="the workspace is damaged"):
            Workspace.open(path, hold)
        path.write_bytes(whole.replace(b"put_aside TEXT", b"p\xbft_aside TEXT"))
        workspace = Workspace.open(path, hold)
        assert len(workspace.entries) == 1
        assert "the file is damaged" in workspace.told[0]
        workspace.close()


def test_a_newer_format_and_program_code_are_refused(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 1)[1].close()
    tampered(path, "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END")
    with pytest.raises(InputError, match="program code"):
        Workspace.open(path, hold=True)
    tampered(path, "DROP TRIGGER t")
    tampered(path, f"PRAGMA user_version = {VERSION + 1}")
    for hold in (False, True):
        with pytest.raises(InputError, match="newer Reviewer"):
            Workspace.open(path, hold)


def test_pages_of_garbage_in_the_middle_never_bring_down_the_program(tmp_path):
    path = tmp_path / "x.reviewer"
    begun(path, 40)[1].close()
    whole = path.read_bytes()
    read = 0
    for page in range(1, len(whole) // 4096):
        damaged = bytearray(whole)
        damaged[page * 4096 : (page + 1) * 4096] = os.urandom(4096)
        path.write_bytes(damaged)
        try:
            session, workspace = as_left(path)
        except InputError:
            continue
        read += 1
        strokes = len(session.history.entries)
        same_contents(session.case, after(strokes).case)
        assert strokes == 40 or workspace.told
        workspace.close()
    assert read > 0


SCHEMA_1 = """
    PRAGMA application_id = 1381390162;
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
        body TEXT NOT NULL, shapes BLOB NOT NULL, hash BLOB NOT NULL
    );
    CREATE TABLE source (
        path TEXT PRIMARY KEY, relative TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB
    );
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    PRAGMA user_version = 1;
"""


def test_a_file_of_format_1_is_brought_to_the_present_one(tmp_path):
    old, new = tmp_path / "old.reviewer", tmp_path / "new.reviewer"
    begun(new, 3)[1].close()
    with closing(sqlite3.connect(new)) as connection:
        entries, settings = (connection.execute(f"SELECT * FROM {t}").fetchall() for t in ("entry", "setting"))
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(SCHEMA_1)
        connection.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", entries)
        connection.executemany("INSERT INTO setting VALUES (?,?)", settings)
        connection.commit()
    same_contents(as_left(old, hold=False)[0].case, after(3).case)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1  # reading changes nothing
    session, workspace = as_left(old)
    session.stroke_begun("a stroke")
    session.apply(stroke(session.case, 3))
    workspace.close()
    same_contents(as_left(old)[0].case, after(4).case)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


# -- where the data lie -----------------------------------------------------------------------------------------------------


def test_sources_are_found_where_the_folder_was_moved_to(tmp_path):
    data = tmp_path / "case" / "dicom"
    data.mkdir(parents=True)
    for name in ("a.dcm", "b.dcm", "v.nii"):
        (data / name).write_bytes(name.encode() * 100)
    names = ("1.2.3", "1.2.4", "sha256:11")
    sources = [source(str(data / file), name) for file, name in zip(("a.dcm", "b.dcm", "v.nii"), names, strict=True)]
    path = tmp_path / "case" / "x.reviewer"
    workspace = Workspace.new(lambda: path, sources, {})
    workspace.note("began", "Began", {})
    assert workspace.sources_read(digests(workspace.sources, path.parent)) == ()
    workspace.close()
    (tmp_path / "case").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "dicom"
    (moved / "b.dcm").write_bytes(b"B" + (moved / "b.dcm").read_bytes()[1:])
    workspace = Workspace.open(tmp_path / "moved" / "x.reviewer", hold=True)
    found = located(workspace.sources, tmp_path / "moved")
    assert found.paths == tuple(moved / n for n in ("a.dcm", "b.dcm", "v.nii"))
    there = [source(str(path), name) for path, name in zip(found.paths, names, strict=True)]
    assert renamed(found, there) == {}
    there[1:] = [
        replace(there[1], name="1.2.5"),
        replace(there[2], name="sha256:22"),
    ]  # a UID is never taken for another
    assert renamed(found, there) == {
        "sha256:11": "sha256:22",
        frame_of_volume("sha256:11"): frame_of_volume("sha256:22"),
    }
    assert found.problems == ()  # the sizes are the same
    (changed,) = workspace.sources_read(digests(workspace.sources, tmp_path / "moved"))
    assert changed.file.endswith("b.dcm")
    assert "content has changed" in changed.message
    (moved / "a.dcm").unlink()
    (moved / "b.dcm").write_bytes(b"shorter")
    missing, shorter = located(workspace.sources, tmp_path / "moved").problems
    assert (missing.severity, shorter.severity) == ("error", "warning")
    assert "missing" in missing.message
    assert "200 bytes then" not in shorter.message
    assert "500 bytes then, 7 now" in shorter.message
    workspace.close()


def test_an_automatic_workspace_is_found_by_its_files_and_moves_when_it_is_saved(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"a")
    sources = [source(str(tmp_path / "a.dcm"), "1.2.3")]
    assert matching(["1.2.3"]) == []
    workspace = Workspace.new(lambda: automatic_place(Patient("Doe^Jane/../x", "1")), sources, {})
    assert matching(["1.2.3"]) == []
    session = Session(drawn_case())
    session.keep(workspace)
    assert workspace.keeping.path is None  # nothing was done yet
    session.apply(stroke(session.case, 0))
    session.undo()
    assert workspace.keeping.path.parent == automatic_folder()
    assert workspace.keeping.path.name.startswith("Doe_Jane_x 20")
    (found,) = matching(["1.2.3", "1.2.4"])
    assert (found.path, found.edits) == (workspace.keeping.path, 2)
    assert matching(["1.2.4"]) == []
    workspace.save_as(tmp_path / "mine.reviewer")
    assert matching(["1.2.3"]) == []
    assert list(automatic_folder().iterdir()) == []
    workspace.close()
