"""Where an image's values lie in a range, within a limit, as regions with edges between the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import shapely
from numpy.typing import ArrayLike

from reviewer.case import Image
from reviewer.edit.operations.sampling import band, samples, within
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region, region_of


def threshold(
    image: Image,
    to_image: ArrayLike,
    grid: Grid,
    limit: Mapping[int, Region],
    low: float,
    high: float,
    *,
    smallest_mm2: float = 0.0,
    report: Callable[[float], None] = lambda share: None,
) -> dict[int, Region]:
    """The regions with low <= value <= high on the planes of a limit, within its regions; planes without any are absent.

    grid: of the structure that the regions are for; limit: plane of it -> region. to_image: (4, 4), the structure's frame to the image's.
    Values are linear between samples. Where the image is unknown (NaN, not loaded yet, beyond its border) nothing is in the range.
    smallest_mm2: islands and holes below it are left out, as noise makes them. report: told the share done, may raise CancelledError.
    Raises InputError for a range whose ends are swapped, or with an end that is not a number.
    """
    if not low <= high:
        raise InputError(f"the range of values ends ({high:g}) before it begins ({low:g})", remedy="swap its ends")
    found: dict[int, Region] = {}
    for n, (k, border) in enumerate(limit.items()):
        report(n / len(limit))
        plane = samples(image, to_image, grid, float(grid.positions_mm[k]), border.bounds)
        if plane is None:
            continue
        # What the limit cuts off a larger area may be a speck, too.
        parts = [p for p in within(band(plane, low, high, smallest_mm2), border) if p.area >= smallest_mm2]
        region = region_of(shapely.multipolygons(parts)) if parts else None
        if region is not None and not region.is_valid:
            region = region_of(shapely.union_all(parts))
        if region is not None:
            found[k] = region
    return found


MIDDLE_PERCENT = 95.0
"""So much of what a structure holds has typical values."""

LOOKED_AT = 5
"""Slices at most, spread over the structure: enough to know its values, and done before a hand notices."""


def typical_range(
    image: Image, to_image: ArrayLike, grid: Grid, regions: Mapping[int, Region]
) -> tuple[float, float] | None:
    """The range of the middle MIDDLE_PERCENT of an image's values within regions; None where nothing is known there.

    grid, to_image: as of `threshold`; regions: plane -> region. Ends are rounded outwards: to whole numbers where the range is wider than ten,
    else to as many decimals as tell its tenths.
    """
    planes = sorted(regions)
    chosen = {planes[round(n)] for n in np.linspace(0, len(planes) - 1, LOOKED_AT)} if planes else set()
    found = []
    for k in sorted(chosen):
        plane = samples(image, to_image, grid, float(grid.positions_mm[k]), regions[k].bounds)
        if plane is not None:
            inside = shapely.contains_xy(regions[k], *np.meshgrid(plane.x_mm, plane.y_mm))
            found.append(plane.values[inside & np.isfinite(plane.values)])
    values = np.concatenate(found) if found else np.empty(0)
    if not len(values):
        return None
    rest = (100.0 - MIDDLE_PERCENT) / 2
    low, high = np.percentile(values.astype(np.float64), [rest, 100.0 - rest]).tolist()
    if high <= low:
        return low, high
    decimals = max(0, 1 - math.floor(math.log10(high - low)))
    return math.floor(low * 10**decimals) / 10**decimals, math.ceil(high * 10**decimals) / 10**decimals
