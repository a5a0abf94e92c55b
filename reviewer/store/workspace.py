"""`Workspace`: the file of a review. It takes down every edit before the call returns, and gives everything back when it is opened."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reviewer.case import Case, Problem
from reviewer.edit import Edit, Swap
from reviewer.errors import InputError, ReviewerError
from reviewer.store.chain import Entry, canonical, genesis, link, me, now
from reviewer.store.codec import Key, encoded, keys_of, renaming
from reviewer.store.folder import automatic_folder
from reviewer.store.followed import fingerprints
from reviewer.store.lock import HeldError, Lock, clock
from reviewer.store.put_back import keep_what_was_put_back
from reviewer.store.replay import JOURNAL, Replay, replay
from reviewer.store.schema import SUFFIX, create, open_to_read, open_to_write
from reviewer.store.sources import Source, changed, relative_to

ELSEWHERE = "save elsewhere"

_COLUMNS = "number, at, who, kind, label, body, shapes, hash"


@dataclass(frozen=True)
class Keeping:
    """How it stands with the file.

    path:    None while there is none yet. saved: UTC of the last write, "" where nothing was written in this session.
    refusal: why the file is not written, empty where it is. unsaved: entries that are in memory only.
    held:    who holds it, where it is another process and this one can only read.
    """

    path: Path | None
    saved: str
    refusal: str
    unsaved: int
    held: str = ""


class Workspace:
    """A review in memory and, as long as the disk allows, in its file; the file is complete after every call.

    All entries stay in memory too, so that `save_as` works when the file's own disk has failed. Calls come from one thread at a time.
    told: what a person has to be told after opening. doubts: which of it says that something was changed from outside.
    head: hash of the last entry, for signatures and print.
    """

    def __init__(
        self,
        workspace_id: str,
        sources: Sequence[Source],
        place: Callable[[], Path] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """A new one; the file is made where `place` says when there is something to write."""
        self.id = workspace_id
        self.sources = tuple(sources)
        self.settings = dict(settings or {})
        self.told: tuple[str, ...] = ()
        self.doubts: tuple[str, ...] = ()
        self._session: object = None
        self._place = place
        self._path: Path | None = None
        self._entries: list[Entry] = []
        self._aside: list[tuple[object, ...]] = []
        self._edits = self._written = self._aside_written = self._aside_noted = 0
        self._settings_written: dict[str, str] = {}
        self._sources_written: Sequence[Source] | None = None
        self._unfinished: tuple[str, str] | None = None
        self._known: set[Key] = set()
        self._named = renaming({})
        self._connection: sqlite3.Connection | None = None
        self._lock: Lock | None = None
        self._file: tuple[int, int] | None = None
        self._refusal = self._held = self._saved = ""
        self._for_good = False
        self._stroke = False

    @classmethod
    def new(cls, place: Callable[[], Path], sources: Sequence[Source], settings: Mapping[str, Any]) -> Workspace:
        """settings: what the file should know of the case from the beginning (patient, version); JSON."""
        return cls(uuid.uuid4().hex, sources, place, settings)

    @classmethod
    def open(cls, path: Path, hold: bool) -> Workspace:
        """hold: to write it, where nobody else does; else, and where it cannot be written, it is read and lives on in memory.

        Follow it by `replay`. Raises InputError for a file that is no workspace, is damaged throughout, or comes from a newer program.
        """
        if not path.is_file():
            raise InputError("there is no such workspace", where=str(path))
        lock, held, refusal, put_back = None, "", "" if hold else "it was opened to be read", ""
        if hold:
            try:
                lock = Lock(path)
            except HeldError as error:
                held = str(error.holder or "another process")
                refusal = f"read-only, held by {held}"
            except OSError as error:
                refusal = f"read-only, {_reason(error)}"
        connection: sqlite3.Connection | None = None
        try:
            if lock is not None:
                put_back = keep_what_was_put_back(path)
                try:
                    connection = open_to_write(path)
                except InputError as error:
                    if not isinstance(error.__cause__, sqlite3.OperationalError):
                        raise
                    refusal = f"read-only, {_reason(error.__cause__)}"
            if connection is None:
                connection = open_to_read(path)
            workspace = cls._loaded(connection)
        except BaseException:
            if connection is not None:
                connection.close()
            if lock is not None:
                lock.release()
            raise
        workspace._path, workspace._held = path, held
        if put_back:
            workspace.doubts += (put_back,)
            workspace.told += (put_back,)
        if refusal or workspace._refusal:
            connection.close()
            if lock is not None:
                lock.release()
            workspace._refusal = workspace._refusal or refusal
            workspace._for_good = True
        else:
            workspace._connection, workspace._lock = connection, lock
            workspace._file = _identity(path)
            workspace._tell_of_a_crash()
        return workspace

    @classmethod
    def _loaded(cls, connection: sqlite3.Connection) -> Workspace:
        """What can be read of a file; where a part of it cannot, `told` says so and the file will not be written."""
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        damage: list[str] = []

        def rows(sql: str) -> Iterator[Any]:
            try:
                yield from connection.execute(sql)
            except sqlite3.DatabaseError as error:
                damage.append(str(error))
            except UnicodeDecodeError:  # in the name of a column
                damage.append("malformed database schema")

        settings: dict[str, Any] = {}
        for key, value in rows("SELECT key, value FROM setting"):
            with suppress(ValueError, TypeError, RecursionError):
                setting = json.loads(value)
                canonical(setting)  # what is no number could not be written again
                settings[str(key)] = setting
        sources = tuple(
            Source(_named(path), _named(name), size, sha if isinstance(sha, bytes) else None, _named(relative))
            for path, relative, name, size, sha in rows(
                "SELECT path, relative, name, size, sha256 FROM source ORDER BY rowid"
            )
            if isinstance(size, int)
        )
        workspace = cls(str(settings.get("id", "")), sources, settings=settings)
        workspace._entries = [_entry(row) for row in rows(f"SELECT {_COLUMNS} FROM entry ORDER BY number")]
        workspace._aside = list(rows("SELECT * FROM aside ORDER BY rowid"))
        strokes = list(rows("SELECT at, label FROM stroke ORDER BY rowid"))
        workspace._unfinished = (str(strokes[-1][0]), str(strokes[-1][1])) if strokes else None
        workspace._written = len(workspace._entries)
        workspace._aside_written = workspace._aside_noted = len(workspace._aside)
        workspace._sources_written = sources
        if damage:
            workspace._refusal = f"the file is damaged ({damage[0]})"
            workspace.told += (
                f"the file is damaged ({damage[0]}): {len(workspace._entries)} entries could be read; it is left as it is: {ELSEWHERE}",
            )
        head = settings.get("head")
        told = head.get("number") if isinstance(head, dict) else None
        if isinstance(told, int) and told > max((e.number for e in workspace._entries), default=0):
            workspace.doubts += ("the last entries of the journal are missing from the file",)
            workspace.told += workspace.doubts
        return workspace

    def _tell_of_a_crash(self) -> None:
        stroke = self._unfinished
        left = self._lock.left_by if self._lock is not None else None
        if stroke is None and left is None:
            return
        until = (
            f"everything up to {clock(self._entries[-1].at)} is here" if self._entries else "nothing had been edited"
        )
        during = f" during {stroke[1]} at {clock(stroke[0])}" if stroke else ""
        self.told += (f"the program ended unexpectedly{during}; {until}",)

    def replay(self, case: Case, renamed: Mapping[str, str] | None = None) -> Replay:
        """The case of the source files becomes the case as it was left. renamed: see `reviewer.store.replay`."""
        found = replay(self._entries, self.id, case, renamed)
        self._known = set(found.known)
        self._named = renaming({new: old for old, new in (renamed or {}).items()})
        if found.good < len(self._entries):
            at = now()
            self._aside += [(*_row(entry), found.stopped, at) for entry in self._entries[found.good :]]
            del self._entries[found.good :]
            self._written = found.good
        self._edits = sum(entry.kind in JOURNAL for entry in self._entries)
        stopped = (found.stopped,) if found.stopped else ()
        self.doubts += stopped
        self.told += (*stopped, *found.remarks)
        return found

    # -- what is known of it --------------------------------------------------------------------------------------------

    @property
    def keeping(self) -> Keeping:
        return Keeping(self._path, self._saved, self._refusal, len(self._entries) - self._written, self._held)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The whole log, journal and audit trail."""
        return tuple(self._entries)

    @property
    def edits(self) -> int:
        """How many entries changed the case."""
        return self._edits

    @property
    def automatic(self) -> bool:
        """Whether it lies, or will, where nobody has put it."""
        return self._path is None or self._path.absolute().parent == automatic_folder()

    @property
    def head(self) -> bytes:
        return self._entries[-1].hash if self._entries else genesis(self.id)

    # -- the journal ----------------------------------------------------------------------------------------------------

    def applied(self, edit: Edit, case: Case, swaps: Sequence[Swap]) -> None:
        """An edit is done to `case`; swaps: all that changes, formulas' structures last. Raises ValueError for what JSON cannot say."""
        body, shapes = encoded(edit, case, self._known, self._named)
        self._known |= keys_of(edit)
        prints = {self._named(i): found for i, found in fingerprints(swaps).items()}
        self.note("edit", edit.label, {**body, "followed": prints} if prints else body, shapes)

    def moved(self, position: int, label: str, swaps: Sequence[Swap]) -> None:
        """The history went to a position: undo, redo, or a jump. swaps: as in `applied`."""
        prints = {self._named(i): found for i, found in fingerprints(swaps).items()}
        self.note("go", label, {"position": position, **({"followed": prints} if prints else {})})

    def begin_session(self, about: object) -> None:
        """With the first entry of this session goes one that tells what made it: the version of the program. about: JSON."""
        self._session = about

    def note(self, kind: str, label: str, body: object, shapes: bytes = b"") -> Entry:
        """Add an entry to the log: of the journal, or any other event of the audit trail."""
        aside = self._aside[self._aside_noted :]
        if aside:
            self._aside_noted = len(self._aside)
            self._add(
                "aside", "Put what is damaged aside", {"from": aside[0][0], "count": len(aside), "reason": aside[0][-2]}
            )
        if self._session is not None:
            about, self._session = self._session, None
            self._add("session", "Session begun", about)
        entry = self._add(kind, label, body, shapes)
        self._stroke = self._stroke and kind != "edit"
        self._write()
        return entry

    def _add(self, kind: str, label: str, body: object, shapes: bytes = b"") -> Entry:
        entry = link(self.head, len(self._entries) + 1, kind, label, body, shapes)
        self._entries.append(entry)
        self._edits += kind in JOURNAL
        return entry

    def stroke_begun(self, label: str) -> None:
        """A stroke is in hand: if the program ends now, the next one can say so. As cheap as a write without waiting for the disk."""
        if self._for_good:
            return
        if self._connection is None:
            self._write()
        try:
            connection = self._connected()
            connection.execute("PRAGMA synchronous = NORMAL")
            try:
                connection.execute("INSERT INTO stroke VALUES (?, ?, ?)", (now(), me(), label))
            finally:
                connection.execute("PRAGMA synchronous = FULL")
            self._stroke = True
        except (sqlite3.Error, OSError, ReviewerError) as error:
            self._failed(error)

    def stroke_ended(self) -> None:
        """The stroke was given up; one that becomes an edit is ended by it."""
        if not self._stroke or self._connection is None:
            return
        try:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("DELETE FROM stroke")
            finally:
                self._connection.execute("PRAGMA synchronous = FULL")
            self._stroke = False
        except sqlite3.Error as error:
            self._failed(error)

    def set(self, key: str, value: Any) -> None:
        """Keep a setting (JSON), such as the state of the view; written with the next edit, checkpoint or close."""
        self.settings[key] = value

    def checkpoint(self) -> None:
        """Write whatever is not written yet, and bring all of it from the log beside the file into the file itself."""
        if self._path is not None or self._entries:
            self._write()
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def build_on(self, sources: Sequence[Source], renamed: Mapping[str, str] | None = None) -> None:
        """The files as they were found now: those that were moved, and those that were opened in addition. renamed: as in `replay`."""
        now = {s.name: s for s in sources}
        called = {s.name: (renamed or {}).get(s.name, s.name) for s in self.sources}
        stayed = (replace(s, path=now[called[s.name]].path) if called[s.name] in now else s for s in self.sources)
        new = (s for s in sources if s.name not in called.values())
        self.sources = relative_to(self._path.parent, (*stayed, *new)) if self._path else (*stayed, *new)

    def sources_read(self, found: Mapping[str, bytes]) -> tuple[Problem, ...]:
        """The SHA-256 of the sources (`reviewer.store.sources.digests`) was computed; returns those that have changed."""
        problems = changed(self.sources, found)
        self.sources = tuple(replace(s, sha256=s.sha256 or found.get(s.path)) for s in self.sources)
        if self._connection is not None:
            self._write()
        return problems

    def save_as(self, path: Path) -> None:
        """Go on in another file, which gets everything, also what could not be written until now. An automatic one moves there.

        Raises InputError where that cannot be done; then all is as before. Replaces a workspace at `path`, but no other file.
        """
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        if self._path is not None and path.exists() and self._file == _identity(path):
            self.checkpoint()
            return
        if path.exists():
            open_to_read(path).close()  # refuses what is no workspace
        unfinished = path.with_name(f".{uuid.uuid4().hex[:12]}{SUFFIX}")
        lock, sources = None, relative_to(path.parent, self.sources)
        try:
            lock = Lock(path)
            with closing(create(unfinished)) as connection:
                settings = self._write_to(connection, 0, sources, whole=True)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # closing does it too, but fails silently
            _remove(path, "-wal", "-shm")
            os.replace(unfinished, path)
            _sync_folder(path.parent)
            fresh = open_to_write(path)
        except (sqlite3.Error, OSError, InputError) as error:
            if lock is not None:
                lock.release()
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"it cannot be saved there: {_reason(error)}", where=str(path), remedy="choose another place"
            ) from error
        finally:
            _remove(unfinished, "", "-wal", "-shm")
        old = self._path if self.automatic and self._path != path else None
        self._let_go()
        if old is not None and _identity(old) == self._file:
            _remove(old, "", "-wal", "-shm")
        self._connection, self._lock, self._path, self._file = fresh, lock, path, _identity(path)
        self._refusal = self._held = ""
        self._for_good = False
        self._now_written(settings, sources)

    def close(self) -> None:
        """Write what is left, and let the file go."""
        if not self._for_good:
            self.checkpoint()
        self.release()

    def release(self) -> None:
        """Let the file go as it is."""
        self._let_go()

    # -- writing --------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """All that is not in the file yet, in one transaction; where that fails, it stays in memory and `keeping` says why."""
        if self._for_good:
            return
        try:
            connection = self._connected()
            settings = self._write_to(connection, self._written, self.sources)
        except (sqlite3.Error, OSError, ReviewerError) as error:
            self._failed(error)
        else:
            self._now_written(settings, self.sources)

    def _now_written(self, settings: dict[str, str], sources: tuple[Source, ...]) -> None:
        """All of it is in the file, and nothing else."""
        self.sources = self._sources_written = sources
        self._settings_written = settings
        self._written, self._aside_written = len(self._entries), len(self._aside)
        self._saved, self._refusal = now(), ""

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._path is None or _identity(self._path) != self._file:
                with suppress(
                    sqlite3.Error
                ):  # the log stays behind: what is in it belongs into the file, wherever that is
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise InputError("the file was moved or deleted")
            return self._connection
        if self._path is None:
            if self._place is None:
                raise InputError("there is no place for it")
            path = self._place()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = Lock(path)
            try:
                self._connection = create(path)
                _sync_folder(path.parent)
            except BaseException:
                self._let_go()
                _remove(path, "", "-wal", "-shm")
                raise
            self._path, self.sources = path, relative_to(path.parent, self.sources)
        else:
            if _identity(self._path) != self._file:
                raise InputError("the file was moved or deleted")
            self._lock = Lock(self._path)
            self._connection = open_to_write(self._path)
            self._find_what_arrived(self._connection)
        self._file = _identity(self._path)
        return self._connection

    def _find_what_arrived(self, connection: sqlite3.Connection) -> None:
        """What the disk refused at the last step may be there all the same. Raises InputError where the file went on without us."""
        last = max(self._written - 1, 0)
        rows = connection.execute("SELECT number, hash FROM entry WHERE number > ? ORDER BY number", (last,)).fetchall()
        ours = [(entry.number, entry.hash) for entry in self._entries[last:]]
        if rows == ours[: len(rows)] and len(rows) >= self._written - last:
            if last + len(rows) > self._written:
                self._written, self._aside_written = last + len(rows), len(self._aside)
        elif len(self._aside) == self._aside_written:  # else the damaged ones are still there, until the next write
            raise InputError("another program has written into the file")

    def _write_to(
        self, connection: sqlite3.Connection, start: int, sources: tuple[Source, ...], whole: bool = False
    ) -> dict[str, str]:
        """Entries from `start` on and what differs of the rest; whole: everything. Returns the settings as they were written.

        Raises sqlite3.Error, and then has written nothing.
        """
        aside = self._aside[0 if whole else self._aside_written :]
        settings = {k: canonical(v) for k, v in {**self.settings, "id": self.id}.items()}
        settings["head"] = canonical({"number": len(self._entries), "hash": self.head.hex()})
        connection.execute("BEGIN IMMEDIATE")
        try:
            if aside:
                connection.executemany("INSERT INTO aside VALUES (?,?,?,?,?,?,?,?,?,?)", aside)
                connection.execute("DELETE FROM entry WHERE number > ? OR number < 1", (start,))
            connection.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", map(_row, self._entries[start:]))
            connection.executemany(
                "INSERT INTO setting VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [(k, v) for k, v in settings.items() if whole or self._settings_written.get(k) != v],
            )
            if whole or sources is not self._sources_written:
                connection.execute("DELETE FROM source")
                connection.executemany(
                    "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)",
                    [(*map(_stored, (s.path, s.relative, s.name)), s.size, s.sha256) for s in sources],
                )
            if not self._stroke:
                connection.execute("DELETE FROM stroke")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return settings

    def _failed(self, error: Exception) -> None:
        self._refusal = _reason(error)
        if isinstance(error, sqlite3.OperationalError) and self._path is not None and _names(self._path) > 1:
            self._refusal = "the file has another name (a hard link), by which it is written too"
        self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if self._lock is not None:
            with suppress(OSError):
                self._lock.release()
            self._lock = None


def _stored(name: str) -> str | bytes:
    """The name of a file as it is kept: its bytes where they are no text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def _named(stored: object) -> str:
    return os.fsdecode(stored) if isinstance(stored, bytes) else str(stored)


def _row(entry: Entry) -> tuple[object, ...]:
    return entry.number, entry.at, entry.who, entry.kind, entry.label, entry.body, entry.shapes, entry.hash


def _entry(row: Sequence[Any]) -> Entry:
    """A row as it is; what has the wrong type becomes something whose hash is wrong."""
    number, *texts, shapes, digest = row
    at, who, kind, label, body = (t if isinstance(t, str) else repr(t) for t in texts)
    return Entry(
        int(number), at, who, kind, label, body, *(b if isinstance(b, bytes) else b"" for b in (shapes, digest))
    )


def _remove(path: Path, *parts: str) -> None:
    """The file, and the logs of SQLite beside it."""
    for part in parts:
        with suppress(OSError):
            path.with_name(path.name + part).unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _names(path: Path) -> int:
    try:
        return os.stat(path).st_nlink
    except OSError:
        return 0


def _sync_folder(folder: Path) -> None:
    """So that the name of a new file survives a loss of power too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: BaseException) -> str:
    """For a person, as a clause."""
    text = str(error)
    for found, said in (
        ("disk is full", "the disk is full"),
        ("No space left", "the disk is full"),
        ("readonly database", "the folder or the file is read-only"),
        ("Read-only file system", "the folder or the file is read-only"),
        ("Permission denied", "the folder or the file is read-only"),
        ("unable to open database", "the file cannot be written"),
        ("UNIQUE constraint", "another program has written into the file"),
        ("disk I/O error", "the disk does not answer as it should"),
    ):
        if found in text:
            return said
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return text
