"""Paints isodose lines and the outlines of structures. The painter stands in plane coordinates (mm); lines are as wide on every zoom."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

from reviewer.scene import Drawn, Scene

from .layers import Lines
from .paths import Outline, Outlines, path_of
from .viewport import Viewport

FILL_ALPHA = 56

Met = tuple[Drawn, Outline]


class Contours:
    """The lines of one view; the paths of the last isodoses are kept."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._paths: dict[bool, tuple[tuple[Lines, ...], list[QPainterPath]]] = {}

    def clear(self) -> None:
        self._paths = {}

    def paint_isodoses(self, painter: QPainter, lines: tuple[Lines, ...], dashed: bool = False) -> None:
        """dashed: those of the dose that the shown one is compared with."""
        known = self._paths.get(dashed)
        if known is None or known[0] is not lines:
            known = self._paths[dashed] = lines, [path_of(line.pieces, closed=False) for line in lines]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line, path in zip(lines, known[1], strict=True):
            pen = _hair(QColor(*line.colour))
            if dashed:
                pen.setDashPattern([5.0, 5.0])
            _outline(painter, path, pen)

    def met(self, scene: Scene, port: Viewport, complete: bool) -> tuple[list[Met], list[Met]]:
        """The outlines of the slice: those that rest, and above them those that change under the hand or are to catch the eye.

        A compared pair is left to `Differences`. complete: see `Outlines.of`.
        """
        apart = () if scene.compared is None else (scene.compared.a, scene.compared.b)
        resting: list[Met] = []
        lively: list[Met] = []
        for drawn in (*scene.drawn, *scene.preview):
            outline = None if drawn in apart else self._outlines.of(drawn, port, complete)
            if outline is not None:
                live = drawn.highlighted or drawn in scene.preview or self._outlines.in_hand(drawn)
                (lively if live else resting).append((drawn, outline))
        return resting, lively

    def paint_structures(self, painter: QPainter, found: Sequence[Met], preview: Sequence[Drawn]) -> None:
        """Fillings, and outlines above them."""
        for drawn, outline in found:
            if drawn.filled:
                colour = QColor(*drawn.structure.colour)
                colour.setAlpha(FILL_ALPHA)
                painter.fillPath(outline.path, colour)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for drawn, outline in found:
            pen = _hair(QColor(*drawn.structure.colour))
            if drawn.structure.formula is not None:
                pen.setDashPattern([6.0, 4.0])
            if drawn in preview:
                painter.strokePath(outline.path, _broad(QColor(0, 0, 0, 150), 4.0))
                broad = _broad(pen.color(), 2.2)
                broad.setDashPattern([3.0, 2.0])
                painter.strokePath(outline.path, broad)
            elif drawn.highlighted:
                painter.strokePath(outline.path, _broad(QColor(0, 0, 0, 150), 5.0))
                painter.strokePath(outline.path, _broad(pen.color(), 2.8))
            else:
                _outline(painter, outline.path, pen)


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
