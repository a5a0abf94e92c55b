"""Paints what hands set on a slice: crosshair, edge of the swipe, ring of the spyglass, distances. The painter stands in logical pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from reviewer.scene import Point, Scene

from ..theme import RHYTHM, theme
from .interaction import Distance
from .layers import SPYGLASS_PIXELS
from .viewport import Pair, Viewport
from .words import Words

CROSSHAIR_GAP = 14.0
CROSSHAIR_DARKER = 130
"""Per cent; in full strength the lines would draw the eye from the picture."""


def paint_crosshair(painter: QPainter, port: Viewport, point_mm: Point) -> None:
    px, py = port.pixel(port.projected(point_mm))
    w, h = port.size
    colour = QColor(theme().canvas_accent).darker(
        CROSSHAIR_DARKER
    )  # opaque: Qt shares lines that are not out to threads
    g, line = round(CROSSHAIR_GAP), 1
    x, y = int(px), int(py)
    painter.setRenderHint(
        QPainter.RenderHint.Antialiasing, False
    )  # whole pixels need none, and take ten times as long with it
    for rect in (
        QRect(0, y, x - g, line),
        QRect(x + g, y, int(w) - x - g, line),
        QRect(x, 0, line, y - g),
        QRect(x, y + g, line, int(h) - y - g),
    ):
        if rect.isValid():
            painter.fillRect(rect, colour)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def paint_style_marks(painter: QPainter, scene: Scene, port: Viewport, cursor: Pair | None) -> None:
    """Where the overlay begins: the edge of a swipe, the ring of a spyglass."""
    if scene.overlay is None:
        return
    colour = QColor(theme().canvas_text)
    colour.setAlpha(190)
    painter.setPen(QPen(colour, 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if scene.style == "swipe":
        x = scene.swipe * port.size[0]
        painter.drawLine(QPointF(x, 0), QPointF(x, port.size[1]))
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(x - 3, port.size[1] / 2 + 2 * RHYTHM, 6, 4 * RHYTHM), 3, 3)
    elif scene.style == "spyglass" and cursor is not None:
        painter.drawEllipse(QPointF(*cursor), SPYGLASS_PIXELS, SPYGLASS_PIXELS)


def paint_distances(painter: QPainter, distances: Sequence[Distance], port: Viewport, words: Words) -> None:
    """The distances that lie on the slice, with their lengths."""
    normal = np.array(port.plane.normal)
    colour = QColor(theme().canvas_accent)
    for distance in distances:
        if abs(float(np.array(distance.start_mm) @ normal) - port.position_mm) > 0.5:
            continue
        a, b = (QPointF(*port.pixel(port.projected(p))) for p in (distance.start_mm, distance.end_mm))
        painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
        painter.drawLine(a, b)
        painter.setPen(QPen(colour, 1.4))
        painter.drawLine(a, b)
        along = np.array([b.x() - a.x(), b.y() - a.y()])
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * 4
        for end in (a, b):
            painter.drawLine(end + QPointF(*across), end - QPointF(*across))
        words.write_near(painter, f"{distance.length_mm:.1f} mm", (b.x(), b.y()), port.size, colour)


def paint_focus(painter: QPainter, size: Pair) -> None:
    """The border of the view that the keys go to."""
    accent = QColor(theme().accent)
    w, h = int(size[0]), int(size[1])
    for x, y, width, height in ((0, 0, w, 1), (0, h - 1, w, 1), (0, 0, 1, h), (w - 1, 0, 1, h)):
        painter.fillRect(x, y, width, height, accent)
