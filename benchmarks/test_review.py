"""Review: a goal sheet for two plans, the gamma index, biological dose and sums.

To hold: all goals of the 5-fraction sheet for two plans in 150 ms on the demo; gamma 3 %/2 mm on 200×200×100 voxels in 1 s.
"""

from __future__ import annotations

import numpy as np
import pytest

from reviewer.case import Dose
from reviewer.demo import demo_folder
from reviewer.dosimetry.accumulation import Term, accumulate
from reviewer.dosimetry.biology import Effect, effect_map
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.gamma import Criteria, gamma
from reviewer.dosimetry.goals import Delivery, evaluate
from reviewer.dosimetry.plans import decide
from reviewer.dosimetry.sheets import all_sheets
from reviewer.geometry.grid import Grid
from reviewer.opening import begin
from reviewer.session import structure_set_of


@pytest.fixture(scope="module")
def day():
    """The approved and the adapted plan on the anatomy of the day; solids known, code compiled."""
    case = begin([demo_folder()]).case
    doses = [d for d in case.doses if "original" not in d.label]
    found = [Delivery.of(case, d, structure_set_of(case, d)) for d in doses]
    for delivery in found:
        evaluate(all_sheets().get("smart-liver-5fx"), delivery)
    return found


def test_goals_of_two_plans(benchmark, day):
    """With every DVH made anew."""
    sheet = all_sheets().get("smart-liver-5fx")
    benchmark(lambda: [evaluate(sheet, delivery) for delivery in day])


def test_goals_of_two_plans_and_the_decision_with_known_curves(benchmark, day):
    """As after a change of the sheet, or of what is compared."""
    sheet, cache = all_sheets().get("smart-liver-5fx"), DvhCache()
    benchmark(lambda: decide(*(evaluate(sheet, delivery, cache) for delivery in day)))


def large(shift=(0.0, 0.0, 0.0), noise=0.0):
    """200×200×100 voxels of 2×2×2.5 mm: two targets of 50 Gy with a fall-off like that of 12 beams, about a third above 5 Gy."""
    z, y, x = (np.arange(n) * s - (n - 1) * s / 2 for n, s in ((100, 2.5), (200, 2.0), (200, 2.0)))
    grid = Grid(np.eye(3), (x[0], y[0]), (2.0, 2.0), (200, 200), z, "frame")
    gray = np.zeros(grid.shape_zyx)
    for centre, radius in (((-40, -20, 10), 22), ((35, 15, -20), 15)):
        at = np.array(centre) + shift
        distance = np.sqrt((z[:, None, None] - at[2]) ** 2 + (y[:, None] - at[1]) ** 2 + (x - at[0]) ** 2)
        gray += 42 / (1 + np.exp((distance - radius - 4) / 5)) + 9 * np.exp(-((distance / 130) ** 2))
    gray += np.random.default_rng(1).normal(0, noise, gray.shape)
    return Dose("large", "large", grid, gray.astype(np.float32))


@pytest.mark.parametrize("shift", [(0.3, -0.3, 0.3), (1.0, -1.0, 1.5)], ids=["recalculated", "shifted by 2 mm"])
@pytest.mark.parametrize("local", [False, True], ids=["global", "local"])
def test_gamma(benchmark, shift, local):
    first, second = large(), large(shift, 0.15)
    gamma(first, second, Criteria(3, 2, 10, local))
    benchmark.pedantic(gamma, (first, second, Criteria(3, 2, 10, local)), rounds=5)


def test_eqd2_map(benchmark):
    benchmark(effect_map, large(), Effect("EQD2", 3.0), 5)


def test_sum_of_two_doses_through_a_registration(benchmark):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.05), -np.sin(0.05)], [np.sin(0.05), np.cos(0.05)]]
    dose = large()
    terms = [Term(dose), Term(dose, 0.6, turn)]
    accumulate(terms, dose.grid, "sum")
    benchmark.pedantic(accumulate, (terms, dose.grid, "sum"), rounds=3)
