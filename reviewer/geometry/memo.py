"""`Memo`: what was worked out from regions, for as long as the very same regions are asked about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from reviewer.geometry.region import Region

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Values by the identity of regions, which an edit leaves alone on the planes that it does not touch; the longest unused go first.

    It holds the regions themselves, so that no other object can take on their identity. Safe for several threads.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: the sum of the weights of the values that are kept."""
        self._capacity = capacity
        self._total = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int, tuple[Region | None, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, regions: tuple[Region | None, ...], rest: Hashable = None) -> Value | None:
        key = (tuple(map(id, regions)), rest)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, regions: tuple[Region | None, ...], value: Value, weight: int = 1, rest: Hashable = None) -> Value:
        key = (tuple(map(id, regions)), rest)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = (value, weight, regions)
                self._total += weight
            while self._total > self._capacity and self._entries:
                self._total -= self._entries.popitem(last=False)[1][1]
        return value
