"""What is under the cursor: values of the images and of the dose, and the structures whose outline is near. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from reviewer.geometry.reslice import value_at
from reviewer.scene import Layer, Orientation, Point, Scene

from .facts import number
from .paths import Outlines
from .viewport import Pair, Viewport

HOVER_PIXELS = 5.0


@dataclass(frozen=True)
class Pointed:
    """What is under the cursor. base, overlay: values in the image's unit (HU) or signal; dose_gy; None: outside, or not read yet."""

    orientation: Orientation
    point_mm: Point
    base: float | None
    base_unit: str
    overlay: float | None
    overlay_unit: str
    dose_gy: float | None
    structures: tuple[str, ...]
    dose_unit: str = "Gy"

    @property
    def text(self) -> str:
        """The values in one line: "41 HU  over 380  23.4 Gy"."""
        parts = []
        if self.base is not None:
            parts.append(f"{number(round(self.base, 2))} {self.base_unit or 'signal'}")
        if self.overlay is not None:
            parts.append(f"over {number(round(self.overlay, 2))} {self.overlay_unit}".rstrip())
        if self.dose_gy is not None:
            parts.append(f"{self.dose_gy:.1f} {self.dose_unit}")
        return "  ".join(parts)


def pointed_at(
    plane_mm: Pair, scene: Scene, port: Viewport, outlines: Outlines | None, complete: bool
) -> Pointed | None:
    """What is at plane coordinates of a view; None without an image. outlines: None while a hand is at work, which waits for no names.

    complete: see `Outlines.of`.
    """
    base, overlay, dose = scene.base, scene.overlay, scene.dose
    if base is None:
        return None
    point = port.point_mm(plane_mm)
    return Pointed(
        port.plane.orientation,
        point,
        _value(base, point),
        base.image.unit,
        None if overlay is None else _value(overlay, point),
        "" if overlay is None else overlay.image.unit,
        None if dose is None else _finite(value_at(dose.dose.gray, dose.dose.grid, dose.to_layer, point)),
        () if outlines is None else _structures_at(plane_mm, scene, port, outlines, complete),
        "Gy" if dose is None or dose.dose.type == "PHYSICAL" else f"Gy {dose.dose.type.lower()}",
    )


def _structures_at(plane_mm: Pair, scene: Scene, port: Viewport, outlines: Outlines, complete: bool) -> tuple[str, ...]:
    """Names of the structures whose outline is under the cursor, the nearest first."""
    point = shapely.Point(plane_mm)
    reach = HOVER_PIXELS * port.mm_per_pixel
    near = []
    for drawn in (*scene.drawn, *scene.preview):
        found = outlines.of(drawn, port, complete)
        if found is None:
            continue
        x0, y0, x1, y1 = found.bounds
        if x0 - reach <= plane_mm[0] <= x1 + reach and y0 - reach <= plane_mm[1] <= y1 + reach:
            distance = found.region.boundary.distance(point)
            if distance <= reach:
                near.append((distance, drawn.structure.name))
    return tuple(name for _, name in sorted(near))


def picked_at(plane_mm: Pair, scene: Scene, port: Viewport, outlines: Outlines, complete: bool) -> str | None:
    """Id of the structure that a click means: the smallest one that the cursor is in, else the one whose outline is nearest within reach."""
    point = shapely.Point(plane_mm)
    around: list[tuple[float, float, str]] = []
    for drawn in scene.drawn:
        found = outlines.of(drawn, port, complete)
        if found is not None:
            inside = found.region.contains(point)
            distance = found.region.boundary.distance(point) / port.mm_per_pixel
            if inside or distance <= HOVER_PIXELS:
                around.append((0.0 if inside else distance, found.region.area, drawn.structure.id))
    return min(around)[2] if around else None


def _value(layer: Layer, point_mm: Sequence[float]) -> float | None:
    image = layer.image
    present = None if image.pending is None or image.complete else ~image.pending
    stored = value_at(image.voxels, image.grid, layer.to_layer, point_mm, nearest=True, present=present)
    return None if stored is None else _finite(stored * image.slope + image.intercept)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
