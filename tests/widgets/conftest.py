"""Every test of the window runs without a screen, with settings of its own, and must leave nothing behind."""

from __future__ import annotations

import gc
import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSettings
from PySide6.QtWidgets import QApplication
from reviewer_widgets.jobs import Jobs
from reviewer_widgets.theme import apply_theme, theme


@pytest.fixture(autouse=True)
def _settings(tmp_path_factory, qapp, monkeypatch):
    folder = tmp_path_factory.mktemp("settings")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    QCoreApplication.setOrganizationName("reviewer-test")
    QCoreApplication.setApplicationName("reviewer-test")
    if theme().name != "dark" or not qapp.styleSheet():
        apply_theme(qapp, "dark")
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def jobs(qapp):
    made = Jobs()
    yield made
    made.close()
    made.deleteLater()


def _deleted() -> None:
    """Everything due is deleted and collected."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()


def survivors() -> list[str]:
    """Qt objects of our own classes and VTK objects that are still alive, but for those that the collector was told to leave alone."""
    _deleted()
    found = []
    for thing in gc.get_objects():
        kind, module = type(thing), str(type(thing).__module__)
        if module.startswith("reviewer_widgets") and isinstance(thing, QObject):
            if shiboken6.isValid(thing) and kind.__name__ != "_Herald":
                found.append(f"{module}.{kind.__qualname__}")
        elif module.startswith("vtkmodules") and hasattr(thing, "GetClassName"):
            found.append(thing.GetClassName())
    return sorted(found)


@pytest.fixture
def no_survivors():
    """Fails where a Qt object of ours, or a VTK object, that was made during the test outlives it."""
    _deleted()
    gc.freeze()  # what was there before: millions of objects after some hundred tests, which are not gone through again and again
    try:
        yield
        after = survivors()
    finally:
        gc.unfreeze()
    assert not after, f"survived their window: {after}"
