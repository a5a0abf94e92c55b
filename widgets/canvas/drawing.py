"""The hand that draws: touches of a slice view become pens for the tool, and its guides are marks on the view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from reviewer.case import Structure
from reviewer.edit.tools.tool import Floats, GuideKind, Pane, Pen
from reviewer.scene import Scene

from ..commands.drawing import Drawing, Easel
from ..theme import theme
from .interaction import Touch
from .paths import path_of
from .repaint import Mark, around
from .viewport import Pair, Slices, Viewport

GRIP_PIXELS = 3.5
LABEL_GAP = 10.0
SENTENCE_PIXELS = 280.0


@dataclass
class DrawingHand:
    """A stroke between press and release. mm_per_pixel: of the view."""

    drawing: Drawing
    easel: Easel
    mm_per_pixel: float

    def press(self, touch: Touch) -> None:
        self.drawing.press(self.easel, pen_of(touch, self.mm_per_pixel))

    def drag(self, touch: Touch) -> None:
        self.drawing.drag(pen_of(touch, self.mm_per_pixel))

    def release(self, touch: Touch) -> None:
        self.drawing.release(pen_of(touch, self.mm_per_pixel))

    def cancel(self) -> None:
        self.drawing.cancel()


def pen_of(touch: Touch, mm_per_pixel: float) -> Pen:
    return Pen(touch.plane_mm, mm_per_pixel, "shift" in touch.keys, "ctrl" in touch.keys)


def pane_of(scene: Scene, slices: Slices, port: Viewport) -> Pane | None:
    """The plane of a view; as thick as the image's voxels are across it."""
    if scene.base is None:
        return None
    steps = np.diff(slices.positions_mm)
    thickness = float(np.median(steps)) if len(steps) else scene.base.image.grid.thickness_mm
    frame = scene.base.image.grid.frame_of_reference_uid
    return Pane(port.plane.right, port.plane.down, port.origin_mm, frame, thickness)


def drawing_marks(port: Viewport, drawing: Drawing, easel: Easel, cursor: Pair | None, font: QFont) -> Iterator[Mark]:
    """Guides in the colour of the active structure, its name beside the hand, and why nothing can be drawn."""
    active = drawing.active
    colour = QColor(*active.colour) if active is not None else QColor(theme().canvas_text)
    right = None
    for n, guide in enumerate(drawing.guides(easel)):
        if len(guide.points_mm):
            pixels = port.pixels(guide.points_mm)
            yield _guide(n, guide.kind, guide.closed, pixels, colour, drawing.erasing)
            if guide.kind == "cursor":
                right = float(pixels[:, 0].max())
    if cursor is not None:
        yield _name(port, active, colour, drawing.refused, drawing.erasing, cursor, right, font)


def _guide(n: int, kind: GuideKind, closed: bool, pixels: Floats, colour: QColor, erasing: bool) -> Mark:
    dashed = kind == "ghost" or (kind == "cursor" and erasing)

    def draw(painter: QPainter, _: QRect) -> None:
        if kind in ("handle", "marked"):
            marked = kind == "marked"
            painter.setPen(QPen(QColor(0, 0, 0, 200), 1.0))
            painter.setBrush(QColor("white") if marked else colour)
            size = GRIP_PIXELS * (1.4 if marked else 1.0)
            for x, y in pixels:
                painter.drawRect(QRectF(x - size, y - size, 2 * size, 2 * size))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            return
        path = path_of([pixels], closed=closed)
        shadow = QPen(QColor(0, 0, 0, 170), 3.4 if kind != "ghost" else 2.4)
        line = QPen(colour, 1.6 if kind != "ghost" else 1.0)
        if dashed:
            line.setDashPattern([4.0, 3.0])
        for pen in (shadow, line):
            painter.strokePath(path, pen)

    (x0, y0), (x1, y1) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
    look = kind, closed, dashed, pixels.tobytes(), colour.rgba()
    return Mark(("guide", n), look, around(x0, y0, x1, y1, 2 * GRIP_PIXELS), draw)


def _name(
    port: Viewport,
    active: Structure | None,
    colour: QColor,
    refused: str,
    erasing: bool,
    cursor: Pair,
    right: float | None,
    font: QFont,
) -> Mark:
    """Beside the ring, or at the pointer: the structure that the stroke would change, − where it takes away; a sentence where it can't."""
    metrics = QFontMetricsF(font)
    text = (
        refused if refused else f"− {active.name}" if erasing and active is not None else active.name if active else ""
    )
    width = min(metrics.horizontalAdvance(text) + 12 + (0 if refused else 14), min(port.size[0] * 0.7, SENTENCE_PIXELS))
    room = QRectF(0, 0, max(width - 12, 1.0), 1000)
    lines = (
        1
        if not refused
        else round(metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, text).height() / metrics.height())
    )
    height = lines * metrics.height() + 4
    x = (right if right is not None else cursor[0]) + LABEL_GAP
    y = cursor[1] + (LABEL_GAP if right is None else -height / 2)
    if x + width > port.size[0] - 4:
        x = max(4.0, (2 * cursor[0] - right if right is not None else cursor[0]) - LABEL_GAP - width)
    y = min(max(y, 4.0), port.size[1] - height - 4)
    colours = theme()

    def draw(painter: QPainter, _: QRect) -> None:
        box = QRectF(x, y, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 165))
        painter.drawRoundedRect(box, 4, 4)
        flags = Qt.AlignmentFlag.AlignVCenter
        if refused:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(colours.canvas_accent))
            painter.drawText(box.adjusted(6, 2, -6, -2), flags | Qt.TextFlag.TextWordWrap, refused)
            return
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(x + 9, y + height / 2), 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QColor(colours.canvas_text))
        painter.drawText(box.adjusted(18, 0, -4, 0), flags, text)

    look = text, bool(refused), x, y, width, height, colour.rgba(), colours.name
    return Mark("name", look, around(x, y, x + width, y + height), draw)
