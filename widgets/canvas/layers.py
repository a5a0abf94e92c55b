"""From a scene and a viewport to the picture of one slice, each step kept until what it depends on differs. No Qt.

cut (the volume along the plane) -> sampled (at the device pixels) -> grey (through the window) -> mixed (base and overlay) -> picture (with
wash). Window/level starts at grey, blending at mixed, panning at sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import contourpy
import cv2
import numpy as np
from numpy.typing import NDArray

from reviewer.case import Image
from reviewer.geometry.reslice import Cut, cut
from reviewer.scene import DoseLayer, Layer, Scene

from .compose import Grey, Mask, blended, grey, in_circle, in_squares, right_of, shown_in, wash
from .viewport import Lattice, Pair, Slices, Viewport

T = TypeVar("T")

CHECKER_PIXELS = 56
SPYGLASS_PIXELS = 90
"""Side of a square of the checkerboard and radius of the spyglass, logical pixels."""


class Kept(Generic[T]):
    """The last result of a step, made anew when its key differs."""

    def __init__(self) -> None:
        self._key: Hashable = object()
        self._value: T | None = None

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key != self._key:
            self._value, self._key = make(), key
        return self._value  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Lines:
    """An isodose line in one slice: pieces of (n, 2) plane coordinates in mm; closed where the last point is the first."""

    gy: float
    colour: tuple[int, int, int]
    pieces: tuple[NDArray[np.float64], ...]

    @cached_property
    def label_places(self) -> tuple[tuple[Pair, ...], float]:
        """Twelve points around the longest piece, and its larger extent in mm."""
        longest = max(self.pieces, key=len)
        points = longest[np.linspace(0, len(longest) - 1, 12, endpoint=False).astype(int)].tolist()
        return tuple((x, y) for x, y in points), float((longest.max(axis=0) - longest.min(axis=0)).max())


@dataclass(frozen=True, eq=False)
class Picture:
    """Grey (rows, columns) or blue-green-red-opaque (rows, columns, 4) bytes, and the device pixels that they belong on."""

    pixels: NDArray[np.uint8]
    lattice: Lattice


@dataclass
class _Sampled:
    """The steps of one image on its way to the screen."""

    cuts: Kept[Cut | None] = field(default_factory=Kept)
    samples: Kept[tuple[NDArray[np.float32], Mask] | None] = field(default_factory=Kept)
    greys: Kept[Grey] = field(default_factory=Kept)


class Layers:
    """The kept steps of one view."""

    def __init__(self) -> None:
        self._base, self._overlay = _Sampled(), _Sampled()
        self._mixed: Kept[Grey] = Kept()
        self._picture: Kept[Picture | None] = Kept()
        self._dose_cut: Kept[Cut | None] = Kept()
        self._dose_sample: Kept[tuple[NDArray[np.float32], Mask] | None] = Kept()
        self._lines: Kept[tuple[Lines, ...]] = Kept()
        self._arrivals: dict[str, int] = {}

    def arrived(self, image_id: str) -> None:
        """Planes of an image have been filled."""
        self._arrivals[image_id] = self._arrivals.get(image_id, 0) + 1

    def picture(self, scene: Scene, slices: Slices, port: Viewport, lens: Pair | None, oblique: bool) -> Picture | None:
        """The picture of the base image's part of the view; None where it is out of view.

        lens: logical pixel under the cursor for the spyglass, None where it is not over the view. oblique: whether oblique overlays may
        be drawn already (see `late`).
        """
        lattice = port.lattice(slices.box_mm)
        if scene.base is None or lattice is None:
            return None
        base_key, base = self._grey(self._base, scene.base, slices, port, lattice)
        if base is None:
            return None
        key: tuple[Any, ...] = (base_key,)
        mixed = base
        if scene.overlay is not None and (oblique or _straight(scene.overlay)):
            over_key, over = self._grey(self._overlay, scene.overlay, slices, port, lattice)
            sampled = self._overlay.samples.get(over_key[0], lambda: None)
            if over is not None and sampled is not None:
                where = sampled[1]
                key = (base_key, over_key, *_style_key(scene, port, lens))
                mixed = self._mixed.get(key, lambda: _mix(scene, port, lattice, lens, base, over, where))

        dose = scene.dose
        if dose is None or not dose.wash:
            return self._picture.get(key, lambda: Picture(mixed, lattice))
        made = self._dose(dose, slices, port)
        if made is None:
            return self._picture.get((key, "no dose here"), lambda: Picture(mixed, lattice))
        part = _reaching(made, dose, port, lattice)
        if part is None:
            return self._picture.get((key, "no dose here"), lambda: Picture(mixed, lattice))
        dose_key = (dose.dose, dose.to_layer, port.plane, port.position_mm, part)
        values = self._dose_sample.get(dose_key, lambda: _sample(made, part))
        assert values is not None
        return self._picture.get(
            (key, dose_key, dose.isodoses, dose.wash_opacity),
            lambda: Picture(_washed(mixed, lattice, values, part, dose), lattice),
        )

    def isodose_lines(self, dose: DoseLayer, slices: Slices, port: Viewport) -> tuple[Lines, ...]:
        """The isodose lines of the slice, from marching squares on the dose's own lattice; open where the dose grid ends."""
        key = (dose.dose, dose.to_layer, port.plane, port.position_mm, dose.isodoses)
        return self._lines.get(key, lambda: _isodose_lines(self._dose(dose, slices, port), dose))

    def _dose(self, dose: DoseLayer, slices: Slices, port: Viewport) -> Cut | None:
        key = (dose.dose, dose.to_layer, port.plane, port.position_mm, slices.box_mm)
        origin = port.point_mm((0.0, 0.0))
        return self._dose_cut.get(
            key,
            lambda: cut(
                dose.dose.gray,
                dose.dose.grid,
                dose.to_layer,
                origin,
                port.plane.right,
                port.plane.down,
                box_mm=slices.box_mm,
            ),
        )

    def _grey(
        self, steps: _Sampled, layer: Layer, slices: Slices, port: Viewport, lattice: Lattice
    ) -> tuple[tuple[Hashable, ...], Grey | None]:
        image = layer.image
        plane_key = (image, layer.to_layer, port.plane, port.position_mm, self._arrivals.get(image.id, 0))
        made = steps.cuts.get(plane_key, lambda: _cut(layer, slices, port))
        sample_key = (plane_key, lattice)
        sampled = steps.samples.get(sample_key, lambda: _sample(made, lattice, smooth=True))
        if sampled is None:
            return (sample_key, None), None
        key = (sample_key, layer.window)
        return key, steps.greys.get(key, lambda: _grey_where(*sampled, image, layer))


def _straight(layer: Layer) -> bool:
    """Whether a layer is sampled without the compiled loop: it lies along patient axes that it shares with the base."""
    turn = layer.image.grid.axes @ np.array(layer.to_layer)[:3, :3]
    return bool(np.all(np.abs(np.abs(turn).max(axis=1) - 1) < 1e-9))


def _cut(layer: Layer, slices: Slices, port: Viewport) -> Cut | None:
    image = layer.image
    present = None if image.pending is None or image.complete else ~image.pending
    origin = port.point_mm((0.0, 0.0))
    plane = port.plane
    return cut(
        image.voxels,
        image.grid,
        layer.to_layer,
        origin,
        plane.right,
        plane.down,
        box_mm=slices.box_mm,
        present=present,
    )


def _sample(made: Cut | None, lattice: Lattice, smooth: bool = False) -> tuple[NDArray[np.float32], Mask] | None:
    if made is None:
        return None
    return made.sample(lattice.start_mm, (lattice.step_mm, lattice.step_mm), lattice.size, smooth=smooth)


def _grey_where(values: NDArray[np.float32], inside: Mask, image: Image, layer: Layer) -> Grey:
    result = grey(values, image, layer.window)
    if not inside.all():
        result[~inside] = 0
    return result


def _style_key(scene: Scene, port: Viewport, lens: Pair | None) -> tuple[Hashable, ...]:
    if scene.style == "blend":
        return ("blend", scene.blend)
    if scene.style == "swipe":
        return ("swipe", scene.swipe, port.size)
    return (scene.style, lens)


def _mix(
    scene: Scene, port: Viewport, lattice: Lattice, lens: Pair | None, base: Grey, over: Grey, where: Mask
) -> Grey:
    if scene.style == "blend":
        return blended(base, over, where, scene.blend)
    if scene.style == "swipe":
        return shown_in(base, over, right_of(where, round(scene.swipe * port.size[0] * port.ratio) - lattice.corner[0]))
    if scene.style == "checkerboard":
        return shown_in(base, over, in_squares(where, lattice.corner, max(8, round(CHECKER_PIXELS * port.ratio))))
    if lens is None:
        return base
    centre = lens[0] * port.ratio - lattice.corner[0], lens[1] * port.ratio - lattice.corner[1]
    return shown_in(base, over, in_circle(where, centre, SPYGLASS_PIXELS * port.ratio))


def _reaching(made: Cut, dose: DoseLayer, port: Viewport, lattice: Lattice) -> Lattice | None:
    """The part of a lattice where the dose may reach its lowest level, None where there is none: the rest need not be sampled."""
    if not dose.isodoses or dose.wash_opacity <= 0:
        return None
    high = made.values >= np.float32(min(level.gy for level in dose.isodoses))
    columns, rows = np.flatnonzero(high.any(axis=0)), np.flatnonzero(high.any(axis=1))
    if columns.size == 0:
        return None
    x, y = made.x_mm, made.y_mm
    box = (  # up to the next sample, which is below the level, or to where the dose ends
        x[columns[0] - 1] if columns[0] > 0 else made.reach_x_mm[0],
        y[rows[0] - 1] if rows[0] > 0 else made.reach_y_mm[0],
        x[columns[-1] + 1] if columns[-1] + 1 < len(x) else made.reach_x_mm[1],
        y[rows[-1] + 1] if rows[-1] + 1 < len(y) else made.reach_y_mm[1],
    )
    part = port.lattice((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    if part is None:
        return None
    first = [max(a, b) for a, b in zip(part.corner, lattice.corner, strict=True)]
    last = [min(a + n, b + m) for a, n, b, m in zip(part.corner, part.size, lattice.corner, lattice.size, strict=True)]
    if last[0] <= first[0] or last[1] <= first[1]:
        return None
    start = [s + (f - c) * lattice.step_mm for s, f, c in zip(lattice.start_mm, first, lattice.corner, strict=True)]
    return Lattice(
        (first[0], first[1]), (last[0] - first[0], last[1] - first[1]), (start[0], start[1]), lattice.step_mm
    )


def _washed(
    mixed: Grey, lattice: Lattice, values: tuple[NDArray[np.float32], Mask], part: Lattice, dose: DoseLayer
) -> NDArray[np.uint8]:
    x, y = (p - c for p, c in zip(part.corner, lattice.corner, strict=True))
    result: NDArray[np.uint8] = cv2.cvtColor(mixed, cv2.COLOR_GRAY2BGRA)
    wash(result[y : y + part.size[1], x : x + part.size[0]], *values, dose.isodoses, dose.wash_opacity)
    return result


def _isodose_lines(made: Cut | None, dose: DoseLayer) -> tuple[Lines, ...]:
    if made is None or min(made.values.shape) < 2:
        return ()
    values = np.asarray(made.values, dtype=np.float64)
    known = np.isfinite(values) if made.inside is None else made.inside & np.isfinite(values)
    if not known.any():
        return ()
    z: Any = values if known.all() else np.ma.masked_array(values, ~known)
    highest = float(values[known].max())
    generator = contourpy.contour_generator(made.x_mm, made.y_mm, z, corner_mask=False)
    return tuple(
        Lines(level.gy, level.colour, tuple(generator.lines(level.gy)))
        for level in dose.isodoses
        if level.gy <= highest
    )
