"""`SheetsDialog`: goal sheets read, copied and written; nothing is kept that is no good sheet."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFont, QTextCursor
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
)

from reviewer.dosimetry.sheets import Sheet, all_sheets, read_sheet, save_sheet, user_folder
from reviewer.errors import ReviewerError

from ..panels.goals_work import GoalWork
from ..theme import RHYTHM, muted, tint

CHECK_MS = 250
"""How long a hand rests before what it wrote is checked."""


class SheetsDialog(QDialog):
    """The text of a sheet as it stands in its file. Those of the program can only be copied."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self.setObjectName("sheets")
        self.setWindowTitle("Goal sheets")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = window.session
        self._work: GoalWork = window.goals.work
        self.list = QListWidget()
        self.list.setObjectName("sheets.list")
        self.list.setFixedWidth(240)
        self.list.currentItemChanged.connect(lambda *_: self._open())
        self.name = QLineEdit()
        self.name.setObjectName("sheets.name")
        self.name.setPlaceholderText("name of the file")
        self.text = QPlainTextEdit()
        self.text.setObjectName("sheets.text")
        font = QFont("monospace")
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPointSizeF(9.5)
        self.text.setFont(font)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.textChanged.connect(lambda: self._timer.start())
        self.verdict = QLabel()
        self.verdict.setObjectName("sheets.verdict")
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self.copy = QPushButton("Copy to own sheets")
        self.copy.setObjectName("sheets.copy")
        self.copy.clicked.connect(self._copy)
        self.save = QPushButton("Save")
        self.save.setObjectName("sheets.save")
        self.save.setProperty("role", "primary")
        self.save.clicked.connect(self._save)
        close = QPushButton("Close")
        close.clicked.connect(self.accept)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(CHECK_MS)
        self._timer.timeout.connect(self._check)
        names = QHBoxLayout()
        names.addWidget(muted("Name"))
        names.addWidget(self.name, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self.save)
        right = QVBoxLayout()
        right.setSpacing(RHYTHM)
        right.addLayout(names)
        right.addWidget(self.text, 1)
        right.addWidget(self.verdict)
        right.addLayout(buttons)
        left = QVBoxLayout()
        left.addWidget(self.list, 1)
        place = muted(f"Own sheets are kept in\n{user_folder()}")
        place.setWordWrap(True)
        place.setFixedWidth(240)
        left.addWidget(place)
        row = QHBoxLayout(self)
        row.setSpacing(2 * RHYTHM)
        row.addLayout(left)
        row.addLayout(right, 1)
        self.resize(900, 600)
        self._fill(self._work.sheet().id if self._work.sheet() else "")

    # -- which ----------------------------------------------------------------------------------------------------------

    def _fill(self, chosen: str) -> None:
        self.list.clear()
        found = all_sheets()
        for sheet in found.sheets:
            item = QListWidgetItem(f"{sheet.name}{'  (own)' if sheet.own else ''}")
            item.setData(Qt.ItemDataRole.UserRole, sheet)
            item.setToolTip(f"{sheet.file}\n{sheet.source}")
            self.list.addItem(item)
            if sheet.id == chosen:
                self.list.setCurrentItem(item)
        for error in found.errors:
            item = QListWidgetItem(f"✗ {Path(error.where.split(':')[0]).name}")
            item.setData(Qt.ItemDataRole.UserRole, Path(error.where.split(":")[0]))
            item.setToolTip(str(error))
            self.list.addItem(item)
        if self.list.currentItem() is None:
            self.list.setCurrentRow(0)

    @property
    def _own(self) -> bool:
        item = self.list.currentItem()
        what = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        return isinstance(what, Path) or (isinstance(what, Sheet) and what.own)

    def _open(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        what = item.data(Qt.ItemDataRole.UserRole)
        path = what if isinstance(what, Path) else Path(what.file)
        try:
            if isinstance(what, Sheet) and not what.own:
                entry = files("reviewer_resources").joinpath("goals", path.name)
                text = entry.read_text(encoding="utf-8")
            else:
                text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self._say(False, f"{path}: {error.strerror or 'cannot be read'}")
            return
        self.text.setReadOnly(not self._own)
        self.name.setReadOnly(not self._own)
        self.name.setText(path.stem)
        self.text.setPlainText(text)
        self._check()

    # -- what -----------------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Say what is wrong with the text as it stands."""
        self._timer.stop()
        self.copy.setEnabled(not self._own)
        try:
            sheet = read_sheet(self.text.toPlainText(), f"{self.name.text() or 'sheet'}.yaml", self.name.text())
        except ReviewerError as error:
            self._say(False, str(error))
            self.save.setEnabled(False)
            return
        self.save.setEnabled(self._own)
        goals = sum(len(goal.structures) for goal in sheet.goals)
        kind = "" if self._own else "; this sheet belongs to the program: copy it to change it"
        self._say(True, f"a good sheet: {goals} goals{kind}")

    def _say(self, good: bool, text: str) -> None:
        self.verdict.setText(f"{'✓' if good else '✗'} {text}")
        tint(self.verdict, "good" if good else "bad")

    def _copy(self) -> None:
        name = f"{self.name.text()}-own"
        taken = {s.id for s in all_sheets().sheets}
        number = 2
        while name in taken:
            name = f"{self.name.text()}-own-{number}"
            number += 1
        if self._write(name, self.text.toPlainText()):
            self._fill(name)
            self.text.moveCursor(QTextCursor.MoveOperation.Start)

    def _save(self) -> None:
        """A sheet that is signed stays as it is, by this way too."""
        name = self.name.text().strip()
        refused = self._session.judging_refusal
        if refused and name == self._session.view.sheet:
            self._say(False, f"{refused}; another name can be taken")
            return
        if self._write(name, self.text.toPlainText()):
            self._fill(name)
            if not refused:
                self._session.judge(f"Goal sheet: {name}", sheet=name)

    def _write(self, name: str, text: str) -> bool:
        try:
            save_sheet(text, name)
        except (ReviewerError, OSError) as error:
            self._say(False, str(error))
            return False
        self._work.read_sheets()
        return True
