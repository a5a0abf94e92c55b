"""Tab goes through the panels as they stand, also where one of them came late."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def take_turn(late: QWidget, after: QWidget) -> None:
    """Tab reaches what is `late`, with all that is in it, right after another widget of the window; Qt puts it last."""
    inside = [late]
    while late.isAncestorOf(following := inside[-1].nextInFocusChain()):
        inside.append(following)
    policy = after.focusPolicy()
    after.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # Qt moves nothing to the side of what takes no focus
    before = after
    for widget in inside:
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
            QWidget.setTabOrder(before, widget)
            before = widget
    after.setFocusPolicy(policy)
