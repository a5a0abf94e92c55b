# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Level lines of a sampled plane (marching squares), as edges or closed rings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def level_rings(field: NDArray[np.floating], level: float) -> list[Floats]:
    """Closed rings around ``field > level``, each (n, 2) in (x, y) indices of the samples; beyond the samples counts as outside.

    field: (ny, nx). Crossings are placed by linear interpolation; a saddle is decided by the mean of its four samples.
    Rings run with the inside on the left (x to the right, y upward): outer rings anticlockwise, holes clockwise.
    """
    points, starts = rings_around(np.asarray(field, dtype=np.float64), float(level))
    return [points[a:b] for a, b in pairwise(starts.tolist())]


@njit(cache=True, nogil=True)
def rings_around(field, level):  # type: ignore[no-untyped-def]
    """`level_rings` one after the other, for compiled code: (m, 2) points and (rings + 1,) first point of each."""
    ny, nx = field.shape
    padded = np.empty((ny + 2, nx + 2))
    padded[:] = min(np.float64(field.min()), level) - 1 if field.size else level - 1
    padded[1:-1, 1:-1] = field
    segments, ends = level_edges(padded, level)
    points, starts = _chained(segments, ends, 2 * padded.size)
    return points - 1, starts


@njit(cache=True, nogil=True)
def level_edges(field, level):  # type: ignore[no-untyped-def]
    """Edges of ``field > level`` cell by cell, unordered, inside on the left.

    Returns (m, 4) x, y of start and end, and (m, 2) the numbers of the lattice edges that start and end lie on.
    """
    ny, nx = field.shape
    segments = np.empty((4 * (ny + nx), 4))
    ends = np.empty((len(segments), 2), dtype=np.int64)
    at = np.empty((4, 2))
    number = np.empty(4, dtype=np.int64)
    way = np.empty(4, dtype=np.int64)
    # Most cells are passed over by rows of bytes: which samples are above the level, and where those of a cell differ.
    lower, upper, mixed = np.empty(nx, dtype=np.uint8), np.empty(nx, dtype=np.uint8), np.empty(nx, dtype=np.uint8)
    n = 0
    for y in range(ny - 1):
        if y == 0:
            _above(lower, field[y], level)
        _above(upper, field[y + 1], level)
        _differ(mixed, lower, upper)
        lower, upper = upper, lower
        if n + 2 * nx > len(segments):
            segments, ends = (
                np.concatenate((segments, np.empty_like(segments))),
                np.concatenate((ends, np.empty_like(ends))),
            )
        for x in range(nx - 1):
            if mixed[x] == 0:
                continue
            f0, f1, f2, f3 = field[y, x], field[y, x + 1], field[y + 1, x + 1], field[y + 1, x]
            i0, i1, i2, i3 = f0 > level, f1 > level, f2 > level, f3 > level
            # Sides anticlockwise from the lower one; way: +1 leaves the inside, -1 enters it, 0 no crossing.
            way[0], way[1], way[2], way[3] = int(i0) - int(i1), int(i1) - int(i2), int(i2) - int(i3), int(i3) - int(i0)
            if way[0] != 0:
                at[0, 0], at[0, 1], number[0] = x + (level - f0) / (f1 - f0), y, 2 * (y * nx + x)
            if way[1] != 0:
                at[1, 0], at[1, 1], number[1] = x + 1, y + (level - f1) / (f2 - f1), 2 * (y * nx + x + 1) + 1
            if way[2] != 0:
                at[2, 0], at[2, 1], number[2] = x + (level - f3) / (f2 - f3), y + 1, 2 * ((y + 1) * nx + x)
            if way[3] != 0:
                at[3, 0], at[3, 1], number[3] = x, y + (level - f0) / (f3 - f0), 2 * (y * nx + x) + 1
            step = 1 if (f0 + f1 + f2 + f3) / 4 > level else -1
            for side in range(4):
                if way[side] != 1:
                    continue
                other = (side + step) % 4
                while way[other] != -1:
                    other = (other + step) % 4
                segments[n, 0], segments[n, 1] = at[side, 0], at[side, 1]
                segments[n, 2], segments[n, 3] = at[other, 0], at[other, 1]
                ends[n, 0], ends[n, 1] = number[side], number[other]
                n += 1
    return segments[:n].copy(), ends[:n].copy()


@njit(cache=True, nogil=True)
def _above(flags, row, level):  # type: ignore[no-untyped-def]
    """1 where a sample is above the level."""
    for x in range(len(row)):
        flags[x] = row[x] > level


@njit(cache=True, nogil=True)
def _differ(mixed, lower, upper):  # type: ignore[no-untyped-def]
    """Not 0 where some but not all four samples of a cell are above."""
    for x in range(len(lower) - 1):
        mixed[x] = (lower[x] + lower[x + 1] + upper[x] + upper[x + 1]) & 3


@njit(cache=True, nogil=True)
def _chained(segments, ends, numbers):  # type: ignore[no-untyped-def]
    """Joins edges to rings: (m, 2) points and (rings + 1,) first point of each."""
    begins = np.full(numbers, -1, dtype=np.int64)
    for m in range(len(segments)):
        begins[ends[m, 0]] = m
    points = np.empty((len(segments), 2))
    starts = [0]
    n = 0
    for m in range(len(segments)):
        k = begins[ends[m, 0]]
        if k < 0:
            continue
        while k >= 0:
            points[n, 0], points[n, 1] = segments[k, 0], segments[k, 1]
            n += 1
            begins[ends[k, 0]] = -1
            k = begins[ends[k, 1]]
        starts.append(n)
    return points, np.array(starts)
