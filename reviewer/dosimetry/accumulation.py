# ruff: noqa: ANN001, ANN202 -- numba infers the arguments of compiled functions; mypy watches over the rest
"""Doses added up on one grid, through the rigid ties between their frames. What one of them does not know, the sum does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Dose
from reviewer.dosimetry.biology import Effect, effect_map
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Term:
    """One dose of a sum.

    weight:    how often it counts: 0.4 for two of five fractions.
    to_dose:   (4, 4) map of patient points (mm) of the sum's frame to the dose's; None where they are the same.
    fractions: in how many the dose (not its weighted part) is given; needed where biological dose is summed.
    """

    dose: Dose
    weight: float = 1.0
    to_dose: ArrayLike | None = None
    fractions: int | None = None


def accumulate(
    terms: Sequence[Term],
    grid: Grid,
    label: str,
    effect: Effect | None = None,
    progress: Callable[[float], None] = lambda part: None,
) -> Dose:
    """The weighted sum on `grid`, trilinearly interpolated from each dose; NaN wherever any of them is not known.

    effect: sum BED or EQD2 instead, each voxel of each dose with its own dose per fraction, made before it is interpolated.
    Raises InputError for sums without meaning: no term, a weight that is no number, physical dose added to effective dose, effective doses on
    different scales, fractions missing.
    """
    if not terms:
        raise InputError("there is nothing to add up", where=label, remedy="choose at least one dose")
    kinds = {term.dose.type for term in terms}
    if len(kinds) > 1 or kinds - {"PHYSICAL", "EFFECTIVE"}:
        raise InputError(
            f"the doses are of types {', '.join(sorted(kinds))}", where=label, remedy="add up doses of one type"
        )
    if effect is None and len(scales := {term.dose.scale for term in terms}) > 1:
        raise InputError(
            f"the doses are on different scales: {', '.join(sorted(s or 'unknown' for s in scales))}",
            where=label,
            remedy="add up doses of one scale",
        )
    total = np.zeros(grid.shape_zyx, dtype=np.float64)
    for n, term in enumerate(terms):
        if not np.isfinite(term.weight) or term.weight < 0:
            raise InputError(f"{term.weight} is no weight", where=term.dose.label, remedy="give 0 or more")
        dose = term.dose
        if effect is not None:
            if term.fractions is None:
                raise InputError("the number of fractions is not known", where=dose.label, remedy=f"{effect} needs it")
            dose = effect_map(dose, effect, term.fractions)
        total += term.weight * resampled(dose, grid, term.to_dose)
        progress((n + 1) / len(terms))
    first = terms[0].dose
    return replace(
        first,
        id=f"{first.id}#sum",
        label=label,
        grid=grid,
        gray=total.astype(np.float32),
        type="EFFECTIVE" if effect is not None else first.type,
        scale=str(effect) if effect is not None else first.scale,
        summation="MULTI_PLAN",
        plan_id=None,
        path="",
    )


def difference(minuend: Dose, subtrahend: Dose, to_subtrahend: ArrayLike | None = None) -> Values:
    """`minuend` less `subtrahend` in the voxels of the first, Gy; NaN where either is not known.

    to_subtrahend: (4, 4) map of patient points (mm) of the first dose's frame to the second's; None where they are the same.
    """
    if minuend.type != subtrahend.type:
        raise InputError(
            f"one dose is {minuend.type}, the other {subtrahend.type}", where=minuend.label, remedy="choose two alike"
        )
    if minuend.scale != subtrahend.scale:
        raise InputError(
            f"one dose is {minuend.scale or 'on an unknown scale'}, the other {subtrahend.scale or 'on an unknown scale'}",
            where=minuend.label,
            remedy="choose two alike",
        )
    return np.asarray(minuend.gray - resampled(subtrahend, minuend.grid, to_subtrahend), dtype=np.float32)


def resampled(dose: Dose, grid: Grid, to_dose: ArrayLike | None = None) -> Values:
    """(z, y, x) float32: the dose in the voxel centres of `grid`, trilinear; NaN beyond its own outermost voxel centres.

    to_dose: (4, 4) map of patient points (mm) of the grid's frame to the dose's; None where they are the same.
    """
    matrix = np.eye(4) if to_dose is None else np.asarray(to_dose, dtype=np.float64)
    moved = replace(grid, frame_of_reference_uid=dose.grid.frame_of_reference_uid)
    if np.allclose(matrix, np.eye(4), atol=1e-9) and dose.grid.same_lattice(moved):
        return dose.gray
    source = dose.grid
    out = np.empty(grid.shape_zyx, dtype=np.float32)
    ny, nx = out.shape[1:]
    rows, columns = np.meshgrid(np.arange(ny), np.arange(nx), indexing="ij")
    for z in range(len(out)):
        index = np.stack([np.full(rows.shape, z), rows, columns], axis=-1)
        points = grid.point_of_index_mm(index) @ matrix[:3, :3].T + matrix[:3, 3]
        _sample(out[z], dose.gray, source.index_zyx(points))
    return out


@njit(cache=True, nogil=True)
def _sample(out, gray, index):  # type: ignore[no-untyped-def]
    """Trilinear values at fractional indices (ny, nx, 3); NaN outside and beside voxels that are NaN, unless they have no weight."""
    nz, ny, nx = gray.shape
    tiny = 1e-6
    for r in range(out.shape[0]):
        for q in range(out.shape[1]):
            z, y, x = index[r, q, 0], index[r, q, 1], index[r, q, 2]
            out[r, q] = np.nan
            if not (-tiny <= z <= nz - 1 + tiny and -tiny <= y <= ny - 1 + tiny and -tiny <= x <= nx - 1 + tiny):
                continue
            k, j, i = min(max(int(z), 0), nz - 1), min(max(int(y), 0), ny - 1), min(max(int(x), 0), nx - 1)
            total = 0.0
            for dk in range(2):
                c = min(max(z - k, 0.0), 1.0) if dk else 1.0 - min(max(z - k, 0.0), 1.0)
                for dj in range(2):
                    b = min(max(y - j, 0.0), 1.0) if dj else 1.0 - min(max(y - j, 0.0), 1.0)
                    for di in range(2):
                        a = min(max(x - i, 0.0), 1.0) if di else 1.0 - min(max(x - i, 0.0), 1.0)
                        weight = a * b * c
                        if weight > tiny:
                            total += weight * gray[min(k + dk, nz - 1), min(j + dj, ny - 1), min(i + di, nx - 1)]
            out[r, q] = total
