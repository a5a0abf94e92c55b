"""The demo's plans and doses: 50 Gy in 5 fractions to both metastases, as approved, on the anatomy of the day, and adapted to it.

Conformal apertures seen from each gantry angle, some of them shielding the gut, and their monitor units by least squares. The machine is
made up ("DEMO_MRL"): an unflattened 6 MV beam and leaves only, whose two stacks of 8.3 mm, offset by half a leaf, act as one of 4.15 mm.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Aperture, Beam, ControlPoint, Dose, Plan, Prescription
from reviewer.demo.anatomy import Anatomy
from reviewer.demo.dose import SAD_MM, Floats, Floats32, Geometry, dose_per_unit, fluence, geometries
from reviewer.demo.identity import APPROVAL_DATE, DAY_DATE, uid
from reviewer.geometry.grid import Grid

PRESCRIBED_GY = 50.0
FRACTIONS = 5
GANTRY_DEG = (190.0, 210.0, 230.0, 250.0, 270.0, 290.0, 310.0, 330.0, 350.0, 10.0, 30.0, 50.0)
BOUNDARIES_MM = np.round(4.15 * np.arange(-24, 25), 2)
TARGETS = ("PTV_1", "PTV_2")
GUT = ("Duodenum", "Stomach", "Bowel_Large", "Bowel_Small")

FIELD_MARGINS_MM = (3.0, 0.0, -3.0)
"""Leaf edges beyond the target."""
SHIELD_GAPS_MM = (-3.0, 0.0, 4.0)
"""Leaf edges beyond the gut, or short of it."""
NEAR_MM = 20.0
"""Gut farther from a target than this needs no shield."""
SMALLEST_SEGMENT_MU = 5.0
"""Per fraction; less is not worth the time that the leaves take."""

COVERED_GY = 0.95 * PRESCRIBED_GY
COVERAGE = 0.965
GUT_LIMIT_GY = 35.3
GUT_VOLUME_CC = 0.5
HIGHEST_GY = 62.7

_GRID_STEP_MM = 2.5
_GRID_FROM_MM = (-172.5, -125.0, -122.5)
_GRID_SHAPE_ZYX = (99, 96, 139)


class Sampled:
    """An anatomy on the dose grid of its frame; arrays are flat, in the order of the grid's voxels."""

    def __init__(self, anatomy: Anatomy) -> None:
        nz, ny, nx = _GRID_SHAPE_ZYX
        x, y, z = _GRID_FROM_MM
        positions = z + _GRID_STEP_MM * np.arange(nz, dtype=np.float64)
        self.anatomy = anatomy
        self.grid = Grid(
            np.eye(3), (x, y), (_GRID_STEP_MM, _GRID_STEP_MM), (nx, ny), positions, anatomy.frame_of_reference_uid
        )
        self.points_mm: Floats = self.grid.point_of_index_mm(np.indices(self.grid.shape_zyx).reshape(3, -1).T)
        self.density = anatomy.density(self.grid)
        self.in_body = self.part("Body") > 0
        self.target_mm = np.min([anatomy.distance(t, self.grid).ravel() for t in TARGETS], axis=0)

    def part(self, name: str) -> Floats32:
        """1 for each voxel whose centre lies in an organ, 0 for others: parts of voxels whose centres lie outside would bias the hottest 0.5 cc."""
        return (self.anatomy.distance(name, self.grid) < 0).ravel().astype(np.float32)

    @cached_property
    def targets(self) -> list[Floats32]:
        return [self.part(name) for name in TARGETS]

    @cached_property
    def gut(self) -> list[Floats32]:
        return [self.part(name) for name in GUT]

    @cached_property
    def isocentre_mm(self) -> Floats:
        """Centre of mass of the targets, to a tenth of a millimetre."""
        part = np.max(self.targets, axis=0)
        return np.asarray(np.round(part @ self.points_mm / part.sum(), 1))


@dataclass(frozen=True, eq=False)
class Segment:
    """One aperture of one beam: leaves (n, 2), left and right edge of each pair, mm at the isocentre plane."""

    beam: int
    leaves_mm: Floats
    mu: float = 0.0
    """Per fraction."""

    @cached_property
    def passed(self) -> Floats32:
        return fluence(self.leaves_mm, BOUNDARIES_MM)


def treatments(simulation: Anatomy, day: Anatomy) -> tuple[tuple[Plan, ...], tuple[Dose, ...]]:
    """The approved plan and the one adapted to the day; the doses of the first on simulation and on the day, and of the second.

    On the day the couch has moved the targets back to where the beams meet: both plans have the isocentre of the adapted one there.
    """
    then, now = Sampled(simulation), Sampled(day)
    beams_then = geometries(GANTRY_DEG, then.isocentre_mm, then.density, then.grid)
    beams_now = geometries(GANTRY_DEG, now.isocentre_mm, now.density, now.grid)
    approved, first = optimised(then, beams_then)
    adapted, third = optimised(now, beams_now)
    second = delivered(approved, beams_now, now)
    seed = simulation.seed
    plans = (
        _plan(seed, "LIV_50_5", APPROVAL_DATE, "APPROVED", approved, then),
        _plan(seed, "LIV_50_5 adapted", DAY_DATE, "UNAPPROVED", adapted, now),
    )
    doses = (
        _dose(seed, "LIV_50_5 original", APPROVAL_DATE, plans[0], first, then),
        _dose(seed, "LIV_50_5 on day", DAY_DATE, plans[0], second, now),
        _dose(seed, "LIV_50_5 adapted", DAY_DATE, plans[1], third, now),
    )
    return plans, doses


# -- apertures ------------------------------------------------------------------------------------------------------------


def conformal(target_xy_mm: Floats, margin_mm: float) -> Floats:
    """(n, 2) leaves around projected points (m, 2); pairs that see nothing are closed at 0."""
    leaves = np.zeros((len(BOUNDARIES_MM) - 1, 2))
    for k, (low, high) in enumerate(pairwise(BOUNDARIES_MM)):
        middle = (low + high) / 2
        x = target_xy_mm[np.abs(target_xy_mm[:, 1] - middle) < (high - low) / 2 + max(margin_mm, 0), 0]
        if x.size and x.min() - margin_mm < x.max() + margin_mm:
            leaves[k] = x.min() - margin_mm, x.max() + margin_mm
    return np.round(leaves, 1)


def shielding(leaves_mm: Floats, gut_xy_mm: Floats, gap_mm: float) -> Floats:
    """The larger part of each opening beside the projected gut (m, 2)."""
    out = leaves_mm.copy()
    for k, (low, high) in enumerate(pairwise(BOUNDARIES_MM)):
        x = gut_xy_mm[np.abs(gut_xy_mm[:, 1] - (low + high) / 2) < (high - low) / 2 + gap_mm, 0]
        left, right = leaves_mm[k]
        if not x.size or x.min() - gap_mm > right or x.max() + gap_mm < left:
            continue
        beside = [(left, x.min() - gap_mm), (x.max() + gap_mm, right)]
        start, end = max(beside, key=lambda opening: opening[1] - opening[0])
        out[k] = (start, end) if end > start else (0.0, 0.0)
    return np.round(out, 1)


def candidates(patient: Sampled, beams: list[Geometry]) -> list[Segment]:
    """For each beam the apertures worth trying: open to both targets and to each, wider and tighter, with and without shields."""
    near = (np.max(patient.gut, axis=0) > 0.5) & (patient.target_mm < NEAR_MM)
    segments = []
    for index, beam in enumerate(beams):
        gut = beam.project(patient.points_mm[near])
        seen = [beam.project(patient.points_mm[part > 0.5]) for part in patient.targets]
        shapes = [conformal(np.concatenate(seen), FIELD_MARGINS_MM[0])]
        for target in seen:
            for margin in FIELD_MARGINS_MM:
                opened = conformal(target, margin)
                shapes += [opened, *(shielding(opened, gut, gap) for gap in SHIELD_GAPS_MM)]
        different = {shape.tobytes(): shape for shape in shapes if np.ptp(shape, axis=1).any()}
        segments += [Segment(index, shape) for shape in different.values()]
    return segments


# -- monitor units --------------------------------------------------------------------------------------------------------


def optimised(patient: Sampled, beams: list[Geometry]) -> tuple[list[Segment], Floats32]:
    """The segments that the least squares keep, with their MU, and the dose that they deliver (z, y, x)."""
    segments = candidates(patient, beams)
    voxels, low, high, importance = objectives(patient)
    points = patient.points_mm[voxels]
    with ThreadPoolExecutor(2) as pool:
        columns = np.stack(
            list(pool.map(lambda s: dose_per_unit(beams[s.beam], s.passed, points), segments)),
            axis=-1,
            dtype=np.float32,
        )
    for rounds in (80, 80, 160):
        mu = least_squares(columns, low, high, importance, rounds) / FRACTIONS
        kept = np.flatnonzero(mu >= SMALLEST_SEGMENT_MU)
        segments, columns = [replace(segments[k], mu=float(mu[k])) for k in kept], columns[:, kept]
    dose = delivered(segments, beams, patient)
    factor = scale(dose.ravel(), patient)
    return [replace(s, mu=s.mu * factor) for s in segments], dose * np.float32(factor)


def objectives(patient: Sampled) -> tuple[NDArray[np.int64], Floats32, Floats32, Floats32]:
    """Voxels that stand for the anatomy (flat indices), and for each the dose to reach, the dose not to exceed, and the importance."""
    target = np.max(patient.targets, axis=0) > 0.5
    gut = np.max(patient.gut, axis=0) > 0.3
    away = patient.target_mm
    liver = (patient.part("Liver") > 0.5) & ~target
    body = patient.in_body & ~target & ~gut
    groups = (
        (target & ~gut, 1, 50.0, 54.0, 2.0),
        (target & gut, 1, 0.0, 32.0, 2.0),
        (gut & ~target & (away < 20), 1, 0.0, 31.0, 8.0),
        (gut & (away >= 20) & (away < 40), 4, 0.0, 20.0, 1.2),
        (body & (away < 4), 3, 0.0, 50.0, 0.2),
        (body & (away >= 4) & (away < 10), 6, 0.0, 36.0, 0.5),
        (body & (away >= 10) & (away < 20), 16, 0.0, 24.0, 1.0),
        (body & (away >= 20) & (away < 40), 80, 0.0, 16.0, 3.6),
        (patient.part("Kidney_R") > 0.5, 12, 0.0, 9.0, 0.7),
        (liver & (away >= 10), 80, 0.0, 5.0, 0.5),
    )
    voxels, numbers = [], []
    for mask, stride, *rule in groups:
        voxels.append(np.flatnonzero(mask)[::stride])
        numbers.append(np.tile(np.array(rule, dtype=np.float32), (len(voxels[-1]), 1)))
    low, high, importance = np.concatenate(numbers).T
    return np.concatenate(voxels), low, high, importance


def least_squares(columns: Floats32, low: Floats32, high: Floats32, importance: Floats32, rounds: int) -> Floats32:
    """Non-negative x that minimises sum(importance * distance(columns @ x, [low, high])²), by accelerated projected gradients
    (Beck and Teboulle, SIAM J Imaging Sci 2009)."""
    curvature = np.linalg.eigvalsh(columns.T @ (importance[:, None] * columns))[-1]
    x = z = np.full(columns.shape[1], PRESCRIBED_GY / columns[low > 0].sum(axis=1).mean(), dtype=np.float32)
    t = 1.0
    for _ in range(rounds):
        dose = columns @ z
        miss = dose - np.clip(dose, low, high)
        after = np.maximum(z - columns.T @ (importance * miss) / curvature, 0)
        t_after = (1 + np.sqrt(1 + 4 * t * t)) / 2
        x, z, t = after, after + np.float32((t - 1) / t_after) * (after - x), t_after
    return x


def scale(dose: Floats32, patient: Sampled) -> float:
    """Factor on all MU that covers each target, or as much of it as gut and maximum allow."""
    covered = min(hottest(dose, target, COVERAGE) for target in patient.targets)
    voxel_cc = _GRID_STEP_MM**3 / 1000
    limits = [HIGHEST_GY / float(dose.max())]
    for organ in patient.gut:
        volume = float(organ.sum()) * voxel_cc
        if volume > GUT_VOLUME_CC:
            limits.append(GUT_LIMIT_GY / hottest(dose, organ, GUT_VOLUME_CC / volume))
    return float(min(COVERED_GY / covered, *limits))


def hottest(dose: Floats32, part: Floats32, share: float) -> float:
    """The dose that the hottest `share` of an organ receives at least, Gy."""
    order = np.argsort(-dose)
    filled = np.cumsum(part[order])
    return float(dose[order[np.searchsorted(filled, share * filled[-1])]])


def delivered(segments: list[Segment], beams: list[Geometry], patient: Sampled) -> Floats32:
    """(z, y, x) dose of all fractions, Gy; zero outside the body."""
    points = patient.points_mm[patient.in_body]

    def of(index: int) -> Floats:
        own = [s.mu * FRACTIONS * s.passed for s in segments if s.beam == index]
        return dose_per_unit(beams[index], np.sum(own, axis=0), points)

    dose = np.zeros(patient.grid.shape_zyx, dtype=np.float32)
    with ThreadPoolExecutor(2) as pool:
        dose.ravel()[patient.in_body] = sum(pool.map(of, sorted({s.beam for s in segments})))
    return dose


# -- what the case holds ----------------------------------------------------------------------------------------------------


def _plan(seed: int, label: str, date: str, approval: str, segments: list[Segment], patient: Sampled) -> Plan:
    prescriptions = tuple(Prescription(name, PRESCRIBED_GY) for name in TARGETS)
    used = sorted({s.beam for s in segments})
    isocentre = tuple(float(v) for v in patient.isocentre_mm)
    beams = []
    for number, index in enumerate(used, 1):
        own = sorted((s for s in segments if s.beam == index), key=lambda s: -s.mu)
        total = sum(s.mu for s in own)
        points, done = [], 0.0
        for segment in own:
            aperture = (Aperture("MLCX", tuple(float(v) for v in segment.leaves_mm.T.ravel())),)
            share = segment.mu / total
            for weight in (done, done + share):
                points.append(ControlPoint(min(round(weight, 9), 1.0), GANTRY_DEG[index], 0.0, 0.0, aperture))
            done += share
        beams.append(
            Beam(
                number,
                f"G{GANTRY_DEG[index]:03.0f}",
                "DYNAMIC",
                "PHOTON",
                6.0,
                "DEMO_MRL",
                SAD_MM,
                (isocentre[0], isocentre[1], isocentre[2]),
                round(total, 2),
                1.0,
                tuple(points),
                (("MLCX", tuple(float(b) for b in BOUNDARIES_MM)),),
                patient_position="HFS",
            )
        )
    return Plan(
        uid(seed, "plan", label),
        label,
        date,
        approval,
        FRACTIONS,
        prescriptions,
        tuple(beams),
        uid(seed, "structures", patient.anatomy.state),
        patient.grid.frame_of_reference_uid,
    )


def _dose(seed: int, label: str, date: str, plan: Plan, gray: Floats32, patient: Sampled) -> Dose:
    return Dose(
        uid(seed, "dose", label),
        label,
        patient.grid,
        gray,
        plan_id=plan.id,
        structure_set_id=uid(seed, "structures", patient.anatomy.state),
        date=date,
    )
