"""The sheet of resting lines: whatever came before, the pixels are those of a view that has just been made. And the rest of a stroke."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from reviewer_widgets.canvas import late
from reviewer_widgets.canvas.slice_view import SliceView
from reviewer_widgets.theme import apply_theme
from shapely import box

from reviewer.case import Case, Dose, Image, Structure, StructureSet
from reviewer.edit import Edit
from reviewer.geometry.grid import Grid
from reviewer.geometry.section import section
from reviewer.scene import Isodose
from reviewer.session import Session

LEVELS = 2
"""A line that is laid down with its sheet is rounded once more than one that is drawn: so many grey levels."""


def case(positions=None):
    w = np.arange(-10, 11) * 3.0 if positions is None else positions
    grid = Grid(np.eye(3), (-30.0, -40.0), (1.0, 2.0), (61, 41), w, "f")
    gray = np.zeros(grid.shape_zyx, np.float32)
    gray[4:16, 10:30, 15:45] = 40.0
    planes = {k: box(-12, -15, 14, 16) for k, z in enumerate(w) if abs(z) < 13}
    organ = Structure("o", "Liver", grid, planes, "ORGAN", (0, 255, 0), "ct")
    ring = Structure("r", "Ring", grid, {k: box(-20, -20, 20, 20) for k in planes}, "CONTROL", (255, 60, 200), "ct")
    return Case(
        images=(Image("ct", "CT", "ct", grid, np.full(grid.shape_zyx, 100, np.int16)),),
        structure_sets=(StructureSet("ss", "RS", (organ, ring), "ct", "f"),),
        doses=(Dose("d", "plan", grid, gray),),
    )


@pytest.fixture
def made(qtbot):
    """Views of a session; `settle`d, so that nothing of their next paint comes later."""

    def make(session, orientation):
        view = SliceView(session, orientation)
        qtbot.addWidget(view)
        view.resize(420, 360)
        view.show()
        view.settle()
        QApplication.processEvents()
        return view

    return make


@pytest.fixture
def session():
    found = Session(case())
    found.look(
        base="ct",
        structure_set="ss",
        dose="d",
        isodoses=(Isodose(20.0, (255, 0, 0)),),
        filled=frozenset({"o"}),
        point_mm=(1.0, 2.0, 3.0),
    )
    return found


def pixels(view):
    image = view.grab().toImage()
    image = image.convertToFormat(image.Format.Format_RGB32)
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return data[2:-2, 2:-2, :3].astype(int)  # without the frame of the view that has the focus


def assert_as_new(view, session, made):
    """Drawn once, on a sheet, and from the sheet: each as in a view that has painted nothing before."""
    view.settle()
    QApplication.processEvents()
    expected = pixels(made(session, view.orientation))
    for _ in range(3):
        assert np.abs(pixels(view) - expected).max() <= LEVELS
    return expected


def rested(session, orientation, made):
    """A view whose sheet is there."""
    view = made(session, orientation)
    for _ in range(3):
        pixels(view)
    return view


SIDES = pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal"])


@SIDES
def test_from_the_sheet_a_view_is_as_it_was_drawn(session, made, orientation):
    expected = assert_as_new(rested(session, orientation, made), session, made)
    assert (expected[:, :, 1] - expected[:, :, 0] > 100).any()  # there are lines


@SIDES
def test_after_a_zoom_the_lines_stand_where_they_belong(session, made, orientation):
    view = rested(session, orientation, made)
    before = pixels(view)
    view.zoom(1.7, (100.0, 90.0))
    assert np.abs(assert_as_new(view, session, made) - before).max() > 100
    view.reset_camera()
    assert np.abs(assert_as_new(view, session, made) - before).max() <= LEVELS


@SIDES
def test_after_an_edit_the_old_outline_is_gone(session, made, orientation):
    view = rested(session, orientation, made)
    before = pixels(view)
    organ = session.case.structure("o")
    smaller = replace(organ, planes=dict.fromkeys(organ.planes, box(-6, -7, 5, 4)))
    session.apply(Edit.of("Smaller", session.case, organ, smaller))
    late.build(session.case.structure("o"))
    assert np.abs(assert_as_new(view, session, made) - before).max() > 100
    session.undo()
    late.build(session.case.structure("o"))
    assert np.abs(assert_as_new(view, session, made) - before).max() <= LEVELS


@SIDES
def test_in_the_other_theme_nothing_of_the_first_stays(session, made, orientation):
    app = QApplication.instance()
    view = rested(session, orientation, made)
    try:
        apply_theme(app, "light")
        assert_as_new(view, session, made)
    finally:
        apply_theme(app, "dark")
    assert_as_new(view, session, made)


def test_a_hidden_structure_leaves_the_sheet(session, made):
    view = rested(session, "axial", made)
    session.look(hidden=frozenset({"o"}))
    assert_as_new(view, session, made)


def test_when_the_hand_rests_the_sketch_becomes_the_cut_of_the_solid(made, qtbot):
    positions = np.cumsum([2.0, 5.0] * 10) - 35.0  # uneven: slabs are not the solid
    session = Session(case(positions))
    # alone, since what is in hand lies above the other lines
    session.look(base="ct", structure_set="ss", point_mm=(1.0, 2.0, 0.0), hidden=frozenset({"r"}))
    view = made(session, "sagittal")
    organ = session.case.structure("o")
    middle = sorted(organ.planes)[len(organ.planes) // 2]
    stroke = replace(organ, planes={**organ.planes, middle: box(-12, -35, 14, 34)})
    session.look(stroke=stroke)
    pixels(view)
    port = view.viewport_now

    def shown():
        drawn = next(d for d in session.scene.drawn if d.structure.id == "o")
        return view._painting.outlines.of(drawn, port, True).region

    cut = section(stroke, np.eye(4), port.origin_mm, port.plane.right, port.plane.down)
    qtbot.waitUntil(lambda: shown().symmetric_difference(cut).area < 1e-6)
    assert_as_new(view, session, made)
