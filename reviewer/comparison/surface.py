# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""`Surface`: the boundary of a solid as triangles, smooth between the middles of its prisms.

A solid is a pile of prisms about 1 mm thick; measured on their walls and treads, distances would be up to 0.5 mm wrong. Each prism's
floor is the solid at the height of the prism's middle, so the surface is drawn from middle to middle: on a lattice, the planar
signed distance d to each floor gives the crossings within a layer, and f = 2 r d + d^2 (r the radius of the disc with the floor's area),
linear in height, those between two layers. For discs f is rho^2 - r^2, so the top of a sphere is met as well as its sides. Where a part
ends flat, the surface lies on the prism's own top. One vertex per lattice cell, the mean of the cell's crossings (surface nets: Gibson,
MICCAI 1998, LNCS 1496:888-898).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.comparison.nearest import Tree
from reviewer.geometry.edges import square_distance
from reviewer.geometry.solid import Solid

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CELLS_ON_BOX = 40_000
"""How many cells about cover the box around a solid: a GTV gets cells of 0.5 mm, a liver just below 2 mm."""

FINEST_MM, COARSEST_MM = 0.5, 3.0

SMALLEST_MM = 0.1
"""What is thinner than a lattice cell gets finer ones, down to about this."""

OFFSET = 0.382

TOUCHING_MM = 1e-6

NEAR, FAR = 3, 9
"""Cells around an edge in which distances from it are measured, and in which those are that were not near any; from there on they are propagated."""

LARGEST_CHANGE = 0.1
"""Of the area from one prism to the next, where none is left out."""

THICKEST_MM = 1.0
"""A prism thicker than this is drawn through as several."""

FARTHEST_LAYERS = 1.25
"""Cells between two layers of the surface where prisms are left out."""

STEEP = 4.0
"""Where the distance changes by more than this per mm of height, the solid ends there instead of leaning."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The boundary of a solid in the plane coordinates (u, v, w) mm of its stack.

    vertices_mm: (n, 3).
    triangles:   (m, 3) numbers of vertices, not oriented.
    areas_mm2:   (n,) the area that each vertex stands for: a third of its triangles.
    cell_mm:     size of a lattice cell along u and v.
    """

    vertices_mm: Floats
    triangles: Integers
    areas_mm2: Floats
    cell_mm: float

    @cached_property
    def tree(self) -> Tree:
        return Tree.of(self.vertices_mm, self.triangles)


_surfaces: WeakKeyDictionary[Solid, Surface] = WeakKeyDictionary()


def surface(body: Solid) -> Surface:
    """The surface of a solid that is not empty, computed once for each solid."""
    found = _surfaces.get(body)
    if found is None:
        found = _surfaces[body] = drawn(body, cell_for(body))
    return found


def cell_for(body: Solid) -> float:
    """Size in mm of the lattice cells that suit a solid."""
    low, high = body.bounds_mm
    x, y, z = high - low
    return float(np.clip(math.sqrt(2 * (x * y + y * z + z * x) / CELLS_ON_BOX), FINEST_MM, COARSEST_MM))


def drawn(body: Solid, cell: float, low: float = -math.inf, high: float = math.inf) -> Surface:
    """The surface of a solid that is not empty, on a lattice of the given cell (mm) or of a finer one that meets it.

    low, high: of the part between these heights (w, mm) alone; it is open where the solid goes on.
    Its vertices from low to high are those of the whole surface.
    """
    least, most = body.bounds_mm
    # The lattice starts at a multiple of the cell, so that a change elsewhere on a structure leaves the vertices here alone.
    # It is set off by a part of one: contours on round numbers would run along its lines.
    first = np.floor(least[:2] / cell) - 2 + OFFSET
    size = np.ceil(most[:2] / cell).astype(int) + 4 - np.floor(first).astype(int)
    borders, middle, kept = _layers(body, cell)
    # An empty layer stands wherever the solid has an end or a gap.
    apart = np.flatnonzero(np.append(True, borders[1:, 0] - borders[:-1, 1] > TOUCHING_MM))
    layer = np.append(np.insert(np.arange(len(kept)), apart, -1), -1)
    # What a vertex follows from are the layers below and above it, and one more to either side.
    heights = middle[np.maximum(layer, 0)]
    below, above = np.flatnonzero((layer >= 0) & (heights < low)), np.flatnonzero((layer >= 0) & (heights > high))
    chosen = slice(max(below[-1] - 2, 0) if len(below) else 0, above[0] + 3 if len(above) else len(layer))
    layer = layer[chosen]
    radius = np.sqrt(np.maximum(body.areas_mm2[kept], 0.0) / math.pi)
    spans = np.column_stack([body.starts[kept], body.starts[kept + 1]])
    nx, ny = int(size[0]), int(size[1])
    vertices, triangles = _net(body.segments, spans, borders, middle, radius, layer, first, ny, nx, cell)
    if not len(triangles) and cell > SMALLEST_MM:
        return drawn(body, cell / 2, low, high)  # it lies between the points of the lattice
    vertices[:, :2] = (vertices[:, :2] + first) * cell
    return Surface(vertices, triangles, _areas(vertices, triangles), cell)


def _layers(body: Solid, cell: float) -> tuple[Floats, Floats, Integers]:
    """Borders and middles (mm) of the prisms that the surface is drawn through, and their numbers.

    Thick ones, with straight walls, are taken as several. Left out are those thin beside a cell with little change around them.
    """
    parts = np.maximum(np.ceil(np.diff(body.borders_mm, axis=1)[:, 0] / THICKEST_MM - TOUCHING_MM).astype(int), 1)
    number = np.repeat(np.arange(len(parts)), parts)
    place = np.arange(len(number)) - np.repeat(np.cumsum(parts) - parts, parts)
    low, high = body.borders_mm[number].T
    borders = low[:, None] + ((place[:, None] + (0, 1)) / parts[number, None]) * (high - low)[:, None]
    middle = borders.mean(axis=1)
    chosen = _kept(borders, middle, body.areas_mm2[number], cell)
    borders = borders[chosen]
    skipped = np.flatnonzero(np.diff(chosen) > 1)
    borders[skipped, 1] = borders[skipped + 1, 0] = (middle[chosen[skipped]] + middle[chosen[skipped + 1]]) / 2
    return borders, middle[chosen], number[chosen]


@njit(cache=True, nogil=True, error_model="numpy")
def _kept(borders, middle, areas, cell):  # type: ignore[no-untyped-def]
    """Numbers of the prisms beside which something happens at a border, and so many of the others that no two are too far apart."""
    count = len(borders)
    happens = np.ones(count + 1, dtype=np.bool_)  # at the lower border of each prism, and above the last
    for n in range(1, count):
        gap = borders[n, 0] - borders[n - 1, 1] > TOUCHING_MM
        happens[n] = gap or abs(areas[n] - areas[n - 1]) > LARGEST_CHANGE * areas[n]
    chosen = np.empty(count, dtype=np.int64)
    kept = 0
    for n in range(count):
        wanted = happens[max(n - 1, 0) : n + 3].any()
        if wanted or n + 1 == count or middle[n + 1] - middle[chosen[kept - 1]] > FARTHEST_LAYERS * cell:
            chosen[kept] = n
            kept += 1
    return chosen[:kept]


@njit(cache=True, nogil=True, error_model="numpy")
def _areas(vertices, triangles):  # type: ignore[no-untyped-def]
    """(n,) a third of the area of each vertex's triangles."""
    areas = np.zeros(len(vertices))
    for t in range(len(triangles)):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        ux, uy, uz, vx, vy, vz = b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in range(3):
            areas[triangles[t, i]] += np.sqrt(x * x + y * y + z * z) / 6
    return areas


@njit(cache=True, nogil=True, error_model="numpy")
def _net(segments, spans, borders, middle, radius, prism, first, ny, nx, cell):  # type: ignore[no-untyped-def]
    """(n, 3) vertices, columns and rows of the lattice and mm of height, and (m, 3) triangles; open where the first or last layer is not empty."""
    layers = len(prism)
    inside = np.zeros((layers, ny, nx), dtype=np.bool_)
    for k in range(layers):
        if prism[k] >= 0:
            _fill(inside[k], _on_lattice(segments, spans[prism[k]], first, cell))
    away = np.empty((layers, ny, nx), dtype=np.float32)
    nearest = np.empty((ny, nx), dtype=np.int32)
    square = np.empty((ny, nx), dtype=np.float32)
    wanted = np.empty((ny, nx), dtype=np.bool_)
    for k in range(layers):
        if prism[k] >= 0:
            some = _on_lattice(segments, spans[prism[k]], first, cell)
            _measure(away[k], nearest, square, wanted, some, inside, k, cell)
        else:
            away[k] = np.inf
    # Of the cells below each layer, and above the last.
    numbers = np.full((layers + 1, ny - 1, nx - 1), -1, dtype=np.int32)
    count, crossings = 0, 0
    for k in range(layers - 1):
        for y in range(ny - 1):
            for x in range(nx - 1):
                here = inside[k, y, x]
                if not (
                    here == inside[k, y, x + 1]
                    and here == inside[k, y + 1, x]
                    and here == inside[k, y + 1, x + 1]
                    and here == inside[k + 1, y, x]
                    and here == inside[k + 1, y, x + 1]
                    and here == inside[k + 1, y + 1, x]
                    and here == inside[k + 1, y + 1, x + 1]
                ):
                    numbers[k + 1, y, x] = count
                    count += 1
    sums = np.zeros((count, 4))
    for k in range(layers):
        height = middle[prism[k]] if prism[k] >= 0 else 0.0
        for y in range(ny - 1):
            for x in range(nx - 1):
                here = inside[k, y, x]
                if here != inside[k, y, x + 1]:
                    t = _part(away[k, y, x], away[k, y, x + 1])
                    for dk in range(2):
                        for dy in range(-1, 1):
                            _add(sums, numbers[k + dk, y + dy, x], x + t, y, height)
                    crossings += 1
                if here != inside[k, y + 1, x]:
                    t = _part(away[k, y, x], away[k, y + 1, x])
                    for dk in range(2):
                        for dx in range(-1, 1):
                            _add(sums, numbers[k + dk, y, x + dx], x, y + t, height)
                    crossings += 1
                if k + 1 < layers and here != inside[k + 1, y, x]:
                    w = _height(inside, away, borders, middle, radius, prism, k, y, x)
                    for dy in range(-1, 1):
                        for dx in range(-1, 1):
                            _add(sums, numbers[k + 1, y + dy, x + dx], x, y, w)
                    crossings += 1
    vertices = np.empty((count, 3))
    for n in range(count):
        for i in range(3):
            vertices[n, i] = sums[n, i] / sums[n, 3]
    triangles = np.empty((2 * crossings, 3), dtype=np.int64)
    m = 0
    for k in range(layers):
        for y in range(ny - 1):
            for x in range(nx - 1):
                here = inside[k, y, x]
                if here != inside[k, y, x + 1]:
                    m = _quad(
                        triangles, m, vertices, cell,
                        numbers[k, y - 1, x], numbers[k, y, x], numbers[k + 1, y, x], numbers[k + 1, y - 1, x],
                    )  # fmt: skip
                if here != inside[k, y + 1, x]:
                    m = _quad(
                        triangles, m, vertices, cell,
                        numbers[k, y, x - 1], numbers[k, y, x], numbers[k + 1, y, x], numbers[k + 1, y, x - 1],
                    )  # fmt: skip
                if k + 1 < layers and here != inside[k + 1, y, x]:
                    m = _quad(
                        triangles, m, vertices, cell,
                        numbers[k + 1, y - 1, x - 1], numbers[k + 1, y - 1, x], numbers[k + 1, y, x], numbers[k + 1, y, x - 1],
                    )  # fmt: skip
    return vertices, triangles[:m]


@njit(cache=True, nogil=True, error_model="numpy")
def _on_lattice(segments, span, first, cell):  # type: ignore[no-untyped-def]
    """Edges in columns and rows of the lattice."""
    edges = np.empty((span[1] - span[0], 4))
    for m in range(len(edges)):
        for i in range(4):
            edges[m, i] = segments[span[0] + m, i] / cell - first[i % 2]
    return edges


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(inside, edges):  # type: ignore[no-untyped-def]
    """Which lattice points lie within the edges (even-odd)."""
    ny, nx = inside.shape
    for x0, y0, x1, y1 in edges:
        for y in range(int(np.ceil(min(y0, y1))), int(np.ceil(max(y0, y1)))):
            x = int(np.ceil(x0 + (y - y0) / (y1 - y0) * (x1 - x0)))
            inside[y, x] = not inside[y, x]
    for y in range(ny):
        odd = False
        for x in range(nx):
            odd = odd != inside[y, x]
            inside[y, x] = odd


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(away, nearest, square, wanted, edges, inside, k, cell):  # type: ignore[no-untyped-def]
    """Signed planar distance (mm) of layer k wherever a crossing may ask for it: where neighbouring points or layers differ.

    Only those points are looked at, unless some are far from all edges: then distances are propagated from all that is near, each point taking
    the nearest of its neighbours' edges (Danielsson, Comput Graph Image Process 1980;14:227-248, with edges for points).
    """
    ny, nx = nearest.shape
    here = inside[k]
    wanted[:] = False
    for j in range(max(k - 2, 0), min(k + 2, len(inside) - 1)):
        for y in range(ny):
            for x in range(nx):
                wanted[y, x] |= inside[j, y, x] != inside[j + 1, y, x]
    for y in range(ny):
        for x in range(nx - 1):
            if here[y, x] != here[y, x + 1]:
                wanted[y, x] = wanted[y, x + 1] = True
    for y in range(ny - 1):
        for x in range(nx):
            if here[y, x] != here[y + 1, x]:
                wanted[y, x] = wanted[y + 1, x] = True
    nearest[:] = -1
    square[:] = np.float32(np.inf)
    _look_around(nearest, square, wanted, edges, NEAR)
    if _beyond(wanted, square, NEAR):
        _look_around(nearest, square, wanted, edges, FAR)
    if _beyond(wanted, square, FAR):
        left, right, top, bottom = _box(wanted, nx, 0, ny, 0)
        wanted[:] = True
        _look_around(nearest, square, wanted, edges, NEAR)
        left, right, top, bottom = _box(nearest >= 0, left, right, top, bottom)
        for sweep in range(2):
            for row in range(bottom - top + 1):
                y = top + row if sweep == 0 else bottom - row
                back = y - 1 if sweep == 0 else y + 1
                if top <= back <= bottom:
                    for x in range(left, right + 1):
                        for from_x in range(max(x - 1, left), min(x + 1, right) + 1):
                            _take(nearest, square, edges, x, y, nearest[back, from_x])
                for x in range(left + 1, right + 1):
                    _take(nearest, square, edges, x, y, nearest[y, x - 1])
                for x in range(right - 1, left - 1, -1):
                    _take(nearest, square, edges, x, y, nearest[y, x + 1])
    for y in range(ny):
        for x in range(nx):
            d = np.sqrt(square[y, x]) * cell
            away[y, x] = -d if here[y, x] else d


@njit(cache=True, nogil=True, error_model="numpy")
def _look_around(nearest, square, wanted, edges, reach):  # type: ignore[no-untyped-def]
    """The nearest edge, of those within so many cells, of each point that is wanted."""
    ny, nx = nearest.shape
    for m in range(len(edges)):
        x0, y0, x1, y1 = edges[m]
        left, right = max(int(np.ceil(min(x0, x1))) - reach, 0), min(int(np.floor(max(x0, x1))) + reach + 1, nx)
        for y in range(max(int(np.ceil(min(y0, y1))) - reach, 0), min(int(np.floor(max(y0, y1))) + reach + 1, ny)):
            for x in range(left, right):
                if wanted[y, x]:
                    s = square_distance(edges, m, x, y)
                    if s < square[y, x]:
                        square[y, x] = s
                        nearest[y, x] = m


@njit(cache=True, nogil=True, error_model="numpy")
def _beyond(wanted, square, reach):  # type: ignore[no-untyped-def]
    """Leaves those farther away than what was looked at; whether there are some."""
    some = False
    for y in range(len(wanted)):
        for x in range(wanted.shape[1]):
            wanted[y, x] = wanted[y, x] and square[y, x] > reach * reach
            some = some or wanted[y, x]
    return some


@njit(cache=True, nogil=True, error_model="numpy")
def _box(flags, left, right, top, bottom):  # type: ignore[no-untyped-def]
    """A box that is widened to hold all points with a flag."""
    for y in range(len(flags)):
        for x in range(flags.shape[1]):
            if flags[y, x]:
                left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    return left, right, top, bottom


@njit(cache=True, nogil=True, error_model="numpy")
def _take(nearest, square, edges, x, y, m):  # type: ignore[no-untyped-def]
    """Gives a point the edge m where that is nearer than its own."""
    if m >= 0 and m != nearest[y, x]:
        s = square_distance(edges, m, x, y)
        if s < square[y, x]:
            square[y, x] = s
            nearest[y, x] = m


@njit(cache=True, nogil=True, error_model="numpy")
def _part(start, end):  # type: ignore[no-untyped-def]
    """Where between two points of different sides a linear function is zero; half-way where both lie on the contour."""
    return start / (start - end) if start != end else 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def _height(inside, away, borders, middle, radius, prism, k, y, x):  # type: ignore[no-untyped-def]
    """Where, in mm, the surface crosses the column (x, y) between layers k and k + 1."""
    up = inside[k, y, x]
    a, b, before = (k, k + 1, k - 1) if up else (k + 1, k, k + 2)
    n = prism[a]
    d = away[a, y, x]
    f = 2 * radius[n] * d + d * d
    if prism[b] >= 0:
        o = prism[b]
        e = away[b, y, x]
        if e - d <= STEEP * abs(middle[o] - middle[n]):
            g = 2 * radius[o] * e + e * e
            return middle[n] + _part(f, g) * (middle[o] - middle[n])
    # The part ends between the two. Going on as from the layer before it may close by itself, before the height at which the solid is known
    # to be empty (the straight line overshoots the parabola of a round top by a little); else it is cut flat.
    border = borders[n, 1] if up else borders[n, 0]
    if 0 <= before < len(prism) and prism[before] >= 0 and inside[before, y, x]:
        o = prism[before]
        e = away[before, y, x]
        g = 2 * radius[o] * e + e * e
        if f > g:
            beyond = f / (f - g) * (middle[o] - middle[n])
            empty = 2 * (border - middle[n])
            if abs(beyond) <= 1.5 * abs(empty):
                return middle[n] + (beyond if abs(beyond) < abs(empty) else empty)
    return border


@njit(cache=True, nogil=True, error_model="numpy")
def _add(sums, n, x, y, w):  # type: ignore[no-untyped-def]
    if n >= 0:
        sums[n, 0] += x
        sums[n, 1] += y
        sums[n, 2] += w
        sums[n, 3] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _quad(triangles, m, vertices, cell, a, b, c, d):  # type: ignore[no-untyped-def]
    """Two triangles, divided along the shorter diagonal; none where one of the cells lies beyond an open end."""
    if min(a, b, c, d) < 0:
        return m
    first = second = 0.0
    for i in range(3):
        scale = cell if i < 2 else 1.0
        first += ((vertices[a, i] - vertices[c, i]) * scale) ** 2
        second += ((vertices[b, i] - vertices[d, i]) * scale) ** 2
    if first <= second:
        triangles[m] = a, b, c
        triangles[m + 1] = a, c, d
    else:
        triangles[m] = a, b, d
        triangles[m + 1] = b, c, d
    return m + 2
