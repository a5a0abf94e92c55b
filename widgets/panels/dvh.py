"""`DvhPanel`: dose-volume histograms of the current structures in the current dose, as curves and as a table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Dose, Structure
from reviewer.errors import NotRegisteredError
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Jobs
from ..loading import load
from ..theme import RHYTHM, muted
from ..wording import dose_title
from .dvh_curves import DvhCurves
from .dvh_table import DvhTable, Row, outside_warning

if TYPE_CHECKING:  # loaded late: see _load
    from reviewer.dosimetry.dvh import Dvh

    from .dvh_plot import DvhPlot

EDIT_MS = 120
"""After an edit: so long the curves may take before those that are not known any more go from the plot."""

TABLE_PX = 300
"""Lower than this the panel shows curves alone: a table of a line or two tells nothing and takes the room of the goals."""


class DvhPanel(QWidget):
    """Curves and table; hovering either highlights the structure in every view. pyqtgraph is loaded when the panel has been painted once."""

    def __init__(
        self, session: Session, jobs: Jobs, parent: QWidget | None = None, *, curves: DvhCurves | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dvhPanel")
        self._session, self._jobs = session, jobs
        self._curves = curves or DvhCurves(session, jobs, self)
        self._plot: DvhPlot | None = None
        self._loading = False
        self._mine = False

        self._gy = self._toggle("dvhDoseGy", "Gy", "Dose axis in Gy")
        self._percent = self._toggle("dvhDosePercent", "%", "")
        self._relative = self._toggle(
            "dvhVolumePercent", "%", "Volume axis in % of the structure's volume with known dose"
        )
        self._absolute = self._toggle("dvhVolumeCc", "cc", "Volume axis in cm³")
        self._gy.setChecked(True)
        self._relative.setChecked(True)
        for pair in ((self._gy, self._percent), (self._relative, self._absolute)):
            group = QButtonGroup(self)
            for button in pair:
                group.addButton(button)
            group.buttonClicked.connect(self._show)
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addStretch(1)
        for caption, pair in (("dose", (self._gy, self._percent)), ("vol.", (self._relative, self._absolute))):
            label = muted(caption)
            label.setContentsMargins(RHYTHM, 0, 3, 0)
            head.addWidget(label)
            for button in pair:
                head.addWidget(button)

        self._readout = QLabel()
        self._readout.setObjectName("dvhReadout")
        self._readout.setTextFormat(Qt.TextFormat.PlainText)
        self._readout.setWordWrap(True)
        self._readout.setFixedHeight(2 * self.fontMetrics().height() + 2)
        self._readout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty = QLabel("no dose")
        self._empty.setObjectName("dvhEmpty")
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setMinimumHeight(60)

        self._table = DvhTable()
        self._table.hovered.connect(self._hover_row)
        upper = QWidget()
        self._upper = QVBoxLayout(upper)
        self._upper.setContentsMargins(0, 0, 0, 0)
        self._upper.setSpacing(RHYTHM // 2)
        self._upper.addWidget(self._readout)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setObjectName("dvhSplit")
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(upper)
        self._split.addWidget(self._table)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setSizes([300, 170])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addLayout(head)
        column.addWidget(self._empty, 1)
        column.addWidget(self._split, 1)

        self._dirty = QTimer(self)
        self._dirty.setSingleShot(True)
        self._dirty.timeout.connect(self._show)
        self._curves.arrived.connect(self._arrived)
        follow(self, session, self._refresh)
        self._show()

    # -- state ----------------------------------------------------------------------------------------------------------

    @property
    def curves(self) -> DvhCurves:
        return self._curves

    @property
    def plot(self) -> DvhPlot | None:
        """None until it has been loaded."""
        return self._plot

    def _structures(self) -> list[Structure]:
        view = self._session.view
        group = self._session.case.structure_set(view.structure_set)
        return [s for s in (group.structures if group else ()) if not s.empty and s.id not in view.hidden]

    def _rows(self, dose: Dose) -> tuple[list[Row], str]:
        """What is known of each structure, and why nothing can be known of the others."""
        rows, refusal = [], ""
        for structure in self._structures():
            try:
                dvh = self._curves.ask(structure, dose)
            except NotRegisteredError:
                refusal = "the dose is not registered to these structures"
                continue
            rows.append(Row(structure, dvh, self._curves.failure(structure, dose)))
        return rows, refusal

    def _others(self) -> list[tuple[int, Structure, Dvh]]:
        """What is known in the doses beside the shown one, each on its own structures, without those that are hidden."""
        view, case = self._session.view, self._session.case
        shown = {s.name for s in self._structures()}
        found: list[tuple[int, Structure, Dvh]] = []
        columns = [c for c in view.columns if c.dose != view.dose]
        for number, column in enumerate(columns, start=1):
            dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
            for structure in group.structures if dose and group else ():
                if structure.empty or structure.name not in shown:
                    continue
                with suppress(NotRegisteredError):
                    dvh = self._curves.ask(structure, dose)
                    if dvh is not None:
                        found.append((number, structure, dvh))
        return found

    # -- showing --------------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.view("dose") and not changes.opened and self._session.view.other_dose is not None:
            self._dirty.start(EDIT_MS)  # plans take turns: the pictures first
        elif changes.view("structure_set", "dose", "hidden", "reference_gy", "columns"):
            self._show()
        elif changes.edited:
            # Ask at once, paint once: either all curves are there by then, or those that are not known any more go.
            dose = self._session.case.dose(self._session.view.dose)
            waiting = dose is not None and any(r.dvh is None and not r.trouble for r in self._rows(dose)[0])
            self._dirty.start(EDIT_MS if waiting else 0)
        elif changes.view("highlighted"):
            self._highlight()

    def _arrived(self, structure_id: str, dose_id: str) -> None:
        dose = self._session.case.dose(dose_id)
        view = self._session.view
        if dose is None or (dose_id != view.dose and all(c.dose != dose_id for c in view.columns)):
            return
        if dose_id != view.dose:
            self._dirty.start(30)
            return
        if not any(r.dvh is None and not r.trouble for r in self._rows(dose)[0]):
            self._dirty.start(0)
        elif not self._dirty.isActive():
            self._dirty.start(30)

    def _show(self) -> None:
        case, view = self._session.case, self._session.view
        dose = case.dose(view.dose)
        rows, why = self._rows(dose) if dose is not None else ([], "no dose")
        if dose is not None and not self._structures():
            why = "no structures to show"
        self._empty.setText(why)
        self._empty.setVisible(not rows)
        self._split.setVisible(bool(rows))
        reference = view.reference_gy
        self._percent.setEnabled(bool(reference))
        self._percent.setToolTip(
            f"Dose axis in % of {reference:g} Gy"
            if reference
            else "No dose is set as 100 %: the plan states no prescription"
        )
        if not reference:
            self._gy.setChecked(True)
        self._table.rows.show(rows, view.highlighted)
        if self._plot is not None and dose is not None:
            plotting = load(".dvh_plot", __package__)
            shown = [
                plotting.Curve(r.structure.id, r.structure.colour, r.structure.type, r.dvh)
                for r in rows
                if r.dvh is not None
            ]
            shown += [plotting.Curve(s.id, s.colour, s.type, dvh, n) for n, s, dvh in self._others()]
            axes = plotting.Axes(reference if self._percent.isChecked() else None, self._relative.isChecked())
            self._plot.show_curves(shown, axes, reference, dose_title(dose, case.plan(dose.plan_id)))
        self._highlight()

    def _highlight(self) -> None:
        view = self._session.view
        self._table.rows.show(self._table.rows.rows, view.highlighted)
        if self._plot is not None:
            self._plot.highlight(view.highlighted)
        if not self._mine:
            self._say(view.highlighted, None)

    def _say(self, structure_id: str | None, dose_gy: float | None) -> None:
        """The structure, and what its curve says at a dose."""
        row = next((r for r in self._table.rows.rows if r.structure.id == structure_id), None)
        if row is None:
            waiting = sum(r.dvh is None and not r.trouble for r in self._table.rows.rows)
            self._readout.setText(
                f"computing {waiting} of {len(self._table.rows.rows)} curves …"
                if waiting
                else "point at a curve to read it"
            )
            return
        text = row.structure.name
        if row.dvh is not None and dose_gy is not None and row.dvh.known_cc:
            volume = row.dvh.volume_at_cc(dose_gy)
            text += f": D {dose_gy:.1f} Gy · V {_cc(volume)} cc ({100 * volume / row.dvh.known_cc:.1f} %)"
        if row.dvh is not None and outside_warning(row.dvh):
            text += f"\n⚠ {outside_warning(row.dvh)}"
        if row.trouble:
            text += f": {row.trouble}"
        self._readout.setText(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._table.setVisible(self.height() >= TABLE_PX)

    # -- hands ----------------------------------------------------------------------------------------------------------

    def _hover_curve(self, structure_id: str, dose_gy: float) -> None:
        self._mine = bool(structure_id)
        self._say(structure_id or None, dose_gy)
        self._session.look(highlighted=structure_id or None)

    def _hover_row(self, structure_id: str) -> None:
        self._session.look(highlighted=structure_id or None)

    # -- pyqtgraph ------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._loading:
            self._loading = True
            QTimer.singleShot(0, self, self._load)

    def _load(self) -> None:
        """Import pyqtgraph, and with it what numba compiles, beside the window; then build the plot."""
        self._jobs.run("DVH", lambda _: load(".dvh_plot", __package__), self._loaded, key=f"DVH plot {id(self)}")

    def _loaded(self, plotting: object) -> None:
        plot: DvhPlot = plotting.DvhPlot()  # type: ignore[attr-defined]
        plot.hovered.connect(self._hover_curve)
        plot.setMinimumHeight(130)
        self._upper.insertWidget(0, plot, 1)
        self._plot = plot
        self._show()

    @staticmethod
    def _toggle(name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip or text)
        button.setCheckable(True)
        button.setStyleSheet("padding: 0 4px; min-height: 14px; min-width: 14px;")
        return button


def _cc(volume: float) -> str:
    return f"{volume:.1f}" if volume >= 0.1 or volume == 0 else f"{volume:.2f}"
