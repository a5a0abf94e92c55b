"""`StructuresPanel`: the structures of the case, what of them is seen, and how large they are."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Case, StructureSet
from reviewer.edit import approved
from reviewer.names import TYPES, standard
from reviewer.session import Session

from ..actions import Actions, SessionCommands
from ..binding import Changes, Choice, couple_combo, follow
from ..commands.managing import StructureManagement
from ..numbers import Numbers, Want
from ..theme import RHYTHM, swatch, theme_changed
from ..wording import approval, structure_set_title
from .layers import ElidedCombo, tool_button
from .structures_table import FILL, NAME, SWATCH, VISIBLE, VOLUME, StructureTable

_MENU = (
    "structure.new", "structure.duplicate", "structure.rename", "structure.colour", "type", "structure.locked", "",
    "structure.visible", "structure.filled", "structure.alone", "structure.all", "structure.none", "",
    "structure.formula", "structure.frozen", "structure.derive", "structure.targets", "",
    "structure.copy_set", "",
    "structure.delete",
)  # fmt: skip
"""Of a row; empty for a line."""


class StructuresPanel(QWidget):
    """Structure set, filter, and one row for each structure."""

    def __init__(
        self,
        session: Session,
        numbers: Numbers,
        actions: Actions,
        commands: SessionCommands,
        management: StructureManagement,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._numbers, self._commands, self._management = session, numbers, commands, management
        self._actions = actions
        self.tools = tuple(
            tool_button(actions, name) for name in ("structure.new", "structure.targets", "structure.all")
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
        self.table = self._make_table()

        self.empty = QLabel()
        self.empty.setObjectName("structures.empty")
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

        numbers.follow(self._wanted)
        numbers.told.connect(self._show_rows)
        follow(self, session, self._refresh)
        theme_changed.connect(self.model.repaint)
        self._show_rows()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setObjectName("structures.table")
        table.setProperty("role", "dense")  # Bowel_Small and Bowel_Large in full, in the narrowest column
        table.setModel(self.model)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.model.renamed.connect(self._management.rename)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # Duodenum_2 is told from Duodenum by its end
        table.setIconSize(QSize(15, 15))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(22)
        table.verticalHeader().setMinimumSectionSize(22)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(18)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        # A number that is cut off is another number; a column that fits itself lays the whole table out anew after each stroke.
        measure = table.fontMetrics().horizontalAdvance
        volumes = max(map(measure, ("9999.9", "empty", "failed"))) + RHYTHM
        for column, width in ((VISIBLE, 20), (SWATCH, 18), (VOLUME, volumes), (FILL, 19)):
            table.setColumnWidth(column, width)
        table.setMouseTracking(True)
        table.entered.connect(self._hover)
        table.viewport().installEventFilter(self)
        table.clicked.connect(self._click)
        table.doubleClicked.connect(self._double_click)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._show_menu)
        table.setMinimumHeight(5 * 22)
        return table

    def _sets(self) -> list[Choice]:
        return [
            Choice(f"{structure_set_title(g)}{' ✓' if approved(g) else ''}", g.id, tooltip=_facts(g))
            for g in self._session.case.structure_sets
        ]

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _wanted(self, case: Case) -> Iterable[Want]:
        group = case.structure_set(self._session.view.structure_set)
        return self._numbers.volumes(group.structures if group else ())

    def _refresh(self, changes: Changes) -> None:
        if changes.edited:
            self.model.outdate({s.id: s for s in self._commands.shown_set()})
        if changes.view("structure_set"):
            self._numbers.ask()
            self._show_rows()
        elif changes.view("hidden", "filled", "active", "highlighted"):
            self._mark()

    def _show_rows(self) -> None:
        wanted = self.filter.text().strip().lower()
        shown = self._commands.shown_set()
        rows = [s for s in shown if wanted in s.name.lower() or wanted in s.type.lower()]
        volumes = {s.id: cc for s in rows if not s.empty and (cc := self._numbers.volume(s)) is not None}
        self.model.show(rows, volumes)
        self.empty.setVisible(not rows)
        refusal = self._management.no_new()
        none = f"No structures: {refusal}" if refusal else "No structures yet: + makes one (Ctrl+N)"
        self.empty.setText("No structure holds this text" if shown else none)
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
            self._bring_active()

    def _bring_active(self) -> None:
        """What is drawn on stays in sight, with its neighbours, which may have been made with it."""
        row = self.model.row_of(self._session.view.active)
        if row is not None:
            place = self.model.index(row, NAME)
            seen = self.table.visualRect(place)
            if not self.table.viewport().rect().contains(seen.adjusted(0, -seen.height(), 0, seen.height())):
                self.table.scrollTo(place, QAbstractItemView.ScrollHint.PositionAtCenter)

    # -- hands ----------------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._session.look(highlighted=None)
        elif event.type() == QEvent.Type.Resize:  # the panels above take more room, or less
            QTimer.singleShot(0, self, self._bring_active)
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
            self._management.choose_colour(structure)
        else:
            self._commands.activate(structure)

    def _double_click(self, index: QModelIndex) -> None:
        if index.column() == NAME:
            self.edit_name(self.model.rows[index.row()].id)

    def edit_name(self, structure_id: str) -> None:
        """Open the field of its name in the list."""
        row = self.model.row_of(structure_id)
        if row is not None:
            self.table.edit(self.model.index(row, NAME))

    def _show_menu(self, where: QPoint) -> None:
        """Of the row under the pointer, or of the current one where the menu key asks; what is drawn on, and a stroke in hand, stay as they are."""
        index = self.table.indexAt(where)
        if not index.isValid():
            index = self.table.currentIndex()
        meant = self.model.rows[index.row()] if index.isValid() else None
        menu = QMenu(self)
        menu.setObjectName("structures.menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        if meant is not None:
            go = menu.addAction(swatch(meant.colour), f"Go to {meant.name}")
            go.setObjectName("structures.go")
            go.setToolTip("It becomes the active structure")
            go.triggered.connect(lambda: self._commands.activate(meant))
            menu.addSeparator()
        self._means(meant.id if meant is not None else None)
        # Qt hides a menu before it carries out what was chosen in it.
        menu.aboutToHide.connect(lambda: QTimer.singleShot(0, self, lambda: self._means(None)))
        for name in _MENU:
            if name == "type":
                self._add_type_menu(menu)
            elif name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        menu.popup(self.table.viewport().mapToGlobal(where))

    def _means(self, structure_id: str | None) -> None:
        """The commands mean the structure of an open menu; None: the active one again."""
        self._commands.menu_of = structure_id
        self._actions.refresh()

    def _add_type_menu(self, menu: QMenu) -> None:
        """The types, and the standard name where another one is in use."""
        meant = self._commands.meant()
        usual = standard(meant.name) if meant else None
        if meant is not None and usual is not None and usual.name != meant.name:
            rename = menu.addAction(f"Rename to {usual.name}")
            rename.setObjectName("structures.standard_name")
            rename.setToolTip("The name of TG-263")
            rename.triggered.connect(lambda _=False, i=meant.id, n=usual.name: self._management.rename(i, n))
        types = menu.addMenu(f"Type: {(meant.type if meant else '').replace('_', ' ').lower() or 'none'}")
        types.setObjectName("structures.types")
        for kind in TYPES:
            types.addAction(self._actions[f"structure.type.{kind.lower()}"])


def _facts(group: StructureSet) -> str:
    """Of a structure set, for its tooltip."""
    lines = (f"{structure_set_title(group)}   {group.date}", approval(group.approval), approved(group), group.path)
    return "\n".join(line for line in lines if line)
