"""`reviewer open PATH…`: the window on real data."""

from __future__ import annotations

import argparse

from reviewer.cli.paths import existing, path
from reviewer.cli.window import load_window, no_screen
from reviewer.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=path,
        metavar="PATH",
        help="files or folders (searched recursively), or a workspace (.reviewer); none: an empty window",
    )


def run(arguments: argparse.Namespace) -> int:
    paths = existing(arguments.paths)
    reason = no_screen()
    if reason is not None:
        raise InputError(reason, remedy="`reviewer screenshot PATH -o OUT.png` renders the window without one")
    return load_window().run(paths)
