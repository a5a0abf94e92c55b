"""Dialogues on doses: the prescription that counts, sums, and maps of biological dose. What they make says what it is and can be removed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Dose, Part, Recipe
from reviewer.columns import Prescribed, prescribed
from reviewer.errors import ReviewerError
from reviewer.session import Session

from ..jobs import Jobs, Progress
from ..loading import load
from ..theme import RHYTHM, muted, tint
from ..wording import dose_title, gray

MOST_FRACTIONS = 100
KINDS = (("physical dose", ""), ("EQD2", "EQD2"), ("BED", "BED"))


MAKING = "dose made"
"""Key of the job that makes a dose."""


class _DoseDialog(QDialog):
    """window: has `session` and `jobs`. Trouble is told in the dialogue, which stays open."""

    def __init__(self, window: Any, name: str, title: str) -> None:
        super().__init__(window)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.session: Session = window.session
        self.jobs: Jobs = window.jobs
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(2 * RHYTHM)
        self.trouble = QLabel()
        self.trouble.setObjectName(f"{name}.trouble")
        self.trouble.setWordWrap(True)
        self.trouble.setVisible(False)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.carry_out)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(2 * RHYTHM)
        column.addLayout(self.form)
        column.addWidget(self.trouble)
        column.addWidget(self.buttons)
        self.setMinimumWidth(400)

    def carry_out(self) -> None:
        raise NotImplementedError

    def tell(self, error: Exception) -> None:
        self.trouble.setText(f"✗ {error}")
        tint(self.trouble, "bad")
        self.trouble.setVisible(True)
        self.buttons.setEnabled(True)

    def fractions_of(self, dose: Dose) -> int | None:
        return prescribed(self.session.case, dose, self.session.view.prescribed).fractions

    def make(self, recipe: Recipe) -> None:
        """Beside the window; then the new dose comes into the case, and onto the screen."""
        case = self.session.case

        def work(progress: Progress) -> Dose:
            made: Dose = load("reviewer.dosimetry.made").make(recipe, case, progress.report)
            return made

        def done(made: Dose) -> None:
            try:
                self.session.put_dose(made)
            except ReviewerError as error:
                self.tell(error)
                return
            self.session.look(dose=made.id, reference_gy=made.prescribed_gy)
            self.accept()

        self.buttons.setEnabled(False)
        self.jobs.run("Making a dose", work, done, self.tell, key=MAKING)

    def done(self, result: int) -> None:
        """However it ends, nobody waits for a dose any more."""
        self.jobs.cancel(MAKING)
        super().done(result)


class PrescriptionDialog(_DoseDialog):
    """What 100 % is for the dose that is shown, and in how many fractions; empty fields: as in the plan."""

    def __init__(self, window: Any) -> None:
        super().__init__(window, "prescription", "Prescription")
        case, view = self.session.case, self.session.view
        dose = case.dose(view.dose)
        assert dose is not None
        self._dose = dose
        plan = case.plan(dose.plan_id)
        typed = view.prescribed.get(dose.id) or Prescribed()
        self.gy = QDoubleSpinBox()
        self.gy.setObjectName("prescription.gy")
        self.gy.setRange(0, 300)
        self.gy.setDecimals(2)
        self.gy.setSuffix(" Gy")
        self.gy.setSpecialValueText("as in the plan")
        self.gy.setValue(typed.gy or 0)
        self.fractions = QSpinBox()
        self.fractions.setObjectName("prescription.fractions")
        self.fractions.setRange(0, MOST_FRACTIONS)
        self.fractions.setSpecialValueText("as in the plan")
        self.fractions.setValue(typed.fractions or 0)
        gy, fractions = case.prescription(dose)
        said = gray(gy) if gy else "no prescription is known"
        number = f"{fractions} fractions" if fractions else "number of fractions not known"
        self.form.addRow(muted("Dose"), QLabel(dose_title(dose, plan)))
        self.form.addRow(muted("Plan" if dose.recipe is None else "As it was made"), QLabel(f"{said}, {number}"))
        self.form.addRow("Prescribed", self.gy)
        self.form.addRow("Fractions", self.fractions)

    def carry_out(self) -> None:
        view, dose = self.session.view, self._dose
        typed = Prescribed(self.gy.value() or None, self.fractions.value() or None)
        all_typed = {**view.prescribed, dose.id: typed}
        if typed == Prescribed():
            del all_typed[dose.id]
        counts = prescribed(self.session.case, dose, all_typed)
        number = f" in {counts.fractions}" if counts.fractions else ""
        label = f"Prescription of {dose_title(dose)}: {gray(counts.gy)}{number}"
        try:
            self.session.judge(label, prescribed=MappingProxyType(all_typed))
        except ReviewerError as error:
            self.tell(error)
            return
        self.session.look(reference_gy=counts.gy)
        self.accept()


class EffectDialog(_DoseDialog):
    """EQD2 or BED of the dose that is shown."""

    def __init__(self, window: Any) -> None:
        super().__init__(window, "effect", "EQD2 or BED map")
        dose = self.session.case.dose(self.session.view.dose)
        assert dose is not None
        self._dose = dose
        self.kind = _combo("effect.kind", KINDS[1:])
        self.alpha_beta = _alpha_beta("effect.alpha_beta")
        self.fractions = QSpinBox()
        self.fractions.setObjectName("effect.fractions")
        self.fractions.setRange(0, MOST_FRACTIONS)
        self.fractions.setSpecialValueText("not known")
        self.fractions.setValue(self.fractions_of(dose) or 0)
        self.form.addRow(muted("Dose"), QLabel(dose_title(dose)))
        self.form.addRow("Scale", self.kind)
        self.form.addRow("α/β", self.alpha_beta)
        self.form.addRow("Fractions", self.fractions)

    def carry_out(self) -> None:
        part = Part(self._dose.id, 1.0, self.fractions.value() or None)
        self.make(Recipe((part,), f"{self.kind.currentData()}_{self.alpha_beta.value():g}"))


class SumDialog(_DoseDialog):
    """Doses added up on the grid of the one that is shown."""

    def __init__(self, window: Any) -> None:
        super().__init__(window, "sum", "Sum of doses")
        case, view = self.session.case, self.session.view
        shown = case.dose(view.dose)
        assert shown is not None
        rest = [d for d in case.doses if d is not shown and d.type == shown.type]
        self.rows: list[tuple[Dose, QDoubleSpinBox, QSpinBox]] = []
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        for place, text in enumerate(("Dose", "Weight", "Fractions")):
            grid.addWidget(muted(text), 0, place)
        grid.setColumnStretch(0, 1)
        for row, dose in enumerate((shown, *rest), start=1):
            weight = QDoubleSpinBox()
            weight.setObjectName(f"sum.weight.{row - 1}")
            weight.setRange(0, 100)
            weight.setSingleStep(0.1)
            weight.setValue(1.0 if row == 1 else 0.0)
            weight.setToolTip("How often this dose counts: 0.4 for two of five fractions; 0 leaves it out")
            fractions = QSpinBox()
            fractions.setRange(0, MOST_FRACTIONS)
            fractions.setSpecialValueText("not known")
            fractions.setValue(self.fractions_of(dose) or 0)
            fractions.setToolTip(
                "In how many fractions the whole dose, not its weighted part, is given; for EQD2 and BED"
            )
            grid.addWidget(QLabel(dose_title(dose, case.plan(dose.plan_id))), row, 0)
            grid.addWidget(weight, row, 1)
            grid.addWidget(fractions, row, 2)
            self.rows.append((dose, weight, fractions))
        self.name = QLineEdit("sum")
        self.name.setObjectName("sum.name")
        self.kind = _combo("sum.kind", KINDS)
        self.alpha_beta = _alpha_beta("sum.alpha_beta")
        self.kind.currentIndexChanged.connect(lambda row: self.alpha_beta.setEnabled(row > 0))
        self.alpha_beta.setEnabled(False)
        self.courses = QComboBox()
        self.courses.setObjectName("sum.courses")
        self.courses.addItem("fractions of one course", False)
        self.courses.addItem("several courses", True)
        self.courses.setToolTip(
            "One course: judged like a plan, by the prescriptions as much as each dose counts.\n"
            "Several: no prescription, and only goals about the sum of all courses are evaluated."
        )
        self.form.addRow(table)
        self.form.addRow("They are", self.courses)
        self.form.addRow("Add up", self.kind)
        self.form.addRow("α/β", self.alpha_beta)
        self.form.addRow("Name", self.name)

    def carry_out(self) -> None:
        parts = tuple(
            Part(dose.id, weight.value(), fractions.value() or None)
            for dose, weight, fractions in self.rows
            if weight.value() > 0
        )
        kind = self.kind.currentData()
        scale = f"{kind}_{self.alpha_beta.value():g}" if kind else ""
        self.make(Recipe(parts, scale, self.courses.currentData(), self.name.text().strip()))


def _combo(name: str, kinds: tuple[tuple[str, str], ...]) -> QComboBox:
    combo = QComboBox()
    combo.setObjectName(name)
    for text, value in kinds:
        combo.addItem(text, value)
    return combo


def _alpha_beta(name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setRange(0.5, 30)
    box.setDecimals(1)
    box.setValue(3.0)
    box.setSuffix(" Gy")
    box.setToolTip("3 Gy is usual for late effects of organs at risk, 10 Gy for tumours")
    return box
