"""Nudge: push the outline with a disk, from inside outwards or from outside inwards."""

from __future__ import annotations

from dataclasses import dataclass

import shapely

from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.sweep import ROUND_MM, SweepStroke
from reviewer.edit.tools.tool import Draft, Pen, Target, changed, settled
from reviewer.geometry.overlay import united, without
from reviewer.geometry.region import Region, region_of

SMALLEST_FILL_MM2 = 0.02
"""Less than this is not worth a corner in the outline."""

ROUND = 8
"""Straight pieces of a quarter of a rounded corner: 0.02 mm beside the arc at a radius of 4 mm."""

LEAST_MM = 2.0
"""A disk pressed nearer to the outline than this still reaches so far, and pushes at once."""

OVERLAP_MM = 0.002
"""What fills a corner overlaps what is there by so much, or hair-thin gaps would stay between."""


@dataclass(frozen=True)
class Nudge:
    """A disk that pushes. Pressed inside the structure it pushes the outline outwards (what it sweeps is added), pressed outside it pushes
    it inwards (what it sweeps is taken away); Shift does the other one. Where the disk leaves the old outline the corner is rounded.

    radius_mm: 0.25 to 100 mm, else InputError. Of the largest disk: pressed nearer to the outline it is as large as fits between, down to
               LEAST_MM, so that the outline moves with the hand and not by the press.
    """

    radius_mm: float = setting(
        12.0,
        "Radius",
        "How far the disk reaches; nearer to the contour it is smaller",
        unit="mm",
        least=0.25,
        most=100.0,
        step=0.5,
    )

    def __post_init__(self) -> None:
        checked(self)

    @property
    def name(self) -> str:
        return "Nudge"

    def begin(self, target: Target) -> NudgeStroke:
        return NudgeStroke(target, self.radius_mm)


class NudgeStroke(SweepStroke):
    label = "Nudge"
    together = 1  # all that is covered is looked at in every move

    def __init__(self, target: Target, radius_mm: float) -> None:
        super().__init__(target, radius_mm)
        self._largest = radius_mm
        self._raw: Draft = {}
        self._smooth: dict[int, Region | None] = {}

    def hover(self, pen: Pen) -> None:
        super().hover(pen)
        self.erasing, self._radius = self._inwards(pen), self._fitting(pen)

    def press(self, pen: Pen) -> None:
        self._radius = self._fitting(pen)
        self._begin(pen, erase=self._inwards(pen))

    @property
    def draft(self) -> Draft:
        raw = super().draft
        return raw if self._painting is None else self._round(raw, self._covered)

    def if_lifted(self) -> Draft:
        raw = super().if_lifted()
        return raw if self._painting is None else self._round(raw, self._ended(self._painting)[0])

    def _in_vain(self) -> str:
        name = self.target.structure.name
        if self.target.plane is not None and self.target.region is None:
            return f"{name} has no contour on this slice"
        return f"nothing was pushed: drag the disk over the outline of {name}"

    def _round(self, raw: Draft, covered: dict[int, Region]) -> Draft:
        if self.target.plane is None:  # strips across the slices have corners by nature
            return raw
        if raw is not self._raw:
            areas = self._cut(covered)
            rounded = {k: None if region is None else self._rounded(k, region, areas[k]) for k, region in raw.items()}
            self._raw, self._smooth = raw, dict(changed(self.target.structure, rounded))
        return self._smooth

    def _fitting(self, pen: Pen) -> float:
        """The radius of the disk here, mm."""
        region = self.target.region
        if region is None:
            return self._largest
        u, v, _ = self.target.uvw_mm(pen.at_mm)
        away = float(shapely.distance(region.boundary, shapely.Point(u, v)))
        return min(self._largest, max(away - ROUND_MM, LEAST_MM))

    def _inwards(self, pen: Pen) -> bool:
        return self.target.holds(pen.at_mm) is pen.shift

    def _rounded(self, plane: int, region: Region, swept: Region) -> Region | None:
        """The region with the corners where the swept area meets the old outline rounded: by a closing (pushed outwards) or opening
        (inwards) by a third of the radius, about those corners only."""
        before = self.target.structure.planes.get(plane)
        met = shapely.Point() if before is None else shapely.intersection(before.boundary, swept.boundary)
        if met.is_empty:
            return region
        mm = min(self._radius / 3, 4.0)
        zone, window = shapely.buffer(shapely.multipoints(shapely.get_coordinates(met)), [2 * mm, 4 * mm], quad_segs=4)
        local = shapely.intersection(region, window)
        out = -mm if self.erasing else mm
        turned = shapely.buffer(shapely.buffer(local, out, quad_segs=ROUND), -out, quad_segs=ROUND)
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
        return settled((without if self.erasing else united)(region, allowed[plane]))
