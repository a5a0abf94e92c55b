"""Parts of a plane's region, and what becomes of them and of their holes on the next plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, get_num_interior_rings

from reviewer.geometry.memo import Memo
from reviewer.geometry.region import Region

Booleans = NDArray[np.bool_]
Parts = tuple[Polygon, ...]

_parts: Memo[Parts] = Memo(50_000)
"""Of each region."""

_whole: Memo[Polygon] = Memo(50_000)
"""Each part without some of its holes."""

MOST = 0.5
"""Of an area: more than half."""

_holes: Memo[Parts] = Memo(50_000)
"""Of each part: the same objects each time, so that what is known of them is found again."""

_met: Memo[Booleans] = Memo(30_000)
"""Which parts of two planes overlap, by all of these parts."""


def parts_of(region: Region) -> Parts:
    """The same objects for the same region: what is known of parts goes by identity, too."""
    if isinstance(region, Polygon):
        return (region,)
    found = _parts.get((region,))
    return _parts.put((region,), tuple(shapely.get_parts(region).tolist())) if found is None else found


def going_on(met: Booleans) -> tuple[list[bool], list[bool]]:
    """Of `meeting`: which of the ones overlap any of the others, and which of the others any of the ones; in lists, which for so few are
    faster than arrays."""
    rows = met.tolist()
    return list(map(any, rows)), list(map(any, zip(*rows, strict=True))) if rows else [False] * met.shape[1]


def meeting(some: Parts, others: Parts) -> Booleans:
    """(len(some), len(others)) which overlap."""
    if not some or not others:
        return np.zeros((len(some), len(others)), dtype=np.bool_)
    key = (*some, *others)
    met = _met.get(key, len(some))
    if met is None:
        turned = _met.get((*others, *some), len(others))
        if turned is not None:
            return turned.T
        met = shapely.intersects(np.asarray(some, dtype=object)[:, None], np.asarray(others, dtype=object)[None, :])
        _met.put(key, met, len(key) + met.size, len(some))
    return met


def pick(parts: Parts, chosen: Sequence[bool]) -> Parts:
    return parts if all(chosen) else tuple(p for p, wanted in zip(parts, chosen, strict=True) if wanted)


def touching(parts: Parts, others: Parts) -> Parts:
    """Those of `others` that overlap any of `parts`."""
    return pick(others, going_on(meeting(parts, others))[1])


def enclosed(parts: Parts, others: Parts) -> Parts:
    """Holes of `parts` that end before the plane of `others`."""
    return ended_and_through(parts, others)[0]


def ended_and_through(parts: Parts, others: Parts) -> tuple[Parts, Parts]:
    """Holes of `parts` that end before the plane of `others`, and those that go on or open there."""
    holes = holes_of(parts)
    ends = [closed(hole, others) for hole in holes]
    return pick(holes, ends), pick(holes, [not end for end in ends])


def closed(hole: Polygon, parts: Parts) -> bool:
    """Whether a hole ends before the plane of `parts`: one of them covers it or, as a thin-walled end is smaller than the hole under it, what is
    no more than twice as large covers most of it, without a hole that follows. A hole that opens leaves more than that free."""
    if any(part.covers(hole) for part in parts):
        return True
    near = touching((hole,), parts)
    if not near or shapely.intersects(hole, np.asarray(holes_of(parts), dtype=object)).any():
        return False
    return bool(shapely.area(filled(near)).sum() * MOST <= hole.area) and _most_within(hole, near)


def following(some: Parts, others: Parts, parts: Parts, other_parts: Parts) -> Booleans:
    """(len(some), len(others)) which holes of `parts` go on as which of `other_parts`: they meet, and no others, and each lies mostly within the
    other's parts. Holes that branch, merge or open are none of them."""
    met = meeting(some, others)
    alone: Booleans = met & (met.sum(axis=1) == 1)[:, None] & (met.sum(axis=0) == 1)
    for m, n in np.argwhere(alone):
        alone[m, n] = _most_within(some[m], filled(other_parts)) and _most_within(others[n], filled(parts))
    return alone


def _most_within(hole: Polygon, parts: Parts) -> bool:
    shared = shapely.area(shapely.intersection(hole, np.asarray(parts, dtype=object)))
    return bool(shared.sum() > MOST * hole.area)


def filled(parts: Parts) -> Parts:
    """Without any holes."""
    return tuple(Polygon(part.exterior) if get_num_interior_rings(part) else part for part in parts)


def hollow(parts: Parts) -> bool:
    """Whether any of them has a hole."""
    return any(get_num_interior_rings(part) for part in parts)


def holes_of(parts: Parts) -> Parts:
    """As polygons without holes."""
    if not hollow(parts):
        return ()
    return tuple(hole for part in parts if get_num_interior_rings(part) for hole in _holes_of(part))


def _holes_of(part: Polygon) -> Parts:
    found = _holes.get((part,))
    return _holes.put((part,), tuple(map(Polygon, part.interiors)), len(part.interiors)) if found is None else found


def less_islands(holes: Parts, parts: Parts) -> Parts:
    """The holes without those of the parts that lie in them."""
    if len(parts) < 2:
        return holes
    found: list[Polygon] = []
    for hole in holes:
        islands = [Polygon(part.exterior) for part in parts if hole.covers(part)]
        found += shapely.get_parts(hole.difference(shapely.union_all(islands))).tolist() if islands else [hole]
    return tuple(found)


def ended_in(parts: Parts, nearer: Parts, ended: Parts) -> Parts:
    """Holes of `parts` that end before the `nearer` plane, or go on in holes of it that have `ended` themselves."""
    return (*enclosed(parts, nearer), *touching(ended, holes_of(parts)))


def without_holes(parts: Parts, holes: Parts) -> Parts:
    """The parts without those of their holes, and without what lies in these."""
    if not holes:
        return parts
    whole = [_without(part, tuple(own for own in holes_of((part,)) if _same(own, holes))) for part in parts]
    return tuple(part for part in whole if not any(hole.covers(part) for hole in holes))


def _without(part: Polygon, dropped: Parts) -> Polygon:
    """The part without those of its holes."""
    if not dropped:
        return part
    found = _whole.get((part, *dropped))
    if found is not None:
        return found
    kept = [own.exterior for own in holes_of((part,)) if not any(own is hole for hole in dropped)]
    return _whole.put((part, *dropped), Polygon(part.exterior, kept), len(part.interiors))


def _same(hole: Polygon, holes: Parts) -> bool:
    return any(hole is other or hole.exterior.equals_exact(other.exterior, 0.0) for other in holes)


def thickness(part: Polygon) -> float:
    """Radius of the largest disc within a part, to a thousandth."""
    return float(shapely.maximum_inscribed_circle(part, 1e-3 * math.sqrt(part.area)).length)
