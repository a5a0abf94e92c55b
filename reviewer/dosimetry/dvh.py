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
from reviewer.geometry.raster import BLOCK, ROUNDING, add_prisms
from reviewer.geometry.solid import Solid, solid

SAMPLES = 500_000
"""About how many cells a structure is divided into at most: a GTV every 0.5 mm, a liver 27 in a dose voxel of 2.5 mm."""

TURNED_SAMPLES = 150_000
"""The same where the dose lies at an angle to the structure's planes, and each cell takes longer."""

FINEST_MM, COARSEST_MM = 0.5, 0.9
"""Bounds of a cell, whatever the volume. Only voxels that the surface cuts are divided, and a rind is all surface: with cells as large
as the dose voxels the highest dose to a skin of 5 mm came out 1.5 Gy too high."""

FAST = {"nnan", "nsz", "contract", "reassoc"}
"""Where there are no NaN, loops may run through vector registers."""

EMPTY, WHOLE, PARTLY = 0, 1, 2
"""A voxel wholly outside the solid, wholly inside, and one to be looked at cell by cell."""

Sums = tuple[float, float, float, float]
"""Volume of known dose in mm3, the sum of dose times volume, the lowest and the highest dose."""

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
    lowest, highest = float(reach.min()), float(reach.max())
    everywhere = np.isfinite(lowest) and np.isfinite(highest)
    if not everywhere:
        lowest, highest = float(np.fmin.reduce(reach, axis=None)), float(np.fmax.reduce(reach, axis=None))
    if not np.isfinite(lowest) or not np.isfinite(highest):
        return empty
    width = max((highest - lowest) / (LEVELS - 1), 1e-9)
    slopes = np.zeros(LEVELS + 1)
    if max(abs(turn[2, 0]), abs(turn[2, 1])) < PARALLEL_TOLERANCE:
        sums = _of_voxels(slopes, lowest, width, body, dose, box, turn, shift, bool(everywhere))
    else:
        sums = _of_cubes(slopes, lowest, width, body, dose, turn, shift)
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


def _of_voxels(
    slopes: Floats,
    lowest: float,
    width: float,
    body: Solid,
    dose: Dose,
    box: tuple[slice, slice, slice],
    turn: Floats,
    shift: Floats,
    everywhere: bool,
) -> Sums:
    """everywhere: the dose is a finite number in the box and around it."""
    grid, (z, y, x) = dose.grid, box
    pitch = float(np.clip(np.cbrt(body.volume_mm3 / SAMPLES), FINEST_MM, COARSEST_MM))
    spacing = np.array(grid.spacing_uv_mm)
    corner = np.array(grid.origin_uv_mm) + (np.array([x.start, y.start]) - 0.5) * spacing
    known, weighted, minimum, maximum = _in_voxels(
        slopes,
        lowest,
        width,
        (z.start, y.start, x.start),
        grid.slab_borders_mm[z.start : z.stop + 1],
        np.sort(body.borders_mm * turn[2, 2] + shift[2], axis=1),
        body.starts,
        body.segments,
        affine(turn[:2, :2], shift[:2], corner, spacing),
        (y.stop - y.start, x.stop - x.start),
        tuple(_odd(s / pitch) for s in grid.spacing_mm),
        everywhere,
        dose.gray,
        grid.positions_mm,
    )
    area = float(np.prod(spacing))
    return known * area, weighted * area, minimum, maximum


def _of_cubes(
    slopes: Floats, lowest: float, width: float, body: Solid, dose: Dose, turn: Floats, shift: Floats
) -> Sums:
    grid, (low, high) = dose.grid, body.bounds_mm
    pitch = max(np.cbrt(body.volume_mm3 / TURNED_SAMPLES), FINEST_MM)
    size = np.ceil((high - low) / pitch).astype(int)
    step = (high - low) / size
    known, weighted, minimum, maximum = _along(
        slopes,
        lowest,
        width,
        low,
        step,
        (int(size[2]), int(size[1]), int(size[0])),
        body.borders_mm,
        body.starts,
        body.segments,
        affine(np.eye(2), np.zeros(2), low[:2], step[:2]),
        turn,
        shift,
        dose.gray,
        np.array(grid.origin_uv_mm),
        np.array(grid.spacing_uv_mm),
        grid.positions_mm,
        grid.slab_borders_mm,
    )
    area = float(step[0] * step[1])
    return known * area, weighted * area, minimum, maximum


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
def _in_voxels(  # type: ignore[no-untyped-def]
    slopes, lowest, width, first, slabs, borders, starts, segments, to_voxels, shape, parts, whole, gray, positions
):
    """Adds the dose voxels of a box, its first voxel being `first` (z, y, x), to `slopes`: increments of the volume from level to level.

    slabs: (nz + 1,) borders of the box's planes; shape: its (ny, nx) voxels; to_voxels: from the solid's (u, v), see `add_prisms`.
    parts: cells in a voxel along u, v, w; whole: voxels without surface count as one, which needs a dose without NaN around.
    Volumes count in areas of a voxel times mm. Returns that of known dose, the sum of dose times volume, the lowest and the highest dose.
    """
    ny, nx = shape
    px, py, pz = parts
    single = px * py * pz == 1
    total = np.zeros((ny, nx + 1))
    touched = np.zeros((ny, nx + 1), dtype=np.bool_)
    finer = np.zeros((0 if single else pz, ny * py, nx * px + 1))
    to_cells = to_voxels * np.array([[px], [py]])
    cover, kind = np.empty(nx), np.empty(nx, dtype=np.uint8)
    rows = np.empty((5, gray.shape[2] + 2), dtype=np.float32)
    dy, dx = gray.shape[1:]
    levels, per_level = len(slopes) - 1, 1.0 / width
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    for z in range(len(slabs) - 1):
        low, thickness = slabs[z], slabs[z + 1] - slabs[z]
        if not add_prisms(total, touched, low, slabs[z + 1], borders, starts, segments, to_voxels, 1, 0):
            continue
        for c in range(len(finer)):
            bottom, top = low + thickness * c / pz, low + thickness * (c + 1) / pz
            add_prisms(finer[c], touched, bottom, top, borders, starts, segments, to_cells, 0, 0)
        for y in range(ny):
            j = first[1] + y
            begin, end = 0, nx
            while begin < nx and not touched[y, begin]:
                begin += 1
            while end > begin and not touched[y, end - 1]:
                end -= 1
            end = min(end + 1, nx)  # an edge changes the voxel beside it
            running, left, right = 0.0, nx, 0
            x = begin
            while x < end:
                running += total[y, x]
                start, x = x, x + 1
                if not touched[y, start]:
                    while x < end and not touched[y, x]:
                        x += 1
                    if running < ROUNDING or (running > 1.0 - ROUNDING and whole):
                        for m in range(start, x):
                            kind[m] = EMPTY if running < ROUNDING else WHOLE
                        if running < ROUNDING:
                            continue
                        i, stop = first[2] + start, first[2] + x
                        lower, upper = _whole_voxels(
                            rows, i, stop, j, first[0] + z, low, thickness, gray, positions, lowest, width, levels
                        )
                        minimum, maximum = min(minimum, lower), max(maximum, upper)
                        known += thickness * (stop - i)
                        weighted += thickness * _spread_out(slopes, rows, stop - i, thickness)
                        continue
                for m in range(start, x):
                    cover[m], kind[m] = running, PARTLY
                left, right = min(left, start), x
            for x in range(begin, end + 1):
                total[y, x] = 0.0
                touched[y, x] = False
            if left >= right:
                continue
            size = thickness / (px * py * pz)
            for c in range(pz):
                k0, k1, above, gap = _lower(positions, low + thickness * (c + 0.5) / pz)
                deep = thickness / pz / gap
                for r in range(py):
                    v = (r + 0.5) / py - 0.5
                    j0, j1 = max(j - 1, 0) if v < 0 else j, j if v < 0 else min(j + 1, dy - 1)
                    behind = v + 1 if v < 0 else v
                    running = 0.0
                    for x in range(left, right):
                        if kind[x] != PARTLY:
                            running = 0.0 if kind[x] == EMPTY else 1.0
                            continue
                        i = first[2] + x
                        fetched = False
                        middle = middle_v = middle_w = 0.0
                        before = before_v = before_w = 0.0
                        after = after_v = after_w = 0.0
                        q = 0
                        while q < px:
                            running = cover[x] if single else running + finer[c, y * py + r, x * px + q]
                            # Cells of one voxel between which nothing changes count as one, in its middle.
                            count = 1
                            if q == 0 and px > 1:
                                while count < px and finer[c, y * py + r, x * px + count] == 0.0:
                                    count += 1
                                count = count if count == px and whole else 1
                            u = (q + count / 2) / px - 0.5
                            q += count
                            if running < ROUNDING:
                                continue
                            if not fetched:
                                fetched = True
                                middle, middle_v, middle_w = _column(gray, k0, k1, above, j0, j1, behind, i)
                                before, before_v, before_w = _column(gray, k0, k1, above, j0, j1, behind, max(i - 1, 0))
                                after, after_v, after_w = _column(
                                    gray, k0, k1, above, j0, j1, behind, min(i + 1, dx - 1)
                                )
                            if u < 0:
                                a, rise, rise_v, rise_w = -u, before - middle, before_v - middle_v, before_w - middle_w
                            else:
                                a, rise, rise_v, rise_w = u, after - middle, after_v - middle_v, after_w - middle_w
                            dose = middle + a * rise
                            if not np.isfinite(dose):
                                continue
                            centred = u == 0 and np.isfinite(before)
                            su = ((after - before) / 2 if centred else rise) * count / px
                            sv, sw = (middle_v + a * rise_v) / py, (middle_w + a * rise_w) * deep
                            volume = min(running, 1.0) * size * count
                            known += volume
                            weighted += volume * dose
                            minimum, maximum = min(minimum, dose), max(maximum, dose)
                            spread = np.sqrt(su * su + sv * sv + sw * sw) / 2
                            _add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
            finer[:, y * py : (y + 1) * py, left * px : right * px + 1] = 0.0
    return known, weighted, minimum, maximum


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _whole_voxels(rows, first, stop, j, k, low, thickness, gray, positions, lowest, width, levels):  # type: ignore[no-untyped-def]
    """Writes to the first three of `rows` for the voxels first to stop of a row: mean dose, lowest and highest level of its even spread.

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
    eighth, most, half = np.float32(0.125), np.float32(0.75), np.float32(0.5)
    mean, wide, tall = rows[0], rows[1], rows[2]
    dose, side = rows[3], rows[4]
    left, right = max(first - 1, 0), min(stop + 1, dx)
    # Slices count from 0, which is what lets the loops run through vector registers.
    g00, g01, g02 = gray[k0, j0, left:right], gray[k0, j, left:right], gray[k0, j2, left:right]
    g10, g11, g12 = gray[k, j0, left:right], gray[k, j, left:right], gray[k, j2, left:right]
    g20, g21, g22 = gray[k2, j0, left:right], gray[k2, j, left:right], gray[k2, j2, left:right]
    offset = left + 1 - first  # of the first column in `rows`: the column before `first` has place 0
    mean_there, side_there = mean[offset:], side[offset:]
    centres = gray[k, j, first:stop]
    lower = upper = centres[0]
    for i in range(len(centres)):
        lower, upper = min(lower, centres[i]), max(upper, centres[i])
    for i in range(right - left):
        before = below * g00[i] + middle * g10[i] + above * g20[i]
        at = below * g01[i] + middle * g11[i] + above * g21[i]
        after = below * g02[i] + middle * g12[i] + above * g22[i]
        mean_there[i] = eighth * (before + after) + most * at
        rise_v, rise_w = half * (after - before), deep * (g21[i] - g01[i])
        side_there[i] = rise_v * rise_v + rise_w * rise_w
    if left == first:
        mean[0] = mean[1]
    if right == stop:
        mean[stop - first + 1] = mean[stop - first]
    base, per_level, top = np.float32(lowest), np.float32(1 / width), np.float32(levels - 1)
    none = np.float32(0.0)
    for m in range(stop - first):
        dose[m] = eighth * (mean[m] + mean[m + 2]) + most * mean[m + 1]
        rise = half * (mean[m + 2] - mean[m])
        spread = half * per_level * np.sqrt(rise * rise + side[m + 1])
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
def _along(  # type: ignore[no-untyped-def]
    slopes, lowest, width, low, step, shape, borders, starts, segments, to_cells, turn, shift, gray, origin, spacing, positions, slabs
):  # fmt: skip
    """The same for cubes along the solid's own axes, at an angle to the dose grid; volumes in areas of a cell times mm.

    low: (3,) u, v, w of the first corner; step: (3,) size of a cell; shape: their numbers along w, v, u.
    turn, shift: from the solid's plane coordinates to those of the dose.
    """
    nz, ny, nx = shape
    total = np.zeros((ny, nx + 1))
    touched = np.zeros((ny, nx // BLOCK + 1), dtype=np.bool_)
    dose, spread = np.empty(nx), np.empty(nx)
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    for z in range(nz):
        bottom, top = low[2] + z * step[2], low[2] + (z + 1) * step[2]
        if not add_prisms(total, touched, bottom, top, borders, starts, segments, to_cells, BLOCK, 1):
            continue
        w = (bottom + top) / 2
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
            v = low[1] + (y + 0.5) * step[1]
            _across(dose, spread, start, stop, low[0], v, w, step, turn, shift, gray, origin, spacing, positions, slabs)
            running = 0.0
            for x in range(start, stop):
                running += total[y, x]
                total[y, x] = 0.0
                if running < ROUNDING or not np.isfinite(dose[x]):
                    continue
                volume = min(running, 1.0) * step[2]
                known += volume
                weighted += volume * dose[x]
                minimum, maximum = min(minimum, dose[x]), max(maximum, dose[x])
                _add(slopes, (dose[x] - lowest) / width, spread[x] / width, volume)
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
def _column(gray, k0, k1, c, j0, j1, b, i):  # type: ignore[no-untyped-def]
    """Dose in column i between two rows and two planes, and its change from row to row and from plane to plane."""
    e0, e1, f0, f1 = gray[k0, j0, i], gray[k0, j1, i], gray[k1, j0, i], gray[k1, j1, i]
    near, far = e0 + (e1 - e0) * b, f0 + (f1 - f0) * b
    first, second = e0 + (f0 - e0) * c, e1 + (f1 - e1) * c
    return near + (far - near) * c, second - first, far - near


@njit(cache=True, nogil=True, error_model="numpy")
def _across(dose, spread, start, stop, u_first, v, w, step, turn, shift, gray, origin, spacing, positions, slabs):  # type: ignore[no-untyped-def]
    """Dose in a row of cubes, NaN beyond its grid, and half the width of its even spread there.

    The spread has the variance of the changes along all three axes.
    """
    dz, dy, dx = gray.shape
    for x in range(start, stop):
        u = u_first + (x + 0.5) * step[0]
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
        su = (gu * turn[0, 0] + gv * turn[1, 0] + gw * turn[2, 0]) * step[0]
        sv = (gu * turn[0, 1] + gv * turn[1, 1] + gw * turn[2, 1]) * step[1]
        sw = (gu * turn[0, 2] + gv * turn[1, 2] + gw * turn[2, 2]) * step[2]
        spread[x] = np.sqrt(su * su + sv * sv + sw * sw) / 2
