# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""What two solids have in common, exact where their planes are parallel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.comparison.surface import Surface
from reviewer.geometry.solid import Solid

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pile:
    """Prisms as in `Solid`, in any plane coordinates; the edges' direction means nothing."""

    borders_mm: Floats
    starts: Integers
    segments: Floats


def moved(body: Solid, turn: Floats, shift: Floats) -> Pile:
    """A solid in other plane coordinates, ``turn @ (u, v, w) + shift``, that have the same w axis or its opposite."""
    to = turn[:2, :2].T
    segments = np.hstack([body.segments[:, :2] @ to + shift[:2], body.segments[:, 2:] @ to + shift[:2]])
    borders = body.borders_mm * turn[2, 2] + shift[2]
    if turn[2, 2] > 0:
        return Pile(borders, body.starts, segments)
    starts = np.append(0, np.cumsum(np.diff(body.starts)[::-1]))
    return Pile(borders[::-1, ::-1], starts, np.concatenate(np.split(segments, body.starts[1:-1])[::-1]))


def sliced(surface: Surface, vertices_mm: Floats, borders_mm: Floats) -> Pile:
    """The prisms with the given borders whose floors are the cuts of a surface at the prisms' middles; vertices_mm: the surface's, moved."""
    heights = borders_mm.mean(axis=1)
    segments, layer = _cuts(vertices_mm, surface.triangles, heights)
    order = np.argsort(layer, kind="stable")
    starts = np.searchsorted(layer[order], np.arange(len(heights) + 1)).astype(np.int64)
    return Pile(borders_mm, starts, np.ascontiguousarray(segments[order]))


def common_mm3(some: Solid | Pile, others: Solid | Pile) -> float:
    """Volume that two piles have in common: the area that floors have in common, times the height that prisms have in common."""
    return float(
        _common(some.borders_mm, some.starts, some.segments, others.borders_mm, others.starts, others.segments)
    )


def common_mm2(some: Floats, others: Floats) -> float:
    """Area that lies within both of two sets of edges, (m, 4) each, by the even-odd rule; exact."""
    return float(_shared(some, others))


@njit(cache=True, nogil=True, error_model="numpy")
def _common(a_borders, a_starts, a_segments, b_borders, b_starts, b_segments):  # type: ignore[no-untyped-def]
    volume = 0.0
    n = m = 0
    while n < len(a_borders) and m < len(b_borders):
        low, high = max(a_borders[n, 0], b_borders[m, 0]), min(a_borders[n, 1], b_borders[m, 1])
        if high - low > 1e-9:
            area = _shared(a_segments[a_starts[n] : a_starts[n + 1]], b_segments[b_starts[m] : b_starts[m + 1]])
            volume += area * (high - low)
        if a_borders[n, 1] < b_borders[m, 1]:
            n += 1
        else:
            m += 1
    return volume


@njit(cache=True, nogil=True, error_model="numpy")
def _shared(some, others):  # type: ignore[no-untyped-def]
    """Strip by strip between all heights at which an edge starts or ends: there all edges are straight, and the length in common is linear
    between the points in which they cross."""
    count = len(some) + len(others)
    edges = np.empty((count, 4))
    first = np.empty(count, dtype=np.bool_)
    heights = np.empty(2 * count)
    for m in range(count):
        own = m < len(some)
        first[m] = own
        given, i = (some, m) if own else (others, m - len(some))
        lower = 0 if given[i, 1] <= given[i, 3] else 2
        edges[m, 0], edges[m, 1] = given[i, lower], given[i, lower + 1]
        edges[m, 2], edges[m, 3] = given[i, 2 - lower], given[i, 3 - lower]
        heights[2 * m], heights[2 * m + 1] = edges[m, 1], edges[m, 3]
    heights.sort()
    order = np.argsort(edges[:, 1])
    active = np.empty(count, dtype=np.int64)
    begins, ends = np.empty(count), np.empty(count)
    a, b = np.empty(count), np.empty(count)
    cuts = np.empty(count * 4 + 2)
    number = entered = 0
    total = 0.0
    for h in range(len(heights) - 1):
        low, high = heights[h], heights[h + 1]
        if high - low < 1e-12:
            continue
        kept = 0
        for i in range(number):
            if edges[active[i], 3] >= high:
                active[kept] = active[i]
                kept += 1
        number = kept
        while entered < count and edges[order[entered], 1] <= low:
            if edges[order[entered], 3] >= high:
                active[number] = order[entered]
                number += 1
            entered += 1
        mine = 0
        for i in range(number):
            mine += first[active[i]]
            e = active[i]
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            begins[i] = x0 + (low - y0) / (y1 - y0) * (x1 - x0)
            ends[i] = x0 + (high - y0) / (y1 - y0) * (x1 - x0)
        if mine == 0 or mine == number:
            continue
        cuts[0], cuts[1] = 0.0, 1.0
        marks = 2
        for i in range(number):
            for j in range(number):
                if first[active[i]] and not first[active[j]]:
                    before, after = begins[i] - begins[j], ends[i] - ends[j]
                    if before * after < 0 and marks < len(cuts):
                        cuts[marks] = before / (before - after)
                        marks += 1
        cuts[:marks].sort()
        for c in range(marks - 1):
            t = (cuts[c] + cuts[c + 1]) / 2
            na = nb = 0
            for i in range(number):
                x = begins[i] + t * (ends[i] - begins[i])
                if first[active[i]]:
                    a[na] = x
                    na += 1
                else:
                    b[nb] = x
                    nb += 1
            total += _length(a[:na], b[:nb]) * (cuts[c + 1] - cuts[c]) * (high - low)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _length(a, b):  # type: ignore[no-untyped-def]
    """Length in common of the intervals between the first and second, third and fourth … of a, and those of b."""
    _sort(a)
    _sort(b)
    length = 0.0
    i = j = 0
    while i + 1 < len(a) and j + 1 < len(b):
        length += max(0.0, min(a[i + 1], b[j + 1]) - max(a[i], b[j]))
        if a[i + 1] < b[j + 1]:
            i += 2
        else:
            j += 2
    return length


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(values):  # type: ignore[no-untyped-def]
    """In place; a handful of values."""
    for i in range(1, len(values)):
        value, j = values[i], i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@njit(cache=True, nogil=True, error_model="numpy")
def _cuts(vertices, triangles, heights):  # type: ignore[no-untyped-def]
    """(n, 4) u, v of the ends of each triangle's cut, and the number of the height (rising) at which it lies."""
    count = 0
    for t in range(len(triangles)):
        w = vertices[triangles[t, 0], 2], vertices[triangles[t, 1], 2], vertices[triangles[t, 2], 2]
        count += np.searchsorted(heights, max(w)) - np.searchsorted(heights, min(w))
    segments = np.empty((count, 4))
    layer = np.empty(count, dtype=np.int64)
    n = 0
    for t in range(len(triangles)):
        w = vertices[triangles[t, 0], 2], vertices[triangles[t, 1], 2], vertices[triangles[t, 2], 2]
        for k in range(np.searchsorted(heights, min(w)), np.searchsorted(heights, max(w))):
            at = 0
            for i in range(3):
                p, q = vertices[triangles[t, i]], vertices[triangles[t, (i + 1) % 3]]
                if (p[2] > heights[k]) != (q[2] > heights[k]):
                    part = (heights[k] - p[2]) / (q[2] - p[2])
                    segments[n, at], segments[n, at + 1] = p[0] + part * (q[0] - p[0]), p[1] + part * (q[1] - p[1])
                    at += 2
            layer[n] = k
            n += 1
    return segments, layer
