"""Traces as a document (the keys of ``reviewer gating --json``) and as a table of frames (CSV)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from reviewer.backends.contract import Provenance
from reviewer.gating.agreement import Agreement
from reviewer.gating.summary import apart, same_beam_percent
from reviewer.gating.trace import Motion, Trace
from reviewer.geometry.region import rings_of


def document_of(traces: Sequence[Trace]) -> dict[str, Any]:
    """Plain values of traces of one target on one cine under one rule. What is not known is None, never 0.

    shift_mm: patient x, y, z, or (right, up, 0) of the picture where that is unknown. compared: each against the first.
    """
    first, *others = traces
    track, grid = first.track, first.track.cine.grid
    return {
        "cine": {
            "description": track.cine.description,
            "series_uid": track.cine.id,
            "frames": len(track.regions),
            "duration_s": first.end_s - float(first.times_s[0]),
            "oriented": track.cine.oriented,
        },
        "target": {
            "name": track.target.name,
            "reference_frame": track.target.reference,
            "area_mm2": track.target.region.area,
            "contours_mm": [
                grid.point_mm([[u, v, grid.positions_mm[0]] for u, v in ring]).tolist()
                for ring in rings_of(track.target.region)
            ],
        },
        "rule": {"margin_mm": first.rule.margin_mm, "outside_percent": first.rule.outside_percent},
        "timing": {"latency_s": first.timing.latency_s, "horizon_s": first.timing.horizon_s},
        "traces": [_trace(trace) for trace in traces],
        "compared": [
            {
                "backend": other.track.backend,
                "with": track.backend,
                "centroids_apart_mm": _between(other, first),
                "same_beam_percent": same_beam_percent(other, first),
            }
            for other in others
        ],
    }


def _between(other: Trace, first: Trace) -> dict[str, float | None]:
    found = apart(other, first)
    return {"mean": found.mean_mm, "percentile_95": found.percentile_95_mm, "largest": found.largest_mm}


def json_of(traces: Sequence[Trace]) -> str:
    return json.dumps(document_of(traces), indent=2, allow_nan=False)


def _trace(trace: Trace) -> dict[str, Any]:
    track, grid = trace.track, trace.track.cine.grid
    flips = (1.0, 1.0) if track.cine.oriented else (1.0, -1.0)
    shifts = (track.shift_mm * flips) @ grid.axes[:2]
    found = track.agreement
    frames: list[dict[str, Any]] = []
    for k, region in enumerate(track.regions):
        frame = {
            "time_s": float(trace.times_s[k]),
            "tracked": region is not None,
            "outside_percent": _known(trace.outside_percent[k]),
            "predicted_percent": _known(trace.predicted_percent[k]),
            "beam_on": bool(trace.beam_on[k]),
            "shift_mm": None if region is None else shifts[k].tolist(),
            "confidence": float(track.confidence[k]),
            "frame_ms": float(track.frame_ms[k]),
        }
        if found is not None and trace.labelled_percent is not None:
            frame |= {
                "dice": _known(found.dice[k]),
                "centroid_error_mm": _known(found.centroid_mm[k]),
                "labelled_outside_percent": _known(trace.labelled_percent[k]),
            }
        frames.append(frame)
    return {
        "backend": _backend(track.provenance),
        "statements": list(trace.statements),
        "duty_cycle_percent": trace.duty_cycle_percent,
        "holds": [
            {"start_s": h.start_s, "end_s": h.end_s, "length_s": h.length_s, "reason": h.reason} for h in trace.holds
        ],
        "late_s": trace.late_s,
        "not_tracked_frames": sum(region is None for region in track.regions),
        "motion": [_motion(m) for m in trace.motion],
        "labels": None if found is None else _labels(trace, found),
        "frames": frames,
    }


def _backend(provenance: Provenance | None) -> dict[str, Any] | None:
    if provenance is None:
        return None
    return {
        "name": provenance.backend,
        "title": provenance.title,
        "version": provenance.version,
        "licence": provenance.licence,
        "settings": dict(provenance.settings),
        "job_sha256": provenance.job_sha256,
        "wall_s": provenance.wall_s,
        "statements": list(provenance.statements),
    }


def _labels(trace: Trace, found: Agreement) -> dict[str, Any]:
    return {
        "frames": found.frames,
        "tracked": found.tracked,
        "dice_mean": found.dice_mean,
        "dice_least": found.dice_least,
        "dice_mean_with_lost": found.dice_mean_with_lost,
        "centroid_error_mm": _distances(found),
        "same_beam_percent": trace.same_as_labelled_percent,
        "on_while_labelled_out_frames": trace.on_while_labelled_out,
    }


def _distances(found: Agreement) -> dict[str, float | None]:
    return {
        "mean": found.centroid_mean_mm,
        "percentile_95": found.centroid_percentile_mm(95),
        "largest": found.centroid_percentile_mm(100),
    }


def _motion(motion: Motion) -> dict[str, Any]:
    return {
        "way": motion.way.name,
        "positive": motion.way.positive,
        "range_mm": motion.range_mm,
        "range_beam_on_mm": motion.range_on_mm,
        "drift_mm_per_min": motion.drift_mm_per_min,
    }


def csv_of(traces: Sequence[Trace]) -> str:
    """One line a frame and backend: time, share outside, shift along each way, confidence, beam. What is not known is empty.

    With labels also Dice, error of the centroid, and the share outside as labelled.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ways = [f"{motion.way.name.lower()}_mm" for motion in traces[0].motion]
    labelled = any(trace.track.agreement is not None for trace in traces)
    writer.writerow(
        ["backend", "frame", "time_s", "tracked", "outside_percent", "predicted_percent", *ways, "confidence"]
        + ["beam_on"]
        + (["dice", "centroid_error_mm", "labelled_outside_percent"] if labelled else [])
    )
    for trace in traces:
        found = trace.track.agreement
        for k, region in enumerate(trace.track.regions):
            row = [
                trace.track.backend,
                k,
                f"{trace.times_s[k]:.4f}",
                int(region is not None),
                _text(trace.outside_percent[k], 3),
                _text(trace.predicted_percent[k], 3),
                *(_text(motion.mm[k], 3) for motion in trace.motion),
                f"{trace.track.confidence[k]:.4f}",
                int(trace.beam_on[k]),
            ]
            if found is not None and trace.labelled_percent is not None:
                row += [_text(found.dice[k], 4), _text(found.centroid_mm[k], 3), _text(trace.labelled_percent[k], 3)]
            writer.writerow(row)
    return out.getvalue()


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
