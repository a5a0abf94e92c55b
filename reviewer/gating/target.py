"""The target on a cine: a 3D structure cut by its plane, or a polygon; and the frame on which it lies there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Case, Cine, Image, Structure
from reviewer.errors import InputError, NotRegisteredError
from reviewer.gating.rule import Floats
from reviewer.geometry.region import Region, region_of_rings
from reviewer.geometry.reslice import PlaneSampling, reslice
from reviewer.geometry.section import section
from reviewer.geometry.tracing import region_of_pixels

NEAR_MM = 30.0
"""What of a frame is compared with the scan: the target and this much around it, enough for the dome and vessels."""

WEAK_MATCH = 0.5
"""Correlation below which a frame is not taken for the scan's breathing state without saying so."""

KINDS = ("GTV", "CTV", "ITV", "PTV")


@dataclass(frozen=True, eq=False)
class Target:
    """region: in plane coordinates (u, v) of the cine's grid, mm, as it lies on frame `reference` (index).

    labelled:   where somebody has drawn it on each frame, None on frames without; empty where nobody has.
    statements: how the region and the frame were found; shown with every result.
    """

    name: str
    region: Region
    reference: int
    statements: tuple[str, ...] = ()
    labelled: tuple[Region | None, ...] = ()


def target_of_structure(case: Case, cine: Cine, structure: Structure, reference: int | None = None) -> Target:
    """The cut of a structure with the middle of the cine's slice.

    reference: the frame that shows the target in its place. None: the frame that looks most like the image that the structure was drawn
    on, where its voxels have been read and it is of the cine's modality; else the first.
    A structure that is the label of the cine's frames is taken as it is labelled on the reference frame.
    Raises InputError where the plane misses the structure, NotRegisteredError where nothing ties the two frames of reference.
    """
    labelled = labelled_on(cine, structure)
    if labelled and reference is not None:
        region = labelled[checked(cine, reference)]
        if region is None:
            raise InputError(f"{structure.name} is not labelled on frame {reference}", remedy="choose another frame")
        return Target(structure.name, region, reference, (f"reference: frame {reference}, as labelled",), labelled)
    region = cut_of(case, cine, structure)
    if region is None:
        raise InputError(f"the plane of the cine does not cut {structure.name}", remedy="choose another target")
    if reference is not None:
        return Target(structure.name, region, checked(cine, reference), (f"reference: frame {reference}, as chosen",))
    if structure.grid.same_lattice(cine.grid):
        return Target(structure.name, region, 0, ("reference: frame 0, on which the target is given",), labelled)
    image = case.image(structure.image_id)
    if image is None or not image.complete or image.modality != cine.modality:
        why = (
            "its image has not been read"
            if image is not None and not image.complete
            else "it has no image like the cine"
        )
        return Target(
            structure.name, region, 0, (f"reference: frame 0, unproven: {structure.name} cannot be matched, {why}",)
        )
    to_image = case.transform(cine.grid.frame_of_reference_uid, image.grid.frame_of_reference_uid)
    index, match = matching_frame(cine, image, to_image, region)
    said = f"reference: frame {index}, most like {image.description or image.modality} (correlation {match:.2f})"
    if match < WEAK_MATCH:
        said += "; a weak match: check that the target lies right on it"
    return Target(structure.name, region, index, (said,))


def target_of_polygon(cine: Cine, points_px: ArrayLike, reference: int = 0, name: str = "drawn") -> Target:
    """A target drawn on a frame: (n, 2) corners (column, row) in pixels, whole numbers at pixel centres. Raises InputError."""
    points = np.asarray(points_px, dtype=np.float64)
    if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 3 or not np.isfinite(points).all():
        raise InputError("a polygon has at least three corners (column, row)")
    region = region_of_rings([points * cine.grid.spacing_uv_mm + cine.grid.origin_uv_mm])
    if region is None:
        raise InputError("the polygon encloses nothing")
    rows, columns = cine.grid.shape_zyx[1:]
    if (points < -0.5).any() or (points > np.array([columns, rows]) - 0.5).any():
        raise InputError(
            "the polygon leaves the frame",
            remedy=f"keep columns within 0 to {columns - 1} and rows within 0 to {rows - 1}",
        )
    return Target(name, region, checked(cine, reference), (f"reference: frame {reference}, as drawn",))


def labelled_on(cine: Cine, structure: Structure) -> tuple[Region | None, ...]:
    """The structure as the cine's labels show it on each frame, the exact union of its pixels; empty where they do not hold it."""
    labels = cine.labels
    if labels is None or structure.number == 0 or not structure.grid.same_lattice(cine.grid):
        return ()
    regions = tuple(region_of_pixels(plane == structure.number, cine.grid) for plane in labels)
    return regions if any(region is not None for region in regions) else ()


def cut_of(case: Case, cine: Cine, structure: Structure) -> Region | None:
    """Where the middle of the cine's slice cuts a structure, None where it misses it. Raises NotRegisteredError."""
    grid = cine.grid
    to_structure = case.transform(grid.frame_of_reference_uid, structure.grid.frame_of_reference_uid)
    origin = grid.point_mm([*grid.origin_uv_mm, float(grid.positions_mm[0])])
    return section(structure, to_structure, origin, grid.axes[0], grid.axes[1])


def candidates(case: Case, cine: Cine) -> list[tuple[Structure, str]]:
    """All structures, the likeliest target first, each with a reason why it cannot be one ('' where it can).

    Gross tumours before clinical and planning targets before others; of each kind those of the cine's own frame first. In other
    frames only the box around a structure is asked, as the cut of a large organ takes a second: `target_of_structure` asks for sure.
    """
    own = cine.grid.frame_of_reference_uid

    def order(structure: Structure) -> tuple[int, bool]:
        kind = next((n for n, k in enumerate(KINDS) if k in (structure.type, structure.name[:3].upper())), len(KINDS))
        return kind, structure.grid.frame_of_reference_uid != own

    found: list[tuple[Structure, str]] = []
    for structure in sorted((s for s in case.structures if not s.empty), key=order):
        try:
            own_frame = structure.grid.frame_of_reference_uid == own
            met = cut_of(case, cine, structure) is not None if own_frame else _may_cut(case, cine, structure)
            found.append((structure, "" if met else "the plane of the cine does not cut it"))
        except NotRegisteredError:
            found.append((structure, "it is not registered to the cine"))
    return found


def _may_cut(case: Case, cine: Cine, structure: Structure) -> bool:
    """Whether the plane passes through the box around a structure's contours. Raises NotRegisteredError."""
    grid = structure.grid
    to_cine = case.transform(grid.frame_of_reference_uid, cine.grid.frame_of_reference_uid)
    u0, v0, u1, v1 = shapely.total_bounds(list(structure.planes.values()))
    first, last = min(structure.planes), max(structure.planes)
    w = grid.slab_borders_mm[first], grid.slab_borders_mm[last + 1]
    corners = grid.point_mm([(u, v, z) for u in (u0, u1) for v in (v0, v1) for z in w])
    side = cine.grid.uvw_mm(corners @ to_cine[:3, :3].T + to_cine[:3, 3])[:, 2] - cine.grid.positions_mm[0]
    return bool(side.min() <= 0 <= side.max())


def checked(cine: Cine, reference: int) -> int:
    if not 0 <= reference < len(cine.frames):
        raise InputError(f"the cine has frames 0 to {len(cine.frames) - 1}, no {reference}")
    return reference


def matching_frame(cine: Cine, image: Image, to_image: ArrayLike, region: Region) -> tuple[int, float]:
    """The frame most like an image cut along the cine's plane, around the region, and their correlation (-1 to 1).

    to_image: (4, 4) from the cine's patient coordinates to the image's. The cut is averaged over the cine's slice thickness.
    """
    grid = cine.grid
    cuts, inside = zip(
        *(_cut(cine, image, to_image, part * grid.thickness_mm) for part in (-1 / 3, 0, 1 / 3)), strict=True
    )
    scan, there = np.mean(cuts, axis=0), np.all(inside, axis=0)
    low_u, low_v, high_u, high_v = region.bounds
    low = (np.array([low_u, low_v]) - NEAR_MM - grid.origin_uv_mm) / grid.spacing_uv_mm
    high = (np.array([high_u, high_v]) + NEAR_MM - grid.origin_uv_mm) / grid.spacing_uv_mm
    (x0, y0), (x1, y1) = np.maximum(np.floor(low), 0).astype(int), np.ceil(high).astype(int) + 1
    box = slice(y0, y1), slice(x0, x1)
    kept = there[box]
    if np.count_nonzero(kept) < 16:
        return 0, 0.0
    wanted = _normal(cv2.GaussianBlur(np.asarray(scan, np.float32), (0, 0), 1.0)[box][kept])
    matches = [
        float(wanted @ _normal(cv2.GaussianBlur(np.asarray(frame, np.float32), (0, 0), 1.0)[box][kept]))
        for frame in cine.frames
    ]
    best = int(np.argmax(matches))
    return best, matches[best]


def _cut(
    cine: Cine, image: Image, to_image: ArrayLike, offset_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    grid = cine.grid
    x, y, z = grid.point_mm([*grid.origin_uv_mm, float(grid.positions_mm[0]) + offset_mm]).tolist()
    right, down = (tuple(float(part) for part in grid.axes[k]) for k in (0, 1))
    plane = PlaneSampling((x, y, z), right, down, grid.spacing_uv_mm, grid.size_uv)  # type: ignore[arg-type]
    return reslice(image.voxels, image.grid, to_image, plane, smooth=True)


def _normal(values: NDArray[np.generic]) -> Floats:
    """Without mean, of length one; zeros where all are the same."""
    centred = values.astype(np.float64) - values.mean()
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length) if length > 0 else centred
