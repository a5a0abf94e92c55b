"""The files that a workspace builds on: where they are, and whether they are still the same."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from reviewer.case import Problem
from reviewer.case.uid import frame_of_volume
from reviewer.errors import CancelledError

_CHUNK = 1 << 20

_UID = re.compile(r"[0-9.]+")


@dataclass(frozen=True)
class Source:
    """A file that was opened.

    path: absolute; name: SOP instance UID, or what a volume without UID goes by (`reviewer.case.uid.name_of_volume`).
    relative: path from the folder of the workspace, "" where there is none. size: bytes; sha256: None until it was computed.
    """

    path: str
    name: str
    size: int
    sha256: bytes | None = None
    relative: str = ""


@dataclass(frozen=True)
class Located:
    """Where the sources are now.

    volumes:  path -> name of those that have no UID. problems: what is missing or has changed.
    """

    paths: tuple[Path, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def source(path: str, name: str) -> Source:
    """name: as in `Source`. Raises OSError."""
    absolute = os.path.abspath(path)
    return Source(absolute, name, os.stat(absolute).st_size)


def renamed(before: Located, now: Sequence[Source]) -> dict[str, str]:
    """Name and frame of reference of each volume that is called otherwise than before, for it was changed in its place -> those of now."""
    found: dict[str, str] = {}
    for each in now:
        name = before.volumes.get(each.path, each.name)
        if name != each.name:
            found[name] = each.name
            found[frame_of_volume(name)] = frame_of_volume(each.name)
    return found


def relative_to(folder: Path, sources: Iterable[Source]) -> tuple[Source, ...]:
    """With paths as they are seen from a folder."""

    @cache  # hundreds of files lie in few folders
    def seen(other: str) -> str | None:
        try:
            return os.path.relpath(other, start)
        except ValueError:  # another drive
            return None

    start = folder.absolute()
    parts = ((each, *os.path.split(each.path)) for each in sources)
    return tuple(replace(s, relative=os.path.join(above, name) if (above := seen(f)) else "") for s, f, name in parts)


def located(sources: Sequence[Source], folder: Path) -> Located:
    """Look beside the workspace first, so that a folder that was moved or copied brings its own files, then where they were."""
    paths: list[Path] = []
    volumes: dict[str, str] = {}
    problems: list[Problem] = []
    for each in sources:
        path = _place(each, folder)
        if path is None:
            problems.append(Problem(each.path, "error", "it is missing: it was among the files of this workspace"))
            continue
        paths.append(path)
        if not _UID.fullmatch(each.name):
            volumes[os.path.abspath(path)] = each.name
        size = path.stat().st_size
        if size != each.size:
            problems.append(
                Problem(
                    str(path),
                    "warning",
                    f"it has changed since it was opened first: {each.size} bytes then, {size} now",
                )
            )
    return Located(tuple(paths), volumes, tuple(problems))


def _place(each: Source, folder: Path) -> Path | None:
    beside = Path(os.path.normpath(folder.absolute() / each.relative)) if each.relative else None
    return next((p for p in (beside, Path(each.path)) if p is not None and os.path.isfile(p)), None)


def digests(
    sources: Sequence[Source],
    folder: Path,
    progress: Callable[[float, str], None] = lambda fraction, text: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, bytes]:
    """SHA-256 of the files that are there, by `Source.path`; for a worker thread. Raises CancelledError."""
    found: dict[str, bytes] = {}
    total, done = sum(s.size for s in sources) or 1, 0
    for n, each in enumerate(sources):
        path = _place(each, folder)
        progress(done / total, f"{n} of {len(sources)} files")
        if path is not None:
            try:
                found[each.path] = _digest(path, cancelled)
            except OSError:
                continue
        done += each.size
    return found


def _digest(path: Path, cancelled: Callable[[], bool]) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if cancelled():
                raise CancelledError
            digest.update(chunk)
    return digest.digest()


def changed(sources: Sequence[Source], found: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """The files whose content is not what it was."""
    return tuple(
        Problem(s.path, "warning", "its content has changed since it was opened first (its SHA-256 differs)")
        for s in sources
        if s.sha256 is not None and s.path in found and found[s.path] != s.sha256
    )
