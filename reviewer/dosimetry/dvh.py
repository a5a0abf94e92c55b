# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Dose-volume histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from reviewer.case import Dose, Structure
from reviewer.geometry.coverage import PARALLEL_TOLERANCE, affine, plane_transform
from reviewer.geometry.edges import Floats
from reviewer.geometry.grid import Grid
from reviewer.geometry.raster import BLOCK, add_prisms
from reviewer.geometry.solid import Solid, solid

SAMPLES = 500_000
"""About how many cells a structure is divided into at most: a GTV every 0.5 mm, a stomach 27 in a dose voxel of 2.5 mm, a liver one."""

TURNED_SAMPLES = 150_000
"""The same where the dose lies at an angle to the structure's planes, and each cell takes longer."""

FINEST_MM = 0.5
LEVELS = 8192
"""Dose levels of a curve, between the lowest and highest dose around the structure; values in between are interpolated."""


@dataclass(frozen=True, eq=False)
class Dvh:
    """Cumulative dose-volume histogram of one structure in one dose.

    volume_cc:        volume of the structure's solid.
    outside_fraction: part of it, 0 to 1, where the dose is unknown: beyond the voxels of the dose grid, or not a number there.
                      Everything below refers to the rest.
    dose_gy:          (n,) rising from the minimum to the maximum.
    cumulative_cc:    (n,) volume that receives at least that dose; all of the known part below the first, none above the last.
    min_gy, max_gy:   lowest and highest dose sample in the structure; samples include the centres of the dose voxels where the planes
                      of dose and structure are parallel. None, like the mean, where no dose is known.
    """

    name: str
    volume_cc: float
    outside_fraction: float
    dose_gy: Floats
    cumulative_cc: Floats
    min_gy: float | None
    mean_gy: float | None
    max_gy: float | None

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


def dvh(structure: Structure, dose: Dose, to_dose: ArrayLike | None = None) -> Dvh:
    """The DVH of the structure's solid.

    to_dose: (4, 4) rigid map of patient points (mm) of the structure's frame to the dose's; None where the frames are the same.

    The solid is cut into cells: where its planes are parallel to those of the dose, dose voxels divided into an odd number of parts along
    each axis; otherwise cubes along its own axes. Each cell counts with its exactly occupied volume and with the dose trilinearly
    interpolated at its centre, spread evenly over the range that the dose gradient gives it across the cell. So dose is integrated through
    slices and voxels, not sampled once in each. Within half a voxel of the grid's border the outermost dose holds.
    Negative doses count as they are; a dose interpolated from a voxel that is not a number is unknown.
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
    lowest, highest = float(np.fmin.reduce(reach, axis=None)), float(np.fmax.reduce(reach, axis=None))
    if not np.isfinite(lowest) or not np.isfinite(highest):
        return empty
    pitch = max(np.cbrt(volume / SAMPLES), FINEST_MM)
    if max(abs(turn[2, 0]), abs(turn[2, 1])) < PARALLEL_TOLERANCE:
        cells = _cells_in_voxels(body, dose.grid, box, turn, shift, pitch)
    else:
        cells = _cells_along(body, low, high, turn, shift, max(np.cbrt(volume / TURNED_SAMPLES), FINEST_MM))
    width = max((highest - lowest) / (LEVELS - 1), 1e-9)
    slopes = np.zeros(LEVELS + 1)
    sums = _histogram(
        slopes,
        lowest,
        width,
        cells.borders,
        cells.body_borders,
        body.starts,
        body.segments,
        cells.to_cells,
        cells.shape,
        cells.first_mm,
        cells.step_mm,
        cells.turn,
        cells.shift,
        cells.parts,
        cells.aligned,
        dose.gray,
        np.array(dose.grid.origin_uv_mm),
        np.array(dose.grid.spacing_uv_mm),
        dose.grid.positions_mm,
        dose.grid.slab_borders_mm,
    )
    known, weighted, minimum, maximum = sums
    if known <= 0.0:
        return empty
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
        structure.name,
        volume / 1000,
        float(outside) if outside > 1e-6 else 0.0,
        np.concatenate([[minimum], levels[between], top]),
        np.concatenate([[known / 1000], curve[between], curve_at_top]),
        float(minimum),
        float(np.clip(weighted / known, minimum, maximum)),
        float(maximum),
    )


@dataclass(frozen=True)
class _Cells:
    """Cells in a frame of their own: `borders` (nz + 1,) along w, `shape` (ny, nx), `first_mm` centre and `step_mm` size along u, v.

    body_borders: those of the solid's prisms in this frame; to_cells: from the solid's (u, v) to cells, see `add_prisms`.
    turn, shift: from this frame to plane coordinates of the dose; aligned: they are the same.
    parts: cells in a voxel along u.
    """

    borders: Floats
    body_borders: Floats
    to_cells: Floats
    shape: tuple[int, int]
    first_mm: Floats
    step_mm: Floats
    turn: Floats
    shift: Floats
    parts: int
    aligned: bool


def _cells_in_voxels(
    body: Solid, grid: Grid, box: tuple[slice, slice, slice], turn: Floats, shift: Floats, pitch: float
) -> _Cells:
    z, y, x = box
    parts = [_odd(s / pitch) for s in grid.spacing_mm]
    step = np.array(grid.spacing_uv_mm) / parts[:2]
    corner = np.array(grid.origin_uv_mm) + (np.array([x.start, y.start]) - 0.5) * grid.spacing_uv_mm
    slabs = grid.slab_borders_mm[z.start : z.stop + 1]
    borders = np.interp(np.arange((len(slabs) - 1) * parts[2] + 1) / parts[2], np.arange(len(slabs)), slabs)
    body_borders = np.sort(body.borders_mm * turn[2, 2] + shift[2], axis=1)
    shape = ((y.stop - y.start) * parts[1], (x.stop - x.start) * parts[0])
    to_cells = affine(turn[:2, :2], shift[:2], corner, step)
    return _Cells(
        borders, body_borders, to_cells, shape, corner + step / 2, step, np.eye(3), np.zeros(3), parts[0], True
    )


def _cells_along(body: Solid, low: Floats, high: Floats, turn: Floats, shift: Floats, pitch: float) -> _Cells:
    size = np.ceil((high - low) / pitch).astype(int)
    step = (high - low) / size
    borders = np.linspace(low[2], high[2], int(size[2]) + 1)
    to_cells = affine(np.eye(2), np.zeros(2), low[:2], step[:2])
    shape = (int(size[1]), int(size[0]))
    first = low[:2] + step[:2] / 2
    return _Cells(borders, body.borders_mm, to_cells, shape, first, step[:2], turn, shift, 1, False)


def _odd(ratio: float) -> int:
    """Odd number nearest to `ratio`, at least 1: so that the middle part of a voxel has the voxel's own centre."""
    return max(2 * round((ratio - 1) / 2) + 1, 1)


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
def _histogram(  # type: ignore[no-untyped-def]
    slopes,
    lowest,
    width,
    borders,
    body_borders,
    starts,
    segments,
    to_cells,
    shape,
    first,
    step,
    turn,
    shift,
    parts,
    aligned,
    gray,
    origin,
    spacing,
    positions,
    slabs,
):
    """Adds every cell to `slopes`, the increments from level to level of the volume at a level, in mm3.

    Returns the volume of known dose, the sum of dose times volume, the lowest and the highest dose.
    """
    ny, nx = shape
    total = np.zeros((ny, nx + 1))
    touched = np.zeros((ny, nx // BLOCK + 1), dtype=np.bool_)
    dose, across, beside = np.empty(nx), np.empty(nx), np.empty(nx)
    per_level = 1.0 / width
    levels = len(slopes) - 1
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    for z in range(len(borders) - 1):
        thickness = borders[z + 1] - borders[z]
        if not add_prisms(total, touched, borders[z], borders[z + 1], body_borders, starts, segments, to_cells):
            continue
        w = (borders[z] + borders[z + 1]) / 2
        size = step[0] * step[1] * thickness
        for y in range(ny):
            blocks = touched.shape[1]
            start, stop = 0, blocks
            while start < stop and not touched[y, start]:
                start += 1
            while start < stop and not touched[y, stop - 1]:
                stop -= 1
            if start == stop:
                continue
            touched[y] = False
            start, stop = start * BLOCK, min(stop * BLOCK, nx)
            v = first[1] + y * step[1]
            if aligned:
                _along_row(
                    dose,
                    across,
                    beside,
                    start,
                    stop,
                    first[0],
                    v,
                    w,
                    step,
                    thickness,
                    gray,
                    origin,
                    spacing,
                    positions,
                )
            else:
                _across(
                    dose,
                    across,
                    beside,
                    start,
                    stop,
                    first[0],
                    v,
                    w,
                    step,
                    thickness,
                    turn,
                    shift,
                    gray,
                    origin,
                    spacing,
                    positions,
                    slabs,
                )
            running = 0.0
            x = start - 1
            while x < stop - 1:
                x += 1
                running += total[y, x]
                total[y, x] = 0.0
                if running < 1e-9:
                    continue
                # Cells of one voxel between which nothing changes count as one, in its middle.
                count = 1
                if parts > 1 and x % parts == 0 and x + parts <= stop:
                    while count < parts and total[y, x + count] == 0.0 and np.isfinite(dose[x + count]):
                        count += 1
                    if count == parts:
                        x += parts // 2
                    else:
                        count = 1
                if not np.isfinite(dose[x]):
                    continue
                # Half the width of an even spread with the variance of the changes along all three axes.
                spread = np.sqrt((across[x] * count) ** 2 + beside[x]) / 2
                volume = min(running, 1.0) * size * count
                known += volume
                weighted += volume * dose[x]
                minimum, maximum = min(minimum, dose[x]), max(maximum, dose[x])
                level = (dose[x] - lowest) * per_level
                half = max(min(spread * per_level, level, levels - 1 - level), 0.5)
                low = min(max(level - half + 0.5, 0.0), float(levels))
                high = min(max(level + half + 0.5, 0.0), float(levels))
                height = volume / max(high - low, 1e-12)
                m = min(int(low), levels - 1)
                part = height * (low - m)
                slopes[m] += height - part
                slopes[m + 1] += part
                m = min(int(high), levels - 1)
                part = height * (high - m)
                slopes[m] -= height - part
                slopes[m + 1] -= part
                x += count // 2
            total[y, nx] = 0.0
    return known, weighted, minimum, maximum


@njit(cache=True, nogil=True, error_model="numpy")
def _lower(positions, w):  # type: ignore[no-untyped-def]
    """The dose plane below w, the one above, and how far w lies between them, 0 to 1; beyond the ends the outermost plane."""
    k = min(max(np.searchsorted(positions, w) - 1, 0), max(len(positions) - 2, 0))
    above = min(k + 1, len(positions) - 1)
    gap = positions[above] - positions[k] if above > k else 1.0
    return k, above, min(max((w - positions[k]) / gap, 0.0), 1.0), gap


@njit(cache=True, nogil=True, error_model="numpy")
def _along_row(dose, across, beside, start, stop, u_first, v, w, step, thickness, gray, origin, spacing, positions):  # type: ignore[no-untyped-def]
    """Dose in the cells of a row along the dose's columns; its change across a cell along u, and the sum of the squares of those along v and w."""
    dy, dx = gray.shape[1:]
    k0, k1, c, gap = _lower(positions, w)
    j = (v - origin[1]) / spacing[1]
    j0 = min(max(int(j), 0), max(dy - 2, 0))
    j1 = min(j0 + 1, dy - 1)
    b = min(max(j - j0, 0.0), 1.0)
    i_first, i_step = (u_first - origin[0]) / spacing[0], step[0] / spacing[0]
    wide, deep = step[1] / spacing[1], thickness / gap
    column, value, value_v, value_w = -1, 0.0, 0.0, 0.0
    following, following_v, following_w = 0.0, 0.0, 0.0
    for x in range(start, stop):
        i = i_first + x * i_step
        i0 = min(max(int(i), 0), max(dx - 2, 0))
        if i0 != column:  # the next pair of dose columns
            if i0 == column + 1 and column >= 0:
                value, value_v, value_w = following, following_v, following_w
            else:
                value, value_v, value_w = _column(gray, k0, k1, c, j0, j1, b, i0)
            following, following_v, following_w = _column(gray, k0, k1, c, j0, j1, b, min(i0 + 1, dx - 1))
            column = i0
        a = min(max(i - i0, 0.0), 1.0)
        dose[x] = value + (following - value) * a
        across[x] = (following - value) * i_step
        sv = (value_v + (following_v - value_v) * a) * wide
        sw = (value_w + (following_w - value_w) * a) * deep
        beside[x] = sv * sv + sw * sw


@njit(cache=True, nogil=True, error_model="numpy")
def _column(gray, k0, k1, c, j0, j1, b, i):  # type: ignore[no-untyped-def]
    """Dose in column i between two rows and two planes, and its change from row to row and from plane to plane."""
    e0, e1, f0, f1 = gray[k0, j0, i], gray[k0, j1, i], gray[k1, j0, i], gray[k1, j1, i]
    near, far = e0 + (e1 - e0) * b, f0 + (f1 - f0) * b
    first, second = e0 + (f0 - e0) * c, e1 + (f1 - e1) * c
    return near + (far - near) * c, second - first, far - near


@njit(cache=True, nogil=True, error_model="numpy")
def _across(  # type: ignore[no-untyped-def]
    dose,
    across,
    beside,
    start,
    stop,
    u_first,
    v,
    w,
    step,
    thickness,
    turn,
    shift,
    gray,
    origin,
    spacing,
    positions,
    slabs,
):
    """The same in a row of cells at an angle to the dose grid; NaN beyond it."""
    dz, dy, dx = gray.shape
    for x in range(start, stop):
        u = u_first + x * step[0]
        i = (turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] * w + shift[0] - origin[0]) / spacing[0]
        j = (turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] * w + shift[1] - origin[1]) / spacing[1]
        h = turn[2, 0] * u + turn[2, 1] * v + turn[2, 2] * w + shift[2]
        if i < -0.5 or i > dx - 0.5 or j < -0.5 or j > dy - 0.5 or h < slabs[0] or h > slabs[dz]:
            dose[x] = np.nan
            continue
        k0, k1, c, gap = _lower(positions, h)
        i0, j0 = min(max(int(i), 0), max(dx - 2, 0)), min(max(int(j), 0), max(dy - 2, 0))
        j1 = min(j0 + 1, dy - 1)
        a, b = min(max(i - i0, 0.0), 1.0), min(max(j - j0, 0.0), 1.0)
        value, value_v, value_w = _column(gray, k0, k1, c, j0, j1, b, i0)
        following, following_v, following_w = _column(gray, k0, k1, c, j0, j1, b, min(i0 + 1, dx - 1))
        dose[x] = value + (following - value) * a
        # The gradient along u, v, w of the dose, and from it the change across the cell along each of the cell's own axes.
        gu = (following - value) / spacing[0]
        gv = (value_v + (following_v - value_v) * a) / spacing[1]
        gw = (value_w + (following_w - value_w) * a) / gap
        across[x] = (gu * turn[0, 0] + gv * turn[1, 0] + gw * turn[2, 0]) * step[0]
        sv = (gu * turn[0, 1] + gv * turn[1, 1] + gw * turn[2, 1]) * step[1]
        sw = (gu * turn[0, 2] + gv * turn[1, 2] + gw * turn[2, 2]) * thickness
        beside[x] = sv * sv + sw * sw
