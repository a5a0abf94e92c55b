"""Mouse events as the hands of `interaction` understand them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent

from .interaction import Button, Key, Touch
from .viewport import Viewport

BUTTONS: dict[Qt.MouseButton, Button] = {
    Qt.MouseButton.LeftButton: "left",
    Qt.MouseButton.MiddleButton: "middle",
    Qt.MouseButton.RightButton: "right",
}


def touch_of(event: QMouseEvent, port: Viewport, space: bool) -> Touch:
    """Where the pointer is, and with what. space: whether the space bar is down, which events don't tell."""
    pixel = event.position().x(), event.position().y()
    plane = port.plane_mm(pixel)
    return Touch(pixel, plane, port.point_mm(plane), BUTTONS.get(event.button()), _keys(event, space))


def _keys(event: QMouseEvent, space: bool) -> frozenset[Key]:
    held = event.modifiers()
    pairs: tuple[tuple[Key, bool], ...] = (
        ("shift", bool(held & Qt.KeyboardModifier.ShiftModifier)),
        ("ctrl", bool(held & Qt.KeyboardModifier.ControlModifier)),
        ("alt", bool(held & Qt.KeyboardModifier.AltModifier)),
        ("space", space),
    )
    return frozenset(name for name, down in pairs if down)
