"""`Field`: a signed distance on a lattice, and how it is sampled on any grid."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.demo import kernels
from reviewer.geometry.grid import Grid

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

FAR_MM = 40.0
"""Distance that stands for everything beyond a field's box."""

_THREADS = 2


@dataclass(frozen=True)
class Box:
    """A lattice of cubes: the first voxel (x, y, z) in mm, the spacing in mm, and the shape (z, y, x)."""

    origin_mm: tuple[float, float, float]
    spacing_mm: float
    shape_zyx: tuple[int, int, int]

    @classmethod
    def around(cls, low_mm: ArrayLike, high_mm: ArrayLike, spacing_mm: float) -> Box:
        """The voxels of the lattice through (0, 0, 0) that cover the box from `low_mm` to `high_mm` (x, y, z)."""
        low = np.floor(np.asarray(low_mm, dtype=np.float64) / spacing_mm).astype(int)
        high = np.ceil(np.asarray(high_mm, dtype=np.float64) / spacing_mm).astype(int)
        nx, ny, nz = (int(n) + 1 for n in high - low)
        x, y, z = (float(v) for v in low * spacing_mm)
        return cls((x, y, z), spacing_mm, (nz, ny, nx))

    @cached_property
    def axes_mm(self) -> tuple[Floats32, Floats32, Floats32]:
        """x (1, 1, nx), y (1, ny, 1), z (nz, 1, 1) in mm."""
        nz, ny, nx = self.shape_zyx
        x, y, z = (
            (o + self.spacing_mm * np.arange(n)).astype(np.float32)
            for o, n in zip(self.origin_mm, (nx, ny, nz), strict=True)
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]


@dataclass(frozen=True, eq=False)
class Field:
    """distance_mm: (z, y, x) float32, below zero inside; beyond the box nothing is inside. Between the voxels linear."""

    box: Box
    distance_mm: Floats32

    def cropped(self, keep_mm: float = 9.0) -> Field:
        """The field in the smallest box around all that lies within `keep_mm` of it."""
        near = self.distance_mm < keep_mm
        spans = []
        for axis in range(3):
            hit = np.flatnonzero(near.any(axis=tuple(a for a in range(3) if a != axis)))
            spans.append((max(0, hit[0] - 1), min(near.shape[axis], hit[-1] + 2)) if len(hit) else (0, 2))
        (z0, z1), (y0, y1), (x0, x1) = spans
        step = self.box.spacing_mm
        x, y, z = (o + step * float(n) for o, n in zip(self.box.origin_mm, (x0, y0, z0), strict=True))
        part = np.ascontiguousarray(self.distance_mm[z0:z1, y0:y1, x0:x1])
        return Field(Box((x, y, z), step, (part.shape[0], part.shape[1], part.shape[2])), part)

    def on(self, box: Box) -> Floats32:
        """The distance at the voxels of another lattice, (z, y, x)."""
        out = np.empty(box.shape_zyx, dtype=np.float32)
        step = box.spacing_mm / self.box.spacing_mm
        start = (np.array(box.origin_mm) - self.box.origin_mm) / self.box.spacing_mm
        first = start + np.arange(box.shape_zyx[0])[:, None] * np.array([0, 0, step])
        right, down = np.array([step, 0.0, 0.0]), np.array([0.0, step, 0.0])
        _in_two(
            box.shape_zyx[0],
            lambda a, b: kernels.sample(out, self.distance_mm, first, right, down, FAR_MM, a, b),
        )
        return out

    def at(self, grid: Grid, to_field: Floats) -> Floats32:
        """The distance at the voxels of a grid, (z, y, x); `to_field` (4, 4) maps the grid's points to those of the field."""
        out = np.empty(grid.shape_zyx, dtype=np.float32)
        first, right, down, _ = self._steps(grid, to_field)
        _in_two(
            grid.shape_zyx[0],
            lambda a, b: kernels.sample(out, self.distance_mm, first, right, down, FAR_MM, a, b),
        )
        return out

    def paint(
        self,
        out: Floats32,
        grid: Grid,
        to_field: Floats,
        value: float,
        *,
        shift_mm: float = 0.0,
        soften: float = 1.0,
        texture: Floats32 | None = None,
        grain_mm: float = 1.0,
        amplitude: float = 0.0,
    ) -> None:
        """Blend `value` over `out` (z, y, x of the grid) by the part of each voxel that lies inside the surface `distance = -shift_mm`."""
        first, right, down, through = self._steps(grid, to_field)
        ranges = self._ranges(grid, to_field)
        if texture is None:
            texture, amplitude = np.zeros((1, 1, 1), dtype=np.float32), 0.0
        grain = self.box.spacing_mm / grain_mm

        def planes(a: int, b: int) -> None:
            part = ranges.copy()
            part[0] = ranges[0, 0] + a, ranges[0, 0] + b
            kernels.paint(
                out,
                part,
                self.distance_mm,
                first,
                right,
                down,
                through,
                shift_mm,
                soften,
                value,
                texture,
                grain,
                amplitude,
            )

        _in_two(max(0, int(ranges[0, 1] - ranges[0, 0])), planes)

    def _steps(self, grid: Grid, to_field: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Field indices (x, y, z) of the first pixel of each plane (nz, 3), and the steps of a column, a row and a slab (3,)."""
        turn = to_field[:3, :3] / self.box.spacing_mm
        offset = (to_field[:3, 3] - self.box.origin_mm) / self.box.spacing_mm
        nz = grid.shape_zyx[0]
        corners = grid.point_of_index_mm(np.stack([np.arange(nz), np.zeros(nz), np.zeros(nz)], axis=-1))
        u, v, w = grid.axes
        return (
            corners @ turn.T + offset,
            turn @ u * grid.spacing_uv_mm[0],
            turn @ v * grid.spacing_uv_mm[1],
            turn @ w * grid.spacing_w_mm,
        )

    def _ranges(self, grid: Grid, to_field: Floats) -> NDArray[np.int64]:
        """(3, 2) half-open index ranges (z, y, x) of the grid's voxels that may touch the box."""
        n = np.array(self.box.shape_zyx[::-1]) - 1
        corners = self.box.origin_mm + self.box.spacing_mm * n * np.array(list(np.ndindex(2, 2, 2)))
        back = np.linalg.inv(to_field)
        index = grid.index_zyx(corners @ back[:3, :3].T + back[:3, 3])
        shape = np.array(grid.shape_zyx)
        low = np.clip(np.floor(index.min(axis=0)), 0, shape).astype(np.int64)
        high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, shape).astype(np.int64)
        return np.stack([low, high], axis=-1)


def _in_two(planes: int, work: Callable[[int, int], None]) -> None:
    """Call `work(from, to)` for the halves of a range of planes at once; short ranges in one go."""
    if planes < 2 * _THREADS:
        work(0, planes)
        return
    borders = np.linspace(0, planes, _THREADS + 1).astype(int)
    with ThreadPoolExecutor(_THREADS) as pool:
        for job in [pool.submit(work, a, b) for a, b in pairwise(borders.tolist())]:
            job.result()
