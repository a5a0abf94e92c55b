"""A dose check and a gating review of the demo as a person makes them, from the command to the paper."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from pypdf import PdfReader
from real_screen import Desk, Screen, until
from reviewer_widgets.panels.gating_picture import OUTSIDE
from reviewer_widgets.theme import DARK

pytestmark = [pytest.mark.window, pytest.mark.slow]

COMPUTE, SAID, BESIDE, CLOSE = (642, 660, 988, 1062), (75, 275, 570, 1065), (656, 617), (951, 651)
"""Of the dialogue: the button that computes, the statements, the button that puts both doses side by side, the one that closes it."""

GOALS, CINE, GATING = (145, 440, 1080, 1270), (60, 430, 215, 670), (1090, 19)
"""Top, bottom, left, right; and the mode."""


def test_a_dose_check_and_a_gating_review(screen: Screen, tmp_path: Path):
    trace, report = tmp_path / "trace.csv", tmp_path / "report.pdf"
    desk = Desk(screen, tmp_path)
    with desk.at_work("demo"):
        until(lambda: desk.pixels(GOALS, DARK.good) > 10, "the goals of the plan do not appear")
        desk.press("ctrl+shift+d")
        desk.window("Dose check")
        until(lambda: desk.pixels(COMPUTE, DARK.accent) > 500, "no engine has answered")
        desk.press("ctrl+Return")
        until(lambda: desk.pixels(SAID, DARK.caution) > 500, "the engine says nothing of itself")
        desk.picture("checked.png")
        before = desk.pixels(GOALS, DARK.bad)
        screen.xdotool("mousemove", *BESIDE, "click", 1)
        until(lambda: desk.pixels(GOALS, DARK.bad) > before, "the check does not stand beside the plan")
        screen.xdotool("mousemove", *CLOSE, "click", 1)
        desk.gone("Dose check")

        screen.xdotool("mousemove", *GATING, "click", 1)
        until(
            lambda: desk.pixels(CINE, OUTSIDE) > 300, "the first frame, on which the target is outside, is not judged"
        )
        desk.picture("gating.png")
        desk.press("ctrl+shift+e")
        desk.write("Export the trace", trace)
        desk.press("ctrl+p")
        desk.write("Report", report)

    frames = list(csv.DictReader(trace.open(encoding="utf-8")))
    assert len(frames) == 120
    assert {frame["backend"] for frame in frames} == {"template"}
    # The demo breathes for 12 s, 18 mm, and then holds its breath where the target was drawn.
    on = [float(frame["time_s"]) for frame in frames if frame["beam_on"] == "1"]
    assert min(on) == pytest.approx(12.0, abs=0.6)
    assert len(on) == sum(float(frame["time_s"]) >= min(on) for frame in frames)
    assert max(float(frame["si_mm"]) for frame in frames) == pytest.approx(18.0, abs=1.5)

    paper = re.sub(r"\s+", " ", "\n".join(page.extract_text() for page in PdfReader(report).pages))
    for told in (
        "not the plan's own dose",
        "no magnetic field, not commissioned",
        "not a substitute for the Monte Carlo",
        "Duty cycle",
        "reference: frame 51",
    ):
        assert told in paper, paper
    assert "implausible" not in paper
