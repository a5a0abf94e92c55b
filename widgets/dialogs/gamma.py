"""`GammaDialog`: the criteria of the gamma map, and what they amount to, beside the pictures."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
)

from reviewer.dosimetry.criteria import Criteria
from reviewer.errors import InputError
from reviewer.session import Session

from ..binding import follow
from ..theme import RHYTHM, Tone, muted, tint
from ..wording import dose_title

MAP = "dose.map.gamma"


class GammaDialog(QDialog):
    """Follows the window while it is open. window: has `session` and `actions_`."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self.setObjectName("gamma")
        self.setWindowTitle("Gamma criteria")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session: Session = window.session
        self._actions = window.actions_
        now = self._session.view.gamma
        self.dose = _number("gamma.dose", now.dose_percent, 100, " %", "Dose difference")
        self.distance = _number("gamma.distance", now.distance_mm, 50, " mm", "Distance to agreement")
        self.cutoff = _number("gamma.cutoff", now.cutoff_percent, 99, " %", "Points with less of the highest dose")
        self.cutoff.setMinimum(0)
        self.scope = QComboBox()
        self.scope.setObjectName("gamma.scope")
        self.scope.addItem("of the highest dose (global)", False)
        self.scope.addItem("of the dose in each point (local)", True)
        self.scope.setCurrentIndex(int(now.local))
        self.shown = QCheckBox("Show the map")
        self.shown.setObjectName("gamma.shown")
        self.doses = muted()
        self.doses.setWordWrap(True)
        self.doses.setTextFormat(Qt.TextFormat.PlainText)
        self.result = QLabel()
        self.result.setObjectName("gamma.result")
        self.result.setWordWrap(True)
        self.result.setMinimumHeight(5 * RHYTHM)
        self.result.setAlignment(Qt.AlignmentFlag.AlignTop)
        form = QFormLayout()
        form.setHorizontalSpacing(2 * RHYTHM)
        form.addRow("Dose difference", self.dose)
        form.addRow("", self.scope)
        form.addRow("Distance to agreement", self.distance)
        form.addRow("Cut-off", self.cutoff)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(RHYTHM)
        column.addWidget(self.doses)
        column.addLayout(form)
        column.addWidget(self.shown)
        column.addWidget(self.result)
        column.addWidget(buttons)
        self.setMinimumWidth(360)
        for box in (self.dose, self.distance, self.cutoff):
            box.valueChanged.connect(self._take)
        self.scope.currentIndexChanged.connect(self._take)
        self.shown.clicked.connect(lambda: self._actions.trigger(MAP))
        follow(self, self._session, lambda _: self._show())
        if not self._actions[MAP].isChecked():
            self._actions.trigger(MAP)
        self._show()

    def open(self) -> None:
        """Beside the window, which stays usable."""
        self.show()

    def _take(self) -> None:
        try:
            criteria = Criteria(
                self.dose.value(), self.distance.value(), self.cutoff.value(), bool(self.scope.currentData())
            )
        except InputError as error:
            self._say(f"✗ {error}", "bad")
            return
        self._session.look(gamma=criteria)

    def _show(self) -> None:
        case, view = self._session.case, self._session.view
        reference, other = case.dose(view.dose), case.dose(view.other_dose)
        wanted = self._actions[MAP].isChecked()
        self.shown.setChecked(wanted)
        self.shown.setEnabled(self._actions[MAP].isEnabled())
        if reference is None or other is None:
            self.doses.setText("")
            self._say("no other plan is compared", "muted")
            return
        self.doses.setText(f"Reference: {dose_title(reference)}\nagainst it: {dose_title(other)}")
        if view.map is not None and view.map.summary and wanted:
            self._say(f"{view.map.summary}\n({view.gamma})", "text")
        else:
            self._say("computing …" if wanted else "", "muted")

    def _say(self, text: str, tone: Tone) -> None:
        self.result.setText(text)
        tint(self.result, tone)


def _number(name: str, value: float, most: float, unit: str, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setRange(0.1, most)
    box.setDecimals(1)
    box.setSingleStep(1.0)
    box.setValue(value)
    box.setSuffix(unit)
    box.setToolTip(tip)
    box.setKeyboardTracking(False)
    return box
