"""Structures as NIfTI label maps: one per structure, or one for all.

SimpleITK turns our LPS coordinates into the RAS of NIfTI. Where structures overlap, one map for all can hold only one of them: the
smaller one, so that a tumour is not lost in its organ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from reviewer.case import Case, Image, Structure
from reviewer.errors import InputError
from reviewer.files import new_file, text_path
from reviewer.occupancy import Box, Label, Progress, image_for, marked


def write_masks(
    structures: Sequence[Structure],
    image: Image,
    case: Case,
    paths: Sequence[Path],
    progress: Progress = lambda share, what: None,
) -> list[Label]:
    """A map of zeros and ones for each structure: voxels of which it fills at least half. Where there are none no map is written."""
    _check(structures, image, case)
    labels = []
    for path, (structure, box, mask) in zip(paths, marked(structures, image, case, progress), strict=True):
        inside = _whole(box, mask, image)
        if inside.any():
            _write(inside.astype(np.uint8), image, path)
        labels.append(Label(1, structure, int(inside.sum())))
    return labels


def write_labels(
    structures: Sequence[Structure],
    image: Image,
    case: Case,
    path: Path,
    progress: Progress = lambda share, what: None,
) -> list[Label]:
    """One map, value n for the n-th structure; a voxel of several belongs to the one that fills the fewest voxels."""
    _check(structures, image, case)
    masks = [_whole(box, mask, image) for _, box, mask in marked(structures, image, case, progress)]
    sizes = [int(mask.sum()) for mask in masks]
    merged = np.zeros(image.grid.shape_zyx, np.uint16)
    for n in sorted(range(len(masks)), key=lambda n: -sizes[n]):
        merged[masks[n]] = n + 1
    _write(merged, image, path)
    shown = np.bincount(merged.ravel(), minlength=len(masks) + 1)
    return [Label(n + 1, s, sizes[n], sizes[n] - int(shown[n + 1])) for n, s in enumerate(structures)]


def _check(structures: Sequence[Structure], image: Image, case: Case) -> None:
    if not structures:
        raise InputError("there is no structure with contours")
    image_for(structures, case, image)
    if not image.grid.uniform:
        raise InputError(
            "the slices of the image are unevenly spaced, which NIfTI cannot say",
            where=image.description,
            remedy="export RTSTRUCT or DICOM SEG instead",
        )


def _whole(box: Box, mask: NDArray[np.bool_], image: Image) -> NDArray[np.bool_]:
    whole = np.zeros(image.grid.shape_zyx, bool)
    whole[box] = mask
    return whole


def _write(voxels: NDArray[np.generic], image: Image, path: Path) -> None:
    grid = image.grid
    volume = sitk.GetImageFromArray(voxels)
    volume.SetSpacing(grid.spacing_mm)
    volume.SetOrigin([float(c) for c in grid.point_of_index_mm((0, 0, 0))])
    volume.SetDirection([float(c) for c in grid.axes.T.ravel()])
    with new_file(path) as unfinished:
        sitk.WriteImage(volume, text_path(unfinished), useCompression=True)
