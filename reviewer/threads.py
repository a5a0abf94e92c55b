"""Work shared by this thread and one that is always there: to start a thread costs as much as many a piece of work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

HELPERS = max(1, (os.cpu_count() or 2) - 1)

_pool = ThreadPoolExecutor(HELPERS, thread_name_prefix="helper")


def shared(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]``, in that order; two threads take the items one after the other.

    The thread that asks takes part, and waits for nothing that has not been begun: so pieces of work may share theirs in turn, and busy helpers
    hold nobody up. Raises what `work` raises first; what was begun comes to its end before.
    """
    chosen = list(items)
    found: list[R | None] = [None] * len(chosen)
    if len(chosen) < 2:
        return [work(item) for item in chosen]
    lock, left = threading.Lock(), iter(range(len(chosen)))

    def take() -> None:
        nonlocal left
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                found[number] = work(chosen[number])
            except BaseException:
                left = iter(())
                raise

    helper = _pool.submit(take)
    try:
        take()
    finally:
        error = None if helper.cancel() else helper.exception()
    if error is not None:
        raise error
    return found  # type: ignore[return-value]
