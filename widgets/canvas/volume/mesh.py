"""`Mesh`: a surface as plain arrays, made in one thread, drawn in another, and asked what a ray hits in a third."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Mesh:
    """points: (n, 3) float32, patient coordinates mm; normals: (n, 3) float32, outward; triangles: (m, 3) int64 indices of points."""

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int64]

    @cached_property
    def bounds_mm(self) -> NDArray[np.float32]:
        """(2, 3) lowest and highest corner."""
        return np.array([self.points.min(axis=0), self.points.max(axis=0)])


def mapped(matrix: ArrayLike, point: ArrayLike, w: float = 1.0) -> NDArray[np.float64]:
    """A point (w = 1) or direction (w = 0) under a (4, 4) matrix."""
    return (np.asarray(matrix, dtype=np.float64) @ np.append(np.asarray(point, dtype=np.float64), w))[:3]


def distance_to_hit(mesh: Mesh, origin: NDArray[np.float64], direction: NDArray[np.float64]) -> float | None:
    """How far along a ray, in lengths of `direction`, its first triangle lies; None where it meets none.

    All triangles at once, after Möller and Trumbore, J Graphics Tools 1997;2(1):21-28.
    """
    if len(mesh.triangles) == 0 or not _meets_box(mesh.bounds_mm, origin, direction):
        return None
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    ray = direction.astype(np.float32)
    e1, e2 = b - a, c - a
    p = np.cross(ray, e2)
    det = np.einsum("ij,ij->i", e1, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = origin.astype(np.float32) - a
        u = np.einsum("ij,ij->i", t, p) / det
        q = np.cross(t, e1)
        v = q @ ray / det
        along = np.einsum("ij,ij->i", e2, q) / det
        struck = along[(u >= 0) & (v >= 0) & (u + v <= 1) & (along > 0)]
    return float(struck.min()) if struck.size else None


def _meets_box(bounds: NDArray[np.float32], origin: NDArray[np.float64], direction: NDArray[np.float64]) -> bool:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (bounds - origin) / direction
    near, far = np.nanmin(t, axis=0).max(), np.nanmax(t, axis=0).min()
    return bool(near <= far and far > 0)
