"""Gating mode on a synthetic cine: real backends in their own process, real mouse and keys, figures against the engine's own."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QSlider, QTableWidget, QToolButton
from reviewer_widgets.main_window import MainWindow
from reviewer_widgets.panels import gating as panels
from synthetic_cine import LESION_MM, RADII_MM, breathing, film

from reviewer.backends.discovery import Backend, Found
from reviewer.backends.host import BackendError
from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.gating.rule import Rule
from reviewer.gating.trace import Timing, trace_of
from reviewer.geometry.grid import Grid

CRASHING = """
import os
from reviewer.backends.contract import BackendInfo
class Tracker:
    info = BackendInfo("crashing", "Crashes", "1", "MIT")
    def settings(self): return ()
    def available(self, job): return None
    def start(self, job): return ["says something"]
    def track(self, frame, time_s): os.abort()
"""
SLOW = CRASHING.replace("os.abort()", "__import__('time').sleep(60)").replace("crashing", "slow")


@pytest.fixture(scope="module")
def case():
    """The lesion of the synthetic cine as a structure: an ellipse on sagittal slices about the cine's plane."""
    cine = film(breathing(20), duration_s=4, pixels=96).cine
    axis = np.arange(-10.0, 11.0, 2.0)
    grid = Grid(cine.grid.axes, (-60.0, -60.0), (2.0, 2.0), (61, 61), axis, "cine")
    angle = 2 * np.pi * np.arange(90) / 90
    ellipse = shapely.polygons(LESION_MM + np.column_stack([RADII_MM[0] * np.cos(angle), RADII_MM[1] * np.sin(angle)]))
    lesion = Structure("gtv", "GTV_1", grid, dict.fromkeys(range(len(axis)), ellipse), "GTV")
    beside = Structure("far", "GTV_far", grid, {0: ellipse}, "GTV")
    image = Image("mr", "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16))
    return Case(images=(image,), structure_sets=(StructureSet("RS", "day", (beside, lesion)),), cines=(cine,))


@pytest.fixture
def window(qtbot):
    made = MainWindow(remember=False)
    made.resize(1280, 800)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def settle(window, qtbot):
    for _ in range(3):
        qtbot.wait(20)
        assert window.jobs.wait()


@pytest.fixture
def page(window, case, qtbot):
    window.session.open(case)
    settle(window, qtbot)
    window.actions_.trigger("mode.gating")
    settle(window, qtbot)
    return window.gating.panel


def find(page, kind, name):
    found = page.findChild(kind, name)
    assert found is not None, name
    return found


def test_the_mode_tracks_and_shows_what_the_engine_says(page, window):
    assert window.pages.currentWidget() is window.gating
    assert find(page, QComboBox, "gating.target").currentText() == "GTV_1"
    (trace,) = page.traces
    assert trace.track.provenance.backend == "template"
    assert 0 < trace.duty_cycle_percent < 100
    table = find(page, QTableWidget, "gating.figures")
    shown = {table.verticalHeaderItem(n).text(): table.item(n, 0).text() for n in range(table.rowCount())}
    assert shown["Duty cycle"] == f"{trace.duty_cycle_percent:.1f} %"
    assert shown["Holds"] == str(len(trace.holds))
    assert float(shown["SI range"].split()[0]) == pytest.approx(20, abs=1.5)
    for statement in trace.track.statements:
        assert statement in find(page, QLabel, "gating.statements").text()


def test_what_the_plane_misses_is_grey_with_the_reason(page):
    combo = find(page, QComboBox, "gating.target")
    item = combo.model().item(combo.findText("GTV_far"))
    assert not item.isEnabled()
    assert "does not cut" in item.toolTip()


def test_sliders_judge_anew_without_tracking(page, qtbot, monkeypatch):
    monkeypatch.setattr(panels, "run_backend", lambda *_: pytest.fail("tracked again"))
    track = page.traces[0].track
    find(page, QSlider, "gating.margin.slider").setValue(16)
    find(page, QDoubleSpinBox, "gating.share").setValue(20.0)
    find(page, QDoubleSpinBox, "gating.latency").setValue(200.0)
    qtbot.wait(30)
    assert page.traces[0].rule == Rule(8.0, 20.0)
    expected = trace_of(track, Rule(8.0, 20.0), Timing(0.2))
    assert page.traces[0].duty_cycle_percent == expected.duty_cycle_percent
    assert find(page, QSlider, "gating.share.slider").value() == 40


def test_two_backends_side_by_side(page, window, qtbot):
    combo = find(page, QComboBox, "gating.other")
    combo.setCurrentIndex(combo.findText("optical-flow"))
    combo.activated.emit(combo.currentIndex())
    settle(window, qtbot)
    assert [t.track.provenance.backend for t in page.traces] == ["template", "optical-flow"]
    table = find(page, QTableWidget, "gating.figures")
    assert [table.horizontalHeaderItem(n).text() for n in range(2)] == ["template", "optical-flow"]


def test_the_player_plays_scrubs_and_follows_the_plot(page, window, qtbot):
    scrub, cine = find(page, QSlider, "gating.scrub"), window.session.case.cines[0]
    window.actions_.trigger("gating.next")
    window.actions_.trigger("gating.next")
    window.actions_.trigger("gating.previous")
    assert scrub.value() == 1
    page.plot.chosen.emit(2.1)
    assert cine.times_s[scrub.value()] == pytest.approx(2.125)
    seen = []
    scrub.valueChanged.connect(seen.append)
    window.actions_.trigger("gating.faster")
    assert find(page, QComboBox, "gating.speed").currentText() == "2×"
    window.actions_.trigger("gating.play")
    qtbot.waitUntil(lambda: len(seen) >= 4, timeout=60_000)
    window.actions_.trigger("gating.play")
    assert not page.player.playing
    window.actions_.trigger("gating.play")
    window.actions_.trigger("mode.review")
    qtbot.wait(20)
    assert not page.player.playing, "nothing plays on unseen"
    assert window.pages.currentWidget() is window.across


def test_the_picture_says_the_beam_in_words():
    made = film(breathing(20), duration_s=1)
    from_truth = [made.region(k) for k in range(len(made.scale))]
    track = panels.Track(made.cine, made.target, (None, *from_truth[1:]), made.shift_mm, made.scale, made.scale, ("x",))
    trace = trace_of(track)
    words = panels.Player.__init__.__globals__["beam_words"]
    assert words(trace, 0)[0] == "■ HELD   not tracked"
    assert words(trace, 1)[0].startswith("● BEAM ON")


def test_a_target_is_drawn_with_the_mouse(page, window, qtbot):
    picture = page.player.picture
    page.player.go(2)
    page.draw_button.click()
    area, x, y = picture._place()
    corners = [(40, 38), (56, 38), (56, 50), (40, 50)]
    places = [QPoint(round(area.left() + (c + 0.5) * x), round(area.top() + (r + 0.5) * y)) for c, r in corners]
    for place in places:
        QTest.mouseClick(picture, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    QTest.keyClick(picture, Qt.Key.Key_Return)
    settle(window, qtbot)
    assert find(page, QComboBox, "gating.target").currentText() == "drawn on frame 2"
    target = page.traces[0].track.target
    assert target.reference == 2
    assert target.region.area == pytest.approx(16 * 12 * 2.4**2, rel=0.03)
    assert not picture.drawing


def test_the_trace_is_exported_and_never_over_a_file(page, window, tmp_path):
    file = tmp_path / "trace.csv"
    page.write(file)
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(window.session.case.cines[0].frames)
    before = file.read_bytes()
    page.write(file)
    assert file.read_bytes() == before
    assert any("not overwritten" in label.text() for label in window.strip.findChildren(QLabel))


def test_all_backends_are_exported_and_the_report_has_what_was_tracked(page, window, qtbot, tmp_path):
    combo = find(page, QComboBox, "gating.other")
    combo.setCurrentIndex(combo.findText("optical-flow"))
    combo.activated.emit(combo.currentIndex())
    settle(window, qtbot)
    page.write(tmp_path / "trace.json")
    page.write(tmp_path / "trace.csv")
    document = json.loads((tmp_path / "trace.json").read_text())
    assert [t["backend"]["name"] for t in document["traces"]] == ["template", "optical-flow"]
    with (tmp_path / "trace.csv").open() as stream:
        assert {row["backend"] for row in csv.DictReader(stream)} == {"template", "optical-flow"}
    assert list(window.gating.traces()) == page.traces
    window.actions_.trigger("mode.review")
    case = window.session.case
    group = case.structure_sets[0]
    lesion = replace(group.structures[1], planes={5: group.structures[1].planes[5]})
    window.session.open(replace(case, structure_sets=(replace(group, structures=(group.structures[0], lesion)),)))
    assert not window.gating.traces(), "the target is another one now"


def with_backend(monkeypatch, tmp_path, source, name):
    script = tmp_path / f"{name}.py"
    script.write_text(source)
    backend = Backend("gating", name, f"{script}:Tracker", str(script), Path(sys.executable), 30.0, 4 << 30)
    monkeypatch.setattr(panels, "discover", lambda: Found((backend,), ()))


def test_a_backend_that_crashes_is_a_message(window, case, qtbot, monkeypatch, tmp_path):
    with_backend(monkeypatch, tmp_path, CRASHING, "crashing")
    window.session.open(case)
    window.actions_.trigger("mode.gating")
    settle(window, qtbot)
    page = window.gating.panel
    assert not page.traces
    text = find(page, QLabel, "gating.message").text()
    assert text.startswith("⚠ crashing: ")
    assert "backend crashing" in text
    assert not find(page, QTableWidget, "gating.figures").isVisible()
    assert BackendError.__name__ not in text


def test_a_slow_backend_is_cancelled(window, case, qtbot, monkeypatch, tmp_path):
    with_backend(monkeypatch, tmp_path, SLOW, "slow")
    window.session.open(case)
    window.actions_.trigger("mode.gating")
    qtbot.waitUntil(
        lambda: window.gating.panel is not None and window.gating.panel.cancel_button.isVisible(), timeout=20000
    )
    page = window.gating.panel
    page.cancel_button.click()
    settle(window, qtbot)
    assert find(page, QLabel, "gating.message").text() == "⚠ slow: cancelled"


def test_without_a_target_it_says_what_to_do(window, case, qtbot):
    window.session.open(replace(case, structure_sets=()))
    window.actions_.trigger("mode.gating")
    settle(window, qtbot)
    page = window.gating.panel
    assert "draw a target" in find(page, QLabel, "gating.message").text()
    assert not window.actions_["gating.export"].isEnabled()
    assert "draw a target" in window.actions_["gating.track"].toolTip()


def test_without_a_cine_the_mode_is_grey(window, case, qtbot):
    window.session.open(replace(case, cines=()))
    settle(window, qtbot)
    button = window.findChild(QToolButton, "mode.gating")
    assert not button.isEnabled()
    assert "this case has no cine" in button.toolTip()


def test_nothing_outlives_the_window(no_survivors, case, qtbot):
    made = MainWindow(remember=False)
    made.show()
    made.session.open(case)
    made.actions_.trigger("mode.gating")
    settle(made, qtbot)
    assert made.gating.panel.traces
    made.close()
    made.deleteLater()


def test_another_case_takes_the_place(page, window, case, qtbot):
    window.session.open(replace(case, cines=()))
    settle(window, qtbot)
    assert window.pages.currentWidget() is window.across
