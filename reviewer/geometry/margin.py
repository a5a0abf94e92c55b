# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Margins: a solid grown or shrunk by a length in mm, isotropic or by side of the patient.

The solid is taken as planar distance fields g at the middles of its prisms, linear in between, and flat where it ends. A point of the
plane w = 0 belongs to the solid grown by L when some height d has it within sqrt(L^2 - d^2) of the region there, that is when

    V = min over d of  g(d) - sqrt(L^2 - d^2)  <= 0.

Between two middles g is a straight line with the slope -s, so V has its minimum at d = L s / sqrt(1 + s^2): no sampling in d. The region
is the zero line of V on a lattice. Shrinking grows the complement. A margin that differs by side replaces the ball by the body of eight
ellipsoid octants whose semi-axes are the sides' lengths, as planning systems do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.errors import GeometryError
from reviewer.geometry import overlay
from reviewer.geometry.grid import AXIS_TOLERANCE, Grid
from reviewer.geometry.level import rings_around
from reviewer.geometry.memo import Memo
from reviewer.geometry.region import Region, region_of, regions_of_rings
from reviewer.geometry.solid import solid
from reviewer.geometry.stack import Stack
from reviewer.threads import shared

Floats = NDArray[np.float64]

LARGEST_MM = 50.0
"""The longest margin; a longer one is taken for a slip of the hand."""

LARGEST_TILT_DEG = 10.0
"""A grid tilted further against the patient's axes has no side that could be called left; up to here the tilt costs 1.5 % of the margin."""

NOTHING = np.float32(1e6)

SAME_MM = 1e-6
"""Planes no further apart are one."""

SAG_MM = 0.03
"""By how much the outline may run inside of the arc that it stands for: how large cells may be where a margin rounds what it grows."""

THINNEST_MM = 0.01
"""What a side without a margin gets beside sides that have one: the body that is summed must not be flat."""

LARGE = 200_000
"""Lattice points from which on the work is shared by two threads."""

KEPT = 16_000_000
"""Lattice points whose memory a thread keeps for its next margin: fresh pages cost as much as the work on them."""

SMALL = 2_000_000
"""Lattice points up to which the distances of each prism are kept for the next margin: an edit of one plane leaves most as they are."""

DEEP = 2.0
"""Cells inside its own plane's region from which on a point needs no further look."""

STEEP = 4.0
"""Where the distance changes by more than this per mm of height, the solid ends flat there instead of leaning."""

_FAST = {"nnan", "ninf", "nsz", "contract", "reassoc"}
"""There are no NaN in here, so that minima may run through vector registers."""


@dataclass(frozen=True)
class Sides:
    """Margin in mm towards each side of the patient; negative shrinks."""

    left: float
    right: float
    ant: float
    post: float
    sup: float
    inf: float

    def __post_init__(self) -> None:
        if not all(abs(mm) <= LARGEST_MM for mm in self._all):  # nor is it not a number
            found = ", ".join(f"{mm:g}" for mm in sorted(set(self._all)))
            raise GeometryError(f"a margin is at most {LARGEST_MM:g} mm", remedy=f"found {found} mm")

    @property
    def _all(self) -> tuple[float, ...]:
        return self.left, self.right, self.ant, self.post, self.sup, self.inf

    @classmethod
    def all_around(cls, mm: float) -> Sides:
        return cls(mm, mm, mm, mm, mm, mm)

    @property
    def grown(self) -> Sides:
        """The sides that grow, the others 0."""
        return Sides(*(max(mm, 0.0) for mm in self._all))

    @property
    def shrunk(self) -> Sides:
        """The sides that shrink, the others 0."""
        return Sides(*(min(mm, 0.0) for mm in self._all))

    @property
    def reach_mm(self) -> float:
        return float(max(abs(mm) for mm in self._all))


@dataclass(frozen=True, eq=False)
class Layered:
    """A Stack of intermediate regions."""

    grid: Grid
    planes: dict[int, Region]


def margin(stack: Stack, sides: Sides, onto: Grid, planes: Collection[int] | None = None) -> dict[int, Region]:
    """The regions, on the planes of `onto`, of the solid of `stack` with a margin.

    onto:   a grid with the axes of the stack's grid; a margin that reaches beyond its planes is cut there (see `beyond_mm`).
    planes: which planes of `onto`; all by default.
    Where some sides grow and others shrink, it is first grown, then shrunk.
    Raises GeometryError for other axes, for margins over LARGEST_MM, and for unequal sides on a grid tilted by more than LARGEST_TILT_DEG.
    """
    if stack.grid is not onto and not np.allclose(stack.grid.axes, onto.axes, atol=AXIS_TOLERANCE):
        raise GeometryError("a margin is built on planes parallel to the contours")
    wanted = np.array(sorted(range(len(onto.positions_mm)) if planes is None else planes), dtype=np.int64)
    outward, inward = _along_axes(onto, sides.grown), -_along_axes(onto, sides.shrunk)
    if not inward.any():
        return _offset(stack, outward, onto, wanted, 1.0)
    if outward.any():
        reach = sides.shrunk.reach_mm
        w = onto.positions_mm
        near = [k for k in range(len(w)) if len(wanted) and np.abs(w[wanted] - w[k]).min() <= reach + onto.spacing_w_mm]
        stack = Layered(onto, _offset(stack, outward, onto, np.array(near, dtype=np.int64), 1.0))
    left = _offset(stack, inward[[1, 0, 3, 2, 5, 4]], onto, wanted, -1.0)
    return left if inward.all() else _within(left, stack, onto)


def _within(regions: dict[int, Region], stack: Stack, onto: Grid) -> dict[int, Region]:
    """No more than what the stack has on the same planes: cells round off by a part of their width, also where a side stays."""
    found: dict[int, Region | None] = {}
    for k, region in regions.items():
        own = stack.grid.nearest_plane(onto.positions_mm[k])
        there = stack.planes.get(own) if abs(stack.grid.positions_mm[own] - onto.positions_mm[k]) < SAME_MM else None
        found[k] = region if there is None else region_of(overlay.shared(region, there))
    return {k: region for k, region in found.items() if region is not None}


def beyond_mm(stack: Stack, sides: Sides, onto: Grid) -> tuple[float, float]:
    """By how many mm the margin is cut off before the first and behind the last slab of `onto`, along w; 0 where it is whole."""
    body = solid(stack)
    if len(body.borders_mm) == 0:
        return 0.0, 0.0
    low, high = np.maximum(_along_axes(onto, sides)[4:], 0.0)
    first, last = onto.slab_borders_mm[[0, -1]]
    return max(0.0, float(first - body.borders_mm[0, 0] + low)), max(0.0, float(body.borders_mm[-1, 1] + high - last))


def _along_axes(grid: Grid, sides: Sides) -> Floats:
    """(6,) mm towards -u, +u, -v, +v, -w, +w."""
    towards = {(0, 1): sides.left, (0, -1): sides.right, (1, -1): sides.ant, (1, 1): sides.post, (2, 1): sides.sup, (2, -1): sides.inf}  # fmt: skip
    if len(set(towards.values())) > 1:
        tilt = np.degrees(np.arccos(np.clip(np.abs(grid.axes).max(axis=1), 0, 1))).max()
        if tilt > LARGEST_TILT_DEG:
            raise GeometryError(
                f"the slices are tilted by {tilt:.0f}° against the patient's sides",
                remedy="use one margin for all sides",
            )
    lengths = []
    for axis in grid.axes.tolist():
        side = max(range(3), key=lambda n: abs(axis[n]))
        sign = 1 if axis[side] > 0 else -1
        lengths += [towards[side, -sign], towards[side, sign]]
    return np.array(lengths)


_fields: Memo[tuple[NDArray[np.float32], NDArray[np.int64]]] = Memo(8_000_000)
"""What `_measure` finds, by the edges of the prism; the weight is the number of points, of 4 bytes each: 32 MB."""


def _offset(stack: Stack, lengths: Floats, onto: Grid, wanted: NDArray[np.int64], sign: float) -> dict[int, Region]:
    """Regions of the solid (sign 1) or of its complement (sign -1, and turned back) grown by `lengths` (6,) mm."""
    body = solid(stack)
    if len(body.borders_mm) == 0 or len(wanted) == 0:
        return {}
    low, high = body.bounds_mm
    across, down, up = lengths[:4], float(lengths[4]), float(lengths[5])
    # Unequal sides are measured in units of the longest one, equal ones in mm.
    length = float(across.max())
    extent = float(np.sqrt(np.prod(high[:2] - low[:2])))
    cell = 0.5 if extent < 60 else 1.0 if extent < 250 else 2.0
    shortest = min((float(mm) for mm in lengths if mm > 0), default=cell)
    if sign > 0 and across.min() > 0:
        # Whatever is grown by an ellipse is nowhere bent more than the ellipse is.
        cell = max(cell, float(np.sqrt(8 * SAG_MM * across.min() ** 2 / length)))
    cell = max(0.2, min(cell, 0.6 * shortest))
    if sign > 0:
        kept = [k for k in wanted if low[2] - down <= onto.positions_mm[k] <= high[2] + up]
    else:
        kept = [k for k in wanted if low[2] + up <= onto.positions_mm[k] <= high[2] - down]
    w = onto.positions_mm[kept]
    near = (
        (body.borders_mm[:, 1] >= w.min() - up - 2 * cell) & (body.borders_mm[:, 0] <= w.max() + down + 2 * cell)
        if kept
        else np.zeros(len(body.borders_mm), dtype=bool)
    )
    if not near.any():
        return {}
    first, last = (int(i) for i in np.flatnonzero(near)[[0, -1]])
    first, last = max(first - 1, 0), min(last + 1, len(near) - 1)
    reach = length + 3 * cell
    border = reach if sign > 0 else 3 * cell
    # On multiples of the cell, and in coordinates that are the same from any corner: a plane comes out the very same whatever else the
    # structure holds.
    corner = np.floor((low[:2] - border) / cell)
    shape = np.ceil((high[:2] + border) / cell - corner).astype(int) + 1
    starts = body.starts[first : last + 2]
    edges = (_fixed(body.segments[starts[0] : starts[-1]] / cell, 14) - np.tile(corner, 2)).astype(np.float32)
    equal = bool(np.ptp(across) < 1e-6)
    axes = np.maximum(across, THINNEST_MM) / cell
    # A gauge changes as much faster towards a short side, where nothing ends.
    steepest = STEEP * float(axes.max() / axes.min())
    prisms, points = last - first + 1, int(shape[0] * shape[1])
    memory = _memory((prisms + len(kept)) * points)
    fields = memory[: prisms * points].reshape(prisms, shape[1], shape[0])
    values = memory[prisms * points :].reshape(len(kept), shape[1], shape[0])
    spans = np.empty((prisms, shape[1], 2), dtype=np.int64)
    band = reach / cell
    rows = starts - starts[0]

    own = body.edges[first : last + 1]
    setting = (cell, corner.tobytes(), shape.tobytes(), axes.tobytes(), equal, band, sign)
    new = []
    for n in range(prisms):
        known = _fields.get((own[n],), setting)
        if known is None:
            new.append(n)
        else:
            fields[n], spans[n] = known
    numbers = np.array(new, dtype=np.int64)

    def measure(some: slice) -> None:
        _measure(fields, spans, numbers[some], edges, rows, axes, equal, band, sign)

    _shared(measure, len(new), len(new) * points)
    if prisms * points <= SMALL:
        for n in new:
            _fields.put((own[n],), (fields[n].copy(), spans[n].copy()), points, setting)
    # From here all lengths count in cells; a field of unequal sides is scaled so that the level sits at `reach` of the longest side.
    borders = body.borders_mm[first : last + 1] / cell
    whole = (first == 0, last == len(near) - 1)
    regions: list[Region | None] = [None] * len(kept)

    def combine(some: slice) -> None:
        _combine(
            values[some],
            fields,
            spans,
            borders,
            w[some] / cell,
            band,
            max(length, THINNEST_MM) / cell,
            down / cell,
            up / cell,
            sign,
            whole,
            steepest,
        )
        regions[some] = regions_of_rings(*_outlines(values[some], equal, sign, cell, corner))

    _shared(combine, len(kept), prisms * points)
    return {int(k): region for k, region in zip(kept, regions, strict=True) if region is not None}


_kept = threading.local()


def _memory(size: int) -> NDArray[np.float32]:
    """(size,) uninitialised, the same memory again for the same thread."""
    spare: NDArray[np.float32] | None = getattr(_kept, "memory", None)
    if spare is None or len(spare) < size:
        spare = np.empty(size, dtype=np.float32)
        if size <= KEPT:
            _kept.memory = spare
    return spare[:size]


def _shared(work: Callable[[slice], None], count: int, points: int) -> None:
    """Does `work` for all of `count` planes, by two threads where there is enough of it."""
    if points < LARGE or count < 2:
        work(slice(0, count))
        return
    shared(work, (slice(0, count // 2), slice(count // 2, count)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _measure(fields, spans, numbers, edges, starts, axes, equal, band, sign):  # type: ignore[no-untyped-def]
    """Signed planar distance to the region of some prisms (negative inside, turned around for sign -1), in cells.

    fields: (prisms, ny, nx), of which those of the `numbers` are written; edges: (m, 4) in cells; starts: (prisms + 1,) first of each prism.

    equal: Euclidean; else the gauge of the four ellipse quarters with the semi-axes `axes` (-u, +u, -v, +v), times the longest of them.
    Beyond `band` (unequal sides: three cells beyond the shortest) the field is NOTHING outside and minus that inside.
    spans: (prisms, ny, 2) columns that hold all of a row that is not NOTHING.
    """
    _, ny, nx = fields.shape
    longest = axes.max()
    left, right, back, front = band, band, band, band
    # In units of the longest side the way across a short one is long: two cells beyond it are needed, too.
    widest = np.float32(band if equal else max(band, longest * (1 + 3 / axes.min())))
    inside = np.empty((ny, nx), dtype=np.bool_)
    columns = np.arange(nx).astype(np.float32)  # to convert them one by one takes longer than all the rest
    for n in numbers:
        field = fields[n]
        field[:] = NOTHING * NOTHING
        inside[:] = False
        for e in range(starts[n], starts[n + 1]):
            ax, ay, bx, by = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if ay != by:
                y0, y1 = min(ay, by), max(ay, by)
                for y in range(max(0, int(np.ceil(y0))), min(ny, int(np.ceil(y1)))):
                    x = int(np.ceil(ax + (y - ay) / (by - ay) * (bx - ax)))
                    if x < nx:
                        inside[y, max(x, 0)] = not inside[y, max(x, 0)]
        for y in range(ny):
            odd = False
            for x in range(nx):
                odd = odd != inside[y, x]
                inside[y, x] = odd != (sign < 0)
        for e in range(starts[n], starts[n + 1]):
            ax, ay, bx, by = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            x0 = max(0, int(np.ceil(min(ax, bx) - left)))
            x1 = min(nx - 1, int(np.floor(max(ax, bx) + right)))
            y0 = max(0, int(np.ceil(min(ay, by) - back)))
            y1 = min(ny - 1, int(np.floor(max(ay, by) + front)))
            ex, ey = bx - ax, by - ay
            square = ex * ex + ey * ey
            inverse = np.float32(1.0) / square if square > 0 else np.float32(0.0)
            for y in range(y0, y1 + 1):
                py, px0, row = np.float32(y) - ay, np.float32(x0) - ax, field[y, x0 : x1 + 1]
                for x in range(len(row)):
                    px = px0 + columns[x]
                    t = min(max((px * ex + py * ey) * inverse, np.float32(0.0)), np.float32(1.0))
                    dx, dy = px - t * ex, py - t * ey
                    apart = dx * dx + dy * dy
                    if equal:
                        row[x] = min(row[x], apart)
                    elif apart < row[x]:  # the gauge, times the longest of the semi-axes, is no less than the distance
                        side = np.float32(-1.0) if inside[y, x0 + x] else np.float32(1.0)
                        far = _gauge_squared(side * px, side * py, side * (px - ex), side * (py - ey), axes)
                        row[x] = min(row[x], np.float32(far * longest * longest))
        for y in range(ny):
            row = field[y]
            for x in range(nx):
                square = row[x]
                away = np.sqrt(square) if square <= widest * widest else (widest if inside[y, x] else NOTHING)
                row[x] = -away if inside[y, x] else away
            first, stop = 0, nx
            while first < stop and row[first] == NOTHING:
                first += 1
            while stop > first and row[stop - 1] == NOTHING:
                stop -= 1
            spans[n, y, 0], spans[n, y, 1] = first, stop


@njit(cache=True, nogil=True, error_model="numpy")
def _gauge_squared(ax, ay, bx, by, axes):  # type: ignore[no-untyped-def]
    """Square of the smallest gauge on the segment a to b; of a point: its distance in units of the quarter ellipse that it lies in."""
    first = ax / (ax - bx) if ax * bx < 0 else 1.0
    last = ay / (ay - by) if ay * by < 0 else 1.0
    first, last = min(first, last), max(first, last)
    best = np.inf
    for s, e in ((0.0, first), (first, last), (last, 1.0)):
        if s == e:
            continue
        middle = (s + e) / 2
        mx, my = ax + middle * (bx - ax), ay + middle * (by - ay)
        kx = 1 / (axes[1] if mx > 0 else axes[0])
        ky = 1 / (axes[3] if my > 0 else axes[2])
        px, py = (ax + s * (bx - ax)) * kx, (ay + s * (by - ay)) * ky
        qx, qy = (ax + e * (bx - ax)) * kx - px, (ay + e * (by - ay)) * ky - py
        square = qx * qx + qy * qy
        t = min(max(-(px * qx + py * qy) / square, 0.0), 1.0) if square > 0 else 0.0
        best = min(best, (px + t * qx) ** 2 + (py + t * qy) ** 2)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _combine(values, fields, spans, borders, targets, band, length, down, up, sign, whole, steepest):  # type: ignore[no-untyped-def]
    """V of each target plane: the smallest over all heights (see the module's text). All lengths in cells.

    whole: whether the solid has nothing before the first and behind the last prism. steepest: as STEEP, for these fields.
    """
    prisms, ny, nx = fields.shape
    tip, field = np.empty((ny, nx), dtype=np.float32), np.empty((ny, nx), dtype=np.float32)
    steep = np.zeros(prisms, dtype=np.bool_)
    for n in range(prisms - 1):
        if borders[n + 1, 1] >= targets[0] - up and borders[n, 0] <= targets[-1] + down:
            height = (borders[n + 1, 1] - borders[n, 0]) / 2
            steep[n] = _any_steep(fields[n], fields[n + 1], spans[n], spans[n + 1], steepest * height, length)
    # Of each row, what needs a look: from `begin` to `pause`, and from `resume` to `end`.
    look = np.empty((ny, 4), dtype=np.int64)
    for k in range(len(targets)):
        value = values[k]
        w = targets[k]
        value[:] = NOTHING
        _where_to_look(look, value, fields, spans, borders, w, down, up)
        for n in range(-1, prisms):
            # The stretch from the middle of prism n to the middle of prism n + 1, with the border or the gap between them.
            start = (borders[n, 0] + borders[n, 1]) / 2 if n >= 0 else borders[0, 0]
            end = (borders[n + 1, 0] + borders[n + 1, 1]) / 2 if n + 1 < prisms else borders[prisms - 1, 1]
            if start - w > down or w - end > up:
                continue
            top = borders[n, 1] if n >= 0 else start
            bottom = borders[n + 1, 0] if n + 1 < prisms else end
            if n < 0 or n + 1 == prisms or bottom - top > 1e-6:
                if n >= 0:
                    _tip(tip, fields, borders, n, n - 1, band, steepest)
                    _stretch(value, look, fields[n], tip, start - w, top - w, length, down, up, steepest)
                if n + 1 < prisms:
                    _tip(tip, fields, borders, n + 1, n + 2, band, steepest)
                    _stretch(value, look, tip, fields[n + 1], bottom - w, end - w, length, down, up, steepest)
            else:
                _stretch(value, look, fields[n], fields[n + 1], start - w, end - w, length, down, up, steepest)
                if steep[n]:
                    change = steepest * (end - start)
                    _tip(tip, fields, borders, n, n - 1, band, steepest)
                    _only_where_steep(field, tip, fields[n], fields[n + 1], change)
                    _stretch(value, look, field, tip, start - w, top - w, length, down, up, steepest)
                    _tip(tip, fields, borders, n + 1, n + 2, band, steepest)
                    _only_where_steep(field, tip, fields[n + 1], fields[n], change)
                    _stretch(value, look, tip, field, top - w, end - w, length, down, up, steepest)
        if sign < 0:
            empty = (whole[0] and borders[0, 0] - w > -up) or (whole[1] and borders[prisms - 1, 1] - w < down)
            for n in range(prisms - 1):
                if borders[n + 1, 0] - borders[n, 1] > 1e-6 and borders[n, 1] - w < down and w - borders[n + 1, 0] < up:
                    empty = True
            if empty:
                value[:] = -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _only_where_steep(field, tip, kept, other, change):  # type: ignore[no-untyped-def]
    """`field` and `tip` of an end that only some parts of a solid have: `kept` where `other` differs by more than `change`, else NOTHING."""
    for y in range(kept.shape[0]):
        for x in range(kept.shape[1]):
            ends = abs(other[y, x] - kept[y, x]) > change
            field[y, x] = kept[y, x] if ends else NOTHING
            if not ends:
                tip[y, x] = NOTHING


@njit(cache=True, nogil=True, error_model="numpy")
def _tip(tip, fields, borders, n, before, band, steepest):  # type: ignore[no-untyped-def]
    """The field at the free end of prism n: going on as from the prism before it, so that a wall stays upright and a cap stays round."""
    ny, nx = tip.shape
    touches = 0 <= before < len(fields) and (
        max(borders[n, 0], borders[before, 0]) <= min(borders[n, 1], borders[before, 1]) + 1e-6
    )
    if not touches:
        tip[:] = fields[n]
        return
    half = (borders[n, 1] - borders[n, 0]) / 2
    lean = steepest * half
    share = half / (half + (borders[before, 1] - borders[before, 0]) / 2)
    for y in range(ny):
        for x in range(nx):
            a, b = fields[before, y, x], fields[n, y, x]
            known = -band < a < NOTHING and -band < b < NOTHING
            tip[y, x] = b + min(max(share * (b - a), -lean), lean) if known else b


@njit(cache=True, nogil=True, error_model="numpy")
def _where_to_look(look, value, fields, spans, borders, w, down, up):  # type: ignore[no-untyped-def]
    """Of each row, the columns that any field in reach comes near; but for the longest stretch deep inside, which is taken into V at once."""
    prisms, ny, nx = fields.shape
    look[:, 0], look[:, 1], look[:, 2], look[:, 3] = nx, 0, 0, 0
    own = -1
    for n in range(prisms):
        # With the neighbours of what is in reach, whose middles the stretches run to.
        before, after = max(n - 1, 0), min(n + 1, prisms - 1)
        if borders[before, 0] - w > down or w - borders[after, 1] > up:
            continue
        if borders[n, 0] <= w <= borders[n, 1]:
            own = n
        for y in range(ny):
            if spans[n, y, 0] < spans[n, y, 1]:
                look[y, 0], look[y, 3] = min(look[y, 0], spans[n, y, 0]), max(look[y, 3], spans[n, y, 1])
    for y in range(ny):
        begin, end = look[y, 0], look[y, 3]
        look[y, 1] = look[y, 2] = end
        if own < 0:
            continue
        row = fields[own, y]
        start, longest = begin, 0
        for x in range(begin, end):
            if row[x] > -DEEP:
                start = x + 1
            elif x + 1 - start > longest:
                longest = x + 1 - start
                look[y, 1], look[y, 2] = start, x + 1
        if longest:
            for x in range(look[y, 1], look[y, 2]):
                value[y, x] = -DEEP


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(value, look, lower, upper, d0, d1, length, down, up, steepest):  # type: ignore[no-untyped-def]
    """Takes the stretch with the field `lower` at height d0 and `upper` at d1 into V; heights below the target are negative."""
    if d0 < 0 < d1:
        # The two sides of the target plane may have different lengths.
        _half(value, look, lower, upper, d0, d1, 0.0, d1, length, down, steepest)
        _half(value, look, lower, upper, d0, d1, d0, 0.0, length, up, steepest)
    elif d1 <= 0:
        _half(value, look, lower, upper, d0, d1, d0, d1, length, up, steepest)
    else:
        _half(value, look, lower, upper, d0, d1, d0, d1, length, down, steepest)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _half(value, look, lower, upper, d0, d1, low, high, length, along, steepest):  # type: ignore[no-untyped-def]
    """The part of a stretch between the heights low and high, on one side of the target, where the margin along w is `along`.

    What changes steeply ends there, or goes on flat: see `_only_where_steep`.
    """
    if along <= 1e-6:
        if low > 0 or high < 0:
            return
        low = high = 0.0
        scale = 0.0
    else:
        low, high = max(low, -along), min(high, along)
        scale = length / along
    if low > high:
        return
    # Heights are counted in units of the planar length: d' = d * scale, and so is the slope.
    per_height = np.float32(1 / (d1 - d0) if d1 > d0 else 0.0)
    per_length = np.float32(1 / scale if scale > 0 else 0.0)
    start, lowest, highest = np.float32(d0), np.float32(low), np.float32(high)
    radius, stretch = np.float32(length), np.float32(scale)
    one, none, steep = np.float32(1.0), np.float32(0.0), np.float32(steepest)
    for y in range(value.shape[0]):
        for part in range(0, 4, 2):
            # Slices count from 0, which is what lets the loop run through vector registers.
            begin, end = look[y, part], look[y, part + 1]
            row, under, over = value[y, begin:end], lower[y, begin:end], upper[y, begin:end]
            for x in range(len(row)):
                a = under[x]
                slope = (over[x] - a) * per_height
                s = slope * per_length
                d = min(max(-radius * s / np.sqrt(one + s * s) * per_length, lowest), highest)
                rest = d * stretch
                v = a + slope * (d - start) - np.sqrt(max(radius * radius - rest * rest, none))
                row[x] = min(row[x], v if abs(slope) <= steep else NOTHING)


@njit(cache=True, nogil=True, error_model="numpy")
def _fixed(cells, bits):  # type: ignore[no-untyped-def]
    """Rounded to so many binary places, so that whole cells added to them round nothing: 14 leave single precision room for 1024 cells, 30 leave
    double precision more than any lattice has."""
    return np.rint(cells * 2.0**bits) / 2.0**bits


@njit(cache=True, nogil=True, error_model="numpy")
def _outlines(values, equal, sign, cell, corner):  # type: ignore[no-untyped-def]
    """Rings around what the margin holds of each plane, for `regions_of_rings`, mm. values: see `_combine`; they are written over."""
    found = [(np.empty((0, 2)), np.zeros(1, dtype=np.int64))]
    planes = np.zeros(len(values) + 1, dtype=np.int64)
    total = 0
    for k in range(len(values)):
        value = values[k]
        if not equal:
            _from_outside(value)
        if sign > 0:
            value[:] = -value
        points, starts = rings_around(value, 0.0)
        found.append((points, starts))
        total += len(points)
        planes[k + 1] = planes[k] + len(starts) - 1
    rings, outlines = np.zeros(planes[-1] + 1, dtype=np.int64), np.empty((total, 2))
    done = 0
    for k in range(len(values)):
        points, starts = found[k + 1]
        rings[planes[k] : planes[k + 1] + 1] = done + starts
        outlines[done : done + len(points)] = (_fixed(points, 30) + corner) * cell
        done += len(points)
    return outlines, rings, planes


@njit(cache=True, nogil=True, error_model="numpy")
def _from_outside(value):  # type: ignore[no-untyped-def]
    """Makes V of the points inside next to the outline what it would be if it went on as it comes from outside.

    Unequal sides make V rise steeply outside of a short side and hardly fall inside of it: a straight line between the two would put the
    outline too far in, by up to a cell.
    """
    ny, nx = value.shape
    for y in range(ny):
        for x in range(nx):
            if value[y, x] > 0:
                continue
            beyond = -np.inf
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                y1, x1, y2, x2 = y + dy, x + dx, y + 2 * dy, x + 2 * dx
                if not (0 <= y2 < ny and 0 <= x2 < nx):
                    continue
                near, far = value[y1, x1], value[y2, x2]
                if 0 < near < far < NOTHING:
                    beyond = max(beyond, min(2 * near - far, -1e-3))
            if beyond > -np.inf:
                value[y, x] = beyond


@njit(cache=True, nogil=True, error_model="numpy")
def _any_steep(lower, upper, lower_spans, upper_spans, change, length):  # type: ignore[no-untyped-def]
    """Whether the solid ends flat between two prisms, where their fields differ by more than `change`, somewhere within `length`."""
    for y in range(lower.shape[0]):
        for x in range(min(lower_spans[y, 0], upper_spans[y, 0]), max(lower_spans[y, 1], upper_spans[y, 1])):
            a, b = lower[y, x], upper[y, x]
            if abs(a - b) > change and min(a, b) <= length:
                return True
    return False
