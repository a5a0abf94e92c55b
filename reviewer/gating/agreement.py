"""How far a track lies from what somebody has drawn, or from another track.

The measures are those of TrackRAD2025 (Wang et al., Med Phys 2025, doi 10.1002/mp.17964): Dice and the distance of the centroids. The
reference frame does not count, as the target was given there, and frames without a label do not. A frame on which the target was not tracked has
neither: it is counted, and has a Dice of 0 in `dice_mean_with_lost`, as in that challenge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.gating.rule import Floats
from reviewer.geometry.region import Region


@dataclass(frozen=True, eq=False)
class Agreement:
    """counted: (t,) frames with a label, without the reference frame. dice, centroid_mm: (t,), NaN on the others, and where not tracked."""

    counted: NDArray[np.bool_]
    dice: Floats
    centroid_mm: Floats

    @property
    def frames(self) -> int:
        return int(np.count_nonzero(self.counted))

    @property
    def tracked(self) -> int:
        return int(np.count_nonzero(self.counted & np.isfinite(self.dice)))

    @property
    def dice_mean(self) -> float | None:
        """Over the frames that were tracked; None where there is none."""
        return float(np.nanmean(self.dice)) if self.tracked else None

    @property
    def dice_least(self) -> float | None:
        return float(np.nanmin(self.dice)) if self.tracked else None

    @property
    def dice_mean_with_lost(self) -> float | None:
        """Over all frames that count, 0 where the target was not tracked."""
        return float(np.nan_to_num(self.dice[self.counted]).mean()) if self.frames else None

    @property
    def centroid_mean_mm(self) -> float | None:
        return float(np.nanmean(self.centroid_mm)) if self.tracked else None

    def centroid_percentile_mm(self, percent: float) -> float | None:
        """The distance that so many of the tracked frames stay within."""
        return float(np.nanpercentile(self.centroid_mm, percent)) if self.tracked else None


def agreement(tracked: Sequence[Region | None], drawn: Sequence[Region | None], reference: int) -> Agreement:
    """Two series of regions, frame by frame, in the same plane coordinates (mm)."""
    there = np.array([region is not None for region in drawn], dtype=bool)
    there[reference] = False
    both = there & np.array([region is not None for region in tracked], dtype=bool)
    dice, apart = np.full(len(there), np.nan), np.full(len(there), np.nan)
    a, b = (np.array(each, dtype=object)[both] for each in (tracked, drawn))
    dice[both] = 2 * shapely.area(shapely.intersection(a, b)) / (shapely.area(a) + shapely.area(b))
    apart[both] = shapely.distance(shapely.centroid(a), shapely.centroid(b))
    return Agreement(there, dice, apart)
