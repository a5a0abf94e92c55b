"""A small photon dose calculation, good enough to make the demo's doses look like doses. Nothing else may use it.

Primary fluence through the apertures, attenuated along divergent rays by radiological depth, with inverse square and
build-up; the penumbra and the lateral scatter are two Gaussians over the fluence at the isocentre plane. No tissue-dependent scatter, no
magnetic field. The numbers below are rounded from memory of 6 MV beams without flattening filter: they are not commissioned.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

SAD_MM = 900.0
GRAY_PER_MU = 0.01
"""At the depth of maximum dose, in the middle of a wide field at the isocentre distance."""

ATTENUATION_PER_MM = 0.0052
BUILD_UP_MM = 4.5
SURFACE_SHARE = 0.45
PENUMBRA_MM = 2.2
SCATTER_MM = 13.0
SCATTER_SHARE = 0.10
TRANSMISSION = 0.004
"""Of closed leaves; double-focused stacks leak little."""
FALL_OFF_PER_MM = 0.0012
"""Loss of fluence off axis of an unflattened beam."""

FLUENCE_STEP_MM = 1.0
FLUENCE_HALF_MM = 110.0
RAY_STEP_MM = 5.0
RAY_HALF_MM = (250.0, 170.0)
DEPTH_STEP_MM = 2.5
DEPTH_HALF_MM = 260.0


@dataclass(frozen=True, eq=False)
class Geometry:
    """A beam in the patient, head first supine, collimator and couch at 0 (IEC 61217).

    source_mm and the unit vectors `right`, `up` (x and y of the beam limiting device) and `ahead` are in patient coordinates.
    depth_mm: (along, y, x) radiological depth on rays through the isocentre plane, `along` from the source.
    """

    source_mm: Floats
    right: Floats
    up: Floats
    ahead: Floats
    depth_mm: Floats32

    def project(self, points_mm: Floats) -> Floats:
        """(n, 2) x and y at the isocentre plane of the rays through patient points (n, 3), mm."""
        away = points_mm - self.source_mm
        return np.stack([away @ self.right, away @ self.up], axis=-1) * (SAD_MM / (away @ self.ahead))[:, None]


def geometries(angles_deg: tuple[float, ...], isocentre_mm: Floats, density: Floats32, grid: Grid) -> list[Geometry]:
    """One geometry per gantry angle; density (z, y, x) on `grid`, an axial one; beyond it is air."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda a: _geometry(a, isocentre_mm, density, grid), angles_deg))


def _geometry(angle_deg: float, isocentre_mm: Floats, density: Floats32, grid: Grid) -> Geometry:
    g = np.deg2rad(angle_deg)
    right, up = np.array([np.cos(g), np.sin(g), 0.0]), np.array([0.0, 0.0, 1.0])
    ahead = np.array([-np.sin(g), np.cos(g), 0.0])
    source = isocentre_mm - SAD_MM * ahead
    nx, ny = (2 * round(half / RAY_STEP_MM) + 1 for half in RAY_HALF_MM)
    depth = np.zeros((round(2 * DEPTH_HALF_MM / DEPTH_STEP_MM) + 1, ny, nx), dtype=np.float32)
    first = grid.point_of_index_mm((0, 0, 0))
    _trace(depth, density, first, np.array(grid.spacing_mm), source, right, up, ahead)
    return Geometry(source, right, up, ahead, depth)


@numba.njit(cache=True, nogil=True)
def _trace(
    depth: Floats32,
    density: Floats32,
    first: Floats,
    spacing: Floats,
    source: Floats,
    right: Floats,
    up: Floats,
    ahead: Floats,
) -> None:
    """Fill `depth` by marching each ray through the density, nearest voxel."""
    n, ny, nx = depth.shape
    for j in range(ny):
        y = (j - ny // 2) * RAY_STEP_MM
        for i in range(nx):
            x = (i - nx // 2) * RAY_STEP_MM
            way = ahead + (x * right + y * up) / SAD_MM
            step = DEPTH_STEP_MM * np.sqrt(1 + (x * x + y * y) / SAD_MM**2)
            total = 0.0
            for k in range(n):
                along = SAD_MM - DEPTH_HALF_MM + k * DEPTH_STEP_MM
                a = int(np.floor((source[0] + along * way[0] - first[0]) / spacing[0] + 0.5))
                b = int(np.floor((source[1] + along * way[1] - first[1]) / spacing[1] + 0.5))
                c = int(np.floor((source[2] + along * way[2] - first[2]) / spacing[2] + 0.5))
                here = 0.0
                if 0 <= a < density.shape[2] and 0 <= b < density.shape[1] and 0 <= c < density.shape[0]:
                    here = density[c, b, a] * step
                depth[k, j, i] = total + here / 2
                total += here


@numba.njit(cache=True, nogil=True)
def fluence(leaves_mm: Floats, boundaries_mm: Floats) -> Floats32:
    """(y, x) what passes an aperture, on a square of FLUENCE_STEP_MM around the axis; leaves (n, 2) left and right positions."""
    n = 2 * int(FLUENCE_HALF_MM / FLUENCE_STEP_MM) + 1
    out = np.zeros((n, n), dtype=np.float32)
    for k in range(len(leaves_mm)):
        left, right = leaves_mm[k]
        for j in range(n):
            y = (j - n // 2) * FLUENCE_STEP_MM - FLUENCE_STEP_MM / 2
            height = min(y + FLUENCE_STEP_MM, boundaries_mm[k + 1]) - max(y, boundaries_mm[k])
            if height <= 0 or right <= left:
                continue
            for i in range(n):
                x = (i - n // 2) * FLUENCE_STEP_MM - FLUENCE_STEP_MM / 2
                width = min(x + FLUENCE_STEP_MM, right) - max(x, left)
                if width > 0:
                    out[j, i] += height * width / FLUENCE_STEP_MM**2
    for j in range(n):
        for i in range(n):
            radius = np.hypot(i - n // 2, j - n // 2) * FLUENCE_STEP_MM
            out[j, i] = (TRANSMISSION + (1 - TRANSMISSION) * out[j, i]) * (1 - FALL_OFF_PER_MM * radius)
    return out


def dose_per_unit(geometry: Geometry, passed: Floats32, points_mm: Floats) -> Floats:
    """(n,) Gy per MU at patient points (n, 3) from a fluence (y, x) as `fluence` gives it; summed fluences give summed doses."""
    sharp = cv2.GaussianBlur(passed, (0, 0), PENUMBRA_MM / FLUENCE_STEP_MM)
    broad = cv2.GaussianBlur(passed, (0, 0), SCATTER_MM / FLUENCE_STEP_MM)
    mixed = np.asarray((1 - SCATTER_SHARE) * sharp + SCATTER_SHARE * broad, dtype=np.float32)
    out = np.empty(len(points_mm))
    g = geometry
    _collect(out, points_mm, mixed, g.depth_mm, g.source_mm, g.right, g.up, g.ahead)
    return out


@numba.njit(cache=True, nogil=True)
def _collect(
    out: Floats,
    points: Floats,
    mixed: Floats32,
    depth: Floats32,
    source: Floats,
    right: Floats,
    up: Floats,
    ahead: Floats,
) -> None:
    """Dose per MU at each point: linear in the fluence and in the table of depths."""
    deepest = np.log(1 + (1 - SURFACE_SHARE) / (BUILD_UP_MM * ATTENUATION_PER_MM)) * BUILD_UP_MM
    peak = np.exp(-ATTENUATION_PER_MM * deepest) * (1 - (1 - SURFACE_SHARE) * np.exp(-deepest / BUILD_UP_MM))
    for n in range(len(points)):
        p = points[n] - source
        along = p[0] * ahead[0] + p[1] * ahead[1] + p[2] * ahead[2]
        x = (p[0] * right[0] + p[1] * right[1] + p[2] * right[2]) * SAD_MM / along
        y = (p[0] * up[0] + p[1] * up[1] + p[2] * up[2]) * SAD_MM / along
        i = min(max((x + FLUENCE_HALF_MM) / FLUENCE_STEP_MM, 0.0), mixed.shape[1] - 1.001)
        j = min(max((y + FLUENCE_HALF_MM) / FLUENCE_STEP_MM, 0.0), mixed.shape[0] - 1.001)
        i0, j0 = int(i), int(j)
        a, b = i - i0, j - j0
        beam = (1 - b) * ((1 - a) * mixed[j0, i0] + a * mixed[j0, i0 + 1]) + b * (
            (1 - a) * mixed[j0 + 1, i0] + a * mixed[j0 + 1, i0 + 1]
        )
        i = min(max(x / RAY_STEP_MM + depth.shape[2] // 2, 0.0), depth.shape[2] - 1.001)
        j = min(max(y / RAY_STEP_MM + depth.shape[1] // 2, 0.0), depth.shape[1] - 1.001)
        k = min(max((along - SAD_MM + DEPTH_HALF_MM) / DEPTH_STEP_MM, 0.0), depth.shape[0] - 1.001)
        i0, j0, k0 = int(i), int(j), int(k)
        a, b, c = i - i0, j - j0, k - k0
        deep = 0.0
        for dk in range(2):
            for dj in range(2):
                for di in range(2):
                    share = (a if di else 1 - a) * (b if dj else 1 - b) * (c if dk else 1 - c)
                    deep += share * depth[k0 + dk, j0 + dj, i0 + di]
        rise = (1 - (1 - SURFACE_SHARE) * np.exp(-deep / BUILD_UP_MM)) / peak
        out[n] = GRAY_PER_MU * beam * rise * np.exp(-ATTENUATION_PER_MM * deep) * (SAD_MM / along) ** 2
