"""The whole demo case in memory, and as a folder of DICOM files."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reviewer.case import Case, Registration
from reviewer.demo import images
from reviewer.demo.anatomy import anatomy
from reviewer.demo.cine import cine
from reviewer.demo.contours import structure_set
from reviewer.demo.identity import DAY_DATE, FRAMES, PATIENT, SIMULATION_DATE, Frame, frame_uid, to_simulation, uid
from reviewer.demo.treatment import treatments
from reviewer.dicom.write import write_case

Progress = Callable[[float, str], None]

_LABELS: dict[Frame, str] = {
    "ct": "CT to simulation",
    "hepatobiliary": "MR 1.5 T to simulation",
    "day": "TrueFISP of the day to simulation",
}


def demo_case(seed: int, progress: Progress | None = None) -> Case:
    """The case, everything in memory. The same seed gives the same case, bit for bit."""

    def say(share: float, text: str) -> None:
        if progress is not None:
            progress(share, text)

    say(0.0, "anatomy")
    with ThreadPoolExecutor(2) as pool:
        simulation, day = pool.map(lambda state: anatomy(state, seed), ("simulation", "day"))
        say(0.3, "images")
        jobs = [
            pool.submit(images.ct, seed),
            pool.submit(images.truefisp, seed, "simulation"),
            pool.submit(images.hepatobiliary, seed),
            pool.submit(images.truefisp, seed, "day"),
        ]
        film = pool.submit(cine, seed)
        ct, planning, hepatobiliary, today = (job.result() for job in jobs)
        say(0.55, "contours")
        sets = list(
            pool.map(
                lambda args: structure_set(*args),
                ((simulation, planning, "Simulation"), (day, today, "Fraction 3 of 5")),
            )
        )
        say(0.7, "plans and doses")
    plans, doses = treatments(simulation, day)
    say(1.0, "")
    return Case(
        patient=PATIENT,
        images=(planning, ct, hepatobiliary, today),
        structure_sets=tuple(sets),
        doses=doses,
        plans=plans,
        registrations=registrations(seed),
        cines=(film.result(),),
    )


def registrations(seed: int) -> tuple[Registration, ...]:
    """The rigid ties of every other image to the simulation; exact, because the images were made with them."""
    fixed = frame_uid(seed, "simulation")
    return tuple(
        Registration(
            id=uid(seed, "registration", frame),
            label=_LABELS[frame],
            moving_frame_uid=frame_uid(seed, frame),
            fixed_frame_uid=fixed,
            matrix=to_simulation(frame),
            date=DAY_DATE if frame == "day" else SIMULATION_DATE,
        )
        for frame in FRAMES
        if frame != "simulation"
    )


def write_demo(folder: Path, seed: int, progress: Progress | None = None) -> list[Path]:
    """Make the case and write it below `folder`; the paths of the files."""

    def part(low: float, high: float) -> Progress | None:
        if progress is None:
            return None
        return lambda share, text: progress(low + (high - low) * share, text)

    case = demo_case(seed, part(0.0, 0.6))
    return write_case(case, folder, part(0.6, 1.0))
