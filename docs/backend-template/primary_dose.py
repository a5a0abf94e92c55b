"""A dose backend in forty lines: what reaches a voxel straight from the source, attenuated, without scatter."""

from collections.abc import Sequence

import numpy as np

from reviewer.backends.aperture import transmission
from reviewer.backends.contract import BackendInfo, DoseJob, DoseResult, Floats, Progress, Segment, Setting

EDGES = np.arange(-220.0, 221.0, 2.0)  # of the pixels of an aperture, mm at the isocentre plane


class PrimaryDose:
    info = BackendInfo("primary", "Primary photons, no scatter", "1.0", "Apache-2.0", needs=("beams", "density"))

    def settings(self) -> Sequence[Setting]:
        return (Setting("attenuation", "Attenuation of water", "number", 0.0049, "1/mm", 0.001, 0.01),)

    def available(self, job: DoseJob | None) -> str | None:
        return "the plan has no beams" if job is not None and not job.beams else None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        k, j, i = (axis.ravel() for axis in np.indices(job.dose_lattice.shape_zyx))
        points = (job.dose_lattice.matrix @ [i, j, k, np.ones(k.size)])[:3].T
        inside, gray = sampled(job, job.body, points) > 0, np.zeros(len(points))
        work = [(beam, segment) for beam in job.beams for segment in beam.segments]
        for n, (beam, segment) in enumerate(work):
            progress(n / len(work), beam.name)
            gray[inside] += self.primary(job, segment, beam.isocentre_mm, beam.sad_mm, points[inside])
        dose = gray.reshape(job.dose_lattice.shape_zyx).astype(np.float32)
        return DoseResult(dose, ("primary photons only, no scatter", "generic 6 MV beam, not commissioned"))

    def primary(self, job: DoseJob, segment: Segment, isocentre: Floats, sad: float, points: Floats) -> Floats:
        along = np.cross(segment.x_axis, segment.y_axis)  # from the isocentre to the source
        ray = points - segment.source_mm
        scale = sad / -(ray @ along)
        at = (ray * scale[:, None] + segment.source_mm - isocentre) @ np.array([segment.x_axis, segment.y_axis]).T
        column, row = np.clip(np.digitize(at, EDGES) - 1, 0, len(EDGES) - 2).T
        steps, back = np.arange(2.0, 400.0, 4.0), -ray / np.linalg.norm(ray, axis=1, keepdims=True)
        depth = sum(4.0 * sampled(job, job.density, points + t * back) for t in steps)
        open_part = transmission(segment.devices, EDGES, EDGES)[row, column]
        return segment.mu / 100 * open_part * scale**2 * np.exp(-float(job.settings["attenuation"]) * depth)


def sampled(job: DoseJob, volume: np.ndarray, points: Floats) -> Floats:
    index = np.rint((points - job.lattice.origin_mm) @ job.lattice.axes.T / job.lattice.spacing_mm).astype(int).T[::-1]
    shape = np.array(job.lattice.shape_zyx)[:, None]
    within = np.all((index >= 0) & (index < shape), axis=0)
    return np.where(within, volume[tuple(np.clip(index, 0, shape - 1))], 0.0)
