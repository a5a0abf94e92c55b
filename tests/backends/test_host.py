"""The host against backends that go wrong: each ends in the right message, at once, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from reviewer.backends import host
from reviewer.backends.conformance import breathing_job, water_job
from reviewer.backends.contract import DOSE, GATING
from reviewer.backends.discovery import Backend
from reviewer.backends.host import BackendError, describe, run
from reviewer.errors import CancelledError

HOSTILE = Path(__file__).with_name("hostile.py")


def backend(name: str, kind: str = DOSE, **limits) -> Backend:
    return dataclasses.replace(Backend.here(kind, "test", f"{HOSTILE}:{name}"), **limits)


def folders() -> set[Path]:
    places = {host.SHARED_MEMORY, Path(tempfile.gettempdir())}
    return {folder for place in places for folder in place.glob(f"{host.FOLDER_PREFIX}{os.getpid()}-*")}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert folders() == set()


FAILURES = [
    ("Segfault", "crash", "crashed (SIGSEGV)"),
    ("Memory", "memory", "ran out of memory (its limit is 4.0 GB)"),
    ("NotANumber", "output", "the dose is not a number in 1 voxels"),
    ("WrongGrid", "output", "the dose has the shape (35, 40, 40) (z, y, x), the grid asked for (36, 40, 40)"),
    ("Negative", "output", "the dose goes down to -0.5 Gy"),
    ("CentiGray", "output", "reaches 1000, which cannot be Gy"),
    ("SaysCentiGray", "output", "the dose is in 'cGy', not in Gy"),
    ("Nothing", "output", "there is no dose anywhere"),
    ("Silent", "output", "0 statements"),
    ("Objects", "output", "cannot be handed over"),
    ("NoResult", "output", "returned a dict instead of a DoseResult"),
    ("Statistical", "output", "gives no uncertainty"),
    ("Exit", "crash", "exit status 3 and without an answer; its last line: so long"),
    ("SystemExits", "error", "SystemExit: bye"),
    ("Killed", "crash", "ended from outside"),
    ("Raises", "error", "failed: KeyError: 'kernel'"),
    ("Refuses", "error", "failed: electron beams are not covered"),
    ("Unavailable", "refused", "cannot answer: no machine data for MRIdian"),
    ("Flood", "flood", "wrote more than 64 MB of messages and was ended"),
    ("Garbage", "protocol", "sent what is no message"),
    ("NoObject", "protocol", "sent what is no message"),
    ("Endless", "protocol", "a message without an end"),
    ("EarlyDone", "output", "left an answer that cannot be read"),
    ("GarbageResult", "output", "left an answer that cannot be read"),
    ("ForeignFile", "output", "is no file of result"),
    ("OldApi", "api", "it is written for version 2 of the contract; this program has version 1"),
    ("OtherName", "api", "calls itself 'somebody-else'; it is registered as 'test'"),
    ("NoInfo", "api", "its `info` is no BackendInfo"),
    ("NoCompute", "api", "a dose backend has a method compute"),
    ("BrokenInfo", "load", "cannot be loaded: RuntimeError: no licence file"),
    ("BadStart", "load", "cannot be loaded: OSError: libcuda.so.1"),
    ("NotThere", "load", "has no attribute 'NotThere'"),
    ("Writes", "error", "read-only"),
]


@pytest.mark.parametrize(("name", "kind", "words"), FAILURES, ids=[name for name, *_ in FAILURES])
def test_what_goes_wrong_in_a_backend_is_said(name, kind, words):
    with pytest.raises(BackendError) as failure:
        run(backend(name, memory_bytes=4 << 30), water_job(), time_s=60)
    assert failure.value.kind == kind
    assert words in str(failure.value)
    assert str(failure.value).startswith("backend test: ")
    assert "\x1b" not in str(failure.value)


@pytest.mark.parametrize("name", ["Hang", "EndlessProgress", "Children"])
def test_a_backend_without_an_end_is_ended_at_its_time_limit(name):
    with pytest.raises(BackendError, match=r"had no answer after 1.5 s and was ended") as failure:
        run(backend(name), water_job(), time_s=1.5)
    assert failure.value.kind == "time"


def test_a_crash_leaves_its_last_lines():
    """faulthandler's, so that the author finds the line of Python that called the native code."""
    with pytest.raises(BackendError) as failure:
        run(backend("Segfault"), water_job())
    assert any("hostile.py" in line and "in compute" in line for line in failure.value.lines)


def test_cancelling_is_no_failure():
    """Of a backend that ignores every signal that can be ignored. How long it takes: benchmarks/test_backends.py."""
    told: list[str] = []
    with pytest.raises(CancelledError):
        run(backend("Hang"), water_job(), lambda fraction, text: told.append(text), lambda: bool(told))
    assert told == ["begun"]


def test_the_children_of_a_backend_end_with_it():
    told: list[str] = []
    with pytest.raises(CancelledError):
        run(backend("Children"), water_job(), lambda fraction, text: told.append(text), lambda: bool(told))
    assert gone(int(told[0]))
    answer = run(backend("Orphan"), water_job())
    assert gone(int(answer.result.statements[0].split()[1]))


def test_a_backend_ends_with_its_host(tmp_path):
    """Also when the host is killed and can do nothing any more; its folder goes with the next job."""
    script = tmp_path / "host.py"
    script.write_text(
        "import sys\nfrom reviewer.backends.conformance import water_job\n"
        "from reviewer.backends.discovery import Backend\nfrom reviewer.backends.host import run\n"
        f"run(Backend.here('dose', 'test', '{HOSTILE}:Children'), water_job(), lambda f, t: print(t, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        left = {
            f for place in (host.SHARED_MEMORY, Path(tempfile.gettempdir())) for f in place.glob(f"*-{process.pid}-*")
        }
        assert alive(child)
        assert len(left) == 1
        process.send_signal(signal.SIGKILL)
    assert gone(child)
    run(backend("Good"), water_job())
    assert not next(iter(left)).exists()


def test_an_answer_says_where_it_comes_from():
    told: list[tuple[float, str]] = []
    job = dataclasses.replace(water_job(mu=300), settings={"scale": "2"})
    answer = run(backend("Good"), job, lambda *said: told.append(said))
    assert told == [(0.5, "half way")]
    np.testing.assert_array_equal(answer.result.gray, np.where(job.body, np.float32(6), np.float32(0)))
    answer.result.gray[0] = 1  # its own memory, not a file that is gone
    said = answer.provenance
    assert (said.kind, said.backend, said.version, said.licence, said.api) == ("dose", "test", "1.2", "MIT", 1)
    assert said.settings == {"scale": 2.0}
    assert said.statements == ("made up", "no magnetic field")
    assert said.statements == answer.result.statements
    assert said.grid == "40 × 40 × 36 voxels of 4 × 4 × 4 mm"
    assert said.uncertainty == "not stated"
    assert len(said.job_sha256) == len(hashlib.sha256().hexdigest())
    assert said.wall_s > 0


def test_the_hash_is_of_everything_that_was_handed_over():
    hashes = [
        run(backend("Good"), job).provenance.job_sha256
        for job in (
            water_job(),
            water_job(),
            water_job(mu=101),
            dataclasses.replace(water_job(), settings={"scale": 2.0}),
            dataclasses.replace(water_job(), density=water_job().density + np.float32(1e-6)),
        )
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def test_the_uncertainty_of_a_statistical_backend_is_told():
    answer = run(backend("Noisy"), water_job())
    assert answer.provenance.uncertainty.startswith("one standard deviation 2.0 % of the dose")
    assert any("2.0 %" in statement for statement in answer.result.statements)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scale": 11}, "scale is at least 0 and at most 10 Gy, not 11"),
        ({"scale": "much"}, "scale is a number, not 'much'"),
        ({"scale": True}, "scale is a number, not True"),
        ({"size": 1}, "there is no setting size; there is scale"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(BackendError, match=words) as failure:
        run(backend("Good"), dataclasses.replace(water_job(), settings=settings))
    assert failure.value.kind == "settings"


def test_an_interpreter_that_is_not_there():
    with pytest.raises(BackendError, match="cannot be started: /nowhere/python") as failure:
        describe(backend("Good", interpreter=Path("/nowhere/python")))
    assert failure.value.kind == "start"


def test_an_interpreter_that_is_no_python():
    with pytest.raises(BackendError, match="ended in the middle of its work, with exit status 1"):
        describe(backend("Good", interpreter=Path("/bin/false")))


def test_a_backend_is_asked_who_it_is_and_whether_it_can():
    description = describe(backend("Good"))
    assert (description.info.name, description.reason) == ("test", None)
    assert [setting.name for setting in description.settings] == ["scale"]
    assert describe(backend("Unavailable"), water_job()).reason == "no machine data for MRIdian"


def test_several_jobs_at_once_do_not_meet():
    answers: dict[int, float] = {}

    def one(mu: int) -> None:
        answers[mu] = float(run(backend("Good"), water_job(mu=mu)).result.gray.max())

    threads = [threading.Thread(target=one, args=(mu,)) for mu in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {100: 1.0, 200: 2.0, 300: 3.0}


def test_a_tracker_sees_frame_by_frame():
    job, _ = breathing_job()
    answer = run(backend("GoodTracker", GATING), job)
    assert [frame.shift_mm for frame in answer.result.frames] == [(0.0, 2.0 * n) for n in range(len(job.frames))]
    assert answer.result.frame_ms.shape == (len(job.frames),)
    assert answer.provenance.statements == ("made up",)
    assert answer.provenance.grid == "24 frames of 96 × 96 pixels of 2 × 2 mm"


def test_where_a_tracker_is_not_sure_its_place_is_dropped():
    job, _ = breathing_job()
    assert {frame.shift_mm for frame in run(backend("Doubtful", GATING), job).result.frames} == {(0.0, 0.0)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Overconfident", "frame 0: the confidence is not between 0 and 1"),
        ("NoPlace", "frame 0: the shift is not a number"),
        ("SmallMask", r"frame 0: the mask has \(3, 3\) pixels"),
        ("Line", "frame 0: a contour has less than three points"),
    ],
)
def test_what_a_tracker_may_not_say(name, words):
    with pytest.raises(BackendError, match=words):
        run(backend(name, GATING), breathing_job()[0])
