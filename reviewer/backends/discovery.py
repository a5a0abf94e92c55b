"""Which backends there are: entry points of installed packages, and manifests of engines that live in environments of their own.

Nothing of a backend is imported here. One that cannot be used is a line in the list, never a failure of the program.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from platformdirs import user_config_dir

from reviewer.backends.contract import DOSE, GATING
from reviewer.errors import InputError

KINDS = (DOSE, GATING)
GROUPS = {DOSE: "reviewer.dose", GATING: "reviewer.gating"}
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
TIME_S = {DOSE: 1800.0, GATING: 600.0}
MEMORY_SHARE = 0.75
"""Of the machine's memory, what a backend may take where its manifest does not say."""


def _memory_bytes() -> int:
    return int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@dataclass(frozen=True)
class Backend:
    """How to start a backend. What it says of itself is asked of it: `reviewer.backends.host.describe`.

    entry:  ``package.module:attribute``, or ``/path/of/file.py:attribute``.
    origin: where it was found: "reviewer 0.1.0", or the path of a manifest.
    time_s, memory_bytes: limits of one job.
    """

    kind: str
    name: str
    entry: str
    origin: str
    interpreter: Path
    time_s: float
    memory_bytes: int

    @classmethod
    def here(cls, kind: str, name: str, entry: str, origin: str = "") -> Backend:
        """One of this environment."""
        return cls(kind, name, entry, origin, Path(sys.executable), TIME_S[kind], _memory_bytes())


@dataclass(frozen=True)
class Broken:
    """What was found and cannot be used, and why."""

    name: str
    origin: str
    reason: str


@dataclass(frozen=True)
class Found:
    """All that there is, by kind and name."""

    backends: tuple[Backend, ...]
    broken: tuple[Broken, ...]

    def get(self, kind: str, name: str) -> Backend:
        """Raises InputError that names those there are."""
        of_kind = [backend for backend in self.backends if backend.kind == kind]
        for backend in of_kind:
            if backend.name == name:
                return backend
        names = ", ".join(backend.name for backend in of_kind) or "none"
        raise InputError(f"there is no {kind} backend {name!r}", remedy=f"there is {names}; see `reviewer backends`")


def manifest_folder() -> Path:
    """Where manifests lie: ``backends/*.toml`` in the user's configuration folder."""
    return Path(user_config_dir("reviewer")) / "backends"


def discover(folder: Path | None = None) -> Found:
    """Look at entry points and manifests; folder: of the manifests, if not the user's own."""
    backends: dict[tuple[str, str], Backend] = {}
    broken: list[Broken] = []

    def add(name: str, origin: str, backend: Backend) -> None:
        other = backends.get((backend.kind, backend.name))
        if other is None:
            backends[backend.kind, backend.name] = backend
        elif (other.entry, other.interpreter) != (backend.entry, backend.interpreter):
            broken.append(Broken(name, origin, f"{other.origin} has a {backend.kind} backend of this name, too"))

    for kind, group in GROUPS.items():
        for point in entry_points(group=group):
            origin = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown package"
            if not NAME.fullmatch(point.name) or ":" not in point.value:
                broken.append(
                    Broken(point.name, origin, f"{point.name} = {point.value!r} is no entry point of a backend")
                )
                continue
            add(point.name, origin, Backend.here(kind, point.name, point.value, origin))
    for path in sorted((manifest_folder() if folder is None else folder).glob("*.toml")):
        try:
            add(path.stem, str(path), read_manifest(path))
        except InputError as error:
            broken.append(Broken(path.stem, str(path), error.what))
    return Found(tuple(sorted(backends.values(), key=lambda b: (b.kind, b.name))), tuple(broken))


MANIFEST: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "name": (str,),
    "entry": (str,),
    "interpreter": (str,),
    "time_limit_s": (int, float),
    "memory_limit_gb": (int, float),
}
"""What may stand in a manifest; the first three must."""


def read_manifest(path: Path) -> Backend:
    """A backend from its TOML file; relative paths start at the file's own folder, and ~ at the user's. Raises InputError."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", where=str(path)) from None
    for key, value in table.items():
        if key not in MANIFEST:
            raise InputError(f"has an unknown key {key!r}; there is {', '.join(MANIFEST)}", where=str(path))
        if not isinstance(value, MANIFEST[key]) or isinstance(value, bool):
            raise InputError(f"{key} is {value!r}", where=str(path))
        if isinstance(value, int | float) and not 0 < value < float("inf"):
            raise InputError(f"{key} is {value!r}, not above zero", where=str(path))
    if missing := [key for key in list(MANIFEST)[:3] if not table.get(key)]:
        raise InputError(f"says no {missing[0]}", where=str(path))
    kind, name, entry = table["kind"], table["name"], table["entry"]
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}, not dose or gating", where=str(path))
    if not NAME.fullmatch(name):
        raise InputError(f"name is {name!r}; small letters, digits and hyphens make a name", where=str(path))
    place, colon, attribute = entry.rpartition(":")
    if not colon or not place or not attribute:
        raise InputError(f"entry is {entry!r}, not FILE.py:NAME or MODULE:NAME", where=str(path))
    if place.endswith(".py"):
        script = _beside(path, place)
        if not script.is_file():
            raise InputError(f"there is no {script}", where=str(path))
        entry = f"{script}:{attribute}"
    interpreter = _beside(path, table["interpreter"]) if table.get("interpreter") else Path(sys.executable)
    if not os.access(interpreter, os.X_OK) or interpreter.is_dir():
        raise InputError(f"there is no interpreter {interpreter}", where=str(path))
    memory = table.get("memory_limit_gb")
    return Backend(
        kind,
        name,
        entry,
        str(path),
        interpreter,
        float(table.get("time_limit_s", TIME_S[kind])),
        _memory_bytes() if memory is None else int(memory * 2**30),
    )


def _beside(manifest: Path, name: str) -> Path:
    """Not resolved: the python of an environment is a link, and its place says which environment it is."""
    path = Path(name).expanduser()
    return path if path.is_absolute() else manifest.absolute().parent / path
