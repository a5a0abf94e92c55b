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
        self._rows: list[tuple[str, int, bool]] = []
        self.tools = (tool_button(actions, "edit.undo"), tool_button(actions, "edit.redo"))
        self.list = QListWidget()
        self.list.setObjectName("history.list")
        self.list.setUniformItemSizes(True)
        # What was done and on which slice is read; a long name is guessed.
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
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
        theme_changed.connect(self._dress)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.opened or changes.any(HistoryChanged):
            self._show()

    def _show(self) -> None:
        history = self._session.history
        entries, now = history.entries, history.position
        first = max(history.floor, len(entries) - SHOWN)
        rows = [("As opened" if first == 0 else "As far back as can be gone", first, False)]
        rows += [(entry.label, n, n > now) for n, entry in enumerate(entries[first:], start=first + 1)]
        with QSignalBlocker(self.list):
            while self.list.count() > len(rows):
                self.list.takeItem(self.list.count() - 1)
            for place, row in enumerate(rows):
                if place >= len(self._rows) or self._rows[place] != row:
                    self._write(place, *row)
            self._rows = rows
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

    def _write(self, place: int, label: str, position: int, undone: bool) -> None:
        item = self.list.item(place) or QListWidgetItem(self.list)
        item.setText(label)
        item.setData(Qt.ItemDataRole.UserRole, position)
        item.setToolTip(f"{label}\n{'undone: click to do it again' if undone else 'click to go back to here'}")
        item.setData(Qt.ItemDataRole.ForegroundRole, QColor(theme().disabled) if undone else None)

    def _dress(self) -> None:
        """In the colours of another theme."""
        self._rows = []
        self._show()

    def _go(self, item: QListWidgetItem) -> None:
        try:
            self._session.go_to(int(item.data(Qt.ItemDataRole.UserRole)))
        except ReviewerError as error:  # a formula that cannot follow: nothing was changed
            self._show()
            self.note.setText(f"✗ {error}")
            self.note.setVisible(True)
