"""Work shared by two threads: complete, in order, never waiting for a helper that is busy."""

from __future__ import annotations

import threading
import time

import pytest

from reviewer.threads import HELPERS, shared


def test_all_is_done_in_order():
    assert shared(lambda n: n * n, range(100)) == [n * n for n in range(100)]
    assert shared(str, []) == []


def test_two_threads_take_part():
    both = threading.Barrier(2, timeout=10)
    seen = shared(lambda _: (both.wait(), threading.get_ident())[1], range(2))
    assert len(set(seen)) == 2
    assert threading.get_ident() in seen


def test_pieces_share_theirs_in_turn():
    def inner(n):
        return sum(shared(lambda m: n * m, range(5)))

    assert shared(lambda n: sum(shared(inner, range(n))), range(6)) == [10 * n * (n - 1) // 2 for n in range(6)]


def test_busy_helpers_hold_nobody_up():
    go = threading.Event()
    busy = [threading.Thread(target=shared, args=(lambda _: go.wait(10), range(2))) for _ in range(HELPERS)]
    for thread in busy:
        thread.start()
    time.sleep(0.05)
    try:
        assert shared(lambda n: n + 1, range(3)) == [1, 2, 3]
        assert not go.is_set()
    finally:
        go.set()
        for thread in busy:
            thread.join()


def test_an_error_stops_the_rest_and_is_raised_once_nothing_runs_any_more():
    begun, running = [], []

    def work(n):
        begun.append(n)
        running.append(n)
        time.sleep(0.01)
        running.remove(n)
        if n == 1:
            raise ValueError("one")
        return n

    with pytest.raises(ValueError, match="one"):
        shared(work, range(1000))
    assert running == []
    assert len(begun) < 10
