"""The comparison of contours as a hand and an eye meet it: the main window, widgets by object name, pixels at points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from phantoms import planes_grid, sphere
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton, QToolButton, QWidget
from reviewer_widgets.canvas.differences import COLOUR_A
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.panels.comparison_slices import SliceStrip
from reviewer_widgets.panels.comparison_table import ComparisonTable

from reviewer.case import Case, Image, Registration, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.scene import ORIENTATIONS

POSITIONS = np.arange(-14, 15) * 3.0
RADIUS, SHIFT = 20.0, 8.0


def grid(frame: str) -> Grid:
    return planes_grid(POSITIONS, spacing=2.0, frame=frame)


def ball(name: str, radius: float, centre=(0.0, 0.0, 0.0), frame: str = "day", owner: str = "") -> Structure:
    body = sphere(grid(frame), radius, centre)
    return Structure(f"{owner}{name}", name, body.grid, body.planes, "ORGAN", (0, 200, 0))


def empty(name: str, frame: str, owner: str) -> Structure:
    return Structure(f"{owner}{name}", name, grid(frame), {}, "ORGAN", (0, 0, 200))


def case(registered: bool = True) -> Case:
    """The GTV lies SHIFT mm towards the left on the day; a registration that moves by 100 mm to the back ties the frames."""
    image = Image("day", "MR", "day", grid("day"), np.zeros(grid("day").shape_zyx, np.int16))
    moved = np.eye(4)
    moved[1, 3] = 100.0  # of simulation points to those of the day
    before = (
        ball("GTV", RADIUS, (0.0, -100.0, 0.0), "sim", "a"),
        ball("Liver", 30.0, (0.0, -100.0, 0.0), "sim", "a"),
        ball("Stomach", 10.0, (0.0, -100.0, 0.0), "sim", "a"),
        empty("Heart", "sim", "a"),
    )
    after = (
        ball("gtv ", RADIUS, (SHIFT, 0.0, 0.0), "day", "b"),
        ball("Liver", 30.0, (0.0, 0.0, 0.0), "day", "b"),
        ball("Spleen", 10.0, (30.0, 0.0, 0.0), "day", "b"),
        ball("Heart", 10.0, (-30.0, 0.0, 0.0), "day", "b"),
    )
    ties = (Registration("reg", "day to simulation", "sim", "day", moved),) if registered else ()
    sets = (
        StructureSet("sim", "Simulation", before, None, "sim"),
        StructureSet("day", "Fraction 3 of 5", after, "day", "day"),
    )
    return Case(images=(image,), structure_sets=sets, registrations=ties)


@pytest.fixture
def window(qtbot, monkeypatch):
    monkeypatch.setattr(MainWindow, "_load_volume", lambda self: None)  # the 3D view takes longer than all the rest
    made = MainWindow(remember=False)
    made.resize(1280, 800)
    made.show()
    made.load_views()
    yield made
    made.close()
    made.deleteLater()


def settle(window, qtbot) -> None:
    for _ in range(3):
        qtbot.wait(20)
        assert window.jobs.wait()
    for orientation in ORIENTATIONS:
        window.views[orientation].settle()
    QApplication.processEvents()


@pytest.fixture
def opened(window, qtbot):
    def show(what: Case):
        window.session.open(what)
        window.session.look(base="day", structure_set="day", crosshair=False)
        settle(window, qtbot)
        window.actions_.trigger("structure.compare")
        settle(window, qtbot)
        return window

    return show


def table(window) -> ComparisonTable:
    return window.findChild(ComparisonTable, "comparison.table")


def lines(window) -> dict[str, dict[str, str]]:
    """What would be copied, by name and column."""
    head, *rest = [line.split("\t") for line in table(window).tsv().splitlines()]
    return {line[0]: dict(zip(head, line, strict=True)) for line in rest}


def pixel(view, point_mm):
    port = view.viewport_now
    x, y = port.pixel(port.projected(point_mm))
    colour = view.grab().toImage().pixelColor(int(x), int(y))
    return np.array([colour.red(), colour.green(), colour.blue()])


def patch(view, point_mm, reach=6):
    """Mean colour around a point: hatching is not the same at every pixel."""
    port = view.viewport_now
    x, y = (int(c) for c in port.pixel(port.projected(point_mm)))
    image = view.grab().toImage()
    found = [image.pixelColor(x + i, y + j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    return np.mean([(c.red(), c.green(), c.blue()) for c in found], axis=0)


def test_two_shifted_spheres_have_the_values_of_closed_form(opened):
    row = lines(opened(case()))["GTV"]
    r, s = RADIUS, SHIFT
    t = np.linspace(-1, 1, 200_001)  # heights along the shift are spread evenly over a sphere (Archimedes)
    away = np.abs(np.sqrt(r**2 + s**2 - 2 * r * s * t) - r)
    assert float(row["Volume A [cc]"]) == pytest.approx(4 / 3 * math.pi * r**3 / 1000, rel=0.01)
    assert float(row["Dice"]) == pytest.approx(1 - 3 * s / (4 * r) + s**3 / (16 * r**3), abs=0.004)
    assert float(row["Hausdorff distance [mm]"]) == pytest.approx(s, abs=0.15)
    assert float(row["HD95 [mm]"]) == pytest.approx(np.quantile(away, 0.95), abs=0.15)
    assert float(row["Mean surface distance [mm]"]) == pytest.approx(away.mean(), abs=0.04)
    assert float(row["Centroid shift [mm]"]) == pytest.approx(s, abs=0.1)
    for mm in (1, 2, 3):
        assert float(row[f"Surface Dice at {mm} mm"]) == pytest.approx((away <= mm).mean(), abs=0.011)


def test_equal_contours_agree_wholly_and_what_has_no_partner_is_said_in_words(opened):
    rows = lines(opened(case()))
    assert float(rows["Liver"]["Dice"]) == pytest.approx(1, abs=0.001)
    assert rows["Stomach"]["Note"].startswith("not evaluated: only in A (Simulation)")
    assert rows["Spleen"]["Note"].startswith("not evaluated: only in B (Fraction 3 of 5)")
    assert rows["Heart"]["Note"] == "not evaluated: A has no contour"
    assert rows["Spleen"]["Dice"] == ""


def test_what_is_not_registered_is_refused_with_the_reason(opened, qtbot):
    window = opened(case(registered=False))
    panel = window.findChild(QWidget, "comparison")
    first, second = (window.findChild(QComboBox, f"comparison.set.{side}") for side in "ab")
    first.setCurrentIndex(0)
    first.activated.emit(0)
    second.setCurrentIndex(1)
    second.activated.emit(1)
    settle(window, qtbot)
    assert "not registered" in panel.findChild(QLabel, "comparison.message").text()
    rows = lines(window)
    assert rows["GTV"]["Note"].startswith("not evaluated: not registered")
    assert rows["GTV"]["Dice"] == rows["GTV"]["Hausdorff distance [mm]"] == ""
    assert window.session.scene.compared is None


def test_differences_are_painted_where_they_are_and_go_with_the_panel(opened, qtbot):
    window = opened(case())
    window.session.look(point_mm=(0.0, 0.0, 0.0))
    settle(window, qtbot)
    axial = window.views["axial"]
    only_a, only_b, both, neither = (-RADIUS + 4, 0, 0), (RADIUS + 4, 0, 0), (4, 0, 0), (0, 40, 0)
    red, _, blue = patch(axial, only_a)
    assert red > blue + 40, "orange where only A is"
    red, _, blue = patch(axial, only_b)
    assert blue > red + 40, "blue where only B is"
    assert np.ptp(patch(axial, both)) < 1, "the grey of the image"
    assert np.ptp(patch(axial, neither)) < 1
    np.testing.assert_allclose(pixel(axial, (-RADIUS, 0.0, 0.0)), COLOUR_A.getRgb()[:3], atol=60)
    window.findChild(QToolButton, "comparison.close").click()
    settle(window, qtbot)
    assert window.session.view.compared is None
    assert window.session.scene.compared is None
    assert len(window.session.scene.drawn) == 4
    assert np.ptp(patch(axial, only_a)) < 1
    assert window.findChild(QWidget, "comparison") is None


def test_a_row_leads_to_the_worst_slice_and_a_click_in_the_strip_to_another(opened, qtbot):
    window = opened(case())
    strip = window.findChild(SliceStrip, "comparison.strip")
    found = [mark.found.hausdorff_mm or 0.0 for mark in strip.marks]
    assert found[strip.here] == pytest.approx(max(found), abs=0.1)
    assert max(found) == pytest.approx(SHIFT, abs=0.26)
    x, y, z = window.session.view.point_mm
    ends = [math.hypot(x, y), math.hypot(x - SHIFT, y)]
    assert min(abs(e - math.sqrt(RADIUS**2 - z**2)) for e in ends) < 0.1, "the crosshair stands on one of the contours"
    wanted = next(n for n, mark in enumerate(strip.marks) if mark.found.position_mm == 12.0)
    place = strip.bar(wanted).center().toPoint()
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=place)
    settle(window, qtbot)
    assert window.session.view.point_mm[2] == pytest.approx(12.0)
    assert strip.here == wanted
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert window.session.view.point_mm[2] == pytest.approx(15.0)
    inside = math.sqrt(RADIUS**2 - 12.0**2)
    half = inside**2 * math.acos(SHIFT / 2 / inside) - SHIFT / 2 * math.sqrt(inside**2 - SHIFT**2 / 4)
    assert strip.marks[wanted].found.dice == pytest.approx(2 * half / (math.pi * inside**2), abs=0.002)
    assert strip.marks[wanted].place == "H 12.0 mm"


def test_two_structures_of_one_set(opened, qtbot):
    window = opened(case())
    for side in "ab":
        group = window.findChild(QComboBox, f"comparison.set.{side}")
        group.setCurrentIndex(1)
        group.activated.emit(1)
    for side, name in (("a", "Liver"), ("b", "gtv ")):
        combo = window.findChild(QComboBox, f"comparison.structure.{side}")
        combo.setCurrentIndex(combo.findText(name))
        combo.activated.emit(combo.currentIndex())
    settle(window, qtbot)
    (row,) = lines(window).values()
    assert window.session.scene.compared.labels == ("Liver", "gtv ")
    a, b = 30.0**3, RADIUS**3
    assert float(row["Dice"]) == pytest.approx(2 * b / (a + b), abs=0.004)
    assert float(row["Hausdorff distance [mm]"]) == pytest.approx(30 - RADIUS + SHIFT, abs=0.2)
    before = float(row["Volume A [cc]"])
    window.findChild(QToolButton, "comparison.swap").click()
    settle(window, qtbot)
    (row,) = lines(window).values()
    assert float(row["Volume B [cc]"]) == before


def test_the_same_structure_twice_is_refused(opened, qtbot):
    window = opened(case())
    for side in "ab":
        group = window.findChild(QComboBox, f"comparison.set.{side}")
        group.setCurrentIndex(1)
        group.activated.emit(1)
    for side in "ab":
        combo = window.findChild(QComboBox, f"comparison.structure.{side}")
        combo.setCurrentIndex(combo.findText("Liver"))
        combo.activated.emit(combo.currentIndex())
    settle(window, qtbot)
    (row,) = lines(window).values()
    assert row["Note"] == "not evaluated: A and B are the same structure; choose another one"


def test_tolerances_are_typed(opened, qtbot):
    window = opened(case())
    field = window.findChild(QLineEdit, "comparison.tolerances")
    field.setText("5, 2.5")
    field.editingFinished.emit()
    settle(window, qtbot)
    t = np.linspace(-1, 1, 200_001)
    away = np.abs(np.sqrt(RADIUS**2 + SHIFT**2 - 2 * RADIUS * SHIFT * t) - RADIUS)
    row = lines(window)["GTV"]
    assert float(row["Surface Dice at 2.5 mm"]) == pytest.approx((away <= 2.5).mean(), abs=0.011)
    assert float(row["Surface Dice at 5 mm"]) == pytest.approx((away <= 5).mean(), abs=0.011)
    field.setText("-1")
    field.editingFinished.emit()
    assert window.findChild(QLabel, "comparison.message").text().startswith("✗ surface Dice")
    assert "Surface Dice at 5 mm" in lines(window)["GTV"]


def test_sorting_keeps_what_was_not_evaluated_at_the_end(opened):
    window = opened(case())
    view = table(window)
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        view.sortByColumn(3, order)
        names = list(lines(window))
        assert names[:2] == (["GTV", "Liver"] if order == Qt.SortOrder.AscendingOrder else ["Liver", "GTV"])
        assert set(names[2:]) == {"Stomach", "Spleen", "Heart"}


def test_an_edit_is_followed(opened, qtbot):
    window = opened(case())
    session = window.session
    before = session.case.structure("bgtv ")
    after = sphere(grid("day"), RADIUS, (0.0, 0.0, 0.0))
    moved = Structure("bgtv ", "gtv ", before.grid, after.planes, before.type, before.colour)
    session.apply(Edit.of("Move", session.case, before, moved))
    settle(window, qtbot)
    assert float(lines(window)["GTV"]["Dice"]) == pytest.approx(1, abs=0.001)
    session.undo()
    settle(window, qtbot)
    assert float(lines(window)["GTV"]["Dice"]) < 0.8


def test_a_hand_cancels_and_what_is_missing_says_so(opened, window, qtbot):
    window.session.open(case())
    window.session.look(base="day", structure_set="day")
    settle(window, qtbot)
    window.actions_.trigger("structure.compare")
    cancel = window.findChild(QPushButton, "comparison.cancel")
    assert cancel.isVisible()
    cancel.click()
    settle(window, qtbot)
    assert lines(window)["GTV"]["Note"] == "not evaluated: cancelled"
    assert not cancel.isVisible()


def test_copied_as_a_table(opened, qtbot):
    window = opened(case())
    window.findChild(QToolButton, "comparison.copy").click()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("Structure\tVolume A [cc]\tVolume B [cc]\tDice\tHausdorff distance [mm]")
    assert len({line.count("\t") for line in text.splitlines()}) == 1


def test_other_contours_come_back_when_they_are_asked_for(opened, qtbot):
    window = opened(case())
    assert {d.structure.name for d in window.session.scene.drawn} == {"GTV", "gtv "}
    window.findChild(QCheckBox, "comparison.alone").click()
    assert len(window.session.scene.drawn) == 5
    window.actions_.trigger("structure.compare")  # a second time: closed
    settle(window, qtbot)
    assert window.session.view.compared_alone
    assert window.session.scene.compared is None


def test_fewer_than_two_structures_are_refused(window):
    only = StructureSet("day", "day", (ball("GTV", 10.0),), "day", "day")
    image = Image("day", "MR", "day", grid("day"), np.zeros(grid("day").shape_zyx, np.int16))
    window.session.open(Case(images=(image,), structure_sets=(only,)))
    window.actions_.refresh()
    action = window.actions_["structure.compare"]
    assert not action.isEnabled()
    assert "fewer than two structures" in action.toolTip()


def test_another_case_takes_it_away(opened, qtbot):
    window = opened(case())
    window.session.open(case(registered=False))
    settle(window, qtbot)
    assert window.comparison.panel is None
    assert window.session.view.compared is None


def test_tool_tips_of_the_strip_name_slice_and_measures(opened):
    strip = opened(case()).findChild(SliceStrip, "comparison.strip")
    middle = strip.at(strip.bar(len(strip.marks) // 2).center().x())
    assert "Dice" in strip.text_of(middle)
    assert "mm" in strip.text_of(middle)
    assert strip.at(0) is None


def test_nothing_of_it_survives(no_survivors, qtbot):
    made = MainWindow(remember=False)
    made.show()
    made.load_views()
    made.session.open(case())
    made.session.look(base="day", structure_set="day")
    settle(made, qtbot)
    for _ in range(4):
        made.actions_.trigger("structure.compare")
        settle(made, qtbot)
    made.settle_views()
    assert made.comparison.panel is None
    made.close()
    made.deleteLater()
