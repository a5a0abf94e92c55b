"""The slice that comes next in the direction of travel, made ready in small steps while nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from PySide6.QtCore import QTimer

from .viewport import Pair, Slices, Viewport


class Ahead:
    """Follows the paints of one view. A turn of the wheel ends what is not ready yet; nobody waits for more than one step."""

    def __init__(self, prepare: Callable[[Viewport, Pair | None], Iterator[None]]) -> None:
        """prepare: does the work for a viewport and a cursor, a few milliseconds from one yield to the next."""
        self._prepare = prepare
        self._last: tuple[Slices, int] | None = None
        self._steps: Iterator[None] = iter(())
        self._idle = QTimer()
        self._idle.setInterval(0)
        self._idle.timeout.connect(self._step)

    def painted(self, slices: Slices, port: Viewport, cursor: Pair | None) -> None:
        """A slice has been painted: where it is another than before, the one as far on in the same direction is wanted, and the next."""
        here = slices.nearest(port.origin_mm)
        before = here if self._last is None or self._last[0] is not slices else self._last[1]
        self._last = slices, here
        if here != before:
            wanted = dict.fromkeys((2 * here - before, here + (1 if here > before else -1)))
            ports = [
                replace(port, position_mm=float(slices.positions_mm[k]))
                for k in wanted
                if 0 <= k < len(slices.positions_mm)
            ]
            self._steps = chain.from_iterable(self._prepare(each, cursor) for each in ports)
            self._idle.start()

    def _step(self) -> None:
        if next(self._steps, self) is self:
            self._idle.stop()
