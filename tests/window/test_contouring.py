"""Contouring the demo as a person does it: redraw the stomach on five slices, interpolate, PTVopt follows, leave, come back, compare."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from real_screen import Desk, Screen, until

pytestmark = [pytest.mark.window, pytest.mark.slow]

CONTOUR, STOMACH = (968, 19), (565, 330)
"""On the screen: the mode, and a place in the stomach on the slice that the demo opens with."""

FIRST = 37
"""That slice."""

DAY = ("--set", 1, "--with-set", 1, "-s", "PTV_1", "-s", "Stomach")
"""The structures of the day, for the comparison."""

NAME, FORMULA = (240, 29), (240, 59)
"""In the dialogue of a formula."""

WHICH, TAKE_IT = (168, 330), (14, 428)
"""The field of the slices that are cleared, and the edge of the button, with no tool in the hand."""

START, END = (505, 350), (405, 375)
"""A way from beside the stomach into PTV_1; the picture stays where it is from slice to slice."""


class Contouring(Desk):
    """What has come of the hands is read from the workspace, so that nothing is waited for by the clock."""

    def colours(self, x: int, y: int) -> int:
        """The largest value about a place of the screen."""
        return int(self.screen.picture(self.folder)[y - 10 : y + 10, x - 10 : x + 10].max())

    def blue(self, x: int, y: int) -> bool:
        """Whether a button that can be pressed is there."""
        red, _, blue = self.screen.picture(self.folder)[y, x]
        return bool(blue > 150 and blue > 2 * red)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        way = np.linspace(start, end, 12).round().astype(int).tolist()
        moves = [word for x, y in way[1:] for word in ("mousemove", x, y, "sleep", 0.02)]
        self.screen.xdotool("mousemove", *way[0], "mousedown", 1, *moves, "mouseup", 1)

    @property
    def done(self) -> list[str]:
        """What the journal on the disk holds: the labels of all edits."""
        kept = list(self.folder.rglob("*.reviewer"))
        if not kept:
            return []
        with closing(sqlite3.connect(f"file:{kept[0]}?mode=ro", uri=True)) as file:
            if not file.execute("SELECT name FROM sqlite_master WHERE name = 'entry'").fetchall():
                return []  # just being made
            return [label for (label,) in file.execute("SELECT label FROM entry WHERE kind = 'edit' ORDER BY number")]

    def until_done(self, *labels: str) -> None:
        until(lambda: self.done[-len(labels) :] == list(labels), f"the journal lacks {labels}: {self.done}")


def told(*words: object) -> dict:
    """What the command line says of it."""
    done = subprocess.run(
        [sys.executable, "-m", "reviewer", *map(str, words), "--json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of_the_day(info: dict) -> dict[str, dict]:
    """The structures of the last set, by name."""
    return {s["name"]: s for s in info["structures"]}


def source_of(workspace: Path) -> Path:
    """The folder of the files that a workspace refers to."""
    with closing(sqlite3.connect(f"file:{workspace}?mode=ro", uri=True)) as file:
        paths = [Path(path) for (path,) in file.execute("SELECT path FROM source")]
    return Path(os.path.commonpath(paths))


def test_redraw_the_stomach_on_five_slices_interpolate_leave_and_come_back(screen: Screen, tmp_path: Path):
    desk = Contouring(screen, tmp_path)
    with desk.at_work("demo"):
        until(lambda: desk.colours(*STOMACH) > 100, "no image appears")
        desk.click(*CONTOUR)
        desk.command("new derived")
        dialog = desk.window("New derived structure")
        for place, text in ((NAME, "PTVopt"), (FORMULA, "PTV_1 - (Stomach + 5 mm) ")):
            screen.xdotool("mousemove", "--window", dialog, *place, "click", 1)
            desk.press("ctrl+a")  # three clicks select all only where none of them waits for the window
            desk.type(text)
        until(lambda: desk.press("ctrl+Return") or "Build PTVopt" in desk.done, "PTVopt is not made")
        desk.window("HEPAR DEMO")

        screen.xdotool("mousemove", *STOMACH)
        desk.press("q")
        desk.command("clear slices")
        desk.window("HEPAR DEMO")
        until(lambda: desk.blue(*TAKE_IT), "the slices to clear are not proposed")
        desk.click(*WHICH)
        desk.press("a", "Return", "Return")
        until(lambda: desk.done[-1].startswith("Clear slices Stomach, slices "), "the stomach is not cleared")
        screen.xdotool("mousemove", *START)
        desk.press("b")
        for slices in range(5):
            desk.drag(START, END)
            desk.until_done(*(f"Brush on Stomach, slice {FIRST + 2 * n}" for n in range(slices + 1)))
            desk.press("Prior", "Prior")
        desk.picture("drawn.png")
        desk.press("i", "Return")
        desk.until_done(f"Interpolate Stomach, 4 slices from {FIRST + 1} to {FIRST + 7}")
        desk.picture("interpolated.png")
        desk.press("ctrl+s")

    (kept,) = tmp_path.rglob("*.reviewer")
    demo, after = source_of(kept), of_the_day(told("info", kept))
    before = of_the_day(told("info", demo))
    assert after["Stomach"]["planes"] == 9, "five slices, and four between them"
    assert after["PTV_1"]["volume_cc"] == pytest.approx(before["PTV_1"]["volume_cc"])
    # The strokes of 16 mm end in the middle of PTV_1, and PTVopt keeps off them by 5 mm.
    assert after["PTVopt"]["volume_cc"] < before["PTV_1"]["volume_cc"] - 1.0
    compared = {s["name"]: s for s in told("compare", kept, "--with", demo, *DAY)["structures"]}
    assert compared["PTV_1"]["dice"] == pytest.approx(1.0)
    assert compared["Stomach"]["dice"] < 0.1

    with desk.at_work("open", kept):
        until(lambda: desk.colours(*STOMACH) > 100, "no image appears")
    assert of_the_day(told("info", kept)) == after
