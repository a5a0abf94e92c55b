"""Combining a large region with a small patch, where only what lies near the patch is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.geometry.region import Region

FEW_CORNERS = 400
"""A region of no more is combined as it is."""

Combine = Callable[[shapely.Geometry, shapely.Geometry], shapely.Geometry]
Geometries = NDArray[Any]


def combined(combine: Combine, region: Region, patch: Region) -> shapely.Geometry:
    """``combine(region, patch)`` for union and difference, both regions valid.

    A brush on a noisy image makes hundreds of parts and holes. Those whose boxes lie apart from that of the patch stay as they are: parts come
    back beside the result, holes in the part that they lie in.
    """
    if shapely.get_num_coordinates(region) <= FEW_CORNERS:
        return combine(region, patch)
    parts = shapely.get_parts(region)
    far = _apart(parts, patch)
    rings, owner = shapely.get_rings(parts[~far], return_index=True)
    # A part in a hole that is put aside is far itself, so what is left does not overlap when holes are filled.
    aside = _apart(rings, patch) & (np.diff(owner, prepend=-1) == 0)
    if not (far.any() or aside.any()):
        return combine(region, patch)
    near = shapely.polygons(rings[~aside], indices=owner[~aside]) if len(rings) else parts[~far]
    found = shapely.get_parts(combine(shapely.multipolygons(near), patch))
    found = found[~shapely.is_empty(found)]
    holes = rings[aside]
    if len(holes):
        place = _places(holes, found)
        if place is None:
            return combine(region, patch)
        outlines, index = shapely.get_rings(found, return_index=True)
        index = np.concatenate([index, place])
        order = np.argsort(index, kind="stable")
        found = shapely.polygons(np.concatenate([outlines, holes])[order], indices=index[order])
    return shapely.multipolygons(np.concatenate([parts[far], found]))


def _apart(geometries: Geometries, patch: Region) -> NDArray[np.bool_]:
    """Which boxes do not touch that of the patch."""
    low_x, low_y, high_x, high_y = shapely.bounds(geometries).T
    x0, y0, x1, y1 = patch.bounds
    return np.asarray((low_x > x1) | (high_x < x0) | (low_y > y1) | (high_y < y0))


def _places(holes: Geometries, parts: Geometries) -> NDArray[np.intp] | None:
    """The number of the part that each hole lies in; None where that is not clear."""
    if len(parts) == 1:
        return np.zeros(len(holes), dtype=np.intp)
    hole, part = shapely.STRtree(parts).query(shapely.point_on_surface(shapely.polygons(holes)), predicate="within")
    if len(hole) != len(holes) or len(np.unique(hole)) != len(holes):
        return None
    place = np.empty(len(holes), dtype=np.intp)
    place[hole] = part
    return place
