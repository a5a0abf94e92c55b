"""`Stack`: what geometry needs to know of a structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import shapely

from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region


class Stack(Protocol):
    """Planar regions on the planes of a grid; `reviewer.case.Structure` is one.

    planes: plane index of `grid` -> valid, non-empty Region in plane coordinates (u, v) mm.
    """

    @property
    def grid(self) -> Grid: ...

    @property
    def planes(self) -> Mapping[int, Region]: ...


FEW_CORNERS = 10_000
"""Of all planes of a structure."""


def small(stack: Stack) -> bool:
    """Whether it has so few corners that to work on it is mostly Python's work, at which two threads would only be in each other's way."""
    return int(shapely.get_num_coordinates(list(stack.planes.values())).sum()) <= FEW_CORNERS
