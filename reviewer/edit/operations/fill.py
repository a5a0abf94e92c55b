"""Smart fill: the area around a place whose values are like those there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Polygon

from reviewer.case import Image
from reviewer.edit.operations.parts import connected
from reviewer.edit.operations.sampling import Box, band, samples, within
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region, region_of

ROUND = 4
"""Segments of a quarter circle of the discs that find narrow passages."""

COARSE = 0.05
"""Share of a passage's width within which outlines are simplified to measure it."""


@dataclass(frozen=True)
class Seed:
    """Where a fill begins: plane of the structure's grid, and plane coordinates (u, v) mm on it."""

    plane: int
    u_mm: float
    v_mm: float

    @property
    def point(self) -> shapely.Point:
        return shapely.Point(self.u_mm, self.v_mm)

    def around(self, mm: float) -> Box:
        return self.u_mm - mm, self.v_mm - mm, self.u_mm + mm, self.v_mm + mm


def values_near(
    image: Image, to_image: ArrayLike, grid: Grid, seed: Seed, *, radius_mm: float = 3.0, spread: float = 2.0
) -> tuple[float, float]:
    """The range of values in a disc around a seed on its plane: mean minus and plus `spread` standard deviations.

    At least half a unit of an image of whole numbers, and a thousandth of the value, to either side of the mean.
    Raises InputError where the image has no values.
    """
    plane = samples(image, to_image, grid, float(grid.positions_mm[seed.plane]), seed.around(radius_mm))
    if plane is None or not _spans(plane.x_mm, seed.u_mm) or not _spans(plane.y_mm, seed.v_mm):
        raise InputError("the image has no values here", remedy="click on the image")
    square = (plane.x_mm[None, :] - seed.u_mm) ** 2 + (plane.y_mm[:, None] - seed.v_mm) ** 2
    near = plane.values[(square <= max(radius_mm**2, float(square.min()))) & np.isfinite(plane.values)]
    if near.size == 0:
        raise InputError("the image has no values here", remedy="click on the image, or wait until it is loaded")
    mean = float(near.mean(dtype=np.float64))
    least = max(abs(image.slope) / 2 if image.voxels.dtype.kind in "iu" else 0.0, 1e-3 * abs(mean))
    half = max(spread * float(near.std(dtype=np.float64)), least)
    return mean - half, mean + half


def fill(
    image: Image,
    to_image: ArrayLike,
    grid: Grid,
    seed: Seed,
    low: float,
    high: float,
    box: Box,
    *,
    first: int | None = None,
    last: int | None = None,
    limit: Mapping[int, Region] | None = None,
    passage_mm: float = 0.0,
    near_mm: float = 0.0,
    smallest_mm2: float = 0.0,
) -> dict[int, Region]:
    """The connected area, or body, of values from `low` to `high` that holds a seed.

    grid, to_image: as in `threshold`, values linear between samples. box: nothing beyond it is looked at.
    first, last: planes of `grid` that the fill may spread to; the seed's alone by default. Areas of neighbouring planes are connected where
    they overlap.
    limit: plane -> region that the fill stays in. passage_mm: what is narrower is not passed through, though filled where it is reached.
    smallest_mm2: holes and areas below it are left out, as noise makes them.
    near_mm: how far from the seed the area may lie (the seed itself may hit a noisy sample).
    Raises InputError where the seed lies in no such area.
    """
    if not low <= high:
        raise InputError(f"the range of values ends ({high:g}) before it begins ({low:g})", remedy="swap its ends")
    border = shapely.box(*box)
    planes = range(
        seed.plane if first is None else max(first, 0),
        (seed.plane if last is None else min(last, len(grid.positions_mm) - 1)) + 1,
    )
    wide: dict[int, list[Polygon]] = {}
    narrow: dict[int, list[Polygon]] = {}
    for k in sorted(planes, key=lambda k: abs(k - seed.plane)):
        here = border if limit is None else limit.get(k)
        if here is not None and limit is not None:
            here = region_of(shapely.intersection(here, border))
        plane = None if here is None else samples(image, to_image, grid, float(grid.positions_mm[k]), box)
        wide[k] = [] if plane is None else within(band(plane, low, high, smallest_mm2), here)
        narrow[k] = _passable(wide[k], passage_mm)
        if k == seed.plane and not narrow[k]:
            break
    begin = _nearest(narrow.get(seed.plane, []), seed, near_mm)
    if begin is None:
        raise InputError(
            f"the value at this place is not between {low:g} and {high:g}, or lies in too narrow an area",
            remedy="click inside the organ, or widen the range",
        )
    body = next(b for b in connected(narrow) if any(part is begin for part in b.get(seed.plane, ())))
    found = {k: _regrown(parts, wide[k], passage_mm) for k, parts in sorted(body.items())}
    return {k: region for k, region in found.items() if region is not None}


def _spans(centres: NDArray[np.float64], place: float) -> bool:
    return bool(centres[0] <= place <= centres[-1])


def _passable(parts: list[Polygon], passage_mm: float) -> list[Polygon]:
    if passage_mm <= 0:
        return parts
    # Noise makes outlines of thousands of points, which the width of a passage does not depend on.
    plain = shapely.simplify(np.asarray(parts, dtype=object), COARSE * passage_mm, preserve_topology=True)
    eroded = shapely.get_parts(shapely.buffer(plain, -passage_mm / 2, quad_segs=ROUND))
    return [p for p in shapely.get_parts(eroded).tolist() if not p.is_empty]


def _regrown(parts: list[Polygon], wide: list[Polygon], passage_mm: float) -> Region | None:
    """The areas that what is left of them without their edges stood for."""
    if passage_mm <= 0:
        region = region_of(shapely.multipolygons(parts))
        return region if region is None or region.is_valid else region_of(shapely.union_all(parts))
    grown = shapely.buffer(np.asarray(parts, dtype=object), passage_mm / 2, quad_segs=ROUND)
    whole, eroded = shapely.STRtree(parts).query(np.asarray(wide, dtype=object), predicate="intersects")
    return region_of(shapely.union_all(shapely.intersection(np.asarray(wide, dtype=object)[whole], grown[eroded])))


def _nearest(parts: list[Polygon], seed: Seed, near_mm: float) -> Polygon | None:
    if not parts:
        return None
    away = shapely.distance(np.asarray(parts, dtype=object), seed.point)
    n = int(np.argmin(away))
    return parts[n] if away[n] <= near_mm + 1e-9 else None
