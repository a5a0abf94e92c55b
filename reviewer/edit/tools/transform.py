"""Move, turn and scale by dragging."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from reviewer.edit.tools.setting import setting
from reviewer.edit.tools.tool import Draft, Floats, Guide, Pen, Place, Stroke, Target, changed, settled
from reviewer.errors import InputError
from reviewer.geometry.region import Region
from reviewer.geometry.section import section

SMALLEST_ARM_MM = 1.0
"""A hand nearer to the pivot has no direction and no distance to go by."""

SCALES = (0.2, 5.0)
TURN_STEP_DEG = 15.0


@dataclass(frozen=True)
class Translate:
    """Drag to move what is on the slice, or with `whole` the whole structure. Shift: only along the larger of the two ways.

    In a pane across the slices the whole structure moves, along the slices freely and across them by whole slices, which must be evenly
    spaced; it stays within the stack. What is moved beyond the border of the image is kept; limits do not hold.
    """

    whole: bool = setting(False, "Whole structure", "All slices, not only the slice shown")

    @property
    def name(self) -> str:
        return "Move"

    def begin(self, target: Target) -> TranslateStroke:
        return TranslateStroke(target, whole=self.whole)


@dataclass(frozen=True)
class Rotate:
    """Drag around the centroid to turn what is on the slice, or with `whole` the whole structure about the pane's normal.

    Shift: in steps of 15 degrees. On the structure's own slices only: turned otherwise, its contours would leave their slices.
    """

    whole: bool = setting(False, "Whole structure", "All slices, not only the slice shown")

    @property
    def name(self) -> str:
        return "Rotate"

    def begin(self, target: Target) -> RotateStroke:
        return RotateStroke(target, whole=self.whole)


@dataclass(frozen=True)
class Scale:
    """Drag away from the centroid to enlarge what is on the slice, towards it to shrink it (0.2 to 5 times).

    whole: the whole structure, in all three directions; each slice then gets the cut of the enlarged solid. On the structure's own slices only.
    """

    whole: bool = setting(False, "Whole structure", "All slices, not only the slice shown")

    @property
    def name(self) -> str:
        return "Scale"

    def begin(self, target: Target) -> ScaleStroke:
        return ScaleStroke(target, whole=self.whole)


class _TransformStroke(Stroke):
    """Press, drag, release; `_moved` gives the draft for where the hand is."""

    def __init__(self, target: Target, *, whole: bool) -> None:
        super().__init__(target)
        self._whole = whole
        self._start: Place | None = None
        self._draft: Draft = super().draft
        if not self._regions:
            raise InputError(f"{target.structure.name} has no contour {'at all' if whole else 'on this slice'}")

    def press(self, pen: Pen) -> None:
        self._start = pen.at_mm

    def drag(self, pen: Pen) -> None:
        if self._start is not None:
            self._draft = changed(self.target.structure, self._moved(self._start, pen))

    def release(self, pen: Pen) -> None:
        if self._start is not None:
            self.drag(pen)
            self.finished = True

    @property
    def draft(self) -> Draft:
        return self._draft

    @property
    def _regions(self) -> dict[int, Region]:
        """What is moved."""
        structure, plane = self.target.structure, self.target.plane
        if self._whole or plane is None:
            return dict(structure.planes)
        return {plane: structure.planes[plane]} if plane in structure.planes else {}

    def _moved(self, start: Place, pen: Pen) -> dict[int, Region | None]:
        raise NotImplementedError

    def _mapped(self, move: Callable[[Floats], Floats], by_slices: int = 0) -> dict[int, Region | None]:
        """All regions with their points mapped within the plane, and put some slices further."""
        proposed: dict[int, Region | None] = dict.fromkeys(self._regions) if by_slices else {}
        for k, region in self._regions.items():
            proposed[k + by_slices] = settled(shapely.transform(region, move))
        return proposed


class TranslateStroke(_TransformStroke):
    label = "Move"

    def _moved(self, start: Place, pen: Pen) -> dict[int, Region | None]:
        x, y = pen.at_mm[0] - start[0], pen.at_mm[1] - start[1]
        if pen.shift:
            x, y = (x, 0.0) if abs(x) >= abs(y) else (0.0, y)
        way = self.target.uvw_mm((start[0] + x, start[1] + y)) - self.target.uvw_mm(start)
        dw = float(way[2])
        grid = self.target.structure.grid
        slices = 0
        if self.target.plane is None:
            if grid.uniform:
                planes = self._regions
                low, high = -min(planes), len(grid.positions_mm) - 1 - max(planes)
                slices = int(np.clip(round(dw / grid.spacing_w_mm), low, high))
            elif abs(dw) > grid.spacing_w_mm / 2:
                name = self.target.structure.name
                self.note = f"the slices of {name} are unevenly spaced: it moves along them only"
        return self._mapped(lambda points: points + way[:2], slices)


class _PivotStroke(_TransformStroke):
    """Turns or scales about the centroid."""

    def __init__(self, target: Target, *, whole: bool, name: str) -> None:
        self._lie = target.own_slice(name)
        super().__init__(target, whole=whole)

    @cached_property
    def _pivot(self) -> Floats:
        """(u, v) of the centroid of what is moved, mm."""
        regions = list(self._regions.values())
        centroids = shapely.get_coordinates(shapely.centroid(np.array(regions, dtype=object)))
        return np.asarray(np.average(centroids, axis=0, weights=shapely.area(regions)))

    def _arm(self, at_mm: Place) -> Floats:
        """From the pivot to the hand, in the plane."""
        return np.asarray(self._lie.to_slice(np.array([at_mm]))[0] - self._pivot)

    def press(self, pen: Pen) -> None:
        if np.hypot(*self._arm(pen.at_mm)) < SMALLEST_ARM_MM:
            self.note = "press further away from the centroid"
        else:
            super().press(pen)

    @property
    def guides(self) -> tuple[Guide, ...]:
        return (Guide("handle", self._lie.to_pane(self._pivot[None])),)


class RotateStroke(_PivotStroke):
    label = "Rotate"

    def __init__(self, target: Target, *, whole: bool) -> None:
        super().__init__(target, whole=whole, name="Rotate")

    def _moved(self, start: Place, pen: Pen) -> dict[int, Region | None]:
        before, now = self._arm(start), self._arm(pen.at_mm)
        angle = math.atan2(before[0] * now[1] - before[1] * now[0], float(before @ now))
        if pen.shift:
            angle = math.radians(TURN_STEP_DEG * round(math.degrees(angle) / TURN_STEP_DEG))
        if angle == 0:
            return {}
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        return self._mapped(lambda points: (points - self._pivot) @ turn + self._pivot)


class ScaleStroke(_PivotStroke):
    label = "Scale"

    def __init__(self, target: Target, *, whole: bool) -> None:
        super().__init__(target, whole=whole, name="Scale")

    def _moved(self, start: Place, pen: Pen) -> dict[int, Region | None]:
        by = float(np.clip(np.hypot(*self._arm(pen.at_mm)) / np.hypot(*self._arm(start)), *SCALES))

        def enlarge(points: Floats) -> Floats:
            return (points - self._pivot) * by + self._pivot

        if by == 1.0:
            return {}
        if not self._whole:
            return self._mapped(enlarge)
        structure = self.target.structure
        grid = structure.grid
        proposed: dict[int, Region | None] = {}
        for k, w in enumerate(grid.positions_mm):
            source = self._middle_w + (w - self._middle_w) / by
            floor = section(structure, None, grid.point_mm(np.array([0.0, 0.0, source])), grid.axes[0], grid.axes[1])
            if floor is not None or k in structure.planes:
                proposed[k] = None if floor is None else settled(shapely.transform(floor, enlarge))
        return proposed

    @cached_property
    def _middle_w(self) -> float:
        """w of the centroid, mm: slices weighted by area and by what lies about them."""
        grid, regions = self.target.structure.grid, self._regions
        planes = list(regions)
        weights = [regions[k].area * float(np.diff(grid.slab_borders_mm[k : k + 2])[0]) for k in planes]
        return float(np.average(grid.positions_mm[planes], weights=weights))
