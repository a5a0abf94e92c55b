"""The window as a program: `run` on a screen, `screenshot` without one. Found through the entry point group "reviewer.window"."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QMessageLogContext,
    QSettings,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from reviewer.errors import InputError

from .main_window import VIEWS, MainWindow
from .theme import ThemeName, apply_theme

PATIENCE_S = 600.0
"""How long a picture waits for everything to be read and computed."""

OF_NO_CONSEQUENCE = ("This plugin does not support propagateSizeHints()",)
"""Messages of Qt that tell a user nothing."""


def run(paths: Sequence[Path], demo: bool = False) -> int:
    """Open the window on paths, on the demo case, or empty; returns the exit status when it is closed."""
    app = _application()
    apply_theme(app, "light" if QSettings().value("theme") == "light" else "dark")
    window = MainWindow()

    def begin() -> None:
        if demo or paths:
            window.open_paths(paths, demo)
        window.load_views()

    def surprise(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        if isinstance(error, Exception):
            window.tell_failure("The window", error)

    window.painted.connect(begin)
    sys.excepthook = surprise
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        window.show()
        return app.exec()
    finally:
        sys.excepthook = sys.__excepthook__
        _dismiss(window)


def screenshot(
    paths: Sequence[Path],
    out: Path,
    size: tuple[int, int] = (1280, 800),
    view: str = "review",
    demo: bool = False,
    colours: ThemeName = "dark",
) -> None:
    """Write the main window as PNG, `size` pixels wide and high, with everything read and computed; needs no screen.

    view: "review", or "axial", "sagittal", "coronal", "volume" for that view alone, or "gating".
    Raises InputError where the paths hold nothing usable, the view is unknown, or the file can't be written.
    """
    if view not in VIEWS:
        raise InputError(f"there is no view {view!r}", remedy=f"choose one of {', '.join(VIEWS)}")
    if QApplication.instance() is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = _application()
    apply_theme(app, colours)
    window = MainWindow(remember=False)
    try:
        window.resize(*size)
        window.show()
        window.load_views()
        _settle(window)
        if demo or paths:
            window.open_paths(paths, demo)
        _settle(window)
        if window.opening.failure is not None:
            raise window.opening.failure
        if view == "gating":
            refusal = window.gating.refusal()
            if refusal:
                raise InputError(refusal, remedy="add a cine, or choose another view")
            window.session.look(mode="gating")
        elif view != "review":
            window.views.toggle(view)
        window.resize(*size)
        _settle(window)
        window.settle_views()
        _settle(window)
        picture = window.grab().toImage()
        if not picture.save(str(out), "PNG"):
            raise InputError("the picture can't be written", where=str(out), remedy="choose a folder that exists")
    finally:
        window.close()
        _dismiss(window)


def _application() -> QApplication:
    """The one application of the process."""
    qInstallMessageHandler(_pass_on)
    QCoreApplication.setOrganizationName("reviewer")
    QCoreApplication.setApplicationName("reviewer")
    app = QApplication.instance()
    return app if isinstance(app, QApplication) else QApplication(["reviewer"])


def _pass_on(_: QtMsgType, __: QMessageLogContext, text: str) -> None:
    """What Qt has to say, but for what the platform without a screen says of every window."""
    if text not in OF_NO_CONSEQUENCE:
        print(text, file=sys.stderr)


def _settle(window: MainWindow) -> None:
    """Until no job runs and nobody has anything left to do."""
    for _ in range(20):
        if not window.jobs.wait(PATIENCE_S):
            raise InputError("the case is not ready", remedy=f"gave up after {PATIENCE_S:.0f} s")
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)


def _dismiss(window: MainWindow) -> None:
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
