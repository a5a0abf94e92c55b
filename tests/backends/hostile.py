"""Backends that go wrong in every way that one has seen a program go wrong; started by tests/backends/test_host.py only."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from reviewer.backends.contract import API, BackendInfo, DoseResult, Setting, Tracked


class Good:
    """Dose: the monitor units of each beam over 100, everywhere in the body."""

    info = BackendInfo("test", "For tests", "1.2", "MIT")

    def settings(self):
        return (Setting("scale", "Scale", "number", 1.0, "Gy", 0.0, 10.0),)

    def available(self, job):
        return None

    def compute(self, job, progress):
        progress(0.5, "half way")
        return DoseResult(self.gray(job), ("made up",))

    def gray(self, job):
        mu = sum(segment.mu for beam in job.beams for segment in beam.segments)
        return job.body_on_dose_lattice() * np.float32(job.settings["scale"] * mu / 100)


class Segfault(Good):
    def compute(self, job, progress):
        ctypes.string_at(0)


class Hang(Good):
    """Neither the interpreter's signals nor a polite end reach it."""

    def compute(self, job, progress):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        progress(0.1, "begun")
        while True:
            pass


class Children(Good):
    """Leaves a process behind that lives on and holds its pipes open."""

    def compute(self, job, progress):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        progress(0.3, str(child.pid))
        time.sleep(600)


class Orphan(Children):
    """Answers, but leaves its child running."""

    def compute(self, job, progress):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return DoseResult(self.gray(job), (f"child {child.pid}",))


class Memory(Good):
    def compute(self, job, progress):
        return DoseResult(np.ones(100 << 27), ("big",))


class NotANumber(Good):
    def gray(self, job):
        gray = super().gray(job)
        gray[3, 4, 5] = np.nan
        return gray


class WrongGrid(Good):
    def gray(self, job):
        return super().gray(job)[:-1]


class Negative(Good):
    def gray(self, job):
        return super().gray(job) - 0.5


class CentiGray(Good):
    def gray(self, job):
        return super().gray(job) * 1000


class SaysCentiGray(Good):
    def compute(self, job, progress):
        return DoseResult(self.gray(job), ("made up",), unit="cGy")


class Nothing(Good):
    def gray(self, job):
        return 0 * super().gray(job)


class Silent(Good):
    """Says nothing about what its result covers."""

    def compute(self, job, progress):
        return DoseResult(self.gray(job), ())


class Objects(Good):
    def compute(self, job, progress):
        return DoseResult(np.array([object()]), ("made up",))


class NoResult(Good):
    def compute(self, job, progress):
        return {"dose": 1}


class Statistical(Good):
    info = dataclasses.replace(Good.info, statistical=True)


class Noisy(Statistical):
    def compute(self, job, progress):
        gray = self.gray(job)
        return DoseResult(gray, ("made up",), np.float32(0.02) * gray)


class Exit(Good):
    def compute(self, job, progress):
        print("so long")
        sys.stdout.flush()
        os._exit(3)


class SystemExits(Good):
    def compute(self, job, progress):
        sys.exit("bye")


class Killed(Good):
    def compute(self, job, progress):
        os.kill(os.getpid(), signal.SIGKILL)


class Raises(Good):
    def compute(self, job, progress):
        raise KeyError("kernel")


class Refuses(Good):
    def compute(self, job, progress):
        raise ValueError("electron beams are not covered")


class Unavailable(Good):
    def available(self, job):
        return "no machine data for MRIdian"


class Flood(Good):
    def compute(self, job, progress):
        while True:
            print("x" * 100_000)


class EndlessProgress(Good):
    def compute(self, job, progress):
        while True:
            progress(float("nan"), "\x1b[2Jsoon " * 1000)


def _channel() -> int:
    """The descriptor that the runner speaks to the host on: a pipe that is none of the standard three."""
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        if int(name) > 2 and os.readlink(f"/proc/self/fd/{name}").startswith("pipe:"):
            return int(name)
    raise AssertionError("no pipe")


class Garbage(Good):
    """Writes onto the descriptor of the protocol."""

    def compute(self, job, progress):
        os.write(_channel(), b"<html>\x00 no message\n")
        time.sleep(600)


class Endless(Garbage):
    def compute(self, job, progress):
        while True:
            os.write(_channel(), b"x" * 10_000)


class NoObject(Garbage):
    def compute(self, job, progress):
        os.write(_channel(), b"[1, 2]\n")
        time.sleep(600)


class EarlyDone(Garbage):
    """Says that it is done, and is not."""

    def compute(self, job, progress):
        os.write(_channel(), b'{"done": true}\n')
        time.sleep(600)


class GarbageResult(Garbage):
    def compute(self, job, progress):
        Path("result.json").write_text("{not json")
        os.write(_channel(), b'{"done": true}\n')
        time.sleep(600)


class ForeignFile(Garbage):
    """Points to an array outside of its folder."""

    def compute(self, job, progress):
        Path("result.json").write_text('{"map": {"info": {"file": "../../etc/passwd"}}}')
        os.write(_channel(), b'{"done": true}\n')
        time.sleep(600)


class OldApi(Good):
    info = dataclasses.replace(Good.info, api=API + 1)


class OtherName(Good):
    info = dataclasses.replace(Good.info, name="somebody-else")


class NoInfo:
    pass


class NoCompute:
    info = Good.info
    settings, available = Good.settings, Good.available


class BrokenInfo(Good):
    @property
    def info(self):
        raise RuntimeError("no licence file")


class BadStart(Good):
    def __init__(self):
        raise OSError("libcuda.so.1: cannot open shared object file")


class Writes(Good):
    """Writes into the job's own arrays."""

    def compute(self, job, progress):
        job.density[...] = 0
        return DoseResult(self.gray(job), ("made up",))


class GoodTracker:
    """Knows the motion: one pixel of 2 mm down each frame."""

    info = BackendInfo("test", "For tests", "1.2", "MIT")

    def settings(self):
        return ()

    def available(self, job):
        return None if len(job.frames if job else [1]) == 1 else "it was shown the future"

    def start(self, job):
        if len(job.frames) != 1 or job.reference != 0:
            raise ValueError("it was shown the future")
        self.n = -1
        return ["made up"]

    def track(self, frame, time_s):
        self.n += 1
        return Tracked(True, (0.0, 2.0 * self.n), 0.9)


class Doubtful(GoodTracker):
    """Gives a place although it is not tracked."""

    def track(self, frame, time_s):
        return dataclasses.replace(super().track(frame, time_s), tracked=False)


class Overconfident(GoodTracker):
    def track(self, frame, time_s):
        return Tracked(True, (0.0, 0.0), 90.0)


class NoPlace(GoodTracker):
    def track(self, frame, time_s):
        return Tracked(True, (float("nan"), 0.0), 0.9)


class SmallMask(GoodTracker):
    def track(self, frame, time_s):
        return Tracked(True, (0.0, 0.0), 0.9, mask=np.ones((3, 3)))


class Line(GoodTracker):
    def track(self, frame, time_s):
        return Tracked(True, (0.0, 0.0), 0.9, contours=(np.zeros((2, 2)),))


class NotLinear(Good):
    def gray(self, job):
        return np.sqrt(super().gray(job))


class Everywhere(Good):
    def gray(self, job):
        gray = super().gray(job)
        return gray + gray.max() / 10


class BadDefault(Good):
    def settings(self):
        return (Setting("scale", "Scale", "number", 20.0, "Gy", 0.0, 10.0),)


class Instant(Good):
    def compute(self, job, progress):
        return DoseResult(np.zeros(job.dose_lattice.shape_zyx, np.float32), ("nothing computed",))
