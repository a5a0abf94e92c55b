"""Voxels as regions, exactly: the outline runs along the edges of the pixels that are set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region, region_of_rings


def regions_of_labels(plane: NDArray[np.generic], grid: Grid) -> Iterator[tuple[int, Region]]:
    """Each label of a plane, (y, x), but 0, with the exact union of its pixels in plane coordinates (mm)."""
    for value in np.unique(plane):
        region = region_of_pixels(plane == value, grid) if value != 0 else None
        if region is not None:
            yield int(value), region


def region_of_pixels(mask: NDArray[np.bool_], grid: Grid) -> Region | None:
    """The exact union of the pixels of a plane, (y, x), that are set, in plane coordinates (mm); None where none is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    rings = pixel_rings(mask[top : rows[-1] + 1, left : columns[-1] + 1])
    spacing = np.array(grid.spacing_uv_mm)
    shift = np.array(grid.origin_uv_mm) + (np.array([left, top]) - 0.5) * spacing
    return region_of_rings([ring * spacing + shift for ring in rings])


def pixel_rings(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed rings (n, 2) of corners (x, y), in units of pixels from the first pixel's outer corner, around the pixels that are set.

    The outline turns only at corners where one or three of the four pixels about them are set, or two across: along each row
    of corners, and down each column, outline corners come in pairs that are joined by an edge. Where two pixels touch at a corner
    only, the corner counts twice and each turn stays on its own pixel, so that rings touch but never cross.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    total = nw + ne + sw + se
    across = (total == 2) & (nw == se)
    y, x = np.nonzero((total % 2 == 1) | across)
    if len(y) == 0:
        return []
    twice = np.repeat(np.arange(len(y)), 1 + across[y, x])
    second = np.append(False, twice[1:] == twice[:-1])
    y, x = y[twice], x[twice]
    # the first of a double corner turns left; it goes up where the north-west pixel is set, else down
    falling = across[y, x] & (ne[y, x] == 1)
    row_order = np.lexsort((second, x, y))
    column_order = np.lexsort((second ^ falling, y, x))
    across_row, down_column = np.empty(len(y), int), np.empty(len(y), int)
    across_row[row_order[0::2]], across_row[row_order[1::2]] = row_order[1::2], row_order[0::2]
    down_column[column_order[0::2]], down_column[column_order[1::2]] = column_order[1::2], column_order[0::2]
    horizontal, vertical = across_row.tolist(), down_column.tolist()
    corners = np.stack([x, y], axis=1).astype(np.float64)
    seen = bytearray(len(horizontal))
    rings = []
    for start in range(len(horizontal)):
        if seen[start]:
            continue
        ring, at = [], start
        while not seen[at]:
            beside = horizontal[at]
            seen[at] = seen[beside] = 1
            ring += [at, beside]
            at = vertical[beside]
        rings.append(corners[ring])
    return rings
