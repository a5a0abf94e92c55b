"""Budget: the pencil beam for 8 beams on 100 × 80 × 100 voxels of 3 mm takes no more than 3 s (issue 6)."""

import numpy as np
import pytest
from reviewer_plugins.dose_pencil_beam import PencilBeam

from reviewer.backends.beams import beam_axes, patient_matrix
from reviewer.backends.contract import BeamInput, DoseJob, Lattice, Leaves, Segment

SHAPE = (100, 80, 100)


def field(number):
    gantry = 45.0 * number
    axes = beam_axes(gantry, 0.0, 0.0, patient_matrix("HFS"))
    sides = np.arange(-40.0, 41.0, 4.0)
    leaves = tuple(
        Leaves("x", sides, np.full(len(sides) - 1, -15.0 - n), np.full(len(sides) - 1, 12.0 + n)) for n in range(4)
    )
    segments = tuple(Segment(50.0, gantry, 0.0, 0.0, 900 * axes[2], axes[0], axes[1], (each,)) for each in leaves)
    return BeamInput(number, f"G{gantry:g}", np.zeros(3), 900.0, 6.0, segments)


@pytest.fixture(scope="module")
def job():
    lattice = Lattice(SHAPE, (3.0, 3.0, 3.0), -1.5 * (np.array(SHAPE[::-1]) - 1))
    y, x = np.ogrid[-40:40, -50:50]
    body = np.broadcast_to((x / 48) ** 2 + (y / 38) ** 2 < 1, SHAPE)
    settings = {s.name: s.default for s in PencilBeam().settings()}
    return DoseJob(
        lattice, body.astype(np.float32), body, tuple(field(n) for n in range(8)), lattice, settings=settings
    )


def test_eight_beams(benchmark, job):
    backend = PencilBeam()
    result = benchmark.pedantic(
        backend.compute, (job, lambda part, text="": None), rounds=3, warmup_rounds=1, iterations=1
    )
    assert result.gray[50, 40, 50] > 1
