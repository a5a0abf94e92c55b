# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The share of a DVH that lies in some planes of dose voxels parallel to those of the structure; compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.dosimetry.interpolation import (
    BATCH,
    DOSE,
    SPREAD,
    cells_for,
    doses_of_cells,
    rows_for,
    weigh,
    whole_row,
    widen,
)
from reviewer.dosimetry.levels import add, add_row
from reviewer.dosimetry.moments import OF_ROW, add_moments, next_touched, of_cell, of_row, pass_by, shape_of

ROUNDING = 1e-9
"""A cell of which no more is occupied is empty."""


@njit(cache=True, nogil=True, error_model="numpy")
def in_voxels(  # type: ignore[no-untyped-def]
    slopes, lowest, width, first, shape, slabs, borders, starts, segments, to_cells, parts, everywhere,
    gray, positions, moments, touched, pieces, cells
):  # fmt: skip
    """Adds the voxels of some dose planes, in the box whose first voxel is `first` (z, y, x), to `slopes`.

    shape: rows and columns of parts of voxels in the box, and the stride of its rows.
    slabs: (nz + 1,) borders of the planes; to_cells: from the solid's (u, v) to parts of voxels of the whole dose grid.
    parts: cells in a voxel along u, v, w; everywhere: there are no NaN, so that the kink of the interpolation at a voxel's centre may be looked
    across and whole voxels count as one. moments, touched, pieces, cells: see `add_moments`; all are left as they were.
    Volumes count in areas of a voxel times mm. Returns that of known dose, the sum of dose times volume, the lowest and the highest dose.
    """
    rows, columns, stride = shape
    px, py, pz = parts
    dz, dx = len(positions), gray.shape[2]
    per_level, wide = 1.0 / width, np.sqrt(3.0) if everywhere else 0.0
    room, cells_room = rows_for(dx), cells_for()
    numbers, _, voxels = cells_room
    count = 0
    # Of what each column of voxels receives where whole rows count as one.
    lows, highs = np.full(dx, np.float32(np.inf)), np.full(dx, np.float32(-np.inf))
    no_spread = np.zeros(dx, dtype=np.float32)
    running, words = np.zeros(OF_ROW), touched.view(np.uint64)
    totals = np.array([0.0, 0.0, np.inf, -np.inf])
    for z in range(len(slabs) - 1):
        k, low, thickness = first[0] + z, slabs[z], slabs[z + 1] - slabs[z]
        deep = thickness / pz
        size = deep / (px * py)
        below = 1.0 / (positions[k] - positions[k - 1]) if k > 0 else 1.0
        above = 1.0 / (positions[k + 1] - positions[k]) if k + 1 < dz else 1.0
        for c in range(pz):
            bottom = low + deep * c
            if not add_moments(
                moments, touched, pieces, cells, bottom, bottom + deep, borders, starts, segments, to_cells,
                first[1] * py, first[2] * px, rows, columns, stride,
            ):  # fmt: skip
                continue
            w = bottom + deep / 2 - positions[k]
            place = (k, w, wide, 1 / px, 1 / py, deep, below, above)
            for row in range(rows):
                end = row * stride + columns
                n = next_touched(touched, words, row * stride, end)
                if n == end:
                    continue
                j, v = first[1] + row // py, (row % py + 0.5) / py - 0.5
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
                    part = min(integrals[0], 1.0)
                    across = x if px == 1 else x // px  # to divide takes long
                    rest, i = x - across * px, first[2] + across
                    centred = v == 0.0 and c == pz // 2 and part > 1.0 - ROUNDING
                    if not crossed and everywhere and rest == 0:
                        # The parts of a voxel that lie side by side and are occupied alike count as one.
                        wholes = (next_touched(touched, words, n, end) - n) // px
                        if wholes > 0:
                            body = shape_of(integrals)
                            whole_row(
                                room, gray, k, j, i, i + wholes,
                                weigh(w + body[2] * deep, wide * np.sqrt(body[5]) * deep, below, above),
                                weigh(v + body[1] / py, wide * np.sqrt(body[4]) / py, 1.0, 1.0),
                                body[4] / (py * py), body[5] * deep * deep, body[8] * deep / py,
                            )  # fmt: skip
                            if centred:
                                widen(lows[i : i + wholes], highs[i : i + wholes], gray[k, j, i:], no_spread)
                            if not centred or pz > 1:
                                widen(lows[i : i + wholes], highs[i : i + wholes], room[0], room[1])
                            volume = part * size * px
                            totals[0] += volume * wholes
                            totals[1] += volume * add_row(slopes, room, wholes, lowest, per_level, volume)
                            n += wholes * px
                            continue
                    n += 1
                    if centred and rest == px // 2 and np.isfinite(gray[k, j, i]):
                        totals[2], totals[3] = min(totals[2], gray[k, j, i]), max(totals[3], gray[k, j, i])
                    for m in range(len(integrals)):
                        numbers[m, count] = integrals[m]
                    numbers[10, count], numbers[11, count] = (rest + 0.5) / px - 0.5, v
                    voxels[0, count], voxels[1, count] = j, i
                    count += 1
                    if count == BATCH:
                        _add_cells(totals, slopes, lowest, per_level, size, cells_room, count, gray, place, everywhere)
                        count = 0
            _add_cells(totals, slopes, lowest, per_level, size, cells_room, count, gray, place, everywhere)
            count = 0
    return totals[0], totals[1], min(totals[2], lows.min()), max(totals[3], highs.max())


@njit(cache=True, nogil=True, error_model="numpy")
def _add_cells(totals, slopes, lowest, per_level, size, room, count, gray, place, everywhere):  # type: ignore[no-untyped-def]
    """Adds `count` cells to `slopes`, and to the known volume, the sum of dose times volume, the lowest and the highest dose in `totals`."""
    doses_of_cells(room, count, gray, place, everywhere)
    cells = room[0]
    for n in range(count):
        dose, spread, volume = cells[DOSE, n], cells[SPREAD, n], min(cells[0, n], 1.0) * size
        if not np.isfinite(dose):
            continue
        if not np.isfinite(spread):
            spread = 0.0
        totals[0] += volume
        totals[1] += volume * dose
        totals[2], totals[3] = min(totals[2], dose - spread), max(totals[3], dose + spread)
        add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
