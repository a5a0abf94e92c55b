"""Grey values, overlays and dose wash as arrays: pure functions, no Qt.

Images are uint8 (rows, columns), masks bool, colours (rows, columns, 4) uint8 in the byte order blue, green, red, 255.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reviewer.case import Image, Window
from reviewer.scene import Isodose

Grey = NDArray[np.uint8]
Colour = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def grey(values: NDArray[np.float32], image: Image, window: Window) -> Grey:
    """Stored values through the window: black at level - width/2, mid grey at the level, white at level + width/2."""
    scale = 255.0 / max(window.width, 1e-9)
    offset = (image.intercept - window.level) * scale + 127.5
    return np.asarray(cv2.addWeighted(values, image.slope * scale, values, 0.0, offset, dtype=cv2.CV_8U))


def blended(base: Grey, over: Grey, where: Mask, weight: float) -> Grey:
    """The overlay with a weight of 0 to 1 where it is, the base alone elsewhere."""
    both = cv2.addWeighted(base, 1.0 - weight, over, weight, 0.0)
    return shown_in(base, np.asarray(both), where)


def shown_in(base: Grey, over: Grey, where: Mask) -> Grey:
    """The overlay where the mask is, the base elsewhere."""
    result = base.copy()
    cv2.copyTo(over, where.view(np.uint8), result)
    return result


def right_of(where: Mask, column: int) -> Mask:
    """The part of a mask from a column on: what a swipe shows of the overlay."""
    result = where.copy()
    result[:, : max(column, 0)] = False
    return result


def in_circle(where: Mask, centre: tuple[float, float], radius: float) -> Mask:
    """The part of a mask within `radius` of (column, row): what a spyglass shows of the overlay."""
    columns = np.arange(where.shape[1]) + 0.5 - centre[0]
    rows = np.arange(where.shape[0]) + 0.5 - centre[1]
    return np.asarray(where & (rows[:, None] ** 2 + columns[None, :] ** 2 <= radius**2))


def in_squares(where: Mask, corner: tuple[int, int], side: int) -> Mask:
    """Every other square of a checkerboard that is fixed to the view; corner: (column, row) of the mask's first pixel in the view."""
    columns = (np.arange(where.shape[1]) + corner[0]) // side
    rows = (np.arange(where.shape[0]) + corner[1]) // side
    return np.asarray(where & ((columns[None, :] + rows[:, None]) % 2 == 1))


def wash(picture: Colour, dose: NDArray[np.float32], inside: Mask, levels: Sequence[Isodose], opacity: float) -> None:
    """Tint a picture in place where the dose is known and at least the lowest level. picture, dose, inside: of one size.

    Between two levels the tint goes from the colour of the one to that of the other; above the highest it is that of the highest.
    """
    if not levels or opacity <= 0:
        return
    ordered = sorted(levels, key=lambda level: level.gy)
    lowest, highest = ordered[0].gy, ordered[-1].gy
    scale = 255.0 / max(highest - lowest, 1e-6)
    index = cv2.addWeighted(dose, scale, dose, 0.0, -lowest * scale, dtype=cv2.CV_8U)
    gy = np.linspace(lowest, highest, 256)
    table = np.empty((256, 1, 3), dtype=np.uint8)
    for channel in range(3):
        table[:, 0, 2 - channel] = np.rint(np.interp(gy, [i.gy for i in ordered], [i.colour[channel] for i in ordered]))
    tint = cv2.cvtColor(cv2.applyColorMap(index, table), cv2.COLOR_BGR2BGRA)
    tinted = cv2.addWeighted(picture, 1.0 - opacity, tint, opacity, 0.0)
    where = inside & (dose >= np.float32(lowest))
    cv2.copyTo(tinted, where.view(np.uint8), picture)
