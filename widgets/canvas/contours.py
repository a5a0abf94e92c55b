"""Isodose lines and the outlines of structures, in plane coordinates (mm). Lines are as wide on every zoom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

from reviewer.scene import Drawn, Scene

from . import late
from .layers import Lines
from .paths import Outline, Outlines, Rings, path_of
from .sheet import Blank, Sheet
from .viewport import Viewport

FILL_ALPHA = 56

WIDTH = 1.4
"""Of a line, pixels."""

Dash = tuple[float, float]
"""Pixels that are drawn and left out in turn; (0, 0): all are drawn."""

SOLID, DERIVED, COMPARED = (0.0, 0.0), (6.0, 4.0), (5.0, 5.0)
"""Lines of structures and isodoses, of structures that follow a formula, and isodoses of the dose that the shown one is compared with."""

Met = tuple[Drawn, Outline]


@dataclass(frozen=True, eq=False)
class Stroke:
    """Lines of one colour that count as one: where they meet each other they do not become denser. closed: each encloses an area."""

    lines: Rings
    closed: bool
    colour: tuple[int, int, int]
    dash: Dash = SOLID


class Contours:
    """The lines of one view, on sheets: those that rest, and above them those in hand, of which only the surroundings are drawn anew."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._resting, self._in_hand = Sheet(), Sheet()

    def paint(
        self,
        painter: QPainter,
        scene: Scene,
        port: Viewport,
        size: QRect,
        lines: tuple[Lines, ...],
        others: tuple[Lines, ...],
        complete: bool,
    ) -> None:
        """Paint isodose lines and structures. size: logical pixels of the view; others: lines of the dose that the shown one is compared with.

        complete: False while what is compiled is not there yet (see `late`): then a painter draws, and only native planes are met.
        """
        turn = to_view(port)
        resting, in_hand, marked = self._met(scene, port, complete)
        self._resting.paint(
            painter,
            (port, lines, others, resting, complete),
            size,
            lambda sheet: _draw(sheet, turn, resting, _strokes(lines, others, resting), complete),
        )
        if in_hand:
            self._in_hand.paint(
                painter,
                (port, in_hand, complete),
                _around(in_hand, turn).intersected(size),
                lambda sheet: _draw(sheet, turn, in_hand, _strokes((), (), in_hand), complete),
            )
        if marked:
            painter.save()
            painter.setTransform(turn, True)
            _paint_marked(painter, marked, scene.preview)
            painter.restore()

    def _met(self, scene: Scene, port: Viewport, complete: bool) -> tuple[list[Met], list[Met], list[Met]]:
        """The outlines of the slice: those that rest, those that change under the hand, and those that are to catch the eye.

        A compared pair is left to `Differences`.
        """
        apart = () if scene.compared is None else (scene.compared.a, scene.compared.b)
        resting: list[Met] = []
        in_hand: list[Met] = []
        marked: list[Met] = []
        for drawn in (*scene.drawn, *scene.preview):
            outline = None if drawn in apart else self._outlines.of(drawn, port, complete)
            if outline is not None:
                eye = drawn.highlighted or drawn in scene.preview
                where = marked if eye else in_hand if self._outlines.in_hand(drawn) else resting
                where.append((drawn, outline))
        return resting, in_hand, marked


def to_view(port: Viewport) -> QTransform:
    """From plane coordinates to logical pixels."""
    scale = QTransform.fromScale(1 / port.mm_per_pixel, 1 / port.mm_per_pixel)
    return scale * QTransform.fromTranslate(*port.pixel((0.0, 0.0)))


def _draw(sheet: Blank, turn: QTransform, found: Sequence[Met], strokes: Sequence[Stroke], complete: bool) -> None:
    """Fillings, and strokes above them."""
    painter = QPainter(sheet.image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setTransform(turn * QTransform.fromTranslate(-sheet.corner.x(), -sheet.corner.y()))
    _fill(painter, found)
    if not complete:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for stroke in strokes:
            _outline(painter, path_of(stroke.lines, stroke.closed), _hair(QColor(*stroke.colour), stroke.dash))
    to_pixels = painter.deviceTransform()
    painter.end()
    if complete:
        origin = to_pixels.dx(), to_pixels.dy()
        late.pen_module().draw(sheet.pixels, strokes, to_pixels.m11(), origin, sheet.image.devicePixelRatio(), WIDTH)


def _around(found: Sequence[Met], turn: QTransform) -> QRect:
    """The part of the view that outlines take, with their lines."""
    boxes = np.array([outline.bounds for _, outline in found])
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return turn.mapRect(QRectF(x0, y0, x1 - x0, y1 - y0)).adjusted(-2, -2, 2, 2).toAlignedRect()


def _paint_marked(painter: QPainter, found: Sequence[Met], preview: Sequence[Drawn]) -> None:
    """Fillings, and outlines above them, broad. The painter stands in plane coordinates."""
    _fill(painter, found)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for drawn, outline in found:
        before = drawn in preview
        painter.strokePath(outline.path, _broad(QColor(0, 0, 0, 150), 4.0 if before else 5.0))
        pen = _broad(QColor(*drawn.structure.colour), 2.2 if before else 2.8)
        if before:
            pen.setDashPattern([3.0, 2.0])
        painter.strokePath(outline.path, pen)


def _strokes(lines: Sequence[Lines], others: Sequence[Lines], found: Sequence[Met]) -> list[Stroke]:
    """Isodose lines, above them those of the dose that it is compared with, above these the outlines of structures."""
    return [
        *(Stroke(line.pieces, False, line.colour) for line in lines),
        *(Stroke(line.pieces, False, line.colour, COMPARED) for line in others),
        *(Stroke(outline.rings, True, drawn.structure.colour, _dash(drawn)) for drawn, outline in found),
    ]


def _dash(drawn: Drawn) -> Dash:
    return SOLID if drawn.structure.formula is None else DERIVED


def _fill(painter: QPainter, found: Sequence[Met]) -> None:
    for drawn, outline in found:
        if drawn.filled:
            colour = QColor(*drawn.structure.colour)
            colour.setAlpha(FILL_ALPHA)
            painter.fillPath(outline.path, colour)


def _hair(colour: QColor, dash: Dash) -> QPen:
    """One pixel wide, whatever the zoom: Qt has a fast way for these."""
    pen = QPen(colour, 1.0)
    pen.setCosmetic(True)
    if dash != SOLID:
        pen.setDashPattern(dash)
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
