"""Engines that come with Reviewer but need an environment of their own: `reviewer backends --install NAME` makes it.

Such an engine is a folder of plugins/ with `manifest.toml`, which names neither interpreter nor path yet, and `requirements.txt`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_dir

from reviewer.backends.discovery import manifest_folder
from reviewer.errors import InputError

MANIFEST, REQUIREMENTS = "manifest.toml", "requirements.txt"


def installable() -> dict[str, Path]:
    """Name of each engine -> its folder."""
    manifests = Path(str(files("reviewer_plugins"))).glob(f"*/{MANIFEST}")
    return {tomllib.loads(m.read_text(encoding="utf-8"))["name"]: m.parent for m in sorted(manifests)}


def environment_folder(name: str) -> Path:
    """Where the environment of an engine is made."""
    return Path(user_data_dir("reviewer")) / "engines" / name


def install(name: str, say: Callable[[str], None]) -> Path:
    """Make the environment, anew where there is one, and write the manifest, whose path is returned. Needs a network.

    Raises InputError for a name that is not known, and where the environment cannot be made.
    """
    known = installable()
    if name not in known:
        raise InputError(
            f"there is no engine {name!r} to install",
            remedy=f"there is {', '.join(known) or 'none'}; others are installed by hand (docs/backends.md)",
        )
    folder, environment = known[name], environment_folder(name)
    python, requirements = environment / "bin" / "python", folder / REQUIREMENTS
    uv = shutil.which("uv")
    if uv is not None:
        _run(say, uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
        _run(say, uv, "pip", "install", "--quiet", "--python", python, "--requirement", requirements)
    else:
        _run(say, sys.executable, "-m", "venv", "--clear", environment)
        _run(say, python, "-m", "pip", "install", "--quiet", "--requirement", requirements)
    table = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    table |= {"entry": str(folder / table["entry"]), "interpreter": str(python)}
    manifest = manifest_folder() / f"{name}.toml"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    # JSON's strings and numbers are TOML's as well
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
    manifest.write_text("".join(lines), encoding="utf-8")
    say(f"manifest {manifest}")
    return manifest


def _run(say: Callable[[str], None], *command: str | Path) -> None:
    say(" ".join(str(word) for word in command))
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        raise InputError(
            f"the environment could not be made: {last.strip()[:300]}",
            where=str(command[0]),
            remedy="it needs a network, or a package mirror as pip and uv are told of it",
        )
