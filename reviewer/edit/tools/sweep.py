"""What a round tool covers on its way: the Minkowski sum of its path with a disk or a ball."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import shapely

from reviewer.case import Structure
from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.tool import (
    DEBRIS_MM2,
    Draft,
    Floats,
    Guide,
    Pen,
    Place,
    Stroke,
    Target,
    changed,
    circle,
    painted,
    settled,
)
from reviewer.geometry.grid import Grid
from reviewer.geometry.nearby import combined
from reviewer.geometry.overlay import all_united, united
from reviewer.geometry.region import Region, region_of

ROUND_MM = 0.01
"""How far the sides of the polygon that stands for a disk lie within the circle through its corners."""

STRAIGHT_MM = 0.01
"""How far the outline of a finished stroke may be straightened. With ROUND_MM well below 0.05 mm from the true sweep."""

SLANTED = 33
"""The most disks that stand for the way of a ball through a slice."""

STILL_MM = 0.02
"""A hand that moved less has not moved."""


def disk(centre_mm: Place | Floats, radius_mm: float) -> Floats:
    """(n, 2) corners of a regular polygon with the area of the circle, within ROUND_MM of it."""
    return np.asarray(centre_mm) + radius_mm * _unit_disk(_corners(radius_mm))


def capsule(start_mm: Place | Floats, end_mm: Place | Floats, radius_mm: float) -> shapely.Polygon:
    """What a disk covers on its way along a segment; the disk itself where it does not move."""
    around = disk((0.0, 0.0), radius_mm)
    return shapely.convex_hull(shapely.multipoints(np.concatenate([around + start_mm, around + end_mm])))


def ball_footprints(grid: Grid, start_mm: Floats, end_mm: Floats, radius_mm: float) -> dict[int, Region]:
    """What a ball covers of each plane on its way along a segment.

    start_mm, end_mm: (3,) plane coordinates (u, v, w), mm. At a height h above the plane a ball cuts a disk of radius sqrt(r^2 - h^2) out of it.
    Where the ball rises or sinks on its way, disks at up to SLANTED places are wrapped (the cut of a capsule is convex), at equal angles of the
    arc that the height runs through, so that they lie close where the disk's radius changes fast.
    """
    rise = float(end_mm[2] - start_mm[2])
    low, high = sorted((float(start_mm[2]), float(end_mm[2])))
    first, last = np.searchsorted(grid.positions_mm, [low - radius_mm, high + radius_mm])
    around = _unit_disk(_corners(radius_mm))
    length = float(np.linalg.norm(end_mm - start_mm))
    count = min(SLANTED, 3 + math.ceil(2 * length)) if abs(rise) > STILL_MM else 2
    found: dict[int, Region] = {}
    for k in range(int(first), int(last)):
        ends = np.clip((np.array([start_mm[2], end_mm[2]]) - grid.positions_mm[k]) / radius_mm, -1.0, 1.0)
        first_angle, last_angle = np.arcsin(ends).tolist()
        angles = np.linspace(first_angle, last_angle, count)
        part = (
            np.linspace(0, 1, 2)
            if count == 2
            else (radius_mm * np.sin(angles) + grid.positions_mm[k] - start_mm[2]) / rise
        )
        places = start_mm[:2] + part[:, None] * (end_mm - start_mm)[:2]
        disks = places[:, None] + radius_mm * np.cos(angles)[:, None, None] * around
        hull = shapely.convex_hull(shapely.multipoints(disks.reshape(-1, 2)))
        if hull.area > DEBRIS_MM2:
            found[k] = hull
    return found


def _corners(radius_mm: float) -> int:
    return max(12, 4 * math.ceil(math.pi / 4 / math.acos(max(0.0, 1 - ROUND_MM / radius_mm))))


@lru_cache(maxsize=64)
def _unit_disk(corners: int) -> Floats:
    angle = 2 * math.pi * np.arange(corners) / corners
    radius = math.sqrt(2 * math.pi / corners / math.sin(2 * math.pi / corners))
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


class Painting:
    """What footprints make of a structure, plane by plane: at once while the hand moves, and in the end all of them together."""

    def __init__(self, structure: Structure, *, erase: bool) -> None:
        self._structure = structure
        self._erase = erase
        self._new: dict[int, list[Region]] = {}
        self._draft: Draft = {}

    def add(self, footprints: dict[int, Region]) -> None:
        for k, footprint in footprints.items():
            self._new.setdefault(k, []).append(footprint)

    def finished(self, areas: dict[int, Region]) -> Draft:
        """What it comes to in the end. areas: all that was covered; what was added before is a part of it."""
        draft = painted(self._structure, areas, erase=self._erase)
        return {k: region for k, region in draft.items() if self._seen(k, region, areas[k])}

    def _seen(self, plane: int, region: Region | None, area: Region) -> bool:
        """Whether the region of a plane differs anywhere by more than outlines are straightened. The same stroke again, met at other places
        of its way, does not."""
        before = self._structure.planes.get(plane)
        if before is None or region is None or abs(region.area - before.area) > 2 * STRAIGHT_MM * area.length:
            return True
        return not shapely.buffer(shapely.symmetric_difference(before, region), -STRAIGHT_MM, quad_segs=1).is_empty

    def finish(self, draft: Draft) -> None:
        self._draft, self._new = draft, {}

    @property
    def draft(self) -> Draft:
        if self._new:
            moved = {k: self._further(k, footprints) for k, footprints in self._new.items()}
            rest = {k: region for k, region in self._draft.items() if k not in moved}
            self._draft, self._new = {**rest, **changed(self._structure, moved)}, {}
        return self._draft

    def _further(self, plane: int, footprints: list[Region]) -> Region | None:
        """The draft of a plane with some more footprints; the very region before where they change nothing. These overlays are for the eye,
        and not checked as those of `finish` are."""
        region = self._draft[plane] if plane in self._draft else self._structure.planes.get(plane)
        for footprint in footprints:
            if region is None:
                region = None if self._erase else settled(footprint)
            elif self._erase and shapely.intersects(region, footprint):
                region = settled(combined(shapely.difference, region, footprint))
            elif not self._erase and not shapely.covers(region, footprint):
                region = settled(combined(shapely.union, region, footprint))
        return region


PANE = -1
"""In place of a plane: what a disk covers, in pane coordinates."""


class SweepStroke(Stroke):
    """A round tool on its way. Subclasses say at the press whether it takes away.

    What it covers is gathered on the pane, that of a ball on each plane; cut to the slices and to where it may change anything it is the
    area of the finished stroke.

    together: so many moves are put together before what they cover is united with the rest, which grows with every turn of the hand.
    """

    together = 8

    def __init__(self, target: Target, radius_mm: float, *, ball: bool = False) -> None:
        super().__init__(target)
        self._radius = radius_mm
        self._ball = ball
        self._ground = Ground(target)
        self._painting: Painting | None = None
        self._covered: dict[int, Region] = {}
        self._lately: dict[int, list[Region]] = {}
        self._moved: set[int] = set()
        self._last: Place | None = None
        self._lifted: tuple[dict[int, Region], Draft, bool] | None = None

    def hover(self, pen: Pen) -> None:
        self._last = pen.at_mm

    def drag(self, pen: Pen) -> None:
        if self._painting is not None and self._last is not None and math.dist(self._last, pen.at_mm) > STILL_MM:
            self._cover(self._painting, self._last, pen.at_mm)

    def release(self, pen: Pen) -> None:
        if self._painting is None:
            return
        self.drag(pen)
        self._covered, draft, anything = self._ended(self._painting)
        self._painting.finish(draft)
        self.finished = True
        if not anything:
            self.note = self._ground.why_nothing(pen.at_mm)
        elif not draft:
            self.note = self._in_vain()

    def _in_vain(self) -> str:
        """What there is to say of a stroke that changed nothing."""
        return f"there is nothing of {self.target.structure.name} here to be taken away" if self.erasing else ""

    def if_lifted(self) -> Draft:
        return self.draft if self._painting is None else self._ended(self._painting)[1]

    def _ended(self, painting: Painting) -> tuple[dict[int, Region], Draft, bool]:
        """If it ended here: what it covers, with straight outlines, its draft, and whether it covers anything that may change."""
        if self._lifted is None:
            covered = {k: self._straight(k, self._all_of(k)) for k in self._covered}
            kept = {k: settled(area, self._ground.speck_mm2) for k, area in self._cut(covered).items()}
            areas = {k: area for k, area in kept.items() if area is not None}
            self._lifted = covered, painting.finished(areas), bool(areas)
        return self._lifted

    @property
    def draft(self) -> Draft:
        return super().draft if self._painting is None else self._painting.draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        if self._last is None:
            return ()
        return (Guide("cursor", circle(self._last, self._radius), closed=True),)

    def _cut(self, covered: dict[int, Region]) -> dict[int, Region]:
        """What was covered of where the stroke may change anything, plane -> region."""
        return self._ground.allowed(covered) if self._ball else self._ground.footprints(covered[PANE])

    def _begin(self, pen: Pen, *, erase: bool) -> None:
        self.erasing = erase
        self._painting = Painting(self.target.structure, erase=erase)
        self._cover(self._painting, pen.at_mm, pen.at_mm)

    def _cover(self, painting: Painting, start: Place, end: Place) -> None:
        self._last = end
        if self._ball:
            grid = self.target.structure.grid
            ends = self.target.uvw_mm(np.array([start, end]))
            if self.target.plane is not None:
                ends[:, 2] = grid.positions_mm[self.target.plane]
            pieces = ball_footprints(grid, ends[0], ends[1], self._radius)
            painting.add(self._ground.allowed(pieces))
        else:
            pieces = {PANE: capsule(start, end, self._radius)}
            painting.add(self._ground.footprints(pieces[PANE]))
        for k, piece in pieces.items():
            before = self._covered.get(k)
            if before is None:
                self._covered[k], self._lifted = piece, None
            elif not shapely.covers(before, piece):
                self._lifted = None
                self._moved.add(k)
                lately = self._lately.setdefault(k, [])
                lately.append(piece)
                if len(lately) == self.together:
                    self._covered[k], self._lately[k] = self._all_of(k), []

    def _all_of(self, plane: int) -> Region:
        """What is covered of a plane, that of lately too."""
        before, lately = self._covered[plane], self._lately.get(plane)
        return region_of(combined(united, before, all_united(lately))) or before if lately else before

    def _straight(self, plane: int, area: Region) -> Region:
        """Without corners that the outline does not need, by STRAIGHT_MM; a single piece stays as it is."""
        if plane not in self._moved:
            return area
        return settled(shapely.simplify(area, STRAIGHT_MM, preserve_topology=True)) or area
