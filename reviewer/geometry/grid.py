"""`Grid`: the only owner of coordinates.

Three coordinate systems, and no others, are used in the engine:

- *patient*: DICOM LPS in mm, points ``(x, y, z)``, in one frame of reference.
- *plane*: ``(u, v, w)`` in mm, the projections of a patient point on the grid's own three unit axes: ``u`` along a row (rising
  column index), ``v`` down a column (rising row index), ``w = u x v`` along the stack. They are projections on the
  axes, not offsets from a corner, so images, doses and contours of one orientation share them.
- *index*: ``(z, y, x)``, fractional, integers at voxel centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.errors import GeometryError

Floats = NDArray[np.float64]

POSITION_TOLERANCE_MM = 0.01
"""Slice distances that differ by less than this are equal (ImagePositionPatient is commonly written with two or three decimals)."""

MAX_MM = 1e5
"""Positions and spacings beyond 100 m are not a patient's."""

AXIS_TOLERANCE = 1e-3
"""Largest deviation of direction cosines from orthonormal, and of two orientations from parallel (DICOM PS3.3 C.7.6.2.1.1)."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A rectilinear stack of planes in any orientation; the distance between planes may vary.

    axes:           (3, 3) float; rows are the unit vectors u, v, w in patient coordinates, right-handed.
    origin_uv_mm:   plane coordinates of the centre of the voxel in column 0, row 0.
    spacing_uv_mm:  distance of columns (along u) and of rows (along v) in mm.
    size_uv:        number of columns and of rows.
    positions_mm:   (nz,) float, w of each plane's centre, strictly increasing.
    frame_of_reference_uid: frame in which the patient coordinates hold; grids of different frames need a Registration.
    thickness_mm:   extent of the slab of a grid with a single plane; unused otherwise.
    """

    axes: Floats
    origin_uv_mm: tuple[float, float]
    spacing_uv_mm: tuple[float, float]
    size_uv: tuple[int, int]
    positions_mm: Floats
    frame_of_reference_uid: str
    thickness_mm: float = 1.0

    def __post_init__(self) -> None:
        axes = np.ascontiguousarray(self.axes, dtype=np.float64)
        positions = np.ascontiguousarray(self.positions_mm, dtype=np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes @ axes.T, np.eye(3), atol=AXIS_TOLERANCE):
            raise GeometryError(f"the axes are not orthonormal: {np.round(axes, 4).tolist()}")
        if np.linalg.det(axes) < 0:
            raise GeometryError("the axes are left-handed")
        if positions.ndim != 1 or positions.size == 0 or not np.all(np.isfinite(positions)):
            raise GeometryError("a grid needs at least one plane at a finite position")
        if np.any(np.diff(positions) <= 0):
            raise GeometryError("the plane positions are not strictly increasing")
        if min(self.spacing_uv_mm) <= 0 or self.thickness_mm <= 0:
            raise GeometryError(f"pixel spacing {self.spacing_uv_mm} mm is not positive")
        if min(self.size_uv) < 1:
            raise GeometryError(f"a plane of {self.size_uv} pixels is empty")
        axes.flags.writeable = positions.flags.writeable = False
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "positions_mm", positions)

    @classmethod
    def from_directions(
        cls,
        row: Sequence[float],
        column: Sequence[float],
        first_voxels_mm: ArrayLike,
        spacing_uv_mm: tuple[float, float],
        size_uv: tuple[int, int],
        frame_of_reference_uid: str,
        thickness_mm: float = 1.0,
    ) -> Grid:
        """The grid of a stack given as in DICOM: ImageOrientationPatient (`row`, `column`) and the ImagePositionPatient of each plane.

        first_voxels_mm: (n, 3) patient positions of each plane's first voxel, in the order of rising w.
        Raises GeometryError where the planes are sheared against each other (gantry tilt).
        """
        u = np.asarray(row, dtype=np.float64)
        v = np.asarray(column, dtype=np.float64)
        if abs(np.linalg.norm(u) - 1) > AXIS_TOLERANCE or abs(np.linalg.norm(v) - 1) > AXIS_TOLERANCE:
            raise GeometryError("the image orientation is not made of unit vectors")
        if abs(u @ v) > AXIS_TOLERANCE:
            raise GeometryError("the rows and columns of the image are not perpendicular")
        u = u / np.linalg.norm(u)
        v = v - (u @ v) * u
        v = v / np.linalg.norm(v)
        axes = np.array([u, v, np.cross(u, v)])
        uvw = np.atleast_2d(np.asarray(first_voxels_mm, dtype=np.float64)) @ axes.T
        shear = float(np.ptp(uvw[:, :2], axis=0).max())
        if shear > max(0.1 * min(spacing_uv_mm), POSITION_TOLERANCE_MM):
            raise GeometryError(f"the planes are shifted against each other by {shear:.2f} mm in their own plane")
        origin = (float(uvw[0, 0]), float(uvw[0, 1]))
        return cls(axes, origin, spacing_uv_mm, size_uv, uvw[:, 2], frame_of_reference_uid, thickness_mm)

    # -- size -----------------------------------------------------------------------------------------------------------

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        return len(self.positions_mm), self.size_uv[1], self.size_uv[0]

    @cached_property
    def uniform(self) -> bool:
        """Whether all planes are equally far apart, within POSITION_TOLERANCE_MM."""
        steps = np.diff(self.positions_mm)
        return steps.size == 0 or float(np.ptp(steps)) <= 2 * POSITION_TOLERANCE_MM

    @cached_property
    def spacing_w_mm(self) -> float:
        """Median distance between planes in mm; the slab thickness where there is one plane."""
        return float(np.median(np.diff(self.positions_mm))) if len(self.positions_mm) > 1 else self.thickness_mm

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Spacing along u, v, w in mm; along w the median, see `uniform`."""
        return (*self.spacing_uv_mm, self.spacing_w_mm)

    @cached_property
    def nearest_axes(self) -> tuple[int, ...]:
        """Which of the axes u, v, w (0, 1, 2) lie nearest to left, posterior and head, each once."""
        return max(permutations(range(3)), key=lambda order: sum(abs(self.axes[k, i]) for i, k in enumerate(order)))

    @cached_property
    def rising(self) -> bool:
        """Whether the planes come in the order in which people count them: towards left, posterior or head, as in a view. Those of a patient
        who lies feet first commonly come the other way."""
        return bool(self.axes[2, self.nearest_axes.index(2)] > 0)

    def slice_number(self, plane: int) -> int:
        """The number of a plane as people count, from 1; not checked."""
        return plane + 1 if self.rising else len(self.positions_mm) - plane

    def plane_of(self, slice_number: int) -> int:
        """The plane of a number as people count; not checked."""
        return slice_number - 1 if self.rising else len(self.positions_mm) - slice_number

    @cached_property
    def slab_borders_mm(self) -> Floats:
        """(nz + 1,) w of the borders between the planes' slabs: midway between planes; the outer ones mirror the nearest inner border."""
        w = self.positions_mm
        if len(w) == 1:
            return np.array([w[0] - self.thickness_mm / 2, w[0] + self.thickness_mm / 2])
        middle = (w[1:] + w[:-1]) / 2
        return np.concatenate([[2 * w[0] - middle[0]], middle, [2 * w[-1] - middle[-1]]])

    # -- conversions ----------------------------------------------------------------------------------------------------

    def uvw_mm(self, point_mm: ArrayLike) -> Floats:
        """Plane coordinates of patient points, (..., 3) -> (..., 3), mm."""
        return np.asarray(point_mm, dtype=np.float64) @ self.axes.T

    def point_mm(self, uvw_mm: ArrayLike) -> Floats:
        """Patient points of plane coordinates, (..., 3) -> (..., 3), mm."""
        return np.asarray(uvw_mm, dtype=np.float64) @ self.axes

    def index_zyx(self, point_mm: ArrayLike) -> Floats:
        """Fractional voxel indices of patient points, (..., 3) mm -> (..., 3); between uneven planes interpolated, beyond the ends extrapolated."""
        uvw = self.uvw_mm(point_mm)
        x = (uvw[..., 0] - self.origin_uv_mm[0]) / self.spacing_uv_mm[0]
        y = (uvw[..., 1] - self.origin_uv_mm[1]) / self.spacing_uv_mm[1]
        return np.stack([self.plane_index(uvw[..., 2]), y, x], axis=-1)

    def point_of_index_mm(self, index_zyx: ArrayLike) -> Floats:
        """Patient points of fractional voxel indices, (..., 3) -> (..., 3) mm; the inverse of `index_zyx`."""
        index = np.asarray(index_zyx, dtype=np.float64)
        u = self.origin_uv_mm[0] + index[..., 2] * self.spacing_uv_mm[0]
        v = self.origin_uv_mm[1] + index[..., 1] * self.spacing_uv_mm[1]
        return self.point_mm(np.stack([u, v, self.plane_position_mm(index[..., 0])], axis=-1))

    def plane_index(self, w_mm: ArrayLike) -> Floats:
        """Fractional plane index of a position along w (mm), extrapolated with the end spacing."""
        w, p = np.asarray(w_mm, dtype=np.float64), self.positions_mm
        if len(p) == 1:
            return np.asarray((w - p[0]) / self.thickness_mm)
        k = np.clip(np.searchsorted(p, w, side="right") - 1, 0, len(p) - 2)
        return np.asarray(k + (w - p[k]) / (p[k + 1] - p[k]))

    def plane_position_mm(self, index_z: ArrayLike) -> Floats:
        """w in mm of a fractional plane index; the inverse of `plane_index`."""
        z, p = np.asarray(index_z, dtype=np.float64), self.positions_mm
        if len(p) == 1:
            return np.asarray(p[0] + z * self.thickness_mm)
        k = np.clip(np.floor(z).astype(int), 0, len(p) - 2)
        return np.asarray(p[k] + (z - k) * (p[k + 1] - p[k]))

    def nearest_plane(self, w_mm: float) -> int:
        """Index of the plane nearest to w; the first or last one beyond the ends."""
        return int(np.argmin(np.abs(self.positions_mm - w_mm)))

    @cached_property
    def centre_mm(self) -> Floats:
        """(3,) patient position of the centre of the box of voxel centres."""
        return self.point_of_index_mm((np.array(self.shape_zyx) - 1) / 2)

    def same_lattice(self, other: Grid) -> bool:
        """Whether both grids have their voxels in the same places of the same frame."""
        return (
            self.frame_of_reference_uid == other.frame_of_reference_uid
            and self.size_uv == other.size_uv
            and len(self.positions_mm) == len(other.positions_mm)
            and np.allclose(self.axes, other.axes, atol=AXIS_TOLERANCE)
            and np.allclose(self.origin_uv_mm, other.origin_uv_mm, atol=POSITION_TOLERANCE_MM)
            and np.allclose(self.spacing_uv_mm, other.spacing_uv_mm, rtol=1e-4)
            and np.allclose(self.positions_mm, other.positions_mm, atol=POSITION_TOLERANCE_MM)
        )


def orientation_letters(direction: ArrayLike) -> str:
    """Letters of the patient side that a direction (LPS) points to, strongest first: "L", "A", "H", or "LP" where it is oblique.

    R, L, A, P, F, H as in PS3.3 C.7.6.1.1.1.
    """
    d = np.asarray(direction, dtype=np.float64)
    letters = [("R", "L"), ("A", "P"), ("F", "H")]
    order = np.argsort(-np.abs(d))
    return "".join(letters[i][int(d[i] > 0)] for i in order if abs(d[i]) > 0.2 * np.abs(d).max())
