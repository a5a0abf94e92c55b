# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions
"""`compose.painted` as one compiled pass over the pixels. Imported beside the window (see `late`), since numba takes its time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numba import njit

from .compose import Colours, Shown, Tinted, Toned

WORTH_A_THREAD = 100_000
"""A picture of at least so many pixels is begun by a second hand, from below, while the first does what else a paint takes."""


def painted(base: Toned, over: Toned, shown: Shown, dose: Tinted) -> Colours:
    """See `compose.painted`."""
    return begun(base, over, shown, dose)()


def begun(base: Toned, over: Toned, shown: Shown, dose: Tinted) -> Callable[[], Colours]:
    """`painted`, of which the rows that are still missing are made when it is called."""
    rows, columns = len(base.source.row), len(base.source.column)
    out = np.empty((rows, columns), dtype=np.uint32)
    done = np.array([0, rows], dtype=np.int64)
    if out.size < WORTH_A_THREAD:
        _rows(done, True, rows, base, over, shown, dose, out)
        return lambda: out
    other = _threads().submit(_rows, done, False, rows, base, over, shown, dose, out)
    # Threads begin when Python lets them, which it does not while it has something to do itself: so rows are made until the other is there.
    _rows(done, True, rows, base, over, shown, dose, out)

    def complete() -> Colours:
        _rows(done, True, 0, base, over, shown, dose, out)
        other.result()
        return out

    return complete


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="picture")


@njit(cache=True, nogil=True, error_model="numpy")
def _line(source, i, spread, held, out):  # type: ignore[no-untyped-def]
    """Values of row i of the picture within reach, NaN where unknown.

    spread: (2, columns) rows of samples stretched to the picture's columns, of which each serves several rows of the picture; held: (2,)
    which rows they are. Even rows of samples stand in the first, odd ones in the second.
    """
    last = len(source.values) - 1
    first_x, last_x, _, _ = source.reach
    part = out[first_x:last_x]
    taps = source.row.shape[1]
    for t in range(taps):
        k = np.int64(source.row[i, t])
        above, below = k, min(k + 1, last)
        for n in (above, below):
            if held[n % 2] != n:
                _stretch(source, n, spread[n % 2])
                held[n % 2] = n
        low, high = spread[above % 2, first_x:last_x], spread[below % 2, first_x:last_x]
        share = source.down[i, t]
        if t == 0:
            for j in range(len(part)):
                part[j] = low[j] + share * (high[j] - low[j])
        else:
            for j in range(len(part)):
                part[j] += low[j] + share * (high[j] - low[j])
    if taps > 1:
        weight = np.float32(1.0 / taps)
        for j in range(len(part)):
            part[j] *= weight


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(source, n, out):  # type: ignore[no-untyped-def]
    """Row n of the samples at the columns of the picture within reach."""
    values, last = source.values[n], np.uint32(source.values.shape[1] - 1)
    first_x, last_x, _, _ = source.reach
    # slices, whose indices begin at 0: the compiler then needs no test for negative ones
    part, index, shares = out[first_x:last_x], source.column[first_x:last_x], source.across[first_x:last_x]
    taps = index.shape[1]
    if taps == 1:
        for j in range(len(part)):
            k = index[j, 0]
            low = values[k]
            part[j] = low + shares[j, 0] * (values[min(k + np.uint32(1), last)] - low)
        return
    weight = np.float32(1.0 / taps)
    for j in range(len(part)):
        total = np.float32(0.0)
        for t in range(taps):
            k = index[j, t]
            low = values[k]
            total += low + shares[j, t] * (values[min(k + np.uint32(1), last)] - low)
        part[j] = total * weight


@njit(cache=True, nogil=True, error_model="numpy")
def _rows(done, downward, alone, base, over, shown, dose, out):  # type: ignore[no-untyped-def]
    """Make rows from the first on or, upward, from the last, until they are met by a hand that makes them from the other end.

    done: (2,) how many rows the upper hand has begun, and how many rows the lower hand has left. Both may make the row where they meet: it
    is the same by either. alone: the upper hand stops as soon as fewer rows than these are left to it, that is, where the lower has begun.
    """
    columns = out.shape[1]
    spread = np.empty((3, 2, columns), dtype=np.float32)
    held = np.full((3, 2), -1, dtype=np.int64)
    grey = np.empty(columns, dtype=np.float32)
    other = np.empty(columns, dtype=np.float32)
    black, white, half = np.float32(0.0), np.float32(255.0), np.float32(0.5)
    scale, offset = np.float32(base.scale), np.float32(base.offset)
    while done[0] < done[1] and (not downward or done[1] >= alone):
        if downward:
            i = done[0]
            done[0] = i + 1
        else:
            i = done[1] - 1
            done[1] = i
        first_x, last_x, first_y, last_y = base.source.reach
        grey[:] = black
        if first_y <= i < last_y:
            _line(base.source, i, spread[0], held[0], grey)
            part = grey[first_x:last_x]
            for j in range(len(part)):
                value = part[j] * scale + offset
                value = value if value > black else black  # NaN is black
                part[j] = value if value < white else white
        first_x, last_x, first_y, last_y = over.source.reach
        if shown.which[i] >= 0 and first_y <= i < last_y:
            _line(over.source, i, spread[1], held[1], other)
            _mix(grey[first_x:last_x], other[first_x:last_x], shown.patterns[shown.which[i], first_x:last_x], over)
        line = out[i]
        for j in range(columns):
            line[j] = np.uint32(0xFF000000) | np.uint32(np.int32(grey[j] + half)) * np.uint32(0x010101)
        first_x, last_x, first_y, last_y = dose.source.reach
        if first_y <= i < last_y:
            _line(dose.source, i, spread[2], held[2], other)
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
    red, green, blue = dose.table[:, 0], dose.table[:, 1], dose.table[:, 2]
    for j in range(len(line)):
        if gray[j] >= lowest:
            n = np.uint32(np.int32(min((gray[j] - lowest) * per_gy, white) + half))
            under = grey[j]
            line[j] = (
                np.uint32(0xFF000000)
                | np.uint32(np.int32(under + opacity * (red[n] - under) + half)) << np.uint32(16)
                | np.uint32(np.int32(under + opacity * (green[n] - under) + half)) << np.uint32(8)
                | np.uint32(np.int32(under + opacity * (blue[n] - under) + half))
            )
