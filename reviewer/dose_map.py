"""Maps over the picture that are no dose: the difference of two doses, the gamma index. With their colours, so that legend and wash agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Dose
from reviewer.geometry.grid import Grid

Rgba = tuple[float, float, float, float]
"""Red, green, blue 0 to 255, opacity 0 to 1."""

LESS, MORE = (45.0, 125.0, 225.0), (235.0, 95.0, 40.0)
"""Blue and orange-red: told apart by colour-blind eyes."""

SCALES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Ends of the colour scale of differences, in Gy or %."""


@dataclass(frozen=True, eq=False)
class DoseMap:
    """Numbers on a grid with colours.

    values: (z, y, x) float32; NaN where nothing is known. unit: Gy, %, or nothing. doses: ids of what it was made of, first that of `title`.
    summary: what it amounts to, in a sentence.
    stops:  (value, colour) in rising order; beyond the ends the colour stays. ticks: what the legend names.
    """

    title: str
    unit: str
    grid: Grid
    values: NDArray[np.float32]
    stops: tuple[tuple[float, Rgba], ...]
    ticks: tuple[float, ...]
    doses: tuple[str, str]
    summary: str = ""

    def colours(self, count: int = 512) -> NDArray[np.float32]:
        """(count, 4) colours from the first stop to the last, evenly spaced."""
        at = np.linspace(self.stops[0][0], self.stops[-1][0], count)
        values = [v for v, _ in self.stops]
        return np.stack(
            [np.interp(at, values, [colour[n] for _, colour in self.stops]) for n in range(4)], axis=1
        ).astype(np.float32)


def difference_map(
    shown: Dose, against: Dose, difference_gy: NDArray[np.float32], reference_gy: float | None = None
) -> DoseMap:
    """`shown` less `against`, in Gy, or with a reference dose in % of it. Differences of a twentieth of the scale's end are left clear.

    difference_gy: in the voxels of `shown` (`dosimetry.accumulation.difference`).
    """
    values = difference_gy if reference_gy is None else difference_gy * np.float32(100 / reference_gy)
    known = np.abs(values[np.isfinite(values)])
    large = float(np.percentile(known, 99.8)) if known.size else 0.0
    end = next((s for s in SCALES if s >= large), SCALES[-1])
    stops: tuple[tuple[float, Rgba], ...] = (
        (-end, (*LESS, 0.85)),
        (-end / 10, (*LESS, 0.3)),
        (-end / 20, (*LESS, 0.0)),
        (end / 20, (*MORE, 0.0)),
        (end / 10, (*MORE, 0.3)),
        (end, (*MORE, 0.85)),
    )
    unit = "Gy" if reference_gy is None else f"% of {reference_gy:g} Gy"
    title = f"difference: {shown.title} − {against.title}"
    return DoseMap(title, unit, shown.grid, values, stops, (-end, 0.0, end), (shown.id, against.id))


def gamma_map(
    reference: Dose,
    evaluated: Dose,
    values: NDArray[np.float32],
    criteria: str,
    passed: float | None,
    summary: str = "",
) -> DoseMap:
    """The gamma index on the grid of the reference; what passes (up to 1) is cool and faint, what fails warm and strong."""
    stops: tuple[tuple[float, Rgba], ...] = (
        (0.0, (*LESS, 0.10)),
        (1.0, (90.0, 200.0, 200.0, 0.35)),
        (1.004, (245.0, 200.0, 60.0, 0.75)),
        (2.0, (*MORE, 0.9)),
    )
    share = "no points" if passed is None else f"{passed:.1f} % pass"
    title = f"gamma: {share} ({criteria}), {evaluated.title} against {reference.title}"
    return DoseMap(title, "", reference.grid, values, stops, (0.0, 1.0, 2.0), (reference.id, evaluated.id), summary)
