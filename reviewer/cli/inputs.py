"""The case that most commands work on, and the choice of patient and study where the input holds several."""

from __future__ import annotations

import argparse
import shlex

from reviewer.case import Case
from reviewer.cli.output import Progress
from reviewer.cli.paths import add_path_arguments, given_paths
from reviewer.demo import demo_folder
from reviewer.errors import InputError
from reviewer.opening import Opening, SeveralPatientsError, begin


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    add_path_arguments(parser)
    parser.add_argument("--patient", metavar="ID", help="which patient, where the input holds several")
    parser.add_argument("--study", action="append", metavar="UID", help="only this study; can be given more than once")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")


def load_case(arguments: argparse.Namespace) -> Case:
    """The case that the arguments name, all but the voxels of its images."""
    return load(arguments).case


def load(arguments: argparse.Namespace) -> Opening:
    """The case that the arguments name, and how the voxels of its images are read."""
    paths = given_paths(arguments)
    studies = frozenset(arguments.study) if arguments.study else None
    with Progress() as progress:
        if arguments.demo:
            paths = [demo_folder(progress=progress)]
        try:
            return begin(paths, patient_id=arguments.patient, study_uids=studies, progress=progress)
        except SeveralPatientsError as error:
            raise InputError(
                f"there are {len(error.candidates)} patients",
                remedy="choose one: " + ", ".join(f"--patient {shlex.quote(c.patient.id)}" for c in error.candidates),
            ) from error
