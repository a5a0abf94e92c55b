"""The case that the slice views are timed on: CT 512x512x120, 0.35 T MR 300x300x80 with its own rigid transform, dose, 15 structures."""

from __future__ import annotations

import math

import numpy as np
from shapely import Polygon

from reviewer.case import Case, Dose, Image, Patient, Registration, Structure, StructureSet
from reviewer.geometry.grid import Grid


def rigid(about_x, about_z, shift):
    """A rotation about z, then x (degrees), and a shift."""
    a, c = math.radians(about_x), math.radians(about_z)
    matrix = np.eye(4)
    x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    matrix[:3, :3] = x @ z
    matrix[:3, 3] = shift
    return matrix


def _axes(grid):
    x = grid.origin_uv_mm[0] + grid.spacing_uv_mm[0] * np.arange(grid.size_uv[0])
    y = grid.origin_uv_mm[1] + grid.spacing_uv_mm[1] * np.arange(grid.size_uv[1])
    return x[None, None, :], y[None, :, None], grid.positions_mm[:, None, None]


def _ellipsoids(grid, outside, parts, noise, rng):
    x, y, z = _axes(grid)
    array = np.full(grid.shape_zyx, outside, np.float32)
    for (cx, cy, cz, rx, ry, rz), value in parts:
        array[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1] = value
    array += noise * rng.standard_normal(array.shape, dtype=np.float32)
    return array.astype(np.int16)


def _structures(grid, count):
    rng = np.random.default_rng(2)
    t = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    result = []
    for i in range(count):
        centre, radius = rng.uniform(-90, 90, 3) * [1, 0.7, 0.8], rng.uniform(20, 60)
        if i == 0:
            centre, radius = np.zeros(3), 158.0
        planes = {}
        for k, w in enumerate(grid.positions_mm):
            height = radius**2 - (w - centre[2]) ** 2
            if height > 4:
                q = math.sqrt(height) * (1 + 0.06 * np.sin(5 * t + w / 9 + i) + 0.03 * np.sin(11 * t))
                planes[k] = Polygon(np.c_[centre[0] + 1.1 * q * np.cos(t), centre[1] + 0.8 * q * np.sin(t)])
        colour = tuple(int(c) for c in rng.integers(60, 255, 3))
        kind = "EXTERNAL" if i == 0 else "ORGAN"
        formula = "Organ_2 + 5 mm" if i == 3 else None
        result.append(Structure(f"s{i}", f"Organ_{i}", grid, planes, kind, colour, "ct", i, formula))
    return tuple(result)


def canvas_case(structures=15):
    rng = np.random.default_rng(0)
    ct = Grid(np.eye(3), (-219.0, -219.0), (0.857, 0.857), (512, 512), np.arange(120) * 2.5 - 150, "a")
    mr = Grid(np.eye(3), (-224.0, -224.0), (1.5, 1.5), (300, 300), np.arange(80) * 3.0 - 120, "b")
    dose_grid = Grid(np.eye(3), (-150.0, -120.0), (2.5, 2.5), (120, 96), np.arange(100) * 2.5 - 125, "a")
    bodies = [(0, 0, 0, 175, 125, 400), (-60, -10, 0, 80, 70, 110), (60, -20, 10, 50, 40, 70), (0, 80, 0, 20, 20, 400)]
    bodies.append((-70, 0, 0, 12, 12, 14))
    ct_voxels = _ellipsoids(ct, -1000, list(zip(bodies, (20, 95, 50, 300, 40), strict=True)), 12, rng)
    mr_voxels = _ellipsoids(mr, 15, list(zip(bodies, (250, 420, 600, 150, 700), strict=True)), 25, rng)
    x, y, z = _axes(dose_grid)
    gray = 62 * np.exp(-(((x + 70) / 38) ** 2 + (y / 32) ** 2 + (z / 30) ** 2)) + 25 * np.exp(
        -((x / 120) ** 2 + (y / 80) ** 2 + (z / 60) ** 2)
    )
    to_mr = rigid(6, 4, (3, -4, 5))
    return Case(
        patient=Patient("TEST"),
        images=(
            Image("ct", "CT", "CT contrast", ct, ct_voxels, date="2025-03-01"),
            Image("mr", "MR", "TrueFISP sim", mr, mr_voxels, date="2025-03-02", field_strength_t=0.35),
        ),
        structure_sets=(StructureSet("ss", "RS", _structures(ct, structures), "ct", "a"),),
        doses=(Dose("d", "LIV_50_5", dose_grid, gray.astype(np.float32), structure_set_id="ss"),),
        registrations=(Registration("r", "REG", "b", "a", np.linalg.inv(to_mr)),),
    )
