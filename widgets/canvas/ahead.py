"""The slice that comes next in the direction of travel, made ready in small steps while nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from PySide6.QtCore import QTimer

from .viewport import Slices, Viewport


class Ahead:
    """Follows the paints of one view. A turn of the wheel ends what is not ready yet; nobody waits for more than one step."""

    def __init__(self, prepare: Callable[[Viewport], Iterator[None]]) -> None:
        """prepare: does the work for a viewport, a few milliseconds from one yield to the next."""
        self._prepare = prepare
        self._last: tuple[Slices, int] | None = None
        self._steps: Iterator[None] = iter(())
        self._idle = QTimer()
        self._idle.setInterval(0)
        self._idle.timeout.connect(self._step)

    def painted(self, slices: Slices, port: Viewport) -> None:
        """A slice has been painted: where it is another than before, the next one of that direction is wanted."""
        here = slices.nearest(port.point_mm(port.middle_mm))
        before = here if self._last is None or self._last[0] is not slices else self._last[1]
        self._last = slices, here
        there = here + (here > before) - (here < before)
        if there != here and 0 <= there < len(slices.positions_mm):
            self._steps = self._prepare(replace(port, position_mm=float(slices.positions_mm[there])))
            self._idle.start()

    def _step(self) -> None:
        if next(self._steps, self) is self:
            self._idle.stop()
