"""`HistoryPanel`: every edit by name, and a click to go back or forth to it."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from reviewer.changes import HistoryChanged
from reviewer.errors import ReviewerError
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, follow
from ..theme import RHYTHM, theme, theme_changed
from .layers import tool_button

SHOWN = 500
"""Entries in the list at most; the older ones are still undone one by one."""


class HistoryPanel(QWidget):
    """The newest at the bottom; what was undone is grey and can be done again."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.tools = (tool_button(actions, "edit.undo"), tool_button(actions, "edit.redo"))
        self.list = QListWidget()
        self.list.setObjectName("history.list")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip("Click to go back or forth to the state after this edit")
        self.list.setMinimumHeight(4 * 20)
        self.list.itemClicked.connect(self._go)
        self.note = QLabel()
        self.note.setObjectName("history.note")
        self.note.setProperty("role", "muted")
        self.note.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addWidget(self.note)
        column.addWidget(self.list, 1)
        follow(self, session, self._refresh)
        theme_changed.connect(self._show)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.opened or changes.any(HistoryChanged):
            self._show()

    def _show(self) -> None:
        history = self._session.history
        entries, now = history.entries, history.position
        first = max(history.floor, len(entries) - SHOWN)
        with QSignalBlocker(self.list):
            self.list.clear()
            self._add("As opened" if first == 0 else "As far back as can be gone", first, now)
            for number, entry in enumerate(entries[first:], start=first + 1):
                self._add(entry.label, number, now)
            self.list.setCurrentRow(now - first)
        self.list.scrollToItem(self.list.currentItem())
        dropped = history.floor
        if not entries:
            self.note.setText("Nothing has been changed yet. Every edit will stand here; a click goes back to it.")
        elif dropped:
            self.note.setText(f"The contours of the first {dropped} edits were dropped to save memory: they stay done.")
        else:
            self.note.setText("")
        self.note.setVisible(bool(self.note.text()))

    def _add(self, label: str, position: int, now: int) -> None:
        item = QListWidgetItem(label, self.list)
        item.setData(Qt.ItemDataRole.UserRole, position)
        item.setToolTip(f"{label}\n{'undone: click to do it again' if position > now else 'click to go back to here'}")
        if position > now:
            item.setForeground(QColor(theme().disabled))

    def _go(self, item: QListWidgetItem) -> None:
        try:
            self._session.go_to(int(item.data(Qt.ItemDataRole.UserRole)))
        except ReviewerError as error:  # a formula that cannot follow: nothing was changed
            self._show()
            self.note.setText(f"✗ {error}")
            self.note.setVisible(True)
