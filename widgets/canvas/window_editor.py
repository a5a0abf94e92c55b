"""Window and level typed into the view."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ..theme import theme
from .facts import Box
from .viewport import Pair


class WindowEditor(QLineEdit):
    """A field over the words that tell the window: width and level. Esc or leaving it changes nothing."""

    entered = Signal(float, float)
    """Level and width, as accepted with Enter."""

    left = Signal()

    def __init__(self, parent: QWidget, window: Pair, box: Box) -> None:
        """window: level and width as they are; box: of the words, logical pixels."""
        super().__init__(f"{window[1]:g} {window[0]:g}", parent)
        self.setObjectName("window_level_editor")
        self.setToolTip("Width and level; Enter accepts, Esc leaves it as it was")
        self.setGeometry(int(box[0]) - 4, int(box[1] + box[3]) - 24, max(112, int(box[2]) + 24), 24)
        self.returnPressed.connect(self._accept)
        self.selectAll()

    def close_for_good(self) -> None:
        self.blockSignals(True)
        self.hide()
        self.deleteLater()

    def _accept(self) -> None:
        try:
            width, level = (float(t) for t in self.text().replace(",", " ").split())
        except ValueError:
            width = level = 0.0
        if not (np.isfinite(width) and np.isfinite(level) and width > 0):
            self.setStyleSheet(f"color: {theme().bad};")
            self.setToolTip("Two numbers: a width above 0, and a level")
            return
        self.entered.emit(level, width)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()
