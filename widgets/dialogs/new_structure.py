"""New structures: by standard name, one or several at once, or with a name of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QComboBox,
    QDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QWidget,
)

from reviewer.case import PALETTE, Colour, StructureSet
from reviewer.edit.structures import free_name, name_refusal
from reviewer.errors import ReviewerError
from reviewer.names import TYPES, Standard, standard, standards, suggestions, templates
from reviewer.session import Session

from ..commands.managing import name_note
from ..theme import RHYTHM, Tone, muted, swatch, tint
from .frame import Foot, framed

WIDTH = 420


class NewStructureDialog(QDialog):
    """add: brings them into the case as one step; raises ReviewerError where that cannot be."""

    def __init__(
        self, session: Session, add: Callable[[Sequence[Standard]], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("new_structure")
        self.setWindowTitle("New structure")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._add = session, add
        self._group = session.structure_set or StructureSet("", "", ())
        self._own_colour = self._colour = _unlike(s.colour for s in self._group.structures)

        self.template = QComboBox()
        self.template.setObjectName("new_structure.template")
        for each in templates():
            self.template.addItem(each.name, each.structures)
            self.template.setItemData(self.template.count() - 1, each.meaning, Qt.ItemDataRole.ToolTipRole)
        self.template.addItem("All standard names", standards())
        self.template.activated.connect(lambda: self.name.clear())
        self.template.currentIndexChanged.connect(self._list)
        self.list = QListWidget()
        self.list.setObjectName("new_structure.list")
        self.list.setIconSize(QSize(15, 15))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setToolTip("Click takes the name; Ctrl+click takes several; double click adds it at once")
        self.list.itemSelectionChanged.connect(self._take)
        self.list.itemDoubleClicked.connect(self._finish)
        self.name = QLineEdit()
        self.name.setObjectName("new_structure.name")
        self.name.setPlaceholderText("type to find a name, for example duo")
        self.name.setClearButtonEnabled(True)
        self.name.textEdited.connect(self._typed)
        self.colour = QToolButton()
        self.colour.setObjectName("new_structure.colour")
        self.colour.setToolTip("Colour")
        self.colour.setFixedSize(30, 26)
        self.colour.clicked.connect(self._choose_colour)
        self.kind = QComboBox()
        self.kind.setObjectName("new_structure.type")
        self.kind.setToolTip("Type of the region of interest, as DICOM names them")
        for kind in TYPES:
            self.kind.addItem(kind.replace("_", " ").lower(), kind)
        self.kind.setCurrentIndex(TYPES.index("ORGAN"))
        self.note = QLabel()
        self.note.setObjectName("new_structure.note")
        self.note.setWordWrap(True)
        self.note.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 2)
        self.note.setAlignment(Qt.AlignmentFlag.AlignTop)
        foot = Foot(self, ("new_structure.cancel", "Cancel", self.reject), ("new_structure.add", "Add", self._finish))
        foot.leave.setToolTip("Change nothing   (Esc)")
        self.keep = foot.go
        self.keep.setDefault(True)

        fields = QGridLayout()
        fields.setHorizontalSpacing(RHYTHM)
        fields.setVerticalSpacing(RHYTHM)
        fields.setColumnStretch(1, 1)
        fields.addWidget(QLabel("Name"), 0, 0)
        fields.addWidget(self.name, 0, 1)
        fields.addWidget(self.colour, 0, 2)
        fields.addWidget(self.list, 1, 1, 1, 2)
        fields.addWidget(muted("from"), 2, 0)
        fields.addWidget(self.template, 2, 1, 1, 2)
        fields.addWidget(QLabel("Type"), 3, 0)
        fields.addWidget(self.kind, 3, 1, 1, 2)
        fields.addWidget(self.note, 4, 1, 1, 2)
        column = framed(self)
        column.addLayout(fields)
        column.addLayout(foot)
        self.resize(WIDTH, 460)
        self._list()
        self._show()
        self.name.setFocus()

    @property
    def wanted(self) -> tuple[Standard, ...]:
        """What would be added now."""
        chosen = self._chosen
        if len(chosen) > 1:
            return chosen
        name = chosen[0].name if chosen else self.name.text().strip()
        return (Standard(name, self.kind.currentData(), self._colour, ""),) if name else ()

    @property
    def _chosen(self) -> tuple[Standard, ...]:
        """Selected in the list, in the list's order."""
        rows = sorted(self.list.row(item) for item in self.list.selectedItems())
        return tuple(self.list.item(row).data(Qt.ItemDataRole.UserRole) for row in rows)

    def _list(self) -> None:
        """The names of the template; what is typed narrows them down from all names there are.

        Where it begins or means a standard name, that one is chosen for Enter, with a number where the set has it; the last row is what is typed.
        """
        typed = self.name.text().strip()
        taken = {s.name for s in self._group.structures}
        self.list.blockSignals(True)
        self.list.clear()
        found = suggestions(typed, 12) if typed else self.template.currentData()
        for each in found:
            free = replace(each, name=free_name(each.name, taken), colour=self._free_colour(each))
            text = each.name if free.name == each.name else f"{free.name}   ({each.name} is in the set)"
            if typed or free.name == each.name:
                self._offer(free, text)
            else:
                self._offer(each, f"{each.name}   (is in the set)").setFlags(Qt.ItemFlag.NoItemFlags)
        first = found[0] if typed and found else None
        begun = first is not None and (first.name.casefold().startswith(typed.casefold()) or standard(typed) is first)
        if first is not None and begun and typed != first.name:
            self.list.setCurrentRow(0)
            self._look_like(first)
            own = Standard(typed, first.type, self._free_colour(first), "your own name")
            self._offer(own, f"{typed}   (as you typed it)")
        self.list.blockSignals(False)

    def _offer(self, each: Standard, text: str) -> QListWidgetItem:
        item = QListWidgetItem(swatch(each.colour), text, self.list)
        item.setData(Qt.ItemDataRole.UserRole, each)
        item.setToolTip(f"{each.meaning}\n{each.type.lower()}")
        return item

    def _typed(self) -> None:
        meant = standard(self.name.text().strip())
        if meant is not None:
            self._look_like(meant)
        self._list()
        self._show()

    def _take(self) -> None:
        chosen = self._chosen
        if len(chosen) == 1:
            self.name.setText(chosen[0].name)
            self._look_like(chosen[0])
        self._show()

    def _free_colour(self, each: Standard) -> Colour:
        """A second one beside the first, as of two duodenums, is to be told from it."""
        taken = any(s.colour == each.colour for s in self._group.structures)
        return self._own_colour if taken else each.colour

    def _look_like(self, each: Standard) -> None:
        self._colour = self._free_colour(each)
        if each.type in TYPES:
            self.kind.setCurrentIndex(TYPES.index(each.type))

    def _choose_colour(self) -> None:
        dialog = QColorDialog(QColor(*self._colour), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(self._coloured)
        dialog.open()

    def _coloured(self, chosen: QColor) -> None:
        self._colour = chosen.red(), chosen.green(), chosen.blue()
        self._show()

    def _show(self) -> None:
        """What would happen, and whether it can."""
        wanted, several = self.wanted, len(self._chosen) > 1
        self.colour.setIcon(swatch(self._colour))
        for widget in (self.colour, self.kind):
            widget.setEnabled(not several)
        refused = next((r for s in wanted if (r := name_refusal(self._group, s.name))), "")
        self.keep.setEnabled(bool(wanted) and not refused)
        self.keep.setText(f"Add {len(wanted)}" if several else f"Add {wanted[0].name}" if self._chosen else "Add")
        tone: Tone
        if refused:
            text, tone = f"✗ {refused[:1].upper()}{refused[1:]}", "bad"
        elif several:
            text, tone = ", ".join(s.name for s in wanted), "muted"
        elif wanted and (note := name_note(wanted[0].name)):
            text, tone = f"⚠ {note}", "caution"
        elif wanted and (meant := standard(wanted[0].name)) is not None:
            where = "TG-263" if meant.tg263 else "a usual name, not of TG-263"
            text, tone = f"✓ {meant.meaning} ({where})", "good"
        else:
            text, tone = "", "muted"
        tint(self.note, tone)
        self.note.setText(text)

    def _finish(self) -> None:
        if not self.keep.isEnabled():
            return
        try:
            self._add(self.wanted)
        except ReviewerError as error:
            tint(self.note, "bad")
            self.note.setText(f"✗ {error}")
            return
        self.accept()


def _unlike(colours: Iterable[Colour]) -> Colour:
    """Of the palette the one that lies farthest from the colours in use, in RGB; the first where there are none."""
    used = list(colours)
    return max(PALETTE, key=lambda each: min((math.dist(each, other) for other in used), default=0.0))
