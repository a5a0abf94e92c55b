"""The files of one patient become the parts of a case; every file that does not is one line of `problems`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Case, Cine, Dose, Patient, Plan, Problem, Registration, Severity, StructureSet
from reviewer.case.uid import stand_in_uid
from reviewer.dicom.dose import RT_DOSE, dose_of
from reviewer.dicom.file import DicomFile
from reviewer.dicom.plan import RT_ION_PLAN, RT_PLAN, plan_of
from reviewer.dicom.planes import IMAGE_CLASSES, Head, Plane, head_of, planes_of
from reviewer.dicom.registration import DEFORMABLE_REGISTRATION, SPATIAL_REGISTRATION, registrations_of
from reviewer.dicom.segmentation import LABEL_MAP, SEGMENTATION, structure_set_of_segments
from reviewer.dicom.series import Load, open_series
from reviewer.dicom.structures import RT_STRUCTURE_SET, structure_set_of
from reviewer.dicom.values import date, text
from reviewer.errors import CancelledError, NotRegisteredError, ReviewerError

OBJECTS = (SPATIAL_REGISTRATION, RT_STRUCTURE_SET, SEGMENTATION, LABEL_MAP, RT_DOSE, RT_PLAN, RT_ION_PLAN)
"""Opened one by one, after the images, in this order."""


@dataclass(slots=True)
class Found:
    """What the files of one patient hold. loads: the images, their voxels still in the files."""

    loads: list[Load] = field(default_factory=list)
    structure_sets: list[StructureSet] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    cines: list[Cine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def report(self, file: str, severity: Severity, message: str) -> None:
        self.problems.append(Problem(file, severity, message))


def patient_of(files: Sequence[DicomFile]) -> Patient:
    """Identity from the first file that states each part; the name as DICOM writes it, family^given."""

    def first(keyword: str) -> str:
        return next((value for file in files if (value := text(file.dataset, keyword))), "")

    return Patient(
        name=_name(first("PatientName")),
        id=first("PatientID"),
        sex=first("PatientSex"),
        birth_date=next((day for file in files if (day := date(file.dataset, "PatientBirthDate"))), ""),
        age=first("PatientAge"),
    )


def _name(value: str) -> str:
    """The alphabetic group of a person name without the empty components at its end."""
    return value.split("=")[0].strip(" ^")


def read(files: Sequence[DicomFile], progress: Callable[[float, str], None], check: Callable[[], None]) -> Found:
    """Everything in these files, which belong to one patient. check: called often, raises CancelledError when the user stops."""
    found = Found()
    files = _without_copies(files, found)
    names = Counter(name for file in files if (name := _name(text(file.dataset, "PatientName"))))
    if len({name.casefold() for name in names}) > 1:
        listed = ", ".join(f'"{name}"' for name, _ in names.most_common(4))
        found.report(files[0].path, "warning", f"one patient id, but several names: {listed}")
    _read_images(files, found, check)
    objects = sorted(
        (file for file in files if file.sop_class_uid in OBJECTS), key=lambda f: OBJECTS.index(f.sop_class_uid)
    )
    for n, file in enumerate(objects):
        check()
        progress(n / len(objects), f"Reading {file.kind.removesuffix(' Storage')}")
        _read_object(file, found, check)
    found.registrations.sort(key=lambda registration: registration.date, reverse=True)
    _report_contradictions(found)
    _refuse_the_rest(files, found)
    return found


SAME_TIE_MM = 0.1
"""Registrations that put no corner of an image further apart than this say the same."""


def _report_contradictions(found: Found) -> None:
    """One line for each registration that is not used, since a newer one ties the same two frames of reference otherwise, and for each that
    is, though others tie its frames otherwise over a third one: then not all that is shown together can lie right."""
    used: dict[frozenset[str], Registration] = {}
    for each in found.registrations:
        newer = used.setdefault(frozenset((each.moving_frame_uid, each.fixed_frame_uid)), each)
        if newer is not each:
            apart = _apart_mm(found, each, [newer])
            if apart > SAME_TIE_MM:
                why = "newer" if newer.date > each.date else "no older, but read before"
                found.report(
                    each.path,
                    "warning",
                    f"{newer.path} ties the same two frames of reference, up to {apart:.1f} mm otherwise: it is {why}, and is used, not this one",
                )
            continue
        apart = _apart_mm(found, each, [other for other in used.values() if other is not each])
        if apart > SAME_TIE_MM:
            found.report(
                each.path,
                "warning",
                f"other registrations together tie the same two frames of reference, up to {apart:.1f} mm otherwise: between these two this one "
                "is used, but images of a third frame cannot fit to both",
            )


def _apart_mm(found: Found, registration: Registration, others: Sequence[Registration]) -> float:
    """How far apart a registration and others put a corner of an image; 0 where the others do not tie its frames."""
    try:
        matrix = Case(registrations=tuple(others)).transform(
            registration.moving_frame_uid, registration.fixed_frame_uid
        )
    except NotRegisteredError:
        return 0.0
    corners = _corners(found, registration.moving_frame_uid)
    return float(np.linalg.norm(corners @ (matrix - registration.matrix).T, axis=1).max())


def _corners(found: Found, frame_uid: str) -> NDArray[np.float64]:
    """(n, 4) homogeneous points at the corners of the images in a frame, of a cube of 400 mm where there is none."""
    signs = np.array(list(product((0.0, 1.0), repeat=3)))
    grids = [load.image.grid for load in found.loads if load.image.grid.frame_of_reference_uid == frame_uid]
    points = [grid.point_of_index_mm(signs * (np.array(grid.shape_zyx) - 1)) for grid in grids] or [400 * signs - 200]
    return np.insert(np.concatenate(points), 3, 1.0, axis=1)


def _without_copies(files: Sequence[DicomFile], found: Found) -> list[DicomFile]:
    """The files without second copies of the same object; planes of images are judged by their pixels later."""
    kept: list[DicomFile] = []
    first: dict[str, DicomFile] = {}
    copies: dict[str, list[str]] = defaultdict(list)
    for file in files:
        other = first.get(file.sop_uid) if file.sop_uid and file.sop_class_uid in OBJECTS else None
        if other is None:
            first.setdefault(file.sop_uid, file)
            kept.append(file)
        elif _same_bytes(file.path, other.path):
            copies[other.path].append(file.path)
        else:
            kept.append(replace(file, sop_uid=stand_in_uid(file.sop_uid, file.path)))
            found.report(
                file.path,
                "warning",
                f"{other.path} has the same SOP instance UID, but other content: both are opened, references mean the other",
            )
    for original, paths in copies.items():
        counted = "it is a copy" if len(paths) == 1 else f"it and {len(paths) - 1} more are copies"
        found.report(paths[0], "note", f"{counted} of {original} and left out")
    return kept


def _same_bytes(a: str, b: str) -> bool:
    one, other = Path(a), Path(b)
    try:
        return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _read_images(files: Sequence[DicomFile], found: Found, check: Callable[[], None]) -> None:
    series: dict[tuple[str, ...], tuple[Head, list[Plane]]] = {}
    refused: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in files:
        if file.sop_class_uid not in IMAGE_CLASSES:
            continue
        try:
            planes = planes_of(file)
            head = head_of(file)
        except ReviewerError as error:
            refused[file.series_uid, error.what].append(file.path)
            continue
        except Exception as error:
            refused[file.series_uid, f"it cannot be understood ({str(error)[:120]})"].append(file.path)
            continue
        key = (head.series_uid or str(Path(file.path).parent), head.modality, head.frame_uid, head.study_uid)
        series.setdefault(key, (head, []))[1].extend(planes)
    for (_, reason), paths in refused.items():
        more = f" (and {len(paths) - 1} more files of the series)" if len(paths) > 1 else ""
        found.report(paths[0], "error", f"the image was not opened: {reason}{more}")
    met: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for part, (head, _) in series.items():
        met[head.series_uid].append(part)
    for part, (head, planes) in series.items():
        check()
        if not head.series_uid:
            head = replace(head, series_uid=stand_in_uid("series", *sorted(p.sop_uid + p.pixels.path for p in planes)))
            found.report(
                planes[0].pixels.path,
                "note",
                f"the {head.modality} series has no series instance UID: it was grouped by folder",
            )
        elif len(met[head.series_uid]) > 1:
            number = sorted(met[head.series_uid]).index(part) + 1  # not in the order met: names of folders may change
            found.report(
                planes[0].pixels.path,
                "warning",
                "one series instance UID, but several frames of reference or studies: it was split",
            )
            head = replace(head, series_uid=f"{head.series_uid}#{number}")
        if not head.frame_uid:
            head = replace(head, frame_uid=stand_in_uid("frame", head.series_uid))
            found.report(
                planes[0].pixels.path,
                "warning",
                f"the {head.modality} series names no frame of reference: nothing else can be laid over it",
            )
        try:
            loads, cines = open_series(head, planes, found.report)
        except Exception as error:
            found.report(planes[0].pixels.path, "error", f"the {head.modality} series was not opened ({_gist(error)})")
            continue
        found.loads += loads
        found.cines += cines


def _gist(error: Exception) -> str:
    return error.what if isinstance(error, ReviewerError) else f"{type(error).__name__}: {str(error)[:120]}"


def _read_object(file: DicomFile, found: Found, check: Callable[[], None]) -> None:
    if not file.sop_uid:
        file = replace(file, sop_uid=stand_in_uid("object", file.path))
        found.report(file.path, "note", "it has no SOP instance UID")
    images = [load.image for load in found.loads]
    try:
        if file.sop_class_uid == SPATIAL_REGISTRATION:
            frame_of_sop = {
                uid: image.grid.frame_of_reference_uid for image in images for uid in image.sop_instance_uids
            }
            found.registrations += registrations_of(file, frame_of_sop, found.report)
        elif file.sop_class_uid == RT_STRUCTURE_SET:
            found.structure_sets.append(structure_set_of(file, images, found.report))
        elif file.sop_class_uid in (SEGMENTATION, LABEL_MAP):
            found.structure_sets.append(structure_set_of_segments(file, images, found.report, check))
        elif file.sop_class_uid == RT_DOSE:
            found.doses.append(dose_of(file, found.report))
        else:
            found.plans.append(plan_of(file, found.report))
    except CancelledError:
        raise
    except ReviewerError as error:
        found.report(file.path, "error", f"it was not opened: {error.what}")
    except Exception as error:
        found.report(file.path, "error", f"it was not opened: it cannot be understood ({_gist(error)})")


def _refuse_the_rest(files: Sequence[DicomFile], found: Found) -> None:
    """One line for each kind of object and series that this program does not open."""
    rest: dict[tuple[str, str], list[DicomFile]] = defaultdict(list)
    for file in files:
        if file.sop_class_uid not in IMAGE_CLASSES and file.sop_class_uid not in OBJECTS:
            rest[file.kind, file.series_uid].append(file)
    for (kind, _), group in rest.items():
        what = (
            "deformable registrations are not supported"
            if group[0].sop_class_uid == DEFORMABLE_REGISTRATION
            else f"{kind} is not supported"
        )
        count = "" if len(group) == 1 else f" ({len(group)} files)"
        found.report(group[0].path, "error", f"it was not opened: {what}{count}")
