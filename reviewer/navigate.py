"""Where to put the crosshair: the middle of a structure, the next of its contours. Pure functions of case and view."""

from __future__ import annotations

from typing import Literal

import numpy as np

from reviewer.case import Case, Structure
from reviewer.geometry.region import Region
from reviewer.scene import Point, View

Direction = Literal["up", "down"]
"""Towards head, left or back (whichever the slices are stacked along), or away from it."""


def middle_of(case: Case, view: View, structure: Structure) -> Point:
    """A point inside the structure, in its middle plane, in the frame of the base image (mm).

    Raises NotRegisteredError where nothing ties the structure to the base image, ValueError where it has no contour.
    """
    if structure.empty:
        raise ValueError(f"{structure.name} has no contour")
    planes = sorted(structure.planes)
    return _on_base(case, view, structure, planes[len(planes) // 2])


def next_contour(case: Case, view: View, structure: Structure, direction: Direction) -> Point | None:
    """A point inside the structure in the next plane that holds a contour of it, seen from the crosshair; None where there is none.

    Raises NotRegisteredError where nothing ties the structure to the base image.
    """
    base = case.image(view.base)
    if base is None or structure.empty:
        return None
    grid = structure.grid
    to_structure = case.transform(base.grid.frame_of_reference_uid, grid.frame_of_reference_uid)
    w = float(grid.uvw_mm((to_structure @ [*view.point_mm, 1.0])[:3])[2])
    up = grid.rising == (direction == "up")
    planes = sorted(structure.planes)
    here = 0.01 + 0.25 * grid.spacing_w_mm
    beyond = [k for k in planes if (grid.positions_mm[k] - w if up else w - grid.positions_mm[k]) > here]
    if not beyond:
        return None
    return _on_base(case, view, structure, beyond[0] if up else beyond[-1])


def _on_base(case: Case, view: View, structure: Structure, plane: int) -> Point:
    base = case.image(view.base)
    if base is None:
        raise ValueError("no base image")
    grid = structure.grid
    u, v = _inside(structure.planes[plane])
    point = grid.point_mm(np.array([u, v, grid.positions_mm[plane]]))
    matrix = case.transform(grid.frame_of_reference_uid, base.grid.frame_of_reference_uid)
    x, y, z = (float(c) for c in (matrix @ [*point, 1.0])[:3])
    return x, y, z


def _inside(region: Region) -> tuple[float, float]:
    """The centroid, or a point in the area where the centroid lies in a hole or between islands."""
    point = region.centroid if region.contains(region.centroid) else region.representative_point()
    return float(point.x), float(point.y)
