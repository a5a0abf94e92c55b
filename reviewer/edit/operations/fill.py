"""Smart fill: the body around a place, found on its slice and followed from slice to slice.

A range of values alone does not hold an organ on a 0.35 T image: noise and shading widen the range until it leaks into the next organ. So
the area is found by competition. Markers of the inside and of the outside grow along the least steps of the picture until they meet, that is
on the ridge between them (watershed: Meyer & Beucher, J Vis Commun Image Represent 1990;1:21-46). On the slice of the press the inside is what
has values like those around it, the outside what lies beyond the box. On each further slice the inside is the core of the area before, as far as its
values still are like the body's, and the outside what is farther from the area before than an outline moves from slice to slice. Where too
little of the core looks like the body, the body has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Image
from reviewer.edit.operations.sampling import Box, Samples, band
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.overlay import shared
from reviewer.geometry.region import Region, region_of
from reviewer.geometry.reslice import PlaneSampling, reslice

Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Grey = NDArray[np.uint8]
Cells = tuple[int, int, int, int]
"""First row and column of a window of the lattice, and the rows and columns beyond its last."""

OUTER_PERCENT = (5.0, 95.0)
"""Percentiles of the values of the inside that, widened by MARGIN of what lies between them, are the body's range."""
MARGIN = 0.15

WITHIN = 0.25
"""Steps between two values in the body's range count by this share: food and vessels are no border."""

CORE_MM = 6.0
"""The core of an area lies this far within it, or INNER of the way to its middle where that is nearer."""
INNER = 0.6

EDGE_MM = 3.0
"""So near to its outline an area holds values of what lies beside it."""

ALIKE = 0.3
"""The body has ended where less than this share of the core has values in its range; or the area has fallen below FALLEN of that before."""
FALLEN = 0.25

LARGEST_CELLS = 1_000_000

OUTSIDE, INSIDE = 1, 2


@dataclass(frozen=True)
class Seed:
    """Where a fill begins: plane of the structure's grid, and plane coordinates (u, v) mm on it."""

    plane: int
    u_mm: float
    v_mm: float

    def around(self, mm: float) -> Box:
        return self.u_mm - mm, self.v_mm - mm, self.u_mm + mm, self.v_mm + mm


@dataclass(frozen=True)
class Like:
    """What belongs to the body.

    disc_mm:      radius of the disc around the seed that surely does.
    tolerance:    values up to so many robust standard deviations (1.4826 MAD) of that disc from its median belong to it on the first slice.
    passage_mm:   what is narrower is not passed through.
    step_mm:      how far the outline moves from one slice to the next.
    smallest_mm2: holes and areas below it are noise.
    """

    disc_mm: float = 5.0
    tolerance: float = 1.5
    passage_mm: float = 6.0
    step_mm: float = 5.0
    smallest_mm2: float = 20.0


@dataclass(frozen=True, eq=False)
class _Picture:
    """The image on square cells along the slices of a grid, on its own samples where the grid is the image's."""

    image: Image
    to_image: ArrayLike
    grid: Grid
    present: Mask | None = None
    step_mm: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "step_mm", float(min(self.grid.spacing_uv_mm)))

    def window(self, box: Box, more_mm: float = 0.0) -> Cells:
        low = np.floor((np.array(box[:2]) - more_mm - self.grid.origin_uv_mm) / self.step_mm).astype(int)
        high = np.ceil((np.array(box[2:]) + more_mm - self.grid.origin_uv_mm) / self.step_mm).astype(int) + 1
        if np.prod((high - low).astype(float)) > LARGEST_CELLS:
            raise InputError("the area to be filled is too large", remedy="draw a smaller box")
        return int(low[1]), int(low[0]), int(high[1]), int(high[0])

    def axes_mm(self, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """u of the columns, v of the rows."""
        u, v = self.grid.origin_uv_mm
        columns, rows = np.arange(cells[1], cells[3], dtype=np.float64), np.arange(cells[0], cells[2], dtype=np.float64)
        return np.asarray(u + self.step_mm * columns), np.asarray(v + self.step_mm * rows)

    def values(self, plane: int, cells: Cells) -> tuple[Singles, Mask]:
        """(h, w) values, 0 where nothing is known, and where something is."""
        u, v = self.axes_mm(cells)
        start = self.grid.point_mm(np.array([u[0], v[0], self.grid.positions_mm[plane]]))
        axes = [(float(a[0]), float(a[1]), float(a[2])) for a in self.grid.axes]
        origin = (float(start[0]), float(start[1]), float(start[2]))
        lattice = PlaneSampling(origin, axes[0], axes[1], (self.step_mm, self.step_mm), (len(u), len(v)))
        found, known = reslice(self.image.voxels, self.image.grid, self.to_image, lattice, present=self.present)
        values = np.asarray(found * np.float32(self.image.slope) + np.float32(self.image.intercept), np.float32)
        known = known & np.isfinite(values)
        return np.where(known, values, np.float32(0)), known


@dataclass(frozen=True, eq=False)
class _Area:
    """Cells of a slice that belong to the body."""

    mask: Mask
    cells: Cells

    def on(self, cells: Cells) -> Mask:
        """The same cells in another window."""
        there = np.zeros((cells[2] - cells[0], cells[3] - cells[1]), dtype=np.bool_)
        top, left = max(cells[0], self.cells[0]), max(cells[1], self.cells[1])
        bottom, right = min(cells[2], self.cells[2]), min(cells[3], self.cells[3])
        if top < bottom and left < right:
            there[top - cells[0] : bottom - cells[0], left - cells[1] : right - cells[1]] = self.mask[
                top - self.cells[0] : bottom - self.cells[0], left - self.cells[1] : right - self.cells[1]
            ]
        return there


def fill(
    image: Image,
    to_image: ArrayLike,
    grid: Grid,
    seed: Seed,
    box: Box,
    planes: Sequence[int] = (),
    like: Like = Like(),
    *,
    limit: Mapping[int, Region] | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> dict[int, Region]:
    """The regions of the body that holds a seed, on the seed's slice and on those of `planes` that it reaches without a gap.

    grid, to_image: the structure's, and the (4, 4) map of its frame to the image's, mm. box: (u, v) mm; on the seed's slice nothing beyond it
    belongs to the body. limit: plane -> region that the body stays in; planes without one are not reached. report: told the share done, may
    raise CancelledError. Raises InputError, which says why, where nothing is found.
    """
    present = None if image.pending is None else ~image.pending
    picture = _Picture(image, to_image, grid, present)
    area, low, high = _begun(picture, seed, box, like, limit)
    found = {seed.plane: area}
    wanted, done = set(planes), 0
    for way in (1, -1):
        before, k = area, seed.plane + way
        while k in wanted and (limit is None or k in limit):
            report(min(1.0, done / max(1, len(wanted))))
            following = _followed(picture, k, before, low, high, like, limit)
            if following is None:
                break
            found[k] = before = following
            done, k = done + 1, k + way
    regions = {k: _region(picture, each, like, limit and limit[k]) for k, each in sorted(found.items())}
    kept = {k: region for k, region in regions.items() if region is not None}
    if seed.plane not in kept:
        raise InputError(
            "nothing around this place is large enough", remedy="lower the smallest hole, or draw a larger box"
        )
    return kept


def _begun(
    picture: _Picture, seed: Seed, box: Box, like: Like, limit: Mapping[int, Region] | None
) -> tuple[_Area, float, float]:
    """The area on the seed's slice, and the range of the body's values."""
    cells = picture.window(box, picture.step_mm)
    values, known = picture.values(seed.plane, cells)
    allowed = known & _within(picture, cells, shapely.box(*box))
    u, v = picture.axes_mm(cells)
    square = (u[None, :] - seed.u_mm) ** 2 + (v[:, None] - seed.v_mm) ** 2
    disc = (square <= max(like.disc_mm**2, float(square.min()))) & allowed
    if not disc.any():
        raise InputError("the image has no values here", remedy="click on the image, or wait until it is loaded")
    if limit is not None:
        allowed &= _within(picture, cells, limit.get(seed.plane))
        disc &= allowed
        if not disc.any():
            raise InputError("the limits of the tool allow nothing to be changed here")
    plain = _median(values, 5)
    middle = float(np.median(plain[disc]))
    spread = 1.4826 * float(np.median(np.abs(plain[disc] - middle)))
    half = max(like.tolerance * spread, _least(picture.image, middle))
    alike = allowed & (np.abs(plain - middle) <= half)
    inside = _hit(_eroded(alike, like.passage_mm / 2 / picture.step_mm), disc) | disc
    mask = _grown(_grey(plain), inside, ~allowed, like, picture.step_mm)
    mask = _hit(mask, disc)
    return _Area(mask, cells), *_range(_median(values, 3), mask, picture)


def _followed(
    picture: _Picture,
    plane: int,
    before: _Area,
    low: float,
    high: float,
    like: Like,
    limit: Mapping[int, Region] | None,
) -> _Area | None:
    """The area on the next slice; None where the body has ended."""
    reach = int(np.ceil(like.step_mm / picture.step_mm)) + 2
    rows, columns = np.flatnonzero(before.mask.any(axis=1)), np.flatnonzero(before.mask.any(axis=0))
    top, left = before.cells[:2]
    cells = (
        top + int(rows[0]) - reach, left + int(columns[0]) - reach,
        top + int(rows[-1]) + 1 + reach, left + int(columns[-1]) + 1 + reach,
    )  # fmt: skip
    mask = before.on(cells)
    values, allowed = picture.values(plane, cells)
    if limit is not None:
        allowed = allowed & _within(picture, cells, limit.get(plane))
    plain = _median(values, 3)
    inside = _markers(plain, mask & allowed, low, high, picture)
    if inside is None:
        return None
    near = _depth(~mask) * picture.step_mm <= like.step_mm
    found = _grown(_grey(plain, low, high), inside, ~(near & allowed), like, picture.step_mm)
    if found.sum() < FALLEN * mask.sum() or found.sum() * picture.step_mm**2 < like.smallest_mm2:
        return None
    return _Area(found, cells)


def _markers(plain: Singles, mask: Mask, low: float, high: float, picture: _Picture) -> Mask | None:
    """The core of an area as far as its values are the body's; None where too little of it is."""
    depth = _depth(mask) * picture.step_mm
    core = depth > min(CORE_MM, INNER * float(depth.max()))
    alike = cv2.morphologyEx((core & (plain >= low) & (plain <= high)).astype(np.uint8), cv2.MORPH_OPEN, _disc(1.0)) > 0
    return alike if alike.any() and alike.sum() >= ALIKE * core.sum() else None


def _grown(grey: Grey, inside: Mask, outside: Mask, like: Like, cell_mm: float) -> Mask:
    """What the inside wins against the outside, without narrow passages and small holes."""
    # The watershed takes the outermost cells for no one's.
    wide = np.asarray(cv2.copyMakeBorder(grey, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
    marks = np.full(wide.shape, OUTSIDE, np.int32)
    marks[1:-1, 1:-1] = np.where(outside, OUTSIDE, np.where(inside, INSIDE, 0))
    cv2.watershed(cv2.cvtColor(wide, cv2.COLOR_GRAY2BGR), marks)
    # It leaves a line between the two, one cell wide, whose cells belong to whom they are more like.
    away = [np.abs(wide.astype(np.float32) - _beside(wide, marks == side)) for side in (INSIDE, OUTSIDE)]
    won = ((marks == INSIDE) | ((marks < 0) & (away[0] <= away[1])))[1:-1, 1:-1] & ~outside
    opened = cv2.morphologyEx(won.astype(np.uint8), cv2.MORPH_OPEN, _disc(like.passage_mm / 2 / cell_mm)) > 0
    kept = _hit(opened, inside)
    return _without_holes(kept if kept.any() else won, like.smallest_mm2 / cell_mm**2)


def _beside(grey: Grey, mask: Mask) -> Singles:
    """The mean of the cells of a mask among the eight around each cell; infinite where there is none."""
    count = cv2.blur(mask.astype(np.float32), (3, 3), borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(np.where(mask, grey, 0).astype(np.float32), (3, 3), borderType=cv2.BORDER_CONSTANT)
    return np.where(count > 1e-3, total / np.maximum(count, np.float32(1e-3)), np.float32(np.inf)).astype(np.float32)


def _grey(values: Singles, low: float = 0.0, high: float = 0.0) -> Grey:
    """Values as greys, those between `low` and `high` with smaller steps between them than the others."""
    drawn_in = values - (1 - WITHIN) * np.clip(values - low, 0, high - low)
    least, most = (float(v) for v in np.percentile(drawn_in, (0.5, 99.5)))
    return np.asarray(np.clip(np.round((drawn_in - least) * (255 / max(most - least, 1e-12))), 0, 255), np.uint8)


def _median(values: Singles, cells: Literal[3, 5]) -> Singles:
    return np.asarray(cv2.medianBlur(values, cells), np.float32)


def _range(plain: Singles, mask: Mask, picture: _Picture) -> tuple[float, float]:
    """The body's range of values, from an area without its edge."""
    inner = _depth(mask) * picture.step_mm > EDGE_MM
    values = plain[inner if inner.any() else mask]
    low, high = (float(v) for v in np.percentile(values, OUTER_PERCENT))
    margin = max(MARGIN * (high - low), _least(picture.image, (low + high) / 2))
    return low - margin, high + margin


def _least(image: Image, value: float) -> float:
    """Half a unit of an image of whole numbers, and a thousandth of the value: an even area has a range, too."""
    return max(abs(image.slope) / 2 if image.voxels.dtype.kind in "iu" else 0.0, 1e-3 * abs(value), 1e-9)


def _region(picture: _Picture, area: _Area, like: Like, limit: Region | None) -> Region | None:
    """The outline of the cells, half way between those inside and those outside."""
    top, left, bottom, right = area.cells
    cells = (top - 1, left - 1, bottom + 1, right + 1)
    plane = Samples(*picture.axes_mm(cells), np.asarray(area.on(cells), np.float32))
    parts = band(plane, 0.5, 2.0, like.smallest_mm2)
    region = region_of(shapely.union_all(parts)) if parts else None
    return region if region is None or limit is None else region_of(shared(region, limit))


def _within(picture: _Picture, cells: Cells, region: Region | None) -> Mask:
    u, v = picture.axes_mm(cells)
    if region is None:
        return np.zeros((len(v), len(u)), dtype=np.bool_)
    shapely.prepare(region)
    return np.asarray(shapely.intersects_xy(region, *np.meshgrid(u, v)))


def _hit(mask: Mask, place: Mask) -> Mask:
    """Those parts of a mask that share a cell with another."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return np.asarray(np.isin(parts, np.unique(parts[mask & place])) & mask)


def _without_holes(mask: Mask, below: float) -> Mask:
    _, parts, facts, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    small = facts[:, cv2.CC_STAT_AREA] < below
    small[np.unique(rim)] = False
    return np.asarray(mask | small[parts])


def _depth(mask: Mask) -> Singles:
    """How far each cell of a mask lies from what is not in it, cells; beyond the window is not in it."""
    wide = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(wide, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1], np.float32)


def _eroded(mask: Mask, radius: float) -> Mask:
    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius), borderValue=0) > 0)


@lru_cache(maxsize=16)
def _disc(radius: float) -> NDArray[np.uint8]:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x * x + y * y <= radius * radius + 0.5, np.uint8)
