"""`Studio`: the thread in which the 3D view is rendered, so that a slow picture never holds up the window."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Signal

from ...loading import load
from .shot import Shot

log = logging.getLogger(__name__)


class Studio(QObject):
    """Draws one shot at a time; of those asked for meanwhile only the newest follows.

    drawn:  the Shot and its pixels, (height, width, 4) uint8 RGBA.
    failed: a sentence, when this computer can't draw in 3D.
    """

    drawn = Signal(object, object)
    failed = Signal(str)
    _free = Signal()

    def __init__(self) -> None:
        super().__init__()
        # One thread only: an OpenGL context belongs to the thread that made it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="3D")
        self._stage: Any = None
        self._busy = self._closed = False
        self._next: Callable[[], Shot] | None = None
        self._free.connect(self._go_on)

    @property
    def idle(self) -> bool:
        return not self._busy

    def ask(self, shot: Callable[[], Shot]) -> None:
        """Draw what `shot` returns at the moment when the thread is free."""
        if self._closed:
            return
        self._next = shot
        if not self._busy:
            self._go_on()

    def close(self) -> None:
        """Finalise the graphics and join the thread; nothing is drawn afterwards."""
        if self._closed:
            return
        self._closed, self._next = True, None
        # At the end of the process the threads are gone already, and the graphics go with it.
        with suppress(RuntimeError):
            self._thread.submit(self._clear)
        self._thread.shutdown(wait=True)

    def _go_on(self) -> None:
        wish, self._next = self._next, None
        self._busy = wish is not None and not self._closed
        if wish is not None and not self._closed:
            self._thread.submit(self._draw, wish())

    # -- in the thread --------------------------------------------------------------------------------------------------

    def _draw(self, shot: Shot) -> None:
        try:
            if self._stage is None:
                # VTK takes a third of a second to import: after the window stands, and beside it.
                self._stage = load(".stage", __package__).Stage()
            pixels = self._stage.draw(shot)
        except Exception as e:
            log.exception("3D view")
            if not self._closed:
                self.failed.emit(f"3D can't be drawn on this computer: {e}")
            return
        if not self._closed:
            self.drawn.emit(shot, pixels)
            self._free.emit()

    def _clear(self) -> None:
        if self._stage is not None:
            self._stage.close()
            self._stage = None
