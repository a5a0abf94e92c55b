"""Cines as MetaImage files: frames and labels in the layout of the TrackRAD2025 data (Wang et al., Med Phys 2025, doi 10.1002/mp.17964).

A folder of one patient holds ``*frame-rate.json`` (frames per second, a bare number), ``images/*_frames.mha`` and, where there are
labels, ``targets/*_first_label.mha`` (of the first frame) and ``targets/*_labels.mha`` (of all). Time is the first axis of the released files
(ITK order: t, y, x), and the last of files written the other way (x, y, t); both are read. The files do not say how their plane lies in the
patient: such a cine is in a frame of reference of its own, and not oriented.
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
from reviewer.case.uid import frame_of_volume
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.volumes import MAX_VOXELS, regions_of_labels

FRAMES = re.compile(r"frames\d*\.(mha|mhd)$", re.IGNORECASE)
LABELS = re.compile(r"(first_label|labels?)\.(mha|mhd)$", re.IGNORECASE)
RATE_BYTES = 1000
HIGHEST_RATE = 100.0
"""Frames per second; no cine of an MR scanner is faster."""


def is_cine(path: str) -> bool:
    """Whether a file is named like frames and a frame rate lies beside it or one folder up; without one it is a volume."""
    return bool(FRAMES.search(path)) and _rate_file(path) is not None


def labels_of(path: str, names: Sequence[str]) -> str | None:
    """The label file among `names` that goes with a file of frames: of the same patient folder, that of the first frame first."""
    near = [n for n in names if is_label_of(n, path)]
    stem = FRAMES.sub("", Path(path).name)
    own = [n for n in near if Path(n).name.startswith(stem)] or near
    return min(own, key=lambda n: ("first" not in Path(n).name.lower(), n), default=None)


def is_label_of(name: str, path: str) -> bool:
    """Whether a file is named like labels and lies in the patient folder of a file of frames."""
    near = (Path(path).parent, Path(path).parent.parent / Path(name).parent.name)
    return bool(LABELS.search(name)) and Path(name).parent in near


def read_cine(path: str, labels: str | None) -> tuple[Cine, StructureSet | None, list[Problem]]:
    """The cine, its labels on the first frame as structures in its plane, and notes. Raises InputError."""
    rate = _rate(path)
    voxels, spacing = _read(path)
    first = None if labels is None else _read(labels)
    axis = _time_axis(voxels.shape, None if first is None else first[0].shape)
    frames = np.moveaxis(voxels, axis, 0)
    along = [k for k in range(3) if k != axis]
    dy, dx = spacing[along[0]], spacing[along[1]]
    grid = Grid(
        np.eye(3), (0.0, 0.0), (dx, dy), (frames.shape[2], frames.shape[1]), np.array([0.0]), frame_of_volume(path)
    )
    name = re.sub(r"\.(mha|mhd)$", "", Path(path).name, flags=re.IGNORECASE)
    times = np.arange(len(frames)) / rate
    cine = Cine(path, "MR", name, grid, np.ascontiguousarray(frames), times, oriented=False)
    notes = [
        Problem(
            path, "note",
            f"taken for a cine of {len(frames)} frames at {rate:g} frames/s; it does not say how its plane lies in the patient",
        )
    ]  # fmt: skip
    if labels is None or first is None:
        return cine, None, notes
    marked = np.moveaxis(first[0], axis, 0)
    if marked.shape[1:] != frames.shape[1:]:
        raise InputError(f"its label has {marked.shape[1:]} pixels, its frames {frames.shape[1:]}", where=labels)
    if marked.dtype.kind not in "iu":
        raise InputError("its label has values that are no integers", where=labels)
    group = StructureSet(
        labels,
        Path(labels).name,
        tuple(
            Structure(
                f"{labels}#{value}", "Target" if value == 1 else f"Target {value}", grid, {0: region}, "GTV",
                PALETTE[n % len(PALETTE)], None, value,
            )
            for n, (value, region) in enumerate(regions_of_labels(marked[0], grid))
        ),
        None,
        grid.frame_of_reference_uid,
        path=labels,
    )  # fmt: skip
    notes.append(Problem(labels, "note", f"taken for the target on the first frame of {name}"))
    return cine, group if group.structures else None, notes


def _read(path: str) -> tuple[NDArray[np.generic], tuple[float, float, float]]:
    """Values and spacing in array order (the reverse of ITK's)."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
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


def _rate_file(path: str) -> Path | None:
    for folder in (Path(path).parent, Path(path).parent.parent):
        for found in sorted(folder.glob("*frame-rate.json")):
            return found
    return None


def _rate(path: str) -> float:
    file = _rate_file(path)
    if file is None or file.stat().st_size > RATE_BYTES:
        raise InputError("there is no frame rate beside it", where=path)
    try:
        rate = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError("it holds no frame rate", where=str(file)) from error
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= HIGHEST_RATE:
        raise InputError(f"the frame rate is {str(rate)[:40]}, not a number of frames per second", where=str(file))
    return float(rate)
