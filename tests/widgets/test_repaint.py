"""Only what differs is painted anew: the pixels on the screen are those of a view painted as a whole, whatever happened before."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, QRect, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from reviewer_widgets.canvas.painting import Painting
from reviewer_widgets.canvas.paths import Outline
from reviewer_widgets.canvas.repaint import Mark, differing, merged
from reviewer_widgets.canvas.slice_view import SliceView
from reviewer_widgets.commands.drawing import Drawing
from shapely import Point

from reviewer.case import Case, Dose, Image, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.scene import ORIENTATIONS, Isodose
from reviewer.session import Session

RATIO = "QT_SCALE_FACTOR"


def case():
    """An organ, a target that follows a formula, a filled one and the body; dose, and noise in two images that lie at an angle."""
    grid = Grid(np.eye(3), (-60.0, -60.0), (2.0, 2.0), (61, 61), np.arange(-12, 13) * 3.0, "f")
    turned = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    noise = np.random.default_rng(3)
    z, y, x = np.meshgrid(np.arange(-12, 13) * 3.0, *2 * [np.arange(-30, 31) * 2.0], indexing="ij")
    gray = (60 * np.exp(-(x**2 + y**2 + z**2) / 900)).astype(np.float32)

    def structure(number, radius, centre=(0.0, 0.0), **more):
        t = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        planes = {}
        for k in range(3, 22):
            q = radius * np.sqrt(1 - ((k - 12) / 12) ** 2) * (1 + 0.08 * np.sin(5 * t + k))
            planes[k] = Point(0, 0).buffer(1).__class__(np.c_[centre[0] + q * np.cos(t), centre[1] + q * np.sin(t)])
        colour = (40 * number, 255 - 30 * number, 60 + 25 * number)
        return Structure(f"s{number}", f"S{number}", grid, planes, "ORGAN", colour, "ct", number, **more)

    structures = (
        structure(1, 52),
        structure(2, 22),
        structure(3, 30, formula="S2 + 8 mm"),
        structure(4, 15, (12.0, 9.0)),
    )
    images = (
        Image("ct", "CT", "ct", grid, noise.integers(-100, 200, grid.shape_zyx).astype(np.int16)),
        Image("mr", "MR", "mr", replace(grid, axes=turned), noise.integers(0, 900, grid.shape_zyx).astype(np.int16)),
    )
    return Case(
        images=images,
        structure_sets=(StructureSet("ss", "RS", structures, "ct", "f"),),
        doses=(Dose("d", "D", grid, gray),),
    )


class Desk:
    """The three views of a case with a brush."""

    def __init__(self, qtbot, jobs):
        self.qtbot = qtbot
        self.session = Session(case())
        levels = Isodose(50.0, (255, 60, 60)), Isodose(25.0, (60, 200, 255))
        self.session.look(base="ct", overlay="mr", structure_set="ss", dose="d", isodoses=levels, reference_gy=50.0)
        self.session.look(active="s2", highlighted="s2", filled=frozenset({"s4"}), point_mm=(1.0, 2.0, 3.0))
        self.drawing = Drawing(self.session, jobs, lambda _: None, lambda _: None)
        self.views = {o: SliceView(self.session, o, self.drawing) for o in ORIENTATIONS}
        for view in self.views.values():
            qtbot.addWidget(view)
            view.resize(330, 300)
            view.show()
            view.settle()
        self.drawing.take("brush")
        self.rest()
        self.paint_all()

    def rest(self):
        for _ in range(6):
            QApplication.sendPostedEvents()
            QApplication.processEvents()

    def paint_all(self):
        """So that the lines lie on a sheet, which they do from the second paint of a slice on: its rounding is not the question here."""
        for _ in range(2):
            for view in self.views.values():
                view.update()
            self.rest()

    def hand(self, view, kind, place_mm, down=True, keys=Qt.KeyboardModifier.NoModifier):
        at = QPointF(*view.viewport_now.pixel(place_mm))
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        held = Qt.MouseButton.LeftButton if down else Qt.MouseButton.NoButton
        QApplication.sendEvent(view, QMouseEvent(kind, at, view.mapToGlobal(at), button, held, keys))

    def seen(self):
        """Of each view what stands on the screen, and what a paint of all of it is."""
        for _ in range(2):  # the first may ask for solids
            for view in self.views.values():
                view.see()
            self.rest()
            self.qtbot.waitUntil(lambda: all(view.complete for view in self.views.values()))
        return {
            o: (shot(view.backingStore().paintDevice().copy()), shot(view.grab().toImage()))
            for o, view in self.views.items()
        }

    def compare(self):
        found = self.seen()
        for orientation, (screen, whole) in found.items():
            assert screen.shape == whole.shape
            wrong = np.argwhere((screen != whole).any(axis=2))
            by = np.abs(screen - whole).max()
            assert not len(wrong), f"{orientation}: {len(wrong)} pixels by {by} at {wrong[0]} to {wrong[-1]}"
        return {orientation: whole for orientation, (_, whole) in found.items()}


def shot(image):
    image = image.convertToFormat(image.Format.Format_RGB32)
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return data[:, :, :3].astype(int)


@pytest.fixture
def desk(qtbot, jobs):
    made = Desk(qtbot, jobs)
    yield made
    made.drawing.cancel()


@pytest.mark.parametrize(
    ("orientation", "highlighted"), [("axial", "s2"), ("axial", None), ("sagittal", "s2"), ("coronal", None)]
)
def test_a_stroke_and_what_follows_leave_the_pixels_of_a_whole_paint(desk, orientation, highlighted, monkeypatch):
    view, session = desk.views[orientation], desk.session
    session.look(highlighted=highlighted)
    for o in desk.views.values():
        o.set_tool("draw")
    first = desk.compare()
    areas = []
    paint = Painting.paint

    def painted(self, painter, plan, port, boxes, lens):
        areas.append(sum(box.width() * box.height() for box in boxes))
        paint(self, painter, plan, port, boxes, lens)

    desk.hand(view, QEvent.Type.MouseMove, (18.0, -4.0), down=False)
    desk.compare()
    desk.hand(view, QEvent.Type.MouseButtonPress, (18.0, -4.0))
    desk.compare()
    for n in range(5):
        monkeypatch.setattr(Painting, "paint", painted)
        desk.hand(view, QEvent.Type.MouseMove, (19.0 + n, -3.0 + 6 * n))
        desk.rest()
        monkeypatch.undo()
        during = desk.compare()
    assert areas
    assert max(areas) < 0.75 * view.width() * view.height()
    assert np.abs(during[orientation] - first[orientation]).max() > 100
    desk.hand(view, QEvent.Type.MouseButtonRelease, (26.0, 25.0), down=False)
    assert session.history.position == 1
    desk.compare()
    session.undo()
    desk.compare()
    session.redo()
    session.look(hidden=frozenset({"s3"}))
    desk.compare()
    session.look(point_mm=(1.0, 2.0, 6.0))
    desk.rest()
    desk.paint_all()
    desk.compare()


def test_structures_that_rest_are_painted_anew_where_they_changed(desk):
    group = desk.session.case.structure_sets[0]
    for structure in group.structures:
        smaller = {k: region.buffer(-1.0) if k % 2 else region for k, region in structure.planes.items()}
        desk.session.apply(Edit.of("Smaller", desk.session.case, structure, replace(structure, planes=smaller)))
        desk.compare()


@pytest.mark.slow
@pytest.mark.skipif(RATIO in os.environ, reason="is the inner run itself")
def test_the_same_with_two_pixels_to_one():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "stroke and s2 or rest"]
    ran = subprocess.run(command, env={**os.environ, RATIO: "2"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]


# -- the parts ----------------------------------------------------------------------------------------------------------


def mark(name, look=0, box=(0, 0, 5, 5)):
    return Mark(name, look, QRect(*box), lambda *_: None)


def boxes(found):
    return sorted(box.getRect() for box in found)


def test_what_came_went_and_changed_is_told_by_its_boxes():
    before = [mark("a"), mark("gone", 1, (50, 0, 4, 4)), mark("moved", (1, 2), (100, 0, 6, 6)), mark("b")]
    after = [mark("a"), mark("moved", (3, 2), (200, 0, 6, 6)), mark("b"), mark("new", 0, (0, 90, 3, 3))]
    assert boxes(differing(before, after)) == [(0, 90, 3, 3), (50, 0, 4, 4), (100, 0, 6, 6), (200, 0, 6, 6)]
    assert differing(after, after) == []
    assert boxes(differing([mark("a"), mark("b")], [mark("b"), mark("a")])) == [(0, 0, 5, 5)]


def test_boxes_that_touch_become_one():
    three = [QRect(0, 0, 10, 10), QRect(100, 0, 10, 10), QRect(8, 8, 95, 5)]
    assert boxes(merged(three)) == [(0, 0, 110, 13)]
    assert boxes(merged([QRect(0, 0, 10, 10), QRect(60, 60, 10, 10)])) == [(0, 0, 10, 10), (60, 60, 10, 10)]


SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])


def test_outlines_differ_where_their_edges_do():
    dented = np.insert(SQUARE, 2, [[10.0, 4.0], [9.0, 5.0], [10.0, 6.0]], axis=0)
    assert Outline([SQUARE]).unlike(Outline([SQUARE.copy()])) is None
    assert Outline([SQUARE]).unlike(Outline([np.roll(SQUARE, -1, axis=0)])) == (0.0, 0.0, 10.0, 0.0), (
        "it begins elsewhere"
    )
    assert Outline([SQUARE]).unlike(Outline([dented])) == (9.0, 0.0, 10.0, 10.0)
    assert Outline([SQUARE]).unlike(Outline([SQUARE, SQUARE / 4 + 2])) == (2.0, 2.0, 4.5, 4.5)


def test_near_a_box_the_path_has_the_edges_there_and_their_neighbours():
    t = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    ring = 50 * np.c_[np.cos(t), np.sin(t)]
    path = Outline([ring, ring / 10 + 200]).near(40.0, -5.0, 60.0, 5.0, 1.0)
    points = {(path.elementAt(n).x, path.elementAt(n).y) for n in range(path.elementCount())}
    within = {tuple(p) for p in ring.tolist() if abs(p[1]) <= 6 and p[0] > 0}
    assert within < points
    assert len(points) <= len(within) + 4
    assert Outline([ring]).near(-90.0, -90.0, 90.0, 90.0, 1.0).elementCount() == len(ring) + 1
