# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The share of a DVH that lies in some layers of cubes along the structure's own axes, at an angle to those of the dose; compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.dosimetry.interpolation import spread_of
from reviewer.dosimetry.levels import add
from reviewer.dosimetry.moments import OF_ROW, add_moments, next_touched, of_cell, of_row, pass_by, shape_of
from reviewer.dosimetry.voxels import ROUNDING


@njit(cache=True, nogil=True, error_model="numpy")
def in_cubes(  # type: ignore[no-untyped-def]
    slopes, lowest, width, first, layers, shape, step, borders, starts, segments, to_cells, turn, shift, gray, origin, spacing, positions, slabs,
    moments, touched, pieces, cells
):  # fmt: skip
    """Adds some layers of cubes to `slopes`; arguments and results as of `in_voxels`, volumes in cubes.

    first: (z, y, x) of the first cube, in multiples of `step` mm; turn, shift: from the solid's plane coordinates to those of the dose.
    """
    rows, columns, stride = shape
    per_level = 1.0 / width
    running, words = np.zeros(OF_ROW), touched.view(np.uint64)
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
    about = 1 + int(step / (2 * spacing.min()))
    for z in range(first[0], first[0] + layers):
        if not add_moments(
            moments, touched, pieces, cells, z * step, (z + 1) * step, borders, starts, segments, to_cells,
            first[1], first[2], rows, columns, stride,
        ):  # fmt: skip
            continue
        for row in range(rows):
            end = row * stride + columns
            n = next_touched(touched, words, row * stride, end)
            running[:] = 0.0
            while n < end:
                x, crossed = n - row * stride, touched[n] == 1
                if crossed:
                    integrals = of_cell(running, moments, n)
                    pass_by(running, moments, touched, n)
                else:
                    integrals = of_row(running)
                if integrals[0] < ROUNDING:
                    n = n + 1 if crossed else next_touched(touched, words, n, end)
                    continue
                n += 1
                body = shape_of(integrals)
                u = (first[2] + x + 0.5 + body[0]) * step
                v = (first[1] + row + 0.5 + body[1]) * step
                w = (z + 0.5 + body[2]) * step
                dose, slope_u, slope_v, slope_w, voxel = _at(
                    u, v, w, turn, shift, gray, origin, spacing, positions, slabs
                )
                if not np.isfinite(dose):
                    continue
                volume = min(integrals[0], 1.0)
                known += volume
                weighted += volume * dose
                spread = spread_of(body, slope_u * step, slope_v * step, slope_w * step)
                if not np.isfinite(spread):
                    spread = 0.0
                low, high = _extremes(gray, voxel, 0)
                if dose - spread < low or dose + spread > high:  # a steep place need not be steep all over the cube
                    low, high = _extremes(gray, voxel, about)
                    spread = max(min(spread, high - dose, dose - low), 0.0)
                minimum, maximum = min(minimum, dose - spread), max(maximum, dose + spread)
                add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
    return known, weighted, minimum, maximum


@njit(cache=True, nogil=True, error_model="numpy")
def _at(u, v, w, turn, shift, gray, origin, spacing, positions, slabs):  # type: ignore[no-untyped-def]
    """The dose at a point of the solid, NaN beyond the dose grid, its slopes per mm along u, v, w, and the first of the voxels around."""
    dz, dy, dx = gray.shape
    x = (turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] * w + shift[0] - origin[0]) / spacing[0]
    y = (turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] * w + shift[1] - origin[1]) / spacing[1]
    h = turn[2, 0] * u + turn[2, 1] * v + turn[2, 2] * w + shift[2]
    if x < -0.5 or x > dx - 0.5 or y < -0.5 or y > dy - 0.5 or h < slabs[0] or h > slabs[dz]:
        return np.nan, 0.0, 0.0, 0.0, (0, 0, 0)
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
    return (
        lower + (upper - lower) * c,
        slope_x * turn[0, 0] + slope_y * turn[1, 0] + slope_h * turn[2, 0],
        slope_x * turn[0, 1] + slope_y * turn[1, 1] + slope_h * turn[2, 1],
        slope_x * turn[0, 2] + slope_y * turn[1, 2] + slope_h * turn[2, 2],
        (k, j, i),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(gray, voxel, about):  # type: ignore[no-untyped-def]
    """Lowest and highest of the eight voxels that begin with `voxel`, and of `about` more to all sides; what is not a number is neither."""
    k, j, i = voxel
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for z in range(max(k - about, 0), min(k + 2 + about, gray.shape[0])):
        for y in range(max(j - about, 0), min(j + 2 + about, gray.shape[1])):
            for x in range(max(i - about, 0), min(i + 2 + about, gray.shape[2])):
                low, high = (
                    (gray[z, y, x] if gray[z, y, x] < low else low),
                    (gray[z, y, x] if gray[z, y, x] > high else high),
                )
    return low, high
