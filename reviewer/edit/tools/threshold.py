"""Threshold: everything whose values lie in a range, within a box or a limit structure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.operations.threshold import threshold
from reviewer.edit.tools.pulled import PulledStroke
from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.tool import Draft, Floats, Place, Target, painted
from reviewer.errors import InputError
from reviewer.geometry.region import Region


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


class ThresholdStroke(PulledStroke):
    label = "Threshold"

    def __init__(self, target: Target, tool: Threshold) -> None:
        super().__init__(target)
        self._tool = tool
        self.slow = tool.slices or target.plane is None

    def _box(self) -> Floats | None:
        if self._start is None or not self._pulled:
            return None
        return np.array([np.minimum(self._start, self._hand), np.maximum(self._start, self._hand)])

    def _found(self, start: Place, report: Callable[[float], None]) -> Draft:
        target, tool = self.target, self._tool
        limit = self._limit(start)
        if target.image is None or not limit:
            raise InputError(self._ground.why_nothing(start))
        found = threshold(
            target.image, target.to_image, target.structure.grid, limit, tool.low, tool.high,
            smallest_mm2=tool.smallest_mm2, report=report,
        )  # fmt: skip
        if not found:
            raise InputError(f"no value here lies between {tool.low:g} and {tool.high:g}")
        return painted(target.structure, found, erase=self.erasing)

    def _limit(self, start: Place) -> dict[int, Region]:
        """Where values count: plane -> region."""
        target, corners = self.target, self._box()
        box = None if corners is None else shapely.box(*corners.ravel())
        if box is None and not any(limit.inside for limit in target.limits):
            raise InputError("draw a box, or choose a structure to stay within")
        if target.plane is None:
            whole = box or shapely.box(*np.subtract(start, _FAR_MM), *np.add(start, _FAR_MM))
            return self._ground.footprints(whole)
        drawn = next(iter(target.lie.footprints(box).values())) if box else target.border or _EVERYWHERE
        everywhere = self.finished and self._tool.slices
        planes = range(len(target.structure.grid.positions_mm)) if everywhere else [target.plane]
        return self._ground.allowed(dict.fromkeys(planes, drawn))


_FAR_MM = 1000.0
_EVERYWHERE: Region = shapely.box(-_FAR_MM, -_FAR_MM, _FAR_MM, _FAR_MM)
