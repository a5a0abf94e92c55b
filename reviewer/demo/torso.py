"""The trunk of the demo patient: skin and inner wall as radii around the body's axis, spine, ribs and diaphragm."""

from __future__ import annotations

import numpy as np

from reviewer.demo.field import Floats, Floats32
from reviewer.demo.shapes import Place, spline, union

TOP_MM, BOTTOM_MM = 150.0, -150.0
"""Range of z in which the anatomy is defined."""

_ANGLE_DEG = np.array([0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165, 180])
"""From anterior (0) over lateral (90) to posterior (180)."""

_SKIN_MM = np.array([106, 110, 120, 133, 145, 154, 158, 158, 154, 146, 131, 114, 105])
_WALL_MM = np.array([85, 87, 95, 107, 118, 126, 130, 128, 121, 108, 88, 71, 64])
_MUSCLE_MM = np.array([5, 10, 9, 8, 10, 13, 14, 14, 14, 15, 14, 10, 8])
"""Thickness of muscle outside the inner wall; the rest up to the skin is fat."""

_VERTEBRAE_MM = np.array([195.0, 168.0, 141.0, 115.0, 88.0, 60.0, 31.0, 0.0, -33.0, -67.0, -101.0, -136.0, -171.0])
"""z of the middle of the vertebral bodies from T6 to L5; L1 at 0."""
FIRST_VERTEBRA = 6


def vertebrae() -> list[tuple[int, float]]:
    """Number (T1 = 1, L1 = 13) and z of each vertebral body."""
    return [(FIRST_VERTEBRA + i, float(z)) for i, z in enumerate(_VERTEBRAE_MM)]


def spine_y(z: Floats32 | Floats | float) -> Floats:
    """y of the centre of the vertebral bodies: lordosis below, kyphosis above."""
    return np.asarray(
        np.interp(z, [-170, -101, -67, -33, 0, 31, 60, 88, 141, 195], [30, 29, 29.5, 32, 36, 40, 43.5, 46.5, 50, 52])
    )


def spine_x(z: Floats32 | Floats | float) -> Floats:
    """A slight scoliosis, as everyone has."""
    return np.asarray(1.8 * np.sin((np.asarray(z) + 40) / 75))


class Torso:
    """Polar description around (0, 0): `angle` in degrees from anterior, radii that vary with z."""

    def __init__(self) -> None:
        self._fine = np.linspace(0, 180, 721)
        mirrored = np.concatenate([-_ANGLE_DEG[:0:-1], _ANGLE_DEG, 360 - _ANGLE_DEG[-2::-1]])

        def smooth(values: Floats) -> Floats:
            table = np.concatenate([values[:0:-1], values, values[-2::-1]])
            curve = spline(np.stack([mirrored, table, np.zeros(len(table))], axis=-1), 0.5)
            return np.asarray(np.interp(self._fine, curve[:, 0], curve[:, 1]))

        self._skin, self._wall, self._muscle = (smooth(v.astype(float)) for v in (_SKIN_MM, _WALL_MM, _MUSCLE_MM))

    def _factor(self, angle: Floats32, z: Floats32 | float) -> Floats:
        """How much wider or deeper the trunk is at z: waist, chest, and a little roundness of the belly."""
        side = np.interp(z, [-150, -110, -60, -10, 50, 110, 150], [0.02, -0.01, -0.03, 0.0, 0.03, 0.02, 0.0])
        front = np.interp(z, [-150, -80, -10, 60, 120, 150], [0.05, 0.06, 0.02, -0.03, -0.02, 0.0])
        a = np.deg2rad(angle)
        return np.asarray(1 + side * np.sin(a) ** 2 + front * np.clip(np.cos(a), 0, None) ** 2)

    def _depth(self, table: Floats, p: Place, extra: float = 0.0) -> Floats32:
        """Depth below the surface of radius table * factor(z), perpendicular to first order, (z, y, x)."""
        x, y, z = p.box.axes_mm
        x, y = x[0], y[0]
        angle = np.abs(np.rad2deg(np.arctan2(x, -y)))
        r = np.hypot(x, y)
        base = np.interp(angle, self._fine, table) + extra
        slope = np.interp(angle, self._fine, np.gradient(table, np.deg2rad(self._fine)))
        flat = np.hypot(1, slope / base)
        out = np.empty(p.box.shape_zyx, dtype=np.float32)
        for k, height in enumerate(z[:, 0, 0]):
            out[k] = (base * self._factor(angle, float(height)) - r) / flat
        return out

    def skin(self, p: Place) -> Floats32:
        """Depth below the skin, mm; negative outside."""
        depth = self._depth(self._skin, p)
        x, y, z = p.box.axes_mm
        groove = 5 * np.exp(-((x / 10) ** 2)) * np.clip(y / 40, 0, 1) * np.clip(1.2 - z / 150, 0.3, 1)
        breast = (
            9 * np.exp(-(((np.abs(x) - 82) / 38) ** 2)) * np.clip((z - 78) / 50, 0, 1) ** 1.5 * np.clip(-y / 50, 0, 1)
        )
        return union((depth - groove + breast).astype(np.float32), (109.5 - y + 0 * z).astype(np.float32), blend=16.0)

    def wall(self, p: Place) -> Floats32:
        """Depth below the inner surface of chest and abdominal wall, mm; negative outside."""
        return self._depth(self._wall, p)

    def muscle(self, p: Place) -> Floats32:
        """Depth below the outer surface of the wall's muscles, mm; negative in the fat under the skin."""
        return self._depth(self._wall + self._muscle, p)

    def wall_point(self, angle_deg: float, side: int, z: float, out_mm: float = 0.0) -> tuple[float, float]:
        """(x, y) of the inner wall at an angle from anterior on the left (side = 1) or right (-1), moved outward by `out_mm`."""
        r = float(np.interp(angle_deg, self._fine, self._wall) * self._factor(np.array(angle_deg), z)) + out_mm
        a = np.deg2rad(angle_deg)
        return side * r * float(np.sin(a)), -r * float(np.cos(a))

    def rib(self, number: int, z: float, side: int) -> tuple[Floats, Floats]:
        """Paths (n, 4) of the bony rib and of its cartilage (maybe empty) from vertebra `number` at z."""
        x0, y0 = float(spine_x(z)), float(spine_y(z))
        bone = [(x0 + side * 19, y0 + 14, z + 6, 4.0), (x0 + side * 36, y0 + 29, z + 2, 4.2)]
        end = {12: 128.0, 11: 92.0, 10: 58.0, 9: 50.0, 8: 44.0}.get(number, 38.0)
        drop = {12: 52.0, 11: 68.0, 10: 82.0, 9: 84.0, 8: 82.0}.get(number, 76.0)
        lowest = {12: 120.0, 11: 88.0}.get(number, 48.0)
        for angle in np.arange(152, end - 1, -6.0):
            t = (152 - angle) / (152 - lowest)
            height = z - 4 - drop * t**1.15
            x, y = self.wall_point(
                float(angle), side, height, 6.5 if angle < 130 else 6.5 + 0.45 * (float(angle) - 130)
            )
            thin = 1.0 if angle > end + 10 else 0.85
            bone.append((x, y, height, 4.1 * thin if number < 12 else 3.4))
        cartilage: list[tuple[float, float, float, float]] = []
        if number <= 10:
            start = bone[-1]
            top = 104.0 if number <= 7 else 96.0 - 9 * (number - 7)
            last = 9.0 if number <= 7 else 12.0 + 6 * (number - 7)
            for t in np.linspace(0, 1, 7):
                angle = end + (last - end) * t
                height = start[2] + (top - start[2]) * t**1.3
                x, y = self.wall_point(float(angle), side, height, 6.5)
                cartilage.append((x, y, height, 4.3))
        return spline(bone, 4.0), spline(cartilage, 4.0) if cartilage else np.zeros((0, 4))
