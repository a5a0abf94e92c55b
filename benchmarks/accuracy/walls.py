"""Hollow bodies with walls as thin as the slices are thick, against closed form: a table of docs/accuracy.md."""

from __future__ import annotations

import math

import numpy as np
from shapes import DOCUMENT, Shape, _capsule, _ellipsoid, _shell, _torus, worst_volume
from tables import put, table

WALLS_MM = (2.0, 3.0, 5.0)
SLICES = (1.0, 2.0, 3.0, 5.0)
OFFSETS = (0.0, 0.41)


def _hollow(outer: Shape, inner: Shape) -> Shape:
    return Shape(
        "",
        lambda x, y, z: np.minimum(outer.inside(x, y, z), -inner.inside(x, y, z)),
        outer.half_mm,
        outer.cc - inner.cc,
    )


def hollow(wall: float) -> dict[str, list[Shape]]:
    """By kind, at several tilts; the wall of the ellipsoid is that of its axes."""
    return {
        "hollow sphere 20 mm": [_shell(20.0, 20.0 - wall)],
        "tilted tube with round ends": [
            _hollow(_capsule(12.0, 40.0, tilt), _capsule(12.0 - wall, 40.0, tilt)) for tilt in (0.3, 0.8, 1.2)
        ],
        "tube bent to a ring": [
            _hollow(_torus(30.0, 11.0, tilt), _torus(30.0, 11.0 - wall, tilt)) for tilt in (0.3, 0.8, math.pi / 2)
        ],
        "hollow ellipsoid": [
            _hollow(
                _ellipsoid((22.0, 15.0, 11.0), tilt),
                _ellipsoid((22.0 - wall, 15.0 - wall, 11.0 - wall), tilt),
            )
            for tilt in (0.0, 0.5, 1.1)
        ],
    }


def walls() -> str:
    rows = []
    for wall in WALLS_MM:
        for name, same in hollow(wall).items():
            cells = [worst_volume(same, slices, OFFSETS) for slices in SLICES]
            rows.append([f"{wall:g} mm", name, *cells])
    return table(["wall", "body", *(f"{slices:g} mm" for slices in SLICES)], rows)


if __name__ == "__main__":
    put(DOCUMENT, {"walls": walls()})
