# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["pymedphys==0.41.0", "numba", "scipy"]
# ///
"""What pymedphys answers for the gamma cases of tests/gamma_cases.py.

Renews the table that tests/dosimetry/test_gamma.py compares with:
uv run --script benchmarks/accuracy/peers/peer_pymedphys.py > tests/dosimetry/gamma_pymedphys.csv
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pymedphys

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))
from gamma_cases import CASES, dose

FRACTION = 25
"""Steps of its search in the distance criterion. With its usual 10 it passes fewer points (up to 3 % of them) where a shift of the dose puts
many near 1; the more steps, the nearer it comes to the continuous search. scipy interpolates because its own interpolation is made for evenly
spaced axes."""

print("case,pass_percent,points,seconds")
for case in CASES:
    percent, distance, cutoff, local = case.criteria
    first, second = case.reference, case.lattice
    started = time.perf_counter()
    values = pymedphys.gamma(
        (first.z, first.y, first.x),
        dose(first),
        (second.z, second.y, second.x),
        dose(second, **case.evaluated),
        percent,
        distance,
        lower_percent_dose_cutoff=cutoff,
        interp_fraction=FRACTION,
        max_gamma=1.05,
        skip_once_passed=True,
        local_gamma=local,
        interp_algo="scipy",
    )
    known = values[np.isfinite(values)]
    seconds = time.perf_counter() - started
    print(f"{case.name},{100 * np.mean(known <= 1):.4f},{known.size},{seconds:.1f}", flush=True)
