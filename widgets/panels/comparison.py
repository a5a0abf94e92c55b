"""`ComparisonPanel`: two sets of contours, or two structures, measured against each other and shown where they differ."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Case, Structure, StructureSet
from reviewer.comparison import TOLERANCES_MM, same_name
from reviewer.errors import NotRegisteredError
from reviewer.session import Session

from ..binding import Changes, follow
from ..canvas.differences import COLOUR_A, COLOUR_B
from ..jobs import Jobs
from ..theme import RHYTHM, heading, icon, theme_changed
from ..wording import structure_set_title
from .comparison_slices import Measure, SliceStrip, crosshair_slice, farthest_point, marks_of, worst
from .comparison_table import ComparisonTable
from .comparison_work import NOT_REGISTERED, Comparisons, Row, Side, rows_of
from .layers import ElidedCombo

MOST_TOLERANCES, LARGEST_TOLERANCE_MM = 4, 50.0
MEASURES: tuple[tuple[Measure, str, str], ...] = (
    ("hausdorff", "HD", "Hausdorff distance of the two contours on each plane of A, mm"),
    ("mean", "mean", "Mean distance of the two contours on each plane of A, mm"),
    ("dice", "Dice", "Dice of the two areas on each plane of A"),
)


class ComparisonPanel(QWidget):
    """Call `start` when it stands in its place and `leave` before it goes."""

    close_wanted = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison")
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._tolerances: tuple[float, ...] = TOLERANCES_MM
        self._measure: Measure = "hausdorff"
        self._began_with = session.view.compared_alone
        self._row: Row | None = None
        self.work = Comparisons(jobs, self)
        self.work.arrived.connect(self._show)
        self.work.ended.connect(self._show)

        self.sets = {side: _combo(f"comparison.set.{side}", f"The contours at side {side.upper()}") for side in "ab"}
        self.structures = {
            side: _combo(
                f"comparison.structure.{side}", f"All of them, matched by name, or one structure for {side.upper()}"
            )
            for side in "ab"
        }
        for side in "ab":
            self.sets[side].activated.connect(lambda _, side=side: self._set_chosen(side))
            self.structures[side].activated.connect(lambda _, side=side: self._structure_chosen(side))
        self.swap = _tool("comparison.swap", "A ⇄ B", "Exchange A and B: the added path length and the shift change")
        self.swap.clicked.connect(self._swap)
        self.close_button = _tool(
            "comparison.close", "", "Close: the views show what they showed before   (Ctrl+Shift+C)"
        )
        self.close_button.setProperty("role", "flat")
        self.close_button.clicked.connect(self.close_wanted)

        self.tolerance = QLineEdit(" ".join(f"{mm:g}" for mm in self._tolerances))
        self.tolerance.setObjectName("comparison.tolerances")
        self.tolerance.setFixedWidth(72)
        self.tolerance.editingFinished.connect(self._tolerances_typed)
        self.alone = QCheckBox("only these two")
        self.alone.setObjectName("comparison.alone")
        self.alone.setToolTip("Leave out the other contours and the dose while the comparison is open")
        self.alone.setChecked(session.view.compared_alone)
        self.alone.toggled.connect(lambda on: session.look(compared_alone=on))
        self.message = QLabel()
        self.message.setObjectName("comparison.message")
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setMinimumWidth(40)
        self.cancel = QPushButton("Cancel")
        self.cancel.setObjectName("comparison.cancel")
        self.cancel.setToolTip("What has been worked out stays")
        self.cancel.clicked.connect(self.work.cancel)
        self.copy = _tool(
            "comparison.copy", "", "Copy the table, tab-separated, for a spreadsheet   (Ctrl+C in the table)"
        )
        self.table = ComparisonTable()
        self.copy.clicked.connect(self.table.copy)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._selected())
        self.strip = SliceStrip()
        self.strip.wanted.connect(self._go_to)
        self._measures = QButtonGroup(self)
        self._lay_out()
        self._draw()
        theme_changed.connect(self._draw)
        follow(self, session, self._refresh)

    def sizeHint(self) -> QSize:
        return QSize(700, 292)

    def start(self) -> None:
        """With what is most likely wanted: the shown set as B, another that shares names with it as A; else two structures of one set."""
        case = self._session.case
        shown = case.structure_set(self._session.view.structure_set) or case.structure_sets[0]
        others = sorted((g for g in case.structure_sets if g is not shown), key=lambda g: -_likeness(case, g, shown))
        single = not others or _likeness(case, others[0], shown) == 0
        for side, group in (("a", shown if single else others[0]), ("b", shown)):
            self._fill_sets(side, group.id)
            self._fill_structures(side)
        if single:
            self._choose_two()
        self._ask()

    def leave(self) -> None:
        """The scene is as it was before."""
        self.work.close()
        self._session.look(compared=None, compared_alone=self._began_with)

    # -- layout ---------------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        first, second, below = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for row in (first, second, below):
            row.setSpacing(RHYTHM // 2)
        first.addWidget(heading("Compare"))
        for side, colour in (("a", COLOUR_A), ("b", COLOUR_B)):
            letter = QLabel(side.upper())
            letter.setStyleSheet(f"color: {colour.name()}; font-weight: 700;")
            first.addSpacing(RHYTHM)
            first.addWidget(letter)
            first.addWidget(self.sets[side], 3)
            first.addWidget(self.structures[side], 2)
            if side == "a":
                first.addSpacing(RHYTHM)
                first.addWidget(self.swap)
        first.addSpacing(RHYTHM)
        first.addWidget(self.close_button)
        second.addWidget(self.message, 1)
        second.addWidget(self.cancel)
        second.addWidget(self.alone)
        second.addSpacing(RHYTHM)
        second.addWidget(QLabel("surface Dice at"))
        second.addWidget(self.tolerance)
        second.addWidget(QLabel("mm"))
        second.addSpacing(RHYTHM)
        second.addWidget(self.copy)
        choice = QVBoxLayout()
        choice.setSpacing(1)
        for measure, text, tip in MEASURES:
            button = _tool(f"comparison.measure.{measure}", text, tip)
            button.setCheckable(True)
            button.setChecked(measure == self._measure)
            button.setFixedSize(48, 21)
            button.clicked.connect(lambda _, measure=measure: self._measure_chosen(measure))
            self._measures.addButton(button)
            choice.addWidget(button)
        below.addLayout(choice)
        below.addWidget(self.strip, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM, RHYTHM // 2, RHYTHM, RHYTHM // 2)
        column.setSpacing(RHYTHM // 2)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.table, 1)
        column.addLayout(below)

    def _draw(self) -> None:
        self.copy.setIcon(icon("copy"))
        self.close_button.setIcon(icon("close"))

    # -- what is compared -----------------------------------------------------------------------------------------------

    def _fill_sets(self, side: str, chosen: str | None) -> None:
        combo = self.sets[side]
        with QSignalBlocker(combo):
            combo.clear()
            for group in self._session.case.structure_sets:
                combo.addItem(structure_set_title(group), group.id)
                combo.setItemData(combo.count() - 1, _facts(self._session.case, group), Qt.ItemDataRole.ToolTipRole)
            combo.setCurrentIndex(max(0, combo.findData(chosen)))

    def _fill_structures(self, side: str, chosen: str | None = None) -> None:
        """chosen: id of a structure, None for all of them."""
        combo, group = self.structures[side], self._group(side)
        with QSignalBlocker(combo):
            combo.clear()
            combo.addItem("all, by name", None)
            for structure in group.structures if group else ():
                combo.addItem(structure.name, structure.id)
            combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)

    def _group(self, side: str) -> StructureSet | None:
        return self._session.case.structure_set(self.sets[side].currentData())

    def _side(self, side: str) -> Side | None:
        group = self._group(side)
        wanted = self.structures[side].currentData()
        structure = next((s for s in group.structures if s.id == wanted), None) if group else None
        return Side(group, structure) if group else None

    def _set_chosen(self, side: str) -> None:
        """One set at both sides: two structures of it. Two sets: the structure that was chosen in both, else all by name."""
        other = "b" if side == "a" else "a"
        before = self.structures[side].currentText() if self.structures[side].currentData() else ""
        self._fill_structures(side, self._named(side, before))
        if self.sets["a"].currentData() == self.sets["b"].currentData():
            if not self._both() or self.structures["a"].currentData() == self.structures["b"].currentData():
                self._choose_two()
        elif not self._both() or self.structures[other].currentData() != self._named(other, before):
            self._all()
        self._ask()

    def _structure_chosen(self, side: str) -> None:
        """One structure at one side needs one at the other: its namesake, or another one of the same set."""
        other = "b" if side == "a" else "a"
        same_set = self.sets["a"].currentData() == self.sets["b"].currentData()
        if self.structures[side].currentData() is None:
            self._all()
        elif self.structures[other].currentData() is None:
            name = self.structures[side].currentText()
            others = self._group(other)
            wanted = self.structures[side].currentData()
            rest = [s for s in (others.structures if others else ()) if s.id != wanted and not s.empty]
            found = None if same_set else self._named(other, name)
            self._fill_structures(other, found or (rest[0].id if rest else None))
        self._ask()

    def _named(self, side: str, name: str) -> str | None:
        group = self._group(side)
        return next(
            (s.id for s in (group.structures if group else ()) if name and same_name(s.name) == same_name(name)), None
        )

    def _both(self) -> bool:
        return all(self.structures[side].currentData() is not None for side in "ab")

    def _all(self) -> None:
        for side in "ab":
            with QSignalBlocker(self.structures[side]):
                self.structures[side].setCurrentIndex(0)

    def _choose_two(self) -> None:
        """The active structure, else the first, and the next one."""
        sides: list[list[Structure]] = [
            [s for s in (group.structures if group else ()) if not s.empty]
            for group in (self._group("a"), self._group("b"))
        ]
        active = self._session.view.active
        a = next((s for s in sides[0] if s.id == active), sides[0][0] if sides[0] else None)
        b = next((s for s in sides[1] if s is not a), None)
        for side, structure in (("a", a), ("b", b)):
            self._fill_structures(side, structure.id if structure else None)

    def _swap(self) -> None:
        (set_a, one), (set_b, other) = (
            (self.sets[side].currentData(), self.structures[side].currentData()) for side in "ab"
        )
        for side, group, structure in (("a", set_b, other), ("b", set_a, one)):
            with QSignalBlocker(self.sets[side]):
                self.sets[side].setCurrentIndex(self.sets[side].findData(group))
            self._fill_structures(side, structure)
        self._ask()

    def _tolerances_typed(self) -> None:
        found = _millimetres(self.tolerance.text())
        if found is None:
            self._say(f"✗ surface Dice: one to {MOST_TOLERANCES} tolerances in mm, from 0 to {LARGEST_TOLERANCE_MM:g}")
            return
        with QSignalBlocker(self.tolerance):
            self.tolerance.setText(" ".join(f"{mm:g}" for mm in found))
        if found != self._tolerances:
            self._tolerances = found
            self._ask()
        else:
            self._show()

    def _ask(self) -> None:
        a, b = self._side("a"), self._side("b")
        if a is None or b is None:
            return
        self.work.ask(rows_of(self._session.case, a, b), self._tolerances)
        self._show()

    # -- what comes of it -----------------------------------------------------------------------------------------------

    def _show(self) -> None:
        rows = self.work.rows
        self.table.show_rows(rows, self._tolerances)
        if self.table.chosen is None and rows:
            first = next((n for n, row in enumerate(rows) if not row.trouble), None)
            if first is not None and rows[first].found is not None:
                self.table.choose(first)
        self.cancel.setVisible(self.work.running)
        done = sum(row.found is not None for row in rows)
        without = sum(bool(row.trouble) for row in rows)
        if self.work.running:
            waiting = next((row.name for row in rows if row.waiting), "")
            self._say(f"{waiting} …   {done + without} of {len(rows)}")
        elif not done and (reason := _why_nothing(rows)):
            self._say(f"✗ not evaluated: {reason}")
        else:
            self._say(f"{done} compared" + (f", {without} not evaluated" if without else ""))
        self._selected(jump=self._row is None or self._row.found is None)

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setToolTip(text)

    def _selected(self, jump: bool = True) -> None:
        """The selected row in the views and in the strip; jump: to where it is worst."""
        row = self.table.chosen
        other = row is None or self._row is None or row.a is not self._row.a or row.b is not self._row.b
        came = row is not None and row.found is not None and (self._row is None or self._row.found is None)
        self._row = row
        if row is None or row.a is None or row.b is None or row.found is None:
            self._session.look(compared=None)
            self._show_strip()
            return
        self._session.look(compared=(row.a.id, row.b.id))
        if jump and (other or came):
            number = worst(row.found.slices)
            if number is not None:
                self._go_to(number)
        self._show_strip()

    def _go_to(self, number: int) -> None:
        """The crosshair to where the contours lie farthest apart in a slice."""
        row = self._row
        base = self._session.case.image(self._session.view.base)
        if row is None or row.found is None or row.a is None or row.b is None or row.to_b is None or base is None:
            return
        position = row.found.slices[number].position_mm
        try:
            matrix = self._session.case.transform(row.a.grid.frame_of_reference_uid, base.grid.frame_of_reference_uid)
        except NotRegisteredError:
            self._say(f"✗ {row.name} is not registered to the base image: choose an image of its own frame")
            return
        x, y, z = (matrix @ [*farthest_point(row.a, row.b, row.to_b, position), 1.0])[:3]
        self._session.look(point_mm=(float(x), float(y), float(z)))

    def _measure_chosen(self, measure: Measure) -> None:
        self._measure = measure
        self._show_strip()

    def _show_strip(self) -> None:
        row, case, scene = self._row, self._session.case, self._session.scene
        if row is None or row.found is None or row.a is None:
            self.strip.show_slices((), self._measure, None)
            return
        here = None
        if scene.compared is not None:
            here = crosshair_slice(row.a, np.array(scene.compared.a.to_structure), scene.point_mm, row.found.slices)
        self.strip.show_slices(marks_of(case, scene, row.a, row.found.slices), self._measure, here)

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            return  # whoever placed the panel takes it away
        if changes.edited:
            for side in "ab":
                self._fill_structures(side, self.structures[side].currentData())
            self._ask()
        elif changes.view("point_mm", "base", "compared"):
            self._show_strip()


def _why_nothing(rows: list[Row]) -> str:
    """What to do about a comparison of which nothing came."""
    if any(row.trouble == NOT_REGISTERED for row in rows):
        return NOT_REGISTERED
    if all(row.a is None or row.b is None for row in rows):
        return "no name occurs on both sides; choose one structure for each"
    return ""


def _likeness(case: Case, one: StructureSet, other: StructureSet) -> int:
    """How many names two sets share, 0 where nothing ties them."""
    frames = [{s.grid.frame_of_reference_uid for s in g.structures if not s.empty} for g in (one, other)]
    try:
        for a in frames[0]:
            for b in frames[1]:
                case.transform(a, b)
    except NotRegisteredError:
        return 0
    names = [{same_name(s.name) for s in g.structures if not s.empty} for g in (one, other)]
    return len(names[0] & names[1])


def _facts(case: Case, group: StructureSet) -> str:
    image = case.image(group.image_id)
    parts = [structure_set_title(group), f"{len(group.structures)} structures", group.date]
    if image is not None:
        parts.append(f"on {image.description or image.modality}")
    return "\n".join(p for p in parts if p)


def _millimetres(text: str) -> tuple[float, ...] | None:
    """Tolerances as they were typed, None where that is not what was meant."""
    try:
        found = sorted({float(t) for t in text.replace(",", " ").replace(";", " ").split()})
    except ValueError:
        return None
    fine = 0 < len(found) <= MOST_TOLERANCES and all(0 <= mm <= LARGEST_TOLERANCE_MM for mm in found)
    return tuple(found) if fine else None


def _combo(name: str, tip: str) -> QComboBox:
    combo = ElidedCombo()
    combo.setObjectName(name)
    combo.setToolTip(tip)
    return combo


def _tool(name: str, text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setText(text)
    button.setToolTip(tip)
    button.setFixedHeight(24)
    return button
