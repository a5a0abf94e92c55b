"""`Registration`: a rigid tie between two frames of reference (spatial registration object, REG)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Registration:
    """matrix: (4, 4), maps homogeneous patient points (x, y, z, 1) in mm of `moving_frame_uid` to those of `fixed_frame_uid` (PS3.3 C.20.2.1.1)."""

    id: str
    label: str
    moving_frame_uid: str
    fixed_frame_uid: str
    matrix: NDArray[np.float64]
    date: str = ""
    path: str = ""
