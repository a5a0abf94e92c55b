"""`BackendSettings`: what a backend lets the user choose, as a form; made of the contract's settings, so it fits every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QLineEdit, QSpinBox, QWidget

from reviewer.backends.contract import Setting, Value

from ..theme import RHYTHM, muted

FIELD_WIDTH = 110
LARGEST_INTEGER = 2**31 - 1
LARGEST_NUMBER = 1e12
FEW_DIGITS, MOST_DECIMALS = 3, 9


class BackendSettings(QWidget):
    """name: object name; each field is called after it and its setting. changed: a hand changed a value."""

    changed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._settings: tuple[Setting, ...] = ()
        self._fields: dict[str, QWidget] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(RHYTHM)
        self._grid.setVerticalSpacing(RHYTHM // 2)
        self._grid.setColumnStretch(0, 1)

    def show_settings(self, settings: Sequence[Setting], values: Mapping[str, Value] | None = None) -> None:
        """A row for each setting, with the values given and the defaults of the others."""
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.setParent(None)
                old.deleteLater()
        self._settings, self._fields = tuple(settings), {}
        for row, setting in enumerate(self._settings):
            field = self._field(setting, (values or {}).get(setting.name, setting.default))
            field.setObjectName(f"{self.objectName()}.{setting.name}")
            tip = "\n".join(line for line in (setting.tooltip, _range(setting)) if line)
            field.setToolTip(tip)
            self._fields[setting.name] = field
            if isinstance(field, QCheckBox):
                self._grid.addWidget(field, row, 0, 1, 2)
                continue
            label = QLabel(setting.label)
            label.setToolTip(tip)
            label.setBuddy(field)
            field.setFixedWidth(FIELD_WIDTH)
            self._grid.addWidget(label, row, 0)
            self._grid.addWidget(field, row, 1)
        if not self._settings:
            self._grid.addWidget(muted("Nothing to set."), 0, 0)

    @property
    def values(self) -> dict[str, Value]:
        """What the fields show, by name of the setting. The host checks them again."""
        return {setting.name: _value(self._fields[setting.name]) for setting in self._settings}

    def reset(self) -> None:
        """Back to the backend's own values."""
        self.show_settings(self._settings)
        self.changed.emit()

    def _field(self, setting: Setting, value: Value) -> QWidget:
        def tell() -> None:
            self.changed.emit()

        if setting.kind == "flag":
            box = QCheckBox(setting.label)
            box.setChecked(bool(value))
            box.toggled.connect(tell)
            return box
        if setting.kind == "choice":
            combo = QComboBox()
            combo.addItems(list(setting.choices))
            with QSignalBlocker(combo):
                combo.setCurrentText(str(value))
            combo.currentIndexChanged.connect(tell)
            return combo
        if setting.kind == "text":
            line = QLineEdit(str(value))
            line.textChanged.connect(tell)
            return line
        low, high = setting.minimum, setting.maximum
        if setting.kind == "integer":
            whole = QSpinBox()
            whole.setRange(
                -LARGEST_INTEGER if low is None else int(max(low, -LARGEST_INTEGER)),
                LARGEST_INTEGER if high is None else int(min(high, LARGEST_INTEGER)),
            )
            whole.setSuffix(f" {setting.unit}" if setting.unit else "")
            whole.setValue(int(value))
            whole.valueChanged.connect(tell)
            return whole
        number = QDoubleSpinBox()
        number.setDecimals(_decimals(setting))
        number.setRange(-LARGEST_NUMBER if low is None else low, LARGEST_NUMBER if high is None else high)
        number.setSingleStep(
            10.0 ** -min(_decimals(setting), FEW_DIGITS - 1) if low is None or high is None else (high - low) / 50
        )
        number.setSuffix(f" {setting.unit}" if setting.unit else "")
        number.setValue(float(value))
        number.valueChanged.connect(tell)
        return number


def _decimals(setting: Setting) -> int:
    """Enough for the default and both limits as they are written, and for three digits of a small default."""

    def written(number: float) -> int:
        return next((n for n in range(MOST_DECIMALS) if abs(round(number, n) - number) < 1e-12), MOST_DECIMALS)

    numbers = [float(setting.default), *(n for n in (setting.minimum, setting.maximum) if n is not None)]
    return min(MOST_DECIMALS, max(2, *(written(number) for number in numbers)))


def _range(setting: Setting) -> str:
    low, high = (None if n is None else f"{n:g}" for n in (setting.minimum, setting.maximum))
    unit = f" {setting.unit}" if setting.unit else ""
    if low is not None and high is not None:
        return f"{low} to {high}{unit}"
    if low is not None:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high is not None else ""


def _value(field: QWidget) -> Value:
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QComboBox):
        return field.currentText()
    if isinstance(field, QLineEdit):
        return field.text()
    assert isinstance(field, QSpinBox | QDoubleSpinBox)
    return field.value()
