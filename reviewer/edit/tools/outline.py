"""Tools that enclose an area: freehand, polygon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.tool import Draft, Floats, Guide, Pen, Place, Stroke, Target, painted
from reviewer.geometry.region import Region, region_of

PICK_PIXELS = 8.0
"""What is nearer to the hand on the screen is meant by it."""


def enclosed(path_mm: Sequence[Place] | Floats) -> Region | None:
    """Everything that a path encloses once its end is joined to its beginning; None where it encloses nothing.

    A path that crosses itself encloses all its loops, also where they overlap: a hand that overshoots the place where it began, or draws an
    eight, means the whole. (Contours in files are even-odd; there the overlap is a hole.)
    """
    points = np.asarray(path_mm, dtype=np.float64).reshape(-1, 2)
    if len(points) < 3:
        return None
    ring = shapely.polygons(points)
    if shapely.is_valid(ring):
        return region_of(ring)
    lines = shapely.union_all(shapely.linestrings(np.concatenate([points, points[:1]])))
    return region_of(shapely.union_all(shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))))


class EnclosingStroke(Stroke):
    """Adds what a path encloses to the structure, or takes it away; the draft is worked out when it is asked for."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._ground = Ground(target)
        self._path: list[Place] = []
        self._stale = False
        self._draft: Draft = super().draft

    def hover(self, pen: Pen) -> None:
        if not self._path:
            self.erasing = pen.shift

    @property
    def outline(self) -> Sequence[Place] | Floats:
        """The path whose inside counts."""
        return self._path

    @property
    def draft(self) -> Draft:
        if self._stale:
            area = enclosed(self.outline)
            footprints = {} if area is None else self._ground.footprints(area)
            self._draft, self._stale = painted(self.target.structure, footprints, erase=self.erasing), False
            self.note = self._ground.why_nothing(self._path[-1]) if area is not None and not footprints else ""
        return self._draft

    def _changed(self) -> None:
        self._stale = True


@dataclass(frozen=True)
class Freehand:
    """A line drawn by hand, closed at its end. What it encloses is added; with Shift at the press it is taken away.

    One rule, wherever the line begins, so that the hand knows before it presses: inside or outside makes no difference.
    """

    @property
    def name(self) -> str:
        return "Freehand"

    def begin(self, target: Target) -> FreehandStroke:
        return FreehandStroke(target)


class FreehandStroke(EnclosingStroke):
    label = "Freehand"

    def press(self, pen: Pen) -> None:
        self.erasing = pen.shift
        self._path = [pen.at_mm]

    def drag(self, pen: Pen) -> None:
        if self._path and math.dist(self._path[-1], pen.at_mm) > 0.25 * min(pen.mm_per_pixel, 0.4):
            self._path.append(pen.at_mm)
            self._changed()

    def release(self, pen: Pen) -> None:
        if not self._path:
            return
        self.drag(pen)
        self._path = _straightened(self._path)
        self._changed()
        self.finished = True
        if not self.draft and enclosed(self._path) is None:
            self.note = "the line encloses no area: draw around something"

    @property
    def guides(self) -> tuple[Guide, ...]:
        if len(self._path) < 2:
            return ()
        ends = np.array([self._path[-1], self._path[0]])
        return Guide("line", np.array(self._path)), Guide("ghost", ends)


def _straightened(path: Sequence[Place]) -> list[Place]:
    """A path without the points that lie within 0.01 mm of the line through the others."""
    if len(path) < 3:
        return list(path)
    line = shapely.simplify(shapely.linestrings(path), 0.01, preserve_topology=False)
    return [(float(x), float(y)) for x, y in shapely.get_coordinates(line)]


@dataclass(frozen=True)
class PolygonTool:
    """Corners by clicks. Enter, a double click or a click on the first corner closes it, Backspace takes back the last corner.

    What it encloses is added; with Shift at the first click it is taken away. A corner may be dragged until the button is released.
    """

    @property
    def name(self) -> str:
        return "Polygon"

    def begin(self, target: Target) -> PolygonStroke:
        return PolygonStroke(target)


class PolygonStroke(EnclosingStroke):
    label = "Polygon"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._hand: Place | None = None
        self._placing = False

    def hover(self, pen: Pen) -> None:
        super().hover(pen)
        self._hand = pen.at_mm

    def press(self, pen: Pen) -> None:
        self._hand = pen.at_mm
        if not self._path:
            self.erasing = pen.shift
        near = PICK_PIXELS * pen.mm_per_pixel
        if len(self._path) >= 3 and math.dist(self._path[0], pen.at_mm) < near:
            self.accept()
        elif not self._path or math.dist(self._path[-1], pen.at_mm) > 2 * pen.mm_per_pixel:
            self._path.append(pen.at_mm)
            self._placing = True
            self._changed()

    def drag(self, pen: Pen) -> None:
        self._hand = pen.at_mm
        if self._placing:
            self._path[-1] = pen.at_mm
            self._changed()

    def release(self, pen: Pen) -> None:
        self.drag(pen)
        self._placing = False

    def accept(self) -> None:
        if len(self._path) < 3:
            self.note = "a polygon needs three corners"
        else:
            self.finished = True

    @property
    def open(self) -> bool:
        return bool(self._path) and not self.finished

    def step_back(self) -> None:
        if self._path:
            self._path.pop()
            self._placing = False
            self._changed()

    @property
    def guides(self) -> tuple[Guide, ...]:
        if not self._path:
            return ()
        corners = np.array(self._path)
        lines = [Guide("line", corners), Guide("handle", corners)]
        if self._hand is not None and not self.finished:
            lines.append(Guide("ghost", np.array([self._path[-1], self._hand, self._path[0]])))
        return tuple(lines)
