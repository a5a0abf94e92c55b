"""What the program prints."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMessageLogContext, QtMsgType
from reviewer_widgets.app import OF_NO_CONSEQUENCE, _pass_on


@pytest.mark.parametrize("said", [*OF_NO_CONSEQUENCE])
def test_what_tells_a_user_nothing_is_not_passed_on(said, capsys):
    _pass_on(QtMsgType.QtWarningMsg, QMessageLogContext(), said)
    assert capsys.readouterr() == ("", "")


def test_what_else_qt_says_goes_to_standard_error(capsys):
    _pass_on(QtMsgType.QtWarningMsg, QMessageLogContext(), "could not connect to display")
    assert capsys.readouterr() == ("", "could not connect to display\n")
