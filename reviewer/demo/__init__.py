"""The embedded case: a patient made of formulas, with images, contours, plan and doses, as real DICOM files.

Importing this package is cheap. What computes (numba) is loaded when a case has to be made.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

import reviewer
from reviewer.case import Case
from reviewer.demo.identity import SEED

REVISION = 3
"""Raised whenever the content of the case changes, so that cached copies of older ones are not used."""

Progress = Callable[[float, str], None]

__all__ = ["REVISION", "SEED", "demo_case", "demo_folder", "write_demo"]


def demo_folder(progress: Progress | None = None, *, cache: Path | None = None) -> Path:
    """The folder of the embedded case in the user's cache, made when it is not there yet (some 20 s on two cores).

    A half-written case is never seen: it is written beside its place and moved there at once, also with two processes at work.
    progress: told the share done, 0 to 1, and what is being done; not called where the case is there.
    """
    place = (cache or Path(user_cache_dir("reviewer"))) / f"demo-{reviewer.__version__}-{SEED}-{REVISION}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    try:
        write_demo(temporary, SEED, progress)
        try:
            os.rename(temporary, place)
        except OSError:
            if not place.is_dir():  # else another process was faster, with the same files
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return place


def write_demo(folder: Path | str, seed: int = SEED, progress: Progress | None = None) -> list[Path]:
    """Write the case of a seed as DICOM below `folder`; the paths of the files."""
    paths: list[Path] = _workshop().write_demo(Path(folder), seed, progress)
    return paths


def demo_case(seed: int = SEED, progress: Progress | None = None) -> Case:
    """The case of a seed in memory, complete."""
    case: Case = _workshop().demo_case(seed, progress)
    return case


def _workshop() -> Any:
    # Loaded late: numba, OpenCV and pydicom would cost every start of the program a second.
    return importlib.import_module("reviewer.demo.build")
