"""`Fold`: a titled panel that folds to its title."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..theme import RHYTHM, heading, icon, theme_changed
from .turn import take_turn

HEAD_HEIGHT = 26

MARGIN = 6
"""At the right, pixels: as wide as the bar of a column that scrolls."""


class Fold(QWidget):
    """Title, tools at its right, and a body; folded, only the title is left.

    name: object name of the fold; its body and its button are called after it.
    """

    folded = Signal(bool)

    def __init__(
        self, name: str, title: str, body: QWidget, tools: tuple[QWidget, ...] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.title, self.body = title, body
        self._chevron = QToolButton()
        self._chevron.setObjectName(f"{name}.fold")
        self._chevron.setProperty("role", "bare")
        self._chevron.setFixedSize(20, 20)
        self._chevron.setIconSize(QSize(14, 14))
        self._chevron.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._chevron.clicked.connect(self.toggle)
        self.tools: list[QWidget] = []
        top = QWidget()
        top.setFixedHeight(HEAD_HEIGHT)
        head = QHBoxLayout(top)
        head.setContentsMargins(0, 0, 0, 0)
        head.setSpacing(RHYTHM // 2)
        head.addWidget(self._chevron)
        head.addWidget(heading(title))
        head.addStretch(1)
        self._head = head
        self._add(tools)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, RHYTHM // 2, MARGIN, RHYTHM)
        column.setSpacing(RHYTHM // 2)
        column.addWidget(top)
        column.addWidget(body, 1)
        self._column = column
        self._policy = self.sizePolicy()
        self._draw()
        theme_changed.connect(self._draw)

    @property
    def open(self) -> bool:
        return not self.body.isHidden()

    def put(self, body: QWidget, tools: tuple[QWidget, ...] = ()) -> None:
        """Another body, with its tools, in the place of the one that held it free."""
        self._add(tools)
        for each in (body, *tools):
            each.setVisible(self.open)
        self._column.replaceWidget(self.body, body)
        for each in (body, *reversed(tools)):
            take_turn(each, self.body)
        self._column.setStretchFactor(body, 1)
        self.body.deleteLater()
        self.body = body

    def _add(self, tools: tuple[QWidget, ...]) -> None:
        for tool in tools:
            self._head.addWidget(tool)
            self.tools.append(tool)

    def toggle(self) -> None:
        self.set_open(not self.open)

    def set_open(self, is_open: bool) -> None:
        self.body.setVisible(is_open)
        for tool in self.tools:
            tool.setVisible(is_open)
        if is_open:
            self.setMaximumHeight(16777215)
            self.setSizePolicy(self._policy)
        else:
            self.setSizePolicy(self._policy.horizontalPolicy(), QSizePolicy.Policy.Fixed)
            self.setMaximumHeight(HEAD_HEIGHT + 2 * RHYTHM)
        self._draw()
        self.folded.emit(not is_open)

    def set_tip(self, tip: str) -> None:
        self._chevron.setToolTip(tip)

    def _draw(self) -> None:
        self._chevron.setIcon(icon("chevron-down" if self.open else "chevron-right"))
