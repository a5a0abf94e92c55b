# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Dose-volume histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from reviewer.case import Dose, Structure
from reviewer.geometry.coverage import PARALLEL_TOLERANCE, plane_transform
from reviewer.geometry.edges import Floats
from reviewer.geometry.grid import Grid
from reviewer.geometry.raster import accumulate
from reviewer.geometry.solid import Solid, solid

SAMPLES = 200_000
"""About how many points a structure is sampled at: a GTV every 0.5 mm, a liver in every dose voxel."""

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
        cells = _cells_along(body, low, high, turn, shift, pitch)
    width = max((highest - lowest) / (LEVELS - 1), 1e-9)
    slopes = np.zeros(LEVELS + 1)
    sums = _histogram(
        slopes,
        lowest,
        width,
        cells.borders,
        cells.body_borders,
        body.starts,
        cells.segments,
        cells.shape,
        cells.first_mm,
        cells.step_mm,
        cells.turn,
        cells.shift,
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

    body_borders and segments: those of the solid in this frame, the latter in cells.
    turn, shift: from this frame to plane coordinates of the dose.
    """

    borders: Floats
    body_borders: Floats
    segments: Floats
    shape: tuple[int, int]
    first_mm: Floats
    step_mm: Floats
    turn: Floats
    shift: Floats


def _cells_in_voxels(
    body: Solid, grid: Grid, box: tuple[slice, slice, slice], turn: Floats, shift: Floats, pitch: float
) -> _Cells:
    z, y, x = box
    parts = [_odd(s / pitch) for s in grid.spacing_mm]
    step = np.array(grid.spacing_uv_mm) / parts[:2]
    corner = np.array(grid.origin_uv_mm) + (np.array([x.start, y.start]) - 0.5) * grid.spacing_uv_mm
    slabs = grid.slab_borders_mm[z.start : z.stop + 1]
    borders = np.interp(np.arange((len(slabs) - 1) * parts[2] + 1) / parts[2], np.arange(len(slabs)), slabs)
    ends = (body.segments.reshape(-1, 2) @ turn[:2, :2].T + shift[:2] - corner) / step
    if np.linalg.det(turn[:2, :2]) < 0:
        ends = ends.reshape(-1, 2, 2)[:, ::-1]  # mirrored: keep the inside on the left
    body_borders = np.sort(body.borders_mm * turn[2, 2] + shift[2], axis=1)
    shape = ((y.stop - y.start) * parts[1], (x.stop - x.start) * parts[0])
    segments = np.ascontiguousarray(ends.reshape(-1, 4))
    return _Cells(borders, body_borders, segments, shape, corner + step / 2, step, np.eye(3), np.zeros(3))


def _cells_along(body: Solid, low: Floats, high: Floats, turn: Floats, shift: Floats, pitch: float) -> _Cells:
    size = np.ceil((high - low) / pitch).astype(int)
    step = (high - low) / size
    borders = np.linspace(low[2], high[2], int(size[2]) + 1)
    segments = ((body.segments.reshape(-1, 2) - low[:2]) / step[:2]).reshape(-1, 4)
    shape = (int(size[1]), int(size[0]))
    first = low[:2] + step[:2] / 2
    return _Cells(borders, body.borders_mm, segments, shape, first, step[:2], turn, shift)


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
    shape,
    first,
    step,
    turn,
    shift,
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
    dz, dy, dx = gray.shape
    total = np.empty((ny, nx + 1))
    per_gap = np.ones(dz)
    for n in range(dz - 1):
        per_gap[n] = 1.0 / (positions[n + 1] - positions[n])
    per_level, per_u, per_v = 1.0 / width, 1.0 / spacing[0], 1.0 / spacing[1]
    i_step, j_step, h_step = turn[0, 0] * step[0] * per_u, turn[1, 0] * step[0] * per_v, turn[2, 0] * step[0]
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    levels = len(slopes) - 1
    k = 0
    for z in range(len(borders) - 1):
        thickness = borders[z + 1] - borders[z]
        total[:] = 0.0
        touched = False
        for n in range(len(body_borders)):
            overlap = min(body_borders[n, 1], borders[z + 1]) - max(body_borders[n, 0], borders[z])
            if overlap <= 0.0:
                continue
            touched = True
            weight = overlap / thickness
            for m in range(starts[n], starts[n + 1]):
                accumulate(total, segments[m, 0], segments[m, 1], segments[m, 2], segments[m, 3], weight)
        if not touched:
            continue
        w = (borders[z] + borders[z + 1]) / 2
        size = step[0] * step[1] * thickness
        for y in range(ny):
            running = 0.0
            v = first[1] + y * step[1]
            # Column, row (in voxels) and w of the cells of this line in the dose.
            i_first = (turn[0, 0] * first[0] + turn[0, 1] * v + turn[0, 2] * w + shift[0] - origin[0]) * per_u
            j_first = (turn[1, 0] * first[0] + turn[1, 1] * v + turn[1, 2] * w + shift[1] - origin[1]) * per_v
            h_first = turn[2, 0] * first[0] + turn[2, 1] * v + turn[2, 2] * w + shift[2]
            for x in range(nx):
                running += total[y, x]
                if running < 1e-9:
                    continue
                i, j, h = i_first + x * i_step, j_first + x * j_step, h_first + x * h_step
                if i < -0.5 or i > dx - 0.5 or j < -0.5 or j > dy - 0.5 or h < slabs[0] or h > slabs[dz]:
                    continue
                # The lower of the two dose planes around h, sought from where the last cell found it.
                while k < dz - 2 and h >= positions[k + 1]:
                    k += 1
                while k > 0 and h < positions[k]:
                    k -= 1
                k1 = min(k + 1, dz - 1)
                c = min(max((h - positions[k]) * per_gap[k], 0.0), 1.0)
                i0, j0 = min(max(int(i), 0), max(dx - 2, 0)), min(max(int(j), 0), max(dy - 2, 0))
                i1, j1 = min(i0 + 1, dx - 1), min(j0 + 1, dy - 1)
                a, b = min(max(i - i0, 0.0), 1.0), min(max(j - j0, 0.0), 1.0)
                e00, e01 = gray[k, j0, i0], gray[k, j0, i1]
                e10, e11 = gray[k, j1, i0], gray[k, j1, i1]
                f00, f01 = gray[k1, j0, i0], gray[k1, j0, i1]
                f10, f11 = gray[k1, j1, i0], gray[k1, j1, i1]
                p00, p01 = e00 + (f00 - e00) * c, e01 + (f01 - e01) * c
                p10, p11 = e10 + (f10 - e10) * c, e11 + (f11 - e11) * c
                q0, q1 = p00 + (p01 - p00) * a, p10 + (p11 - p10) * a
                dose = q0 + (q1 - q0) * b
                if not np.isfinite(dose):
                    continue
                # Dose gradient along u, v, w of the dose, and from it the change across the cell along each of the cell's axes.
                gu = ((p01 - p00) * (1 - b) + (p11 - p10) * b) * per_u
                gv = (q1 - q0) * per_v
                gw = ((f00 - e00) * (1 - a) + (f01 - e01) * a) * (1 - b) + ((f10 - e10) * (1 - a) + (f11 - e11) * a) * b
                gw *= per_gap[k]
                su = (gu * turn[0, 0] + gv * turn[1, 0] + gw * turn[2, 0]) * step[0]
                sv = (gu * turn[0, 1] + gv * turn[1, 1] + gw * turn[2, 1]) * step[1]
                sw = (gu * turn[0, 2] + gv * turn[1, 2] + gw * turn[2, 2]) * thickness
                # An even spread with the variance of the three together.
                half = np.sqrt(su * su + sv * sv + sw * sw) * per_level / 2
                volume = min(running, 1.0) * size
                known += volume
                weighted += volume * dose
                minimum, maximum = min(minimum, dose), max(maximum, dose)
                level = (dose - lowest) * per_level
                half = max(min(half, level, levels - 1 - level), 0.5)
                start = min(max(level - half + 0.5, 0.0), levels - 0.0)
                stop = min(max(level + half + 0.5, 0.0), levels - 0.0)
                height = volume / max(stop - start, 1e-12)
                m = min(int(start), levels - 1)
                slopes[m] += height * (m + 1 - start)
                slopes[m + 1] += height * (start - m)
                m = min(int(stop), levels - 1)
                slopes[m] -= height * (m + 1 - stop)
                slopes[m + 1] -= height * (stop - m)
    return known, weighted, minimum, maximum
