"""What is known of a treatment beam (resources/photons): its quality, its fluence across the field, and the blur of its edges.

Imports nothing that an environment of an engine's own, which has numpy and is lent `reviewer.backends`, may lack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from reviewer.backends.contract import DoseJob, Floats, Setting

DEFAULT_BEAM = "6 MV FFF"
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
def table() -> bytes:
    """resources/photons/beams.json, found beside this package: the resources are no package where the engine has an environment of its own."""
    root = Path(__file__).parents[2]
    folder = next(folder for folder in (root / "resources", root / "reviewer_resources") if folder.is_dir())
    return (folder / "photons" / "beams.json").read_bytes()


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
        for b in json.loads(table())["beams"]
    }


def machine_settings(highest_tpr: float) -> tuple[Setting, ...]:
    """What is asked about the machine, whichever way the dose of its beam is computed. highest_tpr: the last that the engine has data for."""
    return (
        Setting(
            "beam", "Beam", "choice", DEFAULT_BEAM, choices=tuple(beams()),
            tooltip="FFF: without flattening filter, as both MR-linacs are",
        ),
        Setting(
            "tpr_20_10", "TPR20,10", "number", 0.0, "", 0.0, highest_tpr, (),
            "Beam quality by TRS-398, as measured at the machine; 0 for that of the beam chosen",
        ),
        Setting(
            "gray_per_100_mu", "Calibration", "number", 1.0, "Gy", 0.1, 10.0, (),
            "Dose of 100 MU in water, 10 × 10 cm² field, in a point at the isocentre",
        ),
        Setting(
            "calibration_depth_mm", "Depth of the calibration", "number", 13.0, "mm", 10.0, 300.0, (),
            "Depth in water of that point (the maximum is 12 to 16 mm deep)",
        ),
    )  # fmt: skip


def machine_statements(job: DoseJob, beam: PhotonBeam) -> tuple[str, ...]:
    """What a result has to say about its monitor units, and about a plan whose beams are others."""
    settings = job.settings
    units = (
        f"monitor units: {float(settings['gray_per_100_mu']):g} Gy per 100 MU for 10 × 10 cm² at the isocentre in "
        f"{float(settings['calibration_depth_mm']):g} mm of water; not calibrated to the machine"
    )
    energies = {b.energy_mv for b in job.beams if b.energy_mv is not None} - {beam.energy_mv}
    others = f"the plan's beams have {', '.join(f'{e:g}' for e in sorted(energies))} MV"
    return (units, others) if energies else (units,)


def why_not(job: DoseJob) -> str | None:
    """Why these beams cannot stand for those of a plan."""
    if not job.beams:
        return "the plan has no beams"
    energies = sorted({b.energy_mv for b in job.beams if b.energy_mv is not None})
    if any(not 4.0 <= e <= 8.0 for e in energies):
        return f"the plan has beams of {', '.join(f'{e:g}' for e in energies)} MV; the beam data are of 6 and 7 MV"
    return None
