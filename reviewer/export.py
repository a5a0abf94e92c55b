"""Results leave as files: RTSTRUCT always, DICOM SEG and NIfTI on demand. Nothing that exists is ever written over.

What SEG (highdicom) and NIfTI (SimpleITK) need is slow to load, and is imported when one is asked for.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.dicom.anonymous import anonymous
from reviewer.dicom.file import read_file
from reviewer.dicom.structures import structure_set_of
from reviewer.dicom.write import (
    fresh_uid,
    image_of,
    refusal_of_image,
    write_case,
    write_structure_set,
)
from reviewer.dicom.write.header import text
from reviewer.errors import CancelledError, InputError, ReviewerError
from reviewer.files import make_folder, new_file, refuse_existing
from reviewer.occupancy import Label, image_for, outside

Progress = Callable[[float, str], None]

ROUNDING_MM = 0.001
"""Coordinates come back from a file within this."""


@dataclass(frozen=True)
class Formats:
    """What is written beside the RTSTRUCT.

    fractional: a SEG with the filled part of each voxel instead of yes or no. merged: one label map for all structures of a set.
    """

    seg: bool = False
    fractional: bool = False
    nifti: bool = False
    merged: bool = False
    anonymise: bool = False


@dataclass(frozen=True)
class Written:
    """One file. kind: RTSTRUCT, SEG, NIfTI, table, or DICOM for what an anonymised case consists of; structures: names of those in it."""

    path: Path
    kind: str
    label: str
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """What was written, and what a person should know of it."""

    files: tuple[Written, ...]
    remarks: tuple[str, ...]


def export(
    case: Case,
    structure_sets: Sequence[StructureSet],
    folder: Path,
    formats: Formats = Formats(),
    *,
    made: datetime | None = None,
    progress: Progress = lambda share, what: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write sets of the case below `folder`. What a set lacks of what the case holds of it is left out on purpose.

    Each RTSTRUCT is opened again and compared before it counts as written. Where anything fails, what this call wrote is taken away.
    Raises InputError for what can't be written, before anything is, where that can be told; CancelledError.
    """
    if not structure_sets:
        raise InputError("there is no structure set to export")
    remarks: list[str] = []
    chosen = {group.id: _as_signed(group, case, remarks) for group in structure_sets}
    case = replace(case, structure_sets=tuple(chosen[g.id] for g in case.structure_sets if g.id in chosen))
    if formats.anonymise:
        case = _writable(anonymous(case), remarks)
    steps = list(_steps(case, folder, formats, made or datetime.now(), remarks, progress))
    refuse_existing(step.place for step in steps)
    files: list[Written] = []
    done: list[_Step] = []
    try:
        for step in steps:
            if cancelled():
                raise CancelledError
            if step.folder:
                make_folder(step.place)
                done.append(step)
            files += step.write()
            if not step.folder:
                done.append(step)
    except BaseException:
        for step in done:
            _remove(step.place)
        raise
    progress(1.0, "")
    return Exported(tuple(files), tuple(dict.fromkeys(remarks)))


def _as_signed(group: StructureSet, case: Case, remarks: list[str]) -> StructureSet:
    """A part of a set that was signed here is not what was signed."""
    whole = case.structure_set(group.id)
    if not group.signed or (whole is not None and group.structures == whole.structures):
        return group
    remarks.append(f"{group.label} was {group.approval.lower()} as a whole: a part of it is written as unapproved")
    return replace(group, approval="UNAPPROVED", reviewer="", reviewed="", signed=False)


ANONYMISED = (
    "Identity, dates, free text and identifiers were replaced (PS3.15 basic profile; clean descriptors; modified dates). "
    "Text burned into pixels and faces in images of a head were not looked for; plans and cines are not among the files"
)


@dataclass(frozen=True)
class _Step:
    """One thing to write. place: the file that it makes, or the new folder that all its files go into."""

    place: Path
    write: Callable[[], list[Written]]
    folder: bool = False


def _steps(
    case: Case, folder: Path, formats: Formats, made: datetime, remarks: list[str], progress: Progress
) -> Iterator[_Step]:
    if formats.anonymise:
        remarks.append(ANONYMISED)
        yield _Step(folder / "anonymous", partial(_whole_case, case, folder / "anonymous", progress), folder=True)
    used: Counter[str] = Counter()
    for group in case.structure_sets:
        name = _name(group.label, "Structures", used)
        drawn = [s for s in group.structures if not s.empty]
        job = _OfSet(group, image_of(group, case), drawn, case, made, remarks, progress)
        if not formats.anonymise:
            yield _Step(folder / f"RS_{name}.dcm", partial(job.rtstruct, folder / f"RS_{name}.dcm"))
        if (formats.seg or formats.nifti) and not drawn:
            remarks.append(f"{group.label} has no contours: it makes no voxels")
            continue
        if formats.seg:
            yield _Step(folder / f"SEG_{name}.dcm", partial(job.seg, folder / f"SEG_{name}.dcm", formats.fractional))
        if formats.nifti and formats.merged:
            yield _Step(folder / f"LABELS_{name}", partial(job.labels, folder / f"LABELS_{name}"), folder=True)
        elif formats.nifti:
            yield _Step(folder / f"NIFTI_{name}", partial(job.masks, folder / f"NIFTI_{name}"), folder=True)


@dataclass(frozen=True)
class _OfSet:
    """What can be written of one set. drawn: its structures that are not empty."""

    group: StructureSet
    image: Image | None
    drawn: Sequence[Structure]
    case: Case
    made: datetime
    remarks: list[str]
    progress: Progress

    def rtstruct(self, path: Path) -> list[Written]:
        self.progress(0.0, path.name)
        report = self.remarks.append
        write_structure_set(self.group, self.case, path, instance_uid=fresh_uid(), made=self.made, report=report)
        _check_written(path, self.group, self.case)
        return [Written(path, "RTSTRUCT", self.group.label, tuple(s.name for s in self.group.structures))]

    def seg(self, path: Path, fractional: bool) -> list[Written]:
        segments = import_module("reviewer.dicom.write.segmentation").write_segmentation(
            self.drawn,
            self._voxels(),
            self.case,
            path,
            label=self.group.label,
            instance_uid=fresh_uid(),
            made=self.made,
            fractional=fractional,
            progress=self.progress,
            report=self.remarks.append,
        )
        return [Written(path, "SEG", self.group.label, tuple(s.name for s in segments))]

    def masks(self, folder: Path) -> list[Written]:
        used: Counter[str] = Counter()
        paths = [folder / f"{_name(s.name, 'structure', used)}.nii.gz" for s in self.drawn]
        labels = import_module("reviewer.volumes.label_maps").write_masks(
            self.drawn, self._voxels(), self.case, paths, self.progress
        )
        self._remark(labels)
        return [
            Written(path, "NIfTI", self.group.label, (label.structure.name,))
            for path, label in zip(paths, labels, strict=True)
            if label.voxels
        ]

    def labels(self, folder: Path) -> list[Written]:
        """The map and, beside it, what its values mean."""
        path, table = folder / "labels.nii.gz", folder / "labels.txt"
        labels = import_module("reviewer.volumes.label_maps").write_labels(
            self.drawn, self._voxels(), self.case, path, self.progress
        )
        self._remark(labels)
        with new_file(table) as unfinished:
            unfinished.write_text(label_table(labels), encoding="utf-8")
        names = tuple(s.name for s in self.drawn)
        return [Written(path, "NIfTI", self.group.label, names), Written(table, "table", self.group.label, names)]

    def _voxels(self) -> Image:
        image = image_for(self.drawn, self.case, self.image)
        beyond = [s.name for s in self.drawn if outside(s, image, self.case)]
        if beyond:
            self.remarks.append(f"beyond the image there are no voxels, and these reach there: {', '.join(beyond)}")
        return image

    def _remark(self, labels: Sequence[Label]) -> None:
        absent = [label.structure.name for label in labels if not label.voxels]
        if absent:
            self.remarks.append(f"in no label map, since no voxel is filled by half: {', '.join(absent)}")
        for label in labels:
            if label.hidden:
                self.remarks.append(
                    f"{label.structure.name}: {label.hidden} of its {label.voxels} voxels show a smaller structure that overlaps it"
                )


def label_table(labels: Sequence[Label]) -> str:
    """Values, colours and names in the form of ITK-SNAP's label descriptions."""
    lines = [
        "# value red green blue opacity visible mesh name; where structures overlap, the smaller one has the voxel"
    ]
    for label in labels:
        red, green, blue = label.structure.colour
        name = label.structure.name.replace('"', "'")
        lines.append(f'{label.value:5d} {red:3d} {green:3d} {blue:3d} 1 1 1 "{name}"')
    return "\n".join(lines) + "\n"


def _whole_case(case: Case, folder: Path, progress: Progress) -> list[Written]:
    return [Written(path, "DICOM", path.parent.name) for path in write_case(case, folder, progress)]


def _writable(case: Case, remarks: list[str]) -> Case:
    """Without the images that can't be written as DICOM, and without the doses that were computed here, which would pass for the plan's.

    Raises InputError for an image of which slices are still missing.
    """
    images = []
    for image in case.images:
        if not image.complete:
            raise InputError("its slices have not all been read", where=image.description, remedy="wait for them")
        reason = refusal_of_image(image)
        if reason:
            remarks.append(f"{image.description or image.id} is not among the files: {reason}")
        else:
            images.append(image)
    for dose in case.doses:
        if dose.statements or dose.recipe:
            remarks.append(f"{dose.label} is not among the files: it was computed here, or by a backend")
    doses = tuple(d for d in case.doses if not (d.statements or d.recipe))
    return replace(case, images=tuple(images), doses=doses)


def _check_written(path: Path, group: StructureSet, case: Case) -> None:
    """Open an RTSTRUCT again and compare the area of each structure over all planes. Raises ReviewerError where one differs."""
    file = read_file(str(path))
    back = structure_set_of(file, case.images, lambda *problem: None).structures if file is not None else ()
    for structure, again in zip(group.structures, back, strict=False):
        area, length = _measure(structure)
        found, _ = _measure(again)
        names = (structure.name.strip(), text(structure.name) or f"ROI {again.number}")
        if again.name not in names or abs(found - area) > ROUNDING_MM * length + 0.01:
            _remove(path)
            raise ReviewerError(
                f"it does not read back as it is ({found:.2f} mm² of {area:.2f} mm²), and was not kept",
                where=structure.name,
                remedy="please report this",
            )
    if len(back) != len(group.structures):
        _remove(path)
        raise ReviewerError(f"{len(back)} of {len(group.structures)} structures read back; the file was not kept")


def _measure(structure: Structure) -> tuple[float, float]:
    """Area (mm²) and length of the outlines (mm), over all planes."""
    regions = structure.planes.values()
    return sum(float(r.area) for r in regions), sum(float(r.length) for r in regions)


def _remove(place: Path) -> None:
    """A file or folder of our own making."""
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink()


def _name(label: str, otherwise: str, used: Counter[str]) -> str:
    """A file name of letters, digits, dots, dashes and underscores that was not given before, upper and lower case alike."""
    name = re.sub(r"[^\w.\-]+", "_", label, flags=re.ASCII).strip("._")[:60] or otherwise
    used[name.lower()] += 1
    if used[name.lower()] == 1:
        return name
    return _name(f"{name}_{used[name.lower()]}", otherwise, used)
