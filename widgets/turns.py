"""`Turns`: widgets that may be painted a moment later are painted one at a time, so that no frame pays for two of them."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

STEP_MS = 16
"""From one to the next."""


class Turns(QObject):
    """A queue of widgets; each is in it once, however often it asks."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[QWidget, Callable[[], None]] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._next)

    def ask(self, widget: QWidget, update: Callable[[], None]) -> None:
        """Update a widget when its turn has come."""
        self._waiting.setdefault(widget, update)
        if not self._timer.isActive():
            self._timer.start()

    def _next(self) -> None:
        seen = {w: update for w, update in self._waiting.items() if shiboken6.isValid(w) and w.isVisible()}
        self._waiting = seen
        if seen:
            seen.pop(next(iter(seen)))()
        if self._waiting:
            self._timer.start()
