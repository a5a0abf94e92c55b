"""A trace as a document (the keys of ``reviewer gating --json``) and as a table of frames (CSV)."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from reviewer.gating.trace import Motion, Trace
from reviewer.geometry.region import rings_of


def document_of(trace: Trace) -> dict[str, Any]:
    """Plain values. What is not known is None, never 0. shift_mm: patient x, y, z, or (right, up, 0) of the picture where that is unknown."""
    track, grid = trace.track, trace.track.cine.grid
    provenance = track.provenance
    flips = (1.0, 1.0) if track.cine.oriented else (1.0, -1.0)
    shifts = (track.shift_mm * flips) @ grid.axes[:2]
    backend = (
        {
            "name": provenance.backend,
            "title": provenance.title,
            "version": provenance.version,
            "licence": provenance.licence,
            "settings": dict(provenance.settings),
            "job_sha256": provenance.job_sha256,
            "wall_s": provenance.wall_s,
            "statements": list(provenance.statements),
        }
        if provenance is not None
        else None
    )
    return {
        "backend": backend,
        "statements": list(track.statements),
        "cine": {
            "description": track.cine.description,
            "series_uid": track.cine.id,
            "frames": len(track.regions),
            "oriented": track.cine.oriented,
        },
        "target": {
            "name": track.target.name,
            "reference_frame": track.target.reference,
            "area_mm2": track.target.region.area,
            "contours_mm": [
                grid.point_mm([[u, v, grid.positions_mm[0]] for u, v in ring]) for ring in rings_of(track.target.region)
            ],
        },
        "rule": {"margin_mm": trace.rule.margin_mm, "outside_percent": trace.rule.outside_percent},
        "timing": {"latency_s": trace.timing.latency_s, "horizon_s": trace.timing.horizon_s},
        "frames": [
            {
                "time_s": float(trace.times_s[k]),
                "tracked": region is not None,
                "outside_percent": _known(trace.outside_percent[k]),
                "predicted_percent": _known(trace.predicted_percent[k]),
                "beam_on": bool(trace.beam_on[k]),
                "shift_mm": None if region is None else shifts[k].tolist(),
                "confidence": float(track.confidence[k]),
                "frame_ms": float(track.frame_ms[k]),
            }
            for k, region in enumerate(track.regions)
        ],
        "duty_cycle_percent": trace.duty_cycle_percent,
        "duration_s": trace.end_s - float(trace.times_s[0]),
        "holds": [
            {"start_s": h.start_s, "end_s": h.end_s, "length_s": h.length_s, "reason": h.reason} for h in trace.holds
        ],
        "late_s": trace.late_s,
        "not_tracked_frames": sum(region is None for region in track.regions),
        "motion": [_motion(m) for m in trace.motion],
    }


def _motion(motion: Motion) -> dict[str, Any]:
    return {
        "way": motion.way.name,
        "positive": motion.way.positive,
        "range_mm": motion.range_mm,
        "range_beam_on_mm": motion.range_on_mm,
        "drift_mm_per_min": motion.drift_mm_per_min,
    }


def csv_of(trace: Trace) -> str:
    """One line a frame: time, share outside, shift along each way, confidence, beam. What is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f"{motion.way.name.lower()}_mm" for motion in trace.motion]
    writer.writerow(["frame", "time_s", "tracked", "outside_percent", *names, "confidence", "beam_on"])
    for k, region in enumerate(trace.track.regions):
        writer.writerow(
            [
                k,
                f"{trace.times_s[k]:.4f}",
                int(region is not None),
                _text(trace.outside_percent[k], 3),
                *(_text(motion.mm[k], 3) for motion in trace.motion),
                f"{trace.track.confidence[k]:.4f}",
                int(trace.beam_on[k]),
            ]
        )
    return out.getvalue()


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
