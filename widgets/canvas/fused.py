# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions
"""`compose.painted` as one compiled pass over the pixels. Imported beside the window (see `late`), since numba takes its time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
from numba import njit

from .compose import Colours, Shown, Tinted, Toned

MOST_THREADS = 4
WORTH_THREADS = 100_000
"""A picture of at least so many pixels is shared among up to so many threads."""


def painted(base: Toned, over: Toned, shown: Shown, dose: Tinted) -> Colours:
    """See `compose.painted`."""
    rows, columns = len(base.source.row), len(base.source.column)
    out = np.empty((rows, columns), dtype=np.uint32)
    shares = min(os.cpu_count() or 1, MOST_THREADS) if out.size >= WORTH_THREADS else 1
    borders = [rows * n // shares for n in range(shares + 1)]
    others = [_threads().submit(_rows, a, b, base, over, shown, dose, out) for a, b in pairwise(borders[1:])]
    _rows(0, borders[1], base, over, shown, dose, out)
    for other in others:
        other.result()
    return out


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="picture")


@njit(cache=True, nogil=True, error_model="numpy")
def _line(source, i, across_rows, out):  # type: ignore[no-untyped-def]
    """Values of row i, NaN where unknown. across_rows: room for a row of samples and one more."""
    h, w = source.values.shape
    first_x, last_x, first_y, last_y = source.reach
    out[:first_x] = np.nan
    out[last_x:] = np.nan
    if i < first_y or i >= last_y:
        out[first_x:last_x] = np.nan
        return
    taps = source.row.shape[1]
    for t in range(taps):
        k = source.row[i, t]
        low, high = source.values[k], source.values[min(k + 1, h - 1)]
        share = source.down[i, t]
        if t == 0:
            for x in range(w):
                across_rows[x] = low[x] + share * (high[x] - low[x])
        else:
            for x in range(w):
                across_rows[x] += low[x] + share * (high[x] - low[x])
    across_rows[w] = across_rows[w - 1]
    across_taps = source.column.shape[1]
    # slices, whose indices begin at 0: the compiler then needs no test for negative ones
    part, index, shares = out[first_x:last_x], source.column[first_x:last_x], source.across[first_x:last_x]
    if taps == 1 and across_taps == 1:
        for j in range(len(part)):
            k = index[j, 0]
            part[j] = across_rows[k] + shares[j, 0] * (across_rows[k + np.uint32(1)] - across_rows[k])
        return
    weight = np.float32(1.0 / (taps * across_taps))
    for j in range(len(part)):
        total = np.float32(0.0)
        for t in range(across_taps):
            k = index[j, t]
            total += across_rows[k] + shares[j, t] * (across_rows[k + np.uint32(1)] - across_rows[k])
        part[j] = total * weight


@njit(cache=True, nogil=True, error_model="numpy")
def _rows(first, last, base, over, shown, dose, out):  # type: ignore[no-untyped-def]
    columns = out.shape[1]
    widest = max(base.source.values.shape[1], over.source.values.shape[1], dose.source.values.shape[1])
    samples = np.empty(widest + 1, dtype=np.float32)
    grey = np.empty(columns, dtype=np.float32)
    other = np.empty(columns, dtype=np.float32)
    black, white, half = np.float32(0.0), np.float32(255.0), np.float32(0.5)
    scale, offset = np.float32(base.scale), np.float32(base.offset)
    for i in range(first, last):
        _line(base.source, i, samples, grey)
        for j in range(columns):
            value = grey[j] * scale + offset
            value = value if value > black else black  # NaN is black
            grey[j] = value if value < white else white
        first_x, last_x, first_y, last_y = over.source.reach
        if shown.which[i] >= 0 and first_y <= i < last_y:
            _line(over.source, i, samples, other)
            _mix(grey[first_x:last_x], other[first_x:last_x], shown.patterns[shown.which[i], first_x:last_x], over)
        line = out[i]
        for j in range(columns):
            line[j] = np.uint32(0xFF000000) | np.uint32(np.int32(grey[j] + half)) * np.uint32(0x010101)
        first_x, last_x, first_y, last_y = dose.source.reach
        if first_y <= i < last_y:
            _line(dose.source, i, samples, other)
            _tint(line[first_x:last_x], grey[first_x:last_x], other[first_x:last_x], dose)


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(grey, other, share, over):  # type: ignore[no-untyped-def]
    """Mix values of the overlay into a piece of a row."""
    black, white = np.float32(0.0), np.float32(255.0)
    scale, offset = np.float32(over.scale), np.float32(over.offset)
    for j in range(len(grey)):
        value = other[j] * scale + offset
        weight = share[j] if value == value else black
        value = value if value > black else black
        value = value if value < white else white
        grey[j] += weight * (value - grey[j])


@njit(cache=True, nogil=True, error_model="numpy")
def _tint(line, grey, gray, dose):  # type: ignore[no-untyped-def]
    """Colour a piece of a row where the dose is known and at least the lowest level."""
    white, half = np.float32(255.0), np.float32(0.5)
    lowest, per_gy, opacity = np.float32(dose.lowest_gy), np.float32(dose.scale), np.float32(dose.opacity)
    for j in range(len(line)):
        if gray[j] >= lowest:
            n = np.uint32(np.int32(min((gray[j] - lowest) * per_gy, white) + half))
            red = grey[j] + opacity * (dose.table[n, 0] - grey[j])
            green = grey[j] + opacity * (dose.table[n, 1] - grey[j])
            blue = grey[j] + opacity * (dose.table[n, 2] - grey[j])
            line[j] = (
                np.uint32(0xFF000000)
                | np.uint32(np.int32(red + half)) << np.uint32(16)
                | np.uint32(np.int32(green + half)) << np.uint32(8)
                | np.uint32(np.int32(blue + half))
            )
