"""Dialogues on doses: the prescription that counts, sums, and maps of biological dose. What they make says what it is and can be removed."""

from __future__ import annotations

from dataclasses import replace
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

from reviewer.case import Dose
from reviewer.columns import Prescribed
from reviewer.errors import ReviewerError
from reviewer.session import Session

from ..jobs import Jobs, Progress
from ..loading import load
from ..theme import RHYTHM, muted, theme
from ..wording import dose_title, gray

MOST_FRACTIONS = 100
KINDS = (("physical dose", ""), ("EQD2", "EQD2"), ("BED", "BED"))


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
        self.trouble.setStyleSheet(f"color: {theme().bad};")
        self.trouble.setVisible(True)
        self.buttons.setEnabled(True)

    def fractions_of(self, dose: Dose) -> int | None:
        typed, plan = self.session.view.prescribed.get(dose.id), self.session.case.plan(dose.plan_id)
        return typed.fractions if typed and typed.fractions else plan.fractions if plan else None

    def take(self, dose: Dose) -> None:
        """The new dose into the case, and onto the screen."""
        try:
            self.session.put_dose(dose)
        except ReviewerError as error:
            self.tell(error)
            return
        self.session.look(dose=dose.id, reference_gy=None)  # what is 100 % of it nobody has said
        self.accept()


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
        said = gray(plan.prescribed_gy) if plan and plan.prescribed_gy else "states no prescription"
        number = f"{plan.fractions} fractions" if plan and plan.fractions else "number of fractions not stated"
        self.form.addRow(muted("Dose"), QLabel(dose_title(dose, plan)))
        self.form.addRow(muted("Plan"), QLabel(f"{said}, {number}" if plan else "not among the files"))
        self.form.addRow("Prescribed", self.gy)
        self.form.addRow("Fractions", self.fractions)

    def carry_out(self) -> None:
        view, dose = self.session.view, self._dose
        plan = self.session.case.plan(dose.plan_id)
        typed = Prescribed(self.gy.value() or None, self.fractions.value() or None)
        prescribed = {**view.prescribed, dose.id: typed}
        if typed == Prescribed():
            del prescribed[dose.id]
        reference = typed.gy or (plan.prescribed_gy if plan else None)
        self.session.look(prescribed=MappingProxyType(prescribed), reference_gy=reference)
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
        dose, kind, alpha_beta, fractions = (
            self._dose,
            self.kind.currentData(),
            self.alpha_beta.value(),
            self.fractions.value(),
        )

        def work(_: Progress) -> Dose:
            biology = load("reviewer.dosimetry.biology")
            made: Dose = biology.effect_map(dose, biology.Effect(kind, alpha_beta), fractions)
            return made

        self.buttons.setEnabled(False)
        self.jobs.run(f"{kind} map", work, self.take, self.tell, key="dose made")


class SumDialog(_DoseDialog):
    """Doses added up on the grid of the one that is shown."""

    def __init__(self, window: Any) -> None:
        super().__init__(window, "sum", "Sum of doses")
        case, view = self.session.case, self.session.view
        shown = case.dose(view.dose)
        assert shown is not None
        self._shown = shown
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
        self.form.addRow(table)
        self.form.addRow("Add up", self.kind)
        self.form.addRow("α/β", self.alpha_beta)
        self.form.addRow("Name", self.name)

    def carry_out(self) -> None:
        case, shown = self.session.case, self._shown
        chosen = [(dose, weight.value(), fractions.value() or None) for dose, weight, fractions in self.rows]
        chosen = [each for each in chosen if each[1] > 0]
        kind, alpha_beta = self.kind.currentData(), self.alpha_beta.value()
        made_of = " + ".join(f"{weight:g} × {dose_title(dose)}" for dose, weight, _ in chosen)
        scale = f" {kind} (α/β {alpha_beta:g} Gy)" if kind else ""
        label = f"{self.name.text().strip() or 'sum'}{scale}: {made_of}"

        def work(progress: Progress) -> Dose:
            module, biology = load("reviewer.dosimetry.accumulation"), load("reviewer.dosimetry.biology")
            frame = shown.grid.frame_of_reference_uid
            terms = [
                module.Term(dose, weight, case.transform(frame, dose.grid.frame_of_reference_uid), fractions)
                for dose, weight, fractions in chosen
            ]
            effect = biology.Effect(kind, alpha_beta) if kind else None
            made: Dose = module.accumulate(terms, shown.grid, label, effect, progress.report)
            return made

        def done(made: Dose) -> None:
            self.take(replace(made, id=f"{made.id}#{label}"))  # two different sums are two doses

        self.buttons.setEnabled(False)
        self.jobs.run("Sum of doses", work, done, self.tell, key="dose made")


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
