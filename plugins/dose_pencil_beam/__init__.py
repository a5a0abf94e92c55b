"""Fluence-convolution pencil beam for photons: an independent check of the dose that a plan delivers, quick and generic.

Each pencil beam is a sum of three depth curves, each with a lateral kernel of its own (singular value decomposition: Bortfeld,
Schlegel, Rhein, Med Phys 1993;20:311-318); the numbers are those of resources/photons. So per beam three convolutions of the
fluence in the isocentre plane, and in each voxel three values looked up along its ray, at its radiological depth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
)

from .rays import collect, trace

FLUENCE_STEP_MM = 1.0
RAY_STEP_MM = 4.0
"""Distance of the rays along which the radiological depth is known, at the isocentre plane."""
ALONG_STEP_MM = 2.0
KERNEL_REACH_MM = 100.0
"""Beyond it the lateral kernels are cut off: at 10 cm depth 1 % of the scatter of a 20 cm field."""
SIGMA_OF_FWHM = 1 / np.sqrt(8 * np.log(2))
SAME_DIRECTION = 1e-9
REFERENCE_FIELD_MM = 100.0
THREADS = 2


@dataclass(frozen=True, eq=False)
class Machine:
    """Beam data; lengths in mm at the isocentre plane. kernels: (ssd, 3, n) per mm², at multiples of `kernel_step_mm` from the axis."""

    source: str
    energy_mv: float
    attenuation: float
    betas: Floats
    penumbra_sigma_mm: float
    radius_mm: Floats
    primary: Floats
    kernel_step_mm: float
    ssd_mm: Floats
    kernels: Floats
    sha256: str

    def curves(self, depth_mm: Floats) -> Floats:
        """(3, n) the depth curve of each component, 1 at most in the order of things; depth in water, mm."""
        m = self.attenuation
        return np.stack([b / (b - m) * (np.exp(-m * depth_mm) - np.exp(-b * depth_mm)) for b in self.betas])

    def kernel(self, ssd_mm: float) -> Floats:
        """(3, n) lateral kernels at a distance of source and surface, between those tabulated."""
        ssd = float(np.clip(ssd_mm, self.ssd_mm[0], self.ssd_mm[-1]))
        k = min(int(np.searchsorted(self.ssd_mm, ssd, side="right")) - 1, len(self.ssd_mm) - 2)
        part = (ssd - self.ssd_mm[k]) / (self.ssd_mm[k + 1] - self.ssd_mm[k])
        return np.asarray((1 - part) * self.kernels[k] + part * self.kernels[k + 1])


@cache
def machine() -> Machine:
    text = files("reviewer_resources").joinpath("photons", "generic-6mv.json").read_bytes()
    data = json.loads(text)
    return Machine(
        data["source"],
        data["energy_mv"],
        data["attenuation_per_mm"],
        np.array(data["betas_per_mm"]),
        data["penumbra_fwhm_mm"] * SIGMA_OF_FWHM,
        np.array(data["primary_fluence"]["radius_mm"]),
        np.array(data["primary_fluence"]["relative"]),
        data["kernel_step_mm"],
        np.array([k["ssd_mm"] for k in data["kernels"]]),
        np.array([k["components"] for k in data["kernels"]]),
        hashlib.sha256(text).hexdigest(),
    )


class PencilBeam:
    """The embedded engine for a second opinion on a plan's dose."""

    @property
    def info(self) -> BackendInfo:
        return BackendInfo(
            "pencil-beam",
            "Pencil beam, generic 6 MV",
            "1.0",
            "Apache-2.0 AND BSD-3-Clause",
            needs=("beams", "density"),
            data_sha256=machine().sha256,
        )

    def settings(self) -> Sequence[Setting]:
        return (
            Setting(
                "gray_per_100_mu", "Calibration", "number", 1.0, "Gy", 0.1, 10.0, (),
                "Dose of 100 MU in water, 10 × 10 cm² field, in a point at the isocentre",
            ),
            Setting(
                "calibration_depth_mm", "Depth of the calibration", "number", 13.0, "mm", 5.0, 300.0, (),
                "Depth in water of that point (13 mm is the maximum of this beam)",
            ),
            Setting(
                "off_axis_loss", "Off-axis loss", "number", 0.0, "%/cm", 0.0, 5.0, (),
                "Of an unflattened beam: how much fluence it lacks for each cm off axis; 0 for the flattened beam of the table",
            ),
        )  # fmt: skip

    def available(self, job: DoseJob | None) -> str | None:
        if job is not None and not job.beams:
            return "the plan has no beams"
        energies = sorted({b.energy_mv for b in job.beams if b.energy_mv is not None}) if job is not None else []
        if any(not 4.0 <= e <= 8.0 for e in energies):
            return f"the plan has beams of {', '.join(f'{e:g}' for e in energies)} MV; the beam data are those of 6 MV"
        return None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        data = machine()
        settings = job.settings
        loss = float(settings["off_axis_loss"]) / 1000.0
        density = np.ascontiguousarray(np.where(job.body, job.density, np.float32(0)), dtype=np.float32)
        out = np.zeros(job.dose_lattice.shape_zyx, dtype=np.float32)
        wanted = job.body_on_dose_lattice()
        groups = [(beam, group) for beam in job.beams for group in _directions(beam)]
        with ThreadPoolExecutor(THREADS) as pool:
            fields = [pool.submit(_field, beam, group, density, job, data, loss, wanted) for beam, group in groups]
            for n, (field, (beam, _)) in enumerate(zip(fields, groups, strict=True)):
                per_unit = _calibration(beam.sad_mm, data, settings, loss)
                out += field.result() * np.float32(per_unit)
                progress((n + 1) / len(groups), beam.name)
        energies = {b.energy_mv for b in job.beams if b.energy_mv is not None} - {data.energy_mv}
        statements: tuple[str, ...] = (
            "generic 6 MV beam, no magnetic field, not commissioned",
            "an independent pencil beam: not a substitute for the Monte Carlo of the treatment planning system",
            "scatter is scaled with the depth only: less accurate in and near lung, bone and gas, and in the first 10 mm",
            "leaves are opaque and sharp: no leakage, rounded ends or tongue and groove",
            f"monitor units: {float(settings['gray_per_100_mu']):g} Gy per 100 MU for 10 × 10 cm² at the isocentre in "
            f"{float(settings['calibration_depth_mm']):g} mm of water; not calibrated to the machine",
            f"flattened beam less {loss * 1000:g} %/cm off axis" if loss else "flattened beam",
        )
        if energies:
            statements += (f"the plan's beams have {', '.join(f'{e:g}' for e in sorted(energies))} MV",)
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
    data: Machine,
    loss: float,
    wanted: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(z, y, x) dose of the segments in the machine's own unit."""
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
    lateral = convolved(np.asarray(fluence), x_edges, y_edges, data, ssd, loss)
    out = np.zeros(job.dose_lattice.shape_zyx, dtype=np.float32)
    collect(
        out, wanted, lateral, np.array([x_edges[0], y_edges[0]]) + FLUENCE_STEP_MM / 2, FLUENCE_STEP_MM, depth,
        near, ALONG_STEP_MM, RAY_STEP_MM, job.dose_lattice.matrix, source, x_axis, y_axis, ahead, beam.sad_mm,
        data.betas, data.attenuation,
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
    sizes = [int(np.ceil((r + KERNEL_REACH_MM) / FLUENCE_STEP_MM)) for r in reach.values()]
    return _pixel_edges(sizes[0]), _pixel_edges(sizes[1])


def _pixel_edges(count: int) -> Floats:
    """Edges of `count` pixels on both sides of one in the middle, on the axis."""
    return np.asarray(FLUENCE_STEP_MM * (np.arange(2 * count + 2) - count - 0.5), dtype=np.float64)


def convolved(
    fluence: Floats, x_edges: Floats, y_edges: Floats, data: Machine, ssd_mm: float, loss: float
) -> NDArray[np.float32]:
    """(3, y, x) fluence with the penumbra of the source, convolved with the lateral kernel of each component.

    loss: part of the fluence lost per mm off axis, on top of the table's primary fluence, which holds then no longer.
    """
    x, y = (x_edges[1:] + x_edges[:-1]) / 2, (y_edges[1:] + y_edges[:-1]) / 2
    radius = np.hypot(x[None, :], y[:, None])
    primary = np.maximum(1 - loss * radius, 0.0) if loss else np.interp(radius, data.radius_mm, data.primary)
    ny, nx = fluence.shape
    size = tuple(_smooth(n + 2 * int(KERNEL_REACH_MM / FLUENCE_STEP_MM)) for n in (ny, nx))
    # pixels widen by their own size and again where values between them are looked up: less of the penumbra is left to do
    variance = max(data.penumbra_sigma_mm**2 - FLUENCE_STEP_MM**2 / 4, 0.0)
    fy, fx = np.fft.fftfreq(size[0], FLUENCE_STEP_MM), np.fft.rfftfreq(size[1], FLUENCE_STEP_MM)
    blur = np.exp(-2 * np.pi**2 * variance * (fy[:, None] ** 2 + fx[None, :] ** 2))
    spectrum = np.fft.rfft2(fluence * primary, size) * blur
    out = np.empty((3, ny, nx), dtype=np.float32)
    for n, kernel in enumerate(data.kernel(ssd_mm)):
        weights = np.zeros(size)
        half = int(KERNEL_REACH_MM / FLUENCE_STEP_MM)
        pixels = _pixels(kernel, data.kernel_step_mm, half)
        places = np.arange(-half, half + 1)
        weights[np.ix_(places % size[0], places % size[1])] = pixels
        out[n] = np.fft.irfft2(spectrum * np.fft.rfft2(weights), size)[:ny, :nx]
    return out


def _pixels(kernel: Floats, step_mm: float, half: int) -> Floats:
    """(2 half + 1, 2 half + 1) what a radial kernel puts into each pixel of FLUENCE_STEP_MM.

    The table's values stand for pixels of `step_mm`, the middle one a peak: it is put together from such pixels, edges shared.
    """
    fine = round(FLUENCE_STEP_MM / step_mm)
    n = half * fine + fine // 2
    place = np.arange(-n, n + 1) * step_mm
    radius = np.hypot(place[:, None], place[None, :])
    values = np.interp(radius, step_mm * np.arange(len(kernel)), kernel, right=0.0) * step_mm**2
    values[radius > KERNEL_REACH_MM] = 0.0
    shares = np.zeros((2 * half + 1, len(place)))
    for k, at in enumerate(np.arange(-n, n + 1)):
        pixel, rest = divmod(at + n, fine)
        if fine % 2 == 0 and rest == 0:  # on the edge of two pixels
            for side in (pixel - 1, pixel):
                if 0 <= side < len(shares):
                    shares[side, k] += 0.5
        elif pixel < len(shares):
            shares[pixel, k] += 1.0
    return np.asarray(shares @ values @ shares.T)


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


def _calibration(sad_mm: float, data: Machine, settings: object, loss: float) -> float:
    """Gy of one unit of the table, so that the reference field gives what the settings say."""
    assert isinstance(settings, dict)
    depth = float(settings["calibration_depth_mm"])
    return float(settings["gray_per_100_mu"]) / 100.0 / _reference(sad_mm, depth, loss)


@cache
def _reference(sad_mm: float, depth_mm: float, loss: float) -> float:
    """Dose of one MU in the machine's own unit: 10 × 10 cm², in water at the isocentre, at a depth."""
    data = machine()
    n = int(REFERENCE_FIELD_MM / 2 + KERNEL_REACH_MM)
    edges = _pixel_edges(n)
    part = np.clip(
        np.minimum(edges[1:], REFERENCE_FIELD_MM / 2) - np.maximum(edges[:-1], -REFERENCE_FIELD_MM / 2), 0, 1
    )
    lateral = convolved(np.outer(part, part), edges, edges, data, sad_mm - depth_mm, loss)
    return float(data.curves(np.array([depth_mm]))[:, 0] @ lateral[:, n, n])
