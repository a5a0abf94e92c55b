"""What a slice view says, as marks: its facts, scale bar, legends, names of isodoses and of what the cursor is on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from math import ceil

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap

from reviewer.dose_map import DoseMap
from reviewer.scene import Compared, DoseLayer

from ..theme import FAMILIES, theme
from .differences import SWATCH, LegendLine, legend_lines, paint_swatch, place_for_legend
from .facts import EDGE, Box, Fact, Placed, Role, Room, level_text, placed, scale_bar
from .layers import Lines
from .map_wash import BAR_PX, BAR_WIDTH, legend_box, paint_bar
from .repaint import Mark, around
from .viewport import Pair, Viewport

TEXT_GROUND = QColor(0, 0, 0, 96)
"""Behind words, so that they can be read on white as on black."""

SCALE_RISE = 3.0
"""How far the label of the scale bar stands above the bar, pixels."""


KEPT_STAMPS = 400


class Words:
    """The texts of one view and where they stand. `room` takes what is placed, so that no text lies on another.

    Words stay the same from paint to paint far more often than not: each is painted once, on a stamp, and the stamp is put down.
    """

    def __init__(self) -> None:
        self.font = QFont()
        self.font.setFamilies(list(FAMILIES))
        self.font.setPixelSize(12)
        self._metrics = metrics = QFontMetricsF(self.font)
        self.line, self._ascent = metrics.height(), metrics.ascent()
        self.width: Callable[[str], float] = lru_cache(KEPT_STAMPS)(metrics.horizontalAdvance)
        self._stamps: OrderedDict[Hashable, QPixmap] = OrderedDict()
        self.placed: list[Placed] = []

    def box_of(self, name: str) -> Box | None:
        """Where the fact of a name stood at the last paint."""
        return next((p.box for p in self.placed if p.fact.name == name), None)

    def place(self, facts: tuple[Fact, ...], port: Viewport, room: Room) -> None:
        """Find a place for each fact, beside the scale bar."""
        room.take(self._scale_box(port))
        self.placed = placed(facts, room, self.width, self.line)

    def facts(self) -> Iterator[Mark]:
        for item in self.placed:
            colour, box = _role_colour(item.fact.role), item.box
            yield self._line_of(item.fact.name, box, item.text, colour)
            if item.fact.role == "caution":

                def bar(painter: QPainter, _: QRect, box: Box = box, colour: QColor = colour) -> None:
                    painter.setPen(QPen(colour, 1))
                    painter.drawLine(QPointF(2.5, box[1] + 1), QPointF(2.5, box[1] + box[3] - 1))

                look = box[1], box[3], colour.rgba()
                yield Mark(("bar", item.fact.name), look, around(2, box[1], 3, box[1] + box[3]), bar)

    def lines(self, text: str, room: float) -> int:
        """How many lines a text takes where each has so many pixels."""
        height = self._metrics.boundingRect(QRectF(0, 0, room, 1000), Qt.TextFlag.TextWordWrap, text).height()
        return round(height / self.line)

    def _line_of(self, name: Hashable, box: Box, text: str, colour: QColor) -> Mark:
        """One line of text on its ground."""
        size = int(box[2]) + 7, int(box[3]) + 1

        def paint(stamp: QPainter) -> None:
            stamp.fillRect(QRectF(0, 0, *size), TEXT_GROUND)
            self._paint_text(stamp, 3, 0, text, colour)

        return self.stamp(name, ("line", text, size, colour.rgba()), int(box[0]) - 3, int(box[1]), size, paint)

    def _paint_text(self, painter: QPainter, x: float, y: float, text: str, colour: QColor) -> None:
        baseline = QPointF(x, y + self._ascent)
        painter.setPen(QColor(0, 0, 0, 220))
        painter.drawText(baseline + QPointF(1.0, 1.0), text)
        painter.setPen(colour)
        painter.drawText(baseline, text)

    def stamp(
        self,
        name: Hashable,
        key: Hashable,
        x: float,
        y: float,
        size: tuple[float, float],
        paint: Callable[[QPainter], None],
    ) -> Mark:
        """What is painted once, and then put down as it is. x, y, size: logical pixels."""
        box = around(x, y, x + size[0], y + size[1])
        return Mark(name, (key, x, y), box, lambda painter, _: self._put(painter, key, x, y, size, paint))

    def _put(
        self,
        painter: QPainter,
        key: Hashable,
        x: float,
        y: float,
        size: tuple[float, float],
        paint: Callable[[QPainter], None],
    ) -> None:
        """Put down the stamp of a key, painted before if it is new. x, y, size: logical pixels."""
        ratio = painter.device().devicePixelRatioF()
        stamp = self._stamps.get((key, ratio))
        if stamp is None:
            stamp = QPixmap(ceil(size[0] * ratio), ceil(size[1] * ratio))
            stamp.setDevicePixelRatio(ratio)
            stamp.fill(Qt.GlobalColor.transparent)
            inner = QPainter(stamp)
            inner.setRenderHint(QPainter.RenderHint.Antialiasing)
            inner.setFont(self.font)
            paint(inner)
            inner.end()
            self._stamps[key, ratio] = stamp
            if len(self._stamps) > KEPT_STAMPS:
                self._stamps.popitem(last=False)
        else:
            self._stamps.move_to_end((key, ratio))
        painter.drawPixmap(QPointF(round(x * ratio) / ratio, round(y * ratio) / ratio), stamp)

    def near(self, name: Hashable, text: str, pixel: Pair, size: Pair, colour: QColor) -> Mark:
        """One line of text right above a pixel, moved so far that it stays in the view."""
        width, height = self.width(text), self.line
        x = min(max(pixel[0] + 8, EDGE), size[0] - width - EDGE)
        y = min(max(pixel[1] - height - 2, EDGE), size[1] - height - EDGE)
        return self._line_of(name, (x, y, width, height), text, colour)

    def _scale_box(self, port: Viewport) -> Box:
        """The place of the scale bar and, above it, its label."""
        length, label = _scale_of(port)
        width = max(length, self.width(label)) + 1
        height = self.line + SCALE_RISE
        return port.size[0] - EDGE - width, port.size[1] - EDGE - height, width, height

    def scale(self, port: Viewport) -> Iterator[Mark]:
        length, label = _scale_of(port)
        x, y, width, height = self._scale_box(port)
        right, bottom = width + 4, height - 1  # in the stamp, which has room for the outline and the label's ground

        def paint(stamp: QPainter) -> None:
            stamp.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            for colour, extra in ((QColor(0, 0, 0, 200), 2), (QColor(theme().canvas_text), 0)):
                stamp.setPen(QPen(colour, 1 + extra))
                stamp.drawLine(QPointF(right - length, bottom), QPointF(right, bottom))
                stamp.drawLine(QPointF(right - length, bottom - 4), QPointF(right - length, bottom))
                stamp.drawLine(QPointF(right, bottom - 4), QPointF(right, bottom))

        size = width + 8, height + 4
        yield self.stamp("scale", ("scale", length, label, theme().canvas_text), x - 4, y, size, paint)
        wide = self.width(label)
        middle = x + width - length / 2 - wide / 2
        box = min(middle, x + width - wide), y, wide, self.line
        yield self._line_of("scale label", box, label, QColor(theme().canvas_text))

    def isodose_legend(self, dose: DoseLayer | None, reference_gy: float | None, room: Room) -> Iterator[Mark]:
        """The isodose levels at the upper right, where there is room for all of them."""
        if dose is None or not (dose.lines or dose.wash) or not dose.isodoses:
            return
        levels = sorted(dose.isodoses, key=lambda level: -level.gy)
        texts = [level_text(level, reference_gy) for level in levels]
        width = max(self.width(t) for t in texts) + 20
        line = self.line
        height = line * len(levels)
        if height > room.size[1] * 0.42 or width > room.size[0] * 0.3:
            return
        places = [(room.size[0] - EDGE - width, EDGE + row * line, width, height) for row in range(4)]
        box = next((place for place in places if room.take(place)), None)
        if box is None:
            return
        ink = QColor(theme().canvas_text)

        def paint(stamp: QPainter) -> None:
            for row, (level, text) in enumerate(zip(levels, texts, strict=True)):
                y = row * line
                stamp.setPen(QPen(QColor(*level.colour), 2.4))
                stamp.drawLine(QPointF(2, y + line / 2), QPointF(15, y + line / 2))
                stamp.fillRect(QRectF(19, y, width - 13, line), TEXT_GROUND)
                self._paint_text(stamp, 22, y, text, ink)

        key = ("isodoses", tuple(levels), tuple(texts), ink.rgba())
        yield self.stamp("isodose legend", key, box[0] - 2, box[1], (width + 8, height + 1), paint)

    def map_legend(self, shown: DoseMap, room: Room) -> Iterator[Mark]:
        """The colours of a map with their values, where there is room; the unit stands above."""
        signed = shown.stops[0][0] < 0
        texts = [f"{tick:+g}".replace("-", "−") if signed and tick else f"{tick:g}" for tick in shown.ticks]
        unit = shown.unit or "gamma"
        width = max(self.width(t) for t in (*texts, unit)) + 6
        box = legend_box(shown, width, self.line, room)
        if box is None:
            return
        ink = QColor(theme().canvas_text)
        low, high = shown.stops[0][0], shown.stops[-1][0]
        x, y = box[0] + width, box[1] + self.line
        place = box[0] + box[2] - self.width(unit) - 6, box[1], self.width(unit), self.line
        yield self._line_of("map unit", place, unit, ink)

        def bar(painter: QPainter, _: QRect) -> None:
            paint_bar(painter, x, y + 2, shown)
            painter.setPen(QPen(ink, 1))
            for tick in shown.ticks:
                at = y + 2 + (high - tick) / (high - low) * BAR_PX
                painter.drawLine(QPointF(x - 2, at), QPointF(x + BAR_WIDTH / 3, at))

        for tick, text in zip(shown.ticks, texts, strict=True):
            at = y + 2 + (high - tick) / (high - low) * BAR_PX
            top = min(max(at - self.line / 2, y - 2), y + 2 + BAR_PX - self.line / 2)
            place = x - 6 - self.width(text), top, self.width(text), self.line
            yield self._line_of(("map tick", tick), place, text, ink)
        yield Mark("map bar", (shown, x, y, ink.rgba()), around(x - 2, y, x + BAR_WIDTH, y + 4 + BAR_PX), bar)

    def compared_legend(self, compared: Compared, room: Room) -> Iterator[Mark]:
        """What is A and what is B, where there is room to say it."""
        rows, line = legend_lines(compared), self.line
        width = max(self.width(row[0]) for row in rows)
        box = place_for_legend(width, line, len(rows), room)
        if box is None:
            return
        for place, row in enumerate(rows):
            y = box[1] + place * line

            def swatch(painter: QPainter, _: QRect, y: float = y, row: LegendLine = row) -> None:
                paint_swatch(painter, box[0], y, line, row)

            swatch_box = around(box[0], y, box[0] + SWATCH, y + line)
            yield Mark(("swatch", place), (box[0], y, line), swatch_box, swatch)
            words_box = box[0] + SWATCH, y, width, line
            yield self._line_of(("compared", place), words_box, row[0], QColor(theme().canvas_text))

    def isodose_labels(self, lines: tuple[Lines, ...], port: Viewport, room: Room) -> Iterator[Mark]:
        """Each level's name on its longest line, at the first place that is free; neighbours start at different sides."""
        line_height = self.line
        for turn, line in enumerate(lines):
            if not line.pieces:
                continue
            places, extent = line.label_places
            text = f"{line.gy:g} Gy"
            width = self.width(text) + 6
            if extent / port.mm_per_pixel < 2 * width:
                continue  # the label would hide what the line is about
            for n in range(len(places)):
                x, y = port.pixel(places[(n + 5 * turn) % len(places)])
                box = (x - width / 2, y - line_height / 2, width, line_height)
                if room.take(box):
                    yield self._label(("label", turn), box, text, QColor(*line.colour))
                    break

    def _label(self, name: Hashable, box: Box, text: str, colour: QColor) -> Mark:
        def paint(stamp: QPainter) -> None:
            stamp.setPen(Qt.PenStyle.NoPen)
            stamp.setBrush(QColor(0, 0, 0, 130))
            stamp.drawRoundedRect(QRectF(0, 0, box[2], box[3]), 3, 3)
            stamp.setPen(colour)
            stamp.drawText(QPointF(3, self._ascent), text)

        return self.stamp(name, ("label", text, colour.rgba()), box[0], box[1], (box[2], box[3]), paint)

    def hover(self, names: tuple[str, ...], cursor: Pair, size: Pair) -> Mark:
        """The names of the outlines under the cursor, beside it."""
        text = ", ".join(names[:3])
        width, height = self.width(text) + 12, self.line + 6
        x = min(cursor[0] + 14, size[0] - width - 4)
        y = cursor[1] + 16
        if y + height > size[1] - 4:
            y = cursor[1] - height - 8
        colours = theme()

        def draw(painter: QPainter, _: QRect) -> None:
            painter.setPen(QPen(QColor(colours.line), 1))
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(QRectF(x, y, width, height), 4, 4)
            painter.setPen(QColor(colours.text))
            painter.drawText(QPointF(x + 6, y + 3 + self._ascent), text)
            painter.setBrush(Qt.BrushStyle.NoBrush)

        return Mark("hover", (text, x, y, colours.raised), around(x, y, x + width, y + height), draw)


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
