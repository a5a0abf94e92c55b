"""The demo's dose engine against closed form, its apertures by hand, its least squares against a known answer, and the story of the plans."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reviewer.demo import dose as engine
from reviewer.demo.anatomy import anatomy
from reviewer.demo.treatment import (
    BOUNDARIES_MM,
    FRACTIONS,
    Sampled,
    conformal,
    hottest,
    least_squares,
    shielding,
    treatments,
)
from reviewer.geometry.grid import Grid

ISOCENTRE = np.array([5.0, -10.0, 20.0])


def water() -> tuple[np.ndarray, Grid]:
    """200 mm of water around the isocentre along y; wide in x and z."""
    grid = Grid(np.eye(3), (-195.0, -107.5), (5.0, 2.5), (81, 80), np.arange(-180, 221, 5.0), "1.2")
    return np.ones(grid.shape_zyx, dtype=np.float32), grid


@pytest.fixture(scope="module")
def anterior() -> engine.Geometry:
    density, grid = water()
    return engine.geometries((0.0,), ISOCENTRE, density, grid)[0]


def test_gantry_0_shines_from_the_front_and_90_from_the_left(anterior):
    assert anterior.source_mm == pytest.approx([5, -910, 20])
    density, grid = water()
    left = engine.geometries((90.0,), ISOCENTRE, density, grid)[0]
    assert left.source_mm == pytest.approx([905, -10, 20])
    assert left.ahead == pytest.approx([-1, 0, 0])


def test_points_project_to_the_isocentre_plane(anterior):
    """A point 90 mm behind the isocentre, 11 mm to the left and 22 mm up: scaled by 900 / 990."""
    assert anterior.project(np.array([[16.0, 80.0, 42.0]]))[0] == pytest.approx([10, 20])


def test_depth_is_the_way_through_water(anterior):
    """The water begins 1.25 mm before the first voxel's centre at y = -107.5; the isocentre lies at y = -10."""
    table = anterior.depth_mm
    middle = table[:, table.shape[1] // 2, table.shape[2] // 2]
    at_isocentre = middle[round(engine.DEPTH_HALF_MM / engine.DEPTH_STEP_MM)]
    assert at_isocentre == pytest.approx(108.75 - 10, abs=engine.DEPTH_STEP_MM)


def test_dose_falls_off_by_attenuation_and_inverse_square(anterior):
    """On the axis of a wide field beyond build-up: ratio of two depths in closed form."""
    leaves = np.tile([-90.0, 90.0], (len(BOUNDARIES_MM) - 1, 1))
    y = np.array([-20.0, 40.0])
    points = np.stack([np.full(2, 5.0), y, np.full(2, 20.0)], axis=-1)
    dose = engine.dose_per_unit(anterior, engine.fluence(leaves, BOUNDARIES_MM), points)
    expected = np.exp(-engine.ATTENUATION_PER_MM * 60) * (890 / 950) ** 2
    assert dose[1] / dose[0] == pytest.approx(expected, rel=0.01)


def test_dose_is_linear_in_the_fluence(anterior):
    points = np.random.default_rng(1).uniform((-40, -80, -30), (50, 60, 70), (50, 3))
    a, b = (np.random.default_rng(k).random((221, 221), dtype=np.float32) for k in (2, 3))
    apart = 2 * engine.dose_per_unit(anterior, a, points) + 3 * engine.dose_per_unit(anterior, b, points)
    assert engine.dose_per_unit(anterior, 2 * a + 3 * b, points) == pytest.approx(apart, rel=1e-5)


def test_fluence_opens_between_the_leaves_only():
    """One leaf pair of 4.15 mm open from -3.5 to 6 mm: its area is 39.425 mm², and behind closed leaves only leakage passes."""
    leaves = np.zeros((len(BOUNDARIES_MM) - 1, 2))
    leaves[24] = -3.5, 6.0
    passed = engine.fluence(leaves, BOUNDARIES_MM)
    far = engine.TRANSMISSION * (1 - engine.FALL_OFF_PER_MM * 50)
    assert passed[110, 160] == pytest.approx(far)
    radius = np.hypot(*np.mgrid[-110:111, -110:111])
    opened = (passed / (1 - engine.FALL_OFF_PER_MM * radius) - engine.TRANSMISSION) / (1 - engine.TRANSMISSION)
    assert opened.sum() == pytest.approx(4.15 * 9.5, rel=1e-3)


def test_leaves_follow_the_target_with_a_margin():
    """Points at y = 2 lie in the pair from 0 to 4.15 mm (number 24), within 3 mm of the pair below, not of the one above 4.15 + ..."""
    leaves = conformal(np.array([[-7.0, 2.0], [9.0, 2.0]]), 3.0)
    assert leaves[24] == pytest.approx([-10, 12])
    assert leaves[23] == pytest.approx([-10, 12])
    assert not leaves[22].any()
    assert not leaves[26].any()


def test_a_shield_leaves_the_larger_part_open():
    leaves = np.zeros((len(BOUNDARIES_MM) - 1, 2))
    leaves[24] = -10.0, 12.0
    gut = np.array([[5.0, 2.0], [7.0, 2.0]])
    assert shielding(leaves, gut, 1.0)[24] == pytest.approx([-10, 4])
    assert shielding(leaves, gut - (10.0, 0.0), 1.0)[24] == pytest.approx([-2, 12])
    assert shielding(leaves, gut + np.array([20.0, 0.0]), 1.0)[24] == pytest.approx([-10, 12])
    wide = np.array([[-11.0, 2.0], [13.0, 2.0]])
    assert shielding(leaves, wide, 0.0)[24] == pytest.approx([0, 0])


def test_least_squares_finds_the_constrained_minimum():
    """Targets 2 and -1 for two separate unknowns: the second stays at zero. A dose within its limits costs nothing."""
    columns = np.eye(3, dtype=np.float32)
    low, high = np.float32([2, -5, 1]), np.float32([2, -1, 4])
    x = least_squares(columns, low, high, np.ones(3, np.float32), 200)
    assert x[:2] == pytest.approx([2, 0], abs=1e-3)
    assert 1 - 1e-3 <= x[2] <= 4


def test_hottest_counts_parts_of_voxels():
    """Voxels of 40, 30, 20 Gy filled by 0.5, 1, 0.5: the hottest quarter (0.5) gets 40, the hottest half (1.0) gets 30."""
    dose, part = np.float32([20, 40, 30]), np.float32([0.5, 0.5, 1.0])
    assert hottest(dose, part, 0.25) == 40
    assert hottest(dose, part, 0.5) == 30
    assert hottest(dose, part, 1.0) == 20


# -- the story --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def states():
    return anatomy("simulation"), anatomy("day")


@pytest.fixture(scope="module")
def treated(states):
    return treatments(*states)


def metrics(state, dose) -> dict[str, float]:
    """A second way to the numbers: percentiles of dose at random points inside, not cumulative voxels."""
    patient = Sampled(state)
    gray = dose.gray.ravel()
    inside = {name: patient.part(name) for name in ("PTV_1", "PTV_2", "Duodenum", "Stomach", "Liver")}
    target = np.maximum(inside["PTV_1"], inside["PTV_2"])
    random = np.random.default_rng(0)
    drawn = random.choice(gray, 200_000, p=target / target.sum(dtype=np.float64))
    out = {"V95": float((drawn >= 47.5).mean()), "max": float(gray.max())}
    for name in ("Duodenum", "Stomach"):
        part = inside[name].astype(np.float64)
        drawn = random.choice(gray, 400_000, p=part / part.sum())
        out[name] = float(np.quantile(drawn, 1 - 0.5 / (part.sum() * 2.5**3 / 1000)))
    liver = inside["Liver"].astype(np.float64)
    out["liver"] = float(np.average(gray, weights=liver))
    return out


def test_the_approved_plan_meets_its_goals_at_simulation(states, treated):
    found = metrics(states[0], treated[1][0])
    assert found["V95"] >= 0.95
    assert found["max"] <= 63
    assert found["Duodenum"] < 36
    assert found["Stomach"] < 36
    assert found["liver"] < 10


def test_on_the_day_the_duodenum_breaks_its_goal_and_the_adapted_plan_meets_it(states, treated):
    before, after = metrics(states[1], treated[1][1]), metrics(states[1], treated[1][2])
    assert before["Duodenum"] > 36
    assert after["Duodenum"] < 36

    assert after["V95"] >= 0.94
    assert after["max"] <= 63
    assert after["liver"] < 10


def test_plans_are_step_and_shoot_with_leaves_that_do_not_collide(treated):
    plans, doses = treated
    assert [(p.label, p.approval, p.prescribed_gy, p.fractions) for p in plans] == [
        ("LIV_50_5", "APPROVED", 50.0, FRACTIONS),
        ("LIV_50_5 adapted", "UNAPPROVED", 50.0, FRACTIONS),
    ]
    assert [d.label for d in doses] == ["LIV_50_5 original", "LIV_50_5 on day", "LIV_50_5 adapted"]
    assert [d.plan_id for d in doses] == [plans[0].id, plans[0].id, plans[1].id]
    for plan in plans:
        assert 11 <= len(plan.beams) <= 13
        assert len({b.control_points[0].gantry_deg for b in plan.beams}) == len(plan.beams)
        for beam in plan.beams:
            weights = [p.weight for p in beam.control_points]
            assert weights[0] == 0
            assert weights[-1] == pytest.approx(1)
            assert all(a <= b for a, b in pairwise(weights))
            assert len(weights) % 2 == 0
            for start, end in zip(beam.control_points[::2], beam.control_points[1::2], strict=True):
                assert start.apertures == end.apertures
                leaves = np.array(start.apertures[0].positions_mm).reshape(2, -1)
                assert leaves.shape[1] == len(dict(beam.leaf_boundaries_mm)["MLCX"]) - 1
                assert np.all(leaves[0] <= leaves[1])
                assert np.any(leaves[0] < leaves[1])


def test_the_plan_delivers_its_dose(states, treated):
    """Dose at the isocentre from what the RTPLAN will say, beam by beam and segment by segment."""
    plan, dose = treated[0][0], treated[1][0]
    patient = Sampled(states[0])
    isocentre = np.array(plan.beams[0].isocentre_mm)
    index = tuple(np.round(dose.grid.index_zyx(isocentre)).astype(int))
    point = dose.grid.point_of_index_mm(index)[None]
    total = 0.0
    for beam in plan.beams:
        geometry = engine.geometries((beam.control_points[0].gantry_deg,), isocentre, patient.density, patient.grid)[0]
        for start, end in zip(beam.control_points[::2], beam.control_points[1::2], strict=True):
            leaves = np.array(start.apertures[0].positions_mm).reshape(2, -1).T
            mu = beam.meterset * (end.weight - start.weight) * plan.fractions
            total += mu * engine.dose_per_unit(geometry, engine.fluence(leaves, BOUNDARIES_MM), point)[0]
    assert total == pytest.approx(dose.gray[index], rel=1e-3)
