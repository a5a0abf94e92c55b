"""The table of a comparison: one line per structure, sortable, what could not be compared said in words at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from reviewer.comparison import PATH_TOLERANCE_MM, Comparison
from reviewer.scene import Colour

from ..theme import theme
from .comparison_work import Row

Index = QModelIndex | QPersistentModelIndex
NUMBER = Qt.ItemDataRole.UserRole
NARROWEST, ROW_PX, HEAD_PX = 44, 20, 38


@dataclass(frozen=True)
class Column:
    """header: on the screen; full: in what is copied; value: None where it is not defined."""

    header: str
    full: str
    tip: str
    value: Callable[[Comparison], float | None]
    digits: int


def columns_of(tolerances: Sequence[float]) -> tuple[Column, ...]:
    """What is measured; the definitions are those of `reviewer.comparison.Comparison` and docs/comparison.md."""
    return (
        Column("A\ncc", "Volume A [cc]", "Volume of A, the reference, in cm³", lambda c: c.volume_cc[0], 1),
        Column("B\ncc", "Volume B [cc]", "Volume of B in cm³", lambda c: c.volume_cc[1], 1),
        Column(
            "Dice\n",
            "Dice",
            "Dice: 2 |A ∩ B| / (|A| + |B|) of the solids; 1 is the same.\nDice, Ecology 1945;26:297-302",
            lambda c: c.dice,
            3,
        ),
        Column(
            "HD\nmm",
            "Hausdorff distance [mm]",
            "Hausdorff distance: the largest distance of a point of one surface from the other surface, mm",
            lambda c: c.hausdorff_mm,
            1,
        ),
        Column(
            "HD95\nmm",
            "HD95 [mm]",
            "95th percentile, by surface area, of the distance of each surface to the other; the larger of the two, mm.\n"
            "Nikolov et al., J Med Internet Res 2021;23(7):e26151",
            lambda c: c.hd95_mm,
            1,
        ),
        Column(
            "Mean\nmm",
            "Mean surface distance [mm]",
            "Mean surface distance: mean over the area of both surfaces of the distance to the other, mm.\n"
            "Taha and Hanbury, BMC Med Imaging 2015;15:29",
            lambda c: c.mean_surface_distance_mm,
            2,
        ),
        *(
            Column(
                f"sDice\n{mm:g} mm",
                f"Surface Dice at {mm:g} mm",
                f"Surface Dice: the part of the area of both surfaces that lies within {mm:g} mm of the other.\n"
                "Nikolov et al., J Med Internet Res 2021;23(7):e26151",
                lambda c, mm=mm: c.surface_dice[mm],  # type: ignore[misc]
                3,
            )
            for mm in tolerances
        ),
        Column(
            "APL\nmm",
            "Added path length [mm]",
            f"Added path length: length of the contours of A, on its planes, farther than {PATH_TOLERANCE_MM:g} mm "
            "from the contour of B, mm.\nVaassen et al., Phys Imaging Radiat Oncol 2020;13:1-6",
            lambda c: c.added_path_length_mm,
            0,
        ),
        Column(
            "Shift\nmm",
            "Centroid shift [mm]",
            "Distance between the centres of mass of A and B, mm",
            lambda c: None if c.centroid_shift_mm is None else float(np.linalg.norm(c.centroid_shift_mm)),
            1,
        ),
    )


class ComparisonTable(QTableView):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison.table")
        self.setAccessibleName("Agreement of contours")
        self.lines = _Lines(self)
        self._sorted = _Sorted(self)
        self._sorted.setSourceModel(self.lines)
        self._sorted.setDynamicSortFilter(True)
        self.setModel(self._sorted)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(ROW_PX)
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(NARROWEST)
        header.setFixedHeight(HEAD_PX)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(HEAD_PX + 3 * ROW_PX)
        for signal in (self._sorted.layoutChanged, self._sorted.modelReset, self._sorted.dataChanged):
            signal.connect(lambda *_: self._span())

    def show_rows(self, rows: Sequence[Row], tolerances: Sequence[float]) -> None:
        chosen = self.chosen
        columns = self.lines.columnCount()
        self.lines.show(rows, tolerances)
        header = self.horizontalHeader()
        if columns != self.lines.columnCount() or chosen is None:
            for column in range(self.lines.columnCount()):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
            self.setColumnWidth(0, 116)
        self._span()

    @property
    def chosen(self) -> Row | None:
        rows = self.selectionModel().selectedRows()
        return self.lines.rows[self._sorted.mapToSource(rows[0]).row()] if rows else None

    def choose(self, place: int) -> None:
        """The row at a place of those shown last."""
        self.selectRow(self._sorted.mapFromSource(self.lines.index(place, 0)).row())

    def tsv(self) -> str:
        """All rows as they are sorted, with what each column means and its unit in the first line."""
        order = [self._sorted.mapToSource(self._sorted.index(r, 0)).row() for r in range(self._sorted.rowCount())]
        lines = [["Structure", *(c.full for c in self.lines.columns), "Note"]]
        for place in order:
            row = self.lines.rows[place]
            values = [self.lines.text(row, c) if row.found is not None else "" for c in range(len(self.lines.columns))]
            lines.append([row.name, *values, "" if row.found is not None else self.lines.note(row)])
        return "\n".join("\t".join(_cell(text) for text in line) for line in lines) + "\n"

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.tsv())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _span(self) -> None:
        """Words instead of numbers go across the columns."""
        self.clearSpans()
        for place in range(self._sorted.rowCount()):
            row = self.lines.rows[self._sorted.mapToSource(self._sorted.index(place, 0)).row()]
            if row.found is None:
                self.setSpan(place, 1, 1, len(self.lines.columns))


class _Lines(QAbstractTableModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._tolerances: tuple[float, ...] = ()
        self.columns: tuple[Column, ...] = columns_of(())

    def show(self, rows: Sequence[Row], tolerances: Sequence[float]) -> None:
        """Rows of the same structures are updated in place, so that a selection survives."""
        same = tuple(tolerances) == self._tolerances and [_key(r) for r in rows] == [_key(r) for r in self.rows]
        if same:
            self.rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.columns)))
            return
        self.beginResetModel()
        self.rows, self._tolerances, self.columns = list(rows), tuple(tolerances), columns_of(tolerances)
        self.endResetModel()

    def text(self, row: Row, column: int) -> str:
        value = None if row.found is None else self.columns[column].value(row.found)
        return "none" if value is None else f"{value:.{self.columns[column].digits}f}"

    def note(self, row: Row) -> str:
        return f"not evaluated: {row.trouble}" if row.trouble else "…"

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 1 + len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or section > len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section - 1].header if section else "Structure"
        if role == Qt.ItemDataRole.ToolTipRole:
            return (
                self.columns[section - 1].tip if section else "A click on a heading sorts; a row shows its differences"
            )
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        words = column == 1 and row.found is None
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 0:
                return row.name
            return self.note(row) if words else "" if row.found is None else self.text(row, column - 1)
        if role == NUMBER:
            if column == 0:
                return row.name.casefold()
            return None if row.found is None else self.columns[column - 1].value(row.found)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(0 if words else column)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return _swatch((row.a or row.b).colour) if row.a or row.b else None  # type: ignore[union-attr]
        if role == Qt.ItemDataRole.ForegroundRole and words:
            return QColor(theme().muted)
        if role == Qt.ItemDataRole.ToolTipRole:
            if row.found is None:
                return f"{row.name}: {self.note(row)}"
            return self.columns[column - 1].tip if column else _shift(row.found, row.name)
        return None


class _Sorted(QSortFilterProxyModel):
    """By number or name; what was not evaluated comes last, whichever way."""

    def lessThan(self, left: Index, right: Index) -> bool:
        model = self.sourceModel()
        a, b = model.data(left, NUMBER), model.data(right, NUMBER)  # type: ignore[arg-type]
        if a is None or b is None:
            falling = self.sortOrder() == Qt.SortOrder.DescendingOrder
            return (a is None and b is not None) if falling else (a is not None and b is None)
        return bool(a < b)


def _shift(found: Comparison, name: str) -> str:
    """The centroid shift by direction: DICOM's axes are towards left, posterior and head."""
    if found.centroid_shift_mm is None:
        return name
    parts = [
        f"{abs(v):.1f} mm to {more if v >= 0 else less}"
        for v, (more, less) in zip(
            found.centroid_shift_mm, (("left", "right"), ("posterior", "anterior"), ("head", "feet")), strict=True
        )
    ]
    return f"{name}\nB lies {', '.join(parts)} of A"


def _key(row: Row) -> tuple[str, str | None, str | None]:
    return row.name, row.a and row.a.id, row.b and row.b.id


def _swatch(colour: Colour) -> QPixmap:
    swatch = QPixmap(9, 9)
    swatch.fill(QColor(*colour))
    return swatch


def _cell(text: str) -> str:
    return " ".join(text.split())


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
