# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The dose in a part of a voxel: mean, slopes and bounds of the trilinear interpolation between voxels' centres; compiled.

Weights are those of the voxel before, of the voxel itself and of the one after along one axis; the first three give a mean, the other three a
mean slope. Each sum is taken as the middle value and what the two others differ from it, so that an even dose stays what it is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.dosimetry.levels import FAST


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(centre, half, before, after):  # type: ignore[no-untyped-def]
    """Weights for what is evenly spread within `half` of `centre`, counted from the voxel's centre.

    before, after: one by the distance of those voxels. What does not matter has the weight 0.
    """
    if half > 1e-9:
        # Means over the stretch of how far it reaches to either side of the voxel's centre, and the part on the far side of it.
        scale = 0.25 / half
        ahead, behind = max(centre + half, 0.0), max(half - centre, 0.0)
        ahead_least, behind_least = max(centre - half, 0.0), max(-centre - half, 0.0)
        first = (behind * behind - behind_least * behind_least) * scale
        last = (ahead * ahead - ahead_least * ahead_least) * scale
        part = (ahead - ahead_least) * 2 * scale
    else:
        first, last = max(-centre, 0.0), max(centre, 0.0)
        part = 1.0 if centre > 0.0 else 0.0 if centre < 0.0 else 0.5
    first, last = first * before, last * after
    slope_first, slope_last = (part - 1.0) * before, part * after
    return first, 1.0 - first - last, last, slope_first, -slope_first - slope_last, slope_last


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate(gray, k, j, i, along_w, along_v, along_u):  # type: ignore[no-untyped-def]
    """Mean of the dose over a box in the voxel (k, j, i), and its mean slopes along u, v and w.

    along_w, along_v, along_u: `weigh`. Beyond the grid the outermost voxels hold. What has no weight is not looked at: it may be NaN.
    """
    dz, dy, dx = gray.shape
    k0 = max(k - 1, 0) if along_w[0] != 0.0 or along_w[3] != 0.0 else k
    k2 = min(k + 1, dz - 1) if along_w[2] != 0.0 or along_w[5] != 0.0 else k
    j0 = max(j - 1, 0) if along_v[0] != 0.0 or along_v[3] != 0.0 else j
    j2 = min(j + 1, dy - 1) if along_v[2] != 0.0 or along_v[5] != 0.0 else j
    i0 = max(i - 1, 0) if along_u[0] != 0.0 or along_u[3] != 0.0 else i
    i2 = min(i + 1, dx - 1) if along_u[2] != 0.0 or along_u[5] != 0.0 else i
    before, before_u, before_v = _in_plane(gray[k0], j0, j, j2, i0, i, i2, along_v, along_u)
    here, here_u, here_v = _in_plane(gray[k], j0, j, j2, i0, i, i2, along_v, along_u)
    after, after_u, after_v = _in_plane(gray[k2], j0, j, j2, i0, i, i2, along_v, along_u)
    before, after = before - here, after - here
    return (
        here + along_w[0] * before + along_w[2] * after,
        here_u + along_w[0] * (before_u - here_u) + along_w[2] * (after_u - here_u),
        here_v + along_w[0] * (before_v - here_v) + along_w[2] * (after_v - here_v),
        along_w[3] * before + along_w[5] * after,
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _in_plane(plane, j0, j, j2, i0, i, i2, along_v, along_u):  # type: ignore[no-untyped-def]
    """Mean and slopes along u and v in one plane of voxels."""
    before, before_u = _in_row(plane[j0], i0, i, i2, along_u)
    here, here_u = _in_row(plane[j], i0, i, i2, along_u)
    after, after_u = _in_row(plane[j2], i0, i, i2, along_u)
    before, after = before - here, after - here
    return (
        here + along_v[0] * before + along_v[2] * after,
        here_u + along_v[0] * (before_u - here_u) + along_v[2] * (after_u - here_u),
        along_v[3] * before + along_v[5] * after,
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _in_row(row, i0, i, i2, along_u):  # type: ignore[no-untyped-def]
    here = np.float64(row[i])
    before, after = np.float64(row[i0]) - here, np.float64(row[i2]) - here
    return here + along_u[0] * before + along_u[2] * after, along_u[3] * before + along_u[5] * after


@njit(cache=True, nogil=True, error_model="numpy")
def bounds(gray, k, j, i):  # type: ignore[no-untyped-def]
    """What the dose does not fall below and does not exceed within a voxel, but for what bends along two axes at once."""
    dz, dy, dx = gray.shape
    middle, none = gray[k, j, i], np.float32(0.0)
    u0, u2 = gray[k, j, max(i - 1, 0)] - middle, gray[k, j, min(i + 1, dx - 1)] - middle
    v0, v2 = gray[k, max(j - 1, 0), i] - middle, gray[k, min(j + 1, dy - 1), i] - middle
    w0, w2 = gray[max(k - 1, 0), j, i] - middle, gray[min(k + 1, dz - 1), j, i] - middle
    falls = min(u0, u2, none) + min(v0, v2, none) + min(w0, w2, none)
    rises = max(u0, u2, none) + max(v0, v2, none) + max(w0, w2, none)
    return middle + falls / 2, middle + rises / 2


@njit(cache=True, nogil=True, error_model="numpy")
def spread_of(shape, gx, gy, gz):  # type: ignore[no-untyped-def]
    """Half the width of an even spread as wide as a dose with this gradient, per cell, varies over the occupied part (see `shape_of`)."""
    square = gx * gx * shape[3] + gy * gy * shape[4] + gz * gz * shape[5]
    square += 2 * (gx * gy * shape[6] + gx * gz * shape[7] + gy * gz * shape[8])
    return np.sqrt(3 * max(square, 0.0))


@njit(cache=True, nogil=True)
def rows_for(columns):  # type: ignore[no-untyped-def]
    """Room for `whole_row` on a dose with that many columns."""
    return np.empty((9, columns + 2), dtype=np.float32)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def whole_row(rows, gray, k, j, first, stop, along_w, along_v, yy, zz, yz):  # type: ignore[no-untyped-def]
    """`interpolate`, `spread_of` and `bounds` for the voxels first to stop of a row at once, in whose full width the same part is occupied.

    rows:         `rows_for` the dose; out: from row 0 the mean doses, from row 1 the half widths of their spread.
    along_w, along_v: `weigh`. yy, zz, yz: the variances along v and w and their covariance, in mm2 or whatever unit the slopes are per.
    Returns the lowest and the highest dose at the voxels' centres, and those within the spread.
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
    middle = rows[7]
    lower = upper = gray[k, j, first]
    lowest, highest = np.float32(np.inf), np.float32(-np.inf)
    for n in range(stop - first):
        centre = middle[n + 1]
        u0, u2 = middle[n] - centre, middle[n + 2] - centre
        before, after = mean[n] - mean[n + 1], mean[n + 2] - mean[n + 1]
        dose_there = mean[n + 1] + eighth * (before + after)
        rise_u = half * (after - before)
        along = rise_v[n + 1] + eighth * (rise_v[n] - rise_v[n + 1] + rise_v[n + 2] - rise_v[n + 1])
        up = rise_w[n + 1] + eighth * (rise_w[n] - rise_w[n + 1] + rise_w[n + 2] - rise_w[n + 1])
        square = quarter * rise_u * rise_u + of_vv * along * along + of_ww * up * up + of_vw * along * up
        top, floor = most[n + 1] + half * max(u0, u2, none), least[n + 1] + half * min(u0, u2, none)
        spread = max(min(np.sqrt(max(square, none)), top - dose_there, dose_there - floor), none)
        dose[n], wide[n] = dose_there, spread
        lower, upper = min(lower, centre), max(upper, centre)
        lowest, highest = min(lowest, dose_there - spread), max(highest, dose_there + spread)
    return lower, upper, lowest, highest
