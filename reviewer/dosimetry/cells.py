"""How a solid is cut into cells for its DVH, and the share of each few layers of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Dose
from reviewer.dosimetry.cubes import in_cubes
from reviewer.dosimetry.levels import LEVELS, taken
from reviewer.dosimetry.moments import FIELDS, stride_for
from reviewer.dosimetry.voxels import in_voxels
from reviewer.geometry.coverage import affine
from reviewer.geometry.edges import Floats
from reviewer.geometry.grid import Grid
from reviewer.geometry.pieces import room_for
from reviewer.geometry.solid import Solid

CELLS = 6_000
"""About how many cells a structure has at least: where its dose voxels are fewer, they are divided."""

FINEST_MM = 0.5
"""No cell need be smaller, however small the structure."""

MOST_LAYERS = 8
"""Layers of cells whose share is kept as one, at most."""

BLOCKS = 8
"""Into about how many such shares a structure is divided that has fewer layers: an edit of one plane leaves half of them alone."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Share:
    """What a few layers of cells add to a histogram.

    slopes: increments of the volume from level to level, from level `first` on. Volumes in mm3.
    known:  volume of known dose; weighted: the sum of dose times volume; and the lowest and the highest dose.
    """

    first: int
    slopes: Floats
    known: float
    weighted: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, slopes: Floats, unit: float, sums: tuple[float, float, float, float]) -> Share:
        """slopes: (LEVELS + 1,), left empty. unit: mm3 in what the volumes of `sums` count in."""
        first, stop = taken(slopes)
        kept = slopes[first:stop].copy()
        slopes[first:stop] = 0.0
        known, weighted, minimum, maximum = sums
        return cls(first, kept, known * unit, weighted * unit, minimum, maximum)


class Voxels:
    """Cells that are parts of dose voxels; layers are the dose's slabs."""

    def __init__(self, body: Solid, dose: Dose, box: Box, turn: Floats, shift: Floats, everywhere: bool) -> None:
        """everywhere: the dose is a finite number in the box and around it."""
        z, y, x = box
        self._dose, self._everywhere = dose, everywhere
        self._first = y.start, x.start
        pitch = max(float(np.cbrt(body.volume_mm3 / CELLS)), FINEST_MM)
        # Where the dose ends in the midst of it, voxels are divided so that the border is met.
        self._parts = tuple(max(_odd(s / pitch), 1 if everywhere else 3) for s in dose.grid.spacing_mm)
        px, py, _ = self._parts
        rows, columns = (y.stop - y.start) * py, (x.stop - x.start) * px
        self._shape = rows, columns, stride_for(columns)
        self._body, self._borders = body, dose.grid.slab_borders_mm
        # Borders of prisms and of slabs, each in the other's coordinates.
        slope, offset = float(turn[2, 2]), float(shift[2])
        self._prisms = np.sort(body.borders_mm * slope + offset, axis=1)
        self._between = (self._borders - offset) / slope
        origin, spacing = np.array(dose.grid.origin_uv_mm), np.array(dose.grid.spacing_uv_mm)
        self._to_cells = affine(turn[:2, :2], shift[:2], origin - spacing / 2, spacing / self._parts[:2])
        self._area = float(np.prod(spacing))
        self._layers = _layers(z.stop - z.start)
        self.blocks = range(z.start // self._layers, (z.stop - 1) // self._layers + 1)
        self.setting = (self._parts, everywhere, self._layers)

    def between_mm(self) -> tuple[Floats, Floats]:
        """Lowest and highest w of each block in the solid's own coordinates."""
        first = np.array(self.blocks) * self._layers
        ends = self._between[[first, np.minimum(first + self._layers, len(self._between) - 1)]]
        return ends.min(axis=0), ends.max(axis=0)

    def share(self, block: int, prisms: slice, lowest: float, width: float) -> Share:
        """prisms: those of the solid that reach into the block; lowest, width: of the levels, in Gy."""
        room = _room(self._shape)
        first = block * self._layers
        sums = in_voxels(
            room.slopes,
            lowest,
            width,
            (first, *self._first),
            self._shape,
            self._borders[first : first + self._layers + 1],
            self._prisms[prisms],
            self._body.starts[prisms.start : prisms.stop + 1],
            self._body.segments,
            self._to_cells,
            self._parts,
            self._everywhere,
            self._dose.gray,
            self._dose.grid.positions_mm,
            room.moments,
            room.touched,
            room.pieces,
            room.cells,
        )
        return Share.of(room.slopes, self._area, sums)


class Cubes:
    """Cells along the axes of the solid, at an angle to those of the dose."""

    def __init__(self, body: Solid, dose: Dose, turn: Floats, shift: Floats) -> None:
        self._body, self._dose, self._turn, self._shift = body, dose, turn, shift
        # In steps of a quarter, and at multiples of their size, so that most edits leave them where they are.
        pitch = max(float(np.cbrt(body.volume_mm3 / CELLS)), FINEST_MM)
        self._step = min(FINEST_MM * 1.25 ** round(np.log(pitch / FINEST_MM) / np.log(1.25)), 2.5)
        low, high = body.bounds_mm
        self._low = np.floor(low / self._step).astype(np.int64)
        columns, rows, layers = (np.ceil(high / self._step).astype(np.int64) - self._low).tolist()
        self._shape = rows, columns, stride_for(columns)
        self._to_cells = affine(np.eye(2), np.zeros(2), np.zeros(2), np.full(2, self._step))
        first = int(self._low[2])
        self._layers = _layers(layers)
        self.blocks = range(first // self._layers, (first + layers - 1) // self._layers + 1)
        self.setting = (self._step, self._layers)

    def between_mm(self) -> tuple[Floats, Floats]:
        """Lowest and highest w of each block."""
        thickness, blocks = self._layers * self._step, np.array(self.blocks)
        return blocks * thickness, (blocks + 1) * thickness

    def share(self, block: int, prisms: slice, lowest: float, width: float) -> Share:
        """prisms: those of the solid that reach into the block; lowest, width: of the levels, in Gy."""
        room, grid = _room(self._shape), self._dose.grid
        sums = in_cubes(
            room.slopes,
            lowest,
            width,
            (block * self._layers, int(self._low[1]), int(self._low[0])),
            self._layers,
            self._shape,
            self._step,
            self._body.borders_mm[prisms],
            self._body.starts[prisms.start : prisms.stop + 1],
            self._body.segments,
            self._to_cells,
            self._turn,
            self._shift,
            self._dose.gray,
            np.array(grid.origin_uv_mm),
            np.array(grid.spacing_uv_mm),
            grid.positions_mm,
            grid.slab_borders_mm,
            room.moments,
            room.touched,
            room.pieces,
            room.cells,
        )
        return Share.of(room.slopes, self._step**3, sums)


def voxels_around(grid: Grid, low: Floats, high: Floats) -> Box | None:
    """Voxels whose extent reaches into the box from `low` to `high`, (u, v, w) mm; None where there are none."""
    start = np.array(grid.origin_uv_mm) - np.array(grid.spacing_uv_mm) / 2
    first = np.floor((low[:2] - start) / grid.spacing_uv_mm).astype(int)
    stop = np.ceil((high[:2] - start) / grid.spacing_uv_mm).astype(int)
    slabs = grid.slab_borders_mm
    z = slice(
        max(int(np.searchsorted(slabs, low[2], side="right")) - 1, 0),
        min(int(np.searchsorted(slabs, high[2], side="left")), len(slabs) - 1),
    )
    y = slice(max(int(first[1]), 0), min(int(stop[1]), grid.size_uv[1]))
    x = slice(max(int(first[0]), 0), min(int(stop[0]), grid.size_uv[0]))
    return (z, y, x) if z.start < z.stop and y.start < y.stop and x.start < x.stop else None


def _layers(count: int) -> int:
    """How many of `count` layers share one share: a power of two, so that an edit seldom changes it."""
    return int(min(2 ** max(round(np.log2(count / BLOCKS)), 0), MOST_LAYERS))


def _odd(ratio: float) -> int:
    """Smallest odd number that is not less than `ratio`: so that the middle part of a voxel has the voxel's own centre."""
    return int(max(2 * np.ceil((ratio - 1) / 2 - 1e-9) + 1, 1))


@dataclass(frozen=True, eq=False)
class _Room:
    """What the compiled loops work in; all but pieces and cells is 0 between two shares."""

    slopes: Floats
    moments: Floats
    touched: NDArray[np.uint8]
    pieces: Floats
    cells: NDArray[np.uint64]

    @classmethod
    def of(cls, points: int, across: int) -> _Room:
        return cls(
            np.zeros(LEVELS + 1), np.zeros(points * FIELDS), np.zeros(points, dtype=np.uint8), *room_for(across, 0)
        )


_kept = threading.local()


def _room(shape: tuple[int, int, int]) -> _Room:
    """Room for a lattice, the same again for the same thread: fresh pages cost as much as the work on them."""
    rows, columns, stride = shape
    points, across = rows * stride, rows + columns
    room, enough = getattr(_kept, "room", (None, (0, 0)))
    if room is None or points > enough[0] or across > enough[1]:
        enough = max(points, enough[0]), max(across, enough[1])
        room = _Room.of(*enough)
        _kept.room = room, enough
    return room
