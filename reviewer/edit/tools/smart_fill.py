"""Smart fill: a click fills the area, or the body, that looks like the place of the click."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.edit.operations.fill import Like, Seed, fill
from reviewer.edit.operations.outline import smoothed
from reviewer.edit.tools.pulled import CLICK_MM, PulledStroke
from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.tool import Along, Draft, Floats, Place, Target, painted
from reviewer.errors import InputError
from reviewer.geometry.overlay import shared
from reviewer.geometry.region import Region, region_of


@dataclass(frozen=True)
class SmartFill:
    """Press on what is to be filled; dragging away from there draws the box around the press that holds it on this slice. Shift at the press takes it
    away instead. On the other slices it is followed as far as it goes on, by the depth at most; in a pane across the slices, to the ends of the box.
    """

    slices: bool = setting(True, "All slices", "Follow the body from slice to slice, as far as it goes on")
    tolerance: float = setting(
        1.5, "Tolerance", "How many standard deviations of the values around the click surely belong to the area",
        unit="SD", least=0.5, most=10.0, step=0.25,
    )  # fmt: skip
    disc_mm: float = setting(
        5.0, "Disc", "Radius of the disc around the click that surely belongs to the area", unit="mm", least=0.5, most=20.0, step=0.5
    )  # fmt: skip
    reach_mm: float = setting(
        40.0, "Reach", "How far from a click the area may reach on its slice; a box says it where one is drawn", unit="mm",
        least=5.0, most=150.0, step=5.0,
    )  # fmt: skip
    depth_mm: float = setting(
        60.0, "Depth", "How far from the click it is followed to other slices", unit="mm", least=5.0, most=300.0, step=5.0
    )  # fmt: skip
    step_mm: float = setting(
        5.0, "Step", "How far the outline may move from one slice to the next", unit="mm", least=1.0, most=20.0, step=0.5
    )  # fmt: skip
    passage_mm: float = setting(
        6.0, "Passage", "The fill does not leak through what is narrower than this", unit="mm", least=0.0, most=20.0, step=0.5
    )  # fmt: skip
    smallest_mm2: float = setting(
        20.0, "Smallest hole", "Holes and specks below this area are noise", unit="mm²", least=0.0, most=1000.0, step=5.0
    )  # fmt: skip
    smooth_mm: float = setting(
        1.0, "Smooth", "Ripples of the outline shorter than about four times this fade", unit="mm", least=0.0, most=5.0, step=0.25
    )  # fmt: skip

    def __post_init__(self) -> None:
        checked(self)

    @property
    def name(self) -> str:
        return "Smart fill"

    @property
    def like(self) -> Like:
        return Like(self.disc_mm, self.tolerance, self.passage_mm, self.step_mm, self.smallest_mm2)

    def begin(self, target: Target) -> SmartFillStroke:
        if target.image is None:
            raise InputError("smart fill looks at the values of an image", remedy="show an image")
        return SmartFillStroke(target, self)


class SmartFillStroke(PulledStroke):
    label = "Smart fill"

    def __init__(self, target: Target, tool: SmartFill) -> None:
        super().__init__(target)
        self._tool = tool
        self.slow = tool.slices or target.plane is None

    def _box(self) -> Floats | None:
        if self._start is None or not self._pulled:
            return None
        start, half = np.array(self._start), np.abs(np.subtract(self._hand, self._start))
        return np.array([start - half, start + half])

    def _found(self, start: Place, report: Callable[[float], None]) -> Draft:
        target, tool = self.target, self._tool
        image, grid = target.image, target.structure.grid
        if image is None or target.off_image(start):
            raise InputError(self._ground.why_nothing(start))
        u, v, w = (float(c) for c in target.uvw_mm(start))
        seed = Seed(grid.nearest_plane(w), u, v)
        reach = self._reach()
        planes = [seed.plane]
        if self.finished and self.slow:
            planes = np.flatnonzero(np.abs(grid.positions_mm - grid.positions_mm[seed.plane]) <= reach[2]).tolist()
        limit = None
        if target.limits or target.values is not None or target.border is not None:
            everywhere = shapely.box(*(target.border.bounds if target.border is not None else seed.around(_FAR_MM)))
            limit = self._ground.allowed(dict.fromkeys(planes, everywhere))
        box = (u - reach[0], v - reach[1], u + reach[0], v + reach[1])
        found = fill(image, target.to_image, grid, seed, box, planes, tool.like, limit=limit, report=report)
        plain = self._smoothed(found, limit)
        self.note = " · ".join(filter(None, (self._doubt(found, seed), _told(plain, seed), _WAY_ON)))
        return painted(target.structure, plain, erase=self.erasing)

    def _doubt(self, found: Mapping[int, Region], seed: Seed) -> str:
        """Where it ended at a bound of the tool and not at an edge of the image it may have leaked; one that a hand has drawn is meant."""
        if self._pulled:
            return ""
        inner = shapely.box(*seed.around(self._tool.reach_mm - _BESIDE_MM))
        beyond = sum(not shapely.covers(inner, region) for region in found.values())
        along = np.abs(self.target.structure.grid.positions_mm - self.target.structure.grid.positions_mm[seed.plane])
        deep = (
            self.finished
            and self.slow
            and any(
                max(along[k - 1 : k + 2]) > self._tool.depth_mm
                for k in (min(found), max(found))
                if 0 < k < len(along) - 1
            )
        )
        bounds = [f"its reach on {beyond} {'slice' if beyond == 1 else 'slices'}"] * bool(beyond) + ["its depth"] * deep
        way_out = "Undo takes it back" if self.finished else "Esc drops it"
        return f"the fill came to {' and '.join(bounds)}: a leak, or the organ goes on; {way_out}" if bounds else ""

    def _smoothed(self, found: Mapping[int, Region], limit: Mapping[int, Region] | None) -> dict[int, Region]:
        """Regions with plain outlines, still where they may lie."""
        plain = {k: smoothed(region, self._tool.smooth_mm) for k, region in found.items()}
        kept = {
            k: region_of(shared(region, limit[k])) if limit is not None else region
            for k, region in plain.items()
            if region is not None
        }
        return {k: region for k, region in kept.items() if region is not None}

    def _reach(self) -> Floats:
        """Half the size of the box along u, v, w."""
        if not self._pulled:
            return np.array([self._tool.reach_mm, self._tool.reach_mm, self._tool.depth_mm])
        turn = self.target.structure.grid.axes @ self.target.to_structure[:3, :3]
        sides = np.abs(np.subtract(self._hand, self._start or self._hand))
        right, down = (np.abs(turn @ np.asarray(axis)) for axis in (self.target.pane.right, self.target.pane.down))
        across = np.abs(np.cross(turn @ np.asarray(self.target.pane.right), turn @ np.asarray(self.target.pane.down)))
        reach = np.maximum(sides[0] * right + sides[1] * down + float(sides.max()) * across, CLICK_MM)
        return np.array([*reach[:2], self._tool.depth_mm if isinstance(self.target.lie, Along) else reach[2]])


def _told(found: Mapping[int, Region], seed: Seed) -> str:
    """What came out, slices as a view counts them."""
    here = found[seed.plane].area / 100 if seed.plane in found else 0.0
    area = f"found {here:.1f} cm² on slice {seed.plane + 1}"
    return f"{area}, on slices {min(found) + 1}–{max(found) + 1} in all" if len(found) > 1 else area


_WAY_ON = "too small: raise Tolerance · too large: lower it, or drag a box"

_FAR_MM = 1000.0

_BESIDE_MM = 2.0
"""An outline so near to the end of the reach has come to it."""
