"""Work beside the window: threads compute, the thread of the window hears the result."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Signal

from reviewer.errors import CancelledError, ReviewerError

T = TypeVar("T")

log = logging.getLogger(__name__)

SWITCH_S = 0.0005
"""So long a thread at work keeps the interpreter while another wants it. Python's 5 ms are a third of a frame, many times in each frame."""


class Progress:
    """What the work holds in its hands, in its own thread: it reports, and it asks whether to go on."""

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report
        self._cancelled = False
        self.fraction, self.text = 0.0, ""

    def report(self, fraction: float, text: str = "") -> None:
        """fraction: 0 to 1 of the whole job."""
        self.fraction, self.text = min(1.0, max(0.0, fraction)), text
        self._report()

    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; the work then returns whatever it likes or raises CancelledError."""
        return self._cancelled


class Job:
    """One piece of work from the moment that it is asked for until its result is delivered or dropped."""

    def __init__(
        self,
        label: str,
        key: str | None,
        progress: Progress,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None] | None,
    ) -> None:
        self.label, self.key, self.progress = label, key, progress
        self.done, self.failed = done, failed
        self._at_its_end = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Until the work is done, so long at most; whether it is. Its result is still delivered by the event loop."""
        return self._at_its_end.wait(seconds)

    def cancel(self) -> None:
        """Ask the work to stop; whatever it still returns is dropped."""
        self.progress._cancelled = True


class Jobs(QObject):
    """Runs work in a pool of threads; `done` and `failed` are called in the thread of this object.

    changed: a job came, went, or reported progress (at most once per turn of the event loop).
    failed:  label and exception of a job that brought no handler of its own.
    """

    changed = Signal()
    failed = Signal(str, object)
    _finished = Signal(object, object, object)
    _reported = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        sys.setswitchinterval(SWITCH_S)
        self._pool = ThreadPoolExecutor(max_workers=max(3, os.cpu_count() or 1), thread_name_prefix="job")
        self._jobs: list[Job] = []
        self._report_pending = False
        self._closed = False
        self._finished.connect(self._deliver)
        self._reported.connect(self._pass_on)

    def run(
        self,
        label: str,
        work: Callable[[Progress], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
        key: str | None = None,
    ) -> Job:
        """Queue `work`; after `close` nothing is begun.

        A newer job with the same key makes this one stale: it is asked to cancel and its result is dropped.
        """
        if key is not None:
            self.cancel(key)
        job = Job(label, key, Progress(self._report), done, failed)
        if self._closed:
            job.cancel()
            return job
        self._jobs.append(job)
        self._pool.submit(self._work, job, work)
        self.changed.emit()
        return job

    def cancel(self, key: str) -> None:
        """Cancel every job with this key."""
        for job in self._jobs:
            if job.key == key:
                job.cancel()
        self.changed.emit()

    def cancel_all(self) -> None:
        for job in self._jobs:
            job.cancel()

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that somebody still waits for, oldest first."""
        return tuple(job for job in self._jobs if not job.progress.cancelled())

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, at work, or waiting to be delivered."""
        return not self._jobs

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Turn the event loop until idle; False where that took longer. Jobs that follow from results are waited for too."""
        deadline = time.monotonic() + timeout_s
        while not self.idle:
            if time.monotonic() > deadline:
                return False
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Cancel everything and join the threads; nothing is delivered afterwards."""
        self._closed = True
        self.cancel_all()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._jobs.clear()

    # -- in the threads of the pool -------------------------------------------------------------------------------------

    def _work(self, job: Job, work: Callable[[Progress], Any]) -> None:
        result, error = None, None
        if not job.progress.cancelled():
            try:
                result = work(job.progress)
            except Exception as e:
                error = e
        if not self._closed:
            self._finished.emit(job, result, error)
        # After it: whoever waits keeps Python's lock once it goes on, and the result would come after all that it does then.
        job._at_its_end.set()

    def _report(self) -> None:
        if not self._report_pending and not self._closed:
            self._report_pending = True
            self._reported.emit()

    # -- in the thread of the window ------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        self._report_pending = False
        if not self._closed:
            self.changed.emit()

    def _deliver(self, job: Job, result: object, error: Exception | None) -> None:
        if self._closed:
            return
        stale = job.progress.cancelled()
        try:
            if stale or isinstance(error, CancelledError):
                return
            if error is None:
                job.done(result)
                return
            if not isinstance(error, ReviewerError):
                log.error("%s", job.label, exc_info=error)
            if job.failed is not None:
                job.failed(error)
            else:
                self.failed.emit(job.label, error)
        finally:
            # Only now, so that whoever waits for `idle` sees the jobs that the result has led to.
            self._jobs.remove(job)
            self.changed.emit()
