"""DVHs against closed form: bodies with known height distribution in dose gradients."""

import math

import numpy as np
import pytest
from phantoms import SPHERE_CC, circle, linear_dose, planes_grid, rectangle, solve, sphere, sphere_height, stack

from reviewer.case import Dose
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.metrics import Metric
from reviewer.geometry.grid import Grid

GRADIENT = 0.8
"""Gy/mm; results are compared in mm by dividing by it."""


def dose_at(result, percent):
    return Metric.parse(f"D{percent}%[Gy]").of(result)


def height_mm(result, percent):
    """Height, in mm along the gradient, above which `percent` of the volume lies."""
    return (dose_at(result, percent) - 50) / GRADIENT


def along(axis):
    direction = np.zeros(3)
    direction[axis] = GRADIENT
    return direction


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("slices", "dose_spacing"), [(1.0, 1.0), (1.0, 3.0), (2.0, 2.5), (2.5, 2.0), (3.0, 1.0), (3.0, 3.0), (5.0, 2.5)]
)
def test_sphere_in_a_gradient(slices, dose_spacing, axis):
    radius, tolerance = 13.7, {1.0: (0.1, 0.1), 5.0: (0.6, 0.9)}.get(slices, (0.3, 0.4))
    dose = linear_dose(dose_spacing, along(axis), shift=(0.4, 0.7, 0.9))
    for offset in (0.0, 0.23, 0.5, 0.81):
        centre = (0.3, -0.2, offset * slices)
        count = math.ceil(radius / slices) + 2
        body = sphere(planes_grid(np.arange(-count, count + 1) * slices), radius, centre)
        result = dvh(body, dose)
        assert result.outside_fraction == 0
        for percent, limit in ((95, tolerance[0]), (50, 0.1), (2, tolerance[1]), (98, tolerance[1])):
            assert height_mm(result, percent) - centre[axis] == pytest.approx(
                sphere_height(radius, percent / 100), abs=limit
            )
        assert (result.mean_gy - 50) / GRADIENT == pytest.approx(centre[axis], abs=0.1)


@pytest.mark.parametrize("slices", [1.0, 2.5, 3.0])
@pytest.mark.parametrize("dose_spacing", [1.0, 2.5, 3.0])
def test_a_cylinder_along_the_slices_is_a_straight_line(slices, dose_spacing):
    """Ends on slab borders; along its axis the volume falls evenly with dose."""
    count = round(30 / slices)
    grid = planes_grid((np.arange(-count, count + 1)) * slices)
    length = (2 * (count // 2) + 1) * slices
    body = stack(grid, lambda w: [circle(12, (1.3, 2.1))] if abs(w) < length / 2 else None)
    result = dvh(body, linear_dose(dose_spacing, along(2), shift=(0.2, 0.1, 0.7)))
    assert result.volume_cc == pytest.approx(math.pi * 144 * length / 1000, rel=1e-6)
    for percent in (2, 5, 25, 50, 75, 95, 98):
        assert height_mm(result, percent) == pytest.approx((0.5 - percent / 100) * length, abs=0.1)
    # V at a third of the way up.
    dose = 50 + GRADIENT * (-length / 2 + length / 3)
    assert Metric("V", "cc", dose, "Gy").of(result) == pytest.approx(result.volume_cc * 2 / 3, rel=0.01)
    assert Metric("CV", "cc", dose, "Gy").of(result) == pytest.approx(result.volume_cc / 3, rel=0.02)


@pytest.mark.parametrize("degrees", [0.0, 30.0])
def test_a_box_with_a_gradient_in_the_plane_at_any_turn(degrees):
    """The box stands on its edge in the plane; the gradient is along one of its sides, so the height is evenly distributed."""
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    corners = rectangle(-14, -9, 14, 9) @ turn
    body = stack(planes_grid(np.arange(-8, 9) * 2.5), lambda w: [corners] if abs(w) < 11 else None)
    gradient = GRADIENT * np.array([math.cos(a), math.sin(a), 0.0])
    result = dvh(body, linear_dose(2.5, gradient, shift=(0.3, 0.2, 0.1)))
    for percent in (2, 5, 50, 95, 98):
        assert height_mm(result, percent) == pytest.approx((0.5 - percent / 100) * 28, abs=0.1)


@pytest.mark.parametrize("slices", [1.0, 3.0])
def test_a_cone_along_the_slices(slices):
    """Frustum with ends on slab borders: radius 18 at the foot, 6 at the top, over 33 mm."""
    height, foot, top = 33.0, 18.0, 6.0
    count = round(height / slices)
    grid = planes_grid((np.arange(-2, count + 2) + 0.5) * slices)
    taper = (foot - top) / height
    body = stack(grid, lambda w: [circle(foot - taper * w)] if 0 < w < height else None)
    result = dvh(body, linear_dose(2.5, along(2), half=45.0))
    volume = math.pi * height / 3 * (foot**2 + foot * top + top**2)
    assert result.volume_cc == pytest.approx(volume / 1000, rel=0.01)

    def part_above(t):
        r = foot - taper * t
        return (r**3 - top**3) / (foot**3 - top**3)

    limit = 0.1 if slices == 1 else 0.4
    for percent in (2, 50, 95, 98):
        truth = solve(lambda t, p=percent / 100: part_above(t) - p, 0.0, height)
        assert height_mm(result, percent) == pytest.approx(truth, abs=limit)


def test_uneven_planes_weigh_by_their_own_thickness():
    grid = planes_grid([-9.0, -4.0, -2.0, 1.0, 3.0, 9.0])
    body = stack(grid, lambda w: [rectangle(-10, -10, 10, 10)] if -8 < w < 8 else None)
    result = dvh(body, linear_dose(2.0, along(2)))
    # Slab borders at -6.5 and 6.
    assert result.volume_cc == pytest.approx(0.4 * 12.5)
    for percent in (5, 50, 95):
        assert height_mm(result, percent) == pytest.approx(6 - percent / 100 * 12.5, abs=0.1)


@pytest.mark.parametrize("tilt", [0.0, 12.0, 90.0])
def test_tilted_dose_grids_and_frames_give_the_same_answer(tilt):
    """The structure's frame is turned against the dose's by a registration; the gradient is fixed to the structure."""
    a = math.radians(tilt)
    to_dose = np.eye(4)
    to_dose[1:3, 1:3] = [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
    to_dose[:3, 3] = (4.0, -3.0, 2.0)
    radius, centre = 13.7, np.array([1.0, 2.0, -0.6])
    body = sphere(planes_grid(np.arange(-17.0, 18.0)), radius, centre)
    gradient = to_dose[:3, :3] @ along(2)
    at_origin = 50 - gradient @ to_dose[:3, 3]
    result = dvh(body, linear_dose(2.5, gradient, at_origin=at_origin, half=45.0), to_dose)
    assert result.outside_fraction == 0
    assert result.volume_cc == pytest.approx(SPHERE_CC * radius**3, rel=0.01)
    for percent in (2, 50, 95, 98):
        assert height_mm(result, percent) - centre[2] == pytest.approx(sphere_height(radius, percent / 100), abs=0.1)


def test_a_dose_grid_seen_from_the_other_end_gives_the_same_answer():
    body = sphere(planes_grid(np.arange(-17.0, 18.0)), 13.7, (1.0, 2.0, -0.6))
    gradient = (0.3, 0.4, 0.5)
    there = dvh(body, linear_dose(2.5, gradient))
    back = dvh(body, linear_dose(2.5, gradient, axes=np.diag([1.0, -1.0, -1.0])))
    for percent in (2, 50, 95):
        assert dose_at(back, percent) == pytest.approx(dose_at(there, percent), abs=1e-3)


@pytest.mark.parametrize("half", [10.0, 40.0])
def test_the_mean_is_that_of_the_dose_interpolated_between_its_voxels(half):
    """A focus, sampled every 2.5 mm and trilinear in between, in a box: the integral is a product of sums of hat functions' integrals.

    Small boxes are cut into finer cells than large ones, and voxels without surface count as one.
    """
    spacing, size = 2.5, 61
    axis = (np.arange(size) - size // 2) * spacing
    profile = np.exp(-(axis**2) / (2 * 15.0**2))
    gray = (50 * profile[:, None, None] * profile[:, None] * profile).astype(np.float32)
    grid = Grid(np.eye(3), (axis[0], axis[0]), (spacing, spacing), (size, size), axis, "frame")
    planes = planes_grid(np.arange(-24, 25) * 2.5 + 1.25)  # slab borders at multiples of 2.5 mm
    body = stack(planes, lambda w: [rectangle(-half, -half, half, half)] if abs(w) < half else None)
    result = dvh(body, Dose("d", "d", grid, gray))
    fine = np.linspace(-half, half, 200_001)
    mean = np.trapezoid(np.interp(fine, axis, profile), fine) / (2 * half)
    assert result.mean_gy == pytest.approx(50 * mean**3, rel=2e-3)


def test_uniform_dose_is_one_step():
    body = sphere(planes_grid(np.arange(-15.0, 16.0)), 10)
    dose = linear_dose(2.5, (0, 0, 0), at_origin=47.5)
    result = dvh(body, dose)
    assert (result.min_gy, result.mean_gy, result.max_gy) == (47.5, 47.5, 47.5)
    for text in ("D95%[Gy]", "D2%[Gy]", "D0.035cc[Gy]", "Median[Gy]"):
        assert Metric.parse(text).of(result) == 47.5
    assert Metric.parse("V95%[%]").of(result, prescribed_gy=50) == pytest.approx(100)
    assert Metric.parse("V48Gy[cc]").of(result) == 0
    assert Metric.parse("CV48Gy[%]").of(result) == pytest.approx(100)


def test_two_plateaus_split_the_volume():
    grid = planes_grid(np.arange(-10.0, 11.0))
    body = stack(grid, lambda w: [rectangle(-10, -10, 10, 10)])
    dose_grid = Grid(np.eye(3), (-20, -20), (1, 1), (41, 41), np.arange(-20.0, 21.0), "frame")
    gray = np.full(dose_grid.shape_zyx, 10, np.float32)
    gray[:, :, 25:] = 40  # x of 5 mm and more
    result = dvh(body, Dose("d", "d", dose_grid, gray))
    # Between 4 and 5 mm the dose rises evenly, so 25 Gy are reached at 4.5 mm.
    assert Metric.parse("V25Gy[%]").of(result) == pytest.approx(100 * 5.5 / 20, abs=0.3)
    assert dose_at(result, 80) == pytest.approx(10, abs=0.01)
    assert dose_at(result, 10) == pytest.approx(40, abs=0.01)


def test_a_plateau_at_the_maximum_counts_at_its_own_dose():
    """50 Gy from x = 1 mm on, known to the half of a voxel; 50.0 by the rounding of a file is 50 Gy."""
    body = stack(planes_grid(np.arange(-10.0, 11.0)), lambda w: [rectangle(-10.5, -10.5, 10.5, 10.5)])
    for high in (50.0, np.nextafter(np.float32(50), np.float32(0))):
        dose = linear_dose(1.0, (0, 0, 0), at_origin=0.0, half=20.0)
        dose.gray[:, :, 21:] = high
        result = dvh(body, dose)
        assert Metric.parse("V50Gy[%]").of(result) == pytest.approx(100 * 9.5 / 21, abs=100 * 0.6 / 21)
        assert Metric.parse("V49Gy[%]").of(result) >= Metric.parse("V50Gy[%]").of(result)
        assert Metric.parse("V50.01Gy[%]").of(result) == 0.0
    slope = dvh(body, linear_dose(1.0, (1.0, 0, 0), half=20.0))  # no plateau: nothing but the last level
    assert Metric.parse("V60.5Gy[%]").of(slope) == pytest.approx(0, abs=0.01)


def test_the_maximum_is_that_of_the_dose_voxels_inside():
    body = sphere(planes_grid(np.arange(-15.0, 16.0)), 10)
    dose = linear_dose(3.0, (0, 0, 0), at_origin=20)
    gray = dose.gray.copy()
    middle = tuple(n // 2 for n in gray.shape)
    gray[middle] = 60
    gray[0, 0, 0] = 90  # far outside the structure
    result = dvh(body, Dose("d", "d", dose.grid, gray))
    inside = np.linalg.norm(dose.grid.point_of_index_mm(middle)) < 10
    assert inside
    assert result.max_gy == pytest.approx(60)
    assert result.min_gy == pytest.approx(20)
    assert 20 < Metric.parse("D0.035cc[Gy]").of(result) < 60


def test_the_part_beyond_the_dose_grid_is_unknown_not_zero():
    """A box of 40 mm along the slices in a dose that ends, half a voxel beyond its last centre, at its middle."""
    body = stack(
        planes_grid(np.arange(-24, 25) * 2.0 + 1), lambda w: [rectangle(-10, -10, 10, 10)] if abs(w) < 20 else None
    )
    grid = Grid(np.eye(3), (-30, -30), (2, 2), (31, 31), np.arange(-59.0, 0, 2.0), "frame")
    gray = np.broadcast_to(np.arange(30, dtype=np.float32)[:, None, None] + 20, grid.shape_zyx).copy()
    result = dvh(body, Dose("d", "d", grid, gray))
    assert result.volume_cc == pytest.approx(16)
    assert result.outside_fraction == pytest.approx(0.5, abs=1e-6)
    assert result.known_cc == pytest.approx(8)
    # Voxels at -19 to -1 mm carry 40 to 49 Gy; the mean of the linear part is 44.5 but for the flat last half voxel.
    assert result.mean_gy == pytest.approx(44.5, abs=0.05)
    assert result.min_gy >= 39.5
    assert Metric.parse("V0Gy[cc]").of(result) == pytest.approx(8)


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_voxels_that_are_not_numbers_are_unknown(tilt):
    body = sphere(planes_grid(np.arange(-15.0, 16.0)), 10)
    dose = linear_dose(2.0, (0, 0, 0), at_origin=20)
    gray = dose.gray.copy()
    gray[:, :, : gray.shape[2] // 2] = np.nan  # x below 0
    to_dose = np.eye(4)
    a = math.radians(tilt)
    to_dose[1:3, 1:3] = [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
    result = dvh(body, Dose("d", "d", dose.grid, gray), to_dose)
    assert result.outside_fraction == pytest.approx(0.5, abs=0.06)
    assert result.mean_gy == pytest.approx(20)
    nothing = dvh(body, Dose("d", "d", dose.grid, np.full_like(gray, np.nan)), to_dose)
    assert nothing.outside_fraction == 1
    assert nothing.mean_gy is None


@pytest.mark.parametrize("tilt", [0, 20])
def test_a_noisy_dose_is_nowhere_more_than_its_hottest_voxel_nor_less_than_its_coldest(tilt):
    """Linear interpolation stays between the voxels; a steep place carried on over a whole cell of a turned grid would not."""
    body = sphere(planes_grid(np.arange(-30, 31, 3.0)), 25.0)
    turn = np.deg2rad(tilt)
    axes = np.array([[1, 0, 0], [0, np.cos(turn), np.sin(turn)], [0, -np.sin(turn), np.cos(turn)]])
    dose = linear_dose(2.5, (0, 0, 0), axes=axes)
    gray = np.random.default_rng(1).uniform(0, 60, dose.gray.shape).astype(np.float32)
    found = dvh(body, Dose("noise", "noise", dose.grid, gray))
    assert found.min_gy >= gray.min()
    assert found.max_gy <= gray.max()
    assert found.mean_gy == pytest.approx(30, abs=1)


def test_negative_doses_count_as_they_are():
    body = sphere(planes_grid(np.arange(-15.0, 16.0)), 10)
    result = dvh(body, linear_dose(2.0, (0.5, 0, 0), at_origin=0.0))
    assert result.mean_gy == pytest.approx(0, abs=0.02)
    assert result.min_gy < -4
    assert result.volume_at_cc(0.0) / result.known_cc == pytest.approx(0.5, abs=0.005)


def test_an_empty_structure_has_no_dose():
    body = stack(planes_grid(np.arange(5.0)), lambda w: None)
    result = dvh(body, linear_dose(2.0, (0, 0, 0)))
    assert (result.volume_cc, result.outside_fraction) == (0.0, 0.0)
    assert result.mean_gy is result.max_gy is result.min_gy is None
    assert len(result.dose_gy) == len(result.cumulative_cc) == 0
    assert Metric.parse("D95%").of(result) is None
    assert Metric.parse("V5Gy[cc]").of(result) is None


def test_a_structure_wholly_outside_the_dose():
    body = sphere(planes_grid(np.arange(-15.0, 16.0)), 10)
    result = dvh(body, linear_dose(2.0, (0, 0, 0), half=10, shift=(0, 0, 200)))
    assert result.outside_fraction == 1
    assert result.volume_cc == pytest.approx(SPHERE_CC * 1000, rel=0.01)
    assert result.mean_gy is None


def test_a_dose_of_one_plane():
    grid = Grid(np.eye(3), (-20, -20), (2, 2), (21, 21), np.array([0.0]), "frame", thickness_mm=4.0)
    gray = np.full(grid.shape_zyx, 12, np.float32)
    body = stack(planes_grid(np.arange(-9.5, 10)), lambda w: [rectangle(-5, -5, 5, 5)] if abs(w) < 8 else None)
    result = dvh(body, Dose("d", "d", grid, gray))
    assert result.outside_fraction == pytest.approx(0.75)
    assert result.mean_gy == 12


@pytest.mark.parametrize("dose_spacing", [1.0, 2.5])
def test_curves_fall_from_the_volume_to_nothing(dose_spacing):
    body = sphere(planes_grid(np.arange(-6.0, 7.0) * 3), 14.0, (1, 2, 0.5))
    result = dvh(body, linear_dose(dose_spacing, (0.3, -0.2, 0.7)))
    assert (np.diff(result.dose_gy) > 0).all()
    assert (np.diff(result.cumulative_cc) <= 1e-12).all()
    assert result.cumulative_cc[0] == pytest.approx(result.volume_cc)
    assert result.cumulative_cc[-1] < 0.01 * result.volume_cc
    assert (result.dose_gy[0], result.dose_gy[-1]) == (result.min_gy, result.max_gy)
    area = float(np.trapezoid(result.cumulative_cc, result.dose_gy)) / result.known_cc + result.min_gy
    assert area == pytest.approx(result.mean_gy, abs=0.05)


def test_a_rind_of_many_voxels_is_as_exact_as_a_small_body() -> None:
    """A shell of 5 mm between cylinders of 140 and 135 mm in a dose that rises outwards along x: its hottest part is all surface.

    The part of the shell beyond the plane x = t is the height times the difference of two circular segments
    r^2 acos(t / r) - t sqrt(r^2 - t^2).
    """
    grid = planes_grid(np.arange(-133.5, 135, 3.0), spacing=2.0, half=145.0)
    body = stack(grid, lambda w: [circle(140.0, points=720), circle(135.0, points=720)] if abs(w) < 135 else None)
    dose = linear_dose(2.5, (0.3, 0.0, 0.0), half=145.0)
    height = 270.0

    def segment(r: float, t: float) -> float:
        return r * r * math.acos(min(t / r, 1.0)) - t * math.sqrt(max(r * r - t * t, 0.0))

    def beyond(t: float) -> float:
        return height * (segment(140.0, t) - (segment(135.0, t) if t < 135 else 0.0))

    result = dvh(body, dose)
    for metric, volume in (("D0.5cc[Gy]", 500.0), ("D2cc[Gy]", 2000.0), ("D20cc[Gy]", 20000.0)):
        t = solve(lambda x, v=volume: beyond(x) - v, 0.0, 140.0)
        found = Metric.parse(metric).of(result)
        assert found is not None
        assert (found - 50.0) / 0.3 == pytest.approx(t, abs=0.3), metric
