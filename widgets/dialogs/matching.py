"""`MatchingDialog`: which structure is meant by a name of the goal sheet, where the program can't know."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from reviewer.errors import ReviewerError

from ..panels.goals_work import GoalWork
from ..theme import RHYTHM, muted, swatch


class MatchingDialog(QDialog):
    """A row for each name of the sheet: what it was matched with, or a structure that a person chooses."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self.setObjectName("matching")
        self.setWindowTitle("Structures of the goal sheet")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = window.session
        work: GoalWork = window.goals.work
        outcome = work.outcome
        self.choices: dict[str, QComboBox] = {}
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setHorizontalSpacing(2 * RHYTHM)
        grid.setColumnStretch(1, 1)
        grid.addWidget(muted("In the sheet"), 0, 0)
        grid.addWidget(muted("Structure"), 0, 1)
        evaluation = outcome.comparison.evaluations[0] if outcome else None
        group = evaluation.delivery.group if evaluation else None
        assigned = self._session.view.assigned
        wanted = {names for goal in evaluation.sheet.goals for names in goal.structures} if evaluation else set()
        for row, names in enumerate(sorted(wanted), start=1):
            found = [
                r.structure.name
                for r in evaluation.results  # type: ignore[union-attr]
                if r.wanted == names[0] and r.structure is not None
            ]
            chosen = next((assigned[n] for n in names if n in assigned), None)
            known = ", ".join(dict.fromkeys(found)) if found and chosen is None else ""
            combo = QComboBox()
            combo.setObjectName(f"matching.{names[0]}")
            combo.addItem(f"by name: {known}" if known else "by name" if chosen else "? not found: choose one", None)
            for structure in group.structures if group else ():
                combo.addItem(swatch(structure.colour), structure.name, structure.id)
            combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen else 0)
            label = QLabel(("" if known or chosen else "✗ ") + " or ".join(names))
            grid.addWidget(label, row, 0)
            grid.addWidget(combo, row, 1)
            self.choices[names[0]] = combo
        grid.setRowStretch(len(wanted) + 1, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        left = ", ".join(s.name for s in evaluation.unmatched) if evaluation else ""
        self.rest = muted(f"Structures without a goal: {left}" if left else "Every structure has a goal.")
        self.rest.setObjectName("matching.rest")
        self.rest.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._take)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(area, 1)
        column.addWidget(self.rest)
        column.addWidget(buttons)
        self.resize(460, 560)

    def _take(self) -> None:
        chosen = {name: combo.currentData() for name, combo in self.choices.items() if combo.currentData()}
        kept = {n: i for n, i in self._session.view.assigned.items() if n not in self.choices}
        told = ", ".join(f"{name} = {self.choices[name].currentText()}" for name in chosen) or "all by name"
        try:
            self._session.judge(f"Structures of the goals: {told}", assigned=MappingProxyType({**kept, **chosen}))
        except ReviewerError as error:
            self.rest.setText(f"✗ {error}")
            return
        self.accept()
