# ruff: noqa: ANN001, ANN201 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""`Field`: a solid voxelised finely along its own planes, for questions at an angle to them."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.geometry.edges import Floats
from reviewer.geometry.raster import fill
from reviewer.geometry.solid import Solid

CELLS = 4_000_000
"""Size of a field: a liver gets cells of 1 mm, a body 2 mm."""

FINEST_MM, COARSEST_MM = 0.5, 2.0


@dataclass(frozen=True, eq=False)
class Field:
    """Occupied fraction of cells along u, v, w, with at least one empty cell all around.

    samples:  uint8 (w, v, u), 0 to 255.
    first_mm: (u, v, w) of the centre of cell 0, 0, 0.
    step_mm:  size of a cell along u, v, w.
    """

    samples: NDArray[np.uint8]
    first_mm: Floats
    step_mm: Floats


_fields: WeakKeyDictionary[Solid, Field] = WeakKeyDictionary()


def field(body: Solid) -> Field:
    """The field of a solid that is not empty, computed once for each solid."""
    found = _fields.get(body)
    if found is None:
        found = _fields[body] = _voxelised(body)
    return found


def _voxelised(body: Solid) -> Field:
    low, high = body.bounds_mm
    step = float(np.clip(np.cbrt(np.prod(high - low) / CELLS), FINEST_MM, COARSEST_MM))
    size = np.ceil((high - low) / step).astype(int) + 2
    edge = (low + high - size * step) / 2
    to_cells = np.array([[1, 0, -edge[0]], [0, 1, -edge[1]]]) / step
    fraction = np.empty(tuple(size[::-1]), dtype=np.float32)
    fill(fraction, edge[2] + step * np.arange(size[2] + 1), body.borders_mm, body.starts, body.segments, to_cells)
    return Field(np.rint(fraction * 255).astype(np.uint8), edge + step / 2, np.full(3, step))


@njit(cache=True, nogil=True)
def occupied(samples, x, y, z):  # type: ignore[no-untyped-def]
    """Occupied fraction at fractional indices of a field's samples, trilinear; 0 outside."""
    nz, ny, nx = samples.shape
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    if i < 0 or j < 0 or k < 0 or i >= nx - 1 or j >= ny - 1 or k >= nz - 1:
        return 0.0
    a, b, c = x - i, y - j, z - k
    p, q = samples[k, j], samples[k, j + 1]
    lower = (p[i] * (1 - a) + p[i + 1] * a) * (1 - b) + (q[i] * (1 - a) + q[i + 1] * a) * b
    p, q = samples[k + 1, j], samples[k + 1, j + 1]
    upper = (p[i] * (1 - a) + p[i + 1] * a) * (1 - b) + (q[i] * (1 - a) + q[i + 1] * a) * b
    return (lower * (1 - c) + upper * c) / 255.0
