# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Gamma index: dose difference and distance to agreement in one number (Low et al., Med Phys 1998;25:656-661)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Dose, Image, Window
from reviewer.dosimetry.criteria import Criteria
from reviewer.errors import CancelledError, InputError
from reviewer.geometry.grid import Grid

Values = NDArray[np.float32]

ROUNDS = 4
"""Steps towards the lowest gamma within a cell; two are enough where the dose is nearly linear."""

LARGEST = 2.0
"""Gamma is searched up to here; points beyond are reported as this, and do not pass anyway."""

THREADS = 2


@dataclass(frozen=True, eq=False)
class Gamma:
    """The gamma index in the voxels of a reference dose.

    values: (z, y, x) float32; NaN where nothing was asked (below the cut-off) or the evaluated dose is not known.
    points: voxels with an answer; unknown: voxels above the cut-off that have none, because the evaluated dose does not reach there.
    """

    criteria: Criteria
    grid: Grid
    values: Values
    points: int
    unknown: int

    @property
    def pass_percent(self) -> float | None:
        """Part of the points with an answer that have a gamma of at most 1; None where there are none."""
        return 100 * float(np.count_nonzero(self.values <= 1)) / self.points if self.points else None

    @property
    def summary(self) -> str:
        """In a sentence."""
        if self.pass_percent is None or self.mean is None:
            return "no point of the reference above the cut-off lies where the other dose is known"
        text = f"{self.pass_percent:.2f} % of {self.points} points pass, mean gamma {self.mean:.3f}"
        return f"{text}; {self.unknown} more have no dose to compare with" if self.unknown else text

    @property
    def mean(self) -> float | None:
        """Mean of the answers, those beyond `LARGEST` counted as that."""
        return float(np.nanmean(self.values, dtype=np.float64)) if self.points else None

    def image(self, id_: str, description: str = "gamma") -> Image:
        """The map as a volume to look at; what was not asked is 0."""
        return Image(
            id=id_,
            modality="GAMMA",
            description=f"{description} ({self.criteria})",
            grid=self.grid,
            voxels=np.nan_to_num(self.values, nan=0.0),
            window=Window(1.0, 2.0),
        )


def gamma(
    reference: Dose,
    evaluated: Dose,
    criteria: Criteria,
    to_evaluated: ArrayLike | None = None,
    progress: Callable[[float], bool] = lambda part: False,
) -> Gamma:
    """The 3D gamma index of `evaluated` in each voxel of `reference` above the cut-off.

    to_evaluated: (4, 4) rigid map of patient points (mm) of the reference's frame to the evaluated dose's; None where they are the same.
    progress:     gets the part that is done, 0 to 1, and says whether to stop; then CancelledError is raised.

    The evaluated dose is trilinearly interpolated between its voxels, and the lowest gamma is searched in every cell between eight of them
    that can hold it: continuously, not in steps. Raises InputError where the doses are not of a kind, or the reference has no dose.
    """
    if reference.type != evaluated.type:
        raise InputError(
            f"one dose is {reference.type}, the other {evaluated.type}",
            where=evaluated.label,
            remedy="choose two alike",
        )
    if reference.scale != evaluated.scale:
        raise InputError(
            f"one dose is {reference.scale or 'on an unknown scale'}, the other {evaluated.scale or 'on an unknown scale'}",
            where=evaluated.label,
            remedy="choose two alike",
        )
    if reference.summation != evaluated.summation:
        raise InputError(
            f"one dose is that of {reference.summation or 'unknown parts'}, the other of {evaluated.summation or 'unknown parts'}",
            where=evaluated.label,
            remedy="choose two alike",
        )
    known = reference.gray[np.isfinite(reference.gray)]
    normal = float(criteria.normal_gy if criteria.normal_gy is not None else known.max(initial=0.0))
    if not normal > 0:
        raise InputError("the dose to compare with is zero everywhere", where=reference.label, remedy="choose another")
    matrix = np.eye(4) if to_evaluated is None else np.asarray(to_evaluated, dtype=np.float64)
    grid, other = reference.grid, evaluated.grid
    turn = other.axes @ matrix[:3, :3] @ grid.axes.T
    shift = other.axes @ matrix[:3, 3]
    if min(other.shape_zyx) < 2:
        raise InputError("the dose has a single plane", where=evaluated.label, remedy="gamma in space needs several")
    out = np.full(grid.shape_zyx, np.nan, dtype=np.float32)
    unknown = np.zeros(len(out), dtype=np.int64)
    spacing = np.array(other.spacing_uv_mm)
    gray = np.ascontiguousarray(evaluated.gray, dtype=np.float32)
    arguments = (
        np.ascontiguousarray(reference.gray, dtype=np.float32),
        np.array([*grid.origin_uv_mm, *grid.spacing_uv_mm]),
        grid.positions_mm,
        gray,
        *_ranges(gray),
        np.array([*other.origin_uv_mm, *spacing]),
        other.positions_mm,
        np.ascontiguousarray(turn),
        shift,
        1 / criteria.distance_mm**2,
        np.float32(criteria.cutoff_percent / 100 * normal),
        criteria.dose_percent / 100 * normal,
        criteria.dose_percent / 100 if criteria.local else 0.0,
    )
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda z: _plane(out, unknown, z, *arguments), range(len(out))):
            done += 1
            if progress(done / len(out)):
                pool.shutdown(wait=True, cancel_futures=True)
                raise CancelledError
    return Gamma(criteria, grid, out, int(np.count_nonzero(np.isfinite(out))), int(unknown.sum()))


def _ranges(gray: Values) -> tuple[Values, Values]:
    """Lowest and highest dose of each cell between eight voxel centres, (nz - 1, ny - 1, nx - 1)."""
    low = high = gray
    for axis in range(3):
        first, second = (
            tuple(slice(k, (k - 1) or None) if n == axis else slice(None) for n in range(3)) for k in (0, 1)
        )
        low, high = np.minimum(low[first], low[second]), np.maximum(high[first], high[second])
    return np.ascontiguousarray(low), np.ascontiguousarray(high)


@njit(cache=True, nogil=True, error_model="numpy")
def _plane(  # type: ignore[no-untyped-def]
    out, unknown, z, reference, lattice, positions, evaluated, lowest, highest, other, other_positions, turn, shift, per_mm2, cutoff,
    tolerance, local,
):  # fmt: skip
    """Gamma of one plane of the reference. lattice, other: first column and row, and their distances, of either grid."""
    _, ny, nx = reference.shape
    place = np.empty(3)
    for y in range(ny):
        for x in range(nx):
            dose = float(reference[z, y, x])
            if not dose >= cutoff:
                continue
            u, v, w = lattice[0] + x * lattice[2], lattice[1] + y * lattice[3], positions[z]
            for i in range(3):
                place[i] = turn[i, 0] * u + turn[i, 1] * v + turn[i, 2] * w + shift[i]
            limit = tolerance if local == 0.0 else local * dose
            found = _best(
                dose, place, evaluated, lowest, highest, other, other_positions, per_mm2, 1.0 / (limit * limit)
            )
            if np.isnan(found):
                unknown[z] += 1
            else:
                out[z, y, x] = np.sqrt(found)


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(w, positions):  # type: ignore[no-untyped-def]
    """Index of the two planes that w lies between, of the first or last two beyond them."""
    last = len(positions) - 2
    k = int((w - positions[0]) / (positions[last + 1] - positions[0]) * (last + 1))
    k = min(max(k, 0), last)
    while k > 0 and w < positions[k]:
        k -= 1
    while k < last and w >= positions[k + 1]:
        k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _best(dose, place, gray, lowest, highest, lattice, positions, per_mm2, per_gy2):  # type: ignore[no-untyped-def]
    """The lowest square of gamma around a place, at most LARGEST squared; NaN where the dose at the place itself is not known."""
    u, v, w = place[0], place[1], place[2]
    su, sv = lattice[2], lattice[3]
    x, y = (u - lattice[0]) / su, (v - lattice[1]) / sv
    nz, ny, nx = lowest.shape
    tiny = 1e-6
    if x < -tiny or y < -tiny or x > nx + tiny or y > ny + tiny or w < positions[0] - tiny or w > positions[nz] + tiny:
        return np.nan
    hi, hj, hk = min(max(int(x), 0), nx - 1), min(max(int(y), 0), ny - 1), _cell(w, positions)
    if np.isnan(lowest[hk, hj, hi]):
        return np.nan
    most = LARGEST * LARGEST
    best = _in_cell(most, dose, u, v, w, gray, hi, hj, hk, lattice, positions, per_mm2, per_gy2)
    reach = np.sqrt(best / per_mm2)
    i0, i1 = max(int(np.floor(x - reach / su)), 0), min(int(np.floor(x + reach / su)), nx - 1)
    j0, j1 = max(int(np.floor(y - reach / sv)), 0), min(int(np.floor(y + reach / sv)), ny - 1)
    k0, k1 = _cell(w - reach, positions), _cell(w + reach, positions)
    for k in range(k0, k1 + 1):
        dw = max(positions[k] - w, w - positions[k + 1], 0.0)
        for j in range(j0, j1 + 1):
            dv = max(j - y, y - j - 1, 0.0) * sv
            across = dw * dw + dv * dv
            if across * per_mm2 >= best:
                continue
            for i in range(i0, i1 + 1):
                du = max(i - x, x - i - 1, 0.0) * su
                gap = max(lowest[k, j, i] - dose, dose - highest[k, j, i], 0.0)
                if (across + du * du) * per_mm2 + gap * gap * per_gy2 >= best or (i == hi and j == hj and k == hk):
                    continue
                best = _in_cell(best, dose, u, v, w, gray, i, j, k, lattice, positions, per_mm2, per_gy2)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _in_cell(best, dose, u, v, w, gray, i, j, k, lattice, positions, per_mm2, per_gy2):  # type: ignore[no-untyped-def]
    """The lowest square of gamma in one cell, or `best` where that is lower.

    Gauss-Newton: with the dose as a linear function of the place the lowest gamma lies along its gradient, or, where that leaves the cell,
    along the gradient within the face; the dose is then made linear there anew.
    """
    size = (lattice[2], lattice[3], positions[k + 1] - positions[k])
    target = (u - lattice[0] - i * size[0], v - lattice[1] - j * size[1], w - positions[k])
    c000, c001 = float(gray[k, j, i]), float(gray[k, j, i + 1])
    c010, c011 = float(gray[k, j + 1, i]), float(gray[k, j + 1, i + 1])
    c100, c101 = float(gray[k + 1, j, i]), float(gray[k + 1, j, i + 1])
    c110, c111 = float(gray[k + 1, j + 1, i]), float(gray[k + 1, j + 1, i + 1])
    px = min(max(target[0], 0.0), size[0])
    py = min(max(target[1], 0.0), size[1])
    pz = min(max(target[2], 0.0), size[2])
    for _ in range(ROUNDS):
        a, b, c = px / size[0], py / size[1], pz / size[2]
        x00, x10 = c000 + (c001 - c000) * a, c010 + (c011 - c010) * a
        x01, x11 = c100 + (c101 - c100) * a, c110 + (c111 - c110) * a
        near, far = x00 + (x10 - x00) * b, x01 + (x11 - x01) * b
        value = near + (far - near) * c
        dx, dy, dz = px - target[0], py - target[1], pz - target[2]
        square = (value - dose) ** 2 * per_gy2 + (dx * dx + dy * dy + dz * dz) * per_mm2
        best = min(best, square)
        gx = (
            ((c001 - c000) * (1 - b) + (c011 - c010) * b) * (1 - c) + ((c101 - c100) * (1 - b) + (c111 - c110) * b) * c
        ) / size[0]
        gy = ((x10 - x00) * (1 - c) + (x11 - x01) * c) / size[1]
        gz = (far - near) / size[2]
        left = value - dose - gx * dx - gy * dy - gz * dz  # what the linear dose lacks at the target
        free_x, free_y, free_z = True, True, True
        sx = sy = sz = 0.0
        for _turn in range(3):
            slope = (gx * gx if free_x else 0.0) + (gy * gy if free_y else 0.0) + (gz * gz if free_z else 0.0)
            along = -left * per_gy2 / (per_mm2 + slope * per_gy2)
            worst, which, bound = 0.0, 0, 0.0
            if free_x:
                sx = along * gx
                over = max(-target[0] - sx, sx - size[0] + target[0])
                if over > worst:
                    worst, which, bound = over, 1, (-target[0] if sx < -target[0] else size[0] - target[0])
            if free_y:
                sy = along * gy
                over = max(-target[1] - sy, sy - size[1] + target[1])
                if over > worst:
                    worst, which, bound = over, 2, (-target[1] if sy < -target[1] else size[1] - target[1])
            if free_z:
                sz = along * gz
                over = max(-target[2] - sz, sz - size[2] + target[2])
                if over > worst:
                    worst, which, bound = over, 3, (-target[2] if sz < -target[2] else size[2] - target[2])
            if which == 0:
                break
            if which == 1:
                free_x, sx, left = False, bound, left + gx * bound
            elif which == 2:
                free_y, sy, left = False, bound, left + gy * bound
            else:
                free_z, sz, left = False, bound, left + gz * bound
        nx = min(max(target[0] + sx, 0.0), size[0])
        ny = min(max(target[1] + sy, 0.0), size[1])
        nz = min(max(target[2] + sz, 0.0), size[2])
        moved = (nx - px) ** 2 + (ny - py) ** 2 + (nz - pz) ** 2
        px, py, pz = nx, ny, nz
        if moved * per_mm2 < 1e-6:
            break
    return best
