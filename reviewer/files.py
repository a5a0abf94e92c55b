"""Files that appear whole or not at all, and never in the place of another."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reviewer.errors import InputError

KEPT_OF_NAME = 40
"""Characters of a file's name that its unfinished form keeps: the suffixes, by which writers know the format."""


def text_path(path: Path | str) -> str:
    """The path, for libraries that take it as text in UTF-8 and abort the whole program where it is none (SimpleITK).

    Raises InputError where it is none.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        said = "its path has characters that are no text (UTF-8): rename the file or its folder"
        raise InputError(said) from error
    return str(path)


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise InputError for the first path at which something lies, a dangling link included."""
    for path in paths:
        if os.path.lexists(path):
            raise InputError(
                f"the {'folder' if path.is_dir() else 'file'} exists and is not overwritten",
                where=str(path),
                remedy="choose another name or folder",
            )


def make_folder(path: Path) -> None:
    """A new folder, and those above it. Raises InputError where something lies there, and where the disk refuses."""
    refuse_existing([path])
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"the folder could not be made: {error.strerror or error}", where=str(path)) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write to; when the block ends well, what was written there appears at `path`, else nothing does.

    Folders above it are made. Raises InputError where something lies at `path`, also when it came meanwhile, and where the disk refuses.
    """
    refuse_existing([path])
    unfinished = path.with_name(f".{uuid.uuid4().hex[:12]}.{path.name[-KEPT_OF_NAME:]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        _sync(unfinished)
        _appear(unfinished, path)
    except OSError as error:
        raise InputError(f"it could not be written: {error.strerror or error}", where=str(path)) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _appear(unfinished: Path, path: Path) -> None:
    try:
        os.link(unfinished, path)  # unlike a rename, never over a file
    except FileExistsError:
        refuse_existing([path])
        raise
    except OSError:  # a file system without hard links
        refuse_existing([path])
        os.rename(unfinished, path)
