"""What is to be seen: the user's intention (`View`) and the data (`Case`) resolved into one frozen `Scene`.

Views compare the new scene with the one that they drew and touch only what differs. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from reviewer.case import Case, Colour, Dose, Image, Structure, Window
from reviewer.columns import Column, Prescribed
from reviewer.dose_map import DoseMap
from reviewer.dosimetry.criteria import Criteria
from reviewer.errors import NotRegisteredError
from reviewer.geometry.grid import Grid

Point = tuple[float, float, float]
Matrix = tuple[tuple[float, float, float, float], ...]
"""(4, 4) as tuples, so that scenes can be compared and used as keys."""

Orientation = Literal["axial", "sagittal", "coronal"]
ORIENTATIONS: tuple[Orientation, ...] = ("axial", "sagittal", "coronal")
Mode = Literal["review", "contour", "day", "gating", "practice"]
MapKind = Literal["gy", "percent", "gamma"]
OverlayStyle = Literal["blend", "swipe", "spyglass", "checkerboard"]


@dataclass(frozen=True)
class Isodose:
    """A level in Gy with its colour."""

    gy: float
    colour: Colour


BORDEAU_2023: tuple[Isodose, ...] = (
    Isodose(63.0, (230, 60, 60)),
    Isodose(57.0, (240, 130, 40)),
    Isodose(47.5, (250, 210, 60)),
    Isodose(40.0, (120, 210, 90)),
    Isodose(30.0, (60, 200, 200)),
    Isodose(25.0, (80, 140, 250)),
    Isodose(20.0, (150, 110, 240)),
)
"""Isodose levels of figure 1 of Bordeau et al., J Clin Med 2023;12:1183 (50 Gy in 5 fractions)."""


@dataclass(frozen=True)
class Camera:
    """Zoom and pan of one slice view. None: fit the image."""

    mm_per_pixel: float
    centre_mm: tuple[float, float]
    """Offset of the middle of the view from the image's centre, along the view's right and down, mm."""


@dataclass(frozen=True)
class View:
    """What the user wants to see. Ids refer to the case; None means none.

    point_mm: crosshair, patient coordinates (mm) of the base image's frame of reference.
    blend:    weight of the overlay, 0 to 1; swipe: position of the edge as a fraction of the view's width.
    hidden:   structures not drawn; filled: structures drawn with a translucent area.
    reference_gy: dose that is 100 % for isodoses and DVH axes.
    preview:  structures that are proposed, drawn but in no structure set.
    stroke:   a structure of the set as the stroke in hand would make it, drawn in place of the one with its id.
    compared: two structures (reference A, B) whose difference is shown; compared_alone: without other contours and without dose.
    columns:  plans that are judged side by side, the first is what the others are set against; empty: the dose that is shown, alone.
    both_isodoses: lines of the dose that is shown and of the next column's, dashed. wanted_map: what is to be seen of the two: their difference
              in Gy, in percent, or gamma by these criteria; map: that, once it is made, shown while it is of these two.
    sheet:    id of the goal sheet, None: one for the number of fractions. prescribed: typed in, by dose id. assigned: name in the sheet ->
              id of the structure that a person chose. bands: published values behind those of the plan.
    """

    mode: Mode = "review"
    base: str | None = None
    overlay: str | None = None
    overlay_on: bool = True
    style: OverlayStyle = "blend"
    blend: float = 0.5
    swipe: float = 0.5
    windows: Mapping[str, Window] = field(default_factory=lambda: MappingProxyType({}))
    point_mm: Point = (0.0, 0.0, 0.0)
    crosshair: bool = True
    cameras: Mapping[Orientation, Camera] = field(default_factory=lambda: MappingProxyType({}))
    structure_set: str | None = None
    hidden: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()
    active: str | None = None
    highlighted: str | None = None
    dose: str | None = None
    isodoses: tuple[Isodose, ...] = BORDEAU_2023
    isodose_lines: bool = True
    wash: bool = True
    wash_opacity: float = 0.35
    reference_gy: float | None = None
    preview: tuple[Structure, ...] = ()
    stroke: Structure | None = None
    compared: tuple[str, str] | None = None
    compared_alone: bool = True
    columns: tuple[Column, ...] = ()
    both_isodoses: bool = False
    wanted_map: MapKind | None = None
    map: DoseMap | None = None
    gamma: Criteria = field(default_factory=Criteria)
    sheet: str | None = None
    prescribed: Mapping[str, Prescribed] = field(default_factory=lambda: MappingProxyType({}))
    assigned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bands: bool = True

    @property
    def other_dose(self) -> str | None:
        """What the dose that is shown is compared with: of the first column of another dose."""
        return next((c.dose for c in self.columns if self.dose is not None and c.dose != self.dose), None)


@dataclass(frozen=True)
class ViewPlane:
    """A plane through the patient as it stands on the screen, in the frame of the base image.

    right, down: unit vectors, patient coordinates, that point to the right and downwards on the screen.
    normal:      unit vector along which the slice position is counted (towards L, P or H).
    """

    orientation: Orientation
    right: Point
    down: Point
    normal: Point


@dataclass(frozen=True)
class Layer:
    """An image as it is to be drawn. to_layer maps points of the base frame to the image's own frame (mm)."""

    image: Image
    to_layer: Matrix
    window: Window


@dataclass(frozen=True)
class DoseLayer:
    """A dose as it is to be drawn, over the base image."""

    dose: Dose
    to_layer: Matrix
    isodoses: tuple[Isodose, ...]
    lines: bool
    wash: bool
    wash_opacity: float


@dataclass(frozen=True)
class MapLayer:
    """A map as it is to be drawn over the base image, in place of the wash of the dose."""

    map: DoseMap
    to_layer: Matrix


@dataclass(frozen=True)
class Drawn:
    """A structure as it is to be drawn. to_structure maps points of the base frame to the structure's frame (mm)."""

    structure: Structure
    to_structure: Matrix
    filled: bool
    highlighted: bool


@dataclass(frozen=True)
class Compared:
    """Two structures whose difference is to be drawn, and what tells them apart: their names, or their sets where the names are the same."""

    a: Drawn
    b: Drawn
    labels: tuple[str, str]


@dataclass(frozen=True)
class Scene:
    """Everything a view needs. The refusals say in a sentence why something that was asked for is not shown, else are empty."""

    planes: Mapping[Orientation, ViewPlane]
    base: Layer | None = None
    overlay: Layer | None = None
    overlay_refusal: str = ""
    style: OverlayStyle = "blend"
    blend: float = 0.5
    swipe: float = 0.5
    dose: DoseLayer | None = None
    dose_refusal: str = ""
    drawn: tuple[Drawn, ...] = ()
    contour_refusal: str = ""
    point_mm: Point = (0.0, 0.0, 0.0)
    crosshair: bool = True
    cameras: Mapping[Orientation, Camera] = field(default_factory=lambda: MappingProxyType({}))
    preview: tuple[Drawn, ...] = ()
    compared: Compared | None = None
    compared_refusal: str = ""
    against: DoseLayer | None = None
    map: MapLayer | None = None


def view_planes(grid: Grid) -> Mapping[Orientation, ViewPlane]:
    """The three planes along the grid's own axes that are nearest to axial, sagittal and coronal, in radiological convention.

    Axial: right is the patient's left, down is posterior. Coronal: right is left, down is feet. Sagittal: right is posterior,
    down is feet. An oblique image is shown along its own rows and columns, never resliced without need.
    """
    left, posterior, head = (
        grid.axes[k] * (1.0 if grid.axes[k, i] > 0 else -1.0) for i, k in enumerate(grid.nearest_axes)
    )

    def plane(orientation: Orientation, right: np.ndarray, down: np.ndarray, normal: np.ndarray) -> ViewPlane:
        x, y, n = ((float(a[0]), float(a[1]), float(a[2])) for a in (right, down, normal))
        return ViewPlane(orientation, x, y, n)

    return MappingProxyType(
        {
            "axial": plane("axial", left, posterior, head),
            "sagittal": plane("sagittal", posterior, -head, left),
            "coronal": plane("coronal", left, -head, posterior),
        }
    )


def default_window(image: Image) -> Window:
    """The window that an image opens with: liver window for CT, what the file suggests, else the span of its values."""
    if image.modality == "CT":
        return Window(60.0, 400.0)
    if image.window is not None:
        return image.window
    return signal_window(image)


def signal_window(image: Image) -> Window:
    """From the 1st to the 99.5th percentile of the values of about eight of the planes that have arrived."""
    if image in _signal_windows:
        return _signal_windows[image]
    arrived = np.arange(len(image.voxels)) if image.pending is None else np.flatnonzero(~image.pending)
    planes = arrived[:: max(1, len(arrived) // 8)]
    sample = image.voxels[planes, ::4, ::4].astype(np.float64) * image.slope + image.intercept
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return Window(500.0, 1000.0)
    low, high = (float(v) for v in np.percentile(sample, (1.0, 99.5)))
    window = Window((low + high) / 2, max(high - low, 1e-6))
    if image.complete:  # asked for at every turn of the wheel
        _signal_windows[image] = window
    return window


_signal_windows: WeakKeyDictionary[Image, Window] = WeakKeyDictionary()


def resolve(case: Case, view: View) -> Scene:
    """The scene of a case under a view. Never raises for a tie that is missing: the refusal says what is not shown and why."""
    base = case.image(view.base)
    if base is None:
        return Scene(MappingProxyType({}))
    frame = base.grid.frame_of_reference_uid

    ties: dict[str, Matrix | None] = {}

    def tie_to(to_frame: str) -> Matrix | None:
        if to_frame not in ties:
            ties[to_frame] = _tie(case, frame, to_frame)
        return ties[to_frame]

    def window(image: Image) -> Window:
        return view.windows.get(image.id) or default_window(image)

    overlay_layer, overlay_refusal = None, ""
    overlay = case.image(view.overlay) if view.overlay_on else None
    if overlay is not None and overlay is not base:
        tie = tie_to(overlay.grid.frame_of_reference_uid)
        if tie is None:
            overlay_refusal = f"{overlay.description or overlay.modality} is not registered to this image"
        else:
            overlay_layer = Layer(overlay, tie, window(overlay))

    dose_layer, dose_refusal = None, ""
    dose = case.dose(view.dose)
    if dose is not None:
        tie = tie_to(dose.grid.frame_of_reference_uid)
        if tie is None:
            dose_refusal = f"dose {dose.label} is not registered to this image"
        else:
            dose_layer = DoseLayer(dose, tie, view.isodoses, view.isodose_lines, view.wash, view.wash_opacity)

    against, map_layer = None, None
    other = case.dose(view.other_dose)
    if dose_layer is not None and other is not None and view.both_isodoses:
        tie = tie_to(other.grid.frame_of_reference_uid)
        if tie is not None:
            against = DoseLayer(other, tie, view.isodoses, view.isodose_lines, False, 0.0)
    if view.map is not None and set(view.map.doses) == {view.dose, view.other_dose}:
        tie = tie_to(view.map.grid.frame_of_reference_uid)
        map_layer = MapLayer(view.map, tie) if tie is not None else None

    drawn: list[Drawn] = []
    contour_refusal = ""
    group = case.structure_set(view.structure_set)
    for kept in group.structures if group else ():
        structure = view.stroke if view.stroke is not None and view.stroke.id == kept.id else kept
        if structure.id in view.hidden or structure.empty:
            continue
        tie = tie_to(structure.grid.frame_of_reference_uid)
        if tie is None:
            contour_refusal = f"structures {group.label if group else ''} are not registered to this image"
            continue
        drawn.append(Drawn(structure, tie, structure.id in view.filled, structure.id == view.highlighted))

    preview = tuple(
        Drawn(structure, tie, False, structure.id == view.highlighted)
        for structure in view.preview
        if not structure.empty and (tie := tie_to(structure.grid.frame_of_reference_uid)) is not None
    )

    compared, compared_refusal = _compared(case, view, tie_to)
    if compared is not None:
        pair = compared.a, compared.b
        ids = {each.structure.id for each in pair}
        drawn = [*([] if view.compared_alone else (d for d in drawn if d.structure.id not in ids)), *pair]
        if view.compared_alone:
            dose_layer, against, map_layer = None, None, None

    return Scene(
        view_planes(base.grid),
        Layer(base, _IDENTITY, window(base)),
        overlay_layer,
        overlay_refusal,
        view.style,
        view.blend,
        view.swipe,
        dose_layer,
        dose_refusal,
        tuple(drawn),
        contour_refusal,
        view.point_mm,
        view.crosshair,
        view.cameras,
        preview,
        compared,
        compared_refusal,
        against,
        map_layer,
    )


def drawn_on(scene: Scene, stroke: Structure | None) -> Scene | None:
    """The scene with a stroke that has moved on, all else the very same objects; None where it has to be resolved anew."""
    if stroke is None or stroke.empty or scene.compared is not None:
        return None
    before = next((drawn for drawn in scene.drawn if drawn.structure.id == stroke.id), None)
    if before is None or before.structure.grid is not stroke.grid:
        return None
    after = replace(before, structure=stroke)
    return replace(scene, drawn=tuple(after if drawn is before else drawn for drawn in scene.drawn))


def _compared(case: Case, view: View, tie_to: Callable[[str], Matrix | None]) -> tuple[Compared | None, str]:
    """The pair whose difference is shown, and why there is none although it was asked for."""
    if view.compared is None:
        return None, ""
    found: list[tuple[Drawn, str]] = []
    for structure_id in view.compared:
        structure = case.structure(structure_id)
        if structure is None:
            return None, "a compared structure is gone"
        group = next(g for g in case.structure_sets if structure in g.structures)
        tie = tie_to(structure.grid.frame_of_reference_uid)
        if tie is None:
            return None, f"{structure.name} of {group.label or 'structures'} is not registered to this image"
        found.append((Drawn(structure, tie, False, False), group.label))
    (a, set_a), (b, set_b) = found
    labels = (a.structure.name, b.structure.name)
    if labels[0] == labels[1]:
        labels = (f"{labels[0]} · {set_a}", f"{labels[1]} · {set_b}")
    return Compared(a, b, labels), ""


_IDENTITY: Matrix = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def _tie(case: Case, from_frame: str, to_frame: str) -> Matrix | None:
    try:
        matrix = case.transform(from_frame, to_frame)
    except NotRegisteredError:
        return None
    return tuple((float(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in matrix)
