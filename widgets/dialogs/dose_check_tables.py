"""Two tables of the dose check: bulk densities that a hand may change, and what plan and check say of the same structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from reviewer.case import Colour

from ..theme import swatch

ROW = 21
WATER, HIGHEST_DENSITY = 1.0, 5.0


@dataclass(frozen=True)
class BulkRow:
    """A structure, and what it gets as its electron density as long as no hand sets it ("1.05", "by HU"). source: of the number."""

    structure: str
    name: str
    colour: Colour
    given: str
    source: str


@dataclass(frozen=True)
class FigureRow:
    """A figure of a structure in the plan's dose and in the check's, in `unit`; None where it is not known. target: those come first."""

    structure: str
    figure: str
    planned: float | None
    checked: float | None
    unit: str
    target: bool


class BulkTable(QTableWidget):
    """A tick, or a number typed in, sets the density of all of a structure; lower rows win where structures overlap."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setObjectName("dose_check.densities")
        self.setHorizontalHeaderLabels(["Set the density of", "Density"])
        density = QTableWidgetItem("Density")
        density.setToolTip("Electron density relative to water; type a number to set it")
        self.setHorizontalHeaderItem(1, density)
        _plain(self)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.AnyKeyPressed)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(1, 96)
        self.setToolTip("Tick a structure and type its density; lower rows win where structures overlap")
        self._rows: tuple[BulkRow, ...] = ()
        self.itemChanged.connect(self._changed)

    def show_rows(self, rows: Sequence[BulkRow]) -> None:
        """What a hand has set stays set while the structures are the same."""
        kept = self.densities if [r.structure for r in rows] == [r.structure for r in self._rows] else {}
        self._rows = tuple(rows)
        with QSignalBlocker(self):
            self.setRowCount(len(rows))
            for n, row in enumerate(rows):
                by_hand = row.structure in kept
                title = QTableWidgetItem(swatch(row.colour), row.name)
                title.setFlags(
                    Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
                )
                title.setCheckState(Qt.CheckState.Checked if by_hand else Qt.CheckState.Unchecked)
                value = QTableWidgetItem(f"{kept[row.structure]:g}" if by_hand else row.given)
                value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                value.setToolTip(row.source)
                self.setItem(n, 0, title)
                self.setItem(n, 1, value)

    @property
    def densities(self) -> dict[str, float]:
        """By structure id, those that are ticked, in the order of the table."""
        found = {}
        for n, row in enumerate(self._rows):
            title, value = self._items(n)
            density = _density(value.text())
            if title.checkState() == Qt.CheckState.Checked and density is not None:
                found[row.structure] = density
        return found

    def _items(self, n: int) -> tuple[QTableWidgetItem, QTableWidgetItem]:
        title, value = self.item(n, 0), self.item(n, 1)
        assert title is not None
        assert value is not None
        return title, value

    def _changed(self, item: QTableWidgetItem) -> None:
        """A tick starts from the number that is there, or from water; a number ticks; what is no density goes back to what was given."""
        row, title, value = self._rows[item.row()], *self._items(item.row())
        with QSignalBlocker(self):
            if item is value:
                known = _density(value.text()) is not None
                title.setCheckState(Qt.CheckState.Checked if known else Qt.CheckState.Unchecked)
            ticked = title.checkState() == Qt.CheckState.Checked
            if not ticked:
                value.setText(row.given)
            elif _density(value.text()) is None:
                value.setText(f"{WATER:g}")


class FigureTable(QTableWidget):
    """Targets first. A difference is told in Gy and in % of the plan's figure."""

    def __init__(self) -> None:
        super().__init__(0, 5)
        self.setObjectName("dose_check.figures")
        self.setHorizontalHeaderLabels(["Structure", "Figure", "Plan", "Check", "Difference"])
        _plain(self)
        for column in range(1, 5):
            self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: Sequence[FigureRow], colours: Mapping[str, Colour]) -> None:
        ordered = sorted(rows, key=lambda row: not row.target)
        self.setRowCount(len(ordered))
        for n, row in enumerate(ordered):
            first = QTableWidgetItem(row.structure)
            if row.structure in colours:
                first.setIcon(swatch(colours[row.structure]))
            first.setToolTip("target" if row.target else "organ")
            self.setItem(n, 0, first)
            texts = (row.figure, _number(row.planned), _number(row.checked), difference_text(row))
            for column, text in enumerate(texts, start=1):
                item = QTableWidgetItem(text)
                if column > 1:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(n, column, item)


def _density(text: str) -> float | None:
    try:
        density = float(text.replace(",", "."))
    except ValueError:
        return None
    return density if 0 <= density <= HIGHEST_DENSITY else None


def difference_text(row: FigureRow) -> str:
    """Check less plan; in % only where the plan's figure is large enough to be 100 %."""
    if row.planned is None or row.checked is None:
        return "not known"
    apart = row.checked - row.planned
    share = f"  {100 * apart / row.planned:+.1f} %" if row.planned >= 1.0 else ""
    return f"{apart:+.2f} {row.unit}{share}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _plain(table: QTableWidget) -> None:
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW)
    table.verticalHeader().setMinimumSectionSize(ROW)
    table.horizontalHeader().setHighlightSections(False)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
