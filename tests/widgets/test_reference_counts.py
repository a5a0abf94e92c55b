"""The PySide6 pin: 6.12.0 on Python 3.11 loses a reference to None, True or False in many calls and dies in paintEvent after thousands of them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject, QRect, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QSlider, QToolButton, QWidget

CALLS = 400
SLACK = 40
"""Other threads and caches hold or drop a few references meanwhile; a leak changes the count by CALLS."""


class Emitter(QObject):
    plain = Signal()
    with_object = Signal(object)


@pytest.fixture
def probes(qapp: QApplication) -> dict[str, Callable[[], object]]:
    widget, label, slider = QWidget(), QLabel(), QSlider()
    button, combo, timer, emitter, settings = QToolButton(), QComboBox(), QTimer(), Emitter(), QSettings()
    button.setCheckable(True)
    combo.addItems(["a", "b"])
    image = QImage(32, 32, QImage.Format.Format_ARGB32)
    painter = QPainter(image)
    path = QPainterPath()
    emitter.with_object.connect(lambda thing: None)
    keep = (widget, label, slider, button, combo, timer, emitter, settings, image, painter, path)
    return {
        "QPainter.fillRect": lambda: painter.fillRect(QRect(0, 0, 4, 4), QColor(1, 2, 3)),
        "QPainter.drawPath": lambda: painter.drawPath(path),
        "QPainter.drawImage": lambda: painter.drawImage(QRect(0, 0, 4, 4), image.copy()),
        "QPainter.drawText": lambda: painter.drawText(2, 2, "x"),
        "QPainter.setRenderHint": lambda: painter.setRenderHint(QPainter.RenderHint.Antialiasing, True),
        "QPainter.save, restore": lambda: (painter.save(), painter.restore()),
        "QPainterPath.lineTo": lambda: path.lineTo(1.0, 1.0),
        "QWidget.update": widget.update,
        "QWidget.setVisible": lambda: widget.setVisible(False),
        "QWidget.isVisible": widget.isVisible,
        "QWidget.setProperty": lambda: widget.setProperty("role", None),
        "QWidget.property": lambda: widget.property("absent"),
        "QWidget.setMouseTracking": lambda: widget.setMouseTracking(True),
        "QLabel.setText": lambda: label.setText("x"),
        "QSlider.setValue": lambda: slider.setValue(3),
        "QSlider.blockSignals": lambda: slider.blockSignals(False),
        "QToolButton.setChecked": lambda: button.setChecked(True),
        "QToolButton.isChecked": button.isChecked,
        "QComboBox.setCurrentIndex": lambda: combo.setCurrentIndex(1),
        "QComboBox.itemData": lambda: combo.itemData(0, Qt.ItemDataRole.UserRole),
        "QTimer.isActive": timer.isActive,
        "QTimer.stop": timer.stop,
        "Signal.emit": emitter.plain.emit,
        "Signal.emit(None)": lambda: emitter.with_object.emit(None),
        "QSettings.value": lambda: settings.value("absent"),
        "the objects live": lambda: len(keep),
    }


def counts() -> tuple[int, int, int]:
    return sys.getrefcount(None), sys.getrefcount(True), sys.getrefcount(False)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None, True and False are immortal from Python 3.12 on")
def test_qt_calls_keep_the_reference_counts_of_none_true_and_false(probes):
    lost = {}
    for name, call in probes.items():
        call()
        before = counts()
        for _ in range(CALLS):
            call()
        after = counts()
        worst = max(abs(a - b) for a, b in zip(after, before, strict=True))
        if worst > SLACK:
            lost[name] = [a - b for a, b in zip(after, before, strict=True)]
    assert not lost, f"references lost or leaked in {CALLS} calls (None, True, False): {lost}"
