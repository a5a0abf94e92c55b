"""Threshold: everything whose values lie in a range, within a box or a limit structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.operations.threshold import threshold
from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.tool import Draft, Guide, Pen, Place, Stroke, Target, painted
from reviewer.errors import InputError
from reviewer.geometry.region import Region

CLICK_MM = 2.0
"""A box smaller than this is a click."""


@dataclass(frozen=True)
class Threshold:
    """Drag a box: what lies in it and in the range of values is added. A click takes the limit structure for the box.

    Shift at the press takes it away instead. low, high: in the units of the image shown (HU, signal).
    """

    low: float = setting(
        0.0, "From", "Lowest value that belongs to the structure", least=-100_000.0, most=100_000.0, step=1.0
    )
    high: float = setting(
        200.0, "To", "Highest value that belongs to the structure", least=-100_000.0, most=100_000.0, step=1.0
    )
    slices: bool = setting(False, "All slices", "On all slices of the limit structure, not only on the slice shown")
    smallest_mm2: float = setting(
        20.0,
        "Smallest island",
        "Islands and holes below this area are noise",
        unit="mm²",
        least=0.0,
        most=1000.0,
        step=5.0,
    )

    def __post_init__(self) -> None:
        checked(self)
        if self.low > self.high:
            raise InputError(f"the range of values ends ({self.high:g}) before it begins ({self.low:g})")

    @property
    def name(self) -> str:
        return "Threshold"

    def begin(self, target: Target) -> ThresholdStroke:
        if target.image is None:
            raise InputError("a threshold looks at the values of an image", remedy="show an image")
        if self.slices and not any(limit.inside for limit in target.limits):
            raise InputError("a threshold on all slices needs a limit", remedy="choose a structure to stay within")
        return ThresholdStroke(target, self)


class ThresholdStroke(Stroke):
    """While the button is down only the slice shown is worked on, so that the picture follows the hand; the others come at the release."""

    label = "Threshold"

    def __init__(self, target: Target, tool: Threshold) -> None:
        super().__init__(target)
        self._tool = tool
        self._ground = Ground(target)
        self._start: Place | None = None
        self._hand: Place = (0.0, 0.0)
        self._erase = False
        self._stale = False
        self._draft: Draft = super().draft

    def press(self, pen: Pen) -> None:
        self._start = self._hand = pen.at_mm
        self._erase = pen.shift
        self._stale = True

    def drag(self, pen: Pen) -> None:
        if self._start is not None:
            self._hand = pen.at_mm
            self._stale = True

    def release(self, pen: Pen) -> None:
        if self._start is not None:
            self._hand = pen.at_mm
            self.finished = self._stale = True

    @property
    def draft(self) -> Draft:
        if self._stale:
            self._stale, self.note = False, ""
            limit = self._limit()
            found = self._within(limit)
            if limit and not found:
                self.note = f"no value here lies between {self._tool.low:g} and {self._tool.high:g}"
            self._draft = painted(self.target.structure, found, erase=self._erase)
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        box = None if self.finished else self._box()
        return () if box is None else (Guide("ghost", shapely.get_coordinates(box)[:-1], closed=True),)

    def _within(self, limit: dict[int, Region]) -> dict[int, Region]:
        target, tool = self.target, self._tool
        if target.image is None or not limit:
            return {}
        return threshold(
            target.image, target.to_image, target.structure.grid, limit, tool.low, tool.high, smallest_mm2=tool.smallest_mm2
        )  # fmt: skip

    def _box(self) -> Region | None:
        """The box drawn, pane coordinates; None for a click."""
        if self._start is None or max(np.abs(np.subtract(self._hand, self._start))) < CLICK_MM:
            return None
        low, high = np.minimum(self._start, self._hand), np.maximum(self._start, self._hand)
        box: Region = shapely.box(*low, *high)
        return box

    def _limit(self) -> dict[int, Region]:
        """Where values count: plane -> region."""
        target = self.target
        box = self._box()
        if self._start is None:
            return {}
        if box is None and not any(limit.inside for limit in target.limits):
            self.note = "draw a box, or choose a structure to stay within"
            return {}
        if target.plane is None:
            whole = box or shapely.box(*np.subtract(self._start, _FAR_MM), *np.add(self._start, _FAR_MM))
            found = self._ground.footprints(whole)
        else:
            drawn = next(iter(target.lie.footprints(box).values())) if box else target.border or _EVERYWHERE
            everywhere = self.finished and self._tool.slices
            planes = range(len(target.structure.grid.positions_mm)) if everywhere else [target.plane]
            found = self._ground.allowed(dict.fromkeys(planes, drawn))
        if not found:
            self.note = self._ground.why_nothing(self._start)
        return found


_FAR_MM = 1000.0
_EVERYWHERE: Region = shapely.box(-_FAR_MM, -_FAR_MM, _FAR_MM, _FAR_MM)
