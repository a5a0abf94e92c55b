"""Whole slices: copied to another one, cleared."""

from __future__ import annotations

from reviewer.edit.operations.planes import Changes, differing, drawn, slice_name
from reviewer.errors import InputError
from reviewer.geometry.overlay import united
from reviewer.geometry.region import region_of
from reviewer.geometry.stack import Stack


def copy(stack: Stack, source: int, target: int, *, unite: bool = False) -> Changes:
    """The region of one plane on another, in place of what is there or united with it.

    Raises InputError where nothing is drawn on `source`, and where `target` is not a plane of the grid.
    """
    region = drawn(stack, source)
    if not 0 <= target < len(stack.grid.positions_mm):
        raise InputError(f"there is no slice beyond {slice_name(stack, source)}")
    there = stack.planes.get(target)
    after = region_of(united(there, region)) if unite and there is not None else region
    return differing(stack.planes, {target: after})


def clear(stack: Stack, first: int, last: int) -> Changes:
    """Without the planes from `first` to `last`, both included, in either order. Raises InputError where nothing is drawn on them."""
    low, high = sorted((first, last))
    cleared: Changes = {k: None for k in stack.planes if low <= k <= high}
    if not cleared:
        ends = (low, high) if stack.grid.rising else (high, low)
        raise InputError("nothing is drawn from {} to {}".format(*(slice_name(stack, k) for k in ends)))
    return cleared
