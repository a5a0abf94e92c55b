"""The project around the code: packages, layers, set-up script, and the wheel that people install."""

from __future__ import annotations

import pkgutil
import re
import shutil
import struct
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import reviewer
from reviewer.cli.window import DEBIAN_PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]
"""Import name of each top-level package -> its folder."""

BIN = Path(sys.executable).parent


def packages() -> set[str]:
    """The import names of all folders that hold an __init__.py."""
    found = set()
    for name, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((name, *parts)))
    return found


def engine_modules() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(reviewer.__path__, "reviewer.")]
    return ["reviewer", *(n for n in names if not n.endswith("__main__"))]


def test_the_package_list_is_what_the_folders_hold():
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages()


def test_the_engine_has_no_folders_that_python_would_not_install():
    """A folder of modules without __init__.py works in the checkout and is missing from the wheel."""
    with_code = {p.parent for folder in FOLDERS.values() for p in (ROOT / folder).rglob("*.py")}
    assert [str(p.relative_to(ROOT)) for p in with_code if not (p / "__init__.py").exists()] == []


def test_the_version_is_said_once():
    assert PROJECT["project"]["version"] == reviewer.__version__


def test_the_engine_imports_without_a_screen():
    """Every module of the engine, in one process: none brings Qt, VTK or the window with it."""
    code = f"import importlib, sys\nfor m in {engine_modules()!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "reviewer" in loaded
    assert not loaded & {"PySide6", "shiboken6", "vtk", "vtkmodules", "pyvista", "pyqtgraph", "reviewer_widgets"}


def test_arrows_point_downward():
    done = subprocess.run([BIN / "lint-imports"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_set_up_script_and_the_error_message_name_the_same_packages():
    script = (ROOT / "setup.sh").read_text()
    match = re.search(r'^WINDOW="([^"]+)"', script, re.MULTILINE)
    assert match is not None
    assert match[1].split() == DEBIAN_PACKAGES.split()


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not a Debian system")
@pytest.mark.parametrize("status", [0, 1], ids=["may-install", "may-not"])
def test_set_up_installs_what_is_missing_or_says_so(tmp_path, status):
    """The script on a machine where one library and one tool are missing; apt-get, sudo and id are stand-ins that write down their use."""
    for name in ("setup.sh", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    stand_ins = {
        "dpkg-query": 'for p; do case $p in libegl1*|xdotool*|-*|*Package*) ;; *) printf "%s:installed " "$p" ;; esac; done; exit 1',
        "apt-get": f'echo "$@" >>{tmp_path}/apt',
        "sudo": f'[ {status} = 0 ] || exit 1; [ "$1" != -n ] || shift; exec "$@"',
        "id": "echo 1000",
        "uv": f'[ "$1" = --version ] || {{ mkdir -p .venv/bin; cp /bin/true .venv/bin/python; echo "$@" >>{tmp_path}/uv; }}',
    }
    for name, body in stand_ins.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)

    def set_up() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tmp_path / "setup.sh", "test"],
            env={"PATH": f"{tools}:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    done = set_up()
    assert done.returncode == 0, done.stderr
    install = "install --yes --no-install-recommends"
    if status == 0:
        calls = (tmp_path / "apt").read_text().splitlines()
        assert [c for c in calls if c.startswith("install")] == [
            f"{install} libegl1 --quiet=2",
            f"{install} xdotool --quiet=2",
        ]
    else:
        assert not (tmp_path / "apt").exists()
        assert f"sudo apt-get {install} libegl1\n" in done.stderr
        assert f"sudo apt-get {install} xdotool\n" in done.stderr
    assert (tmp_path / "uv").read_text().startswith("sync --locked")
    set_up()
    assert (tmp_path / "uv").read_text().count("\n") == 1, "the second run made the environment again"


@pytest.mark.slow
def test_the_wheel_holds_everything_and_nothing_else(tmp_path):
    """Built, installed into a clean environment and used far from the checkout."""
    uv = shutil.which("uv") or ROOT / ".tools/uv/bin/uv"
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__"))
    subprocess.run([uv, "build", "--wheel", "--quiet", "-o", tmp_path / "dist", clone], check=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        files = [f for f in archive.namelist() if ".dist-info/" not in f]
    assert {f.split("/")[0] for f in files} == set(FOLDERS)
    assert not [f for f in files if f.endswith((".dcm", ".png")) or "/tests/" in f]

    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True, timeout=900)

    def installed(*arguments: str | Path) -> str:
        done = subprocess.run(
            arguments,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    command = tmp_path / "env/bin/reviewer"
    assert installed(command, "--version") == f"reviewer {reviewer.__version__}\n"
    assert '"images"' in installed(command, "info", "--demo", "--json")
    installed(command, "screenshot", "--demo", "-o", "window.png", "--size", "1280x800")
    header = (tmp_path / "window.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (1280, 800)

    code = (
        "from importlib.resources import files\n"
        "print(*(f.name for d in files('reviewer_resources').iterdir() if d.is_dir() for f in d.iterdir()))"
    )
    data = {p.name for p in (ROOT / "resources").glob("*/*") if not p.name.startswith("__")}
    assert data
    assert data <= set(installed(python, "-c", code).split())
