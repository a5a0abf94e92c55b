"""`Ground`: where a stroke may change anything."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import shapely

from reviewer.edit.tools.tool import DEBRIS_MM2, Floats, Limit, Place, Target, settled
from reviewer.errors import InputError
from reviewer.geometry.level import level_rings
from reviewer.geometry.overlay import shared, united, without
from reviewer.geometry.region import Region, region_of, region_of_rings
from reviewer.geometry.reslice import Cut, cut
from reviewer.geometry.section import section


class Ground:
    """The image's border and the limits of one target, looked up slice by slice and kept for the stroke."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._kept: dict[tuple[int, int], Region | None] = {}
        self._cuts: dict[int, Cut | None] = {}

    def footprints(self, shape: Region) -> dict[int, Region]:
        """What an area drawn on the pane (pane coordinates, mm) covers on each slice that it crosses, within the image and the limits.

        Plane index -> region in plane coordinates (u, v) mm.
        """
        return self.allowed(self._target.lie.footprints(shape))

    def allowed(self, footprints: Mapping[int, Region]) -> dict[int, Region]:
        """Footprints (plane -> region in (u, v) mm) cut back to where the stroke may change anything."""
        found = {}
        for k, footprint in footprints.items():
            kept = self._allowed(k, footprint)
            if kept is not None:
                found[k] = kept
        return found

    def confined(self, plane: int, before: Region | None, after: Region | None) -> Region | None:
        """A new region of a slice with its gains and losses only where the stroke may change anything."""
        gain, loss = _without(after, before), _without(before, after)
        kept_gain = None if gain is None else self._allowed(plane, gain)
        kept_loss = None if loss is None else self._allowed(plane, loss)
        if kept_gain is gain and kept_loss is loss:
            return after
        region = before
        if kept_gain is not None:
            region = kept_gain if region is None else settled(united(region, kept_gain))
        if kept_loss is not None and region is not None:
            region = settled(without(region, kept_loss))
        return region

    @property
    def speck_mm2(self) -> float:
        """Parts and holes below this area are no more than rounding, or where a range of values holds than the noise of single pixels."""
        image = self._target.image
        return DEBRIS_MM2 if image is None or self._target.values is None else float(np.prod(image.grid.spacing_uv_mm))

    def why_nothing(self, at_mm: Place) -> str:
        """A sentence on why a stroke at a place of the pane has no footprint at all."""
        target = self._target
        name = target.structure.name
        if target.off_image(at_mm):
            return f"this place lies beyond the image that {name} is drawn on"
        if target.limits or target.values is not None:
            return "the limits of the tool allow nothing to be changed here"
        if target.plane is None:
            return f"the stroke lies between two slices of {name}: make it larger"
        return "the stroke encloses no area"

    def _allowed(self, plane: int, footprint: Region) -> Region | None:
        kept: Region | None = footprint
        border = self._target.border
        if border is not None and not _covers(border.bounds, footprint.bounds):
            kept = region_of(shared(footprint, border))
        for number, limit in enumerate(self._target.limits):
            if kept is None:
                return None
            other = self._limit(number, limit, plane)
            if other is not None:
                kept = region_of((shared if limit.inside else without)(kept, other))
            elif limit.inside:
                return None
        return kept if kept is None or self._target.values is None else self._in_range(plane, kept)

    def _limit(self, number: int, limit: Limit, plane: int) -> Region | None:
        """The limit's region on one of the target's slices."""
        key = (number, plane)
        if key not in self._kept:
            grid = self._target.structure.grid
            if limit.structure.grid is grid:
                self._kept[key] = limit.structure.planes.get(plane)
            else:
                self._kept[key] = section(limit.structure, limit.to_limit, self._on(plane), grid.axes[0], grid.axes[1])
        return self._kept[key]

    def _on(self, plane: int) -> Floats:
        """A patient point of a slice."""
        grid = self._target.structure.grid
        return grid.point_mm(np.array([0.0, 0.0, grid.positions_mm[plane]]))

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The range of values as stored in the image."""
        image, values = self._target.image, self._target.values
        if image is None or values is None:
            raise InputError("a range of values needs an image")
        low, high = sorted((value - image.intercept) / image.slope for value in values)
        return low, high

    def _in_range(self, plane: int, footprint: Region) -> Region | None:
        """The part of a footprint where the image's values, interpolated between the pixels, lie in the range."""
        low, high = self._range
        image = self._cut(plane)
        if image is None:
            return None
        bounds = footprint.bounds
        columns = _window(image.x_mm, bounds[0], bounds[2])
        rows = _window(image.y_mm, bounds[1], bounds[3])
        values = np.asarray(image.values[rows, columns], dtype=np.float64)
        # The ends of the range belong to it.
        margin = 1e-9 * max(1.0, abs(low), abs(high))
        within = np.minimum(values - low, high - values)
        if image.inside is not None:
            within = np.where(image.inside[rows, columns], within, -1.0)
        x_mm, y_mm = image.x_mm[columns], image.y_mm[rows]
        at_x, at_y = np.arange(len(x_mm)), np.arange(len(y_mm))
        rings = [
            np.column_stack([np.interp(ring[:, 0], at_x, x_mm), np.interp(ring[:, 1], at_y, y_mm)])
            for ring in level_rings(within, -margin)
        ]
        # Level rings do not cross, and a picture has hundreds: this is the even-odd rule without an overlay for each.
        found = shapely.build_area(shapely.geometrycollections([shapely.linearrings(ring) for ring in rings]))
        return region_of(shared(footprint, found if found.is_valid else region_of_rings(rings)))

    def _cut(self, plane: int) -> Cut | None:
        """The image along a slice, in the slice's plane coordinates."""
        if plane not in self._cuts:
            image, grid = self._target.image, self._target.structure.grid
            if image is None:
                raise InputError("a range of values needs an image")
            self._cuts[plane] = cut(
                image.voxels,
                image.grid,
                self._target.to_image,
                tuple(self._on(plane)),
                tuple(grid.axes[0]),
                tuple(grid.axes[1]),
                present=None if image.pending is None else ~image.pending,
            )
        return self._cuts[plane]


def _without(one: Region | None, other: Region | None) -> Region | None:
    if one is None or other is None:
        return one
    return region_of(without(one, other))


def _covers(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether one box (low x, low y, high x, high y) holds another."""
    return box[0] <= other[0] and box[1] <= other[1] and other[2] <= box[2] and other[3] <= box[3]


def _window(centres: Floats, low: float, high: float) -> slice:
    """The samples about [low, high], and one more at each side, so that lines end beyond."""
    first, last = np.searchsorted(centres, [low, high])
    return slice(max(0, int(first) - 2), int(last) + 2)
