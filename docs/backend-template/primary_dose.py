"""A dose backend in forty lines: what reaches a voxel straight from the source, attenuated, without scatter."""

from collections.abc import Sequence

import numpy as np

from reviewer.backends.aperture import transmission
from reviewer.backends.contract import BackendInfo, BeamInput, DoseJob, DoseResult, Floats, Progress, Segment, Setting

EDGES = np.arange(-220.0, 221.0, 2.0)  # of the pixels of an aperture, mm at the isocentre plane


class PrimaryDose:
    info = BackendInfo("primary", "Primary photons, no scatter", "1.0", "Apache-2.0", needs=("beams", "density"))

    def settings(self) -> Sequence[Setting]:
        return (Setting("attenuation", "Attenuation of water", "number", 0.0049, "1/mm", 0.001, 0.01),)

    def available(self, job: DoseJob | None) -> str | None:
        return "the plan has no beams" if job is not None and not job.beams else None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        gray, inside = np.zeros(job.dose_lattice.shape_zyx, np.float32), job.body_on_dose_lattice()
        points = job.dose_lattice.points_mm()[inside]
        for n, beam in enumerate(job.beams):
            progress(n / len(job.beams), beam.name)
            gray[inside] += sum(self.primary(job, beam, segment, points) for segment in beam.segments)
        return DoseResult(gray, ("primary photons only, no scatter", "generic 6 MV beam, not commissioned"))

    def primary(self, job: DoseJob, beam: BeamInput, segment: Segment, points: Floats) -> Floats:
        ray = points - segment.source_mm
        scale = beam.sad_mm / (ray @ (beam.isocentre_mm - segment.source_mm) / beam.sad_mm)
        at = ray @ np.array([segment.x_axis, segment.y_axis]).T * scale[:, None]  # in the isocentre plane
        column, row = np.clip(np.digitize(at, EDGES) - 1, 0, len(EDGES) - 2).T
        steps, back = np.arange(2.0, 400.0, 4.0), -ray / np.linalg.norm(ray, axis=1, keepdims=True)
        depth = sum(4.0 * job.lattice.nearest(job.density, points + t * back) for t in steps)
        open_part = transmission(segment.devices, EDGES, EDGES)[row, column]
        return segment.mu / 100 * open_part * scale**2 * np.exp(-float(job.settings["attenuation"]) * depth)
