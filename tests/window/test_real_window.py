"""The program itself, started as a person starts it, on a virtual screen, driven with a pointer and a keyboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from shapely import Point

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.dicom.write import write_case
from reviewer.geometry.grid import Grid

pytestmark = pytest.mark.window

SIZE = 1280, 800
PATIENCE_S = 90.0


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


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    server = need("Xvfb")
    need("xdotool")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            server,
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            f"{SIZE[0]}x{SIZE[1]}x24",
            "-fbdir",
            str(tmp_path),
            "-nolisten",
            "tcp",
        ],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as number:
        display = number.readline().strip()
    try:
        if not display:
            pytest.skip("Xvfb does not start here")
        yield Screen(f":{display}")
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A CT whose slices grow brighter towards the head, with a cylinder drawn on it."""
    uid = "1.2.826.0.1.3680043.10.1"
    grid = Grid.from_directions(
        (1, 0, 0), (0, 1, 0), [(-80.0, -80.0, 4.0 * k) for k in range(20)], (2.5, 2.5), (64, 64), f"{uid}.9"
    )
    voxels = np.broadcast_to((np.arange(20, dtype=np.int16) * 20 - 140)[:, None, None], (20, 64, 64)).copy()
    image = Image(f"{uid}.1", "CT", "staircase", grid, voxels, study_uid=f"{uid}.8", patient_position="HFS")
    gtv = Structure(
        "gtv", "GTV", grid, {k: Point(0, 0).buffer(20) for k in range(6, 14)}, "GTV", (255, 0, 0), image.id, 1
    )
    case = Case(
        Patient("WINDOW^TEST", "W1", "O"),
        (image,),
        (StructureSet(f"{uid}.2", "drawn", (gtv,), image.id, f"{uid}.9"),),
    )
    where = tmp_path_factory.mktemp("case")
    write_case(case, where)
    return where


def until(what: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.3)


def test_open_scroll_and_change_the_theme(screen: Screen, folder: Path, tmp_path: Path):
    environment = {**screen.environment, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    program = subprocess.Popen(
        [sys.executable, "-m", "reviewer", "open", str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: "WINDOW TEST" in screen.xdotool("search", "--name", "WINDOW TEST", "getwindowname"), "no window")
        window = screen.xdotool("search", "--name", "WINDOW TEST").splitlines()[0]
        screen.xdotool("windowmove", window, 0, 0)
        screen.xdotool("windowsize", window, *SIZE)
        screen.xdotool("windowfocus", window)

        def axial() -> int:
            """Grey of the axial view where no text, line, contour or pointer is: left above the middle."""
            return int(np.median(screen.picture(tmp_path)[280:320, 320:340]))

        def reddest() -> int:
            picture = screen.picture(tmp_path)[60:760, 225:780]
            return int((picture[:, :, 0] - picture[:, :, 1]).max())

        # Slice 9 or 10 of 20 (the GTV's middle), 40 to 60 HU, in the window of 60 ± 200: near the middle of the grey scale.
        until(lambda: 90 < axial() < 160, f"the picture does not appear: grey {axial()}")
        until(lambda: reddest() > 150, "the contour does not appear")
        before = axial()

        screen.xdotool("mousemove", 400, 340)
        for _ in range(3):
            screen.xdotool("click", 4)
        # Three slices towards the head: 60 HU brighter, of a window of 400: 38 grey levels.
        until(lambda: abs(axial() - before - 38) <= 3, f"the wheel does not scroll: {before} to {axial()}")

        corner = screen.picture(tmp_path)[100, 1270].mean()
        screen.xdotool("key", "ctrl+t")
        until(lambda: screen.picture(tmp_path)[100, 1270].mean() > corner + 100, "the theme does not change")

        white = screen.picture(tmp_path)[102, 850].mean()
        screen.xdotool("key", "f")
        # The white upper end of the staircase in the sagittal view gives way to the grey of the axial one.
        assert white > 200
        until(lambda: screen.picture(tmp_path)[102, 850].mean() < 190, "the view does not fill the middle")
        save(screen.picture(tmp_path), tmp_path / "window.png")

        screen.xdotool("key", "ctrl+q")
        assert program.wait(30) == 0
        said = program.stdout.read() if program.stdout else ""
        assert "Traceback" not in said, said
    finally:
        if program.poll() is None:
            program.kill()
            program.wait(20)


def save(picture: np.ndarray, file: Path) -> None:
    """For the eye, when the test fails."""
    rows = np.ascontiguousarray(picture.astype(np.uint8))
    QImage(rows.data, rows.shape[1], rows.shape[0], 3 * rows.shape[1], QImage.Format.Format_RGB888).save(str(file))
