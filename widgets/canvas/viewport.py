"""Where things are in a slice view: screen pixels, plane coordinates in mm, patient points. No Qt.

Plane coordinates are ``(x, y) = (dot(p, right), dot(p, down))`` of patient points p, as in `reviewer.geometry.section`; `position` is
``dot(p, normal)``. Pixels are logical (device-independent) and fractional: the view's left upper corner is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from reviewer.geometry.grid import Grid, orientation_letters
from reviewer.scene import Camera, Point, ViewPlane

Pair = tuple[float, float]

FIT_MARGIN = 0.03
"""Empty border around what a view is fitted to, as a fraction of the view."""


@dataclass(frozen=True, eq=False)
class Slices:
    """The acquired planes of an image as one view counts them: rising along the view's normal.

    positions_mm: dot(p, normal) of each; box_mm: least x, y and greatest x, y that the image reaches in the view's plane.
    """

    plane: ViewPlane
    positions_mm: np.ndarray
    box_mm: tuple[float, float, float, float]

    @classmethod
    def of(cls, grid: Grid, plane: ViewPlane) -> Slices:
        """Planes and extent of a grid that lies along the view's axes."""

        def along(direction: Point) -> np.ndarray:
            turned = grid.axes @ np.asarray(direction)
            axis = int(np.argmax(np.abs(turned)))
            centres = (
                grid.positions_mm
                if axis == 2
                else grid.origin_uv_mm[axis] + grid.spacing_uv_mm[axis] * np.arange(grid.size_uv[axis])
            )
            return centres if turned[axis] > 0 else -centres[::-1]

        def reach(direction: Point) -> Pair:
            turned = grid.axes @ np.asarray(direction)
            axis = int(np.argmax(np.abs(turned)))
            centres = along(direction)
            if axis == 2:
                borders = grid.slab_borders_mm if turned[axis] > 0 else -grid.slab_borders_mm[::-1]
                return float(borders[0]), float(borders[-1])
            half = grid.spacing_uv_mm[axis] / 2
            return float(centres[0]) - half, float(centres[-1]) + half

        (x0, x1), (y0, y1) = reach(plane.right), reach(plane.down)
        return cls(plane, along(plane.normal), (x0, y0, x1, y1))

    @cached_property
    def step_mm(self) -> float | None:
        """From a slice to the next, mm; of several distances the middle one. None of a single slice."""
        steps = np.diff(self.positions_mm)
        return float(np.median(steps)) if len(steps) else None

    @property
    def centre_mm(self) -> Pair:
        x0, y0, x1, y1 = self.box_mm
        return (x0 + x1) / 2, (y0 + y1) / 2

    def nearest(self, point_mm: Point) -> int:
        """Index of the slice that is shown for a patient point."""
        return int(np.argmin(np.abs(self.positions_mm - np.dot(point_mm, self.plane.normal))))


@dataclass(frozen=True)
class Viewport:
    """What part of a plane stands on the screen, and how large.

    middle_mm: plane coordinates in the middle of the view; size: logical pixels; ratio: device pixels per logical pixel.
    """

    plane: ViewPlane
    position_mm: float
    middle_mm: Pair
    mm_per_pixel: float
    size: Pair
    ratio: float = 1.0

    def plane_mm(self, pixel: Pair) -> Pair:
        """Plane coordinates of a pixel."""
        return (
            self.middle_mm[0] + (pixel[0] - self.size[0] / 2) * self.mm_per_pixel,
            self.middle_mm[1] + (pixel[1] - self.size[1] / 2) * self.mm_per_pixel,
        )

    def pixel(self, plane_mm: Pair) -> Pair:
        """The pixel of plane coordinates; the inverse of `plane_mm`."""
        return (
            (plane_mm[0] - self.middle_mm[0]) / self.mm_per_pixel + self.size[0] / 2,
            (plane_mm[1] - self.middle_mm[1]) / self.mm_per_pixel + self.size[1] / 2,
        )

    def pixels(self, plane_mm: np.ndarray) -> np.ndarray:
        """The same of (n, 2) places."""
        return np.asarray((plane_mm - self.middle_mm) / self.mm_per_pixel + np.array(self.size) / 2)

    def point_mm(self, plane_mm: Pair) -> Point:
        """The patient point of plane coordinates on the slice that is shown."""
        p = self._axes.T @ np.array([plane_mm[0], plane_mm[1], self.position_mm])
        return float(p[0]), float(p[1]), float(p[2])

    def projected(self, point_mm: Point) -> Pair:
        """Plane coordinates of a patient point, wherever it lies along the normal."""
        x, y, _ = self._axes @ np.asarray(point_mm)
        return float(x), float(y)

    @cached_property
    def origin_mm(self) -> Point:
        """The patient point of the plane coordinates (0, 0)."""
        return self.point_mm((0.0, 0.0))

    @cached_property
    def _axes(self) -> np.ndarray:
        return np.array([self.plane.right, self.plane.down, self.plane.normal])

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Orientation letters of the left, right, upper and lower side."""
        (x, y, z), (u, v, w) = self.plane.right, self.plane.down
        return letters_of((-x, -y, -z)), letters_of((x, y, z)), letters_of((-u, -v, -w)), letters_of((u, v, w))

    def lattice(self, box_mm: tuple[float, float, float, float]) -> Lattice | None:
        """The device pixels whose centres may show what is in a box of plane coordinates, None where it is out of view."""
        step = self.mm_per_pixel / self.ratio
        left, top = self.plane_mm((0.0, 0.0))
        columns, rows = (max(1, round(n * self.ratio)) for n in self.size)
        # pixel i has its centre at left + (i + 0.5) step
        first_x, last_x = _pixels(box_mm[0], box_mm[2], left, step, columns)
        first_y, last_y = _pixels(box_mm[1], box_mm[3], top, step, rows)
        if last_x < first_x or last_y < first_y:
            return None
        start = left + (first_x + 0.5) * step, top + (first_y + 0.5) * step
        return Lattice((first_x, first_y), (last_x - first_x + 1, last_y - first_y + 1), start, step)


@lru_cache(64)
def letters_of(direction: Point) -> str:
    """`orientation_letters`, which every paint asks for again."""
    return orientation_letters(direction)


def _pixels(least: float, most: float, start: float, step: float, count: int) -> tuple[int, int]:
    first = int(np.ceil((least - start) / step - 0.5 - 1e-6))
    last = int(np.floor((most - start) / step - 0.5 + 1e-6))
    return max(0, first), min(count - 1, last)


@dataclass(frozen=True)
class Lattice:
    """A rectangle of device pixels. corner: of the first one; size: columns, rows; start_mm: plane coordinates of the first centre."""

    corner: tuple[int, int]
    size: tuple[int, int]
    start_mm: Pair
    step_mm: float


def fitting(box_mm: tuple[float, float, float, float], image_centre_mm: Pair, size: Pair) -> Camera:
    """The camera that shows a box of plane coordinates as large as the view allows."""
    x0, y0, x1, y1 = box_mm
    room = max(size[0] * (1 - 2 * FIT_MARGIN), 1.0), max(size[1] * (1 - 2 * FIT_MARGIN), 1.0)
    scale = max((x1 - x0) / room[0], (y1 - y0) / room[1], 1e-3)
    return Camera(scale, ((x0 + x1) / 2 - image_centre_mm[0], (y0 + y1) / 2 - image_centre_mm[1]))
