"""Ties between session and widgets: both ways, once per turn of the event loop, gone with the widget."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QSlider, QWidget
from reviewer_widgets.binding import Choice, couple_combo, couple_slider, follow

from reviewer.changes import ViewChanged
from reviewer.session import Session


@pytest.fixture
def session():
    return Session()


def test_many_changes_make_one_refresh(qtbot, session):
    widget = QWidget()
    qtbot.addWidget(widget)
    calls = []
    follow(widget, session, calls.append)
    session.look(blend=0.1)
    session.look(blend=0.2)
    session.look(wash=False)
    assert calls == []
    qtbot.waitUntil(lambda: bool(calls))
    assert len(calls) == 1
    assert calls[0].messages == (
        ViewChanged(frozenset({"blend"})),
        ViewChanged(frozenset({"blend"})),
        ViewChanged(frozenset({"wash"})),
    )
    assert calls[0].view("wash")
    assert not calls[0].view("dose")


def test_a_deleted_widget_is_not_called_and_the_session_keeps_no_hold_of_it(qtbot, session, no_survivors):
    calls = []
    widget = QWidget()
    follow(widget, session, calls.append)
    widget.deleteLater()
    qtbot.wait(10)
    session.look(blend=0.1)
    qtbot.wait(10)
    assert calls == []


def test_slider_both_ways(qtbot, session):
    slider = QSlider()
    qtbot.addWidget(slider)
    couple_slider(slider, session, "wash_opacity")
    assert slider.value() == 35
    session.look(wash_opacity=0.8)
    qtbot.waitUntil(lambda: slider.value() == 80)
    slider.setValue(10)
    assert session.view.wash_opacity == pytest.approx(0.1)


def test_combo_shows_chooses_and_refuses(qtbot, session):
    combo = QComboBox()
    qtbot.addWidget(combo)
    entries = [Choice("none", None), Choice("CT", "1.2.3"), Choice("MR", "4.5", refusal="not registered")]
    couple_combo(combo, session, "overlay", lambda: entries)
    assert combo.currentIndex() == 0
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert session.view.overlay == "1.2.3"
    assert not combo.model().item(2).isEnabled()
    assert combo.itemData(2, Qt.ItemDataRole.ToolTipRole) == "not registered"
    session.look(overlay=None)
    qtbot.waitUntil(lambda: combo.currentIndex() == 0)
