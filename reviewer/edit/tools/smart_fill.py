"""Smart fill: a click fills the area, or the body, whose values are like those around the click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.operations.fill import Seed, fill, values_near
from reviewer.edit.operations.outline import smoothed
from reviewer.edit.tools.ground import Ground
from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.tool import Along, Draft, Floats, Guide, Pen, Place, Stroke, Target, painted
from reviewer.errors import InputError
from reviewer.geometry.region import Region, region_of

SMALLEST_REACH_MM = 3.0
"""A hand that was dragged less far has clicked."""


@dataclass(frozen=True)
class SmartFill:
    """Press on what is to be filled; dragging away from there draws the box that the fill stays in. Shift at the press takes it away instead.

    The range of values is that of a disc around the press: mean minus and plus `tolerance` standard deviations.
    """

    tolerance: float = setting(
        3.0, "Tolerance", "How many standard deviations of the values around the click still belong to the area",
        unit="SD", least=0.5, most=10.0, step=0.25,
    )  # fmt: skip
    disc_mm: float = setting(
        3.0,
        "Disc",
        "Radius of the disc around the click whose values are looked at",
        unit="mm",
        least=0.5,
        most=20.0,
        step=0.5,
    )
    reach_mm: float = setting(
        40.0,
        "Reach",
        "How far from the click the fill may spread where no box is drawn",
        unit="mm",
        least=5.0,
        most=150.0,
        step=5.0,
    )
    slices: bool = setting(True, "All slices", "Fill the body on all slices within reach, not only the slice shown")
    passage_mm: float = setting(
        3.0,
        "Passage",
        "The fill does not leak through what is narrower than this",
        unit="mm",
        least=0.0,
        most=20.0,
        step=0.5,
    )
    smallest_mm2: float = setting(
        20.0,
        "Smallest hole",
        "Holes and specks below this area are noise",
        unit="mm²",
        least=0.0,
        most=1000.0,
        step=5.0,
    )
    smooth_mm: float = setting(
        1.0,
        "Smooth",
        "Ripples of the outline shorter than about four times this fade",
        unit="mm",
        least=0.0,
        most=5.0,
        step=0.25,
    )

    def __post_init__(self) -> None:
        checked(self)

    @property
    def name(self) -> str:
        return "Smart fill"

    def begin(self, target: Target) -> SmartFillStroke:
        if target.image is None:
            raise InputError("smart fill looks at the values of an image", remedy="show an image")
        return SmartFillStroke(target, self)


class SmartFillStroke(Stroke):
    """While the button is down only the slice of the press is filled, so that the picture follows the hand; the body comes at the release."""

    label = "Smart fill"

    def __init__(self, target: Target, tool: SmartFill) -> None:
        super().__init__(target)
        self._tool = tool
        self._ground = Ground(target)
        self._start: Place | None = None
        self._hand: Place = (0.0, 0.0)
        self._erase = False
        self._range: tuple[float, float] | None = None
        self._draft: Draft = super().draft
        self._stale = False

    def press(self, pen: Pen) -> None:
        self._start = self._hand = pen.at_mm
        self._erase = pen.shift
        self._stale = True

    def drag(self, pen: Pen) -> None:
        if self._start is not None:
            self._hand = pen.at_mm
            self._stale = True

    def release(self, pen: Pen) -> None:
        if self._start is not None:
            self._hand = pen.at_mm
            self.finished = self._stale = True

    @property
    def values(self) -> tuple[float, float] | None:
        """The range of values that the press found, image units; None before it."""
        return self._range

    @property
    def draft(self) -> Draft:
        if self._stale:
            self._stale, self.note = False, ""
            try:
                self._draft = self._filled()
            except InputError as error:
                self._draft, self.note = super().draft, str(error)
        return self._draft

    @property
    def guides(self) -> tuple[Guide, ...]:
        if self._start is None or self.finished or not self._dragged:
            return ()
        (x, y), (a, b) = self._start, np.abs(np.subtract(self._hand, self._start))
        return (
            Guide("ghost", np.array([(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]), closed=True),
        )

    @property
    def _dragged(self) -> bool:
        return self._start is not None and float(np.hypot(*np.subtract(self._hand, self._start))) > SMALLEST_REACH_MM

    def _filled(self) -> Draft:
        target, tool = self.target, self._tool
        image, grid = target.image, target.structure.grid
        if self._start is None or image is None:
            return super().draft
        if target.off_image(self._start):
            raise InputError(self._ground.why_nothing(self._start))
        u, v, w = (float(c) for c in target.uvw_mm(self._start))
        seed = Seed(grid.nearest_plane(w), u, v)
        if self._range is None:
            self._range = values_near(image, target.to_image, grid, seed, radius_mm=tool.disc_mm, spread=tool.tolerance)
        reach = self._reach()
        box = (u - reach[0], v - reach[1], u + reach[0], v + reach[1])
        along = isinstance(target.lie, Along)
        planes = [seed.plane]
        if self.finished and (tool.slices or not along):
            planes = np.flatnonzero(np.abs(grid.positions_mm - grid.positions_mm[seed.plane]) <= reach[2]).tolist()
        allowed = self._ground.allowed({k: shapely.box(*box) for k in planes})
        footprints = fill(
            image,
            target.to_image,
            grid,
            seed,
            *self._range,
            box,
            first=planes[0],
            last=planes[-1],
            limit=allowed,
            passage_mm=tool.passage_mm,
            near_mm=tool.disc_mm,
            smallest_mm2=tool.smallest_mm2,
        )
        return painted(target.structure, self._smoothed(footprints, allowed), erase=self._erase)

    def _smoothed(self, footprints: Mapping[int, Region], allowed: Mapping[int, Region]) -> dict[int, Region]:
        """Footprints with plain outlines, still where they may lie."""
        if self._tool.smooth_mm == 0:
            return dict(footprints)
        found: dict[int, Region] = {}
        for k, footprint in footprints.items():
            plain = smoothed(footprint, self._tool.smooth_mm)
            region = None if plain is None else region_of(shapely.intersection(plain, allowed[k]))
            if region is not None:
                found[k] = region
        return found

    def _reach(self) -> Floats:
        """Half the size of the box along u, v, w: as drawn, as deep across the pane as it is large."""
        if self._start is None or not self._dragged:
            return np.full(3, self._tool.reach_mm)
        turn = self.target.structure.grid.axes @ self.target.to_structure[:3, :3]
        sides = np.abs(np.subtract(self._hand, self._start))
        right, down = (np.abs(turn @ np.asarray(axis)) for axis in (self.target.pane.right, self.target.pane.down))
        across = np.abs(np.cross(turn @ np.asarray(self.target.pane.right), turn @ np.asarray(self.target.pane.down)))
        return np.asarray(
            np.maximum(sides[0] * right + sides[1] * down + float(sides.max()) * across, SMALLEST_REACH_MM)
        )
