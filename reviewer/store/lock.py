"""Who holds a workspace: a lock that the system takes away from a process that dies, and a name in it for the others."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from reviewer.errors import InputError
from reviewer.store.chain import me, now


@dataclass(frozen=True)
class Holder:
    """The process that holds a workspace. since: UTC, ISO 8601."""

    who: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"{self.who} (process {self.pid}) since {clock(self.since)}"


class HeldError(InputError):
    """Another process holds the workspace."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        self.holder = holder
        super().__init__(f"it is held by {holder or 'another process'}", where=str(path), remedy="close it there first")


class Lock:
    """A lock beside a workspace (``x.reviewer.lock``), held until `release` or the end of the process.

    left_by: who held it to the end without releasing it; None where it was free.
    Raises HeldError; OSError where the folder cannot be written or knows no locks.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._fd = Path(f"{os.path.realpath(path)}.lock"), -1
        while self._fd < 0:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = _holder(os.pread(fd, 4096, 0))
                os.close(fd)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise HeldError(path, holder) from error
                raise
            if self._is_the_file(fd):
                self._fd = fd
            else:
                os.close(fd)  # its holder removed it between our opening and our locking
        self.left_by = _holder(os.pread(self._fd, 4096, 0))
        text = json.dumps(asdict(Holder(me(), os.getpid(), now()))).encode()
        with suppress(OSError):  # on a full disk the lock holds all the same, only the name is missing
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text, 0)

    def release(self) -> None:
        if self._fd < 0:
            return
        try:
            if self._is_the_file(self._fd):
                self._path.unlink(missing_ok=True)
        finally:  # a disk that has become read-only keeps the file, but not the lock
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        """A case that was opened and never shown lets its workspace go."""
        self.release()

    def _is_the_file(self, fd: int) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def clock(at: str) -> str:
    """A UTC time as this computer's clock shows it: "14:02:11", with the date where it was another day."""
    time = _here(at)
    if time is None:
        return at
    today = datetime.now().astimezone().date()
    return time.strftime("%H:%M:%S" if time.date() == today else "%Y-%m-%d %H:%M:%S")


def _holder(text: bytes) -> Holder | None:
    try:
        found = json.loads(text)
        holder = Holder(str(found["who"]), int(found["pid"]), str(found["since"]))
        datetime.fromisoformat(holder.since)
    except (ValueError, KeyError, TypeError):
        return None
    return holder


def moment(at: str) -> str:
    """A UTC time as this computer's clock shows it: "2026-11-20 14:02"."""
    time = _here(at)
    return at if time is None else time.strftime("%Y-%m-%d %H:%M")


def _here(at: str) -> datetime | None:
    """None for what is no time, as it may stand in a file."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError):
        return None
