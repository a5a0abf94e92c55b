"""Workspaces that nobody asked for: where they lie, and which of them belongs to the files that were just opened."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from platformdirs import user_data_path

from reviewer.case import Patient
from reviewer.errors import InputError
from reviewer.store.schema import SUFFIX, connect_to_look


@dataclass(frozen=True)
class Found:
    """A workspace of the same files. at: UTC of its last entry; edits: how many there are."""

    path: Path
    at: str
    edits: int


def automatic_folder() -> Path:
    """Nothing in it is ever deleted but by the user."""
    return user_data_path("Reviewer", appauthor=False) / "workspaces"


def automatic_place(patient: Patient) -> Path:
    """A new name of patient, date and time."""
    who = re.sub(r"[^\w-]+", "_", patient.name.replace("^", " ").strip() or patient.id.strip())[:60].strip("_")
    stem = f"{who or 'case'} {datetime.now():%Y-%m-%d %H%M%S}"
    folder, extra = automatic_folder(), 1
    path = folder / f"{stem}{SUFFIX}"
    while path.exists():
        extra += 1
        path = folder / f"{stem} ({extra}){SUFFIX}"
    return path


def matching(names: Collection[str], beside: Collection[Path] = ()) -> list[Found]:
    """The workspaces with edits all of whose sources are among `names` (`Source.name`), the newest first.

    beside: folders to look into, besides that of the automatic ones.
    """
    known = set(names)
    if not known:
        return []
    found = []
    for path in (path for folder in {automatic_folder(), *beside} for path in folder.glob(f"*{SUFFIX}")):
        try:
            with closing(connect_to_look(path)) as connection:
                sources = {name for (name,) in connection.execute("SELECT name FROM source")}
                if not sources or not sources <= known:
                    continue
                edits, at = connection.execute(
                    "SELECT count(*), max(at) FROM entry WHERE kind IN ('edit', 'go')"
                ).fetchone()
        except (sqlite3.Error, InputError, OSError):
            continue  # not ours, or damaged: whoever opens it by name is told
        if edits and isinstance(at, str):
            found.append(Found(path, at, int(edits)))
    return sorted(found, key=lambda f: f.at, reverse=True)
