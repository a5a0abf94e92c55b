"""What every backend is tried on before anybody trusts it: `reviewer backends --conform NAME`, and pytest of a plug-in's author.

::

    from reviewer.backends.conformance import conform
    from reviewer.backends.discovery import Backend

    def test_it_conforms():
        failed = [trial for trial in conform(Backend.here("dose", "mine", "my_package:MyBackend")) if not trial.passed]
        assert not failed, failed

The phantoms are small and made here: a box of water in an open beam, and a bright disc that breathes and then leaves the plane. They
tell whether a backend keeps to the contract, not whether it is accurate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from reviewer.backends.contract import (
    DOSE,
    BeamInput,
    DoseJob,
    Floats,
    GatingJob,
    GatingResult,
    Lattice,
    Leaves,
    PlannedDose,
    Segment,
    Value,
)
from reviewer.backends.discovery import Backend
from reviewer.backends.host import Answer, BackendError, Description, describe, run
from reviewer.errors import CancelledError, ReviewerError

LINEAR = 1e-3
"""Largest deviation from proportion to the monitor units, of the maximum dose."""

TRACKING_MM = 1.0
"""Mean error of the disc's centre; its pixels have 2 mm."""

LATTICE = Lattice((36, 40, 40), (4.0, 4.0, 4.0), np.array([-78.0, -78.0, -70.0]))
PERIOD_S, FRAMES, LEAVES_AT = 4.0, 24, 18
PIXELS, PIXEL_MM, RADIUS_MM = 96, 2.0, 16.0


@dataclass(frozen=True)
class Trial:
    """One thing that was tried. detail: what was found."""

    name: str
    passed: bool
    detail: str = ""


Tries = Iterator[tuple[str, Callable[[], str]]]


def conform(backend: Backend) -> Iterator[Trial]:
    """Try a backend, one trial after the other; nothing more is tried once it cannot be used at all."""
    try:
        description = describe(backend)
    except ReviewerError as error:
        yield Trial("says who it is", False, str(error))
        return
    info = description.info
    yield Trial("says who it is", True, f"{info.title} {info.version}, {info.licence}, contract {info.api}")
    if description.reason is not None:
        yield Trial("can work here", False, description.reason)
        return
    yield Trial("can work here", True)
    tries = _dose_tries if backend.kind == DOSE else _gating_tries
    for name, attempt in (*_common_tries(backend, description), *tries(backend, description)):
        try:
            yield Trial(name, True, attempt())
        except (ReviewerError, AssertionError) as error:
            yield Trial(name, False, str(error))


def water_job(needs: tuple[str, ...] = (), mu: float = 100.0, scale: float = 1.0) -> DoseJob:
    """A box of water of 16 × 16 × 14 cm with an open field of 8 × 8 cm from the front, gantry 0, head first supine, SAD 900 mm.

    scale: of the monitor units and of the planned dose.
    """
    body = np.zeros(LATTICE.shape_zyx, dtype=bool)
    body[2:-2, 2:-2, 2:-2] = True
    open_field = Leaves("x", np.array([-40.0, 0.0, 40.0]), np.full(2, -40.0), np.full(2, 40.0))
    axes = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    segment = Segment(scale * mu, 0.0, 0.0, 0.0, np.array([0.0, -900.0, 0.0]), *axes, (open_field,))
    z, y, x = np.meshgrid(*(np.arange(n) for n in LATTICE.shape_zyx), indexing="ij")
    planned = np.where(body, scale * np.exp(-0.02 * 4.0 * y), 0.0) * ((abs(x - 19.5) < 10) & (abs(z - 17.5) < 10))
    return DoseJob(
        LATTICE,
        np.where(body, 1.0, 0.001).astype(np.float32),
        body,
        (BeamInput(1, "open", np.zeros(3), 900.0, 6.0, (segment,)),),
        LATTICE,
        planned=PlannedDose(planned.astype(np.float32), LATTICE, np.eye(4)) if "planned" in needs else None,
        structures=("BODY",) if "structures" in needs else (),
        structure_bits=body.astype(np.uint8) if "structures" in needs else None,
    )


def breathing_job() -> tuple[GatingJob, Floats]:
    """A bright textured disc that moves ±12 mm up and down, on a dim still background, and is gone from frame LEAVES_AT on.

    Returns the job and the true (t, 2) shifts in (u, v) mm.
    """
    times: Floats = np.arange(FRAMES, dtype=np.float64) * 0.25
    shifts = np.stack([np.zeros(FRAMES), 12.0 * np.sin(2 * np.pi * times / PERIOD_S)], axis=1)
    v, u = np.mgrid[:PIXELS, :PIXELS] * PIXEL_MM
    still = 60 + 15 * np.sin(u / 13) * np.cos(v / 17)
    noise = np.random.default_rng(20260101)
    centre = np.array([0.5 * PIXELS * PIXEL_MM, 0.5 * PIXELS * PIXEL_MM])
    frames = np.empty((FRAMES, PIXELS, PIXELS), dtype=np.float32)
    for n, shift in enumerate(shifts):
        du, dv = u - centre[0] - shift[0], v - centre[1] - shift[1]
        inside = np.clip((RADIUS_MM - np.hypot(du, dv)) / PIXEL_MM + 0.5, 0.0, 1.0)
        texture = 160 + 25 * np.sin(du / 4) * np.cos(dv / 5)
        frames[n] = still if n >= LEAVES_AT else still + inside * (texture - still)
    frames += noise.normal(0.0, 3.0, frames.shape).astype(np.float32)
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring: Floats = centre + RADIUS_MM * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.clip((RADIUS_MM - np.hypot(u - centre[0], v - centre[1])) / PIXEL_MM + 0.5, 0.0, 1.0).astype(np.float32)
    return GatingJob(frames, times, (PIXEL_MM, PIXEL_MM), 0, mask, (ring,)), shifts


def _common_tries(backend: Backend, description: Description) -> Tries:
    job = _job(backend, description)

    def defaults_are_allowed() -> str:
        for setting in description.settings:
            try:
                setting.checked(setting.default)
            except ValueError as error:
                raise AssertionError(f"its own default: {error}") from None
        return f"{len(description.settings)} settings"

    def refuses(settings: dict[str, Value]) -> str:
        try:
            run(backend, replace(job, settings=settings))
        except BackendError as error:
            if error.kind == "settings":
                return error.what
            raise
        raise AssertionError(f"it computed with {settings}")

    yield "its defaults are allowed", defaults_are_allowed
    yield "refuses a setting that it does not have", partial(refuses, {"no such setting": 1})
    limited = {s.name: s.maximum + 1 for s in description.settings if s.maximum is not None}
    for name, above in list(limited.items())[:1]:
        yield f"refuses {name} = {above:g}, above its maximum", partial(refuses, {name: above})
    yield "can be cancelled", partial(_cancelled, backend, job)


def _cancelled(backend: Backend, job: DoseJob | GatingJob) -> str:
    asked: list[float] = []

    def cancel() -> bool:
        if not asked and time.monotonic() > start + 0.05:
            asked.append(time.monotonic())
        return bool(asked)

    start = time.monotonic()
    try:
        run(backend, job, cancelled=cancel)
    except CancelledError:
        return f"after {1000 * (time.monotonic() - asked[0]):.0f} ms"
    raise AssertionError("it answered all the same")


def _job(backend: Backend, description: Description, scale: float = 1.0) -> DoseJob | GatingJob:
    return water_job(description.info.needs, scale=scale) if backend.kind == DOSE else breathing_job()[0]


def _dose_tries(backend: Backend, description: Description) -> Tries:
    answers: list[Answer[Any]] = []

    def computes() -> str:
        answers.append(run(backend, _job(backend, description)))
        gray = answers[0].result.gray
        return f"up to {gray.max():.2f} Gy in {answers[0].provenance.wall_s:.1f} s; {'; '.join(answers[0].provenance.statements)}"

    def doubles() -> str:
        assert answers, "it has not computed"
        once = answers[0].result
        twice = run(backend, _job(backend, description, scale=2.0)).result
        difference = np.abs(twice.gray - 2 * once.gray)
        allowed = LINEAR * float(twice.gray.max())
        if once.sigma_gray is not None:
            allowed = allowed + 6 * np.hypot(twice.sigma_gray, 2 * once.sigma_gray)
        assert np.all(difference <= allowed), f"twice the monitor units are off by {difference.max():.3g} Gy"
        return f"within {float(difference.max()):.2g} Gy"

    def stays_inside() -> str:
        assert answers, "it has not computed"
        gray = answers[0].result.gray
        outside = gray[~water_job().body]
        assert not np.any(outside), f"{outside.max():.3g} Gy outside the body"
        return ""

    yield "computes a box of water", computes
    yield "its dose is in proportion to the monitor units", doubles
    yield "gives no dose outside the body", stays_inside


def _gating_tries(backend: Backend, description: Description) -> Tries:
    job, shifts = breathing_job()
    results: list[GatingResult] = []

    def tracks() -> str:
        answer = run(backend, job)
        results.append(answer.result)
        return f"{float(np.median(answer.result.frame_ms)):.1f} ms a frame; {'; '.join(answer.provenance.statements)}"

    def follows() -> str:
        assert results, "it has not tracked"
        frames = results[0].frames[:LEAVES_AT]
        lost = [n for n, frame in enumerate(frames) if not frame.tracked]
        assert not lost, f"frame {lost[0]}: not tracked, though the target is in full view"
        error = np.hypot(*(np.array([frame.shift_mm for frame in frames]) - shifts[:LEAVES_AT]).T)
        assert error.mean() <= TRACKING_MM, f"its mean error is {error.mean():.2f} mm"
        return f"mean error {error.mean():.2f} mm, largest {error.max():.2f} mm"

    def admits() -> str:
        assert results, "it has not tracked"
        wrong = [n for n, frame in enumerate(results[0].frames) if n >= LEAVES_AT and frame.tracked]
        assert not wrong, f"frame {wrong[0]}: tracked, though there is no target"
        return f"{FRAMES - LEAVES_AT} frames not tracked"

    yield "tracks a breathing disc", tracks
    yield "follows it", follows
    yield "says so when the target is gone", admits
