"""What the program prints."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMessageLogContext, QtMsgType
from reviewer_widgets.app import OF_NO_CONSEQUENCE, _pass_on
from reviewer_widgets.main_window import MainWindow


@pytest.mark.parametrize("said", [*OF_NO_CONSEQUENCE])
def test_what_tells_a_user_nothing_is_not_passed_on(said, capsys):
    _pass_on(QtMsgType.QtWarningMsg, QMessageLogContext(), said)
    assert capsys.readouterr() == ("", "")


def test_what_else_qt_says_goes_to_standard_error(capsys):
    _pass_on(QtMsgType.QtWarningMsg, QMessageLogContext(), "could not connect to display")
    assert capsys.readouterr() == ("", "could not connect to display\n")


def test_a_window_that_is_gone_before_its_views_are_there_loads_none(qapp, monkeypatch):
    """Closed within its first second: what is still to come has nobody to come to."""
    surprises = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: surprises.append(what))
    window = MainWindow(remember=False)
    window.load_views()
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    for _ in range(5):
        QCoreApplication.processEvents()
    assert surprises == []
