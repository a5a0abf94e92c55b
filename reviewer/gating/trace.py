"""What a rule makes of a track: when the beam was on, how long it was held, how far the target went.

Nothing is tracked again for another rule: 240 frames take some 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.errors import InputError
from reviewer.gating.motion import Way, ways
from reviewer.gating.rule import Floats, Rule, outside_percent
from reviewer.gating.tracking import Track
from reviewer.geometry.region import Region

OUTSIDE, NOT_TRACKED, WAITING = "outside", "not tracked", "no decision yet"

PAUSE = 4.0
"""Where the next frame comes later than this many times the median, the cine has paused: nobody saw the target, and no time is counted."""


@dataclass(frozen=True)
class Timing:
    """How the machine follows. latency_s: from the time of a frame to when the beam obeys what was decided on it.

    horizon_s: decide on where the target will be so much later, by the straight line through the last two tracked frames; 0: where it was seen.
    """

    latency_s: float = 0.0
    horizon_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.latency_s <= 5 or not 0 <= self.horizon_s <= 5:
            raise InputError("latency and prediction horizon are 0 to 5 s")


@dataclass(frozen=True)
class Hold:
    """The beam was off from start_s to end_s. reason: OUTSIDE, NOT_TRACKED, WAITING, joined by ", " where there were several."""

    start_s: float
    end_s: float
    reason: str

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Motion:
    """Of the target's centroid along one way, over the frames on which it was tracked; None where these are too few.

    range_mm:       largest less smallest.
    range_on_mm:    the same over the frames during which the beam was on.
    drift_mm_per_min: slope of the least-squares line through time.
    """

    way: Way
    mm: Floats
    range_mm: float | None
    range_on_mm: float | None
    drift_mm_per_min: float | None


@dataclass(frozen=True, eq=False)
class Trace:
    """times_s: (t,); a frame stands for the time until the next one, the last for the median of such times: end_s is when that ends.

    pauses:    (n, 2) from when to when the cine has paused, s; the frame before one stands for the median, too. Neither beam nor hold.
    outside_percent: (t,) of the target as seen; NaN where it was not tracked.
    predicted_percent: (t,) of the target where it is expected after the horizon; the same where there is none.
    wanted:    (t,) what is decided on each frame. beam_on: (t,) what the beam does at the time of each frame.
    beam:      (n, 2) from when to when the beam is on, s.
    duty_cycle_percent: share of the time in which the beam is on; pauses are no such time.
    late_s:    time for which the beam is on though the target, as seen, is outside or not tracked: the price of latency.
    labelled_percent: (t,) of the target outside as it is labelled, NaN on frames without a label; None where it has no labels.
    """

    track: Track
    rule: Rule
    timing: Timing
    boundary: Region
    times_s: Floats
    end_s: float
    outside_percent: Floats
    predicted_percent: Floats
    wanted: NDArray[np.bool_]
    beam_on: NDArray[np.bool_]
    pauses: Floats
    beam: Floats
    duty_cycle_percent: float
    holds: tuple[Hold, ...]
    late_s: float
    motion: tuple[Motion, Motion]
    labelled_percent: Floats | None = None

    @property
    def statements(self) -> tuple[str, ...]:
        """Those of the track, and whether the cine has paused."""
        if not len(self.pauses):
            return self.track.statements
        count = f"{len(self.pauses)} pause{'s' if len(self.pauses) > 1 else ''}"
        said = (
            f"{count} without frames, {_length(self.pauses):.1f} s: neither beam nor hold, left out of the duty cycle"
        )
        return (*self.track.statements, said)

    @property
    def same_as_labelled_percent(self) -> float | None:
        """Share of the labelled frames on which the labels decide as the track does. None without labels."""
        counted = self._counted
        if counted is None or not counted.any():
            return None
        return 100 * float((self.wanted == self._labelled_wanted)[counted].mean())

    @property
    def on_while_labelled_out(self) -> int | None:
        """Frames on which the beam is wanted though the target, as labelled, is outside. None without labels."""
        counted = self._counted
        return None if counted is None else int(np.count_nonzero((self.wanted & ~self._labelled_wanted)[counted]))

    @property
    def _counted(self) -> NDArray[np.bool_] | None:
        return self.track.agreement.counted if self.track.agreement is not None else None

    @property
    def _labelled_wanted(self) -> NDArray[np.bool_]:
        assert self.labelled_percent is not None
        return ~self.rule.holds(self.labelled_percent)


def trace_of(track: Track, rule: Rule | None = None, timing: Timing | None = None) -> Trace:
    """The trace of a track under a rule. Raises InputError for fewer than two frames."""
    rule, timing = rule or Rule(), timing or Timing()
    times = np.asarray(track.cine.times_s, dtype=np.float64)
    if len(times) < 2:
        raise InputError("a cine needs at least two frames")
    gaps = np.diff(times)
    usual = float(np.median(gaps))
    end = float(times[-1]) + usual
    paused = gaps > PAUSE * usual
    pauses = np.column_stack([times[:-1][paused] + usual, times[1:][paused]])
    boundary = rule.boundary(track.target.region)
    seen = outside_percent(track.regions, boundary)
    ahead = outside_percent(_predicted(track, times, timing.horizon_s), boundary) if timing.horizon_s > 0 else seen
    wanted = ~rule.holds(ahead)
    causes = [NOT_TRACKED if region is None else OUTSIDE for region in track.regions]

    # What was decided before a pause does not hold behind it.
    forgotten = np.maximum(pauses[:, 0], times[:-1][paused] + timing.latency_s)
    decided = np.concatenate([times + timing.latency_s, forgotten])
    order = np.argsort(decided, kind="stable")
    decided = decided[order]
    states = np.concatenate([[False], np.concatenate([wanted, np.zeros(len(forgotten), dtype=bool)])[order]])
    said = [WAITING, *(([*causes, *[WAITING] * len(forgotten)])[k] for k in order)]
    borders = np.concatenate([[times[0]], np.minimum(decided, end), [end]])
    beam = _without(_joined(borders, states), pauses)
    holds = tuple(
        Hold(start, stop, _reason(borders, said, start, stop))
        for start, stop in _without(_joined(borders, ~states), pauses).tolist()
    )
    beam_on = states[np.searchsorted(decided, times + 1e-9, side="right")]

    labelled = track.target.labelled
    unsafe = _joined(np.concatenate([times, [end]]), rule.holds(seen))
    return Trace(
        track=track,
        rule=rule,
        timing=timing,
        boundary=boundary,
        times_s=times,
        end_s=end,
        outside_percent=seen,
        predicted_percent=ahead,
        wanted=wanted,
        beam_on=beam_on,
        pauses=pauses,
        beam=beam,
        duty_cycle_percent=100 * _length(beam) / (end - float(times[0]) - _length(pauses)),
        holds=holds,
        late_s=_overlap(beam, unsafe),
        motion=tuple(_motion(way, track.shift_mm @ way.direction, times, beam_on) for way in ways(track.cine)),  # type: ignore[arg-type]
        labelled_percent=outside_percent(labelled, boundary) if labelled else None,
    )


def _predicted(track: Track, times: Floats, horizon_s: float) -> list[Region | None]:
    """The regions, moved on as they moved from the frame before; one that was not tracked just before stays where it is."""
    velocity = np.diff(track.shift_mm, axis=0, prepend=np.nan) / np.diff(times, prepend=np.nan)[:, None]
    velocity[~np.isfinite(velocity).all(axis=1)] = 0.0
    return [
        None if region is None else shapely.transform(region, lambda p, by=by: p + by)
        for region, by in zip(track.regions, velocity * horizon_s, strict=True)
    ]


def _joined(borders: Floats, states: NDArray[np.bool_]) -> Floats:
    """(n, 2) longest times through which a state holds; states[i] from borders[i] to borders[i + 1], those without length left out."""
    kept = np.diff(borders) > 0
    edges = np.diff(np.concatenate([[0], states[kept].astype(int), [0]]))
    at = np.append(borders[:-1][kept], borders[-1])
    return np.column_stack([at[edges == 1], at[edges == -1]])


def _without(spans: Floats, pauses: Floats) -> Floats:
    """(n, 2) what is left of the spans of time, which do not overlap each other."""
    for low, high in pauses.tolist():
        before = np.column_stack([spans[:, 0], np.minimum(spans[:, 1], low)])
        after = np.column_stack([np.maximum(spans[:, 0], high), spans[:, 1]])
        spans = np.concatenate([before, after])
        spans = spans[spans[:, 0] < spans[:, 1]]
    return spans[np.argsort(spans[:, 0], kind="stable")]


def _length(spans: Floats) -> float:
    return float(np.diff(spans, axis=1).sum())


def _reason(borders: Floats, said: list[str], start: float, stop: float) -> str:
    inside = [s for s, a, b in zip(said, borders[:-1], borders[1:], strict=True) if a < b and a < stop and b > start]
    return ", ".join(dict.fromkeys(inside))


def _overlap(a: Floats, b: Floats) -> float:
    low = np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 1], b[None, :, 1])
    return float(np.maximum(high - low, 0).sum())


def _motion(way: Way, mm: Floats, times: Floats, beam_on: NDArray[np.bool_]) -> Motion:
    there = np.isfinite(mm)
    on = there & beam_on
    return Motion(
        way,
        mm,
        float(np.ptp(mm[there])) if there.any() else None,
        float(np.ptp(mm[on])) if on.any() else None,
        60 * float(np.polyfit(times[there], mm[there], 1)[0]) if np.count_nonzero(there) >= 3 else None,
    )
