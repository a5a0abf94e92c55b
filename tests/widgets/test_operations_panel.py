"""Operations and the history in the window: preview, taking, dropping, jumping; what has become of a structure since the case was opened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QListWidget, QPushButton, QSpinBox, QToolButton
from reviewer_widgets.commands.operating import NAMES, TITLES
from reviewer_widgets.main_window import MainWindow
from shapely import Point, box

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import Edit, catalogue
from reviewer.geometry.grid import Grid

GRID = Grid(np.eye(3), (-39.0, -39.0), (2.0, 2.0), (40, 40), np.arange(0.0, 40.0, 4.0), "f")


@pytest.fixture
def window(qtbot):
    image = Image("day", "MR", "day", GRID, np.zeros((10, 40, 40), np.int16))
    organ = Structure(
        "set#1", "Liver", GRID, {k: Point(0, 0).buffer(20) for k in (2, 5, 8)}, "ORGAN", (250, 200, 0), "day", 1
    )
    other = Structure("set#2", "GTV", GRID, {k: box(0, -30, 30, 30) for k in range(10)}, "GTV", (255, 0, 0), "day", 2)
    made = MainWindow(remember=False)
    made.show()
    made.load_views()
    made.session.open(Case(images=(image,), structure_sets=(StructureSet("set", "Day", (organ, other), "day", "f"),)))
    made.session.look(mode="contour", active="set#1", point_mm=(0.0, 0.0, 20.0))
    settle(made, qtbot)
    yield made
    made.close()
    made.deleteLater()


def settle(window, qtbot):
    qtbot.wait(20)
    assert window.jobs.wait()
    qtbot.wait(20)


def find(window, kind, name):
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def organ(window) -> Structure:
    return window.session.case.structure("set#1")


def test_the_list_is_that_of_the_catalogue():
    assert [each.__name__ for each in catalogue.OPERATIONS] == list(NAMES)
    assert [each.name for each in catalogue.OPERATIONS] == list(TITLES)


def test_interpolation_is_shown_before_it_is_taken_and_follows_what_is_drawn(window, qtbot):
    window.actions_.trigger("operation.interpolate")
    settle(window, qtbot)
    (preview,) = window.session.view.preview
    assert sorted(preview.planes) == list(range(2, 9))
    assert sorted(organ(window).planes) == [2, 5, 8]
    before = organ(window)
    window.session.apply(
        Edit.of(
            "Draw", window.session.case, before, replace(before, planes={**before.planes, 9: Point(0, 0).buffer(9)})
        )
    )
    settle(window, qtbot)
    assert sorted(window.session.view.preview[0].planes) == list(range(2, 10))
    qtbot.keyClick(window.views["axial"], Qt.Key.Key_Return)
    assert sorted(organ(window).planes) == list(range(2, 10))
    assert window.session.view.preview == ()
    assert window.session.history.undo_label == "Interpolate Liver, 4 slices from 4 to 8"


def test_the_preview_of_an_interpolation_follows_the_stroke_in_hand(window, qtbot):
    """The organ is drawn wider on its middle slice, not let go yet: the slices between are proposed wider, too."""
    window.actions_.trigger("operation.interpolate")
    settle(window, qtbot)
    before = window.session.view.preview[0].planes[4].area
    organ_now = organ(window)
    for radius in (22.0, 24.0, 26.0, 30.0):
        stroke = replace(organ_now, planes={**organ_now.planes, 5: Point(0, 0).buffer(radius)})
        window.session.look(stroke=stroke)
        QCoreApplication.processEvents()
    qtbot.waitUntil(lambda: window.session.view.preview[0].planes[5] is stroke.planes[5], timeout=60_000)
    (preview,) = window.session.view.preview
    assert preview.planes[4].area > 1.5 * before
    assert organ(window) is organ_now
    window.session.look(stroke=None)
    qtbot.waitUntil(lambda: window.session.view.preview[0].planes[4].area == pytest.approx(before), timeout=60_000)
    window.operating.accept()
    settle(window, qtbot)
    assert organ(window).planes[4].area == pytest.approx(before)


def test_an_operation_is_not_taken_with_a_stroke_in_the_hand(window, qtbot):
    window.actions_.trigger("operation.interpolate")
    window.actions_.trigger("draw.polygon")
    settle(window, qtbot)
    view = window.views["axial"]
    for place in ((20, 20), (60, 20), (60, 60)):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center() + QPoint(*place))
    assert window.drawing.pending
    window.operating.accept()
    assert "Finish the stroke first" in window.status.said.whole()
    assert window.operating.name == "Interpolate"
    assert window.session.history.undo_label is None
    window.drawing.cancel()
    window.operating.accept()
    settle(window, qtbot)
    assert sorted(organ(window).planes) == list(range(2, 9))


def test_slices_are_cleared_from_a_number_to_a_number_beginning_with_the_one_shown(window, qtbot):
    window.operating.choose("Clear")
    settle(window, qtbot)
    assert (window.operating.operation.first, window.operating.operation.last) == (6, 6)
    find(window, QSpinBox, "operations.settings.last").setValue(9)
    settle(window, qtbot)
    which = find(window, QComboBox, "operations.settings.which")
    assert which.currentText() == "from … to …"
    which.setFocus()
    qtbot.keyClick(which, Qt.Key.Key_Return)  # as in the views
    settle(window, qtbot)
    assert sorted(organ(window).planes) == [2]


def test_esc_drops_an_operation_and_changes_nothing(window, qtbot):
    window.operating.choose("Smooth")
    settle(window, qtbot)
    assert find(window, QPushButton, "operations.accept").isVisible()
    qtbot.keyClick(window.views["axial"], Qt.Key.Key_Escape)
    qtbot.wait(10)
    assert window.operating.name is None
    assert window.session.view.preview == ()
    assert window.session.history.entries == ()


def test_what_cannot_be_done_says_why(window, qtbot):
    window.session.look(active="set#2")
    window.operating.choose("Interpolate")
    settle(window, qtbot)
    assert "draw the structure on both sides" in find(window, QLabel, "operations.note").text()
    assert not find(window, QPushButton, "operations.accept").isEnabled()


def test_cropping_asks_at_what(window, qtbot):
    window.operating.choose("Crop")
    settle(window, qtbot)
    assert "no structure is chosen" in find(window, QLabel, "operations.note").text().lower()
    combo = find(window, QComboBox, "operations.other")
    combo.setCurrentIndex(combo.findText("GTV"))
    combo.activated.emit(combo.currentIndex())
    settle(window, qtbot)
    find(window, QPushButton, "operations.accept").click()
    assert organ(window).planes[5].area == pytest.approx(Point(0, 0).buffer(20).area / 2, rel=0.01)


def test_the_contour_goes_along_to_the_next_slice(window, qtbot):
    window.actions_.trigger("operation.copy_up")
    assert organ(window).planes[6].equals(organ(window).planes[5])
    assert window.drawing.plane == 6
    window.session.look(point_mm=(0.0, 0.0, 0.0))
    window.actions_.trigger("operation.copy_down")
    assert "no next slice" in window.status.said.whole()
    assert window.drawing.plane == 0


def test_the_history_jumps_by_a_click(window, qtbot):
    shown = find(window, QListWidget, "history.list")
    states = [organ(window)]
    for k in (1, 3, 4):
        before = organ(window)
        edit = Edit.of(
            f"Draw {k}", window.session.case, before, replace(before, planes={**before.planes, k: box(0, 0, 9, 9)})
        )
        window.session.apply(edit)
        states.append(organ(window))
    settle(window, qtbot)
    assert [shown.item(i).text() for i in range(shown.count())] == ["As opened", "Draw 1", "Draw 3", "Draw 4"]
    for row in (1, 3, 0, 2):
        shown.itemClicked.emit(shown.item(row))
        settle(window, qtbot)
        assert organ(window) is states[row]
        assert shown.currentRow() == row
    assert "undone" in shown.item(3).toolTip()


def test_what_has_become_of_it_since_the_case_was_opened(window, qtbot):
    since, brush = find(window, QLabel, "tools.since"), find(window, QToolButton, "button.draw.brush")
    assert since.text() == "unchanged since opened"
    assert since.isVisible()
    place = brush.mapTo(window, brush.rect().topLeft())
    before = organ(window)
    # A tenth of a disk's area more on one of three slices of 4 mm.
    grown = before.planes[5].union(box(30, -10, 36.2, 10))
    window.session.apply(
        Edit.of("Draw", window.session.case, before, replace(before, planes={**before.planes, 5: grown}))
    )
    settle(window, qtbot)
    qtbot.waitUntil(lambda: since.text() not in ("", "since opened: …"), timeout=20_000)
    assert brush.mapTo(window, brush.rect().topLeft()) == place, "no button moves away under the hand"
    assert since.text().startswith("since opened: +0.")
    assert "Dice 0.9" in since.text()
    window.session.undo()
    settle(window, qtbot)
    assert since.text() == "unchanged since opened"


def test_a_crop_follows_the_structure_that_it_is_at(window, qtbot):
    case = window.session.case
    gtv = case.structure("set#2")
    planes = {k: box(25, -30, 30, 30) for k in range(10)}
    window.session.apply(Edit.of("Away", case, gtv, replace(gtv, planes=planes)))
    window.session.look(active="set#1")
    window.operating.choose("Crop")
    window.operating.crop_at("set#2")
    settle(window, qtbot)
    assert window.operating.note == "nothing to change"
    window.session.undo()
    settle(window, qtbot)
    assert window.operating.note == "3 slices"
    window.operating.accept()
    settle(window, qtbot)
    assert organ(window).planes[5].area == pytest.approx(Point(0, 0).buffer(20).area / 2)


def test_what_is_hidden_is_shown_before_it_is_changed(window, qtbot):
    session = window.session
    for change in (lambda: window.operating.choose("Clear"), lambda: window.actions_.trigger("operation.copy_up")):
        session.look(hidden=frozenset({"set#1", "set#2"}))
        settle(window, qtbot)
        change()
        settle(window, qtbot)
        assert session.view.hidden == {"set#2"}


def test_a_contour_is_not_taken_along_with_a_stroke_in_the_hand(window, qtbot):
    window.actions_.trigger("draw.polygon")
    axial = window.views["axial"]
    for place in ((25.0, 0.0), (35.0, 0.0)):
        x, y = axial.viewport_now.pixel(place)
        qtbot.mouseClick(axial, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    assert window.drawing.pending
    window.actions_.trigger("operation.copy_up")
    settle(window, qtbot)
    assert window.drawing.plane == 5
    assert window.drawing.pending
