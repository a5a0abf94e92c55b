"""`Anatomy`: the patient as formulas, in a state, sampled on any grid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reviewer.demo.field import Field, Floats, Floats32
from reviewer.demo.identity import FRAMES, SEED, frame_uid, to_simulation
from reviewer.demo.organs import Body, State
from reviewer.errors import GeometryError
from reviewer.geometry.grid import Grid

_DENSITY: tuple[tuple[str, float], ...] = (
    ("Body", 0.95), ("wall_muscle", 1.04), ("Lung_L", 0.26), ("Lung_R", 0.26), ("Heart", 1.05), ("cartilage", 1.08), ("bone_ribs", 1.35),
    ("disc", 1.06), ("bone_spine", 1.22), ("canal", 1.03), ("A_Aorta", 1.05), ("V_Venacava_I", 1.05), ("Esophagus", 1.03), ("Kidney_L", 1.04),
    ("Kidney_R", 1.04), ("Spleen", 1.05), ("Liver", 1.06), ("GTV_1", 1.05), ("GTV_2", 1.05), ("Gallbladder", 1.02), ("Duodenum", 1.03),
    ("Stomach", 1.02), ("Bowel_Large", 1.0), ("Bowel_Small", 1.03),
)  # fmt: skip
"""Relative electron density, painted in this order (ICRU 46 / ICRP 110 tissue compositions, rounded)."""


class Anatomy:
    """One state of the patient.

    state:        "simulation" or "day".
    frame_of_reference_uid: the frame that belongs to the state; `inside` and `density` take grids of any of the case's frames.
    """

    def __init__(self, state: State, seed: int = SEED) -> None:
        self.state: State = state
        self.seed = seed
        self.frame_of_reference_uid = frame_uid(seed, state)
        self.body = Body(seed, state)
        self.to_simulation = to_simulation(state)
        self._world = {frame_uid(seed, frame): to_simulation(frame) for frame in FRAMES}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.body.fields)

    def field(self, name: str) -> Field:
        """The distance field of an organ, target or tissue, in the frame of simulation."""
        return self.body.fields[name]

    def to_world(self, grid: Grid) -> Floats:
        """(4, 4) map of the grid's points to the frame in which the anatomy is written down. Raises GeometryError for a foreign frame."""
        try:
            return self._world[grid.frame_of_reference_uid]
        except KeyError:
            raise GeometryError("the grid is in none of the demo case's frames of reference") from None

    def distance(self, name: str, grid: Grid) -> Floats32:
        """(z, y, x) signed distance in mm, below zero inside; FAR_MM beyond the field's box."""
        return self.field(name).at(grid, self.to_world(grid))

    def inside(self, name: str, grid: Grid) -> Floats32:
        """(z, y, x) float32, the part of each voxel that lies inside an organ or target, 0 to 1."""
        out: NDArray[np.float32] = np.zeros(grid.shape_zyx, dtype=np.float32)
        self.field(name).paint(out, grid, self.to_world(grid), 1.0)
        return out

    def density(self, grid: Grid) -> Floats32:
        """(z, y, x) float32, electron density relative to water; 0.001 in air."""
        out: NDArray[np.float32] = np.full(grid.shape_zyx, 0.001, dtype=np.float32)
        world = self.to_world(grid)
        for name, value in _DENSITY:
            self.field(name).paint(out, grid, world, value)
        return out


@lru_cache(maxsize=4)
def anatomy(state: State, seed: int = SEED) -> Anatomy:
    """The anatomy of a state, built once."""
    return Anatomy(state, seed)
