"""The way from the command line to the window: through the entry point group ``reviewer.window``, and only when there is a screen."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from reviewer.errors import InputError

GROUP = "reviewer.window"

DEBIAN_PACKAGES = (
    "libgl1 libegl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0 "
    "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0"
)
"""The system libraries that Qt and VTK load; the list of setup.sh."""


class Window(Protocol):
    """What the entry point names: a module that can show a case."""

    def run(self, paths: Sequence[Path], demo: bool = False) -> int: ...

    def screenshot(
        self, paths: Sequence[Path], out: Path, size: tuple[int, int] = ..., view: str = ..., demo: bool = False
    ) -> None: ...


def load_window() -> Window:
    """The installed window; InputError where there is none or where a system library is missing."""
    found = next(iter(entry_points(group=GROUP)), None)
    if found is None:
        raise InputError("no window is installed", remedy=f"an entry point in the group {GROUP} would provide one")
    try:
        return cast(Window, found.load())
    except ImportError as error:
        raise InputError(
            f"the window cannot be loaded ({error})",
            remedy=f"on Debian or Ubuntu: apt-get install --no-install-recommends {DEBIAN_PACKAGES}",
        ) from error


def no_screen() -> str | None:
    """Why no window can be shown here, None when one can. Qt itself ends the process when the display does not answer."""
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in ("offscreen", "minimal", "vnc"):
        return None
    wayland, x11 = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("DISPLAY")
    if wayland and Path(os.environ.get("XDG_RUNTIME_DIR", "/"), wayland).exists():
        return None
    if x11:
        return None if _x_server_answers(x11) else f"the display {x11} does not answer"
    return f"the display {wayland} does not answer" if wayland else "there is no display here"


def _x_server_answers(display: str) -> bool:
    """Whether something listens where the X server of "[host]:number[.screen]" should be."""
    host, _, rest = display.rpartition(":")
    number = rest.split(".")[0]
    if not number.isdecimal():
        return False
    path = f"/tmp/.X11-unix/X{number}"
    local: list[str | tuple[str, int]] = [path, "\0" + path]
    addresses = local if host in ("", "unix") else [(host, 6000 + int(number))]
    for address in addresses:
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(3.0)
            try:
                probe.connect(address)
                return True
            except OSError:
                continue
    return False
