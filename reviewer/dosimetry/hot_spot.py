"""Where a structure has its highest or lowest dose: a place to look at, no number to judge by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reviewer.case import Dose, Structure
from reviewer.geometry.coverage import coverage

INSIDE = 0.5
"""A voxel of the dose counts from this part inside the structure on; where none has so much, any that it touches."""


def hot_spot(
    structure: Structure, dose: Dose, to_dose: ArrayLike, *, lowest: bool = False
) -> tuple[float, float, float] | None:
    """Centre of the dose voxel with the highest (or lowest) known dose in the structure, patient coordinates (mm) of the dose's frame.

    to_dose: (4, 4) map of the structure's frame to the dose's, mm. None where no dose is known in the structure.
    """
    found = coverage(structure, dose.grid, np.linalg.inv(np.asarray(to_dose, dtype=np.float64)))
    gray = dose.gray[found.box]
    known = (found.fraction > 0) & np.isfinite(gray)
    if not known.any():
        return None
    inside = known & (found.fraction >= INSIDE)
    counted = np.where(inside if inside.any() else known, -gray if lowest else gray, -np.inf)
    index = np.array(np.unravel_index(int(np.argmax(counted)), counted.shape)) + [part.start for part in found.box]
    x, y, z = (float(c) for c in dose.grid.point_of_index_mm(index))
    return x, y, z
