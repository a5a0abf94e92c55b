"""Islands and holes: parts of regions, by size, by a click, and as they hang together through the slices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import shapely
from shapely import Polygon

from reviewer.edit.operations.planes import Changes, differing, each
from reviewer.geometry.overlay import all_united
from reviewer.geometry.region import Region, region_of
from reviewer.geometry.stack import Stack


def keep_largest(stack: Stack, count: int = 1, planes: Collection[int] | None = None) -> Changes:
    """On each plane by itself, the `count` islands with the largest areas."""

    def largest(region: Region) -> Region | None:
        parts = shapely.get_parts(region)
        return region if len(parts) <= count else region_of(_united(parts[np.argsort(-shapely.area(parts))[:count]]))

    return each(stack, planes, largest)


def keep_largest_solid(stack: Stack) -> Changes:
    """Through all slices, the connected body with the largest volume: areas times what lies about their slices."""
    bodies = connected({k: list(shapely.get_parts(region)) for k, region in stack.planes.items()})
    if len(bodies) < 2:
        return {}
    thickness = np.diff(stack.grid.slab_borders_mm)
    kept = max(bodies, key=lambda body: sum(part.area * thickness[k] for k, parts in body.items() for part in parts))
    return differing(stack.planes, {k: region_of(_united(kept[k])) if k in kept else None for k in stack.planes})


def delete_islands(stack: Stack, below_mm2: float, planes: Collection[int] | None = None) -> Changes:
    """Without the islands whose area, holes not counted, is below a limit."""

    def kept(region: Region) -> Region | None:
        parts = shapely.get_parts(region)
        large = shapely.area(parts) >= below_mm2
        return region if large.all() else region_of(_united(parts[large]))

    return each(stack, planes, kept)


def fill_holes(stack: Stack, below_mm2: float = float("inf"), planes: Collection[int] | None = None) -> Changes:
    """Without the holes whose area is below a limit; all by default. An island in a filled hole is taken in."""
    return each(stack, planes, lambda region: filled(region, below_mm2))


def filled(region: Region, below_mm2: float = float("inf")) -> Region | None:
    """A region without its holes below an area."""
    small = [h for h in holes_of(region) if h.area < below_mm2]
    return region_of(all_united([region, *small])) if small else region


def holes_of(region: Region) -> list[Polygon]:
    return [Polygon(ring) for part in shapely.get_parts(region) for ring in part.interiors]


def connected(parts: Mapping[int, Sequence[Polygon]]) -> list[dict[int, list[Polygon]]]:
    """Parts of planes in groups that hang together: those of neighbouring planes do where they overlap."""
    flat = [(k, part) for k in sorted(parts) for part in parts[k]]
    root = list(range(len(flat)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    first: dict[int, int] = {}
    for i, (k, _) in enumerate(flat):
        first.setdefault(k, i)
    for k, start in first.items():
        if k + 1 not in first:
            continue
        lower, upper = list(parts[k]), list(parts[k + 1])
        above, below = shapely.STRtree(lower).query(upper, predicate="intersects")
        for j, i in zip(above.tolist(), below.tolist(), strict=True):
            root[find(first[k + 1] + j)] = find(start + i)
    groups: dict[int, dict[int, list[Polygon]]] = {}
    for i, (k, part) in enumerate(flat):
        groups.setdefault(find(i), {}).setdefault(k, []).append(part)
    return list(groups.values())


def _united(parts: Sequence[Polygon] | np.ndarray) -> shapely.Geometry:
    """Parts of one region: disjoint, so that no overlay is needed."""
    return shapely.multipolygons(np.asarray(parts, dtype=object))
