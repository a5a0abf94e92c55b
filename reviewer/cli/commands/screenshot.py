"""`reviewer screenshot PATH… -o OUT.png`: the main window as a picture, without a screen."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from reviewer.cli.paths import add_path_arguments, given_paths
from reviewer.cli.window import load_window
from reviewer.errors import InputError

SMALLEST, LARGEST = 320, 16384
"""Pixels of a side: below, the window does not lay out; above, Qt's images end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_path_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png", help="the picture to write")
    parser.add_argument("--size", type=_size, default=(1280, 800), metavar="WxH", help="pixels (default 1280x800)")
    parser.add_argument(
        "--view",
        default="review",
        metavar="NAME",
        help="review (all), axial, sagittal, coronal, volume or gating (default review)",
    )


def run(arguments: argparse.Namespace) -> int:
    paths = given_paths(arguments)
    out: Path = arguments.output
    if out.suffix.lower() != ".png":
        raise InputError("is not a .png file name", where=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    load_window().screenshot(paths, out, arguments.size, arguments.view, arguments.demo)
    print(out.resolve())
    return 0


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x800")
    width, height = int(match[1]), int(match[2])
    if not (min(width, height) >= SMALLEST and max(width, height) <= LARGEST):
        raise argparse.ArgumentTypeError(f"each side of {text} must be {SMALLEST} to {LARGEST} pixels")
    return width, height
