"""The gamma index: closed forms, a search in fine steps, and pymedphys."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gamma_cases import CASES, EVEN, dose
from phantoms import linear_dose

from reviewer.case import Dose
from reviewer.dosimetry.gamma import LARGEST, Criteria, gamma
from reviewer.errors import CancelledError, InputError
from reviewer.geometry.grid import Grid

PEER = Path(__file__).with_name("gamma_pymedphys.csv")
TURNED = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


def on(lattice, gray):
    x, y = lattice.x, lattice.y
    grid = Grid(np.eye(3), (x[0], y[0]), (x[1] - x[0], y[1] - y[0]), (len(x), len(y)), lattice.z, "frame")
    return Dose("dose", "dose", grid, gray)


def inner(found, border=3):
    """Away from the border of the grid, where the search is cut short."""
    part = found.values[(slice(border, -border),) * 3]
    return part[np.isfinite(part)]


def test_a_dose_agrees_with_itself():
    one = on(EVEN, dose(EVEN))
    found = gamma(one, one, Criteria())
    assert found.pass_percent == 100.0
    assert np.nanmax(found.values) == 0.0
    assert found.points == np.count_nonzero(one.gray >= 0.1 * one.gray.max())


@pytest.mark.parametrize("local", [False, True])
def test_uniform_dose_differs_by_the_dose_alone(local):
    """50 against 51.2 Gy: 2.4 %, in 3 % that is 0.8."""
    uniform = linear_dose(3.0, (0, 0, 0), at_origin=50.0)
    found = gamma(uniform, replace(uniform, gray=uniform.gray + np.float32(1.2)), Criteria(3, 2, 10, local))
    assert inner(found) == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize("spacing", [2.0, 3.0])
@pytest.mark.parametrize("offset", [0.4, 3.0, -2.0])
def test_a_slope_is_met_between_dose_and_distance(spacing, offset):
    """Against a dose that is higher by δ on a slope g the nearest point lies along the slope: γ = δ / √(ΔD² + g² Δd²)."""
    gradient = np.array([0.9, -0.6, 0.4])
    reference = linear_dose(spacing, gradient)
    found = gamma(reference, linear_dose(spacing, gradient, 50.0 + offset), Criteria(3, 2, 10, normal_gy=60.0))
    expected = abs(offset) / np.sqrt(1.8**2 + (gradient @ gradient) * 2**2)
    assert inner(found) == pytest.approx(expected, abs=2e-4)


def test_grids_may_differ_be_turned_and_lie_in_another_frame():
    gradient = np.array([0.9, -0.6, 0.4])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = TURNED, (5.0, -3.0, 2.0)
    # The same physical dose, written in the other frame: d(p) = 51 + g·p = 51 + g·Rᵀ(q − t)
    turned = TURNED @ gradient
    other = linear_dose(2.0, turned, 51.0 - turned @ matrix[:3, 3], half=60.0, frame="other")
    found = gamma(linear_dose(3.0, gradient, half=24.0), other, Criteria(3, 2, 10, normal_gy=60.0), matrix)
    assert inner(found, 1) == pytest.approx(1 / np.sqrt(1.8**2 + (gradient @ gradient) * 4), abs=2e-4)
    assert found.unknown == 0


def test_gamma_is_found_up_to_its_largest_value_and_no_farther():
    uniform = linear_dose(3.0, (0, 0, 0), at_origin=50.0)
    found = gamma(uniform, replace(uniform, gray=uniform.gray * 2), Criteria())
    assert inner(found) == pytest.approx(LARGEST)
    assert found.pass_percent == 0.0


def test_below_the_cutoff_nothing_is_asked_and_outside_nothing_is_known():
    reference = linear_dose(4.0, (1.0, 0.0, 0.0), at_origin=40.0, half=40.0)  # 0 to 80 Gy
    smaller = linear_dose(4.0, (1.0, 0.0, 0.0), at_origin=40.0, half=20.0)
    found = gamma(reference, smaller, Criteria(cutoff_percent=50.0))
    side = 21
    assert found.points == 6 * 11 * 11, "from x = 0 to 20 mm"
    assert found.unknown == 11 * side * side - found.points
    assert np.isnan(found.values[:, :, :10]).all()
    smaller.gray[5, 5, 5:] = np.nan  # a voxel without dose has no answer, nor has a place that needs it
    again = gamma(reference, smaller, Criteria(cutoff_percent=50.0))
    assert again.points < found.points
    assert again.points + again.unknown == found.points + found.unknown


@pytest.mark.parametrize(("noise", "local"), [(0.3, False), (0.5, True)])
def test_no_fine_search_finds_less(noise, local):
    """Steps of 0.2 mm around some voxels and of 0.02 mm around the best of them, trilinear by numpy: never below the continuous search, and
    never far above it."""
    reference, other = on(EVEN, dose(EVEN)), on(EVEN, dose(EVEN, shift=(1, 0.5, -1), noise=noise))
    found = gamma(reference, other, Criteria(3, 2, 10, local))
    coarse, fine = lattice_around(2.0 * 2, 0.2), lattice_around(0.1, 0.02)
    places = np.argwhere(np.isfinite(found.values))
    for z, y, x in places[np.random.default_rng(1).choice(len(places), 25, replace=False)]:
        point = np.array([EVEN.x[x], EVEN.y[y], EVEN.z[z]])
        dose_here = reference.gray[z, y, x]
        tolerance = 0.03 * (dose_here if local else reference.gray.max())

        def squares(offsets, point=point, dose_here=dose_here, tolerance=tolerance):
            value = trilinear(EVEN, other.gray.astype(np.float64), point + offsets)
            return ((value - dose_here) / tolerance) ** 2 + (offsets**2).sum(axis=1) / 4

        first = squares(coarse)
        near = coarse[np.argsort(first)[:20]]
        square = np.concatenate([first, *(squares(each + fine) for each in near)])
        stepped = min(np.sqrt(np.nanmin(square)), LARGEST)
        assert stepped - 0.05 < found.values[z, y, x] <= stepped + 1e-4


def lattice_around(reach, step):
    """Offsets (n, 3) within a cube."""
    axis = np.arange(-round(reach / step), round(reach / step) + 1) * step
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def trilinear(lattice, gray, points):
    index = np.stack(
        [
            (points[:, n] - axis[0]) / (axis[1] - axis[0])
            for n, axis in ((2, lattice.z), (1, lattice.y), (0, lattice.x))
        ],
        -1,
    )
    inside = np.all((index >= 0) & (index <= np.array(gray.shape) - 1), axis=-1)
    low = np.clip(index.astype(int), 0, np.array(gray.shape) - 2)
    part = index - low
    out = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        out += gray[tuple((low + corner).T)] * np.prod(np.where(corner, part, 1 - part), axis=1)
    return np.where(inside, out, np.nan)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pass_rate_is_that_of_pymedphys(case):
    """Its values, made by benchmarks/accuracy/peers/peer_pymedphys.py, are checked in: within 0.3 points, as many points asked."""
    with PEER.open(encoding="utf-8") as table:
        theirs = {row["case"]: row for row in csv.DictReader(table)}[case.name]
    percent, distance, cutoff, local = case.criteria
    reference, other = on(case.reference, dose(case.reference)), on(case.lattice, dose(case.lattice, **case.evaluated))
    ours = gamma(reference, other, Criteria(percent, distance, cutoff, local))
    assert ours.points + ours.unknown == int(theirs["points"])
    assert ours.pass_percent == pytest.approx(float(theirs["pass_percent"]), abs=0.3)


def test_the_map_can_be_shown():
    one = on(EVEN, dose(EVEN))
    image = gamma(one, on(EVEN, dose(EVEN, scale=1.05)), Criteria()).image("g")
    assert image.grid is one.grid
    assert np.isfinite(image.voxels).all()
    assert image.voxels.max() > 0.5


def test_what_makes_no_sense_is_refused():
    one = on(EVEN, dose(EVEN))
    with pytest.raises(InputError, match="one dose is PHYSICAL, the other EFFECTIVE"):
        gamma(one, replace(one, type="EFFECTIVE"), Criteria())
    with pytest.raises(InputError, match="one dose is that of PLAN, the other of FRACTION"):
        gamma(one, replace(one, summation="FRACTION"), Criteria())
    with pytest.raises(InputError, match="zero everywhere"):
        gamma(replace(one, gray=np.zeros_like(one.gray)), one, Criteria())
    for bad in (
        {"dose_percent": 0},
        {"distance_mm": -1},
        {"cutoff_percent": 100},
        {"local": True, "cutoff_percent": 0},
    ):
        with pytest.raises(InputError):
            Criteria(**bad)
    with pytest.raises(CancelledError):
        gamma(one, one, Criteria(), progress=lambda part: part > 0.3)
