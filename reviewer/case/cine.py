"""`Cine`: a 2D image in time, through one plane of the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid


@dataclass(frozen=True, eq=False)
class Cine:
    """frames: (t, y, x); times_s: (t,) from the first frame; grid: one plane, in patient coordinates.

    oriented: whether the file says how the plane lies in the patient; if not, the grid's axes are those of the picture only.
    labels: (t, y, x) whole numbers that somebody has drawn on the frames, 0 where nothing is; None without.
    """

    id: str
    modality: str
    description: str
    grid: Grid
    frames: NDArray[np.generic]
    times_s: NDArray[np.float64]
    date: str = ""
    oriented: bool = True
    labels: NDArray[np.integer] | None = None
