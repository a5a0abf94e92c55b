"""What smart fill and threshold have in common: a press, a pull away from it, and an area that the image decides."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.tool import Draft, Floats, Guide, Pen, Place, Stroke, Target
from reviewer.errors import InputError

CLICK_MM = 3.0
"""A hand that was pulled less far has clicked."""


class PulledStroke(Stroke):
    """Shift at the press takes away. While the button is down only the slice shown is worked on, so that the picture follows the hand; the other
    slices come after the release, by `work`, which takes as long as it takes. Subclasses say what the image has: `_found`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._ground = Ground(target)
        self._start: Place | None = None
        self._hand: Place = (0.0, 0.0)
        self._stale = False
        self._draft: Draft = super().draft

    def hover(self, pen: Pen) -> None:
        if self._start is None:
            self.erasing = pen.shift

    def press(self, pen: Pen) -> None:
        self._start = self._hand = pen.at_mm
        self.erasing = pen.shift
        self._stale = True

    def drag(self, pen: Pen) -> None:
        if self._start is not None and self._hand != pen.at_mm:
            self._hand, self._stale = pen.at_mm, True

    def release(self, pen: Pen) -> None:
        if self._start is not None:
            self._hand = pen.at_mm
            self.finished = self._stale = True

    def work(self, report: Callable[[float], None] = lambda share: None) -> None:
        if self._stale and self._start is not None:
            self._stale, self.note = False, ""
            try:
                self._draft = self._found(self._start, report)
            except InputError as error:
                self._draft, self.note = super().draft, str(error)

    @property
    def draft(self) -> Draft:
        self.work()
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        box = None if self.finished else self._box()
        if box is None:
            return ()
        (a, b), (c, d) = box
        return (Guide("ghost", np.array([(a, b), (c, b), (c, d), (a, d)]), closed=True),)

    @property
    def _pulled(self) -> bool:
        return self._start is not None and math.dist(self._start, self._hand) > CLICK_MM

    def _box(self) -> Floats | None:
        """Least and largest corner of the box that the hand has drawn, pane coordinates; None for a click."""
        raise NotImplementedError

    def _found(self, start: Place, report: Callable[[float], None]) -> Draft:
        """The draft as the hand stands. Raises InputError, with the sentence to show, where there is none."""
        raise NotImplementedError
