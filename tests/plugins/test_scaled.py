"""The null hypothesis: the planned dose carried over."""

import numpy as np
import pytest
from reviewer_plugins.dose_scaled import Scaled

from reviewer.backends.contract import DoseJob, Lattice, PlannedDose


def test_a_linear_dose_is_carried_exactly():
    """Turned and shifted: the dose in a point is that of the place where the matrix takes it."""
    slopes = np.array([0.3, 0.2, 0.1])
    lattice = Lattice((20, 22, 24), (2.0, 3.0, 2.5), np.array([-20.0, -30.0, -25.0]))
    z, y, x = np.indices(lattice.shape_zyx)
    places = np.stack([x, y, z], -1) * lattice.spacing_mm + lattice.origin_mm
    gray = (places @ slopes + 30).astype(np.float32)
    matrix = np.eye(4)
    angle = np.deg2rad(20)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = 2.0, -3.0, 1.5
    wanted = Lattice((5, 4, 3), (3.0, 3.0, 3.0), np.array([-4.0, -5.0, -6.0]))
    shape = wanted.shape_zyx
    job = DoseJob(
        wanted, np.ones(shape, np.float32), np.ones(shape, bool), (), wanted,
        planned=PlannedDose(gray, lattice, matrix), settings={"factor": 2.0},
    )  # fmt: skip
    found = Scaled().compute(job, lambda part, text="": None)
    z, y, x = np.indices(shape)
    points = np.stack([x, y, z], -1) * wanted.spacing_mm + wanted.origin_mm
    assert found.gray == pytest.approx(2 * ((points @ matrix[:3, :3].T + matrix[:3, 3]) @ slopes + 30), rel=1e-5)
    assert "not recalculated" in found.statements[0]
    assert Scaled().available(DoseJob(wanted, job.density, job.body, (), wanted)) is not None
