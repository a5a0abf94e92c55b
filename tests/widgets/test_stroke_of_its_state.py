"""A stroke belongs to the slice, the image, the limits and the structure that the hand sees: none of them may be those of before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QComboBox
from reviewer_widgets.main_window import MainWindow
from shapely import box
from test_drawing import HERE, area, case_of, settle, take

from reviewer.edit import Edit


@pytest.fixture
def window(qtbot):
    made = MainWindow(remember=False)
    made.show()
    made.load_views()
    made.session.open(case_of())
    made.session.look(mode="contour", active="set#1", point_mm=(0.0, 0.0, 4.0 * HERE))
    settle(made, qtbot)
    yield made
    made.close()
    made.deleteLater()


def key(window, key, view="axial"):
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        QApplication.sendEvent(window.views[view], QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier))


@pytest.fixture
def said(window, monkeypatch):
    heard: list[str] = []
    monkeypatch.setattr(window.drawing, "_tell", heard.append)
    return heard


def draw_gtv(window, region):
    case = window.session.case
    gtv = case.structure("set#2")
    window.session.apply(Edit.of("GTV", case, gtv, replace(gtv, planes={HERE: region} if region else {})))


def test_a_polygon_goes_on_only_on_the_slice_that_it_was_begun_on(window, qtbot, said):
    hand = take(window, qtbot, "polygon")
    before = area(window), area(window, HERE + 1)
    hand.click((40.0, 0.0), (60.0, 0.0))
    assert window.drawing.guides(window.views["axial"])
    key(window, Qt.Key.Key_PageUp)
    settle(window, qtbot)
    assert not window.drawing.guides(window.views["axial"])
    hand.click((60.0, 20.0))
    assert "another slice" in said[-1]
    key(window, Qt.Key.Key_PageDown)
    settle(window, qtbot)
    hand.click((60.0, 20.0), (40.0, 20.0))
    key(window, Qt.Key.Key_Return)
    settle(window, qtbot)
    assert (area(window), area(window, HERE + 1)) == pytest.approx((before[0] + 400.0, before[1]))


def test_a_slice_that_changes_under_the_brush_ends_the_stroke_without_a_trace(window, qtbot, said):
    hand = take(window, qtbot, "brush", radius_mm=5.0)
    hand.press((50.0, 0.0))
    hand.move((52.0, 0.0))
    window.session.look(point_mm=(0.0, 0.0, 4.0 * (HERE + 1)))
    settle(window, qtbot)
    hand.move((60.0, 0.0))
    hand.release((60.0, 0.0))
    assert not window.session.history.entries
    assert "given up" in said[-1]


def test_keys_do_not_scroll_while_a_button_is_down(window, qtbot):
    hand = take(window, qtbot, "brush", radius_mm=5.0)
    hand.press((50.0, 0.0))
    key(window, Qt.Key.Key_PageUp)
    settle(window, qtbot)
    hand.release((50.0, 0.0))
    assert window.drawing.plane == HERE
    assert area(window) > area(window, HERE + 1)


def test_a_limit_is_what_it_is_now_and_not_what_an_undo_took_away(window, qtbot):
    draw_gtv(window, box(0, -60, 60, 60))
    hand = take(window, qtbot, "brush", radius_mm=5.0)
    window.drawing.limit(within="set#2")
    hand.move((45.0, 0.0))
    settle(window, qtbot)
    window.session.undo()
    before = area(window)
    hand.click((45.0, 0.0))  # where the GTV was before the undo, and is no more
    assert area(window) == before


def test_a_tool_looks_at_the_image_shown_now(window, qtbot):
    case = case_of()
    first = case.images[0]
    dark = replace(first, id="dark", voxels=np.zeros_like(first.voxels))
    window.session.open(replace(case, images=(first, dark)))
    here = (0.0, 0.0, 4.0 * HERE)
    window.session.look(mode="contour", active="set#3", point_mm=here)
    hand = take(window, qtbot, "threshold", active="set#3", low=400.0, high=600.0)
    hand.move((-40.0, -40.0))
    window.session.look(base="dark", point_mm=here)
    settle(window, qtbot)
    hand.drag((-40.0, -40.0), (0.0, 0.0), (40.0, 40.0))
    settle(window, qtbot)
    assert area(window, HERE, "set#3") == 0.0


def test_a_stroke_that_another_active_structure_ends_is_told(window, qtbot, said):
    hand = take(window, qtbot, "polygon")
    hand.click((40.0, 0.0), (60.0, 0.0), (60.0, 20.0))
    window.session.look(active="set#3")
    settle(window, qtbot)
    assert "stroke on Liver was given up" in said[-1]
    assert not window.drawing.pending


def test_a_limit_out_of_sight_is_dropped_and_told(window, qtbot, monkeypatch):
    warned: list[str] = []
    monkeypatch.setattr(window.drawing, "_warn", warned.append)
    take(window, qtbot, "brush", radius_mm=5.0)
    window.drawing.limit(within="set#2", outside="set#4")
    shown = window.findChild(QComboBox, "tools.within")
    draw_gtv(window, None)
    settle(window, qtbot)
    assert (shown.currentText(), window.drawing.within) == ("GTV", "set#2")  # empty: in force, and in sight
    window.actions_.trigger("structure.copy_set")
    settle(window, qtbot)
    assert (shown.currentText(), window.drawing.within, window.drawing.outside) == ("–", None, None)
    assert "not limited any more" in warned[-1]
