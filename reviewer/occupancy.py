"""Structures as voxels of an image: what SEG and label maps are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.case import Case, Image, Structure
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.coverage import Coverage, coverage
from reviewer.geometry.section import section

INSIDE = 0.5
"""A voxel belongs to a structure that fills at least this part of it."""

ROUNDING = 1e-5
"""Parts of voxels that differ by less are equal."""

ASIDE = np.array([1.0, 0.7, 0.4]) * 1e-3
"""How far beside a voxel's centre, in voxels along u, v, w, lies the point that decides where exactly one half of it is filled."""

Progress = Callable[[float, str], None]
Box = tuple[slice, slice, slice]
"""Slices (z, y, x) into an image."""


@dataclass(frozen=True)
class Label:
    """One value of a map. hidden: voxels of the structure that show a smaller one."""

    value: int
    structure: Structure
    voxels: int
    hidden: int = 0


def image_for(structures: Sequence[Structure], case: Case, image: Image | None) -> Image:
    """`image`, checked. Raises InputError where structures can't be put on its voxels: there is none, a dose grid stands in, no registration."""
    if image is None:
        raise InputError("there is no image whose voxels could be filled", remedy="open the image with the structures")
    if image.modality == "RTDOSE":
        raise InputError(
            "there is no image, only the dose grid that stands in for one; it is not exported",
            remedy="open the image with the structures",
        )
    for structure in structures:
        try:
            to_structure(structure, image, case)
        except NotRegisteredError as error:
            raise InputError(
                f"it is not registered to the image {image.description or image.id}",
                where=structure.name,
                remedy="open the registration (REG), or leave it out",
            ) from error
    return image


def to_structure(structure: Structure, image: Image, case: Case) -> NDArray[np.float64] | None:
    """(4, 4) map of patient points of the image to those of the structure, None where the frames are the same."""
    here, there = image.grid.frame_of_reference_uid, structure.grid.frame_of_reference_uid
    return None if here == there else case.transform(here, there)


def filled(
    structures: Sequence[Structure], image: Image, case: Case, progress: Progress = lambda share, what: None
) -> Iterator[tuple[Structure, Coverage]]:
    """Each structure with the exact part of each voxel that it fills, in their order."""
    for n, structure in enumerate(structures):
        progress(n / max(len(structures), 1), structure.name)
        yield structure, coverage(structure, image.grid, to_structure(structure, image, case))


def marked(
    structures: Sequence[Structure], image: Image, case: Case, progress: Progress = lambda share, what: None
) -> Iterator[tuple[Structure, Box, NDArray[np.bool_]]]:
    """Each structure with a box of the image and the voxels in it that belong to it, in their order.

    Where a border goes exactly through the centres of voxels, they belong to one of the two structures that meet there, not to both.
    """
    grid = image.grid
    beside = ASIDE * grid.spacing_mm
    for structure, part in filled(structures, image, case, progress):
        mask = part.fraction > INSIDE + ROUNDING
        halves = np.abs(part.fraction - INSIDE) <= ROUNDING
        for z in np.flatnonzero(halves.any(axis=(1, 2))):
            y, x = np.nonzero(halves[z])
            index = np.column_stack([np.full(len(y), z), y, x]) + [box.start for box in part.box]
            uvw = grid.uvw_mm(grid.point_of_index_mm(index)) + beside
            cut = section(
                structure, to_structure(structure, image, case), grid.point_mm(uvw[0]), grid.axes[0], grid.axes[1]
            )
            mask[z, y, x] = cut is not None and shapely.contains_xy(cut, uvw[:, 0], uvw[:, 1])
        yield structure, part.box, mask


def outside(structure: Structure, image: Image, case: Case) -> bool:
    """Whether part of a structure lies beyond the image, so that its voxels are less than it."""
    matrix = to_structure(structure, image, case)
    grid = image.grid
    half, size = np.array(grid.spacing_uv_mm) / 2, np.array(grid.size_uv) * grid.spacing_uv_mm
    low = np.array([*(grid.origin_uv_mm - half), grid.slab_borders_mm[0]])
    high = np.array([*(grid.origin_uv_mm - half + size), grid.slab_borders_mm[-1]])
    to_image = np.eye(4) if matrix is None else np.linalg.inv(matrix)
    for k, region in structure.planes.items():
        u0, v0, u1, v1 = region.bounds
        w = structure.grid.positions_mm[k]
        corners = structure.grid.point_mm([[u, v, w] for u in (u0, u1) for v in (v0, v1)])
        uvw = grid.uvw_mm(corners @ to_image[:3, :3].T + to_image[:3, 3])
        if np.any(uvw < low - 1e-6) or np.any(uvw > high + 1e-6):
            return True
    return False
