"""Who the demo patient is: names, dates, UIDs, and the frames of reference with the rigid ties between them.

The patient does not exist. Every UID follows from the seed, so that the same seed makes the same files.
"""

from __future__ import annotations

import uuid
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Patient

SEED = 4711
"""Seed of the embedded case; it also is the patient's id."""

PATIENT = Patient(name="HEPAR^DEMO", id="4711", sex="F", birth_date="1962-11-05", age="062Y")

SIMULATION_DATE = "2025-02-24"
APPROVAL_DATE = "2025-03-02"
DAY_DATE = "2025-03-07"

Frame = Literal["simulation", "ct", "hepatobiliary", "day"]
"""simulation: 0.35 T TrueFISP of simulation, in which the anatomy is written down; each other image has a frame of its own."""

FRAMES: tuple[Frame, ...] = ("simulation", "ct", "hepatobiliary", "day")

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "reviewer.demo")

_OFFSETS_MM: dict[Frame, tuple[float, float, float]] = {
    "simulation": (0.0, 0.0, 0.0),
    "ct": (4.2, -13.5, 7.3),
    "hepatobiliary": (-3.6, 5.1, -9.4),
    "day": (2.4, 3.8, -4.6),
}
_ANGLES_DEG: dict[Frame, tuple[float, float, float]] = {
    "simulation": (0.0, 0.0, 0.0),
    "ct": (1.2, -0.6, 1.8),
    "hepatobiliary": (-0.9, 1.1, -2.1),
    "day": (0.0, 0.0, 1.1),
}


def uid(seed: int, *name: str) -> str:
    """A UID derived from a UUID (PS3.5 B.2) that depends on the seed and the name only."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join((str(seed), *name))).int}"


def frame_uid(seed: int, frame: Frame) -> str:
    """Frame of reference UID."""
    return uid(seed, "frame", frame)


def to_simulation(frame: Frame) -> NDArray[np.float64]:
    """(4, 4) rigid map of points (mm) from a frame to the frame of simulation: the truth that the REG objects state."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(_ANGLES_DEG[frame])):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(4)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[j, i] = np.sin(angle)
        turn[i, j] = -turn[j, i]
        matrix = turn @ matrix
    matrix[:3, 3] = _OFFSETS_MM[frame]
    return matrix
