# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""How much of each voxel a structure fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reviewer.geometry.edges import Floats
from reviewer.geometry.field import field, occupied
from reviewer.geometry.grid import Grid
from reviewer.geometry.raster import fill
from reviewer.geometry.solid import Solid, solid
from reviewer.geometry.stack import Stack

PARALLEL_TOLERANCE = 1e-4
"""Sine of the largest angle at which two stacks of planes count as parallel: 0.03 mm across 300 mm."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Occupied fraction of voxels in a box of a grid; outside the box it is zero.

    box:      slices (z, y, x) into the grid.
    fraction: float32 of the box's shape, 0 to 1.
    """

    box: tuple[slice, slice, slice]
    fraction: NDArray[np.float32]


def coverage(stack: Stack, grid: Grid, to_stack: ArrayLike | None = None) -> Coverage:
    """The fraction of each voxel of `grid` inside the solid of `stack`.

    to_stack: (4, 4) rigid map of patient points (mm) of the grid's frame to the stack's; None where the frames are the same.
    Exact (rounding apart) where the planes of both are parallel, whatever the rotation within the plane and the positions of the planes.
    Otherwise each voxel is sampled at points no more than 1 mm apart in a finely voxelised solid: see `_sampled`.
    """
    body = solid(stack)
    turn, shift = plane_transform(stack.grid, grid, to_stack)
    if len(body.borders_mm) == 0:
        return _nothing()
    if max(abs(turn[2, 0]), abs(turn[2, 1])) < PARALLEL_TOLERANCE:
        return _parallel(body, grid, turn, shift)
    return _sampled(body, grid, turn, shift)


def plane_transform(stack_grid: Grid, grid: Grid, to_stack: ArrayLike | None) -> tuple[Floats, Floats]:
    """Rotation (3, 3) and shift (3,) that take plane coordinates of `grid` to those of `stack_grid`: ``turn @ uvw + shift``."""
    matrix = np.eye(4) if to_stack is None else np.asarray(to_stack, dtype=np.float64)
    return stack_grid.axes @ matrix[:3, :3] @ grid.axes.T, stack_grid.axes @ matrix[:3, 3]


def affine(turn: Floats, shift: Floats, corner: Floats, step: Floats) -> Floats:
    """(2, 3) map of plane coordinates, turned and shifted, to cells of size `step` from `corner` on."""
    return np.ascontiguousarray(np.column_stack([turn, shift - corner]) / step[:, None])


def _corners(body: Solid) -> Floats:
    """(8, 3) corners of the box around a solid, plane coordinates in mm."""
    low, high = body.bounds_mm
    return np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T


def _nothing() -> Coverage:
    return Coverage((slice(0, 0), slice(0, 0), slice(0, 0)), np.zeros((0, 0, 0), dtype=np.float32))


def _parallel(body: Solid, grid: Grid, turn: Floats, shift: Floats) -> Coverage:
    start = np.array(grid.origin_uv_mm) - np.array(grid.spacing_uv_mm) / 2
    to_cells = affine(turn[:2, :2].T, -turn[:2, :2].T @ shift[:2], start, np.array(grid.spacing_uv_mm))
    corners = _corners(body)[:, :2] @ to_cells[:, :2].T + to_cells[:, 2]
    borders = np.sort((body.borders_mm - shift[2]) * turn[2, 2], axis=1)
    slabs = grid.slab_borders_mm
    low, high = corners.min(axis=0), corners.max(axis=0)
    x = _cut(low[0], high[0], grid.size_uv[0])
    y = _cut(low[1], high[1], grid.size_uv[1])
    z = _slabs_touched(slabs, float(borders.min()), float(borders.max()))
    shape = (max(z.stop - z.start, 0), max(y.stop - y.start, 0), max(x.stop - x.start, 0))
    if 0 in shape:
        return _nothing()
    fraction = np.empty(shape, dtype=np.float32)
    to_cells[:, 2] -= x.start, y.start
    fill(fraction, slabs[z.start : z.stop + 1], borders, body.starts, body.segments, to_cells)
    return Coverage((z, y, x), fraction)


def _cut(low: float, high: float, size: int) -> slice:
    """Voxels touched by [low, high], in voxel edges from 0 to size."""
    return slice(int(np.clip(np.floor(low), 0, size)), int(np.clip(np.ceil(high), 0, size)))


def _slabs_touched(slabs: Floats, low: float, high: float) -> slice:
    """Planes whose slab reaches into [low, high] mm."""
    planes = len(slabs) - 1
    first = np.searchsorted(slabs, low, side="right") - 1
    return slice(int(np.clip(first, 0, planes)), int(np.clip(np.searchsorted(slabs, high, side="left"), 0, planes)))


def _sampled(body: Solid, grid: Grid, turn: Floats, shift: Floats) -> Coverage:
    """Means of a `Field` over points in each voxel, no more than 1 mm apart.

    The field blurs the surface over one of its cells (0.5 to 2 mm), symmetrically, so volumes hold and single voxels at the surface may be off.
    """
    corners = (_corners(body) - shift) @ turn
    x = _cut(*_span(corners[:, 0], grid.origin_uv_mm[0], grid.spacing_uv_mm[0]), grid.size_uv[0])
    y = _cut(*_span(corners[:, 1], grid.origin_uv_mm[1], grid.spacing_uv_mm[1]), grid.size_uv[1])
    z = _slabs_touched(grid.slab_borders_mm, corners[:, 2].min(), corners[:, 2].max())
    shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
    if min(shape) <= 0:
        return _nothing()
    density = field(body)
    fraction = np.empty(shape, dtype=np.float32)
    origin = np.array(grid.origin_uv_mm) + np.array([x.start, y.start]) * grid.spacing_uv_mm
    slabs = grid.slab_borders_mm[z.start : z.stop + 1]
    _average(
        fraction,
        slabs,
        origin,
        np.array(grid.spacing_uv_mm),
        turn,
        shift,
        density.samples,
        density.first_mm,
        density.step_mm,
    )
    return Coverage((z, y, x), fraction)


def _span(w: Floats, origin: float, spacing: float) -> tuple[float, float]:
    """Lowest and highest position in voxel edges."""
    edges = (w - origin) / spacing + 0.5
    return float(edges.min()), float(edges.max())


@njit(cache=True, nogil=True)
def _average(fraction, slabs, origin, spacing, turn, shift, samples, first, step):  # type: ignore[no-untyped-def]
    nz, ny, nx = fraction.shape
    kx, ky = int(np.ceil(spacing[0])), int(np.ceil(spacing[1]))
    for z in range(nz):
        thickness = slabs[z + 1] - slabs[z]
        kz = int(np.ceil(thickness))
        for y in range(ny):
            for x in range(nx):
                total = 0.0
                for c in range(kz):
                    w = slabs[z] + (c + 0.5) / kz * thickness
                    for b in range(ky):
                        v = origin[1] + (y - 0.5 + (b + 0.5) / ky) * spacing[1]
                        for a in range(kx):
                            u = origin[0] + (x - 0.5 + (a + 0.5) / kx) * spacing[0]
                            total += occupied(
                                samples,
                                (turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] * w + shift[0] - first[0]) / step[0],
                                (turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] * w + shift[1] - first[1]) / step[1],
                                (turn[2, 0] * u + turn[2, 1] * v + turn[2, 2] * w + shift[2] - first[2]) / step[2],
                            )
                fraction[z, y, x] = total / (kx * ky * kz)
