"""Dose-volume histograms.

A DVH is a sum over layers of cells. The share of every few layers is kept with the prisms that it comes from, so that after an edit only those
that the edit reaches are added up again, and a PTVopt of which nothing was taken there has them from its PTV.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike

from reviewer.case import Dose, Structure
from reviewer.dosimetry.cells import Cubes, Share, Voxels, voxels_around
from reviewer.dosimetry.levels import LEVELS, scale_of
from reviewer.errors import CancelledError
from reviewer.geometry.coverage import PARALLEL_TOLERANCE, plane_transform
from reviewer.geometry.edges import Floats
from reviewer.geometry.memo import Memo
from reviewer.geometry.solid import prisms_between, solid
from reviewer.threads import shared

SHARED = 5_000
"""Edges and voxels from which on two threads share the work: about half a millisecond of it."""

SAME = 1e-6
"""Part of a dose: files hold products of a whole number and a scale of nine digits or so."""

NEVER: Callable[[], bool] = lambda: False  # noqa: E731


@dataclass(frozen=True, eq=False)
class Dvh:
    """Cumulative dose-volume histogram of one structure in one dose.

    volume_cc:        volume of the structure's solid.
    outside_fraction: part of it, 0 to 1, where the dose is unknown: beyond the voxels of the dose grid, or not a number there.
                      Everything below refers to the rest.
    dose_gy:          (n,) rising from the minimum to the maximum.
    cumulative_cc:    (n,) volume that receives at least that dose; all of the known part below the first, none above the last.
    min_gy, max_gy:   lowest and highest dose sample in the structure; samples include the centres of the dose voxels wholly inside where
                      the planes of dose and structure are parallel. None, like the mean, where no dose is known.
    """

    name: str
    volume_cc: float
    outside_fraction: float
    dose_gy: Floats
    cumulative_cc: Floats
    min_gy: float | None
    mean_gy: float | None
    max_gy: float | None

    @property
    def known_cc(self) -> float:
        """Volume of the part with known dose."""
        return float(self.cumulative_cc[0]) if len(self.cumulative_cc) else 0.0

    def volume_at_cc(self, dose_gy: float) -> float:
        """Volume in cc that receives at least `dose_gy`; doses that differ by the rounding of single precision are the same."""
        if self.max_gy is None:
            return 0.0
        if abs(dose_gy - self.max_gy) <= SAME * self.max_gy:
            dose_gy = self.max_gy
        return float(np.interp(dose_gy, self.dose_gy, self.cumulative_cc, left=self.known_cc, right=0.0))

    def dose_at_gy(self, volume_cc: float) -> float | None:
        """Lowest dose in the hottest `volume_cc`; None where the known part is smaller than that."""
        if not 0 <= volume_cc <= self.known_cc * (1 + 1e-9) or not len(self.dose_gy):
            return None
        return float(np.interp(-volume_cc, -self.cumulative_cc, self.dose_gy))


_shares: WeakKeyDictionary[Dose, Memo[Share]] = WeakKeyDictionary()
"""Of each dose the shares by the edges of their prisms; the weight counts numbers of 8 bytes: 32 MB, some dozens of states of a stomach."""


def dvh(
    structure: Structure,
    dose: Dose,
    to_dose: ArrayLike | None = None,
    cancelled: Callable[[], bool] = NEVER,
) -> Dvh:
    """The DVH of the structure's solid.

    to_dose:   (4, 4) rigid map of patient points (mm) of the structure's frame to the dose's; None where the frames are the same.
    cancelled: asked now and then, in any thread; raises CancelledError once it says so.

    The solid is cut into cells: where its planes are parallel to those of the dose, dose voxels, those of small structures divided into an odd
    number of parts along each axis; otherwise cubes along its own axes. Each cell counts with the exact volume of what is occupied of it, and
    with the dose trilinearly interpolated there, spread evenly over a range as wide as the dose varies over what is occupied (its exact centroid
    and second moments see to that). So dose is integrated through slices and voxels, not sampled once in each. Within half a voxel of the
    grid's border the outermost dose holds. Negative doses count as they are; a dose interpolated from a voxel that is not a number is unknown.
    """
    body = solid(structure)
    volume = body.volume_mm3
    empty = Dvh(structure.name, volume / 1000, 1.0 if volume else 0.0, np.empty(0), np.empty(0), None, None, None)
    matrix = np.eye(4) if to_dose is None else np.asarray(to_dose, dtype=np.float64)
    if volume == 0.0:
        return empty
    turn, shift = plane_transform(dose.grid, structure.grid, matrix)
    low, high = body.bounds_mm
    middle, half = turn @ ((low + high) / 2) + shift, np.abs(turn) @ ((high - low) / 2)
    box = voxels_around(dose.grid, middle - half, middle + half)
    if box is None:
        return empty
    reach = dose.gray[tuple(slice(max(b.start - 1, 0), b.stop + 1) for b in box)]
    lowest, highest = float(reach.min()), float(reach.max())
    everywhere = bool(np.isfinite(lowest) and np.isfinite(highest))
    if not everywhere:
        lowest, highest = float(np.fmin.reduce(reach, axis=None)), float(np.fmax.reduce(reach, axis=None))
    if not np.isfinite(lowest) or not np.isfinite(highest):
        return empty
    lowest, width = scale_of(lowest, highest)
    cells: Voxels | Cubes
    if max(abs(turn[2, 0]), abs(turn[2, 1])) < PARALLEL_TOLERANCE:
        cells = Voxels(body, dose, box, turn, shift, everywhere)
    else:
        cells = Cubes(body, dose, turn, shift)
    known = _shares.setdefault(dose, Memo(4_000_000))
    scale = (lowest, width, turn.tobytes(), shift.tobytes(), type(cells), cells.setting)

    prisms_of = dict(zip(cells.blocks, prisms_between(body, *cells.between_mm()), strict=True))

    def share(block: int) -> Share:
        prisms = prisms_of[block]

        def add_up() -> tuple[Share, int]:
            if cancelled():
                raise CancelledError("the DVH is not wanted any more")
            found = cells.share(block, prisms, lowest, width)
            return found, len(found.slopes) + 4 * int(body.starts[prisms.stop] - body.starts[prisms.start])

        setting = (block, body.borders_mm[prisms].tobytes(), *scale)
        return known.once(tuple(body.edges[prisms]), setting, add_up)

    at_once = len(body.segments) + reach.size < SHARED
    shares = [share(n) for n in cells.blocks] if at_once else shared(share, cells.blocks)
    return _curve(structure.name, volume, shares, lowest, width) or empty


def _curve(name: str, volume: float, found: Sequence[Share], lowest: float, width: float) -> Dvh | None:
    """The histogram of all shares; None where no dose is known."""
    shares = [share for share in found if len(share.slopes)]
    known = sum(share.known for share in shares)
    if known <= 0.0:
        return None
    minimum, maximum = min(share.minimum for share in shares), max(share.maximum for share in shares)
    mean = sum(share.weighted for share in shares) / known
    outside = 1 - known / volume
    # The levels that anything was added to, and those of the lowest and the highest dose.
    first = max(min(min(s.first for s in shares), int((minimum - lowest) / width)), 0)
    stop = max(max(s.first + len(s.slopes) for s in shares), int((maximum - lowest) / width) + 2)
    stop = min(stop, LEVELS)
    slopes = np.zeros(LEVELS + 1 - first)
    for share in shares:
        slopes[share.first - first : share.first - first + len(share.slopes)] += share.slopes
    inner = np.maximum(np.cumsum(slopes[: stop - first]), 0.0)
    above = np.cumsum(inner[::-1])[::-1]
    levels = lowest + width * np.arange(first, stop)
    # `inner` is the volume at each level; half of a level's own volume lies above it.
    curve = (above - inner / 2) * (known / above[0]) / 1000
    between = slice(int(levels.searchsorted(minimum, side="right")), int(levels.searchsorted(maximum, side="left")))
    top = [maximum] if maximum > minimum else []
    # What lies at the maximum itself, as on a plateau, is spread over the levels to either side of it; all of it receives that dose.
    # What the curve goes on falling by within these levels, as on a slope, does not.
    near, nearer, there = np.interp(maximum - width * np.array([4, 2, 0]), levels, curve)
    at_top = float(max(2 * nearer - near, there))
    curve_at_top = [at_top] if top else []
    curve = np.maximum(curve, at_top)
    return Dvh(
        name,
        volume / 1000,
        float(outside) if outside > 1e-6 else 0.0,
        np.concatenate([[minimum], levels[between], top]),
        np.concatenate([[known / 1000], curve[between], curve_at_top]),
        float(minimum),
        float(min(max(mean, minimum), maximum)),
        float(maximum),
    )
