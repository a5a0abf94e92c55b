"""From a cine and a target to a backend's job, and from its result to where the target was, in the cine's own plane coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.backends.contract import GatingJob, GatingResult, Provenance, Tracked, Value
from reviewer.case import Cine
from reviewer.errors import InputError
from reviewer.gating.agreement import Agreement, agreement
from reviewer.gating.rule import Floats
from reviewer.gating.target import Target
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid
from reviewer.geometry.level import level_rings
from reviewer.geometry.region import Region, region_of_rings, rings_of

HALF = 0.5
"""A mask says which part of each pixel is target: its outline runs where that is one half."""


@dataclass(frozen=True, eq=False)
class Track:
    """Where the target was on each frame, as a backend says.

    regions:    plane coordinates (u, v) of the cine's grid, mm; None where it was not tracked.
    shift_mm:   (t, 2) of the region's centroid from the target's on the reference frame; NaN where it was not tracked.
    confidence: (t,) 0 to 1, by the backend's own measure, also where it was not tracked.
    frame_ms:   (t,) that tracking took.
    statements: of the backend and of how the target was found.
    agreement:  with the labels of the target, None where it has none.
    """

    cine: Cine
    target: Target
    regions: tuple[Region | None, ...]
    shift_mm: Floats
    confidence: Floats
    frame_ms: Floats
    statements: tuple[str, ...]
    provenance: Provenance | None = None
    agreement: Agreement | None = None

    @property
    def backend(self) -> str:
        """Its name; empty where none is known."""
        return self.provenance.backend if self.provenance is not None else ""


@dataclass(frozen=True, eq=False)
class _Flat:
    """One region in the plane of a grid, as geometry sees it."""

    grid: Grid
    planes: Mapping[int, Region] = field(default_factory=dict)


def job_of(cine: Cine, target: Target, settings: Mapping[str, Value] | None = None) -> GatingJob:
    """What a backend is handed: pixels, times and the target, in mm from the first pixel's centre. Raises InputError."""
    if len(cine.frames) < 2:
        raise InputError("a cine needs at least two frames", where=cine.description)
    frames = np.ascontiguousarray(cine.frames, dtype=np.float32)
    if not np.isfinite(frames).all():
        raise InputError("its frames hold values that are not finite numbers", where=cine.description)
    part = coverage(_Flat(cine.grid, {0: target.region}), cine.grid)
    mask = np.zeros(cine.grid.shape_zyx, dtype=np.float32)
    mask[part.box] = part.fraction
    if float(mask.sum()) < 1:
        raise InputError(f"{target.name} fills less than one pixel of the cine", remedy="choose another target")
    origin = np.array(cine.grid.origin_uv_mm)
    return GatingJob(
        frames=frames,
        times_s=np.asarray(cine.times_s, dtype=np.float64),
        spacing_mm=cine.grid.spacing_uv_mm,
        reference=target.reference,
        mask=mask[0],
        contours=tuple(ring - origin for ring in rings_of(target.region)),
        settings=settings or {},
    )


def track_of(cine: Cine, target: Target, result: GatingResult, provenance: Provenance | None = None) -> Track:
    """A backend's result in the cine's plane. A target said to be tracked, but with nothing of an area, was not tracked."""
    if len(result.frames) != len(cine.frames):
        raise InputError(f"the backend answered for {len(result.frames)} of {len(cine.frames)} frames")
    regions = tuple(_region(cine, target, tracked) for tracked in result.frames)
    middle = shapely.get_coordinates(target.region.centroid)[0]
    shift = np.full((len(regions), 2), np.nan)
    for k, region in enumerate(regions):
        if region is not None:
            shift[k] = shapely.get_coordinates(region.centroid)[0] - middle
    confidence = np.array([tracked.confidence for tracked in result.frames], dtype=np.float64)
    statements = (*target.statements, *result.statements)
    labelled = agreement(regions, target.labelled, target.reference) if target.labelled else None
    return Track(cine, target, regions, shift, confidence, result.frame_ms, statements, provenance, labelled)


def _region(cine: Cine, target: Target, tracked: Tracked) -> Region | None:
    if not tracked.tracked:
        return None
    origin, spacing = np.array(cine.grid.origin_uv_mm), np.array(cine.grid.spacing_uv_mm)
    if tracked.contours is not None:
        return region_of_rings([np.asarray(ring, dtype=np.float64) + origin for ring in tracked.contours])
    if tracked.mask is not None:
        mask: NDArray[np.float64] = np.asarray(tracked.mask, dtype=np.float64)
        return region_of_rings([ring * spacing + origin for ring in level_rings(mask, HALF)])
    moved: Region = shapely.transform(target.region, lambda points: points + np.asarray(tracked.shift_mm))
    return moved
