"""`ToolsPanel`: the active structure, the drawing tools, the settings of the one in hand, and what limits it."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.edit.refusal import refusal
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, follow
from ..commands.drawing import Drawing
from ..commands.tool_kinds import KINDS
from ..numbers import Numbers
from ..theme import RHYTHM, swatch
from .banner import Elided
from .layers import ElidedCombo
from .settings_form import BesideTheHand, SettingsForm, ValueField
from .since_opened import SinceOpened
from .taking import Taking

COLUMNS, BUTTON = 7, 26
"""Of the tools: how many beside each other, and the side of each, pixels."""


class ToolsPanel(BesideTheHand):
    """What is drawn on, with what, and where it may change anything."""

    def __init__(
        self, session: Session, numbers: Numbers, drawing: Drawing, actions: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(drawing, parent)
        self._session, self._actions = session, actions

        self.mark = QLabel()
        self.mark.setFixedSize(16, 16)
        self._marked: tuple[int, int, int] | None = None
        self.active = Elided("tools.active")
        bold = self.active.font()
        bold.setBold(True)
        self.active.setFont(bold)
        self.state = QLabel()
        self.state.setObjectName("tools.state")
        self.state.setWordWrap(True)
        self.new = QPushButton("New…")
        self.new.setObjectName("tools.new")
        self.new.clicked.connect(lambda: actions.trigger("structure.new"))
        self.targets = QPushButton("Targets…")
        self.targets.setObjectName("tools.targets")
        self.targets.clicked.connect(lambda: actions.trigger("structure.targets"))
        self._first = QWidget()
        first = QHBoxLayout(self._first)
        first.setContentsMargins(0, 0, 0, 0)
        first.setSpacing(RHYTHM // 2)
        first.addWidget(self.new)
        first.addWidget(self.targets)
        self.freeze = QPushButton("Freeze it")
        self.freeze.setObjectName("tools.freeze")
        self.freeze.setToolTip("Its contours do not follow the formula any more, and can be drawn on")
        self.freeze.clicked.connect(lambda: actions.trigger("structure.frozen"))
        self.copy = QPushButton("Work on a copy of the set")
        self.copy.setObjectName("tools.copy")
        self.copy.clicked.connect(lambda: actions.trigger("structure.copy_set"))
        self.unlock = QPushButton("Unlock")
        self.unlock.setObjectName("tools.unlock")
        self.unlock.clicked.connect(lambda: actions.trigger("structure.locked"))

        grid = QGridLayout()
        grid.setSpacing(2)
        for place, kind in enumerate(KINDS):
            grid.addWidget(_button(actions, f"draw.{kind.name}"), place // COLUMNS, place % COLUMNS)
        grid.setColumnStretch(COLUMNS, 1)
        for row in range(grid.rowCount()):
            grid.setRowMinimumHeight(row, BUTTON)  # a style sheet takes the least height of a button away
        self.form = SettingsForm("tools.settings", drawing.set, self.unlock)
        self._pending = Taking("tools", drawing.accept, drawing.cancel)

        self._listed: dict[QComboBox, tuple[tuple[str, str, tuple[int, int, int]], ...]] = {}
        self.within = self._structure_combo("tools.within", "Strokes stay within this structure")
        self.outside = self._structure_combo("tools.outside", "Strokes keep off this structure")
        self.by_value = QCheckBox("only values")
        self.by_value.setObjectName("tools.by_value")
        self.by_value.setToolTip("Strokes change only what has values of the image shown in this range")
        self.by_value.toggled.connect(self._value_switched)
        self.low, self.high = (self._value_field(f"tools.{end}") for end in ("low", "high"))
        limits = QGridLayout()
        limits.setHorizontalSpacing(RHYTHM // 2)
        limits.setVerticalSpacing(RHYTHM // 2)
        limits.setColumnStretch(1, 1)
        limits.addWidget(QLabel("inside"), 0, 0)
        limits.addWidget(self.within, 0, 1, 1, 2)
        limits.addWidget(QLabel("off"), 1, 0)
        limits.addWidget(self.outside, 1, 1, 1, 2)
        values = QHBoxLayout()
        values.setSpacing(RHYTHM // 4)
        values.addWidget(self.by_value, 1)
        values.addWidget(self.low)
        values.addWidget(self.high)
        limits.addLayout(values, 2, 0, 1, 3)
        self._limits = QWidget()
        self._limits.setLayout(limits)
        limits.setContentsMargins(0, 0, 0, 0)

        top = QHBoxLayout()
        top.setSpacing(RHYTHM // 2)
        top.addWidget(self.mark)
        top.addWidget(self.active)
        top.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addLayout(top)
        self.since = SinceOpened(session, numbers, drawing)
        for widget in (self.since, self.state, self._first, self.freeze, self.copy, self.unlock):
            column.addWidget(widget)
        column.addLayout(grid)
        column.addWidget(self.form)
        column.addWidget(self._pending)
        column.addWidget(self._limits)

        drawing.changed.connect(self._show)
        drawing.moved.connect(self._show_pending)
        follow(self, session, self._refresh)
        self._show()

    def _structure_combo(self, name: str, tip: str) -> QComboBox:
        combo = ElidedCombo()
        combo.setObjectName(name)
        combo.setToolTip(tip)
        combo.activated.connect(self._limit)
        return combo

    def _value_field(self, name: str) -> QDoubleSpinBox:
        field = ValueField()
        field.setObjectName(name)
        field.setRange(-100_000, 100_000)
        field.setFixedWidth(52)
        field.setToolTip("In the units of the image shown")
        field.valueChanged.connect(self._limit)
        return field

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.edited or changes.view("active", "structure_set", "mode"):
            self._show()

    def _show(self) -> None:
        drawing, active = self._drawing, self._drawing.active
        self.mark.setVisible(active is not None)
        self.active.say(active.name if active else "No structure is active")
        reason = ""
        if active is not None:
            if active.colour != self._marked:
                self._marked = active.colour
                self.mark.setPixmap(swatch(active.colour).pixmap(16, 16))
            reason = refusal(self._session.case, active)
        elif self._session.view.base:
            reason = "Click one in the list, press Q over one in a picture, make a new one, or build PTV and PTVopt from a GTV."
        self.state.setText(reason[:1].upper() + reason[1:])
        self.state.setVisible(bool(reason))
        self._first.setVisible(active is None)
        self.copy.setVisible("is approved" in reason)
        self.freeze.setVisible(active is not None and active.live and not self.copy.isVisibleTo(self))
        self.unlock.setVisible(active is not None and active.locked and not self.copy.isVisibleTo(self))
        kind = drawing.kind
        self.form.show_settings(drawing.tool, frozenset(kind.fixed) if kind else frozenset())
        self._limits.setVisible(kind is not None and kind.module != "transform")
        for combo, chosen in ((self.within, drawing.within), (self.outside, drawing.outside)):
            self._fill(combo, chosen)
        with QSignalBlocker(self.by_value):
            self.by_value.setChecked(drawing.values is not None)
        for field, place in ((self.low, 0), (self.high, 1)):
            field.setEnabled(drawing.values is not None)
            if drawing.values is not None:
                with QSignalBlocker(field):
                    field.setValue(drawing.values[place])
        self._show_pending()
        self.lay_out()

    def _fill(self, combo: QComboBox, chosen: str | None) -> None:
        group = self._session.structure_set
        others = [
            s
            for s in (group.structures if group else ())
            if s is not self._drawing.active and (not s.empty or s.id == chosen)
        ]
        entries = tuple((s.id, s.name, s.colour) for s in others)
        with QSignalBlocker(combo):
            if self._listed.get(combo) != entries:
                self._listed[combo] = entries
                combo.clear()
                combo.addItem("–", None)
                for structure_id, name, colour in entries:
                    combo.addItem(swatch(colour), name, structure_id)
            combo.setCurrentIndex(max(0, combo.findData(chosen)))

    def _show_pending(self) -> None:
        """There from the beginning on with a tool that waits: buttons that come with the first click would move the list below them."""
        kind = self._drawing.kind
        waits = kind is not None and kind.waits
        self._pending.setEnabled(self._drawing.open and not self._drawing.held)
        if waits == self._pending.isHidden():
            self._pending.setVisible(waits)
            self.lay_out()

    # -- hands ----------------------------------------------------------------------------------------------------------

    def _value_switched(self, on: bool) -> None:
        seen = self._drawing.typical_range() if on else None
        if seen is not None:
            for field, value in zip((self.low, self.high), seen, strict=True):
                with QSignalBlocker(field):
                    field.setValue(value)
        self._limit()

    def _limit(self) -> None:
        values = (self.low.value(), self.high.value()) if self.by_value.isChecked() else None
        self._drawing.limit(self.within.currentData(), self.outside.currentData(), values)


def _button(actions: Actions, name: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(f"button.{name}")
    button.setDefaultAction(actions[name])
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    button.setProperty("role", "small")
    button.setIconSize(QSize(18, 18))
    button.setFixedSize(BUTTON, BUTTON)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button
