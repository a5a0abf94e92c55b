"""DVHs of twelve structures, warm (solids known, code compiled)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from liver_case import dose, structures

from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.metrics import Metric


@pytest.fixture(scope="module")
def bodies():
    found = structures()
    for body in found:
        dvh(body, dose())
    return found


@pytest.mark.parametrize("spacing", [2.5, 3.0])
def test_dvh_of_twelve_structures(benchmark, bodies, spacing):
    given = dose(spacing)
    benchmark(lambda: [dvh(body, given) for body in bodies])


def test_dvh_of_twelve_structures_by_two_threads(benchmark, bodies):
    """As the window asks for them: one job for each structure, on the two cores of the reference machine."""
    given = dose()
    with ThreadPoolExecutor(2) as pool:
        benchmark(lambda: list(pool.map(lambda body: dvh(body, given), bodies)))


def test_dvh_of_a_gtv(benchmark, bodies):
    given = dose()
    benchmark(dvh, bodies[10], given)


def test_dvh_in_a_turned_frame(benchmark, bodies):
    given, turn = dose(), np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.05), -np.sin(0.05)], [np.sin(0.05), np.cos(0.05)]]
    benchmark(lambda: [dvh(body, given, turn) for body in bodies[1:]])


def test_metrics_of_a_curve(benchmark, bodies):
    result = dvh(bodies[11], dose())
    metrics = [Metric.parse(t) for t in ("D95%", "D2%", "D98%", "D0.035cc", "V47.5Gy[%]", "CV18Gy[cc]", "Mean", "Max")]
    benchmark(lambda: [m.of(result) for m in metrics])
