"""Surfaces of structures and of dose levels for the 3D view. Loaded late and run in the background: VTK lets other threads go on.

A surface is a picture of the same `coverage` that gives the volume and the DVH. Drawn straight from it, the slices would show as
terraces; so each plane becomes a map of the distance from its outline, and the surface runs where the distance, interpolated from plane
to plane, is zero (Raya and Udupa, IEEE Trans Med Imaging 1990;9(1):32-42).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from reviewer.case import Dose, Structure
from reviewer.errors import CancelledError
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid

from .volume_mesh import Mesh

Floats = NDArray[np.float32]

TRIANGLES = 14_000
"""Aim per structure: twenty of them turn at 30 frames a second on two cores without a graphics card."""

FINEST_MM, COARSEST_MM = 0.6, 6.0
MOST_VOXELS = 3_000_000
BAND_PLANES = 3.0
"""Distances are cut off at this many plane distances, so that an outline without a neighbour above it ends near half way."""

DOSE_STEP_MM = 2.5
DOSE_SURFACES = 3


def structure_mesh(structure: Structure, cancelled: Callable[[], bool]) -> Mesh:
    """The surface in patient coordinates of the structure's frame; empty where nothing of it is thick enough to be seen.

    Raises CancelledError when `cancelled` turns true, and what `coverage` raises.
    """
    step = _step_mm(structure)
    planes, real = _plane_grid(structure, step)
    part = coverage(structure, planes)
    covered = np.zeros(planes.shape_zyx, dtype=np.float32)
    covered[part.box] = part.fraction
    band = max(BAND_PLANES * planes.spacing_w_mm, 2 * step)
    distance = np.full_like(covered, band)
    filled = covered.any(axis=(1, 2))
    for k in np.flatnonzero(filled):
        if cancelled():
            raise CancelledError
        distance[k] = np.clip(_distance_px(covered[k]) * step, -band, band)
    for k in np.flatnonzero(~filled):
        # As far outside as its neighbour is inside: the surface closes half way to the plane without contour, as the volume does.
        depth = max(
            (-float(distance[n].min()) for n in (k - 1, k + 1) if 0 <= n < len(filled) and filled[n]), default=band
        )
        distance[k] = max(depth, 0.25 * step)
    positions, field = _evenly(planes.positions_mm, distance, step if real else planes.spacing_w_mm)
    return _surface(_smoothed(field), 0.0, planes, positions, outward=1.0)


def isodose_meshes(dose: Dose, levels_gy: tuple[float, ...]) -> Mapping[float, Mesh]:
    """Surfaces of the hottest, the middle and the coldest of those levels that the dose reaches, open at the border of its grid.

    Patient coordinates of the dose's frame. Where the dose is not a number it is unknown, and no surface is drawn.
    """
    stride = [max(1, round(DOSE_STEP_MM / s)) for s in reversed(dose.grid.spacing_mm)]
    gray = np.ascontiguousarray(dose.gray[:: stride[0], :: stride[1], :: stride[2]], dtype=np.float32)
    reached = sorted(level for level in set(levels_gy) if 0 < level < float(np.nanmax(gray, initial=0.0)))
    chosen = sorted({reached[0], reached[len(reached) // 2], reached[-1]}) if reached else []
    if not chosen or min(gray.shape) < 2:
        return {}
    u, v = dose.grid.spacing_uv_mm
    grid = Grid(
        dose.grid.axes,
        dose.grid.origin_uv_mm,
        (u * stride[2], v * stride[1]),
        (gray.shape[2], gray.shape[1]),
        dose.grid.positions_mm[:: stride[0]],
        dose.grid.frame_of_reference_uid,
    )
    positions, even = _evenly(grid.positions_mm, gray, grid.spacing_w_mm)
    return {level: _surface(even, level, grid, positions, outward=-1.0) for level in chosen}


def _step_mm(structure: Structure) -> float:
    """Voxel size that gives about as many triangles as wanted, from the area of the walls between the planes and of the two ends."""
    regions = np.array(list(structure.planes.values()), dtype=object)
    walls = float(shapely.length(regions).sum()) * structure.grid.spacing_w_mm
    area = walls + 2 * float(shapely.area(regions).max())
    low_u, low_v, high_u, high_v = shapely.total_bounds(regions)
    depth = structure.grid.spacing_w_mm * (max(structure.planes) - min(structure.planes) + 3)
    box = (high_u - low_u) * (high_v - low_v) * depth
    return max(min(max((2.6 * area / TRIANGLES) ** 0.5, FINEST_MM), COARSEST_MM), (box / MOST_VOXELS) ** (1 / 3))


def _plane_grid(structure: Structure, step: float) -> tuple[Grid, bool]:
    """Pixels of `step` mm on the structure's own planes (True), or on planes `step` apart where its own are closer (False)."""
    own = structure.grid
    first, last = min(structure.planes), max(structure.planes)
    gap = own.spacing_w_mm
    positions = own.positions_mm[first : last + 1]
    before = own.positions_mm[first - 1] if first > 0 else positions[0] - gap
    after = own.positions_mm[last + 1] if last + 1 < len(own.positions_mm) else positions[-1] + gap
    positions = np.concatenate([[before], positions, [after]])
    real = gap >= 0.75 * step or len(positions) <= 3
    if not real:
        count = int(np.ceil((positions[-1] - positions[0]) / step)) + 3
        positions = (positions[0] + positions[-1]) / 2 + step * (np.arange(count) - (count - 1) / 2)
    low_u, low_v, high_u, high_v = shapely.total_bounds(np.array(list(structure.planes.values()), dtype=object))
    size = (int(np.ceil((high_u - low_u) / step)) + 5, int(np.ceil((high_v - low_v) / step)) + 5)
    origin = (float(low_u) - 2 * step, float(low_v) - 2 * step)
    return Grid(own.axes, origin, (step, step), size, positions, own.frame_of_reference_uid), real


def _distance_px(plane: Floats) -> Floats:
    """Signed distance from the outline in pixels, negative inside."""
    inside = (plane >= 0.5).astype(np.uint8)
    if not inside.any():
        # Narrower than half a pixel: what there is keeps its fraction, so that thin things fade instead of vanishing plane by plane.
        return np.where(plane > 0, 0.5 - plane, np.float32(1e6)).astype(np.float32)
    out = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
    distance = np.where(inside, -depth, out)
    edge = (plane > 0) & (plane < 1)
    distance[edge] = 0.5 - plane[edge]
    return distance


def _evenly(positions: NDArray[np.float64], field: Floats, step: float) -> tuple[NDArray[np.float64], Floats]:
    """The field (z, y, x) at positions about `step` apart, linear between its planes."""
    count = max(2, round((positions[-1] - positions[0]) / step) + 1)
    even = np.linspace(positions[0], positions[-1], count)
    if count == len(positions) and np.allclose(even, positions):
        return even, field
    at = np.interp(even, positions, np.arange(len(positions)))
    below = np.minimum(at.astype(int), len(positions) - 2)
    part = (at - below).astype(np.float32)[:, None, None]
    return even, field[below] * (1 - part) + field[below + 1] * part


def _smoothed(field: Floats) -> Floats:
    """A breath of smoothing, three quarters of a voxel in each direction."""
    kernel = cv2.getGaussianKernel(5, 0.75, cv2.CV_32F)
    border = cv2.BORDER_REPLICATE
    flat = cv2.sepFilter2D(field.reshape(len(field), -1), -1, np.ones((1, 1), np.float32), kernel, borderType=border)
    smooth = flat.reshape(field.shape)
    return np.stack([cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=border) for plane in smooth])


def _surface(field: Floats, level: float, grid: Grid, positions: NDArray[np.float64], outward: float) -> Mesh:
    """Where the field (z, y, x) on the grid's pixels at evenly spaced positions passes `level`. outward: 1 where it rises outwards, else -1."""
    image = vtkImageData()
    nz, ny, nx = field.shape
    image.SetDimensions(nx, ny, nz)
    image.SetSpacing(*grid.spacing_uv_mm, float(positions[1] - positions[0]))
    image.SetOrigin(*grid.origin_uv_mm, float(positions[0]))
    flat = np.ascontiguousarray(field).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(flat))
    filter_ = vtkFlyingEdges3D()
    filter_.SetInputData(image)
    filter_.SetValue(0, level)
    filter_.ComputeNormalsOff()
    filter_.ComputeGradientsOn()
    filter_.ComputeScalarsOff()
    filter_.Update()
    found = filter_.GetOutput()
    if found.GetNumberOfPolys() == 0:
        return _NOTHING
    uvw = vtk_to_numpy(found.GetPoints().GetData())
    gradient = vtk_to_numpy(found.GetPointData().GetArray("Gradients"))
    triangles = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    known = np.isfinite(uvw).all(axis=1) & np.isfinite(gradient).all(axis=1)
    if not known.all():
        # Beside voxels that are not a number.
        triangles = (np.cumsum(known) - 1)[triangles[known[triangles].all(axis=1)]]
        uvw, gradient = uvw[known], gradient[known]
        if len(triangles) == 0:
            return _NOTHING
    if outward > 0:
        triangles = triangles[:, ::-1].copy()  # the filter's triangles face the lower values
    normals = outward * gradient @ grid.axes
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Mesh(grid.point_mm(uvw).astype(np.float32), normals.astype(np.float32), triangles)


_NOTHING = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64))
