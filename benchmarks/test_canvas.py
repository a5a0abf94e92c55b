"""Scroll and window/level in a 1280x800 view: CT, an oblique MR over it, wash, 8 isodoses, 15 structures. Wanted: p95 <= 16 ms, 10 ms."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from canvas_case import canvas_case
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from reviewer_widgets.canvas.slice_view import SliceView

from reviewer.case import Window
from reviewer.scene import BORDEAU_2023, Isodose
from reviewer.session import Session

ISODOSES = (*BORDEAU_2023, Isodose(15.0, (200, 120, 220)))


@pytest.fixture(scope="module")
def session():
    made = Session(canvas_case())
    made.look(base="ct", overlay="mr", isodoses=ISODOSES, reference_gy=50.0)
    return made


@pytest.fixture
def painted(session, request):
    """A view of the size, and a function that paints it into a picture."""
    app = QApplication.instance() or QApplication([])
    view = SliceView(session, request.param)
    view.resize(1280, 800)
    view.show()
    view.settle()
    picture = QImage(1280, 800, QImage.Format.Format_RGB32)

    def paint():
        app.processEvents()
        view.render(picture)

    paint()
    yield view, paint
    view.close()
    view.deleteLater()
    app.processEvents()


def tell(benchmark):
    times = np.asarray(benchmark.stats.stats.data) * 1000
    benchmark.extra_info.update(p50_ms=float(np.median(times)), p95_ms=float(np.percentile(times, 95)))


VIEWS = pytest.mark.parametrize("painted", ["axial", "sagittal", "coronal"], indirect=True)


@VIEWS
@pytest.mark.benchmark(group="canvas scroll")
def test_scroll(painted, session, benchmark):
    view, paint = painted
    step = {"axial": 1, "sagittal": 2, "coronal": 2}[view.orientation]
    session.look(point_mm=(-60.0, -20.0, -60.0))
    place = {"axial": 0, "there": 0}

    def frame():
        view.scroll(step if place["there"] % 80 < 40 else -step)
        place["there"] += 1
        view.render(PICTURE)

    benchmark.pedantic(frame, rounds=160, warmup_rounds=4)
    tell(benchmark)


PICTURE = QImage(1280, 800, QImage.Format.Format_RGB32)


@VIEWS
@pytest.mark.benchmark(group="canvas window/level")
def test_window_level(painted, session, benchmark):
    view, _ = painted
    session.look(point_mm=(-60.0, -5.0, 0.0))
    level = iter(range(1000))

    def frame():
        session.look(windows={"ct": Window(40.0 + next(level), 400.0)})
        view.render(PICTURE)

    benchmark.pedantic(frame, rounds=100, warmup_rounds=3)
    tell(benchmark)


@VIEWS
@pytest.mark.benchmark(group="canvas pan")
def test_pan(painted, session, benchmark):
    view, _ = painted
    session.look(point_mm=(-60.0, -5.0, 0.0))
    shift = iter(range(1000))

    def frame():
        scale, (x, y) = view.camera
        view.camera = scale, (x + (0.7 if next(shift) % 40 < 20 else -0.7), y)
        view.render(PICTURE)

    benchmark.pedantic(frame, rounds=80, warmup_rounds=3)
    tell(benchmark)
