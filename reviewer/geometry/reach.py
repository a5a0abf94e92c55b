# ruff: noqa: ANN001, ANN201, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""How far from the contours of each plane distances are of interest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from reviewer.geometry.edges import Floats, square_distance

FARTHEST_MM = 40.0
"""Contours that lie farther from each other than this are joined half-way, as slabs would be."""

REACH_STEP_MM = 5.0
"""`Plane.reach_mm` comes in steps, so that a stroke on one plane leaves that of its neighbours alone."""


def reaches(regions: Sequence[Floats], apart_mm: Sequence[float], gaps_mm: Sequence[float]) -> list[float]:
    """`Plane.reach_mm` of successive planes, from their edges; those of empty planes have no rows.

    apart_mm: `apart` of each plane and the next, 0 where one of them is empty.
    """
    apart = [0.0, 0.0, *apart_mm, 0.0, 0.0]
    empty = [True] * 3 + [not len(edges) for edges in regions] + [True] * 3
    found = []
    for k, edges in enumerate(regions):
        if empty[k + 3]:
            found.append(0.0)
            continue
        reach = max(apart[k] + apart[k + 1], apart[k + 2] + apart[k + 3])
        if any(empty[k : k + 7]):  # a cap is near: its extrapolation looks into the middle of the region
            reach = max(reach, math.sqrt(_area(edges) / math.pi))
        reach = math.ceil(reach / REACH_STEP_MM) * REACH_STEP_MM
        found.append(min(reach, FARTHEST_MM) + max(gaps_mm[k : k + 2]) / 2)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _area(edges):  # type: ignore[no-untyped-def]
    doubled = 0.0
    for m in range(len(edges)):
        doubled += edges[m, 0] * edges[m, 3] - edges[m, 2] * edges[m, 1]
    return abs(doubled) / 2


@njit(cache=True, nogil=True, error_model="numpy")
def apart(some, others):  # type: ignore[no-untyped-def]
    """About the Hausdorff distance of two contours: of about fifty points of each from the other."""
    farthest = 0.0
    for one, other in ((some, others), (others, some)):
        for m in range(0, len(one), len(one) // 50 + 1):
            square = np.inf
            for n in range(len(other)):
                square = min(square, square_distance(other, n, one[m, 0], one[m, 1]))
            farthest = max(farthest, square)
    return np.sqrt(farthest)
