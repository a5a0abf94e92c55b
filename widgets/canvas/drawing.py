"""The hand that draws: touches of a slice view become pens for the tool, and its guides are marks on the view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from reviewer.case import Structure
from reviewer.edit.tools.tool import Floats, GuideKind, Pane, Pen
from reviewer.scene import Scene

from ..commands.drawing import Drawing, Easel
from ..theme import theme
from .interaction import Touch
from .paths import path_of
from .repaint import Mark, around
from .viewport import Pair, Slices, Viewport
from .words import Words

GRIP_PIXELS = 3.5
LABEL_GAP = 10.0
SENTENCE_PIXELS = 280.0

RING_PIXELS = 256.0
"""A larger ring is drawn anew at each move: so large a stamp would take more memory than it saves time."""

RING_STEPS = 16
"""To so many parts of a pixel the corners of a ring are rounded."""


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
    grid = scene.base.image.grid
    thickness = grid.thickness_mm if slices.step_mm is None else slices.step_mm
    return Pane(port.plane.right, port.plane.down, port.origin_mm, grid.frame_of_reference_uid, thickness)


def drawing_marks(port: Viewport, drawing: Drawing, easel: Easel, cursor: Pair | None, words: Words) -> Iterator[Mark]:
    """Guides in the colour of the active structure, its name beside the hand, and why nothing can be drawn."""
    active = drawing.active
    colour = QColor(*active.colour) if active is not None else QColor(theme().canvas_text)
    right = None
    for n, guide in enumerate(drawing.guides(easel)):
        if len(guide.points_mm):
            pixels = port.pixels(guide.points_mm)
            dashed = guide.kind == "ghost" or (guide.kind == "cursor" and drawing.erasing)
            if guide.kind == "cursor":
                right = float(pixels[:, 0].max())
                yield _ring(n, pixels, colour, dashed, port.ratio, words)
            else:
                yield _guide(n, guide.kind, guide.closed, pixels, colour, dashed)
    if cursor is not None:
        yield _name(port, active, colour, drawing.refused, drawing.erasing, cursor, right, words)


def _ring(n: int, pixels: Floats, colour: QColor, dashed: bool, ratio: float, words: Words) -> Mark:
    """The outline of the tool. It moves by whole pixels with the hand and is the same picture at each: put down as a stamp."""
    reach = 2 * GRIP_PIXELS
    corner = np.floor((pixels.min(axis=0) - reach) * ratio) / ratio
    shape = np.round((pixels - corner) * ratio * RING_STEPS).astype(np.int32)
    size = shape.max(axis=0) / (ratio * RING_STEPS) + reach
    if size.max() > RING_PIXELS:
        return _guide(n, "cursor", True, pixels, colour, dashed)
    key = "ring", shape.tobytes(), colour.rgba(), dashed, ratio
    within = shape / (ratio * RING_STEPS)
    (x, y), (width, height) = corner.tolist(), size.tolist()
    return words.stamp(
        ("guide", n), key, x, y, (width, height), lambda stamp: _stroke(stamp, within, True, "cursor", colour, dashed)
    )


def _stroke(painter: QPainter, pixels: Floats, closed: bool, kind: GuideKind, colour: QColor, dashed: bool) -> None:
    path = path_of([pixels], closed=closed)
    shadow = QPen(QColor(0, 0, 0, 170), 3.4 if kind != "ghost" else 2.4)
    line = QPen(colour, 1.6 if kind != "ghost" else 1.0)
    if dashed:
        line.setDashPattern([4.0, 3.0])
    for pen in (shadow, line):
        painter.strokePath(path, pen)


def _guide(n: int, kind: GuideKind, closed: bool, pixels: Floats, colour: QColor, dashed: bool) -> Mark:
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
        _stroke(painter, pixels, closed, kind, colour, dashed)

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
    words: Words,
) -> Mark:
    """Beside the ring, or at the pointer: the structure that the stroke would change, − where it takes away; a sentence where it can't."""
    text = (
        refused if refused else f"− {active.name}" if erasing and active is not None else active.name if active else ""
    )
    width = min(words.width(text) + 12 + (0 if refused else 14), min(port.size[0] * 0.7, SENTENCE_PIXELS))
    height = (words.lines(text, max(width - 12, 1.0)) if refused else 1) * words.line + 4
    x = (right if right is not None else cursor[0]) + LABEL_GAP
    y = cursor[1] + (LABEL_GAP if right is None else -height / 2)
    if x + width > port.size[0] - 4:
        x = max(4.0, (2 * cursor[0] - right if right is not None else cursor[0]) - LABEL_GAP - width)
    y = min(max(y, 4.0), port.size[1] - height - 4)
    colours = theme()

    def paint(stamp: QPainter) -> None:
        box = QRectF(0, 0, width, height)
        stamp.setPen(Qt.PenStyle.NoPen)
        stamp.setBrush(QColor(0, 0, 0, 165))
        stamp.drawRoundedRect(box, 4, 4)
        flags = Qt.AlignmentFlag.AlignVCenter
        if refused:
            stamp.setPen(QColor(colours.canvas_accent))
            stamp.drawText(box.adjusted(6, 2, -6, -2), flags | Qt.TextFlag.TextWordWrap, refused)
            return
        stamp.setBrush(colour)
        stamp.drawEllipse(QPointF(9, height / 2), 4, 4)
        stamp.setPen(QColor(colours.canvas_text))
        stamp.drawText(box.adjusted(18, 0, -4, 0), flags, text)

    key = "name", text, bool(refused), width, height, colour.rgba(), colours.name
    return words.stamp("name", key, x, y, (width, height), paint)
