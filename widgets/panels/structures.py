"""`StructuresPanel`: the structures of the case, what of them is seen, and how large they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Structure
from reviewer.edit import Edit
from reviewer.session import Session

from ..actions import Actions, SessionCommands
from ..binding import Changes, Choice, couple_combo, follow
from ..jobs import Jobs, Progress
from ..loading import load
from ..theme import RHYTHM, body_font, hex_colour, icon, theme, theme_changed
from ..wording import structure_set_title
from .layers import ElidedCombo, tool_button

VISIBLE, SWATCH, NAME, VOLUME, FILL = range(5)
_HEADERS = ("", "", "Name", "cc", "")
_TIPS = (
    "Show or hide",
    "Colour: click to change it",
    "Click to go to the structure",
    "Volume of the structure in cm³",
    "Filled or outline",
)

_MENU = (
    "structure.visible", "structure.filled", "",
    "structure.formula", "structure.frozen", "structure.derive", "structure.targets", "",
    "structure.delete",
)  # fmt: skip
"""Of a row; empty for a line."""

Index = QModelIndex | QPersistentModelIndex


class StructuresPanel(QWidget):
    """Structure set, filter, and one row for each structure."""

    def __init__(
        self, session: Session, jobs: Jobs, actions: Actions, commands: SessionCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._commands = session, jobs, commands
        self._actions = actions
        self.tools = tuple(
            tool_button(actions, name) for name in ("structure.targets", "structure.all", "structure.none")
        )

        self.set_combo = ElidedCombo()
        self.set_combo.setObjectName("structures.set")
        self.set_combo.setToolTip("Structure set")
        couple_combo(self.set_combo, session, "structure_set", self._sets)
        self.filter = QLineEdit()
        self.filter.setObjectName("structures.filter")
        self.filter.setPlaceholderText("filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.setToolTip("Only structures whose name or type holds this text")
        self.filter.textChanged.connect(self._show_rows)

        self.model = StructureTable(self)
        self.table = QTableView()
        self.table.setObjectName("structures.table")
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setIconSize(QSize(15, 15))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.verticalHeader().setMinimumSectionSize(22)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((VISIBLE, 22), (SWATCH, 21), (FILL, 21)):
            self.table.setColumnWidth(column, width)
        # A number that is cut off is another number.
        header.setSectionResizeMode(VOLUME, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setMouseTracking(True)
        self.table.entered.connect(self._hover)
        self.table.viewport().installEventFilter(self)
        self.table.clicked.connect(self._click)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.setMinimumHeight(5 * 22)

        self.empty = QLabel("No structures in this case")
        self.empty.setProperty("role", "muted")
        self.empty.setWordWrap(True)

        row = QHBoxLayout()
        row.setSpacing(RHYTHM // 2)
        row.addWidget(self.set_combo, 3)
        row.addWidget(self.filter, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.empty)

        self._volumes: dict[str, tuple[Structure, float]] = {}
        follow(self, session, self._refresh)
        theme_changed.connect(self.model.repaint)
        self._show_rows()

    def _sets(self) -> list[Choice]:
        return [
            Choice(structure_set_title(g), g.id, tooltip=f"{structure_set_title(g)}   {g.date}\n{g.path}")
            for g in self._session.case.structure_sets
        ]

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self._volumes.clear()
        if changes.view("structure_set") or changes.edited:
            self._show_rows()
        elif changes.view("hidden", "filled", "active", "highlighted"):
            self._mark()

    def _show_rows(self) -> None:
        wanted = self.filter.text().strip().lower()
        rows = [s for s in self._commands.shown_set() if wanted in s.name.lower() or wanted in s.type.lower()]
        known = [(s, self._volumes.get(s.id)) for s in rows]
        # The volume of another shape is not this one's: it is not known until it is measured.
        self.model.show(rows, {s.id: found[1] for s, found in known if found and found[0].same_shape(s)})
        for structure in rows:
            self._measure(structure)
        any_set = bool(self._commands.shown_set())
        self.empty.setVisible(not rows)
        self.empty.setText("No structure holds this text" if any_set else "No structures in this case")
        self.set_combo.setEnabled(bool(self._session.case.structure_sets))
        self._mark()

    def _mark(self) -> None:
        view = self._session.view
        self.model.mark(view.hidden, view.filled, view.highlighted)
        row = self.model.row_of(view.active)
        if row is None:
            self.table.clearSelection()
        elif not self.table.selectionModel().isRowSelected(row, QModelIndex()):
            self.table.selectRow(row)
            self.table.scrollTo(self.model.index(row, NAME))

    def _measure(self, structure: Structure) -> None:
        known = self._volumes.get(structure.id)
        if structure.empty or (known is not None and known[0] is structure):
            return

        def work(progress: Progress) -> float:
            return float(load("reviewer.geometry.volume").volume_cc(structure))

        def done(cc: float) -> None:
            self._volumes[structure.id] = (structure, cc)
            self.model.measured(structure, cc)

        def failed(error: Exception) -> None:
            done(math.nan)
            self._jobs.failed.emit(f"Volume of {structure.name}", error)

        self._jobs.run(f"Volume of {structure.name}", work, done, failed, key=f"volume {structure.id}")

    # -- hands ----------------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._session.look(highlighted=None)
        return super().eventFilter(watched, event)

    def _hover(self, index: QModelIndex) -> None:
        self._session.look(highlighted=self.model.rows[index.row()].id)

    def _click(self, index: QModelIndex) -> None:
        structure = self.model.rows[index.row()]
        view = self._session.view
        if index.column() == VISIBLE:
            self._session.look(hidden=view.hidden ^ {structure.id})
        elif index.column() == FILL:
            self._session.look(filled=view.filled ^ {structure.id})
        elif index.column() == SWATCH:
            self._choose_colour(structure)
        else:
            self._commands.activate(structure)

    def _show_menu(self, where: QPoint) -> None:
        """Of the row under the pointer, or of the current one where the menu key asks."""
        index = self.table.indexAt(where)
        if not index.isValid():
            index = self.table.currentIndex()
        if index.isValid():
            self._session.look(active=self.model.rows[index.row()].id)
        menu = QMenu(self)
        menu.setObjectName("structures.menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self._actions.refresh()
        for name in _MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        menu.popup(self.table.viewport().mapToGlobal(where))

    def _choose_colour(self, structure: Structure) -> None:
        dialog = QColorDialog(QColor(*structure.colour), self.window())
        dialog.setWindowTitle(f"Colour of {structure.name}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(
            lambda chosen: self.recolour(structure.id, (chosen.red(), chosen.green(), chosen.blue()))
        )
        dialog.open()

    def recolour(self, structure_id: str, colour: tuple[int, int, int]) -> None:
        """One undoable edit."""
        structure = self._session.case.structure(structure_id)
        if structure is not None and structure.colour != colour:
            self._session.apply(
                Edit.of(f"Recolour {structure.name}", self._session.case, structure, replace(structure, colour=colour))
            )


class StructureTable(QAbstractTableModel):
    """Rows of structures with what is known of them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Structure] = []
        self._volumes: dict[str, float] = {}
        self._hidden: frozenset[str] = frozenset()
        self._filled: frozenset[str] = frozenset()
        self._highlighted: str | None = None

    def show(self, rows: Sequence[Structure], volumes: dict[str, float]) -> None:
        self.beginResetModel()
        self.rows, self._volumes = list(rows), volumes
        self.endResetModel()

    def mark(self, hidden: frozenset[str], filled: frozenset[str], highlighted: str | None) -> None:
        self._hidden, self._filled, self._highlighted = hidden, filled, highlighted
        self.repaint()

    def measured(self, structure: Structure, cc: float) -> None:
        self._volumes[structure.id] = cc
        self.repaint()

    def repaint(self) -> None:
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, FILL))

    def row_of(self, structure_id: str | None) -> int | None:
        return next((i for i, s in enumerate(self.rows) if s.id == structure_id), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == VOLUME else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        structure, column = self.rows[index.row()], index.column()
        shown = structure.id not in self._hidden and not structure.empty
        if role == Qt.ItemDataRole.DisplayRole:
            return {NAME: _title(structure), VOLUME: self._volume(structure)}.get(column)
        if role == Qt.ItemDataRole.FontRole and column == NAME and structure.formula:
            font = body_font()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.DecorationRole:
            return self._picture(structure, column, shown)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return {VOLUME: Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter}.get(column)
        if role == Qt.ItemDataRole.ForegroundRole and not shown:
            return QColor(theme().muted)
        if role == Qt.ItemDataRole.BackgroundRole and structure.id == self._highlighted:
            return QColor(theme().hover)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(structure, column)
        return None

    def _volume(self, structure: Structure) -> str:
        if structure.empty:
            return "empty"
        cc = self._volumes.get(structure.id)
        if cc is None:
            return "…"
        if math.isnan(cc):
            return "failed"
        return f"{cc:.1f}" if cc < 9999.95 else f"{cc:.0f}"

    def _picture(self, structure: Structure, column: int, shown: bool) -> QIcon | None:
        if column == VISIBLE:
            return icon("eye" if shown else "eye-off")
        if column == SWATCH:
            return _swatch(structure.colour)
        if column == FILL:
            return icon("filled" if structure.id in self._filled else "outline")
        return None

    def _tip(self, structure: Structure, column: int) -> str:
        if column in (VISIBLE, SWATCH, FILL):
            return _TIPS[column]
        cc = self._volumes.get(structure.id)
        lines = [
            structure.name,
            structure.type.lower(),
            f"{cc:.2f} cc" if cc is not None and not math.isnan(cc) else "",
            f"contours on {len(structure.planes)} slices" if structure.planes else "no contours",
            f"= {structure.formula}" if structure.formula else "",
            "frozen: made by this formula, does not follow it any more" if structure.frozen else "",
            "follows its formula" if structure.live else "",
            "locked" if structure.locked else "",
        ]
        return "\n".join(line for line in lines if line)


def _title(structure: Structure) -> str:
    """ƒ before what follows a formula."""
    if structure.frozen:
        return f"{structure.name} (frozen)"
    return f"ƒ {structure.name}" if structure.live else structure.name


def _swatch(colour: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(hex_colour(colour)))
    painter.setPen(QColor(theme().line))
    painter.drawRoundedRect(3, 3, 26, 26, 6, 6)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)
