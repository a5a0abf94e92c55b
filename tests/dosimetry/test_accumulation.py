"""Sums of doses: exact where trilinear interpolation is, unknown where any term is."""

from dataclasses import replace

import numpy as np
import pytest
from phantoms import linear_dose

from reviewer.case import Case, Part, Plan, Prescription, Recipe
from reviewer.dosimetry.accumulation import Term, accumulate, difference, resampled
from reviewer.dosimetry.biology import Effect
from reviewer.dosimetry.made import make, remade
from reviewer.dosimetry.recipe import MADE, REMOVED, document
from reviewer.errors import InputError
from reviewer.store.chain import link

GRADIENT = np.array([0.4, -0.3, 0.2])
TURNED = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


def test_on_one_lattice_voxels_are_added():
    a, b = linear_dose(3.0, GRADIENT), linear_dose(3.0, -2 * GRADIENT, at_origin=30.0)
    found = accumulate([Term(a, 0.4), Term(b, 0.6)], a.grid, "sum")
    np.testing.assert_allclose(found.gray, 0.4 * a.gray + 0.6 * b.gray, rtol=1e-6)
    assert (found.label, found.summation, found.plan_id) == ("sum", "MULTI_PLAN", None)


def test_through_a_registration_and_between_voxels():
    """A linear dose is interpolated without error: 50 + g·R(p) + 0.5 (30 + g·p)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = TURNED, (5.0, -3.0, 2.0)
    here = linear_dose(4.0, (0, 0, 0), half=20.0).grid
    turned = linear_dose(2.5, GRADIENT, half=60.0, frame="other")
    found = accumulate([Term(turned, 1.0, matrix), Term(linear_dose(3.0, GRADIENT, 30.0), 0.5)], here, "sum")
    index = np.stack(np.meshgrid(*[np.arange(n) for n in here.shape_zyx], indexing="ij"), axis=-1)
    points = here.point_of_index_mm(index)
    expected = 50 + (points @ TURNED.T + matrix[:3, 3]) @ GRADIENT + 0.5 * (30 + points @ GRADIENT)
    np.testing.assert_allclose(found.gray, expected, atol=1e-4)


def test_unknown_stays_unknown():
    wide, narrow = linear_dose(4.0, GRADIENT, half=40.0), linear_dose(4.0, GRADIENT, half=20.0)
    narrow.gray[5, 5, 5] = np.nan  # the origin
    found = accumulate([Term(wide), Term(narrow, 0.0)], wide.grid, "sum").gray
    x = np.arange(21) * 4 - 40
    inside = np.abs(x) <= 20
    known = inside[:, None, None] & inside[None, :, None] & inside[None, None, :]
    known[10, 10, 10] = False
    np.testing.assert_array_equal(np.isfinite(found), known)


def test_nan_spoils_the_places_that_need_it_and_no_others():
    dose = linear_dose(4.0, GRADIENT, half=20.0)
    dose.gray[5, 5, 5] = np.nan
    finer = linear_dose(2.0, GRADIENT, half=20.0)
    unknown = np.argwhere(np.isnan(resampled(dose, finer.grid)))
    assert unknown.min() == 9
    assert unknown.max() == 11
    assert len(unknown) == 27


def test_biological_dose_is_made_before_it_is_added():
    """20 Gy in 5 and 30 Gy in 3 with α/β = 3: EQD2 20·(1 + 4/3)·0.6 = 28 and 30·(1 + 10/3)·0.6 = 78."""
    first, second = linear_dose(4.0, (0, 0, 0), 20.0), linear_dose(4.0, (0, 0, 0), 30.0)
    terms = [Term(first, fractions=5), Term(second, fractions=3)]
    found = accumulate(terms, first.grid, "sum", Effect("EQD2", 3.0))
    np.testing.assert_allclose(found.gray, 106.0, rtol=1e-6)
    assert found.type == "EFFECTIVE"


def test_difference():
    a, b = linear_dose(4.0, GRADIENT, half=20.0), linear_dose(2.0, GRADIENT, 47.0, half=12.0)
    found = difference(a, b)
    assert np.count_nonzero(np.isfinite(found)) == 7**3
    np.testing.assert_allclose(found[np.isfinite(found)], 3.0, atol=1e-4)
    with pytest.raises(InputError, match="EFFECTIVE"):
        difference(a, replace(b, type="EFFECTIVE"))


def test_sums_without_meaning_are_refused():
    dose = linear_dose(4.0, GRADIENT, half=20.0)
    for terms, says in (
        ([], "nothing to add up"),
        ([Term(dose), Term(replace(dose, type="EFFECTIVE"))], "of types EFFECTIVE, PHYSICAL"),
        ([Term(replace(dose, type="ERROR"))], "ERROR"),
        ([Term(dose, -1.0)], "no weight"),
        ([Term(dose, float("nan"))], "no weight"),
    ):
        with pytest.raises(InputError, match=says):
            accumulate(terms, dose.grid, "sum")
    with pytest.raises(InputError, match="number of fractions"):
        accumulate([Term(dose)], dose.grid, "sum", Effect("EQD2", 3.0))


def course(dose_id, gy, fractions, level_gy, type_="PHYSICAL"):
    """A dose that is the same everywhere, with its plan."""
    dose = replace(
        linear_dose(4.0, (0, 0, 0), level_gy, half=8.0), id=dose_id, label=dose_id, plan_id=f"plan {dose_id}"
    )
    plan = Plan(f"plan {dose_id}", dose_id, fractions=fractions, prescriptions=(Prescription("PTV", gy),))
    return replace(dose, type=type_), plan


def case_of(*courses):
    return Case(doses=tuple(d for d, _ in courses), plans=tuple(p for _, p in courses))


def test_fractions_of_one_course_keep_the_prescription():
    """Two of five fractions of one plan, three of another: 0.4 × 20 + 0.6 × 30 Gy, judged as 50 Gy in 5."""
    case = case_of(course("a", 50.0, 5, 20.0), course("b", 50.0, 5, 30.0))
    made = make(Recipe((Part("a", 0.4, 5), Part("b", 0.6, 5)), name="given"), case)
    np.testing.assert_allclose(made.gray, 26.0, rtol=1e-6)
    assert case.prescription(made) == (pytest.approx(50.0), 5)
    assert made.label == "given: 0.4 × a + 0.6 × b"


def test_what_is_100_percent_of_biological_dose():
    """50 Gy in 5 with α/β = 10: EQD2 83.3 Gy; a plan prescribes nothing of the effective dose of a file."""
    case = case_of(course("a", 50.0, 5, 20.0))
    made = make(Recipe((Part("a", 1.0, 5),), "EQD2_10"), case)
    assert case.prescription(made) == (pytest.approx(50 * (1 + 10 / 10) / 1.2), 5)
    assert (made.type, made.scale) == ("EFFECTIVE", "EQD2_10")
    foreign = case_of(course("a", 50.0, 5, 20.0, "EFFECTIVE"))
    assert foreign.prescription(foreign.doses[0]) == (None, 5)


def test_a_sum_of_courses_has_no_prescription_and_all_that_was_said():
    first, plan = course("a", 50.0, 5, 20.0)
    case = case_of((replace(first, statements=("no quality assurance",)), plan), course("b", 45.0, 3, 30.0))
    made = make(Recipe((Part("b", 1.0, 3), Part("a", 1.0, 5)), "EQD2_3", courses=True), case)
    assert case.prescription(made) == (None, None)
    assert made.statements == ("no quality assurance",)
    np.testing.assert_allclose(made.gray, 106.0, rtol=1e-6)  # 28 and 78, as above


def test_scales_are_not_mixed():
    case = case_of(course("a", 50.0, 5, 20.0))
    three, ten = (make(Recipe((Part("a", 1.0, 5),), scale), case) for scale in ("EQD2_3", "EQD2_10"))
    both = replace(case, doses=(*case.doses, three, ten))
    with pytest.raises(InputError, match="different scales: EQD2_10, EQD2_3"):
        make(Recipe((Part(three.id), Part(ten.id))), both)


def entry(number, kind, label, body):
    return link(b"", number, kind, label, body)


def test_doses_are_made_again_from_a_log():
    """The sum was made of a map that was removed since; what needs a dose that is not there is told."""
    case = case_of(course("a", 50.0, 5, 20.0), course("b", 45.0, 3, 30.0))
    a, b = (make(Recipe((Part(i, 1.0, n),), "EQD2_3"), case) for i, n in (("a", 5), ("b", 3)))
    total = make(Recipe((Part(a.id), Part(b.id)), courses=True), replace(case, doses=(*case.doses, a, b)))
    lost = Recipe((Part("nobody"),))
    log = [
        entry(n, kind, label, body)
        for n, (kind, label, body) in enumerate(
            (
                (MADE, "Made a", {"id": a.id, "recipe": document(a.recipe)}),
                (MADE, "Made b", {"id": b.id, "recipe": document(b.recipe)}),
                (MADE, "Made the sum", {"id": total.id, "recipe": document(total.recipe)}),
                (REMOVED, "Removed a", {"id": a.id}),
                (MADE, "Made what is lost", {"id": "x", "recipe": document(lost)}),
                (MADE, "Made of nothing that makes sense", {"id": "y", "recipe": {"parts": 3}}),
            ),
            start=1,
        )
    ]
    found, remarks = remade(case, log)
    assert [d.id for d in found.doses] == ["a", "b", b.id, total.id]
    np.testing.assert_array_equal(found.doses[-1].gray, total.gray)
    assert found.doses[-1].scale == "EQD2_3"
    assert len(remarks) == 2
    assert "entry 6" in remarks[0]
    assert "is not there" in remarks[1]
