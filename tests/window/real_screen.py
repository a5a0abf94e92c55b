"""A virtual screen with a pointer and a keyboard, for tests that use the program as a person does."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
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
