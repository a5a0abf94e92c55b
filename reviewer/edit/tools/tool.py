"""The contract between hands and tools. A tool knows nothing of screens: it gets millimetres and proposes regions.

- `Tool`: settings (a frozen dataclass). ``tool.begin(target)`` gives the stroke that the hand then moves; cheap, so that other settings are
  simply another stroke.
- `Pane`: the plane that the hand works in. `Pen`: where the hand is on it. `Target`: the structure that is to change, and where it may.
- `Stroke`: the state machine. Its `draft` is what the structure would be, plane by plane; `guides` is what else is to be drawn.
- `edit_of`: the undoable edit of a finished stroke.

Laws, tested for every tool: a draft's regions are always valid and not empty; a draft holds only planes that differ from the structure;
a stroke never changes the structure or the case; one that is thrown away (Esc) has left no trace.

How a pane lies to the structure's slices decides what a stroke means:

- *along* them (parallel): it changes the slice nearest to the pane, which must be within half a slab, else `Target.on` refuses;
- *across* them (perpendicular): what is drawn is a strip, `Pane.thickness_mm` wide about the pane; it changes the slices whose planes it
  crosses, each where it crosses it, and nothing where it lies between two of them;
- *tilted*: `Target.on` refuses.

Nothing is drawn beyond the border of the image that the structure lies on: strokes are clipped there, and at the limits of the target
(`reviewer.edit.tools.ground`). This module imports nothing that is slow to load; the tools themselves do (numba, OpenCV).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import hypot
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Case, Image, Structure
from reviewer.edit.edit import Edit
from reviewer.edit.refusal import refusal
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.grid import AXIS_TOLERANCE, POSITION_TOLERANCE_MM, Grid
from reviewer.geometry.overlay import united, without
from reviewer.geometry.region import SMALLEST_PART_MM2, Region, region_of

Floats = NDArray[np.float64]
Place = tuple[float, float]
Point = tuple[float, float, float]
Draft = Mapping[int, Region | None]
"""Plane index of the structure's grid -> its region after the stroke; None: emptied. Only planes that differ."""

FARTHEST_MM = 1e12
"""Coordinates up to here are of no harm, though no hand reaches so far."""

DEBRIS_MM2 = 0.01
"""Parts and holes below this area (0.1 x 0.1 mm) that a stroke would leave behind are specks of rounding, not anatomy."""


@dataclass(frozen=True)
class Pane:
    """The plane that a view shows.

    right, down: unit vectors, patient coordinates, as in `reviewer.scene.ViewPlane`.
    point_mm:    any patient point on the plane (the crosshair).
    frame_of_reference_uid: frame of all these: that of the base image.
    thickness_mm: how wide across itself a stroke is in a pane that stands across the structure's slices; commonly a voxel of the image shown.

    A patient point p of the plane has the pane coordinates ``(p @ right, p @ down)`` mm, as in `reviewer.geometry.section`.
    """

    right: Point
    down: Point
    point_mm: Point
    frame_of_reference_uid: str
    thickness_mm: float = 1.0

    def at(self, point_mm: ArrayLike) -> Place:
        """Pane coordinates of a patient point (projected on the pane)."""
        p = np.asarray(point_mm, dtype=np.float64)
        return float(p @ self.right), float(p @ self.down)

    def patient_mm(self, at_mm: ArrayLike) -> Floats:
        """Patient points of pane coordinates, (..., 2) -> (..., 3), mm."""
        at = np.asarray(at_mm, dtype=np.float64)
        right, down, point = (np.asarray(v, dtype=np.float64) for v in (self.right, self.down, self.point_mm))
        foot = point - (point @ right) * right - (point @ down) * down
        return np.asarray(foot + at[..., :1] * right + at[..., 1:] * down)


@dataclass(frozen=True)
class Pen:
    """Where the hand is, pane coordinates in mm, and what it presses meanwhile.

    mm_per_pixel: of the view now, for what is to be picked within some pixels.
    Raises InputError for a place that is no number, or beyond all arithmetic.
    """

    at_mm: Place
    mm_per_pixel: float = 1.0
    shift: bool = False
    ctrl: bool = False

    def __post_init__(self) -> None:
        if not hypot(*self.at_mm) <= FARTHEST_MM:  # nor for NaN
            raise InputError("the hand is at no place of the picture", remedy="fit the view (R)")


GuideKind = Literal["cursor", "line", "ghost", "handle", "marked"]


@dataclass(frozen=True, eq=False)
class Guide:
    """Something to be drawn over the pane besides the draft.

    kind:      cursor: the outline of the tool under the hand; line: what the hand is drawing; ghost: a thin dashed line (an axis, a proposal);
               handle: each point is a grip of a constant size on the screen; marked: the grip under the hand.
    points_mm: (n, 2) pane coordinates.
    """

    kind: GuideKind
    points_mm: Floats
    closed: bool = False


@dataclass(frozen=True, eq=False)
class Limit:
    """Strokes stay within a structure, or keep off it. to_limit: (4, 4), the target's frame to the limit's, mm."""

    structure: Structure
    to_limit: Floats
    inside: bool


class Along:
    """A pane parallel to the structure's slices.

    plane: index of the slice that strokes act on.
    """

    def __init__(self, grid: Grid, start: Floats, e: Floats, f: Floats, name: str) -> None:
        w = float(start[2])
        self.plane = grid.nearest_plane(w)
        low, high = grid.slab_borders_mm[self.plane : self.plane + 2]
        if not low - POSITION_TOLERANCE_MM <= w <= high + POSITION_TOLERANCE_MM:
            raise InputError(
                "has no slice here", where=name, remedy=f"go to its nearest slice, {abs(w - grid.positions_mm[self.plane]):.1f} mm away"
            )  # fmt: skip
        self._start, self._turn = start[:2], np.array([e[:2], f[:2]])
        self._same = bool(np.allclose(self._turn, np.eye(2), atol=1e-9) and np.allclose(self._start, 0, atol=1e-9))

    def to_slice(self, points_mm: Floats) -> Floats:
        """Pane coordinates (n, 2) to plane coordinates (u, v)."""
        return points_mm if self._same else points_mm @ self._turn + self._start

    def to_pane(self, points_mm: Floats) -> Floats:
        """Plane coordinates (n, 2) to pane coordinates."""
        return points_mm if self._same else (points_mm - self._start) @ self._turn.T

    def footprints(self, shape: Region) -> dict[int, Region]:
        return {self.plane: shape if self._same else shapely.transform(shape, self.to_slice)}


class Across:
    """A pane perpendicular to the structure's slices: what is drawn becomes a strip through the slices that it crosses."""

    def __init__(self, grid: Grid, start: Floats, e: Floats, f: Floats, thickness_mm: float) -> None:
        normal = np.cross(e, f)[:2]
        self._normal = normal / np.hypot(*normal)
        self._line = np.array([-self._normal[1], self._normal[0]])
        self._middle = float(self._normal @ start[:2])
        self._half = thickness_mm / 2
        # Pane coordinates to (s, w), s along the line that the pane and any slice have in common.
        self._turn = np.array([[self._line @ e[:2], e[2]], [self._line @ f[:2], f[2]]])
        self._start = np.array([self._line @ start[:2], start[2]])
        self._positions = grid.positions_mm

    def footprints(self, shape: Region) -> dict[int, Region]:
        flat = shapely.transform(shape, lambda points: points @ self._turn + self._start)
        low_s, low_w, high_s, high_w = flat.bounds
        first, last = np.searchsorted(self._positions, [low_w, high_w])
        w = self._positions[first : last + 1]
        ends = np.empty((len(w), 2, 2))
        ends[:, :, 0], ends[:, :, 1] = (low_s - 1, high_s + 1), w[:, None]
        chords, plane = shapely.get_parts(shapely.intersection(flat, shapely.linestrings(ends)), return_index=True)
        crossed = shapely.length(chords) > 0
        bounds = shapely.bounds(chords[crossed])
        strips = self._strips(bounds[:, 0], bounds[:, 2])
        found: dict[int, Region] = {}
        for k, strip in zip((plane[crossed] + first).tolist(), strips, strict=True):
            found[k] = strip if k not in found else united(found[k], strip)
        return found

    def _strips(self, low: Floats, high: Floats) -> NDArray[np.object_]:
        """(n,) polygons between places along the line, as wide as the pane is thick."""
        s = np.stack([low, high, high, low], axis=1)[..., None]
        c = self._middle + self._half * np.array([-1.0, -1.0, 1.0, 1.0])[:, None]
        return np.asarray(shapely.polygons(s * self._line + c * self._normal))


@dataclass(frozen=True, eq=False)
class Target:
    """What a stroke acts on and where. Made by `Target.on`, which refuses what cannot be drawn on.

    structure:    the active structure, as it is before the stroke.
    to_structure: (4, 4), patient points of the pane's frame to the structure's frame, mm.
    image:        the image shown in the pane, for tools and limits that look at its values; None where none is.
    to_image:     (4, 4), the structure's frame to the image's.
    limits, values: where a stroke may change anything, drawing or erasing: inside/off structures, and where the image's values
                  (HU or signal, interpolated) lie within [low, high].
    bounded:      whether the structure lies on an image, at whose border strokes end.
    """

    structure: Structure
    pane: Pane
    to_structure: Floats
    image: Image | None = None
    to_image: Floats = field(default_factory=lambda: np.eye(4))
    limits: tuple[Limit, ...] = ()
    values: tuple[float, float] | None = None
    bounded: bool = True

    @classmethod
    def on(
        cls,
        case: Case,
        structure: Structure,
        pane: Pane,
        *,
        image: Image | None = None,
        within: Iterable[Structure] = (),
        outside: Iterable[Structure] = (),
        values: tuple[float, float] | None = None,
    ) -> Target:
        """The target of strokes on a structure of the case.

        Raises InputError, with the sentence to show, for a structure that may not be edited (`reviewer.edit.refusal`), a pane that is tilted
        against its slices or too far from them, a range of values without an image, and frames that are not registered.
        """
        reason = refusal(case, structure)
        if reason:
            raise InputError(reason)
        frame = structure.grid.frame_of_reference_uid

        def tie(start: str, end: str, name: str) -> Floats:
            try:
                return case.transform(start, end)
            except NotRegisteredError as error:
                raise InputError("is not registered to what is drawn on", where=name, remedy=error.remedy) from error

        def limit(other: Structure, inside: bool) -> Limit:
            return Limit(other, tie(frame, other.grid.frame_of_reference_uid, other.name), inside)

        if values is not None and image is None:
            raise InputError("a range of values needs an image", remedy="show the image or take the limit away")
        target = cls(
            structure,
            pane,
            tie(pane.frame_of_reference_uid, frame, structure.name),
            image,
            np.eye(4)
            if image is None
            else tie(frame, image.grid.frame_of_reference_uid, image.description or image.modality),
            (*(limit(s, True) for s in within), *(limit(s, False) for s in outside)),
            values,
            case.image(structure.image_id) is not None,
        )
        target.lie  # noqa: B018 -- refuses a pane that cannot be drawn in
        return target

    @cached_property
    def lie(self) -> Along | Across:
        """How the pane lies to the structure's slices. Raises InputError where it is tilted or off them."""
        grid = self.structure.grid
        e = grid.axes @ self.to_structure[:3, :3] @ np.asarray(self.pane.right)
        f = grid.axes @ self.to_structure[:3, :3] @ np.asarray(self.pane.down)
        start = self.uvw_mm(np.zeros(2))
        normal = np.cross(e, f)
        if np.hypot(normal[0], normal[1]) < AXIS_TOLERANCE:
            return Along(grid, start, e, f, self.structure.name)
        if abs(normal[2]) < AXIS_TOLERANCE:
            return Across(grid, start, e, f, self.pane.thickness_mm)
        raise InputError(
            "the view is tilted against its slices",
            where=self.structure.name,
            remedy=f"show the image of {self.structure.name} as base image to draw",
        )

    @property
    def plane(self) -> int | None:
        """The slice that strokes act on; None where the pane stands across the slices."""
        return self.lie.plane if isinstance(self.lie, Along) else None

    @property
    def region(self) -> Region | None:
        """The structure's region on that slice, plane coordinates; None where there is none, or the pane stands across."""
        return None if self.plane is None else self.structure.planes.get(self.plane)

    def own_slice(self, tool: str) -> Along:
        """For tools that work only along the slices: how the pane lies. Raises InputError for one that stands across them."""
        if isinstance(self.lie, Across):
            raise InputError(
                f"{tool} works on the slices of {self.structure.name} only", remedy="draw in the view that shows its slices"
            )  # fmt: skip
        return self.lie

    def uvw_mm(self, at_mm: ArrayLike) -> Floats:
        """Plane coordinates in the structure's grid of pane coordinates, (..., 2) -> (..., 3), mm."""
        points = self.pane.patient_mm(at_mm)
        return self.structure.grid.uvw_mm(points @ self.to_structure[:3, :3].T + self.to_structure[:3, 3])

    def nearest_plane(self, at_mm: Place) -> int:
        """The slice nearest to a place on the pane."""
        return self.structure.grid.nearest_plane(float(self.uvw_mm(at_mm)[2]))

    def holds(self, at_mm: Place) -> bool:
        """Whether a place on the pane lies in the structure, on its slice nearest to it."""
        u, v, w = self.uvw_mm(at_mm)
        region = self.structure.planes.get(self.structure.grid.nearest_plane(float(w)))
        return region is not None and bool(shapely.contains_xy(region, u, v))

    @cached_property
    def border(self) -> Region | None:
        """The outline of the image's pixels in plane coordinates; None where the structure lies on no image."""
        if not self.bounded:
            return None
        low, high = self._corners
        return shapely.box(*low, *high)

    def off_image(self, at_mm: Place) -> bool:
        """Whether a place on the pane lies beyond the image that the structure lies on."""
        if not self.bounded:
            return False
        uvw = self.uvw_mm(at_mm)
        low, high = self._corners
        borders = self.structure.grid.slab_borders_mm
        return bool((uvw[:2] < low).any() or (uvw[:2] > high).any() or not borders[0] <= uvw[2] <= borders[-1])

    @property
    def _corners(self) -> tuple[Floats, Floats]:
        grid = self.structure.grid
        spacing, size = np.array(grid.spacing_uv_mm), np.array(grid.size_uv)
        low = np.array(grid.origin_uv_mm) - spacing / 2
        return low, low + spacing * size


class Stroke:
    """A state machine that the hand drives. Tools inherit from it and override what they need.

    The canvas calls `hover` while no button is down, `press`, `drag`, `release` for the left button, `accept` at Enter and at a double click
    (after its press and release), `step_back` at Backspace; after each it looks at `draft`, `guides`, `note` and `finished`.
    Once `finished`, it applies ``edit_of(stroke, case)`` and begins another one. Esc: it throws the stroke away.
    A change of settings (the size by the brackets, say) while no button is down: it begins another one, and hovers it.
    """

    label = "Edit"
    """Name in the history, in front of " on Duodenum"."""

    slow = False
    """Whether the draft of the finished stroke takes longer than a frame: then `work` is called first, in a thread of its own."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.finished = False
        self.note = ""
        """One sentence for the hand, where something did not work as it looked ("this place lies beyond the image"), else empty."""
        self.erasing = False
        """Whether the stroke takes area away, as the hand stands now (for the cursor)."""
        self._drafted: tuple[Draft, Structure] | None = None

    def hover(self, pen: Pen) -> None: ...

    def press(self, pen: Pen) -> None: ...

    def drag(self, pen: Pen) -> None: ...

    def release(self, pen: Pen) -> None: ...

    def accept(self) -> None:
        """Take what was drawn so far as finished."""

    def step_back(self) -> None:
        """Take back the last step within the stroke (the last corner of a polygon)."""

    def work(self, report: Callable[[float], None] = lambda share: None) -> None:
        """Find the draft out now. report: told the share done, 0 to 1; may raise CancelledError."""

    @property
    def open(self) -> bool:
        """Whether it waits for more with no button down, as a polygon does that has corners."""
        return False

    @property
    def draft(self) -> Draft:
        """The planes that would differ, as they would be; valid, never empty regions, None where a plane would be emptied."""
        return MappingProxyType({})

    def if_lifted(self) -> Draft:
        """The draft that a release here would leave, as far as it is known before: should it come, its regions are the very same."""
        return self.draft

    def with_draft(self, draft: Draft) -> Structure:
        """The structure with a draft, the same object as long as the draft is; the structure itself where that is empty."""
        structure = self.target.structure
        if not draft:
            return structure
        if self._drafted is None or self._drafted[0] is not draft:
            planes = {k: region for k, region in {**structure.planes, **draft}.items() if region is not None}
            self._drafted = draft, replace(structure, planes=planes)
        return self._drafted[1]

    @property
    def guides(self) -> tuple[Guide, ...]:
        return ()


class Tool(Protocol):
    """Settings of a tool, a frozen dataclass."""

    @property
    def name(self) -> str:
        """As in the tool bar: "Brush"."""
        ...

    def begin(self, target: Target) -> Stroke:
        """A new stroke. Raises InputError with the sentence to show where the tool cannot work on this target."""
        ...


def drafted(stroke: Stroke) -> Structure:
    """The structure as the stroke would make it; the structure itself where nothing differs. Untouched planes keep their very regions."""
    return stroke.with_draft(stroke.draft)


def edit_of(stroke: Stroke, case: Case) -> Edit | None:
    """The undoable edit that a stroke proposes ("Brush on Duodenum, slice 37"); None where it changes nothing.

    Raises InputError where the structure may not be edited, or has changed since the stroke began.
    """
    return _edit(stroke, stroke.draft, case)


def edit_if_lifted(stroke: Stroke, case: Case) -> Edit | None:
    """The edit that a stroke under way would become if it ended here; then `edit_of` brings the same structure. Raises as that."""
    return _edit(stroke, stroke.if_lifted(), case)


def _edit(stroke: Stroke, draft: Draft, case: Case) -> Edit | None:
    before, after = stroke.target.structure, stroke.with_draft(draft)
    if after is before:
        return None
    reason = refusal(case, before)
    if reason:
        raise InputError(reason)
    return Edit.of_contours(f"{stroke.label} on {before.name}", case, before, after)


def settled(geometry: shapely.Geometry | None, debris_mm2: float = DEBRIS_MM2) -> Region | None:
    """A valid region of whatever a computation gave, without specks and pinholes below an area; None when nothing is left."""
    if geometry is None:
        return None
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    if isinstance(valid, shapely.Polygon) and shapely.get_num_interior_rings(valid) == 0:  # most are
        return valid if valid.area >= max(debris_mm2, SMALLEST_PART_MM2) else None
    region = region_of(valid)
    if region is None:
        return None
    parts = shapely.get_parts(region)
    holes = shapely.area(shapely.polygons(shapely.get_rings(parts)))
    if holes.min() >= debris_mm2:
        return region
    kept = [_without_pinholes(part, debris_mm2) for part in parts if part.area >= debris_mm2]
    return region_of(shapely.multipolygons(kept)) if kept else None


def _without_pinholes(part: shapely.Polygon, below_mm2: float) -> shapely.Polygon:
    return shapely.Polygon(part.exterior, [h for h in part.interiors if shapely.Polygon(h).area >= below_mm2])


def painted(structure: Structure, footprints: Mapping[int, Region], *, erase: bool) -> Draft:
    """The draft that adds footprints (plane -> region in (u, v) mm) to a structure, or takes them away from it."""
    combine = without if erase else united
    proposed: dict[int, Region | None] = {}
    for k, footprint in footprints.items():
        before = structure.planes.get(k)
        if before is not None:
            proposed[k] = settled(combine(before, footprint))
        elif not erase:
            proposed[k] = settled(footprint)
    return changed(structure, proposed)


def changed(structure: Structure, proposed: Draft) -> Draft:
    """Only those planes of a proposal that differ from the structure by more than SMALLEST_PART_MM2."""
    return MappingProxyType({k: region for k, region in proposed.items() if _differ(structure.planes.get(k), region)})


def _differ(before: Region | None, after: Region | None) -> bool:
    if before is None or after is None:
        return before is not after
    if before is after:
        return False
    if (
        abs(before.area - after.area) > SMALLEST_PART_MM2
        or max(map(abs, np.subtract(before.bounds, after.bounds))) > 1e-3
    ):
        return True  # soon told; the rest takes an overlay
    return bool(shapely.symmetric_difference(before, after).area > SMALLEST_PART_MM2)


def circle(centre_mm: Place, radius_mm: float, points: int = 64) -> Floats:
    """(points, 2) points on a circle, for guides."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.asarray(centre_mm) + radius_mm * np.column_stack([np.cos(angle), np.sin(angle)])
