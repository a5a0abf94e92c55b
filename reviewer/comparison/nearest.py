# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Exact distances of points from a heap of triangles, found in a tree of boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.errors import GeometryError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAF = 4
"""Triangles in one leaf: as many as a vector register of doubles holds."""

NOWHERE = 1e30

SHORTEST = 1e-200
"""Squared length of a segment, at least: nothing is divided by 0."""

_FAST = {"nnan", "ninf", "nsz", "contract", "reassoc"}
"""There are no NaN and no infinities in here, so that minima need no branches."""


@dataclass(frozen=True, eq=False)
class Tree:
    """leaves: (n, 9, LEAF) triangles' corners, ordered along a space-filling curve; boxes: (2 k - 1, 6) low and high of each node, a binary heap."""

    leaves: Floats
    boxes: Floats

    @classmethod
    def of(cls, vertices: Floats, triangles: Integers) -> Tree:
        """vertices: (n, 3); triangles: (m, 3). A triangle may be a segment or a point. Raises GeometryError where there are none."""
        if not len(triangles):
            raise GeometryError("a contour is too small for its surface to be measured")
        leaves = _leaves(vertices, triangles, _along_curve(_middles(vertices, triangles)))
        return cls(leaves, _boxes(leaves, 1 << (len(leaves) - 1).bit_length()))

    def distances(self, points: Floats) -> Floats:
        """(n,) distance of (n, 3) points to the nearest triangle."""
        order = _along_curve(points)  # a search starts from what was nearest to the point before
        found = np.empty(len(points))
        found[order] = _distances(self.leaves, self.boxes, points[order])
        return found


def _along_curve(points: Floats) -> Integers:
    """The order of points along the Morton curve through their box."""
    return np.argsort(_codes(points))


@njit(cache=True, nogil=True, error_model="numpy")
def _codes(points):  # type: ignore[no-untyped-def]
    """(n,) places on the Morton curve: the bits of the three coordinates in turn, 20 of each."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for n in range(len(points)):
        for i in range(3):
            low[i], high[i] = min(low[i], points[n, i]), max(high[i], points[n, i])
    scale = 0xFFFFF / max((high - low).max(), 1e-9) if len(points) else 1.0
    codes = np.zeros(len(points), dtype=np.int64)
    for n in range(len(points)):
        for i in range(3):
            cell = np.int64((points[n, i] - low[i]) * scale)
            cell = (cell | cell << 32) & 0x1F00000000FFFF
            cell = (cell | cell << 16) & 0x1F0000FF0000FF
            cell = (cell | cell << 8) & 0x100F00F00F00F00F
            cell = (cell | cell << 4) & 0x10C30C30C30C30C3
            cell = (cell | cell << 2) & 0x1249249249249249
            codes[n] |= cell << i
    return codes


@njit(cache=True, nogil=True, error_model="numpy")
def _middles(vertices, triangles):  # type: ignore[no-untyped-def]
    """(m, 3) of the triangles."""
    found = np.empty((len(triangles), 3))
    for t in range(len(triangles)):
        for i in range(3):
            found[t, i] = (
                vertices[triangles[t, 0], i] + vertices[triangles[t, 1], i] + vertices[triangles[t, 2], i]
            ) / 3
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _leaves(vertices, triangles, order):  # type: ignore[no-untyped-def]
    """The triangles in order; the last one as often as its leaf has room."""
    leaves = np.empty((-(-len(order) // LEAF), 9, LEAF))
    for n in range(len(leaves) * LEAF):
        corners = triangles[order[min(n, len(order) - 1)]]
        for i in range(9):
            leaves[n // LEAF, i, n % LEAF] = vertices[corners[i // 3], i % 3]
    return leaves


@njit(cache=True, nogil=True, error_model="numpy")
def _boxes(leaves, count):  # type: ignore[no-untyped-def]
    boxes = np.empty((2 * count - 1, 6))
    boxes[:, :3] = NOWHERE
    boxes[:, 3:] = -NOWHERE
    for n in range(len(leaves)):
        box = boxes[count - 1 + n]
        for i in range(9):
            for m in range(LEAF):
                box[i % 3] = min(box[i % 3], leaves[n, i, m])
                box[3 + i % 3] = max(box[3 + i % 3], leaves[n, i, m])
    for n in range(count - 2, -1, -1):
        for i in range(3):
            boxes[n, i] = min(boxes[2 * n + 1, i], boxes[2 * n + 2, i])
            boxes[n, 3 + i] = max(boxes[2 * n + 1, 3 + i], boxes[2 * n + 2, 3 + i])
    return boxes


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _distances(leaves, boxes, points):  # type: ignore[no-untyped-def]
    first_leaf = len(boxes) // 2
    found = np.empty(len(points))
    squares = np.empty(LEAF)
    nodes = np.empty(64, dtype=np.int64)
    lower = np.empty(64)
    nearest = 0
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        best = _to_leaf(squares, leaves[nearest], x, y, z)
        nodes[0], lower[0] = 0, 0.0
        depth = 1
        while depth > 0:
            depth -= 1
            if lower[depth] >= best:
                continue
            n = nodes[depth]
            if n >= first_leaf:
                s = _to_leaf(squares, leaves[n - first_leaf], x, y, z)
                if s < best:
                    best, nearest = s, n - first_leaf
                continue
            a, b = 2 * n + 1, 2 * n + 2
            da, db = _to_box(boxes, a, x, y, z), _to_box(boxes, b, x, y, z)
            if da > db:
                a, b, da, db = b, a, db, da
            if db < best:
                nodes[depth], lower[depth] = b, db
                depth += 1
            if da < best:
                nodes[depth], lower[depth] = a, da
                depth += 1
        found[p] = np.sqrt(best)
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST, inline="always")
def _to_box(boxes, n, x, y, z):  # type: ignore[no-untyped-def]
    dx = max(boxes[n, 0] - x, x - boxes[n, 3], 0.0)
    dy = max(boxes[n, 1] - y, y - boxes[n, 4], 0.0)
    dz = max(boxes[n, 2] - z, z - boxes[n, 5], 0.0)
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _to_leaf(squares, corners, x, y, z):  # type: ignore[no-untyped-def]
    """Squared distance of a point from the nearest triangle of a leaf: from its plane where the foot lies within, else from the nearest side.

    squares: (LEAF,) is written over. Nothing here branches, so that all triangles of a leaf go through vector registers at once.
    """
    for m in range(len(squares)):  # a number that the compiler does not know, or it would unroll the loop
        x0, y0, z0 = corners[0, m], corners[1, m], corners[2, m]
        ax, ay, az = x - x0, y - y0, z - z0
        ux, uy, uz = corners[3, m] - x0, corners[4, m] - y0, corners[5, m] - z0
        vx, vy, vz = corners[6, m] - x0, corners[7, m] - y0, corners[8, m] - z0
        uu, uv, vv = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
        ua, va = ux * ax + uy * ay + uz * az, vx * ax + vy * ay + vz * az
        determinant = uu * vv - uv * uv
        scale = 1.0 / determinant if determinant > 1e-12 * uu * vv else 0.0
        s, r = (vv * ua - uv * va) * scale, (uu * va - uv * ua) * scale
        within = scale > 0.0 and s >= 0.0 and r >= 0.0 and s + r <= 1.0
        dx, dy, dz = ax - s * ux - r * vx, ay - s * uy - r * vy, az - s * uz - r * vz
        foot = dx * dx + dy * dy + dz * dz
        side = _to_side(ax, ay, az, ux, uy, uz)
        side = min(side, _to_side(ax, ay, az, vx, vy, vz))
        side = min(side, _to_side(ax - ux, ay - uy, az - uz, vx - ux, vy - uy, vz - uz))
        squares[m] = foot if within else side
    nearest = squares[0]
    for m in range(1, len(squares)):
        nearest = min(nearest, squares[m])
    return nearest


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST, inline="always")
def _to_side(px, py, pz, ex, ey, ez):  # type: ignore[no-untyped-def]
    """Squared distance of the point p from the segment that runs from 0 to e, which may be a point."""
    length = max(ex * ex + ey * ey + ez * ez, SHORTEST)
    t = min(max((px * ex + py * ey + pz * ez) / length, 0.0), 1.0)
    dx, dy, dz = px - t * ex, py - t * ey, pz - t * ez
    return dx * dx + dy * dy + dz * dz
