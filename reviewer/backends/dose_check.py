"""Dose check: a plan's dose on an anatomy, computed by a backend; the answer is a Dose like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.backends import host
from reviewer.backends.beams import beams_of
from reviewer.backends.contract import BackendInfo, DoseJob, Lattice, PlannedDose, Provenance, Value
from reviewer.backends.density import DensityMap
from reviewer.backends.discovery import Backend
from reviewer.backends.plausible import remarks
from reviewer.case import Case, Dose, Plan, Structure, StructureSet
from reviewer.case.uid import stand_in_uid
from reviewer.dosimetry.dvh import dvh
from reviewer.errors import InputError, NotRegisteredError
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid

INSIDE = 0.5


@dataclass(frozen=True, eq=False)
class Question:
    """What one wants to know: the dose of `plan` on the anatomy of `group`.

    planned: the plan's own dose, on whose grid the answer is given where it lies in the frame of the anatomy; None where there is none.
    isocentre_mm: where the beams meet on this anatomy; None takes the plan's own, by the registration where the frames differ.
    """

    case: Case
    plan: Plan
    group: StructureSet
    density: DensityMap
    planned: Dose | None = None
    isocentre_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Check:
    """The answer. dose: of all fractions, with the frame of the anatomy; statements: all that a reader must know about it."""

    dose: Dose
    provenance: Provenance
    statements: tuple[str, ...]


def ask(
    backend: Backend,
    question: Question,
    settings: Mapping[str, Value] | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Check:
    """Run a backend. Takes as long as it takes: not for the GUI thread. Raises InputError, BackendError, CancelledError."""
    info = host.describe(backend).info
    job, grid, notes = prepare(question, info, settings or {})
    answer = host.run(backend, job, progress, cancelled)
    plan, case = question.plan, question.case
    assert plan.fractions is not None
    gray = answer.result.gray * np.float32(plan.fractions)
    dose = Dose(
        stand_in_uid("dose-check", answer.provenance.job_sha256, info.name, info.version, answer.provenance.started),
        f"{plan.label} by {info.name}",
        grid,
        gray,
        plan_id=plan.id if case.plan(plan.id) is not None else None,
        structure_set_id=question.group.id,
        date=answer.provenance.started[:10],
    )
    against = remarks(dose, plan, question.group, job.beams, question.planned)
    statements = (*against, *answer.provenance.statements, *notes)
    return Check(replace(dose, statements=statements), answer.provenance, statements)


def prepare(
    question: Question, info: BackendInfo, settings: Mapping[str, Value]
) -> tuple[DoseJob, Grid, tuple[str, ...]]:
    """The job for a backend, the grid of its answer, and what to say about how it was put together."""
    plan, density = question.plan, question.density
    if plan.fractions is None:
        raise InputError("the plan does not say in how many fractions", where=plan.label)
    frame = density.grid.frame_of_reference_uid
    notes = list(density.notes) if "density" in info.needs else []
    isocentre = _isocentre(question, frame, notes)
    beams = beams_of(plan, _position(question), isocentre) if "beams" in info.needs else ()
    planned = question.planned
    on_planned = planned is not None and planned.grid.frame_of_reference_uid == frame and planned.grid.uniform
    grid = planned.grid if planned is not None and on_planned else density.grid
    structures = [s for s in question.group.structures if not s.empty] if "structures" in info.needs else []
    return (
        DoseJob(
            lattice_of(density.grid),
            density.values,
            density.body,
            beams,
            lattice_of(grid),
            machine=plan.beams[0].machine if plan.beams else "",
            planned=_planned(question, frame, isocentre, notes) if "planned" in info.needs else None,
            structures=tuple(s.name for s in structures),
            structure_bits=_bits(structures, density.grid) if structures else None,
            settings=dict(settings),
        ),
        grid,
        tuple(notes),
    )


def lattice_of(grid: Grid) -> Lattice:
    """Raises InputError for planes at uneven distances."""
    if not grid.uniform:
        raise InputError("the planes of the grid are not evenly spaced", remedy="choose another grid")
    return Lattice(grid.shape_zyx, grid.spacing_mm, grid.point_of_index_mm((0, 0, 0)), np.array(grid.axes))


def normalised(check: Check, planned: Dose, target: Structure, to_planned: ArrayLike) -> Check:
    """The same check scaled so that the mean dose of a target is that of the plan's own dose, and says so: relative from here on.

    to_planned: (4, 4) map of the target's frame to the planned dose's. Raises InputError where one of the means is not known.
    """
    wanted, found = dvh(target, planned, to_planned), dvh(target, check.dose)
    if (
        wanted.outside_fraction > 0
        or found.outside_fraction > 0
        or wanted.mean_gy is None
        or found.mean_gy is None
        or found.mean_gy <= 0
    ):
        raise InputError("it does not lie in both doses", where=target.name, remedy="normalise to another target")
    factor = wanted.mean_gy / found.mean_gy
    sentence = f"scaled by {factor:.3f} to the planned mean dose of {target.name}: only its distribution is checked"
    statements = (sentence, *check.statements)
    gray = check.dose.gray * np.float32(factor)
    dose = replace(check.dose, id=stand_in_uid(check.dose.id, target.id), gray=gray, statements=statements)
    return replace(check, dose=dose, statements=statements)


def _isocentre(question: Question, frame: str, notes: list[str]) -> NDArray[np.float64] | None:
    """Where the beams meet in the frame of the anatomy. None: as in the plan."""
    if question.isocentre_mm is not None:
        notes.append("isocentre given: " + ", ".join(f"{c:.1f}" for c in question.isocentre_mm) + " mm")
        return np.asarray(question.isocentre_mm, dtype=np.float64)
    plan = question.plan
    own = _plan_frame(question)
    if own == frame:
        return None
    points = {beam.isocentre_mm for beam in plan.beams if beam.isocentre_mm is not None}
    if len(points) != 1:
        raise InputError(
            f"the plan has {len(points)} isocentres", where=plan.label, remedy="give the isocentre on this anatomy"
        )
    try:
        matrix = question.case.transform(own, frame)
    except NotRegisteredError as error:
        raise InputError(
            "the plan is not registered to this anatomy",
            where=plan.label,
            remedy="open the registration, or give the isocentre",
        ) from error
    notes.append("isocentre of the plan carried over by the registration")
    return np.asarray(matrix[:3, :3] @ np.array(points.pop()) + matrix[:3, 3])


def _plan_frame(question: Question) -> str:
    """The plan's frame of reference; where it states none, that of its structures or of its dose."""
    plan, group = question.plan, question.case.structure_set(question.plan.structure_set_id)
    if plan.frame_of_reference_uid:
        return plan.frame_of_reference_uid
    if group is not None and group.frame_of_reference_uid:
        return group.frame_of_reference_uid
    return question.planned.grid.frame_of_reference_uid if question.planned is not None else ""


def _position(question: Question) -> str:
    """The patient position of the image of the anatomy, for plans that state none."""
    image = question.case.image(question.group.image_id)
    return image.patient_position if image is not None else ""


def _planned(
    question: Question, frame: str, isocentre: NDArray[np.float64] | None, notes: list[str]
) -> PlannedDose | None:
    planned = question.planned
    if planned is None:
        return None
    there = planned.grid.frame_of_reference_uid
    assert question.plan.fractions is not None
    own = next((b.isocentre_mm for b in question.plan.beams if b.isocentre_mm is not None), None)
    if there == frame and question.isocentre_mm is None:
        matrix = np.eye(4)
    elif isocentre is not None and question.isocentre_mm is not None and own is not None:
        matrix = np.eye(4)
        matrix[:3, 3] = np.array(own) - isocentre
        notes.append("planned dose shifted with the isocentre")
    else:
        matrix = question.case.transform(frame, there)
        notes.append("planned dose carried over rigidly by the registration: deformable registrations are not read")
    return PlannedDose(planned.gray / np.float32(question.plan.fractions), lattice_of(planned.grid), matrix)


def _bits(structures: list[Structure], grid: Grid) -> NDArray[np.uint64]:
    if len(structures) > 64:
        raise InputError(f"{len(structures)} structures are more than 64", remedy="choose a backend that needs none")
    bits = np.zeros(grid.shape_zyx, dtype=np.uint64)
    for n, structure in enumerate(structures):
        found = coverage(structure, grid)
        bits[found.box] |= np.where(found.fraction >= INSIDE, np.uint64(1) << np.uint64(n), np.uint64(0))
    return bits
