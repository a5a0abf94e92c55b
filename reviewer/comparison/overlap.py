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

SAME_MM = 1e-4
"""By so much edges differ by rounding, where the box in which a solid was drawn has moved. Areas are exact to its square."""


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
    return common_and_unlike(some, others)[0]


def common_and_unlike(some: Solid | Pile, others: Solid | Pile) -> tuple[float, tuple[float, float] | None]:
    """`common_mm3`, and the lowest and highest w (mm) of the prisms that are not the same in both but for rounding; None where all are."""
    volume, low, high = _common(
        some.borders_mm, some.starts, some.segments, others.borders_mm, others.starts, others.segments
    )
    return float(volume), (float(low), float(high)) if low < high else None


def common_mm2(some: Floats, others: Floats) -> float:
    """Area that lies within both of two sets of edges, (m, 4) each, by the even-odd rule; exact."""
    return float(_shared(some, others))


@njit(cache=True, nogil=True, error_model="numpy")
def _common(a_borders, a_starts, a_segments, b_borders, b_starts, b_segments):  # type: ignore[no-untyped-def]
    """Volume in common, and lowest and highest w of what is unlike."""
    volume, lowest, highest = 0.0, np.inf, -np.inf
    n = m = 0
    while n < len(a_borders) or m < len(b_borders):
        if n == len(a_borders) or m == len(b_borders):
            rest = b_borders[m:] if n == len(a_borders) else a_borders[n:]
            lowest, highest = min(lowest, rest[0, 0]), max(highest, rest[-1, 1])
            break
        low, high = max(a_borders[n, 0], b_borders[m, 0]), min(a_borders[n, 1], b_borders[m, 1])
        beside = abs(a_borders[n, 0] - b_borders[m, 0]) <= SAME_MM and abs(a_borders[n, 1] - b_borders[m, 1]) <= SAME_MM
        some, others = a_segments[a_starts[n] : a_starts[n + 1]], b_segments[b_starts[m] : b_starts[m + 1]]
        area = _same(some, others)
        if not (beside and area >= 0):
            lowest = min(lowest, a_borders[n, 0], b_borders[m, 0])
            highest = max(highest, a_borders[n, 1], b_borders[m, 1])
        if high - low > 1e-9:
            volume += (area if area >= 0 else _shared(some, others)) * (high - low)
        if beside:
            n += 1
            m += 1
        elif a_borders[n, 1] < b_borders[m, 1]:
            n += 1
        else:
            m += 1
    return volume, lowest, highest


@njit(cache=True, nogil=True, error_model="numpy")
def _same(some, others):  # type: ignore[no-untyped-def]
    """Area that two sets of edges have in common where each edge lies within SAME_MM of its counterpart, else -1.

    Half of what both have in all, less what is in one of them only: beside each edge a strip as wide as the edge has moved to its side.
    """
    if len(some) != len(others):
        return -1.0
    doubled = apart = 0.0
    for m in range(len(some)):
        x0, y0, x1, y1 = some[m]
        u0, v0, u1, v1 = others[m]
        if max(abs(u0 - x0), abs(v0 - y0), abs(u1 - x1), abs(v1 - y1)) > SAME_MM:
            return -1.0
        doubled += x0 * y1 - x1 * y0 + u0 * v1 - u1 * v0
        # How far the ends have moved across the edge, times its length.
        start = (x1 - x0) * (v0 - y0) - (y1 - y0) * (u0 - x0)
        end = (x1 - x0) * (v1 - y1) - (y1 - y0) * (u1 - x1)
        if start * end >= 0:
            apart += abs(start + end) / 2
        else:
            apart += (start * start + end * end) / (2 * abs(start - end))
    return max((abs(doubled) / 2 - apart) / 2, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _shared(some, others):  # type: ignore[no-untyped-def]
    """Strip by strip between all heights at which an edge starts or ends: there all edges are straight, and the length in common is linear
    between the points in which they cross. Edges of one set do not cross each other."""
    bottom, top = _overlap(some, others)
    count = len(some) + len(others)
    # Of each edge that rises: its lower end, its upper height, and how far it leans.
    edges = np.empty((count, 4))
    first = np.empty(count, dtype=np.bool_)
    heights = np.empty(2 * count)
    rising = marks = 0
    for m in range(count):
        own = m < len(some)
        x0, y0, x1, y1 = some[m] if own else others[m - len(some)]
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        if y1 <= bottom or y0 >= top or y0 == y1:
            continue
        edges[rising, 0], edges[rising, 1], edges[rising, 2], edges[rising, 3] = x0, y0, y1, (x1 - x0) / (y1 - y0)
        first[rising] = own
        rising += 1
        heights[marks], heights[marks + 1] = max(y0, bottom), min(y1, top)
        marks += 2
    heights = heights[:marks]
    heights.sort()
    order = np.argsort(edges[:rising, 1])
    active = np.empty((2, rising), dtype=np.int64)
    begins, ends = np.empty((2, rising)), np.empty((2, rising))
    number = np.zeros(2, dtype=np.int64)
    cuts = np.empty(count * 4 + 2)
    entered = 0
    total = 0.0
    for h in range(marks - 1):
        low, high = heights[h], heights[h + 1]
        if high - low < 1e-12:
            continue
        for side in range(2):
            kept = 0
            for i in range(number[side]):
                if edges[active[side, i], 2] >= high:
                    active[side, kept] = active[side, i]
                    kept += 1
            number[side] = kept
        while entered < rising and edges[order[entered], 1] <= low:
            e = order[entered]
            if edges[e, 2] >= high:
                side = 0 if first[e] else 1
                active[side, number[side]] = e
                number[side] += 1
            entered += 1
        if number[0] == 0 or number[1] == 0:
            continue
        for side in range(2):
            for i in range(number[side]):
                e = active[side, i]
                begin = edges[e, 0] + (low - edges[e, 1]) * edges[e, 3]
                end = edges[e, 0] + (high - edges[e, 1]) * edges[e, 3]
                # From left to right, as in the strip below but for what has entered.
                j = i - 1
                while j >= 0 and begins[side, j] + ends[side, j] > begin + end:
                    active[side, j + 1] = active[side, j]
                    begins[side, j + 1], ends[side, j + 1] = begins[side, j], ends[side, j]
                    j -= 1
                active[side, j + 1], begins[side, j + 1], ends[side, j + 1] = e, begin, end
        cuts[0], found = 0.0, 1
        for i in range(number[0]):
            for j in range(number[1]):
                before, after = begins[0, i] - begins[1, j], ends[0, i] - ends[1, j]
                if before * after < 0 and found < len(cuts) - 1:
                    cuts[found] = before / (before - after)
                    found += 1
        cuts[found] = 1.0
        if found > 2:
            cuts[1:found].sort()
        for c in range(found):
            length = _length(begins, ends, number, (cuts[c] + cuts[c + 1]) / 2)
            total += length * (cuts[c + 1] - cuts[c]) * (high - low)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _overlap(some, others):  # type: ignore[no-untyped-def]
    """Between which heights there are edges of both."""
    bottom, top = -np.inf, np.inf
    for edges in (some, others):
        low, high = np.inf, -np.inf
        for m in range(len(edges)):
            low, high = min(low, edges[m, 1], edges[m, 3]), max(high, edges[m, 1], edges[m, 3])
        bottom, top = max(bottom, low), min(top, high)
    return bottom, top


@njit(cache=True, nogil=True, error_model="numpy")
def _length(begins, ends, number, t):  # type: ignore[no-untyped-def]
    """Length in common of the intervals between the first and second, third and fourth … edge of either set, at a part t of the strip."""
    length = 0.0
    i = j = 0
    while i + 1 < number[0] and j + 1 < number[1]:
        a0 = begins[0, i] + t * (ends[0, i] - begins[0, i])
        a1 = begins[0, i + 1] + t * (ends[0, i + 1] - begins[0, i + 1])
        b0 = begins[1, j] + t * (ends[1, j] - begins[1, j])
        b1 = begins[1, j + 1] + t * (ends[1, j + 1] - begins[1, j + 1])
        length += max(0.0, min(a1, b1) - max(a0, b0))
        if a1 < b1:
            i += 2
        else:
            j += 2
    return length


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
