# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""How much of a cell a solid occupies, where in it, and how spread out: volume, centroid and second moments, exact for prisms.

Signed-area accumulation as in `reviewer.geometry.raster`, for the integrals of 1, x, y, z, xx, xy, ... over the occupied part of each cell
(Green's theorem: each is a sum over edges). Cells are unit cubes with their own centre as origin, so x, y, z run from -1/2 to 1/2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FIELDS = 10
"""What is kept of a cell. The first six are differences along a row, for to the right of an edge all the row is occupied: the integrals of
1, y, yy, z, zz, yz. The next four are of the cell alone: x, xx (less what follows from the 1), xy, xz."""


@njit(cache=True, nogil=True, error_model="numpy")
def add_moments(moments, touched, spans, low, high, borders, starts, segments, to_cells, first_row, first_column):  # type: ignore[no-untyped-def]
    """Adds what prisms occupy of a layer of cells between w = low and high; returns whether there is any.

    moments:  (ny, nx + 1, FIELDS); touched: (ny, nx + 1) uint8, 1 where an edge passes. spans: (ny, 2) first and last column that an edge touches,
              nx and -1 where there is none.
    borders:  (n, 2) w of floor and top of each prism; starts, segments: as in `Solid`.
    to_cells: (2, 3) affine map of (u, v) to (x, y) in cells, whole numbers on their edges; the first of `moments` is cell first_row,
              first_column there. So a cell's moments are the same to the last bit whatever the box that is looked at.
    """
    side = 1.0 if to_cells[0, 0] * to_cells[1, 1] > to_cells[0, 1] * to_cells[1, 0] else -1.0
    middle, thickness = (low + high) / 2, high - low
    found = False
    for n in range(len(borders)):
        floor, top = max(borders[n, 0], low), min(borders[n, 1], high)
        if top <= floor:
            continue
        found = True
        height = (top - floor) / thickness
        z = ((floor + top) / 2 - middle) / thickness
        zz = z * z + height * height / 12
        for m in range(starts[n], starts[n + 1]):
            u0, v0, u1, v1 = segments[m, 0], segments[m, 1], segments[m, 2], segments[m, 3]
            x0 = to_cells[0, 0] * u0 + to_cells[0, 1] * v0 + to_cells[0, 2] - first_column
            y0 = to_cells[1, 0] * u0 + to_cells[1, 1] * v0 + to_cells[1, 2] - first_row
            x1 = to_cells[0, 0] * u1 + to_cells[0, 1] * v1 + to_cells[0, 2] - first_column
            y1 = to_cells[1, 0] * u1 + to_cells[1, 1] * v1 + to_cells[1, 2] - first_row
            _edge(moments, touched, spans, x0, y0, x1, y1, side * height, z, zz)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _edge(moments, touched, spans, x0, y0, x1, y1, weight, z, zz):  # type: ignore[no-untyped-def]
    """Adds what lies to the right of one edge, cell by cell; z, zz: mean of z and of its square over the prism's part in the layer."""
    if y0 == y1:
        return
    ny, nx = moments.shape[0], moments.shape[1] - 1
    if y0 < y1:
        weight = -weight
    else:
        x0, y0, x1, y1 = x1, y1, x0, y0
    row, column = int(y0), int(x0)
    if x0 >= 0 and y0 >= 0 and x1 >= 0 and row == int(y1) and column == int(x1) and row < ny and column < nx:
        _piece(moments, touched, spans, row, column, x0, y0, x1, y1, weight, z, zz)
        return
    if y1 <= 0.0 or y0 >= ny:
        return
    slope = (x1 - x0) / (y1 - y0)
    if y0 < 0.0:
        x0, y0 = x0 - y0 * slope, 0.0
    if y1 > ny:
        x1, y1 = x0 + (ny - y0) * slope, float(ny)
    row, ya, xa = int(y0), y0, x0
    while ya < y1:
        yb = min(row + 1.0, y1)
        xb = x1 if yb == y1 else x0 + (yb - y0) * slope
        left, right = min(xa, xb), max(xa, xb)
        y_left, y_right = (ya, yb) if xa <= xb else (yb, ya)
        if right <= 0.0:
            _strip(moments, touched, spans, row, ya - row - 0.5, yb - row - 0.5, weight, z, zz)
        elif left >= nx:
            # Nothing here lies to the right of it, but what lies to the right of other edges goes on until the last column.
            spans[row, 0], spans[row, 1] = min(spans[row, 0], nx - 1), nx - 1
        elif int(np.floor(left)) == int(np.floor(right)):
            _piece(moments, touched, spans, row, int(left), xa, ya, xb, yb, weight, z, zz)
        else:
            steepness = (y_right - y_left) / (right - left)
            x, y = left, y_left
            if x < 0.0:
                at_border = y_left - left * steepness
                y_low, y_high = min(y, at_border), max(y, at_border)
                _strip(moments, touched, spans, row, y_low - row - 0.5, y_high - row - 0.5, weight, z, zz)
                x, y = 0.0, at_border
            stop = min(right, float(nx))
            while x < stop:
                column = int(x)
                x_next = min(column + 1.0, stop)
                y_next = y_right if x_next == right else y_left + (x_next - left) * steepness
                if y <= y_next:
                    _piece(moments, touched, spans, row, column, x, y, x_next, y_next, weight, z, zz)
                else:
                    _piece(moments, touched, spans, row, column, x_next, y_next, x, y, weight, z, zz)
                x, y = x_next, y_next
            if right > nx:
                spans[row, 1] = nx - 1
        xa, ya, row = xb, yb, row + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _strip(moments, touched, spans, row, ya, yb, weight, z, zz):  # type: ignore[no-untyped-def]
    """Adds all of the row between two y."""
    a = weight * (yb - ya)
    b = a * (ya + yb) / 2
    moments[row, 0, 0] += a
    moments[row, 0, 1] += b
    moments[row, 0, 2] += a * (ya * ya + ya * yb + yb * yb) / 3
    moments[row, 0, 3] += a * z
    moments[row, 0, 4] += a * zz
    moments[row, 0, 5] += b * z
    touched[row, 0] = 1
    spans[row, 0], spans[row, 1] = 0, max(spans[row, 1], 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _piece(moments, touched, spans, row, column, xa, ya, xb, yb, weight, z, zz):  # type: ignore[no-untyped-def]
    """Adds what lies to the right of an edge that stays in one cell: part of that cell, and all of the row beyond it."""
    spans[row, 0], spans[row, 1] = min(spans[row, 0], column), max(spans[row, 1], column)
    xa, ya, xb, yb = xa - column - 0.5, ya - row - 0.5, xb - column - 0.5, yb - row - 0.5
    x, y, dx, dy = (xa + xb) / 2, (ya + yb) / 2, xb - xa, yb - ya
    whole = weight * dy
    # Along the edge, x and y are straight lines: the mean of (a + da t)(b + db t) over t from -1/2 to 1/2 is ab + da db / 12.
    xx, xy, yy = x * x + dx * dx / 12, dx * dy / 12, y * y + dy * dy / 12
    right, first = 0.5 - x, (0.25 - xx) / 2
    area, of_y, of_yy = whole * right, whole * (right * y - xy), whole * (right * yy - 2 * y * xy)
    of_x, of_xy = whole * first, whole * (first * y - x * xy)
    of_xx = whole * (0.125 - x * (xx + dx * dx / 6)) / 3
    whole_y, whole_yy = whole * y, whole * yy
    moments[row, column, 0] += area
    moments[row, column, 1] += of_y
    moments[row, column, 2] += of_yy
    moments[row, column, 3] += area * z
    moments[row, column, 4] += area * zz
    moments[row, column, 5] += of_y * z
    moments[row, column, 6] += of_x
    moments[row, column, 7] += of_xx - area / 12
    moments[row, column, 8] += of_xy
    moments[row, column, 9] += of_x * z
    touched[row, column] = 1
    rest, rest_y = whole - area, whole_y - of_y
    moments[row, column + 1, 0] += rest
    moments[row, column + 1, 1] += rest_y
    moments[row, column + 1, 2] += whole_yy - of_yy
    moments[row, column + 1, 3] += rest * z
    moments[row, column + 1, 4] += rest * zz
    moments[row, column + 1, 5] += rest_y * z


@njit(cache=True, nogil=True, error_model="numpy")
def take(running, moments, row, column):  # type: ignore[no-untyped-def]
    """Adds the differences of the next cell of a row to the first six of `running`, puts its own integrals in place of the other four, and
    leaves the cell empty."""
    for n in range(6):
        running[n] += moments[row, column, n]
        moments[row, column, n] = 0.0
    for n in range(6, FIELDS):
        running[n] = moments[row, column, n]
        moments[row, column, n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def shape_of(shape, running):  # type: ignore[no-untyped-def]
    """Writes to `shape` the centroid x, y, z of what is occupied of a cell, and the covariances xx, yy, zz, xy, xz, yz.

    running: what `take` has summed up until here, the first being the occupied part, more than 0.
    """
    part = 1.0 / running[0]
    x = min(max(running[6] * part, -0.5), 0.5)
    y = min(max(running[1] * part, -0.5), 0.5)
    z = min(max(running[3] * part, -0.5), 0.5)
    shape[0], shape[1], shape[2] = x, y, z
    shape[3] = min(max(running[7] * part + 1.0 / 12.0 - x * x, 0.0), 0.25)
    shape[4] = min(max(running[2] * part - y * y, 0.0), 0.25)
    shape[5] = min(max(running[4] * part - z * z, 0.0), 0.25)
    shape[6] = running[8] * part - x * y
    shape[7] = running[9] * part - x * z
    shape[8] = running[5] * part - y * z
