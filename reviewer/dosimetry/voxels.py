# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The share of a DVH that lies in some planes of dose voxels parallel to those of the structure; compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.dosimetry.interpolation import bounds, interpolate, rows_for, spread_of, weigh, whole_row
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
    dz = len(positions)
    per_level, wide = 1.0 / width, np.sqrt(3.0) if everywhere else 0.0
    room = rows_for(gray.shape[2])
    running, words = np.zeros(OF_ROW), touched.view(np.uint64)
    known = weighted = 0.0
    minimum, maximum = np.inf, -np.inf
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
                    body, part = shape_of(integrals), min(integrals[0], 1.0)
                    along_w = weigh(w + body[2] * deep, wide * np.sqrt(body[5]) * deep, below, above)
                    along_v = weigh(v + body[1] / py, wide * np.sqrt(body[4]) / py, 1.0, 1.0)
                    i, centred = first[2] + x // px, v == 0.0 and c == pz // 2 and part > 1.0 - ROUNDING
                    if not crossed and everywhere and x % px == 0:
                        # The parts of a voxel that lie side by side and are occupied alike count as one.
                        count = (next_touched(touched, words, n, end) - n) // px
                        if count > 0:
                            least, most, lower, upper = whole_row(
                                room, gray, k, j, i, i + count, along_w, along_v,
                                body[4] / (py * py), body[5] * deep * deep, body[8] * deep / py,
                            )  # fmt: skip
                            if centred:
                                minimum, maximum = min(minimum, least), max(maximum, most)
                            if not centred or pz > 1:
                                minimum, maximum = min(minimum, lower), max(maximum, upper)
                            volume = part * size * px
                            known += volume * count
                            weighted += volume * add_row(slopes, room, count, lowest, per_level, volume)
                            n += count * px
                            continue
                    n += 1
                    u = (x % px + 0.5) / px - 0.5
                    along_u = weigh(u + body[0] / px, wide * np.sqrt(body[3]) / px, 1.0, 1.0)
                    dose, slope_u, slope_v, slope_w = interpolate(gray, k, j, i, along_w, along_v, along_u)
                    if not np.isfinite(dose):
                        continue
                    volume = part * size
                    known += volume
                    weighted += volume * dose
                    if u == 0.0 and centred:
                        centre = np.float64(gray[k, j, i])
                        minimum, maximum = min(minimum, centre), max(maximum, centre)
                    spread = spread_of(body, slope_u / px, slope_v / py, slope_w * deep)
                    if everywhere:
                        floor, top = bounds(gray, k, j, i)
                        spread = max(min(spread, top - dose, dose - floor), 0.0)
                    elif not np.isfinite(spread):
                        spread = 0.0
                    minimum, maximum = min(minimum, dose - spread), max(maximum, dose + spread)
                    add(slopes, (dose - lowest) * per_level, spread * per_level, volume)
    return known, weighted, minimum, maximum
