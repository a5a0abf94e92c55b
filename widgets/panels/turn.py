"""Tab goes through the panels as they stand, also where one of them came late."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def take_turn(late: QWidget, after: QWidget) -> None:
    """Tab reaches what is `late`, with all that is in it, right after another widget of the window; Qt puts it last."""
    policy = after.focusPolicy()
    after.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # Qt moves nothing to the side of what takes no focus
    before = after
    for widget in (late, *late.findChildren(QWidget)):
        # The list that a combo box opens is another window.
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus and late.window().isAncestorOf(widget):
            QWidget.setTabOrder(before, widget)
            before = widget
    after.setFocusPolicy(policy)
