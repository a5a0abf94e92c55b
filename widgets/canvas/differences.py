"""The difference of two contours in a plane: areas only in A and only in B, the outline of A, the outline of B dashed."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from reviewer.geometry.region import rings_of
from reviewer.scene import Compared

from .facts import EDGE, Room
from .paths import Outline, path_of, to_screen_of
from .viewport import Viewport

COLOUR_A, COLOUR_B = QColor(230, 159, 0), QColor(86, 180, 233)
"""Orange and sky blue, which colour-blind eyes can tell apart (Okabe and Ito)."""

TINT, HATCH = 84, 210
"""Alpha of what is under the hatching, and of the hatching."""

SWATCH = 22.0

LegendLine = tuple[str, QColor, Qt.BrushStyle, Qt.PenStyle]


class Differences:
    """Paints the compared pair; the areas of the last plane are kept."""

    def __init__(self) -> None:
        self._of: tuple[Outline | None, Outline | None] = (None, None)
        self._areas: tuple[QPainterPath, QPainterPath] = (QPainterPath(), QPainterPath())

    def clear(self) -> None:
        self._of, self._areas = (None, None), (QPainterPath(), QPainterPath())

    def paint(self, painter: QPainter, a: Outline | None, b: Outline | None, port: Viewport) -> None:
        """a, b: the cuts with the plane, None where it misses. The painter stands in pixels, so that hatching and dashes keep their size."""
        to_screen = to_screen_of(port)
        if self._of[0] is not a or self._of[1] is not b:
            self._of, self._areas = (a, b), (_only(a, b), _only(b, a))
        sides = (
            (COLOUR_A, Qt.BrushStyle.BDiagPattern, a, Qt.PenStyle.SolidLine),
            (COLOUR_B, Qt.BrushStyle.FDiagPattern, b, Qt.PenStyle.DashLine),
        )
        for (colour, pattern, _, _), area in zip(sides, self._areas, strict=True):
            _hatched(painter, to_screen.map(area), colour, pattern)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, _, outline, style in sides:
            if outline is not None:
                path = to_screen.map(outline.path)
                painter.strokePath(path, QPen(QColor(0, 0, 0, 170), 3.4))
                painter.strokePath(path, _line(colour, style))


def _only(one: Outline | None, other: Outline | None) -> QPainterPath:
    """The area of one that the other does not have."""
    if one is None:
        return QPainterPath()
    if other is None:
        return one.path
    rest = one.region.difference(other.region)
    pieces = [p for p in getattr(rest, "geoms", [rest]) if p.geom_type == "Polygon" and not p.is_empty]
    return path_of([ring for piece in pieces for ring in rings_of(piece)], closed=True)


def _hatched(painter: QPainter, area: QPainterPath, colour: QColor, pattern: Qt.BrushStyle) -> None:
    tint, hatch = QColor(colour), QColor(colour)
    tint.setAlpha(TINT)
    hatch.setAlpha(HATCH)
    painter.fillPath(area, tint)
    painter.fillPath(area, QBrush(hatch, pattern))


def _line(colour: QColor, style: Qt.PenStyle) -> QPen:
    pen = QPen(colour, 1.8)
    if style == Qt.PenStyle.DashLine:
        pen.setDashPattern([4.0, 2.5])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def legend_lines(compared: Compared) -> tuple[LegendLine, ...]:
    a, b = compared.labels
    return (
        (f"A  {a}", COLOUR_A, Qt.BrushStyle.NoBrush, Qt.PenStyle.SolidLine),
        (f"B  {b}", COLOUR_B, Qt.BrushStyle.NoBrush, Qt.PenStyle.DashLine),
        ("only in A", COLOUR_A, Qt.BrushStyle.BDiagPattern, Qt.PenStyle.SolidLine),
        ("only in B", COLOUR_B, Qt.BrushStyle.FDiagPattern, Qt.PenStyle.SolidLine),
    )


def place_for_legend(width: float, line: float, rows: int, room: Room) -> tuple[float, float, float, float] | None:
    """A free box at the upper right, or a little further down; None where the view is too small."""
    width, height = width + SWATCH + EDGE, line * rows
    if width > room.size[0] * 0.6 or height > room.size[1] * 0.5:
        return None
    places = [(room.size[0] - EDGE - width, EDGE + step * line, width, height) for step in range(6)]
    return next((place for place in places if room.take(place)), None)


def paint_swatch(painter: QPainter, x: float, y: float, line: float, row: LegendLine) -> None:
    """The sample of a line of the legend, at the left of its words."""
    _, colour, pattern, style = row
    if pattern == Qt.BrushStyle.NoBrush:
        painter.setPen(_line(colour, style))
        painter.drawLine(QPointF(x, y + line / 2), QPointF(x + SWATCH - 5, y + line / 2))
    else:
        box = QPainterPath()
        box.addRect(QRectF(x, y + 3, SWATCH - 5, line - 6))
        _hatched(painter, box, colour, pattern)
