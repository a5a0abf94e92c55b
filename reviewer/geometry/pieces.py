# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Edges divided at the borders of cells: what coverage and DVH add up."""

from __future__ import annotations

import numpy as np
from numba import njit

ROOM = 500
"""Pieces that are handed over at a time: few enough to stay near the processor."""


@njit(cache=True, nogil=True)
def room_for(ny, nx):  # type: ignore[no-untyped-def]
    """Empty `pieces` and `cells` for `divide`, on a lattice of that size."""
    most = ROOM + 2 * (nx + ny) + 8  # one edge crosses no more than all columns and rows, and may begin beyond
    return np.empty((most, 4)), np.empty(most, dtype=np.uint64)


@njit(cache=True, nogil=True, error_model="numpy")
def divide(pieces, cells, segments, first, stop, to_cells, first_row, first_column, ny, nx, stride):  # type: ignore[no-untyped-def]
    """Divides the edges first to stop of `segments` (as in `Solid`) at the borders of ny x nx unit cells.

    pieces:   out (n, 4) x, y of the start and the end of each piece, from the centre of the cell that it lies in; in the edge's direction.
    cells:    out (n,) row * stride + column of that cell.
    to_cells: (2, 3) affine map of (u, v) to (x, y) in cells, whole numbers on their borders; first_row, first_column: of the lattice, there.
              So pieces are the same to the last bit whatever the lattice that is looked at.
    What lies left of the lattice is moved to its left border, for it counts what is to the right of an edge; what lies elsewhere is left out,
    and so are edges along a row.
    Returns the number of pieces, and the edge to go on from: `stop`, or less where there is no more room.
    """
    count = 0
    for m in range(first, stop):
        if count >= ROOM:
            return count, m
        x0 = to_cells[0, 0] * segments[m, 0] + to_cells[0, 1] * segments[m, 1] + to_cells[0, 2] - first_column
        y0 = to_cells[1, 0] * segments[m, 0] + to_cells[1, 1] * segments[m, 1] + to_cells[1, 2] - first_row
        x1 = to_cells[0, 0] * segments[m, 2] + to_cells[0, 1] * segments[m, 3] + to_cells[0, 2] - first_column
        y1 = to_cells[1, 0] * segments[m, 2] + to_cells[1, 1] * segments[m, 3] + to_cells[1, 2] - first_row
        if y0 == y1:
            continue
        if min(x0, x1) >= 0.0 and min(y0, y1) >= 0.0 and max(x0, x1) < nx and max(y0, y1) < ny:
            count = _cross(pieces, cells, count, x0, y0, x1, y1, ny, nx, stride)
        else:
            count = _clip(pieces, cells, count, x0, y0, x1, y1, ny, nx, stride)
    return count, stop


@njit(cache=True, nogil=True, error_model="numpy")
def _put(pieces, cells, count, row, column, stride, xa, ya, xb, yb):  # type: ignore[no-untyped-def]
    pieces[count, 0], pieces[count, 1] = xa - column - 0.5, ya - row - 0.5
    pieces[count, 2], pieces[count, 3] = xb - column - 0.5, yb - row - 0.5
    cells[count] = np.uint64(row * stride + column)
    return count + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _cross(pieces, cells, count, x0, y0, x1, y1, ny, nx, stride):  # type: ignore[no-untyped-def]
    """An edge within the lattice: from cell to cell, to whichever border comes first."""
    column, row = min(int(x0), nx - 1), min(int(y0), ny - 1)
    columns, rows = min(int(x1), nx - 1) - column, min(int(y1), ny - 1) - row
    if columns == 0 and rows == 0:
        return _put(pieces, cells, count, row, column, stride, x0, y0, x1, y1)
    dx, dy = x1 - x0, y1 - y0
    # Shares of the edge at which it meets the next column and the next row, and by which they are apart.
    per_x, per_y = 1.0 / dx, 1.0 / dy
    at_column = (column + (1 if columns > 0 else 0) - x0) * per_x if columns != 0 else np.inf
    at_row = (row + (1 if rows > 0 else 0) - y0) * per_y if rows != 0 else np.inf
    per_column, per_row = abs(per_x), abs(per_y)
    x, y = x0, y0
    for _ in range(abs(columns) + abs(rows)):
        sideways = at_column < at_row
        share = min(at_column if sideways else at_row, 1.0)
        x_next, y_next = x0 + share * dx, y0 + share * dy
        count = _put(pieces, cells, count, row, column, stride, x, y, x_next, y_next)
        x, y = x_next, y_next
        if sideways:
            step = 1 if columns > 0 else -1
            column, columns = column + step, columns - step
            at_column = at_column + per_column if columns != 0 else np.inf
        else:
            step = 1 if rows > 0 else -1
            row, rows = row + step, rows - step
            at_row = at_row + per_row if rows != 0 else np.inf
    return _put(pieces, cells, count, row, column, stride, x, y, x1, y1)


@njit(cache=True, nogil=True, error_model="numpy")
def _clip(pieces, cells, count, x0, y0, x1, y1, ny, nx, stride):  # type: ignore[no-untyped-def]
    """An edge that lies partly or wholly beyond the lattice, part by part."""
    dx, dy = x1 - x0, y1 - y0
    begin, end = max(min(-y0 / dy, (ny - y0) / dy), 0.0), min(max(-y0 / dy, (ny - y0) / dy), 1.0)
    left, right = (-x0 / dx, (nx - x0) / dx) if dx != 0.0 else (begin, begin)
    first, second = min(max(min(left, right), begin), end), min(max(max(left, right), begin), end)
    for a, b in ((begin, first), (first, second), (second, end)):
        middle = x0 + (a + b) / 2 * dx
        if not a < b or middle >= nx:
            continue
        xa, xb = min(max(x0 + a * dx, 0.0), float(nx)), min(max(x0 + b * dx, 0.0), float(nx))
        if middle <= 0.0:
            xa = xb = 0.0
        ya, yb = min(max(y0 + a * dy, 0.0), float(ny)), min(max(y0 + b * dy, 0.0), float(ny))
        if ya != yb:
            count = _cross(pieces, cells, count, xa, ya, xb, yb, ny, nx, stride)
    return count
