"""A virtual screen with a pointer and a keyboard, for tests that use the program as a person does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

SIZE = 1280, 800
PATIENCE_S = 300.0


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@dataclass
class Screen:
    """A virtual screen and what is on it."""

    display: str

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY")}
        return {**kept, "DISPLAY": self.display}

    def xdotool(self, *words: object) -> str:
        done = subprocess.run(
            [need("xdotool"), *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def picture(self, folder: Path) -> np.ndarray:
        """(height, width, 3) what is on the screen now, 0 to 255. Xvfb keeps its screen in a file, in the format of xwd."""
        raw = (folder / "Xvfb_screen0").read_bytes()
        header = np.frombuffer(raw[:100], ">u4")
        size, width, height, line, colours = (int(header[i]) for i in (0, 4, 5, 12, 19))
        start = size + 12 * colours
        pixels = np.frombuffer(raw[start : start + line * height], np.uint8).reshape(height, line)
        return pixels[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1].astype(int)


def until(what: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.3)


def save(picture: np.ndarray, file: Path) -> None:
    """For the eye, when the test fails."""
    rows = np.ascontiguousarray(picture.astype(np.uint8))
    QImage(rows.data, rows.shape[1], rows.shape[0], 3 * rows.shape[1], QImage.Format.Format_RGB888).save(str(file))


class Desk:
    """The window on its screen, and hands."""

    def __init__(self, screen: Screen, folder: Path) -> None:
        self.screen, self.folder = screen, folder

    def open(self, *words: object) -> subprocess.Popen[str]:
        """Start the program with its own settings, and put its window over the whole screen."""
        environment = {
            **self.screen.environment,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
        }
        program = subprocess.Popen(
            [sys.executable, "-m", "reviewer", *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self.window("HEPAR DEMO")
        except BaseException:
            program.kill()
            raise
        window = self.screen.xdotool("search", "--name", "HEPAR DEMO").splitlines()[0]
        self.screen.xdotool("windowmove", window, 0, 0)
        self.screen.xdotool("windowsize", window, *SIZE)
        return program

    @contextmanager
    def at_work(self, *words: object) -> Iterator[None]:
        """The program is there; in the end it is left, and must have had nothing to complain of."""
        program = self.open(*words)
        try:
            yield
            self.press("ctrl+q")
            assert program.wait(PATIENCE_S) == 0
            said = program.stdout.read() if program.stdout else ""
            assert "Traceback" not in said, said
        finally:
            self.picture("last.png")
            if program.poll() is None:
                program.kill()
                program.wait(20)

    def picture(self, name: str) -> None:
        """For the eye, when the test fails."""
        save(self.screen.picture(self.folder), self.folder / name)

    def write(self, title: str, file: Path) -> None:
        """Answer the dialogue of that title that asks for a file, and wait for the file."""
        self.window(title)
        self.press("ctrl+a")
        self.screen.xdotool("type", str(file))
        self.press("Return")
        until(file.exists, f"there is no {file.name}")
        self.window("HEPAR DEMO")

    def part(self, place: tuple[int, int, int, int]) -> np.ndarray:
        top, bottom, left, right = place
        return self.screen.picture(self.folder)[top:bottom, left:right]

    def pixels(self, place: tuple[int, int, int, int], colour: str) -> int:
        """How many have this colour of the theme, or nearly."""
        wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
        return int((np.abs(self.part(place) - wanted).max(axis=2) < 24).sum())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.screen.xdotool("key", key)

    def type(self, text: str) -> None:
        self.screen.xdotool("type", "--delay", "30", text)

    def click(self, x: int, y: int) -> None:
        self.screen.xdotool("mousemove", x, y, "click", 1)

    def changes(self, place: tuple[int, int, int, int], key: str, why: str) -> None:
        """Press a key, and see to it that a good part of the picture is another one."""
        before = self.part(place)
        self.press(key)
        until(lambda: self.differs(place, before), why)

    def differs(self, place: tuple[int, int, int, int], before: np.ndarray) -> bool:
        """Whether a good part of the picture is another one."""
        return bool((np.abs(self.part(place) - before).max(axis=2) > 24).mean() > 0.002)

    def window(self, title: str) -> str:
        """Wait for it, and let it have the keyboard: there is no window manager here."""
        found: list[str] = []

        def there() -> bool:
            # One search, for the next may find nothing: a popup that goes meanwhile makes it fail.
            found[:] = self.screen.xdotool("search", "--onlyvisible", "--name", title).splitlines()
            return bool(found)

        until(there, f"no window {title}")
        self.screen.xdotool("windowfocus", "--sync", found[-1])
        return found[-1]

    def gone(self, title: str) -> None:
        until(lambda: not self.screen.xdotool("search", "--onlyvisible", "--name", title), f"{title} stays")
        self.window("HEPAR DEMO")

    def command(self, name: str) -> None:
        """By the palette."""
        self.press("ctrl+k")
        self.type(name)
        self.press("Return")
