"""The DVH panel against the engine's own numbers, with real mouse events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolButton
from reviewer_widgets.jobs import Jobs
from reviewer_widgets.numbers import Numbers
from reviewer_widgets.panels.dvh import DvhPanel
from reviewer_widgets.theme import apply_theme

from reviewer.case import Case, Dose, Image, Plan, Prescription, Structure, StructureSet
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.metrics import Metric
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.session import Session

PATIENCE_MS = 600_000
"""For a condition, on a machine that is slow, loaded, and compiles for the first time."""


def grid(frame="F", count=41):
    return Grid(np.eye(3), (-60.0, -60.0), (2.0, 2.0), (61, 61), (np.arange(count) - 20) * 3.0, frame)


def box(name, low, high, type_="ORGAN", frame="F", colour=(0, 200, 0)):
    """A box between two corners, mm."""
    g = grid(frame)
    planes = {
        k: shapely.box(low[0], low[1], high[0], high[1]) for k, w in enumerate(g.positions_mm) if low[2] < w < high[2]
    }
    return Structure(name, name, g, planes, type_, colour, "CT")


def ramp(frame="F"):
    """0.5 Gy per mm from 0 Gy at x = -60 mm to 60 Gy at x = 60 mm."""
    x = np.arange(61, dtype=np.float32)
    return Dose("D", "adapted", grid(frame), np.broadcast_to(x, (41, 61, 61)).copy(), plan_id="P")


def case(*structures, dose=None, prescribed=50.0):
    image = Image("CT", "CT", "ct", grid(), np.zeros(grid().shape_zyx, np.int16))
    plan = Plan("P", "LIV_50_5", prescriptions=(Prescription("PTV", prescribed),) if prescribed else ())
    return Case(
        images=(image,),
        structure_sets=(StructureSet("RS", "day", structures, "CT", "F"),),
        doses=() if dose is False else (dose or ramp(),),
        plans=(plan,),
    )


# 24 to 36 Gy; 10 to 14 Gy; and one of which half lies above the dose grid (60 mm and half a plane).
PTV = box("PTV", (-12, -10, -10), (12, 10, 10), "PTV", colour=(255, 0, 0))
GUT = box("Duodenum", (-40, -10, -10), (-32, 10, 10), colour=(60, 120, 255))


def half_outside():
    g = Grid(np.eye(3), (-60.0, -60.0), (2.0, 2.0), (61, 61), 52.5 + 3.0 * np.arange(6), "F")
    return Structure("Lung", "Lung", g, {k: shapely.box(-5, -5, 5, 5) for k in range(6)}, "ORGAN", (200, 200, 0), "CT")


@pytest.fixture
def shown(jobs, qtbot):
    def make(session, size=(300, 460)):
        panel = DvhPanel(session, jobs, Numbers(session, jobs, jobs))
        qtbot.addWidget(panel)
        panel.resize(*size)
        panel.show()
        qtbot.waitUntil(lambda: panel.plot is not None, timeout=PATIENCE_MS)
        settle(panel, jobs)
        return panel

    return make


def settle(panel, jobs):
    QTest.qWait(20)  # the panel hears of changes at the next turn of the event loop
    assert jobs.wait(60)
    QTest.qWait(80)


def point_of(panel, structure_id, dose_gy):
    """Where a curve passes a dose, in pixels of the plot's viewport."""
    x, y = panel.plot.data(structure_id)
    volume = float(np.interp(-dose_gy, -x[::-1], y[::-1])) if x[0] > x[-1] else float(np.interp(dose_gy, x, y))
    scene = panel.plot.getPlotItem().getViewBox().mapViewToScene(QPointF(dose_gy, volume))
    return panel.plot.mapFromScene(scene)


def readout(panel):
    return panel.findChild(QLabel, "dvhReadout").text()


def click(panel, name):
    panel.findChild(QToolButton, name).click()


def test_the_curves_are_those_of_the_engine(shown):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    assert panel.plot.shown == ("PTV", "Duodenum")
    for structure in (PTV, GUT):
        truth = dvh(structure, session.case.doses[0], None)
        x, y = panel.plot.data(structure.id)
        assert np.all(np.diff(x) >= 0)
        assert np.all(np.diff(y) <= 1e-9)
        assert y[-1] == 0.0
        assert len(x) < 400
        inner = x < x[-1]
        expected = [100 * truth.volume_at_cc(d) / truth.known_cc for d in x[inner]]
        assert np.allclose(y[inner], expected, atol=1e-6)
        # Nowhere between its points is the drawn line far from the curve: 0.5 % are a pixel.
        dose = np.linspace(x[0], x[-1], 500)[1:-1]
        full = np.array([100 * truth.volume_at_cc(d) / truth.known_cc for d in dose])
        assert np.abs(np.interp(dose, x, y) - full).max() < 0.5


def test_the_curve_of_a_box_in_a_ramp_is_a_straight_line(shown):
    """24 Gy at one wall and 36 Gy at the other, so half of the volume receives at least 30 Gy."""
    panel = shown(Session(case(PTV)))
    x, y = panel.plot.data("PTV")
    assert np.interp(30.0, x, y) == pytest.approx(50.0, abs=1.0)
    assert np.interp(27.0, x, y) == pytest.approx(75.0, abs=1.0)


def test_axes_in_gray_or_percent_and_in_cc_or_percent(shown):
    panel = shown(Session(case(PTV)))
    gy, percent = (axis.copy() for axis in panel.plot.data("PTV"))
    click(panel, "dvhDosePercent")
    relative, _ = panel.plot.data("PTV")
    assert relative[0] == pytest.approx(2 * gy[0])  # 50 Gy are 100 %
    assert relative[-1] == pytest.approx(2 * gy[-1])
    click(panel, "dvhVolumeCc")
    _, cc = panel.plot.data("PTV")
    assert percent[0] == pytest.approx(100.0)
    assert cc[0] == pytest.approx(dvh(PTV, ramp(), None).known_cc)
    click(panel, "dvhDoseGy")
    assert panel.plot.data("PTV")[0][-1] == pytest.approx(gy[-1])
    top = panel.plot.getPlotItem().getViewBox().viewRange()[1][1]
    assert cc[0] < top < 1.2 * cc[0]


@pytest.mark.parametrize("height", [180, 220, 460])
def test_the_whole_is_named_on_the_axis_of_volume_however_low_the_plot(shown, height):
    panel = shown(Session(case(PTV)), (204, height))
    axis = panel.plot.getPlotItem().getAxis("left")
    picture = QPixmap(10, 10)
    painter = QPainter(picture)
    _, _, numbers = axis.generateDrawSpecs(painter)
    painter.end()
    assert max(float(text) for _, _, text in numbers) == 100


def test_percent_of_a_dose_needs_a_prescription(shown):
    session = Session(case(PTV, prescribed=None))
    panel = shown(session)
    button = panel.findChild(QToolButton, "dvhDosePercent")
    assert not button.isEnabled()
    assert "prescription" in button.toolTip()
    session.look(reference_gy=40.0)
    QTest.qWait(20)
    assert button.isEnabled()


def test_hovering_a_curve_highlights_the_structure_and_reads_it_out(shown, qtbot):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    viewport = panel.plot.viewport()
    QTest.mouseMove(viewport, QPoint(viewport.width() - 20, 12))
    QTest.mouseMove(viewport, point_of(panel, "PTV", 30.0))
    qtbot.waitUntil(lambda: session.view.highlighted == "PTV", timeout=PATIENCE_MS)
    text = readout(panel)
    assert text.startswith("PTV: D ")
    dose, volume, percent = (float(t) for t in (text.split()[2], text.split()[6], text.split("(")[1].split()[0]))
    assert dose == pytest.approx(30.0, abs=0.6)
    truth = dvh(PTV, session.case.doses[0], None)
    assert volume == pytest.approx(truth.volume_at_cc(dose), abs=0.1)
    assert percent == pytest.approx(100 * truth.volume_at_cc(dose) / truth.volume_cc, abs=1.0)
    QTest.mouseMove(viewport, point_of(panel, "Duodenum", 12.0))
    qtbot.waitUntil(lambda: session.view.highlighted == "Duodenum", timeout=PATIENCE_MS)
    QTest.mouseMove(viewport, QPoint(viewport.width() - 20, 12))
    qtbot.waitUntil(lambda: session.view.highlighted is None, timeout=PATIENCE_MS)


def test_a_highlight_from_elsewhere_makes_the_curve_thick(shown):
    session = Session(case(PTV, GUT))
    panel = shown(session)

    def width(name):
        return panel.plot._lines[name, "D"].opts["pen"].widthF()

    thin = width("Duodenum")
    session.look(highlighted="Duodenum")
    QTest.qWait(20)
    assert width("Duodenum") > thin
    assert readout(panel) == "Duodenum: D95% 10.2 · Mean 12.0 · D0.035cc 14.0 Gy"  # 10 to 14 Gy along 8 mm, 3.4 cc
    session.look(highlighted=None)
    QTest.qWait(20)
    assert width("Duodenum") == thin


def test_hidden_structures_are_not_drawn(shown, jobs):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    session.look(hidden=frozenset({"PTV"}))
    settle(panel, jobs)
    assert panel.plot.shown == ("Duodenum",)
    assert panel._table.rows.rowCount() == 1
    session.look(hidden=frozenset())
    settle(panel, jobs)
    assert set(panel.plot.shown) == {"PTV", "Duodenum"}


def test_an_edit_redraws_that_curve_and_no_other(shown, jobs):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    drawn = []
    draw = panel.plot._draw
    panel.plot._draw = lambda curve: (drawn.append(curve.structure_id), draw(curve))
    moved = replace(GUT, planes={k: shapely.box(-30, -10, -22, 10) for k in GUT.planes})
    session.apply(Edit.of("Move", session.case, GUT, moved))
    settle(panel, jobs)
    assert drawn == ["Duodenum"]
    assert panel.plot.data("Duodenum")[0][:2] == pytest.approx([0.0, 15.0], abs=0.3)
    drawn.clear()
    pen = panel.plot._lines["Duodenum", "D"].opts["pen"].color().name()
    session.apply(Edit.of("Recolour", session.case, moved, replace(moved, colour=(9, 9, 200))))
    settle(panel, jobs)
    assert drawn == []
    assert panel.plot._lines["Duodenum", "D"].opts["pen"].color().name() != pen


def test_a_cell_is_painted_anew_where_it_says_something_else_than_when_it_was_painted(shown, jobs):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    model, told = panel._table.rows, []
    said = {k: model.index(1, k).data() for k in range(5)}
    model.dataChanged.connect(lambda first, last: told.append((first.row(), first.column(), last.column())))
    moved = replace(GUT, planes={k: shapely.box(-40, -10, -32, 11) for k in GUT.planes})
    session.apply(Edit.of("Grow", session.case, GUT, moved))
    settle(panel, jobs)
    assert [model.index(1, k).data() == said[k] for k in range(5)] == [True, False, True, True, True]
    assert told == [(1, 1, 1)]
    told.clear()
    model.outdate({"Duodenum": GUT})
    assert model.index(1, 2).data() == "…"  # somebody painted it before the numbers were there
    session.apply(Edit.of("Shrink", session.case, moved, GUT))
    settle(panel, jobs)
    assert {k: model.index(1, k).data() for k in range(5)} == said
    assert told == [(1, 1, 2)]


def test_the_cache_keeps_to_shape_dose_and_tie():
    cache, dose, tie = DvhCache(), ramp(), np.eye(4)
    result = dvh(GUT, dose, tie)
    cache.put(GUT, dose, tie, result)
    assert cache.get(GUT, dose, tie) is result
    assert cache.get(replace(GUT, name="other"), dose, tie) is result
    assert cache.get(replace(GUT, planes=PTV.planes), dose, tie) is None
    assert cache.get(GUT, ramp(), tie) is None
    shifted = np.eye(4)
    shifted[0, 3] = 1.0
    assert cache.get(GUT, dose, shifted) is None


def test_a_structure_partly_outside_the_dose_grid_is_marked(shown, qtbot):
    """The dose ends half a plane above 60 mm, at 61.5; the structure reaches from 51 to 69 mm: 7.5 of 18 mm lie outside."""
    lung = half_outside()
    session = Session(case(lung, PTV))
    panel = shown(session)
    session.look(highlighted="Lung")
    QTest.qWait(20)
    assert readout(panel).endswith("⚠ 42 % outside the dose grid")
    model = panel._table.rows
    assert model.index(0, 0).data().startswith("⚠")
    assert "42 % outside the dose grid" in model.index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert not model.index(1, 0).data().startswith("⚠")
    assert panel.plot._tails["Lung", "D"].opts["pen"].dashPattern()
    assert ("PTV", "D") not in panel.plot._tails
    assert not panel.plot._lines["PTV", "D"].opts["pen"].dashPattern()
    whole = replace(lung, planes={k: r for k, r in lung.planes.items() if k < 2})
    session.apply(Edit.of("Crop", session.case, lung, whole))
    settle(panel, panel._jobs)
    assert ("Lung", "D") not in panel.plot._tails


def test_the_table_says_what_the_engine_says_and_copies_as_tsv(shown):
    session = Session(case(PTV, GUT))
    panel = shown(session)
    truth = dvh(PTV, session.case.doses[0], None)
    table = panel._table
    table.setFocus()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(table.rows.index(0, 0)).center())
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0] == "Structure\tVolume [cc]\tD95%[Gy]\tMean[Gy]\tD0.035cc[Gy]"
    assert len(lines) == 2
    name, volume, d95, mean, most = lines[1].split("\t")
    assert name == "PTV"
    assert float(volume) == pytest.approx(truth.volume_cc, abs=0.05)
    assert float(d95) == pytest.approx(Metric.parse("D95%[Gy]").of(truth), abs=0.05)
    assert float(d95) == pytest.approx(24 + 0.05 * 12, abs=0.1)  # by hand
    assert float(mean) == pytest.approx(30.0, abs=0.1)
    assert float(most) == pytest.approx(Metric.parse("D0.035cc[Gy]").of(truth), abs=0.05)


def test_in_a_narrow_panel_columns_give_way_to_names(shown):
    panel = shown(Session(case(PTV, GUT)), (190, 400))
    table = panel._table
    assert table.columnWidth(0) >= 80
    assert not table.isColumnHidden(4)
    assert table.isColumnHidden(1)
    assert "Volume [cc] 10.1" in table.rows.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    panel.resize(320, 400)
    QTest.qWait(20)
    assert not any(table.isColumnHidden(c) for c in range(5))


def test_empty_states(jobs, qtbot):
    for session, words in (
        (Session(), "no dose"),
        (Session(case(PTV, dose=False)), "no dose"),
        (Session(case(PTV, dose=ramp("elsewhere"))), "no dose"),
    ):
        panel = DvhPanel(session, jobs, Numbers(session, jobs, jobs))
        qtbot.addWidget(panel)
        assert panel.findChild(QLabel, "dvhEmpty").text() == words
    session.look(dose="D")
    QTest.qWait(20)
    assert panel.findChild(QLabel, "dvhEmpty").text() == "the dose is not registered to these structures"
    session.open(case(PTV))
    session.look(hidden=frozenset({"PTV"}))
    QTest.qWait(20)
    assert panel.findChild(QLabel, "dvhEmpty").text() == "no structures to show"


def test_themes_change_the_ground(shown, qapp):
    panel = shown(Session(case(PTV)))
    picture = panel.plot.grab().toImage()
    dark = picture.pixelColor(picture.width() - 3, 3).lightness()
    apply_theme(qapp, "light")
    QTest.qWait(20)
    picture = panel.plot.grab().toImage()
    assert dark < 60
    assert picture.pixelColor(picture.width() - 3, 3).lightness() > 200
    apply_theme(qapp, "dark")


@pytest.mark.usefixtures("no_survivors")
def test_a_closed_panel_leaves_nothing_behind(qapp):
    jobs = Jobs()
    session = Session(case(PTV, GUT))
    panel = DvhPanel(session, jobs, Numbers(session, jobs, jobs))
    panel.show()
    QTest.qWait(20)
    assert jobs.wait(60)
    QTest.qWait(50)
    panel.close()
    panel.deleteLater()
    jobs.close()
    jobs.deleteLater()
