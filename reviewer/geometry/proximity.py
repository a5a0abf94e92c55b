"""How near two structures come to each other, and how much they have in common: both exact for their solids."""

from __future__ import annotations

import numpy as np
import shapely

from reviewer.errors import GeometryError
from reviewer.geometry.edges import Floats
from reviewer.geometry.grid import AXIS_TOLERANCE
from reviewer.geometry.overlay import shared
from reviewer.geometry.solid import Solid, solid
from reviewer.geometry.stack import Stack


def distance_mm(a: Stack, b: Stack, within_mm: float = float("inf")) -> float:
    """The shortest distance, mm, between a point of one solid and a point of the other; 0 where they touch or overlap.

    inf where one is empty, or where they are `within_mm` or more apart: then less has to be looked at.
    A solid is a pile of prisms: two of them are sqrt(d^2 + h^2) apart, d the distance of their floors in the plane and h the gap
    between their heights. A slanting surface is up to half a prism (0.5 mm) nearer than it would be without steps.
    Looked at are the pairs whose bounding boxes come nearer than the shortest distance found so far.
    Raises GeometryError for structures whose slices are not parallel or lie in different frames of reference.
    """
    one, other = _bodies(a, b)
    if len(one.borders_mm) == 0 or len(other.borders_mm) == 0:
        return float("inf")
    floors, boxes = _floors(one)
    others, other_boxes = _floors(other)
    heights = _gap(one.borders_mm, other.borders_mm)
    apart = np.hypot(
        _gap(boxes[:, [0, 2]], other_boxes[:, [0, 2]]),
        _gap(boxes[:, [1, 3]], other_boxes[:, [1, 3]]),
    )
    least = np.hypot(apart, heights)
    shapely.prepare(floors)
    best = within_mm
    for pair in np.argsort(least, axis=None):
        i, j = np.unravel_index(pair, least.shape)
        if least[i, j] >= best:
            break
        height = heights[i, j]
        # Whether it comes nearer at all is soon told with a prepared polygon, how near not.
        if np.isinf(best) or shapely.dwithin(floors[i], others[j], np.sqrt(best**2 - height**2)):
            best = min(best, float(np.hypot(shapely.distance(floors[i], others[j]), height)))
    return best if best < within_mm else float("inf")


def overlap_cc(a: Stack, b: Stack) -> float:
    """The volume, cm3, that two solids have in common.

    Raises GeometryError for structures whose slices are not parallel or lie in different frames of reference.
    """
    one, other = _bodies(a, b)
    if len(one.borders_mm) == 0 or len(other.borders_mm) == 0:
        return 0.0
    low = np.maximum(one.borders_mm[:, None, 0], other.borders_mm[None, :, 0])
    high = np.minimum(one.borders_mm[:, None, 1], other.borders_mm[None, :, 1])
    i, j = np.nonzero(high > low)
    floors, _ = _floors(one)
    others, _ = _floors(other)
    common = shapely.area(shared(floors[i], others[j]))
    return float(common @ (high - low)[i, j]) / 1000


def _bodies(a: Stack, b: Stack) -> tuple[Solid, Solid]:
    if a.grid.frame_of_reference_uid != b.grid.frame_of_reference_uid:
        raise GeometryError("the two structures lie in different frames of reference")
    if not np.allclose(a.grid.axes, b.grid.axes, atol=AXIS_TOLERANCE):
        raise GeometryError("the slices of the two structures are not parallel")
    return solid(a), solid(b)


def _floors(body: Solid) -> tuple[np.ndarray, Floats]:
    """(n,) regions and (n, 4) bounds of all prisms. A prism too thin for a region is an empty one, infinitely far away."""
    found = np.array([body.floor(k) or shapely.Polygon() for k in range(len(body.borders_mm))], dtype=object)
    bounds = shapely.bounds(found)
    bounds[np.isnan(bounds[:, 0])] = np.inf
    return found, bounds


def _gap(a: Floats, b: Floats) -> Floats:
    """(n, m) gaps between intervals (n, 2) and (m, 2), 0 where they overlap."""
    return np.maximum(0.0, np.maximum(b[None, :, 0] - a[:, None, 1], a[:, None, 0] - b[None, :, 1]))
