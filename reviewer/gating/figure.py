"""The traces drawn for paper: lines, bars and words on a sheet in mm, for whatever writes them (PDF, SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from reviewer.gating.rule import Floats
from reviewer.gating.trace import Trace

Role = Literal["beam", "grid", "words", "limit", "outside", "first", "second", "labelled"]
"""What a mark stands for."""

COLOURS: Mapping[Role, str] = MappingProxyType(
    {
        "beam": "#d5efe4", "grid": "#c9d0d7", "words": "#5b6773", "limit": "#b3261e",
        "outside": "#1b2430", "first": "#1769aa", "second": "#a8640a", "labelled": "#7a3fa0",
    }
)  # fmt: skip
"""On white."""

WIDTH_MM, HEIGHT_MM = 180.0, 78.0
LEFT_MM, RIGHT_MM = 13.0, 2.0
CHARTS = ((44.0, 74.0), (9.0, 38.0))
"""Bottom and top of the share outside, and of the motion; y is up."""

DASHES: tuple[tuple[float, ...], ...] = ((), (2.0, 0.9), (0.5, 0.8))
"""Of the backends in their order, in mm."""


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    role: Role


@dataclass(frozen=True)
class Line:
    points: tuple[tuple[float, float], ...]
    role: Role
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Words:
    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"]
    role: Role = "words"


Mark = Bar | Line | Words


def figure_of(traces: Sequence[Trace]) -> tuple[Mark, ...]:
    """Share outside and motion in time, the time with beam of the first trace shaded; x from 0 to WIDTH_MM, y up from 0 to HEIGHT_MM."""
    return tuple(_marks(traces))


@dataclass(frozen=True)
class _Chart:
    """A frame in which times (s) and values lie."""

    bottom: float
    top: float
    start_s: float
    end_s: float
    low: float
    high: float

    def x(self, time_s: float) -> float:
        return LEFT_MM + (WIDTH_MM - LEFT_MM - RIGHT_MM) * (time_s - self.start_s) / (self.end_s - self.start_s)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom + (self.top - self.bottom) * min(max(share, 0.0), 1.0)

    def curve(self, times: Floats, values: Floats, role: Role, dash: tuple[float, ...]) -> Iterator[Line]:
        """Broken where nothing is known."""
        known = np.flatnonzero(np.isfinite(values))
        for piece in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            if len(piece):
                points = tuple((self.x(float(times[k])), self.y(float(values[k]))) for k in piece)
                yield Line(points if len(points) > 1 else (points[0], points[0]), role, dash)

    def frame(self, step: float, name: str, beam: Floats) -> Iterator[Mark]:
        for start, stop in beam.tolist():
            yield Bar(self.x(start), self.bottom, self.x(stop) - self.x(start), self.top - self.bottom, "beam")
        for n in range(int(np.ceil(self.low / step)), int(np.floor(self.high / step)) + 1):
            y = self.y(n * step)
            yield Line(((LEFT_MM, y), (WIDTH_MM - RIGHT_MM, y)), "grid")
            yield Words(LEFT_MM - 1, y - 0.9, f"{n * step:g}", "end")
        yield Words(LEFT_MM, self.top + 1, name, "start")


def _marks(traces: Sequence[Trace]) -> Iterator[Mark]:
    first = traces[0]
    start, end = float(first.times_s[0]), first.end_s
    shares = [t.outside_percent for t in traces] + [
        t.labelled_percent for t in traces if t.labelled_percent is not None
    ]
    most = min(100.0, max(20.0, float(np.nanmax(np.concatenate(shares), initial=0.0))))
    upper = _Chart(*CHARTS[0], start, end, 0.0, most)
    moved = np.concatenate([m.mm for t in traces for m in t.motion])
    low, high = float(np.nanmin(moved, initial=0.0)), float(np.nanmax(moved, initial=0.0))
    room = 0.05 * max(high - low, 2.0)
    lower = _Chart(*CHARTS[1], start, end, low - room, high + room)
    ways = [motion.way.name for motion in first.motion]
    told = " and labelled (dotted)" if first.labelled_percent is not None else ""
    yield from upper.frame(_step(most), f"target outside the boundary{told} [%]", first.beam)
    yield from lower.frame(_step(high - low), "shift of the centroid [mm]:", first.beam)
    yield Words(LEFT_MM + 36, lower.top + 1, ways[0], "start", "first")
    yield Words(LEFT_MM + 43, lower.top + 1, ways[1], "start", "second")
    limit = upper.y(first.rule.outside_percent)
    yield Line(((LEFT_MM, limit), (WIDTH_MM - RIGHT_MM, limit)), "limit", (1.5, 1.0))
    if first.labelled_percent is not None:
        yield from upper.curve(first.times_s, first.labelled_percent, "labelled", DASHES[2])
    for n, trace in reversed(list(enumerate(traces))):
        dash = DASHES[n % len(DASHES)]
        yield from upper.curve(trace.times_s, trace.outside_percent, "outside", dash)
        yield from lower.curve(trace.times_s, trace.motion[0].mm, "first", dash)
        yield from lower.curve(trace.times_s, trace.motion[1].mm, "second", dash)
    step = _step(end - start)
    for n in range(int(np.ceil(start / step)), int(np.floor(end / step)) + 1):
        yield Words(lower.x(n * step), 5.5, f"{n * step:g}", "middle")
    names = ("solid", "dashed", "dotted")
    lines = ", ".join(f"{names[n % len(names)]}: {t.track.backend}" for n, t in enumerate(traces))
    yield Words(LEFT_MM, 1.5, f"time [s], beam on shaded ({first.track.backend}); {lines}", "start")


def _step(span: float) -> float:
    """A round one that leaves six lines at most."""
    return next((s for s in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0) if span / s <= 6), 100.0)
