"""Bodies with known volume as stacks of contours, and dose that is known everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from reviewer.case import Dose, Structure
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings


def planes_grid(positions, axes=None, spacing=1.0, half=60.0, frame="frame"):
    """A grid of square pixels around the origin, with planes at `positions` (mm along w)."""
    size = round(2 * half / spacing) + 1
    return Grid(np.eye(3) if axes is None else axes, (-half, -half), (spacing, spacing), (size, size), positions, frame)


def circle(radius, centre=(0.0, 0.0), points=180):
    """A regular polygon with the area of the circle."""
    angle = 2 * math.pi * np.arange(points) / points
    equal = radius * math.sqrt(2 * math.pi / points / math.sin(2 * math.pi / points))
    return np.column_stack([centre[0] + equal * np.cos(angle), centre[1] + equal * np.sin(angle)])


def rectangle(u0, v0, u1, v1):
    return np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], dtype=float)


def stack(grid, rings_at: Callable, name="body"):
    """The structure with ``rings_at(w)`` (a list of rings, or None) on each plane."""
    planes = {}
    for k, w in enumerate(grid.positions_mm):
        region = region_of_rings(rings_at(float(w)) or [])
        if region is not None:
            planes[k] = region
    return Structure(name, name, grid, planes)


def sphere(grid, radius, centre=(0.0, 0.0, 0.0), points=180):
    """centre: (u, v, w) mm."""

    def rings(w):
        square = radius**2 - (w - centre[2]) ** 2
        return [circle(math.sqrt(square), centre[:2], points)] if square > 1e-6 else None

    return stack(grid, rings, "sphere")


def linear_dose(spacing, gradient, at_origin=50.0, half=40.0, shift=(0.0, 0.0, 0.0), axes=None, frame="frame"):
    """``at_origin + gradient . (x, y, z)`` in patient coordinates, Gy and Gy/mm, on a grid of cubes around the origin."""
    n = round(2 * half / spacing) + 1
    first = np.array(shift) - half
    grid = Grid(
        np.eye(3) if axes is None else axes,
        (first[0], first[1]),
        (spacing, spacing),
        (n, n),
        first[2] + spacing * np.arange(n),
        frame,
    )
    index = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1)
    gray = at_origin + grid.point_of_index_mm(index) @ np.asarray(gradient, dtype=float)
    return Dose("dose", "dose", grid, gray.astype(np.float32))


def solve(function, low, high):
    """Root of a falling function by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def sphere_height(radius, part):
    """Height above the centre of the plane that has `part` of the sphere above it (spherical cap)."""
    return solve(lambda t: 0.5 - 3 * t / (4 * radius) + t**3 / (4 * radius**3) - part, -radius, radius)


SPHERE_CC = 4 / 3 * math.pi / 1000
"""Volume in cc of a sphere of 1 mm radius."""
