"""What hands set on a slice, as marks: crosshair, edge of the swipe, ring of the spyglass, distances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from reviewer.scene import Point, Scene

from ..theme import RHYTHM, theme
from .interaction import Distance
from .layers import SPYGLASS_PIXELS
from .repaint import Mark, around
from .viewport import Pair, Viewport
from .words import Words

CROSSHAIR_GAP = 14.0
CROSSHAIR_DARKER = 130
"""Per cent; in full strength the lines would draw the eye from the picture."""


def crosshair(port: Viewport, point_mm: Point) -> Iterator[Mark]:
    px, py = port.pixel(port.projected(point_mm))
    w, h = port.size
    # opaque: Qt shares lines that are not out to threads
    colour = QColor(theme().canvas_accent).darker(CROSSHAIR_DARKER)
    g, line = round(CROSSHAIR_GAP), 1
    x, y = int(px), int(py)
    arms = (
        QRect(0, y, x - g, line),
        QRect(x + g, y, int(w) - x - g, line),
        QRect(x, 0, line, y - g),
        QRect(x, y + g, line, int(h) - y - g),
    )
    for n, arm in enumerate(arms):
        if arm.isValid():

            def draw(painter: QPainter, _: QRect, arm: QRect = arm) -> None:
                # whole pixels need no antialiasing, and take ten times as long with it
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.fillRect(arm, colour)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)

            yield Mark(("crosshair", n), (arm.getRect(), colour.rgba()), arm, draw)


def style_marks(scene: Scene, port: Viewport, cursor: Pair | None) -> Iterator[Mark]:
    """Where the overlay begins: the edge of a swipe, the ring of a spyglass."""
    if scene.overlay is None:
        return
    colour = QColor(theme().canvas_text)
    colour.setAlpha(190)

    def edge(painter: QPainter, _: QRect) -> None:
        x = scene.swipe * port.size[0]
        painter.setPen(QPen(colour, 1.2))
        painter.drawLine(QPointF(x, 0), QPointF(x, port.size[1]))
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(x - 3, port.size[1] / 2 + 2 * RHYTHM, 6, 4 * RHYTHM), 3, 3)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def ring(painter: QPainter, _: QRect) -> None:
        assert cursor is not None
        painter.setPen(QPen(colour, 1.2))
        painter.drawEllipse(QPointF(*cursor), SPYGLASS_PIXELS, SPYGLASS_PIXELS)

    everywhere = around(0, 0, *port.size)
    if scene.style == "swipe":
        yield Mark("swipe", (scene.swipe, port.size, colour.rgba()), everywhere, edge)
    elif scene.style == "spyglass" and cursor is not None:
        yield Mark("spyglass", (cursor, colour.rgba()), everywhere, ring)


def distance_marks(distances: Sequence[Distance], port: Viewport, words: Words) -> Iterator[Mark]:
    """The distances that lie on the slice, with their lengths."""
    normal = np.array(port.plane.normal)
    colour = QColor(theme().canvas_accent)
    for n, distance in enumerate(distances):
        if abs(float(np.array(distance.start_mm) @ normal) - port.position_mm) > 0.5:
            continue
        a, b = (QPointF(*port.pixel(port.projected(p))) for p in (distance.start_mm, distance.end_mm))

        def draw(painter: QPainter, _: QRect, a: QPointF = a, b: QPointF = b) -> None:
            painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
            painter.drawLine(a, b)
            painter.setPen(QPen(colour, 1.4))
            painter.drawLine(a, b)
            along = np.array([b.x() - a.x(), b.y() - a.y()])
            across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * 4
            for end in (a, b):
                painter.drawLine(end + QPointF(*across), end - QPointF(*across))

        (x0, x1), (y0, y1) = sorted((a.x(), b.x())), sorted((a.y(), b.y()))
        look = a.toTuple(), b.toTuple(), colour.rgba()
        yield Mark(("distance", n), look, around(x0, y0, x1, y1, 8), draw)
        text = f"{distance.length_mm:.1f} mm"
        yield words.near(("length", n), text, (b.x(), b.y()), port.size, colour)


def focus(size: Pair) -> Mark:
    """The border of the view that the keys go to."""
    accent = QColor(theme().accent)
    w, h = int(size[0]), int(size[1])

    def draw(painter: QPainter, _: QRect) -> None:
        for x, y, width, height in ((0, 0, w, 1), (0, h - 1, w, 1), (0, 0, 1, h), (w - 1, 0, 1, h)):
            painter.fillRect(x, y, width, height, accent)

    return Mark("focus", (w, h, accent.rgba()), QRect(0, 0, w, h), draw)
