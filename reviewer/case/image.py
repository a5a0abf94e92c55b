"""`Image`: a volume of CT or MR voxels, and the window through which it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid


@dataclass(frozen=True)
class Window:
    """Grey window: `level` at mid grey, `width` from black to white, in the image's own units (HU or MR signal)."""

    level: float
    width: float


@dataclass(frozen=True, eq=False)
class Image:
    """A volume on a grid.

    id:        series instance UID, or the file's path for a volume that is not DICOM.
    voxels:    (z, y, x) as stored, int16, uint16 or float32; a value is ``slope * stored + intercept``.
               While a series is still being read, planes that have not arrived are zero: see `pending`.
    pending:   (z,) bool, shared with the reader: planes whose voxels have not arrived yet; None when complete from the start.
    sop_instance_uids: UID of each plane's DICOM object, in plane order; empty for volumes that are not DICOM.
    frame_numbers: of each plane in its object, from 1; empty where each plane is an object of its own.
    window:    as the file suggests it, or None.
    """

    id: str
    modality: str
    description: str
    grid: Grid
    voxels: NDArray[np.generic]
    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None
    sop_instance_uids: tuple[str, ...] = ()
    sop_class_uid: str = ""
    frame_numbers: tuple[int, ...] = ()
    study_uid: str = ""
    patient_position: str = ""
    date: str = ""
    field_strength_t: float | None = None
    pending: NDArray[np.bool_] | None = None

    @property
    def unit(self) -> str:
        """Unit of the values: "HU" for CT, "Gy" for a dose grid that stands in for an image, empty for MR signal."""
        return {"CT": "HU", "RTDOSE": "Gy"}.get(self.modality, "")

    @property
    def complete(self) -> bool:
        """Whether all planes have arrived."""
        return self.pending is None or not bool(self.pending.any())
