"""Electron density of an anatomy: from CT, or by structure where there is none (MR of the day)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from reviewer.case import Case, Image, Structure, StructureSet, Window
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import PlaneSampling, reslice
from reviewer.names import standard

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
Origin = Literal["auto", "ct", "bulk"]

SPACING_MM = 3.0
MARGIN_MM = 6.0
"""Air around the body in the map."""

INSIDE = 0.5
WATER = 1.0
SKIN_MM = 10.0
SKIN_AIR = 0.5
"""Within SKIN_MM of the surface, what a CT of another day shows as less than this is taken as water: the outline of the day holds."""


@dataclass(frozen=True)
class Tables:
    """hu: (n, 2) Hounsfield unit and density. bulk: standard name -> density, in order of rising priority."""

    hu: NDArray[np.float64]
    hu_source: str
    bulk: Mapping[str, float]
    bulk_source: str
    body: float


@cache
def tables() -> Tables:
    """The tables of resources/density."""
    folder = files("reviewer_resources").joinpath("density")
    hu: dict[str, Any] = yaml.safe_load(folder.joinpath("hu.yaml").read_text(encoding="utf-8"))
    bulk: dict[str, Any] = yaml.safe_load(folder.joinpath("bulk.yaml").read_text(encoding="utf-8"))
    rows = {row["name"]: float(row["density"]) for row in bulk["rows"]}
    return Tables(np.array(hu["points"], dtype=np.float64), hu["source"], rows, bulk["source"], float(bulk["body"]))


@dataclass(frozen=True, eq=False)
class DensityMap:
    """Electron density relative to water.

    values: (z, y, x) float32 on `grid`, 0 outside of the body; body: (z, y, x) bool.
    notes:  what it was made of, one sentence each; every result that is computed on it carries them.
    """

    grid: Grid
    values: Values
    body: Mask
    notes: tuple[str, ...]

    def image(self) -> Image:
        """The map as a layer to look at."""
        return Image(
            id="density",
            modality="DENSITY",
            description="Electron density relative to water",
            grid=self.grid,
            voxels=self.values,
            window=Window(0.8, 1.6),
        )


def density_map(
    case: Case,
    group: StructureSet,
    origin: Origin = "auto",
    overrides: Sequence[tuple[str, float]] = (),
    spacing_mm: float = SPACING_MM,
) -> DensityMap:
    """The density of the anatomy that a structure set describes, in its frame of reference; images must have their voxels.

    origin: "ct" takes a CT of the same frame, else one that is registered to it (rigidly); "bulk" assigns by structure;
    "auto" takes CT where there is one. overrides: (structure id, density relative to water), later ones win over all else.
    Raises InputError without a body outline, and for "ct" without a CT.
    """
    body = _body(group)
    grid = _around(body, spacing_mm)
    inside = _mask(body, grid)
    notes: list[str] = []
    ct = _ct(case, grid.frame_of_reference_uid) if origin != "bulk" else None
    if ct is None:
        if origin == "ct":
            raise InputError("there is no CT in or registered to the frame of the structures", where=group.label)
        values = _bulk(group, grid, notes)
    else:
        values = _of_ct(ct, case, grid, inside, notes)
        for structure in group.structures:
            name = _standard_name(structure)
            if name in ("Gas", "Air") and not structure.empty:
                values[_mask(structure, grid)] = tables().bulk[name]
                notes.append(f"{structure.name} is gas")
    known = {s.id: s for s in group.structures}
    for structure_id, density in overrides:
        if structure_id not in known:
            raise InputError("a structure whose density is set is not in the set", where=group.label)
        if not 0 <= density <= 5:
            raise InputError(f"a density of {density:g} times that of water", where=known[structure_id].name)
        values[_mask(known[structure_id], grid)] = density
        notes.append(f"density of {known[structure_id].name} set to {density:g}")
    values[~inside] = 0.0
    return DensityMap(grid, values, inside, tuple(notes))


def _body(group: StructureSet) -> Structure:
    outlines = [s for s in group.structures if not s.empty and (s.type == "EXTERNAL" or _standard_name(s) == "Body")]
    if not outlines:
        raise InputError(
            "the structures have no outline of the body", where=group.label, remedy="draw one, of the type EXTERNAL"
        )
    return outlines[0]


def _standard_name(structure: Structure) -> str:
    found = standard(structure.name)
    return found.name if found is not None else structure.name


def _around(body: Structure, spacing_mm: float) -> Grid:
    """A uniform grid along the planes of the body, with a little air around it."""
    if not 0.5 <= spacing_mm <= 10:
        raise InputError(f"a density grid of {spacing_mm:g} mm", remedy="choose 0.5 to 10 mm")
    bounds = np.array([region.bounds for region in body.planes.values()])
    u0, v0 = bounds[:, :2].min(axis=0) - MARGIN_MM
    u1, v1 = bounds[:, 2:].max(axis=0) + MARGIN_MM
    planes = list(body.planes)
    borders = body.grid.slab_borders_mm
    w0, w1 = float(borders[min(planes)]), float(borders[max(planes) + 1])
    size = int(np.ceil((u1 - u0) / spacing_mm)), int(np.ceil((v1 - v0) / spacing_mm))
    count = max(2, round((w1 - w0) / spacing_mm))
    positions = w0 + (np.arange(count) + 0.5) * (w1 - w0) / count
    return Grid(
        body.grid.axes,
        (float(u0), float(v0)),
        (spacing_mm, spacing_mm),
        size,
        positions,
        body.grid.frame_of_reference_uid,
    )


def _mask(structure: Structure, grid: Grid) -> Mask:
    out = np.zeros(grid.shape_zyx, dtype=np.bool_)
    found = coverage(structure, grid)
    out[found.box] = found.fraction >= INSIDE
    return out


def _bulk(group: StructureSet, grid: Grid, notes: list[str]) -> Values:
    table = tables()
    values = np.full(grid.shape_zyx, table.body, dtype=np.float32)
    rank = {name: n for n, name in enumerate(table.bulk)}
    members = [(rank[name], s) for s in group.structures if not s.empty and (name := _standard_name(s)) in rank]
    for place, structure in sorted(members, key=lambda m: m[0]):
        values[_mask(structure, grid)] = list(table.bulk.values())[place]
    listed = ", ".join(f"{s.name} {list(table.bulk.values())[n]:g}" for n, s in sorted(members, key=lambda m: m[0]))
    notes.append(f"density by structure, no CT: {listed or 'none'}, the rest of the body {table.body:g}")
    notes.append(f"densities: {table.bulk_source}")
    return values


def _ct(case: Case, frame_uid: str) -> Image | None:
    images = [i for i in case.images if i.modality == "CT"]
    same = [i for i in images if i.grid.frame_of_reference_uid == frame_uid]
    if same:
        return same[-1]
    for image in reversed(images):
        try:
            case.transform(frame_uid, image.grid.frame_of_reference_uid)
        except NotRegisteredError:
            continue
        return image
    return None


def _of_ct(ct: Image, case: Case, grid: Grid, inside: Mask, notes: list[str]) -> Values:
    if not ct.complete:
        raise InputError("the CT is not read completely", where=ct.description)
    table = tables()
    to_ct = case.transform(grid.frame_of_reference_uid, ct.grid.frame_of_reference_uid)
    values = np.full(grid.shape_zyx, WATER, dtype=np.float32)
    right, down = _three(grid.axes[0]), _three(grid.axes[1])
    beyond = 0
    for k in range(len(grid.positions_mm)):
        first = _three(grid.point_of_index_mm((k, 0, 0)))
        plane = PlaneSampling(first, right, down, grid.spacing_uv_mm, grid.size_uv)
        stored, known = reslice(ct.voxels, ct.grid, to_ct, plane, smooth=True)
        found = np.interp(stored * ct.slope + ct.intercept, table.hu[:, 0], table.hu[:, 1])
        values[k] = np.where(known, found, WATER)
        beyond += int(np.count_nonzero(inside[k] & ~known))
    notes.append(f'density from the CT "{ct.description or ct.id}" by HU: {table.hu_source}')
    if ct.grid.frame_of_reference_uid != grid.frame_of_reference_uid:
        notes.append("the CT was carried over rigidly by the registration: it does not know the anatomy of the day")
        skin = inside & ~_eroded(inside, grid) & (values < SKIN_AIR)
        values[skin] = WATER
    if beyond:
        notes.append(
            f"{100 * beyond / max(int(inside.sum()), 1):.1f} % of the body lie beyond the CT, and are taken as water"
        )
    return values


def _three(point: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])


def _eroded(inside: Mask, grid: Grid) -> Mask:
    """What lies deeper than SKIN_MM in its plane."""
    out = np.zeros_like(inside)
    for k, plane in enumerate(inside):
        depth = cv2.distanceTransform(np.pad(plane, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        out[k] = depth * grid.spacing_uv_mm[0] > SKIN_MM
    return out
