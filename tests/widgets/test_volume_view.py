"""The 3D view as a person meets it: pictures are read at points, hands are real mouse events."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import shapely
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from reviewer_widgets.canvas.volume.view import VolumeView

from reviewer.case import Case, Dose, Image, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.scene import Isodose
from reviewer.session import Session

RED, BLUE = (255, 0, 0), (0, 0, 255)


def grid(frame="F"):
    return Grid(np.eye(3), (-60.0, -60.0), (1.0, 1.0), (121, 121), (np.arange(41) - 20) * 3.0, frame)


def ball(name, centre, radius, colour, type_="GTV", frame="F"):
    g = grid(frame)
    heights = {k: radius**2 - (w - centre[2]) ** 2 for k, w in enumerate(g.positions_mm)}
    planes = {k: shapely.Point(centre[0], centre[1]).buffer(h**0.5) for k, h in heights.items() if h > 0}
    return Structure(name, name, g, planes, type_, colour, "CT")


def case(*structures, dose=False, frame="F"):
    image = Image("CT", "CT", "ct", grid(), np.zeros(grid().shape_zyx, np.int16))
    z, y, x = np.meshgrid(grid().positions_mm, np.arange(-60, 61), np.arange(-60, 61), indexing="ij")
    gray = (60.0 - np.sqrt(x**2 + y**2 + z**2)).astype(np.float32)
    doses = (Dose("D", "adapted", grid(frame), gray),) if dose else ()
    return Case(
        images=(image,), structure_sets=(StructureSet("RS", "day", structures, "CT", structures[0].grid.frame_of_reference_uid),), doses=doses
    )  # fmt: skip


@pytest.fixture
def shown(jobs):
    """Makes a view of a session, complete, seen from anterior, without crosshair."""
    views = []

    def make(session, size=(320, 240)):
        session.look(crosshair=False)
        view = VolumeView(session, jobs)
        views.append(view)
        view.resize(*size)
        view.show()
        assert view.wait(60)
        view.look_from("A")
        assert view.wait(60)
        return view

    yield make
    for view in views:
        view.close()
        view.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def colour(view, x=None, y=None):
    picture = view.grab().toImage()
    c = QColor(picture.pixel(picture.width() // 2 if x is None else x, picture.height() // 2 if y is None else y))
    return c.red(), c.green(), c.blue()


def test_a_red_sphere_is_red_in_the_middle_and_gone_when_hidden(shown):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED)))
    view = shown(session)
    red, green, blue = colour(view)
    assert red > 150
    assert max(green, blue) < 100
    assert max(colour(view, 30, 120)) < 30  # beside it
    session.look(hidden=frozenset({"GTV"}))
    assert view.wait()
    assert view.notes() == []
    red, green, blue = colour(view, 160, 100)
    assert max(red, green, blue) < 40
    session.look(hidden=frozenset())
    assert view.wait()
    assert colour(view)[0] > 150


def test_left_is_on_the_right_seen_from_anterior_and_head_is_up(shown):
    session = Session(case(ball("GTV", (30, 0, 0), 12, RED), ball("CTV", (-30, 0, 0), 12, BLUE, "GTV")))
    view = shown(session)
    x, y = view.orbit.pixel((30, 0, 0), view.width(), view.height())
    assert x > view.width() / 2
    assert colour(view, round(x), round(y))[0] > 120
    x, y = view.orbit.pixel((-30, 0, 0), view.width(), view.height())
    assert colour(view, round(x), round(y))[2] > 120


def test_recolouring_keeps_the_surface_and_changes_the_picture(shown):
    gtv = ball("GTV", (0, 0, 0), 25, RED)
    session = Session(case(gtv))
    view = shown(session)
    mesh = view._meshes["GTV"][1]
    session.apply(Edit.of("Recolour GTV", session.case, gtv, replace(gtv, colour=BLUE)))
    assert view.wait()
    assert view._meshes["GTV"][1] is mesh
    red, _, blue = colour(view)
    assert blue > 150 > red


def test_an_edit_of_the_contours_rebuilds_that_surface_only(shown):
    gtv = ball("GTV", (0, 0, 0), 25, RED)
    session = Session(case(gtv, ball("Other", (45, 0, 0), 8, BLUE)))
    view = shown(session)
    other = view._meshes["Other"][1]
    smaller = replace(gtv, planes={k: r.buffer(-15) for k, r in gtv.planes.items() if not r.buffer(-15).is_empty})
    session.apply(Edit.of("Shrink GTV", session.case, gtv, smaller))
    assert view.wait()
    assert view._meshes["Other"][1] is other
    low, high = view._meshes["GTV"][1].bounds_mm
    assert high[0] - low[0] == pytest.approx(20, abs=1.0)
    session.undo()
    assert view.wait()
    low, high = view._meshes["GTV"][1].bounds_mm
    assert high[0] - low[0] == pytest.approx(50, abs=1.0)


def test_structures_without_registration_are_refused_in_words(shown):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED, frame="elsewhere")))
    session.look(base="CT")
    view = shown(session)
    assert any("not registered" in note for note in view.notes())
    assert max(colour(view, 160, 100)) < 60


def test_what_is_being_built_is_said(qapp, jobs):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED), ball("PTV", (0, 0, 0), 30, BLUE)))
    view = VolumeView(session, jobs)
    assert view.notes() == ["building 2 of 2 surfaces …"]
    assert not view.complete
    view.deleteLater()


def test_isodoses_are_drawn_named_and_follow_the_levels(shown):
    session = Session(case(ball("Liver", (0, 0, 0), 50, (120, 60, 40), "ORGAN"), dose=True))
    session.look(dose="D", isodoses=(Isodose(40.0, (0, 255, 0)),), hidden=frozenset({"Liver"}))
    view = shown(session)
    assert list(view._shown.pieces) == ["isodose 40.0"]
    assert colour(view)[1] > 60
    low, high = view._shown.pieces["isodose 40.0"].mesh.bounds_mm
    assert high[0] - low[0] == pytest.approx(40.0, abs=1.0)
    session.look(isodoses=(Isodose(30.0, (0, 255, 0)),))
    assert view.wait()
    assert list(view._shown.pieces) == ["isodose 30.0"]
    session.look(isodose_lines=False)
    assert view.wait()
    assert list(view._shown.pieces) == []


def test_a_dose_that_is_not_registered_is_refused_in_words(shown):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED), dose=True, frame="F"))
    other = Session(replace(session.case, doses=(replace(session.case.doses[0], grid=grid("elsewhere")),)))
    other.look(dose="D")
    view = shown(other)
    assert any("dose" in note and "not registered" in note for note in view.notes())


def test_a_click_highlights_and_the_body_is_seen_through(shown):
    body = ball("Body", (0, 0, 0), 55, (200, 180, 160), "EXTERNAL")
    session = Session(case(body, ball("GTV", (0, 0, 0), 20, RED)))
    view = shown(session)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(160, 120))
    assert session.view.highlighted == "GTV"
    x, y = view.orbit.pixel((0, 0, 40), view.width(), view.height())
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    assert session.view.highlighted == "Body"
    view._orbit = view.orbit.zoomed(0.25)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(12, 200))
    assert session.view.highlighted is None


def test_the_name_of_what_is_under_the_pointer_is_said(shown, qtbot):
    view = shown(Session(case(ball("GTV", (0, 0, 0), 25, RED))))
    QTest.mouseMove(view, QPoint(20, 20))
    QTest.mouseMove(view, QPoint(160, 120))
    qtbot.waitUntil(lambda: view._hovered_name == "GTV", timeout=2000)
    QTest.mouseMove(view, QPoint(10, 120))
    qtbot.waitUntil(lambda: view._hovered_name == "", timeout=2000)


def test_double_click_asks_to_be_maximised_and_highlights_nothing(shown, qtbot):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED)))
    view = shown(session)
    with qtbot.waitSignal(view.maximise_requested, timeout=1000):
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(160, 120))
        QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(160, 120))
    assert session.view.highlighted is None


def drag(view, button, start, end):
    QTest.mousePress(view, button, pos=start)
    for at in (QPointF(start + (end - start) * t / 4) for t in range(1, 5)):
        # QTest.mouseMove holds no button down.
        none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(view, QMouseEvent(QEvent.Type.MouseMove, at, view.mapToGlobal(at), none, button, plain))
    QTest.mouseRelease(view, button, pos=end)


def test_hands_turn_zoom_and_pan(shown):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED)))
    view = shown(session)
    first = view.orbit
    drag(view, Qt.MouseButton.LeftButton, QPoint(100, 100), QPoint(140, 100))
    assert view.orbit.azimuth_deg < first.azimuth_deg
    assert session.view.highlighted is None
    drag(view, Qt.MouseButton.RightButton, QPoint(100, 140), QPoint(100, 100))
    assert view.orbit.distance_mm < first.distance_mm
    drag(view, Qt.MouseButton.MiddleButton, QPoint(100, 100), QPoint(140, 100))
    assert view.orbit.focus_mm != first.focus_mm
    near = view.orbit.distance_mm
    where = QPointF(160, 120)
    turn = QWheelEvent(
        where, where, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False
    )  # fmt: skip
    QApplication.sendEvent(view, turn)
    assert view.orbit.distance_mm < near


@pytest.mark.parametrize(("side", "azimuth", "elevation"), [("L", 90, 0), ("H", 180, 90), ("P", 180, 0)])
def test_standard_views_by_key_and_by_button(shown, side, azimuth, elevation):
    view = shown(Session(case(ball("GTV", (0, 0, 0), 25, RED))))
    QTest.keyClick(view, getattr(Qt.Key, f"Key_{side}"), Qt.KeyboardModifier.ShiftModifier)
    assert (view.orbit.azimuth_deg, view.orbit.elevation_deg) == (azimuth, elevation)
    view.findChild(QToolButton, "viewA").click()
    assert (view.orbit.azimuth_deg, view.orbit.elevation_deg) == (0, 0)


def test_another_case_replaces_the_first(shown):
    session = Session(case(ball("GTV", (0, 0, 0), 25, RED)))
    view = shown(session)
    session.open(case(ball("GTV", (0, 0, 0), 25, BLUE)))
    assert view.wait()
    view.look_from("A")
    assert view.wait()
    assert colour(view, 160, 100)[2] > 120


def test_an_empty_session_says_3d(qapp, jobs):
    view = VolumeView(Session(), jobs)
    view.resize(200, 150)
    view.grab()
    assert view.notes() == []
    view.deleteLater()


@pytest.mark.usefixtures("no_survivors")
def test_a_closed_view_leaves_nothing_behind(jobs):
    threads = threading.active_count()
    for _ in range(3):
        view = VolumeView(Session(case(ball("GTV", (0, 0, 0), 25, RED))), jobs)
        view.resize(160, 120)
        view.show()
        assert view.wait(60)
        view.close()
        view.deleteLater()
        del view
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not [t for t in threading.enumerate() if t.name.startswith("3D")]
    assert threading.active_count() <= max(threads, 1) + 4  # the pool of the jobs
    jobs.close()
    jobs.deleteLater()
