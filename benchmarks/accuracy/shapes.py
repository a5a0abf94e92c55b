"""Shapes that nothing was tuned to, and margins of 0.5 to 50 mm, against closed form: three tables of docs/accuracy.md.

Each body is an implicit function of the point, positive inside, cut by planes at odd offsets; its contours follow it on a lattice of 0.4 mm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from phantoms import planes_grid, rectangle, stack
from tables import largest, put, signed, table

from reviewer.case import Structure
from reviewer.geometry.level import level_rings
from reviewer.geometry.margin import Layered, Sides, margin
from reviewer.geometry.volume import volume_cc

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"

Floats = np.ndarray
Function = Callable[[Floats, Floats, Floats], Floats]

SPACING_MM = 0.4
SLICES = (1.0, 2.0, 2.5, 3.0, 5.0)
OFFSETS = (0.0, 0.17, 0.41, 0.73)
"""Of a body's centre against the nearest plane, in slices."""

PROBES_MM = (0.5, 1.0, 3.0, 8.0, 20.0, 50.0)
PROBED_SLICES = (1.0, 2.0, 3.0)
PROBED_OFFSETS = (0.0, 0.41)


@dataclass(frozen=True)
class Shape:
    """cc: of the body; grown_cc: with a margin in mm (negative: shrunk), None where no closed form is known.

    half_mm: of a box around it. thickness: radius of the largest ball within, 0 where shrinking has no closed form.
    """

    name: str
    inside: Function
    half_mm: tuple[float, float, float]
    cc: float
    grown_cc: Callable[[float], float] | None = None
    thickness: float = 0.0


def shapes() -> list[Shape]:
    """One or several of each kind; the tilts are 25 to 70 degrees about an oblique axis."""
    found = [
        _sphere(10.0),
        _torus(22.0, 8.0, 0.0),
        _torus(22.0, 8.0, 0.6),
        _torus(22.0, 8.0, math.pi / 2),
        _shell(20.0, 12.0),
    ]
    found += [_ellipsoid((20.0, 13.0, 9.0), tilt) for tilt in (0.0, 0.5, 1.1)]
    found += [_capsule(9.0, 34.0, tilt) for tilt in (0.5, 1.2)]
    found += [_cylinder(9.0, 36.0, tilt) for tilt in (0.5, 1.2)]
    found += [_lens(20.0, 17.0, 18.0, tilt) for tilt in (0.0, 0.7, math.pi / 2)]
    found += [_merging(11.0, 18.0, tilt) for tilt in (0.0, 0.7, math.pi / 2)]
    found += [_apart(9.0)]
    found += [_blob(seed) for seed in range(4)]
    return found


def _turned(inside: Function, tilt: float) -> Function:
    """The body turned about an axis that lies obliquely in the plane."""
    x, y = 1 / math.hypot(1, 0.4), 0.4 / math.hypot(1, 0.4)
    cross = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    turn = np.eye(3) + math.sin(tilt) * cross + (1 - math.cos(tilt)) * cross @ cross

    def turned(x: Floats, y: Floats, z: Floats) -> Floats:
        return inside(*(turn[0, i] * x + turn[1, i] * y + turn[2, i] * z for i in range(3)))

    return turned


def _ball_cc(r: float) -> float:
    return 4 / 3 * math.pi * max(r, 0.0) ** 3 / 1000


def _sphere(r: float) -> Shape:
    return Shape(
        f"sphere {r:g} mm",
        lambda x, y, z: r**2 - x**2 - y**2 - z**2,
        (r, r, r),
        _ball_cc(r),
        lambda mm: _ball_cc(r + mm),
        r,
    )


def _shell(outer: float, inner: float) -> Shape:
    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        square = x**2 + y**2 + z**2
        return np.minimum(outer**2 - square, square - inner**2)

    def grown(mm: float) -> float:
        return _ball_cc(outer + mm) - _ball_cc(inner - mm) if outer + mm > inner - mm else 0.0

    return Shape("hollow sphere", inside, (outer,) * 3, grown(0.0), grown, (outer - inner) / 2)


def _torus(ring: float, tube: float, tilt: float) -> Shape:
    def grown(mm: float) -> float:
        """What lies within tube + mm of the circle, which may close its eye: by discs of revolution."""
        a = tube + mm
        if a <= 0:
            return 0.0
        z = a * np.sin((np.arange(4000) + 0.5) / 4000 * math.pi - math.pi / 2)
        reach = np.sqrt(a**2 - z**2)
        area = math.pi * ((ring + reach) ** 2 - np.maximum(ring - reach, 0.0) ** 2)
        return float((area * reach).sum() * math.pi / 4000) / 1000

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        return tube**2 - (np.hypot(x, y) - ring) ** 2 - z**2

    return Shape("torus", _turned(inside, tilt), (ring + tube,) * 3, grown(0.0), grown, tube)


def _ellipsoid(axes: tuple[float, float, float], tilt: float) -> Shape:
    a, b, c = axes

    def grown(mm: float) -> float:
        """Steiner: V + S m + M m^2 + 4/3 pi m^3, S and M (the integral of the mean curvature) by quadrature."""
        return (4 / 3 * math.pi * a * b * c + area * mm + bend * mm**2 + 4 / 3 * math.pi * mm**3) / 1000

    t, p = np.meshgrid((np.arange(800) + 0.5) / 800 * math.pi, (np.arange(800) + 0.5) / 800 * 2 * math.pi)
    n = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)])
    patch = np.sin(t) * (math.pi / 800) * (2 * math.pi / 800)
    # With the support function h(n) = |(a n1, b n2, c n3)|: M is its integral over all directions, S that of h times the sum of its minors.
    height = np.sqrt((a * n[0]) ** 2 + (b * n[1]) ** 2 + (c * n[2]) ** 2)
    bend = float((height * patch).sum())
    area = float((a * b * c * np.sqrt((n[0] / a) ** 2 + (n[1] / b) ** 2 + (n[2] / c) ** 2) * patch).sum())

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        return 1 - (x / a) ** 2 - (y / b) ** 2 - (z / c) ** 2

    return Shape("ellipsoid", _turned(inside, tilt), (a, a, a), grown(0.0), grown, 0.0)


def _capsule(r: float, length: float, tilt: float) -> Shape:
    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        return r**2 - x**2 - y**2 - (z - np.clip(z, -length / 2, length / 2)) ** 2

    def grown(mm: float) -> float:
        return _ball_cc(r + mm) + math.pi * max(r + mm, 0.0) ** 2 * length / 1000

    half = length / 2 + r
    return Shape("tilted capsule", _turned(inside, tilt), (half,) * 3, grown(0.0), grown, r)


def _cylinder(r: float, length: float, tilt: float) -> Shape:
    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        return np.minimum(r - np.hypot(x, y), length / 2 - np.abs(z))

    def grown(mm: float) -> float:
        """Steiner: S = 2 pi r (r + l), M = pi l + pi^2 r."""
        area, bend = 2 * math.pi * r * (r + length), math.pi * length + math.pi**2 * r
        return (math.pi * r**2 * length + area * mm + bend * mm**2 + 4 / 3 * math.pi * mm**3) / 1000

    half = math.hypot(length / 2, r)
    return Shape("tilted cylinder", _turned(inside, tilt), (half,) * 3, grown(0.0), grown, 0.0)


def _lens(one: float, other: float, apart: float, tilt: float) -> Shape:
    """What two balls have in common."""
    middle = (apart**2 + one**2 - other**2) / (2 * apart)
    caps = one - middle, other - (apart - middle)
    edge = math.sqrt(one**2 - middle**2)
    volume = sum(math.pi * h**2 * (3 * r - h) / 3 for h, r in zip(caps, (one, other), strict=True))
    area = sum(2 * math.pi * r * h for h, r in zip(caps, (one, other), strict=True))
    turning = math.atan2(middle, edge) + math.atan2(apart - middle, edge)  # of the normal, across the edge
    bend = sum(2 * math.pi * h for h in caps) + math.pi * edge * turning

    def grown(mm: float) -> float:
        return (volume + area * mm + bend * mm**2 + 4 / 3 * math.pi * mm**3) / 1000

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        across = x**2 + y**2
        return np.minimum(one**2 - across - (z + middle) ** 2, other**2 - across - (z - apart + middle) ** 2)

    return Shape("lens", _turned(inside, tilt), (max(edge, *caps),) * 3, grown(0.0), grown, sum(caps) / 2)


def _merging(r: float, apart: float, tilt: float) -> Shape:
    """Two balls that overlap."""
    common = math.pi * (2 * r - apart) ** 2 * (apart**2 + 4 * apart * r) / (12 * apart) / 1000

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        across = x**2 + y**2
        return np.maximum(*(r**2 - across - (z - side * apart / 2) ** 2 for side in (-1, 1)))

    return Shape("two spheres that merge", _turned(inside, tilt), (apart / 2 + r,) * 3, 2 * _ball_cc(r) - common)


def _apart(r: float) -> Shape:
    """One above the other, 11 mm between them: empty planes in the midst of a structure."""
    away = r + 5.5

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        across = x**2 + y**2
        return np.maximum(*(r**2 - across - (z - side * away) ** 2 for side in (-1, 1)))

    return Shape("two spheres, a gap", inside, (r, r, away + r), 2 * _ball_cc(r))


def _blob(seed: int) -> Shape:
    """A ball of 16 mm with waves: r(n) = 16 + sum of c cos(k n + phase) over eight random k of up to 3 waves; V is the integral of r^3 / 3."""
    random = np.random.default_rng(seed)
    waves, phases = random.normal(0.0, 1.7, (8, 3)), random.uniform(0, 2 * math.pi, 8)

    def radius(x: Floats, y: Floats, z: Floats) -> Floats:
        return 16 + sum(0.9 * np.cos(k[0] * x + k[1] * y + k[2] * z + p) for k, p in zip(waves, phases, strict=True))

    def inside(x: Floats, y: Floats, z: Floats) -> Floats:
        away = np.sqrt(x**2 + y**2 + z**2) + 1e-9
        return radius(x / away, y / away, z / away) - away

    t, p = np.meshgrid((np.arange(600) + 0.5) / 600 * math.pi, (np.arange(600) + 0.5) / 600 * 2 * math.pi)
    patch = np.sin(t) * (math.pi / 600) * (2 * math.pi / 600)
    reach = radius(np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t))
    return Shape("random smooth blobs", inside, (24.0,) * 3, float((reach**3 / 3 * patch).sum()) / 1000)


# -- drawn on planes ---------------------------------------------------------------------------------------------------


def drawn(shape: Shape, planes: Floats, middle: float) -> Structure:
    """The shape with its middle at (0.31, -0.17, middle) mm."""
    half = max(shape.half_mm[:2]) + 1.0
    steps = math.ceil(half / SPACING_MM)
    across = np.arange(-steps, steps + 1) * SPACING_MM
    x, y = np.meshgrid(across, across)

    def rings(w: float) -> list[Floats] | None:
        z = w - middle
        if abs(z) > shape.half_mm[2]:
            return None
        found = level_rings(shape.inside(x, y, np.full_like(x, z)), 0.0)
        return [ring * SPACING_MM + across[0] + (0.31, -0.17) for ring in found if len(ring) > 3] or None

    return stack(planes_grid(planes, half=120.0), rings, shape.name)


def even(slices: float, reach: float) -> Floats:
    count = math.ceil(reach / slices) + 2
    return np.arange(-count, count + 1) * slices


def uneven(seed: int, reach: float) -> Floats:
    """Planes 1.5 to 4 mm apart."""
    steps = np.random.default_rng(seed).uniform(1.5, 4.0, math.ceil(2 * reach / 2.5) + 6)
    planes = np.cumsum(steps)
    return planes - planes[len(planes) // 2]


def worst_volume(same: Sequence[Shape], slices: float, offsets: Sequence[float]) -> str:
    """The largest error of the volume of shapes, in %, on even slices that stand so many of their distances off the middle."""
    errors = [
        _error(volume_cc(drawn(shape, even(slices, shape.half_mm[2]), offset * slices)), shape.cc)
        for shape, offset in product(same, offsets)
    ]
    return signed(largest(errors))


def volumes() -> str:
    kinds: dict[str, list[Shape]] = {}
    for shape in shapes():
        kinds.setdefault(shape.name, []).append(shape)
    rows = []
    for name, same in kinds.items():
        cells = [worst_volume(same, slices, OFFSETS) for slices in SLICES]
        errors = [
            _error(volume_cc(drawn(shape, uneven(seed, shape.half_mm[2]), 0.4)), shape.cc)
            for shape, seed in product(same, range(3))
        ]
        rows.append([name, *cells, signed(largest(errors))])
    return table(["shape", *(f"{slices:g} mm" for slices in SLICES), "uneven, 1.5 to 4 mm"], rows)


def _error(cc: float, truth: float) -> float:
    """Percent."""
    return 100 * (cc / truth - 1)


def probes() -> str:
    """Grown, and shrunk as far as a quarter of its thickness is left; the largest error over offsets."""
    chosen = [_sphere(10.0), _torus(22.0, 8.0, 0.6), _shell(20.0, 12.0), _ellipsoid((20.0, 13.0, 9.0), 0.5)]
    chosen += [_capsule(9.0, 34.0, 1.2), _lens(20.0, 17.0, 18.0, 0.7)]
    lengths = [*PROBES_MM, *(-mm for mm in PROBES_MM[:3])]
    rows = []
    for shape, slices in product(chosen, PROBED_SLICES):
        cells: dict[float, list[float]] = {}
        vanishing: list[float] = []
        for offset in PROBED_OFFSETS:
            body = drawn(shape, even(slices, shape.half_mm[2] + PROBES_MM[-1]), offset * slices)
            for mm in lengths:
                if mm < 0 and (not shape.thickness or -mm > 0.75 * shape.thickness or shape.name == "lens"):
                    continue
                assert shape.grown_cc is not None
                cells.setdefault(mm, []).append(_error(_with_margin(body, Sides.all_around(mm)), shape.grown_cc(mm)))
            if shape.thickness:
                vanishing.append(_vanishes(body, shape.thickness))
        last = f"{largest(vanishing):+.2f} mm" if vanishing else ""
        rows.append(
            [shape.name, f"{slices:g} mm", *(signed(largest(cells[mm])) if mm in cells else "" for mm in lengths), last]
        )
    return table(["shape", "slices", *(f"{mm:+g} mm" for mm in lengths), "gone at"], rows)


def _with_margin(body: Structure, sides: Sides) -> float:
    return volume_cc(Layered(body.grid, margin(body, sides, body.grid)))


def _vanishes(body: Structure, thickness: float) -> float:
    """From which margin on nothing is left, found by halving, less the radius of the largest ball in the body."""
    low, high = 0.0, 2 * thickness
    while high - low > 0.02:
        middle = (low + high) / 2
        low, high = (middle, high) if margin(body, Sides.all_around(-middle), body.grid) else (low, middle)
    return high - thickness


def directions() -> str:
    """A box with ends on slab borders, grown and shrunk towards one side, and towards all sides by different lengths."""
    rows = []
    sides = ("left", "right", "ant", "post", "sup", "inf")
    for slices in PROBED_SLICES:
        half = (math.floor(15 / slices) + 0.5) * slices
        a, b, c = 36.0, 24.0, 2 * half
        body = stack(
            planes_grid(even(slices, half + PROBES_MM[-1]), half=120.0),
            lambda w, half=half: [rectangle(0.31 - 18, -0.17 - 12, 0.31 + 18, -0.17 + 12)] if abs(w) < half else None,
        )
        face = {"left": b * c, "right": b * c, "ant": a * c, "post": a * c, "sup": a * b, "inf": a * b}
        cells = []
        for mm in PROBES_MM:
            whole = min(round(mm / slices), int(PROBES_MM[-1] / slices)) * slices  # along the slices, what can be met
            errors = []
            for side in sides:
                length = whole if side in ("sup", "inf") else mm
                if length:
                    only = Sides(**{s: length if s == side else 0.0 for s in sides})
                    errors.append(_error(_with_margin(body, only), (a * b * c + face[side] * length) / 1000))
            cells.append(signed(largest(errors)))
        shrunk = [
            _error(
                _with_margin(body, Sides(**{s: -3.0 * (s == side) for s in sides})), (a * b * c - 3 * face[side]) / 1000
            )
            for side in ("left", "right", "ant", "post")
        ]
        up, down = round(6 / slices) * slices, round(9 / slices) * slices
        every = Sides(left=3.0, right=8.0, ant=5.0, post=1.0, sup=up, inf=down)
        cells += [signed(largest(shrunk)), signed(_error(_with_margin(body, every), _octants_cc(a, b, c, every)))]
        rows.append([f"{slices:g} mm", *cells])
    heads = [*(f"one side +{mm:g} mm" for mm in PROBES_MM), "one side -3 mm", "six different sides"]
    return table(["slices", *heads], rows)


def _octants_cc(a: float, b: float, c: float, sides: Sides) -> float:
    """A box grown by the body of eight ellipsoid octants: the box, slabs on its faces, quarter ellipses along its edges, octants at its corners."""
    us, vs, ws = (sides.left, sides.right), (sides.ant, sides.post), (sides.sup, sides.inf)
    volume = a * b * c + b * c * sum(us) + a * c * sum(vs) + a * b * sum(ws)
    for length, some, others in ((a, vs, ws), (b, us, ws), (c, us, vs)):
        volume += length * math.pi / 4 * sum(some) * sum(others)
    return (volume + math.pi / 6 * sum(us) * sum(vs) * sum(ws)) / 1000


if __name__ == "__main__":
    put(DOCUMENT, {"shapes": volumes(), "probes": probes(), "directions": directions()})
