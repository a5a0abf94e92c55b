"""Contouring from end to end, as a person does it: draw on five slices, interpolate, leave, come back, compare with what was opened."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from real_screen import SIZE, Screen, save, until
from shapely import Point

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.dicom.write import write_case
from reviewer.geometry.grid import Grid

pytestmark = [pytest.mark.window, pytest.mark.slow]

UID = "1.2.826.0.1.3680043.10.2"
FIRST, MIDDLE = 4, (503, 405)
"""Plane that the stomach is drawn on as it is opened; the middle of the axial view on the screen."""

MM_PER_PIXEL = 0.3
"""About, with an image of 160 mm fitted into the axial view."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT, a GTV of 20 mm radius, a stomach beside it on one slice, and a PTVopt that keeps off the stomach by a formula."""
    grid = Grid.from_directions(
        (1, 0, 0), (0, 1, 0), [(-80.0, -80.0, 4.0 * k) for k in range(20)], (2.5, 2.5), (64, 64), f"{UID}.9"
    )
    image = Image(
        f"{UID}.1",
        "CT",
        "even",
        grid,
        np.full((20, 64, 64), 40, np.int16),
        study_uid=f"{UID}.8",
        patient_position="HFS",
    )
    planes = {k: Point(0, 0).buffer(20) for k in range(4, 16)}
    gtv = Structure("gtv", "GTV", grid, planes, "GTV", (255, 0, 0), image.id, 2)
    stomach = Structure("s", "Stomach", grid, {FIRST: Point(30, 0).buffer(8)}, "ORGAN", (0, 255, 0), image.id, 1)
    opt = replace(gtv, id="o", name="PTVopt", type="PTV", number=3, formula="GTV - (Stomach + 3 mm)", frozen=True)
    case = Case(
        Patient("DRAWN^TEST", "W2", "O"),
        (image,),
        (StructureSet(f"{UID}.2", "drawn", (stomach, gtv, opt), image.id, f"{UID}.9"),),
    )
    where = tmp_path / "case"
    where.mkdir()
    write_case(case, where)
    return where


def started(screen: Screen, tmp_path: Path, path: Path) -> subprocess.Popen[str]:
    environment = {
        **screen.environment,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    program = subprocess.Popen(
        [sys.executable, "-m", "reviewer", "open", str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: "DRAWN TEST" in screen.xdotool("search", "--name", "DRAWN TEST", "getwindowname"), "no window")
    window = screen.xdotool("search", "--name", "DRAWN TEST").splitlines()[0]
    screen.xdotool("windowmove", window, 0, 0)
    screen.xdotool("windowsize", window, *SIZE)
    screen.xdotool("windowfocus", window)
    until(lambda: red(screen, tmp_path) > 50, "the contour does not appear")
    return program


def red(screen: Screen, tmp_path: Path) -> int:
    """How many pixels of the axial view have the GTV's colour."""
    view = screen.picture(tmp_path)[100:700, 225:780]
    return int(((view[:, :, 0] > 150) & (view[:, :, 1] < 110) & (view[:, :, 2] < 110)).sum())


def key(screen: Screen, *names: str) -> None:
    for name in names:
        screen.xdotool("key", name)
        time.sleep(0.15)


def drag(screen: Screen, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the slice to another, mm."""
    places = [np.array(start) + (np.array(end) - start) * share for share in np.linspace(0, 1, 12)]
    pixels = [(round(MIDDLE[0] + x / MM_PER_PIXEL), round(MIDDLE[1] + y / MM_PER_PIXEL)) for x, y in places]
    screen.xdotool("mousemove", *pixels[0])
    screen.xdotool("mousedown", 1)
    for pixel in pixels[1:]:
        screen.xdotool("mousemove", *pixel)
        time.sleep(0.02)
    screen.xdotool("mouseup", 1)
    time.sleep(0.3)


def told(*words: object) -> dict:
    """What the command line says of it."""
    done = subprocess.run(
        [sys.executable, "-m", "reviewer", *map(str, words), "--json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def workspaces(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data").rglob("*.reviewer"))


def test_draw_on_five_slices_interpolate_leave_and_come_back(screen: Screen, folder: Path, tmp_path: Path):
    before = {s["name"]: s for s in told("info", folder)["structures"]}
    program = started(screen, tmp_path, folder)
    try:
        screen.xdotool("mousemove", 970, 19, "click", 1)  # Contour
        time.sleep(1.0)
        screen.xdotool("mousemove", *MIDDLE, "click", 1)
        key(screen, "Tab", "shift+Tab")  # the stomach, then from it back to the last one, PTVopt
        key(screen, "ctrl+k")
        screen.xdotool("type", "--delay", "40", "freeze")
        key(screen, "Return")
        time.sleep(1.0)
        screen.xdotool("mousemove", *MIDDLE)
        key(screen, "Tab", "b")  # the stomach, on its only slice
        for _ in range(5):
            key(screen, "Prior", "Prior")
            drag(screen, (12.0, 0.0), (40.0, 0.0))
        save(screen.picture(tmp_path), tmp_path / "drawn.png")
        key(screen, "i")
        time.sleep(1.5)
        key(screen, "Return")
        time.sleep(1.5)
        save(screen.picture(tmp_path), tmp_path / "interpolated.png")
        key(screen, "ctrl+s")
        key(screen, "ctrl+q")
        assert program.wait(60) == 0
        said = program.stdout.read() if program.stdout else ""
        assert "Traceback" not in said, said
    finally:
        if program.poll() is None:
            program.kill()
            program.wait(20)

    (kept,) = workspaces(tmp_path)
    after = {s["name"]: s for s in told("info", kept)["structures"]}
    assert after["Stomach"]["planes"] == 11, "five slices, the one that was there, and five between them"
    assert after["GTV"]["volume_cc"] == pytest.approx(before["GTV"]["volume_cc"])
    # The brush went 8 mm deep into the GTV, and PTVopt keeps off it by 3 mm.
    assert after["PTVopt"]["volume_cc"] < before["PTVopt"]["volume_cc"] - 1.0
    compared = {s["name"]: s for s in told("compare", kept, "--with", folder)["structures"]}
    assert compared["GTV"]["dice"] == pytest.approx(1.0)
    assert compared["Stomach"]["dice"] < 0.5

    program = started(screen, tmp_path, kept)
    try:
        key(screen, "ctrl+q")
        assert program.wait(60) == 0
    finally:
        if program.poll() is None:
            program.kill()
            program.wait(20)
    assert {s["name"]: s for s in told("info", kept)["structures"]} == after
