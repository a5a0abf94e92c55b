"""The slice view as a hand and an eye meet it: real widgets, driven by mouse and keys, read by the pixel."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QLineEdit
from reviewer_widgets.canvas import late
from reviewer_widgets.canvas.painting import Painting
from reviewer_widgets.canvas.slice_view import SliceView
from shapely import box

from reviewer.case import Case, Dose, Image, Registration, Structure, StructureSet, Window
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.scene import ORIENTATIONS, Isodose, view_planes
from reviewer.session import Session

W, H = 480, 400
LIGHT = Window(500.0, 1000.0)
ACQUISITIONS = {
    "head first supine": np.eye(3),
    "prone": np.diag([-1.0, -1.0, 1.0]),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}


def grid_of(axes=None, frame="f", spacing=(1.0, 2.0), size=(61, 41), count=21):
    """Anisotropic pixels and planes; the centre of the volume is the origin."""
    axes = np.eye(3) if axes is None else axes
    origin = tuple(-s * (n - 1) / 2 for s, n in zip(spacing, size, strict=True))
    return Grid(axes, origin, spacing, size, (np.arange(count) - (count - 1) / 2) * 3.0, frame)


def image_of(grid, values=400, name="ct", modality="CT", **more):
    return Image(name, modality, name, grid, np.full(grid.shape_zyx, values, np.int16), **more)


@pytest.fixture
def shown(qtbot):
    """Make a shown view of a case and forget it afterwards."""

    def show(case, orientation="axial", size=(W, H), **wishes):
        session = Session(case)
        session.look(**{"base": case.images[0].id, "point_mm": (0.0, 0.0, 0.0), "crosshair": False, **wishes})
        view = SliceView(session, orientation)
        qtbot.addWidget(view)
        view.resize(*size)
        view.show()
        view.settle()
        QApplication.processEvents()
        return session, view

    return show


def pixels(view):
    """(rows, columns, 3) red, green, blue as painted."""
    QApplication.processEvents()
    image = view.grab().toImage().convertToFormat(view.grab().toImage().Format.Format_RGB888)
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return data[:, : image.width() * 3].reshape(image.height(), image.width(), 3).astype(int)


def at(view, point_mm):
    """Red, green, blue of the pixel in which a patient point lies."""
    port = view.viewport_now
    x, y = port.pixel(port.projected(point_mm))
    return pixels(view)[int(y), int(x)]


def mouse(view, kind, pixel, button=Qt.MouseButton.NoButton, buttons=None, keys=Qt.KeyboardModifier.NoModifier):
    place = QPointF(*pixel)
    buttons = button if buttons is None else buttons
    event = QMouseEvent(kind, place, view.mapToGlobal(place), button, buttons, keys)
    QApplication.sendEvent(view, event)


def drag(view, start, end, button=Qt.MouseButton.LeftButton, keys=Qt.KeyboardModifier.NoModifier):
    none = Qt.MouseButton.NoButton
    mouse(view, QEvent.Type.MouseButtonPress, start, button, keys=keys)
    mouse(view, QEvent.Type.MouseMove, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), none, button, keys)
    mouse(view, QEvent.Type.MouseMove, end, none, button, keys)
    mouse(view, QEvent.Type.MouseButtonRelease, end, button, none, keys)


def wheel(view, delta, pixel=(W / 2, H / 2), keys=Qt.KeyboardModifier.NoModifier):
    place = QPointF(*pixel)
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        place, view.mapToGlobal(place), QPoint(), QPoint(0, delta), none, keys, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(view, event)


# -- where things stand -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_a_patient_point_is_painted_where_the_view_says_and_left_is_at_the_right(shown, acquisition, orientation):
    grid = grid_of(ACQUISITIONS[acquisition])
    image = image_of(grid, 0)
    index = np.array([13, 25, 37])
    image.voxels[tuple(index)] = 1000
    point = grid.point_of_index_mm(index)
    _, view = shown(Case(images=(image,)), orientation, point_mm=tuple(map(float, point)), windows={"ct": LIGHT})
    assert at(view, point).min() > 200
    assert at(view, -point).max() < 10
    port = view.viewport_now
    x, y = port.pixel(port.projected(point))
    side = point[0] > 0 if orientation != "sagittal" else point[1] > 0
    assert (x > W / 2) == side
    assert (y > H / 2) == (point[1] > 0 if orientation == "axial" else point[2] < 0)


def test_an_oblique_image_stands_along_its_own_rows(shown):
    c, s = np.cos(0.3), np.sin(0.3)
    grid = grid_of(np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]))
    image = image_of(grid, 0)
    image.voxels[10, 30, 50] = 1000
    point = grid.point_of_index_mm([10, 30, 50])
    _, view = shown(Case(images=(image,)), windows={"ct": LIGHT})
    assert at(view, point).min() > 200
    assert view.viewport_now.plane == view_planes(grid)["axial"]


def test_uneven_planes_stand_at_their_own_positions(shown):
    positions = np.array([-30.0, -27.0, -24.0, -10.0, 0.0, 20.0])
    grid = Grid(np.eye(3), (-30.0, -30.0), (1.0, 1.0), (61, 61), positions, "f")
    image = image_of(grid, 0)
    image.voxels[3] = 1000  # at -10 mm
    _, view = shown(Case(images=(image,)), "coronal", windows={"ct": LIGHT})
    assert at(view, (5, 0, -10)).min() > 245
    assert 100 < at(view, (5, 0, -17)).min() < 155  # half way to the plane at -24
    assert 100 < at(view, (5, 0, -5)).min() < 155
    assert at(view, (5, 0, 1)).max() < 10


# -- layers -------------------------------------------------------------------------------------------------------------


def tied_case(matrix=None, over=800):
    """A base of 400 and a smaller overlay in a frame of its own."""
    base = image_of(grid_of())
    grid = grid_of(frame="g", size=(31, 21), count=11)
    overlay = image_of(grid, over, "mr", "MR")
    registrations = () if matrix is None else (Registration("r", "REG", "g", "f", matrix),)
    return Case(images=(base, overlay), registrations=registrations)


def test_an_overlay_without_registration_is_refused_in_the_view(shown):
    _, view = shown(tied_case(), overlay="mr", blend=1.0, windows={"ct": LIGHT})
    assert at(view, (0, 0, 0)).tolist() == [102] * 3
    said = [p.text for p in view.facts]
    assert any("not registered" in text for text in said)


def test_an_overlay_stands_where_its_registration_puts_it_and_is_transparent_outside(shown):
    turned = np.eye(4)
    turned[:3, :3] = [[0.9, -np.sqrt(0.19), 0], [np.sqrt(0.19), 0.9, 0], [0, 0, 1]]
    turned[:3, 3] = [12, 0, 0]
    session, view = shown(tied_case(turned), overlay="mr", blend=1.0, windows={"ct": LIGHT, "mr": LIGHT})
    assert at(view, (12, 0, 0)).min() == pytest.approx(204, abs=2)
    corner = turned[:3, :3] @ [14, 18, 0] + [12, 0, 0]
    assert at(view, corner).min() == pytest.approx(204, abs=2)
    assert at(view, (-20, 0, 0)).tolist() == [102] * 3
    session.look(blend=0.5)
    assert at(view, (12, 0, 0)).min() == pytest.approx((102 + 204) / 2, abs=2)
    session.look(overlay_on=False)
    assert at(view, (12, 0, 0)).tolist() == [102] * 3


def test_swipe_shows_the_overlay_right_of_an_edge_that_the_hand_drags(shown):
    session, view = shown(
        tied_case(np.eye(4)), overlay="mr", style="swipe", swipe=0.5, windows={"ct": LIGHT, "mr": LIGHT}
    )
    assert at(view, (-8, 5, 0)).tolist() == [102] * 3
    assert at(view, (8, 5, 0)).min() == pytest.approx(204, abs=1)
    drag(view, (W / 2 + 3, 100), (W * 0.25, 100))
    assert session.view.swipe == pytest.approx(0.25)
    assert session.view.point_mm == (0.0, 0.0, 0.0)
    assert at(view, (-8, 5, 0)).min() == pytest.approx(204, abs=1)


def test_the_spyglass_shows_the_overlay_under_the_cursor_only(shown):
    _, view = shown(tied_case(np.eye(4)), overlay="mr", style="spyglass", windows={"ct": LIGHT, "mr": LIGHT})
    port = view.viewport_now
    assert at(view, (10, 10, 0)).tolist() == [102] * 3
    mouse(view, QEvent.Type.MouseMove, port.pixel((10, 10)))
    assert at(view, (10, 10, 0)).min() == pytest.approx(204, abs=1)
    assert at(view, (-14, -18, 0)).tolist() == [102] * 3
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert at(view, (10, 10, 0)).tolist() == [102] * 3


def test_a_series_that_is_still_read_shows_what_has_arrived_and_says_so(shown):
    pending = np.ones(21, bool)
    pending[9:12] = False
    image = image_of(grid_of(), 800, pending=pending)
    session, view = shown(Case(images=(image,)), "coronal", windows={"ct": LIGHT})
    assert at(view, (0, 0, 0)).min() == pytest.approx(204, abs=1)
    assert at(view, (0, 0, 15)).max() == 0
    assert "reading…" in [p.text for p in view.facts]
    pending[:] = False
    session.voxels_arrived("ct")
    assert at(view, (0, 0, 15)).min() == pytest.approx(204, abs=1)
    assert "reading…" not in [p.text for p in view.facts]


def dose_case():
    grid = Grid(np.eye(3), (-20.0, -20.0), (2.0, 2.0), (21, 21), np.arange(-10, 11) * 3.0, "f")
    x = np.broadcast_to(-20.0 + 2.0 * np.arange(21), grid.shape_zyx)
    dose = Dose("d", "RISING", grid, (x + 20).astype(np.float32))  # 0 Gy at x = -20 mm to 40 Gy at +20 mm
    return Case(images=(image_of(grid_of()),), doses=(dose,))


@pytest.mark.parametrize("orientation", ["axial", "coronal"])
def test_dose_wash_and_lines_stand_where_the_dose_is(shown, orientation):
    look = {"dose": "d", "isodoses": (Isodose(20.0, (255, 0, 0)),), "wash_opacity": 1.0, "windows": {"ct": LIGHT}}
    session, view = shown(dose_case(), orientation, **look, isodose_lines=False)
    away = (0, 9, 0) if orientation == "axial" else (0, 0, 9)
    assert at(view, np.add(away, (1, 0, 0))).tolist() == [255, 0, 0]
    assert at(view, np.subtract(away, (1, 0, 0))).tolist() == [102] * 3
    assert at(view, np.add(away, (22, 0, 0))).tolist() == [102] * 3  # beyond the dose grid: unknown, not coloured
    session.look(wash=False, isodose_lines=True)
    row = pixels(view)[int(view.viewport_now.pixel(view.viewport_now.projected(away))[1])]
    red = np.flatnonzero(row[:, 0] - row[:, 1] > 60)
    assert red.mean() + 0.5 == pytest.approx(W / 2, abs=1.0)
    assert len(red) <= 4


def structure_case(holes=False):
    grid = grid_of()
    region = box(5, 4, 15, 16)
    if holes:
        region = region.difference(box(8, 8, 12, 12))
    planes = dict.fromkeys(range(8, 13), region)  # 6 slices' worth around 0: -6 to 6 mm
    organ = Structure("o", "Duodenum", grid, planes, "ORGAN", (0, 255, 0), "ct")
    return Case(images=(image_of(grid),), structure_sets=(StructureSet("ss", "RS", (organ,), "ct", "f"),))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_contours_are_drawn_in_all_planes_where_the_structure_is(shown, orientation):
    _, view = shown(
        structure_case(), orientation, point_mm=(10.0, 10.0, 0.0), structure_set="ss", filled=frozenset({"o"})
    )
    inside = at(view, (10, 10, 0))
    assert inside[1] > inside[0] + 20
    outside = at(view, (-10, -10, 0) if orientation == "axial" else (-10, -10, 25))
    assert outside.max() - outside.min() < 3
    port = view.viewport_now
    edge = {"axial": (5, 10, 0), "sagittal": (10, 4, 0), "coronal": (5, 10, 0)}[orientation]
    x, y = port.pixel(port.projected(edge))
    strip = pixels(view)[int(y), int(x) - 3 : int(x) + 4]
    assert (strip[:, 1] - strip[:, 0]).max() > 120


def test_holes_stay_empty_and_hidden_structures_are_not_drawn(shown):
    session, view = shown(structure_case(holes=True), structure_set="ss", filled=frozenset({"o"}))
    hole, flesh = at(view, (10, 10, 0)), at(view, (6.5, 6, 0))
    assert np.ptp(hole) < 3
    assert flesh[1] > flesh[0] + 20
    session.look(hidden=frozenset({"o"}))
    assert np.ptp(at(view, (6.5, 6, 0))) < 3


def test_hovering_an_outline_names_the_structure(shown, qtbot):
    _, view = shown(structure_case(), structure_set="ss")
    port = view.viewport_now
    heard = []
    view.pointed.connect(heard.append)
    mouse(view, QEvent.Type.MouseMove, port.pixel((5.2, 10)))
    assert heard[-1].structures == ("Duodenum",)
    mouse(view, QEvent.Type.MouseMove, port.pixel((-10, -10)))
    assert heard[-1].structures == ()


# -- what it says -------------------------------------------------------------------------------------------------------


def test_the_value_under_the_cursor(shown):
    case = dose_case()
    case.images[0].voxels[10, 25, 40] = 42
    point = case.images[0].grid.point_of_index_mm([10, 25, 40])
    _, view = shown(case, dose="d")
    heard = []
    view.pointed.connect(heard.append)
    port = view.viewport_now
    mouse(view, QEvent.Type.MouseMove, port.pixel(port.projected(point)))
    assert heard[-1].base == 42
    assert heard[-1].dose_gy == pytest.approx(20 + point[0], abs=0.3)
    assert heard[-1].point_mm == pytest.approx(tuple(point), abs=0.2)
    assert heard[-1].text.startswith("42 HU")
    mouse(view, QEvent.Type.MouseMove, port.pixel((25.0, -25.0)))
    assert heard[-1].dose_gy is None
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


@pytest.mark.parametrize("size", [(300, 250), (160, 140), (1280, 800)])
def test_no_words_overlap_at_any_size(shown, size):
    case = tied_case()
    _, view = shown(case, size=size, overlay="mr", windows={"ct": LIGHT})
    boxes = [p.box for p in view.facts]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= size[0]
        for a, b, c, d in boxes[i + 1 :]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y
    assert any("not registered" in p.text or "…" in p.text for p in view.facts)


def test_the_value_under_the_cursor_leaves_the_scale_bar_its_label(shown):
    """The bar ends 8 pixels above the border; its label is one line high and stands 3 pixels above the bar."""
    _, view = shown(tied_case(), size=(400, 300), windows={"ct": LIGHT})
    mouse(view, QEvent.Type.MouseMove, (200.0, 150.0))
    view.grab()
    _, y, _, line = next(p.box for p in view.facts if p.fact.name == "pointed")
    assert y + line <= 300 - 8 - 3 - line


def test_without_a_case_it_says_so_and_takes_no_harm(qtbot):
    view = SliceView(Session(), "axial")
    qtbot.addWidget(view)
    view.resize(W, H)
    view.show()
    wheel(view, 120)
    drag(view, (10, 10), (50, 50))
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert pixels(view).max() > 50


# -- hands --------------------------------------------------------------------------------------------------------------


def test_wheel_and_keys_go_from_slice_to_slice_and_stop_at_the_ends(shown, qtbot):
    session, view = shown(tied_case())
    wheel(view, 120)
    assert session.view.point_mm[2] == 3.0
    wheel(view, -60)
    wheel(view, -60)
    assert session.view.point_mm[2] == 0.0
    for key, z in ((Qt.Key.Key_PageUp, 3.0), (Qt.Key.Key_Up, 6.0), (Qt.Key.Key_Down, 3.0), (Qt.Key.Key_PageDown, 0.0)):
        qtbot.keyClick(view, key)
        assert session.view.point_mm[2] == z
    wheel(view, 120 * 500)
    assert session.view.point_mm[2] == 30.0
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert session.view.point_mm == (0.0, 0.0, 30.0)


def test_a_point_between_slices_shows_the_nearest_and_the_wheel_lands_on_slices(shown):
    session, view = shown(tied_case(), point_mm=(0.0, 0.0, 1.2))
    assert view.viewport_now.position_mm == 0.0
    wheel(view, 120)
    assert session.view.point_mm[2] == 3.0


def test_click_and_drag_set_the_crosshair_in_millimetres(shown):
    session, view = shown(tied_case(), "coronal")
    port = view.viewport_now
    drag(view, port.pixel((0, 0)), port.pixel((12, -9)))
    assert session.view.point_mm == pytest.approx((12, 0, 9), abs=1e-6)


def test_shift_and_move_take_the_crosshair_along_without_a_button(shown):
    session, view = shown(tied_case())
    port = view.viewport_now
    mouse(view, QEvent.Type.MouseMove, port.pixel((7, 8)))
    assert session.view.point_mm == (0.0, 0.0, 0.0)
    mouse(view, QEvent.Type.MouseMove, port.pixel((7, 9)), keys=Qt.KeyboardModifier.ShiftModifier)
    assert session.view.point_mm == pytest.approx((7, 9, 0), abs=1e-6)


def test_the_crosshair_is_drawn_with_a_gap_and_can_be_put_away(shown):
    session, view = shown(tied_case(), crosshair=True)
    row = pixels(view)[H // 2]
    yellow = (row[:, 0] - row[:, 2]) > 40
    assert yellow[100:200].all()
    assert not yellow[W // 2 - 10 : W // 2 - 2].any()
    session.look(crosshair=False)
    row = pixels(view)[H // 2]
    assert not ((row[:, 0] - row[:, 2]) > 40)[100:200].any()


def test_zoom_keeps_the_point_under_the_cursor(shown):
    _, view = shown(tied_case())
    pixel = (330.0, 120.0)
    before = view.viewport_now
    wheel(view, 240, pixel, Qt.KeyboardModifier.ControlModifier)
    after = view.viewport_now
    assert after.mm_per_pixel == pytest.approx(before.mm_per_pixel / 1.44)
    assert after.plane_mm(pixel) == pytest.approx(before.plane_mm(pixel))
    drag(view, pixel, (330.0, 20.0), Qt.MouseButton.RightButton)
    assert view.viewport_now.mm_per_pixel < after.mm_per_pixel
    assert view.viewport_now.plane_mm(pixel) == pytest.approx(before.plane_mm(pixel))


@pytest.mark.parametrize("hand", ["middle", "space"])
def test_panning_moves_the_picture_with_the_pointer(shown, qtbot, hand):
    _, view = shown(tied_case())
    before = view.viewport_now
    if hand == "space":
        qtbot.keyPress(view, Qt.Key.Key_Space)
        drag(view, (100, 100), (150, 80))
        qtbot.keyRelease(view, Qt.Key.Key_Space)
    else:
        drag(view, (100, 100), (150, 80), Qt.MouseButton.MiddleButton)
    assert view.viewport_now.plane_mm((150, 80)) == pytest.approx(before.plane_mm((100, 100)))


def test_the_camera_survives_another_size_and_is_reset(shown, qtbot):
    session, view = shown(tied_case())
    fitted = view.viewport_now
    view.zoom(3.0, (100.0, 100.0))
    zoomed = view.viewport_now
    view.resize(900, 700)
    QApplication.processEvents()
    assert view.viewport_now.mm_per_pixel == zoomed.mm_per_pixel
    assert view.viewport_now.middle_mm == zoomed.middle_mm
    view.resize(W, H)
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert view.viewport_now == fitted
    assert session.view.cameras == MappingProxyType({})
    view.zoom(3.0)
    qtbot.mouseDClick(view, Qt.MouseButton.MiddleButton)
    assert view.viewport_now == fitted


def test_window_and_level_by_drag_by_tool_and_by_typing(shown, qtbot):
    session, view = shown(tied_case(), windows={"ct": Window(100.0, 500.0)})
    drag(view, (200, 200), (325, 150), keys=Qt.KeyboardModifier.AltModifier)
    assert session.view.windows["ct"] == Window(0.0, 750.0)
    view.set_tool("window")
    drag(view, (200, 200), (200, 225))
    assert session.view.windows["ct"] == Window(75.0, 750.0)
    view.set_tool("point")
    x, y, w, h = next(p.box for p in view.facts if p.fact.name == "window")
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(int(x + w / 2), int(y + h / 2)))
    editor = view.findChild(QLineEdit, "window_level_editor")
    editor.clear()
    qtbot.keyClicks(editor, "nonsense")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert session.view.windows["ct"] == Window(75.0, 750.0)
    editor.clear()
    qtbot.keyClicks(editor, "1500 -600")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert session.view.windows["ct"] == Window(-600.0, 1500.0)


def test_double_click_asks_for_the_whole_window(shown, qtbot):
    _, view = shown(tied_case())
    with qtbot.waitSignal(view.maximise_requested, timeout=1000):
        qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(W // 2, H // 2))


def test_distances_are_drawn_in_millimetres_stay_and_go_with_esc(shown, qtbot):
    session, view = shown(tied_case(), "sagittal")
    port = view.viewport_now
    view.set_tool("distance")
    drag(view, port.pixel((-20, 10)), port.pixel((10, -30)))
    drag(view, port.pixel((0, 0)), port.pixel((5, 0)))
    assert [d.length_mm for d in view.distances] == pytest.approx([50.0, 5.0])
    assert session.view.point_mm == (0.0, 0.0, 0.0)
    x, y = port.pixel((2.5, 0))
    drawn = pixels(view)[int(y) - 2 : int(y) + 3, int(x)]
    assert (drawn[:, 0] - drawn[:, 2]).max() > 40
    wheel(view, 120)
    drawn = pixels(view)[int(y) - 2 : int(y) + 3, int(x)]
    assert (drawn[:, 0] - drawn[:, 2]).max() < 5  # it belongs to its slice
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.distances == ()
    assert view.tool == "distance"
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.tool == "point"


def test_esc_takes_back_a_drag_that_is_under_way(shown, qtbot):
    session, view = shown(tied_case())
    mouse(view, QEvent.Type.MouseButtonPress, (100, 100), Qt.MouseButton.LeftButton)
    mouse(view, QEvent.Type.MouseMove, (200, 150), buttons=Qt.MouseButton.LeftButton)
    assert session.view.point_mm != (0.0, 0.0, 0.0)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert session.view.point_mm == (0.0, 0.0, 0.0)


# -- manners ------------------------------------------------------------------------------------------------------------


def test_many_changes_are_one_paint(shown, monkeypatch):
    session, _ = shown(tied_case())
    paints = []
    original = Painting.paint
    monkeypatch.setattr(Painting, "paint", lambda *given: (paints.append(1), original(*given)))
    for k in range(20):
        session.look(point_mm=(float(k), 0.0, 0.0))
    QApplication.processEvents()
    QApplication.processEvents()
    assert len(paints) == 1


def test_the_next_slice_of_the_way_is_ready_before_it_is_asked_for(shown, qtbot, monkeypatch):
    session, view = shown(structure_case(), "sagittal", structure_set="ss")
    prepared = []
    cut = late.section_module().outline
    monkeypatch.setattr(late.section_module(), "outline", lambda *given: (prepared.append(given[2][0]), cut(*given))[1])
    before = session.view.point_mm[0]
    view.scroll(1)
    view.grab()
    here = session.view.point_mm[0]
    qtbot.waitUntil(lambda: pytest.approx(2 * here - before) in prepared)
    prepared.clear()
    view.scroll(1)
    view.grab()
    assert pytest.approx(session.view.point_mm[0]) not in prepared
    view.scroll(-5)  # not on the way
    view.grab()
    assert pytest.approx(session.view.point_mm[0]) in prepared


def test_another_case_leaves_nothing_of_the_one_before(shown):
    session, view = shown(structure_case(), structure_set="ss", filled=frozenset({"o"}))
    view.zoom(2.0)
    other = Case(images=(image_of(grid_of(frame="new"), 800, "other"),))
    session.open(other)
    session.look(windows={"other": LIGHT}, crosshair=False)
    QApplication.processEvents()
    assert at(view, (10, 10, 0)).tolist() == [204] * 3
    assert session.view.cameras == {}


def test_views_leave_nothing_behind(qtbot, no_survivors):
    session = Session(structure_case())
    for _ in range(3):
        views = [SliceView(session, o) for o in ORIENTATIONS]
        for view in views:
            view.resize(W, H)
            view.show()
            view.settle()
        QApplication.processEvents()
        session.look(point_mm=(1.0, 2.0, 3.0))
        for view in views:
            view.close()
            view.deleteLater()
        del view, views
    session.look(point_mm=(0.0, 0.0, 0.0))
    QApplication.processEvents()


def test_importing_the_view_loads_nothing_slow():
    code = (
        "import sys, reviewer_widgets.canvas.slice_view;"
        "print([m for m in ('numba', 'SimpleITK', 'pydicom', 'vtkmodules', 'pyqtgraph') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_an_edit_redraws_the_structure_and_undo_brings_it_back(shown):
    case = structure_case()
    session, view = shown(case, structure_set="ss", filled=frozenset({"o"}), windows={"ct": LIGHT})
    before = case.structures[0]
    after = replace(before, planes={k: box(-15, -16, -5, -4) for k in before.planes})
    assert at(view, (10, 10, 0))[1] > at(view, (-10, -10, 0))[1] + 20
    session.apply(Edit.of("Move", case, before, after))
    assert at(view, (-10, -10, 0))[1] > at(view, (10, 10, 0))[1] + 20
    session.undo()
    assert at(view, (10, 10, 0))[1] > at(view, (-10, -10, 0))[1] + 20


def test_a_dose_that_is_not_a_number_is_unknown_not_zero_and_not_coloured(shown):
    case = dose_case()
    case.doses[0].gray[:] = np.nan
    look = {"dose": "d", "isodoses": (Isodose(0.0, (255, 0, 0)),), "wash_opacity": 1.0, "windows": {"ct": LIGHT}}
    _, view = shown(case, **look)
    heard = []
    view.pointed.connect(heard.append)
    mouse(view, QEvent.Type.MouseMove, view.viewport_now.pixel((3, 3)))
    assert heard[-1].dose_gy is None
    assert at(view, (9, 9, 0)).tolist() == [102] * 3


def test_a_solid_that_is_finished_while_a_paint_is_planned_comes_with_the_next(shown, qtbot, monkeypatch):
    """Then nothing is being built any more when the paint ends, and yet it lacks a structure."""
    session, view = shown(Case(images=(image_of(grid_of()),)), "sagittal")
    known, asked = late.solid_known, []

    def finished_at_once(structure):
        there = known(structure)
        if not there:
            asked.append(structure.id)
            while late.building():
                time.sleep(0.001)
        return there

    monkeypatch.setattr(late, "solid_known", finished_at_once)
    session.open(structure_case())
    session.look(point_mm=(10.0, 10.0, 0.0), structure_set="ss", filled=frozenset({"o"}), crosshair=False)

    def green():
        x, y = (round(c) for c in view.viewport_now.pixel(view.viewport_now.projected((10, 10, 0))))
        seen = view.backingStore().paintDevice().pixelColor(x, y)
        return seen.green() > seen.red() + 20

    qtbot.waitUntil(green, timeout=20_000)
    assert asked == ["o"]


def test_solids_of_a_new_case_are_built_beside_the_window(shown, qtbot, monkeypatch):
    session, view = shown(Case(images=(image_of(grid_of()),)), "sagittal")
    module, threads = late.solid_module(), []
    build = module._build
    monkeypatch.setattr(module, "_build", lambda stack: (threads.append(threading.current_thread()), build(stack))[1])
    session.open(structure_case())
    session.look(point_mm=(10.0, 10.0, 0.0), structure_set="ss", filled=frozenset({"o"}), crosshair=False)
    view.grab()
    qtbot.waitUntil(lambda: view.complete)
    inside = at(view, (10, 10, 0))
    assert inside[1] > inside[0] + 20
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    # An edit has a new solid in a moment, and the contour does not vanish meanwhile.
    before = session.case.structure("o")
    after = replace(before, planes={k: box(5, 4, 15, 14) for k in before.planes})
    session.apply(Edit.of("Shorten", session.case, before, after))
    inside = at(view, (10, 10, 0))
    assert inside[1] > inside[0] + 20
