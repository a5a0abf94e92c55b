# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""The compiled loop of `reslice` for planes that lie across a volume's own."""

from __future__ import annotations

import numpy as np
from numba import njit

ON_A_SAMPLE = 1e-6
"""As in `reslice`."""

FIXED = 2.0**32
"""Indices in fixed point: the lower 32 bits are the fraction, and rounding down is a shift."""


@njit(cache=True, nogil=True, error_model="numpy")
def fill(array, positions, start, column_step, row_step, low, high, present, values, inside):  # type: ignore[no-untyped-def]
    """Trilinear values at the points start + j column_step + i row_step, where these lie in the box low to high; `inside` tells which.

    start, column_step, row_step, low, high: (x, y, z) in fractional indices, but z in mm where `positions` are given. Beyond the outermost
    centres the end values hold. present: as in `reslice`, or empty.
    """
    rows, columns = values.shape
    plain = positions.size == 0 and present.size == 0
    for i in range(rows):
        at = start + i * row_step
        # the columns of this row that are in the box, and those between the outermost centres: intersected analytically
        first, last, inner, outer = 0.0, columns - 1.0, 0.0, columns - 1.0
        for axis in range(3):
            step = column_step[axis]
            end = array.shape[2 - axis] - 1.0 - ON_A_SAMPLE
            if abs(step) < 1e-12:
                if at[axis] < low[axis] or at[axis] > high[axis]:
                    last = -1.0
                if at[axis] < ON_A_SAMPLE or at[axis] > end:
                    outer = -1.0
                continue
            a, b = (low[axis] - at[axis]) / step, (high[axis] - at[axis]) / step
            first, last = max(first, min(a, b)), min(last, max(a, b))
            a, b = (ON_A_SAMPLE - at[axis]) / step, (end - at[axis]) / step
            inner, outer = max(inner, min(a, b)), min(outer, max(a, b))
        begin, stop = int(np.ceil(first - 1e-9)), int(np.floor(last + 1e-9)) + 1
        if stop <= begin:
            continue
        a, b = int(np.ceil(inner)), int(np.floor(outer)) + 1
        if not plain or b <= a:
            a, b = stop, stop
        line, mark = values[i], inside[i]
        _at_the_rim(array, positions, at, column_step, present, line, mark, begin, a)
        _between_centres(array, at + a * column_step, column_step, line[a:b])
        mark[a:b] = True
        _at_the_rim(array, positions, at, column_step, present, line, mark, b, stop)


@njit(cache=True, nogil=True, error_model="numpy")
def _between_centres(array, at, step, line):  # type: ignore[no-untyped-def]
    """A line of points each of which has eight voxels around it."""
    _, ny, nx = array.shape
    flat = array.reshape(-1)
    to_y, to_z = np.uintp(nx), np.uintp(nx * ny)
    x, y, z = np.int64(at[0] * FIXED), np.int64(at[1] * FIXED), np.int64(at[2] * FIXED)
    dx, dy, dz = np.int64(step[0] * FIXED), np.int64(step[1] * FIXED), np.int64(step[2] * FIXED)
    shift, fraction, unit = np.int64(32), np.int64(0xFFFFFFFF), np.float32(1 / FIXED)
    for j in range(len(line)):
        first = np.uintp(z >> shift) * to_z + np.uintp(y >> shift) * to_y + np.uintp(x >> shift)
        fx, fy, fz = np.float32(x & fraction), np.float32(y & fraction), np.float32(z & fraction)
        line[j] = _between(flat, first, np.uintp(1), to_y, to_z, fx * unit, fy * unit, fz * unit)
        x, y, z = x + dx, y + dy, z + dz


@njit(cache=True, nogil=True, error_model="numpy")
def _at_the_rim(array, positions, at, step, present, line, mark, begin, end):  # type: ignore[no-untyped-def]
    """Points that may lie beyond the outermost centres, between uneven planes or next to planes without data."""
    nz, ny, nx = array.shape
    flat = array.reshape(-1)
    to_x, to_y, to_z = np.uintp(1 if nx > 1 else 0), np.uintp(nx if ny > 1 else 0), np.uintp(nx * ny if nz > 1 else 0)
    last_x, last_y, last_z = max(nx - 2, 0), max(ny - 2, 0), max(nz - 2, 0)
    k = 0
    for j in range(begin, end):
        x = min(max(at[0] + j * step[0], 0.0), nx - 1.0)
        y = min(max(at[1] + j * step[1], 0.0), ny - 1.0)
        z = at[2] + j * step[2]
        if positions.size > 1:
            while k < last_z and z >= positions[k + 1]:
                k += 1
            while k > 0 and z < positions[k]:
                k -= 1
            rest = min(max((z - positions[k]) / (positions[k + 1] - positions[k]), 0.0), 1.0)
        else:
            z = min(max(z, 0.0), nz - 1.0)
            k = min(int(z), last_z)
            rest = z - k
        if present.size > 0 and (
            (rest < 1.0 - ON_A_SAMPLE and not present[k]) or (rest > ON_A_SAMPLE and not present[min(k + 1, nz - 1)])
        ):
            continue
        m, n = min(int(y), last_y), min(int(x), last_x)
        first = np.uintp(k) * to_z + np.uintp(m) * to_y + np.uintp(n)
        line[j] = _between(flat, first, to_x, to_y, to_z, np.float32(x - n), np.float32(y - m), np.float32(rest))
        mark[j] = True


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _between(flat, a, to_x, to_y, to_z, fx, fy, fz):  # type: ignore[no-untyped-def]
    """The value among eight voxels, a the first of them; fx, fy, fz: shares of the ones behind."""
    b = a + to_y
    c = a + to_z
    d = c + to_y
    a0, b0, c0, d0 = np.float32(flat[a]), np.float32(flat[b]), np.float32(flat[c]), np.float32(flat[d])
    a0 += fx * (np.float32(flat[a + to_x]) - a0)
    b0 += fx * (np.float32(flat[b + to_x]) - b0)
    c0 += fx * (np.float32(flat[c + to_x]) - c0)
    d0 += fx * (np.float32(flat[d + to_x]) - d0)
    a0 += fy * (b0 - a0)
    c0 += fy * (d0 - c0)
    return a0 + fz * (c0 - a0)
