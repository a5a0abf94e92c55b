"""Nudge: push the outline with a disk, from inside outwards or from outside inwards."""

from __future__ import annotations

from dataclasses import dataclass

import shapely

from reviewer.edit.tools.sweep import SweepStroke, checked_radius
from reviewer.edit.tools.tool import Draft, Pen, Target, changed, settled
from reviewer.geometry.region import Region, region_of

SMALLEST_FILL_MM2 = 0.02
"""Less than this is not worth a corner in the outline."""

OVERLAP_MM = 0.002
"""What fills a corner overlaps what is there by so much, or hair-thin gaps would stay between."""


@dataclass(frozen=True)
class Nudge:
    """A disk that pushes. Pressed inside the structure it pushes the outline outwards (what it sweeps is added), pressed outside it pushes
    it inwards (what it sweeps is taken away); Shift does the other one. Where the disk leaves the old outline the corner is rounded.

    radius_mm: 0.25 to 100 mm, else InputError.
    """

    radius_mm: float = 12.0

    def __post_init__(self) -> None:
        checked_radius(self.radius_mm)

    @property
    def name(self) -> str:
        return "Nudge"

    def begin(self, target: Target) -> NudgeStroke:
        return NudgeStroke(target, self.radius_mm)


class NudgeStroke(SweepStroke):
    label = "Nudge"

    def __init__(self, target: Target, radius_mm: float) -> None:
        super().__init__(target, radius_mm)
        self._raw: Draft = {}
        self._smooth: dict[int, Region | None] = {}

    def hover(self, pen: Pen) -> None:
        super().hover(pen)
        self.erasing = self._inwards(pen)

    def press(self, pen: Pen) -> None:
        self._begin(pen, erase=self._inwards(pen))

    @property
    def draft(self) -> Draft:
        raw = super().draft
        if self._painting is None or self.target.plane is None:  # strips across the slices have corners by nature
            return raw
        if raw is not self._raw:
            areas = self._painting.areas
            rounded = {k: None if region is None else self._rounded(k, region, areas[k]) for k, region in raw.items()}
            self._raw, self._smooth = raw, dict(changed(self.target.structure, rounded))
        return self._smooth

    def _inwards(self, pen: Pen) -> bool:
        return self.target.holds(pen.at_mm) is pen.shift

    def _rounded(self, plane: int, region: Region, swept: Region) -> Region | None:
        """The region with the corners between the swept area and the old outline rounded: a closing (pushed outwards) or opening (inwards)
        by a third of the radius, near the swept area only."""
        mm = min(self._radius / 3, 4.0)
        low_u, low_v, high_u, high_v = swept.bounds
        window = (low_u - 4 * mm, low_v - 4 * mm, high_u + 4 * mm, high_v + 4 * mm)
        local = shapely.intersection(region, shapely.box(*window))
        out = -mm if self.erasing else mm
        turned = shapely.buffer(shapely.buffer(local, out), -out)
        zone = shapely.buffer(swept, mm)
        outer, inner = (local, turned) if self.erasing else (turned, local)
        corners = [
            part
            for part in shapely.get_parts(shapely.intersection(shapely.difference(outer, inner), zone))
            if part.area > SMALLEST_FILL_MM2
        ]
        if not corners:
            return region
        filling = region_of(shapely.buffer(shapely.union_all(corners), OVERLAP_MM, quad_segs=1))
        allowed = {} if filling is None else self._ground.allowed({plane: filling})
        if plane not in allowed:
            return region
        return settled((shapely.difference if self.erasing else shapely.union)(region, allowed[plane]))
