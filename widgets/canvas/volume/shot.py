"""What the 3D view asks to be drawn: frozen, so that it can be handed to another thread and compared with the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reviewer.case import Colour
from reviewer.scene import Matrix, Point

from .mesh import Mesh
from .orbit import Orbit


@dataclass(frozen=True)
class Look:
    """to_base: (4, 4) from the mesh's frame to that of the base image, mm. glow: 0 shaded by the light, 1 evenly bright."""

    colour: Colour
    opacity: float
    to_base: Matrix
    glow: float = 0.2


@dataclass(frozen=True, eq=False)
class Piece:
    mesh: Mesh
    look: Look


@dataclass(frozen=True)
class Crosshair:
    """Three lines through a point, along the patient's axes, `half_mm` to either side."""

    point_mm: Point
    half_mm: float
    colour: Colour


@dataclass(frozen=True)
class Shot:
    """One picture. size: device pixels, width and height. resting: worth the time to sort translucent surfaces exactly."""

    pieces: Mapping[str, Piece]
    orbit: Orbit
    size: tuple[int, int]
    crosshair: Crosshair | None
    background: Colour
    resting: bool
