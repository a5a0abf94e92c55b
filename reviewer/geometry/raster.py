# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Polygons to fractions of pixels: compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill(fraction, slabs, borders, starts, segments, offset):  # type: ignore[no-untyped-def]
    """Fractions of voxels by signed-area accumulation, as font rasterisers do: each edge adds what lies to its right, a running sum does the rest.

    fraction: (nz, ny, nx) out; slabs: (nz + 1,) borders of the voxel planes; borders: (n, 2) and starts: (n + 1,) as in Solid, in any order;
    segments: (m, 4) in voxel edges of the whole grid; offset: x, y of the box.
    """
    nz, ny, nx = fraction.shape
    total = np.empty((ny, nx + 1))
    for z in range(nz):
        total[:] = 0.0
        for n in range(len(borders)):
            overlap = min(borders[n, 1], slabs[z + 1]) - max(borders[n, 0], slabs[z])
            if overlap <= 0.0:
                continue
            weight = overlap / (slabs[z + 1] - slabs[z])
            for m in range(starts[n], starts[n + 1]):
                accumulate(
                    total,
                    segments[m, 0] - offset[0],
                    segments[m, 1] - offset[1],
                    segments[m, 2] - offset[0],
                    segments[m, 3] - offset[1],
                    weight,
                )
        for y in range(ny):
            running = 0.0
            for x in range(nx):
                running += total[y, x]
                fraction[z, y, x] = min(max(running, 0.0), 1.0)


@njit(cache=True, nogil=True)
def accumulate(total, x0, y0, x1, y1, weight):  # type: ignore[no-untyped-def]
    """Adds to total (ny, nx + 1) the area right of one edge, cell by cell, as differences along x."""
    if y0 == y1:
        return
    ny, nx = total.shape[0], total.shape[1] - 1
    if y0 < y1:
        weight = -weight
    else:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y1 <= 0.0 or y0 >= ny:
        return
    slope = (x1 - x0) / (y1 - y0)
    if y0 < 0.0:
        x0, y0 = x0 - y0 * slope, 0.0
    if y1 > ny:
        x1, y1 = x0 + (ny - y0) * slope, float(ny)
    row, ya, xa = int(y0), y0, x0
    while ya < y1:
        yb = min(row + 1.0, y1)
        xb = x1 if yb == y1 else x0 + (yb - y0) * slope
        part = weight * (yb - ya)
        left, right = min(xa, xb), max(xa, xb)
        if right <= 0.0:
            total[row, 0] += part
        elif left < nx:
            if int(np.floor(left)) == int(np.floor(right)):
                i = int(left)
                share = part * ((left + right) / 2 - i)
                total[row, i] += part - share
                total[row, i + 1] += share
            else:
                per_mm = part / (right - left)
                if left < 0.0:
                    total[row, 0] -= per_mm * left
                    left = 0.0
                stop = min(right, float(nx))
                while left < stop:
                    i = int(left)
                    edge = min(i + 1.0, stop)
                    piece = per_mm * (edge - left)
                    share = piece * ((left + edge) / 2 - i)
                    total[row, i] += piece - share
                    total[row, i + 1] += share
                    left = edge
        xa, ya, row = xb, yb, row + 1
