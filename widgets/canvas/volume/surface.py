"""Surfaces of structures and of dose levels for the 3D view. Loaded late and run in the background: VTK lets other threads go on.

The surface of a structure runs where its `coverage` passes one half: a picture of the same solid that gives the volume and the DVH,
which is interpolated between the planes and so has no terraces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkDecimatePro, vtkFlyingEdges3D

from reviewer.case import Dose, Structure
from reviewer.errors import CancelledError
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid

from .mesh import Mesh

Floats = NDArray[np.float32]

TRIANGLES = 7_000
"""Aim per structure: two dozen of them turn at 30 frames a second on two cores without a graphics card."""

MOST_TRIANGLES = 12_000
"""Larger surfaces (the body, a rind of skin, a cold isodose) are thinned out to this."""

FINEST_MM, COARSEST_MM = 0.6, 6.0
MOST_VOXELS = 3_000_000
DOSE_STEP_MM = 2.5
DOSE_SURFACES = 3


def structure_mesh(structure: Structure, cancelled: Callable[[], bool]) -> Mesh:
    """The surface in patient coordinates of the structure's frame; empty where nothing of it is thick enough to be seen.

    Raises CancelledError when `cancelled` turns true, and what `coverage` raises.
    """
    grid = _grid_around(structure, _step_mm(structure))
    if cancelled():
        raise CancelledError
    part = coverage(structure, grid)
    if cancelled():
        raise CancelledError
    covered = np.zeros(grid.shape_zyx, dtype=np.float32)
    covered[part.box] = part.fraction
    return _surface(_smoothed(covered), 0.5, grid)


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
    grid = replace(grid, positions_mm=positions)
    return {level: _surface(even, level, grid) for level in chosen}


def _step_mm(structure: Structure) -> float:
    """Voxel size that gives about as many triangles as wanted, from the area of the walls between the planes and of the two ends.

    Not more than half of the thickness of a rind (twice area over perimeter), which would fall through coarser voxels.
    """
    regions = np.array(list(structure.planes.values()), dtype=object)
    length = float(shapely.length(regions).sum())
    walls = length * structure.grid.spacing_w_mm
    thickness = 2 * float(shapely.area(regions).sum()) / length
    area = walls + 2 * float(shapely.area(regions).max())
    low_u, low_v, high_u, high_v = shapely.total_bounds(regions)
    depth = structure.grid.spacing_w_mm * (max(structure.planes) - min(structure.planes) + 3)
    box = (high_u - low_u) * (high_v - low_v) * depth
    step = min(max((2.6 * area / TRIANGLES) ** 0.5, FINEST_MM), COARSEST_MM, max(0.5 * thickness, FINEST_MM))
    return max(step, (box / MOST_VOXELS) ** (1 / 3))


def _grid_around(structure: Structure, step: float) -> Grid:
    """Cubes of `step` mm along the structure's own axes, with room around it for the ends of its solid and for the smoothing."""
    own = structure.grid
    regions = np.array(list(structure.planes.values()), dtype=object)
    low_u, low_v, high_u, high_v = (float(v) for v in shapely.total_bounds(regions))
    low_w, high_w = own.positions_mm[[min(structure.planes), max(structure.planes)]]
    room = own.spacing_w_mm + 3 * step
    size = [int(np.ceil((high - low) / step)) + 7 for low, high in ((low_u, high_u), (low_v, high_v))]
    count = int(np.ceil((high_w - low_w + 2 * room) / step)) + 1
    positions = low_w - room + step * np.arange(count)
    origin = (low_u - 3 * step, low_v - 3 * step)
    return Grid(own.axes, origin, (step, step), (size[0], size[1]), positions, own.frame_of_reference_uid)


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
    """A breath of smoothing, 0.6 voxels in each direction: the normals need it, and it moves the surface by less than a tenth of one."""
    kernel = cv2.getGaussianKernel(5, 0.6, cv2.CV_32F)
    border = cv2.BORDER_REPLICATE
    flat = cv2.sepFilter2D(field.reshape(len(field), -1), -1, np.ones((1, 1), np.float32), kernel, borderType=border)
    smooth = flat.reshape(field.shape)
    return np.stack([cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=border) for plane in smooth])


def _surface(field: Floats, level: float, grid: Grid) -> Mesh:
    """Where a field (z, y, x), higher inside, passes `level`; on the voxels of an evenly spaced grid."""
    image = vtkImageData()
    nz, ny, nx = field.shape
    image.SetDimensions(nx, ny, nz)
    image.SetSpacing(*grid.spacing_uv_mm, float(grid.positions_mm[1] - grid.positions_mm[0]))
    image.SetOrigin(*grid.origin_uv_mm, float(grid.positions_mm[0]))
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
    if found.GetNumberOfPolys() > MOST_TRIANGLES:
        thinner = vtkDecimatePro()
        thinner.SetInputData(found)
        thinner.SetTargetReduction(1.0 - MOST_TRIANGLES / found.GetNumberOfPolys())
        thinner.PreserveTopologyOn()
        thinner.Update()
        found = thinner.GetOutput()
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
    normals = -gradient @ grid.axes
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Mesh(grid.point_mm(uvw).astype(np.float32), normals.astype(np.float32), triangles)


_NOTHING = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64))
