"""The embedded trackers on cines whose motion is known."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from reviewer_plugins.gating_optical_flow import OpticalFlowTracker
from reviewer_plugins.gating_template import TemplateTracker
from synthetic_cine import LESION_MM, breathing, ellipse, film

from reviewer.backends.contract import GatingResult, checked_settings
from reviewer.gating.rule import Rule, outside_percent
from reviewer.gating.trace import trace_of
from reviewer.gating.tracking import job_of, track_of


def lagging(range_mm):
    """The anterior motion, behind the cranial one by a tenth of a cycle: the way down is not the way up."""
    return lambda t: 0.2 * range_mm * (np.sin(np.pi * (t - 0.4) / 4) ** 4 - np.sin(np.pi * 0.1) ** 4)


def leaving(t):
    """Out of the plane between 5 and 9 s, over a second and a half each way."""
    return np.clip(1 - np.clip((t - 4) / 1.5, 0, 1) + np.clip((t - 9) / 1.5, 0, 1), 0, 1)


FILMS = {
    "20 mm": lambda: film(breathing(20), ap_mm=lagging(20), duration_s=12),
    "35 mm, drift": lambda: film(breathing(35, 5, 0.1), ap_mm=lagging(35), duration_s=12, seed=1),
    "drift": lambda: film(breathing(24, 4, 0.2), ap_mm=lagging(24), duration_s=12, seed=2),
    "low SNR": lambda: film(breathing(25), ap_mm=lagging(25), snr=7, duration_s=20, seed=3, pixel_mm=1.6),
    "through the plane": lambda: film(
        breathing(22), ap_mm=lagging(22), scale=lambda t: 1 - 0.2 * np.sin(np.pi * t / 4) ** 4, duration_s=12, seed=4
    ),
    "4 frames/s": lambda: film(breathing(28), ap_mm=lagging(28), fps=4, duration_s=24, seed=5),
}


@pytest.fixture(scope="module")
def films():
    made = {}

    def get(name):
        if name not in made:
            made[name] = FILMS[name]()
        return made[name]

    return get


def followed(tracker, made):
    job = job_of(made.cine, made.target)
    job = replace(job, settings=checked_settings(tracker.settings(), {}))
    first = replace(job, frames=job.frames[:1], times_s=job.times_s[:1])
    statements = tuple(tracker.start(first))
    frames = tuple(tracker.track(f, float(t)) for f, t in zip(job.frames, job.times_s, strict=True))
    return track_of(made.cine, made.target, GatingResult(frames, np.zeros(len(frames)), statements))


def truth_wanted(made):
    boundary = Rule().boundary(made.target.region)
    return ~Rule().holds(outside_percent([made.region(k) for k in range(len(made.scale))], boundary))


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
@pytest.mark.parametrize("name", list(FILMS))
def test_the_target_is_followed_and_the_beam_agrees(films, tracker, name):
    made = films(name)
    track = followed(tracker(), made)
    seen = np.isfinite(track.shift_mm[:, 0])
    error = np.linalg.norm(track.shift_mm - (made.shift_mm - made.shift_mm[0]), axis=1)[seen]
    assert seen.mean() > 0.98
    assert error.mean() <= 0.6
    assert (trace_of(track).wanted == truth_wanted(made)).mean() >= 0.98


@lru_cache
def leaving_film(range_mm):
    return film(breathing(range_mm), scale=leaving, duration_s=13, snr=10, seed=6)


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
@pytest.mark.parametrize("range_mm", [0.0, 6.0])
def test_a_target_that_has_left_the_plane_is_never_taken_for_there(tracker, range_mm):
    made = leaving_film(range_mm)
    trace = trace_of(followed(tracker(), made))
    gone = made.scale <= 0
    assert gone.sum() > 20
    assert not trace.wanted[gone].any()
    assert trace.wanted[-4:].any(), "found again after it has come back"
    assert not (trace.wanted & ~truth_wanted(made)).any(), "on its way out, too"


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
def test_a_target_that_looks_like_its_surroundings_holds_the_beam(tracker):
    """One of many equal spots, 24 mm apart, that come and go: whatever is found in its place says nothing. Alone it is followed."""
    made = film(breathing(0), duration_s=2, pixels=96, snr=20)
    axis = made.cine.grid.origin_uv_mm[0] + 2.4 * np.arange(96)
    u, v = np.meshgrid(axis - LESION_MM[0], axis - LESION_MM[1])
    noise = np.random.default_rng(2).normal(0, 8, made.cine.frames.shape)
    spots = 300 + 150 * np.cos(2 * np.pi * u / 24) * np.cos(2 * np.pi * v / 24)
    target = replace(made.target, region=ellipse(LESION_MM, (8, 8)))
    made = replace(made, target=target, cine=replace(made.cine, frames=np.uint16(spots + noise)))
    trace = trace_of(followed(tracker(), made))
    assert float(trace.track.statements[-1].rpartition("other places of the reference frame reach ")[2]) > 0.95
    alone = np.uint16(np.where(np.hypot(u, v) < 17, spots, 300) + noise)
    trace_alone = trace_of(followed(tracker(), replace(made, cine=replace(made.cine, frames=alone))))
    assert trace.wanted[1:].mean() < 0.1
    assert trace_alone.wanted.all()


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
def test_frames_of_nothing_but_noise_are_not_tracked(tracker):
    made = film(breathing(10), duration_s=2, seed=8)
    made.cine.frames[4:10] = np.random.default_rng(0).normal(300, 30, made.cine.frames[4:10].shape).astype(np.uint16)
    made.cine.frames[12] = 0
    track = followed(tracker(), made)
    assert [k for k, region in enumerate(track.regions) if region is None] == [4, 5, 6, 7, 8, 9, 12]


@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
def test_a_target_at_the_edge_of_the_frame_does_not_break_the_tracker(tracker):
    made = film(lambda t: 75 * np.sin(np.pi * t / 4), duration_s=3, pixels=64, seed=9)
    trace = trace_of(followed(tracker(), made))
    assert not (trace.wanted & ~truth_wanted(made)).any()


@pytest.mark.slow
@pytest.mark.parametrize("tracker", [TemplateTracker, OpticalFlowTracker])
@settings(max_examples=12, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    range_mm=st.floats(0, 35), period_s=st.floats(3, 6), drift=st.floats(-0.3, 0.3), snr=st.floats(8, 20),
    seed=st.integers(0, 1000), leaves_s=st.floats(1.5, 6), slow_s=st.floats(0.3, 2),
)  # fmt: skip
@example(range_mm=0.0, period_s=3.0, drift=0.0, snr=8.0, seed=505, leaves_s=3.0, slow_s=1.0)
def test_whatever_the_motion_a_lost_target_is_never_beam_on(
    tracker, range_mm, period_s, drift, snr, seed, leaves_s, slow_s
):
    made = film(
        breathing(range_mm, period_s, drift),
        scale=lambda t: np.clip(1 - (t - leaves_s) / slow_s, 0, 1) + np.clip((t - leaves_s - 4) / slow_s, 0, 1),
        duration_s=8, snr=snr, pixels=96, seed=seed,
    )  # fmt: skip
    assert not trace_of(followed(tracker(), made)).wanted[made.scale <= 0].any()
