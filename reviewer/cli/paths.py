"""PATH… on the command line, or `--demo` in its place."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from reviewer.errors import InputError


def path(text: str) -> Path:
    """The path of an argument; an empty one, as an unset variable of a script leaves it, is not the folder where one happens to be."""
    if not text:
        raise argparse.ArgumentTypeError("a path is empty")
    return Path(text)


def add_path_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=path,
        metavar="PATH",
        help="DICOM files, NIfTI or MetaImage volumes, folders (searched recursively), or a workspace (.reviewer)",
    )
    parser.add_argument("--demo", action="store_true", help="the embedded case instead of PATH")


def given_paths(arguments: argparse.Namespace) -> list[Path]:
    """The paths, empty for --demo; InputError unless one or the other is there and every path exists."""
    if bool(arguments.paths) == arguments.demo:
        raise InputError("give either PATH or --demo")
    return existing(arguments.paths)


def existing(paths: Iterable[Path]) -> list[Path]:
    """The same paths; InputError for the first that does not exist."""
    paths = list(paths)
    for each in paths:
        if not os.path.exists(each):
            raise InputError("no such file or folder", where=str(each))
    return paths
