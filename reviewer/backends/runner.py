"""The backend's side of the border: loads one backend, hands it one job, writes down the result, and ends.

The host writes ``request.json`` into the folder before it starts this, and one line to standard input once ``job.json`` is there as well; so
the interpreter and the backend load while the job is still being written. Messages go to the host as JSON lines on what was standard
output; whatever the backend prints goes to standard error. Needs numpy and the standard library only (see `contract`).
"""

from __future__ import annotations

import dataclasses
import faulthandler
import importlib
import importlib.util
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reviewer.backends import exchange
from reviewer.backends.contract import (
    API,
    DOSE,
    GATING,
    BackendInfo,
    DoseJob,
    DoseResult,
    GatingJob,
    GatingResult,
    Setting,
    Tracked,
    checked_settings,
)

DESCRIBE, AVAILABLE, RUN = "describe", "available", "run"

METHODS = {DOSE: ("settings", "available", "compute"), GATING: ("settings", "available", "start", "track")}

PROGRESS_INTERVAL_S = 0.02
"""Progress is passed on no more often."""


class Stop(Exception):  # noqa: N818 -- it ends the run, as StopIteration does a loop
    """The end of this run, for a reason that the host knows by its name."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(message)


class Channel:
    """JSON lines to the host, on a descriptor of its own: prints of the backend, also of its C libraries, do not get in between."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        self._last = 0.0

    def send(self, **message: object) -> None:
        data = (json.dumps(message) + "\n").encode()
        while data:
            data = data[os.write(self._descriptor, data) :]

    def progress(self, fraction: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_INTERVAL_S:
            self._last = now
            value = float(fraction)
            self.send(progress=min(1.0, max(0.0, value)) if np.isfinite(value) else 0.0, text=str(text)[:200])


def main(folder_name: str) -> None:
    folder = Path(folder_name)
    faulthandler.enable()  # a crash in native code leaves its Python lines as the last lines
    channel = Channel()
    try:
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        _limit(int(request["memory_bytes"]))
        _run(request, folder, channel)
        channel.send(done=True)
    except Stop as stop:
        channel.send(failed=stop.kind, message=stop.message[:1000])


def _run(request: dict[str, Any], folder: Path, channel: Channel) -> None:
    with _blamed("load"):
        backend = _load(request["entry"])
        info = _info(backend, request["kind"])
    with _blamed("error"):
        settings = tuple(backend.settings())
    if not all(isinstance(setting, Setting) for setting in settings):
        raise Stop("api", "its settings are not of the contract's Setting")
    job: DoseJob | GatingJob | None = None
    if sys.stdin.readline().strip() == "job":
        job = exchange.read(folder, "job")
    if job is not None:
        try:
            job = dataclasses.replace(job, settings=checked_settings(settings, job.settings))
        except ValueError as error:
            raise Stop("settings", str(error)) from None
    with _blamed("error"):
        reason = backend.available(_first_look(job))
    if reason is not None and not isinstance(reason, str):
        raise Stop("api", f"available() returned a {type(reason).__name__} instead of a sentence or None")
    result: object = None
    if request["action"] == RUN and job is not None:
        if reason is not None:
            raise Stop("refused", reason)
        with _blamed("error"):
            result = _compute(backend, job, channel) if isinstance(job, DoseJob) else _track(backend, job, channel)
    answer = {"info": info, "settings": settings, "reason": reason, "result": result}
    answer["chosen"] = dict(job.settings) if job is not None else {}
    try:
        exchange.write(folder, "result", answer)
    except exchange.ExchangeError as error:
        raise Stop("output", str(error)) from None
    except MemoryError:
        raise Stop("memory", "") from None


def _load(entry: str) -> Any:
    """The object named by ``package.module:attribute`` or ``/path/of/file.py:attribute``; a class is called without arguments."""
    place, _, attribute = entry.rpartition(":")
    if place.endswith(".py"):
        path = Path(place)
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part)
    return found() if isinstance(found, type) else found


def _info(backend: Any, kind: str) -> BackendInfo:
    info = getattr(backend, "info", None)
    if not isinstance(info, BackendInfo):
        raise Stop("api", "its `info` is no BackendInfo of the contract")
    if info.api != API:
        raise Stop("api", f"it is written for version {info.api} of the contract; this program has version {API}")
    if missing := [name for name in METHODS[kind] if not callable(getattr(backend, name, None))]:
        raise Stop("api", f"a {kind} backend has a method {missing[0]}; this one has none")
    return info


def _first_look(job: DoseJob | GatingJob | None) -> DoseJob | GatingJob | None:
    """A tracker sees the reference frame before it starts, and no other."""
    if isinstance(job, GatingJob):
        only = slice(job.reference, job.reference + 1)
        return dataclasses.replace(job, frames=job.frames[only], times_s=job.times_s[only], reference=0)
    return job


def _compute(backend: Any, job: DoseJob, channel: Channel) -> DoseResult:
    result = backend.compute(job, channel.progress)
    if not isinstance(result, DoseResult):
        raise Stop("output", f"compute() returned a {type(result).__name__} instead of a DoseResult")
    return result


def _track(backend: Any, job: GatingJob, channel: Channel) -> GatingResult:
    statements = backend.start(_first_look(job))
    if isinstance(statements, str) or not all(isinstance(s, str) for s in statements):
        raise Stop("output", "start() did not return a list of sentences")
    frames: list[Tracked] = []
    spent = np.zeros(len(job.frames))
    for n, (frame, time_s) in enumerate(zip(job.frames, job.times_s, strict=True)):
        own = np.array(frame)  # its own copy, in memory: reading the file is not the tracker's time
        before = time.perf_counter()
        tracked = backend.track(own, float(time_s))
        spent[n] = 1000 * (time.perf_counter() - before)
        if not isinstance(tracked, Tracked):
            raise Stop("output", f"track() returned a {type(tracked).__name__} instead of a Tracked")
        frames.append(tracked)
        channel.progress((n + 1) / len(job.frames), f"frame {n + 1} of {len(job.frames)}")
    return GatingResult(tuple(frames), spent, tuple(statements))


@contextmanager
def _blamed(kind: str) -> Iterator[None]:
    """What the backend raises, as a reason to stop; its traceback is among the last lines."""
    try:
        yield
    except (Stop, GeneratorExit):
        raise
    except MemoryError:
        traceback.print_exc()
        raise Stop("memory", "") from None
    except BaseException as error:  # SystemExit as well: a backend does not end the conversation by itself
        traceback.print_exc()
        own_words = isinstance(error, ValueError) and kind == "error" and str(error)
        raise Stop(kind, str(error) if own_words else f"{type(error).__name__}: {error}".rstrip(": ")) from None


def _limit(memory_bytes: int) -> None:
    """Bound memory and file size, and leave no core dump: it would hold the patient's images."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
