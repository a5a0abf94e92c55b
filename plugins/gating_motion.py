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
    """Dense inverse search optical flow (Kroeger et al., ECCV 2016)."""

    def __init__(self) -> None:
        self._flows = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, a: Pixels, b: Pixels, start: Pixels | None = None) -> Pixels:
        """(y, x, 2) in pixels: what is at p in a is at ``p + flow`` in b. start: a flow to begin with."""
        one, other = (np.clip(each, 0, 255).astype(np.uint8) for each in (a, b))
        begin = np.zeros((*a.shape, 2), np.float32) if start is None else start.copy()
        return np.asarray(self._flows.calc(one, other, begin), np.float32)


LEAST_CONFIDENCE = Setting(
    "least_confidence", "Least confidence", "number", 0.8, "", 0.0, 1.0, (),
    "Correlation of the target and its rim below which it counts as not tracked: the beam is off",
)  # fmt: skip
"""Synthetic cines (tests/synthetic_cine.py): a target that is there has 0.89 at least, one that has left the plane 0.55 at most by the template;
a flow can bend the background into a likeness of up to 0.73."""


class Tracker:
    """What both embedded trackers are, but for how they find the motion. Their settings are LEAST_CONFIDENCE and a number `around_mm`."""

    _target: Target
    _least: float
    _flows: Flows

    def available(self, job: GatingJob | None) -> str | None:
        return None

    def start(self, job: GatingJob) -> Sequence[str]:
        self._target = Target(job, float(job.settings["around_mm"]))
        self._least = float(job.settings[LEAST_CONFIDENCE.name])
        self._flows = Flows()
        return (
            "follows what is seen in the plane; motion across it shows only as a change of the target's look",
            f"not tracked below a correlation of {self._least:g}",
        )


def _grown(mask: NDArray[np.bool_], radius_px: Floats) -> NDArray[np.bool_]:
    rx, ry = (max(1, round(float(r))) for r in radius_px)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rx + 1, 2 * ry + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), dtype=bool)


def _correlation(a: Pixels, b: Pixels) -> float:
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / length if length > 1e-9 else 0.0
