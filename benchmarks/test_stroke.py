"""A brush in the whole window, on 512 x 512 x 120 voxels with 15 structures, PTV and PTVopt as formulas, with a workspace on the disk.

Move: from the mouse event until all views that differ are painted; p95 at most 16 ms. Release: from the end of the stroke until the derived
structures, all volumes, DVHs and goals and the comparison with the state as opened are those of the new state, and every number is painted
("numbers"): at most 50 ms in the median, 100 ms at the 95th percentile; and until the pictures are painted too, which follow ("all", what
pytest-benchmark lists). Of a hand that is lifted while it moves ("moving"), and of one that has come to rest where it is lifted ("resting").
Undo: the same, at most 50 ms. A low window shows no goals while contours are drawn.
"""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from canvas_case import canvas_case
from liver_case import GRID, dose, organ, structures
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.panels.structures_table import VOLUME
from reviewer_widgets.theme import apply_theme

from reviewer.case import Case, Plan, Prescription, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.formula.derivations import derive
from reviewer.scene import ORIENTATIONS
from reviewer.store import Workspace

MORE = {
    "Spleen": ((100, 20, 20), (25, 30, 45), 120),
    "Esophagus": ((10, 30, 90), (9, 8, 50), 40),
    "Aorta": ((0, 40, 0), (11, 11, 160), 60),
}
FORMULAS = {"PTV": "GTV + 5 mm", "PTVopt": "PTV - ((Duodenum | Bowel_Large | Kidney_R) + 5 mm)"}
DRAWN = "Stomach"

COMPILED_S = math.inf
"""So long the first use of each loop waits: in a fresh clone numba compiles it, which takes minutes."""


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    app = QApplication.instance() or QApplication([])
    apply_theme(app, "dark")
    made = MainWindow(remember=False)
    made.resize(1280, 800)
    made.show()
    made.load_views()
    ct = replace(canvas_case().image("ct"), grid=GRID)
    drawn = [s for s in structures() if s.name not in FORMULAS]
    drawn += [organ(20 + n, name, *shape) for n, (name, shape) in enumerate(MORE.items())]
    group = StructureSet("set", "Set", tuple(replace(s, image_id="ct") for s in drawn), "ct", "frame")
    plan = Plan("plan", "LIV_50_5", fractions=5, prescriptions=(Prescription("PTV", 50.0),), structure_set_id="set")
    planned = replace(dose(), plan_id="plan")
    place = tmp_path_factory.mktemp("workspace") / "stroke.reviewer"
    journal = Workspace.new(lambda: place, (), {})
    made.session.open(Case(images=(ct,), structure_sets=(group,), doses=(planned,), plans=(plan,)), journal=journal)
    made.session.look(dose="dose", reference_gy=50.0)
    settle(made, COMPILED_S)
    for name, text in FORMULAS.items():
        group = made.session.case.structure_sets[0]
        derived = derive(made.session.case, group, name, text, "PTV")
        made.derived._keep_following()
        made.session.apply(Edit(name, (Swap(group.id, None, derived.structure),)))
    made.session.look(mode="contour", structure_set=group.id)
    settle(made, COMPILED_S)
    yield made
    journal.close()
    made.close()
    made.deleteLater()
    app.processEvents()


def settle(window, patience_s=60.0):
    for _ in range(3):
        QCoreApplication.processEvents()
        assert window.jobs.wait(patience_s)
    window.settle_views()
    turn()  # views that have settled are painted anew, and that is not the stroke's


def turn():
    """Until everything that was asked to be painted is painted."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents()
        QCoreApplication.processEvents()


def mouse(view, kind, place, button=Qt.MouseButton.NoButton, keys=Qt.KeyboardModifier.NoModifier):
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    at = QPointF(*place)
    QCoreApplication.sendEvent(view, QMouseEvent(kind, at, view.mapToGlobal(at), button, held, keys))


def ready(window, view_name, name):
    """A brush of 8 mm over the middle of a structure, and the path of a hand about it in pixels."""
    group = window.session.case.structure_sets[0]
    window.commands.activate(next(s for s in group.structures if s.name == name))
    window.drawing.take(None)
    window.drawing.take("brush")
    settle(window)
    view = window.views[view_name]
    port = view.viewport_now
    x, y = port.pixel(port.projected(window.session.view.point_mm))
    around = [2 * math.pi * k / 60 for k in range(240)]
    return view, [(x + (30 + k / 8) * math.cos(a), y + (30 + k / 8) * math.sin(a)) for k, a in enumerate(around)]


def tell(benchmark):
    times = np.asarray(benchmark.stats.stats.data) * 1000
    benchmark.extra_info.update(p50_ms=float(np.median(times)), p95_ms=float(np.percentile(times, 95)))


@pytest.mark.benchmark(group="brush move to repaint")
@pytest.mark.parametrize("view_name", ["axial", "sagittal"])
def test_move(window, view_name, benchmark):
    view, path = ready(window, view_name, DRAWN)
    places = iter(path)
    mouse(view, QEvent.Type.MouseButtonPress, next(places), Qt.MouseButton.LeftButton)
    turn()

    def move():
        mouse(view, QEvent.Type.MouseMove, next(places))
        turn()

    def painted():
        """Every view had heard of the move before and has painted it."""
        for each in (window.views[name] for name in ORIENTATIONS):
            assert each._painting.outlines._stroke is window.session.view.stroke
            assert not each._follower._heard
            assert not each._seeing

    benchmark.pedantic(move, setup=painted, rounds=180, warmup_rounds=5)
    assert window.session.view.stroke is not None
    window.drawing.cancel()
    view._interaction.cancel()
    tell(benchmark)


SIZES = {"low": (1280, 800), "high, with goals": (1920, 1080)}


def sized(window, size):
    """A window in which contours are drawn; the mode arranges its panels by the height."""
    window.resize(*SIZES[size])
    window.session.look(mode="review")
    turn()
    window.session.look(mode="contour")
    settle(window)
    assert window.goals.isVisible() == (size != "low")


def along_the_border(window, name):
    """The axial view, and the way of a hand about the border of a structure in its middle slice, pixels."""
    view, _ = ready(window, "axial", name)
    structure = next(s for s in window.session.case.structure_sets[0].structures if s.name == name)
    w = structure.grid.uvw_mm(np.array([window.session.view.point_mm]))[0, 2]
    region = structure.planes[int(np.abs(structure.grid.positions_mm - w).argmin())]
    port, ring = view.viewport_now, region.exterior
    places = [ring.interpolate(k / 240, normalized=True) for k in range(240)]
    points = [structure.grid.point_mm(np.array([p.x, p.y, w])) for p in places]
    return view, [port.pixel(port.projected(tuple(p))) for p in points]


def numbers(window):
    """All that the screen says of structures, and what it says it of."""
    table, model, goals = window.dvh._table.rows, window.structures.model, window.goals.list.model()
    return (
        [(s, model.index(row, VOLUME).data()) for row, s in enumerate(model.rows)],
        [(r.structure, r.dvh, [table.index(n, c).data() for c in range(5)]) for n, r in enumerate(table.rows)],
        [(c.structure_id, c.dvh) for c in window.dvh.plot._curves.values()],
        [goals.index(row, 0).data() for row in range(goals.rowCount())] if window.goals.isVisible() else [],
        window.findChild(QLabel, "tools.since").text(),
    )


def up_to_date(window):
    """Whether all of them are those of the structures as they are now."""
    now = {s.id: s for s in window.session.case.structure_sets[0].structures if not s.empty}
    volumes, rows, curves, _, since = numbers(window)
    return (
        all(s is now[s.id] and cc != "…" for s, cc in volumes)
        and all(s is now[s.id] and curve is not None for s, curve, _ in rows)
        and {s.id: curve for s, curve, _ in rows} == dict(curves)
        and "…" not in since
    )


class Watch(QObject):
    """Waits for the screen as cheaply as can be, and finds out afterwards whether it was right to stop waiting.

    numbers_s: of each wait, the time from `begin` until the last number was painted.
    """

    def __init__(self, window):
        super().__init__()
        self._window, self._waited = window, False
        self._began = self._painted = 0.0
        self.numbers_s = []
        self._showing = {
            window.structures.table.viewport(),
            window.dvh._table.viewport(),
            window.dvh.plot.viewport(),
            window.goals.list.viewport(),
            window.findChild(QLabel, "tools.since"),
        }
        for widget in self._showing:
            widget.installEventFilter(self)

    def eventFilter(self, _, event):
        if event.type() == QEvent.Type.Paint:
            self._painted = time.perf_counter()
        return False

    def begin(self):
        self._began = self._painted = time.perf_counter()

    def end(self):
        for widget in self._showing:
            widget.removeEventFilter(self)

    def tell(self, benchmark):
        """Numbers, and all that is painted."""
        for name, times in (("numbers", self.numbers_s), ("all", benchmark.stats.stats.data)):
            p50, p95 = np.percentile(np.asarray(times[-len(benchmark.stats.stats.data) :]) * 1000, (50, 95))
            benchmark.extra_info.update({f"{name}_p50_ms": float(p50), f"{name}_p95_ms": float(p95)})

    def _waits(self):
        window = self._window
        goals = not window.goals.isVisible() or window.goals.work.fresh
        return window.session.view.stroke is not None or not window.numbers.complete or not goals

    def wait(self):
        """As the program's own loop: asleep until something happens, so that nothing is taken from the threads at work."""
        while self._waits():
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        turn()
        self._waited = True
        self.numbers_s.append(self._painted - self._began)

    def settled(self):
        """Outside of the time that is measured: all numbers were those of the new state, and nothing comes any more."""
        if self._waited:
            assert up_to_date(self._window)
            seen = numbers(self._window)
        settle(self._window)
        assert not self._waited or numbers(self._window) == seen
        self._waited = False


REST_S = 0.15


def rest():
    """The hand does nothing, and the program's own loop runs."""
    end = time.perf_counter() + REST_S
    while time.perf_counter() < end:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)
        time.sleep(0.001)


@pytest.mark.benchmark(group="end of stroke to every number")
@pytest.mark.parametrize("hand", ["moving", "resting"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["Duodenum", "GTV", DRAWN])
def test_release(window, name, size, hand, benchmark):
    """Each stroke is drawn, by turns added and erased, on the structure as it was opened."""
    sized(window, size)
    view, path = along_the_border(window, name)
    watch, session, strokes = Watch(window), window.session, iter(range(1000))
    at_first = session.history.position

    def press():
        watch.settled()
        session.go_to(at_first)
        settle(window)
        number = next(strokes)
        keys = Qt.KeyboardModifier.ShiftModifier if number % 2 else Qt.KeyboardModifier.NoModifier
        first = (37 * number) % 200
        mouse(view, QEvent.Type.MouseButtonPress, path[first], Qt.MouseButton.LeftButton, keys)
        for place in path[first + 1 : first + 20]:
            mouse(view, QEvent.Type.MouseMove, place, keys=keys)
        rest()
        settle(window)
        # One that moves has rested before, so that nothing which was begun then is still at work; what it begins now it has no time for.
        mouse(view, QEvent.Type.MouseMove, path[first + 20], keys=keys)
        rest() if hand == "resting" else turn()
        return (path[first + 20], keys), {}

    def release(place, keys):
        watch.begin()
        mouse(view, QEvent.Type.MouseButtonRelease, place, Qt.MouseButton.LeftButton, keys)
        assert session.history.position == at_first + 1
        watch.wait()

    benchmark.pedantic(release, setup=press, rounds=30, warmup_rounds=3)
    watch.settled()
    watch.end()
    session.go_to(at_first)
    watch.tell(benchmark)


@pytest.mark.benchmark(group="undo to every number")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["Duodenum", "GTV"])
def test_undo(window, name, size, benchmark):
    sized(window, size)
    view, path = along_the_border(window, name)
    watch, session = Watch(window), window.session
    at_first = session.history.position
    for first in range(0, 216, 9):
        mouse(view, QEvent.Type.MouseButtonPress, path[first], Qt.MouseButton.LeftButton)
        for place in path[first + 1 : first + 8]:
            mouse(view, QEvent.Type.MouseMove, place)
        mouse(view, QEvent.Type.MouseButtonRelease, path[first + 8], Qt.MouseButton.LeftButton)
        settle(window)
    assert session.history.position == at_first + 24

    def undo():
        watch.begin()
        session.undo()
        watch.wait()

    benchmark.pedantic(undo, setup=watch.settled, rounds=22, warmup_rounds=2)
    watch.settled()
    watch.end()
    assert session.history.position == at_first
    watch.tell(benchmark)
