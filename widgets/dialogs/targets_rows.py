"""The rows of the dialogue of targets: a structure that can be made, and an organ that can be spared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Structure
from reviewer.errors import ReviewerError
from reviewer.formula.grammar import FormulaError
from reviewer.formula.proposal import Wish
from reviewer.geometry.proximity import distance_mm, overlap_cc
from reviewer.geometry.volume import volume_cc

from ..theme import RHYTHM, tint
from .formula_field import HOW, FormulaField

LOOKED_AT_MM = 60.0
"""Organs farther away from the PTV than this are said to be so, without a number."""

HOLDS = 0.5
"""An organ that has this part of the GTV in it is the one that is treated, and is not spared unless asked for."""


@dataclass(frozen=True)
class Near:
    """An organ beside the PTV. distance_mm: inf beyond LOOKED_AT_MM; holds_target: see HOLDS; refusal: why nothing is known."""

    distance_mm: float = math.inf
    overlap_cc: float = 0.0
    holds_target: bool = False
    refusal: str = ""


def near(organ: Structure, ptv: Structure, gtvs: Sequence[Structure]) -> Near:
    """Measured on the solids."""
    try:
        apart = distance_mm(ptv, organ, LOOKED_AT_MM)
        if apart > 0:
            return Near(apart)
        inside = sum(overlap_cc(gtv, organ) for gtv in gtvs)
        return Near(apart, overlap_cc(ptv, organ), inside >= HOLDS * sum(volume_cc(gtv) for gtv in gtvs))
    except ReviewerError as error:
        return Near(refusal=str(error))


class OrganTable(QTableWidget):
    """Organs, the nearest first; `changed` after a hand chose one or not. What no hand touched is preselected."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setObjectName("targets.organs")
        self.setHorizontalHeaderLabels(["Spare", "Distance to PTV", "Overlap with PTV"])
        self.horizontalHeaderItem(1).setToolTip("Shortest distance between the surfaces of organ and PTV, mm")
        self.horizontalHeaderItem(2).setToolTip("Volume that organ and PTV have in common, cm³")
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(21)
        self.verticalHeader().setMinimumSectionSize(21)
        self.setToolTip("Space or a click chooses an organ")
        self._by_hand: dict[str, bool] = {}
        self._facts: Mapping[str, Near] = {}
        self._names: list[str] = []
        self.within_mm = 0.0
        self.itemChanged.connect(self._changed)

    def forget_hands(self) -> None:
        """Back to what is preselected."""
        self._by_hand.clear()

    def show_organs(self, names: Sequence[str], facts: Mapping[str, Near]) -> None:
        self._names, self._facts = list(names), facts
        order = sorted(names, key=lambda n: (facts[n].distance_mm if n in facts else math.inf, -self._overlap(n)))
        current = self.currentRow()
        with QSignalBlocker(self):
            self.setRowCount(len(order))
            for row, name in enumerate(order):
                for column, item in enumerate(self._items(name)):
                    self.setItem(row, column, item)
            self.setCurrentCell(current, 0)

    @property
    def chosen(self) -> tuple[str, ...]:
        """In the order in which the structure set has them, so that a formula does not change with distances."""
        return tuple(n for n in self._names if self._is_chosen(n))

    def _overlap(self, name: str) -> float:
        return self._facts[name].overlap_cc if name in self._facts else 0.0

    def _is_chosen(self, name: str) -> bool:
        fact = self._facts.get(name)
        near = fact is not None and not fact.refusal and not fact.holds_target and fact.distance_mm <= self.within_mm
        return self._by_hand.get(name, near)

    def _items(self, name: str) -> tuple[QTableWidgetItem, QTableWidgetItem, QTableWidgetItem]:
        fact = self._facts.get(name)
        title, distance, overlap = QTableWidgetItem(name), QTableWidgetItem("…"), QTableWidgetItem("")
        title.setFlags(title.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        title.setCheckState(Qt.CheckState.Checked if self._is_chosen(name) else Qt.CheckState.Unchecked)
        if fact is not None:
            if fact.refusal:
                distance.setText("not known")
                distance.setToolTip(fact.refusal)
            elif math.isinf(fact.distance_mm):
                distance.setText(f"> {LOOKED_AT_MM:.0f} mm")
            elif fact.overlap_cc > 0 or fact.distance_mm == 0:
                distance.setText("0 mm")
                overlap.setText(f"{fact.overlap_cc:.2f} cc")
            else:
                distance.setText(f"{fact.distance_mm:.1f} mm")
            if fact.holds_target:
                distance.setText("holds the GTV")
                title.setToolTip("Holds at least half of the GTV: not spared unless you choose it")
        for item in (distance, overlap):
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return title, distance, overlap

    def _changed(self, item: QTableWidgetItem) -> None:
        if item.column() == 0:
            self._by_hand[item.text()] = item.checkState() == Qt.CheckState.Checked
            self.changed.emit()


class TargetRow(QWidget):
    """Whether a structure is made, its name, its formula and what comes of it. The formula follows the dialogue until a hand writes it."""

    changed = Signal()

    def __init__(self, key: str, name: str, kind: str, tip: str) -> None:
        super().__init__()
        self.key, self.kind = key, kind
        self._by_hand = False
        self._refusal = ""
        self.made = QCheckBox()
        self.made.setObjectName(f"targets.{key}.made")
        self.made.setToolTip(f"Make it. {tip}")
        self.name = QLineEdit(name)
        self.name.setObjectName(f"targets.{key}.name")
        self.name.setToolTip(f"Name of the structure. {tip}")
        self.name.setFixedWidth(92)
        self.formula = FormulaField()
        self.formula.setObjectName(f"targets.{key}.formula")
        self.volume = QLabel()
        self.volume.setObjectName(f"targets.{key}.volume")
        self.volume.setToolTip("Volume in cm³")
        self.volume.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.volume.setFixedWidth(66)
        self.note = QLabel()
        self.note.setObjectName(f"targets.{key}.note")
        self.note.setWordWrap(True)
        self.note.hide()
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(RHYTHM // 2)
        line.addWidget(self.made)
        line.addWidget(self.name)
        line.addWidget(QLabel("="))
        line.addWidget(self.formula, 1)
        line.addWidget(self.volume)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.note)
        self.made.toggled.connect(lambda: self.changed.emit())
        self.name.textEdited.connect(lambda: self.changed.emit())
        self.formula.textEdited.connect(self._written)
        self.formula.editingFinished.connect(self._finished)

    def follow(self, text: str, refusal: str) -> None:
        """What the dialogue would write here, or why it can't."""
        if self._by_hand:
            refusal = ""
        elif self.formula.text() != text:
            self.formula.setText(text)
            self.formula.setCursorPosition(0)
        self._refusal = refusal
        for widget in (self.made, self.name):
            widget.setEnabled(not refusal)
        self.formula.setPlaceholderText(refusal)
        self.formula.setToolTip(f"{self.formula.text()}\n\n{HOW}\nEmpty it for the formula that was proposed.")

    def wish(self, number: int) -> Wish | None:
        if self._refusal or not self.made.isChecked():
            return None
        return Wish(self.name.text().strip(), self.formula.text().strip(), self.kind, number)

    def show_outcome(self, volume_cc: float | None, notes: Sequence[str], error: Exception | None) -> None:
        """notes: cautions; error: in the place of a volume."""
        self.volume.setText("" if volume_cc is None else f"{volume_cc:.2f} cc")
        self.formula.mark(error)
        text = f"✗ {sentence(error)}" if error is not None else "\n".join(f"⚠ {note}" for note in notes)
        tint(self.note, "bad" if error is not None else "caution")
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def wait(self) -> None:
        """While it is worked out."""
        self.volume.setText("…" if self.made.isChecked() and not self._refusal else "")

    def _written(self) -> None:
        self._by_hand = True
        self.changed.emit()

    def _finished(self) -> None:
        if not self.formula.text().strip() and self._by_hand:
            self._by_hand = False
            self.changed.emit()


def sentence(error: Exception) -> str:
    """An error without the formula, which stands above it."""
    if isinstance(error, FormulaError):
        return str(error).replace(f" of “{error.text}”", "")
    return str(error)
