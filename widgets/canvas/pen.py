# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions
"""Draws many lines on a sheet in one compiled pass, antialiased, in a tenth of the time of a painter. Imported beside the window (see `late`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numba import njit

from .contours import Stroke
from .sheet import Pixels

OPAQUE = 255
BYTE, PAIR, ROUND = np.uint32(0xFF), np.uint32(0x00FF00FF), np.uint32(0x00800080)
"""Bytes of a pixel: the lowest, every other one, and half of what is rounded away below these."""


def draw(
    sheet: Pixels, strokes: Sequence[Stroke], scale: float, origin: tuple[float, float], ratio: float, width: float
) -> None:
    """Draw strokes, the later ones above the earlier.

    scale, origin: a point p of a line stands at ``p * scale + origin`` device pixels, (0, 0) being the left upper corner of the sheet; ratio: device
    pixels per logical pixel, in which width and dashes are.
    """
    strokes = [stroke for stroke in strokes if stroke.lines]
    if not strokes:
        return
    points = np.concatenate([line for stroke in strokes for line in stroke.lines]) * scale + np.asarray(origin)
    ends = np.cumsum([len(line) for stroke in strokes for line in stroke.lines])
    which = np.repeat(np.arange(len(strokes)), [len(stroke.lines) for stroke in strokes])
    closed = np.array([stroke.closed for stroke in strokes])
    colours = np.array([(r << 16 | b, OPAQUE << 16 | g) for r, g, b in (s.colour for s in strokes)], dtype=np.uint32)
    dashes = np.array([stroke.dash for stroke in strokes]) * ratio
    inked = np.zeros(sheet.shape, dtype=np.uint32)
    _draw(sheet, inked, points, ends, which, closed, colours, dashes, width * ratio / 2)


def warm_up() -> None:
    """Load the compiled loop."""
    draw(np.zeros((2, 2), dtype=np.uint32), [Stroke([np.zeros((2, 2))], False, (0, 0, 0))], 1.0, (0.0, 0.0), 1.0, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(sheet, inked, points, ends, which, closed, colours, dashes, half):  # type: ignore[no-untyped-def]
    """inked: of each pixel, the stroke that was there last, from 1 on, times 256, and how much of the pixel that one covers, of 255."""
    rows, columns = sheet.shape
    flat, flat_inked = sheet.reshape(-1), inked.reshape(-1)
    first = 0
    for n in range(len(ends)):
        stroke, end = which[n], ends[n]
        drawn, left_out = dashes[stroke, 0], dashes[stroke, 1]
        gone = 0.0
        for i in range(first, end):
            j = i + 1
            if j == end:
                if not closed[stroke] or end - first < 2:
                    break
                j = first
            ax, ay, bx, by = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
            _segment(flat, flat_inked, rows, columns, ax, ay, bx, by, stroke, colours, drawn, left_out, gone, half)
            gone += sqrt((bx - ax) ** 2 + (by - ay) ** 2)
        first = end


@njit(cache=True, nogil=True, error_model="numpy")
def _segment(sheet, inked, rows, columns, ax, ay, bx, by, stroke, colours, drawn, left_out, gone, half):  # type: ignore[no-untyped-def]
    """A straight piece, half a pixel longer at both ends, so that bends are round. gone: how far it begins from the line's begin.

    Of each row or column that it crosses, pixels are covered by how near their centres are to it.
    """
    dx, dy = bx - ax, by - ay
    steep = abs(dy) > abs(dx)
    begin, end, across = (ay, by, ax) if steep else (ax, bx, ay)
    count, other, by_m, by_k = (rows, columns, columns, 1) if steep else (columns, rows, 1, columns)
    if not (min(begin, end) < count + 1.0 and max(begin, end) > -1.0):  # also where it is nowhere
        return
    slope = 0.0 if begin == end else (dx / dy if steep else dy / dx)
    longer = sqrt(1.0 + slope * slope)
    nearer = 1.0 / longer
    reach = half + 0.5
    aside = reach * longer
    red_blue, green = colours[stroke, 0], colours[stroke, 1]
    mark = np.uint32(stroke + 1) << np.uint32(8)
    first, last = int(max(min(begin, end), 0.0)), int(min(max(begin, end) + 1.0, count))
    for m in range(first, last):
        middle = across + (m + 0.5 - begin) * slope - 0.5
        if not (middle - aside < other and middle + aside > -1.0):
            continue
        most = 1.0
        if drawn > 0.0:
            at = (gone + abs(m + 0.5 - begin) * longer) % (drawn + left_out)
            most = min(min(at, drawn - at) + 0.5, 1.0)
        low, high = int(max(middle - aside + 1.0, 0.0)), int(min(middle + aside + 1.0, other))
        at_pixel = np.uintp(m * by_m + low * by_k)
        for k in range(low, high):
            cover = np.int32(min(reach - abs(k - middle) * nearer, most) * 255.0 + 0.5)
            last = inked[at_pixel]
            before = np.int32(last & BYTE) if last & ~BYTE == mark else np.int32(0)
            if cover > before:
                inked[at_pixel] = mark | np.uint32(cover)
                share = cover + (cover >> 7) if before == 0 else ((cover - before) << 8) // (255 - before)
                sheet[at_pixel] = _over(sheet[at_pixel], red_blue, green, np.uint32(share))
            at_pixel += np.uintp(by_k)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _over(under, red_blue, green, share):  # type: ignore[no-untyped-def]
    """A share, of 256, of an opaque colour over a premultiplied pixel: two bytes at a time."""
    rest = np.uint32(256) - share
    low = ((under & PAIR) * rest + red_blue * share + ROUND) >> np.uint32(8) & PAIR
    high = (under >> np.uint32(8) & PAIR) * rest + green * share + ROUND & ~PAIR
    return np.uint32(high | low)
