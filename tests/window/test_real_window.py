"""The program itself, started as a person starts it, on a virtual screen, driven with a pointer and a keyboard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from real_screen import SIZE, Screen, save, until
from shapely import Point

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.dicom.write import write_case
from reviewer.geometry.grid import Grid

pytestmark = pytest.mark.window


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
