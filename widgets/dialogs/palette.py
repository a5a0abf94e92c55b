"""The command palette: type a few letters of any command."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from ..actions import Actions, Command, key_text
from ..theme import RHYTHM

NOT_AT_ALL = 9


class CommandPalette(QDialog):
    """A field and a list; Enter carries out the chosen command, Esc leaves."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._actions = actions
        self.field = QLineEdit()
        self.field.setObjectName("palette.field")
        self.field.setPlaceholderText("Type a command")
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        self.list = QListWidget()
        self.list.setObjectName("palette.list")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(self._carry_out)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM, RHYTHM, RHYTHM, RHYTHM)
        column.setSpacing(RHYTHM)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self.resize(480, 400)
        self._fill("")

    def open_over(self, window: QWidget) -> None:
        top = window.mapToGlobal(window.rect().topLeft())
        self.move(top.x() + (window.width() - self.width()) // 2, top.y() + 6 * RHYTHM)
        self.show()
        self.field.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                self.list.setCurrentRow((self.list.currentRow() + step) % max(1, self.list.count()))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if self.list.currentItem() is not None:
                    self._carry_out(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _fill(self, text: str) -> None:
        words = text.lower().split()
        self.list.clear()
        found = [(_likeness(c, words), c) for c in self._actions if c.name != "help.palette"]
        for rank, command in sorted(found, key=lambda each: each[0]):
            if rank == NOT_AT_ALL:
                break
            name = f"{command.section}: {command.text.replace('…', '')}"
            refusal = command.refusal()
            key = f"      {key_text(command.keys)}" if command.keys else ""
            item = QListWidgetItem(f"{name}{key}" if not refusal else f"{name}      ({refusal})")
            item.setData(Qt.ItemDataRole.UserRole, command.name)
            if refusal:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.setCurrentRow(
            next((r for r in range(self.list.count()) if self.list.item(r).flags() & Qt.ItemFlag.ItemIsEnabled), -1)
        )

    def _carry_out(self, item: QListWidgetItem) -> None:
        if item.flags() & Qt.ItemFlag.ItemIsEnabled:
            name = item.data(Qt.ItemDataRole.UserRole)
            self.close()
            self._actions.trigger(name)


def _likeness(command: Command, words: list[str]) -> int:
    """0 where the command's own words begin with what is typed, then where they hold it, its section does, its explanation."""
    if command.text.lower().startswith(" ".join(words)):
        return 0
    places = (command.text, f"{command.section} {command.text}", f"{command.section} {command.text} {command.tip}")
    return next((n for n, text in enumerate(places, 1) if all(w in text.lower() for w in words)), NOT_AT_ALL)
