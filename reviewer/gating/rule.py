"""The boundary rule: when the beam is held.

Bordeau et al., J Clin Med 2023;12:1183 (0.35 T liver treatments): the boundary is the target with a margin of 3 mm, and the beam is
held when 5 % or more of the tracked target's area lies outside. The rule is the core's: a backend says where the target is, no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.errors import InputError
from reviewer.geometry.region import Region, region_of

Floats = NDArray[np.float64]

ARC_SEGMENTS = 16
"""Straight pieces for a quarter of a circle: a margin of 3 mm is short by 0.004 mm at most."""

ROUNDING_PERCENT = 1e-9
"""A share that is the limit but for rounding of the areas holds the beam."""


@dataclass(frozen=True)
class Rule:
    """margin_mm: in the plane of the cine, around the target on the reference frame; may be 0.

    outside_percent: the beam is held at this share of the tracked area outside, and above.
    """

    margin_mm: float = 3.0
    outside_percent: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.margin_mm <= 50:
            raise InputError(f"the margin of the boundary is 0 to 50 mm, not {self.margin_mm:g} mm")
        if not 0 < self.outside_percent <= 100:
            raise InputError(
                f"the share outside that holds the beam is above 0 and up to 100 %, not {self.outside_percent:g} %"
            )

    def boundary(self, target: Region) -> Region:
        """All points no further than the margin from the target, in its plane coordinates (mm)."""
        grown = region_of(shapely.buffer(target, self.margin_mm, quad_segs=ARC_SEGMENTS))
        return target if grown is None else grown

    def holds(self, outside_percent: Floats) -> NDArray[np.bool_]:
        """Whether the beam is held, for each share; NaN, where nothing is known, holds it."""
        return ~(outside_percent < self.outside_percent - ROUNDING_PERCENT)


def outside_percent(tracked: Sequence[Region | None], boundary: Region) -> Floats:
    """(n,) share in % of each region's area that lies outside the boundary; NaN for None."""
    regions = np.array(tracked, dtype=object)
    shares = np.full(len(regions), np.nan)
    there = np.array([region is not None for region in tracked], dtype=bool)
    shares[there] = 0.0
    shapely.prepare(boundary)
    crossing = np.flatnonzero(there)[~shapely.covers(boundary, regions[there])]
    parts = regions[crossing]
    shares[crossing] = 100 * shapely.area(shapely.difference(parts, boundary)) / shapely.area(parts)
    return shares
