"""What the demo's organs are made of: ellipsoids and tubes with smooth blends, in gently warped coordinates.

Distances are in mm, below zero inside; they are exact near tubes and good to first order elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.demo import kernels
from reviewer.demo.field import FAR_MM, Box, Field, Floats, Floats32

REACH_MM = 12.0
"""How far outside its surface a tube's distance is known; beyond, it is FAR_MM."""


@dataclass(frozen=True, eq=False)
class Place:
    """A lattice and the (z, y, x) coordinates at which shapes are evaluated on it."""

    box: Box
    x: Floats32
    y: Floats32
    z: Floats32

    def field(self, distance: Floats32) -> Field:
        return Field(self.box, np.ascontiguousarray(distance, dtype=np.float32))

    def far(self) -> Floats32:
        return np.full(self.box.shape_zyx, FAR_MM, dtype=np.float32)


Warp = Callable[[Floats32, Floats32, Floats32], tuple[Floats32, Floats32, Floats32]]


WARP_STEP_MM = 3.0
"""Lattice on which warps are evaluated; between its points they are linear. Their wavelengths are several times longer."""


def place(low_mm: ArrayLike, high_mm: ArrayLike, spacing_mm: float, *warps: Warp) -> Place:
    """The lattice between two corners (x, y, z), its coordinates taken through the warps in turn."""
    box = Box.around(low_mm, high_mm, spacing_mm)
    if not warps:
        x, y, z = (np.ascontiguousarray(np.broadcast_to(a, box.shape_zyx)) for a in box.axes_mm)
        return Place(box, x, y, z)
    wide = Box.around(np.asarray(low_mm) - WARP_STEP_MM, np.asarray(high_mm) + 2 * WARP_STEP_MM, WARP_STEP_MM)
    coarse = tuple(np.ascontiguousarray(np.broadcast_to(a, wide.shape_zyx)) for a in wide.axes_mm)
    for warp in warps:
        coarse = warp(*coarse)
    x, y, z = (Field(wide, np.ascontiguousarray(a, dtype=np.float32)).on(box) for a in coarse)
    return Place(box, x, y, z)


def rigid_inverse(matrix: Floats) -> Warp:
    """Evaluate shapes as if they had been moved by the rigid `matrix` (4, 4)."""
    turn, offset = matrix[:3, :3].T.astype(np.float32), matrix[:3, 3].astype(np.float32)

    def warp(x: Floats32, y: Floats32, z: Floats32) -> tuple[Floats32, Floats32, Floats32]:
        x, y, z = x - offset[0], y - offset[1], z - offset[2]
        a, b, c = (turn[i, 0] * x + turn[i, 1] * y + turn[i, 2] * z for i in range(3))
        return a, b, c

    return warp


def waves(seed: int, amplitude_mm: float, wavelength_mm: float, terms: int = 5) -> Warp:
    """A smooth random displacement: a sum of plane waves around one wavelength."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(3, terms, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    k = (direction * 2 * np.pi / (wavelength_mm * rng.uniform(0.7, 1.5, (3, terms, 1)))).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (3, terms)).astype(np.float32)
    size = np.float32(amplitude_mm * np.sqrt(2 / terms))

    def warp(x: Floats32, y: Floats32, z: Floats32) -> tuple[Floats32, Floats32, Floats32]:
        moved = []
        for axis, coordinate in enumerate((x, y, z)):
            total = coordinate.copy()
            for term in range(terms):
                a, b, c = k[axis, term]
                total += size * np.sin(a * x + b * y + c * z + phase[axis, term])
            moved.append(total)
        return moved[0], moved[1], moved[2]

    return warp


def rotation(rx: float, ry: float, rz: float) -> Floats:
    """(3, 3) turn by angles in degrees about x, then y, then z."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([rx, ry, rz])):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[j, i] = np.sin(angle)
        step[i, j] = -step[j, i]
        turn = step @ turn
    return turn


def local(p: Place, centre: Sequence[float], turn: Floats | None = None) -> tuple[Floats32, Floats32, Floats32]:
    """Coordinates about a centre on axes turned by `turn`."""
    x, y, z = p.x - np.float32(centre[0]), p.y - np.float32(centre[1]), p.z - np.float32(centre[2])
    if turn is None:
        return x, y, z
    t = turn.T.astype(np.float32)
    a, b, c = (t[i, 0] * x + t[i, 1] * y + t[i, 2] * z for i in range(3))
    return a, b, c


def ellipsoid(
    p: Place, centre: Sequence[float], radii: Sequence[float], turn: Floats | None = None, power: float = 2.0
) -> Floats32:
    """Distance to a (super-)ellipsoid, first order: (|q| - 1) |q| / |grad|, with q the scaled position."""
    x, y, z = local(p, centre, turn)
    a, b, c = (np.float32(r) for r in radii)
    if power == 2.0:
        k0 = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
        k1 = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
        return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-6), dtype=np.float32)
    k0 = (np.abs(x / a) ** power + np.abs(y / b) ** power + np.abs(z / c) ** power) ** np.float32(1 / power)
    radius = np.sqrt(x * x + y * y + z * z)
    return np.asarray((k0 - 1) * np.maximum(radius, 1e-3) / np.maximum(k0, 1e-3), dtype=np.float32)


def union(*distances: Floats32, blend: float = 0.0) -> Floats32:
    """Union; `blend` mm of fillet (polynomial smooth minimum)."""
    out = distances[0]
    for d in distances[1:]:
        if blend > 0:
            h = np.clip(0.5 + 0.5 * (d - out) / np.float32(blend), 0, 1)
            out = d + (out - d) * h - np.float32(blend) * h * (1 - h)
        else:
            out = np.minimum(out, d)
    return out


def common(*distances: Floats32, blend: float = 0.0) -> Floats32:
    """Intersection, with `blend` mm of rounding."""
    return -union(*(-d for d in distances), blend=blend)


def without(distance: Floats32, *others: Floats32, gap: float = 0.0, blend: float = 0.0) -> Floats32:
    """`distance` less all that lies within `gap` mm of the others."""
    for other in others:
        distance = common(distance, np.float32(gap) - other, blend=blend)
    return distance


def spline(points: ArrayLike, step_mm: float = 3.0) -> Floats:
    """A centripetal-free Catmull-Rom curve through (n, m) points, resampled every `step_mm` of the first three columns."""
    p = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, 1, 24, endpoint=False)[:, None]
    pieces = []
    for i in range(len(p) - 1):
        a, b, c, d = padded[i : i + 4]
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    dense = np.concatenate([*pieces, p[-1:]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(dense[:, :3], axis=0), axis=1))])
    n = max(2, int(np.ceil(length[-1] / step_mm)) + 1)
    s = np.linspace(0, length[-1], n)
    return np.stack([np.interp(s, length, column) for column in dense.T], axis=-1)


def tubes(p: Place, *paths: Floats, reach_mm: float = REACH_MM) -> Floats32:
    """Distance to tubes along paths (n, 4: x, y, z, radius)."""
    return coil(p, *paths, reach_mm=reach_mm)[0]


def coil(
    p: Place, *paths: Floats, reach_mm: float = REACH_MM, apart: int = 1 << 20
) -> tuple[Floats32, Floats32, NDArray[np.int32]]:
    """Distance to tubes and to the nearest other stretch of tube (`apart` segments away), and the nearest segment: see kernels.sweep_tube."""
    distance, second = p.far(), p.far()
    nearest = np.full(p.box.shape_zyx, -(1 << 20), dtype=np.int32)
    origin = np.array(p.box.origin_mm)
    for path in paths:
        kernels.sweep_tube(
            distance, second, nearest, p.x, p.y, p.z, origin, p.box.spacing_mm,
            np.ascontiguousarray(path, dtype=np.float64), reach_mm, apart,
        )  # fmt: skip
    return distance, second, nearest


def smoothed(values: Floats32, size: int) -> Floats32:
    """(z, y, x) means over cubes of `size` voxels (odd)."""
    nz, ny, nx = values.shape
    in_plane = np.stack([cv2.blur(plane, (size, size)) for plane in values])
    flat = np.ascontiguousarray(in_plane.reshape(nz, ny * nx))
    return np.asarray(cv2.blur(flat, (1, size)).reshape(nz, ny, nx), dtype=np.float32)


def expanded(field: Field, margin_mm: float) -> Field:
    """The field of all points within `margin_mm` of the solid, from the true distance to its surface.

    The surface is taken where the field changes sign along the edges of its lattice.
    """
    box, d = field.box, field.distance_mm
    index = []
    for axis in range(3):
        first = np.moveaxis(d, axis, 0)[:-1]
        last = np.moveaxis(d, axis, 0)[1:]
        edges = np.argwhere((first < 0) != (last < 0)).astype(np.float64)
        k, j, i = edges.T.astype(int)
        edges[:, 0] += first[k, j, i] / (first[k, j, i] - last[k, j, i])
        index.append(np.insert(edges[:, 1:], axis, edges[:, 0], axis=1))
    points = (np.concatenate(index)[:, ::-1] * box.spacing_mm + box.origin_mm).astype(np.float32)
    wide = Box.around(points.min(axis=0) - 2 * margin_mm, points.max(axis=0) + 2 * margin_mm, box.spacing_mm)
    out = field.on(wide)
    kernels.refine_distance(out, np.array(wide.origin_mm), wide.spacing_mm, points, margin_mm, 4.0)
    return Field(wide, out - np.float32(margin_mm))


def periodic_noise(seed: int, size: int, blur: float) -> NDArray[np.float32]:
    """(size, size, size) periodic Gaussian noise of unit variance, blurred by `blur` voxels."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfftn(rng.standard_normal((size, size, size), dtype=np.float32))
    k = np.fft.fftfreq(size)
    r2 = k[:, None, None] ** 2 + k[None, :, None] ** 2 + np.fft.rfftfreq(size)[None, None, :] ** 2
    noise = np.fft.irfftn(spectrum * np.exp(-2 * (np.pi * blur) ** 2 * r2), s=(size, size, size), axes=(0, 1, 2))
    return np.ascontiguousarray(noise / noise.std(), dtype=np.float32)
