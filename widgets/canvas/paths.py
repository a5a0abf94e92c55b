"""Outlines as painter paths, in plane coordinates (mm)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainterPath, QPolygonF

from reviewer.case import Structure
from reviewer.geometry.region import Region, rings_of
from reviewer.scene import Drawn, Matrix, Point

from . import late
from .viewport import Viewport

KEPT_OUTLINES = 4000

FEW_PLANES = 3
"""A structure of no more has its solid in a moment."""

SAME_FRAME: Matrix = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))

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
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    for line in lines:
        path.addPolygon(polygon(line))
        if closed:
            path.closeSubpath()
    return path


class Outlines:
    """The cuts of structures with planes, as regions and paths. Kept per structure, plane and matrix; the oldest go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[Region, QPainterPath] | None] = OrderedDict()
        self._cut: set[str] = set()
        self._edited: set[str] = set()
        self._before: dict[tuple[object, ...], tuple[Region, QPainterPath] | None] = {}

    def clear(self) -> None:
        self._kept.clear()
        self._cut.clear()
        self._edited.clear()
        self._before.clear()

    def forget(self, structure_ids: frozenset[str]) -> None:
        """Let go of what was cut from structures that have been edited; an edit makes a new Structure.

        The newest cut in each plane stays until the new solid is there: its numbers and its cuts come together, and nobody waits for them.
        """
        self._edited |= structure_ids & self._cut
        for key in [k for k in self._kept if k[0].id in structure_ids]:
            self._before[key[0].id, *key[1:]] = self._kept.pop(key)

    def waits(self, drawn: Drawn, port: Viewport) -> bool:
        """Whether a cut across the contours' planes is that of the state before an edit for a moment more."""
        return (
            drawn.structure.id in self._edited
            and native_plane(drawn.structure, drawn.to_structure, port.point_mm((0.0, 0.0)), port) is None
            and not late.solid_known(drawn.structure)
        )

    def of(self, drawn: Drawn, port: Viewport, complete: bool) -> tuple[Region, QPainterPath] | None:
        """Region and path of a structure in the plane of a viewport; None where it is not met.

        complete: False while cuts across the contours' planes can't be made yet (see `late`); then only native planes are met. Nor are others
        while the solid of a structure is being built for the first time; after an edit the cut of the state before stays until then.
        """
        key = (drawn.structure, drawn.to_structure, port.plane.orientation, port.plane.right, port.position_mm)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        origin = port.point_mm((0.0, 0.0))
        native = native_plane(drawn.structure, drawn.to_structure, origin, port)
        if native is not None:  # an own plane without a contour is not met, whatever the structure does beside it
            region = drawn.structure.planes.get(native)
        elif not complete:
            return None
        elif not self._at_once(drawn.structure):
            return self._before.get((drawn.structure.id, *key[1:]))
        else:
            region = late.section_module().section(
                drawn.structure, drawn.to_structure, origin, port.plane.right, port.plane.down
            )
        found = None if region is None else (region, path_of(rings_of(region), closed=True))
        self._kept[key] = found
        while len(self._kept) > KEPT_OUTLINES:
            self._kept.popitem(last=False)
        return found

    def build(self, drawn: Drawn) -> None:
        """Have a structure cut at once from now on."""
        late.solid_module().solid(drawn.structure)

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


def native_plane(structure: Structure, to_structure: Matrix, origin_mm: Point, port: Viewport) -> int | None:
    """The structure's own plane that a viewport shows, seen along the structure's own axes; else None."""
    grid = structure.grid
    axes = grid.axes.tolist()
    if to_structure != SAME_FRAME or list(port.plane.right) != axes[0] or list(port.plane.down) != axes[1]:
        return None
    w = float(grid.uvw_mm(origin_mm)[2])
    k = grid.nearest_plane(w)
    return k if abs(float(grid.positions_mm[k]) - w) < 1e-3 else None
