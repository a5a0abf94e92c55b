"""Sums of doses: exact where trilinear interpolation is, unknown where any term is."""

from dataclasses import replace

import numpy as np
import pytest
from phantoms import linear_dose

from reviewer.dosimetry.accumulation import Term, accumulate, difference, resampled
from reviewer.dosimetry.biology import Effect
from reviewer.errors import InputError

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
