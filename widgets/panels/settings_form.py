"""`SettingsForm`: the settings of a tool or an operation as rows of a panel, built from its dataclass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from PySide6.QtCore import QLocale, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from reviewer.edit.tools.setting import Setting, settings_of

from ..commands.drawing import Drawing
from ..theme import RHYTHM

FIELD_WIDTH = 92


class BesideTheHand(QWidget):
    """A panel of what the hand draws with: Enter and Esc do in its fields what they do in the views, which then have the keyboard again."""

    def __init__(self, drawing: Drawing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawing = drawing

    def lay_out(self) -> None:
        """The column around it too, at once: what has become lower is else painted one time more where it stood."""
        widget: QWidget | None = self
        while widget is not None and (layout := widget.layout()) is not None:
            layout.activate()
            widget = widget.parentWidget()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            super().keyPressEvent(event)
            return
        field = self.focusWidget()
        if field is not None:
            field.clearFocus()  # what was typed in it counts
        if event.key() == Qt.Key.Key_Escape:
            self._drawing.escape()
        else:
            self._drawing.accept()


class ValueField(QDoubleSpinBox):
    """A value of an image: whole where it is, as of HU, and with the decimals that it has, as of a density."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "cell")
        self.setDecimals(6)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:
        locale = self.locale()
        locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
        return locale.toString(value, "g", 6)


class SettingsForm(QWidget):
    """name: object name; each field is called after it. set: is told what was changed, by field name. after: Tab comes from there to its fields."""

    def __init__(self, name: str, set_value: Callable[..., None], after: QWidget) -> None:
        super().__init__()
        self._after = after
        self.setObjectName(name)
        self._set = set_value
        self._shown: tuple[type, tuple[str, ...]] | None = None
        self._fields: dict[str, QWidget] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(RHYTHM)
        self._grid.setVerticalSpacing(RHYTHM // 2)
        self._grid.setColumnStretch(0, 1)

    def show_settings(self, thing: Any, without: frozenset[str] = frozenset()) -> None:
        """The values of a dataclass instance; its rows are made anew only where it is of another kind. None: no rows."""
        settings = {} if thing is None else {n: s for n, s in settings_of(thing).items() if n not in without}
        kind = (type(thing), tuple(settings))
        if kind != self._shown:
            self._shown = kind
            self._rebuild(thing, settings)
        for name, widget in self._fields.items():
            with QSignalBlocker(widget):
                _put(widget, getattr(thing, name))

    def _rebuild(self, thing: Any, settings: Mapping[str, Setting]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.setParent(None)
                old.deleteLater()
        self._fields = {}
        hints = get_type_hints(type(thing)) if settings else {}
        for row, (name, each) in enumerate(settings.items()):
            widget = self._field(name, each, hints[name])
            widget.setObjectName(f"{self.objectName()}.{name}")
            widget.setToolTip(each.tooltip)
            self._fields[name] = widget
            if isinstance(widget, QCheckBox):
                self._grid.addWidget(widget, row, 0, 1, 2)
                continue
            label = QLabel(each.label)
            label.setToolTip(each.tooltip)
            self._grid.addWidget(label, row, 0)
            self._grid.addWidget(widget, row, 1)
        for before, field in pairwise((self._after, *self._fields.values())):
            self.setTabOrder(before, field)
        self.setVisible(bool(settings))

    def _field(self, name: str, each: Setting, kind: Any) -> QWidget:
        if kind is bool:
            box = QCheckBox(each.label)
            box.toggled.connect(lambda on: self._set(**{name: on}))
            return box
        if kind is int:
            number = QSpinBox()
            number.setProperty("role", "cell")
            number.setRange(int(each.least or 0), int(each.most if each.most is not None else 1000))
            number.setSuffix(f" {each.unit}" if each.unit else "")
            number.setFixedWidth(FIELD_WIDTH)
            number.valueChanged.connect(lambda value: self._set(**{name: value}))
            return number
        if kind is float:
            field = QDoubleSpinBox() if each.unit else ValueField()
            if each.unit:
                field.setProperty("role", "cell")
                step = each.step or 1.0
                field.setDecimals(0 if step >= 1 and step == int(step) else 2 if step < 0.1 or (step * 10) % 1 else 1)
                field.setSingleStep(step)
                field.setSuffix(f" {each.unit}")
                field.setKeyboardTracking(False)
            field.setRange(each.least if each.least is not None else 0.0, each.most if each.most is not None else 1e6)
            field.setFixedWidth(FIELD_WIDTH)
            field.valueChanged.connect(lambda value: self._set(**{name: value}))
            return field
        combo = QComboBox()
        for value in get_args(kind):
            combo.addItem(str(value), value)
        combo.setFixedWidth(FIELD_WIDTH)
        combo.activated.connect(lambda row: self._set(**{name: combo.itemData(row)}))
        return combo


def _put(widget: QWidget, value: Any) -> None:
    """A field that shows it already is left alone: it would be painted anew after each stroke."""
    if isinstance(widget, QCheckBox):
        widget.setChecked(value)
    elif isinstance(widget, QComboBox):
        widget.setCurrentIndex(widget.findData(value))
    elif isinstance(widget, QSpinBox | QDoubleSpinBox) and widget.value() != value:
        widget.setValue(value)
