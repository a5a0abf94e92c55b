"""`Memo`: what was worked out from regions, for as long as the very same regions are asked about; `Recent`: the same for living objects."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Values by the identity of regions, or of what was made from them, which an edit leaves alone on the planes that it does not touch; the
    longest unused go first.

    It holds these objects themselves, so that no other object can take on their identity. Safe for several threads.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: the sum of the weights of the values that are kept."""
        self._capacity = capacity
        self._total = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int, tuple[object, ...]]] = OrderedDict()
        self._turns: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def once(self, regions: tuple[object, ...], rest: Hashable, make: Callable[[], tuple[Value, int]]) -> Value:
        """The value that is known, else the one that `make` returns with its weight; threads that ask for it meanwhile wait for it.

        Raises what `make` raises.
        """
        found = self.get(regions, rest)
        if found is not None:
            return found
        key = (tuple(map(id, regions)), rest)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        try:
            with turn:
                found = self.get(regions, rest)
                return self.put(regions, *make(), rest) if found is None else found
        finally:
            with self._lock:
                self._turns.pop(key, None)

    def get(self, regions: tuple[object, ...], rest: Hashable = None) -> Value | None:
        key = (tuple(map(id, regions)), rest)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, regions: tuple[object, ...], value: Value, weight: int = 1, rest: Hashable = None) -> Value:
        key = (tuple(map(id, regions)), rest)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = (value, weight, regions)
                self._total += weight
            while self._total > self._capacity and self._entries:
                self._total -= self._entries.popitem(last=False)[1][1]
        return value


class Recent(Generic[Key, Value]):
    """Values by objects that are hashed by identity, for as long as these live; the longest unused go first. Safe for several threads.

    The undo history keeps every structure that there ever was alive, and what is known of all of them would fill the memory.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: the sum of the weights of the values that are kept."""
        self._capacity = capacity
        self._total = 0
        self._entries: OrderedDict[weakref.ref[Key], tuple[Value, int]] = OrderedDict()
        self._gone: deque[weakref.ref[Key]] = deque()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        reference = weakref.ref(key)
        with self._lock:
            entry = self._entries.get(reference)
            if entry is None:
                return None
            self._entries.move_to_end(reference)
            return entry[0]

    def put(self, key: Key, value: Value, weight: int) -> Value:
        # An object may end while the lock is held, so its end is only taken note of.
        reference = weakref.ref(key, self._gone.append)
        with self._lock:
            while self._gone:
                self._drop(self._gone.popleft())
            self._drop(reference)
            self._entries[reference] = (value, weight)
            self._total += weight
            while self._total > self._capacity and len(self._entries) > 1:
                self._drop(next(iter(self._entries)))
        return value

    def _drop(self, reference: weakref.ref[Key]) -> None:
        entry = self._entries.pop(reference, None)
        if entry is not None:
            self._total -= entry[1]
