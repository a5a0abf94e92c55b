"""What was found while reading the files, line by line."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Problem

from ..theme import RHYTHM, icon

MEANING = {
    "error": "error: the file was not opened",
    "warning": "warning: opened, with a consequence",
    "note": "note: for the record",
}


class ProblemsDialog(QDialog):
    """A table of severity, message and file; it does not block the window."""

    def __init__(self, problems: tuple[Problem, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("problems")
        self.setWindowTitle("Problems while reading")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(760, 420)
        order = {"error": 0, "warning": 1, "note": 2}
        self._problems = sorted(problems, key=lambda p: order[p.severity])
        self.table = QTableWidget(len(problems), 3)
        self.table.setObjectName("problems.table")
        self.table.setHorizontalHeaderLabels(["Severity", "What was found", "File"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        for row, problem in enumerate(self._problems):
            severity = QTableWidgetItem(icon(problem.severity), problem.severity)
            severity.setToolTip(MEANING[problem.severity])
            file = QTableWidgetItem(Path(problem.file).name or problem.file)
            file.setToolTip(problem.file)
            message = QTableWidgetItem(problem.message)
            message.setToolTip(problem.message)
            for column, item in enumerate((severity, message, file)):
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Interactive)
        self.table.setColumnWidth(2, 180)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        legend = QLabel("   ".join(MEANING.values()))
        legend.setProperty("role", "muted")
        copy = QPushButton("Copy all")
        copy.setObjectName("problems.copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text()))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.addWidget(legend, 1)
        row.addWidget(copy)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
        column.setSpacing(RHYTHM)
        column.addWidget(self.table, 1)
        column.addLayout(row)

    def text(self) -> str:
        """All lines, to be sent to whoever can mend the files."""
        return "\n".join(f"{p.severity}\t{p.file}\t{p.message}" for p in self._problems)
