"""`IsodosePanel`: the levels, in Gy or in percent of a reference dose."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSettings, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Colour
from reviewer.scene import BORDEAU_2023, Isodose
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, follow
from ..theme import RHYTHM, hex_colour, icon, muted, theme_changed
from .layers import tool_button

PERCENT_LEVELS = (110.0, 100.0, 95.0, 80.0, 60.0, 40.0, 20.0)
"""Preset in % of the reference dose; its colours are those of the Gy preset."""

NO_REFERENCE = "set a reference dose first: the plan states no prescription"


class IsodosePanel(QWidget):
    """Reference dose, unit, and one row for each level."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._rows: list[_Level] = []
        self._percent = False

        self.presets = QToolButton()
        self.presets.setObjectName("isodoses.presets")
        self.presets.setProperty("role", "small")
        self.presets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.presets.setFixedSize(24, 22)
        self.presets.setToolTip("Replace the levels by a preset")
        menu = QMenu(self.presets)
        self.bordeau = menu.addAction("Bordeau 2023: 63, 57, 47.5, 40, 30, 25, 20 Gy")
        self.bordeau.triggered.connect(lambda: session.look(isodoses=BORDEAU_2023))
        self.percents = menu.addAction(f"{', '.join(f'{p:g}' for p in PERCENT_LEVELS)} % of the reference")
        self.percents.triggered.connect(self._use_percents)
        self.presets.setMenu(menu)
        self.add = QToolButton()
        self.add.setObjectName("isodoses.add")
        self.add.setProperty("role", "small")
        self.add.setFixedSize(24, 22)
        self.add.setToolTip("Add a level")
        self.add.clicked.connect(self._add_level)
        self.tools = (tool_button(actions, "dose.lines"), tool_button(actions, "dose.wash"), self.add, self.presets)

        self.reference = QDoubleSpinBox()
        self.reference.setObjectName("isodoses.reference")
        self.reference.setRange(0.0, 200.0)
        self.reference.setDecimals(2)
        self.reference.setSuffix(" Gy")
        self.reference.setSpecialValueText("not set")
        self.reference.setMinimumWidth(56)
        self.reference.setToolTip("The dose that is 100 %: from the plan's prescription, or typed here")
        self.reference.editingFinished.connect(self._take_reference)

        self.units = QButtonGroup(self)
        unit_row = QHBoxLayout()
        unit_row.setSpacing(0)
        for number, text in enumerate(("Gy", "%")):
            button = QToolButton()
            button.setObjectName(f"isodoses.unit.{text}")
            button.setText(text)
            button.setCheckable(True)
            button.setProperty("role", "small")
            button.setFixedSize(28, 24)
            button.setToolTip(f"Levels in {text}")
            self.units.addButton(button, number)
            unit_row.addWidget(button)
        self.units.button(0).setChecked(True)
        self.units.idClicked.connect(self._choose_unit)

        top = QHBoxLayout()
        top.setSpacing(RHYTHM // 2)
        label = muted("100 % =")
        label.setToolTip(self.reference.toolTip())
        top.addWidget(label)
        top.addWidget(self.reference, 1)
        top.addLayout(unit_row)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(RHYTHM // 2)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addLayout(top)
        column.addLayout(self._grid)

        follow(self, session, self._refresh)
        theme_changed.connect(self._draw)
        self._draw()
        self._show()
        if QSettings().value("isodoses/unit") == "%" and session.view.reference_gy:
            self._choose_unit(1)

    def _refresh(self, changes: Changes) -> None:
        if changes.view("isodoses", "reference_gy", "dose"):
            self._show()

    def _show(self) -> None:
        view = self._session.view
        reference = view.reference_gy
        self.units.button(1).setEnabled(reference is not None)
        self.units.button(1).setToolTip(NO_REFERENCE if reference is None else "Levels in % of the reference dose")
        self.percents.setEnabled(reference is not None)
        if reference is None:
            self._percent = False
        self.units.button(int(self._percent)).setChecked(True)
        with QSignalBlocker(self.reference):
            self.reference.setValue(reference or 0.0)
        levels = sorted(view.isodoses, key=lambda i: -i.gy)
        while len(self._rows) > len(levels):
            self._rows.pop().remove()
        while len(self._rows) < len(levels):
            self._rows.append(_Level(self, self._grid, len(self._rows)))
        for row, level in zip(self._rows, levels, strict=True):
            row.show(level, reference, self._percent)

    def _draw(self) -> None:
        self.add.setIcon(icon("plus"))
        self.presets.setIcon(icon("chevron-down"))
        for row in self._rows:
            row.remove_button.setIcon(icon("close"))

    # -- hands ----------------------------------------------------------------------------------------------------------

    def replace_level(self, old: Isodose, new: Isodose | None) -> None:
        """Change a level, or take it away."""
        rest = [i for i in self._session.view.isodoses if i is not old]
        if new is not None and all(abs(new.gy - i.gy) > 1e-9 for i in rest):
            rest.append(new)
        self._session.look(isodoses=tuple(sorted(rest, key=lambda i: -i.gy)))

    def _add_level(self) -> None:
        levels = sorted((i.gy for i in self._session.view.isodoses), reverse=True)
        gy = levels[-1] / 2 if levels else (self._session.view.reference_gy or 20.0)
        colours = [i.colour for i in self._session.view.isodoses]
        colour = next((c for c in _SPARE_COLOURS if c not in colours), _SPARE_COLOURS[0])
        self._session.look(isodoses=(*self._session.view.isodoses, Isodose(round(gy, 2), colour)))

    def _choose_unit(self, number: int) -> None:
        self._percent = bool(number) and self._session.view.reference_gy is not None
        QSettings().setValue("isodoses/unit", "%" if self._percent else "Gy")
        self._show()

    def _take_reference(self) -> None:
        value = self.reference.value()
        self._session.look(reference_gy=value if value > 0 else None)

    def _use_percents(self) -> None:
        reference = self._session.view.reference_gy
        if reference is not None:
            colours = [i.colour for i in BORDEAU_2023]
            levels = (Isodose(p * reference / 100, c) for p, c in zip(PERCENT_LEVELS, colours, strict=True))
            self._session.look(isodoses=tuple(levels))
            self._choose_unit(1)


_SPARE_COLOURS: tuple[Colour, ...] = ((200, 120, 220), (220, 220, 220), (180, 140, 90), (255, 120, 170))


class _Level:
    """Swatch, value, the same in the other unit, and a button that takes it away."""

    def __init__(self, panel: IsodosePanel, grid: QGridLayout, row: int) -> None:
        self._panel = panel
        self._level = Isodose(0.0, (0, 0, 0))
        self._percent, self._reference = False, 1.0
        self.swatch = QToolButton()
        self.swatch.setObjectName(f"isodoses.swatch.{row}")
        self.swatch.setFixedSize(16, 16)
        self.swatch.setToolTip("Colour: click to change it")
        self.swatch.clicked.connect(self._choose_colour)
        self.value = QDoubleSpinBox()
        self.value.setObjectName(f"isodoses.value.{row}")
        self.value.setRange(0.01, 500.0)
        self.value.setDecimals(1)
        self.value.setProperty("role", "cell")
        self.value.setFixedHeight(22)
        self.value.setMinimumWidth(56)
        self.value.setKeyboardTracking(False)
        self.value.editingFinished.connect(self._take)
        self.other = QLabel()
        self.other.setProperty("role", "muted")
        self.other.setObjectName(f"isodoses.other.{row}")
        self.other.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.other.setMinimumWidth(panel.fontMetrics().horizontalAdvance("126.0 % "))
        self.remove_button = QToolButton()
        self.remove_button.setObjectName(f"isodoses.remove.{row}")
        self.remove_button.setProperty("role", "bare")
        self.remove_button.setIcon(icon("close"))
        self.remove_button.setIconSize(QSize(12, 12))
        self.remove_button.setFixedSize(20, 20)
        self.remove_button.setToolTip("Remove this level")
        self.remove_button.clicked.connect(lambda: panel.replace_level(self._level, None))
        for column, widget in enumerate((self.swatch, self.value, self.other, self.remove_button)):
            grid.addWidget(widget, row, column)

    def show(self, level: Isodose, reference: float | None, percent: bool) -> None:
        self._level, self._percent, self._reference = level, percent, reference or 1.0
        self.swatch.setStyleSheet(
            f"background: {hex_colour(level.colour)}; border-radius: 4px; padding: 0; min-height: 0;"
        )
        share = 100 * level.gy / reference if reference else None
        with QSignalBlocker(self.value):
            self.value.setSuffix(" %" if percent else " Gy")
            self.value.setValue(share if percent and share is not None else level.gy)
        if percent:
            self.other.setText(f"{level.gy:.1f} Gy")
        else:
            self.other.setText("" if share is None else f"{share:.1f} %")
        tip = f"{level.gy:.2f} Gy" + ("" if share is None else f" = {share:.2f} % of {reference:.2f} Gy")
        self.value.setToolTip(tip)
        self.other.setToolTip(tip)

    def remove(self) -> None:
        for widget in (self.swatch, self.value, self.other, self.remove_button):
            widget.deleteLater()

    def _take(self) -> None:
        typed = self.value.value()
        shown = 100 * self._level.gy / self._reference if self._percent else self._level.gy
        if abs(typed - shown) < 0.05:
            return
        gy = typed * self._reference / 100 if self._percent else typed
        self._panel.replace_level(self._level, replace(self._level, gy=gy))

    def _choose_colour(self) -> None:
        level = self._level
        dialog = QColorDialog(QColor(*level.colour), self._panel.window())
        dialog.setWindowTitle(f"Colour of {level.gy:g} Gy")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(
            lambda c: self._panel.replace_level(level, replace(level, colour=(c.red(), c.green(), c.blue())))
        )
        dialog.open()
