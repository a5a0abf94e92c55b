"""Paints what a slice view says: its facts, scale bar, legends, names of isodoses and of what the cursor is on."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from reviewer.scene import Compared, DoseLayer

from ..theme import FAMILIES, theme
from .differences import SWATCH, legend_lines, paint_swatch, place_for_legend
from .facts import EDGE, Box, Fact, Placed, Role, Room, level_text, placed, scale_bar
from .layers import Lines
from .viewport import Pair, Viewport

TEXT_GROUND = QColor(0, 0, 0, 96)
"""Behind words, so that they can be read on white as on black."""

SCALE_RISE = 3.0
"""How far the label of the scale bar stands above the bar, pixels."""


class Words:
    """The texts of one view and where they stand. `room` takes what is placed, so that no text lies on another."""

    def __init__(self) -> None:
        self.font = QFont()
        self.font.setFamilies(list(FAMILIES))
        self.font.setPixelSize(12)
        self._metrics = QFontMetricsF(self.font)
        self.placed: list[Placed] = []

    def box_of(self, name: str) -> Box | None:
        """Where the fact of a name stood at the last paint."""
        return next((p.box for p in self.placed if p.fact.name == name), None)

    def place(self, facts: tuple[Fact, ...], port: Viewport, room: Room) -> None:
        """Find a place for each fact, beside the scale bar."""
        room.take(self._scale_box(port))
        self.placed = placed(facts, room, self._metrics.horizontalAdvance, self._metrics.height())

    def paint_facts(self, painter: QPainter) -> None:
        for item in self.placed:
            self.write(painter, item.box, item.text, _role_colour(item.fact.role))
            if item.fact.role == "caution":
                painter.setPen(QPen(_role_colour("caution"), 1))
                painter.drawLine(QPointF(2.5, item.box[1] + 1), QPointF(2.5, item.box[1] + item.box[3] - 1))

    def write(self, painter: QPainter, box: Box, text: str, colour: QColor) -> None:
        """One line of text on its ground."""
        painter.fillRect(QRect(int(box[0]) - 3, int(box[1]), int(box[2]) + 7, int(box[3]) + 1), TEXT_GROUND)
        baseline = QPointF(box[0], box[1] + self._metrics.ascent())
        painter.setPen(QColor(0, 0, 0, 220))
        painter.drawText(baseline + QPointF(1.0, 1.0), text)
        painter.setPen(colour)
        painter.drawText(baseline, text)

    def write_near(self, painter: QPainter, text: str, pixel: Pair, size: Pair, colour: QColor) -> None:
        """One line of text right above a pixel, moved so far that it stays in the view."""
        width, height = self._metrics.horizontalAdvance(text), self._metrics.height()
        x = min(max(pixel[0] + 8, EDGE), size[0] - width - EDGE)
        y = min(max(pixel[1] - height - 2, EDGE), size[1] - height - EDGE)
        self.write(painter, (x, y, width, height), text, colour)

    def _scale_box(self, port: Viewport) -> Box:
        """The place of the scale bar and, above it, its label."""
        length, label = _scale_of(port)
        width = max(length, self._metrics.horizontalAdvance(label)) + 1
        height = self._metrics.height() + SCALE_RISE
        return port.size[0] - EDGE - width, port.size[1] - EDGE - height, width, height

    def paint_scale(self, painter: QPainter, port: Viewport) -> None:
        length, label = _scale_of(port)
        right, bottom = port.size[0] - EDGE, port.size[1] - EDGE
        width, height = self._metrics.horizontalAdvance(label), self._metrics.height()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for colour, extra in ((QColor(0, 0, 0, 200), 2), (QColor(theme().canvas_text), 0)):
            painter.setPen(QPen(colour, 1 + extra))
            y = bottom - 1
            painter.drawLine(QPointF(right - length, y), QPointF(right, y))
            painter.drawLine(QPointF(right - length, y - 4), QPointF(right - length, y))
            painter.drawLine(QPointF(right, y - 4), QPointF(right, y))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = min(right - length / 2 - width / 2, right - width)
        self.write(painter, (x, bottom - height - SCALE_RISE, width, height), label, QColor(theme().canvas_text))

    def paint_isodose_legend(
        self, painter: QPainter, dose: DoseLayer | None, reference_gy: float | None, room: Room
    ) -> None:
        """The isodose levels at the upper right, where there is room for all of them."""
        if dose is None or not (dose.lines or dose.wash) or not dose.isodoses:
            return
        levels = sorted(dose.isodoses, key=lambda level: -level.gy)
        texts = [level_text(level, reference_gy) for level in levels]
        width = max(self._metrics.horizontalAdvance(t) for t in texts) + 20
        line = self._metrics.height()
        height = line * len(levels)
        if height > room.size[1] * 0.42 or width > room.size[0] * 0.3:
            return
        places = [(room.size[0] - EDGE - width, EDGE + row * line, width, height) for row in range(4)]
        box = next((place for place in places if room.take(place)), None)
        if box is None:
            return
        for row, (level, text) in enumerate(zip(levels, texts, strict=True)):
            y = box[1] + row * line
            painter.setPen(QPen(QColor(*level.colour), 2.4))
            painter.drawLine(QPointF(box[0], y + line / 2), QPointF(box[0] + 13, y + line / 2))
            self.write(painter, (box[0] + 20, y, width - 20, line), text, QColor(theme().canvas_text))

    def paint_compared_legend(self, painter: QPainter, compared: Compared, room: Room) -> None:
        """What is A and what is B, where there is room to say it."""
        rows, line = legend_lines(compared), self._metrics.height()
        width = max(self._metrics.horizontalAdvance(row[0]) for row in rows)
        box = place_for_legend(width, line, len(rows), room)
        if box is None:
            return
        for place, row in enumerate(rows):
            y = box[1] + place * line
            paint_swatch(painter, box[0], y, line, row)
            self.write(painter, (box[0] + SWATCH, y, width, line), row[0], QColor(theme().canvas_text))

    def paint_isodose_labels(self, painter: QPainter, lines: tuple[Lines, ...], port: Viewport, room: Room) -> None:
        """Each level's name on its longest line, at the first place that is free; neighbours start at different sides."""
        metrics = self._metrics
        line_height = metrics.height()
        for turn, line in enumerate(lines):
            if not line.pieces:
                continue
            places, extent = line.label_places
            text = f"{line.gy:g} Gy"
            width = metrics.horizontalAdvance(text) + 6
            if extent / port.mm_per_pixel < 2 * width:
                continue  # the label would hide what the line is about
            for n in range(len(places)):
                x, y = port.pixel(places[(n + 5 * turn) % len(places)])
                box = (x - width / 2, y - line_height / 2, width, line_height)
                if room.take(box):
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(QColor(0, 0, 0, 130))
                    painter.drawRoundedRect(QRectF(*box), 3, 3)
                    painter.setPen(QColor(*line.colour))
                    painter.drawText(QPointF(box[0] + 3, box[1] + metrics.ascent()), text)
                    break
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def paint_hover(self, painter: QPainter, names: tuple[str, ...], cursor: Pair, size: Pair) -> None:
        """The names of the outlines under the cursor, beside it."""
        text = ", ".join(names[:3])
        width, height = self._metrics.horizontalAdvance(text) + 12, self._metrics.height() + 6
        x = min(cursor[0] + 14, size[0] - width - 4)
        y = cursor[1] + 16
        if y + height > size[1] - 4:
            y = cursor[1] - height - 8
        colours = theme()
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(QRectF(x, y, width, height), 4, 4)
        painter.setPen(QColor(colours.text))
        painter.drawText(QPointF(x + 6, y + 3 + self._metrics.ascent()), text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _role_colour(role: Role) -> QColor:
    colours = theme()
    return QColor(
        {
            "muted": colours.canvas_muted,
            "accent": colours.canvas_accent,
            "caution": colours.caution,
        }.get(role, colours.canvas_text)
    )


def _scale_of(port: Viewport) -> tuple[float, str]:
    return scale_bar(port.mm_per_pixel, min(120.0, port.size[0] * 0.3))
