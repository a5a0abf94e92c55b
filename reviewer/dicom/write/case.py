"""A whole case as a folder of DICOM files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reviewer.case import Case, Image
from reviewer.dicom.write.dose import dose_image, write_dose
from reviewer.dicom.write.header import image_of_frame, study_uid
from reviewer.dicom.write.image import one_object_each, write_cine, write_image
from reviewer.dicom.write.plan import planning_image, write_plan
from reviewer.dicom.write.registration import write_registration
from reviewer.dicom.write.structures import image_of, write_structure_set


@dataclass(frozen=True)
class _Series:
    """One series to write: what it is called, in whose study it goes, how many files it makes, and how."""

    modality: str
    label: str
    date: str
    image: Image | None
    files: int
    write: Callable[[Path], list[Path]]


def write_case(case: Case, folder: Path, progress: Callable[[float, str], None] | None = None) -> list[Path]:
    """Write every object below `folder`, one subfolder per study and in it one per series; the paths in the order of the case.

    The ids of the case become the UIDs where they are UIDs. The same case gives the same bytes.
    progress: told the share done, 0 to 1, and what is being written.
    """
    case = replace(case, images=tuple(map(one_object_each, case.images)))
    everything = list(_series_of(case))
    total = sum(s.files for s in everything)
    studies: dict[str, str] = {}
    taken: set[Path] = set()
    paths: list[Path] = []
    for series in everything:
        if progress is not None:
            progress(len(paths) / total, series.label)
        study = study_uid(case, series.image)
        dates = [i.date for i in case.images if i.date and study_uid(case, i) == study]
        studies.setdefault(study, _name(str(len(studies) + 1), min(dates, default=series.date)))
        place, number = folder / studies[study] / _name(series.modality, series.label), 2
        while place in taken:
            place, number = folder / studies[study] / _name(series.modality, series.label, str(number)), number + 1
        taken.add(place)
        paths += series.write(place)
    if progress is not None:
        progress(1.0, "")
    return paths


def _series_of(case: Case) -> Iterator[_Series]:
    for image in case.images:
        yield _Series(
            image.modality,
            image.description,
            image.date,
            image,
            len(image.grid.positions_mm),
            partial(write_image, image, case),
        )
    for cine in case.cines:
        home = image_of_frame(case, cine.grid.frame_of_reference_uid)
        yield _Series(
            cine.modality, cine.description, cine.date, home, len(cine.times_s), partial(write_cine, cine, case)
        )
    for group in case.structure_sets:
        yield _Series(
            "RTSTRUCT",
            group.label,
            group.date,
            image_of(group, case),
            1,
            _only_file(partial(write_structure_set, group, case)),
        )
    for plan in case.plans:
        yield _Series(
            "RTPLAN", plan.label, plan.date, planning_image(plan, case), 1, _only_file(partial(write_plan, plan, case))
        )
    for dose in case.doses:
        yield _Series(
            "RTDOSE", dose.label, dose.date, dose_image(dose, case), 1, _only_file(partial(write_dose, dose, case))
        )
    for tie in case.registrations:
        home = image_of_frame(case, tie.moving_frame_uid) or image_of_frame(case, tie.fixed_frame_uid)
        yield _Series("REG", tie.label, tie.date, home, 1, _only_file(partial(write_registration, tie, case)))


def _only_file(write: Callable[[Path], Path]) -> Callable[[Path], list[Path]]:
    """A writer of one file as the writer of a series."""
    return lambda folder: [write(folder / "0001.dcm")]


def _name(*words: str) -> str:
    """A folder name of letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9.\-]+", "_", "_".join(w for w in words if w)).strip("._")[:60] or "series"
