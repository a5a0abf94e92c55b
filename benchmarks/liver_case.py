"""Twelve structures of an upper abdomen's sizes on 512 x 512 x 120 voxels, with a dose, for the benchmarks."""

from __future__ import annotations

import math

import numpy as np

from reviewer.case import Dose, Structure
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings

GRID = Grid(np.eye(3), (-250.0, -250.0), (0.977, 0.977), (512, 512), np.arange(120) * 2.5 - 150, "frame")

ORGANS = {
    # name: centre and semi-axes in mm (x, y, z), points of a contour
    "Body": ((0, 0, 0), (180, 120, 400), 400),
    "Liver": ((-60, -20, 10), (85, 65, 75), 250),
    "Stomach": ((60, -30, 20), (45, 35, 50), 150),
    "Duodenum": ((-15, -10, -40), (25, 18, 30), 100),
    "Bowel_Small": ((20, -40, -90), (70, 45, 45), 220),
    "Bowel_Large": ((80, -20, -70), (30, 35, 70), 150),
    "Kidney_L": ((70, 50, -20), (28, 25, 55), 100),
    "Kidney_R": ((-70, 50, -30), (28, 25, 55), 100),
    "Heart": ((30, -50, 110), (50, 45, 35), 150),
    "SpinalCord": ((0, 70, 0), (7, 6, 140), 40),
    "GTV": ((-60, -10, 0), (13.4, 13.4, 13.4), 60),
    "PTV": ((-60, -10, 0), (18.4, 18.4, 18.4), 80),
}


def structures() -> list[Structure]:
    """Ellipsoids with a ripple, so that no contour is a copy of the one below; new objects at each call."""
    return [organ(number, name, *ORGANS[name]) for number, name in enumerate(ORGANS)]


def organ(number, name, centre, axes, points):
    angle = 2 * math.pi * np.arange(points) / points
    planes = {}
    for k, w in enumerate(GRID.positions_mm):
        square = 1 - ((w - centre[2]) / axes[2]) ** 2
        if square > 0.002:
            radius = math.sqrt(square) * (1 + 0.06 * np.cos(5 * angle + w / 15 + number))
            ring = np.column_stack(
                [centre[0] + axes[0] * radius * np.cos(angle), centre[1] + axes[1] * radius * np.sin(angle)]
            )
            planes[k] = region_of_rings([ring])
    return Structure(name, name, GRID, planes, number=number)


def dose(spacing: float = 2.5) -> Dose:
    """A focus of 55 Gy on the GTV above a broad background."""
    n = [int(s / spacing) for s in (400, 300, 300)]
    grid = Grid(np.eye(3), (-200, -150), (spacing, spacing), (n[0], n[1]), np.arange(n[2]) * spacing - 150, "frame")
    z, y, x = np.meshgrid(
        grid.positions_mm, *[o + spacing * np.arange(m) for o, m in ((-150, n[1]), (-200, n[0]))], indexing="ij"
    )
    away = (x + 60) ** 2 + (y + 10) ** 2 + z**2
    gray = 50 * np.exp(-away / (2 * 22**2)) + 5 * np.exp(-away / (2 * 90**2))
    return Dose("dose", "dose", grid, gray.astype(np.float32))
