"""What both embedded trackers share: a target carried by an affine motion, and how well it is found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import GatingJob, Setting, Tracked

Pixels = NDArray[np.float32]
Floats = NDArray[np.float64]

SMOOTH_PX = 1.0
"""Standard deviation of the blur that every frame gets: noise of low-field cines is not to be matched."""

RIM_MM = 5.0
"""What counts as the look of the target is the target with this rim: without an edge nothing tells it from what is around."""

MOST_STRETCH = 0.35
"""Largest entry of the affine part: what goes beyond is a flow gone wrong, not tissue."""

LEAST_CONTRAST = 0.5
"""Part of the target's contrast that change across the plane may take without doubt (reviewer/backends/conformance.py has the case)."""

FEWEST_PIXELS = 24
"""An affine motion is fitted to so many pixels at least; else a shift."""

ELSEWHERE_MM, APART_MM, PLACES = 45.0, 8.0, 6
"""How far other places that look like the target are searched on the reference frame, how far they lie from it and from each other, how many."""

OUTLIER = 3.0
"""Flow vectors so many times further off than the median are left out of the fit."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A point p of the reference frame (x, y in pixels) goes to ``p + shift + stretch @ (p - centre)``."""

    centre: Floats
    shift: Floats
    stretch: Floats

    def carry(self, points: Floats) -> Floats:
        moved: Floats = points + self.shift + (points - self.centre) @ self.stretch.T
        return moved


class Target:
    """The target on the reference frame: its window, its outline, and where its motion is read."""

    def __init__(self, job: GatingJob, around_mm: float) -> None:
        self.spacing = np.array(job.spacing_mm, dtype=np.float64)
        frame = np.asarray(job.frames[job.reference], dtype=np.float32)
        low, high = (float(v) for v in np.percentile(frame, (0.5, 99.5)))
        self._low, self._scale = low, 255.0 / max(high - low, 1e-6)
        self.frame = self.look(frame)
        self.outline = [np.asarray(ring, dtype=np.float64) / self.spacing for ring in job.contours]
        inside = np.asarray(job.mask) > 0.5
        if not inside.any():
            inside = np.asarray(job.mask) >= float(np.max(job.mask))
        rows, columns = np.nonzero(inside)
        self.centre = np.array([columns.mean(), rows.mean()])
        around = np.ceil(around_mm / self.spacing).astype(int)
        height, width = inside.shape
        x0, y0 = np.maximum(np.array([columns.min(), rows.min()]) - around, 0).tolist()
        x1, y1 = np.minimum(np.array([columns.max(), rows.max()]) + around + 1, [width, height]).tolist()
        self.box = slice(y0, y1), slice(x0, x1)
        self.corner = np.array([x0, y0], dtype=np.float64)
        self.window = np.ascontiguousarray(self.frame[self.box])
        self._rim = _grown(inside, RIM_MM / self.spacing)[self.box]
        y, x = np.indices(self.window.shape, dtype=np.float64)
        self._points = np.stack([x + x0, y + y0], axis=-1)

    def look(self, frame: Pixels) -> Pixels:
        """A frame as the trackers see it: smoothed, in units of 1/255 of the reference's span."""
        return np.asarray(
            cv2.GaussianBlur((np.asarray(frame, np.float32) - self._low) * self._scale, (0, 0), SMOOTH_PX), np.float32
        )

    def scores(self, frame: Pixels, reach_mm: float) -> tuple[Pixels, Floats]:
        """Correlation of the window with each place of a frame within reach, and the shift (x, y in pixels) of the first of them."""
        reach = np.ceil(reach_mm / self.spacing).astype(int)
        height, width = frame.shape
        rows, columns = self.box
        low = np.maximum(np.array([columns.start, rows.start]) - reach, 0)
        high = np.minimum(np.array([columns.stop, rows.stop]) + reach, [width, height])
        area = np.ascontiguousarray(frame[low[1] : high[1], low[0] : high[0]])
        found = cv2.matchTemplate(area, self.window, cv2.TM_CCOEFF_NORMED)
        return np.asarray(found, np.float32), np.asarray(low - self.corner)

    def elsewhere(self) -> float:
        """The best likeness of another place on the reference frame: what the background reaches there, it reaches again when the target is gone."""
        flows = Flows()
        scores, first = self.scores(self.frame, ELSEWHERE_MM)
        y, x = np.indices(scores.shape, dtype=np.float64)
        shifts = np.stack([x, y], axis=-1) + first
        left = np.where(np.linalg.norm(shifts * self.spacing, axis=-1) >= APART_MM, scores, -np.inf)
        best = 0.0
        for _ in range(PLACES):
            shift = shifts[np.unravel_index(int(np.argmax(left)), left.shape)]
            if not np.isfinite(left.max()):
                break
            rough = Motion(self.centre, shift, np.zeros((2, 2)))
            bent = self.fitted(flows.between(self.window, self.fetched(self.frame, rough)), rough)
            for motion in (rough, bent):
                away_mm = float(np.linalg.norm(motion.shift * self.spacing))
                if away_mm >= APART_MM:  # else the flow has found back to the target
                    best = max(best, self.likeness(self.fetched(self.frame, motion)))
            left[np.linalg.norm((shifts - shift) * self.spacing, axis=-1) < APART_MM] = -np.inf
        return best

    def still(self) -> Motion:
        return Motion(self.centre, np.zeros(2), np.zeros((2, 2)))

    def fetched(self, frame: Pixels, motion: Motion) -> Pixels:
        """The window's content on another frame, brought back by a motion."""
        at = motion.carry(self._points.reshape(-1, 2)).reshape(self._points.shape).astype(np.float32)
        back = cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(back, np.float32)

    def fitted(self, flow: NDArray[np.float32], before: Motion) -> Motion:
        """The motion `before`, and after it the affine motion that a flow (y, x, 2) over the window has about the target."""
        points, moved = self._points[self._rim] - self.centre, flow[self._rim].astype(np.float64)
        base = np.column_stack([np.ones(len(points)), points])
        affine = len(points) >= FEWEST_PIXELS
        columns = base if affine else base[:, :1]
        kept = np.ones(len(points), dtype=bool)
        solution = np.zeros((columns.shape[1], 2))
        for _ in range(2):
            solution = np.linalg.lstsq(columns[kept], moved[kept], rcond=None)[0]
            off = np.linalg.norm(moved - columns @ solution, axis=1)
            kept = off <= OUTLIER * max(float(np.median(off)), 0.05)
        own = solution[1:].T if affine else np.zeros((2, 2))
        # the flow was read where `before` had put the points back: first the flow, then the motion before
        stretch = before.stretch + own + before.stretch @ own
        shift = before.shift + solution[0] + before.stretch @ solution[0]
        return Motion(self.centre, shift, np.clip(stretch, -MOST_STRETCH, MOST_STRETCH))

    def likeness(self, fetched: Pixels) -> float:
        """How much the target and its rim look as on the reference frame, and the whole window too: the lower of the two correlations.

        A correlation does not see how strong the contrast is: where the target is gone, faint shapes of the background correlate
        as well as it did. So it counts less where less than LEAST_CONTRAST of the target's contrast is left.
        """
        target, there = self.window[self._rim], fetched[self._rim]
        left = float(np.std(there)) / max(LEAST_CONTRAST * float(np.std(target)), 1e-6)
        return min(1.0, left) * max(0.0, min(_correlation(target, there), _correlation(self.window, fetched)))

    def tracked(self, motion: Motion, confidence: float, least: float, frame_shape: tuple[int, ...]) -> Tracked:
        """As the contract wants it. Not tracked below `least`, and where the target would lie outside the frame."""
        rings = [motion.carry(ring) for ring in self.outline]
        middle = motion.carry(self.centre[None])[0]
        height, width = frame_shape
        inside = 0 <= middle[0] <= width - 1 and 0 <= middle[1] <= height - 1
        shift = motion.shift * self.spacing
        return Tracked(
            tracked=bool(inside and confidence >= least),
            shift_mm=(float(shift[0]), float(shift[1])),
            confidence=float(min(confidence, 1.0)),
            contours=tuple(ring * self.spacing for ring in rings),
        )


class Flows:
    """Dense inverse search optical flow (Kroeger et al., ECCV 2016). One for each size of window: OpenCV keeps the scales of a small one."""

    def __init__(self) -> None:
        self._flows = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, a: Pixels, b: Pixels, start: Pixels | None = None) -> Pixels:
        """(y, x, 2) in pixels: what is at p in a is at ``p + flow`` in b. start: a flow to begin with."""
        one, other = (np.clip(each, 0, 255).astype(np.uint8) for each in (a, b))
        begin = np.zeros((*a.shape, 2), np.float32) if start is None else start.copy()
        return np.asarray(self._flows.calc(one, other, begin), np.float32)


LEAST_CONFIDENCE = Setting(
    "least_confidence", "Least confidence", "number", 0.8, "", 0.0, 1.0, (),
    "Correlation of the target and its rim below which it counts as not tracked: the beam is off; higher where other places look like the target",
)  # fmt: skip
"""Synthetic cines (docs/gating.md): a target that is there and well seen has 0.85 at least; where one has left the plane, the background is mostly
below 0.78. What is hardly to be told from its background is no longer left to this number: see `Tracker.start`."""

NEAR_MM, WIDE_MM = 16.0, 50.0
"""What of the surroundings is compared with other places of the reference frame; and what has to look as it did when the motion is taken back:
a spot like the target may lie in its place when another plane is seen, all that is around it is not the same, too."""


class Tracker:
    """What both embedded trackers are, but for how they find the motion. Their settings are LEAST_CONFIDENCE and a number `around_mm`."""

    _target: Target
    _looks: tuple[Target, ...]
    _least: float
    _flows: Flows

    def available(self, job: GatingJob | None) -> str | None:
        return None

    def start(self, job: GatingJob) -> Sequence[str]:
        """The least confidence is the one that is set, or half-way from the likeness of other places to 1 where that is more."""
        around_mm = float(job.settings["around_mm"])
        self._target = Target(job, around_mm)
        self._looks = tuple(Target(job, mm) for mm in sorted(self._looked_at_mm(around_mm)))
        self._flows = Flows()
        alike = Target(job, NEAR_MM).elsewhere()
        self._least = max(float(job.settings[LEAST_CONFIDENCE.name]), (1 + alike) / 2)
        return (
            "follows what is seen in the plane; motion across it shows only as a change of the target's look",
            f"not tracked below a correlation of {self._least:.2f}; other places of the reference frame reach {alike:.2f}",
        )

    def _looked_at_mm(self, around_mm: float) -> set[float]:
        """How far about the target each window reaches that has to look as on the reference frame."""
        return {around_mm, WIDE_MM}

    def _sure(self, seen: Pixels, motion: Motion) -> float:
        """How likely the target is where a motion says: its least likeness in all that is looked at."""
        return min(each.likeness(each.fetched(seen, motion)) for each in self._looks)


def _grown(mask: NDArray[np.bool_], radius_px: Floats) -> NDArray[np.bool_]:
    rx, ry = (max(1, round(float(r))) for r in radius_px)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rx + 1, 2 * ry + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), dtype=bool)


def _correlation(a: Pixels, b: Pixels) -> float:
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / length if length > 1e-9 else 0.0
