"""`reviewer demo`: the window on the embedded case; without a screen its picture and summary; or the case written as DICOM."""

from __future__ import annotations

import argparse
from pathlib import Path

from reviewer.cli import command, main
from reviewer.cli.output import say
from reviewer.cli.window import load_window, no_screen

PICTURE = Path("reviewer-demo.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write the embedded case as DICOM files into DIR and stop"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.write is not None:
        return int(command("demo-write").run(arguments))
    reason = no_screen()
    if reason is None:
        return load_window().run([], demo=True)
    say(f"{reason}, so the window is rendered to a picture")
    return main(["screenshot", "--demo", "-o", str(PICTURE)]) or main(["info", "--demo"])
