"""Switching between two plans that are compared, in the window on the demo: from the key to the last picture and curve. To hold: 100 ms.

`pictures`: the three slice views are painted with the other dose. `everything`: the DVH, too, whose other plan turned dashed, and the goals.
The 3D view is left out: its surfaces of isodoses come when they come.
"""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QEvent, QObject, QSettings
from PySide6.QtWidgets import QApplication
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.theme import apply_theme

from reviewer.demo import demo_folder
from reviewer.opening import begin


class Painted(QObject):
    """Which of some widgets were painted since they were last asked for."""

    def __init__(self, widgets) -> None:
        super().__init__()
        self.left = set()
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.left.discard(watched)
        return False


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    app = QApplication.instance() or QApplication([])
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path_factory.mktemp("settings")))
    apply_theme(app, "dark")
    opening = begin([demo_folder()])
    opening.read_voxels(lambda _: None)
    patch = pytest.MonkeyPatch()
    patch.setattr(MainWindow, "_load_volume", lambda self: None)
    made = MainWindow(remember=False)
    made.resize(1280, 800)
    made.show()
    made.load_views()
    made.session.open(opening.case)
    settle(made)
    made.actions_.trigger("plans.day")
    settle(made)
    yield made
    made.close()
    made.deleteLater()
    app.processEvents()
    patch.undo()


def settle(window):
    for _ in range(5):
        QApplication.processEvents()
        assert window.jobs.wait()
        QApplication.processEvents()


@pytest.mark.parametrize("what", ["pictures", "everything"])
@pytest.mark.parametrize("both", [False, True], ids=["isodoses of one", "isodoses of both"])
def test_switch(benchmark, window, what, both):
    window.session.look(both_isodoses=both)
    settle(window)
    watched = [window.views[name] for name in ("axial", "sagittal", "coronal")]
    if what == "everything":
        watched.append(window.dvh.plot.viewport())
    painted = Painted(watched)

    def switch():
        painted.left = set(watched)
        window.actions_.trigger("plans.switch")
        while painted.left:
            QApplication.processEvents()
        assert window.goals.work.fresh

    benchmark.pedantic(switch, setup=lambda: settle(window), rounds=20, warmup_rounds=2)
