"""`PlanPanel`: the facts of the plan behind the dose that is shown, as the file states them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Beam, Dose, Plan
from reviewer.session import Session

from ..binding import Changes, follow
from ..theme import RHYTHM, muted
from ..wording import approval, gantry, gray, plan_in_view, said
from .banner import Elided

_COLUMNS = ("Beam", "Gantry", "MU")


class PlanPanel(QWidget):
    """Label, approval, prescription, fractions, machine, and the beams."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(RHYTHM)
        self._facts.setVerticalSpacing(RHYTHM // 4)
        self._facts.setColumnStretch(1, 1)
        self.beams = QTableWidget(0, len(_COLUMNS))
        self.beams.setObjectName("plan.beams")
        self.beams.setHorizontalHeaderLabels(list(_COLUMNS))
        self.beams.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.beams.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.beams.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.beams.setShowGrid(False)
        self.beams.setWordWrap(False)
        self.beams.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.beams.verticalHeader().hide()
        self.beams.verticalHeader().setDefaultSectionSize(20)
        self.beams.verticalHeader().setMinimumSectionSize(20)
        header = self.beams.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.empty = muted()
        self.empty.setObjectName("plan.empty")
        self.empty.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM)
        column.addLayout(self._facts)
        column.addWidget(self.beams, 1)
        column.addWidget(self.empty)
        column.addStretch(0)
        follow(self, session, self._refresh)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.view("dose"):
            self._show()

    def _show(self) -> None:
        case = self._session.case
        plan, dose = plan_in_view(case, self._session.view.dose), case.dose(self._session.view.dose)
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        facts = (*(_plan_facts(plan) if plan else ()), *(_dose_facts(dose) if dose else ()))
        for row, (name, value) in enumerate(facts):
            self._facts.addWidget(muted(name), row, 0, Qt.AlignmentFlag.AlignTop)
            label = Elided(f"plan.{name.lower()}" if name else f"plan.more.{row}")
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            label.say(value)
            self._facts.addWidget(label, row, 1)
        self._show_beams(plan.beams if plan else ())
        if plan is not None:
            self.empty.setText("")
        elif dose is not None:
            self.empty.setText("The plan of this dose is not among the files.")
        elif case.plans:
            self.empty.setText(f"{len(case.plans)} plans: choose a dose to see the facts of its plan.")
        else:
            self.empty.setText("No plan in this case.")
        self.empty.setVisible(plan is None)

    def _show_beams(self, beams: tuple[Beam, ...]) -> None:
        self.beams.setVisible(bool(beams))
        self.beams.setRowCount(len(beams))
        for row, beam in enumerate(beams):
            meterset = "–" if beam.meterset is None else f"{beam.meterset:.1f}"
            tip = _beam_facts(beam)
            for column, text in enumerate((f"{beam.number}  {beam.name}".strip(), gantry(beam), meterset)):
                item = QTableWidgetItem(text)
                item.setToolTip(tip)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.beams.setItem(row, column, item)
        self.beams.setMinimumHeight(min(4, len(beams)) * 20 + 30 if beams else 0)


def _plan_facts(plan: Plan) -> tuple[tuple[str, str], ...]:
    targets = [p for p in plan.prescriptions if p.type == "TARGET"]
    prescribed = [f"{gray(p.dose_gy)} to {p.target}" if p.target else gray(p.dose_gy) for p in targets]
    total = plan.prescribed_gy
    fractions = "not stated" if plan.fractions is None else str(plan.fractions)
    if total is not None and plan.fractions:
        fractions += f" × {gray(total / plan.fractions)}"
    machines = sorted({b.machine for b in plan.beams if b.machine})
    known = [b.meterset for b in plan.beams if b.meterset is not None]
    complete = known and len(known) == len(plan.beams)
    return (
        ("Plan", plan.label or "no label"),
        ("Status", approval(plan.approval)),
        ("Date", plan.date or "not stated"),
        ("Dose", prescribed[0] if prescribed else "no prescription stated"),
        *(("", more) for more in prescribed[1:]),
        ("Fractions", fractions),
        ("Machine", ", ".join(machines) or "not stated"),
        *((("MU / fx", f"{sum(known):.1f}" if complete else "not stated for all"),) if plan.beams else ()),
    )


def _dose_facts(dose: Dose) -> tuple[tuple[str, str], ...]:
    """A dose that a backend computed is said to be so, with everything that it says of itself."""
    if dose.statements:
        return tuple(("" if n else "Shown", line) for n, line in enumerate(said(dose)))
    return (("Shown", f"{dose.type.lower()} dose, {dose.summation.lower()}"),)


def _beam_facts(beam: Beam) -> str:
    first = beam.control_points[0] if beam.control_points else None
    lines = [
        f"{beam.number} {beam.name}",
        " ".join(
            p
            for p in (beam.type.lower(), beam.radiation.lower(), f"{beam.energy_mv:g} MV" if beam.energy_mv else "")
            if p
        ),
        f"gantry {gantry(beam)}, collimator {first.collimator_deg:.0f}°, couch {first.couch_deg:.0f}°" if first else "",
        "isocentre {:.1f}, {:.1f}, {:.1f} mm".format(*beam.isocentre_mm) if beam.isocentre_mm else "",
        f"{len(beam.control_points)} control points",
    ]
    return "\n".join(line for line in lines if line)
