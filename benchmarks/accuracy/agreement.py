"""`make agreement`: the embedded pencil beam beside Monte Carlo, written into docs/dose-check.md.

Both engines get the same job through the same host: beams, density map, grid, machine data, and the calibration in 100 mm of water. Nothing is
normalised afterwards. Needs `reviewer backends --install monte-carlo`, and half an hour of two cores. With a folder as argument the answers of
the Monte Carlo are kept there, and taken from there while job and engine are the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from tables import put, table

from reviewer.backends.beams import beam_axes, patient_matrix
from reviewer.backends.contract import BeamInput, DoseJob, Lattice, Leaves, Segment
from reviewer.backends.density import density_map
from reviewer.backends.discovery import discover
from reviewer.backends.dose_check import Question, prepare
from reviewer.backends.exchange import digest
from reviewer.backends.host import describe, run
from reviewer.case import Dose
from reviewer.cli.output import Progress
from reviewer.demo import demo_folder
from reviewer.dosimetry.gamma import Criteria, gamma
from reviewer.geometry.grid import Grid
from reviewer.opening import begin

DOCUMENT = Path(__file__).parents[2] / "docs" / "dose-check.md"
SAME = {"calibration_depth_mm": 100.0, "gray_per_100_mu": 1.0}
LUNG, NEAR_LUNG_MM, SURFACE_MM = 0.6, 15.0, 15.0
CUT_OFF = 0.1


@dataclass(frozen=True)
class Task:
    """What both engines compute. uncertainty: of the Monte Carlo, in %."""

    name: str
    job: Callable[[], DoseJob]
    uncertainty: float


def field(size_mm: tuple[float, float], gantry: float, sad: float) -> BeamInput:
    """A rectangle around the axis, 100 MU."""
    axes = beam_axes(gantry, 0.0, 0.0, patient_matrix("HFS"))
    open_part = Leaves(
        "x",
        np.array([-size_mm[1] / 2, size_mm[1] / 2]),
        np.array([-size_mm[0] / 2]),
        np.array([size_mm[0] / 2]),
    )
    segment = Segment(100.0, gantry, 0.0, 0.0, sad * axes[2], axes[0], axes[1], (open_part,))
    return BeamInput(1, f"{gantry:g}°", np.zeros(3), sad, 6.0, (segment,))


def box(step: float, beams: tuple[BeamInput, ...], lung: tuple[float, float] | None = None) -> DoseJob:
    """24 cm of water around the isocentre with one voxel of air around it; lung: from where to where along y its density is 0.26."""
    n = round(240 / step) + 2
    first = -(n - 1) / 2 * step
    body = np.zeros((n, n, n), dtype=bool)
    body[1:-1, 1:-1, 1:-1] = True
    density = body.astype(np.float32)
    if lung is not None:
        y = first + step * np.arange(n)
        density[:, (y > lung[0]) & (y < lung[1])] *= np.float32(0.26)
    lattice = Lattice((n, n, n), (step, step, step), np.full(3, first))
    return DoseJob(lattice, density, body, beams, lattice)


def demo() -> DoseJob:
    """The adapted plan of the embedded case on the anatomy of its day, density by structure."""
    opening = begin([demo_folder()])
    opening.read_voxels(lambda image_id: None)
    case = opening.case
    planned = next(d for d in case.doses if d.label.endswith("adapted"))
    plan, group = case.plan(planned.plan_id), case.structure_set(planned.structure_set_id)
    question = Question(case, plan, group, density_map(case, group), planned)
    job, _, _ = prepare(question, describe(discover().get("dose", "pencil-beam")).info, {})
    return job


TASKS = (
    Task("water, 4 × 4 cm²", lambda: box(3.0, (field((40, 40), 0, 900),)), 2.0),
    Task(
        "water, four fields of 5 × 5 cm²",
        lambda: box(4.0, tuple(field((50, 50), angle, 900) for angle in (0, 70, 150, 260))),
        2.0,
    ),
    Task("the embedded liver case, 12 beams", demo, 2.0),
    Task("10 cm of lung in water, 5 × 5 cm²", lambda: box(4.0, (field((50, 50), 0, 900),), (-60.0, 40.0)), 2.0),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as spare:
        kept = Path(sys.argv[1] if len(sys.argv) > 1 else spare)
        kept.mkdir(parents=True, exist_ok=True)
        rows = [compared(task, kept) for task in TASKS]
    headings = ["case", "voxel", "photons", "σ", "mean difference", *REGIONS]
    put(DOCUMENT, {"agreement": table(headings, rows)})


def compared(task: Task, kept: Path) -> list[str]:
    """A row of the table: agreement in each region, reference Monte Carlo, and how far the high doses differ."""
    job = task.job()
    carlo, sigma, words = monte_carlo(job, task.uncertainty, kept)
    pencil = run(discover().get("dose", "pencil-beam"), replace(job, settings=SAME)).result.gray
    normal = float(pencil.max())
    found = gamma(dose_of(carlo, job), dose_of(pencil, job), Criteria(3.0, 3.0, 100 * CUT_OFF, normal_gy=normal)).values
    high = carlo > 0.5 * normal
    spread = 100 * (pencil - carlo)[high] / normal
    places = {name: region & np.isfinite(found) for name, region in regions(job).items()}
    agreement = [
        f"{100 * np.mean(found[place] <= 1):.1f} % of {np.count_nonzero(place)}" if place.any() else ""
        for place in places.values()
    ]
    photons = next(word for word in words if word.endswith("million photons")).split()[0]
    relative = 100 * np.sqrt(np.mean(np.square(sigma[high] / carlo[high])))
    row = [
        task.name,
        " × ".join(f"{mm:g}" for mm in job.dose_lattice.spacing_mm) + " mm",
        f"{photons} M",
        f"{relative:.1f} %",
        f"{spread.mean():+.1f} ± {spread.std():.1f} %",
        *agreement,
    ]
    print(" | ".join(row), flush=True)
    return row


def monte_carlo(
    job: DoseJob, uncertainty: float, kept: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Its dose, one standard deviation, and what it says of them."""
    backend = discover().get("dose", "monte-carlo")
    info = describe(backend).info
    job = replace(job, settings=SAME | {"uncertainty": uncertainty})
    file = kept / f"{digest((job, info.version, info.data_sha256))}.npz"
    if not file.exists():
        with Progress() as progress:
            result = run(backend, job, progress).result
        np.savez_compressed(file, gray=result.gray, sigma=result.sigma_gray, words=result.statements)
    with np.load(file) as answer:
        return answer["gray"], answer["sigma"], [str(word) for word in answer["words"]]


def dose_of(gray: NDArray[np.float32], job: DoseJob) -> Dose:
    lattice = job.dose_lattice
    nz, ny, nx = lattice.shape_zyx
    u, v, w = lattice.axes @ lattice.origin_mm
    step_u, step_v, step_w = lattice.spacing_mm
    grid = Grid(np.asarray(lattice.axes), (u, v), (step_u, step_v), (nx, ny), w + step_w * np.arange(nz), "1.2.3")
    return Dose("1.2.4", "", grid, gray)


REGIONS = ("soft tissue", f"the first {SURFACE_MM:g} mm", f"lung and {NEAR_LUNG_MM:g} mm around it")


def regions(job: DoseJob) -> dict[str, NDArray[np.bool_]]:
    """On the dose lattice, of voxels in the body; together all of them."""
    body = np.asarray(job.body)
    lung = near(body & (job.density < LUNG), job, NEAR_LUNG_MM)
    surface = near(~body, job, SURFACE_MM) & ~lung
    index = np.linalg.inv(job.lattice.matrix) @ job.dose_lattice.matrix
    k, j, i = np.ogrid[tuple(slice(n) for n in job.dose_lattice.shape_zyx)]
    places = [np.rint(row[0] * i + row[1] * j + row[2] * k + row[3]).astype(int) for row in index[:3]]
    x, y, z = (np.clip(place, 0, n - 1) for place, n in zip(places, job.lattice.shape_zyx[::-1], strict=True))
    inside = job.body_on_dose_lattice()
    found = (~(lung | surface), surface, lung)
    return {name: inside & region[z, y, x] for name, region in zip(REGIONS, found, strict=True)}


def near(mask: NDArray[np.bool_], job: DoseJob, mm: float) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(job.lattice.spacing_mm)
    away = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return np.asarray(sitk.GetArrayViewFromImage(away) <= mm)


if __name__ == "__main__":
    main()
