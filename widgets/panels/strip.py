"""`Strip`: a line across the window that comes and goes. `ErrorStrip`: what went wrong, until somebody has read it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from ..theme import RHYTHM, icon, theme, theme_changed


class Strip(QWidget):
    """left: it has gone, and the keyboard was with it, which Qt gives to the next field of the window; there the keys of the pictures change it."""

    left = Signal()

    def go(self) -> None:
        focused = self.window().focusWidget()
        held = focused is not None and self.isAncestorOf(focused)
        self.hide()
        if held:
            self.left.emit()


class ErrorStrip(Strip):
    """Messages one after the other, the newest last; hidden when all are read."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._messages: list[str] = []
        self._symbol = QLabel()
        self.text = QLabel()
        self.text.setObjectName("strip.text")
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setObjectName("strip.copy")
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText("\n".join(self._messages)))
        self.dismiss_button = QPushButton("Dismiss")
        self.dismiss_button.setObjectName("strip.dismiss")
        self.dismiss_button.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(RHYTHM, RHYTHM // 2, RHYTHM, RHYTHM // 2)
        row.setSpacing(RHYTHM)
        row.addWidget(self._symbol)
        row.addWidget(self.text, 1)
        row.addWidget(self.count)
        row.addWidget(self.copy_button)
        row.addWidget(self.dismiss_button)
        theme_changed.connect(self._draw)
        self._draw()
        self._show()

    @property
    def messages(self) -> tuple[str, ...]:
        return tuple(self._messages)

    def tell(self, message: str) -> None:
        """Show a sentence; the same sentence is not stacked on itself."""
        if message.partition(" ")[0].isalpha():  # else it begins with a path or a name, which is as it is
            message = message[:1].upper() + message[1:]
        if message not in self._messages:
            self._messages.append(message)
        self._show()

    def dismiss(self) -> None:
        """The message that is shown has been read."""
        del self._messages[:1]
        self._show()

    def clear(self) -> None:
        self._messages.clear()
        self._show()

    def _show(self) -> None:
        if self._messages:
            self.show()
        else:
            self.go()
        self.text.setText(self._messages[0] if self._messages else "")
        self.count.setText(f"1 of {len(self._messages)}" if len(self._messages) > 1 else "")

    def _draw(self) -> None:
        self._symbol.setPixmap(icon("warning").pixmap(18, 18))
        self.setStyleSheet(f"QWidget#strip {{ background: {theme().panel}; border-left: 4px solid {theme().bad}; }}")
