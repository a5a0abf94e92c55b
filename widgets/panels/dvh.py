"""`DvhPanel`: dose-volume histograms of the current structures in the current dose, as curves and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Case, Dose, Structure
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Jobs
from ..loading import load
from ..numbers import Numbers, Want
from ..theme import RHYTHM, muted
from ..wording import dose_title
from .dvh_table import DvhTable, Row, in_short, outside_warning
from .said import Said
from .turn import take_turn

if TYPE_CHECKING:  # loaded late: see _load
    from .dvh_plot import DvhPlot

TABLE_PX = 300
"""Lower than this the panel shows curves alone: a table of a line or two tells nothing and takes the room of the goals."""

READOUT_LINES = 3
"""Of a reading with its warning, in the narrowest column."""


class DvhPanel(QWidget):
    """Curves and table; hovering either highlights the structure in every view. pyqtgraph is loaded when the panel has been painted once."""

    def __init__(self, session: Session, jobs: Jobs, numbers: Numbers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dvhPanel")
        self._session, self._jobs, self._numbers = session, jobs, numbers
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
        self._readout.setFixedHeight(READOUT_LINES * self.fontMetrics().lineSpacing() + 2)
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
        column.addWidget(Said(session, "dvh.said"))
        column.addWidget(self._empty, 1)
        column.addWidget(self._split, 1)

        self._dirty = QTimer(self)
        self._dirty.setSingleShot(True)
        self._dirty.timeout.connect(self._show)
        numbers.follow(self._wanted)
        numbers.told.connect(self._told)
        follow(self, session, self._refresh)
        self._show()

    # -- state ----------------------------------------------------------------------------------------------------------

    @property
    def plot(self) -> DvhPlot | None:
        """None until it has been loaded."""
        return self._plot

    def _structures(self, case: Case) -> list[Structure]:
        view = self._session.view
        group = case.structure_set(view.structure_set)
        return [s for s in (group.structures if group else ()) if not s.empty and s.id not in view.hidden]

    def _pairs(self, case: Case) -> Iterator[tuple[int, Structure, Dose]]:
        """What curves are shown of: the structures in the dose that is shown (0), and those of the same names in each dose beside it, on its
        own structures. Where nothing ties structure and dose there is none.
        """
        view, shown = self._session.view, self._structures(case)
        names = {s.name for s in shown}
        beside = [c for c in view.columns if c.dose != view.dose]
        places = [(case.dose(view.dose), shown)]
        for column in beside:
            group = case.structure_set(column.structure_set)
            there = group.structures if group else ()
            places.append((case.dose(column.dose), [s for s in there if not s.empty and s.name in names]))
        for number, (dose, structures) in enumerate(places):
            for structure in structures if dose is not None else ():
                if dose is not None and self._numbers.tied(structure, dose):
                    yield number, structure, dose

    def _wanted(self, case: Case) -> Iterator[Want]:
        if self.isVisible():
            yield from self._numbers.dvhs((structure, dose) for _, structure, dose in self._pairs(case))

    # -- showing --------------------------------------------------------------------------------------------------------

    def _told(self) -> None:
        if self.isVisible():
            self._dirty.stop()
            self._show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()
        self._numbers.ask()

    def _refresh(self, changes: Changes) -> None:
        if changes.edited:
            self._table.rows.outdate({s.id: s for s in self._structures(self._session.case)})
        if changes.view("dose") and not changes.opened and self._session.view.other_dose is not None:
            self._dirty.start(0)  # plans take turns: the pictures first
        elif changes.view("structure_set", "dose", "hidden", "reference_gy", "columns"):
            self._show()
            self._numbers.ask()
        elif changes.view("highlighted"):
            self._highlight()

    def _show(self) -> None:
        case, view, numbers = self._session.case, self._session.view, self._numbers
        dose = case.dose(view.dose)
        curves = [(number, s, d, numbers.curve(s, d)) for number, s, d in self._pairs(case)]
        rows = [Row(s, curve, numbers.failure(s, d)) for number, s, d, curve in curves if number == 0]
        self._empty.setText(
            "no dose"
            if dose is None
            else "the dose is not registered to these structures"
            if self._structures(case)
            else "no structures to show"
        )
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
                plotting.Curve(s.id, s.colour, s.type, curve, d.id, number)
                for number, s, d, curve in curves
                if curve is not None
            ]
            axes = plotting.Axes(reference if self._percent.isChecked() else None, self._relative.isChecked())
            self._plot.show_curves(shown, axes, reference, dose_title(dose, case.plan(dose.plan_id)))
        self._point_out(view.highlighted)

    def _highlight(self) -> None:
        highlighted = self._session.view.highlighted
        self._table.rows.show(self._table.rows.rows, highlighted)
        self._point_out(highlighted)

    def _point_out(self, highlighted: str | None) -> None:
        if self._plot is not None:
            self._plot.highlight(highlighted)
        if not self._mine:
            self._say(highlighted, None)

    def _say(self, structure_id: str | None, dose_gy: float | None) -> None:
        """The structure, and what its curve says at a dose; without one what the table says of it, for which a low panel has no room."""
        row = next((r for r in self._table.rows.rows if r.structure.id == structure_id), None)
        if row is None:
            waiting = sum(r.dvh is None and not r.trouble for r in self._table.rows.rows)
            number = f"{waiting} of {len(self._table.rows.rows)} curves"
            self._readout.setText(
                "point at a curve to read it"
                if not waiting
                else f"{number} are not known: it was stopped"
                if self._numbers.complete
                else f"computing {number} …"
            )
            return
        text = row.structure.name
        if row.dvh is not None and dose_gy is not None and row.dvh.known_cc:
            volume = row.dvh.volume_at_cc(dose_gy)
            text += f": D {dose_gy:.1f} Gy · V {_cc(volume)} cc ({100 * volume / row.dvh.known_cc:.1f} %)"
        elif row.dvh is not None and row.dvh.known_cc:
            text += f": {in_short(row.dvh)}"
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
        take_turn(plot, self._absolute)
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
