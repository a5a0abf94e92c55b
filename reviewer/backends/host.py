"""The program's side of the border: one process per job, watched until it has answered or is ended.

Whatever a backend does, the caller gets an Answer, a CancelledError, or a BackendError that says what happened in the backend's own
last lines. This protects against accidents (crashes, hangs, memory), not against malice: a backend runs with the user's rights.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from reviewer.backends import exchange
from reviewer.backends.contract import (
    API,
    DOSE,
    BackendInfo,
    DoseJob,
    DoseResult,
    GatingJob,
    GatingResult,
    Lattice,
    Provenance,
    Setting,
)
from reviewer.backends.discovery import Backend
from reviewer.backends.results import checked_dose, checked_gating
from reviewer.backends.runner import AVAILABLE, DESCRIBE, RUN
from reviewer.errors import CancelledError, ReviewerError

Result = TypeVar("Result", DoseResult, GatingResult)

POLL_S = 0.02
"""How long cancelling may go unnoticed."""

DESCRIBE_S = 60.0
"""A backend that has not said who it is by then (numba and torch are slow to import on a busy machine) does not work."""

FLOOD_BYTES = 64 << 20
"""A backend that has written more than this is ended: it has gone wrong, and reading it costs the window's time."""

LINE_BYTES = 64 << 10
"""Longest line of the protocol."""

RESULT_JSON_BYTES = 256 << 20
LAST_LINES = 20
LAST_LINE_HELPS = ("start", "crash", "time", "flood", "protocol", "output")
"""In the other failures the sentence says it all."""

FOLDER_PREFIX = "reviewer-job-"
SHARED_MEMORY = Path("/dev/shm")


class BackendError(ReviewerError):
    """A backend could not be used, refused, or failed.

    kind:  "start", "load", "api", "settings", "refused", "error", "memory", "crash", "time", "flood", "protocol" or "output".
    lines: the last lines that it wrote, for those who want to know more.
    """

    def __init__(self, kind: str, what: str, *, where: str = "", remedy: str = "", lines: tuple[str, ...] = ()) -> None:
        self.kind, self.lines = kind, lines
        super().__init__(what, where=where, remedy=remedy)


@dataclass(frozen=True)
class Description:
    """What a backend says of itself. reason: why it cannot work here, or for the job it was asked about; None if it can."""

    info: BackendInfo
    settings: tuple[Setting, ...]
    reason: str | None


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """A checked result, and where it comes from."""

    result: Result
    provenance: Provenance


def describe(backend: Backend, job: DoseJob | GatingJob | None = None) -> Description:
    """Ask a backend who it is and whether it can work; with a job, whether it can answer that one.

    Raises BackendError where it cannot be loaded, breaks the contract, or does not answer within a minute.
    """
    with _folder(job) as folder:
        content = _Conversation(backend, folder, DESCRIBE if job is None else AVAILABLE, DESCRIBE_S).hold(job)
    return Description(content["info"], content["settings"], content["reason"])


def run(
    backend: Backend,
    job: DoseJob | GatingJob,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    time_s: float | None = None,
) -> Answer[Any]:
    """The backend's answer to a job, in a process of its own; returns when it is there. `job.settings` may leave out defaults.

    progress:  called in this thread, at most some 50 times a second.
    cancelled: asked all the time; once it says yes, the process is ended and CancelledError raised, within 0.2 s.
    time_s:    limit, if not the backend's own.
    Raises BackendError for all that can go wrong in a backend.
    """
    started, before = datetime.now(UTC), time.monotonic()
    with _folder(job) as folder:
        conversation = _Conversation(backend, folder, RUN, time_s or backend.time_s)
        content = conversation.hold(job, progress, cancelled)
        info: BackendInfo = content["info"]
        result: DoseResult | GatingResult
        try:
            if isinstance(job, DoseJob):
                result, uncertainty = checked_dose(content["result"], job, info)
                grid = _grid(job.dose_lattice)
            else:
                result, uncertainty = checked_gating(content["result"], job, info)
                rows, columns = job.frames.shape[1:]
                grid = f"{len(job.frames)} frames of {columns} × {rows} pixels of {_numbers(job.spacing_mm)} mm"
        except ValueError as error:
            conversation.fail("output", f"gave a result that cannot be used: {error}")
    statements = result.statements
    if (
        backend.kind == DOSE
        and not info.magnetic_field
        and not any("no magnetic field" in s.lower() for s in statements)
    ):
        statements = (*statements, "no magnetic field")
    if info.statistical:
        statements = (*statements, f"statistical uncertainty: {uncertainty}")
    return Answer(
        replace(result, statements=statements),
        Provenance(
            kind=backend.kind,
            backend=info.name,
            title=info.title,
            version=info.version,
            licence=info.licence,
            api=info.api,
            magnetic_field=info.magnetic_field,
            data_sha256=info.data_sha256,
            job_sha256=conversation.job_sha256,
            settings=content["chosen"],
            grid=grid,
            uncertainty=uncertainty,
            started=started.isoformat(timespec="seconds"),
            wall_s=time.monotonic() - before,
            statements=statements,
        ),
    )


class _Conversation:
    """One process from its start to its end."""

    def __init__(self, backend: Backend, folder: Path, action: str, time_s: float) -> None:
        self._backend, self._folder = backend, folder
        self._action, self._time_s = action, time_s
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._message_rest = self._line_rest = b""
        self._written = 0
        self._ended = False
        self._failure: tuple[str, str] | None = None
        self.job_sha256 = ""

    def hold(
        self,
        job: DoseJob | GatingJob | None,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Start the process, hand over the job, listen to the end; returns what it wrote down, its form checked."""
        request = {
            "action": self._action,
            "kind": self._backend.kind,
            "entry": self._backend.entry,
            "memory_bytes": self._backend.memory_bytes,
        }
        (self._folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        deadline = time.monotonic() + self._time_s
        process = self._start()
        digest = threading.Thread(target=self._hash, args=(job,))
        digest.start()
        try:
            self._hand_over(process, job)
            self._listen(process, deadline, progress, cancelled)
            if self._failure is not None:
                self._blame(*self._failure)
            if not self._ended:
                self._mourn(process.wait())
        finally:
            _end(process)
            digest.join()
        return self._content()

    def fail(self, kind: str, what: str) -> NoReturn:
        """Raise BackendError with the last words of the backend."""
        lines = tuple(line for line in (*self._lines, _text(self._line_rest)) if line.strip())
        last = f"; its last line: {lines[-1].strip()[:200]}" if lines and kind in LAST_LINE_HELPS else ""
        raise BackendError(kind, what + last, where=f"backend {self._backend.name}", lines=lines)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
        script = Path(__file__).with_name("child.py")
        try:
            return subprocess.Popen(
                [str(self._backend.interpreter), str(script), str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self.fail("start", f"cannot be started: {self._backend.interpreter}: {error.strerror or error}")

    def _hash(self, job: DoseJob | GatingJob | None) -> None:
        if self._action == RUN:
            self.job_sha256 = exchange.digest(job)

    def _hand_over(self, process: subprocess.Popen[bytes], job: DoseJob | GatingJob | None) -> None:
        if job is not None:
            exchange.write(self._folder, "job", job)
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already; what it said tells why
            process.stdin.write(b"job\n" if job is not None else b"\n")
            process.stdin.flush()

    def _listen(
        self,
        process: subprocess.Popen[bytes],
        deadline: float,
        progress: Callable[[float, str], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        """Until it has said that it is done or why not, or has ended."""
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, self._hear_messages)
            selector.register(process.stderr, selectors.EVENT_READ, self._hear_lines)
            while selector.get_map() and not self._ended and self._failure is None:
                if cancelled is not None and cancelled():
                    raise CancelledError
                if time.monotonic() > deadline:
                    self.fail("time", f"had no answer after {self._time_s:g} s and was ended")
                gone = process.poll() is not None
                latest = self._take(selector, POLL_S)
                if latest is not None and progress is not None:
                    progress(*latest)
                if gone and latest is None and not selector.select(0):
                    break  # though a child of it that lives on may still hold the pipes open
            while selector.get_map() and selector.select(0):  # its last lines
                self._take(selector, 0)

    def _take(self, selector: selectors.BaseSelector, wait_s: float) -> tuple[float, str] | None:
        """What has come on the two streams; returns the newest progress."""
        latest = None
        for key, _ in selector.select(wait_s):
            data = os.read(key.fd, 1 << 16)
            if not data:
                selector.unregister(key.fileobj)
                continue
            self._written += len(data)
            if self._written > FLOOD_BYTES:
                self.fail("flood", f"wrote more than {FLOOD_BYTES >> 20} MB of messages and was ended")
            latest = key.data(data) or latest
        return latest

    def _hear_lines(self, data: bytes) -> None:
        *lines, rest = (self._line_rest + data).split(b"\n")
        self._line_rest = rest[-LINE_BYTES:]
        self._lines.extend(_text(line) for line in lines[-LAST_LINES:])

    def _hear_messages(self, data: bytes) -> tuple[float, str] | None:
        *lines, self._message_rest = (self._message_rest + data).split(b"\n")
        if len(self._message_rest) > LINE_BYTES:
            self.fail("protocol", "sent a message without an end and was ended")
        latest = None
        for line in lines:
            try:
                message = json.loads(line)
                if "progress" in message:
                    latest = float(message["progress"]), _text(message["text"].encode())
                elif message.get("done") is True:
                    self._ended = True
                else:
                    self._failure = str(message["failed"]), _text(message["message"].encode())
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self.fail("protocol", f"sent what is no message ({_text(line)[:60]!r}) and was ended")
        return latest

    def _blame(self, kind: str, text: str) -> NoReturn:
        sentences = {
            "load": f"cannot be loaded: {text}",
            "api": f"does not keep to the contract: {text}",
            "settings": text,
            "refused": f"cannot answer: {text}",
            "error": f"failed: {text}",
            "memory": f"ran out of memory (its limit is {self._backend.memory_bytes / 2**30:.1f} GB)",
            "output": f"gave a result that cannot be used: {text}",
        }
        self.fail(kind if kind in sentences else "protocol", sentences.get(kind, f"failed: {text}"))

    def _mourn(self, status: int) -> NoReturn:
        if status == -signal.SIGKILL:
            self.fail("crash", "was ended from outside, probably because memory ran out on this machine")
        if status < 0:
            self.fail("crash", f"crashed ({signal.Signals(-status).name})")
        self.fail("crash", f"ended in the middle of its work, with exit status {status} and without an answer")

    def _content(self) -> dict[str, Any]:
        """What the runner wrote, as far as its form goes; results are checked against the job by `results`."""
        try:
            content = exchange.read(self._folder, "result", RESULT_JSON_BYTES)
            info, settings, reason = content["info"], content["settings"], content["reason"]
            sound = (
                isinstance(info, BackendInfo)
                and all(
                    isinstance(v, str) for v in (info.name, info.title, info.version, info.licence, info.data_sha256)
                )
                and all(isinstance(setting, Setting) for setting in settings)
                and (reason is None or isinstance(reason, str))
                and isinstance(content["chosen"], dict)
                and "result" in content
            )
        except (exchange.ExchangeError, KeyError, TypeError) as error:
            self.fail("output", f"left an answer that cannot be read: {_text(str(error).encode())[:200]}")
        if not sound:
            self.fail("output", "left an answer that is not of the contract's form")
        if info.api != API:
            self.fail("api", f"is written for version {info.api} of the contract; this program has version {API}")
        if info.name != self._backend.name:
            self.fail("api", f"calls itself {info.name!r}; it is registered as {self._backend.name!r}")
        return dict(content)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it has started, at once; nothing in it can refuse."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


@contextmanager
def _folder(job: DoseJob | GatingJob | None) -> Iterator[Path]:
    """A folder for one job, in memory where there is room for it twice over, that only this user can read; gone afterwards."""
    need = 2 * exchange.size_bytes(job) + (64 << 20)
    parent = Path(tempfile.gettempdir())
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > need:
        parent = SHARED_MEMORY
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the folders of hosts that were killed: they hold images of a patient."""
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        found = re.match(rf"{FOLDER_PREFIX}(\d+)-", folder.name)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _text(data: bytes) -> str:
    """As text without control characters: a terminal obeys what is printed to it."""
    return "".join(c if c.isprintable() or c == "\t" else " " for c in data.decode("utf-8", "replace"))


def _numbers(values: Sequence[float]) -> str:
    return " × ".join(f"{value:g}" for value in values)


def _grid(lattice: Lattice) -> str:
    return f"{_numbers(lattice.shape_zyx[::-1])} voxels of {_numbers(lattice.spacing_mm)} mm"
