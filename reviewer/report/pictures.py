"""Slices for a report: image, isodoses and contours as they are in the views, as arrays of RGB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely import LinearRing

from reviewer.case import Case, Dose, Image, Structure
from reviewer.dosimetry.goals import Evaluation, GoalResult
from reviewer.dosimetry.hot_spot import hot_spot
from reviewer.errors import CancelledError, NotRegisteredError
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region
from reviewer.geometry.reslice import PlaneSampling, reslice
from reviewer.geometry.section import section
from reviewer.scene import BORDEAU_2023, Isodose, Orientation, ViewPlane, default_window, view_planes

Rgb = NDArray[np.uint8]
Point = tuple[float, float, float]

WIDTH_MM, HEIGHT_MM = 216.0, 131.4
"""Of what a picture shows: the liver and its neighbours."""

STEP_MM = 0.3
"""Of a pixel: 200 dots per inch in the width of half a page."""

BORDEAU_GY = 50.0
"""The prescription that the levels of BORDEAU_2023 belong to; for another they are scaled."""

_EDGES = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "H", "F"), "sagittal": ("A", "P", "H", "F")}
_FINE = 4
"""Fractional bits of the points that OpenCV draws."""


@dataclass(frozen=True, eq=False)
class Picture:
    """rgb: (rows, columns, 3). title: what is shown, with the position."""

    rgb: Rgb
    title: str
    isodoses: tuple[Isodose, ...]


def pictures_of(
    case: Case, evaluations: Sequence[Evaluation], broken: Sequence[GoalResult], cancelled: Callable[[], bool]
) -> tuple[tuple[Picture, ...], ...]:
    """Rows with a picture for each plan: the middle of the target in three planes, and where the worst organ at risk has most.

    broken: goals that are the reason to adapt, which count before the others.
    """
    places = _places(case, evaluations, worst_organ(broken) or worst_organ([r for e in evaluations for r in e.results]))
    rows = []
    for title, orientation, point in places:
        row = []
        for evaluation in evaluations:
            if cancelled():
                raise CancelledError
            row.append(_picture(case, evaluation, title, orientation, point))
        rows.append(tuple(p for p in row if p is not None))
    return tuple(row for row in rows if row)


def isodoses_for(prescribed_gy: float | None) -> tuple[Isodose, ...]:
    scale = (prescribed_gy or BORDEAU_GY) / BORDEAU_GY
    return tuple(Isodose(level.gy * scale, level.colour) for level in BORDEAU_2023)


def worst_organ(results: Sequence[GoalResult]) -> GoalResult | None:
    """The goal of an organ at risk that is broken most, or is nearest to it; by value over limit."""
    organs = [
        r
        for r in results
        if r.side == "organ" and r.value is not None and r.structure is not None and not r.goal.limit.at_least
    ]
    return max(organs, key=lambda r: (r.value or 0.0) / max(r.goal.limit.value, 1e-9), default=None)


def _places(
    case: Case, evaluations: Sequence[Evaluation], worst: GoalResult | None
) -> list[tuple[str, Orientation, Point]]:
    """Titles, planes and points, in the frame of the first evaluation's image."""
    group = evaluations[0].delivery.group
    image = _image(case, evaluations[0])
    if image is None:
        return []
    found: list[tuple[str, Orientation, Point]] = []
    target = next(
        (s for kind in ("PTV", "CTV", "GTV") for s in group.structures if s.type == kind and not s.empty), None
    )
    middle = _middle(case, target, image) if target else None
    if target is not None and middle is not None:
        found += [(f"middle of {target.name}", o, middle) for o in ("axial", "coronal", "sagittal")]
    if worst is not None and worst.structure is not None:
        source = next(e for e in evaluations if any(r is worst for r in e.results))
        point = _hottest(case, worst.structure, source.delivery.dose, image)
        if point is not None:
            found.append((f"highest dose to {worst.name}", "axial", point))
    return found


def _middle(case: Case, structure: Structure, image: Image) -> Point | None:
    grid = structure.grid
    planes = sorted(structure.planes)
    k = planes[len(planes) // 2]
    centroid = structure.planes[k].centroid
    return _moved(
        case,
        grid.point_mm(np.array([centroid.x, centroid.y, grid.positions_mm[k]])),
        grid.frame_of_reference_uid,
        image,
    )


def _hottest(case: Case, structure: Structure, dose: Dose, image: Image) -> Point | None:
    frame = dose.grid.frame_of_reference_uid
    try:
        spot = hot_spot(structure, dose, case.transform(structure.grid.frame_of_reference_uid, frame))
    except NotRegisteredError:
        return None
    return _moved(case, np.array(spot), frame, image) if spot is not None else None


def _moved(case: Case, point: NDArray[np.float64], frame: str, image: Image) -> Point | None:
    try:
        matrix = case.transform(frame, image.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return None
    x, y, z = (float(v) for v in (matrix @ [*point, 1.0])[:3])
    return x, y, z


def _image(case: Case, evaluation: Evaluation) -> Image | None:
    """The image that the structures were drawn on, or one in their frame."""
    group = evaluation.delivery.group
    own = case.image(group.image_id)
    return own or next((i for i in case.images if i.grid.frame_of_reference_uid == group.frame_of_reference_uid), None)


def _picture(case: Case, evaluation: Evaluation, title: str, orientation: Orientation, point: Point) -> Picture | None:
    image = _image(case, evaluation)
    if image is None:
        return None
    first = np.asarray(point)
    plane = view_planes(image.grid)[orientation]
    right, down = np.asarray(plane.right), np.asarray(plane.down)
    corner = first - right * WIDTH_MM / 2 - down * HEIGHT_MM / 2
    size = round(WIDTH_MM / STEP_MM), round(HEIGHT_MM / STEP_MM)
    x, y, z = (float(v) for v in corner + (right + down) * STEP_MM / 2)
    sampling = PlaneSampling((x, y, z), plane.right, plane.down, (STEP_MM, STEP_MM), size)
    rgb = _grey(image, sampling)
    levels = isodoses_for(evaluation.delivery.prescribed_gy)
    delivery = evaluation.delivery
    _draw_dose(rgb, case, image, delivery.dose, sampling, levels)
    for structure in delivery.group.structures:
        if not structure.empty and structure.type != "EXTERNAL":
            _draw_structure(rgb, case, image, structure, point, plane, corner)
    _letters(rgb, orientation)
    position = float(first @ np.asarray(plane.normal))
    return Picture(rgb, f"{orientation.capitalize()}, {title} ({position:.1f} mm)", levels)


def _grey(image: Image, sampling: PlaneSampling) -> Rgb:
    present = None if image.pending is None else ~image.pending
    values, inside = reslice(image.voxels, image.grid, np.eye(4), sampling, present=present)
    window = default_window(image)
    low = window.level - window.width / 2
    shown = (values.astype(np.float64) * image.slope + image.intercept - low) / max(window.width, 1e-6)
    grey = np.where(inside, np.clip(shown, 0, 1) * 255, 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2).copy()


def _draw_dose(
    rgb: Rgb, case: Case, image: Image, dose: Dose, sampling: PlaneSampling, levels: Sequence[Isodose]
) -> None:
    """A light wash and lines. Where the dose is not known nothing is drawn."""
    try:
        tie = case.transform(image.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return
    gray, inside = reslice(dose.gray, dose.grid, tie, sampling)
    known = np.where(inside & np.isfinite(gray), gray, 0.0)
    wash = rgb.copy()
    for level in sorted(levels, key=lambda each: each.gy):
        wash[known > level.gy] = level.colour
    cv2.addWeighted(wash, 0.22, rgb, 0.78, 0, dst=rgb)
    for level in levels:
        _rings(rgb, level_rings(known, level.gy), level.colour, 1)


def _draw_structure(
    rgb: Rgb,
    case: Case,
    image: Image,
    structure: Structure,
    point: Point,
    plane: ViewPlane,
    corner: NDArray[np.float64],
) -> None:
    try:
        tie = case.transform(image.grid.frame_of_reference_uid, structure.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return
    cut = section(structure, tie, point, plane.right, plane.down)
    if cut is None:
        return
    start = np.array([corner @ np.asarray(plane.right), corner @ np.asarray(plane.down)])
    rings = [(np.asarray(ring.coords)[:, :2] - start) / STEP_MM - 0.5 for ring in _rings_of(cut)]
    _rings(rgb, rings, structure.colour, 3 if structure.type in ("PTV", "CTV", "GTV") else 2)


def _rings_of(region: Region) -> list[LinearRing]:
    parts = region.geoms if hasattr(region, "geoms") else [region]
    return [ring for part in parts for ring in (part.exterior, *part.interiors)]


def _rings(rgb: Rgb, rings: Sequence[NDArray[np.float64]], colour: tuple[int, int, int], thickness: int) -> None:
    """Closed lines; points are (column, row) of pixel centres."""
    drawn = [
        np.round(np.clip(r, -4000, 8000) * 2**_FINE).astype(np.int32).reshape(-1, 1, 2) for r in rings if len(r) > 1
    ]
    cv2.polylines(rgb, drawn, True, colour, thickness, cv2.LINE_AA, _FINE)


def _letters(rgb: Rgb, orientation: Orientation) -> None:
    """Which side is which, and a bar of 5 cm."""
    rows, columns = rgb.shape[:2]
    left, right, top, bottom = _EDGES[orientation]
    places = (
        (left, (8, rows // 2)),
        (right, (columns - 24, rows // 2)),
        (top, (columns // 2, 24)),
        (bottom, (columns // 2, rows - 10)),
    )
    bar = round(50 / STEP_MM)
    for colour, width in (((0, 0, 0), 5), ((255, 255, 255), 2)):
        for letter, at in places:
            cv2.putText(rgb, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, width, cv2.LINE_AA)
        cv2.line(rgb, (12, rows - 14), (12 + bar, rows - 14), colour, width, cv2.LINE_AA)
        cv2.putText(rgb, "5 cm", (12, rows - 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width - 1, cv2.LINE_AA)
