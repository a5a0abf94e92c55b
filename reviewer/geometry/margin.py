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

from collections.abc import Collection
from dataclasses import astuple, dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reviewer.errors import GeometryError
from reviewer.geometry.grid import AXIS_TOLERANCE, Grid
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region, region_of_rings
from reviewer.geometry.solid import solid
from reviewer.geometry.stack import Stack

Floats = NDArray[np.float64]

LARGEST_MM = 50.0
"""The longest margin; a longer one is taken for a slip of the hand."""

LARGEST_TILT_DEG = 10.0
"""A grid tilted further against the patient's axes has no side that could be called left; up to here the tilt costs 1.5 % of the margin."""

NOTHING = np.float32(1e6)

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
        if not all(np.isfinite(mm) and abs(mm) <= LARGEST_MM for mm in astuple(self)):
            raise GeometryError(
                "a margin is at most 50 mm", remedy=f"found {', '.join(f'{mm:g}' for mm in astuple(self))} mm"
            )

    @classmethod
    def all_around(cls, mm: float) -> Sides:
        return cls(mm, mm, mm, mm, mm, mm)

    @property
    def grown(self) -> Sides:
        """The sides that grow, the others 0."""
        return Sides(*(max(mm, 0.0) for mm in astuple(self)))

    @property
    def shrunk(self) -> Sides:
        """The sides that shrink, the others 0."""
        return Sides(*(min(mm, 0.0) for mm in astuple(self)))

    @property
    def reach_mm(self) -> float:
        return float(max(abs(mm) for mm in astuple(self)))


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
    if not np.allclose(stack.grid.axes, onto.axes, atol=AXIS_TOLERANCE):
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
    return _offset(stack, inward[[1, 0, 3, 2, 5, 4]], onto, wanted, -1.0)


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
    for axis in grid.axes:
        side = int(np.argmax(np.abs(axis)))
        sign = 1 if axis[side] > 0 else -1
        lengths += [towards[side, -sign], towards[side, sign]]
    return np.array(lengths)


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
    # On multiples of the cell, so that a plane comes out the same whatever else the structure holds.
    corner = np.floor((low[:2] - border) / cell) * cell
    shape = np.ceil((high[:2] + border - corner) / cell).astype(int) + 1
    starts = body.starts[first : last + 2]
    edges = ((body.segments[starts[0] : starts[-1]] - np.tile(corner, 2)) / cell).astype(np.float32)
    equal = bool(np.ptp(across) < 1e-6)
    axes = np.maximum(across, 0.05) / cell
    fields = np.empty((last - first + 1, shape[1], shape[0]), dtype=np.float32)
    band = reach / cell
    _measure(fields, edges, starts - starts[0], axes, equal, band, sign)
    # From here all lengths count in cells; a field of unequal sides is scaled so that the level sits at `reach` of the longest side.
    borders = body.borders_mm[first : last + 1] / cell
    whole = (first == 0, last == len(near) - 1)
    values = np.full((len(kept), shape[1], shape[0]), NOTHING, dtype=np.float32)
    _combine(values, fields, borders, w / cell, band, max(length, 0.05) / cell, down / cell, up / cell, sign, whole)
    found = {}
    for k, value in zip(kept, values, strict=True):
        rings = level_rings(-value if sign > 0 else value, 0.0)
        region = region_of_rings([ring * cell + corner for ring in rings])
        if region is not None:
            found[int(k)] = region
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _measure(fields, edges, starts, axes, equal, band, sign):  # type: ignore[no-untyped-def]
    """Signed planar distance to the region of each prism (negative inside, turned around for sign -1), in cells.

    equal: Euclidean; else the gauge of the four ellipse quarters with the semi-axes `axes` (-u, +u, -v, +v), times the longest of them.
    Beyond `band` the field is NOTHING outside and -band inside.
    """
    prisms, ny, nx = fields.shape
    longest = axes.max()
    left, right, back, front = band, band, band, band
    inside = np.empty((ny, nx), dtype=np.bool_)
    for n in range(prisms):
        field = fields[n]
        field[:] = NOTHING
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
                if equal:
                    py, row = np.float32(y) - ay, field[y]
                    for x in range(x0, x1 + 1):
                        px = np.float32(x) - ax
                        t = min(max((px * ex + py * ey) * inverse, np.float32(0.0)), np.float32(1.0))
                        dx, dy = px - t * ex, py - t * ey
                        row[x] = min(row[x], dx * dx + dy * dy)
                else:
                    for x in range(x0, x1 + 1):
                        if inside[y, x]:
                            d = _gauge(ax - x, ay - y, bx - x, by - y, axes)
                        else:
                            d = _gauge(x - ax, y - ay, x - bx, y - by, axes)
                        field[y, x] = min(field[y, x], np.float32(d * d * longest * longest))
        for y in range(ny):
            for x in range(nx):
                square = field[y, x]
                if square <= band * band:
                    field[y, x] = -np.sqrt(square) if inside[y, x] else np.sqrt(square)
                else:
                    field[y, x] = -band if inside[y, x] else NOTHING


@njit(cache=True, nogil=True, error_model="numpy")
def _gauge(ax, ay, bx, by, axes):  # type: ignore[no-untyped-def]
    """Smallest gauge of the points of the segment a to b; of a point: its distance in units of the quarter ellipse that it lies in."""
    cuts = np.array([0.0, 1.0, 1.0, 1.0])
    count = 1
    for p, q in ((ax, bx), (ay, by)):
        if p * q < 0:
            cuts[count] = p / (p - q)
            count += 1
    if count == 3 and cuts[1] > cuts[2]:
        cuts[1], cuts[2] = cuts[2], cuts[1]
    cuts[count] = 1.0
    best = np.inf
    for k in range(count):
        s, e = cuts[k], cuts[k + 1]
        middle = (s + e) / 2
        mx, my = ax + middle * (bx - ax), ay + middle * (by - ay)
        kx = 1 / (axes[1] if mx > 0 else axes[0])
        ky = 1 / (axes[3] if my > 0 else axes[2])
        px, py = (ax + s * (bx - ax)) * kx, (ay + s * (by - ay)) * ky
        qx, qy = (ax + e * (bx - ax)) * kx - px, (ay + e * (by - ay)) * ky - py
        square = qx * qx + qy * qy
        t = min(max(-(px * qx + py * qy) / square, 0.0), 1.0) if square > 0 else 0.0
        best = min(best, np.hypot(px + t * qx, py + t * qy))
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _combine(values, fields, borders, targets, band, length, down, up, sign, whole):  # type: ignore[no-untyped-def]
    """V of each target plane: the smallest over all heights (see the module's text). All lengths in cells.

    whole: whether the solid has nothing before the first and behind the last prism.
    """
    prisms, ny, nx = fields.shape
    tip, field = np.empty((ny, nx), dtype=np.float32), np.empty((ny, nx), dtype=np.float32)
    steep = np.zeros(prisms, dtype=np.bool_)
    for n in range(prisms - 1):
        steep[n] = _any_steep(fields[n], fields[n + 1], (borders[n + 1, 1] - borders[n, 0]) / 2, length)
    for k in range(len(targets)):
        value = values[k]
        w = targets[k]
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
                    _tip(tip, fields, borders, n, n - 1, band)
                    _stretch(value, fields[n], tip, start - w, top - w, length, down, up)
                if n + 1 < prisms:
                    _tip(tip, fields, borders, n + 1, n + 2, band)
                    _stretch(value, tip, fields[n + 1], bottom - w, end - w, length, down, up)
            else:
                _stretch(value, fields[n], fields[n + 1], start - w, end - w, length, down, up)
                if steep[n]:
                    change = STEEP * (end - start)
                    _tip(tip, fields, borders, n, n - 1, band)
                    _only_where_steep(field, tip, fields[n], fields[n + 1], change)
                    _stretch(value, field, tip, start - w, top - w, length, down, up)
                    _tip(tip, fields, borders, n + 1, n + 2, band)
                    _only_where_steep(field, tip, fields[n + 1], fields[n], change)
                    _stretch(value, tip, field, top - w, end - w, length, down, up)
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
def _tip(tip, fields, borders, n, before, band):  # type: ignore[no-untyped-def]
    """The field at the free end of prism n: going on as from the prism before it, so that a wall stays upright and a cap stays round."""
    ny, nx = tip.shape
    touches = 0 <= before < len(fields) and (
        max(borders[n, 0], borders[before, 0]) <= min(borders[n, 1], borders[before, 1]) + 1e-6
    )
    if not touches:
        tip[:] = fields[n]
        return
    half = (borders[n, 1] - borders[n, 0]) / 2
    lean = STEEP * half
    share = half / (half + (borders[before, 1] - borders[before, 0]) / 2)
    for y in range(ny):
        for x in range(nx):
            a, b = fields[before, y, x], fields[n, y, x]
            known = -band < a < NOTHING and -band < b < NOTHING
            tip[y, x] = b + min(max(share * (b - a), -lean), lean) if known else b


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(value, lower, upper, d0, d1, length, down, up):  # type: ignore[no-untyped-def]
    """Takes the stretch with the field `lower` at height d0 and `upper` at d1 into V; heights below the target are negative."""
    if d0 < 0 < d1:
        # The two sides of the target plane may have different lengths.
        _half(value, lower, upper, d0, d1, 0.0, d1, length, down)
        _half(value, lower, upper, d0, d1, d0, 0.0, length, up)
    elif d1 <= 0:
        _half(value, lower, upper, d0, d1, d0, d1, length, up)
    else:
        _half(value, lower, upper, d0, d1, d0, d1, length, down)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _half(value, lower, upper, d0, d1, low, high, length, along):  # type: ignore[no-untyped-def]
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
    ny, nx = value.shape
    # Heights are counted in units of the planar length: d' = d * scale, and so is the slope.
    per_height = np.float32(1 / (d1 - d0) if d1 > d0 else 0.0)
    per_length = np.float32(1 / scale if scale > 0 else 0.0)
    start, lowest, highest = np.float32(d0), np.float32(low), np.float32(high)
    radius, stretch = np.float32(length), np.float32(scale)
    one, none, steep = np.float32(1.0), np.float32(0.0), np.float32(STEEP)
    for y in range(ny):
        for x in range(nx):
            a = lower[y, x]
            slope = (upper[y, x] - a) * per_height
            s = slope * per_length
            d = min(max(-radius * s / np.sqrt(one + s * s) * per_length, lowest), highest)
            rest = d * stretch
            v = a + slope * (d - start) - np.sqrt(max(radius * radius - rest * rest, none))
            value[y, x] = min(value[y, x], v if abs(slope) <= steep else NOTHING)


@njit(cache=True, nogil=True, error_model="numpy")
def _any_steep(lower, upper, height, length):  # type: ignore[no-untyped-def]
    """Whether the solid ends flat between two prisms, their middles `height` apart, somewhere within `length`."""
    for y in range(lower.shape[0]):
        for x in range(lower.shape[1]):
            a, b = lower[y, x], upper[y, x]
            if abs(a - b) > STEEP * height and min(a, b) <= length:
                return True
    return False
