# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Radiological depth along divergent rays, and the dose in each voxel: compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def trace(depth, density, to_index, source, x_axis, y_axis, ahead, sad, near, along_step, ray_step):  # type: ignore[no-untyped-def]
    """Fill depth (y, x, along) with mm of water passed up to each place; rays through a lattice of `ray_step` in the isocentre plane.

    density: (z, y, x), trilinearly interpolated in the middle of each step, 0 beyond. near: distance along the axis of the first place.
    """
    ny, nx, steps = depth.shape
    nz, my, mx = density.shape
    for j in range(ny):
        y = (j - ny // 2) * ray_step
        for i in range(nx):
            x = (i - nx // 2) * ray_step
            way = ahead + (x * x_axis + y * y_axis) / sad
            length = along_step * np.sqrt(1 + (x * x + y * y) / sad**2)
            start = source + (near + along_step / 2) * way
            place, step = np.zeros(3), np.zeros(3)
            for n in range(3):
                place[n] = (to_index[n, :3] * start).sum() + to_index[n, 3]
                step[n] = (to_index[n, :3] * way).sum() * along_step
            total = 0.0
            for k in range(1, steps):
                px, py, pz = place[0], place[1], place[2]
                place += step
                if -1 < px < mx and -1 < py < my and -1 < pz < nz:
                    a, b, c = int(np.floor(px)), int(np.floor(py)), int(np.floor(pz))
                    fa, fb, fc = px - a, py - b, pz - c
                    value = 0.0
                    for dc in range(2):
                        for db in range(2):
                            for da in range(2):
                                if 0 <= a + da < mx and 0 <= b + db < my and 0 <= c + dc < nz:
                                    share = (fa if da else 1 - fa) * (fb if db else 1 - fb) * (fc if dc else 1 - fc)
                                    value += share * density[c + dc, b + db, a + da]
                    total += value * length
                depth[j, i, k] = total


@njit(cache=True, nogil=True)
def collect(  # type: ignore[no-untyped-def]
    out,
    wanted,
    lateral,
    first,
    pixel,
    depth,
    near,
    along_step,
    ray_step,
    matrix,
    source,
    x_axis,
    y_axis,
    ahead,
    sad,
    curves,
    curve_step,
):
    """Dose in the wanted voxels of out (z, y, x). matrix: index to patient.

    lateral: (n, y, x), its first pixel's centre at `first` (x, y); curves: (n, m) what each of them gives at multiples of curve_step of water.
    """
    nz, ny, nx = out.shape
    rows, columns, steps = depth.shape
    height, width = lateral.shape[1:]
    for c in range(nz):
        for b in range(ny):
            for a in range(nx):
                if not wanted[c, b, a]:
                    continue
                ax, ay, along = 0.0, 0.0, 0.0
                for n in range(3):
                    p = matrix[n, 0] * a + matrix[n, 1] * b + matrix[n, 2] * c + matrix[n, 3] - source[n]
                    ax += p * x_axis[n]
                    ay += p * y_axis[n]
                    along += p * ahead[n]
                x, y = ax * sad / along, ay * sad / along
                u, v = (x - first[0]) / pixel, (y - first[1]) / pixel
                if not (0 <= u < width - 1 and 0 <= v < height - 1):
                    continue
                i, j = int(u), int(v)
                fu, fv = u - i, v - j
                p, q = x / ray_step + columns // 2, y / ray_step + rows // 2
                p, q = min(max(p, 0.0), columns - 1.0), min(max(q, 0.0), rows - 1.0)
                r = min(max((along - near) / along_step, 0.0), steps - 1.0)
                pi, qi, ri = min(int(p), columns - 2), min(int(q), rows - 2), min(int(r), steps - 2)
                fp, fq, fr = p - pi, q - qi, r - ri
                water = 0.0
                for dq in range(2):
                    for dp in range(2):
                        share = (fp if dp else 1 - fp) * (fq if dq else 1 - fq)
                        water += share * ((1 - fr) * depth[qi + dq, pi + dp, ri] + fr * depth[qi + dq, pi + dp, ri + 1])
                deep = min(water / curve_step, curves.shape[1] - 1.000001)
                di = int(deep)
                fd = deep - di
                total = 0.0
                for n in range(len(curves)):
                    here = (1 - fv) * ((1 - fu) * lateral[n, j, i] + fu * lateral[n, j, i + 1]) + fv * (
                        (1 - fu) * lateral[n, j + 1, i] + fu * lateral[n, j + 1, i + 1]
                    )
                    total += here * ((1 - fd) * curves[n, di] + fd * curves[n, di + 1])
                out[c, b, a] = max(total, 0.0) * (sad / along) ** 2
