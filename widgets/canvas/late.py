"""What needs numba, loaded beside the first paint instead of before it: cuts of structures, and oblique planes of images.

A slice view shows native planes with their contours at once; what is missing until `ready` follows a moment later. So do cuts of structures
whose solids nobody has asked for yet: some tens of milliseconds each, which `solid_known` has built beside the window.
"""

from __future__ import annotations

import gc
import logging
import threading
from functools import cache
from types import ModuleType
from weakref import WeakSet

import numpy as np
import shapely

from reviewer.case import Structure
from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import warm_up

from ..commands.tool_kinds import KINDS
from ..loading import load
from .compose import Toned, everywhere, no_source, no_tint

log = logging.getLogger(__name__)

_ready = threading.Event()
_lock = threading.Lock()
_thread: threading.Thread | None = None
_asked: dict[Structure, None] = {}
_failed: WeakSet[Structure] = WeakSet()
_wanted = threading.Condition()
"""Of `_asked`."""
_finished = 0


def ready() -> bool:
    """Whether everything is loaded; starts loading where it is not."""
    global _thread
    if not _ready.is_set():
        with _lock:
            if _thread is None:
                _thread = threading.Thread(target=_load, name="compiled geometry", daemon=True)
                _thread.start()
    return _ready.is_set()


def wait() -> None:
    """Come back when everything is loaded (screenshots, tests)."""
    ready()
    _ready.wait()


def solid_known(structure: Structure) -> bool:
    """Whether a structure can be cut at once, given that all is loaded; where not, its solid is built beside the window, in turn."""
    if solid_module().known(structure) or structure in _failed:
        return True
    with _wanted:
        _asked[structure] = None
        _wanted.notify()
    _start_to_build()
    return False


@cache  # one thread for good: to start one holds the window up until it runs
def _start_to_build() -> None:
    threading.Thread(target=_build, name="solids", daemon=True).start()


def build(structure: Structure) -> None:
    """Make all that a cut of a structure needs."""
    body = solid_module().solid(structure)
    _ = body.by_u, body.by_v


def building() -> bool:
    """Whether solids are being built that a view has asked for."""
    return bool(_asked)


def finished() -> int:
    """How many solids have come to be in this way: what was planned when there were fewer may lack one, though none is being built any more."""
    return _finished


@cache  # another thread may hold `load` for a second
def section_module() -> ModuleType:
    """`reviewer.geometry.section`, whose import costs the second that a window has for its first paint."""
    return load("reviewer.geometry.section")


@cache
def solid_module() -> ModuleType:
    """`reviewer.geometry.solid`, which comes with it."""
    return load("reviewer.geometry.solid")


@cache
def fused_module() -> ModuleType:
    """`fused`, the compiled way from cuts to pictures."""
    return load(".fused", __package__)


@cache  # once is enough
def load_tools() -> None:
    """Load the tools of Contour mode, the livewire's compiled loops too, beside the window: the first click with one does not wait."""
    threading.Thread(target=_load_tools, name="tools", daemon=True).start()


def _load_tools() -> None:
    wait()
    for module in {kind.module: None for kind in KINDS}:
        load(f"reviewer.edit.tools.{module}")
    load("reviewer.edit.operations.livewire").warm_up()


def _load() -> None:
    try:
        section = section_module().section
        grid = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (4, 4), np.arange(3.0), "")
        square = shapely.box(0.0, 0.0, 2.0, 2.0)
        cube = Structure("warm-up", "warm-up", grid, {0: square, 1: square, 2: square})
        section(cube, np.eye(4), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
        warm_up()
        size = (2, 2)
        nothing = Toned(no_source(size), 1.0, 0.0)
        fused_module().painted(nothing, nothing, everywhere(size, 0.0), no_tint(size))
        gc.freeze()  # what is loaded stays: else the collector looks through all of numba every few seconds, 0.1 s at a time
    finally:
        _ready.set()


def _build() -> None:
    global _finished
    while True:
        with _wanted:
            _wanted.wait_for(lambda: _asked)
            structure = next(iter(_asked))
        try:
            build(structure)
        except Exception:
            log.exception("solid of %s", structure.name)
            _failed.add(structure)
        with _wanted:
            del _asked[structure]
            _finished += 1
        del structure
