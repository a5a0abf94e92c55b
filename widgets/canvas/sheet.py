"""What stays the same from paint to paint, on a transparent sheet that is laid over the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QPainter

Pixels = NDArray[np.uint32]
"""(rows, columns) premultiplied 0xAARRGGBB."""


@dataclass(frozen=True, eq=False)
class Blank:
    """A transparent sheet to draw on. image: for painters, in logical pixels; pixels: the same memory; corner: where in the view it will lie."""

    image: QImage
    pixels: Pixels
    corner: QPoint


class Sheet:
    """Lines take many times as long to draw as a sheet to lay down."""

    def __init__(self) -> None:
        self._key: object = None
        self._pixels: Pixels = np.zeros((1, 1), dtype=np.uint32)
        self._image = QImage()

    def paint(self, painter: QPainter, key: object, box: QRect, draw: Callable[[Blank], None]) -> None:
        """Lay down what belongs to a key, drawn before if it is another than the last one. box: logical pixels of the view that it covers."""
        if box.isEmpty():
            return
        ratio = painter.device().devicePixelRatioF()
        if (key, box, ratio) != self._key:
            self._key = key, box, ratio
            rows, columns = round(box.height() * ratio), round(box.width() * ratio)
            if self._pixels.shape == (rows, columns):
                self._pixels.fill(0)
            else:
                self._pixels = np.zeros((rows, columns), dtype=np.uint32)
                self._image = QImage(
                    self._pixels.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied
                )
            self._image.setDevicePixelRatio(ratio)
            draw(Blank(self._image, self._pixels, box.topLeft()))
        painter.drawImage(box.topLeft(), self._image)
