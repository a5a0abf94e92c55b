"""`reviewer check`: whether this installation can do its work, with one computed answer that is known in closed form."""

from __future__ import annotations

import argparse
import math
import platform
import tempfile
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import platformdirs
from shapely import Polygon

from reviewer import __version__
from reviewer.case import Dose, Structure
from reviewer.cli.output import print_json, print_table
from reviewer.cli.window import load_window, no_screen
from reviewer.dicom.decoders import missing_decoders
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.metrics import Metric
from reviewer.errors import ReviewerError
from reviewer.geometry.grid import Grid
from reviewer.geometry.volume import volume_cc

LIBRARIES = ("numpy", "shapely", "pydicom", "SimpleITK", "opencv-python-headless", "numba", "PySide6-Essentials", "vtk")

SPHERE_MM = 20.0
"""Radius of the sphere that is measured."""

TOLERANCE = 0.005
"""Of a sphere of 20 mm on slices 1 mm apart: the slices' own error is h²/4r² = 0.06 %, the polygon's with 256 corners 0.01 %."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def run(arguments: argparse.Namespace) -> int:
    checks: dict[str, Callable[[], str]] = {
        "versions": _versions,
        "decoders": _decoders,
        "window": _window,
        "resources": _resources,
        "cache": _cache,
        "volume": _volume,
        "dvh": _dvh,
    }
    results = [_outcome(name, check) for name, check in checks.items()]
    if arguments.json:
        print_json(results)
    else:
        print_table(
            f"reviewer {__version__}",
            ["", "check", "found"],
            [["ok" if r["ok"] else "FAILED", str(r["name"]), str(r["detail"])] for r in results],
        )
    return 0 if all(r["ok"] for r in results) else 1


def _outcome(name: str, check: Callable[[], str]) -> dict[str, str | bool]:
    try:
        return {"name": name, "ok": True, "detail": check()}
    except Exception as error:  # whatever it is, this installation cannot do it
        return {"name": name, "ok": False, "detail": " ".join(str(error).split())}


def _versions() -> str:
    return ", ".join(
        [f"Python {platform.python_version()}", *(f"{name} {metadata.version(name)}" for name in LIBRARIES)]
    )


def _decoders() -> str:
    missing = missing_decoders()
    if missing:
        raise ReviewerError(
            f"no decoder for {', '.join(missing)}", remedy="reinstall with the dependencies of the project"
        )
    return "RLE, JPEG, JPEG-LS and JPEG 2000 can be decoded"


def _window() -> str:
    load_window()
    reason = no_screen()
    return "can be opened" if reason is None else f"{reason}; it can be rendered to a picture"


def _resources() -> str:
    root = resources.files("reviewer_resources")
    found = [f.name for f in root.iterdir() if f.is_dir() and not f.name.startswith("__")]
    if not found:
        raise ReviewerError("the package reviewer_resources is empty", remedy="reinstall")
    return ", ".join(sorted(found))


def _cache() -> str:
    folder = Path(platformdirs.user_cache_dir("reviewer"))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder)


def _volume() -> str:
    exact = 4 / 3 * math.pi * SPHERE_MM**3 / 1000
    return _agrees("sphere of 20 mm", volume_cc(_sphere()), exact, "cc")


def _dvh() -> str:
    """A dose that rises along x: the cap beyond half the radius holds 5/32 of a sphere, so 27/32 get more than the dose at its base."""
    grid = Grid.from_directions(
        (1, 0, 0), (0, 1, 0), [(-30, -30, z) for z in np.arange(-30.0, 31.0, 2.0)], (2, 2), (31, 31), "check"
    )
    x = np.arange(-30.0, 31.0, 2.0)
    gray = np.broadcast_to((30 + 0.5 * x).astype(np.float32), grid.shape_zyx).copy()
    result = dvh(_sphere(), Dose("check", "check", grid, gray), None)
    value = Metric.parse(f"D{100 * 27 / 32}%[Gy]").of(result)
    if value is None:
        raise ReviewerError("the DVH of a sphere inside its dose grid could not be evaluated")
    return _agrees("D84.375% of a sphere in a dose gradient", value, 30 - 0.5 * SPHERE_MM / 2, "Gy")


def _agrees(what: str, value: float, exact: float, unit: str) -> str:
    if not abs(value - exact) <= TOLERANCE * exact:
        raise ReviewerError(
            f"{what}: {value:.4f} {unit} where {exact:.4f} {unit} is right", remedy="do not use this installation"
        )
    return f"{what}: {value:.4f} {unit}, in closed form {exact:.4f} {unit}"


def _sphere() -> Structure:
    positions = np.arange(-19.5, 20.0, 1.0)
    grid = Grid.from_directions((1, 0, 0), (0, 1, 0), [(-30, -30, z) for z in positions], (1, 1), (61, 61), "check")
    angle = np.linspace(0, 2 * math.pi, 256, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    planes = {n: Polygon(math.sqrt(SPHERE_MM**2 - z**2) * circle) for n, z in enumerate(positions)}
    return Structure("check", "sphere", grid, planes)
