"""The keyboard map, made from the registry of actions."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from ..actions import GESTURES, Actions, key_text
from ..theme import RHYTHM, heading, muted


class KeysDialog(QDialog):
    """Mouse first, then keys by section; it does not block the window."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle("Keys and mouse")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sections = key_map(actions)
        room = parent.size() - QSize(4 * RHYTHM, 10 * RHYTHM) if parent is not None else QSize(1280, 680)
        body = next(b for n in (3, 2, 1) if (b := _body(sections, n)).sizeHint().width() + 24 <= room.width() or n == 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(body)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        hint = body.sizeHint()
        self.resize(hint.width() + 24, min(hint.height() + 8, room.height()))


def _body(sections: Sequence[tuple[str, list[tuple[str, str]]]], count: int) -> QWidget:
    """The sections in so many columns, each where there is most room yet."""
    columns = [QVBoxLayout() for _ in range(count)]
    heights = [0] * count
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
    return body


def key_map(actions: Actions) -> list[tuple[str, list[tuple[str, str]]]]:
    """Section -> (what it does, by which hand), the mouse first, the others in the order in which their commands were registered."""
    sections: dict[str, list[tuple[str, str]]] = {"Mouse": [(g.does, g.hand) for g in GESTURES]}
    for command in actions:
        if command.keys:
            sections.setdefault(command.section, []).append((command.text.replace("…", ""), key_text(command.keys)))
    return list(sections.items())


def as_markdown(actions: Actions) -> str:
    """The same as docs/keys.md."""
    lines = ["# Keys and mouse", "", "Made from the registry of commands, as `?` shows it; a test compares the two."]
    for title, rows in key_map(actions):
        lines += ["", f"## {title}", "", "| do | by |", "|---|---|", *(f"| {does} | {hand} |" for does, hand in rows)]
    return "\n".join(lines) + "\n"


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
            cap.setProperty("role", "key")
            grid.addWidget(cap, row, 0, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(muted(does), row, 1)
    return grid
