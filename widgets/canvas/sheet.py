"""What stays the same from paint to paint, on a transparent sheet that is laid over the picture."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPixmap

from .repaint import Mark, differing
from .viewport import Viewport


class Sheet:
    """Lines take ten times as long to draw as a sheet to lay down. Where they are met only once, as while scrolling, they are drawn without one.

    Of what differs from one paint to the next, as after an edit, only the surroundings are drawn anew.
    """

    def __init__(self) -> None:
        self._marks: tuple[Mark, ...] = ()
        self._port: Viewport | None = None
        self._sheet: QPixmap | None = None

    def prepare(self, marks: tuple[Mark, ...], port: Viewport) -> None:
        """Before a paint: the first in a viewport draws the marks themselves, from the second on there is a sheet."""
        if port != self._port:
            self._marks, self._port, self._sheet = marks, port, None
            return
        if self._sheet is None:
            self._sheet = QPixmap(round(port.size[0] * port.ratio), round(port.size[1] * port.ratio))
            self._sheet.setDevicePixelRatio(port.ratio)
            self._sheet.fill(Qt.GlobalColor.transparent)
            self._draw(self._sheet, marks, [QRect(0, 0, *(round(n) for n in port.size))])
        elif boxes := differing(self._marks, marks):
            self._draw(self._sheet, marks, boxes)
        self._marks = marks

    def paint(self, painter: QPainter, box: QRect) -> None:
        """Lay down what lies in a box of logical pixels, to which the painter is clipped."""
        if self._sheet is not None:
            painter.drawPixmap(0, 0, self._sheet)
        else:
            draw(painter, self._marks, box)

    def _draw(self, sheet: QPixmap, marks: Sequence[Mark], boxes: Sequence[QRect]) -> None:
        painter = QPainter(sheet)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for box in boxes:
            painter.setClipRect(box)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.fillRect(box, Qt.GlobalColor.transparent)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
            draw(painter, marks, box)
        painter.end()


def draw(painter: QPainter, marks: Sequence[Mark], box: QRect) -> None:
    """Those of the marks that reach into a box, from the bottom up."""
    for mark in marks:
        if mark.box.intersects(box):
            mark.draw(painter, box)
