"""Which planes an operation works on, and which of them it changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import shapely

from reviewer.errors import InputError
from reviewer.geometry.region import Region
from reviewer.geometry.stack import Stack

Changes: TypeAlias = dict[int, Region | None]
"""Planes that differ, as they would be; None where nothing would be left."""


def differing(before: Mapping[int, Region], after: Mapping[int, Region | None]) -> Changes:
    """The planes of `after` whose region is not what `before` has there, point by point, wherever its rings begin."""
    return {k: region for k, region in sorted(after.items()) if not _same(before.get(k), region)}


def each(stack: Stack, planes: Collection[int] | None, make: Callable[[Region], Region | None]) -> Changes:
    """`make` of the regions on `planes` (all by default), where it changes them."""
    return differing(stack.planes, {k: make(r) for k, r in stack.planes.items() if planes is None or k in planes})


def slice_name(stack: Stack, plane: int) -> str:
    """A plane as people count: "slice 12"."""
    return f"slice {stack.grid.slice_number(plane)}"


def drawn(stack: Stack, plane: int) -> Region:
    """The region on a plane. Raises InputError where nothing is drawn."""
    if plane not in stack.planes:
        raise InputError(f"nothing is drawn on {slice_name(stack, plane)}", remedy="go to a slice with a contour")
    return stack.planes[plane]


def _same(a: Region | None, b: Region | None) -> bool:
    if a is None or b is None or a is b:
        return a is b
    # An overlay that took nothing away may begin the rings elsewhere.
    return bool(
        shapely.equals_exact(a, b, 0.0) or shapely.equals_exact(shapely.normalize(a), shapely.normalize(b), 0.0)
    )
