"""What a formula made of its structure, in five numbers: enough to notice when it comes out differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import shapely

from reviewer.case import Structure
from reviewer.edit import Swap

Fingerprint = tuple[float, float, float, float, float]
"""Number of planes, sum of their areas (mm²), and the areas' mean u, v, w (mm)."""

_AREA, _PLACE_MM = 1e-6, 1e-3
"""What rounding may do: relative difference of the area, distance of the means."""


def fingerprint(structure: Structure) -> Fingerprint:
    planes = np.array(list(structure.planes), dtype=int)
    if not len(planes):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    regions = np.array(list(structure.planes.values()), dtype=object)
    area, centre = shapely.area(regions), shapely.centroid(regions)
    u, v = shapely.get_x(centre), shapely.get_y(centre)
    w = structure.grid.positions_mm[planes]
    total = float(area.sum())
    mean_u, mean_v, mean_w = (float(area @ c / total) for c in (u, v, w))
    return float(len(planes)), total, mean_u, mean_v, mean_w


def fingerprints(swaps: Iterable[Swap]) -> dict[str, list[float]]:
    """Of all that follows a formula after these swaps, by the structure's id; also of what was only made, renamed or comes back, since
    an id or a place in the history may have been another's before."""
    return {s.after.id: list(fingerprint(s.after)) for s in swaps if s.after is not None and s.after.live}


def difference(now: Fingerprint, then: Fingerprint) -> str:
    """What is not as it was, in words; empty where all is."""
    apart = float(np.linalg.norm(np.subtract(now[2:], then[2:])))
    if now[0] == then[0] and abs(now[1] - then[1]) <= _AREA * max(now[1], then[1]) and apart <= _PLACE_MM:
        return ""
    return (
        f"it was {then[1] / 100:.2f} cm² on {then[0]:.0f} slices and is now {now[1] / 100:.2f} cm² on {now[0]:.0f}, "
        f"its middle {apart:.2f} mm away"
    )


def read(document: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """As `fingerprints` wrote it; what is no fingerprint is left out."""
    found: dict[str, Fingerprint] = {}
    for structure_id, numbers in document.items():
        if isinstance(numbers, list) and len(numbers) == 5 and all(isinstance(n, int | float) for n in numbers):
            planes, area, u, v, w = map(float, numbers)
            found[structure_id] = (planes, area, u, v, w)
    return found
