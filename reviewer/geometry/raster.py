# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Polygons to fractions of pixels: compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.geometry.pieces import divide, room_for

BLOCK = 16
"""Cells that are written as one where no edge passes."""


@njit(cache=True, nogil=True, error_model="numpy")
def fill(fraction, slabs, borders, starts, segments, to_cells):  # type: ignore[no-untyped-def]
    """Fractions of voxels by signed-area accumulation, as font rasterisers do: each edge adds what lies to its right, a running sum does the rest.

    fraction: (nz, ny, nx) out; slabs: (nz + 1,) w of the borders of the voxel planes.
    borders:  (n, 2) w of floor and top of each prism, in any order; starts, segments: as in `Solid`.
    to_cells: (2, 3) affine map of (u, v) to (x, y) in cells, whole numbers on their edges.
    """
    nz, ny, nx = fraction.shape
    blocks = nx // BLOCK + 1  # with room for the cell beside the last
    stride = blocks * BLOCK
    total = np.zeros(ny * stride)
    touched = np.zeros(ny * blocks, dtype=np.bool_)
    pieces, cells = room_for(ny, nx)
    side = 1.0 if to_cells[0, 0] * to_cells[1, 1] > to_cells[0, 1] * to_cells[1, 0] else -1.0
    one, per_block = np.uint64(1), np.uint64(BLOCK)
    for z in range(nz):
        low, high = slabs[z], slabs[z + 1]
        for n in range(len(borders)):
            overlap = min(borders[n, 1], high) - max(borders[n, 0], low)
            if overlap <= 0.0:
                continue
            weight = -side * overlap / (high - low)
            m = starts[n]
            while m < starts[n + 1]:
                count, m = divide(pieces, cells, segments, m, starts[n + 1], to_cells, 0, 0, ny, nx, stride)
                for i in range(count):
                    cell, part = cells[i], weight * (pieces[i, 3] - pieces[i, 1])
                    beside = part * ((pieces[i, 0] + pieces[i, 2] + 1.0) / 2)
                    total[cell] += part - beside
                    total[cell + one] += beside
                    touched[cell // per_block] = True
                    touched[(cell + one) // per_block] = True
        for y in range(ny):
            running = 0.0
            for block in range(blocks):
                first, last = block * BLOCK, min((block + 1) * BLOCK, nx)
                if touched[y * blocks + block]:
                    for x in range(first, last):
                        running += total[y * stride + x]
                        fraction[z, y, x] = min(max(running, 0.0), 1.0)
                    total[y * stride + first : y * stride + first + BLOCK] = 0.0
                    touched[y * blocks + block] = False
                else:
                    even = np.float32(min(max(running, 0.0), 1.0))
                    for x in range(first, last):
                        fraction[z, y, x] = even
