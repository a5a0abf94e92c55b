"""The story of a day, as a person walks it: the baseline breaks a duodenum goal, the adapted plan meets it, they are compared, signed by two, locked,
and go on paper."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader
from real_screen import Desk, Screen, until
from reviewer_widgets.theme import DARK

pytestmark = [pytest.mark.window, pytest.mark.slow]

AXIAL, LEGEND, GOALS, BANNER = (45, 765, 225, 780), (45, 170, 225, 780), (100, 470, 1080, 1270), (8, 34, 230, 760)
"""Top, bottom, left, right of what is looked at."""


def test_the_story_of_a_day(screen: Screen, tmp_path: Path):
    report = tmp_path / "report.pdf"
    desk = Desk(screen, tmp_path)
    with desk.at_work("demo"):
        until(lambda: desk.pixels(GOALS, DARK.good) > 10, "the goals of the plan that is shown do not appear")
        assert desk.pixels(GOALS, DARK.caution) < 20

        desk.press("ctrl+b")
        until(lambda: desk.pixels(GOALS, DARK.caution) > 100, "the reason to adapt is not named")
        desk.picture("day.png")
        screen.xdotool("mousemove", 500, 700)
        desk.changes(AXIAL, "y", "the other plan is not shown")
        desk.changes(AXIAL, "j", "isodoses of both plans are not shown")
        bare = desk.part(AXIAL)
        desk.changes(AXIAL, "u", "the dose difference is not shown")
        desk.changes(LEGEND, "ctrl+u", "the dose difference in % is not shown")
        until(lambda: desk.differs(AXIAL, bare), "there is a legend and no dose difference in %")
        desk.changes(AXIAL, "ctrl+u", "the dose difference stays")
        desk.changes(AXIAL, "shift+y", "the plans are not shown side by side")
        desk.picture("beside.png")
        desk.changes(AXIAL, "shift+y", "the second picture stays")
        desk.press("y")

        desk.press("ctrl+shift+p")
        desk.window("Approve or reject")
        screen.xdotool("type", "Dupont^Marie")
        desk.press("Tab")
        screen.xdotool("type", "radiation oncologist")
        desk.press("shift+Tab", "shift+Tab", "Left", "space")
        desk.picture("signing.png")
        desk.press("ctrl+Return")
        desk.gone("Approve or reject")
        until(lambda: desk.pixels(BANNER, DARK.good) > 60, "the banner does not say that it is approved")
        assert desk.pixels(BANNER, DARK.bad) < 20, "it was rejected"

        desk.command("second signature")
        desk.window("Second signature")
        screen.xdotool("type", "Otto Berg")
        desk.press("Tab")
        screen.xdotool("type", "medical physicist")
        desk.press("ctrl+Return")
        desk.gone("Second signature")

        # Locked: the brush draws nothing.
        screen.xdotool("mousemove", 970, 19, "click", 1)
        screen.xdotool("mousemove", 500, 400)
        desk.press("Tab", "b")
        screen.xdotool("mousedown", 1, "mousemove", 540, 420, "mousemove", 580, 440, "mouseup", 1)
        screen.xdotool("mousemove", 900, 19, "click", 1)

        desk.press("ctrl+p")
        desk.write("Report", report)
        desk.picture("signed.png")

    paper = "\n".join(re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(report).pages)
    for told in (
        "HEPAR, DEMO",
        "Approved by Dupont^Marie and Otto Berg",
        "Reason to adapt: OAR dose (Duodenum",
        "Not a medical device",
    ):
        assert told.casefold() in paper.casefold()
    (kept,) = (tmp_path / "data").rglob("*.reviewer")
    done = subprocess.run(
        [sys.executable, "-m", "reviewer", "verify", str(kept), "--json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["holds"]
    told = json.dumps(document)
    assert "Dupont^Marie" in told
    assert "Otto Berg" in told
