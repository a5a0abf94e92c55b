"""What stays the same from paint to paint, on a transparent sheet that is laid over the picture."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPixmap


class Sheet:
    """Lines take ten times as long to draw as a sheet to lay down. What is met only once, as while scrolling, is drawn without one."""

    def __init__(self) -> None:
        self._key: object = None
        self._sheet: QPixmap | None = None

    def paint(
        self, painter: QPainter, key: object, size: tuple[float, float], draw: Callable[[QPainter], None]
    ) -> None:
        """Draw what belongs to a key; the second time in a row on the sheet, from the third the sheet is enough.

        size: of the view in logical pixels. draw: is given a painter that stands in these, antialiased, and may leave it as it likes.
        """
        ratio = painter.device().devicePixelRatioF()
        if key != self._key:
            self._key, self._sheet = key, None
            painter.save()
            draw(painter)
            painter.restore()
            return
        if self._sheet is None or self._sheet.devicePixelRatio() != ratio:
            self._sheet = QPixmap(round(size[0] * ratio), round(size[1] * ratio))
            self._sheet.setDevicePixelRatio(ratio)
            self._sheet.fill(Qt.GlobalColor.transparent)
            inner = QPainter(self._sheet)
            inner.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw(inner)
            inner.end()
        painter.drawPixmap(0, 0, self._sheet)
