"""`Dose`: absorbed dose in Gy on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid


@dataclass(frozen=True, eq=False)
class Dose:
    """One RTDOSE, or what a backend computed in its stead.

    gray:  (z, y, x) float32, Gy. Outside the grid the dose is unknown, not zero.
    type:  PHYSICAL, EFFECTIVE or ERROR (DICOM DoseType); only PHYSICAL and EFFECTIVE are doses to a patient.
    summation: PLAN, FRACTION, BEAM … (DoseSummationType): of what the dose is.
    statements: what a backend that computed it says of it, shown wherever it is; empty for a dose of the files.
    """

    id: str
    label: str
    grid: Grid
    gray: NDArray[np.float32]
    type: str = "PHYSICAL"
    summation: str = "PLAN"
    plan_id: str | None = None
    structure_set_id: str | None = None
    date: str = ""
    path: str = ""
    statements: tuple[str, ...] = ()
