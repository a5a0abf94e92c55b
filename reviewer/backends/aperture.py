"""Apertures as open rectangles and as transmission masks, exactly. Needs numpy only, so that backends may use it anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import Floats, Leaves


def openings(devices: Sequence[Leaves]) -> Floats:
    """(n, 4) disjoint rectangles (x low, x high, y low, y high) in mm at the isocentre plane, where every device is open.

    Without a device one rectangle without bounds.
    """
    rectangles = np.array([[-np.inf, np.inf, -np.inf, np.inf]])
    for device in devices:
        sides = np.asarray(device.boundaries_mm, dtype=np.float64)
        moving = np.stack([device.low_mm, device.high_mm], axis=1)
        standing = np.stack([sides[:-1], sides[1:]], axis=1)
        pairs = np.hstack([moving, standing] if device.along == "x" else [standing, moving])
        low = np.maximum(rectangles[:, None, 0::2], pairs[None, :, 0::2])
        high = np.minimum(rectangles[:, None, 1::2], pairs[None, :, 1::2])
        both = np.stack([low[..., 0], high[..., 0], low[..., 1], high[..., 1]], axis=-1).reshape(-1, 4)
        rectangles = both[(both[:, 1] > both[:, 0]) & (both[:, 3] > both[:, 2])]
    return rectangles


def transmission(devices: Sequence[Leaves], x_edges_mm: Floats, y_edges_mm: Floats) -> NDArray[np.float32]:
    """(len(y_edges) - 1, len(x_edges) - 1): the open part of the area of each pixel, 0 to 1. Edges rise.

    Leaves are taken as opaque and sharp: leakage, rounded ends and tongue and groove are machine data, and a backend's own affair.
    """
    rectangles = openings(devices)

    def covered(edges: Floats, low: Floats, high: Floats) -> Floats:
        return np.diff(np.clip(edges[None, :], low[:, None], high[:, None]), axis=1) / np.diff(edges)[None, :]

    x = covered(np.asarray(x_edges_mm, dtype=np.float64), rectangles[:, 0], rectangles[:, 1])
    y = covered(np.asarray(y_edges_mm, dtype=np.float64), rectangles[:, 2], rectangles[:, 3])
    return (y.T @ x).astype(np.float32)
