"""Parts of a plane's region, and what becomes of them and of their holes on the next plane."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, get_num_interior_rings

Booleans = NDArray[np.bool_]
Parts = tuple[Polygon, ...]


def simple(lower: Parts, upper: Parts) -> bool:
    """Whether all parts of two planes go on from the one to the other, and no hole ends: then no third plane bears on what lies between."""
    met = meeting(lower, upper)
    if not met.size or not (met.any(axis=1).all() and met.any(axis=0).all()):
        return False
    return not enclosed(lower, upper) and not enclosed(upper, lower)


def meeting(some: Parts, others: Parts) -> Booleans:
    """(len(some), len(others)) which overlap."""
    if not some or not others:
        return np.zeros((len(some), len(others)), dtype=np.bool_)
    met: Booleans = shapely.intersects(
        np.asarray(some, dtype=object)[:, None], np.asarray(others, dtype=object)[None, :]
    )
    return met


def pick(parts: Parts, chosen: Booleans) -> Parts:
    return parts if chosen.all() else tuple(p for p, wanted in zip(parts, chosen, strict=True) if wanted)


def touching(parts: Parts, others: Parts) -> Parts:
    """Those of `others` that overlap any of `parts`."""
    return pick(others, np.asarray(meeting(parts, others).any(axis=0)))


def enclosed(parts: Parts, others: Parts) -> Parts:
    """Holes of `parts` that lie wholly in the solid of `others`: they end between the two planes."""
    holes = holes_of(parts)
    return tuple(hole for hole in holes if covered(hole, others))


def covered(hole: Polygon, parts: Parts) -> bool:
    return any(part.covers(hole) for part in parts)


def hollow(parts: Parts) -> bool:
    """Whether any of them has a hole."""
    return any(get_num_interior_rings(part) for part in parts)


def holes_of(parts: Parts) -> Parts:
    return tuple(Polygon(ring) for part in parts if get_num_interior_rings(part) for ring in part.interiors)


def ended_in(parts: Parts, nearer: Parts, ended: Parts) -> Parts:
    """Holes of `parts` that end before the `nearer` plane, or go on in holes of it that have `ended` themselves."""
    return (*enclosed(parts, nearer), *touching(ended, holes_of(parts)))


def without_holes(parts: Parts, holes: Parts) -> Parts:
    """The parts without those of their holes, and without what lies in these."""
    if not holes:
        return parts
    closed = [hole.exterior for hole in holes]
    whole = [
        Polygon(part.exterior, [ring for ring in part.interiors if not any(ring.equals(other) for other in closed)])
        for part in parts
    ]
    return tuple(part for part in whole if not any(hole.covers(part) for hole in holes))


def thickness(part: Polygon) -> float:
    """Radius of the largest disc within a part, to a thousandth."""
    return float(shapely.maximum_inscribed_circle(part, 1e-3 * math.sqrt(part.area)).length)
