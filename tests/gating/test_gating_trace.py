"""Traces of trajectories that are given: duty cycles, holds and motion in closed form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from reviewer.case import Cine
from reviewer.errors import InputError
from reviewer.gating.agreement import agreement
from reviewer.gating.document import csv_of, json_of
from reviewer.gating.figure import HEIGHT_MM, WIDTH_MM, Line, figure_of
from reviewer.gating.motion import ways
from reviewer.gating.rule import Rule
from reviewer.gating.summary import lines
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
    assert json.loads(json_of([trace]))["traces"][0]["motion"][0]["range_mm"] is None


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


@pytest.mark.parametrize("latency_s", [0.0, 0.5])
def test_nobody_knows_where_the_target_was_while_the_cine_paused(latency_s):
    followed = track([0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0])
    followed.cine.times_s[:] = [0.0, 1.0, 2.0, 60.0, 61.0, 62.0, 63.0]
    trace = trace_of(followed, timing=Timing(latency_s))
    # The frame at 2 s lasts 1 s, as the others; on from 0 to 3 and from 61 to 64 s, later by the latency, of 7 s that were seen.
    assert trace.pauses.tolist() == [[3.0, 60.0]]
    assert trace.beam.tolist() == [[latency_s, 3.0], [61.0 + latency_s, 64.0]]
    assert trace.duty_cycle_percent == pytest.approx(100 * (6 - 2 * latency_s) / 7)
    assert [(h.start_s, h.end_s) for h in trace.holds][-1] == (60.0, 61.0 + latency_s)
    assert trace.beam_on.tolist() == [latency_s == 0, True, True, False, latency_s == 0, True, True]
    assert any("1 pause without frames, 57.0 s" in line for line in trace.statements)
    assert trace.late_s == 0


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
    (document,) = json.loads(json_of([trace]))["traces"]
    rows = list(csv.DictReader(io.StringIO(csv_of([trace]))))
    assert [f["shift_mm"] for f in document["frames"]] == [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 6.0], None]
    assert [row["si_mm"] for row in rows] == ["0.000", "2.000", "6.000", ""]
    assert document["frames"][2]["outside_percent"] == pytest.approx(15.0)
    assert document["frames"][3]["outside_percent"] is None
    assert [row["outside_percent"] for row in rows] == ["0.000", "0.000", "15.000", ""]
    assert (
        [row["beam_on"] for row in rows] == [str(int(f["beam_on"])) for f in document["frames"]] == ["1", "1", "0", "0"]
    )


def test_against_labels_by_hand():
    # A square of 20 mm, labelled where it was at rest, tracked 0, 2, 5 mm off; lost on one frame, without a label on another.
    followed = track([0.0, 2.0, 5.0, 0.0, 9.0], lost=[3])
    labelled = (SQUARE, SQUARE, SQUARE, SQUARE, None)
    found = agreement(followed.regions, labelled, 0)
    # Overlap of squares d mm apart: 20 × (20 - d) of 400 mm² each, so that Dice is 1 - d / 20.
    assert found.dice == pytest.approx([np.nan, 0.9, 0.75, np.nan, np.nan], nan_ok=True)
    assert found.centroid_mm == pytest.approx([np.nan, 2.0, 5.0, np.nan, np.nan], nan_ok=True)
    assert (found.frames, found.tracked) == (3, 2), "neither the reference frame nor one without a label counts"
    assert found.dice_mean == pytest.approx(0.825)
    assert found.dice_least == pytest.approx(0.75)
    assert found.dice_mean_with_lost == pytest.approx((0.9 + 0.75) / 3)
    assert found.centroid_mean_mm == pytest.approx(3.5)
    target = replace(followed.target, labelled=labelled)
    trace = trace_of(replace(followed, target=target, agreement=found))
    # By the labels the beam is on throughout; the track holds it on frame 2 (2 of 20 mm out) and on frame 3 (lost).
    assert trace.same_as_labelled_percent == pytest.approx(100 / 3)
    assert trace.on_while_labelled_out == 0
    out = tuple(None if r is None else moved(r, 8.0) for r in labelled)
    assert trace_of(replace(followed, target=replace(target, labelled=out), agreement=found)).on_while_labelled_out == 1
    (document,) = json.loads(json_of([trace]))["traces"]
    assert document["labels"]["dice_mean"] == pytest.approx(0.825)
    assert [f["dice"] for f in document["frames"]] == [None, pytest.approx(0.9), pytest.approx(0.75), None, None]
    shown = {line.name: line.values for line in lines([trace])}
    assert shown["Labelled"] == ("2 of 3",)
    assert shown["Dice, least"] == ("0.750",)


def moved(region, si_mm):
    return shapely.transform(region, lambda p: p - (0.0, si_mm))


def test_nothing_tracked_agrees_with_nothing():
    found = agreement([None, None], [SQUARE, SQUARE], 0)
    assert (found.frames, found.tracked, found.dice_mean, found.centroid_mean_mm) == (1, 0, None, None)
    assert found.dice_mean_with_lost == 0


def test_two_backends_side_by_side():
    one, other = trace_of(track([0.0, 0.0, 0.0, 0.0])), trace_of(track([0.0, 1.0, 3.0, 8.0]))
    (against,) = json.loads(json_of([one, other]))["compared"]
    assert against["centroids_apart_mm"]["mean"] == pytest.approx(4.0)
    assert against["centroids_apart_mm"]["largest"] == pytest.approx(8.0)
    assert against["same_beam_percent"] == pytest.approx(75.0)
    rows = list(csv.DictReader(io.StringIO(csv_of([one, other]))))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3"] * 2
    shown = {line.name: line.values for line in lines([one, other])}
    assert shown["Centroids apart"] == ("–", "4.0 mm")
    assert "Centroids apart" not in {line.name for line in lines([one])}


@given(shifts=st.lists(st.floats(-30, 30), min_size=2, max_size=12), data=st.data())
def test_the_beam_is_never_on_for_what_is_lost_or_out(shifts, data):
    lost = data.draw(st.sets(st.integers(0, len(shifts) - 1)))
    trace = trace_of(track(shifts, lost=lost))
    unsafe = [k in lost or abs(s) >= 4.0 for k, s in enumerate(shifts)]  # 4 mm: 1 of 20 mm outside
    assert not (trace.beam_on & np.array(unsafe)).any()
    held = sum(h.length_s for h in trace.holds)
    assert held + trace.duty_cycle_percent / 100 * (trace.end_s - trace.times_s[0]) == pytest.approx(
        trace.end_s - trace.times_s[0]
    )


def test_the_drawing_stays_on_its_sheet_and_breaks_where_nothing_is_known():
    marks = figure_of([trace_of(track(np.linspace(0, 20, 20), lost=[8, 9]))])
    for mark in marks:
        points = mark.points if isinstance(mark, Line) else ((mark.x, mark.y),)
        assert all(0 <= x <= WIDTH_MM and 0 <= y <= HEIGHT_MM for x, y in points)
    assert [len(m.points) for m in marks if isinstance(m, Line) and m.role == "outside"] == [8, 10]


def test_one_frame_is_no_cine():
    with pytest.raises(InputError, match="two frames"):
        trace_of(track([0.0]))
