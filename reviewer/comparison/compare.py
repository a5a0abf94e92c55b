"""`compare`: one structure against another. docs/comparison.md tells the measures and their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Structure
from reviewer.comparison.overlap import common_mm3, moved, sliced
from reviewer.comparison.slices import SliceComparison, compare_slices
from reviewer.comparison.surface import Surface, surface
from reviewer.errors import GeometryError, NotRegisteredError
from reviewer.geometry.grid import POSITION_TOLERANCE_MM, Grid
from reviewer.geometry.region import Region
from reviewer.geometry.section import TILT_TOLERANCE, section
from reviewer.geometry.solid import Solid, solid

Floats = NDArray[np.float64]

TOLERANCES_MM = (1.0, 2.0, 3.0)
"""Of the surface Dice."""

PATH_TOLERANCE_MM = 1.0
"""Of the added path length: about the pixel of a planning image, below which Vaassen et al. count two contours as one."""

SAME = 1e-9
"""Directions (cosines) and positions (mm) that differ by less differ by rounding."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """How `b` compares with the reference `a`; both may be swapped but for the added path length and the sign of the shift.

    None stands for what is not defined: any distance where one of the two is empty, everything but volumes where both are.

    dice:                     2 |A and B| / (|A| + |B|) of the solids (Dice, Ecology 1945;26:297-302).
    hausdorff_mm:             largest distance of a point of one surface from the other surface.
    hd95_mm:                  95th percentile instead of the largest, by surface area, of each surface to the other; the larger of the two
                              (Nikolov et al., J Med Internet Res 2021;23(7):e26151, and their package surface-distance).
    mean_surface_distance_mm: mean over the area of both surfaces (average symmetric surface distance; Taha & Hanbury, BMC Med Imaging 2015;15:29).
    surface_dice:             tolerance in mm -> part of the area of both surfaces that lies within it of the other (Nikolov et al. 2021).
    added_path_length_mm:     length of the contours of `a`, on its planes, that lie farther than PATH_TOLERANCE_MM from the contour of `b`
                              (Vaassen et al., Phys Imaging Radiat Oncol 2020;13:1-6, in mm of contour instead of pixels).
    volume_cc:                of a and of b.
    centroid_shift_mm:        (3,) from the centre of mass of a to that of b, patient coordinates (LPS) of a.
    slices:                   the planes of `a` on which either has a contour, by rising w.
    """

    dice: float | None
    hausdorff_mm: float | None
    hd95_mm: float | None
    mean_surface_distance_mm: float | None
    surface_dice: Mapping[float, float | None]
    added_path_length_mm: float | None
    volume_cc: tuple[float, float]
    centroid_shift_mm: Floats | None
    slices: tuple[SliceComparison, ...]


def compare(
    a: Structure, b: Structure, to_b: ArrayLike | None = None, tolerances_mm: Sequence[float] = TOLERANCES_MM
) -> Comparison:
    """Compare two structures on contours and surfaces.

    to_b: (4, 4) rigid map of the patient points (mm) of a's frame of reference to those of b's; None where they share one.
    Raises NotRegisteredError when the frames differ and no map is given, GeometryError when the map is not rigid.
    """
    placed = _Placement.of(a.grid, b.grid, to_b)
    bodies = solid(a), solid(b)
    volumes = bodies[0].volume_mm3 / 1000, bodies[1].volume_mm3 / 1000
    some, others = (len(body.borders_mm) > 0 for body in bodies)
    if not (some and others):
        slices = _slices(a, b, bodies, placed)
        return Comparison(
            0.0 if some or others else None,
            None,
            None,
            None,
            dict.fromkeys(tolerances_mm, 0.0 if some or others else None),
            sum(s.added_path_length_mm for s in slices) if some or others else None,
            volumes,
            None,
            tuple(slices),
        )
    if placed.same and _identical(*bodies):
        surfaces = [surface(body) for body in bodies]
        away = [np.zeros(len(drawn.vertices_mm)) for drawn in surfaces]
        slices, dice = _slices(a, b, bodies, placed), 1.0
    else:
        with ThreadPoolExecutor(max_workers=2) as pool:
            surfaces = list(pool.map(_with_tree, bodies))
            to_other = pool.submit(lambda: surfaces[1].tree.distances(placed.into_b(surfaces[0].vertices_mm)))
            to_one = pool.submit(lambda: surfaces[0].tree.distances(placed.into_a(surfaces[1].vertices_mm)))
            planes = pool.submit(_slices, a, b, bodies, placed)
            dice = _dice(a, b, bodies, placed)
            slices = planes.result()
            away = [to_other.result(), to_one.result()]
    areas = surfaces[0].areas_mm2, surfaces[1].areas_mm2
    whole = float(areas[0].sum() + areas[1].sum())
    pairs = list(zip(areas, away, strict=True))
    centres = [_centre(body) for body in bodies]
    shift = (placed.into_a(centres[1]) - centres[0]) @ a.grid.axes
    return Comparison(
        dice,
        float(max(d.max() for d in away)),
        max(_percentile(d, area, 95.0) for area, d in pairs),
        float(sum(area @ d for area, d in pairs)) / whole,
        {mm: float(sum(area[d <= mm].sum() for area, d in pairs)) / whole for mm in tolerances_mm},
        sum(s.added_path_length_mm for s in slices),
        volumes,
        shift,
        tuple(slices),
    )


def _with_tree(body: Solid) -> Surface:
    drawn = surface(body)
    _ = drawn.tree  # grown here, so that both grow at the same time
    return drawn


@dataclass(frozen=True, eq=False)
class _Placement:
    """Where the plane coordinates of a lie in those of b: ``uvw_b = turn @ uvw_a + shift``.

    to_b: (4, 4) of patient points. same: whether the coordinates are the same but for rounding, and are then left alone.
    """

    to_b: Floats
    turn: Floats
    shift: Floats
    same: bool

    @classmethod
    def of(cls, a: Grid, b: Grid, to_b: ArrayLike | None) -> _Placement:
        if to_b is None:
            if a.frame_of_reference_uid != b.frame_of_reference_uid:
                raise NotRegisteredError(
                    "the two structures lie in frames of reference that are not registered",
                    remedy="open the registration (REG) that ties them",
                )
            to_b = np.eye(4)
        matrix = np.asarray(to_b, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise GeometryError("a registration is a 4 x 4 matrix of finite numbers")
        rotation = matrix[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
            raise GeometryError("structures are compared through rigid registrations only")
        turn = b.axes @ rotation @ a.axes.T
        shift = b.axes @ matrix[:3, 3]
        same = bool(np.abs(turn - np.eye(3)).max() < SAME and np.abs(shift).max() < SAME)
        return cls(matrix, turn, shift, same)

    def into_b(self, uvw: Floats) -> Floats:
        return uvw if self.same else uvw @ self.turn.T + self.shift

    def into_a(self, uvw: Floats) -> Floats:
        return uvw if self.same else (uvw - self.shift) @ self.turn

    def aligned(self, a: Grid, b: Grid) -> bool:
        """Whether the planes of both are the same where both have some, so that prisms lie beside prisms."""
        if np.hypot(self.turn[2, 0], self.turn[2, 1]) >= TILT_TOLERANCE:
            return False
        w, other = a.positions_mm, np.sort((b.positions_mm - self.shift[2]) * self.turn[2, 2])
        low, high = max(w[0], other[0]) - POSITION_TOLERANCE_MM, min(w[-1], other[-1]) + POSITION_TOLERANCE_MM
        some, others = (p[(p >= low) & (p <= high)] for p in (w, other))
        return len(some) == len(others) and bool(np.all(np.abs(some - others) <= POSITION_TOLERANCE_MM))


def _identical(one: Solid, other: Solid) -> bool:
    return all(
        np.array_equal(getattr(one, what), getattr(other, what)) for what in ("borders_mm", "starts", "segments")
    )


def _dice(a: Structure, b: Structure, bodies: tuple[Solid, Solid], placed: _Placement) -> float:
    """On the same planes prism by prism, exact. Else the prisms' steps would lie beside each other, a sloping wall's outline up to half a
    prism off; so the smooth surface of b is cut in the middle of each prism of a.
    """
    one, other = bodies
    if placed.aligned(a.grid, b.grid):
        pile = other if placed.same else moved(other, placed.turn.T, -placed.turn.T @ placed.shift)
    else:
        drawn = surface(other)
        pile = sliced(drawn, placed.into_a(drawn.vertices_mm), one.borders_mm)
    return min(2 * common_mm3(one, pile) / (one.volume_mm3 + other.volume_mm3), 1.0)


def _slices(a: Structure, b: Structure, bodies: tuple[Solid, Solid], placed: _Placement) -> list[SliceComparison]:
    """On the planes of a's grid, and where b reaches beyond them on planes that go on at the same distance."""
    w = a.grid.positions_mm
    heights: dict[float, Region | None] = {float(w[k]): region for k, region in a.planes.items()}
    if len(bodies[1].borders_mm):
        corners = np.stack(np.meshgrid(*zip(*bodies[1].bounds_mm, strict=True)), axis=-1).reshape(-1, 3)
        reached = placed.into_a(corners)[:, 2]
        low, high = float(reached.min()), float(reached.max())
        step = np.diff(w)[[0, -1]] if len(w) > 1 else np.full(2, a.grid.thickness_mm)
        below = w[0] - step[0] * np.arange(1, max(0, int((w[0] - low) / step[0])) + 1)
        above = w[-1] + step[1] * np.arange(1, max(0, int((high - w[-1]) / step[1])) + 1)
        for height in (*below, *w, *above):
            if low <= height <= high:
                heights.setdefault(float(height), None)
    right, down, along = a.grid.axes
    positions: list[float] = []
    pairs: list[tuple[Region | None, Region | None]] = []
    for height, region in sorted(heights.items(), key=lambda item: item[0]):
        other = section(b, placed.to_b, height * along, right, down)
        if region is not None or other is not None:
            positions.append(height)
            pairs.append((region, other))
    return compare_slices(positions, [p for p, _ in pairs], [q for _, q in pairs], PATH_TOLERANCE_MM)


def _percentile(values: Floats, weights: Floats, percent: float) -> float:
    """The smallest of the values that `percent` of the weight does not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, percent / 100 * reached[-1])]])


def _centre(body: Solid) -> Floats:
    """(3,) centre of mass in (u, v, w) mm."""
    u0, v0, u1, v1 = body.segments.T
    doubled = u0 * v1 - u1 * v0
    heights = np.diff(body.borders_mm, axis=1)[:, 0]
    prism = np.repeat(np.arange(len(heights)), np.diff(body.starts))
    moments = [np.bincount(prism, (p + q) * doubled / 6, len(heights)) @ heights for p, q in ((u0, u1), (v0, v1))]
    moments.append((body.areas_mm2 * heights) @ body.borders_mm.mean(axis=1))
    return np.array(moments) / body.volume_mm3
