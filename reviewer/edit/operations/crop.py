"""A structure cut off at another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from reviewer.edit.operations.planes import Changes, differing
from reviewer.errors import GeometryError, InputError
from reviewer.geometry.grid import AXIS_TOLERANCE
from reviewer.geometry.margin import LARGEST_MM, Sides, margin
from reviewer.geometry.overlay import shared, without
from reviewer.geometry.region import Region, region_of
from reviewer.geometry.section import section
from reviewer.geometry.stack import Stack


def crop(
    stack: Stack,
    other: Stack,
    keep: Literal["inside", "outside"],
    *,
    gap_mm: float = 0.0,
    to_other: ArrayLike | None = None,
    planes: Collection[int] | None = None,
) -> Changes:
    """What of a structure lies inside another one, or outside of it, and `gap_mm` away from its surface in three dimensions.

    to_other: (4, 4) map of patient points of the structure's frame to the other's; the same frame by default.
    Raises InputError for a gap below 0 or above 50 mm, GeometryError for a gap to a structure whose slices are not parallel.
    """
    if not 0 <= gap_mm <= LARGEST_MM:
        raise InputError(f"the gap is from 0 to {LARGEST_MM:g} mm", remedy=f"found {gap_mm:g} mm")
    wanted = [k for k in stack.planes if planes is None or k in planes]
    limit = _limit(stack, other, gap_mm if keep == "outside" else -gap_mm, to_other, wanted)
    after: Changes = {}
    for k in wanted:
        there = limit.get(k)
        if keep == "inside":
            after[k] = None if there is None else region_of(shared(stack.planes[k], there))
        elif there is not None:
            after[k] = region_of(without(stack.planes[k], there))
    return differing(stack.planes, after)


def _limit(
    stack: Stack, other: Stack, mm: float, to_other: ArrayLike | None, planes: Collection[int]
) -> Mapping[int, Region]:
    """The regions of `other`, grown by `mm`, on planes of `stack`."""
    grid = stack.grid
    if mm == 0.0:
        if other.grid is grid and to_other is None:
            return other.planes
        cuts = {
            k: section(other, to_other, grid.positions_mm[k] * grid.axes[2], grid.axes[0], grid.axes[1]) for k in planes
        }
        return {k: cut for k, cut in cuts.items() if cut is not None}
    moved = to_other is not None and not np.allclose(np.asarray(to_other, dtype=np.float64), np.eye(4), atol=1e-6)
    if moved or not np.allclose(other.grid.axes, grid.axes, atol=AXIS_TOLERANCE):
        raise GeometryError(
            "a gap needs two structures with parallel slices in one frame of reference",
            remedy="crop without a gap, or carry one of them over to the other image first",
        )
    return margin(other, Sides.all_around(mm), grid, planes)
