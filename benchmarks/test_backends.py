"""What the host costs: a job of 512 x 512 x 120 voxels with 15 structures there and a dose back, and how long cancelling takes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from reviewer.backends.contract import DOSE, DoseJob, Lattice
from reviewer.backends.discovery import Backend
from reviewer.backends.host import describe, run
from reviewer.errors import CancelledError

HOSTILE = Path(__file__).parents[1] / "tests" / "backends" / "hostile.py"
STRUCTURES = tuple(f"ROI{n}" for n in range(15))


def backend(name: str) -> Backend:
    return Backend.here(DOSE, "test", f"{HOSTILE}:{name}")


@pytest.fixture(scope="module")
def job() -> DoseJob:
    """Electron density as float32 (126 MB), the body (31 MB), and the structures as bits (63 MB); dose on 100 x 80 x 100 voxels."""
    lattice = Lattice((120, 512, 512), (1.0, 1.0, 3.0), np.zeros(3))
    bits = np.random.default_rng(1).integers(0, 1 << 15, lattice.shape_zyx, dtype=np.uint16)
    dose = Lattice((100, 80, 100), (3.0, 3.0, 3.0), np.zeros(3))
    density = (bits / np.float32(1 << 14)).astype(np.float32)
    return DoseJob(lattice, density, bits > 1000, (), dose, structures=STRUCTURES, structure_bits=bits)


@pytest.mark.benchmark(group="backends")
def test_host_overhead(benchmark, job):
    """Budget 500 ms: a backend that returns at once."""
    answer = benchmark.pedantic(run, (backend("Instant"), job), rounds=7, warmup_rounds=1)
    assert answer.result.gray.shape == (100, 80, 100)


@pytest.mark.benchmark(group="backends")
def test_describe(benchmark):
    benchmark.pedantic(describe, (backend("Instant"),), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="backends")
def test_cancel(benchmark, job):
    """Budget 200 ms, from the click to the free hands: of a backend that ignores all signals and holds 220 MB."""
    waits: list[float] = []

    def cancel_in_the_middle() -> None:
        started: list[float] = []
        try:
            run(backend("Hang"), job, lambda *_: started.append(time.perf_counter()), lambda: bool(started))
        except CancelledError:
            waits.append(time.perf_counter() - started[0])

    benchmark.pedantic(cancel_in_the_middle, rounds=5)
    benchmark.extra_info["cancel_ms"] = [round(1000 * wait, 1) for wait in waits]
    print("cancel:", benchmark.extra_info["cancel_ms"], "ms")
    assert len(waits) == 5
