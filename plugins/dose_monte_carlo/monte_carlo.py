"""Photon Monte Carlo for an independent check of the dose that a plan delivers: pyRadMC (DKFZ, Apache-2.0) follows each photon and electron.

The beam is that of the embedded pencil beam, so that the two can be compared: quality, fluence across the field, blur of its edges and the
part from the head of resources/photons, apertures opaque and sharp, every tissue water of its electron density. Runs in an environment of
its own, which has pyRadMC and numpy and no Reviewer; the host lends it `reviewer.backends`.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.aperture import openings
from reviewer.backends.contract import BackendInfo, DoseJob, DoseResult, Floats, Lattice, Progress, Segment, Setting
from reviewer.backends.photons import (
    PUBLISHED_AT_MM,
    PhotonBeam,
    beams,
    machine_settings,
    machine_statements,
    table,
    why_not,
)

TABLES_MEV = 7.0
"""Up to here the multiple scattering of electrons is tabulated: one table, which takes minutes to make and is kept, does for every beam."""
FILTRATION = (0.50, 0.75, 1.00, 1.25, 1.50, 1.75)
QUALITY = (0.614, 0.633, 0.654, 0.675, 0.694, 0.710)
"""TPR20,10 of the Varian 6 MV spectrum of Ali and Rogers (Phys Med Biol 2012;57:31-50) with so many times its second filtration coefficient,
put together from depth doses that this engine gave for twelve energies. So any beam has a spectrum of its quality."""

LEAST_DENSITY = 0.05
"""Within the body. In real gas so little energy is left in so little mass that single electrons would be doses."""
AIR = 0.001
CM = 0.1

BATCH = 500_000
FEWEST_BATCHES = 12
"""Fewer do not tell how far they scatter."""
HIGH = 0.5
"""The uncertainty that is asked for is that of voxels above this part of the highest dose."""

REFERENCE_MM = 100.0
REFERENCE_UNCERTAINTY = 0.004
CENTRE_MM, CENTRE_SHARE = 32.0, 0.85
"""So many of the photons of the reference field go to its centre, where its dose is scored."""
SCORED_MM = (20.0, 20.0, 6.0)

MeV_PER_G = NDArray[np.float64]


class MonteCarlo:
    """The optional engine for a second opinion on a plan's dose."""

    @property
    def info(self) -> BackendInfo:
        try:
            engine = version("pyRadMC")
        except PackageNotFoundError:
            engine = "?"
        return BackendInfo(
            "monte-carlo",
            "Monte Carlo (pyRadMC), generic",
            f"1.0 with pyRadMC {engine}",
            "Apache-2.0",
            statistical=True,
            needs=("beams", "density"),
            data_sha256=hashlib.sha256(table()).hexdigest(),
        )

    def settings(self) -> Sequence[Setting]:
        return (
            Setting(
                "uncertainty", "Statistical uncertainty", "number", 1.5, "%", 0.3, 10.0, (),
                "One standard deviation in voxels above half of the highest dose; half of it takes four times as long",
            ),
            *machine_settings(highest_tpr=QUALITY[-1]),
            Setting("seed", "Seed", "integer", 1, "", 0, 2**31 - 1, (), "The same seed gives the same dose again"),
        )  # fmt: skip

    def available(self, job: DoseJob | None) -> str | None:
        try:
            version("pyRadMC")
            version("warp-lang")
        except PackageNotFoundError as missing:
            return f"{missing.name} is not in its environment; `reviewer backends --install monte-carlo` makes one"
        return why_not(job) if job is not None else None

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        beam = beams()[str(job.settings["beam"])]
        quality = float(job.settings["tpr_20_10"]) or beam.tpr_20_10
        if quality < QUALITY[0]:
            raise ValueError(f"a TPR20,10 of {quality:g} is not that of a beam of 6 or 7 MV")
        seed, wanted = int(job.settings["seed"]), float(job.settings["uncertainty"]) / 100
        depth = float(job.settings["calibration_depth_mm"])
        body = job.body_on_dose_lattice()
        gray = np.zeros(job.dose_lattice.shape_zyx)
        variance = np.zeros_like(gray)
        histories = 0
        distances = sorted({beam.sad_mm for beam in job.beams})
        for n, sad in enumerate(distances):
            photons = plan_photons(job, sad, beam, quality)

            def said(part: float, text: str, n: int = n) -> None:
                progress((n + part) / len(distances), text)

            reference = averaged(
                reference_phantom(depth), reference_photons(sad, beam, quality), seed,
                lambda mean, sigma: float(sigma.max() / mean.max()), REFERENCE_UNCERTAINTY,
                lambda part, text: said(0.2 * part, f"calibration: {text}"),
            )  # fmt: skip
            answer = averaged(
                patient_phantom(job), photons, seed, _relative(body), wanted,
                lambda part, text: said(0.2 + 0.8 * part, text),
            )  # fmt: skip
            per_unit = float(job.settings["gray_per_100_mu"]) / 100.0 / float(reference.mean.max())
            share = float(reference.sigma.max() / reference.mean.max())
            dose = (per_unit * answer.mean).transpose(2, 1, 0)
            gray += dose
            variance += np.square(per_unit * answer.sigma).transpose(2, 1, 0) + np.square(share * dose)
            histories += answer.histories
        statements = (
            f"generic {beam.name} beam (TPR20,10 {quality:.3f}), no magnetic field, not commissioned",
            "an independent Monte Carlo: not a substitute for that of the treatment planning system",
            "dose to water: every tissue is water of its electron density, also lung and bone",
            f"gas within the body is taken as {100 * LEAST_DENSITY:g} % of water",
            "one spectrum in the whole field, no electrons from the treatment head: the first 15 mm may lack dose",
            "leaves are opaque and sharp: no leakage, rounded ends or tongue and groove",
            f"{histories / 1e6:.0f} million photons",
            *machine_statements(job, beam),
        )
        inside = body.astype(np.float32)
        return DoseResult(gray.astype(np.float32) * inside, statements, np.sqrt(variance).astype(np.float32) * inside)


# -- the beams as photons --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Photons:
    """Photons through open rectangles in isocentre planes; what pyRadMC calls a source.

    rectangles: (n, 4) x low, x high, y low, y high at the isocentre plane, mm. units: (n,) fluence of each, MU.
    share:      (n,) which part of the photons goes through each; what that is too many or too few, their weights make good.
    frames:     (n, 4, 3) source, isocentre, x axis, y axis, in mm and in the axes of the transport grid.
    """

    beam: PhotonBeam
    quality: float
    rectangles: Floats
    units: Floats
    share: Floats
    frames: Floats

    warp_sampler = None
    max_energy = TABLES_MEV

    @property
    def amount(self) -> float:
        """MU mm²: what the dose of one photon is multiplied with to have that of all."""
        return float((self.units * self._areas).sum())

    @property
    def _areas(self) -> Floats:
        x0, x1, y0, y1 = self.rectangles.T
        return np.asarray((x1 - x0) * (y1 - y0), dtype=np.float64)

    def sample(self, generator: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
        """(n, 3) where from, mm, (n, 3) unit vectors where to, and (n,) weights, 1 on the average of a fluence that is 1 everywhere."""
        beam = self.beam
        chosen = np.searchsorted(np.cumsum(self.share) / self.share.sum(), generator.random(n), side="right")
        chosen = np.minimum(chosen, len(self.share) - 1)
        x0, x1, y0, y1 = self.rectangles[chosen].T
        x, y = x0 + generator.random(n) * (x1 - x0), y0 + generator.random(n) * (y1 - y0)
        fair = self.units * self._areas / self.amount
        weights = (fair / (self.share / self.share.sum()))[chosen]
        source, isocentre, x_axis, y_axis = np.moveaxis(self.frames[chosen], 1, 0)
        from_head = generator.random(n) < beam.extra_focal
        radius = np.hypot(x, y) * PUBLISHED_AT_MM / np.linalg.norm(source - isocentre, axis=1)
        weights = np.where(from_head, weights, weights * np.interp(radius, beam.radius_mm, beam.off_axis))
        sigma = np.where(from_head, beam.extra_focal_sigma_mm, beam.focal_sigma_mm)
        x, y = (place + sigma * generator.normal(size=n) for place in (x, y))
        way = isocentre + x[:, None] * x_axis + y[:, None] * y_axis - source
        return source, way / np.linalg.norm(way, axis=1, keepdims=True), weights

    def sample_batch(self, seed: int, history_offset: int, n: int) -> dict[str, NDArray[Any]]:
        """As pyRadMC asks for them: columns in cm and MeV."""
        generator = np.random.default_rng([seed, history_offset])
        start, way, weights = self.sample(generator, n)
        spectrum = _spectrum(self.quality)
        columns = {
            "energy": spectrum.sample_energies(generator.random(n), generator.random(n)),
            **dict(zip(("x", "y", "z"), CM * start.T, strict=True)),
            **dict(zip(("ux", "uy", "uz"), way.T, strict=True)),
            "weight": weights,
        }
        kind = {"particle_type": np.ones(n, dtype=np.int32)}
        return kind | {name: column.astype(np.float32) for name, column in columns.items()}


@cache
def _spectrum(quality: float) -> Any:
    spectra = import_module("pyradmc.geometry.spectrum")
    varian = spectra.ALI_ROGERS_BEAMS["varian-6mv"]
    return spectra.ali_rogers_mv(varian._replace(c2=varian.c2 * float(np.interp(quality, QUALITY, FILTRATION))))


def plan_photons(job: DoseJob, sad_mm: float, photon_beam: PhotonBeam, quality: float) -> Photons:
    """All that the beams of one source-axis distance let through. Raises ValueError for apertures without bounds or without an opening."""
    axes = np.asarray(job.dose_lattice.axes, dtype=np.float64)
    found: list[tuple[Floats, Segment, Floats]] = []
    for beam in job.beams:
        if beam.sad_mm == sad_mm:
            isocentre = np.asarray(beam.isocentre_mm, dtype=np.float64)
            found += [(openings(segment.devices), segment, isocentre) for segment in beam.segments]
    rectangles = np.concatenate([open_parts for open_parts, _, _ in found])
    if not np.isfinite(rectangles).all():
        raise ValueError("the apertures of a beam have no bounds")
    if np.abs(rectangles).max(initial=0.0) > 300.0:
        raise ValueError("the apertures of a beam are wider than any machine's")
    counts = [len(open_parts) for open_parts, _, _ in found]
    units = np.repeat([segment.mu for _, segment, _ in found], counts).astype(np.float64)
    frames = np.repeat(
        [np.stack([s.source_mm, isocentre, s.x_axis, s.y_axis]) @ axes.T for _, s, isocentre in found], counts, axis=0
    )
    fair = units * np.prod(rectangles[:, 1::2] - rectangles[:, 0::2], axis=1)
    if fair.sum() <= 0:
        raise ValueError("the apertures of the plan are closed")
    return Photons(photon_beam, quality, rectangles, units, fair, frames)


def reference_photons(sad_mm: float, beam: PhotonBeam, quality: float) -> Photons:
    """One MU through the reference field, straight along z."""
    half, centre = REFERENCE_MM / 2, CENTRE_MM / 2
    sides = (-half, -centre, centre, half)
    rectangles = np.array([[*x, *y] for x in pairwise(sides) for y in pairwise(sides)])
    areas = (rectangles[:, 1] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 2])
    middle = np.arange(len(areas)) == len(areas) // 2
    share = np.where(middle, CENTRE_SHARE, (1 - CENTRE_SHARE) * areas / areas[~middle].sum())
    frame = np.array([[0.0, 0.0, -sad_mm], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return Photons(beam, quality, rectangles, np.ones(len(areas)), share, np.tile(frame, (len(areas), 1, 1)))


# -- what they meet --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Phantom:
    """Densities on one grid, and the grid that dose is scored on; x, y, z as pyRadMC has them, lengths in mm, corners of the first voxels."""

    density: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    corner_mm: Floats
    scored_shape: tuple[int, int, int]
    scored_spacing_mm: tuple[float, float, float]
    scored_corner_mm: Floats


def reference_phantom(depth_mm: float) -> Phantom:
    """Water, its surface `depth_mm` above the isocentre at 0; scored around the isocentre."""
    shape = (60, 60, int(np.ceil((depth_mm + 150.0) / 3.0)))
    return Phantom(
        np.ones(shape), (5.0, 5.0, 3.0), np.array([-150.0, -150.0, -depth_mm]),
        (1, 1, 1), SCORED_MM, -np.array(SCORED_MM) / 2,
    )  # fmt: skip


def patient_phantom(job: DoseJob) -> Phantom:
    """The density of the job on a grid along the axes of its dose lattice; where the two are turned, the voxel that a place lies in counts."""
    anatomy, dose = job.lattice, job.dose_lattice
    axes = np.asarray(dose.axes, dtype=np.float64)
    density = np.where(job.body, np.maximum(job.density, LEAST_DENSITY), AIR)
    if np.allclose(axes, anatomy.axes, atol=1e-6):
        values, spacing, corner = density.transpose(2, 1, 0), anatomy.spacing_mm, axes @ anatomy.origin_mm
        corner = corner - np.array(spacing) / 2
    else:
        values, spacing, corner = _turned(density, anatomy, axes)
    return Phantom(
        np.ascontiguousarray(values, dtype=np.float64), spacing, corner,
        dose.shape_zyx[::-1], dose.spacing_mm, axes @ dose.origin_mm - np.array(dose.spacing_mm) / 2,
    )  # fmt: skip


def _turned(
    density: NDArray[np.float64], lattice: Lattice, axes: Floats
) -> tuple[NDArray[np.float64], tuple[float, float, float], Floats]:
    """(x, y, z) values on a grid along `axes` that holds all of the lattice, with its spacing and the corner of its first voxel."""
    edges = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in lattice.shape_zyx[::-1]))).reshape(3, -1)
    corners = axes @ (lattice.matrix[:3, :3] @ edges + lattice.matrix[:3, 3:])
    step = min(lattice.spacing_mm)
    low, size = corners.min(axis=1), np.ceil(np.ptp(corners, axis=1) / step).astype(int)
    index = np.linalg.inv(lattice.matrix)[:3, :3] @ axes.T * step
    start = np.linalg.inv(lattice.matrix) @ [*(axes.T @ (low + step / 2)), 1.0]
    i, j, k = np.ogrid[: size[0], : size[1], : size[2]]
    places = [np.rint(row[0] * i + row[1] * j + row[2] * k + first) for row, first in zip(index, start, strict=False)]
    within = np.ones(tuple(size), dtype=bool)
    for place, n in zip(places, lattice.shape_zyx[::-1], strict=True):
        within &= (place >= 0) & (place < n)
    x, y, z = (np.clip(p, 0, n - 1).astype(int) for p, n in zip(places, lattice.shape_zyx[::-1], strict=True))
    return np.where(within, density[z, y, x], AIR), (step, step, step), low


# -- batches, in as many processes as there are cores ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Average:
    """(x, y, z) dose of all photons, in MeV/g and per MU, and one standard deviation of it."""

    mean: MeV_PER_G
    sigma: MeV_PER_G
    histories: int


def averaged(
    phantom: Phantom,
    photons: Photons,
    seed: int,
    uncertainty: Callable[[MeV_PER_G, MeV_PER_G], float],
    wanted: float,
    progress: Callable[[float, str], None],
) -> Average:
    """Batches until `uncertainty` of mean and standard deviation is as low as wanted.

    Batches count in their order, not in that of their arrival: the same seed gives the same answer on any number of cores.
    """
    total, squares, count, reached = np.zeros(()), np.zeros(()), 0, np.inf
    for dose in _batches(phantom, photons, seed):
        total, squares, count = total + dose, squares + dose * dose, count + 1
        if count >= FEWEST_BATCHES:
            mean = total / count
            sigma = np.sqrt(np.maximum(squares / count - mean * mean, 0.0) / (count - 1))
            reached = uncertainty(mean, sigma)
            if reached <= wanted:
                return Average(photons.amount * mean, photons.amount * sigma, count * BATCH)
        part = min((wanted / reached) ** 2, 1.0) if np.isfinite(reached) else 0.0
        known = f", uncertainty {100 * reached:.1f} %" if np.isfinite(reached) else ""
        progress(part, f"{count * BATCH / 1e6:.0f} million photons{known}")
    raise AssertionError("there is always another batch")


def _batches(phantom: Phantom, photons: Photons, seed: int) -> Iterator[MeV_PER_G]:
    """The dose of one batch after the other, MeV/g per photon, without end."""
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("fork")  # forked: spawned ones would not find the borrowed reviewer.backends
    with ProcessPoolExecutor(cores, context, _prepare, (phantom, photons)) as pool:
        waiting: list[Future[MeV_PER_G]] = []
        number = 0
        try:
            while True:
                while len(waiting) < 2 * cores:
                    waiting.append(pool.submit(_batch, seed, number))
                    number += 1
                wait(waiting[:1], return_when=FIRST_COMPLETED)
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


_here: dict[str, Any] = {}
"""Of a working process: its engine."""


def _prepare(phantom: Phantom, photons: Photons) -> None:
    pyradmc, warp = import_module("pyradmc"), import_module("warp")
    warp.config.quiet = True
    grid = pyradmc.VoxelGrid(
        phantom.density.shape,
        tuple(CM * step for step in phantom.spacing_mm),
        phantom.density,
        np.full(phantom.density.shape, pyradmc.WATER, dtype=np.int32),
        tuple(CM * phantom.corner_mm),
    )
    scored = pyradmc.ScoringGrid.rebin(
        grid,
        phantom.scored_shape,
        tuple(CM * s for s in phantom.scored_spacing_mm),
        tuple(CM * phantom.scored_corner_mm),
    )
    water = pyradmc.AnalyticCrossSections(geometry_densities=grid.max_density_by_material())
    _here.update(
        engine=pyradmc.WarpEngine(grid=grid, cross_sections=water, device="cpu"),
        photons=photons,
        scored=scored,
        fine=scored.deposit_resolution_cm if min(scored.spacing) < min(grid.spacing) else None,
    )


def _batch(seed: int, number: int) -> MeV_PER_G:
    """Dose of one batch; every batch has a seed of its own, drawn from the user's."""
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
    result = _here["engine"].run(
        _here["photons"], BATCH, 1, own, scoring_grid=_here["scored"], deposit_resolution_cm=_here["fine"]
    )
    return np.asarray(result.dose, dtype=np.float64)


def _relative(body: NDArray[np.bool_]) -> Callable[[MeV_PER_G, MeV_PER_G], float]:
    """Root mean square of the relative standard deviation in those voxels of the body that have a high dose."""
    inside = body.transpose(2, 1, 0)

    def of(mean: MeV_PER_G, sigma: MeV_PER_G) -> float:
        high = inside & (mean > HIGH * mean[inside].max(initial=0.0))
        return float(np.sqrt(np.mean(np.square(sigma[high] / mean[high])))) if high.any() else np.inf

    return of
