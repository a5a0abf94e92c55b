"""Contours of the demo patient: level lines of the anatomy's distance fields in the planes of an image."""

from __future__ import annotations

import numpy as np

from reviewer.case import Colour, Image, Structure, StructureSet
from reviewer.demo.anatomy import Anatomy
from reviewer.demo.field import Floats
from reviewer.demo.identity import uid
from reviewer.geometry.grid import Grid
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region, region_of_rings

STRUCTURES: tuple[tuple[str, str, Colour], ...] = (
    ("GTV_1", "GTV", (255, 64, 48)),
    ("GTV_2", "GTV", (255, 140, 105)),
    ("PTV_1", "PTV", (255, 84, 214)),
    ("PTV_2", "PTV", (255, 158, 230)),
    ("Liver", "ORGAN", (214, 140, 60)),
    ("Gallbladder", "ORGAN", (122, 196, 92)),
    ("Stomach", "ORGAN", (255, 205, 64)),
    ("Duodenum", "ORGAN", (0, 214, 200)),
    ("Bowel_Small", "ORGAN", (150, 205, 255)),
    ("Bowel_Large", "ORGAN", (86, 150, 255)),
    ("Kidney_L", "ORGAN", (236, 226, 130)),
    ("Kidney_R", "ORGAN", (190, 178, 70)),
    ("Spleen", "ORGAN", (176, 122, 222)),
    ("SpinalCord", "ORGAN", (255, 246, 110)),
    ("Esophagus", "ORGAN", (208, 164, 126)),
    ("Heart", "ORGAN", (228, 104, 130)),
    ("Lung_L", "ORGAN", (126, 222, 238)),
    ("Lung_R", "ORGAN", (84, 176, 200)),
    ("A_Aorta", "ORGAN", (222, 40, 70)),
    ("V_Venacava_I", "ORGAN", (78, 104, 226)),
    ("Chestwall", "ORGAN", (168, 172, 120)),
    ("Skin", "ORGAN", (226, 190, 170)),
    ("Body", "EXTERNAL", (70, 200, 120)),
)
"""TG-263 name, interpreted type, colour. Neighbouring organs differ in lightness as well as in hue, so that they also differ to
eyes that do not tell red from green."""

SAMPLES_PER_VOXEL = 4 / 3
"""Samples per voxel of a field, in either direction, on which its level lines are followed."""

VERTEX_MM = (0.8, 1.5)
"""Distance between the vertices of a contour: 120 to a ring, but not closer or farther apart than this."""
VERTICES = 120

COARSE = {"Body": 3.0, "Skin": 3.0, "Chestwall": 2.5, "Lung_L": 2.0, "Lung_R": 2.0}
"""Distance between the vertices of large smooth structures, mm."""

SMALLEST_MM2 = 12.0
"""Islands and holes below this area are not drawn, as nobody would."""


def structure_set(body: Anatomy, image: Image, label: str) -> StructureSet:
    """The contours of all structures in the planes of an image of the anatomy's own frame."""
    state = body.state
    structures = tuple(
        Structure(
            id=uid(body.seed, "roi", state, name),
            name=name,
            grid=image.grid,
            planes=contours(body, name, image.grid),
            type=kind,
            colour=colour,
            image_id=image.id,
            number=number,
        )
        for number, (name, kind, colour) in enumerate(STRUCTURES, start=1)
    )
    return StructureSet(
        id=uid(body.seed, "structures", state),
        label=label,
        structures=structures,
        image_id=image.id,
        frame_of_reference_uid=image.grid.frame_of_reference_uid,
        date=image.date,
        approval="APPROVED" if state == "simulation" else "UNAPPROVED",
        referenced_series_uids=(image.id,),
    )


def contours(body: Anatomy, name: str, grid: Grid) -> dict[int, Region]:
    """Plane index of `grid` -> region of a structure, in (u, v) mm rounded to 0.01 mm."""
    fine, planes = _around(body, name, grid)
    regions: dict[int, Region] = {}
    for plane, distance in zip(planes, body.distance(name, fine), strict=True):
        rings = []
        for ring in level_rings(-distance, 0.0):
            uv = ring * fine.spacing_uv_mm + fine.origin_uv_mm
            if abs(_area(uv)) >= SMALLEST_MM2:
                rings.append(np.round(_even(uv, COARSE.get(name)), 2))
        region = region_of_rings(rings) if rings else None
        if region is not None:
            regions[plane] = region
    return regions


def _around(body: Anatomy, name: str, grid: Grid) -> tuple[Grid, range]:
    """A fine grid in those planes of `grid` that the structure may touch, just wide enough for it."""
    field = body.field(name)
    n = np.array(field.box.shape_zyx[::-1]) - 1
    corners = field.box.origin_mm + field.box.spacing_mm * n * np.array(list(np.ndindex(2, 2, 2)))
    back = np.linalg.inv(body.to_world(grid))
    uvw = grid.uvw_mm(corners @ back[:3, :3].T + back[:3, 3])
    step = field.box.spacing_mm / SAMPLES_PER_VOXEL
    low, high = uvw.min(axis=0) - step, uvw.max(axis=0) + step
    hit = np.flatnonzero((grid.positions_mm >= low[2]) & (grid.positions_mm <= high[2]))
    planes = range(int(hit[0]), int(hit[-1]) + 1)
    size = np.ceil((high[:2] - low[:2]) / step).astype(int) + 1
    fine = Grid(
        grid.axes,
        (float(low[0]), float(low[1])),
        (step, step),
        (int(size[0]), int(size[1])),
        grid.positions_mm[planes.start : planes.stop],
        grid.frame_of_reference_uid,
        grid.thickness_mm,
    )
    return fine, planes


def _even(ring: Floats, step_mm: float | None) -> Floats:
    """The ring with evenly spaced vertices."""
    closed = np.concatenate([ring, ring[:1]])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    step = step_mm or float(np.clip(length[-1] / VERTICES, *VERTEX_MM))
    n = max(8, round(length[-1] / step))
    s = np.linspace(0, length[-1], n, endpoint=False)
    return np.stack([np.interp(s, length, closed[:, 0]), np.interp(s, length, closed[:, 1])], axis=-1)


def _area(ring: Floats) -> float:
    u, v = ring.T
    return float(0.5 * (u[:-1] @ v[1:] - v[:-1] @ u[1:] + u[-1] * v[0] - v[-1] * u[0]))
