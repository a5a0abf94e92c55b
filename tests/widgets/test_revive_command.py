"""Following the formulas of a file, by the command of the window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phantoms import planes_grid, sphere
from reviewer_widgets.main_window import MainWindow

from reviewer.case import Case, Image, StructureSet


@pytest.fixture
def window(qtbot):
    """As an RTSTRUCT brings them: a PTV as large as its formula says, and one that is not."""
    grid = planes_grid(np.arange(-20.5, 21, 3.0), spacing=2.0)
    gtv = replace(sphere(grid, 10.0, (0.0, 0.0, 0.0)), id="set#1", name="GTV", number=1, image_id="mr")
    same = replace(gtv, id="set#2", name="Copy", number=2, formula="GTV | GTV", frozen=True)
    other = replace(gtv, id="set#3", name="PTV", number=3, formula="GTV + 5 mm", frozen=True)
    image = Image("mr", "MR", "mr", grid, np.zeros(grid.shape_zyx, np.int16))
    made = MainWindow(remember=False)
    qtbot.addWidget(made)
    made.show()
    group = StructureSet("set", "Day", (gtv, same, other), "mr", "frame")
    made.session.open(Case(images=(image,), structure_sets=(group,)))
    qtbot.wait(10)
    yield made
    made.close()


def test_those_that_agree_follow_and_the_others_are_named(window, qtbot):
    window.actions_.trigger("structure.revive")
    assert window.jobs.wait()
    qtbot.wait(10)
    live = {s.name: s.live for s in window.session.case.structures}
    assert live == {"GTV": False, "Copy": True, "PTV": False}
    assert "other contours now: PTV" in " ".join(window.strip.messages)
    window.actions_.trigger("edit.undo")
    assert not any(s.live for s in window.session.case.structures)


def test_without_frozen_formulas_it_says_why_not(window, qtbot):
    group = window.session.case.structure_sets[0]
    drawn = replace(group, structures=group.structures[:1])
    window.session.open(replace(window.session.case, structure_sets=(drawn,)))
    qtbot.wait(10)
    assert not window.actions_["structure.revive"].isEnabled()
