"""The tables of a workspace file, the way from older ones to the present ones, and how such a file is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from reviewer.errors import InputError

SUFFIX = ".reviewer"

LOG = "-wal"
"""Behind the name of a workspace: the log beside it, of what is not in the file itself yet."""

APPLICATION_ID = 0x52565752
""""RVWR" in the header of the file, so that it is not taken for another program's database."""

STEPS: tuple[str, ...] = (
    # 1: the log (journal and audit trail in one chain), where the data lie, and settings.
    """
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
        body TEXT NOT NULL, shapes BLOB NOT NULL, hash BLOB NOT NULL
    );
    CREATE TABLE source (
        path TEXT PRIMARY KEY, relative TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB
    );
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    # 2: what cannot be replayed is kept aside, and a stroke that was begun is noted.
    """
    CREATE TABLE aside (
        number INTEGER NOT NULL, at TEXT, who TEXT, kind TEXT, label TEXT, body TEXT, shapes BLOB, hash BLOB,
        reason TEXT NOT NULL, put_aside TEXT NOT NULL
    );
    CREATE TABLE stroke (at TEXT NOT NULL, who TEXT NOT NULL, label TEXT NOT NULL);
    """,
)
"""Each step leads from the version before to its own (counted from 1, kept in `user_version`). Never change one: add one."""

VERSION = len(STEPS)

OPTIONS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA busy_timeout = 2000",
)


def create(path: Path) -> sqlite3.Connection:
    """A new, empty workspace file. Raises sqlite3.Error and OSError; InputError where there is such a file."""
    if path.exists():
        raise InputError("the file exists and is not overwritten", where=str(path), remedy="choose another name")
    connection = _connect(f"{path.absolute().as_uri()}?mode=rwc")
    try:
        _to_disk(connection)
        _migrate(connection, 0)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_write(path: Path) -> sqlite3.Connection:
    """An existing workspace, brought to the present version. Raises InputError where it is none; sqlite3.Error of the disk."""
    try:
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            version = _version(connection, path)
            _to_disk(connection)
            _migrate(connection, version)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise _refused(path, error) from error
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A copy in memory of a workspace, of the present version; the file is left as it is, whoever else writes it.

    Raises InputError where it is no workspace or cannot be read.
    """
    try:
        return _undisturbed(path) or _in_memory(path, path, "mode=ro")
    except sqlite3.OperationalError:
        # What a crash left in the log beside the file can only be read where SQLite may write: in a copy.
        try:
            with TemporaryDirectory(prefix="reviewer.") as folder:
                for part in ("", LOG):
                    if path.with_name(path.name + part).exists():
                        copyfile(path.with_name(path.name + part), Path(folder, path.name + part))
                return _in_memory(Path(folder, path.name), path, "mode=rw")
        except OSError as error:
            raise InputError(f"it cannot be read ({error.strerror})", where=str(path)) from error
        except sqlite3.DatabaseError as error:
            raise _refused(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _refused(path, error) from error


def _undisturbed(path: Path) -> sqlite3.Connection | None:
    """Of a file without a log, which SQLite would make and leave behind. None where there is one, or somebody began to write meanwhile."""

    def at_rest() -> tuple[int, int] | None:
        found = path.stat()
        return None if path.with_name(path.name + LOG).exists() else (found.st_mtime_ns, found.st_size)

    try:
        before = at_rest()
        if before is None:
            return None
        memory = _in_memory(path, path, "mode=ro&immutable=1")
        if at_rest() == before:
            return memory
        memory.close()
    except (OSError, sqlite3.DatabaseError):
        pass  # the usual way finds out why
    return None


def _in_memory(file: Path, path: Path, how: str) -> sqlite3.Connection:
    """path: as errors name it. how: parameters of SQLite's URI."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with closing(_connect(f"{file.absolute().as_uri()}?{how}")) as connection:
            version = _version(connection, path)
            connection.backup(memory)
        for option in OPTIONS:
            memory.execute(option)
        _migrate(memory, version)
    except BaseException:
        memory.close()
        raise
    return memory


def connect_to_look(path: Path) -> sqlite3.Connection:
    """For a quick look at the entries and sources of a workspace of any version. Raises InputError and sqlite3.Error."""
    if not path.with_name(path.name + LOG).exists():
        return connect_without_log(path)
    return _checked(path, "mode=ro")


def connect_without_log(path: Path) -> sqlite3.Connection:
    """The file alone, as it is, whatever lies beside it. Raises InputError and sqlite3.Error."""
    return _checked(path, "mode=ro&immutable=1")


def _checked(path: Path, how: str) -> sqlite3.Connection:
    connection = _connect(f"{path.absolute().as_uri()}?{how}")
    try:
        _version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for option in OPTIONS:
            connection.execute(option)
    except BaseException:
        connection.close()
        raise
    return connection


def _to_disk(connection: sqlite3.Connection) -> None:
    """Every commit is on the disk when it returns, after a crash of the program and as far as the disk is honest after a loss of power."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the tables. Raises InputError for a file of another program or of a newer Reviewer."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID or version < 1:
        raise InputError("it is not a workspace of Reviewer", where=str(path), remedy="open the DICOM folder instead")
    if version > VERSION:
        raise InputError(
            f"it was written by a newer Reviewer (format {version}, this one knows up to {VERSION})",
            where=str(path),
            remedy="open it with a newer version",
        )
    try:
        strange = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone()
    except UnicodeDecodeError as error:  # sqlite3 stumbles over the damage that its own message quotes
        raise sqlite3.DatabaseError("malformed database schema") from error
    if strange:
        raise InputError("it holds program code, which no workspace does", where=str(path), remedy="do not trust it")
    return version


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """All steps that are missing, or none."""
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refused(path: Path, error: sqlite3.DatabaseError) -> InputError:
    if "not a database" in str(error):
        return InputError("it is not a workspace of Reviewer", where=str(path), remedy="open the DICOM folder instead")
    if "no such table" in str(error) or "malformed" in str(error):
        return InputError(
            f"the workspace is damaged ({error})", where=str(path), remedy="keep the file; open a copy from a back-up"
        )
    return InputError(
        f"the workspace cannot be opened ({error})", where=str(path), remedy="is the disk there and writable?"
    )
