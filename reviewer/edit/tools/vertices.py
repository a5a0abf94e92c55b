"""Vertices: pull an outline at grips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.outline import PICK_PIXELS
from reviewer.edit.tools.setting import setting
from reviewer.edit.tools.tool import Draft, Floats, Guide, Pen, Stroke, Target, changed, settled
from reviewer.geometry.overlay import all_united, without
from reviewer.geometry.region import region_of_rings, rings_of

SPARSE = 24
"""A ring with at most so many corners shows them all as grips."""


@dataclass(frozen=True)
class Vertices:
    """Grips on the outline of the slice shown. Drag a grip to move it, drag the line between grips to put one there, Shift+click takes
    a grip away (its neighbours are joined by a straight line).

    On densely drawn outlines the grips are those corners that describe it within `grip_mm`; what lies between a grip and its neighbours
    follows by a cosine of the way along the line, so that the outline stays smooth. Where the outline comes to cross itself, the even-odd
    rule decides. Each change is an edit. On the structure's own slices only.
    """

    grip_mm: float = setting(0.75, "Detail", "Smaller: more grips", unit="mm", least=0.1, most=10.0, step=0.25)

    @property
    def name(self) -> str:
        return "Vertices"

    def begin(self, target: Target) -> VerticesStroke:
        return VerticesStroke(target, self.grip_mm)


@dataclass(frozen=True)
class _Grip:
    """Corner `at` of ring `ring`; before and after: the corners of the neighbouring grips."""

    ring: int
    at: int
    before: int
    after: int


class VerticesStroke(Stroke):
    label = "Vertices"

    def __init__(self, target: Target, grip_mm: float) -> None:
        super().__init__(target)
        self._lie = target.own_slice("Vertices")
        self._ground = Ground(target)
        region = target.region
        self._parts = () if region is None else tuple(len(p.interiors) + 1 for p in shapely.get_parts(region))
        self._rings = [] if region is None else rings_of(region)
        self._grips = [grip for n, ring in enumerate(self._rings) for grip in _grips(n, ring, grip_mm)]
        self._held: _Grip | None = None
        self._pointed: _Grip | None = None
        self._draft: Draft = super().draft
        if region is None:
            self.note = f"{target.structure.name} has no contour on this slice"

    def hover(self, pen: Pen) -> None:
        self._pointed = self._near(self._slice(pen), PICK_PIXELS * pen.mm_per_pixel)
        self.erasing = pen.shift and self._pointed is not None

    def press(self, pen: Pen) -> None:
        at, near = self._slice(pen), PICK_PIXELS * pen.mm_per_pixel
        grip = self._near(at, near)
        if pen.shift:
            if grip is not None:
                self._take_away(grip)
            return
        self._held = self._pointed = grip if grip is not None else self._put(at, near)
        if self._held is None and self._rings:
            self.note = "drag a grip or the line between two grips"

    def drag(self, pen: Pen) -> None:
        if self._held is not None:
            ring = _pulled(self._rings[self._held.ring], self._held, self._slice(pen))
            self._propose(self._held.ring, ring)

    def release(self, pen: Pen) -> None:
        if self._held is not None:
            self.drag(pen)
            self.finished = True

    @property
    def draft(self) -> Draft:
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        if not self._grips:
            return ()
        found = [Guide("handle", self._lie.to_pane(np.array([self._rings[g.ring][g.at] for g in self._grips])))]
        if self._pointed is not None:
            marked = self._rings[self._pointed.ring][self._pointed.at]
            found.append(Guide("marked", self._lie.to_pane(marked[None])))
        return tuple(found)

    def _slice(self, pen: Pen) -> Floats:
        return np.asarray(self._lie.to_slice(np.array([pen.at_mm]))[0])

    def _near(self, at: Floats, within_mm: float) -> _Grip | None:
        """The grip nearest to a place."""
        distances = [(math.dist(self._rings[g.ring][g.at], at), n) for n, g in enumerate(self._grips)]
        distance, n = min(distances, default=(math.inf, -1))
        return self._grips[n] if distance <= within_mm else None

    def _put(self, at: Floats, within_mm: float) -> _Grip | None:
        """A new grip on the line, where it comes nearest to a place."""
        point = shapely.Point(at)
        lines = [shapely.linestrings(np.vstack([ring, ring[:1]])) for ring in self._rings]
        distances = [line.distance(point) for line in lines]
        if not distances or min(distances) > within_mm:
            return None
        n = int(np.argmin(distances))
        along = lines[n].project(point)
        ring = self._rings[n]
        steps = np.hypot(*np.diff(np.vstack([ring, ring[:1]]), axis=0).T)
        corner = min(int(np.searchsorted(np.cumsum(steps), along)), len(ring) - 1) + 1
        self._rings[n] = np.insert(ring, corner, shapely.get_coordinates(lines[n].interpolate(along)), axis=0)
        moved = [
            _Grip(n, *(k + (k >= corner) for k in (g.at, g.before, g.after))) if g.ring == n else g for g in self._grips
        ]
        own = sorted(g.at for g in moved if g.ring == n)
        before = max((k for k in own if k < corner), default=own[-1])
        after = min((k for k in own if k > corner), default=own[0])
        grip = _Grip(n, corner, before, after)
        self._grips = [*moved, grip]
        return grip

    def _take_away(self, grip: _Grip) -> None:
        ring = self._rings[grip.ring]
        n = len(ring)
        kept = [k for k in range(n) if not 0 < (k - grip.before) % n < (grip.after - grip.before) % n]
        self._propose(grip.ring, ring[kept])
        self.finished = True

    def _propose(self, number: int, ring: Floats) -> None:
        """The draft with another ring in the place of one: part by part the outer ring without its holes."""
        rings = [ring if n == number else old for n, old in enumerate(self._rings)]
        parts = []
        first = 0
        for count in self._parts:
            outer, holes = region_of_rings(rings[first : first + 1]), region_of_rings(rings[first + 1 : first + count])
            if outer is not None:
                parts.append(outer if holes is None else without(outer, holes))
            first += count
        plane = self._lie.plane
        after = settled(all_united(parts)) if parts else None
        confined = self._ground.confined(plane, self.target.region, after)
        self._draft = changed(self.target.structure, {plane: confined})


def _grips(number: int, ring: Floats, grip_mm: float) -> list[_Grip]:
    """Grips of a ring of at least three: its corners, or on dense rings those of the ring simplified to `grip_mm`."""
    corners = list(range(len(ring)))
    if len(ring) > SPARSE:
        index = {(float(u), float(v)): k for k, (u, v) in enumerate(ring)}
        simple = shapely.simplify(shapely.polygons(ring), grip_mm, preserve_topology=True)
        corners = sorted({index[u, v] for u, v in shapely.get_coordinates(simple).tolist()})
    return [
        _Grip(number, at, corners[i - 1], corners[(i + 1) % len(corners)]) for i, at in enumerate(corners)
    ]  # fmt: skip


def _pulled(ring: Floats, grip: _Grip, to: Floats) -> Floats:
    """The ring with a grip somewhere else; the corners up to its neighbours follow, less and less."""
    n = len(ring)
    moved = ring.copy()
    shift = to - ring[grip.at]
    moved[grip.at] = to
    for end, way in ((grip.before, -1), (grip.after, 1)):
        between = [(grip.at + way * k) % n for k in range((way * (end - grip.at)) % n + 1)]
        steps = np.hypot(*np.diff(ring[between], axis=0).T)
        gone = np.cumsum(steps)
        weight = (1 + np.cos(np.pi * gone / gone[-1])) / 2
        moved[between[1:]] += weight[:, None] * shift
    return moved
