# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Polygons to fractions of pixels: compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 16
"""Cells that are written as one where no edge passes."""

ROUNDING = 1e-9
"""Cells. An edge this near to the next cell counts as touching it, so that finer cells of the same place agree on where it lies."""


@njit(cache=True, nogil=True)
def fill(fraction, slabs, borders, starts, segments, to_cells):  # type: ignore[no-untyped-def]
    """Fractions of voxels by signed-area accumulation, as font rasterisers do: each edge adds what lies to its right, a running sum does the rest.

    fraction: (nz, ny, nx) out; slabs: (nz + 1,) w of the borders of the voxel planes; the rest as in `add_prisms`.
    """
    nz, ny, nx = fraction.shape
    total = np.zeros((ny, nx + 1))
    touched = np.zeros((ny, nx // BLOCK + 1), dtype=np.bool_)
    for z in range(nz):
        add_prisms(total, touched, slabs[z], slabs[z + 1], borders, starts, segments, to_cells, BLOCK, 1)
        for y in range(ny):
            running = 0.0
            for block in range(nx // BLOCK + 1):
                first, last = block * BLOCK, min((block + 1) * BLOCK, nx)
                if touched[y, block]:
                    for x in range(first, last):
                        running += total[y, x]
                        total[y, x] = 0.0
                        fraction[z, y, x] = min(max(running, 0.0), 1.0)
                    touched[y, block] = False
                else:
                    even = np.float32(min(max(running, 0.0), 1.0))
                    for x in range(first, last):
                        fraction[z, y, x] = even
            total[y, nx] = 0.0


@njit(cache=True, nogil=True)
def add_prisms(total, touched, low, high, borders, starts, segments, to_cells, block, beside):  # type: ignore[no-untyped-def]
    """Adds to total (ny, nx + 1) the mean coverage of cells between w = low and high, as differences along x; returns whether there is any.

    touched:  (ny, nx // block + 1) blocks of `block` cells that an edge may pass are set, with `beside` more cells to the right of it:
              the last that an edge changes is the one beside it. Nothing is set where block is 0.
    borders:  (n, 2) w of floor and top of each prism, in any order; starts, segments: as in `Solid`.
    to_cells: (2, 3) affine map of (u, v) to (x, y) in cells, whole numbers on their edges.
    """
    ny, nx = total.shape[0], total.shape[1] - 1
    side = 1.0 if to_cells[0, 0] * to_cells[1, 1] > to_cells[0, 1] * to_cells[1, 0] else -1.0
    found = False
    for n in range(len(borders)):
        overlap = min(borders[n, 1], high) - max(borders[n, 0], low)
        if overlap <= 0.0:
            continue
        found = True
        weight = side * overlap / (high - low)
        for m in range(starts[n], starts[n + 1]):
            u0, v0, u1, v1 = segments[m, 0], segments[m, 1], segments[m, 2], segments[m, 3]
            x0 = to_cells[0, 0] * u0 + to_cells[0, 1] * v0 + to_cells[0, 2]
            y0 = to_cells[1, 0] * u0 + to_cells[1, 1] * v0 + to_cells[1, 2]
            x1 = to_cells[0, 0] * u1 + to_cells[0, 1] * v1 + to_cells[0, 2]
            y1 = to_cells[1, 0] * u1 + to_cells[1, 1] * v1 + to_cells[1, 2]
            accumulate(total, x0, y0, x1, y1, weight)
            if block == 0:
                continue
            # The cells of the edge's box, and of an edge beyond the last column the last, where its coverage ends.
            first, last = min(max(min(x0, x1) - ROUNDING, 0.0), float(nx)), min(max(x0, x1, 0.0) + ROUNDING, nx - 1.0)
            top, bottom = min(y0, y1) - ROUNDING, max(y0, y1) + ROUNDING
            for y in range(max(int(np.floor(top)), 0), min(int(np.floor(bottom)), ny - 1) + 1):
                for n_block in range(int(first) // block, max(int(last) + beside, int(first)) // block + 1):
                    touched[y, n_block] = True
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def accumulate(total, x0, y0, x1, y1, weight):  # type: ignore[no-untyped-def]
    """Adds to total (ny, nx + 1) the area right of one edge, cell by cell, as differences along x."""
    if y0 == y1:
        return
    ny, nx = total.shape[0], total.shape[1] - 1
    column, row = int(x0), int(y0)
    if (
        x0 >= 0
        and y0 >= 0
        and x1 >= 0
        and y1 >= 0
        and column == int(x1)
        and row == int(y1)
        and column < nx
        and row < ny
    ):
        part = weight * (y0 - y1)
        share = part * ((x0 + x1) / 2 - column)
        total[row, column] += part - share
        total[row, column + 1] += share
        return
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
