"""Cines whose motion is known: a liver with vessels under a lung, a lesion in it, a spine that stands still.

Every frame is drawn by formulas at its own place, never shifted from another, so that nothing of a tracker is built into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import shapely

from reviewer.case import Cine
from reviewer.gating.target import Target
from reviewer.geometry.grid import Grid

SAGITTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Columns run to posterior, rows to the feet."""

LESION_MM = np.array([10.0, -8.0])
"""(u, v) of the lesion's middle at rest."""

RADII_MM = np.array([15.0, 12.0])
SHARP = 2


@dataclass(frozen=True, eq=False)
class Film:
    """A cine, its target on the reference frame, and the truth: (t, 2) shift in (u, v) mm, (t,) scale of the lesion's radii, 0 where gone."""

    cine: Cine
    target: Target
    shift_mm: np.ndarray
    scale: np.ndarray

    def region(self, k):
        """The lesion as it truly is on a frame, None where it has left the plane."""
        if self.scale[k] <= 0:
            return None
        return ellipse(LESION_MM + self.shift_mm[k], RADII_MM * self.scale[k])


def ellipse(centre, radii):
    angle = 2 * np.pi * np.arange(180) / 180
    return shapely.polygons(np.asarray(centre) + np.column_stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle)]))


def film(
    si_mm: Callable[[np.ndarray], np.ndarray],
    *,
    ap_mm: Callable[[np.ndarray], np.ndarray] = lambda t: 0 * t,
    scale: Callable[[np.ndarray], np.ndarray] = lambda t: 0 * t + 1,
    fps: float = 8.0,
    duration_s: float = 20.0,
    snr: float = 14.0,
    pixels: int = 128,
    pixel_mm: float = 2.4,
    seed: int = 0,
) -> Film:
    """si_mm, ap_mm: cranial and anterior displacement of the lesion at times (s); scale: of its radii, as it is cut off its middle.

    snr: signal of the liver over the standard deviation of the noise, Rician.
    """
    times = np.arange(round(duration_s * fps)) / fps
    rng = np.random.default_rng(seed)
    shift = np.column_stack([-ap_mm(times), -si_mm(times)])
    sizes = np.where(scale(times) > 0.15, scale(times), 0.0)
    first = -pixel_mm * (pixels - 1) / 2
    grid = Grid(SAGITTAL, (first, first), (pixel_mm, pixel_mm), (pixels, pixels), np.array([0.0]), "cine", 7.0)
    fine = pixels * SHARP
    axis = first + pixel_mm * ((np.arange(fine) + 0.5) / SHARP - 0.5)
    u, v = np.meshgrid(axis.astype(np.float32), axis.astype(np.float32))
    vessels = [(rng.uniform(-55, 60), rng.uniform(-45, 60), rng.uniform(2.5, 5), rng.uniform(3, 9)) for _ in range(12)]
    coil = 1 - 0.25 * (
        (np.arange(pixels) / pixels - 0.3)[:, None] ** 2 + (np.arange(pixels) / pixels - 0.4)[None, :] ** 2
    )
    frames = np.empty((len(times), pixels, pixels), dtype=np.float32)
    for k in range(len(times)):
        # Plain numbers, so that the scene is drawn in single precision: half of the time of these tests was its drawing.
        scene = _scene(u, v, shift[k].tolist(), float(sizes[k]), vessels)
        picture = cv2.resize(scene, (pixels, pixels), interpolation=cv2.INTER_AREA)
        clean = 400 * picture * coil
        noise = rng.normal(0, 400 / snr, (2, pixels, pixels))
        frames[k] = np.hypot(clean + noise[0], noise[1])
    cine = Cine("cine", "MR", "synthetic", grid, np.rint(frames).astype(np.uint16), times)
    target = Target("GTV", ellipse(LESION_MM + shift[0], RADII_MM * sizes[0]), 0)
    return Film(cine, target, shift, sizes)


def _scene(u, v, shift, size, vessels):
    """Signal relative to the liver's, at (u, v) mm. What lies near the spine moves less: the liver slides past it."""
    part = np.clip((95 - u) / 30, 0, 1)
    x, y = u - shift[0] * part, v - shift[1] * part
    liver = _soft(1 - ((x - 5) / 80) ** 2 - ((y - 20) / 85) ** 2, 0.04)
    picture = np.full_like(u, 0.55) * (1 - liver) + liver
    for a, b, radius, length in vessels:
        picture += liver * 0.45 * np.exp(-(((x - a) / length) ** 2 + ((y - b) / radius) ** 2))
    lung = _soft(-(y + 62 - 0.004 * x * x), 3.0) * (1 - liver)
    picture = picture * (1 - lung) + 0.12 * lung
    if size > 0:
        a, b = (np.stack([x, y]) - LESION_MM[:, None, None]) / (RADII_MM * size)[:, None, None]
        lesion = _soft(1 - np.hypot(a, b), 0.05)
        picture = picture * (1 - lesion) + lesion * 0.62
    spine = _soft(14 - np.abs(u - 120), 2.0) * (1 + 0.25 * np.sign(np.sin(v / 5.0)))
    picture = picture * (1 - np.clip(spine, 0, 1)) + 0.7 * spine
    return picture.astype(np.float32)


def _soft(inside, width):
    return 1 / (1 + np.exp(-np.clip(inside / width, -30, 30)))


def breathing(
    range_mm: float, period_s: float = 4.0, drift_mm_per_s: float = 0.0
) -> Callable[[np.ndarray], np.ndarray]:
    """From the end of expiration, where the frame at 0 s stands, down and back, with a drift."""
    return lambda t: -range_mm * np.sin(np.pi * t / period_s) ** 4 + drift_mm_per_s * t
