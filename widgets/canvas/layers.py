"""From a scene and a viewport to the picture of one slice, each step kept until what it depends on differs. No Qt.

cut (the volume along the plane, of each image and of the dose) -> picture (`compose`: all of them at the device pixels, in one pass).
Panning, window/level and blending start from the cuts; what lies above the picture starts from the picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil, floor
from typing import Generic, TypeVar

import contourpy
import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import cut
from reviewer.scene import DoseLayer, Layer, MapLayer, Matrix, Scene

from . import compose, late
from .compose import (
    Colours,
    Known,
    Shown,
    Source,
    Tinted,
    Toned,
    everywhere,
    in_circle,
    in_squares,
    no_source,
    no_tint,
    right_of,
)
from .facts import Box
from .viewport import Lattice, Pair, Slices, Viewport

T = TypeVar("T")

CHECKER_PIXELS = 56
SPYGLASS_PIXELS = 90
"""Side of a square of the checkerboard and radius of the spyglass, logical pixels."""


SEEN_IN_MM = 32.0
"""Oblique images are cut in whole squares of this side."""

SLICES_KEPT = 4
"""The slice that is shown, the last one, and two that may come next."""

PICTURES_KEPT = 3
"""Of the slice that is shown and of these two."""

SOURCES_KEPT = 3 * PICTURES_KEPT
"""Of base, overlay and dose."""


class Kept(Generic[T]):
    """The last results of a step, made anew for another key."""

    def __init__(self, room: int = 1) -> None:
        """room: how many results are kept."""
        self._room = room
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._room:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


@dataclass(frozen=True, eq=False)
class Lines:
    """An isodose line in one slice: pieces of (n, 2) plane coordinates in mm; closed where the last point is the first."""

    gy: float
    colour: tuple[int, int, int]
    pieces: tuple[NDArray[np.float64], ...]

    @cached_property
    def label_places(self) -> tuple[tuple[Pair, ...], float]:
        """Twelve points around the longest piece, and the larger extent of these in mm."""
        longest = max(self.pieces, key=len)
        points = [longest[n * (len(longest) - 1) // 12].tolist() for n in range(12)]
        x, y = zip(*points, strict=True)
        return tuple(zip(x, y, strict=True)), max(max(x) - min(x), max(y) - min(y))


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that is being made, and the device pixels that it belongs on."""

    completed: Callable[[], Colours]
    lattice: Lattice

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """Blue, green, red, opaque (rows, columns, 4) bytes; who asks waits for them."""
        colours = self.completed()
        return colours.view(np.uint8).reshape(*colours.shape, 4)


class Layers:
    """The kept steps of one view."""

    def __init__(self) -> None:
        self._base: Kept[Known | None] = Kept(SLICES_KEPT)
        self._overlay: Kept[Known | None] = Kept(SLICES_KEPT)
        self._dose: Kept[Known | None] = Kept(SLICES_KEPT)
        self._picture: Kept[Picture | None] = Kept(PICTURES_KEPT)
        self._sources: Kept[Source] = Kept(SOURCES_KEPT)
        self._parts: Kept[tuple[Known, Known | None]] = Kept(SLICES_KEPT)
        self._lines: Kept[tuple[Lines, ...]] = Kept(SLICES_KEPT)
        self._other_dose: Kept[Known | None] = Kept(SLICES_KEPT)
        self._other_lines: Kept[tuple[Lines, ...]] = Kept(SLICES_KEPT)
        self._map: Kept[Known | None] = Kept(SLICES_KEPT)
        self._arrivals: dict[str, int] = {}

    def arrived(self, image_id: str) -> None:
        """Planes of an image have been filled."""
        self._arrivals[image_id] = self._arrivals.get(image_id, 0) + 1

    def picture(
        self, scene: Scene, slices: Slices, port: Viewport, lens: Pair | None, complete: bool
    ) -> Picture | None:
        """The picture of the base image's part of the view; None where it is out of view.

        lens: logical pixel under the cursor for the spyglass, None where it is not over the view. complete: False while what is compiled
        is not there yet (see `late`): then oblique overlays are left out.
        """
        lattice = port.lattice(slices.box_mm)
        if scene.base is None or lattice is None:
            return None
        over = scene.overlay if complete or (scene.overlay and _straight(scene.overlay)) else None
        dose = scene.dose if scene.dose and scene.dose.wash and scene.dose.isodoses and scene.map is None else None
        key = (
            complete,
            lattice,
            self._plane_key(scene.base, port),
            scene.base.window,
            over and (self._plane_key(over, port), over.window, _style_key(scene, port, lens)),
            dose and (*_dose_key(dose, slices, port), dose.isodoses, dose.wash_opacity),
        )
        return self._picture.get(key, lambda: self._composed(scene, over, dose, slices, port, lattice, lens, complete))

    def _composed(
        self,
        scene: Scene,
        over: Layer | None,
        dose: DoseLayer | None,
        slices: Slices,
        port: Viewport,
        lattice: Lattice,
        lens: Pair | None,
        complete: bool,
    ) -> Picture | None:
        assert scene.base is not None
        base = self._cut(self._base, scene.base, slices, port, lattice)
        if base is None:
            return None
        other = None if over is None else self._cut(self._overlay, over, slices, port, lattice)
        gray = None if dose is None else self._dose_cut(dose, slices, port)
        size = lattice.size
        what = (
            self._toned(base, scene.base, port, lattice),
            Toned(no_source(size), 1.0, 0.0)
            if over is None or other is None
            else self._toned(other, over, port, lattice),
            everywhere(size, 0.0) if other is None else _shown(scene, port, lattice, lens),
            self._tinted(gray, dose, slices, port, lattice) if dose and gray else no_tint(size),
        )
        return Picture(late.fused_module().begun(*what) if complete else partial(compose.painted, *what), lattice)

    def _toned(self, made: Known, layer: Layer, port: Viewport, lattice: Lattice) -> Toned:
        key = self._plane_key(layer, port), lattice
        samples = self._sources.get(
            key, lambda: compose.source(made, lattice.start_mm, lattice.step_mm, lattice.size, smooth=True)
        )
        return compose.toned(samples, layer.image, layer.window)

    def _tinted(self, gray: Known, dose: DoseLayer, slices: Slices, port: Viewport, lattice: Lattice) -> Tinted:
        lowest = min(level.gy for level in dose.isodoses)

        def source() -> Source:
            part = self._part(gray, lowest)
            if part is None:
                return no_source(lattice.size)
            return compose.source(part, lattice.start_mm, lattice.step_mm, lattice.size)

        samples = self._sources.get((_dose_key(dose, slices, port), lattice, lowest), source)
        return compose.tinted(samples, dose.isodoses, dose.wash_opacity)

    def prepare(self, scene: Scene, slices: Slices, port: Viewport, lens: Pair | None) -> Iterator[None]:
        """Make `picture` and `isodose_lines` ready for a slice, one thing at a time."""
        for kept, layer in ((self._base, scene.base), (self._overlay, scene.overlay)):
            lattice = port.lattice(slices.box_mm)
            if layer is not None and lattice is not None:
                self._cut(kept, layer, slices, port, lattice)
                yield
        if scene.dose is not None and scene.dose.lines:
            self.isodose_lines(scene.dose, slices, port)
            yield
        self.picture(scene, slices, port, lens, complete=True)
        yield

    def isodose_lines(self, dose: DoseLayer, slices: Slices, port: Viewport) -> tuple[Lines, ...]:
        """The isodose lines of the slice, from marching squares on the dose's own lattice; open where the dose grid ends."""
        key = (*_dose_key(dose, slices, port), dose.isodoses)
        return self._lines.get(key, lambda: self._isodose_lines(self._dose_cut(dose, slices, port), dose))

    def other_isodose_lines(self, dose: DoseLayer, slices: Slices, port: Viewport) -> tuple[Lines, ...]:
        """The same of the dose that the shown one is compared with."""
        key = _dose_key(dose, slices, port)

        def make() -> tuple[Lines, ...]:
            made = self._other_dose.get(
                key, lambda: _cut(dose.dose.gray, dose.dose.grid, dose.to_layer, slices.box_mm, port, None)
            )
            return self._isodose_lines(made, dose)

        return self._other_lines.get((*key, dose.isodoses), make)

    def _isodose_lines(self, made: Known | None, dose: DoseLayer) -> tuple[Lines, ...]:
        if made is None or not dose.isodoses:
            return ()
        part = self._part(made, min(level.gy for level in dose.isodoses))
        return () if part is None else _isodose_lines(part, dose)

    def _part(self, gray: Known, lowest_gy: float) -> Known | None:
        """What the wash and the lines need of a dose's cut."""
        return self._parts.get((id(gray), lowest_gy), lambda: (gray, compose.trimmed(gray, lowest_gy)))[1]

    def map_cut(self, layer: MapLayer, slices: Slices, port: Viewport) -> Known | None:
        """The map along the slice."""
        shown = layer.map
        key = shown, layer.to_layer, port.plane, port.position_mm, slices.box_mm
        return self._map.get(key, lambda: _cut(shown.values, shown.grid, layer.to_layer, slices.box_mm, port, None))

    def _plane_key(self, layer: Layer, port: Viewport) -> Hashable:
        return layer.image, layer.to_layer, port.plane, port.position_mm, self._arrivals.get(layer.image.id, 0)

    def _cut(
        self, kept: Kept[Known | None], layer: Layer, slices: Slices, port: Viewport, lattice: Lattice
    ) -> Known | None:
        image = layer.image
        present = None if image.pending is None or image.complete else ~image.pending
        box = _seen(slices, lattice)
        key = self._plane_key(layer, port), box
        return kept.get(key, lambda: _cut(image.voxels, image.grid, layer.to_layer, box, port, present))

    def _dose_cut(self, dose: DoseLayer, slices: Slices, port: Viewport) -> Known | None:
        key = _dose_key(dose, slices, port)
        return self._dose.get(
            key, lambda: _cut(dose.dose.gray, dose.dose.grid, dose.to_layer, slices.box_mm, port, None)
        )


def _cut(
    array: NDArray[np.generic],
    grid: Grid,
    to_layer: Matrix,
    box_mm: Box,
    port: Viewport,
    present: NDArray[np.bool_] | None,
) -> Known | None:
    """A volume along the plane of a viewport, as far as a box reaches."""
    origin, plane = port.origin_mm, port.plane
    made = cut(array, grid, to_layer, origin, plane.right, plane.down, box_mm=box_mm, present=present)
    return None if made is None else compose.known(made)


def _seen(slices: Slices, lattice: Lattice) -> Box:
    """The part of the base image that the view shows, and so much more that a small shift of the view needs no other cut."""
    (x, y), (columns, rows), step = lattice.start_mm, lattice.size, lattice.step_mm
    low, high = (x, y), (x + columns * step, y + rows * step)
    least, most = slices.box_mm[:2], slices.box_mm[2:]
    x0, y0 = (max(a, floor(b / SEEN_IN_MM - 0.5) * SEEN_IN_MM) for a, b in zip(least, low, strict=True))
    x1, y1 = (min(a, ceil(b / SEEN_IN_MM + 0.5) * SEEN_IN_MM) for a, b in zip(most, high, strict=True))
    return x0, y0, x1, y1


def _straight(layer: Layer) -> bool:
    """Whether a layer is sampled without the compiled loop: it lies along patient axes that it shares with the base."""
    turn = layer.image.grid.axes @ np.array(layer.to_layer)[:3, :3]
    return bool(np.all(np.abs(np.abs(turn).max(axis=1) - 1) < 1e-9))


def _dose_key(dose: DoseLayer, slices: Slices, port: Viewport) -> tuple[Hashable, ...]:
    return dose.dose, dose.to_layer, port.plane, port.position_mm, slices.box_mm


def _style_key(scene: Scene, port: Viewport, lens: Pair | None) -> tuple[Hashable, ...]:
    if scene.style == "blend":
        return ("blend", scene.blend)
    if scene.style == "swipe":
        return ("swipe", scene.swipe, port.size)
    return (scene.style, lens if scene.style == "spyglass" else None)


def _shown(scene: Scene, port: Viewport, lattice: Lattice, lens: Pair | None) -> Shown:
    size, corner = lattice.size, lattice.corner
    if scene.style == "blend":
        return everywhere(size, scene.blend)
    if scene.style == "swipe":
        return right_of(size, round(scene.swipe * port.size[0] * port.ratio) - corner[0])
    if scene.style == "checkerboard":
        return in_squares(size, corner, max(8, round(CHECKER_PIXELS * port.ratio)))
    if lens is None:
        return everywhere(size, 0.0)
    return in_circle(
        size, (lens[0] * port.ratio - corner[0], lens[1] * port.ratio - corner[1]), SPYGLASS_PIXELS * port.ratio
    )


def _isodose_lines(part: Known, dose: DoseLayer) -> tuple[Lines, ...]:
    if min(part.values.shape) < 2:
        return ()
    values = part.values.astype(np.float64)
    unknown = ~np.isfinite(values)
    # the class and not `contourpy.contour_generator`, whose look for masked values takes longer than the lines
    generator = contourpy.SerialContourGenerator(
        *np.meshgrid(part.x_mm, part.y_mm),
        values,
        unknown,
        corner_mask=False,
        line_type=contourpy.LineType.Separate,
        fill_type=contourpy.FillType.OuterCode,
        quad_as_tri=False,
        z_interp=contourpy.ZInterp.Linear,
    )
    highest = values[~unknown].max()
    return tuple(
        Lines(level.gy, level.colour, tuple(generator.lines(level.gy)))
        for level in dose.isodoses
        if level.gy <= highest
    )
