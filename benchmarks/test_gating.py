"""Tracking ≤ 10 ms a frame at 256×256; another margin or share ≤ 50 ms for half a minute at 8 frames/s."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reviewer_plugins.gating_optical_flow import OpticalFlowTracker
from reviewer_plugins.gating_template import TemplateTracker

from reviewer.backends.contract import GatingResult, checked_settings
from reviewer.gating.rule import Rule
from reviewer.gating.trace import trace_of
from reviewer.gating.tracking import job_of, track_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from synthetic_cine import breathing, film


@pytest.fixture(scope="module")
def made():
    return film(breathing(20), duration_s=3, pixels=256, pixel_mm=1.6)


def started(tracker, made):
    job = job_of(made.cine, made.target)
    tracker.start(replace(job, settings=checked_settings(tracker.settings(), {})))
    return job


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
def test_one_frame(benchmark, made, tracker):
    backend = tracker()
    job = started(backend, made)
    benchmark.pedantic(backend.track, setup=lambda: ((job.frames[11], 1.4), {}), rounds=60)


def test_another_rule(benchmark, made):
    backend = TemplateTracker()
    job = started(backend, made)
    frames = tuple(backend.track(f, float(t)) for f, t in zip(job.frames, job.times_s, strict=True)) * 10
    count = len(frames)
    cine = replace(made.cine, frames=np.zeros((count, 2, 2), np.uint16), times_s=np.arange(count) / 8)
    track = track_of(cine, made.target, GatingResult(frames, np.zeros(count), ("b",)))
    benchmark.pedantic(lambda: trace_of(track, Rule(4.0, 7.0)), rounds=20)
