"""Cines as MetaImage files: frames and labels in the layout of the TrackRAD2025 data (Wang et al., Med Phys 2025, doi 10.1002/mp.17964).

A folder of one patient holds ``frame-rate.json`` (frames per second, a bare number), ``images/*_frames.mha`` and, where there are
labels, ``targets/*_first_label.mha`` (of the first frame) and ``targets/*_labels.mha`` (of all; ``*_staple_labels.mha`` is the consensus of
several observers). Further series of a patient without labels are ``*_frames2.mha`` … with ``frame-rate2.json`` …. Time is the first axis of the
released files (ITK order: t, x, y; as an array rows, columns, frames), and the last of files written the other way (x, y, t); both are read.
The files do not say how their plane lies in the patient: such a cine is in a frame of reference of its own, and not oriented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from reviewer.case import Cine, Problem, Structure, StructureSet
from reviewer.case.structure import PALETTE
from reviewer.case.uid import frame_of_volume, name_of_volume
from reviewer.errors import InputError
from reviewer.files import text_path
from reviewer.geometry.grid import Grid
from reviewer.geometry.tracing import regions_of_labels
from reviewer.volumes.images import MAX_VOXELS

FRAMES = re.compile(r"frames(\d*)\.(mha|mhd)$", re.IGNORECASE)
LABELS = re.compile(r"labels?\d*\.(mha|mhd)$", re.IGNORECASE)
RATE = re.compile(r"frame-rate(\d*)\.json$", re.IGNORECASE)
LABEL_FOLDERS = ("targets", "labels")
RATE_BYTES = 1000
HIGHEST_RATE = 100.0
"""Frames per second; no cine of an MR scanner is faster."""

Labels = NDArray[np.integer]


def is_cine(path: str) -> bool:
    """Whether a file is named like frames and a frame rate lies beside it or one folder up; without one it is a volume."""
    return bool(FRAMES.search(path)) and bool(_rate_files(path))


def labels_of(path: str, names: Sequence[str]) -> tuple[str, ...]:
    """The label files among `names` that go with a file of frames: of the same patient folder, its first series only."""
    number = FRAMES.search(path)
    if number is None or number[1]:
        return ()
    own, patient = Path(path).parent, Path(path).parent.parent
    near = [n for n in names if LABELS.search(n) and Path(n).parent in (own, *(patient / f for f in LABEL_FOLDERS))]
    stem = FRAMES.sub("", Path(path).name)
    return tuple([n for n in near if Path(n).name.startswith(stem)] or near)


def read_cine(path: str, labels: Sequence[str]) -> tuple[Cine, StructureSet | None, list[Problem]]:
    """The cine, its target on the first frame as structures in its plane, and notes. Labels that do not fit are a problem of their own.

    Raises InputError where the frames cannot be read.
    """
    rate = _rate(path)
    voxels, spacing = _read(path)
    notes: list[Problem] = []
    first_file, all_file = _chosen(labels, notes)
    first, every = _labels(first_file, notes), _labels(all_file, notes)
    axis = _time_axis(voxels.shape, None if first is None else first.shape)
    frames = np.moveaxis(voxels, axis, 0)
    uid = name_of_volume(voxels, *spacing)
    along = [k for k in range(3) if k != axis]
    dy, dx = spacing[along[0]], spacing[along[1]]
    grid = Grid(
        np.eye(3), (0.0, 0.0), (dx, dy), (frames.shape[2], frames.shape[1]), np.array([0.0]), frame_of_volume(uid)
    )
    first = _fitting(first, axis, (1, *frames.shape[1:]), first_file, notes)
    every = _fitting(every, axis, frames.shape, all_file, notes)
    name = re.sub(r"\.(mha|mhd)$", "", Path(path).name, flags=re.IGNORECASE)
    times = np.arange(len(frames)) / rate
    cine = Cine(uid, "MR", name, grid, np.ascontiguousarray(frames), times, oriented=False, labels=every)
    told = f"taken for a cine of {len(frames)} frames at {rate:g} frames/s; it does not say how its plane lies in the patient"
    notes.append(Problem(path, "note", told))
    marked, file = (first, first_file) if first is not None else (every, all_file)
    if marked is None or file is None:
        return cine, None, notes
    if every is not None and not np.array_equal(marked[0], every[0]):
        told = "its target on the first frame is not that of the labels of all frames: tracking starts from the first"
        notes.append(Problem(file, "warning", told))
    set_id = name_of_volume(marked, *spacing)
    group = StructureSet(
        set_id,
        Path(file).name,
        tuple(
            Structure(
                f"{set_id}#{value}", "Target" if value == 1 else f"Target {value}", grid, {0: region}, "GTV",
                PALETTE[n % len(PALETTE)], None, value,
            )
            for n, (value, region) in enumerate(regions_of_labels(marked[0], grid))
        ),
        None,
        grid.frame_of_reference_uid,
        path=file,
    )  # fmt: skip
    notes.append(Problem(file, "note", f"taken for the target on the first frame of {name}"))
    if every is not None and all_file is not None:
        there = int(np.count_nonzero(every.any(axis=(1, 2))))
        told = f"taken for the target on {there} of {len(every)} frames: what is tracked is compared with it"
        notes.append(Problem(all_file, "note", told))
    return cine, group if group.structures else None, notes


def _chosen(labels: Sequence[str], notes: list[Problem]) -> tuple[str | None, str | None]:
    """The file of the first frame and that of all: of several observers the consensus, else the one without a number."""

    def rank(name: str) -> tuple[bool, bool, str]:
        file = Path(name).name.lower()
        return "staple" not in file, bool(re.search(r"\d\.\w+$", file)), file

    def best(names: list[str]) -> str | None:
        for other in sorted(names, key=rank)[1:]:
            notes.append(Problem(other, "note", f"left alone: {Path(min(names, key=rank)).name} is taken"))
        return min(names, key=rank, default=None)

    return (
        best([n for n in labels if "first" in Path(n).name.lower()]),
        best([n for n in labels if "first" not in Path(n).name.lower()]),
    )


def _labels(path: str | None, notes: list[Problem]) -> Labels | None:
    """As in the file; None where it cannot be read."""
    if path is None:
        return None
    try:
        values, _ = _read(path)
        if values.dtype.kind not in "iu":
            raise InputError("they have values that are no whole numbers", where=path)
    except InputError as error:
        notes.append(Problem(path, "error", f"its labels were left out: {error.what}"))
        return None
    return values  # type: ignore[return-value]


def _fitting(
    values: Labels | None, axis: int, shape: tuple[int, ...], path: str | None, notes: list[Problem]
) -> Labels | None:
    """(t, y, x), None where it is not of this shape."""
    if values is None or path is None:
        return None
    moved = np.moveaxis(values, axis, 0)
    if moved.shape == shape:
        return np.ascontiguousarray(moved)
    told = f"its labels were left out: they are for {moved.shape[0]} frames of {moved.shape[1:]} pixels, not {shape[0]} of {shape[1:]}"
    notes.append(Problem(path, "error", told))
    return None


def _read(path: str) -> tuple[NDArray[np.generic], tuple[float, float, float]]:
    """Values and spacing in array order (the reverse of ITK's)."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(text_path(path))
    try:
        reader.ReadImageInformation()
        if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
            raise InputError("it is no series of frames: three dimensions with one value each are needed", where=path)
        if np.prod([float(s) for s in reader.GetSize()]) > MAX_VOXELS:
            raise InputError("it claims more pixels than is believable", where=path)
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"it cannot be read ({str(error).strip().splitlines()[-1][:160]})", where=path) from error
    spacing = image.GetSpacing()[::-1]
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise InputError("its spacing is not valid", where=path)
    voxels = sitk.GetArrayFromImage(image)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        raise InputError("it holds values that are not finite numbers", where=path)
    return voxels, spacing


def _time_axis(shape: tuple[int, ...], label: tuple[int, ...] | None) -> int:
    """Of the array: where a label of one frame is there, the axis on which it has one; else the odd one out of square frames; else the last."""
    if label is not None and label.count(1) == 1:
        return label.index(1)
    return 0 if shape[1] == shape[2] != shape[0] else 2


def _rate_files(path: str) -> list[Path]:
    """Nearest folder first."""
    folders = (Path(path).parent, Path(path).parent.parent)
    return [file for folder in folders for file in sorted(folder.glob("*.json")) if RATE.search(file.name)]


def _rate(path: str) -> float:
    """That of the series with the same number: the series of one patient may differ."""
    series = FRAMES.search(path)
    number, stem = series[1] if series else "", FRAMES.sub("", Path(path).name)
    found = [f for f in _rate_files(path) if (m := RATE.search(f.name)) and m[1] == number]
    file = next((f for f in found if f.name.startswith(stem)), next(iter(found), None))
    if file is None or file.stat().st_size > RATE_BYTES:
        raise InputError(f"there is no frame-rate{number}.json beside it", where=path)
    try:
        rate = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError("it holds no frame rate", where=str(file)) from error
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= HIGHEST_RATE:
        raise InputError(f"the frame rate is {str(rate)[:40]}, not a number of frames per second", where=str(file))
    return float(rate)
