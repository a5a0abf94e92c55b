"""Traces of trajectories that are given: duty cycles, holds and motion in closed form."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import shapely

from reviewer.case import Cine
from reviewer.errors import InputError
from reviewer.gating.document import csv_of, document_of
from reviewer.gating.motion import ways
from reviewer.gating.rule import Rule
from reviewer.gating.target import Target
from reviewer.gating.trace import NOT_TRACKED, OUTSIDE, WAITING, Timing, trace_of
from reviewer.gating.tracking import Track
from reviewer.geometry.grid import Grid

SAGITTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
SQUARE = shapely.box(-10, -10, 10, 10)


def track(si_mm, fps=4.0, lost=(), axes=SAGITTAL, oriented=True):
    """A square of 20 mm that goes up by si_mm, exactly as tracked; lost: frames on which it was not."""
    si = np.asarray(si_mm, dtype=float)
    times = np.arange(len(si)) / fps
    grid = Grid(axes, (-50.0, -50.0), (2.0, 2.0), (51, 51), np.array([0.0]), "F", 7.0)
    cine = Cine("c", "MR", "cine", grid, np.zeros((len(si), 51, 51), np.uint16), times, oriented=oriented)
    shift = np.column_stack([0 * si, -si])
    regions = [shapely.transform(SQUARE, lambda p, by=by: p + by) for by in shift]
    for k in lost:
        regions[k], shift[k] = None, np.nan
    sure = np.array([0.0 if k in lost else 0.9 for k in range(len(si))])
    return Track(cine, Target("GTV", SQUARE, 0), tuple(regions), shift, sure, np.ones(len(si)), ("test",))


@pytest.mark.parametrize("fps", [4, 8])
def test_the_duty_cycle_of_a_triangle_wave_is_exact(fps):
    # 0 to 16 mm and back in 8 s: 4 mm/s. Held from 4 mm on (1 mm of 20 outside): on for the first and the last second of each cycle.
    # Frames at k/fps: at 1 s the target is at 4 mm, held; at 7 s it is at 4 mm, held; so on are the frames in [0, 1) and in (7, 8).
    times = np.arange(16 * fps) / fps
    t = times % 8
    trace = trace_of(track(np.minimum(t, 8 - t) * 4, fps))
    on_frames = 2 * (fps + fps - 1)
    assert trace.duty_cycle_percent == pytest.approx(100 * on_frames / (16 * fps), abs=1e-9)
    assert int(trace.beam_on.sum()) == on_frames
    assert [(h.start_s, h.end_s, h.reason) for h in trace.holds] == [
        (1.0, 7.0 + 1 / fps, OUTSIDE),
        (9.0, 15.0 + 1 / fps, OUTSIDE),
    ]
    assert trace.late_s == 0


@pytest.mark.parametrize("fps", [4, 8])
def test_latency_shifts_the_beam_and_its_price_is_told(fps):
    t = np.arange(16 * fps) / fps % 8
    trace = trace_of(track(np.minimum(t, 8 - t) * 4, fps), timing=Timing(latency_s=0.1))
    # Every switch comes 0.1 s later; nothing is decided in the first 0.1 s; twice the beam stays on for 0.1 s of a target that is out.
    assert trace.holds[0] == type(trace.holds[0])(0.0, 0.1, WAITING)
    assert [h.start_s for h in trace.holds[1:]] == pytest.approx([1.1, 9.1])
    assert [h.end_s for h in trace.holds[1:]] == pytest.approx([7.1 + 1 / fps, 15.1 + 1 / fps])
    lengths = 0.1 + 2 * (6 + 1 / fps)
    assert trace.duty_cycle_percent == pytest.approx(100 * (16 - lengths) / 16)
    assert trace.late_s == pytest.approx(0.2)
    assert trace.beam_on[0] == np.False_, "at its own time no frame has been acted on yet"


def test_a_prediction_by_the_latency_takes_the_price_away():
    times = np.arange(64) / 8
    t = times % 8
    plain = trace_of(track(np.minimum(t, 8 - t) * 4, 8), timing=Timing(0.25, 0.0))
    ahead = trace_of(track(np.minimum(t, 8 - t) * 4, 8), timing=Timing(0.25, 0.25))
    assert plain.late_s == pytest.approx(0.25)
    assert ahead.late_s == pytest.approx(0.0)
    assert ahead.outside_percent == pytest.approx(plain.outside_percent), "what was seen stays what it was"


def test_a_lost_target_holds_the_beam_and_says_so():
    trace = trace_of(track(np.zeros(40), lost=range(10, 20)))
    assert trace.duty_cycle_percent == pytest.approx(75.0)
    assert [(h.start_s, h.end_s, h.reason) for h in trace.holds] == [(2.5, 5.0, NOT_TRACKED)]
    assert np.isnan(trace.outside_percent[10:20]).all()
    assert not trace.beam_on[10:20].any()


def test_all_lost():
    trace = trace_of(track(np.zeros(8), lost=range(8)))
    assert trace.duty_cycle_percent == 0
    assert trace.motion[0].range_mm is None
    assert trace.motion[0].drift_mm_per_min is None
    assert json.dumps(document_of(trace)["motion"])


def test_another_rule_needs_no_tracking():
    followed = track(np.linspace(0, 8, 33))
    # A square of 20 mm, moved by d: (d - margin) / 20 is outside.
    assert trace_of(followed, Rule(0.0, 10.0)).wanted.sum() == np.count_nonzero(np.linspace(0, 8, 33) < 2 - 1e-9)
    assert trace_of(followed, Rule(5.0, 5.0)).wanted.sum() == np.count_nonzero(np.linspace(0, 8, 33) < 6 - 1e-9)


def test_range_and_drift():
    times = np.arange(240) / 8
    trace = trace_of(track(0.1 * times))
    si, ap = trace.motion
    assert (si.way.name, ap.way.name) == ("SI", "AP")
    assert si.range_mm == pytest.approx(0.1 * times[-1])
    # The trace is made at 4 frames/s of a motion made for 8: half as fast in time.
    assert si.drift_mm_per_min == pytest.approx(0.1 * 60 / 2)
    assert ap.range_mm == pytest.approx(0, abs=1e-9)


def test_uneven_times_weigh_as_long_as_they_last():
    followed = track([0.0, 10.0, 0.0, 0.0])
    followed.cine.times_s[:] = [0.0, 1.0, 4.0, 5.0]
    trace = trace_of(followed)
    # Gaps of 1, 3, 1 s; the last frame lasts their median of 1 s; held for 3 of 6 s.
    assert trace.end_s == 6.0
    assert trace.duty_cycle_percent == pytest.approx(50.0)


def test_ways_of_other_planes():
    coronal = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    si, lr = ways(track([0.0, 0.0], axes=coronal).cine)
    assert (si.name, si.direction.tolist()) == ("SI", [0.0, -1.0])
    assert (lr.name, lr.direction.tolist()) == ("LR", [1.0, 0.0])
    si, ap = ways(track([0.0, 0.0]).cine)
    assert (ap.name, ap.direction.tolist()) == ("AP", [-1.0, 0.0])
    up, right = ways(track([0.0, 0.0], axes=np.eye(3), oriented=False).cine)
    assert (up.name, right.name) == ("up", "right")
    assert up.direction.tolist() == [0.0, -1.0]


def test_the_document_and_the_table_say_the_same():
    trace = trace_of(track([0.0, 2.0, 6.0, 0.0], lost=[3]))
    document = json.loads(json.dumps(document_of(trace), default=np.ndarray.tolist))
    rows = list(csv.DictReader(io.StringIO(csv_of(trace))))
    assert [f["shift_mm"] for f in document["frames"]] == [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 6.0], None]
    assert [row["si_mm"] for row in rows] == ["0.000", "2.000", "6.000", ""]
    assert document["frames"][2]["outside_percent"] == pytest.approx(15.0)
    assert document["frames"][3]["outside_percent"] is None
    assert [row["outside_percent"] for row in rows] == ["0.000", "0.000", "15.000", ""]
    assert (
        [row["beam_on"] for row in rows] == [str(int(f["beam_on"])) for f in document["frames"]] == ["1", "1", "0", "0"]
    )


def test_one_frame_is_no_cine():
    with pytest.raises(InputError, match="two frames"):
        trace_of(track([0.0]))
