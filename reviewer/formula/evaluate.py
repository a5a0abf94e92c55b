"""A formula evaluated onto the planes of a grid, and kept up to date plane by plane.

Every node of the tree remembers the planes that it last had. `Evaluation.update` finds out which planes of which structures moved and computes
again only what those can reach: the same planes through a boolean, the planes within its length through a margin.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from operator import sub
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.case import Dose, Structure
from reviewer.edit.operations.parts import connected, filled
from reviewer.errors import GeometryError
from reviewer.formula.grammar import (
    Boolean,
    Clean,
    FormulaError,
    IsodoseVolume,
    Margin,
    Name,
    Node,
    Ring,
    children,
    mentions,
)
from reviewer.geometry.grid import AXIS_TOLERANCE, POSITION_TOLERANCE_MM, Grid
from reviewer.geometry.level import level_rings
from reviewer.geometry.margin import Layered, Sides, beyond_mm, margin
from reviewer.geometry.memo import Memo
from reviewer.geometry.overlay import either, shared, united, without
from reviewer.geometry.region import Region, region_of, region_of_rings
from reviewer.geometry.reslice import PlaneSampling, reslice
from reviewer.geometry.section import section
from reviewer.geometry.solid import Solid, solid, unlike
from reviewer.geometry.stack import Stack

Planes = dict[int, Region]
Moved = frozenset[int] | None
"""Planes that moved; None for all of them."""

NONE_MOVED: frozenset[int] = frozenset()

SMOOTH_STEPS = 16
"""Segments of a quarter circle in smoothing: the arc of 5 mm is met within 0.006 mm."""


SAME = 1e-6
"""Part of a dose that is rounding."""

REMEMBERED = 500_000
"""Points of planes that an evaluation remembers: 8 MB, a hundred strokes on a GTV."""


class Sources(Protocol):
    """Where a formula finds what it names; `reviewer.formula.derivations` answers from a case. Both raise FormulaError at the node's place."""

    def structure(self, node: Name) -> Structure:
        """The structure of that name as it is now."""

    def dose(self, node: IsodoseVolume, frame_uid: str) -> tuple[Dose, NDArray[np.float64], float | None]:
        """The dose of that name, the (4, 4) map of the frame to the dose's, and the Gy that are 100 % (None: unknown)."""


def reach_mm(node: Node) -> float:
    """How far beyond the named structures a formula's result can lie."""
    below = max((reach_mm(child) for child in children(node)), default=0.0)
    match node:
        case Margin(_, mm):
            return below + max(0.0, *(length for _, length in mm))
        case Ring(_, _, outer):
            return below + outer
        case _:
            return below


def grid_for(node: Node, named: Sequence[Structure]) -> Grid:
    """The planes that a result lies on: those of the first structure, carried on at its end spacing where they are only its own.

    Raises GeometryError where the structures lie in different frames of reference or orientations.
    """
    first = named[0].grid
    for other in named[1:]:
        if other.grid.frame_of_reference_uid != first.frame_of_reference_uid:
            raise GeometryError(
                f"{named[0].name} and {other.name} lie in different frames of reference",
                remedy="carry one of them over to the other image first",
            )
    image = next((s.grid for s in named if s.image_id is not None), None)
    if image is not None:
        return image
    w, reach = first.positions_mm, reach_mm(node)
    step = first.spacing_w_mm
    before = np.arange(-np.ceil(reach / step), 0) * step + w[0]
    after = w[-1] + np.arange(1, np.ceil(reach / step) + 1) * step
    return replace(first, positions_mm=np.concatenate([before, w, after]))


def onto(stack: Stack, grid: Grid) -> Mapping[int, Region]:
    """The regions of a stack on the planes of a grid in the same frame: its own where the planes coincide, else cuts of its solid."""
    own = stack.grid
    if own is grid or (
        np.allclose(own.axes, grid.axes, atol=AXIS_TOLERANCE)
        and len(own.positions_mm) == len(grid.positions_mm)
        and np.allclose(own.positions_mm, grid.positions_mm, atol=POSITION_TOLERANCE_MM)
    ):
        return stack.planes
    cuts = {}
    for k, w in enumerate(grid.positions_mm):
        cut = section(stack, None, w * grid.axes[2], grid.axes[0], grid.axes[1])
        if cut is not None:
            cuts[k] = cut
    return cuts


class Evaluation:
    """One formula on one grid. `planes` is its present value; `warnings` says what had to be cut off."""

    def __init__(self, text: str, node: Node, grid: Grid, sources: Sources) -> None:
        self.text, self.node, self.grid = text, node, grid
        self.sources = sources
        self._all = frozenset(range(len(grid.positions_mm)))
        self._w: list[float] = grid.positions_mm.tolist()
        self._solid_mm = 3 * max(map(sub, self._w[1:], self._w), default=0.0)
        self._known: dict[Node, Planes] = {}
        self._held: dict[Node, frozenset[int]] = {}
        self._stacks: dict[Node, Stack] = {}
        self._grown: dict[tuple[Node, Node], Solid] = {}
        self._warnings: dict[Node, str] = {}
        self._moved: dict[Node, Moved] = {}
        self._results: Memo[tuple[Region | None]] = Memo(REMEMBERED)
        self._bring(node, {}, self._all)
        self._taken = self._named()

    @property
    def planes(self) -> Planes:
        return dict(self._known[self.node])

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._warnings[part] for part in self._missed(self.node)))

    def _missed(self, node: Node) -> dict[Node, float]:
        """What was cut off below a node and is missed in it, and by how much (mm) the lack can be felt within the end of what is known.

        Nothing beyond that end can be taken from, or shared with, what ends before it.
        """
        below = [self._missed(child) for child in children(node)]
        match node:
            case Boolean("-", left, right):
                missed = below[0] | self._felt_in(left, below[1], node)
            case Boolean("&", left, right) if not all(below):
                missed = self._felt_in(right, below[0], node) | self._felt_in(left, below[1], node)
            case _:
                # A margin is built around a structure's own planes, none of which is cut off.
                whole = [part for part in _made_of(node) if isinstance(part, Name)] if _own_reach_mm(node) else []
                found = {part: mm for side in below for part, mm in side.items() if part not in whole}
                missed = {part: mm + _felt_mm(node) for part, mm in found.items()}
        return missed | {node: 0.0} if node in self._warnings else missed

    def _felt_in(self, node: Node, missed: Mapping[Node, float], above: Node) -> dict[Node, float]:
        """Those of `missed` that are missed where the value of a node lies; wherever that is not known on planes that the one above is made on."""
        if not self._held[node] >= self._held[above]:
            return dict(missed)
        return {part: mm for part, mm in missed.items() if self._reaches_end(node, part, mm)}

    def _reaches_end(self, node: Node, part: Node, mm: float) -> bool:
        """Whether a node's value lies somewhere beyond the end of what a part was cut off by, image or dose, or less than `mm` within it."""
        if not np.isfinite(mm):
            return True
        known = self._known[node]
        if not isinstance(part, IsodoseVolume):
            return any(not self._w[0] + mm <= self._w[k] <= self._w[-1] - mm for k in known)
        dose, to_dose, _ = self._level(part)
        low, high = dose.grid.uvw_mm(dose.grid.point_of_index_mm(np.array([(0, 0, 0), dose.grid.shape_zyx]) - 0.5))
        for k, region in known.items():
            uv = shapely.get_coordinates(region)
            here = self.grid.point_mm(np.column_stack([uv, np.full(len(uv), self._w[k])]))
            uvw = dose.grid.uvw_mm(here @ to_dose[:3, :3].T + to_dose[:3, 3])
            inside = np.minimum(uvw - low, high - uvw).min()
            if inside < mm - POSITION_TOLERANCE_MM:
                return True
        return False

    def update(self, sources: Sources) -> None:
        """Take in the named structures as they are now, whatever became of them meanwhile. Raises as making the evaluation does."""
        self.sources = sources
        now = self._named()
        self._bring(
            self.node, {name: _moved(self._taken[name], structure) for name, structure in now.items()}, self._all
        )
        self._taken = now

    def _named(self) -> dict[str, Structure]:
        return {mention.name: self.sources.structure(mention) for mention in mentions(self.node)}

    def _bring(self, node: Node, moved: Mapping[str, Moved], wanted: frozenset[int]) -> Moved:
        """Make a node's value hold on the `wanted` planes; returns the planes that differ from before, or are not known any more."""
        match node:
            case Name():
                wanted = self._all
            case Boolean("-" | "&", left, right):
                # Where there is nothing of the first, the second does not matter: no margin of a whole colon for a small PTV.
                self._bring(left, moved, wanted)
                self._bring(right, moved, wanted & self._known[left].keys())
            case Boolean() | Clean("smooth" | "fill"):
                for child in children(node):
                    self._bring(child, moved, wanted)
            case _:
                for child in children(node):
                    self._bring(child, moved, self._all)
        affected = None
        if node in self._known:
            affected = self._affected(node, [self._moved[part] for part in _made_of(node)], moved, wanted)
        if affected is None or affected:
            self._stacks.pop(node, None)
        if affected is None:
            self._known[node], self._held[node] = self._computed(node, wanted), wanted
            self._keep(node, wanted)
            self._note_end(node)
        elif affected or not wanted <= self._held[node]:
            before, held = self._known[node], self._held[node] - affected
            anew = wanted - held
            found = self._remembered(node, anew) if anew else {}
            self._known[node] = {k: r for k, r in before.items() if k in held} | found
            self._held[node] = held | anew
            if affected:
                self._note_end(node)
            affected = (affected - anew) | frozenset(k for k in anew if found.get(k) is not before.get(k))
        self._moved[node] = affected
        return affected

    def _remembered(self, node: Node, planes: frozenset[int]) -> Planes:
        """The same as `_computed`, but planes made from the very same regions as once before, as after an undo, are the same objects again.

        A plane that comes out as it was before stays the same object, too: whatever is known of it still holds.
        """
        sources = self._sources(node, planes)
        known = {k: self._results.get(regions, (node, k)) for k, regions in sources.items()}
        missing = frozenset(k for k in planes if known.get(k) is None)
        before = self._known[node]
        for k, region in self._computed(node, missing).items() if missing else ():
            old = before.get(k)
            same = old is not None and old.equals_exact(region, 0.0)
            known[k] = (old if same else region,)
        for k in missing:
            result = known[k] = known.get(k) or (None,)
            if k in sources:
                weight = 1 + (0 if result[0] is None else int(shapely.get_num_coordinates(result[0])))
                self._results.put(sources[k], result, weight, (node, k))
        return {k: result[0] for k, result in known.items() if result is not None and result[0] is not None}

    def _keep(self, node: Node, planes: frozenset[int]) -> None:
        """Planes that are as they are although regions about them moved: should these come again, as by an undo, so do the very same planes."""
        known = self._known[node]
        for k, regions in self._sources(node, planes).items():
            self._results.put(regions, (known.get(k),), 1, (node, k))

    def _sources(self, node: Node, planes: frozenset[int]) -> dict[int, tuple[Region | None, ...]]:
        """The regions that each plane of a node is made from; nothing where that cannot be told."""
        if isinstance(node, (Name, IsodoseVolume)) or (isinstance(node, Clean) and node.kind == "largest"):
            return {}
        parts = _made_of(node)
        if any(self._stacks[part].grid is not self.grid for part in parts if isinstance(part, Name)):
            return {}  # what it is made from lies on other planes
        mm, below = _own_reach_mm(node), [self._known[part] for part in parts]
        near = {k: self._about(k, k, mm) for k in planes}
        return {k: tuple(some.get(j) for some in below for j in near[k]) for k in planes}

    def _affected(self, node: Node, below: list[Moved], moved: Mapping[str, Moved], wanted: frozenset[int]) -> Moved:
        match node:
            case Name(name):
                planes = moved.get(name, NONE_MOVED)
                return planes if not planes or self.sources.structure(node).grid is self.grid else None
            case IsodoseVolume():
                return NONE_MOVED
            case Clean("largest"):
                return None if any(m is None or m for m in below) else NONE_MOVED
            case _:
                if any(m is None for m in below):
                    return None
                planes = self._within(frozenset(k for m in below if m for k in m), _own_reach_mm(node))
                # Whether it is worth a look at the solids themselves, which would only be made for it, depends on who asks.
                reached = planes & self._reached(node, planes) if planes & wanted else planes
                self._keep(node, (planes - reached) & self._held[node])
                return reached

    def _within(self, planes: frozenset[int], mm: float) -> frozenset[int]:
        """The planes that a change of `planes` can reach at most."""
        return planes if not planes or mm == 0 else frozenset(self._about(min(planes), max(planes), mm))

    def _about(self, first: int, last: int, mm: float) -> range:
        """The planes that a change of two and of what is between them can reach: a cap begins one plane beyond the last three, which shape it."""
        if mm == 0:
            return range(first, last + 1)
        return self._from_to(self._w[first] - mm - self._solid_mm, self._w[last] + mm + self._solid_mm)

    def _from_to(self, low: float, high: float) -> range:
        return range(bisect_left(self._w, low), bisect_right(self._w, high))

    def _reached(self, node: Node, planes: frozenset[int]) -> frozenset[int]:
        """Those of `planes` that the solids of what a margin is made from reach where they are not as they were; all where that is not known."""
        if not isinstance(node, (Margin, Ring)):
            return planes
        found: frozenset[int] = frozenset()
        mm = _own_reach_mm(node)
        for part in _made_of(node):
            before = self._grown.get((node, part))
            if before is None:
                return planes
            # Margins are drawn across the borders of prisms: one more to either side.
            now = self._grown[node, part] = solid(
                self._stack(part)
            )  # also where all that is reached is only remembered
            differing = unlike(before, now, beyond=1)
            if differing is not None:
                found |= frozenset(self._from_to(differing[0] - mm, differing[1] + mm))
        return found

    def _computed(self, node: Node, planes: frozenset[int]) -> Planes:
        match node:
            case Name():
                structure = self.sources.structure(node)
                self._stacks[node] = structure
                return _picked(onto(structure, self.grid), planes)
            case Boolean(operator, left, right):
                return self._combined(operator, self._known[left], self._known[right], planes)
            case Margin(of, mm):
                return self._with_margin(node, of, Sides(**dict(mm)), planes)
            case Ring(of, inner, outer):
                wide = self._with_margin(node, of, Sides.all_around(outer), planes)
                near = self._with_margin(node, of, Sides.all_around(inner), planes)
                return self._combined("-", wide, near, planes)
            case IsodoseVolume():
                return self._isodose(node, planes)
            case Clean(kind, of, mm):
                regions = _picked(self._known[of], planes)
                if kind == "largest":
                    return largest_part(self._known[of])
                cleaned = {k: _smoothed(r, mm) if kind == "smooth" else filled(r) for k, r in regions.items()}
                return {k: r for k, r in cleaned.items() if r is not None}

    def _stack(self, node: Node) -> Stack:
        """A node's value as a Stack, the same object as long as it does not change: solids are kept by object."""
        if node not in self._stacks or self._stacks[node].grid is not self.grid:
            self._stacks[node] = Layered(self.grid, self._known[node])
        return self._stacks[node]

    def _with_margin(self, node: Node, of: Node, sides: Sides, planes: frozenset[int]) -> Planes:
        if not sides.reach_mm:
            return _picked(self._known[of], planes)
        parts = _united(of, sides)
        if sides in (sides.grown, sides.shrunk):  # else it is the grown solid that is shrunk
            self._grown.update(((node, part), solid(self._stack(part))) for part in parts)
        first, *others = (margin(self._stack(part), sides, self.grid, planes) for part in parts)
        for other in others:
            first = self._combined("|", first, other, planes)
        return first

    def _note_end(self, node: Node) -> None:
        match node:
            case IsodoseVolume():
                if self._goes_beyond(node):
                    excerpt = self.text[node.span.start : node.span.end]
                    self._warnings[node] = f"“{excerpt}” is cut off where the dose ends: what lies beyond is not known"
                return
            case Name():
                worst = self._drawn_beyond_mm(self.sources.structure(node))
            case Margin(of, mm):
                worst = self._grown_beyond_mm(of, Sides(**dict(mm)))
            case Ring(of, _, outer):
                worst = self._grown_beyond_mm(of, Sides.all_around(outer))
            case _:
                return
        if worst > POSITION_TOLERANCE_MM:
            excerpt = self.text[node.span.start : node.span.end]
            self._warnings[node] = f"“{excerpt}” is cut off where the image ends: {worst:.1f} mm of it lie beyond"
        else:
            self._warnings.pop(node, None)

    def _grown_beyond_mm(self, of: Node, sides: Sides) -> float:
        return max(mm for part in _united(of, sides) for mm in beyond_mm(self._stack(part), sides, self.grid))

    def _drawn_beyond_mm(self, structure: Structure) -> float:
        """How far a structure that was drawn on other planes goes beyond these, 0 where it does not."""
        own = structure.grid
        if own is self.grid or structure.empty:
            return 0.0
        boxes = [(region.bounds, own.positions_mm[k]) for k, region in structure.planes.items()]
        corners = [(u, v, w) for (u0, v0, u1, v1), w in boxes for u in (u0, u1) for v in (v0, v1)]
        across = self.grid.uvw_mm(own.point_mm(corners))[:, 2]
        low, high = self.grid.slab_borders_mm[[0, -1]]
        return max(float(low - across.min()), float(across.max() - high), 0.0)

    @staticmethod
    def _combined(operator: str, left: Planes, right: Planes, planes: frozenset[int]) -> Planes:
        found: Planes = {}
        for k in (left.keys() | right.keys()) & planes:
            region = _both(operator, left.get(k), right.get(k))
            if region is not None:
                found[k] = region
        return found

    def _level(self, node: IsodoseVolume) -> tuple[Dose, NDArray[np.float64], float]:
        """The dose, the map of the structures' frame to its own, and what lies above the level in Gy: a plateau at the level, too."""
        dose, to_dose, reference = self.sources.dose(node, self.grid.frame_of_reference_uid)
        if node.unit == "Gy":
            return dose, to_dose, node.level * (1 - SAME)
        if reference is None:
            raise FormulaError(
                f"“{node.dose}” has no prescription that could be 100 %",
                self.text,
                node.span,
                remedy="give the level in Gy",
            )
        return dose, to_dose, node.level / 100 * reference * (1 - SAME)

    def _goes_beyond(self, node: IsodoseVolume) -> bool:
        """Whether an isodose reaches the border of its dose, beyond which none is known."""
        dose, _, gray = self._level(node)
        faces = [
            side for axis in range(3) for side in np.moveaxis(dose.gray, axis, 0)[[0, -1]] if dose.gray.shape[axis] > 1
        ]
        return any(bool((face >= gray).any()) for face in faces)

    def _isodose(self, node: IsodoseVolume, planes: frozenset[int]) -> Planes:
        dose, to_dose, gray = self._level(node)
        # To where the voxels end, half of one beyond their centres.
        ends = [(1e-6 - 0.5, n - 0.5 - 1e-6) for n in dose.grid.shape_zyx]
        corners = dose.grid.point_of_index_mm(list(product(*ends)))
        here = (np.hstack([corners, np.ones((8, 1))]) @ np.linalg.inv(to_dose).T)[:, :3]
        uvw = self.grid.uvw_mm(here)
        low, high = uvw.min(axis=0), uvw.max(axis=0)
        spans = np.ceil((high - low)[:2] / (min(dose.grid.spacing_uv_mm) / 2)).astype(int)
        steps = (high - low)[:2] / spans
        size = int(spans[0]) + 1, int(spans[1]) + 1
        right, down = ((float(a[0]), float(a[1]), float(a[2])) for a in self.grid.axes[:2])
        found: Planes = {}
        for k in sorted(planes):
            w = self.grid.positions_mm[k]
            if not low[2] <= w <= high[2]:
                continue
            x, y, z = (float(c) for c in self.grid.point_mm([low[0], low[1], w]))
            lattice = PlaneSampling((x, y, z), right, down, (float(steps[0]), float(steps[1])), size)
            values, inside = reslice(dose.gray, dose.grid, to_dose, lattice)
            rings = level_rings(np.where(inside, values, -1.0), gray)
            # Around samples at the very end the ring runs a part of a step beyond them.
            region = region_of_rings([np.clip(ring, 0, np.array(size) - 1) * steps + low[:2] for ring in rings])
            if region is not None:
                found[k] = region
        return found


def _moved(before: Structure, now: Structure) -> Moved:
    """By the structure's own grid."""
    if before is now:
        return NONE_MOVED
    old, new = before.planes, now.planes
    return (
        frozenset(k for k in old.keys() | new.keys() if old.get(k) is not new.get(k))
        if before.grid is now.grid
        else None
    )


def largest_part(planes: Mapping[int, Region]) -> Planes:
    """The part with the largest sum of areas; parts of neighbouring planes belong together where they overlap."""
    bodies = connected({k: list(shapely.get_parts(region)) for k, region in planes.items()})
    if len(bodies) < 2:
        return dict(planes)
    best = max(bodies, key=lambda body: sum(part.area for parts in body.values() for part in parts))
    return {k: region for k, parts in best.items() if (region := region_of(shapely.multipolygons(parts))) is not None}


@lru_cache(1000)
def _made_of(node: Node) -> tuple[Node, ...]:
    """The nodes whose solids or planes a node is made from."""
    match node:
        case Margin(of, mm):
            return tuple(_united(of, Sides(**dict(mm))))
        case Ring(of, _, outer):
            return (*_united(of, Sides.all_around(outer)), of)
        case _:
            return children(node)


def _own_reach_mm(node: Node) -> float:
    match node:
        case Margin(_, mm):
            return max(abs(length) for _, length in mm)
        case Ring(_, _, outer):
            return outer
        case _:
            return 0.0


def _felt_mm(node: Node) -> float:
    """How far from a place a node's result can change where what it is made from does."""
    match node:
        case Clean("smooth", _, mm):
            return 2 * mm
        case Clean():
            return np.inf
        case _:
            return _own_reach_mm(node)


def _picked(regions: Mapping[int, Region], planes: frozenset[int]) -> Planes:
    return {k: r for k, r in regions.items() if k in planes}


def _both(operator: str, left: Region | None, right: Region | None) -> Region | None:
    match operator:
        case "|" | "^" if left is None or right is None:
            return left if right is None else right
        case "&" if left is None or right is None:
            return None
        case "-" if left is None or right is None or shapely.disjoint(left, right):
            return left  # the very same, so that what is known of it holds for the result
        case "|":
            return region_of(united(left, right))
        case "&":
            return region_of(shared(left, right))
        case "-":
            return region_of(without(left, right))
        case _:
            return region_of(either(left, right))


def _united(node: Node, sides: Sides) -> list[Node]:
    """What a margin that only grows may be built around one by one: the margin of a union is the union of the margins.

    The solids of the parts are mostly known already, that of their union never is.
    """
    if isinstance(node, Boolean) and node.operator == "|" and sides == sides.grown:
        return [*_united(node.left, sides), *_united(node.right, sides)]
    return [node]


def _smoothed(region: Region, mm: float) -> Region | None:
    """Opened and closed by a disc: spikes and notches narrower than twice `mm` go, straight and gently curved outlines stay."""
    opened = region.buffer(-mm, quad_segs=SMOOTH_STEPS).buffer(2 * mm, quad_segs=SMOOTH_STEPS)
    return region_of(opened.buffer(-mm, quad_segs=SMOOTH_STEPS))
