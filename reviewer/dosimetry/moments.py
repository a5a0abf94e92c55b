# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""How much of a cell a solid occupies, where in it, and how spread out: volume, centroid and second moments, exact for prisms.

Signed-area accumulation as in `reviewer.geometry.raster`, for the integrals of 1, x, y, z, xx, xy, ... over the occupied part of each cell
(Green's theorem: each is a sum over edges). Cells are unit cubes with their own centre as origin, so x, y, z run from -1/2 to 1/2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reviewer.geometry.pieces import divide

WORD = 8
"""Rows are as long as a multiple of this, so that untouched cells are passed over by so many."""

FIELDS = 16
"""What is kept of a cell: the integrals of 1, y, yy, z, zz, yz, x, xx, xy, xz over what lies to the right of its edges in the cell itself, and
of 1, y, yy, z, zz, yz over what lies to their right in each cell further along the row."""

OF_ROW = 6
"""Integrals that go on along the row. Those with an x are the same in every whole cell: 1/12 of the first for xx, else 0."""

TWELFTH = 1 / 12
"""Multiplied with, for to divide takes as long as half of all the rest."""


def stride_for(columns: int) -> int:
    """How far the rows of a lattice are apart."""
    return -(-columns // WORD) * WORD


@njit(cache=True, nogil=True, error_model="numpy")
def add_moments(moments, touched, pieces, cells, low, high, borders, starts, segments, to_cells, first_row, first_column, ny, nx, stride):  # type: ignore[no-untyped-def]  # fmt: skip
    """Adds what prisms occupy of a layer of cells between w = low and high; returns whether there is any.

    moments:  (ny * stride * FIELDS,); touched: (ny * stride,) uint8, 1 where an edge passes; both are 0 before the first prism.
    pieces, cells: `room_for` the lattice.
    borders:  (n, 2) w of floor and top of each prism; starts, segments: as in `Solid`. The rest as in `divide`.
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
        m = starts[n]
        while m < starts[n + 1]:
            count, m = divide(
                pieces, cells, segments, m, starts[n + 1], to_cells, first_row, first_column, ny, nx, stride
            )
            _add(moments, touched, pieces, cells, count, -side * height, z, zz)
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _add(moments, touched, pieces, cells, count, weight, z, zz):  # type: ignore[no-untyped-def]
    """Adds what lies to the right of each piece; z, zz: mean of z and of its square over the prism's part in the layer."""
    fields = np.uint64(FIELDS)
    for i in range(count):
        xa, ya, xb, yb = pieces[i, 0], pieces[i, 1], pieces[i, 2], pieces[i, 3]
        x, y, dx, dy = (xa + xb) * 0.5, (ya + yb) * 0.5, xb - xa, yb - ya
        whole = weight * dy
        # Along the edge, x and y are straight lines: the mean of (a + da t)(b + db t) over t from -1/2 to 1/2 is ab + da db / 12.
        xx, xy, yy = x * x + dx * dx * TWELFTH, dx * dy * TWELFTH, y * y + dy * dy * TWELFTH
        right, first = 0.5 - x, (0.25 - xx) * 0.5
        area, of_y, of_yy = whole * right, whole * (right * y - xy), whole * (right * yy - 2 * y * xy)
        of_x, of_xy = whole * first, whole * (first * y - x * xy)
        of_xx = whole * (0.125 - x * (xx + dx * dx * (2 * TWELFTH))) * (4 * TWELFTH)
        whole_y = whole * y
        touched[cells[i]] = 1
        # In the order of FIELDS.
        there = moments[cells[i] * fields : cells[i] * fields + fields]
        there[0] += area
        there[1] += of_y
        there[2] += of_yy
        there[3] += area * z
        there[4] += area * zz
        there[5] += of_y * z
        there[6] += of_x
        there[7] += of_xx
        there[8] += of_xy
        there[9] += of_x * z
        there[10] += whole
        there[11] += whole_y
        there[12] += whole * yy
        there[13] += whole * z
        there[14] += whole * zz
        there[15] += whole_y * z


@njit(cache=True, nogil=True)
def next_touched(touched, words, begin, end):  # type: ignore[no-untyped-def]
    """The next touched cell from `begin` on, or `end`; words: `touched` seen as uint64."""
    n = begin
    while n < end:
        if n % WORD == 0 and words[n // WORD] == 0:
            n += WORD
        elif touched[n] == 0:
            n += 1
        else:
            return n
    return end


@njit(cache=True, nogil=True, error_model="numpy")
def of_cell(running, moments, cell):  # type: ignore[no-untyped-def]
    """The ten integrals over what is occupied of a touched cell; running: what goes on from the cells before it in the row."""
    own = moments[cell * FIELDS : (cell + 1) * FIELDS]
    return (
        running[0] + own[0],
        running[1] + own[1],
        running[2] + own[2],
        running[3] + own[3],
        running[4] + own[4],
        running[5] + own[5],
        own[6],
        own[7] + running[0] * TWELFTH,
        own[8],
        own[9],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def of_row(running):  # type: ignore[no-untyped-def]
    """The same for a cell that no edge touches."""
    return running[0], running[1], running[2], running[3], running[4], running[5], 0.0, running[0] * TWELFTH, 0.0, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def pass_by(running, moments, touched, cell):  # type: ignore[no-untyped-def]
    """Adds to `running` what goes on from a touched cell, and leaves the cell empty."""
    own = moments[cell * FIELDS : (cell + 1) * FIELDS]
    for n in range(OF_ROW):
        running[n] += own[FIELDS - OF_ROW + n]
    for n in range(FIELDS):
        own[n] = 0.0
    touched[cell] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def shape_of(integrals):  # type: ignore[no-untyped-def]
    """The centroid x, y, z of what is occupied of a cell, and the covariances xx, yy, zz, xy, xz, yz.

    integrals: of 1, y, yy, z, zz, yz, x, xx, xy, xz; the first, the occupied part, more than 0.
    """
    part = 1.0 / integrals[0]
    x = min(max(integrals[6] * part, -0.5), 0.5)
    y = min(max(integrals[1] * part, -0.5), 0.5)
    z = min(max(integrals[3] * part, -0.5), 0.5)
    return (
        x,
        y,
        z,
        min(max(integrals[7] * part - x * x, 0.0), 0.25),
        min(max(integrals[2] * part - y * y, 0.0), 0.25),
        min(max(integrals[4] * part - z * z, 0.0), 0.25),
        integrals[8] * part - x * y,
        integrals[9] * part - x * z,
        integrals[5] * part - y * z,
    )
