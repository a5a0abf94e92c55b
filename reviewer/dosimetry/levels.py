# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Volumes spread over dose levels: the increments of a differential histogram from level to level; compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

FAST = {"nnan", "nsz", "contract", "reassoc"}
"""Where there are no NaN, loops may run through vector registers."""

LEVELS = 8192
"""Dose levels of a curve, between about the lowest and the highest dose around the structure; values in between are interpolated."""


def scale_of(lowest: float, highest: float) -> tuple[float, float]:
    """Lowest level and width of a level: in steps, so that they stay what they are when an edit moves the box around a structure a little."""
    step = 2.0 ** np.ceil(np.log2(max((highest - lowest) / 8, 1e-6)))
    first, last = np.floor(lowest / step) * step, np.ceil(highest / step) * step
    return float(first), float(max(last - first, step) / (LEVELS - 1))


@njit(cache=True, nogil=True, error_model="numpy")
def add(slopes, level, spread, volume):  # type: ignore[no-untyped-def]
    """Adds a volume evenly over the levels within `spread` of `level`, at least half a level and no farther than the scale goes.

    slopes: (LEVELS + 1,).
    """
    level = min(max(level, 0.0), LEVELS - 1.0)
    half = max(min(spread, level, LEVELS - 1 - level), 0.5)
    _even(slopes, level - half + 0.5, level + half + 0.5, volume / (2 * half))


@njit(cache=True, nogil=True, error_model="numpy")
def add_row(slopes, rows, count, lowest, per_level, volume):  # type: ignore[no-untyped-def]
    """Adds `volume` for each of `count` doses, as in `add`; returns the sum of the doses.

    rows: single precision, in row 0 the doses and in row 1 their spreads; rows 2 to 4 are written over.
    """
    lows, highs, heights = rows[2, :count], rows[3, :count], rows[4, :count]
    total = _stretches(
        lows,
        highs,
        heights,
        rows[0, :count],
        rows[1, :count],
        np.float32(lowest),
        np.float32(per_level),
        np.float32(volume),
    )
    for n in range(count):
        _even(slopes, np.float64(lows[n]), np.float64(highs[n]), np.float64(heights[n]))
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _stretches(lows, highs, heights, doses, spreads, lowest, per_level, volume):  # type: ignore[no-untyped-def]
    """Where among the levels, counted from half a level below the first, each dose begins and ends, and its volume per level."""
    half, none, last = np.float32(0.5), np.float32(0.0), np.float32(LEVELS - 1)
    total = 0.0
    for n in range(len(lows)):
        level = min(max((doses[n] - lowest) * per_level, none), last)
        spread = max(min(spreads[n] * per_level, level, last - level), half)
        lows[n], highs[n] = level - spread + half, level + spread + half
        heights[n] = volume / (spread + spread)
        total += doses[n]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _even(slopes, low, high, height):  # type: ignore[no-untyped-def]
    """Adds so much volume to each level between two: up at the one, down at the other."""
    m = int(low)
    part, cell = height * (low - m), np.uint64(m)  # unsigned: no index counts from the end
    slopes[cell] += height - part
    slopes[cell + np.uint64(1)] += part
    m = min(int(high), LEVELS - 1)
    part, cell = height * (high - m), np.uint64(m)
    slopes[cell] -= height - part
    slopes[cell + np.uint64(1)] -= part


@njit(cache=True, nogil=True)
def taken(slopes):  # type: ignore[no-untyped-def]
    """First of the increments that are not 0, and the first behind the last of them."""
    first, stop = 0, len(slopes)
    while first < stop and slopes[first] == 0.0:
        first += 1
    while stop > first and slopes[stop - 1] == 0.0:
        stop -= 1
    return first, stop
