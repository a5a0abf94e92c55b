"""Regions as directed edges, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from reviewer.geometry.region import Region

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def segments_of(regions: Sequence[Region]) -> tuple[Floats, Integers]:
    """Edges of regions, (m, 4) u, v of start and end with the inside on the left (u to the right, v upward).

    Also (n + 1,) the first row of each region.
    """
    parts, region_of_part = shapely.get_parts(shapely.normalize(np.asarray(regions, dtype=object)), return_index=True)
    rings, part_of_ring = parts, np.arange(len(parts))
    if shapely.get_num_interior_rings(parts).any():  # else each part is its ring
        rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    # GEOS' normal form runs clockwise around the outside, so each edge is taken backwards.
    segments = np.hstack([points[1:][same], points[:-1][same]])
    region = region_of_part[part_of_ring[ring[:-1][same]]]
    return np.ascontiguousarray(segments), np.searchsorted(region, np.arange(len(regions) + 1)).astype(np.int64)


def rings_of_segments(segments: Floats) -> list[Floats]:
    """Rings of edges that meet in exactly equal points."""
    ends = {(u0, v0): (u1, v1) for u0, v0, u1, v1 in segments.tolist()}
    rings = []
    while ends:
        point, following = ends.popitem()
        ring = [point]
        while following in ends:
            ring.append(following)
            following = ends.pop(following)
        rings.append(np.array(ring))
    return rings


@njit(cache=True, nogil=True, error_model="numpy")
def square_distance(segments, m, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Squared distance of the point (x, y) from row m of `segments`, (n, 4) x, y of start and end; compiled, for other compiled loops."""
    dx, dy = segments[m, 2] - segments[m, 0], segments[m, 3] - segments[m, 1]
    px, py = x - segments[m, 0], y - segments[m, 1]
    length = dx * dx + dy * dy
    t = min(max((px * dx + py * dy) / length, 0.0), 1.0) if length > 0.0 else 0.0
    px -= t * dx
    py -= t * dy
    return px * px + py * py
