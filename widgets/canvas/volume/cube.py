"""The orientation cube: which side of the patient faces the reader, in letters."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF, QTransform

from .orbit import Orbit

# Side -> outward normal, and the directions to the right and downwards of the letter on it (LPS).
_FACES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "A": ((0, -1, 0), (1, 0, 0), (0, 0, -1)),
    "P": ((0, 1, 0), (-1, 0, 0), (0, 0, -1)),
    "L": ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "R": ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "H": ((0, 0, 1), (1, 0, 0), (0, -1, 0)),
    "F": ((0, 0, -1), (1, 0, 0), (0, 1, 0)),
}


def cube_faces(orbit: Orbit, centre: QPointF, edge: float) -> dict[str, QPolygonF]:
    """The visible sides, far ones first, with their corners on the screen: from the letter's top left, clockwise."""
    visible = []
    for side, (normal, right, down) in _FACES.items():
        facing = float(np.dot(normal, orbit.towards_eye))
        if facing <= 0.02:
            continue
        n, r, d = (np.array(v, dtype=np.float64) for v in (normal, right, down))
        corners = [n - r - d, n + r - d, n + r + d, n - r + d]
        half = edge / 2
        polygon = QPolygonF(
            [
                QPointF(centre.x() + half * float(c @ orbit.right), centre.y() - half * float(c @ orbit.up))
                for c in corners
            ]
        )
        visible.append((facing, side, polygon))
    return {side: polygon for _, side, polygon in sorted(visible, key=lambda entry: entry[0])}


def paint_cube(painter: QPainter, faces: dict[str, QPolygonF], ink: QColor, hovered: str | None) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = 100.0
    unit = QPolygonF([QPointF(0, 0), QPointF(box, 0), QPointF(box, box), QPointF(0, box)])
    font = QFont(painter.font())
    font.setPixelSize(int(box * 0.72))
    font.setBold(True)
    for side, polygon in faces.items():
        fill = QColor(ink)
        fill.setAlpha(110 if side == hovered else 46)
        back = QColor(16, 20, 26, 225)
        painter.setTransform(QTransform())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawPolygon(polygon)
        painter.setBrush(fill)
        painter.setPen(QPen(ink, 1.0))
        painter.drawPolygon(polygon)
        transform = QTransform()
        if not QTransform.quadToQuad(unit, polygon, transform):
            continue
        painter.setTransform(transform)
        painter.setFont(font)
        painter.drawText(0, 0, int(box), int(box), Qt.AlignmentFlag.AlignCenter, side)
    painter.restore()
