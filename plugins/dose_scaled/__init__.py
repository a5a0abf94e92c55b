"""The plan's own dose carried onto the anatomy of the day, unchanged: the null hypothesis that a recalculation has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import BackendInfo, DoseJob, DoseResult, Floats, Progress, Setting


class Scaled:
    """Carries the planned dose by the way that the job gives, rigid or deformed; nothing about the anatomy changes it."""

    info = BackendInfo("scaled", "Planned dose carried over", "1.0", "Apache-2.0", needs=("planned",))

    def settings(self) -> Sequence[Setting]:
        return (
            Setting("factor", "Factor", "number", 1.0, "", 0.0, 10.0, (), "The carried dose is multiplied by this"),
        )

    def available(self, job: DoseJob | None) -> str | None:
        return "there is no planned dose to carry over" if job is not None and job.planned is None else None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        planned = job.planned
        if planned is None:
            raise ValueError("there is no planned dose to carry over")
        factor = float(job.settings["factor"])
        to_index = np.linalg.inv(planned.lattice.matrix) @ planned.matrix
        nz, ny, nx = job.dose_lattice.shape_zyx
        out = np.zeros((nz, ny, nx), dtype=np.float32)
        unknown = 0
        index = _plane_of_indices(ny, nx)
        for k in range(nz):
            points = index @ job.dose_lattice.matrix[:3, :2].T + k * job.dose_lattice.matrix[:3, 2]
            points += job.dose_lattice.matrix[:3, 3]
            if planned.displacement_mm is not None:
                points = points + planned.displacement_mm[k].reshape(-1, 3)
            values, known = _sampled(planned.gray, points @ to_index[:3, :3].T + to_index[:3, 3])
            out[k] = np.where(known, values * factor, 0).reshape(ny, nx)
            unknown += int(np.count_nonzero(~known))
            progress((k + 1) / nz)
        way = "rigidly" if planned.displacement_mm is None else "by a deformation"
        statements: tuple[str, ...] = (
            f"the planned dose, carried over {way} and not recalculated: the anatomy of the day does not change it",
        )
        if factor != 1:
            statements += (f"multiplied by {factor:g}",)
        if unknown:
            statements += (
                f"{100 * unknown / out.size:.1f} % of the grid lie outside the planned dose, and are 0 here",
            )
        return DoseResult(out, statements)


def _plane_of_indices(ny: int, nx: int) -> Floats:
    """(ny nx, 2) x and y index of each voxel of a plane."""
    return np.stack(np.meshgrid(np.arange(nx), np.arange(ny)), axis=-1).reshape(-1, 2).astype(np.float64)


def _sampled(gray: NDArray[np.float32], xyz: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Trilinear values at fractional indices (n, 3), and whether all that they draw on is there."""
    last = np.array(gray.shape[::-1]) - 1
    known = np.all((xyz >= -1e-6) & (xyz <= last + 1e-6), axis=1)
    place = np.clip(xyz, 0, last)
    low = np.minimum(place.astype(np.intp), np.maximum(last - 1, 0))
    part = place - low
    high = np.minimum(low + 1, last)
    total = np.zeros(len(xyz))
    for corner in range(8):
        chosen = [(corner >> axis) & 1 for axis in range(3)]
        at = [(high if c else low)[:, axis] for axis, c in enumerate(chosen)]
        weight = np.prod([part[:, axis] if c else 1 - part[:, axis] for axis, c in enumerate(chosen)], axis=0)
        total += weight * gray[at[2], at[1], at[0]]
    return total, known
