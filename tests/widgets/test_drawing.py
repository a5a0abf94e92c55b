"""Each drawing tool by the mouse in a slice view: what it makes of the structure, what it shows, how it is cancelled and undone."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QDoubleSpinBox, QPushButton, QToolButton, QWidget
from reviewer_widgets.commands.tool_kinds import KINDS
from reviewer_widgets.main_window import MainWindow
from shapely import Point, box

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.edit.tools import tool as contract
from reviewer.geometry.grid import Grid

NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
GRID = Grid(np.eye(3), (-79.0, -79.0), (2.0, 2.0), (80, 80), np.arange(0.0, 40.0, 4.0), "f")
HERE = 5
"""The plane that is shown."""


def case_of(**fields) -> Case:
    """An organ of 30 mm radius, bright in the image, on planes 3 to 7; a GTV; an empty structure; one that follows a formula."""
    x, y = np.meshgrid(np.arange(80) * 2.0 - 79, np.arange(80) * 2.0 - 79)
    bright = np.where(np.hypot(x, y) < 30, 500, 100).astype(np.int16)
    image = Image("day", "MR", "day", GRID, np.repeat(bright[None], 10, axis=0))
    organ = Structure(
        "set#1",
        "Liver",
        GRID,
        {k: Point(0, 0).buffer(30, quad_segs=32) for k in range(3, 8)},
        "ORGAN",
        (250, 200, 0),
        "day",
        1,
    )
    gtv = Structure("set#2", "GTV", GRID, {HERE: box(40, 40, 60, 60)}, "GTV", (255, 0, 0), "day", 2)
    empty = Structure("set#3", "Stomach", GRID, {}, "ORGAN", (0, 200, 250), "day", 3)
    ptv = replace(gtv, id="set#4", name="PTV", number=4, formula="GTV", type="PTV")
    return Case(
        images=(image,), structure_sets=(StructureSet("set", "Day", (organ, gtv, empty, ptv), "day", "f", **fields),)
    )


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


def settle(window, qtbot):
    qtbot.wait(20)
    assert window.jobs.wait()
    qtbot.wait(20)


class Hand:
    """A mouse over a view, in millimetres of its plane."""

    def __init__(self, window, view="axial") -> None:
        self.view = window.views[view]
        self.modifiers = NONE
        self._down = Qt.MouseButton.NoButton

    def _send(self, kind, at_mm, button=Qt.MouseButton.NoButton):
        pixel = QPointF(*self.view.viewport_now.pixel(at_mm))
        event = QMouseEvent(kind, pixel, self.view.mapToGlobal(pixel), button, self._down, self.modifiers)
        QApplication.sendEvent(self.view, event)

    def move(self, *places):
        for place in places:
            self._send(QEvent.Type.MouseMove, place)

    def press(self, place):
        self.move(place)
        self._down = Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseButtonPress, place, Qt.MouseButton.LeftButton)

    def release(self, place):
        self._down = Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseButtonRelease, place, Qt.MouseButton.LeftButton)

    def drag(self, *places):
        self.press(places[0])
        self.move(*places[1:])
        self.release(places[-1])

    def click(self, *places):
        for place in places:
            self.press(place)
            self.release(place)

    def double_click(self, place):
        self._down = Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseButtonDblClick, place, Qt.MouseButton.LeftButton)
        self.release(place)


def area(window, plane=HERE, structure_id="set#1"):
    region = window.session.case.structure(structure_id).planes.get(plane)
    return 0.0 if region is None else region.area


def take(window, qtbot, tool, active="set#1", **settings):
    window.session.look(active=active)
    qtbot.wait(10)
    window.actions_.trigger(f"draw.{tool}")
    if settings:
        window.drawing.set(**settings)
    assert window.drawing.kind.name == tool
    return Hand(window)


DISK = math.pi * 30**2


def test_the_brush_paints_and_one_undo_takes_it_back(window, qtbot):
    hand = take(window, qtbot, "brush", radius_mm=5.0)
    before = area(window)
    hand.press((45.0, 0.0))
    hand.move((50.0, 0.0), (55.0, 0.0))
    stroke = window.session.view.stroke
    assert stroke.id == "set#1"
    assert stroke.planes[HERE].area > before
    assert area(window) == before, "the case waits for the end of the stroke"
    assert window.session.scene.drawn[0].structure is stroke
    hand.release((55.0, 0.0))
    assert window.session.view.stroke is None
    # The swept disk lies clear of the organ: a rectangle of 10 by 10 mm between two half disks.
    assert area(window) - before == pytest.approx(100 + math.pi * 25, rel=0.01)
    assert window.session.history.undo_label == "Brush on Liver, slice 6"
    window.session.undo()
    assert area(window) == before


def test_what_is_put_away_leaves_no_gap_for_a_frame(window, qtbot):
    for name in ("threshold", None, "brush", None):
        window.drawing.take(name)
        at_once = [window.folds[n].geometry() for n in ("tools", "operations", "structures")]
        settle(window, qtbot)
        assert [window.folds[n].geometry() for n in ("tools", "operations", "structures")] == at_once


def test_shift_turns_the_brush_into_the_eraser_and_back(window, qtbot):
    hand = take(window, qtbot, "brush", radius_mm=5.0)
    before = area(window)
    hand.modifiers = SHIFT
    hand.drag((0.0, 0.0), (10.0, 0.0))
    assert before - area(window) == pytest.approx(100 + math.pi * 25, rel=0.01)
    assert window.session.history.undo_label == "Eraser on Liver, slice 6"
    erased = area(window)
    take(window, qtbot, "eraser", radius_mm=5.0)
    hand.drag((0.0, 0.0), (10.0, 0.0))
    assert area(window) == pytest.approx(before, rel=1e-3)
    assert erased < before


def test_esc_leaves_no_trace_of_a_stroke(window, qtbot):
    hand = take(window, qtbot, "brush")
    before = window.session.case
    hand.press((45.0, 0.0))
    hand.move((60.0, 0.0))
    qtbot.keyClick(hand.view, Qt.Key.Key_Escape)
    assert window.session.view.stroke is None
    hand.move((70.0, 0.0))
    hand.release((70.0, 0.0))
    assert window.session.case is before
    assert window.session.history.entries == ()
    assert window.drawing.kind is not None, "the first Esc drops the stroke, the next one the tool"
    qtbot.keyClick(hand.view, Qt.Key.Key_Escape)
    assert window.drawing.kind is None
    assert hand.view.tool == "point"


def test_nudge_pushes_the_outline_from_inside(window, qtbot):
    hand = take(window, qtbot, "nudge", radius_mm=10.0)
    before = area(window)
    hand.drag((15.0, 0.0), (25.0, 0.0), (32.0, 0.0))
    pushed = area(window)
    assert pushed > before
    assert window.session.case.structure("set#1").planes[HERE].contains(Point(41.0, 0.0))
    hand.drag((0.0, 50.0), (0.0, 35.0), (0.0, 25.0))
    assert area(window) < pushed
    assert not window.session.case.structure("set#1").planes[HERE].contains(Point(0.0, 20.0))


def test_freehand_adds_what_it_encloses(window, qtbot):
    hand = take(window, qtbot, "freehand", active="set#3")
    square = [(-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0), (-60.0, -40.0)]
    hand.drag(*square)
    assert area(window, structure_id="set#3") == pytest.approx(400, rel=0.02)


def test_a_polygon_by_clicks_closes_by_enter_and_by_a_double_click(window, qtbot):
    hand = take(window, qtbot, "polygon", active="set#3")
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0))
    assert area(window, structure_id="set#3") == 0
    assert window.session.view.stroke.planes[HERE].area == pytest.approx(200, rel=0.05)
    hand.click((-10.0, -70.0))
    qtbot.keyClick(hand.view, Qt.Key.Key_Backspace)
    qtbot.keyClick(hand.view, Qt.Key.Key_Return)
    assert area(window, structure_id="set#3") == pytest.approx(200, rel=0.05)
    hand.click((40.0, -60.0), (60.0, -60.0), (60.0, -40.0))
    hand.double_click((60.0, -40.0))
    assert area(window, structure_id="set#3") == pytest.approx(400, rel=0.05)
    assert not window.drawing.pending


def test_an_unfinished_polygon_is_dropped_by_esc_and_taken_by_the_button(window, qtbot):
    hand = take(window, qtbot, "polygon", active="set#3")
    before = window.structures.table.geometry()
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0))
    accept = window.findChild(QPushButton, "tools.accept")
    assert accept.isEnabled()
    assert window.structures.table.geometry() == before, "the list stays where it is under the hand"
    qtbot.keyClick(hand.view, Qt.Key.Key_Escape)
    assert accept.isVisible()
    assert not accept.isEnabled()
    assert window.session.view.stroke is None
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0))
    accept.click()
    assert area(window, structure_id="set#3") == pytest.approx(200, rel=0.05)


def test_the_cut_takes_the_smaller_side(window, qtbot):
    hand = take(window, qtbot, "cut")
    hand.drag((15.0, -50.0), (15.0, 0.0), (15.0, 50.0))
    # A segment of a circle of 30 mm beyond 15 mm from its middle.
    segment = 900 * math.acos(0.5) - 15 * math.sqrt(900 - 225)
    assert area(window) == pytest.approx(DISK - segment, rel=0.01)


def test_an_island_goes_by_a_click(window, qtbot):
    organ = window.session.case.structure("set#1")
    two = organ.planes[HERE].union(box(50, 50, 60, 60))
    window.session.apply(Edit.of("Two", window.session.case, organ, replace(organ, planes={**organ.planes, HERE: two})))
    hand = take(window, qtbot, "island")
    hand.click((55.0, 55.0))
    assert area(window) == pytest.approx(DISK, rel=0.01)


def test_vertices_pull_the_outline(window, qtbot):
    hand = take(window, qtbot, "vertices", active="set#2")
    hand.drag((60.0, 60.0), (64.0, 64.0), (70.0, 70.0))
    assert area(window, structure_id="set#2") == pytest.approx(400 + 2 * 100, rel=0.02)


@pytest.mark.parametrize(
    ("tool", "way", "expected"),
    [
        ("translate", [(50.0, 50.0), (45.0, 50.0), (30.0, 50.0)], (30.0, 50.0, 400.0)),
        ("rotate", [(60.0, 50.0), (57.0, 57.0), (50.0, 60.0)], (50.0, 50.0, 400.0)),
        ("scale", [(60.0, 50.0), (65.0, 50.0), (70.0, 50.0)], (50.0, 50.0, 1600.0)),
    ],
)
def test_move_rotate_and_scale_by_dragging(window, qtbot, tool, way, expected):
    hand = take(window, qtbot, tool, active="set#2")
    hand.drag(*way)
    region = window.session.case.structure("set#2").planes[HERE]
    assert (region.centroid.x, region.centroid.y, region.area) == pytest.approx(expected, rel=0.02)


def test_smart_fill_takes_the_bright_disk(window, qtbot):
    hand = take(window, qtbot, "fill", active="set#3", slices=False)
    hand.click((0.0, 0.0))
    if window.drawing.pending:
        qtbot.keyClick(hand.view, Qt.Key.Key_Return)
    assert area(window, structure_id="set#3") == pytest.approx(DISK, rel=0.06)


def test_a_fill_through_the_slices_is_worked_out_beside_the_window(window, qtbot):
    hand = take(window, qtbot, "fill", active="set#3")
    hand.press((0.0, 0.0))
    hand.release((0.0, 0.0))
    assert window.drawing.working
    hand.move((5.0, 5.0))
    hand.click((20.0, 20.0))  # told, and not taken
    assert window.session.case.structure("set#3").empty
    settle(window, qtbot)
    assert not window.drawing.working
    filled = window.session.case.structure("set#3").planes
    assert len(filled) == 10
    assert all(region.area == pytest.approx(DISK, rel=0.06) for region in filled.values())
    assert [e.label for e in window.session.history.entries] == ["Smart fill on Stomach, slices 1–10"]


@pytest.mark.parametrize("way", ["escape", "undo", "undo of another structure"])
def test_a_fill_at_work_is_dropped_by_escape_and_by_an_undo(window, qtbot, monkeypatch, way):
    """An undo of something else drops it, too: the fill would come as a new edit, and nothing could be done again."""
    hand = take(window, qtbot, "brush", active="set#1" if way == "undo of another structure" else "set#3")
    hand.drag((40.0, 0.0), (45.0, 0.0))
    settle(window, qtbot)
    window.drawing.take(None)
    go_on, begun = threading.Event(), threading.Event()

    def work(report=lambda share: None):
        begun.set()
        assert go_on.wait(20)
        report(0.5)

    hand = take(window, qtbot, "fill", active="set#3")
    before = window.session.case.structure("set#3")
    hand.press((10.0, 0.0))
    monkeypatch.setattr(window.drawing._stroke, "work", work)
    hand.release((10.0, 0.0))
    assert begun.wait(20)
    window.drawing.escape() if way == "escape" else window.session.undo()
    qtbot.waitUntil(lambda: not window.drawing.working)
    go_on.set()
    settle(window, qtbot)
    now = window.session.case.structure("set#3")
    assert now.empty if way == "undo" else now is before
    assert len(window.session.history.entries) == 1
    assert (window.session.history.redo_label is None) == (way == "escape")
    assert window.session.view.stroke is None


def test_a_threshold_begins_with_the_values_of_the_structure_and_then_with_those_of_the_hand(window, qtbot):
    """500 in the organ, 100 around it; an empty structure begins with what lies about the crosshair."""
    window.session.look(point_mm=(50.0, 50.0, 4.0 * HERE))
    take(window, qtbot, "threshold", active="set#1")
    assert 100.0 < window.drawing.tool.low <= 500.0 == window.drawing.tool.high
    window.drawing.take(None)
    take(window, qtbot, "threshold", active="set#3")
    assert (window.drawing.tool.low, window.drawing.tool.high) == (100.0, 100.0)
    window.drawing.set(low=90.0, high=120.0)
    window.drawing.take(None)
    take(window, qtbot, "threshold", active="set#1")
    assert (window.drawing.tool.low, window.drawing.tool.high) == (90.0, 120.0)


def test_threshold_takes_what_is_bright_in_a_box(window, qtbot):
    hand = take(window, qtbot, "threshold", active="set#3", low=300.0, high=1000.0)
    hand.drag((-40.0, -40.0), (0.0, 0.0), (40.0, 40.0))
    if window.drawing.pending:
        qtbot.keyClick(hand.view, Qt.Key.Key_Return)
    assert area(window, structure_id="set#3") == pytest.approx(DISK, rel=0.06)


def test_the_livewire_goes_around_the_disk(window, qtbot):
    hand = take(window, qtbot, "livewire", active="set#3")
    for k in range(8):
        hand.click((30 * math.cos(k * math.pi / 4), 30 * math.sin(k * math.pi / 4)))
    qtbot.keyClick(hand.view, Qt.Key.Key_Return)
    assert area(window, structure_id="set#3") == pytest.approx(DISK, rel=0.06)


def test_a_brush_in_a_sagittal_view_changes_the_slices_that_it_crosses(window, qtbot):
    take(window, qtbot, "brush", radius_mm=6.0)
    hand = Hand(window, "sagittal")
    # Sagittal: right is posterior (y), down is feet (-z). At x = 0 the organ ends at y = 30.
    hand.drag((45.0, -4.0 * HERE), (46.0, -4.0 * HERE))
    changed = [k for k in range(10) if area(window, k) > DISK * 1.001]
    assert changed == [4, 5, 6]


def test_the_brush_grows_by_the_brackets_and_by_the_wheel_with_shift(window, qtbot):
    hand = take(window, qtbot, "brush", radius_mm=8.0)
    window.actions_.trigger("draw.larger")
    assert window.drawing.tool.radius_mm == 9.0
    window.actions_.trigger("draw.smaller")
    assert window.drawing.tool.radius_mm == 8.0
    centre = QPointF(hand.view.rect().center())
    plane = hand.view.viewport_now.position_mm
    QApplication.sendEvent(
        hand.view,
        QWheelEvent(
            centre, hand.view.mapToGlobal(centre), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton, SHIFT,
            Qt.ScrollPhase.NoScrollPhase, False,
        ),
    )  # fmt: skip
    assert window.drawing.tool.radius_mm > 9.0
    assert hand.view.viewport_now.position_mm == plane
    window.actions_.trigger("draw.brush")
    assert "no overlay" in window.actions_["draw.larger"].toolTip()


def test_what_cannot_be_drawn_on_says_why(window, qtbot):
    hand = take(window, qtbot, "brush", active="set#4")
    hand.drag((0.0, 0.0), (5.0, 0.0))
    assert "PTV follows its formula" in window.status.said.whole()
    assert window.strip.messages == (), "nothing moves the picture under the hand"
    assert window.findChild(QPushButton, "tools.freeze").isVisible()
    window.findChild(QPushButton, "tools.freeze").click()
    settle(window, qtbot)
    hand.drag((0.0, 0.0), (5.0, 0.0))
    assert area(window, structure_id="set#4") > 400
    window.session.look(active=None)
    qtbot.wait(10)
    assert window.findChild(QPushButton, "tools.new").isVisible()
    hand.drag((0.0, 0.0), (5.0, 0.0))
    assert "No structure is active" in window.status.said.whole()


def test_a_locked_structure_refuses_the_stroke(window, qtbot):
    take(window, qtbot, "brush")
    window.actions_.trigger("structure.locked")
    qtbot.wait(10)
    before = area(window)
    Hand(window).drag((45.0, 0.0), (50.0, 0.0))
    assert area(window) == before
    assert "Liver is locked" in window.status.said.whole()
    window.findChild(QPushButton, "tools.unlock").click()
    qtbot.wait(10)
    Hand(window).drag((45.0, 0.0), (50.0, 0.0))
    assert area(window) > before


def test_drawing_on_a_hidden_structure_shows_it_first_whatever_the_tool(window, qtbot):
    for kind in KINDS:
        window.session.look(hidden=frozenset({"set#1"}))
        hand = take(window, qtbot, kind.name)
        hand.press((25.0, 0.0))
        assert window.session.view.hidden == frozenset(), kind.name
        assert "Liver was hidden" in window.status.said.whole()
        window.drawing.cancel()
        hand.release((25.0, 0.0))
        window.status.said.say("")


def test_strokes_stay_within_a_limit_and_a_range_of_values(window, qtbot):
    hand = take(window, qtbot, "brush", active="set#3", radius_mm=20.0)
    window.drawing.limit(within="set#1")
    hand.click((30.0, 0.0))
    assert (
        window.session.case.structure("set#3").planes[HERE].difference(Point(0, 0).buffer(30.01, quad_segs=64)).area
        < 0.5
    )
    window.session.undo()
    window.drawing.limit(values=(300.0, 1000.0))
    hand.click((30.0, 0.0))
    inside = window.session.case.structure("set#3").planes[HERE]
    assert inside.difference(Point(0, 0).buffer(31.5)).area < 0.5
    assert inside.contains(Point(20.0, 0.0))


def test_a_range_of_values_below_one_is_not_rounded_away(window, qtbot):
    """As in a map of densities, from 0.1 outside to 0.5 in the organ."""
    case = case_of()
    window.session.open(replace(case, images=(replace(case.images[0], slope=0.001),)))
    window.session.look(mode="contour", active="set#3", point_mm=(0.0, 0.0, 4.0 * HERE))
    hand = take(window, qtbot, "brush", active="set#3", radius_mm=20.0)
    window.findChild(QCheckBox, "tools.by_value").click()
    low, high = (window.findChild(QDoubleSpinBox, f"tools.{end}") for end in ("low", "high"))
    low.setValue(0.3)
    high.setValue(0.55)
    assert (low.text(), window.drawing.values) == ("0.3", (0.3, 0.55))
    hand.click((30.0, 0.0))
    inside = window.session.case.structure("set#3").planes[HERE]
    assert inside.difference(Point(0, 0).buffer(31.5)).area < 0.5
    assert inside.contains(Point(20.0, 0.0))


def test_undo_while_a_polygon_is_open_takes_its_corners_back_and_then_the_edit_before(window, qtbot):
    hand = take(window, qtbot, "brush")
    hand.drag((45.0, 0.0), (50.0, 0.0))
    painted = area(window)
    window.actions_.trigger("draw.polygon")
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0), (-60.0, -40.0))
    window.actions_.trigger("edit.undo")
    assert window.session.view.stroke.planes[HERE].area == pytest.approx(painted + 200, rel=0.01)
    for _ in range(3):
        assert area(window) == painted
        window.actions_.trigger("edit.undo")
    assert not window.drawing.pending
    assert area(window) == painted
    window.actions_.trigger("edit.undo")
    assert area(window) == pytest.approx(DISK, rel=0.01)


def test_undo_while_the_button_is_down_drops_the_stroke_alone(window, qtbot):
    hand = take(window, qtbot, "brush")
    hand.drag((45.0, 0.0), (50.0, 0.0))
    painted = area(window)
    hand.press((-60.0, 0.0))
    hand.move((-50.0, 10.0))
    window.actions_.trigger("edit.undo")
    hand.release((-50.0, 10.0))
    assert window.session.view.stroke is None
    assert area(window) == painted
    assert window.session.history.undo_label


def test_a_jump_in_the_history_while_a_polygon_is_open_drops_it(window, qtbot):
    hand = take(window, qtbot, "brush")
    hand.drag((45.0, 0.0), (50.0, 0.0))
    window.actions_.trigger("draw.polygon")
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0))
    window.session.undo()
    qtbot.wait(20)
    assert window.session.view.stroke is None
    assert area(window) == pytest.approx(DISK, rel=0.01)
    assert not window.drawing.pending


def test_another_tool_says_that_it_drops_an_open_polygon(window, qtbot):
    hand = take(window, qtbot, "polygon")
    hand.click((-60.0, -60.0), (-40.0, -60.0), (-40.0, -40.0))
    window.actions_.trigger("draw.brush")
    assert "polygon on Liver" in window.status.said.whole()


@pytest.mark.parametrize(("tool", "beside"), [("island", (60.0, -60.0)), ("vertices", (0.0, 0.0))])
def test_a_click_beside_what_a_tool_works_on_begins_no_stroke(window, qtbot, tool, beside):
    hand = take(window, qtbot, tool)
    hand.click(beside)
    assert window.status.said.whole() != window.drawing.kind.hint
    assert not window.drawing.pending


def test_a_new_tool_says_what_it_does_though_a_remark_stands_there(window, qtbot):
    window.status.say("Interpolate Stomach: 13 slices; Undo takes it back")
    take(window, qtbot, "nudge")
    assert window.drawing.kind.hint in window.status.said.whole()


def test_names_under_the_cursor_give_way_to_what_the_hand_can_do(window, qtbot):
    window.resize(1140, 800)
    status = window.status
    qtbot.wait(20)
    assert status.names.width() == 0, "nothing has been pointed at yet"
    names = "Duodenum_2, Duodenum, Gallbladder"
    for kind, whole in (("brush", True), ("polygon", False)):
        take(window, qtbot, kind)
        status.point(names, "153 signal  19.0 Gy   -136.5, -134.4, -110.5 mm")
        qtbot.wait(20)
        assert status.said.text() == status.said.whole()
        assert (status.names.text() == names) == whole
    status.point("", "")
    qtbot.wait(20)
    assert status.names.width() <= 2


def test_the_pictures_stay_where_they_are_when_the_panels_need_a_scroll_bar(window, qtbot):
    window.resize(1280, 700)
    hand = take(window, qtbot, "brush")
    qtbot.wait(50)
    bar, place = window.left.verticalScrollBar(), window.views.geometry()
    before = hand.view.geometry(), place
    window.actions_.trigger("operation.clear")
    qtbot.waitUntil(bar.isVisible)
    qtbot.wait(50)
    assert (hand.view.geometry(), window.views.geometry()) == before
    assert window.left.widget().width() == window.left.width(), "the panels keep their room, too"
    edge = bar.mapTo(window, QPoint(0, 0)).x()
    for covered in window.folds["tools"].findChildren(QWidget) + window.folds["operations"].findChildren(QWidget):
        assert not covered.isVisible() or covered.mapTo(window, QPoint(covered.width(), 0)).x() <= edge


def test_the_tools_keep_their_size_in_the_smallest_window(window, qtbot):
    take(window, qtbot, "fill")
    window.resize(window.minimumSize())
    button = window.findChild(QToolButton, "button.draw.fill")
    qtbot.waitUntil(window.left.verticalScrollBar().isVisible)
    assert button.height() == button.width()


def test_enter_and_esc_mean_the_operation_though_a_button_had_the_keyboard(window, qtbot):
    button = window.findChild(QToolButton, "banner.menu")
    for key, left in ((Qt.Key.Key_Escape, DISK), (Qt.Key.Key_Return, 0.0)):
        button.setFocus()
        window.actions_.trigger("operation.clear")
        settle(window, qtbot)
        qtbot.keyClick(window.focusWidget(), key)
        settle(window, qtbot)
        assert window.operating.name is None
        assert area(window) == pytest.approx(left, rel=0.01)


def test_tab_goes_through_the_panels_of_the_hand_as_they_stand(window, qtbot):
    for tool, operation in (("brush", "smooth"), ("fill", "clear")):
        take(window, qtbot, tool)
        window.actions_.trigger(f"operation.{operation}")
        settle(window, qtbot)
        first = window.tools.form.findChild(
            QWidget, "tools.settings.radius_mm" if tool == "brush" else "tools.settings.slices"
        )
        first.setFocus()
        heights = []
        while window.focusWidget().objectName() != "button.structure.new":
            heights.append(window.focusWidget().mapTo(window.left.widget(), QPoint(0, 0)).y())
            qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
            assert len(heights) < 30
        assert len(heights) > 6
        assert heights == sorted(heights)
        window.operating.cancel()


def test_the_keyboard_is_with_the_pictures_again_when_a_strip_goes(window, qtbot):
    offer = window.saving.offer
    offer.make("Edited before", [("Continue", "", lambda: None)])
    window.strip.tell("One")
    window.strip.tell("Two")
    press = Qt.MouseButton.LeftButton
    qtbot.mouseClick(window.strip.dismiss_button, press)
    assert window.focusWidget() is window.strip.dismiss_button, "there is more to read"
    qtbot.mouseClick(window.strip.dismiss_button, press)
    assert window.focusWidget() is window.views["axial"]
    for button in (offer.leave_button, offer.take_button):
        offer.make("Edited before", [("Continue", "", lambda: None)])
        qtbot.mouseClick(button, press)
        assert offer.isHidden()
        assert window.focusWidget() is window.views["axial"]
    window.structures.filter.setFocus()
    offer.make("Edited before", [("Continue", "", lambda: None)])
    offer.withdraw()
    assert window.focusWidget() is window.structures.filter, "the keyboard was elsewhere"


def test_two_quick_clicks_of_the_brush_are_two_dabs_and_maximise_nothing(window, qtbot):
    hand = take(window, qtbot, "brush", active="set#3", radius_mm=5.0)
    hand.click((0.0, 0.0))
    hand.double_click((40.0, 0.0))
    assert window.views.alone is None
    assert area(window, structure_id="set#3") == pytest.approx(2 * math.pi * 25, rel=0.01)


def test_tools_are_for_contour_mode(window, qtbot):
    take(window, qtbot, "brush")
    assert window.folds["tools"].isVisible()
    window.session.look(mode="review")
    qtbot.wait(20)
    assert window.drawing.kind is None
    assert not window.folds["tools"].isVisible()
    assert "Contour" in window.actions_["draw.brush"].toolTip()


def test_a_window_made_higher_or_lower_in_contour_mode_shows_what_has_room(window, qtbot):
    def shown():
        return window.folds["goals"].isVisible(), window.folds["layers"].open

    for height, room in ((800, False), (1060, True), (800, False)):
        window.resize(1280, height)
        qtbot.wait(20)
        assert shown() == (room, room)
    window.session.look(mode="review")
    qtbot.wait(20)
    assert shown() == (True, True)
    window.folds["layers"].set_open(False)
    window.resize(1280, 1060)
    qtbot.wait(20)
    assert shown() == (True, False), "folded by hand"


def test_every_tool_can_be_taken_says_what_it_does_and_draws_its_guides(window, qtbot):
    for kind in KINDS:
        hand = take(window, qtbot, kind.name)
        assert kind.hint in window.status.said.whole()
        assert kind.hint in window.actions_[f"draw.{kind.name}"].toolTip()
        hand.move((0.0, 0.0), (20.0, 0.0))
        hand.view.grab()
        assert all(isinstance(g, contract.Guide) for g in window.drawing.guides(hand.view))
