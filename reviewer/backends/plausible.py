"""What a dose says against itself: other units, mixed-up axes, a dose that lies elsewhere. Form alone (`results`) does not show these.

Nothing here is an opinion on a plan. Each remark is a statement about the backend's answer, shown before all others; the limits are wide, so that
no sound engine meets them, whatever its beam and its calibration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.aperture import openings
from reviewer.backends.contract import BeamInput, Floats
from reviewer.case import Dose, Plan, StructureSet
from reviewer.dosimetry.dvh import dvh

FACTOR = 2.0
"""A target that gets so many times more or less than is prescribed has got other units, or another plan."""

HIGH, MOST_POINTS = 0.5, 2000
"""What counts as high dose, as part of the highest; so many of these voxels are looked at, which are enough to tell 20 mm."""

ASIDE_MM = 20.0
"""An opening whose middle looks past every high dose by more does not aim at it."""

VOXELS = 100_000
ALIKE, NOT_ALIKE = 0.9, 0.7
"""Correlation with the plan's own dose: of one that is turned or mirrored, and of the same dose as it is."""


def remarks(
    dose: Dose, plan: Plan, group: StructureSet, beams: Sequence[BeamInput], planned: Dose | None
) -> tuple[str, ...]:
    """What is not plausible, a sentence each.

    dose:  of all fractions, with the frame of `group`. beams: on that anatomy; empty where they are not known.
    planned: the plan's own dose; looked at where it has the grid of `dose`.
    """
    if not dose.gray.any():
        return ("implausible: there is no dose anywhere",)
    found = [*_levels(dose, plan, group, planned), *_aims(dose, beams)]
    if planned is not None and planned.grid is dose.grid:
        found += _turned(dose.gray, planned.gray)
    return tuple(f"implausible: {sentence}" for sentence in found)


def _levels(dose: Dose, plan: Plan, group: StructureSet, planned: Dose | None) -> Iterator[str]:
    """The targets against what is prescribed to them; without such a target the highest dose against that of the plan."""
    compared = False
    for prescription in plan.prescriptions:
        target = next((s for s in group.structures if s.name == prescription.target and not s.empty), None)
        mean = dvh(target, dose).mean_gy if target is not None else None
        if target is None or mean is None or prescription.type != "TARGET" or prescription.dose_gy <= 0:
            continue
        compared = True
        if not _near(mean, prescription.dose_gy):
            yield f"{target.name} gets {mean:.2f} Gy on average, {prescription.dose_gy:.2f} Gy are prescribed"
    if not compared and planned is not None:
        highest, wanted = float(dose.gray.max()), float(planned.gray.max())
        if wanted > 0 and not _near(highest, wanted):
            yield f"its highest dose is {highest:.2f} Gy, that of the plan's own dose {wanted:.2f} Gy"


def _near(gray: float, wanted: float) -> bool:
    return wanted / FACTOR <= gray <= wanted * FACTOR


def _aims(dose: Dose, beams: Sequence[BeamInput]) -> Iterator[str]:
    """Whether the high dose lies where the apertures look: rays through the middle of what is open, by their share of MU and area."""
    high = np.argwhere(dose.gray > HIGH * dose.gray.max())
    points = dose.grid.point_of_index_mm(high[:: max(1, len(high) // MOST_POINTS)])
    aside, weights = [], []
    for beam in beams:
        for segment in beam.segments:
            rectangles = openings(segment.devices)
            if not len(rectangles) or not np.isfinite(rectangles).all():
                continue
            x0, x1, y0, y1 = rectangles.T
            areas = (x1 - x0) * (y1 - y0)
            x, y = (float(np.average((a + b) / 2, weights=areas)) for a, b in ((x0, x1), (y0, y1)))
            through = beam.isocentre_mm + x * np.asarray(segment.x_axis) + y * np.asarray(segment.y_axis)
            aside.append(_distance(points, np.asarray(segment.source_mm), through))
            weights.append(segment.mu * float(areas.sum()))
    total = sum(weights)
    past = sum(weight for weight, mm in zip(weights, aside, strict=True) if mm > ASIDE_MM)
    if total > 0 and past > total / 2:
        nearest = float(np.average(aside, weights=weights))
        yield f"most apertures look past its high dose, by {nearest:.0f} mm on average: the grid may be mirrored or turned"


def _distance(points: Floats, source: Floats, through: Floats) -> float:
    """mm from a ray to the nearest of the points."""
    way = (through - source) / np.linalg.norm(through - source)
    away = points - source
    return float(np.sqrt((np.sum(away**2, axis=1) - (away @ way) ** 2).clip(0).min()))


def _turned(gray: NDArray[np.float32], planned: NDArray[np.float32]) -> Iterator[str]:
    """Whether the dose is that of the plan, but for the order or the direction of the axes."""
    step = max(1, round((gray.size / VOXELS) ** (1 / 3)))
    mine, wanted = gray[::step, ::step, ::step], planned[::step, ::step, ::step]
    if _correlation(mine, wanted) >= NOT_ALIKE:
        return
    ways = [
        (order, flips)
        for order in permutations(range(3))
        if mine.transpose(order).shape == wanted.shape
        for flips in product((1, -1), repeat=3)
    ]
    order, flips = max(ways, key=lambda way: _correlation(_put(mine, *way), wanted))
    if _correlation(_put(mine, order, flips), wanted) >= ALIKE:
        said = (
            ["axes " + ", ".join("zyx"[axis] for axis in order) + " instead of z, y, x"] if order != (0, 1, 2) else []
        )
        said += [f"{name} mirrored" for name, flip in zip("zyx", flips, strict=True) if flip < 0]
        yield f"it is like the plan's own dose, but with {' and '.join(said)}"


def _put(gray: NDArray[np.float32], order: tuple[int, ...], flips: tuple[int, ...]) -> NDArray[np.float32]:
    a, b, c = flips
    return gray.transpose(order)[::a, ::b, ::c]


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    x, y = x - x.mean(), y - y.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / length if length > 0 else 1.0
