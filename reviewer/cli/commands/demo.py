"""`reviewer demo`: the window on the embedded case; without a screen its picture and summary; or the case written as DICOM."""

from __future__ import annotations

import argparse
from pathlib import Path

from reviewer.cli import main
from reviewer.cli.output import Progress, say
from reviewer.cli.window import load_window, no_screen
from reviewer.demo import write_demo
from reviewer.errors import InputError

PICTURE = Path("reviewer-demo.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write the embedded case as DICOM files into DIR and stop"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.write is not None:
        return _write(arguments.write)
    reason = no_screen()
    if reason is None:
        return load_window().run([], demo=True)
    say(f"{reason}, so the window is rendered to a picture")
    return main(["screenshot", "--demo", "-o", str(PICTURE)]) or main(["info", "--demo"])


def _write(folder: Path) -> int:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "is not an empty folder", where=str(folder), remedy="choose a new one, so that nothing is mixed"
        )
    with Progress() as progress:
        files = write_demo(folder, progress=progress)
    print(f"{folder}: {len(files)} DICOM files, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB")
    return 0
