"""Outlines as painter paths, in plane coordinates (mm)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtGui import QPainterPath, QPolygonF, QTransform
from shapely import Polygon

from reviewer.case import Structure
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region, region_of_rings, rings_of
from reviewer.scene import Drawn, Matrix, Point

from . import late
from .viewport import Pair, Viewport

KEPT_OUTLINES = 4000

FEW_PLANES = 3
"""A structure of no more has its solid in a moment."""

SAME_FRAME: Matrix = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))

MIXED = np.array([0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB, 0x2545F4914F6CDD1D], dtype=np.int64)
"""Four large odd numbers."""

T = TypeVar("T", bound=np.generic)

Bounds = tuple[float, float, float, float]
"""Least x, y and greatest x, y, mm."""

Key = tuple[Structure, Matrix, str, Point, float]
"""Structure, its matrix, and the plane: orientation, right, position."""


def polygon(points: NDArray[np.float64]) -> QPolygonF:
    """(n, 2) points as a QPolygonF; the memory is filled at once, since a call per point is slow."""
    result = QPolygonF()
    result.resize(len(points))
    if len(points):
        address = shiboken6.getCppPointer(result.data())[0]
        memory = np.frombuffer(shiboken6.VoidPtr(address, points.size * 8, True), dtype=np.float64)
        memory[:] = np.asarray(points, dtype=np.float64).ravel()
    return result


def path_of(lines: Iterable[NDArray[np.float64]], closed: bool) -> QPainterPath:
    """A path of several lines; closed ones enclose an area by the even-odd rule."""
    path = QPainterPath()  # Qt's own rule is the even-odd one
    for line in lines:
        path.addPolygon(polygon(line))
        if closed:
            path.closeSubpath()
    return path


def to_screen_of(port: Viewport) -> QTransform:
    """From plane coordinates (mm) to logical pixels."""
    to_screen = QTransform.fromScale(1 / port.mm_per_pixel, 1 / port.mm_per_pixel)
    return to_screen * QTransform.fromTranslate(*port.pixel((0.0, 0.0)))


class Outline:
    """Where a plane meets a structure, in plane coordinates (mm). The path is for the eye; the region is asked for by a hand now and then."""

    def __init__(self, rings: Sequence[NDArray[np.float64]], region: Region | None = None) -> None:
        """rings: (n, 2) points each, by the even-odd rule; region: what they enclose, where it is known."""
        self.path = path_of(rings, closed=True)
        self._rings = rings
        self._region = region

    @cached_property
    def region(self) -> Region:
        return (self._region if self._region is not None else region_of_rings(self._rings)) or Polygon()

    @cached_property
    def bounds(self) -> Bounds:
        return _bounds(np.concatenate(self._rings))

    def same(self, other: Outline) -> bool:
        """Whether the other has the same rings, each from the same point on."""
        return self is other or (
            len(self._rings) == len(other._rings)
            and all(np.array_equal(a, b) for a, b in zip(self._rings, other._rings, strict=True))
        )

    def unlike(self, other: Outline) -> Bounds | None:
        """What holds all edges that only one of the two has, and where only one of the two begins, for there a line looks a little different;
        None where nothing is."""
        apart = [a._edges[~a._shared(b)].reshape(-1, 2) for a, b in ((self, other), (other, self))]
        begun = self._beginnings ^ other._beginnings
        if begun:
            apart.append(np.array(list(begun)))
        points = np.concatenate(apart)
        return _bounds(points) if len(points) else None

    def near(self, x0: float, y0: float, x1: float, y1: float, reach_mm: float) -> QPainterPath:
        """The path, but without what lies further than a reach from a box: where lines are as broad as that, it looks the same in the box."""
        lines: list[NDArray[np.float64]] = []
        whole: list[NDArray[np.float64]] = []
        box = np.array([x1 + reach_mm, y1 + reach_mm, reach_mm - x0, reach_mm - y0])
        met = np.flatnonzero((self._least <= box).all(axis=1))
        ends = self._ends
        runs = np.split(met, np.searchsorted(met, ends[:-1])) if len(ends) > 1 else [met]
        for ring, end, edges in zip(self._rings, ends, runs, strict=True):
            if len(edges) == 0:
                continue
            count = len(ring)
            edges = edges - (end - count)
            # one edge more to either side, for the corners that they share
            broken = np.flatnonzero(np.diff(edges, append=edges[0] + count) > 3)
            if len(broken) == 0:
                whole.append(ring)
            for n, last in enumerate(broken.tolist()):
                begin, stop = int(edges[(broken[n - 1] + 1) % len(edges)]) - 1, int(edges[last]) + 3
                lines.append(ring.take(np.arange(begin, stop if stop > begin else stop + count), axis=0, mode="wrap"))
        path = path_of(whole, closed=True)
        path.addPath(path_of(lines, closed=False))
        return path

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        """(n, 4) start and end of each edge."""
        return np.concatenate([np.hstack([ring, _turned(ring, 1)]) for ring in self._rings])

    @cached_property
    def _ends(self) -> list[int]:
        """Of each ring the number of the edge after its last."""
        return list(accumulate(map(len, self._rings)))

    @cached_property
    def _least(self) -> NDArray[np.float64]:
        """(n, 4) of each edge the least x and y, and the negative of the greatest: no more than those of a box where it may reach into it."""
        start, end = self._edges[:, :2], self._edges[:, 2:]
        return np.hstack([np.minimum(start, end), -np.maximum(start, end)])

    def _shared(self, other: Outline) -> NDArray[np.bool_]:
        """Which edges are among those of another: looked up by a number that is as good as their own, and compared."""
        ordered, order = other._ordered
        place = order.take(np.searchsorted(ordered, self._numbers), mode="clip")
        return np.asarray((self._edges == other._edges.take(place, axis=0)).all(axis=1))

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        """(n,) a number for each edge, of all its bits; in integers, which run over but are never rounded."""
        bits = self._edges.view(np.int64)
        return np.asarray((bits ^ (bits >> 29)) @ MIXED)

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The numbers rising, and the edges that they belong to."""
        order = np.argsort(self._numbers)
        return self._numbers[order], order

    @cached_property
    def _beginnings(self) -> frozenset[Pair]:
        return frozenset((float(ring[0, 0]), float(ring[0, 1])) for ring in self._rings)


def _turned(ring: NDArray[T], first: int) -> NDArray[T]:
    """A ring that begins elsewhere: as `np.roll`, which takes five times as long."""
    return np.concatenate([ring[first:], ring[:first]])


def _bounds(points: NDArray[np.float64]) -> Bounds:
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


class Outlines:
    """The cuts of structures with planes, as regions and paths. Kept per structure, plane and matrix; the oldest go first.

    Of a stroke in hand cuts across the planes are sketched until its solid is there: each move makes a new structure, and nobody waits
    for solids that the next move makes useless.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Outline | None] = OrderedDict()
        self._cut: set[str] = set()
        self._edited: set[str] = set()
        self._before: dict[tuple[object, ...], Outline | None] = {}
        self._stroke: Structure | None = None
        self._sketched: dict[Key, Outline | None] = {}
        self._sketches: dict[tuple[object, ...], Any] = {}
        self._natives: tuple[object, dict[tuple[Grid, Matrix], int | None]] = (None, {})

    def clear(self) -> None:
        self._kept.clear()
        self._cut.clear()
        self._edited.clear()
        self._before.clear()
        self.draw(None)

    def draw(self, stroke: Structure | None) -> None:
        """The structure as the stroke in hand would make it."""
        if stroke is None or self._stroke is None or stroke.id != self._stroke.id:
            self._sketches = {}
        self._stroke, self._sketched = stroke, {}

    def forget(self, structure_ids: frozenset[str]) -> None:
        """Let go of what was cut from structures that have been edited; an edit makes a new Structure.

        The newest cut in each plane stays until the new solid is there: its numbers and its cuts come together, and nobody waits for them.
        """
        self._edited |= structure_ids & self._cut
        for key in [k for k in self._kept if k[0].id in structure_ids]:
            self._before[key[0].id, *key[1:]] = self._kept.pop(key)
        for key, sketched in self._sketched.items():
            self._before[key[0].id, *key[1:]] = sketched

    def waits(self, drawn: Drawn, port: Viewport) -> bool:
        """Whether a cut across the contours' planes is that of the state before an edit for a moment more."""
        return (
            drawn.structure.id in self._edited
            and self._native(drawn, port) is None
            and not late.solid_known(drawn.structure)
        )

    def of(self, drawn: Drawn, port: Viewport, complete: bool) -> Outline | None:
        """Region and path of a structure in the plane of a viewport; None where it is not met.

        complete: False while cuts across the contours' planes can't be made yet (see `late`); then only native planes are met. Nor are others
        while the solid of a structure is being built for the first time; after an edit the cut of the state before stays until then.
        """
        key = (drawn.structure, drawn.to_structure, port.plane.orientation, port.plane.right, port.position_mm)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        native = self._native(drawn, port)
        if native is not None:  # an own plane without a contour is not met, whatever the structure does beside it
            region = drawn.structure.planes.get(native)
            found = None if region is None else Outline(rings_of(region), region)
        elif not complete:
            return None
        elif drawn.structure is self._stroke and not late.solid_module().known(drawn.structure):
            return self._sketch(key, drawn, port)
        elif not self._at_once(drawn.structure):
            return self._before.get((drawn.structure.id, *key[1:]))
        else:
            found = _within(late.section_module().outline(*_seen(drawn, port)))
        self._kept[key] = found
        while len(self._kept) > KEPT_OUTLINES:
            self._kept.popitem(last=False)
        return found

    def _sketch(self, key: Key, drawn: Drawn, port: Viewport) -> Outline | None:
        """The cut of a stroke in hand; in a tilted plane that of the structure before the stroke, which stays there until the hand rests."""
        if key not in self._sketched:
            sketch = self._sketch_in(key, drawn, port)
            if sketch is not None:
                self._sketched[key] = _within(sketch.rings(drawn.structure.planes))
            else:
                same = (k for k in reversed(self._kept) if k[0].id == drawn.structure.id and k[1:] == key[1:])
                self._sketched[key] = self._kept.get(next(same, key))
        return self._sketched[key]

    def _sketch_in(self, key: Key, drawn: Drawn, port: Viewport) -> Any:
        """The `Sketch` of the stroke in a plane; None for one that is tilted."""
        place = key[0].grid, *key[1:]
        if place not in self._sketches:
            module, (structure, *seen) = late.section_module(), _seen(drawn, port)
            upright = module.upright(structure, drawn.to_structure, port.plane.right, port.plane.down)
            self._sketches[place] = module.Sketch(structure.grid, *seen) if upright else None
        return self._sketches[place]

    def _native(self, drawn: Drawn, port: Viewport) -> int | None:
        """`native_plane`, asked once for all structures on one grid."""
        if self._natives[0] != (port.plane, port.position_mm):
            self._natives = (port.plane, port.position_mm), {}
        key, known = (drawn.structure.grid, drawn.to_structure), self._natives[1]
        if key not in known:
            known[key] = native_plane(drawn.structure, drawn.to_structure, port.origin_mm, port)
        return known[key]

    def in_hand(self, drawn: Drawn) -> bool:
        """Whether this is what a stroke makes of a structure."""
        return drawn.structure is self._stroke

    @property
    def sketches(self) -> bool:
        """Whether a cut that was asked for is a sketch."""
        return bool(self._sketched)

    def build(self, drawn: Drawn) -> None:
        """Have a structure cut at once from now on."""
        late.build(drawn.structure)

    def _at_once(self, structure: Structure) -> bool:
        known = structure.id in self._cut and structure.id not in self._edited
        if known or len(structure.planes) <= FEW_PLANES:
            return True
        if not late.solid_known(structure):
            return False
        self._cut.add(structure.id)
        if structure.id in self._edited:
            self._edited.discard(structure.id)
            self._before = {key: cut for key, cut in self._before.items() if key[0] != structure.id}
        return True


def _seen(drawn: Drawn, port: Viewport) -> tuple[Structure, Matrix, Point, Point, Point]:
    return drawn.structure, drawn.to_structure, port.origin_mm, port.plane.right, port.plane.down


def _within(rings: Sequence[NDArray[np.float64]]) -> Outline | None:
    return Outline(rings) if rings else None


def native_plane(structure: Structure, to_structure: Matrix, origin_mm: Point, port: Viewport) -> int | None:
    """The structure's own plane that a viewport shows, seen along the structure's own axes; else None."""
    grid = structure.grid
    axes = grid.axes.tolist()
    if to_structure != SAME_FRAME or list(port.plane.right) != axes[0] or list(port.plane.down) != axes[1]:
        return None
    w = float(grid.uvw_mm(origin_mm)[2])
    k = grid.nearest_plane(w)
    return k if abs(float(grid.positions_mm[k]) - w) < 1e-3 else None
