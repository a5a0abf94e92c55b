"""Fluence-convolution pencil beam for photons: an independent check of the dose that a plan delivers, quick and generic.

The pencil kernel follows from the beam's quality (`kernel`) and is a sum of a few depth curves, each with a lateral kernel of its own. So per
beam as many convolutions of the fluence in the isocentre plane, and in each voxel as many values looked up along its ray, at its
radiological depth. Fluence: aperture, course across the field, blur of the focal spot, and the wide part from the head (`reviewer.backends.photons`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.aperture import transmission
from reviewer.backends.contract import (
    BackendInfo,
    BeamInput,
    DoseJob,
    DoseResult,
    Floats,
    Lattice,
    Progress,
    Segment,
    Setting,
    Value,
)
from reviewer.backends.photons import PhotonBeam, beams, machine_settings, machine_statements, table, why_not

from . import kernel
from .kernel import DEPTH_STEP_MM, PIXEL_MM, REACH_MM, components, index_of
from .rays import collect, trace

RAY_STEP_MM = 4.0
"""Distance of the rays along which the radiological depth is known, at the isocentre plane."""
ALONG_STEP_MM = 2.0
SSD_STEP_MM = 5.0
"""The kernel is that of the nearest multiple: its width changes by 0.5 % in this step."""
SAME_DIRECTION = 1e-9
REFERENCE_FIELD_MM = 100.0
THREADS = 2


class PencilBeam:
    """The embedded engine for a second opinion on a plan's dose."""

    @property
    def info(self) -> BackendInfo:
        return BackendInfo(
            "pencil-beam",
            "Pencil beam, generic",
            "2.0",
            "Apache-2.0",
            needs=("beams", "density"),
            data_sha256=hashlib.sha256(kernel.table() + table()).hexdigest(),
        )

    def settings(self) -> Sequence[Setting]:
        return machine_settings(highest_tpr=0.745)

    def available(self, job: DoseJob | None) -> str | None:
        return why_not(job) if job is not None else None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        settings = job.settings
        photons = beams()[str(settings["beam"])]
        quality = float(settings["tpr_20_10"]) or photons.tpr_20_10
        index = index_of(quality)
        density = np.ascontiguousarray(np.where(job.body, job.density, np.float32(0)), dtype=np.float32)
        out = np.zeros(job.dose_lattice.shape_zyx, dtype=np.float32)
        wanted = job.body_on_dose_lattice()
        groups = [(beam, group) for beam in job.beams for group in _directions(beam)]
        with ThreadPoolExecutor(THREADS) as pool:
            fields = [pool.submit(_field, beam, group, density, job, photons, index, wanted) for beam, group in groups]
            for n, (field, (beam, _)) in enumerate(zip(fields, groups, strict=True)):
                out += field.result() * np.float32(_calibration(settings, photons, index, beam.sad_mm))
                progress((n + 1) / len(groups), beam.name)
        statements = (
            f"generic {photons.name} beam (TPR20,10 {quality:.3f}), no magnetic field, not commissioned",
            "an independent pencil beam: not a substitute for the Monte Carlo of the treatment planning system",
            "scatter is scaled with the depth only: less accurate in and near lung, bone and gas, and in the first 10 mm",
            "leaves are opaque and sharp: no leakage, rounded ends or tongue and groove",
            *machine_statements(job, photons),
        )
        return DoseResult(out, statements)


def _directions(beam: BeamInput) -> list[tuple[Segment, ...]]:
    """The segments of a beam that share their source and their axes: their fluences add up before anything else."""
    groups: list[list[Segment]] = []
    for segment in beam.segments:
        for group in groups:
            first = group[0]
            if (
                np.abs(first.source_mm - segment.source_mm).max() < SAME_DIRECTION * beam.sad_mm
                and np.abs(first.x_axis - segment.x_axis).max() < SAME_DIRECTION
            ):
                group.append(segment)
                break
        else:
            groups.append([segment])
    return [tuple(group) for group in groups]


def _field(
    beam: BeamInput,
    segments: tuple[Segment, ...],
    density: NDArray[np.float32],
    job: DoseJob,
    photons: PhotonBeam,
    index: float,
    wanted: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(z, y, x) dose of the segments in the kernel's own unit."""
    x_axis, y_axis, source = (
        np.asarray(a, dtype=np.float64) for a in (segments[0].x_axis, segments[0].y_axis, segments[0].source_mm)
    )
    ahead = (np.asarray(beam.isocentre_mm, dtype=np.float64) - source) / beam.sad_mm
    half_x, half_y, near, far = _frustum(job.lattice, source, x_axis, y_axis, ahead, beam.sad_mm)
    steps = int(np.ceil((far - near) / ALONG_STEP_MM)) + 1
    rays = tuple(2 * int(np.ceil(half / RAY_STEP_MM)) + 1 for half in (half_y, half_x))
    depth = np.zeros((*rays, steps), dtype=np.float32)
    to_index = np.linalg.inv(job.lattice.matrix)
    trace(depth, density, to_index, source, x_axis, y_axis, ahead, beam.sad_mm, near, ALONG_STEP_MM, RAY_STEP_MM)
    axis = depth[rays[0] // 2, rays[1] // 2]
    reached = np.flatnonzero(axis > 0)
    ssd = near + ALONG_STEP_MM * float(reached[0]) if reached.size else beam.sad_mm
    x_edges, y_edges = _edges(segments)
    fluence = sum(s.mu * transmission(s.devices, x_edges, y_edges).astype(np.float64) for s in segments)
    parts = components(index, _tabulated(ssd), beam.sad_mm)
    lateral = convolved(np.asarray(fluence), x_edges, y_edges, photons, parts.pixels, beam.sad_mm)
    out = np.zeros(job.dose_lattice.shape_zyx, dtype=np.float32)
    collect(
        out, wanted, lateral, np.array([x_edges[0], y_edges[0]]) + PIXEL_MM / 2, PIXEL_MM, depth,
        near, ALONG_STEP_MM, RAY_STEP_MM, job.dose_lattice.matrix, source, x_axis, y_axis, ahead, beam.sad_mm,
        parts.curves, DEPTH_STEP_MM,
    )  # fmt: skip
    return out


def _frustum(
    lattice: Lattice, source: Floats, x_axis: Floats, y_axis: Floats, ahead: Floats, sad_mm: float
) -> tuple[float, float, float, float]:
    """How far the anatomy reaches at the isocentre plane in x and y, and from where to where along the axis, as seen from the source."""
    nz, ny, nx = lattice.shape_zyx
    corners = np.array([[x, y, z, 1.0] for x in (-1, nx) for y in (-1, ny) for z in (-1, nz)])
    away = (corners @ lattice.matrix.T)[:, :3] - source
    along = away @ ahead
    if along.min() < 0.2 * sad_mm:
        raise ValueError(
            "the source lies in the patient, or nearly so: the isocentre or the source-axis distance is wrong"
        )
    scale = sad_mm / along
    return (
        float(np.abs(away @ x_axis * scale).max()),
        float(np.abs(away @ y_axis * scale).max()),
        float(along.min()),
        float(along.max()),
    )


def _edges(segments: Sequence[Segment]) -> tuple[Floats, Floats]:
    """Edges of the fluence's pixels in x and y, with room for the kernels around all that may be open."""
    reach = {"x": 0.0, "y": 0.0}
    for segment in segments:
        for axis in reach:
            limits = []
            for device in segment.devices:
                open_pairs = device.high_mm > device.low_mm
                if not open_pairs.any():
                    limits.append(0.0)
                elif device.along == axis:
                    limits.append(float(np.abs([device.low_mm[open_pairs], device.high_mm[open_pairs]]).max()))
                else:
                    sides = np.stack([device.boundaries_mm[:-1], device.boundaries_mm[1:]])[:, open_pairs]
                    limits.append(float(np.abs(sides).max()))
            reach[axis] = max(reach[axis], min(limits, default=np.inf))
    if not np.isfinite(list(reach.values())).all():
        raise ValueError("the apertures of a beam have no bounds")
    if max(reach.values()) > 300.0:
        raise ValueError("the apertures of a beam are wider than any machine's")
    sizes = [int(np.ceil((r + REACH_MM) / PIXEL_MM)) for r in reach.values()]
    return _pixel_edges(sizes[0]), _pixel_edges(sizes[1])


def _pixel_edges(count: int) -> Floats:
    """Edges of `count` pixels on both sides of one in the middle, on the axis."""
    return np.asarray(PIXEL_MM * (np.arange(2 * count + 2) - count - 0.5), dtype=np.float64)


def convolved(
    fluence: Floats, x_edges: Floats, y_edges: Floats, photons: PhotonBeam, pixels: Floats, sad_mm: float
) -> NDArray[np.float32]:
    """(n, y, x) what passes the aperture, with the course of the open field and its blur, convolved with each of n lateral kernels."""
    x, y = (x_edges[1:] + x_edges[:-1]) / 2, (y_edges[1:] + y_edges[:-1]) / 2
    ny, nx = fluence.shape
    size = (
        _smooth(ny),
        _smooth(nx),
    )  # room for the reach of the kernel is in the edges: nothing comes round to the other side
    squares = np.fft.fftfreq(size[0], PIXEL_MM)[:, None] ** 2 + np.fft.rfftfreq(size[1], PIXEL_MM)[None, :] ** 2

    def blur(variance: float) -> Floats:
        return np.asarray(np.exp(-2 * np.pi**2 * variance * squares))

    # pixels widen by their own size and again where values between them are looked up: less of the blur is left to do
    focal = max(photons.focal_sigma_mm**2 - PIXEL_MM**2 / 4, 0.0)
    part = photons.extra_focal
    spectrum = (1 - part) * np.fft.rfft2(fluence * photons.fluence(x, y, sad_mm), size) * blur(focal)
    spectrum += part * np.fft.rfft2(fluence, size) * blur(photons.extra_focal_sigma_mm**2)
    out = np.empty((len(pixels), ny, nx), dtype=np.float32)
    half = pixels.shape[1] // 2
    places = np.arange(-half, half + 1)
    for n, lateral in enumerate(pixels):
        weights = np.zeros(size)
        weights[np.ix_(places % size[0], places % size[1])] = lateral
        out[n] = np.fft.irfft2(spectrum * np.fft.rfft2(weights), size)[:ny, :nx]
    return out


def _smooth(n: int) -> int:
    """The next size that a Fourier transform is fast for."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _calibration(settings: Mapping[str, Value], photons: PhotonBeam, index: float, sad_mm: float) -> float:
    """Gy of one unit of the kernel, so that the reference field gives what the settings say."""
    depth = float(settings["calibration_depth_mm"])
    return float(settings["gray_per_100_mu"]) / 100.0 / _reference(photons, index, sad_mm, depth)


@lru_cache(maxsize=16)
def _reference(photons: PhotonBeam, index: float, sad_mm: float, depth_mm: float) -> float:
    """Dose of one MU in the kernel's own unit: 10 × 10 cm², in water at the isocentre, at a depth."""
    half = REFERENCE_FIELD_MM / 2
    n = int((half + REACH_MM) / PIXEL_MM)
    edges = _pixel_edges(n)
    part = np.clip(np.minimum(edges[1:], half) - np.maximum(edges[:-1], -half), 0, PIXEL_MM) / PIXEL_MM
    parts = components(index, _tabulated(sad_mm - depth_mm), sad_mm)
    lateral = convolved(np.outer(part, part), edges, edges, photons, parts.pixels, sad_mm)
    at_depth = [np.interp(depth_mm / DEPTH_STEP_MM, np.arange(len(curve)), curve) for curve in parts.curves]
    return float(np.dot(at_depth, lateral[:, n, n]))


def _tabulated(ssd_mm: float) -> float:
    return SSD_STEP_MM * round(ssd_mm / SSD_STEP_MM)
