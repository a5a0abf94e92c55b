"""The table below the DVH: what is asked of every structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from reviewer.case import Structure
from reviewer.dosimetry.metrics import Metric

from ..theme import RHYTHM, theme, theme_changed

if TYPE_CHECKING:  # importing it for good would load numba
    from reviewer.dosimetry.dvh import Dvh

Index = QModelIndex | QPersistentModelIndex
ID_ROLE = Qt.ItemDataRole.UserRole

NAME_PX = 84
"""Narrower than this a name can't be told from another: columns give way, volume first, for the list of structures has it too."""
_GIVE_WAY = (1, 3, 2)


@dataclass(frozen=True, eq=False)
class _Column:
    header: str
    full: str
    tip: str
    metric: Metric | None = None


_COLUMNS = (
    _Column("Structure", "Structure", "⚠ marks structures that lie partly outside the dose grid"),
    _Column("Vol.\ncc", "Volume [cc]", "Volume of the structure in cm³"),
    _Column("D95\nGy", "D95%[Gy]", "D95%[Gy]: lowest dose in the hottest 95 % of the volume", Metric.parse("D95%[Gy]")),
    _Column("Mean\nGy", "Mean[Gy]", "Mean[Gy]: mean dose of the volume", Metric.parse("Mean[Gy]")),
    _Column(
        "Max\nGy",
        "D0.035cc[Gy]",
        "D0.035cc[Gy]: lowest dose in the hottest 0.035 cm³, the maximum that a single voxel can't decide",
        Metric.parse("D0.035cc[Gy]"),
    ),
)


@dataclass(frozen=True)
class Row:
    """dvh: None while it is being computed, or where `trouble` says why there is none."""

    structure: Structure
    dvh: Dvh | None
    trouble: str = ""


def outside_warning(dvh: Dvh) -> str:
    """What has to be said of a structure that reaches beyond the dose grid; empty for others."""
    if dvh.outside_fraction <= 0:
        return ""
    percent = 100 * dvh.outside_fraction
    share = f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %" if percent >= 0.1 else "less than 0.1 %"
    return f"{share} outside the dose grid"


@lru_cache(256)  # asked for to see whether it differs, and again by the paint
def _gray(column: _Column, dvh: Dvh) -> str:
    value = column.metric.of(dvh) if column.metric else None
    return "none" if value is None else f"{value:.1f}"


def in_short(dvh: Dvh) -> str:
    """The doses of the table in one line."""
    return " · ".join(f"{c.full.removesuffix('[Gy]')} {_gray(c, dvh)}" for c in _COLUMNS if c.metric) + " Gy"


class DvhTable(QTableView):
    """hovered: id of the structure under the pointer, empty when none."""

    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dvhTable")
        self.setAccessibleName("Dose and volume of structures")
        self.rows = _Rows(self)
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setIconSize(QSize(9, 9))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(20)
        self.verticalHeader().setDefaultSectionSize(20)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        measure = self.fontMetrics().horizontalAdvance
        self._widths = {
            c: measure(widest) + RHYTHM + 2 for c, widest in ((1, "9999.9"), (2, "none"), (3, "Mean"), (4, "none"))
        }
        for column, width in self._widths.items():
            self.setColumnWidth(column, width)
        self.setMinimumHeight(3 * 20)
        self.setMouseTracking(True)
        self.entered.connect(lambda index: self.hovered.emit(self.rows.rows[index.row()].structure.id))
        theme_changed.connect(self.rows.repaint)

    def sizeHint(self) -> QSize:
        return QSize(280, 10 * 20)

    def resizeEvent(self, event: QResizeEvent) -> None:
        room = self.viewport().width() - NAME_PX - sum(self._widths.values())
        for column in _GIVE_WAY:
            hidden = room < 0
            if hidden:
                room += self._widths[column]
            self.setColumnHidden(column, hidden)
        super().resizeEvent(event)

    def tsv(self) -> str:
        """The selected rows, or all, with the full notation of each column in the first line."""
        chosen = sorted({i.row() for i in self.selectionModel().selectedIndexes()}) or range(len(self.rows.rows))
        lines = [[c.full for c in _COLUMNS]]
        lines += [[self.rows.text(self.rows.rows[r], c) for c in range(len(_COLUMNS))] for r in chosen]
        return "\n".join("\t".join(line) for line in lines) + "\n"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.tsv())
            return
        super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit("")


class _Rows(QAbstractTableModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._highlighted: str | None = None
        self._read: dict[tuple[int, int], tuple[str, Any]] = {}
        """What each cell that somebody has read said then: where it says the same, it is not painted anew."""

    def show(self, rows: Sequence[Row], highlighted: str | None) -> None:
        """Rows of the same structures are updated in place, so that a selection survives an edit."""
        was, self._highlighted = self._highlighted, highlighted
        if [r.structure.id for r in rows] != [r.structure.id for r in self.rows]:
            self.beginResetModel()
            self.rows = list(rows)
            self._read.clear()
            self.endResetModel()
            return
        before, self.rows = self.rows, list(rows)
        for n, (row, old) in enumerate(zip(rows, before, strict=True)):
            if was != highlighted and row.structure.id in (was, highlighted):
                self.dataChanged.emit(self.index(n, 0), self.index(n, len(_COLUMNS) - 1))
            elif row != old:
                others = [k for k in range(len(_COLUMNS)) if self._read.get((n, k)) not in (None, self._says(row, k))]
                if others:
                    self.dataChanged.emit(self.index(n, others[0]), self.index(n, others[-1]))

    def outdate(self, now: Mapping[str, Structure]) -> None:
        """What is known of structures that are others now does not hold. It is not painted at once, for mostly the next numbers are near."""
        self.rows = [
            r if now.get(r.structure.id, r.structure) is r.structure else Row(now[r.structure.id], None)
            for r in self.rows
        ]

    def repaint(self) -> None:
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(_COLUMNS) - 1))

    def text(self, row: Row, column: int) -> str:
        if column == 0:
            return row.structure.name
        if row.dvh is None:
            return "failed" if row.trouble else "…"
        if column == 1:
            return f"{row.dvh.volume_cc:.0f}" if row.dvh.volume_cc >= 10_000 else f"{row.dvh.volume_cc:.1f}"
        return _gray(_COLUMNS[column], row.dvh)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return _COLUMNS[section].header
            if role == Qt.ItemDataRole.ToolTipRole:
                return _COLUMNS[section].tip
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            said = self._read[index.row(), column] = self._says(row, column)
            return said[0]
        if role == ID_ROLE:
            return row.structure.id
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            swatch = QPixmap(9, 9)
            swatch.fill(QColor(*row.structure.colour))
            return swatch
        if role == Qt.ItemDataRole.BackgroundRole and row.structure.id == self._highlighted:
            return QColor(theme().hover)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, column)
        return None

    def _says(self, row: Row, column: int) -> tuple[str, Any]:
        """Text and colour."""
        warned = column == 0 and (row.trouble or (row.dvh is not None and row.dvh.outside_fraction > 0))
        text = self.text(row, column)
        return f"⚠ {text}" if warned else text, row.structure.colour if column == 0 else None

    def _tip(self, row: Row, column: int) -> str:
        if row.dvh is None:
            return f"{row.structure.name}: {row.trouble or 'being computed'}"
        warning = outside_warning(row.dvh)
        values = [f"{c.full} {self.text(row, k)}" for k, c in enumerate(_COLUMNS) if k]
        facts = "\n".join([row.structure.name, *([_COLUMNS[column].tip] if column else values)])
        return f"{facts}\n⚠ {warning}, where it is not known; dose values are those of the rest" if warning else facts


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
