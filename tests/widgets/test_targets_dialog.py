"""The dialogue of targets on spheres of known volume, by its widgets: what it proposes, shows, builds, refuses and leaves behind."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from phantoms import planes_grid, sphere
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTableView,
)
from reviewer_widgets.dialogs import preview
from reviewer_widgets.main_window import MainWindow
from shapely.affinity import translate

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.geometry.volume import volume_cc

GRID = planes_grid(np.arange(-40.5, 41, 3.0), spacing=2.0)
SPHERE_15 = 4 / 3 * math.pi * 15**3 / 1000
LENS = math.pi * (4 * 15 + 20) * (2 * 15 - 20) ** 2 / 12 / 1000
"""Of two spheres of 15 mm at 20 mm: what PTVopt = PTV - (Stomach + 5 mm) loses. pi (4 r + d) (2 r - d)^2 / 12."""


def ball(number: int, name: str, radius: float, centre=(0.0, 0.0, 0.0), kind: str = "ORGAN") -> Structure:
    shape = sphere(GRID, radius, centre)
    return replace(shape, id=f"set#{number}", name=name, number=number, type=kind, image_id="mr")


def spheres() -> Case:
    """A GTV of 10 mm in a liver of 35 mm; a stomach that touches it, a kidney 22 mm and a spleen 33 mm from the PTV; a drawn PTV_1."""
    structures = (
        ball(1, "GTV", 10.0, kind="GTV"),
        ball(2, "Liver", 35.0),
        ball(3, "Stomach", 10.0, (20.0, 0.0, 0.0)),
        ball(4, "Kidney_L", 8.0, (0.0, -45.0, 0.0)),
        ball(5, "Spleen", 4.0, (0.0, 52.0, 0.0)),
        ball(6, "PTV_1", 15.0, kind="PTV"),
    )
    image = Image("mr", "MR", "mr", GRID, np.zeros(GRID.shape_zyx, np.int16))
    return Case(images=(image,), structure_sets=(StructureSet("set", "Day", structures, "mr", "frame"),))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(preview, "PAUSE_MS", 5)


@pytest.fixture
def window(qtbot):
    made = MainWindow(remember=False)
    made.show()
    made.session.open(spheres())
    settle(made, qtbot)
    yield made
    made.close()
    made.deleteLater()


def settle(window, qtbot):
    """Until the pause of a hand is over and nothing is worked out any more."""
    for _ in range(3):
        qtbot.wait(20)
        assert window.jobs.wait()


def targets(window, qtbot):
    window.actions_.trigger("structure.targets")
    settle(window, qtbot)
    return find(window, QDialog, "targets")


def find(parent, kind, name):
    found = parent.findChild(kind, name)
    assert found is not None, name
    return found


def write(qtbot, field, text):
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    field.completion.popup().hide() if hasattr(field, "completion") else None


def press(qtbot, window, dialog, name):
    qtbot.mouseClick(find(dialog, QPushButton, name), Qt.MouseButton.LeftButton)
    settle(window, qtbot)


def names(window):
    return [s.name for s in window.session.case.structures]


def structure(window, name):
    return next(s for s in window.session.case.structures if s.name == name)


def number(label: QLabel) -> float:
    value, unit = label.text().split()
    assert unit == "cc"
    return float(value)


def organ_rows(dialog) -> dict[str, tuple[bool, str, str]]:
    table = dialog.organs
    return {
        table.item(row, 0).text(): (
            table.item(row, 0).checkState() == Qt.CheckState.Checked,
            table.item(row, 1).text(),
            table.item(row, 2).text(),
        )
        for row in range(table.rowCount())
    }


# -- what it proposes ---------------------------------------------------------------------------------------------------


def test_it_opens_with_the_targets_of_bordeau(window, qtbot):
    dialog = targets(window, qtbot)
    assert find(dialog, QComboBox, "targets.gtv").currentText() == "GTV"
    assert find(dialog, QDoubleSpinBox, "targets.margin").text() == "5.0 mm"
    assert "Bordeau et al., J Clin Med 2023;12:1183" in find(dialog, QComboBox, "targets.preset").toolTip()
    assert find(dialog, QLineEdit, "targets.ptv.formula").text() == "GTV + 5 mm"
    assert find(dialog, QLineEdit, "targets.ptvopt.formula").text() == "PTV - ((Stomach | Kidney_L) + 5 mm)"
    assert [key for key, row in dialog.rows.items() if row.made.isChecked()] == ["ptv", "ptvopt"]


def test_organs_are_chosen_by_their_distance_and_show_their_overlap(window, qtbot):
    rows = organ_rows(targets(window, qtbot))
    assert list(rows) == ["Liver", "Stomach", "Kidney_L", "Spleen"]
    assert {name: chosen for name, (chosen, _, _) in rows.items()} == {
        "Liver": False, "Stomach": True, "Kidney_L": True, "Spleen": False,
    }  # fmt: skip
    assert rows["Liver"][1] == "holds the GTV"
    assert float(rows["Kidney_L"][1].removesuffix(" mm")) == pytest.approx(45 - 15 - 8, abs=1.0)
    assert float(rows["Spleen"][1].removesuffix(" mm")) == pytest.approx(52 - 15 - 4, abs=1.0)
    # The cap of a sphere of 15 mm cut by one of 10 mm, 20 mm away: pi (R + r - d)^2 (d^2 + 2d(r + R) - 3(r - R)^2) / (12 d).
    lens = math.pi * 5**2 * (400 + 40 * 25 - 3 * 25) / 240 / 1000
    assert float(rows["Stomach"][2].removesuffix(" cc")) == pytest.approx(lens, rel=0.03)


def test_a_wider_reach_chooses_more_and_a_hand_has_the_last_word(window, qtbot):
    dialog = targets(window, qtbot)
    find(dialog, QDoubleSpinBox, "targets.near").setValue(40)
    settle(window, qtbot)
    assert organ_rows(dialog)["Spleen"][0]
    row = list(organ_rows(dialog)).index("Kidney_L")
    dialog.organs.setFocus()
    dialog.organs.setCurrentCell(row, 0)
    qtbot.keyClick(dialog.organs, Qt.Key.Key_Space)
    settle(window, qtbot)
    assert find(dialog, QLineEdit, "targets.ptvopt.formula").text() == "PTV - ((Stomach | Spleen) + 5 mm)"


def test_margins_by_side_are_written_as_expand(window, qtbot):
    dialog = targets(window, qtbot)
    qtbot.mouseClick(find(dialog, QCheckBox, "targets.sides"), Qt.MouseButton.LeftButton)
    find(dialog, QDoubleSpinBox, "targets.side.sup").setValue(7)
    settle(window, qtbot)
    text = "expand(GTV, left=5 mm, right=5 mm, ant=5 mm, post=5 mm, sup=7 mm, inf=5 mm)"
    assert find(dialog, QLineEdit, "targets.ptv.formula").text() == text
    # Half an ellipsoid of 15, 15 and 17 mm, half a sphere of 15 mm: a point on the axis and a sphere are grown by octants.
    assert SPHERE_15 < number(find(dialog, QLabel, "targets.ptv.volume")) < SPHERE_15 * (1 + 17 / 15) / 2 * 1.01


def test_there_are_rows_for_liver_and_rings(window, qtbot):
    dialog = targets(window, qtbot)
    preset = find(dialog, QComboBox, "targets.preset")
    preset.setFocus()
    qtbot.keyClick(preset, Qt.Key.Key_Down)
    dialog._use_preset()
    settle(window, qtbot)
    volume = {key: number(row.volume) for key, row in dialog.rows.items()}

    def cc(radius):
        return 4 / 3 * math.pi * radius**3 / 1000

    assert volume["liver_gtv"] == pytest.approx(cc(35) - cc(10), rel=0.01)
    assert volume["liver_ptv"] == pytest.approx(cc(35) - cc(15), rel=0.01)
    assert volume["ring"] == pytest.approx(cc(25) - cc(15), rel=0.02)


# -- preview, build, undo -----------------------------------------------------------------------------------------------


def test_preview_is_seen_and_changes_nothing(window, qtbot):
    before = window.session.case
    dialog = targets(window, qtbot)
    assert [d.structure.name for d in window.session.scene.preview] == ["PTV", "PTVopt"]
    assert window.session.case is before
    assert window.session.history.undo_label is None
    assert number(find(dialog, QLabel, "targets.ptv.volume")) == pytest.approx(SPHERE_15, rel=0.01)
    press(qtbot, window, dialog, "targets.cancel")
    assert window.session.scene.preview == ()
    assert window.session.case is before


def test_escape_takes_the_preview_away(window, qtbot):
    dialog = targets(window, qtbot)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.session.view.preview == ()


def test_build_is_one_step_there_and_back(window, qtbot):
    dialog = targets(window, qtbot)
    assert find(dialog, QPushButton, "targets.build").text() == "Build 2 structures"
    press(qtbot, window, dialog, "targets.build")
    drawn = ["GTV", "Liver", "Stomach", "Kidney_L", "Spleen", "PTV_1"]
    assert names(window) == [*drawn, "PTV", "PTVopt"]
    assert window.session.view.preview == ()
    assert window.session.history.undo_label == "Build PTV, PTVopt"
    model = window.structures.model
    shown = {s.name: float(model.data(model.index(row, 3))) for row, s in enumerate(model.rows)}
    assert shown["PTV"] == pytest.approx(SPHERE_15, rel=0.01)
    assert shown["PTVopt"] == pytest.approx(SPHERE_15 - LENS, rel=0.015)
    window.actions_.trigger("edit.undo")
    settle(window, qtbot)
    assert names(window) == drawn
    window.actions_.trigger("edit.redo")
    settle(window, qtbot)
    assert names(window) == [*drawn, "PTV", "PTVopt"]


def test_what_was_built_is_in_sight_in_a_long_list(window, qtbot):
    case = spheres()
    (group,) = case.structure_sets
    more = tuple(ball(10 + k, f"Node_{k}", 2.0, (0.0, -30.0, 0.0)) for k in range(20))
    group = replace(group, structures=(*group.structures, *more))
    window.session.open(replace(case, structure_sets=(group,)))
    window.session.look(mode="contour")
    window.resize(1280, 720)
    press(qtbot, window, targets(window, qtbot), "targets.build")
    table, model = window.structures.table, window.structures.model

    def in_sight():
        rows = [row for row, s in enumerate(model.rows) if s.name in ("PTV", "PTVopt")]
        assert len(rows) == 2
        assert all(table.viewport().rect().contains(table.visualRect(model.index(row, 2))) for row in rows)

    qtbot.waitUntil(in_sight)
    freeze = find(window, QPushButton, "tools.freeze")
    assert freeze.isVisible()
    assert (
        freeze.mapTo(window, freeze.rect().topRight()).x()
        < window.views.mapTo(window, window.views.rect().topLeft()).x()
    )
    assert freeze.visibleRegion().boundingRect() == freeze.rect(), "the column is as wide as what stands in it"


def test_what_is_built_follows_the_gtv(window, qtbot):
    press(qtbot, window, targets(window, qtbot), "targets.build")
    before = structure(window, "GTV")
    away = replace(before, planes={k: translate(r, -30.0) for k, r in before.planes.items()})
    window.session.apply(Edit.of("Move GTV", window.session.case, before, away))
    settle(window, qtbot)
    model = window.structures.model
    row = next(r for r, s in enumerate(model.rows) if s.name == "PTVopt")
    assert float(model.data(model.index(row, 3))) == pytest.approx(SPHERE_15, rel=0.015)
    assert structure(window, "PTV").planes[13].centroid.x == pytest.approx(-30.0, abs=0.1)


def test_an_edit_beside_the_open_dialogue_is_taken_in(window, qtbot):
    dialog = targets(window, qtbot)
    before = structure(window, "Stomach")
    far = replace(before, planes={k: translate(r, 100.0) for k, r in before.planes.items()})
    window.session.apply(Edit.of("Move stomach", window.session.case, before, far))
    assert not dialog.preview.fresh
    settle(window, qtbot)
    assert organ_rows(dialog)["Stomach"][:2] == (False, "> 60 mm")
    assert number(find(dialog, QLabel, "targets.ptvopt.volume")) == pytest.approx(SPHERE_15, rel=0.01)


def test_a_click_on_build_while_it_is_worked_out_is_kept_until_something_else_is_wanted(window, qtbot):
    dialog = targets(window, qtbot)
    build, message = find(dialog, QPushButton, "targets.build"), find(dialog, QLabel, "targets.message")
    margin = find(dialog, QDoubleSpinBox, "targets.margin")
    margin.setValue(6.0)
    assert message.text() == "working it out …"
    qtbot.mouseClick(build, Qt.MouseButton.LeftButton)
    assert build.text() == "Building 2 structures"
    margin.setValue(4.0)
    settle(window, qtbot)
    assert build.text() == "Build 2 structures", "the click was about another margin"
    assert "PTV" not in names(window)
    margin.setValue(5.0)
    press(qtbot, window, dialog, "targets.build")
    assert names(window)[-2:] == ["PTV", "PTVopt"]
    assert volume_cc(structure(window, "PTV")) == pytest.approx(SPHERE_15, rel=0.01)


def test_another_case_closes_it(window, qtbot):
    dialog = targets(window, qtbot)
    window.session.open(spheres())
    settle(window, qtbot)
    assert not window.findChildren(QDialog, "targets") or not dialog.isVisible()
    assert window.session.view.preview == ()


# -- errors and names ---------------------------------------------------------------------------------------------------


def test_a_formula_that_cannot_be_read_says_why_and_where(window, qtbot):
    dialog = targets(window, qtbot)
    field = find(dialog, QLineEdit, "targets.ptv.formula")
    write(qtbot, field, "GTV + 5")
    settle(window, qtbot)
    note = find(dialog, QLabel, "targets.ptv.note")
    assert note.text() == "✗ the unit is missing at character 7; write 5 mm"
    assert note.isVisible()
    assert field.marked == (6, 7)
    assert "“PTV” could not be made" in find(dialog, QLabel, "targets.ptvopt.note").text()
    assert not find(dialog, QPushButton, "targets.build").isEnabled()
    write(qtbot, field, "GTV + 5 mm")
    settle(window, qtbot)
    assert field.marked is None
    assert not note.isVisible()
    assert find(dialog, QPushButton, "targets.build").isEnabled()


def test_a_structure_that_is_not_there_is_marked_with_what_may_be_meant(window, qtbot):
    dialog = targets(window, qtbot)
    field = find(dialog, QLineEdit, "targets.ptvopt.formula")
    write(qtbot, field, "PTV - (Stomak + 5 mm)")
    settle(window, qtbot)
    assert field.marked == (7, 13)
    assert "is “Stomach” meant?" in find(dialog, QLabel, "targets.ptvopt.note").text()


def test_an_emptied_formula_comes_back_as_proposed(window, qtbot):
    dialog = targets(window, qtbot)
    field = find(dialog, QLineEdit, "targets.ptv.formula")
    write(qtbot, field, "GTV")
    find(dialog, QDoubleSpinBox, "targets.margin").setValue(7)
    assert field.text() == "GTV"
    field.setFocus()
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    find(dialog, QLineEdit, "targets.ptv.name").setFocus()
    qtbot.waitUntil(lambda: field.text() == "GTV + 7 mm")


def test_names_and_functions_are_completed_at_the_cursor(window, qtbot):
    dialog = targets(window, qtbot)
    field = find(dialog, QLineEdit, "targets.ptvopt.formula")
    field.setFocus()
    field.setText("PTV - ( + 5 mm)")
    field.setCursorPosition(7)
    qtbot.keyClicks(field, "stom")
    assert field.completion.popup().isVisible()
    qtbot.keyClick(field.completion.popup(), Qt.Key.Key_Return)
    assert field.text() == "PTV - (Stomach + 5 mm)"
    assert field.cursorPosition() == 14
    field.setText("")
    qtbot.keyClicks(field, "rin")
    qtbot.keyClick(field.completion.popup(), Qt.Key.Key_Return)
    assert field.text() == "ring("


def test_a_drawn_structure_is_not_replaced(window, qtbot):
    dialog = targets(window, qtbot)
    write(qtbot, find(dialog, QLineEdit, "targets.ptv.name"), "PTV_1")
    settle(window, qtbot)
    assert "“PTV_1” is there already, drawn by hand" in find(dialog, QLabel, "targets.ptv.note").text()
    assert not find(dialog, QPushButton, "targets.build").isEnabled()


def test_the_formula_of_a_derived_structure_is_replaced_on_demand(window, qtbot):
    press(qtbot, window, targets(window, qtbot), "targets.build")
    first = structure(window, "PTV")
    dialog = targets(window, qtbot)
    assert find(dialog, QLineEdit, "targets.ptv.name").text() == "PTV_2"
    find(dialog, QCheckBox, "targets.ptvopt.made").setChecked(False)
    find(dialog, QDoubleSpinBox, "targets.margin").setValue(8)
    write(qtbot, find(dialog, QLineEdit, "targets.ptv.name"), "PTV")
    settle(window, qtbot)
    assert (
        "PTV is there already (= GTV + 5 mm): its formula is replaced"
        in find(dialog, QLabel, "targets.ptv.note").text()
    )
    press(qtbot, window, dialog, "targets.build")
    assert structure(window, "PTV").id == first.id
    assert structure(window, "PTV").formula == "GTV + 8 mm"
    assert names(window).count("PTV") == 1
    window.actions_.trigger("edit.undo")
    assert structure(window, "PTV").formula == "GTV + 5 mm"


def test_a_margin_beyond_the_image_is_told_under_its_row(window, qtbot):
    before = structure(window, "GTV")
    end = replace(before, planes={k + 10: r for k, r in before.planes.items() if k + 10 < 28})
    window.session.apply(Edit.of("Move GTV", window.session.case, before, end))
    dialog = targets(window, qtbot)
    assert "“GTV + 5 mm” is cut off where the image ends" in find(dialog, QLabel, "targets.ptv.note").text()
    assert find(dialog, QPushButton, "targets.build").isEnabled()


def test_without_structures_it_says_why_not(window, qtbot):
    window.session.open(replace(spheres(), structure_sets=()))
    settle(window, qtbot)
    action = window.actions_["structure.targets"]
    assert not action.isEnabled()
    assert "there are no structures with contours" in action.toolTip()


def test_it_fits_a_small_screen(window, qtbot):
    window.resize(1280, 800)
    dialog = targets(window, qtbot)
    qtbot.mouseClick(find(dialog, QCheckBox, "targets.sides"), Qt.MouseButton.LeftButton)
    dialog.preset.setCurrentIndex(1)
    dialog._use_preset()
    settle(window, qtbot)
    assert dialog.minimumSizeHint().width() <= dialog.width() <= 520
    assert dialog.height() <= 720


# -- single formulas ----------------------------------------------------------------------------------------------------


def activate(window, name):
    window.session.look(active=structure(window, name).id)


def test_a_new_derived_structure_by_name_and_formula(window, qtbot):
    window.actions_.trigger("structure.derive")
    dialog = find(window, QDialog, "formula")
    assert not find(dialog, QPushButton, "formula.build").isEnabled()
    write(qtbot, find(dialog, QLineEdit, "formula.name"), "Shell")
    write(qtbot, find(dialog, QLineEdit, "formula.text"), "PTV_1 - GTX")
    settle(window, qtbot)
    assert "there is no structure “GTX”" in find(dialog, QLabel, "formula.note").text()
    assert find(dialog, QLineEdit, "formula.text").marked == (8, 11)
    write(qtbot, find(dialog, QLineEdit, "formula.text"), "PTV_1 - GTV")
    settle(window, qtbot)
    shell = 4 / 3 * math.pi * (15**3 - 10**3) / 1000
    assert number(find(dialog, QLabel, "formula.volume")) == pytest.approx(shell, rel=0.015)
    press(qtbot, window, dialog, "formula.build")
    assert structure(window, "Shell").formula == "PTV_1 - GTV"
    assert window.session.view.preview == ()


def test_a_formula_is_edited_and_what_is_made_of_it_follows(window, qtbot):
    press(qtbot, window, targets(window, qtbot), "targets.build")
    activate(window, "PTV")
    window.actions_.trigger("structure.formula")
    dialog = find(window, QDialog, "formula")
    assert find(dialog, QLineEdit, "formula.text").text() == "GTV + 5 mm"
    write(qtbot, find(dialog, QLineEdit, "formula.text"), "GTV - 2 mm")
    settle(window, qtbot)
    press(qtbot, window, dialog, "formula.build")
    # The sphere of 8 mm lies wholly outside the stomach with its margin but for the lens of 15 and 8 mm at 20 mm.
    lens = math.pi * 3**2 * (400 + 40 * 23 - 3 * 49) / 240 / 1000
    from_panel = window.structures.model
    row = next(r for r, s in enumerate(from_panel.rows) if s.name == "PTVopt")
    expected = 4 / 3 * math.pi * 8**3 / 1000 - lens
    assert float(from_panel.data(from_panel.index(row, 3))) == pytest.approx(expected, abs=0.1)
    window.actions_.trigger("edit.undo")
    assert structure(window, "PTV").formula == "GTV + 5 mm"


def test_a_frozen_structure_says_so_and_stays_until_it_follows_again(window, qtbot):
    press(qtbot, window, targets(window, qtbot), "targets.build")
    activate(window, "PTV")
    window.actions_.trigger("structure.frozen")
    settle(window, qtbot)
    model = window.structures.model
    row = next(r for r, s in enumerate(model.rows) if s.name == "PTV")
    assert model.data(model.index(row, 2)) == "PTV (frozen)"
    assert "frozen" in model.data(model.index(row, 2), Qt.ItemDataRole.ToolTipRole)
    assert window.actions_["structure.frozen"].isChecked()
    before, kept = structure(window, "GTV"), structure(window, "PTV").planes
    away = replace(before, planes={k: translate(r, -10.0) for k, r in before.planes.items()})
    window.session.apply(Edit.of("Move GTV", window.session.case, before, away))
    assert structure(window, "PTV").planes == kept
    activate(window, "PTV")
    window.actions_.trigger("structure.frozen")
    assert structure(window, "PTV").planes[13].centroid.x == pytest.approx(-10.0, abs=0.1)
    settle(window, qtbot)
    assert model.data(model.index(row, 2)) == "ƒ PTV"


def test_what_a_formula_needs_is_not_deleted(window, qtbot):
    press(qtbot, window, targets(window, qtbot), "targets.build")
    activate(window, "PTV")
    window.actions_.trigger("structure.delete")
    assert "PTV is not deleted: PTVopt is made of it" in " ".join(window.strip.messages)
    assert "PTV" in names(window)
    activate(window, "PTVopt")
    window.actions_.trigger("structure.delete")
    assert "PTVopt" not in names(window)
    window.actions_.trigger("edit.undo")
    assert "PTVopt" in names(window)


def test_the_menu_of_a_row_holds_the_commands(window, qtbot):
    table = find(window, QTableView, "structures.table")
    row = next(r for r, s in enumerate(window.structures.model.rows) if s.name == "Stomach")
    table.customContextMenuRequested.emit(table.visualRect(window.structures.model.index(row, 2)).center())
    menu = find(window, QMenu, "structures.menu")
    enabled = {a.objectName(): a.isEnabled() for a in menu.actions() if not a.isSeparator()}
    assert enabled["structure.delete"]
    assert not enabled["structure.formula"]
    assert "drawn by hand" in window.actions_["structure.formula"].toolTip()
    menu.close()


def test_nothing_survives_the_window(qtbot, no_survivors):
    window = MainWindow(remember=False)
    window.show()
    window.session.open(spheres())
    settle(window, qtbot)
    dialog = targets(window, qtbot)
    dialog.reject()
    settle(window, qtbot)
    targets(window, qtbot)
    window.close()
    window.deleteLater()
    del dialog
