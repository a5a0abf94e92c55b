"""What bad input gets, for each tool in each direction of view: valid regions, or a sentence that says why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hands import GRID, axial, case_of, coronal, driven, image_on
from phantoms import circle, rectangle, stack

from reviewer.edit.tools.brush import Brush
from reviewer.edit.tools.cut import Cut, Island
from reviewer.edit.tools.livewire import Livewire
from reviewer.edit.tools.nudge import Nudge
from reviewer.edit.tools.outline import Freehand, PolygonTool
from reviewer.edit.tools.smart_fill import SmartFill
from reviewer.edit.tools.threshold import Threshold
from reviewer.edit.tools.tool import Pane, Target
from reviewer.edit.tools.transform import Rotate, Scale, Translate
from reviewer.edit.tools.vertices import Vertices
from reviewer.errors import InputError

IMAGE = image_on(GRID, lambda u, v, w: 100.0 * (np.hypot(u, v) < 25) + 10 * np.sin(u) + 0 * w)
BODY = replace(
    stack(GRID, lambda w: [circle(25.0), rectangle(40, 40, 50, 50)] if abs(w) < 14 else None, "body"),
    image_id=IMAGE.id,
)
CASE = case_of(BODY, image=IMAGE)

DRAWING = (
    Brush(6.0), Brush(6.0, erase=True), Brush(9.0, ball=True), Nudge(7.0), Freehand(), PolygonTool(),
    Livewire(), SmartFill(), Threshold(50.0, 200.0),
)  # fmt: skip
CHANGING = (Vertices(), Cut(), Island(), Translate(), Rotate(), Scale())
PANES = {
    "axial": axial(0.0),
    "coronal": coronal(0.0),
    "sagittal": Pane((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (0.0, 0.0, 4.0), "frame", 2.0),
}
WAYS = {
    "crosses itself": [(-20.0, -10.0), (20.0, 10.0), (20.0, -10.0), (-20.0, 10.0)],
    "loops twice": [(10.0, 0.0), (0.0, 10.0), (-10.0, 0.0), (0.0, -10.0)] * 2,
    "no length": [(26.0, 3.0)],
    "there and back": [(-15.0, 0.0), (15.0, 0.0), (-15.0, 0.0)],
    "all in one place": [(26.0, 3.0)] * 5,
    "outside the image": [(300.0, 300.0), (350.0, 300.0), (350.0, 350.0)],
    "over the border": [(30.0, 0.0), (300.0, 10.0), (30.0, 20.0)],
}


def hand(tool, pane, way):
    return driven(tool, Target.on(CASE, BODY, pane, image=IMAGE), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("view", PANES)
@pytest.mark.parametrize("tool", DRAWING + CHANGING, ids=lambda t: f"{t!r}".partition("(")[0] + ("+" if "True" in f"{t!r}" else ""))  # fmt: skip
def test_valid_regions_or_a_sentence(tool, view, way):
    try:
        stroke = hand(tool, PANES[view], WAYS[way])
        draft, why = dict(stroke.draft), stroke.note
    except InputError as error:
        stroke, draft, why = None, {}, str(error)
    if stroke is None:
        assert len(why.split()) >= 4
        return
    border = stroke.target.border
    for k, region in draft.items():
        assert 0 <= k < len(GRID.positions_mm)
        if region is not None:
            assert region.is_valid
            assert region.area > 0
            gained = region.difference(BODY.planes.get(k, shapely.Polygon()))
            if tool in DRAWING:
                assert gained.difference(border).area < 1e-6
    if way == "outside the image" and tool in DRAWING:
        assert not draft


ACROSS = (Brush(6.0), Brush(6.0, erase=True), Brush(9.0, ball=True), Nudge(7.0), Freehand(), PolygonTool(), Translate())


@pytest.mark.parametrize("view", ["coronal", "sagittal"])
@pytest.mark.parametrize("tool", ACROSS, ids=lambda t: f"{t!r}")
def test_tools_that_make_sense_across_the_slices_change_those_that_they_cross(tool, view):
    """A way over the rim of the body, 12 mm long across slices of 3 mm."""
    way = [(22.0, -6.0), (28.0, -6.0), (28.0, 6.0), (22.0, 6.0)]
    stroke = hand(tool, PANES[view], way)
    assert len(stroke.draft) >= 4
    assert all(abs(GRID.positions_mm[k]) < 26 for k in stroke.draft)
