"""The command line: composition root of the engine's side.

Each command is a module of `reviewer.cli.commands` with two functions, ``add_arguments(parser)`` and ``run(arguments) -> int``;
only the one that was asked for is imported, so that `reviewer --help` answers at once.

Exit status: 0 done; 1 done, and a check asked for did not hold; 2 bad input or usage, said in one sentence on standard error.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from types import ModuleType
from typing import NoReturn

from reviewer import __version__
from reviewer.errors import ReviewerError

COMMANDS = {
    "demo": "open the window on the embedded case, or write that case as DICOM",
    "open": "open the window on DICOM files and folders",
    "info": "list what a case holds and what was wrong with its files",
    "dvh": "dose-volume values and curves of structures",
    "goals": "a plan against a goal sheet, and the day's plans against each other",
    "sheets": "goal sheets that are there, and whether a new one is good",
    "gamma": "how far two doses agree, by the 3D gamma index",
    "gating": "where the target was in a cine, and when the beam would have been on",
    "dose-check": "a plan's dose computed again by a backend, and how far it agrees",
    "derive": "make structures by formulas (PTV = GTV + 5 mm) and write them",
    "export": "write structures as RTSTRUCT, DICOM SEG and NIfTI",
    "compare": "how far the structures of two inputs agree",
    "backends": "dose and tracking engines that are installed, and whether one keeps to the contract",
    "screenshot": "render the window to a picture, without a screen",
    "report": "a review as PDF, HTML or CSV: goals, pictures, DVH, decision, signatures",
    "verify": "whether a workspace and the files that it builds on are as they were written",
    "check": "test this installation",
}
"""Name and one line of each command, in the order of the help. `a-b` is the module ``a_b``."""

TRACEBACK = "REVIEWER_TRACEBACK"
"""Environment variable: set to 1, errors show where in the program they arose."""

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGINT or SIGPIPE ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status and raises nothing, but where the traceback was asked for."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = next((a for a in arguments if not a.startswith("-")), "")
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # what matters about a file is in the case's problems
            logging.getLogger("pydicom").setLevel(logging.CRITICAL)
            status = _run(name, arguments)
        if sys.stdout is not None:  # as in a process that was started with it closed
            sys.stdout.flush()
        return status
    except SystemExit as stop:  # argparse has answered: --help, --version, or wrong usage
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or the interpreter complains when it flushes at exit
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get(TRACEBACK) == "1":
            raise
        return _fail(_sentence(error, name))


def printable(text: str) -> str:
    """The text without control characters: names in files are not ours, and a terminal obeys what is printed to it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _run(name: str, arguments: Sequence[str]) -> int:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has no × gets \xd7, not an error
    parsed = _parser(name).parse_args(arguments)
    if not parsed.command:
        return _fail("no command: `reviewer open` opens the window, `reviewer --help` lists all")
    return int(command(parsed.command).run(parsed))


def command(name: str) -> ModuleType:
    """The module of a command, imported when it is first asked for."""
    return importlib.import_module(f"reviewer.cli.commands.{name.replace('-', '_')}")


def _sentence(error: Exception, name: str) -> str:
    if isinstance(error, ReviewerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory for this case"
    return f"{name} failed unexpectedly ({type(error).__name__}: {error}); {TRACEBACK}=1 shows where"


def _fail(sentence: str) -> int:
    print(f"reviewer: {printable(' '.join(sentence.split()))}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """Wrong usage in one line instead of the whole usage text."""

    def error(self, message: str) -> NoReturn:
        _fail(f"{message}; see `{self.prog} --help`")
        raise SystemExit(2)


def _parser(name: str) -> argparse.ArgumentParser:
    """The parser of all commands, with the options of the command `name`."""
    parser = _Parser(
        prog="reviewer",
        description="Contouring and plan review for MR-guided adaptive radiotherapy of the liver. Not a medical device.",
        epilog="`reviewer COMMAND --help` explains a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"reviewer {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for each, line in COMMANDS.items():
        sub = commands.add_parser(each, help=line, description=line[0].upper() + line[1:] + ".", allow_abbrev=False)
        if each == name:
            command(each).add_arguments(sub)
    return parser
