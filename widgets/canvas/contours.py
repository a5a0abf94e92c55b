"""Isodose lines and the outlines of structures, as marks; lines are as wide on every zoom."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

from reviewer.scene import Drawn, Scene

from .layers import Lines
from .paths import Bounds, Outline, Outlines, path_of, to_screen_of
from .repaint import Mark, around
from .viewport import Viewport

FILL_ALPHA = 56

REACH = 4.0
"""How far the broadest line reaches to either side, with what antialiasing adds; pixels."""

Met = tuple[Drawn, Outline]


@dataclass(frozen=True)
class Contour(Mark):
    """The line around a structure, or its area. style: its look but for its shape; anywhere: whether another shape differs all along it."""

    outline: Outline
    port: Viewport
    style: Hashable
    anywhere: bool

    def unlike(self, before: Mark) -> list[QRect]:
        if not isinstance(before, Contour) or before.style != self.style:
            return super().unlike(before)
        if self.anywhere:
            return [] if self.outline.same(before.outline) else super().unlike(before)
        apart = self.outline.unlike(before.outline)
        return [] if apart is None else [_box(apart, self.port)]


class Contours:
    """The lines of one view; the paths of the last isodoses are kept, and the marks of the last structures."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._paths: dict[bool, tuple[tuple[Lines, ...], list[QPainterPath]]] = {}
        self._resting: dict[Hashable, Contour] = {}
        self._lively: dict[Hashable, Contour] = {}

    def clear(self) -> None:
        self._paths = {}
        self._resting.clear()
        self._lively.clear()

    def isodoses(self, lines: tuple[Lines, ...], port: Viewport, dashed: bool = False) -> Mark:
        """dashed: those of the dose that the shown one is compared with."""

        def draw(painter: QPainter, _: QRect) -> None:
            there = painter.transform()
            painter.setTransform(to_screen_of(port), True)
            for line, path in zip(lines, self._paths_of(lines, dashed), strict=True):
                pen = _hair(QColor(*line.colour))
                if dashed:
                    pen.setDashPattern([5.0, 5.0])
                _outline(painter, path, pen)
            painter.setTransform(there)

        return Mark(("isodoses", dashed), (lines, port), around(0, 0, *port.size), draw)

    def _paths_of(self, lines: tuple[Lines, ...], dashed: bool) -> list[QPainterPath]:
        known = self._paths.get(dashed)
        if known is None or known[0] is not lines:
            known = self._paths[dashed] = lines, [path_of(line.pieces, closed=False) for line in lines]
        return known[1]

    def resting(self, scene: Scene, port: Viewport, complete: bool) -> tuple[Mark, ...]:
        """The structures of the slice that rest. A compared pair is left to `Differences`. complete: see `Outlines.of`."""
        found = [drawn for drawn in scene.drawn if not self._live(drawn)]
        return self._marks_of(self._resting, self._met(found, scene, port, complete), (), port)

    def lively(self, scene: Scene, port: Viewport, complete: bool) -> tuple[Mark, ...]:
        """Those above them, that change under the hand or are to catch the eye."""
        found = [*(drawn for drawn in scene.drawn if self._live(drawn)), *scene.preview]
        return self._marks_of(self._lively, self._met(found, scene, port, complete), scene.preview, port)

    def _live(self, drawn: Drawn) -> bool:
        return drawn.highlighted or self._outlines.in_hand(drawn)

    def _met(self, found: Sequence[Drawn], scene: Scene, port: Viewport, complete: bool) -> list[Met]:
        apart = () if scene.compared is None else (scene.compared.a, scene.compared.b)
        cut = [(drawn, self._outlines.of(drawn, port, complete)) for drawn in found if drawn not in apart]
        return [(drawn, outline) for drawn, outline in cut if outline is not None]

    @staticmethod
    def _marks_of(
        kept: dict[Hashable, Contour], found: Sequence[Met], preview: Sequence[Drawn], port: Viewport
    ) -> tuple[Mark, ...]:
        """Fillings, and outlines above them. kept: the marks of last time; one that is as it was is the very same, and is not compared."""
        before = kept.copy()
        kept.clear()

        def add(key: Hashable, make: Callable[[], Contour]) -> None:
            mark = before.get(key)
            kept[key] = mark if mark is not None and mark.port is port else make()

        for drawn, outline in found:
            if drawn.filled:
                add(("area", drawn.structure, outline), partial(_area, drawn, outline, port))
        for drawn, outline in found:
            proposed = drawn in preview
            key = "line", drawn.structure, outline, drawn.highlighted, proposed
            add(key, partial(_line, drawn, outline, proposed, port))
        return tuple(kept.values())


def _area(drawn: Drawn, outline: Outline, port: Viewport) -> Contour:
    colour = QColor(*drawn.structure.colour)
    colour.setAlpha(FILL_ALPHA)

    def draw(painter: QPainter, _: QRect) -> None:
        there = painter.transform()
        painter.setTransform(to_screen_of(port), True)
        painter.fillPath(outline.path, colour)
        painter.setTransform(there)

    style = colour.rgba(), port
    box = _box(outline.bounds, port)
    return Contour(("area", drawn.structure.id), (style, outline), box, draw, outline, port, style, False)


def _line(drawn: Drawn, outline: Outline, proposed: bool, port: Viewport) -> Contour:
    colour = QColor(*drawn.structure.colour)
    derived = drawn.structure.formula is not None
    broad = proposed or drawn.highlighted

    def draw(painter: QPainter, box: QRect) -> None:
        there = painter.transform()
        painter.setTransform(to_screen_of(port), True)
        if proposed:
            painter.strokePath(outline.path, _broad(QColor(0, 0, 0, 150), 4.0))
            pen = _broad(colour, 2.2)
            pen.setDashPattern([3.0, 2.0])
            painter.strokePath(outline.path, pen)
        elif drawn.highlighted:
            near = outline.near(
                *port.plane_mm(_corner(box, 0)), *port.plane_mm(_corner(box, 1)), REACH * port.mm_per_pixel
            )
            painter.strokePath(near, _broad(QColor(0, 0, 0, 150), 5.0))
            painter.strokePath(near, _broad(colour, 2.8))
        else:
            pen = _hair(colour)
            if derived:
                pen.setDashPattern([6.0, 4.0])
            _outline(painter, outline.path, pen)
        painter.setTransform(there)

    style = colour.rgba(), derived and not broad, proposed, drawn.highlighted, port
    dashed = proposed or style[1]  # dashes go on from where the outline begins
    name = "proposed" if proposed else "line", drawn.structure.id
    return Contour(name, (style, outline), _box(outline.bounds, port), draw, outline, port, style, dashed)


def _corner(box: QRect, end: int) -> tuple[float, float]:
    return float(box.x() + end * box.width()), float(box.y() + end * box.height())


def _box(bounds_mm: Bounds, port: Viewport) -> QRect:
    return around(*port.pixel(bounds_mm[:2]), *port.pixel(bounds_mm[2:]), REACH)


def _hair(colour: QColor) -> QPen:
    """One pixel wide, whatever the zoom: Qt has a fast way for these."""
    pen = QPen(colour, 1.0)
    pen.setCosmetic(True)
    return pen


def _broad(colour: QColor, width: float) -> QPen:
    pen = QPen(colour, width)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return pen


def _outline(painter: QPainter, path: QPainterPath, pen: QPen) -> None:
    """About one and a half pixels wide. Two hair lines half a pixel apart take a quarter of the time of one broad line."""
    painter.setPen(pen)
    there = painter.transform()
    for shift in (-0.2, 0.2):
        painter.setTransform(there * QTransform.fromTranslate(shift, shift))
        painter.drawPath(path)
    painter.setTransform(there)
