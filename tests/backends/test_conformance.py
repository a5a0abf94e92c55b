"""The conformance suite passes what is good and catches what is not; the embedded backends pass it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reviewer.backends.aperture import transmission
from reviewer.backends.conformance import LEAVES_AT, PIXEL_MM, Trial, breathing_job, conform, water_job
from reviewer.backends.contract import DOSE, GATING
from reviewer.backends.discovery import Backend, discover

HOSTILE = Path(__file__).with_name("hostile.py")


def trials(name: str, kind: str = DOSE) -> list[Trial]:
    return list(conform(Backend.here(kind, "test", f"{HOSTILE}:{name}")))


def test_a_good_backend_passes():
    done = trials("Good")
    assert [trial for trial in done if not trial.passed] == []
    assert len(done) == 9


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        ("NotThere", "says who it is"),
        ("Unavailable", "can work here"),
        ("Segfault", "computes a box of water"),
        ("NotLinear", "its dose is in proportion to the monitor units"),
        ("Everywhere", "gives no dose outside the body"),
        ("BadDefault", "its defaults are allowed"),
    ],
)
def test_a_bad_backend_fails_where_it_is_bad(name, fails):
    backend = Backend.here(DOSE, "test", f"{HOSTILE}:{name}")
    assert next(trial for trial in conform(backend) if not trial.passed).name == fails


def test_a_tracker_that_does_not_follow_or_never_lets_go_fails():
    failed = [trial.name for trial in trials("GoodTracker", GATING) if not trial.passed]
    assert failed == ["follows it", "says so when the target is gone"]


@pytest.mark.parametrize("backend", discover(Path("/nowhere")).backends, ids=lambda b: f"{b.kind}-{b.name}")
def test_the_embedded_backends_conform(backend):
    assert [trial for trial in conform(backend) if not trial.passed] == []


def test_the_box_of_water_is_what_it_says():
    """The field of 8 x 8 cm of its one segment, from 900 mm in front of the isocentre, is inside of the box."""
    job = water_job()
    segment = job.beams[0].segments[0]
    edges = np.arange(-60.0, 61.0, 1.0)
    assert transmission(segment.devices, edges, edges).sum() == pytest.approx(80 * 80)
    np.testing.assert_allclose(segment.source_mm - job.beams[0].isocentre_mm, [0, -900, 0])
    first, last = (job.lattice.matrix @ [*index, 1] for index in ((2, 2, 2), (37, 37, 33)))
    assert np.all(job.body[2:-2, 2:-2, 2:-2])
    assert np.all(first[:3] < -40)
    assert np.all(last[:3] > 40)


def test_the_breathing_disc_is_where_it_is_said_to_be():
    """Its centre of brightness, and its area, on every frame that it is on."""
    job, shifts = breathing_job()
    v, u = np.mgrid[: job.mask.shape[0], : job.mask.shape[1]] * PIXEL_MM
    assert job.mask.sum() * PIXEL_MM**2 == pytest.approx(np.pi * 16**2, rel=0.01)
    for frame, shift in zip(job.frames[:LEAVES_AT], shifts, strict=False):
        bright = frame > 108
        centre = np.array([u[bright].mean(), v[bright].mean()])
        np.testing.assert_allclose(centre - [96, 96], shift, atol=0.5)
    assert job.frames[LEAVES_AT:].max() < 100
