"""Template tracker: the target's window is searched by normalised correlation, then followed into its deformation by optical flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import BackendInfo, GatingJob, Setting, Tracked

from ..gating_motion import LEAST_CONFIDENCE, NEAR_MM, WIDE_MM, Floats, Motion, Pixels, Tracker


class TemplateTracker(Tracker):
    """Stateless between frames: what is lost on one is found again on the next."""

    info = BackendInfo("template", "Template correlation and optical flow", "1.1", "Apache-2.0")

    def settings(self) -> Sequence[Setting]:
        return (
            Setting("search_mm", "Search", "number", 45.0, "mm", 5.0, 120.0, (), "How far from the reference the target is looked for"),
            Setting("around_mm", "Window", "number", 24.0, "mm", 6.0, 60.0, (), "What of the surroundings is matched with the target"),
            LEAST_CONFIDENCE,
        )  # fmt: skip

    def _looked_at_mm(self, around_mm: float) -> set[float]:
        # The correlation finds its place better by more of the surroundings; but how sure it is, is told by what is near.
        return {NEAR_MM, WIDE_MM}

    def start(self, job: GatingJob) -> Sequence[str]:
        statements = super().start(job)
        self._reach_mm = float(job.settings["search_mm"])
        return statements

    def track(self, frame: NDArray[np.float32], time_s: float) -> Tracked:
        target = self._target
        seen = target.look(frame)
        rough = Motion(target.centre, self._found(seen), np.zeros((2, 2)))
        motion = target.fitted(self._flows.between(target.window, target.fetched(seen, rough)), rough)
        confidence, without = self._sure(seen, motion), self._sure(seen, rough)
        if without > confidence:  # the flow made it worse: it followed something else
            motion, confidence = rough, without
        return target.tracked(motion, confidence, self._least, frame.shape)

    def _found(self, seen: Pixels) -> Floats:
        """Shift of the window in pixels, to a part of one, where the correlation is highest."""
        scores, first = self._target.scores(seen, self._reach_mm)
        y, x = np.unravel_index(int(np.argmax(scores)), scores.shape)
        at = np.array([x + _between(scores[y], int(x)), y + _between(scores[:, x], int(y))])
        return np.asarray(at + first)


def _between(scores: NDArray[np.generic], at: int) -> float:
    """Where the parabola through a peak and its neighbours has its top, from the peak, in samples."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, top, after = (float(s) for s in scores[at - 1 : at + 2])
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
