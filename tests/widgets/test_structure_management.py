"""Structures in the window: new ones, names, colours, types, locks, copies. Every change is one step that undo takes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QDialog, QLabel, QLineEdit, QListWidget, QMenu, QPushButton, QTableView
from reviewer_widgets.commands.managing import name_note
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.panels.structures_table import NAME
from shapely import box

from reviewer.case import Case, Cine, Image, Structure, StructureSet
from reviewer.geometry.grid import Grid

GRID = Grid(np.eye(3), (-29.0, -29.0), (2.0, 2.0), (30, 30), np.arange(0.0, 40.0, 5.0), "f")


def case_of(approval: str = "") -> Case:
    image = Image("day", "MR", "day", GRID, np.zeros((8, 30, 30), np.int16))
    structures = (
        Structure("set#1", "GTV", GRID, {k: box(0, 0, 10, 10) for k in (3, 4)}, "GTV", (255, 0, 0), "day", 1),
        Structure("set#2", "Magen", GRID, {3: box(-20, -20, -5, -5)}, "ORGAN", (0, 255, 0), "day", 2),
    )
    return Case(
        images=(image,), structure_sets=(StructureSet("set", "Day", structures, "day", "f", approval=approval),)
    )


@pytest.fixture
def window(qtbot):
    made = MainWindow(remember=False)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def opened(window, qtbot, case: Case):
    window.session.open(case)
    settle(window, qtbot)
    return window


def settle(window, qtbot):
    qtbot.wait(20)
    assert window.jobs.wait()
    qtbot.wait(20)


def names(window) -> list[str]:
    return [s.name for s in window.session.case.structures]


def dialog_of(window, qtbot):
    window.actions_.trigger("structure.new")
    return next(d for d in window.findChildren(QDialog, "new_structure") if d.isVisible())


def find(window, kind, name):
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def test_a_standard_name_brings_its_type_and_colour(window, qtbot):
    opened(window, qtbot, case_of())
    dialog = dialog_of(window, qtbot)
    qtbot.keyClicks(find(dialog, QLineEdit, "new_structure.name"), "duo")
    found = find(dialog, QListWidget, "new_structure.list")
    assert found.item(0).text() == "Duodenum"
    assert find(dialog, QLabel, "new_structure.note").text() == "✓ Duodenum (TG-263)"
    assert find(dialog, QPushButton, "new_structure.add").text() == "Add Duodenum"
    qtbot.keyClick(find(dialog, QLineEdit, "new_structure.name"), Qt.Key.Key_Return)
    made = window.session.case.structures[-1]
    assert (made.name, made.type, made.image_id) == ("Duodenum", "ORGAN", "day")
    assert window.session.view.active == made.id
    assert window.session.history.undo_label == "New Duodenum"
    window.session.undo()
    assert names(window) == ["GTV", "Magen"]


def test_a_name_outside_the_standard_warns_and_one_that_is_taken_refuses(window, qtbot):
    opened(window, qtbot, case_of())
    dialog = dialog_of(window, qtbot)
    field, note = find(dialog, QLineEdit, "new_structure.name"), find(dialog, QLabel, "new_structure.note")
    qtbot.keyClicks(field, "Stomac")
    found = find(dialog, QListWidget, "new_structure.list")
    assert found.item(found.count() - 1).text() == "Stomac   (as you typed it)"
    place = found.visualItemRect(found.item(found.count() - 1)).center()
    qtbot.mouseClick(found.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert note.text().startswith("⚠")
    assert "Stomach" in note.text()
    assert find(dialog, QPushButton, "new_structure.add").isEnabled()
    field.clear()
    qtbot.keyClicks(field, "GTV")
    assert "already" in note.text()
    assert not find(dialog, QPushButton, "new_structure.add").isEnabled()


def test_a_standard_name_that_the_set_has_gets_a_number(window, qtbot):
    opened(window, qtbot, case_of())
    for _ in range(2):
        dialog = dialog_of(window, qtbot)
        qtbot.keyClicks(find(dialog, QLineEdit, "new_structure.name"), "duod")
        offered = find(dialog, QListWidget, "new_structure.list").item(0).data(Qt.ItemDataRole.UserRole)
        qtbot.keyClick(find(dialog, QLineEdit, "new_structure.name"), Qt.Key.Key_Return)
        settle(window, qtbot)
        assert window.session.case.structures[-1].colour == offered.colour, "the list shows the colour that it gets"
    assert names(window) == ["GTV", "Magen", "Duodenum", "Duodenum_2"]
    first, second = window.session.case.structures[-2:]
    assert first.colour != second.colour


def test_several_names_of_a_template_are_one_step(window, qtbot):
    opened(window, qtbot, case_of())
    dialog = dialog_of(window, qtbot)
    template = find(dialog, QComboBox, "new_structure.template")
    template.setCurrentIndex(template.findText("Gut of the day"))
    find(dialog, QListWidget, "new_structure.list").selectAll()
    add = find(dialog, QPushButton, "new_structure.add")
    assert add.text() == "Add 4"
    add.click()
    assert names(window)[2:] == ["Stomach", "Duodenum", "Bowel_Small", "Bowel_Large"]
    window.session.undo()
    assert names(window) == ["GTV", "Magen"]


def test_a_case_without_contours_gets_a_set(window, qtbot):
    opened(window, qtbot, replace(case_of(), structure_sets=()))
    assert "Ctrl+N" in find(window, QLabel, "structures.empty").text()
    dialog = dialog_of(window, qtbot)
    qtbot.keyClicks(find(dialog, QLineEdit, "new_structure.name"), "Liver")
    find(dialog, QPushButton, "new_structure.add").click()
    settle(window, qtbot)
    assert names(window) == ["Liver"]
    assert find(window, QComboBox, "structures.set").currentText() == "Contours"
    window.session.undo()
    settle(window, qtbot)
    assert window.session.case.structure_sets == ()
    assert find(window, QComboBox, "structures.set").count() == 0


def test_renaming_in_place_suggests_the_standard_name(window, qtbot):
    opened(window, qtbot, case_of())
    window.session.look(active="set#2")
    window.actions_.trigger("structure.rename")
    table = find(window, QTableView, "structures.table")
    editor = table.findChild(QLineEdit)
    assert editor.text() == "Magen"
    editor.selectAll()
    qtbot.keyClicks(editor, "Duo")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(window) == ["GTV", "Duo"])
    assert window.status.said.whole() == "Duo is Duodenum in TG-263"
    window.management.rename("set#2", "GTV")
    assert "already" in window.strip.messages[-1]
    assert names(window) == ["GTV", "Duo"]


def menu_of(window, row: int) -> QMenu:
    table = find(window, QTableView, "structures.table")
    table.customContextMenuRequested.emit(table.visualRect(window.structures.model.index(row, NAME)).center())
    return find(window, QMenu, "structures.menu")


def choose(menu, qtbot, name):
    action = next(a for a in menu.actions() if a.objectName() == name)
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())


def test_the_menu_of_a_row_means_that_row_and_what_is_drawn_on_stays(window, qtbot):
    opened(window, qtbot, case_of())
    session = window.session
    session.look(mode="contour", active="set#1")
    menu = menu_of(window, 1)
    assert session.view.active == "set#1"
    assert not window.actions_["structure.locked"].isChecked()
    choose(menu, qtbot, "structure.locked")
    assert [s.locked for s in session.case.structures] == [False, True]
    assert session.history.undo_label == "Lock Magen"
    qtbot.waitUntil(lambda: not window.actions_["structure.locked"].isChecked())
    menu = menu_of(window, 1)
    assert window.actions_["structure.locked"].isChecked(), "the menu tells of the row"
    menu.close()
    qtbot.waitUntil(lambda: not window.actions_["structure.locked"].isChecked())
    window.actions_.trigger("structure.visible")
    assert session.view.hidden == {"set#1"}, "the keys mean the active structure again"
    choose(menu_of(window, 1), qtbot, "structures.go")
    assert session.view.active == "set#2"


def test_the_menu_offers_the_standard_name_and_the_types(window, qtbot):
    opened(window, qtbot, case_of())
    menu = menu_of(window, 1)
    rename = next(a for a in menu.actions() if a.objectName() == "structures.standard_name")
    assert rename.text() == "Rename to Stomach"
    rename.trigger()
    assert names(window) == ["GTV", "Stomach"]
    menu.close()
    window.session.look(active="set#2")
    window.actions_.trigger("structure.type.avoidance")
    assert window.session.case.structures[1].type == "AVOIDANCE"
    assert window.actions_["structure.type.avoidance"].isChecked()
    window.session.undo()
    assert window.session.case.structures[1].type == "ORGAN"


def test_what_is_locked_refuses_and_says_so(window, qtbot):
    opened(window, qtbot, case_of())
    window.session.look(active="set#1")
    window.actions_.trigger("structure.locked")
    assert window.session.case.structures[0].locked
    settle(window, qtbot)
    for name in ("structure.rename", "structure.colour", "structure.delete", "structure.type.ptv"):
        assert "locked" in window.actions_[name].toolTip()
    window.management.recolour("set#1", (1, 2, 3))
    assert "GTV is locked" in window.strip.messages[-1]
    window.actions_.trigger("structure.locked")
    assert not window.session.case.structures[0].locked
    assert window.session.history.undo_label == "Unlock GTV"


def test_an_approved_set_refuses_and_its_copy_does_not(window, qtbot):
    opened(window, qtbot, case_of("APPROVED"))
    window.session.look(active="set#2")
    settle(window, qtbot)
    assert "approved" in window.actions_["structure.new"].toolTip()
    window.management.rename("set#2", "Stomach")
    assert "approved" in window.strip.messages[-1]
    window.actions_.trigger("structure.copy_set")
    settle(window, qtbot)
    copy = window.session.case.structure_set(window.session.view.structure_set)
    assert (copy.label, copy.approval) == ("Day copy", "")
    assert window.session.case.structure(window.session.view.active).name == "Magen"
    window.management.rename(window.session.view.active, "Stomach")
    assert names(window) == ["GTV", "Magen", "GTV", "Stomach"]


def test_a_duplicate_is_the_active_one(window, qtbot):
    opened(window, qtbot, case_of())
    window.session.look(active="set#1")
    window.actions_.trigger("structure.duplicate")
    assert names(window) == ["GTV", "GTV_2", "Magen"]
    assert window.session.case.structure(window.session.view.active).name == "GTV_2"


def test_the_structure_under_the_cursor_is_picked(window, qtbot):
    window.load_views()
    opened(window, qtbot, case_of())
    axial = window.views["axial"]
    port = axial.viewport_now
    x, y = port.pixel((-12.0, -12.0))
    qtbot.mouseMove(axial, axial.rect().center())
    window.session.look(point_mm=(0.0, 0.0, 15.0))
    qtbot.mouseMove(axial, QPoint(round(x), round(y)))
    qtbot.wait(20)
    assert axial.structure_under_cursor == "set#2"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("Duodenum", ""),
        ("Magen", "Magen is Stomach in TG-263"),
        ("Duodenum_2", "Duodenum_2 is one more Duodenum: other programs may not know the name"),
    ],
)
def test_the_note_on_a_name(name, note):
    assert name_note(name) == note


def test_a_list_without_structures_offers_a_new_one_only_where_it_can_be_made(window, qtbot):
    film = Cine(
        "cine", "MR", "Cine", replace(GRID, positions_mm=np.zeros(1)), np.zeros((4, 30, 30), np.int16), np.arange(4.0)
    )
    for case, able in ((Case(cines=(film,)), False), (replace(case_of(), structure_sets=()), True)):
        opened(window, qtbot, case)
        assert window.actions_["structure.new"].isEnabled() == able
        assert ("+ makes one" in find(window, QLabel, "structures.empty").text()) == able
