"""The inner loops of the demo case: distances to swept tubes, sampling and painting of distance fields.

Arrays of fields are (z, y, x); vectors of three are (x, y, z). All kernels release the interpreter lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def sweep_tube(
    distance: Floats32,
    second: Floats32,
    nearest: NDArray[np.int32],
    x: Floats32,
    y: Floats32,
    z: Floats32,
    origin: Floats,
    spacing: float,
    path: Floats,
    reach: float,
    apart: int,
) -> None:
    """Lower `distance` to that of the tube along `path` (n, 4: x, y, z, radius in mm), within `reach` mm of its surface.

    x, y, z: (z, y, x) coordinates of the voxels, possibly warped by less than `reach`.
    second, nearest: distance to the nearest stretch of tube that is at least `apart` segments away from the nearest one, and the
    segment of the latter: where loops of bowel touch, their walls run half-way.
    """
    nz, ny, nx = distance.shape
    for i in range(path.shape[0] - 1):
        ax, ay, az, ar = path[i, 0], path[i, 1], path[i, 2], path[i, 3]
        bx, by, bz = path[i + 1, 0] - ax, path[i + 1, 1] - ay, path[i + 1, 2] - az
        br = path[i + 1, 3] - ar
        length2 = bx * bx + by * by + bz * bz + 1e-12
        margin = max(ar, ar + br) + reach
        x0 = max(0, int(np.floor((min(ax, ax + bx) - margin - origin[0]) / spacing)))
        x1 = min(nx, int(np.ceil((max(ax, ax + bx) + margin - origin[0]) / spacing)) + 1)
        y0 = max(0, int(np.floor((min(ay, ay + by) - margin - origin[1]) / spacing)))
        y1 = min(ny, int(np.ceil((max(ay, ay + by) + margin - origin[1]) / spacing)) + 1)
        z0 = max(0, int(np.floor((min(az, az + bz) - margin - origin[2]) / spacing)))
        z1 = min(nz, int(np.ceil((max(az, az + bz) + margin - origin[2]) / spacing)) + 1)
        for k in range(z0, z1):
            for j in range(y0, y1):
                for c in range(x0, x1):
                    px, py, pz = x[k, j, c] - ax, y[k, j, c] - ay, z[k, j, c] - az
                    t = min(1.0, max(0.0, (px * bx + py * by + pz * bz) / length2))
                    px -= t * bx
                    py -= t * by
                    pz -= t * bz
                    d = np.sqrt(px * px + py * py + pz * pz) - ar - t * br
                    far = abs(nearest[k, j, c] - i) > apart
                    if d < distance[k, j, c]:
                        if far:
                            second[k, j, c] = distance[k, j, c]
                        distance[k, j, c] = d
                        nearest[k, j, c] = i
                    elif far and d < second[k, j, c]:
                        second[k, j, c] = d


@njit(cache=True, nogil=True)
def sample(
    out: Floats32,
    field: Floats32,
    first: Floats,
    right: Floats,
    down: Floats,
    outside: float,
    from_plane: int,
    to_plane: int,
) -> None:
    """out (z, y, x) = the field, linearly interpolated; `first` (z, 3), `right`, `down` (3,) are in voxel indices (x, y, z) of the field."""
    fz, fy, fx = field.shape
    for k in range(from_plane, to_plane):
        for j in range(out.shape[1]):
            for c in range(out.shape[2]):
                x = first[k, 0] + c * right[0] + j * down[0]
                y = first[k, 1] + c * right[1] + j * down[1]
                z = first[k, 2] + c * right[2] + j * down[2]
                if x < 0 or y < 0 or z < 0 or x > fx - 1 or y > fy - 1 or z > fz - 1:
                    out[k, j, c] = outside
                    continue
                ix, iy, iz = min(int(x), fx - 2), min(int(y), fy - 2), min(int(z), fz - 2)
                tx, ty, tz = x - ix, y - iy, z - iz
                a = field[iz, iy, ix] * (1 - tx) + field[iz, iy, ix + 1] * tx
                b = field[iz, iy + 1, ix] * (1 - tx) + field[iz, iy + 1, ix + 1] * tx
                d = field[iz + 1, iy, ix] * (1 - tx) + field[iz + 1, iy, ix + 1] * tx
                e = field[iz + 1, iy + 1, ix] * (1 - tx) + field[iz + 1, iy + 1, ix + 1] * tx
                out[k, j, c] = (a * (1 - ty) + b * ty) * (1 - tz) + (d * (1 - ty) + e * ty) * tz


@njit(cache=True, nogil=True)
def paint(
    out: Floats32,
    box: NDArray[np.int64],
    field: Floats32,
    first: Floats,
    right: Floats,
    down: Floats,
    through: Floats,
    shift: float,
    soften: float,
    value: float,
    texture: Floats32,
    grain: float,
    amplitude: float,
) -> None:
    """Blend `value` over `out` by how much of each voxel lies inside the field (distance + shift below zero).

    box: (3, 2) half-open ranges of z, y, x of `out`. The occupied part of a voxel follows from the distance at its centre and the change
    of the distance across the voxel, a plane approximation of the surface. `soften` widens the border in units of a voxel.
    texture: (n, n, n) periodic noise, n a power of two; added times `amplitude`, `grain` samples per voxel of the field.
    """
    fz, fy, fx = field.shape
    mask = texture.shape[0] - 1
    for k in range(box[0, 0], box[0, 1]):
        for j in range(box[1, 0], box[1, 1]):
            for c in range(box[2, 0], box[2, 1]):
                x = first[k, 0] + c * right[0] + j * down[0]
                y = first[k, 1] + c * right[1] + j * down[1]
                z = first[k, 2] + c * right[2] + j * down[2]
                if x < 0 or y < 0 or z < 0 or x > fx - 1 or y > fy - 1 or z > fz - 1:
                    continue
                ix, iy, iz = min(int(x), fx - 2), min(int(y), fy - 2), min(int(z), fz - 2)
                tx, ty, tz = x - ix, y - iy, z - iz
                c000, c001 = field[iz, iy, ix], field[iz, iy, ix + 1]
                if c000 + shift > 12.0:
                    continue
                c010, c011 = field[iz, iy + 1, ix], field[iz, iy + 1, ix + 1]
                c100, c101 = field[iz + 1, iy, ix], field[iz + 1, iy, ix + 1]
                c110, c111 = field[iz + 1, iy + 1, ix], field[iz + 1, iy + 1, ix + 1]
                a = c000 * (1 - tx) + c001 * tx
                b = c010 * (1 - tx) + c011 * tx
                d = c100 * (1 - tx) + c101 * tx
                e = c110 * (1 - tx) + c111 * tx
                low, high = a * (1 - ty) + b * ty, d * (1 - ty) + e * ty
                s = low * (1 - tz) + high * tz + shift
                if s > 6.0:
                    continue
                alpha = 1.0
                if s > -6.0:
                    gz = high - low
                    gy = (b - a) * (1 - tz) + (e - d) * tz
                    gx = ((c001 - c000) * (1 - ty) + (c011 - c010) * ty) * (1 - tz)
                    gx += ((c101 - c100) * (1 - ty) + (c111 - c110) * ty) * tz
                    width = abs(gx * right[0] + gy * right[1] + gz * right[2])
                    width += abs(gx * down[0] + gy * down[1] + gz * down[2])
                    width += abs(gx * through[0] + gy * through[1] + gz * through[2])
                    alpha = min(1.0, 0.5 - s / (soften * width + 1e-6))
                    if alpha <= 0:
                        continue
                v = value
                if amplitude != 0:
                    px, py, pz = x * grain, y * grain, z * grain
                    jx, jy, jz = int(np.floor(px)), int(np.floor(py)), int(np.floor(pz))
                    wx, wy, wz = px - jx, py - jy, pz - jz
                    n = 0.0
                    for q in range(8):
                        hx, hy, hz = q & 1, (q >> 1) & 1, q >> 2
                        weight = (wx if hx else 1 - wx) * (wy if hy else 1 - wy) * (wz if hz else 1 - wz)
                        n += weight * texture[(jz + hz) & mask, (jy + hy) & mask, (jx + hx) & mask]
                    v += amplitude * n
                out[k, j, c] += alpha * (v - out[k, j, c])


@njit(cache=True, nogil=True)
def refine_distance(
    distance: Floats32, origin: Floats, spacing: float, points: Floats32, level: float, within: float
) -> None:
    """Replace a rough distance (z, y, x) by that to the nearest of `points` (n, 3: x, y, z) where it is within `within` mm of `level` > 0."""
    for k in range(distance.shape[0]):
        z = origin[2] + k * spacing
        for j in range(distance.shape[1]):
            y = origin[1] + j * spacing
            for c in range(distance.shape[2]):
                if abs(distance[k, j, c] - level) > within:
                    continue
                x = origin[0] + c * spacing
                best = np.float32(1e12)
                for i in range(points.shape[0]):
                    dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
                    best = min(best, dx * dx + dy * dy + dz * dz)
                distance[k, j, c] = np.sqrt(best)
