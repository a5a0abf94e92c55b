# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Dose-volume histograms.

A DVH is a sum over layers of cells. It keeps the share of every few layers, so that after an edit only those that the edit reaches are added
up again (`dvh`, `earlier`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Dose, Structure
from reviewer.dosimetry.moments import FIELDS, add_moments, shape_of, take
from reviewer.errors import CancelledError
from reviewer.geometry.coverage import PARALLEL_TOLERANCE, affine, plane_transform
from reviewer.geometry.edges import Floats, Integers
from reviewer.geometry.grid import Grid
from reviewer.geometry.raster import ROUNDING
from reviewer.geometry.solid import Solid, alike, prisms_between, solid

Bytes = NDArray[np.uint8]

CELLS = 6_000
"""About how many cells a structure has at least: where its dose voxels are fewer, they are divided."""

FINEST_MM = 0.5
"""No cell need be smaller, however small the structure."""

LAYERS = 8
"""Layers of cells whose share is kept as one."""

BY_TWO = 100_000.0
"""mm3 from which on two threads share the work."""

FAST = {"nnan", "nsz", "contract", "reassoc"}
"""Where there are no NaN, loops may run through vector registers."""

LEVELS = 8192
"""Dose levels of a curve, between about the lowest and the highest dose around the structure; values in between are interpolated."""

NEVER: Callable[[], bool] = lambda: False  # noqa: E731


@dataclass(frozen=True, eq=False)
class Dvh:
    """Cumulative dose-volume histogram of one structure in one dose.

    volume_cc:        volume of the structure's solid.
    outside_fraction: part of it, 0 to 1, where the dose is unknown: beyond the voxels of the dose grid, or not a number there.
                      Everything below refers to the rest.
    dose_gy:          (n,) rising from the minimum to the maximum.
    cumulative_cc:    (n,) volume that receives at least that dose; all of the known part below the first, none above the last.
    min_gy, max_gy:   lowest and highest dose sample in the structure; samples include the centres of the dose voxels wholly inside where
                      the planes of dose and structure are parallel. None, like the mean, where no dose is known.
    """

    name: str
    volume_cc: float
    outside_fraction: float
    dose_gy: Floats
    cumulative_cc: Floats
    min_gy: float | None
    mean_gy: float | None
    max_gy: float | None
    _sum: _Sum | None = field(default=None, repr=False)

    @property
    def known_cc(self) -> float:
        """Volume of the part with known dose."""
        return float(self.cumulative_cc[0]) if len(self.cumulative_cc) else 0.0

    def volume_at_cc(self, dose_gy: float) -> float:
        """Volume in cc that receives at least `dose_gy`."""
        if not len(self.dose_gy):
            return 0.0
        return float(np.interp(dose_gy, self.dose_gy, self.cumulative_cc, left=self.known_cc, right=0.0))

    def dose_at_gy(self, volume_cc: float) -> float | None:
        """Lowest dose in the hottest `volume_cc`; None where the known part is smaller than that."""
        if not 0 <= volume_cc <= self.known_cc * (1 + 1e-9) or not len(self.dose_gy):
            return None
        return float(np.interp(-volume_cc, -self.cumulative_cc, self.dose_gy))


@dataclass(frozen=True, eq=False)
class _Share:
    """What a few layers of cells add to a histogram.

    slopes: increments of the volume from level to level, from level `first` on. Volumes in mm3.
    known:  volume of known dose; weighted: the sum of dose times volume; and the lowest and the highest dose.
    """

    first: int
    slopes: Floats
    known: float
    weighted: float
    minimum: float
    maximum: float


@dataclass(frozen=True, eq=False)
class _Sum:
    """The shares of a structure's layers, and all that they depend on.

    scale: lowest level and width of a level (Gy), and what else the cells follow from.
    """

    dose: Dose
    to_dose: Floats
    scale: tuple[object, ...]
    body: Solid
    shares: dict[int, _Share]


def dvh(
    structure: Structure,
    dose: Dose,
    to_dose: ArrayLike | None = None,
    earlier: Dvh | None = None,
    cancelled: Callable[[], bool] = NEVER,
) -> Dvh:
    """The DVH of the structure's solid.

    to_dose:   (4, 4) rigid map of patient points (mm) of the structure's frame to the dose's; None where the frames are the same.
    earlier:   a DVH of the same structure before an edit: the share of the layers that the edit left alone is taken from it. The result is
               exactly that of adding up all of them.
    cancelled: asked now and then, in any thread; raises CancelledError once it says so.

    The solid is cut into cells: where its planes are parallel to those of the dose, dose voxels, those of small structures divided into an odd
    number of parts along each axis; otherwise cubes along its own axes. Each cell counts with the exact volume of what is occupied of it, and
    with the dose trilinearly interpolated there, spread evenly over a range as wide as the dose varies over what is occupied (its exact centroid
    and second moments see to that). So dose is integrated through slices and voxels, not sampled once in each. Within half a voxel of the
    grid's border the outermost dose holds. Negative doses count as they are; a dose interpolated from a voxel that is not a number is unknown.
    """
    body = solid(structure)
    volume = body.volume_mm3
    empty = Dvh(structure.name, volume / 1000, 1.0 if volume else 0.0, np.empty(0), np.empty(0), None, None, None)
    matrix = np.eye(4) if to_dose is None else np.asarray(to_dose, dtype=np.float64)
    if volume == 0.0:
        return empty
    turn, shift = plane_transform(dose.grid, structure.grid, matrix)
    low, high = body.bounds_mm
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T @ turn.T + shift
    box = _voxels_around(dose.grid, corners.min(axis=0), corners.max(axis=0))
    if box is None:
        return empty
    reach = dose.gray[tuple(slice(max(b.start - 1, 0), b.stop + 1) for b in box)]
    lowest, highest = float(reach.min()), float(reach.max())
    everywhere = np.isfinite(lowest) and np.isfinite(highest)
    if not everywhere:
        lowest, highest = float(np.fmin.reduce(reach, axis=None)), float(np.fmax.reduce(reach, axis=None))
    if not np.isfinite(lowest) or not np.isfinite(highest):
        return empty
    lowest, width = _levels(lowest, highest)
    parallel = max(abs(turn[2, 0]), abs(turn[2, 1])) < PARALLEL_TOLERANCE
    cells: _Voxels | _Cubes
    if parallel:
        cells = _Voxels(body, dose, box, turn, shift, bool(everywhere))
    else:
        cells = _Cubes(body, dose, turn, shift)
    total = _Sum(dose, matrix, (lowest, width, *cells.setting), body, {})
    known_shares = _known(total, earlier._sum if earlier else None, cells)
    missing = [n for n in cells.blocks if n not in known_shares]
    found = _shares(cells, missing, lowest, width, volume >= BY_TWO, cancelled)
    total.shares.update({n: known_shares[n] if n in known_shares else found[n] for n in cells.blocks})
    return _curve(structure.name, volume, total, lowest, width) or empty


def _levels(lowest: float, highest: float) -> tuple[float, float]:
    """Lowest level and width of a level: in steps, so that they stay what they are when an edit moves the box around a structure a little."""
    step = 2.0 ** np.ceil(np.log2(max((highest - lowest) / 8, 1e-6)))
    first, last = np.floor(lowest / step) * step, np.ceil(highest / step) * step
    return float(first), float(max(last - first, step) / (LEVELS - 1))


def _known(total: _Sum, earlier: _Sum | None, cells: _Voxels | _Cubes) -> dict[int, _Share]:
    """The shares of an earlier sum that hold for this one too."""
    if earlier is None or earlier.dose is not total.dose or earlier.scale != total.scale:
        return {}
    if not np.array_equal(earlier.to_dose, total.to_dose):
        return {}
    return {
        n: earlier.shares[n]
        for n in cells.blocks
        if n in earlier.shares and alike(earlier.body, total.body, *cells.between_mm(n))
    }


def _shares(
    cells: _Voxels | _Cubes,
    blocks: list[int],
    lowest: float,
    width: float,
    by_two: bool,
    cancelled: Callable[[], bool],
) -> dict[int, _Share]:
    def some(chosen: list[int]) -> dict[int, _Share]:
        found, slopes, room = {}, np.zeros(LEVELS + 1), cells.room()
        for n in chosen:
            if cancelled():
                raise CancelledError("the DVH is not wanted any more")
            slopes[:] = 0.0
            known, weighted, minimum, maximum = cells.add(n, slopes, lowest, width, *room)
            filled = slopes != 0.0
            first, stop = int(filled.argmax()), len(filled) - int(filled[::-1].argmax())
            found[n] = _Share(first, slopes[first:stop].copy(), known, weighted, minimum, maximum)
        return found

    if not by_two or len(blocks) < 2:
        return some(blocks)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(some, (blocks[::2], blocks[1::2]))
    return {**first, **second}


def _curve(name: str, volume: float, total: _Sum, lowest: float, width: float) -> Dvh | None:
    """The histogram of all shares; None where no dose is known."""
    slopes = np.zeros(LEVELS + 1)
    for share in total.shares.values():
        slopes[share.first : share.first + len(share.slopes)] += share.slopes
    known = sum(share.known for share in total.shares.values())
    if known <= 0.0:
        return None
    minimum = min(share.minimum for share in total.shares.values())
    maximum = max(share.maximum for share in total.shares.values())
    mean = sum(share.weighted for share in total.shares.values()) / known
    outside = 1 - known / volume
    inner = np.clip(np.cumsum(slopes[:LEVELS]), 0, None)
    above = np.cumsum(inner[::-1])[::-1]
    levels = lowest + width * np.arange(LEVELS)
    # `inner` is the volume at each level; half of a level's own volume lies above it.
    curve = (above - inner / 2) * (known / above[0]) / 1000
    between = (levels > minimum) & (levels < maximum)
    top = [maximum] if maximum > minimum else []
    curve_at_top = [float(np.interp(maximum, levels, curve))] if top else []
    return Dvh(
        name,
        volume / 1000,
        float(outside) if outside > 1e-6 else 0.0,
        np.concatenate([[minimum], levels[between], top]),
        np.concatenate([[known / 1000], curve[between], curve_at_top]),
        float(minimum),
        float(np.clip(mean, minimum, maximum)),
        float(maximum),
        total,
    )


class _Voxels:
    """Cells that are parts of dose voxels; layers are the dose's slabs."""

    def __init__(
        self,
        body: Solid,
        dose: Dose,
        box: tuple[slice, slice, slice],
        turn: Floats,
        shift: Floats,
        everywhere: bool,
    ) -> None:
        """everywhere: the dose is a finite number in the box and around it."""
        z, y, x = box
        self._dose, self._everywhere = dose, everywhere
        self._first, self._shape = (y.start, x.start), (y.stop - y.start, x.stop - x.start)
        pitch = max(float(np.cbrt(body.volume_mm3 / CELLS)), FINEST_MM)
        # Where the dose ends in the midst of it, voxels are divided so that the border is met.
        self._parts = tuple(max(_odd(s / pitch), 1 if everywhere else 3) for s in dose.grid.spacing_mm)
        self._body = body
        self._borders = dose.grid.slab_borders_mm
        self._slope, self._offset = float(turn[2, 2]), float(shift[2])
        origin, spacing = np.array(dose.grid.origin_uv_mm), np.array(dose.grid.spacing_uv_mm)
        self._to_cells = affine(turn[:2, :2], shift[:2], origin - spacing / 2, spacing / self._parts[:2])
        self._area = float(np.prod(spacing))
        self.blocks = range(z.start // LAYERS, (z.stop - 1) // LAYERS + 1)
        self.setting = (self._parts, everywhere)

    def _slabs(self, block: int) -> Floats:
        return self._borders[block * LAYERS : (block + 1) * LAYERS + 1]

    def between_mm(self, block: int) -> tuple[float, float]:
        """Lowest and highest w of a block in the solid's own coordinates."""
        slabs = self._slabs(block)
        first, last = (slabs[0] - self._offset) / self._slope, (slabs[-1] - self._offset) / self._slope
        return float(min(first, last)), float(max(first, last))

    def room(self) -> tuple[Floats, Bytes, Integers]:
        (ny, nx), (px, py, _) = self._shape, self._parts
        return _room(ny * py, nx * px)

    def add(
        self, block: int, slopes: Floats, lowest: float, width: float, moments: Floats, touched: Bytes, spans: Integers
    ) -> tuple[float, float, float, float]:
        prisms = prisms_between(self._body, *self.between_mm(block))
        known, weighted, minimum, maximum = _in_voxels(
            slopes,
            lowest,
            width,
            (block * LAYERS, *self._first),
            self._slabs(block),
            np.sort(self._body.borders_mm[prisms] * self._slope + self._offset, axis=1),
            self._body.starts[prisms.start : prisms.stop + 1],
            self._body.segments,
            self._to_cells,
            self._parts,
            self._everywhere,
            self._dose.gray,
            self._dose.grid.positions_mm,
            moments,
            touched,
            spans,
        )
        return known * self._area, weighted * self._area, minimum, maximum


class _Cubes:
    """Cells along the axes of the solid, at an angle to those of the dose."""

    def __init__(self, body: Solid, dose: Dose, turn: Floats, shift: Floats) -> None:
        self._body, self._dose, self._turn, self._shift = body, dose, turn, shift
        # In steps of a quarter, and at multiples of their size, so that most edits leave them where they are.
        pitch = max(float(np.cbrt(body.volume_mm3 / CELLS)), FINEST_MM)
        self._step = min(FINEST_MM * 1.25 ** round(np.log(pitch / FINEST_MM) / np.log(1.25)), 2.5)
        low, high = body.bounds_mm
        self._low = np.floor(low / self._step).astype(np.int64)
        self._size = np.ceil(high / self._step).astype(np.int64) - self._low
        self._to_cells = affine(np.eye(2), np.zeros(2), np.zeros(2), np.full(2, self._step))
        self.blocks = range(int(self._low[2]) // LAYERS, int(self._low[2] + self._size[2] - 1) // LAYERS + 1)
        self.setting = (self._step,)

    def between_mm(self, block: int) -> tuple[float, float]:
        return block * LAYERS * self._step, (block + 1) * LAYERS * self._step

    def room(self) -> tuple[Floats, Bytes, Integers]:
        nx, ny = int(self._size[0]), int(self._size[1])
        return _room(ny, nx)

    def add(
        self, block: int, slopes: Floats, lowest: float, width: float, moments: Floats, touched: Bytes, spans: Integers
    ) -> tuple[float, float, float, float]:
        prisms = prisms_between(self._body, *self.between_mm(block))
        grid = self._dose.grid
        known, weighted, minimum, maximum = _in_cubes(
            slopes,
            lowest,
            width,
            (block * LAYERS, int(self._low[1]), int(self._low[0])),
            self._step,
            self._body.borders_mm[prisms],
            self._body.starts[prisms.start : prisms.stop + 1],
            self._body.segments,
            self._to_cells,
            self._turn,
            self._shift,
            self._dose.gray,
            np.array(grid.origin_uv_mm),
            np.array(grid.spacing_uv_mm),
            grid.positions_mm,
            grid.slab_borders_mm,
            moments,
            touched,
            spans,
        )
        cell = self._step**3
        return known * cell, weighted * cell, minimum, maximum


def _room(rows: int, columns: int) -> tuple[Floats, Bytes, Integers]:
    """Empty arrays for `add_moments`."""
    shape = rows, columns + 1
    return np.zeros((*shape, FIELDS)), np.zeros(shape, dtype=np.uint8), np.tile(np.array([columns, -1]), (rows, 1))


def _odd(ratio: float) -> int:
    """Smallest odd number that is not less than `ratio`: so that the middle part of a voxel has the voxel's own centre."""
    return int(max(2 * np.ceil((ratio - 1) / 2 - 1e-9) + 1, 1))


def _voxels_around(grid: Grid, low: Floats, high: Floats) -> tuple[slice, slice, slice] | None:
    """Voxels whose extent reaches into the box from `low` to `high`, (u, v, w) mm; None where there are none."""
    start = np.array(grid.origin_uv_mm) - np.array(grid.spacing_uv_mm) / 2
    first = np.floor((low[:2] - start) / grid.spacing_uv_mm).astype(int)
    stop = np.ceil((high[:2] - start) / grid.spacing_uv_mm).astype(int)
    slabs = grid.slab_borders_mm
    z = slice(
        max(int(np.searchsorted(slabs, low[2], side="right")) - 1, 0),
        min(int(np.searchsorted(slabs, high[2], side="left")), len(slabs) - 1),
    )
    y = slice(max(int(first[1]), 0), min(int(stop[1]), grid.size_uv[1]))
    x = slice(max(int(first[0]), 0), min(int(stop[0]), grid.size_uv[0]))
    return (z, y, x) if z.start < z.stop and y.start < y.stop and x.start < x.stop else None


@njit(cache=True, nogil=True, error_model="numpy")
def _in_voxels(  # type: ignore[no-untyped-def]
    slopes, lowest, width, first, slabs, borders, starts, segments, to_cells, parts, everywhere, gray, positions, moments, touched, spans
):  # fmt: skip
    """Adds the voxels of some dose planes, in the box whose first voxel is `first` (z, y, x), to `slopes`.

    slabs: (nz + 1,) borders of the planes; to_cells: from the solid's (u, v) to parts of voxels of the whole dose grid.
    parts: cells in a voxel along u, v, w; everywhere: there are no NaN, so that the kink of the interpolation at a voxel's centre may be looked
    across and whole voxels count as one. moments, touched, spans: see `add_moments`; all are left as they were.
    Volumes count in areas of a voxel times mm. Returns that of known dose, the sum of dose times volume, the lowest and the highest dose.
    """
    rows, columns = moments.shape[0], moments.shape[1] - 1
    px, py, pz = parts
    dz = len(positions)
    levels, per_level = len(slopes) - 1, 1.0 / width
    room = np.empty((7, gray.shape[2] + 2), dtype=np.float32)
    running, shape, value, weights = np.zeros(FIELDS), np.zeros(9), np.zeros(4), np.zeros((3, 6))
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    for z in range(len(slabs) - 1):
        k, low, thickness = first[0] + z, slabs[z], slabs[z + 1] - slabs[z]
        deep = thickness / pz
        size = deep / (px * py)
        below = positions[k] - positions[k - 1] if k > 0 else 1.0
        above = positions[k + 1] - positions[k] if k + 1 < dz else 1.0
        for c in range(pz):
            bottom = low + deep * c
            if not add_moments(
                moments,
                touched,
                spans,
                bottom,
                bottom + deep,
                borders,
                starts,
                segments,
                to_cells,
                first[1] * py,
                first[2] * px,
            ):
                continue
            w = bottom + deep / 2 - positions[k]
            for row in range(rows):
                begin, end = spans[row, 0], spans[row, 1] + 1
                spans[row, 0], spans[row, 1] = columns, -1
                if begin >= end:
                    continue
                j, v = first[1] + row // py, (row % py + 0.5) / py - 0.5
                running[:] = 0.0
                x = begin
                while x < end:
                    start, crossed = x, touched[row, x] == 1
                    take(running, moments, row, x)
                    touched[row, x] = 0
                    x += 1
                    if not crossed:
                        while x < end and touched[row, x] == 0:
                            x += 1
                    if running[0] < ROUNDING:
                        continue
                    if not crossed and everywhere and running[0] > 1.0 - ROUNDING and px * py * pz == 1:
                        lower, upper = _whole_voxels(
                            room, first[2] + start, first[2] + x, j, k, low, thickness, gray, positions, lowest, width, levels
                        )  # fmt: skip
                        minimum, maximum = min(minimum, lower), max(maximum, upper)
                        known += thickness * (x - start)
                        weighted += thickness * _spread_out(slopes, room, x - start, thickness)
                        continue
                    shape_of(shape, running)
                    part = min(running[0], 1.0)
                    while start < x:
                        i, q = first[2] + start // px, start % px
                        # The parts of a voxel that are wholly inside count as one.
                        count = px if part == 1.0 and q == 0 and start + px <= x and everywhere and not crossed else 1
                        u = (q + count / 2) / px - 0.5
                        start += count
                        wide = np.sqrt(3.0) if everywhere else 0.0
                        _weigh(weights[0], w + shape[2] * deep, wide * np.sqrt(shape[5]) * deep, below, above)
                        _weigh(weights[1], v + shape[1] / py, wide * np.sqrt(shape[4]) / py, 1.0, 1.0)
                        _weigh(weights[2], u + shape[0] * count / px, wide * np.sqrt(shape[3]) * count / px, 1.0, 1.0)
                        _interpolate(value, gray, (k, j, i), weights)
                        dose = value[0]
                        if not np.isfinite(dose):
                            continue
                        volume = part * size * count
                        known += volume
                        weighted += volume * dose
                        if u == 0.0 and v == 0.0 and c == pz // 2 and part == 1.0:
                            centre = np.float64(gray[k, j, i])
                            minimum, maximum = min(minimum, centre), max(maximum, centre)
                        spread = _spread(shape, value[1] * count / px, value[2] / py, value[3] * deep)
                        if everywhere:
                            floor, top = _bounds(gray, k, j, i)
                            spread = max(min(spread, top - dose, dose - floor), 0.0)
                        elif not np.isfinite(spread):
                            spread = 0.0
                        minimum, maximum = min(minimum, dose - spread), max(maximum, dose + spread)
                        _add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
                moments[row, end] = 0.0
    return known, weighted, minimum, maximum


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(shape, gx, gy, gz):  # type: ignore[no-untyped-def]
    """Half the width of an even spread as wide as a dose with this gradient, per cell, varies over the occupied part (see `shape_of`)."""
    square = gx * gx * shape[3] + gy * gy * shape[4] + gz * gz * shape[5]
    square += 2 * (gx * gy * shape[6] + gx * gz * shape[7] + gy * gz * shape[8])
    return np.sqrt(3 * max(square, 0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(weights, centre, half, before, after):  # type: ignore[no-untyped-def]
    """Weights of the voxel before, of the voxel itself and of the one after in a linear interpolation, for what is evenly spread within
    `half` of `centre`, counted from the voxel's centre: the first three give the mean, the others the mean slope.

    before, after: distance of those voxels. What does not matter has the weight 0.
    """
    if abs(centre) < half:
        low, high = centre - half, centre + half
        weights[0], weights[2] = low * low / (4 * half), high * high / (4 * half)
        part = high / (2 * half)
    else:
        weights[0], weights[2] = max(-centre, 0.0), max(centre, 0.0)
        part = 1.0 if centre > 0.0 else 0.0 if centre < 0.0 else 0.5
    weights[0] /= before
    weights[2] /= after
    weights[1] = 1.0 - weights[0] - weights[2]
    weights[3], weights[5] = (part - 1.0) / before, part / after
    weights[4] = -weights[3] - weights[5]


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(value, gray, index, weights):  # type: ignore[no-untyped-def]
    """Writes to `value` the mean of the trilinear interpolation over a box, and its mean slopes along u, v and w.

    index: (z, y, x) of the voxel that the box lies in; weights: `_weigh` along w, v, u. Beyond the grid the outermost voxels hold.
    """
    dz, dy, dx = gray.shape
    i0, i, i2 = max(index[2] - 1, 0), index[2], min(index[2] + 1, dx - 1)
    dose = slope_u = slope_v = slope_w = 0.0
    base = np.float64(gray[index])  # so that rounding does not show where the dose is even
    at0, at1, at2 = weights[2, 0], weights[2, 1], weights[2, 2]
    slope0, slope1, slope2 = weights[2, 3], weights[2, 4], weights[2, 5]
    before, after = at0 != 0.0 or slope0 != 0.0, at2 != 0.0 or slope2 != 0.0
    for a in range(3):
        if weights[0, a] == 0.0 and weights[0, a + 3] == 0.0:
            continue
        k = min(max(index[0] + a - 1, 0), dz - 1)
        of_plane = of_plane_u = of_plane_v = 0.0
        for b in range(3):
            if weights[1, b] == 0.0 and weights[1, b + 3] == 0.0:
                continue
            j = min(max(index[1] + b - 1, 0), dy - 1)
            here = np.float64(gray[k, j, i]) - base
            there = np.float64(gray[k, j, i0]) - base if before else 0.0
            beyond = np.float64(gray[k, j, i2]) - base if after else 0.0
            mean = at0 * there + at1 * here + at2 * beyond
            of_plane += weights[1, b] * mean
            of_plane_v += weights[1, b + 3] * mean
            of_plane_u += weights[1, b] * (slope0 * there + slope1 * here + slope2 * beyond)
        dose += weights[0, a] * of_plane
        slope_w += weights[0, a + 3] * of_plane
        slope_v += weights[0, a] * of_plane_v
        slope_u += weights[0, a] * of_plane_u
    value[0], value[1], value[2], value[3] = base + dose, slope_u, slope_v, slope_w


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(gray, k, j, i):  # type: ignore[no-untyped-def]
    """What the dose does not fall below and does not exceed within a voxel, but for what bends along two axes at once."""
    dz, dy, dx = gray.shape
    middle, none = gray[k, j, i], np.float32(0.0)
    u0, u2 = gray[k, j, max(i - 1, 0)] - middle, gray[k, j, min(i + 1, dx - 1)] - middle
    v0, v2 = gray[k, max(j - 1, 0), i] - middle, gray[k, min(j + 1, dy - 1), i] - middle
    w0, w2 = gray[max(k - 1, 0), j, i] - middle, gray[min(k + 1, dz - 1), j, i] - middle
    falls = min(u0, u2, none) + min(v0, v2, none) + min(w0, w2, none)
    rises = max(u0, u2, none) + max(v0, v2, none) + max(w0, w2, none)
    return middle + falls / 2, middle + rises / 2


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _whole_voxels(rows, first, stop, j, k, low, thickness, gray, positions, lowest, width, levels):  # type: ignore[no-untyped-def]
    """Writes to rows 1 to 3 of `rows` for the voxels first to stop of a row: lowest and highest level of the even spread, and mean dose.

    The mean is that of the trilinear interpolation in the voxel: an eighth of each neighbour along u and v, by the slab's halves along w.
    Returns the lowest and the highest dose at the voxels' centres.
    """
    dz, dy, dx = gray.shape
    j0, j2 = max(j - 1, 0), min(j + 1, dy - 1)
    k0, k2 = max(k - 1, 0), min(k + 1, dz - 1)
    part = (positions[k] - low) / thickness
    below, above = np.float32(part / 4), np.float32((1 - part) / 4)
    middle = np.float32(1) - below - above
    apart = positions[k2] - positions[k0]
    deep = np.float32(0.0)
    if apart > 0:
        deep = np.float32(thickness / apart * (1.0 if k0 < k < k2 else 0.5))
    eighth, main, half = np.float32(0.125), np.float32(0.75), np.float32(0.5)
    mean, wide, tall = rows[0], rows[1], rows[2]
    dose, side, most, least = rows[3], rows[4], rows[5], rows[6]
    left, right = max(first - 1, 0), min(stop + 1, dx)
    # Slices count from 0, which is what lets the loops run through vector registers.
    g00, g01, g02 = gray[k0, j0, left:right], gray[k0, j, left:right], gray[k0, j2, left:right]
    g10, g11, g12 = gray[k, j0, left:right], gray[k, j, left:right], gray[k, j2, left:right]
    g20, g21, g22 = gray[k2, j0, left:right], gray[k2, j, left:right], gray[k2, j2, left:right]
    offset = left + 1 - first  # of the first column in `rows`: the column before `first` has place 0
    mean_there, side_there, most_there, least_there = mean[offset:], side[offset:], most[offset:], least[offset:]
    none = np.float32(0.0)
    for i in range(right - left):
        before = below * g00[i] + middle * g10[i] + above * g20[i]
        at = below * g01[i] + middle * g11[i] + above * g21[i]
        after = below * g02[i] + middle * g12[i] + above * g22[i]
        mean_there[i] = eighth * (before + after) + main * at
        rise_v, rise_w = half * (after - before), deep * (g21[i] - g01[i])
        side_there[i] = rise_v * rise_v + rise_w * rise_w
        centre = g11[i]
        v0, v2, w0, w2 = g10[i] - centre, g12[i] - centre, g01[i] - centre, g21[i] - centre
        most_there[i] = centre + half * (max(v0, v2, none) + max(w0, w2, none))
        least_there[i] = centre + half * (min(v0, v2, none) + min(w0, w2, none))
    if left == first:
        mean[0] = mean[1]
    if right == stop:
        mean[stop - first + 1] = mean[stop - first]
    base, per_level, top = np.float32(lowest), np.float32(1 / width), np.float32(levels - 1)
    centres = gray[k, j, max(first - 1, 0) : min(stop + 1, dx)]
    last = len(centres) - 1
    lower = upper = gray[k, j, first]
    for m in range(stop - first):
        dose[m] = eighth * (mean[m] + mean[m + 2]) + main * mean[m + 1]
        rise = half * (mean[m + 2] - mean[m])
        wide[m] = np.sqrt(rise * rise + side[m + 1])
    here = first - max(first - 1, 0)
    for m in range(stop - first):
        centre = centres[m + here]
        u0, u2 = centres[max(m + here - 1, 0)] - centre, centres[min(m + here + 1, last)] - centre
        highest = most[m + 1] + half * max(u0, u2, none)
        lowest_there = least[m + 1] + half * min(u0, u2, none)
        spread = max(min(half * wide[m], highest - dose[m], dose[m] - lowest_there), none) * per_level
        lower, upper = min(lower, centre), max(upper, centre)
        level = min(max((dose[m] - base) * per_level, none), top)
        reach = max(min(spread, level, top - level), half)
        wide[m], tall[m] = level - reach + half, level + reach + half
    return lower, upper


@njit(cache=True, nogil=True, error_model="numpy")
def _spread_out(slopes, rows, count, volume):  # type: ignore[no-untyped-def]
    """Adds the voxels that `_whole_voxels` left in `rows`, each with `volume`; returns the sum of their doses."""
    levels = len(slopes) - 1
    doses = 0.0
    for m in range(count):
        doses += rows[3, m]
        _even(slopes, levels, rows[1, m], rows[2, m], volume)
    return doses


@njit(cache=True, nogil=True, error_model="numpy")
def _add(slopes, level, spread, volume):  # type: ignore[no-untyped-def]
    """Adds a volume evenly over the levels within `spread` of `level`, at least half a level and no farther than the scale goes."""
    levels = len(slopes) - 1
    half = max(min(spread, level, levels - 1 - level), 0.5)
    low = min(max(level - half + 0.5, 0.0), float(levels))
    high = min(max(level + half + 0.5, 0.0), float(levels))
    _even(slopes, levels, low, high, volume)


@njit(cache=True, nogil=True, error_model="numpy")
def _even(slopes, levels, low, high, volume):  # type: ignore[no-untyped-def]
    """Adds a volume evenly between two levels: up at the one, down at the other."""
    height = volume / max(high - low, 1e-12)
    m = min(int(low), levels - 1)
    part = height * (low - m)
    slopes[m] += height - part
    slopes[m + 1] += part
    m = min(int(high), levels - 1)
    part = height * (high - m)
    slopes[m] -= height - part
    slopes[m + 1] -= part


@njit(cache=True, nogil=True, error_model="numpy")
def _in_cubes(  # type: ignore[no-untyped-def]
    slopes, lowest, width, first, step, borders, starts, segments, to_cells, turn, shift, gray, origin, spacing, positions, slabs,
    moments, touched, spans
):  # fmt: skip
    """The same for some layers of cubes along the solid's own axes, at an angle to the dose grid; volumes in cubes.

    first: (z, y, x) of the first cube, in multiples of `step` mm; turn, shift: from the solid's plane coordinates to those of the dose.
    """
    rows, columns = moments.shape[0], moments.shape[1] - 1
    per_level = 1.0 / width
    running, shape, value = np.zeros(FIELDS), np.zeros(9), np.zeros(4)
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    for z in range(first[0], first[0] + LAYERS):
        if not add_moments(
            moments, touched, spans, z * step, (z + 1) * step, borders, starts, segments, to_cells, first[1], first[2]
        ):
            continue
        for row in range(rows):
            begin, end = spans[row, 0], spans[row, 1] + 1
            spans[row, 0], spans[row, 1] = columns, -1
            running[:] = 0.0
            for x in range(begin, end):
                take(running, moments, row, x)
                touched[row, x] = 0
                if running[0] < ROUNDING:
                    continue
                shape_of(shape, running)
                u = (first[2] + x + 0.5 + shape[0]) * step
                v = (first[1] + row + 0.5 + shape[1]) * step
                w = (z + 0.5 + shape[2]) * step
                _at(value, u, v, w, turn, shift, gray, origin, spacing, positions, slabs)
                dose = value[0]
                if not np.isfinite(dose):
                    continue
                volume = min(running[0], 1.0)
                known += volume
                weighted += volume * dose
                spread = _spread(shape, value[1] * step, value[2] * step, value[3] * step)
                if not np.isfinite(spread):
                    spread = 0.0
                minimum, maximum = min(minimum, dose - spread), max(maximum, dose + spread)
                _add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
            moments[row, end] = 0.0
    return known, weighted, minimum, maximum


@njit(cache=True, nogil=True, error_model="numpy")
def _at(value, u, v, w, turn, shift, gray, origin, spacing, positions, slabs):  # type: ignore[no-untyped-def]
    """Writes to `value` the dose at a point of the solid, NaN beyond the dose grid, and its slopes per mm along u, v, w."""
    dz, dy, dx = gray.shape
    x = (turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] * w + shift[0] - origin[0]) / spacing[0]
    y = (turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] * w + shift[1] - origin[1]) / spacing[1]
    h = turn[2, 0] * u + turn[2, 1] * v + turn[2, 2] * w + shift[2]
    if x < -0.5 or x > dx - 0.5 or y < -0.5 or y > dy - 0.5 or h < slabs[0] or h > slabs[dz]:
        value[0] = np.nan
        return
    k = min(max(np.searchsorted(positions, h) - 1, 0), max(dz - 2, 0))
    k2 = min(k + 1, dz - 1)
    gap = positions[k2] - positions[k] if k2 > k else 1.0
    i, j = min(max(int(x), 0), max(dx - 2, 0)), min(max(int(y), 0), max(dy - 2, 0))
    i2, j2 = min(i + 1, dx - 1), min(j + 1, dy - 1)
    a, b, c = min(max(x - i, 0.0), 1.0), min(max(y - j, 0.0), 1.0), min(max((h - positions[k]) / gap, 0.0), 1.0)
    p, q = gray[k, j, i] + (gray[k, j, i2] - gray[k, j, i]) * a, gray[k, j2, i] + (gray[k, j2, i2] - gray[k, j2, i]) * a
    r = gray[k2, j, i] + (gray[k2, j, i2] - gray[k2, j, i]) * a
    s = gray[k2, j2, i] + (gray[k2, j2, i2] - gray[k2, j2, i]) * a
    lower, upper = p + (q - p) * b, r + (s - r) * b
    near = (gray[k, j, i2] - gray[k, j, i]) * (1 - b) + (gray[k, j2, i2] - gray[k, j2, i]) * b
    far = (gray[k2, j, i2] - gray[k2, j, i]) * (1 - b) + (gray[k2, j2, i2] - gray[k2, j2, i]) * b
    slope_x = (near + (far - near) * c) / spacing[0]
    slope_y = ((q - p) * (1 - c) + (s - r) * c) / spacing[1]
    slope_h = (upper - lower) / gap
    value[0] = lower + (upper - lower) * c
    value[1] = slope_x * turn[0, 0] + slope_y * turn[1, 0] + slope_h * turn[2, 0]
    value[2] = slope_x * turn[0, 1] + slope_y * turn[1, 1] + slope_h * turn[2, 1]
    value[3] = slope_x * turn[0, 2] + slope_y * turn[1, 2] + slope_h * turn[2, 2]
