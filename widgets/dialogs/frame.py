"""What dialogues have in common: margins, buttons, and a foot with the way out and the one thing that they are there for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..theme import RHYTHM


def framed(dialog: QDialog) -> QVBoxLayout:
    """The column that fills a dialogue."""
    column = QVBoxLayout(dialog)
    column.setContentsMargins(2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
    column.setSpacing(RHYTHM)
    return column


def button(name: str, text: str, does: Callable[[], object], primary: bool = False) -> QPushButton:
    """One that Enter alone does not press."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setAutoDefault(False)
    if primary:
        made.setProperty("role", "primary")
    made.clicked.connect(does)
    return made


class Foot(QHBoxLayout):
    """left: widgets before the buttons, the last of which gets the room; None of them: the buttons stand at the right.

    does: object name, text, and what happens; by Ctrl+Return too while the button is
    enabled. leaves: the same of the way out.
    """

    def __init__(
        self,
        dialog: QDialog,
        leaves: tuple[str, str, Callable[[], object]],
        does: tuple[str, str, Callable[[], object]],
        *left: QWidget,
    ) -> None:
        super().__init__()
        self.setSpacing(RHYTHM)
        self.leave, self.go = button(*leaves), button(*does, primary=True)
        QShortcut(QKeySequence("Ctrl+Return"), dialog, self.go.click)
        for widget in left:
            self.addWidget(widget)
        if left:
            self.setStretchFactor(left[-1], 1)
        else:
            self.addStretch(1)
        self.addWidget(self.leave)
        self.addWidget(self.go)
