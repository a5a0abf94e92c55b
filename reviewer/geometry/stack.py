"""`Stack`: what geometry needs to know of a structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

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
