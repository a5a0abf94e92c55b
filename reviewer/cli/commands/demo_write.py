"""`reviewer demo --write DIR`, apart from `demo`, so that opening the window does not wait for pydicom."""

from __future__ import annotations

import argparse
from pathlib import Path

from reviewer.cli.output import Progress
from reviewer.demo import write_demo
from reviewer.errors import InputError


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.write
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "is not an empty folder", where=str(folder), remedy="choose a new one, so that nothing is mixed"
        )
    with Progress() as progress:
        write_demo(folder, progress=progress)
    files = [f for f in folder.rglob("*") if f.is_file()]
    print(f"{folder}: {len(files)} DICOM files, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB")
    return 0
