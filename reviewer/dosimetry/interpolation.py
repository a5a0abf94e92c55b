# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The dose in a part of a voxel: mean, slopes and bounds of the trilinear interpolation between voxels' centres; compiled.

Weights are those of the voxel before, of the voxel itself and of the one after along one axis; the first three give a mean, the other three a
mean slope. Each sum is taken as the middle value and what the two others differ from it, so that an even dose stays what it is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.dosimetry.levels import FAST
from reviewer.dosimetry.moments import shape_of

BATCH = 64
"""Cells whose dose is worked out at once: few enough to stay near the processor."""

DOSE, SPREAD = 20, 21
"""Rows of `cells_for` in which `doses_of_cells` answers."""


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(centre, half, before, after):  # type: ignore[no-untyped-def]
    """Weights for what is evenly spread within `half` of `centre`, counted from the voxel's centre.

    before, after: one by the distance of those voxels. What does not matter has the weight 0.
    """
    # Means over the stretch of how far it reaches beyond the voxel's centre to either side, and the part beyond it.
    spans = abs(centre) < half
    ahead, per_length = centre + half, 0.5 / half
    last = ahead * ahead * per_length * 0.5 if spans else max(centre, 0.0)
    first = last - centre
    part = ahead * per_length if spans else 1.0 if centre > 0.0 else 0.0 if centre < 0.0 else 0.5
    first, last = first * before, last * after
    slope_first, slope_last = (part - 1.0) * before, part * after
    return first, 1.0 - first - last, last, slope_first, -slope_first - slope_last, slope_last


@njit(cache=True, nogil=True, error_model="numpy")
def spread_of(shape, gx, gy, gz):  # type: ignore[no-untyped-def]
    """Half the width of an even spread as wide as a dose with this gradient, per cell, varies over the occupied part (see `shape_of`)."""
    square = gx * gx * shape[3] + gy * gy * shape[4] + gz * gz * shape[5]
    square += 2 * (gx * gy * shape[6] + gx * gz * shape[7] + gy * gz * shape[8])
    return np.sqrt(3 * max(square, 0.0))


@njit(cache=True, nogil=True)
def cells_for():  # type: ignore[no-untyped-def]
    """Room for BATCH cells: their numbers, the doses of the 27 voxels in and around which each lies (by rising w, v and u), and that voxel."""
    return np.empty((22, BATCH)), np.empty((27, BATCH), dtype=np.float32), np.empty((2, BATCH), dtype=np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def doses_of_cells(room, count, gray, place, everywhere):  # type: ignore[no-untyped-def]
    """Mean dose over what is occupied of each cell, and half the width of an even spread as wide as the dose varies there.

    room:  `cells_for`. In: rows 0 to 9 of the numbers the integrals (see `shape_of`), rows 10 and 11 where along u and v the cell's middle lies,
           from the voxel's centre in voxels; row and column of the voxel. Out: the rows DOSE and SPREAD.
    place: of all these cells the plane in `gray`; where along w their middle lies, from that plane in mm; over how many standard deviations to
           either side of its centroid counts as spread what is occupied; a cell's width along u and v, in voxels, and its height in mm; one by
           the distance of the plane below and of the one above.
    everywhere: there are no NaN. Else what has no weight is not looked at, and the spread may be NaN.
    Beyond the grid the outermost voxels hold.
    """
    cells, around, voxels = room
    k, w, wide, per_u, per_v, deep, below, above = place
    dz, dy, dx = gray.shape
    _weigh_cells(cells, count, w, wide, per_u, per_v, deep)
    for n in range(count):
        j, i = voxels[0, n], voxels[1, n]
        part_u, part_v, part_w = cells[17, n], cells[18, n], cells[19, n]
        i0 = max(i - 1, 0) if everywhere or part_u < 1.0 else i
        i2 = min(i + 1, dx - 1) if everywhere or part_u > 0.0 else i
        j0 = max(j - 1, 0) if everywhere or part_v < 1.0 else j
        j2 = min(j + 1, dy - 1) if everywhere or part_v > 0.0 else j
        k0 = max(k - 1, 0) if everywhere or part_w < 1.0 else k
        k2 = min(k + 1, dz - 1) if everywhere or part_w > 0.0 else k
        m = 0
        for plane in (k0, k, k2):
            for row in (j0, j, j2):
                around[m, n], around[m + 1, n], around[m + 2, n] = (
                    gray[plane, row, i0],
                    gray[plane, row, i],
                    gray[plane, row, i2],
                )
                m += 3
    _interpolate_cells(cells, around, count, per_u, per_v, deep, below, above, everywhere)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _weigh_cells(cells, count, w, wide, per_u, per_v, deep):  # type: ignore[no-untyped-def]
    """Rows 3 to 8 become the covariances of `shape_of`, and rows 11 to 19 what `weigh` says for voxels a distance of 1 apart: in threes, for u,
    v, w, the weights of the voxel before and of the one after, and the part ahead."""
    for n in range(count):
        shape = shape_of((
            cells[0, n], cells[1, n], cells[2, n], cells[3, n], cells[4, n], cells[5, n], cells[6, n], cells[7, n], cells[8, n], cells[9, n]
        ))  # fmt: skip
        along_u = weigh(cells[10, n] + shape[0] * per_u, wide * np.sqrt(shape[3]) * per_u, 1.0, 1.0)
        along_v = weigh(cells[11, n] + shape[1] * per_v, wide * np.sqrt(shape[4]) * per_v, 1.0, 1.0)
        along_w = weigh(w + shape[2] * deep, wide * np.sqrt(shape[5]) * deep, 1.0, 1.0)
        cells[3, n], cells[4, n], cells[5, n] = shape[3], shape[4], shape[5]
        cells[6, n], cells[7, n], cells[8, n] = shape[6], shape[7], shape[8]
        cells[11, n], cells[12, n], cells[13, n] = along_u[0], along_v[0], along_w[0]
        cells[14, n], cells[15, n], cells[16, n] = along_u[2], along_v[2], along_w[2]
        cells[17, n], cells[18, n], cells[19, n] = along_u[5], along_v[5], along_w[5]


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate_cells(cells, around, count, per_u, per_v, deep, below, above, everywhere):  # type: ignore[no-untyped-def]
    """The rest of `doses_of_cells`, in a loop that runs through vector registers."""
    for n in range(count):
        first_u, first_v, first_w = cells[11, n], cells[12, n], cells[13, n] * below
        last_u, last_v, last_w = cells[14, n], cells[15, n], cells[16, n] * above
        part_u, part_v, part_w = cells[17, n], cells[18, n], cells[19, n]
        low, low_u, low_v = _in_plane(around, 0, n, first_u, last_u, part_u, first_v, last_v, part_v)
        here, here_u, here_v = _in_plane(around, 9, n, first_u, last_u, part_u, first_v, last_v, part_v)
        high, high_u, high_v = _in_plane(around, 18, n, first_u, last_u, part_u, first_v, last_v, part_v)
        low, high = low - here, high - here
        dose = here + first_w * low + last_w * high
        slope_u = (here_u + first_w * (low_u - here_u) + last_w * (high_u - here_u)) * per_u
        slope_v = (here_v + first_w * (low_v - here_v) + last_w * (high_v - here_v)) * per_v
        slope_w = ((part_w - 1.0) * below * low + part_w * above * high) * deep
        spread = spread_of(
            (0.0, 0.0, 0.0, cells[3, n], cells[4, n], cells[5, n], cells[6, n], cells[7, n], cells[8, n]),
            slope_u,
            slope_v,
            slope_w,
        )
        # What the dose does not fall below and does not exceed within a voxel, but for what bends along two axes at once.
        middle = np.float64(around[13, n])
        u0, u2 = around[12, n] - middle, around[14, n] - middle
        v0, v2 = around[10, n] - middle, around[16, n] - middle
        w0, w2 = around[4, n] - middle, around[22, n] - middle
        floor = middle + (min(u0, u2, 0.0) + min(v0, v2, 0.0) + min(w0, w2, 0.0)) * 0.5
        top = middle + (max(u0, u2, 0.0) + max(v0, v2, 0.0) + max(w0, w2, 0.0)) * 0.5
        within = max(min(spread, top - dose, dose - floor), 0.0)
        cells[DOSE, n], cells[SPREAD, n] = dose, within if everywhere else spread


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _in_plane(around, m, n, first_u, last_u, part_u, first_v, last_v, part_v):  # type: ignore[no-untyped-def]
    """Mean and slopes along u and v in one plane of voxels, the nine from `m` on."""
    before, before_u = _in_row(around, m, n, first_u, last_u, part_u)
    here, here_u = _in_row(around, m + 3, n, first_u, last_u, part_u)
    after, after_u = _in_row(around, m + 6, n, first_u, last_u, part_u)
    before, after = before - here, after - here
    return (
        here + first_v * before + last_v * after,
        here_u + first_v * (before_u - here_u) + last_v * (after_u - here_u),
        (part_v - 1.0) * before + part_v * after,
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _in_row(around, m, n, first_u, last_u, part_u):  # type: ignore[no-untyped-def]
    here = np.float64(around[m + 1, n])
    before, after = around[m, n] - here, around[m + 2, n] - here
    return here + first_u * before + last_u * after, (part_u - 1.0) * before + part_u * after


@njit(cache=True, nogil=True)
def rows_for(columns):  # type: ignore[no-untyped-def]
    """Room for `whole_row` on a dose with that many columns."""
    return np.empty((8, columns + 2), dtype=np.float32)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def whole_row(rows, gray, k, j, first, stop, along_w, along_v, yy, zz, yz):  # type: ignore[no-untyped-def]
    """`interpolate`, `spread_of` and `bounds` for the voxels first to stop of a row at once, in whose full width the same part is occupied.

    rows:         `rows_for` the dose; out: from row 0 the mean doses, from row 1 the half widths of their spread.
    along_w, along_v: `weigh`. yy, zz, yz: the variances along v and w and their covariance, in mm2 or whatever unit the slopes are per.
    """
    dz, dy, dx = gray.shape
    k0, k2, j0, j2 = max(k - 1, 0), min(k + 1, dz - 1), max(j - 1, 0), min(j + 1, dy - 1)
    w0, w2, v0, v2 = np.float32(along_w[0]), np.float32(along_w[2]), np.float32(along_v[0]), np.float32(along_v[2])
    slope_w0, slope_w2 = np.float32(along_w[3]), np.float32(along_w[5])
    slope_v0, slope_v2 = np.float32(along_v[3]), np.float32(along_v[5])
    of_vv, of_ww, of_vw = np.float32(3 * yy), np.float32(3 * zz), np.float32(6 * yz)
    eighth, half, none, quarter = np.float32(0.125), np.float32(0.5), np.float32(0.0), np.float32(0.25)
    dose, wide, mean, rise_v, rise_w, most, least = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
    left, right = max(first - 1, 0), min(stop + 1, dx)
    # Slices count from 0, which is what lets the loops run through vector registers.
    g00, g01, g02 = gray[k0, j0, left:right], gray[k0, j, left:right], gray[k0, j2, left:right]
    g10, g11, g12 = gray[k, j0, left:right], gray[k, j, left:right], gray[k, j2, left:right]
    g20, g21, g22 = gray[k2, j0, left:right], gray[k2, j, left:right], gray[k2, j2, left:right]
    offset = left + 1 - first  # of the first column in `rows`: the column before `first` has place 0
    mean_there, rise_v_there, rise_w_there = mean[offset:], rise_v[offset:], rise_w[offset:]
    most_there, least_there, centres = most[offset:], least[offset:], rows[7][offset:]
    for n in range(right - left):
        centre = g11[n]
        b0, b2 = g00[n] - g10[n], g20[n] - g10[n]
        h0, h2 = g01[n] - centre, g21[n] - centre
        a0, a2 = g02[n] - g12[n], g22[n] - g12[n]
        before, after = g10[n] + w0 * b0 + w2 * b2, g12[n] + w0 * a0 + w2 * a2
        at = centre + w0 * h0 + w2 * h2
        at_w = slope_w0 * h0 + slope_w2 * h2
        before_w, after_w = slope_w0 * b0 + slope_w2 * b2 - at_w, slope_w0 * a0 + slope_w2 * a2 - at_w
        before, after = before - at, after - at
        mean_there[n] = at + v0 * before + v2 * after
        rise_v_there[n] = slope_v0 * before + slope_v2 * after
        rise_w_there[n] = at_w + v0 * before_w + v2 * after_w
        low_v, high_v = g10[n] - centre, g12[n] - centre
        most_there[n] = centre + half * (max(low_v, high_v, none) + max(h0, h2, none))
        least_there[n] = centre + half * (min(low_v, high_v, none) + min(h0, h2, none))
        centres[n] = centre
    for row in range(2, 8):
        if left == first:
            rows[row, 0] = rows[row, 1]
        if right == stop:
            rows[row, stop - first + 1] = rows[row, stop - first]
    # The same rows from the column before, the column itself and the one after on, for the same reason.
    centres_before, centres_here, centres_after = rows[7], rows[7, 1:], rows[7, 2:]
    mean_here, mean_after = mean[1:], mean[2:]
    rise_v_here, rise_v_after, rise_w_here, rise_w_after = rise_v[1:], rise_v[2:], rise_w[1:], rise_w[2:]
    most_here, least_here = most[1:], least[1:]
    for n in range(stop - first):
        centre = centres_here[n]
        u0, u2 = centres_before[n] - centre, centres_after[n] - centre
        before, after = mean[n] - mean_here[n], mean_after[n] - mean_here[n]
        there = mean_here[n] + eighth * (before + after)
        rise_u = half * (after - before)
        along = rise_v_here[n] + eighth * (rise_v[n] - rise_v_here[n] + rise_v_after[n] - rise_v_here[n])
        up = rise_w_here[n] + eighth * (rise_w[n] - rise_w_here[n] + rise_w_after[n] - rise_w_here[n])
        square = quarter * rise_u * rise_u + of_vv * along * along + of_ww * up * up + of_vw * along * up
        top, floor = most_here[n] + half * max(u0, u2, none), least_here[n] + half * min(u0, u2, none)
        dose[n] = there
        wide[n] = max(min(np.sqrt(max(square, none)), top - there, there - floor), none)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def widen(lowest, highest, doses, spreads):  # type: ignore[no-untyped-def]
    """Makes each place's lowest and highest dose so far those within its spread, where these lie beyond."""
    for n in range(len(lowest)):
        lowest[n] = min(lowest[n], doses[n] - spreads[n])
        highest[n] = max(highest[n], doses[n] + spreads[n])
