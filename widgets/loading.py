"""`load`: import a module beside the window, one thread at a time."""

from __future__ import annotations

import threading
from importlib import import_module
from types import ModuleType

_one_at_a_time = threading.RLock()


def load(name: str, package: str | None = None) -> ModuleType:
    """As `import_module`, for modules that worker threads import.

    CPython takes a module out of `sys.modules` for an instant when its import ends (importlib, `_load_unlocked`); another thread that
    just then asks for a part of the same package fails with KeyError. numba and pyqtgraph, which share packages, met like that.
    """
    with _one_at_a_time:
        return import_module(name, package)
