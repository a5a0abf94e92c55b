"""Optical-flow tracker: dense inverse search flow from the reference frame to each frame, no template search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import BackendInfo, GatingJob, Setting, Tracked

from ..gating_motion import LEAST_CONFIDENCE, Tracker


class OpticalFlowTracker(Tracker):
    """Begins each frame where the last one that was tracked has ended."""

    info = BackendInfo("optical-flow", "Optical flow (DIS)", "1.0", "Apache-2.0")

    def settings(self) -> Sequence[Setting]:
        return (
            Setting("around_mm", "Window", "number", 50.0, "mm", 20.0, 120.0, (), "What of the surroundings the flow is computed on"),
            LEAST_CONFIDENCE,
        )  # fmt: skip

    def start(self, job: GatingJob) -> Sequence[str]:
        self._start: NDArray[np.float32] | None = None
        return super().start(job)

    def track(self, frame: NDArray[np.float32], time_s: float) -> Tracked:
        target = self._target
        seen = target.look(frame)
        here = np.ascontiguousarray(seen[target.box])
        best = None
        # From nothing and from the last frame's flow: the one forgets, the other follows far.
        for start in (None, self._start) if self._start is not None else (None,):
            flow = self._flows.between(target.window, here, start)
            motion = target.fitted(flow, target.still())
            confidence = self._sure(seen, motion)
            if best is None or confidence > best[0]:
                best = confidence, motion, flow
        assert best is not None
        confidence, motion, flow = best
        tracked = target.tracked(motion, confidence, self._least, frame.shape)
        self._start = flow if tracked.tracked else None
        return tracked
