"""The keyboard map, made from the registry of actions."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from ..actions import GESTURES, Actions, key_text
from ..theme import RHYTHM, heading, muted, theme


class KeysDialog(QDialog):
    """Mouse first, then keys by section; it does not block the window."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle("Keys and mouse")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sections = [("Mouse", [(g.does, g.hand) for g in GESTURES])]
        with_keys = sorted((c for c in actions if c.keys), key=lambda c: _order(actions, c.section))
        for section, commands in groupby(with_keys, key=lambda c: c.section):
            sections.append((section, [(c.text.replace("…", ""), key_text(c.keys)) for c in commands]))
        columns = [QVBoxLayout() for _ in range(3)]
        heights = [0] * len(columns)
        for title, rows in sections:
            shorter = heights.index(min(heights))
            columns[shorter].addLayout(_section(title, rows))
            columns[shorter].addSpacing(RHYTHM)
            heights[shorter] += len(rows) + 2
        body = QWidget()
        body.setProperty("role", "panel")
        across = QHBoxLayout(body)
        across.setContentsMargins(2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
        across.setSpacing(4 * RHYTHM)
        for column in columns:
            column.addStretch(1)
            across.addLayout(column, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(body)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        hint = body.sizeHint()
        self.resize(hint.width() + 24, min(hint.height() + 8, 680))


def _order(actions: Actions, section: str) -> int:
    return list(dict.fromkeys(c.section for c in actions)).index(section)


def _section(title: str, rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(2 * RHYTHM)
    grid.setVerticalSpacing(RHYTHM // 2)
    grid.setColumnStretch(1, 1)
    grid.addWidget(heading(title), 0, 0, 1, 2)
    for row, (does, hand) in enumerate(rows, start=1):
        if title == "Mouse":
            grid.addWidget(QLabel(hand), row, 0)
        else:
            cap = QLabel(hand)
            cap.setStyleSheet(
                f"background: {theme().raised}; border: 1px solid {theme().line}; border-radius: 3px; padding: 1px 6px;"
            )
            grid.addWidget(cap, row, 0, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(muted(does), row, 1)
    return grid
