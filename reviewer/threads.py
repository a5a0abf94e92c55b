"""Work shared by this thread and one that is always there: to start a thread costs as much as many a piece of work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

HELPERS = max(1, (os.cpu_count() or 2) - 1)

_pool = ThreadPoolExecutor(HELPERS, thread_name_prefix="helper")
_mine = threading.local()
_counting = threading.Lock()
_working = 0
"""Threads that are at shared work, helpers and those that asked. Where these are as many as the cores already, each does its own work alone:
one more thread would only take turns with them, and keep Python's lock while it waits for its turn."""


@contextmanager
def _at_work() -> Iterator[None]:
    """Counts this thread once, however deep pieces of work share theirs in turn."""
    global _working
    if getattr(_mine, "counted", False):
        yield
        return
    _mine.counted = True
    with _counting:
        _working += 1
    try:
        yield
    finally:
        _mine.counted = False
        with _counting:
            _working -= 1


def shared(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]``, in that order; two threads take the items one after the other, where a core is free for the second.

    The thread that asks takes part, and waits for nothing that has not been begun: so pieces of work may share theirs in turn, and busy helpers
    hold nobody up. Raises what `work` raises first; what was begun comes to its end before.
    """
    chosen = list(items)
    found: list[R | None] = [None] * len(chosen)
    if len(chosen) < 2:
        return [work(item) for item in chosen]
    lock, left = threading.Lock(), iter(range(len(chosen)))

    def take(helping: bool) -> None:
        nonlocal left
        with _at_work():
            while not (helping and _working > HELPERS + 1):
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                try:
                    found[number] = work(chosen[number])
                except BaseException:
                    left = iter(())
                    raise

    with _at_work():
        helper = _pool.submit(take, True) if _working <= HELPERS else None
        try:
            take(False)
        finally:
            error = None if helper is None or helper.cancel() else helper.exception()
    if error is not None:
        raise error
    return found  # type: ignore[return-value]
