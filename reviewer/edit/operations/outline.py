"""The outline of a region: cleaned, smoothed, simplified, grown; each plane by itself."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from reviewer.edit.operations.planes import Changes, each
from reviewer.errors import GeometryError, InputError
from reviewer.geometry.overlay import all_united, without
from reviewer.geometry.region import Region, region_of, region_of_rings, rings_of
from reviewer.geometry.stack import Stack

Floats = NDArray[np.float64]

REPEATED_MM = 0.01
"""Points nearer to each other than DICOM's usual decimals tell apart are one."""

SLIVER_MM2 = 0.01
"""Islands and holes below this area are what clipping left over."""

ROUND = 16
"""Segments of a quarter circle: the arc of 5 mm is met within 0.006 mm."""

SAME_AREA = 1e-4
"""Relative difference at which areas count as equal."""

SMOOTH_DETAIL_MM = 0.01
"""A smoothed outline is left with so many points that it runs within this of itself."""

LARGEST_MM = 50.0


def clean(stack: Stack, planes: Collection[int] | None = None) -> Changes:
    """Without repeated points, slivers and pinholes; see `cleaned`."""
    return each(stack, planes, cleaned)


def cleaned(geometry: shapely.Geometry) -> Region | None:
    """The valid region of any polygons: self-crossings resolved by the even-odd rule, overlapping polygons united, islands and holes below
    SLIVER_MM2 and points nearer than REPEATED_MM to the one before taken away.

    Raises GeometryError for coordinates that are not finite numbers.
    """
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise GeometryError("a contour has coordinates that are not finite numbers")
    rounded = shapely.transform(geometry, lambda points: np.round(points, 9))  # GEOS stumbles over what is finer
    found = [_even_odd(part) for part in shapely.get_parts(rounded) if not part.is_empty]
    regions = [region for region in found if region is not None]
    region = region_of(all_united(regions)) if regions else None
    if region is None:
        return None
    parts = [
        _thinned(Polygon(part.exterior, [ring for ring in part.interiors if Polygon(ring).area >= SLIVER_MM2]))
        for part in shapely.get_parts(region)
        if part.area >= SLIVER_MM2
    ]
    return region_of(all_united(parts)) if parts else None


def _even_odd(polygon: Polygon) -> Region | None:
    return region_of(polygon) if polygon.is_valid else region_of_rings(rings_of(polygon))


def _thinned(part: Polygon) -> Polygon:
    """Without repeated points; as it was where the ring would fall in on itself."""
    try:
        thinned = shapely.remove_repeated_points(part, REPEATED_MM)
    except shapely.GEOSException:  # fewer than three points would be left of a ring
        return part
    return thinned if thinned.is_valid and not thinned.is_empty else part


def grow(stack: Stack, mm: float, planes: Collection[int] | None = None) -> Changes:
    """Each plane's region grown by a length within its plane, shrunk by a negative one. Raises InputError beyond 50 mm."""
    if not abs(mm) <= LARGEST_MM:
        raise InputError(f"a margin is at most {LARGEST_MM:g} mm", remedy=f"found {mm:g} mm")
    return each(stack, planes, lambda region: region_of(shapely.buffer(region, mm, quad_segs=ROUND)))


def simplify(stack: Stack, tolerance_mm: float, planes: Collection[int] | None = None) -> Changes:
    """See `simplified`."""
    return each(stack, planes, lambda region: simplified(region, tolerance_mm))


def simplified(region: Region, tolerance_mm: float) -> Region:
    """With as few points as leave no point of either outline farther than `tolerance_mm` from the other (Douglas-Peucker).

    Douglas & Peucker, Cartographica 1973;10:112-122. A region that cannot be simplified within the tolerance comes back as it was.
    """
    rings = shapely.get_rings(shapely.get_parts(region))
    tolerance = tolerance_mm
    for preserve in (
        False,
        True,
        True,
        True,
    ):  # keeping the topology in sight takes several times as long, and seldom matters
        simple = shapely.simplify(region, tolerance, preserve_topology=preserve)
        left = shapely.get_rings(shapely.get_parts(simple)) if isinstance(simple, Region) else ()
        if (
            len(left) == len(rings)
            and shapely.get_num_geometries(simple) == shapely.get_num_geometries(region)
            and shapely.is_valid(simple)
            and max(map(_cut_short, rings, left)) <= tolerance_mm
        ):
            found: Region = simple
            return found
        if preserve:
            tolerance /= 2
    return region


def _cut_short(ring: shapely.LinearRing, simple: shapely.LinearRing) -> float:
    """The farthest that a point of a ring lies from the straight piece in its place; infinite for a ring of other points.

    No straight piece runs farther from the way that it cuts short than that way from it, so this is their Hausdorff distance.
    """
    points, kept = shapely.get_coordinates(ring)[:-1], shapely.get_coordinates(simple)[:-1]
    number = {(u, v): n for n, (u, v) in enumerate(points.tolist())}
    at = sorted(number.get((u, v), -1) for u, v in kept.tolist())
    if at[0] < 0:
        return math.inf
    piece = np.searchsorted(at, np.arange(len(points)), side="right") - 1
    start, end = points[np.array(at)[piece]], points[np.array(at)[(piece + 1) % len(at)]]
    way, off = end - start, points - start
    square = np.maximum((way * way).sum(axis=1), 1e-300)
    share = np.clip((off * way).sum(axis=1) / square, 0.0, 1.0)
    away = off - share[:, None] * way
    return float(np.hypot(away[:, 0], away[:, 1]).max())


def smooth(stack: Stack, mm: float, planes: Collection[int] | None = None) -> Changes:
    """See `smoothed`."""
    return each(stack, planes, lambda region: smoothed(region, mm))


def smoothed(region: Region, mm: float) -> Region | None:
    """Every outline averaged along itself by a Gaussian of `mm` standard deviation, then moved out until it encloses its old area again.

    Averaging alone pulls every bend inward, each time a little more; moved back by an offset, a circle stays the circle that it was however
    often it is smoothed. Wiggles shorter than about four `mm` fade. Outlines too short for that are smoothed by a twelfth of their length.
    """
    if mm <= 0:
        return region
    parts = []
    for part in shapely.get_parts(region):
        outer = _smooth_ring(part.exterior, mm)
        holes = [_smooth_ring(ring, mm) for ring in part.interiors]
        parts.append(without(outer, all_united(holes)) if holes else outer)
    found = region_of(all_united(parts))
    return None if found is None else simplified(found, SMOOTH_DETAIL_MM)


def _smooth_ring(ring: shapely.LinearRing, mm: float) -> shapely.Geometry:
    """The area inside a ring, smoothed."""
    length, area = ring.length, Polygon(ring).area
    deviation = min(mm, length / 12)
    count = max(64, math.ceil(2 * length / deviation))
    corners = shapely.get_coordinates(ring)
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.arange(count) * length / count
    points = np.column_stack([np.interp(at, way, corners[:, 0]), np.interp(at, way, corners[:, 1])])
    waves = 2 * math.pi * np.fft.rfftfreq(count, length / count)
    spectrum = np.fft.rfft(points, axis=0) * np.exp(-((waves * deviation) ** 2) / 2)[:, None]
    smooth = _with_area(np.fft.irfft(spectrum, count, axis=0), area)
    polygon = shapely.polygons(smooth)
    if shapely.is_valid(polygon) and abs(polygon.area - area) <= SAME_AREA * area:
        return polygon
    return _buffered_to_area(shapely.make_valid(shapely.polygons(np.fft.irfft(spectrum, count, axis=0))), area)


def _with_area(points: Floats, area: float) -> Floats:
    """A smooth ring, each point moved along the outline's normal by the length at which it has an area."""
    for _ in range(6):
        following, before = np.roll(points, -1, axis=0), np.roll(points, 1, axis=0)
        signed = float(points[:, 0] @ following[:, 1] - points[:, 1] @ following[:, 0]) / 2
        missing = area - abs(signed)
        if abs(missing) <= SAME_AREA * area / 2:
            break
        along = following - before
        normal = np.column_stack([along[:, 1], -along[:, 0]]) * math.copysign(1.0, signed)
        normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-12)[:, None]
        points = points + missing / np.hypot(*(following - points).T).sum() * normal
    return points


def _buffered_to_area(polygon: shapely.Geometry, area: float) -> shapely.Geometry:
    """The same for an outline that crosses itself, or would: by offsets, as near as a few steps come."""
    offset, found = 0.0, polygon
    for _ in range(8):
        missing = area - found.area
        if abs(missing) <= SAME_AREA * area or found.length == 0:
            break
        offset += missing / found.length
        moved = shapely.buffer(polygon, offset, quad_segs=ROUND)
        if moved.is_empty:
            break
        found = moved
    return found
