"""`Taking`: the two buttons below what is proposed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from ..theme import RHYTHM


class Taking(QWidget):
    """Take it or drop it, with their keys. name: of the panel, after which the buttons are called."""

    def __init__(self, name: str, take: Callable[[], object], drop: Callable[[], object]) -> None:
        super().__init__()
        self.accept = QPushButton("Take it  Enter")
        self.accept.setObjectName(f"{name}.accept")
        self.accept.setProperty("role", "primary")
        self.accept.clicked.connect(take)
        self.drop = QPushButton("Drop it  Esc")
        self.drop.setObjectName(f"{name}.drop")
        self.drop.clicked.connect(drop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(RHYTHM // 2)
        row.addWidget(self.accept)
        row.addWidget(self.drop)
