"""Pairs of doses for the gamma index, made of numpy alone, so that another program in another environment can answer for them too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lattice:
    """Positions of the voxel centres along z, y, x in mm."""

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray


EVEN = Lattice(*(np.arange(n) * s - (n - 1) * s / 2 for n, s in ((15, 3.0), (22, 2.0), (22, 2.0))))
FINER = Lattice(*(np.arange(n) * s - (n - 1) * s / 2 for n, s in ((18, 2.5), (28, 1.6), (30, 1.6))))
UNEVEN = Lattice(np.cumsum(np.array([2.0, 3.0, 4.0] * 5)) - 22.5, EVEN.y, EVEN.x)


def dose(lattice, shift=(0.0, 0.0, 0.0), scale=1.0, noise=0.0):
    """Gy, (z, y, x): a sphere of 50 Gy with a steep edge in a low bath; shift: x, y, z in mm; noise: standard deviation of each voxel in Gy."""
    z, y, x = np.meshgrid(lattice.z - shift[2], lattice.y - shift[1], lattice.x - shift[0], indexing="ij")
    gray = 50 / (1 + np.exp((np.sqrt(x**2 + y**2 + z**2) - 12) / 3)) + 8 * np.exp(-(y**2 + z**2) / 400)
    return (scale * gray + np.random.default_rng(7).normal(0.0, noise, gray.shape)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """evaluated: arguments of `dose`; criteria: percent, mm, cut-off in percent, local."""

    name: str
    reference: Lattice
    lattice: Lattice
    evaluated: dict
    criteria: tuple[float, float, float, bool]


CASES = (
    Case("shift 3/2", EVEN, EVEN, {"shift": (1.0, 0.5, -1.0)}, (3, 2, 10, False)),
    Case("shift and scale 3/2", EVEN, EVEN, {"shift": (1.5, 1.0, -2.0), "scale": 1.02}, (3, 2, 10, False)),
    Case("shift and scale 3/2 local", EVEN, EVEN, {"shift": (1.0, 0.5, -1.0), "scale": 1.02}, (3, 2, 10, True)),
    Case("noise 2/2", EVEN, EVEN, {"shift": (1.0, 0.0, 1.0), "noise": 0.5}, (2, 2, 20, False)),
    Case("noise 3/3 local", EVEN, EVEN, {"shift": (2.0, 0.0, 1.0), "noise": 0.8}, (3, 3, 10, True)),
    Case("scale 1/1", EVEN, EVEN, {"scale": 1.02}, (1, 1, 10, False)),
    Case("finer 3/2", EVEN, FINER, {"shift": (2.0, -1.5, 1.0), "scale": 0.97}, (3, 2, 10, False)),
    Case("uneven 2/2", UNEVEN, EVEN, {"shift": (0.5, -0.5, 0.5), "scale": 1.04}, (2, 2, 10, False)),
    Case(
        "uneven evaluated 2/2",
        EVEN,
        UNEVEN,
        {"shift": (0.5, -0.5, 0.5), "scale": 0.96, "noise": 0.3},
        (2, 2, 10, False),
    ),
)
