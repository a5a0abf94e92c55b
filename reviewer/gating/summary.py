"""The figures of a gating review in words: the rows of the panel's table, of `reviewer gating` and of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reviewer.gating.trace import Trace


@dataclass(frozen=True)
class Line:
    """values: one for each trace."""

    name: str
    meaning: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Apart:
    """Distance of two tracks' centroids, mm, over the frames on which both have the target; None where there is none."""

    mean_mm: float | None
    percentile_95_mm: float | None
    largest_mm: float | None


def apart(trace: Trace, first: Trace) -> Apart:
    """A track against that of another backend; the reference frame, on which the target was given, does not count."""
    distances = np.linalg.norm(trace.track.shift_mm - first.track.shift_mm, axis=1)
    distances[first.track.target.reference] = np.nan
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        return Apart(None, None, None)
    return Apart(float(distances.mean()), float(np.percentile(distances, 95)), float(distances.max()))


def same_beam_percent(trace: Trace, first: Trace) -> float:
    """Share of the frames on which both decide the same."""
    return 100 * float((trace.wanted == first.wanted).mean())


def lines(traces: Sequence[Trace]) -> list[Line]:
    """Of traces of one cine, a value for each; those of one backend against the first only where there are several."""
    return [
        Line(name, meaning, values)
        for name, meaning, values in (*_beam(traces), *_motion(traces), *_labels(traces), *_between(traces))
    ]


Rows = Iterator[tuple[str, str, tuple[str, ...]]]


def _beam(traces: Sequence[Trace]) -> Rows:
    holds = [[h.length_s for h in trace.holds] for trace in traces]
    lost = [sum(region is None for region in trace.track.regions) for trace in traces]
    yield (
        "Duty cycle",
        "Share of the time in which the beam is on",
        tuple(f"{t.duty_cycle_percent:.1f} %" for t in traces),
    )
    yield "Holds", "How often the beam is off", tuple(str(len(each)) for each in holds)
    yield (
        "Longest hold",
        "The longest time without beam",
        tuple(f"{max(h):.2f} s" if h else "none" for h in holds),
    )
    yield "Mean hold", "Mean time without beam", tuple(f"{sum(h) / len(h):.2f} s" if h else "none" for h in holds)
    yield (
        "Not tracked",
        "Frames on which the target was not found: the beam is off",
        tuple(_frames(n) for n in lost),
    )
    yield (
        "Beam on while out",
        "The price of latency: time with beam while the target, as seen, is outside or lost",
        tuple(f"{t.late_s:.2f} s" for t in traces),
    )


def _motion(traces: Sequence[Trace]) -> Rows:
    for n in range(2 if traces else 0):
        ways = [trace.motion[n] for trace in traces]
        name = ways[0].way.name
        meaning = f"Largest less smallest shift, {ways[0].way.positive} is positive"
        yield f"{name} range", meaning, tuple(_mm(w.range_mm) for w in ways)
        yield f"{name} with beam", "The same, while the beam is on", tuple(_mm(w.range_on_mm) for w in ways)
        meaning = "Slope of the straight line through all tracked frames"
        yield f"{name} drift", meaning, tuple(_mm(w.drift_mm_per_min, "/min") for w in ways)


def _labels(traces: Sequence[Trace]) -> Rows:
    found = [t.track.agreement for t in traces]
    against = [a for a in found if a is not None]
    if not against or len(against) < len(traces):
        return
    yield (
        "Labelled",
        "Frames with a label on which the target was tracked, of all with one; the reference frame does not count",
        tuple(f"{a.tracked} of {a.frames}" for a in against),
    )
    yield "Dice", "Tracked against labelled target, mean over those frames", tuple(_dice(a.dice_mean) for a in against)
    yield "Dice, least", "The worst of those frames", tuple(_dice(a.dice_least) for a in against)
    meaning = "Distance of the tracked from the labelled centroid, mean over those frames"
    yield "Centroid error", meaning, tuple(_mm(a.centroid_mean_mm) for a in against)
    meaning = "What 95 % of those frames stay within"
    yield "Centroid error 95 %", meaning, tuple(_mm(a.centroid_percentile_mm(95)) for a in against)
    meaning = "Frames with a label on which it decides as the track does, under the same rule"
    yield "Beam as labelled", meaning, tuple(_percent(t.same_as_labelled_percent) for t in traces)
    meaning = "Frames on which the track wants the beam while the target, as labelled, is outside"
    yield "On, labelled out", meaning, tuple(_frames(t.on_while_labelled_out or 0) for t in traces)


def _between(traces: Sequence[Trace]) -> Rows:
    if len(traces) < 2:
        return
    first, *others = traces
    against = [apart(trace, first) for trace in others]
    name = first.track.backend
    meaning = f"Distance of the centroid from that of {name}, mean over the frames on which both track"
    yield "Centroids apart", meaning, ("–", *(_mm(a.mean_mm) for a in against))
    yield "Most apart", "The largest of these distances", ("–", *(_mm(a.largest_mm) for a in against))
    meaning = f"Frames on which the beam is wanted or held as by {name}"
    yield "Same beam", meaning, ("–", *(_percent(same_beam_percent(t, first)) for t in others))


def statements(traces: Sequence[Trace]) -> list[str]:
    """Every statement once, and whose it is where not all make it; then who answered."""
    makers: dict[str, list[str]] = {}
    for trace in traces:
        for line in dict.fromkeys(trace.statements):
            makers.setdefault(line, []).append(trace.track.backend)
    said = [line if len(by) == len(traces) else f"{by[0]}: {line}" for line, by in makers.items()]
    origins = [trace.track.provenance for trace in traces]
    return [*said, *(f"{o.title} {o.version}, {o.licence}" for o in origins if o is not None)]


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"


def _mm(value: float | None, per: str = "") -> str:
    return "not known" if value is None else f"{round(value, 1) + 0.0:.1f} mm{per}"  # never -0.0


def _dice(value: float | None) -> str:
    return "not known" if value is None else f"{np.floor(1000 * value) / 1000:.3f}"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} %"
