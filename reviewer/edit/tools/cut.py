"""Tools that take whole pieces: cut with a line, islands by a click."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.operations.parts import connected
from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.setting import setting
from reviewer.edit.tools.tool import Draft, Guide, Pen, Place, Stroke, Target, changed, painted
from reviewer.geometry.overlay import all_united
from reviewer.geometry.region import Region, region_of


@dataclass(frozen=True)
class Cut:
    """A line from side to side. Of each island that it divides the largest piece stays; with Shift at the press the largest piece goes.

    An island that the line does not cross completely is left alone. On the structure's own slices only.
    """

    @property
    def name(self) -> str:
        return "Cut"

    def begin(self, target: Target) -> CutStroke:
        return CutStroke(target)


class CutStroke(Stroke):
    label = "Cut"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.erasing = True
        self._lie = target.own_slice("Cut")
        self._ground = Ground(target)
        self._path: list[Place] = []
        self._largest_goes = False
        self._draft: Draft = super().draft

    def press(self, pen: Pen) -> None:
        self._path = [pen.at_mm]
        self._largest_goes = pen.shift

    def drag(self, pen: Pen) -> None:
        if not self._path or math.dist(self._path[-1], pen.at_mm) < 0.1:
            return
        self._path.append(pen.at_mm)
        region = self.target.region
        line = shapely.linestrings(self._lie.to_slice(np.array(self._path)))
        gone = [] if region is None else [p for part in shapely.get_parts(region) for p in self._gone(part, line)]
        area = region_of(all_united(gone)) if gone else None
        footprints = {} if area is None else self._ground.allowed({self._lie.plane: area})
        self._draft = painted(self.target.structure, footprints, erase=True)

    def release(self, pen: Pen) -> None:
        if not self._path:
            return
        self.drag(pen)
        self.finished = True
        if not self._draft:
            name = self.target.structure.name
            self.note = (
                f"{name} has no contour on this slice"
                if self.target.region is None
                else "the line must cross the contour from side to side"
            )

    @property
    def draft(self) -> Draft:
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        return (Guide("line", np.array(self._path)),) if len(self._path) > 1 else ()

    def _gone(self, island: shapely.Polygon, line: shapely.LineString) -> Sequence[shapely.Polygon]:
        """The pieces of an island that the line takes off."""
        if not shapely.intersects(island, line):
            return []
        noded = shapely.union_all([island.boundary, line])
        faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
        pieces = faces[shapely.contains(island, shapely.point_on_surface(faces))]
        if len(pieces) < 2:
            return []
        largest = int(np.argmax(shapely.area(pieces)))
        return [piece for n, piece in enumerate(pieces) if (n == largest) is self._largest_goes]


@dataclass(frozen=True)
class Island:
    """A click on an island deletes it; with `keep`, all others go. Shift does the other one.

    through: with all that hangs together with it through the slices (parts of neighbouring slices that overlap), instead of on this slice
             only. On the structure's own slices only.
    """

    keep: bool = setting(False, "Keep", "A click keeps the island and deletes the others")
    through: bool = setting(False, "Through slices", "All that hangs together through the slices, not only this slice")

    @property
    def name(self) -> str:
        return "Keep island" if self.keep else "Delete island"

    def begin(self, target: Target) -> IslandStroke:
        return IslandStroke(target, self)


class IslandStroke(Stroke):
    def __init__(self, target: Target, tool: Island) -> None:
        super().__init__(target)
        self._lie = target.own_slice(tool.name)
        self._tool = tool
        self._pointed: shapely.Polygon | None = None
        self._draft: Draft = super().draft
        self.label = tool.name
        self.erasing = True

    def hover(self, pen: Pen) -> None:
        self._pointed = self._under(pen)

    def press(self, pen: Pen) -> None:
        self._pointed = self._under(pen)

    def release(self, pen: Pen) -> None:
        island = self._pointed
        if island is None:
            self.note = f"there is no island of {self.target.structure.name} here"
            return
        keep = self._tool.keep ^ pen.shift
        self.label = "Keep island" if keep else "Delete island"
        structure, plane = self.target.structure, self._lie.plane
        regions = structure.planes if self._tool.through else {plane: structure.planes[plane]}
        parts = {k: list(shapely.get_parts(region)) for k, region in regions.items()}
        bodies = connected(parts) if self._tool.through else [{plane: [part]} for part in parts[plane]]
        body = next(b for b in bodies if any(part.equals(island) for part in b.get(plane, ())))
        left: dict[int, Region | None] = {}
        for k in regions:
            mine = {id(part) for part in body.get(k, ())}
            stay = [part for part in parts[k] if (id(part) in mine) is keep]
            if len(stay) < len(parts[k]):
                left[k] = region_of(shapely.multipolygons(stay)) if stay else None
        self._draft = changed(structure, left)
        self.finished = True

    @property
    def draft(self) -> Draft:
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        if self._pointed is None:
            return ()
        return (Guide("ghost", self._lie.to_pane(shapely.get_coordinates(self._pointed.exterior)), closed=True),)

    def _under(self, pen: Pen) -> shapely.Polygon | None:
        region = self.target.region
        point = shapely.Point(self._lie.to_slice(np.array([pen.at_mm]))[0])
        return None if region is None else next((p for p in shapely.get_parts(region) if p.intersects(point)), None)
