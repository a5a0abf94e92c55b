"""The wash of a map (difference of doses, gamma) over the picture of a slice, and its legend. The numbers are those of the map, interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter

from reviewer.dose_map import DoseMap
from reviewer.scene import MapLayer

from . import compose
from .compose import Known
from .facts import EDGE, Box, Room
from .viewport import Lattice, Viewport

BAR_PX, BAR_WIDTH = 96.0, 10.0


@dataclass(frozen=True, eq=False)
class Wash:
    """Premultiplied blue, green, red, alpha (rows, columns, 4) bytes, and the device pixels that they belong on."""

    pixels: NDArray[np.uint8]
    lattice: Lattice


def wash(made: Known | None, layer: MapLayer, lattice: Lattice) -> Wash | None:
    """A cut of the map in its colours; clear where it is not known."""
    if made is None:
        return None
    values = compose.sampled(compose.source(made, lattice.start_mm, lattice.step_mm, lattice.size))
    table = layer.map.colours()
    low, high = layer.map.stops[0][0], layer.map.stops[-1][0]
    known = np.isfinite(values)
    index = np.clip((np.where(known, values, low) - low) / (high - low) * (len(table) - 1) + 0.5, 0, len(table) - 1)
    bytes_ = np.empty((len(table), 4), dtype=np.float32)
    bytes_[:, :3] = table[:, 2::-1] * table[:, 3:]
    bytes_[:, 3] = 255 * table[:, 3]
    pixels = np.round(bytes_).astype(np.uint8)[index.astype(np.intp)]
    pixels[~known] = 0
    return Wash(np.ascontiguousarray(pixels), lattice)


def paint_wash(painter: QPainter, made: Wash | None, port: Viewport) -> None:
    if made is None:
        return
    pixels = made.pixels
    image = QImage(
        pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], QImage.Format.Format_ARGB32_Premultiplied
    )
    image.setDevicePixelRatio(port.ratio)
    x, y = made.lattice.corner
    painter.drawImage(QPointF(x / port.ratio, y / port.ratio), image)


def legend_box(shown: DoseMap, width: float, line: float, room: Room) -> Box | None:
    """Where a legend whose ticks are `width` wide finds room, at the right."""
    size = width + BAR_WIDTH + 6, BAR_PX + 1.5 * line
    if size[1] > room.size[1] * 0.6 or size[0] > room.size[0] * 0.35:
        return None
    for row in range(8):
        box = (room.size[0] - EDGE - size[0], EDGE + row * line, *size)
        if room.take(box):
            return box
    return None


def paint_bar(painter: QPainter, x: float, y: float, shown: DoseMap) -> None:
    """The colours from the highest value down, on black as in the picture."""
    low, high = shown.stops[0][0], shown.stops[-1][0]
    gradient = QLinearGradient(0, y + BAR_PX, 0, y)
    for value, (red, green, blue, alpha) in shown.stops:
        gradient.setColorAt(
            (value - low) / (high - low), QColor(round(red), round(green), round(blue), round(255 * alpha))
        )
    painter.fillRect(QRectF(x - 1, y - 1, BAR_WIDTH + 2, BAR_PX + 2), QColor(160, 165, 175))
    painter.fillRect(QRectF(x, y, BAR_WIDTH, BAR_PX), QColor(28, 28, 30))
    painter.fillRect(QRectF(x, y, BAR_WIDTH, BAR_PX), gradient)
