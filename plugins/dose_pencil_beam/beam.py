"""What is known of a treatment beam: its quality, its fluence across the field, and the blur of its edges."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from reviewer.backends.contract import Floats

from . import kernel

PUBLISHED_AT_MM = 1000.0
"""Distance from the source at which the fluence across the field is given: elsewhere it is that of the same angle."""
SIGMA_OF_FWHM = 1 / np.sqrt(8 * np.log(2))


@dataclass(frozen=True, eq=False)
class PhotonBeam:
    """radius_mm, off_axis: fluence of the focal spot across the field, 1 on the axis. extra_focal: part that comes from the head."""

    name: str
    energy_mv: float
    tpr_20_10: float
    focal_sigma_mm: float
    extra_focal: float
    extra_focal_sigma_mm: float
    radius_mm: Floats
    off_axis: Floats
    source: str

    def fluence(self, x_mm: Floats, y_mm: Floats, sad_mm: float) -> Floats:
        """(y, x) fluence of the focal spot in the open isocentre plane."""
        radius = np.hypot(x_mm[None, :], y_mm[:, None]) * PUBLISHED_AT_MM / sad_mm
        return np.asarray(np.interp(radius, self.radius_mm, self.off_axis))


@cache
def _table() -> bytes:
    return files("reviewer_resources").joinpath("photons", "beams.json").read_bytes()


@cache
def beams() -> Mapping[str, PhotonBeam]:
    """Those of resources/photons, by name."""
    return {
        b["name"]: PhotonBeam(
            b["name"],
            b["energy_mv"],
            b["tpr_20_10"],
            b["focal_fwhm_mm"] * SIGMA_OF_FWHM,
            b["extra_focal"],
            b["extra_focal_sigma_mm"],
            np.array(b["radius_mm"], dtype=np.float64),
            np.array(b["off_axis"], dtype=np.float64),
            b["source"],
        )
        for b in json.loads(_table())["beams"]
    }


@cache
def data_sha256() -> str:
    return hashlib.sha256(kernel.table() + _table()).hexdigest()
