"""From cuts of images and dose to the colours of screen pixels: base, overlay through its window and style, wash. No Qt, no numba.

`painted` here says what a picture is, in plain numpy; `fused.painted` gives the same picture in one compiled pass and takes its place as
soon as it is loaded (see `late`). Both interpolate linearly in floats and round once, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Image, Window
from reviewer.geometry.reslice import ON_A_SAMPLE, Cut
from reviewer.scene import Isodose

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Colours = NDArray[np.uint32]
"""0xFFRRGGBB."""

Span = tuple[float, float]
OPAQUE = 0xFF000000


class Known(NamedTuple):
    """A `Cut` with unknown samples as NaN. values: (h, w), in rows."""

    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    values: Floats
    reach_x_mm: Span
    reach_y_mm: Span


class Source(NamedTuple):
    """Samples, and where on them the pixels of a picture lie. A pixel is the mean of `taps` bilinear values in each direction.

    values: (h, w), NaN where unknown. column, across: (columns, taps) the sample to the left and the share of the one to its right;
    row, down: (rows, taps) the same downwards. reach: first column, column after the last, first row, row after the last that have a value.
    """

    values: Floats
    column: Indices
    across: Floats
    row: Indices
    down: Floats
    reach: tuple[int, int, int, int]


class Toned(NamedTuple):
    """An image through its window: black is 0, white 255 of ``value * scale + offset``."""

    source: Source
    scale: float
    offset: float


class Shown(NamedTuple):
    """How much of the overlay each pixel shows. patterns: (m, columns) shares of 0 to 1; which: (rows,) pattern of each row, -1: nothing."""

    patterns: Floats
    which: NDArray[np.int32]


class Tinted(NamedTuple):
    """A dose wash. table: (256, 3) red, green, blue from the lowest level to the highest; dose below the lowest has no tint.

    scale: entries of the table per Gy; opacity: 0 to 1.
    """

    source: Source
    lowest_gy: float
    scale: float
    table: Floats
    opacity: float


def known(made: Cut) -> Known:
    """A cut as `source` takes it: in floats of its own, NaN where it is not inside."""
    values = (
        np.asarray(made.values, dtype=np.float32)
        if made.oblique
        else np.array(made.values, dtype=np.float32, order="C")
    )
    if made.inside is not None and not made.oblique:
        np.copyto(values, np.nan, where=~made.inside)
    return Known(made.x_mm, made.y_mm, values, made.reach_x_mm, made.reach_y_mm)


def source(made: Known, start_mm: Span, step_mm: float, size: tuple[int, int], smooth: bool = False) -> Source:
    """A cut under the pixels of a picture. start_mm: plane coordinates of the first pixel's centre; size: columns, rows.

    smooth: average where a pixel is larger than the distance of the samples (a picture smaller than its voxels).
    """
    column, across, first_x, last_x = _along(made.x_mm, made.reach_x_mm, start_mm[0], step_mm, size[0], smooth)
    row, down, first_y, last_y = _along(made.y_mm, made.reach_y_mm, start_mm[1], step_mm, size[1], smooth)
    return Source(made.values, column, across, row, down, (first_x, last_x, first_y, last_y))


def no_source(size: tuple[int, int]) -> Source:
    """What is unknown everywhere."""
    columns, rows = (np.zeros((n, 1), dtype=np.uint32) for n in size)
    shares = columns.astype(np.float32), rows.astype(np.float32)
    return Source(np.full((1, 1), np.nan, dtype=np.float32), columns, shares[0], rows, shares[1], (0, 0, 0, 0))


def no_tint(size: tuple[int, int]) -> Tinted:
    """No dose anywhere."""
    return Tinted(no_source(size), 0.0, 0.0, np.zeros((256, 3), dtype=np.float32), 0.0)


def _along(
    centres_mm: NDArray[np.float64], reach_mm: Span, start_mm: float, step_mm: float, count: int, smooth: bool
) -> tuple[Indices, Floats, int, int]:
    """Sample before and share of the next for each of `count` pixels, and the pixels (from, up to) that lie wholly within reach."""
    return _along_known(centres_mm.tobytes(), reach_mm, start_mm, step_mm, count, smooth)


@lru_cache(24)  # from slice to slice all samples lie under the same pixels
def _along_known(
    centres_mm: bytes, reach_mm: Span, start_mm: float, step_mm: float, count: int, smooth: bool
) -> tuple[Indices, Floats, int, int]:
    centres = np.frombuffer(centres_mm)
    last = len(centres) - 1
    taps = max(1, round(step_mm * last / float(centres[-1] - centres[0]))) if smooth and last else 1
    offsets = ((np.arange(taps) + 0.5) / taps - 0.5) * step_mm
    places = (start_mm + step_mm * np.arange(count))[:, None] + offsets
    index = np.interp(places, centres, np.arange(last + 1.0))
    before = np.floor(index + ON_A_SAMPLE)
    share = np.maximum(index - before, 0.0).astype(np.float32)
    within = np.flatnonzero((places[:, 0] >= reach_mm[0] - ON_A_SAMPLE) & (places[:, -1] <= reach_mm[1] + ON_A_SAMPLE))
    first, end = (int(within[0]), int(within[-1]) + 1) if within.size else (0, 0)
    return before.astype(np.uint32), share, first, end


def toned(samples: Source, image: Image, window: Window) -> Toned:
    """Stored values through the window: black at level - width/2, mid grey at the level, white at level + width/2."""
    scale = 255.0 / max(window.width, 1e-9)
    return Toned(samples, float(image.slope * scale), float((image.intercept - window.level) * scale + 127.5))


def tinted(samples: Source, levels: Sequence[Isodose], opacity: float) -> Tinted:
    """Between two levels the tint goes from the colour of the one to that of the other; above the highest it is that of the highest."""
    lowest, highest, table = _tints(tuple(levels))
    return Tinted(samples, lowest, 255.0 / max(highest - lowest, 1e-6), table, float(opacity))


@lru_cache(8)  # the same from slice to slice
def _tints(levels: tuple[Isodose, ...]) -> tuple[float, float, Floats]:
    """Lowest and highest level, and the table of `Tinted` between them."""
    ordered = sorted(levels, key=lambda level: level.gy)
    lowest, highest = ordered[0].gy, ordered[-1].gy
    table = np.empty((256, 3), dtype=np.float32)
    gy = np.linspace(lowest, highest, 256)
    for channel in range(3):
        table[:, channel] = np.interp(gy, [i.gy for i in ordered], [i.colour[channel] for i in ordered])
    return float(lowest), float(highest), table


def trimmed(made: Known, lowest: float) -> Known | None:
    """The part of a cut outside which interpolation stays below a value; None where all of it does."""
    high = made.values >= np.float32(lowest)
    columns, rows = np.flatnonzero(high.any(axis=0)), np.flatnonzero(high.any(axis=1))
    if columns.size == 0:
        return None
    # up to the next sample, which is below, or to where the cut ends
    x, reach_x = _part(made.x_mm, made.reach_x_mm, columns)
    y, reach_y = _part(made.y_mm, made.reach_y_mm, rows)
    return Known(made.x_mm[x], made.y_mm[y], np.ascontiguousarray(made.values[y, x]), reach_x, reach_y)


def _part(centres_mm: NDArray[np.float64], reach_mm: Span, high: NDArray[np.intp]) -> tuple[slice, Span]:
    first, last = int(high[0]) - 1, int(high[-1]) + 1
    low_mm = reach_mm[0] if first < 0 else float(centres_mm[first])
    high_mm = reach_mm[1] if last >= len(centres_mm) else float(centres_mm[last])
    return slice(max(first, 0), last + 1), (low_mm, high_mm)


# -- what of the overlay is shown ---------------------------------------------------------------------------------------


def everywhere(size: tuple[int, int], share: float) -> Shown:
    """The same share of the overlay all over the picture. size: columns, rows."""
    return Shown(np.full((1, size[0]), share, dtype=np.float32), np.zeros(size[1], dtype=np.int32))


def right_of(size: tuple[int, int], column: int) -> Shown:
    """The overlay from a column on: a swipe."""
    return Shown((np.arange(size[0]) >= column).astype(np.float32)[None, :], np.zeros(size[1], dtype=np.int32))


def in_circle(size: tuple[int, int], centre: Span, radius: float) -> Shown:
    """The overlay within `radius` of (column, row): a spyglass."""
    rows = np.arange(size[1]) + 0.5 - centre[1]
    met = np.flatnonzero(np.abs(rows) <= radius)
    columns = np.arange(size[0]) + 0.5 - centre[0]
    which = np.full(size[1], -1, dtype=np.int32)
    which[met] = np.arange(met.size)
    patterns = rows[met, None] ** 2 + columns[None, :] ** 2 <= radius**2
    return Shown(patterns.astype(np.float32), which)


def in_squares(size: tuple[int, int], corner: tuple[int, int], side: int) -> Shown:
    """The overlay in every other square of a checkerboard fixed to the view; corner: (column, row) of the picture in the view."""
    columns = (np.arange(size[0]) + corner[0]) // side % 2
    rows = (np.arange(size[1]) + corner[1]) // side % 2
    return Shown(np.stack([columns, 1 - columns]).astype(np.float32), rows.astype(np.int32))


# -- the picture --------------------------------------------------------------------------------------------------------


def painted(base: Toned, over: Toned, shown: Shown, dose: Tinted) -> Colours:
    """(rows, columns) colours. Unknown: black of the base, nothing of the overlay, no tint of the dose."""
    values = _grey(base)
    other = _grey(over)
    share = np.where((shown.which >= 0)[:, None], shown.patterns[shown.which], np.float32(0))
    grey = np.nan_to_num(values)
    grey += np.where(np.isnan(other), np.float32(0), share) * (np.nan_to_num(other) - grey)
    colours = np.repeat(grey[:, :, None], 3, axis=2)
    gray = sampled(dose.source)
    with np.errstate(invalid="ignore"):
        where = gray >= np.float32(dose.lowest_gy)
    index = np.clip((gray[where] - np.float32(dose.lowest_gy)) * np.float32(dose.scale), 0, 255)
    colours[where] += np.float32(dose.opacity) * (dose.table[(index + 0.5).astype(np.intp)] - colours[where])
    red, green, blue = np.moveaxis((colours + np.float32(0.5)).astype(np.uint32), 2, 0)
    return np.asarray(OPAQUE | red << 16 | green << 8 | blue, dtype=np.uint32)


def sampled(samples: Source) -> Floats:
    """(rows, columns) values, NaN where unknown."""
    values, column, across, row, down, (first_x, last_x, first_y, last_y) = samples
    rows = np.mean(_between(values, row, down), axis=1, dtype=np.float32)
    both = np.mean(_between(np.ascontiguousarray(rows.T), column, across), axis=1, dtype=np.float32).T
    result = np.full(both.shape, np.nan, dtype=np.float32)
    result[first_y:last_y, first_x:last_x] = both[first_y:last_y, first_x:last_x]
    return result


def _between(values: Floats, index: Indices, share: Floats) -> Floats:
    """(n, taps, w) rows of (h, w) values at fractional places."""
    low = values[index]
    after = values[np.minimum(index + 1, len(values) - 1)]
    return np.asarray(low + share[:, :, None] * (after - low), dtype=np.float32)


def _grey(layer: Toned) -> Floats:
    values = sampled(layer.source) * np.float32(layer.scale) + np.float32(layer.offset)
    return np.asarray(np.clip(values, 0, 255), dtype=np.float32)
