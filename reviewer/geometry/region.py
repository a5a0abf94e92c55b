"""`Region`: what a structure is in one plane, and its way from and to rings of points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import MultiPolygon, Polygon

from reviewer.errors import GeometryError
from reviewer.geometry.overlay import either

Region: TypeAlias = Polygon | MultiPolygon
"""A valid shapely Polygon or MultiPolygon in the plane coordinates (u, v) of one slice, mm. Holes are interiors, islands further polygons."""

SMALLEST_PART_MM2 = 1e-6
"""A part of a region below this area is what rounding left over (a zero-width channel, a collinear ring), not anatomy."""


def region_of_rings(rings: Sequence[ArrayLike]) -> Region | None:
    """The region inside an odd number of closed rings (even-odd rule, CLOSED_PLANAR_XOR of PS3.3 C.8.8.6.3), None when it has no area.

    rings: (n, 2) arrays of mm, closing point optional, either direction. Keyholes become holes: a channel walked to and fro encloses
    nothing and vanishes. Self-intersecting rings are resolved by the same rule. The result is always valid.
    Raises GeometryError for coordinates that are not finite numbers.
    """
    polygons: list[Polygon] = []
    tangled: list[NDArray[np.float64]] = []
    for ring in rings:
        points = np.asarray(ring, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            if points.size == 0:
                continue
            raise GeometryError(f"a ring needs points (u, v), found an array of shape {points.shape}")
        if not np.isfinite(points).all():
            raise GeometryError("a contour has coordinates that are not finite numbers")
        if len(points) < 3:
            continue
        polygon = shapely.polygons(points)
        if shapely.is_valid(polygon):
            polygons.append(polygon)
        else:
            tangled.append(points)
    if len(polygons) == 1 and not tangled:
        return polygons[0] if polygons[0].area > SMALLEST_PART_MM2 else None
    polygons.extend(face for points in tangled for face in _odd_faces(points))
    while len(polygons) > 1:  # pairwise, so that many rings stay cheap
        paired = either(polygons[0:-1:2], polygons[1::2])
        polygons = [*paired, *polygons[len(paired) * 2 :]]
    return region_of(polygons[0]) if polygons else None


def regions_of_rings(
    points: NDArray[np.float64], rings: NDArray[np.int64], planes: NDArray[np.int64]
) -> list[Region | None]:
    """`region_of_rings` of several planes, at once where a plane is one ring that does not cross itself, as most are.

    points: (n, 2) mm; rings: (m + 1,) first point of each ring, of three points at least; planes: (k + 1,) first ring of each plane.
    """
    polygons = shapely.polygons(
        shapely.linearrings(points, indices=np.repeat(np.arange(len(rings) - 1), np.diff(rings)))
    )
    valid, large = shapely.is_valid(polygons).tolist(), (shapely.area(polygons) > SMALLEST_PART_MM2).tolist()
    borders = rings.tolist()
    found: list[Region | None] = []
    for first, stop in pairwise(planes.tolist()):
        if stop - first == 1 and valid[first]:
            found.append(polygons[first] if large[first] else None)
        else:
            found.append(region_of_rings([points[a:b] for a, b in pairwise(borders[first : stop + 1])]))
    return found


def rings_of(region: Region) -> list[NDArray[np.float64]]:
    """All exteriors and interiors as (n, 2) arrays in mm without closing duplicate; `region_of_rings` is the inverse."""
    if (
        isinstance(region, Polygon) and shapely.get_num_interior_rings(region) == 0
    ):  # most are, and this is asked for at every frame
        return [shapely.get_coordinates(region)[:-1]]
    rings = shapely.get_rings(shapely.get_parts(region))
    coordinates, ring_index = shapely.get_coordinates(rings, return_index=True)
    borders = np.searchsorted(ring_index, np.arange(1, len(rings)))
    return [ring[:-1] for ring in np.split(coordinates, borders)]


def _odd_faces(points: NDArray[np.float64]) -> list[Polygon]:
    """The faces, disjoint but for their borders, that a self-touching or self-crossing ring winds around an odd number of times."""
    noded = shapely.union_all(shapely.linestrings(np.concatenate([points, points[:1]])))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    a, b = points, np.roll(points, -1, axis=0)
    odd = []
    for face in faces:
        x, y = shapely.get_coordinates(shapely.point_on_surface(face))[0]
        spans = (a[:, 1] > y) != (b[:, 1] > y)
        p, q = a[spans], b[spans]
        if np.count_nonzero(p[:, 0] + (y - p[:, 1]) / (q[:, 1] - p[:, 1]) * (q[:, 0] - p[:, 0]) > x) % 2:
            odd.append(face)
    return odd


def region_of(geometry: shapely.Geometry) -> Region | None:
    """The areas of a geometry, without lines, points and parts below SMALLEST_PART_MM2; None when nothing is left."""
    if isinstance(geometry, Polygon):  # most are, and this is asked for at every move of a hand
        return geometry if geometry.area > SMALLEST_PART_MM2 else None
    parts = shapely.get_parts(geometry)
    if isinstance(geometry, MultiPolygon) and len(parts) > 1 and (shapely.area(parts) > SMALLEST_PART_MM2).all():
        return geometry
    parts = shapely.get_parts(parts)
    parts = parts[
        (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > SMALLEST_PART_MM2)
    ]
    if len(parts) == 0:
        return None
    region: Region = parts[0] if len(parts) == 1 else MultiPolygon(list(parts))
    return region
