"""A workspace file that was put in the place of another one, as from a back-up, beside the log of SQLite that a crash had left of that one.

SQLite cannot tell, and writes the log over the file: so the file is kept first, and somebody is told.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import copyfileobj

from reviewer.errors import InputError
from reviewer.store.schema import LOG, SUFFIX, connect_without_log, open_to_read


@dataclass(frozen=True)
class _State:
    """Whose entries a file holds: the id of the workspace, number and hash of each."""

    workspace: str
    entries: tuple[tuple[int, bytes], ...]
    whole: bool

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> _State:
        settings = dict(connection.execute("SELECT key, value FROM setting WHERE key IN ('id', 'head')").fetchall())
        entries = connection.execute("SELECT number, hash FROM entry ORDER BY number").fetchall()
        last = json.loads(settings["head"])["number"]
        return cls(json.loads(settings["id"]), tuple(entries), last == (entries[-1][0] if entries else 0))


def keep_what_was_put_back(path: Path) -> str:
    """Copy a workspace file that its log does not belong to, under a name that says so; the sentence to tell, empty where all is well.

    They do not belong together where the log does not go on from the entries of the file, or has more of them and is older than the file.
    A file that alone makes no sense was left by a crash in the middle of writing the log into it.
    Raises InputError where the copy cannot be made.
    """
    log = path.with_name(path.name + LOG)
    try:
        if not log.stat().st_size:
            return ""
        with closing(connect_without_log(path)) as connection:
            alone = _State.of(connection)
        older = log.stat().st_mtime_ns < path.stat().st_mtime_ns
    except (OSError, InputError, sqlite3.Error, ValueError, TypeError, KeyError):
        return ""
    if not alone.whole:
        return ""
    try:
        with closing(open_to_read(path)) as connection:
            both = _State.of(connection)
    except (InputError, sqlite3.Error, ValueError, TypeError, KeyError):
        both = None
    count = len(alone.entries)
    if (
        both is not None
        and both.workspace == alone.workspace
        and both.entries[:count] == alone.entries
        and not (older and len(both.entries) > count)
    ):
        return ""
    found = path.with_name(f"{path.stem} (found {datetime.now():%Y-%m-%d %H.%M.%S}){SUFFIX}")
    try:
        with path.open("rb") as source, found.open("xb") as copy:
            copyfileobj(source, copy)
    except OSError as error:
        raise InputError(
            f"it was put there beside a log of other edits ({log.name}), which would be written over it, and no copy can be made "
            f"({(error.strerror or str(error)).lower()})",
            where=str(path),
            remedy="copy the file elsewhere, without its log, and open the copy",
        ) from error
    return (
        f"a file was put in its place, as from a back-up, while {log.name} still held edits of a crash: "
        f"these are shown, and the file as it was found is kept as {found.name}"
    )
