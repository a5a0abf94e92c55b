"""`Orbit`: where the eye of the 3D view stands, on a turntable around the patient's long axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, radians, sin, tan

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

VIEW_ANGLE_DEG = 24.0
"""Vertical opening; small enough that the far side of a liver does not look shrunk."""

STANDARD_VIEWS: dict[str, tuple[float, float]] = {
    "A": (0.0, 0.0),
    "P": (180.0, 0.0),
    "L": (90.0, 0.0),
    "R": (-90.0, 0.0),
    "H": (180.0, 90.0),
    "F": (0.0, -90.0),
}
"""Azimuth and elevation in degrees of the views from anterior, posterior, left, right, head and feet. From the head and from the
feet anterior is up; from the feet, as in an axial slice, the patient's left is on the right."""

SIDE_NAMES = {"A": "anterior", "P": "posterior", "L": "left", "R": "right", "H": "head", "F": "feet"}


@dataclass(frozen=True)
class Orbit:
    """azimuth_deg: 0 from anterior, 90 from the patient's left; elevation_deg: 90 from the head, -90 from the feet.
    focus_mm: what is looked at, patient coordinates; distance_mm: of the eye from it.
    """

    azimuth_deg: float = 25.0
    elevation_deg: float = 12.0
    focus_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance_mm: float = 1000.0

    @property
    def towards_eye(self) -> Vector:
        """Unit vector from the focus to the eye."""
        a, e = radians(self.azimuth_deg), radians(self.elevation_deg)
        return np.array([sin(a) * cos(e), -cos(a) * cos(e), sin(e)])

    @property
    def up(self) -> Vector:
        a, e = radians(self.azimuth_deg), radians(self.elevation_deg)
        return np.array([-sin(a) * sin(e), cos(a) * sin(e), cos(e)])

    @property
    def right(self) -> Vector:
        return np.cross(self.up, self.towards_eye)

    @property
    def eye_mm(self) -> Vector:
        return np.array(self.focus_mm) + self.distance_mm * self.towards_eye

    def mm_per_pixel(self, height: int) -> float:
        """At the focus, in a view of this many pixels."""
        return 2 * self.distance_mm * tan(radians(VIEW_ANGLE_DEG / 2)) / max(1, height)

    def turned(self, right_deg: float, down_deg: float) -> Orbit:
        """As if a hand on the near side had pulled the body to the right and downwards."""
        azimuth = (self.azimuth_deg - right_deg + 180.0) % 360.0 - 180.0
        return replace(self, azimuth_deg=azimuth, elevation_deg=min(90.0, max(-90.0, self.elevation_deg + down_deg)))

    def zoomed(self, factor: float) -> Orbit:
        """factor > 1: larger."""
        return replace(self, distance_mm=min(20_000.0, max(20.0, self.distance_mm / factor)))

    def panned(self, right_px: float, down_px: float, height: int) -> Orbit:
        """The body follows the pointer."""
        scale = self.mm_per_pixel(height)
        focus = np.array(self.focus_mm) - scale * right_px * self.right + scale * down_px * self.up
        return replace(self, focus_mm=(float(focus[0]), float(focus[1]), float(focus[2])))

    def seen_from(self, side: str) -> Orbit:
        """From one of STANDARD_VIEWS, as far away as now."""
        azimuth, elevation = STANDARD_VIEWS[side]
        return replace(self, azimuth_deg=azimuth, elevation_deg=elevation)

    def fitted(self, low_mm: ArrayLike, high_mm: ArrayLike, aspect: float) -> Orbit:
        """Looking in the same direction at the whole of a box (patient coordinates), in a view `aspect` times as wide as high."""
        low, high = np.asarray(low_mm, dtype=np.float64), np.asarray(high_mm, dtype=np.float64)
        middle = (low + high) / 2
        corners = np.array([[(low, high)[(i >> k) & 1][k] for k in range(3)] for i in range(8)]) - middle
        half = tan(radians(VIEW_ANGLE_DEG / 2)) * 0.92
        towards = corners @ self.towards_eye
        needed = np.maximum(np.abs(corners @ self.up) / half, np.abs(corners @ self.right) / (half * aspect)) + towards
        focus = (float(middle[0]), float(middle[1]), float(middle[2]))
        return replace(self, focus_mm=focus, distance_mm=max(20.0, float(needed.max())))

    def ray(self, x: float, y: float, width: int, height: int) -> Vector:
        """Unit direction from the eye through a point of the view in pixels."""
        scale = self.mm_per_pixel(height)
        across, down = (x - width / 2) * scale, (y - height / 2) * scale
        direction = -self.distance_mm * self.towards_eye + across * self.right - down * self.up
        return direction / float(np.linalg.norm(direction))

    def pixel(self, point_mm: ArrayLike, width: int, height: int) -> tuple[float, float] | None:
        """Where a patient point stands in the view; None behind the eye."""
        offset = np.asarray(point_mm, dtype=np.float64) - self.eye_mm
        depth = -float(offset @ self.towards_eye)
        if depth <= 0:
            return None
        scale = self.mm_per_pixel(height) * depth / self.distance_mm
        return width / 2 + float(offset @ self.right) / scale, height / 2 - float(offset @ self.up) / scale
