"""The values of an image along a slice of a structure, and where they lie in a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import contourpy
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Polygon

from reviewer.case import Image
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import SMALLEST_PART_MM2, Region
from reviewer.geometry.reslice import cut

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Least u, v and largest u, v, mm."""

ON_THE_LIMIT = 1e-6
"""A value this little (of the largest number at hand) beyond a limit of a range counts as on it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """An image along a plane, at its own resolution where it lies parallel.

    x_mm, y_mm: (w,), (h,) rising plane coordinates u and v of the structure's grid, perhaps uneven.
    values:     (h, w) float32 in the image's units (HU, signal); NaN where nothing is known.
    """

    x_mm: Floats
    y_mm: Floats
    values: NDArray[np.float32]


def samples(image: Image, to_image: ArrayLike, grid: Grid, w_mm: float, box: Box | None = None) -> Samples | None:
    """The image on the plane at `w_mm` of a structure's grid, within a box and one sample beyond; None where the plane misses it.

    to_image: (4, 4), patient points of the structure's frame to the image's. Planes that have not arrived yet and NaN are unknown.
    An image reaches half a voxel beyond its outermost centres, with the values that it has there.
    """
    present = None if image.pending is None else ~image.pending
    found = cut(
        image.voxels, image.grid, to_image, w_mm * grid.axes[2], grid.axes[0], grid.axes[1], box_mm=box, present=present
    )
    if found is None:
        return None
    columns, rows = slice(None), slice(None)
    if box is not None:
        columns, rows = _around(found.x_mm, box[0], box[2]), _around(found.y_mm, box[1], box[3])
    values = np.array(found.values[rows, columns], dtype=np.float32)
    if values.size == 0:
        return None
    values *= np.float32(image.slope)
    values += np.float32(image.intercept)
    if found.inside is not None:
        values[~found.inside[rows, columns]] = np.nan
    x, left, right = _reaching(found.x_mm[columns], found.reach_x_mm, columns, len(found.x_mm))
    y, top, bottom = _reaching(found.y_mm[rows], found.reach_y_mm, rows, len(found.y_mm))
    return Samples(x, y, np.pad(values, ((top, bottom), (left, right)), mode="edge"))


def band(plane: Samples, low: float, high: float, smallest_mm2: float = 0.0) -> list[Polygon]:
    """The separate areas of a plane where low <= value <= high, values linear between samples, so that edges run between the samples.

    Areas next to unknown samples end at the last known ones. Areas (counted with their holes) and holes below `smallest_mm2` are left out.
    Valid polygons.
    """
    known = plane.values[np.isfinite(plane.values)]
    if known.size == 0 or low > high or min(plane.values.shape) < 2:
        return []
    slack = ON_THE_LIMIT * max(float(np.abs(known).max()), min(abs(low), abs(high)))
    low, high = max(low - slack, float(known.min()) - 1), min(high + slack, float(known.max()) + 1)
    if low >= high:
        return []
    generator = contourpy.contour_generator(
        plane.x_mm,
        plane.y_mm,
        np.ma.masked_invalid(plane.values.astype(np.float64)),
        fill_type=contourpy.FillType.ChunkCombinedOffsetOffset,
    )
    filled: Any = generator.filled(low, high)
    (points,), (starts,), (outers,) = filled
    if points is None:
        return []
    rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(starts) - 1), np.diff(starts)))
    owner = np.repeat(np.arange(len(outers) - 1), np.diff(outers))
    area = np.abs(shapely.area(shapely.polygons(rings)))
    large = area >= max(smallest_mm2, SMALLEST_PART_MM2)
    kept = large & large[outers[:-1]][owner]
    if not kept.any():
        return []
    _, number = np.unique(owner[kept], return_inverse=True)
    polygons = shapely.polygons(rings[kept], indices=number)
    valid = shapely.is_valid(polygons)
    mended = shapely.get_parts(shapely.get_parts(shapely.make_valid(polygons[~valid])))
    return [*polygons[valid], *(p for p in mended if isinstance(p, Polygon) and p.area > SMALLEST_PART_MM2)]


def within(parts: list[Polygon], limit: Region | None) -> list[Polygon]:
    """What of separate areas lies in a region (None: nothing), still separate."""
    if limit is None or not parts:
        return []
    shapely.prepare(limit)
    areas = np.asarray(parts, dtype=object)
    areas = areas[shapely.intersects(limit, areas)]
    inner = shapely.contains(limit, areas)
    cut_off = shapely.get_parts(shapely.get_parts(shapely.intersection(areas[~inner], limit)))
    found: list[Polygon] = areas[inner].tolist()
    return found + [p for p in cut_off.tolist() if isinstance(p, Polygon) and p.area > SMALLEST_PART_MM2]


def _around(centres: Floats, low: float, high: float) -> slice:
    """The samples from `low` to `high` and one more to either side."""
    first, last = np.searchsorted(centres, [low, high], side="left")
    return slice(max(int(first) - 1, 0), int(last) + 1)


def _reaching(centres: Floats, reach: tuple[float, float], picked: slice, count: int) -> tuple[Floats, int, int]:
    """Centres with the end of the image's reach before and behind, where they are its outermost; and how many that adds."""
    first, last, _ = picked.indices(count)
    before = int(first == 0 and reach[0] < centres[0] - 1e-6)
    behind = int(last == count and reach[1] > centres[-1] + 1e-6)
    return np.concatenate([[reach[0]] * before, centres, [reach[1]] * behind]), before, behind
