"""The rows of the structures panel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon

from reviewer.case import Structure

from ..commands.managing import name_note
from ..theme import body_font, icon, swatch, theme

VISIBLE, SWATCH, NAME, VOLUME, FILL = range(5)
_HEADERS = ("", "", "Name", "cc", "")
_TIPS = (
    "Show or hide",
    "Colour: click to change it",
    "Click to go to the structure, double click to rename it",
    "Volume of the structure in cm³",
    "Filled or outline",
)
_LOCKED = "locked: refuses every change (L)"

Index = QModelIndex | QPersistentModelIndex


class StructureTable(QAbstractTableModel):
    """Rows of structures with what is known of them.

    renamed: id of a structure and the name that was typed for it.
    """

    renamed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Structure] = []
        self._volumes: dict[str, float] = {}
        self._hidden: frozenset[str] = frozenset()
        self._filled: frozenset[str] = frozenset()
        self._highlighted: str | None = None

    def show(self, rows: Sequence[Structure], volumes: dict[str, float]) -> None:
        """The same structures in another state change their rows only: a reset would cost the time of a stroke, and close the field of a name."""
        if [s.id for s in rows] == [s.id for s in self.rows]:
            before, known, self.rows, self._volumes = self.rows, self._volumes, list(rows), volumes
            for k, (new, old) in enumerate(zip(rows, before, strict=True)):
                if _looks(new) != _looks(old):
                    self.dataChanged.emit(self.index(k, 0), self.index(k, FILL))
                elif new is not old or volumes.get(new.id) != known.get(new.id):
                    self.dataChanged.emit(self.index(k, VOLUME), self.index(k, VOLUME))
            return
        self.beginResetModel()
        self.rows, self._volumes = list(rows), volumes
        self.endResetModel()

    def mark(self, hidden: frozenset[str], filled: frozenset[str], highlighted: str | None) -> None:
        if (hidden, filled, highlighted) != (self._hidden, self._filled, self._highlighted):
            self._hidden, self._filled, self._highlighted = hidden, filled, highlighted
            self.repaint()

    def outdate(self, now: Mapping[str, Structure]) -> None:
        """What is known of structures that are others now does not hold. It is not painted at once, for mostly the next numbers are near."""
        for structure in self.rows:
            if now.get(structure.id, structure) is not structure:
                self._volumes.pop(structure.id, None)

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

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """A name was typed; whether it is taken the listener decides, so that the row changes with the case only."""
        if role != Qt.ItemDataRole.EditRole or index.column() != NAME:
            return False
        self.renamed.emit(self.rows[index.row()].id, str(value))
        return True

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        structure, column = self.rows[index.row()], index.column()
        shown = structure.id not in self._hidden and not structure.empty
        if role == Qt.ItemDataRole.DisplayRole:
            return _title(structure) if column == NAME else self._volume(structure) if column == VOLUME else None
        if role == Qt.ItemDataRole.EditRole and column == NAME:
            return structure.name
        if role == Qt.ItemDataRole.FontRole and column == NAME and structure.formula:
            font = body_font()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.DecorationRole:
            return self._picture(structure, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter if column == VOLUME else None
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

    def _picture(self, structure: Structure, column: int) -> QIcon | None:
        if column == VISIBLE:
            return icon("eye-off" if structure.id in self._hidden else "eye")
        if column == SWATCH:
            return swatch(structure.colour, structure.locked)  # beside the name a lock would take its room
        if column == FILL:
            return icon("filled" if structure.id in self._filled else "outline")
        return None

    def _tip(self, structure: Structure, column: int) -> str:
        if column == SWATCH and structure.locked:
            return _LOCKED
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
            _LOCKED if structure.locked else "",
            name_note(structure.name),
        ]
        return "\n".join(line for line in lines if line)


def _looks(structure: Structure) -> tuple[object, ...]:
    """What the cells beside the volume show."""
    return _title(structure), structure.colour, structure.locked, structure.formula, structure.empty


def _title(structure: Structure) -> str:
    """ƒ before what follows a formula."""
    if structure.frozen:
        return f"{structure.name} (frozen)"
    return f"ƒ {structure.name}" if structure.live else structure.name
