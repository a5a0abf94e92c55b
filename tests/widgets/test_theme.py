"""Colours that can be read and told apart, and icons for every command."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QWidget
from reviewer_widgets.actions import Actions, Command
from reviewer_widgets.dialogs.keys import KeysDialog
from reviewer_widgets.panels.banner import Elided
from reviewer_widgets.theme import DARK, LIGHT, apply_theme, icon, theme, theme_changed, tint

from reviewer.session import Session


def test_a_hint_that_has_no_room_loses_whole_parts_from_its_end(qtbot):
    label = Elided("hint")
    qtbot.addWidget(label)
    whole = "Livewire: click along the edge · Ctrl straight · Esc cancels"
    label.say(whole)
    label.resize(label.sizeHint())
    label.show()
    assert (label.text(), label.toolTip()) == (whole, "")
    shorter = "Livewire: click along the edge · Ctrl straight · …"
    label.resize(label.fontMetrics().horizontalAdvance(shorter + "m"), 20)
    assert (label.text(), label.toolTip()) == (shorter, whole)


def test_a_number_stands_off_the_edge_of_its_field_and_a_click_there_is_no_step(qtbot):
    field = QDoubleSpinBox()
    field.setProperty("role", "cell")
    field.setValue(6.0)
    qtbot.addWidget(field)
    field.show()
    assert field.lineEdit().geometry().left() >= 4
    assert field.rect().right() - field.lineEdit().geometry().right() >= 4
    for y in range(field.height()):
        qtbot.mouseClick(field, Qt.MouseButton.LeftButton, pos=QPoint(3, y))
    assert field.value() == 6.0


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""

    def linear(c: float) -> float:
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    q = QColor(colour)
    return 0.2126 * linear(q.redF()) + 0.7152 * linear(q.greenF()) + 0.0722 * linear(q.blueF())


def contrast(a: str, b: str) -> float:
    """Contrast ratio, WCAG 2.1: 4.5 is asked of text, 3 of symbols."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_text_can_be_read_on_every_ground(t):
    for ground in (t.window, t.panel, t.raised, t.hover):
        assert contrast(t.text, ground) >= 7
        assert contrast(t.muted, ground) >= 4.5
    for status in (t.good, t.caution, t.bad, t.accent):
        assert contrast(status, t.panel) >= 4.5
    assert contrast(t.on_accent, t.accent) >= 4.5
    assert contrast(t.canvas_text, t.canvas) >= 7


def seen_by_deuteranope(colour: str) -> tuple[float, float]:
    """Lightness and the blue-yellow axis: about all that is left where red and green look alike."""
    q = QColor(colour)
    return luminance(colour), q.blueF() - (q.redF() + q.greenF()) / 2


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_statuses_differ_without_red_and_green(t):
    seen = [seen_by_deuteranope(c) for c in (t.good, t.caution, t.bad)]
    for i, (light_a, blue_a) in enumerate(seen):
        for light_b, blue_b in seen[i + 1 :]:
            assert abs(light_a - light_b) + abs(blue_a - blue_b) > 0.1


def test_switching_tells_everyone_and_redraws_icons(qapp, qtbot):
    apply_theme(qapp, "dark")
    dark = icon("eye").pixmap(18, 18).toImage()
    with qtbot.waitSignal(theme_changed) as heard:
        apply_theme(qapp, "light")
    assert heard.args == [LIGHT]
    assert theme() is LIGHT
    light = icon("eye").pixmap(18, 18).toImage()
    darkest = min(
        light.pixelColor(x, y).lightness() for x in range(18) for y in range(18) if light.pixelColor(x, y).alpha() > 200
    )
    brightest = max(
        dark.pixelColor(x, y).lightness() for x in range(18) for y in range(18) if dark.pixelColor(x, y).alpha() > 200
    )
    assert darkest < 80 < 180 < brightest


def colours(widget) -> set[str]:
    picture = widget.grab().toImage()
    return {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}


def test_a_key_map_and_a_note_that_are_open_change_with_the_theme(qapp, qtbot):
    apply_theme(qapp, "dark")
    window = QWidget()
    qtbot.addWidget(window)
    actions = Actions(window, Session())
    actions.add(Command("a.b", "Brush", "Contouring", lambda: None, "B"))
    dialog, note = KeysDialog(actions, window), QLabel("█ wrong")
    qtbot.addWidget(dialog)
    qtbot.addWidget(note)
    tint(note, "bad")
    cap = next(label for label in dialog.findChildren(QLabel) if label.text() == "B")
    for t in (DARK, LIGHT):
        apply_theme(qapp, t.name)
        assert {t.raised, t.line} <= colours(cap)
        assert t.bad in colours(note)
    tint(note, "good")
    assert LIGHT.good in colours(note)
    assert LIGHT.bad not in colours(note)
