"""Smoothing from slice to slice: a plane is drawn half-way towards what its neighbours say that it looks like."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from reviewer.edit.operations.interpolate import regions_between
from reviewer.edit.operations.planes import Changes, differing
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region
from reviewer.geometry.stack import Stack

_MIDDLE = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (1, 1), np.array([0.0, 0.5, 1.0]), "")


def smooth_through(stack: Stack, planes: Collection[int] | None = None) -> Changes:
    """Each plane with a drawn neighbour on either side, moved half-way to what is interpolated where it is left out.

    The interpolation meets spheres, cylinders and cones, so these stay what they are however often they are smoothed; a slice that juts
    out by n mm is left with n/2. Even planes look at odd ones and odd ones at even ones, so that no plane is smoothed by itself.
    """
    inner = [k for k in stack.planes if k - 1 in stack.planes and k + 1 in stack.planes]
    after: dict[int, Region | None] = {}
    for parity in (0, 1):
        left_out = [k for k in inner if k % 2 == parity]
        kept = {k: region for k, region in stack.planes.items() if k not in left_out}
        wanted = [(k - 1, k + 1) for k in left_out if planes is None or k in planes]
        if not wanted:
            continue
        for k, expected in regions_between(stack.grid, kept, wanted).items():
            if expected is not None:
                after[k] = regions_between(_MIDDLE, {0: stack.planes[k], 2: expected}, [(0, 2)])[1]
    return differing(stack.planes, after)
