"""`OperationsPanel`: an operation on the active structure, its settings, what it would change, and taking it."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from reviewer.session import Session

from ..binding import Changes, follow
from ..commands.drawing import Drawing
from ..commands.operating import NAMES, TITLES, Operating
from ..theme import RHYTHM, swatch
from .layers import ElidedCombo
from .settings_form import BesideTheHand, SettingsForm
from .taking import Taking


class OperationsPanel(BesideTheHand):
    """A list, and below it what belongs to the operation that is open."""

    def __init__(self, session: Session, drawing: Drawing, operating: Operating, parent: QWidget | None = None) -> None:
        super().__init__(drawing, parent)
        self._session, self._operating = session, operating
        self.list = QComboBox()
        self.list.setObjectName("operations.list")
        self.list.addItem("", None)
        for name, title in zip(NAMES, TITLES, strict=True):
            self.list.addItem(title, name)
        self.list.activated.connect(lambda row: operating.choose(self.list.itemData(row)))
        self.other = ElidedCombo()
        self.other.setObjectName("operations.other")
        self.other.setToolTip("The structure to crop at")
        self.other.activated.connect(lambda row: operating.crop_at(self.other.itemData(row)))
        self.form = SettingsForm("operations.settings", operating.set, self.other)
        self.tip = QLabel()
        self.tip.setObjectName("operations.tip")
        self.tip.setProperty("role", "muted")
        self.tip.setWordWrap(True)
        self.note = QLabel()
        self.note.setObjectName("operations.note")
        self.note.setWordWrap(True)
        self._taking = Taking("operations", operating.accept, operating.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        for widget in (self.list, self.tip, self.other, self.form, self.note, self._taking):
            column.addWidget(widget)
        operating.changed.connect(self._show)
        follow(self, session, self._refresh)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.edited or changes.view("structure_set", "active"):
            self._show()

    def _show(self) -> None:
        operating = self._operating
        operation = operating.operation
        with QSignalBlocker(self.list):
            self.list.setCurrentIndex(max(0, self.list.findData(operating.name)))
        there = self._drawing.active is not None
        self.list.setEnabled(there)
        self.list.setItemText(0, "choose what to do …" if there else "no structure is active")
        self.list.setToolTip(
            "What is done with the whole contour, or with that of the slice shown"
            + ("" if there else ": click a structure in the list first")
        )
        self.form.show_settings(operation)
        self.other.setVisible(operating.name == "Crop")
        if operating.name == "Crop":
            self._fill()
        self.tip.setText(operation.tip if operation is not None else "")
        self.note.setText(operating.note[:1].upper() + operating.note[1:])
        for widget in (self.tip, self.note, self._taking):
            widget.setVisible(operation is not None)
        self._taking.accept.setEnabled(operating.ready)
        self.lay_out()

    def _fill(self) -> None:
        group = self._session.structure_set
        with QSignalBlocker(self.other):
            self.other.clear()
            self.other.addItem("which structure?", None)
            for structure in group.structures if group else ():
                if structure is not self._drawing.active and not structure.empty:
                    self.other.addItem(swatch(structure.colour), structure.name, structure.id)
            self.other.setCurrentIndex(max(0, self.other.findData(self._operating.other)))
