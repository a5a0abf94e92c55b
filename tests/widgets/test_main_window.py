"""The main window on a small case: what it says, what its hands do, what it leaves behind. Widgets are found by object name."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_samples import dose, save
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSlider,
    QTableView,
    QToolButton,
)
from reviewer_widgets.actions import GESTURES, VIEW_KEYS
from reviewer_widgets.commands.opening import DOSE_FOR_IMAGE, without_image
from reviewer_widgets.dialogs.choose import ChooseDialog
from reviewer_widgets.dialogs.keys import as_markdown
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.panels.structures_table import FILL, NAME, SWATCH, VISIBLE, VOLUME
from reviewer_widgets.panels.views import NAMES
from reviewer_widgets.theme import theme
from reviewer_widgets.wording import patient_facts, patient_name
from shapely import box

from reviewer import opening
from reviewer.case import (
    Beam,
    Case,
    Cine,
    ControlPoint,
    Dose,
    Image,
    Patient,
    Plan,
    Prescription,
    Problem,
    Registration,
    Structure,
    StructureSet,
    Window,
)
from reviewer.edit import Edit
from reviewer.errors import CancelledError, GeometryError, InputError
from reviewer.geometry import volume
from reviewer.geometry.grid import Grid
from reviewer.opening import Candidate, Study


def grid(frame: str) -> Grid:
    first = [(-30.0, -30.0, 5.0 * k) for k in range(8)]
    return Grid.from_directions((1, 0, 0), (0, 1, 0), first, (2.0, 2.0), (30, 30), frame)


def image(name: str, modality: str, frame: str) -> Image:
    voxels = np.random.default_rng(7).integers(0, 200, (8, 30, 30)).astype(np.int16)
    return Image(name, modality, name, grid(frame), voxels, date="2025-03-04")


def small_case(cine: bool = False) -> Case:
    """MR `day` (base) with a GTV and a liver of known volume, CT tied by a registration, an MR that nothing ties, a plan of 50 Gy in 5."""
    gtv = Structure("gtv", "GTV", grid("f"), {k: box(0, 0, 10, 10) for k in (3, 4)}, "GTV", (255, 0, 0), "day")
    liver = Structure(
        "liver", "Liver", grid("f"), {k: box(-20, -20, 20, 20) for k in range(2, 6)}, "ORGAN", (0, 255, 0), "day"
    )
    nothing = Structure("nothing", "Spleen", grid("f"), {}, "ORGAN", (0, 0, 255), "day")
    beams = tuple(
        Beam(
            n,
            f"B{n}",
            "STATIC",
            "PHOTON",
            6.0,
            "MRL",
            1435.0,
            (0, 0, 0),
            100.0 * n,
            1.0,
            (ControlPoint(0, a, 0, 0, ()),),
        )
        for n, a in ((1, 40.0), (2, 200.0))
    )
    plan = Plan("plan", "LIV_50_5", "2025-03-02", "APPROVED", 5, (Prescription("PTV", 50.0),), beams, "set", "f")
    gray = np.full((8, 30, 30), 30.0, np.float32)
    return Case(
        Patient("HEPAR^DEMO", "4711", "F", "", "062Y"),
        (image("day", "MR", "f"), image("CT", "CT", "g"), image("stray", "MR", "h")),
        (StructureSet("set", "Day", (gtv, liver, nothing), "day", "f"),),
        (Dose("dose", "adapted", grid("f"), gray, plan_id="plan", structure_set_id="set"),),
        (plan,),
        (Registration("reg", "CT to day", "g", "f", np.eye(4)),),
        (Cine("cine", "MR", "cine", grid("f"), np.zeros((1, 30, 30)), np.zeros(1)),) if cine else (),
        (Problem("/x/a.dcm", "warning", "slices are unevenly spaced"), Problem("/x/b.dcm", "error", "truncated")),
    )


def settle(window, qtbot):
    """One turn in which the panels hear of the case and ask for what they need, then until they have it."""
    qtbot.wait(20)
    assert window.jobs.wait()
    qtbot.wait(20)


@pytest.fixture
def window(qtbot):
    made = MainWindow(remember=False)
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def shown(window, qtbot):
    """With a case, but without the views, which take their time."""
    window.session.open(small_case())
    settle(window, qtbot)
    return window


@pytest.fixture
def pictured(window, qtbot):
    """With a case and the views."""
    window.load_views()
    window.session.open(small_case())
    settle(window, qtbot)
    return window


def test_the_menu_is_one_column_on_a_low_screen(window, qtbot):
    menu = window.findChild(QToolButton, "banner.menu").menu()
    assert menu.screen().availableGeometry().height() <= 800
    menu.popup(window.mapToGlobal(window.rect().topLeft()))
    qtbot.waitUntil(menu.isVisible)
    assert len({menu.actionGeometry(action).left() for action in menu.actions() if not action.isSeparator()}) == 1
    menu.close()


def test_tools_of_a_panel_stand_in_its_title(pictured):
    for name in ("structures", "isodoses", "goals"):
        fold = pictured.folds[name]
        assert fold.tools
        for is_open in (False, True):
            fold.set_open(is_open)
            assert all(tool.isVisible() == is_open for tool in fold.tools)


def find(window, kind, name):
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    axial = window.views["axial"]
    axial.setFocus()
    qtbot.keyClick(axial, key, modifier)
    qtbot.wait(10)


# -- the window ---------------------------------------------------------------------------------------------------------


def test_an_empty_window_offers_what_to_do(window):
    assert window.pages.currentWidget() is window.welcome
    for name in ("welcome.file.demo", "welcome.file.folder", "welcome.file.files"):
        assert find(window, QPushButton, name).isVisible()


def test_a_view_is_found_while_the_hand_and_the_focus_are_elsewhere(pictured):
    """As when "One view alone" or "Save picture" is chosen in the menu or the palette."""
    pictured.setFocus()
    assert pictured.views.under_hand() in ("axial", "sagittal", "coronal", "volume")
    pictured.actions_.trigger("view.maximise")
    assert pictured.views.alone


def test_the_key_of_a_refused_command_says_why_and_works_again_when_it_may(pictured, qtbot):
    undo = pictured.actions_["edit.undo"]
    assert not undo.isEnabled()
    press(qtbot, pictured, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert pictured.status.said.whole() == "Undo: nothing to undo"
    organ = pictured.session.case.structures[0]
    pictured.session.apply(Edit.of("Rename", pictured.session.case, organ, replace(organ, name="Other")))
    settle(pictured, qtbot)
    press(qtbot, pictured, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert pictured.session.case.structures[0].name == organ.name


def test_views_take_two_thirds_at_1280_by_800(pictured, qtbot):
    pictured.resize(1280, 800)
    qtbot.wait(20)
    assert pictured.views.width() >= 1280 * 2 / 3
    assert pictured.views["axial"].width() > 1.8 * pictured.views["sagittal"].width()


def test_nothing_in_the_columns_is_wider_than_its_column(pictured, qtbot):
    pictured.resize(1280, 800)
    qtbot.wait(20)
    for area in (pictured.left, pictured.right):
        assert area.widget().minimumSizeHint().width() <= area.viewport().width()


def test_panels_scroll_in_a_low_window_and_are_not_cut_off(shown, qtbot):
    shown.resize(1280, 600)
    qtbot.wait(50)
    assert shown.left.verticalScrollBar().maximum() > 0
    assert shown.left.widget().minimumSizeHint().width() <= shown.left.viewport().width()


def test_the_banner_says_whose_case_and_which_plan(shown):
    assert shown.banner.name.whole() == "HEPAR, DEMO"
    assert shown.banner.facts.whole() == "4711   F   62 y"
    assert shown.banner.plan.whole() == "Plan LIV_50_5   ✓ approved   2025-03-02   5 fractions"
    assert "HEPAR DEMO" in shown.windowTitle()


def test_whether_the_plan_is_approved_is_read_whole_in_the_narrowest_window(shown, qtbot):
    case = small_case()
    plan = replace(case.plans[0], label="LIV_50_5 adapted", approval="UNAPPROVED")
    shown.session.open(replace(case, plans=(plan,)))
    settle(shown, qtbot)
    for width in (960, 1280):
        shown.resize(width, 800)
        qtbot.waitUntil(lambda: shown.width() == width)  # noqa: B023
        assert "○ not approved" in shown.banner.plan.text()
    assert shown.banner.plan.text().startswith("Plan LIV_50_5 adapted   ○ not approved")


def test_modes_that_are_not_built_are_grey_and_say_why(shown, qtbot):
    assert find(shown, QToolButton, "mode.review").isEnabled()
    assert find(shown, QToolButton, "mode.contour").isEnabled()
    for mode, reason in (
        ("day", "comes with the adaptive day"),
        ("gating", "this case has no cine"),
        ("practice", "comes with exercises"),
    ):
        button = find(shown, QToolButton, f"mode.{mode}")
        assert not button.isEnabled()
        assert reason in button.toolTip()
    shown.session.open(small_case(cine=True))
    qtbot.wait(20)
    assert find(shown, QToolButton, "mode.gating").isEnabled()


def test_a_view_is_alone_by_f_and_by_double_click_and_back(pictured, qtbot):
    press(qtbot, pictured, Qt.Key.Key_F)
    alone = pictured.views.alone
    assert alone is not None
    assert [n for n in ("axial", "sagittal", "coronal", "volume") if pictured.views[n].isVisible()] == [alone]
    press(qtbot, pictured, Qt.Key.Key_F)
    assert all(pictured.views[n].isVisible() for n in ("axial", "sagittal", "coronal", "volume"))
    pictured.views["coronal"].maximise_requested.emit()
    assert not pictured.views["axial"].isVisible()
    assert pictured.views["coronal"].isVisible()


def test_columns_and_panels_fold_with_one_key(shown, qtbot):
    press(qtbot, shown, Qt.Key.Key_F9)
    assert not shown.left.isVisible()
    press(qtbot, shown, Qt.Key.Key_F9)
    assert shown.left.isVisible()
    press(qtbot, shown, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert not shown.isodoses.isVisible()
    press(qtbot, shown, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert shown.isodoses.isVisible()


def test_theme_one_key_away(shown, qtbot):
    assert theme().name == "dark"
    press(qtbot, shown, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert theme().name == "light"


def test_a_closed_window_leaves_nothing_behind(qtbot, no_survivors):
    made = MainWindow(remember=False)
    made.show()
    made.load_views()
    qtbot.wait(20)
    made.session.open(small_case())
    assert made.jobs.wait()
    qtbot.wait(50)
    made.window_commands.show_problems()
    made.close()
    made.deleteLater()
    del made


# -- commands -----------------------------------------------------------------------------------------------------------


def keys_of(command) -> list[str]:
    return [k.toString() for k in QKeySequence.listFromString(command.keys)] if command.keys else []


def test_no_key_does_two_things(window):
    taken: dict[str, str] = {}
    for command in window.actions_:
        for key in keys_of(command):
            assert key, f"{command.name}: {command.keys} is not a key"
            assert key not in taken, f"{key}: {command.name} and {taken[key]}"
            assert key not in VIEW_KEYS, f"{key}: {command.name} and the views"
            taken[key] = command.name


def test_every_command_has_a_name_a_tooltip_with_its_key_and_a_reason_when_it_is_off(window):
    window.actions_.refresh()
    for command in window.actions_:
        action = window.actions_[command.name]
        assert action.text() == command.text
        for key in keys_of(command):
            assert key in action.toolTip()
        assert action.isEnabled() == (not command.refusal())
        if not action.isEnabled():
            assert command.refusal() in action.toolTip()
    assert not window.actions_["view.crosshair"].isEnabled()


def test_the_key_map_lists_every_key_and_gesture(shown, qtbot):
    shown.actions_.trigger("help.keys")
    dialog = find(shown, QDialog, "keys")
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    for command in shown.actions_:
        if command.keys:
            assert " or ".join(keys_of(command)) in texts
    assert {g.hand for g in GESTURES} <= texts
    assert dialog.width() <= shown.width()


def test_the_documentation_lists_the_same_keys(window):
    text = as_markdown(window.actions_)
    file = Path(__file__).parents[2] / "docs" / "keys.md"
    assert file.read_text(encoding="utf-8") == text, f"write this into {file}:\n{text}"


def test_the_palette_finds_and_carries_out(shown, qtbot):
    shown.actions_.trigger("help.palette")
    field, found = find(shown, QLineEdit, "palette.field"), find(shown, QListWidget, "palette.list")
    qtbot.keyClicks(field, "decision")
    assert found.item(0).text().startswith("Plans: Decision"), "its own words come before another's explanation"
    assert found.count() > 1
    field.clear()
    qtbot.keyClicks(field, "crossh show")
    assert shown.session.view.crosshair
    field.clear()
    qtbot.keyClicks(field, "views crosshair")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert not shown.session.view.crosshair


def test_keys_reach_the_view(pictured, qtbot):
    session = pictured.session
    press(qtbot, pictured, Qt.Key.Key_C)
    assert not session.view.crosshair
    session.look(overlay="CT")
    qtbot.wait(20)
    press(qtbot, pictured, Qt.Key.Key_BracketRight)
    assert session.view.blend == pytest.approx(0.6)
    press(qtbot, pictured, Qt.Key.Key_X)
    assert session.view.style == "swipe"
    press(qtbot, pictured, Qt.Key.Key_S)
    assert session.view.style == "spyglass"
    press(qtbot, pictured, Qt.Key.Key_O)
    assert not session.view.overlay_on
    press(qtbot, pictured, Qt.Key.Key_M)
    assert pictured.views["coronal"].tool == "distance"
    press(qtbot, pictured, Qt.Key.Key_Escape)
    assert pictured.views["coronal"].tool == "point"


def test_window_presets_are_of_the_modality(shown, qtbot):
    session = shown.session
    session.look(base="CT")
    qtbot.wait(20)
    press(qtbot, shown, Qt.Key.Key_1)
    assert session.view.windows["CT"] == Window(90.0, 150.0)
    press(qtbot, shown, Qt.Key.Key_3)
    assert session.view.windows["CT"] == Window(-600.0, 1500.0)
    session.look(base="day")
    qtbot.wait(20)
    press(qtbot, shown, Qt.Key.Key_1)
    low, high = np.percentile(small_case().images[0].voxels[:, ::4, ::4], (1, 99.5))
    assert session.view.windows["day"].level == pytest.approx((low + high) / 2)
    assert session.view.windows["day"].width == pytest.approx(high - low)


# -- layers -------------------------------------------------------------------------------------------------------------


def test_an_image_that_is_not_registered_can_not_be_laid_over(shown):
    combo = find(shown, QComboBox, "layers.overlay")
    entries = {combo.itemText(i): combo.model().item(i) for i in range(combo.count())}
    assert set(entries) == {"none", "CT", "stray"}
    assert entries["CT"].isEnabled()
    assert not entries["stray"].isEnabled()
    assert entries["stray"].toolTip() == "not registered to day"


def test_overlay_and_its_share(shown, qtbot):
    combo, slider = find(shown, QComboBox, "layers.overlay"), find(shown, QSlider, "layers.blend")
    assert not slider.isEnabled()
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    qtbot.wait(20)
    assert shown.session.view.overlay == "CT"
    assert slider.isEnabled()
    slider.setValue(25)
    assert shown.session.view.blend == pytest.approx(0.25)
    assert shown.status.registration.whole() == "CT → day by REG CT to day"


def test_the_status_line_says_when_something_is_not_registered(shown, qtbot):
    shown.session.look(base="stray")
    qtbot.wait(20)
    assert "not registered" in shown.status.registration.whole()


# -- structures ---------------------------------------------------------------------------------------------------------


def cell(window, row, column):
    table = find(window, QTableView, "structures.table")
    return table.model().index(row, column)


def click(qtbot, window, row, column):
    table = find(window, QTableView, "structures.table")
    qtbot.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(cell(window, row, column)).center()
    )
    qtbot.wait(10)


def test_volumes_are_computed_beside_and_empty_is_a_word(shown):
    # 10 × 10 mm on 2 planes of 5 mm: 1.0 cc; 40 × 40 mm on 4 planes of 5 mm: 32.0 cc
    assert [cell(shown, r, NAME).data() for r in range(3)] == ["GTV", "Liver", "Spleen"]
    assert [cell(shown, r, VOLUME).data() for r in range(3)] == ["1.0", "32.0", "empty"]
    eyes = {cell(shown, r, VISIBLE).data(Qt.ItemDataRole.DecorationRole).cacheKey() for r in range(3)}
    assert len(eyes) == 1, "an empty structure is not hidden"


def test_a_volume_that_can_not_be_computed_is_a_word_and_an_error(window, qtbot, monkeypatch):
    def broken(stack):
        raise GeometryError("the contours cross", where=stack.name)

    monkeypatch.setattr(volume, "volume_cc", broken)
    window.session.open(small_case())
    settle(window, qtbot)
    assert [cell(window, r, VOLUME).data() for r in range(3)] == ["failed", "failed", "empty"]
    assert "GTV: the contours cross" in window.strip.messages


def test_the_name_of_a_locked_structure_is_read_whole_and_its_colour_shows_the_lock(shown, qtbot):
    case = small_case()
    (group,) = case.structure_sets
    names = ("Bowel_Large", "Bowel_Small", "Duodenum", "Gallbladder")
    parts = tuple(replace(group.structures[0], id=name, name=name, locked=True) for name in names)
    shown.session.open(replace(case, structure_sets=(replace(group, structures=parts),)))
    settle(shown, qtbot)
    table = find(shown, QTableView, "structures.table")
    assert shown.left.width() <= 220
    for row, name in enumerate(names):
        place = cell(shown, row, NAME)
        assert place.data() == name
        assert table.sizeHintForIndex(place).width() <= table.columnWidth(NAME)
    mark = cell(shown, 0, SWATCH)
    locked = mark.data(Qt.ItemDataRole.DecorationRole).pixmap(16, 16).toImage()
    assert "locked" in mark.data(Qt.ItemDataRole.ToolTipRole)
    shown.session.look(active=names[0])
    shown.actions_.trigger("structure.locked")
    settle(shown, qtbot)
    assert "locked" not in mark.data(Qt.ItemDataRole.ToolTipRole)
    assert mark.data(Qt.ItemDataRole.DecorationRole).pixmap(16, 16).toImage() != locked


def test_no_volume_is_cut_off(shown, qtbot):
    table = find(shown, QTableView, "structures.table")
    model = shown.structures.model
    for cc in (1602.3, 9999.9, 14053.0):
        model.show(model.rows, {model.rows[0].id: cc})
        qtbot.wait(20)
        assert table.sizeHintForColumn(VOLUME) <= table.columnWidth(VOLUME)
    assert cell(shown, 0, VOLUME).data() == "14053"


def test_eye_fill_name_and_colour(shown, qtbot):
    session = shown.session
    click(qtbot, shown, 1, VISIBLE)
    assert session.view.hidden == {"liver"}
    click(qtbot, shown, 1, VISIBLE)
    assert session.view.hidden == frozenset()
    click(qtbot, shown, 1, FILL)
    assert session.view.filled == {"liver"}
    session.look(point_mm=(-20.0, -20.0, 0.0))
    click(qtbot, shown, 0, NAME)
    assert session.view.active == "gtv"
    assert session.view.point_mm == pytest.approx((5.0, 5.0, 20.0))
    shown.management.recolour("gtv", (1, 2, 3))
    assert session.case.structure("gtv").colour == (1, 2, 3)
    shown.actions_.trigger("edit.undo")
    assert session.case.structure("gtv").colour == (255, 0, 0)
    shown.actions_.trigger("edit.redo")
    assert session.case.structure("gtv").colour == (1, 2, 3)


def test_hovering_highlights_and_leaving_stops(shown, qtbot):
    table = find(shown, QTableView, "structures.table")
    table.entered.emit(cell(shown, 1, NAME))
    assert shown.session.view.highlighted == "liver"


def test_tab_goes_through_panels_that_came_late_where_they_stand(pictured, qtbot):
    """Left column, pictures, right column, strip at the bottom; in a column from top to bottom."""
    qtbot.waitUntil(lambda: pictured.dvh.plot is not None)
    seen, widget = [], pictured.nextInFocusChain()
    while widget is not pictured:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible():
            seen.append(widget.objectName())
        widget = widget.nextInFocusChain()
    wanted = [
        "structures.filter", "structures.table", "isodoses.add", *(f"views.{name}" for name in NAMES),
        "goals.menu", "goals.sheet", "goals.list", "dvhDoseGy", "dvhVolumeCc", "dvhPlot", "status.problems",
    ]  # fmt: skip
    assert [name for name in seen if name in wanted] == wanted


def test_filter_and_tab(shown, qtbot):
    field = find(shown, QLineEdit, "structures.filter")
    qtbot.keyClicks(field, "liv")
    assert shown.structures.model.rowCount() == 1
    field.clear()
    press(qtbot, shown, Qt.Key.Key_Tab)
    assert shown.session.view.active == "gtv"
    press(qtbot, shown, Qt.Key.Key_Tab)
    assert shown.session.view.active == "liver"
    press(qtbot, shown, Qt.Key.Key_Tab)
    assert shown.session.view.active == "gtv"
    press(qtbot, shown, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert shown.session.view.active == "liver"
    press(qtbot, shown, Qt.Key.Key_V)
    assert shown.session.view.hidden == {"liver"}
    for hidden in ({"gtv", "nothing"}, set(), {"gtv", "nothing"}):
        press(qtbot, shown, Qt.Key.Key_V, Qt.KeyboardModifier.AltModifier)
        assert shown.session.view.hidden == hidden


def test_typing_in_a_field_is_not_a_command(shown, qtbot):
    field = find(shown, QLineEdit, "structures.filter")
    field.setFocus()
    qtbot.keyClicks(field, "cox")
    assert field.text() == "cox"
    assert shown.session.view.crosshair
    assert shown.session.view.style == "blend"


# -- isodoses -----------------------------------------------------------------------------------------------------------


def test_levels_in_gray_and_in_percent_of_the_prescription(shown, qtbot):
    first = find(shown, QDoubleSpinBox, "isodoses.value.0")
    assert find(shown, QDoubleSpinBox, "isodoses.reference").value() == 50.0
    assert first.text() == "63.0 Gy"
    assert find(shown, QLabel, "isodoses.other.0").text() == "126.0 %"
    find(shown, QToolButton, "isodoses.unit.%").click()
    assert first.text() == "126.0 %"
    first.setValue(120.0)
    first.editingFinished.emit()
    assert max(i.gy for i in shown.session.view.isodoses) == pytest.approx(60.0)


def test_add_remove_and_preset(shown, qtbot):
    find(shown, QToolButton, "isodoses.add").click()
    qtbot.wait(20)
    assert [i.gy for i in shown.session.view.isodoses] == [63, 57, 47.5, 40, 30, 25, 20, 10]
    find(shown, QToolButton, "isodoses.remove.0").click()
    qtbot.wait(20)
    assert [i.gy for i in shown.session.view.isodoses] == [57, 47.5, 40, 30, 25, 20, 10]
    shown.isodoses.percents.trigger()
    assert [i.gy for i in shown.session.view.isodoses] == pytest.approx([55, 50, 47.5, 40, 30, 20, 10])
    shown.isodoses.bordeau.trigger()
    assert [i.gy for i in shown.session.view.isodoses] == [63, 57, 47.5, 40, 30, 25, 20]


def test_a_level_that_is_only_looked_at_keeps_its_digits(shown, qtbot):
    shown.session.look(isodoses=(replace(shown.session.view.isodoses[0], gy=12.3456),))
    qtbot.wait(20)
    find(shown, QDoubleSpinBox, "isodoses.value.0").editingFinished.emit()
    assert shown.session.view.isodoses[0].gy == 12.3456


def test_without_a_reference_percent_is_refused(shown, qtbot):
    shown.session.look(reference_gy=None)
    qtbot.wait(20)
    unit = find(shown, QToolButton, "isodoses.unit.%")
    assert not unit.isEnabled()
    assert "reference" in unit.toolTip()
    assert find(shown, QDoubleSpinBox, "isodoses.reference").text() == "not set"
    assert find(shown, QLabel, "isodoses.other.0").text() == ""


# -- plan, problems, strip ----------------------------------------------------------------------------------------------


def test_plan_facts(shown):
    assert find(shown, QLabel, "plan.status").text() == "✓ approved"
    assert find(shown, QLabel, "plan.dose").text() == "50 Gy to PTV"
    assert find(shown, QLabel, "plan.fractions").text() == "5 × 10 Gy"
    assert find(shown, QLabel, "plan.mu / fx").text() == "300.0"
    beams = shown.plan.beams
    assert [[beams.item(r, c).text() for c in range(3)] for r in range(2)] == [
        ["1  B1", "40°", "100.0"],
        ["2  B2", "200°", "200.0"],
    ]


def test_problems_are_counted_and_listed(shown, qtbot):
    button = find(shown, QToolButton, "status.problems")
    assert button.text().strip() == "1 error, 1 warning while reading (show)"
    button.click()
    dialog = find(shown, QDialog, "problems")
    assert [dialog.table.item(0, c).text() for c in range(3)] == ["error", "truncated", "b.dcm"]
    assert dialog.text().splitlines()[1] == "warning\t/x/a.dcm\tslices are unevenly spaced"


def test_problems_found_while_reading_are_added(shown, qtbot):
    shown.session.found((Problem("/x/c.dcm", "error", "two planes could not be read"),))
    qtbot.wait(20)
    assert find(shown, QToolButton, "status.problems").text().strip() == "2 errors, 1 warning while reading (show)"


def test_errors_stay_in_the_strip_until_read(window):
    assert not window.strip.isVisible()
    window.tell_failure("Reading", InputError("nothing usable", where="/x", remedy="choose another folder"))
    window.tell_failure("Reading", ValueError("bad"))
    assert window.strip.text.text() == "/x: nothing usable; choose another folder"
    window.strip.dismiss()
    assert "ValueError" in window.strip.text.text()
    window.strip.dismiss()
    assert not window.strip.isVisible()
    window.strip.tell("the disk is full")
    window.strip.tell("home/anna/x.reviewer: read-only")
    assert window.strip.messages == ("The disk is full", "home/anna/x.reviewer: read-only")


def test_a_dropped_folder_without_anything_usable_is_one_sentence(window, qtbot, tmp_path):
    (tmp_path / "note.txt").write_text("nothing here")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    window.dropEvent(
        QDropEvent(
            QPointF(QPoint(50, 50)),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert window.jobs.wait()
    assert len(window.strip.messages) == 1
    assert "Traceback" not in window.strip.messages[0]
    assert window.pages.currentWidget() is window.welcome


def test_a_cine_without_image_is_said_to_be_there_and_where_it_is_shown():
    cine = small_case(cine=True).cines
    assert "Gating" in without_image(Case(cines=cine))
    assert "Gating" not in without_image(replace(small_case(), images=(), doses=(), cines=()))


def test_a_dose_without_image_can_be_looked_at_and_the_strip_says_what_it_is(window, qtbot, tmp_path):
    save(dose(np.full((3, 4, 5), 250, np.uint16), [0.0, 3.0, 6.0]), tmp_path / "rd.dcm")
    window.open_paths([tmp_path])
    assert window.jobs.wait()
    assert window.strip.messages == (DOSE_FOR_IMAGE,)
    base = window.session.scene.base
    assert base is not None
    assert float(base.image.voxels[0, 0, 0]) == pytest.approx(2.5)
    assert base.image.unit == "Gy"
    assert window.pages.currentWidget() is window.across


def test_opening_shows_how_far_it_is_and_can_be_cancelled(window, qtbot, tmp_path, monkeypatch):
    started, go = threading.Event(), threading.Event()

    def slow(paths, *, progress, cancelled, **choice):
        progress(0.25, "12 files")
        started.set()
        go.wait(20)
        raise CancelledError

    monkeypatch.setattr(opening, "begin", slow)
    window.open_paths([tmp_path])
    assert window.pages.currentWidget() is window.waiting
    qtbot.waitUntil(started.is_set, timeout=20000)
    qtbot.waitUntil(lambda: find(window, QLabel, "waiting.text").text() == "12 files")
    assert tmp_path.name in find(window, QLabel, "waiting.title").text()
    find(window, QPushButton, "waiting.cancel").click()
    assert window.pages.currentWidget() is window.welcome
    go.set()
    assert window.jobs.wait()
    assert window.strip.messages == ()


def test_opening_is_remembered_and_a_vanished_folder_is_told(qtbot):
    window = MainWindow()
    qtbot.addWidget(window)
    window.opening.keep_recent([Path("/data/one")])
    window.opening.keep_recent([Path("/data/two")])
    window.opening.keep_recent([Path("/data/one")])
    assert window.opening.recent() == [["/data/one"], ["/data/two"]]
    assert [a.text() for a in window.recent_menu.actions()] == ["one   in /data", "two   in /data"]
    window.open_paths([Path("/data/one")])
    assert window.jobs.wait()
    assert "/data/one" in window.strip.messages[0]
    window.close()


def test_the_layout_is_remembered(qtbot):
    first = MainWindow()
    first.show()
    first.folds["plan"].set_open(False)
    first.actions_.trigger("panel.left")
    first.close()
    second = MainWindow()
    second.show()
    assert not second.folds["plan"].open
    assert not second.left.isVisible()
    for window in (first, second):
        window.close()
        window.deleteLater()


def test_wording_of_patients_that_headers_leave_half_empty():
    assert patient_name(Patient("HEPAR^DEMO^A")) == "HEPAR, DEMO A"
    assert patient_name(Patient("")) == "no patient name"
    assert patient_name(Patient("^DEMO")) == "DEMO"
    assert patient_facts(Patient("x", "4711", "F", "1962-05-01", "062Y")) == "4711   F   62 y"
    assert patient_facts(Patient("x", "4711", "O", "1962-05-01", "000Y")) == "4711   O   born 1962-05-01"
    assert patient_facts(Patient("x", "4711", "", "", "006M")) == "4711   6 m"


def candidates() -> tuple[Candidate, ...]:
    return (
        Candidate(
            Patient("ONE^A", "1"), (Study("1.1", "2025-01-01", "plan", {"CT": 3}), Study("1.2", "", "", {"MR": 2}))
        ),
        Candidate(Patient("TWO^B", "2"), (Study("2.1", "2025-01-02", "day", {"MR": 4}),)),
    )


def test_of_several_patients_one_is_chosen(qtbot):
    dialog = ChooseDialog(candidates())
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.tree.setCurrentItem(dialog.tree.topLevelItem(1))
        dialog.accept()
    assert chosen.args == ["2", []]
    with qtbot.waitSignal(dialog.chosen) as chosen:
        first = dialog.tree.topLevelItem(0)
        first.child(1).setCheckState(0, Qt.CheckState.Unchecked)
        dialog.tree.setCurrentItem(first.child(0))
        dialog.accept()
    assert chosen.args == ["1", ["1.1"]]


def test_the_keyboard_comes_to_every_part_of_the_window_and_round(shown, qtbot):
    parts = {
        "left": shown.left,
        "views": shown.comparison,
        "right": shown.right,
        "status": shown.status,
        "banner": shown.banner,
    }
    shown.load_views()
    shown.session.look(mode="contour")
    settle(shown, qtbot)
    shown.views["axial"].setFocus()
    met = []
    for _ in range(len(parts)):
        shown.actions_.trigger("window.next")
        held = shown.focusWidget()
        assert held.focusPolicy() & Qt.FocusPolicy.TabFocus
        met.append(next(name for name, part in parts.items() if part.isAncestorOf(held)))
    assert met == ["right", "status", "banner", "left", "views"]
    assert shown.focusWidget() is shown.views["axial"]
    shown.actions_.trigger("window.previous")
    assert shown.left.isAncestorOf(shown.focusWidget())
