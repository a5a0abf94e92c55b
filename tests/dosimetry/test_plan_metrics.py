"""Biological doses, gEUD, homogeneity, conformity and gradient: closed forms, and a second way of working them out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import SPHERE_CC, linear_dose, planes_grid, sphere

from reviewer.case import Dose
from reviewer.dosimetry.biology import Effect
from reviewer.dosimetry.dvh import Dvh, dvh
from reviewer.dosimetry.isodose import Isodoses
from reviewer.dosimetry.metrics import Basis, Metric, MetricError
from reviewer.geometry.grid import Grid

IN_FIVE = Basis(prescribed_gy=50.0, fractions=5)


def ramp():
    """100 cc evenly between 10 and 60 Gy: 2 cc per Gy."""
    return Dvh("ramp", 100.0, 0.0, np.array([10.0, 60.0]), np.array([100.0, 0.0]), 10.0, 35.0, 60.0)


def eqd2_3(gy):
    return gy * (1 + gy / 15) / (1 + 2 / 3)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("D2%[EQD2_3]", eqd2_3(59.0)),
        ("D0.5cc[EQD2_3]", eqd2_3(59.75)),
        ("DC70cc[EQD2_3]", eqd2_3(45.0)),
        ("Max[BED_10]", 60 * (1 + 60 / 50)),
        ("Max[BED10]", 60 * (1 + 60 / 50)),
        ("Median[EQD2_3]", eqd2_3(35.0)),
        ("Min[eqd2_3]", eqd2_3(10.0)),
        # The mean of D² over 10 to 60 Gy is (60³ − 10³) / (3 · 50).
        ("Mean[BED_10]", 35 + (60**3 - 10**3) / 150 / 50),
        ("Mean[EQD2_3]", (35 + (60**3 - 10**3) / 150 / 15) * 0.6),
        (f"V{eqd2_3(40.0):.10f}EQD2_3[cc]", 40.0),
        (f"CV{eqd2_3(40.0):.10f}EQD2_3[%]", 60.0),
        ("gEUD(1)", 35.0),
        ("gEUD(2)[Gy]", np.sqrt((60**3 - 10**3) / 150)),
        ("gEUD(8)", ((60**9 - 10**9) / 450) ** (1 / 8)),
        ("gEUD(8)[%]", 2 * ((60**9 - 10**9) / 450) ** (1 / 8)),
        ("gEUD(-1)", 50 / np.log(6)),
        ("gEUD(-10)", ((10**-9 - 60**-9) / 450) ** (-1 / 10)),
        ("HI", (59 - 11) / 35),
    ],
)
def test_on_a_ramp(text, answer):
    assert Metric.parse(text).of(ramp(), basis=IN_FIVE) == pytest.approx(answer, rel=1e-9)


def test_a_large_exponent_tends_to_the_maximum_and_a_cold_spot_kills_a_target():
    assert Metric.parse("gEUD(500)").of(ramp()) == pytest.approx(60, rel=0.02)
    cold = Dvh("cold", 10.0, 0.0, np.array([0.0, 60.0]), np.array([10.0, 0.0]), 0.0, 30.0, 60.0)
    assert Metric.parse("gEUD(-10)").of(cold) == 0.0


@pytest.mark.parametrize(
    ("text", "basis", "why"),
    [
        ("D2%[EQD2_3]", Basis(50.0, None), "number of fractions is not known"),
        ("V95%", Basis(None, 5), "no prescribed dose"),
        ("D2%[EQD2_3]", Basis(50.0, 5, physical=False), "unknown kind"),
        ("D2%[EQD2_3]", Basis(50.0, 5, physical=False, scale=Effect("EQD2", 10.0)), "is EQD2_10 already"),
        ("D2%[Gy]", Basis(50.0, 5, physical=False, scale=Effect("EQD2", 3.0)), "is EQD2_3 already"),
        ("CI_Paddick", IN_FIVE, "isodoses"),
        ("DC700cc", IN_FIVE, "100 cc of known dose, less than 700 cc"),
    ],
)
def test_why_there_is_no_answer(text, basis, why):
    metric = Metric.parse(text)
    assert why in metric.refusal(ramp(), basis)
    assert metric.of(ramp(), basis=basis) is None


def test_dose_that_is_on_the_scale_already_is_taken_as_it_is():
    basis = Basis(50.0, 5, physical=False, scale=Effect("EQD2", 3.0))
    assert Metric.parse("D2%[EQD2_3]").of(ramp(), basis=basis) == pytest.approx(59)
    assert Metric.parse("Mean[EQD2_3]").of(ramp(), basis=basis) == pytest.approx(35)
    assert Metric.parse("V40EQD2_3[cc]").of(ramp(), basis=basis) == pytest.approx(40)


def test_negative_dose_is_no_dose_to_judge():
    curve = Dvh("x", 10.0, 0.0, np.array([-5.0, 60.0]), np.array([10.0, 0.0]), -5.0, 30.0, 60.0)
    assert "negative" in Metric.parse("Mean").refusal(curve, IN_FIVE)
    assert Metric.parse("Mean").of(curve) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("D0.5cc[EQD2]", "D answers in Gy or %"),
        ("V98EQD2[cc]", "a dose in Gy"),
        ("V18Gy[EQD2_3]", "answers in cc or %"),
        ("gEUD", "not a dose-volume metric"),
        ("gEUD(0)", "no a of 0"),
        ("gEUD(8)[cc]", "Gy or %"),
        ("CI", "not a dose-volume metric"),
        ("R50%", "not a dose-volume metric"),
    ],
)
def test_what_is_unclear_is_refused(text, says):
    with pytest.raises(MetricError, match=says):
        Metric.parse(text)


@given(
    st.one_of(
        st.sampled_from(["HI", "CI_RTOG", "CI_Paddick", "GI", "R50"]).map(Metric.parse),
        st.floats(-50, 50).map(lambda a: round(a, 2)).filter(bool).map(lambda a: Metric("gEUD", "Gy", a)),
        st.builds(Metric, st.sampled_from(["Mean", "Max"]), st.sampled_from(["EQD2_3", "BED_10", "EQD2_2.5"])),
        st.builds(Metric, st.just("V"), st.just("cc"), st.sampled_from([18.0, 20.5]), st.sampled_from(["EQD2_3", "BED_10"])),
    )
)  # fmt: skip
def test_writing_and_reading_is_the_same_metric(metric):
    assert Metric.parse(str(metric)) == metric


def test_against_points_thrown_into_a_sphere():
    """A second way: some 200000 points in a sphere of 12 mm, the dose in each from the formula that the dose was made by."""
    gradient = np.array([1.2, -0.4, 0.6])
    curve = dvh(sphere(planes_grid(np.arange(-30.0, 31.0, 2.0)), 12.0), linear_dose(2.5, gradient, 40.0))
    points = np.random.default_rng(3).uniform(-12, 12, (400_000, 3))
    points = points[(points**2).sum(axis=1) <= 144]
    thrown = np.sort(40 + points @ gradient)
    cc = len(thrown) / (4 / 3 * np.pi * 1.2**3)

    def hottest(part):
        return thrown[round(len(thrown) * (1 - part)) - 1]

    expected = {
        "Mean[EQD2_3]": np.mean(eqd2_3(thrown)),
        "gEUD(5)": np.mean(thrown**5) ** 0.2,
        "gEUD(-8)": np.mean(thrown**-8.0) ** (-1 / 8),
        "HI": (hottest(0.02) - hottest(0.98)) / hottest(0.5),
        "Median": hottest(0.5),
        "DC2cc": thrown[round(2 * cc)],
        "V60EQD2_3[cc]": np.count_nonzero(eqd2_3(thrown) >= 60) / cc,
    }
    for text, value in expected.items():
        assert Metric.parse(text).of(curve, basis=IN_FIVE) == pytest.approx(value, rel=4e-3), text


# -- isodoses: a dose that falls from 60 Gy in the middle by 2 Gy per mm, so that every isodose is a sphere -------------------


def cone(centres=((0.0, 0.0, 0.0),), half=40.0, spacing=2.0):
    n = round(2 * half / spacing) + 1
    grid = Grid(np.eye(3), (-half, -half), (spacing, spacing), (n, n), -half + spacing * np.arange(n), "frame")
    points = grid.point_of_index_mm(np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1))
    distance = np.min([np.linalg.norm(points - np.array(c), axis=-1) for c in centres], axis=0)
    return Dose("cone", "cone", grid, np.clip(60 - 2 * distance, 0, None).astype(np.float32))


def target(centre=(0.0, 0.0, 0.0)):
    return sphere(planes_grid(np.arange(-40.0, 41.0, 2.0)), 10.0, centre)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("CI_RTOG", 1.2**3),  # the isodose of 36 Gy has a radius of 12 mm, that of 18 Gy of 21 mm, the target of 10 mm
        ("CI_Paddick", 1 / 1.2**3),
        ("GI", (21 / 12) ** 3),
        ("R50", 2.1**3),
    ],
)
def test_conformity_of_spheres(text, answer):
    body, dose = target(), cone()
    basis = Basis(36.0, 5, Isodoses(body, dose))
    assert Metric.parse(text).of(dvh(body, dose), basis=basis) == pytest.approx(answer, rel=5e-3)


def test_paddick_counts_what_the_isodose_misses():
    """Prescribed to 44 Gy, 8 mm: all of the isodose lies in the target, which it fills to (8/10)³."""
    body, dose = target(), cone(half=11.0, spacing=0.5)
    found = Metric.parse("CI_Paddick").of(dvh(body, dose), basis=Basis(44.0, 5, Isodoses(body, dose)))
    assert found == pytest.approx(0.8**3, rel=1e-2)


@pytest.mark.parametrize("radius", [10.0, 14.7, 23.0])
def test_isodose_volumes(radius):
    found = Isodoses(target(), cone()).volume(60 - 2 * radius)
    assert found.volume_cc == pytest.approx(SPHERE_CC * radius**3, rel=5e-3)


def test_another_island_of_dose_is_not_counted_and_a_bridge_to_another_target_is_told():
    here, there = target((-14.0, 0.0, 0.0)), target((14.0, 0.0, 0.0))
    dose = cone(centres=((-14.0, 0.0, 0.0), (14.0, 0.0, 0.0)))
    isodoses = Isodoses(here, dose, others=[there])
    assert isodoses.volume(40.0).volume_cc == pytest.approx(SPHERE_CC * 10**3, rel=5e-3)
    joined = isodoses.volume(24.0)  # 18 mm around centres that are 28 mm apart
    assert joined.volume_cc is None
    assert "holds sphere too" in joined.refusal
    assert "holds sphere too" in Metric.parse("GI").refusal(dvh(here, dose), Basis(48.0, 5, isodoses))


def test_an_isodose_that_leaves_the_grid_has_no_volume():
    found = Isodoses(target(), cone(half=20.0)).volume(18.0)
    assert found.volume_cc is None
    assert "border of the dose grid" in found.refusal


def test_isodoses_through_a_registration():
    shift = np.eye(4)
    shift[:3, 3] = 14.0, -6.0, 4.0
    body, dose = target(), cone(centres=((14.0, -6.0, 4.0),))
    assert Isodoses(body, dose, shift).volume(36.0).volume_cc == pytest.approx(SPHERE_CC * 12**3, rel=5e-3)
    assert Isodoses(target((30.0, 30.0, 30.0)), dose).volume(50.0).volume_cc == 0.0
