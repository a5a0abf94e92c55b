"""BED and EQD2 against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import linear_dose

from reviewer.dosimetry.biology import Effect, effect_map
from reviewer.errors import InputError


@pytest.mark.parametrize(
    ("scale", "total", "fractions", "expected"),
    [
        ("BED_10", 50, 5, 100),  # 50 (1 + 10/10)
        ("EQD2_10", 50, 5, 100 / 1.2),  # 83.3
        ("BED_10", 40, 5, 72),  # the lowest and the highest BED10 of Ugurluer 2021: 40 (1 + 8/10) and 54 (1 + 18/10)
        ("BED_10", 54, 3, 151.2),
        ("EQD2_3", 36, 5, 36 * (1 + 7.2 / 3) / (1 + 2 / 3)),  # 73.44
        ("EQD2_3", 60, 30, 60),  # 2 Gy per fraction are what EQD2 is measured in
        ("EQD2_2.5", 10, 1, 10 * 5 / 1.8),
        ("BED10", 0, 5, 0),
    ],
)
def test_schedules(scale, total, fractions, expected):
    assert Effect.parse(scale).of(total, fractions) == pytest.approx(expected)


@given(st.floats(0, 200), st.integers(1, 40), st.sampled_from([1.5, 2.0, 3.0, 10.0]), st.sampled_from(["BED", "EQD2"]))
def test_the_way_back(total, fractions, alpha_beta, kind):
    effect = Effect(kind, alpha_beta)
    assert effect.inverse(effect.of(total, fractions), fractions) == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("text", ["EQD2", "EQD2_", "EQD23", "BED", "BED_0", "Gy", "EQD2_-3", "EQD_3", ""])
def test_what_names_no_scale(text):
    assert Effect.parse(text) is None


def test_each_voxel_has_its_own_dose_per_fraction():
    dose = linear_dose(10.0, (0.5, 0.0, 0.0), at_origin=20.0, half=20.0)
    dose.gray[0, 0, 0], dose.gray[0, 0, 1] = -1.0, np.nan
    found = effect_map(dose, Effect("EQD2", 3.0), 5)
    assert found.type == "EFFECTIVE"
    # 10, 15, 20, 25, 30 Gy in five: 2, 3, 4, 5, 6 Gy each
    by_hand = [
        10 * (1 + 2 / 3) * 0.6,
        15 * (1 + 3 / 3) * 0.6,
        20 * (1 + 4 / 3) * 0.6,
        25 * (1 + 5 / 3) * 0.6,
        30 * 3 * 0.6,
    ]
    np.testing.assert_allclose(found.gray[2, 2], by_hand, rtol=1e-6)
    assert np.isnan(found.gray[0, 0, :2]).all(), "negative and missing doses are unknown"
    assert dose.gray[2, 2, 0] == 10, "the physical dose stays"


def test_effective_dose_has_no_effect_of_its_own():
    dose = effect_map(linear_dose(10.0, (0, 0, 0), half=20.0), Effect("BED", 10.0), 5)
    with pytest.raises(InputError, match="not physical"):
        effect_map(dose, Effect("BED", 10.0), 5)
    with pytest.raises(InputError, match="no number of fractions"):
        effect_map(linear_dose(10.0, (0, 0, 0), half=20.0), Effect("BED", 10.0), 0)
