"""Drawing tools on 512 x 512 x 120 voxels: the cost of one mouse move, from the hand to the draft's region, CPU time.

`make bench`, or `pytest benchmarks/test_tools.py`. Budget: 3 ms for a brush on an outline of 300 corners, also late in a long stroke.
"""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest
import shapely
from liver_case import GRID, structures

from reviewer.case import Case, Image, StructureSet
from reviewer.edit.tools.brush import Brush
from reviewer.edit.tools.cut import Cut
from reviewer.edit.tools.nudge import Nudge
from reviewer.edit.tools.outline import Freehand
from reviewer.edit.tools.tool import Pane, Pen, Target, drafted
from reviewer.edit.tools.transform import Rotate, Scale, Translate
from reviewer.edit.tools.vertices import Vertices

AXIAL = Pane((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 10.0), "frame")
CORONAL = Pane((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, -20.0, 10.0), "frame", 2.0)
TOOLS = {
    "brush 10 mm": (Brush(10.0), AXIAL, {}),
    "eraser 10 mm": (Brush(10.0, erase=True), AXIAL, {}),
    "brush 10 mm within values": (Brush(10.0), AXIAL, {"values": (-80.0, 80.0)}),
    "brush 10 mm within a structure": (Brush(10.0), AXIAL, {"limited": True}),
    "ball 10 mm": (Brush(10.0, ball=True), AXIAL, {}),
    "brush 10 mm across": (Brush(10.0), CORONAL, {}),
    "ball 10 mm across": (Brush(10.0, ball=True), CORONAL, {}),
    "nudge 12 mm": (Nudge(12.0), AXIAL, {}),
    "freehand": (Freehand(), AXIAL, {}),
    "cut": (Cut(), AXIAL, {}),
    "vertices": (Vertices(), AXIAL, {}),
    "move slice": (Translate(), AXIAL, {}),
    "move structure": (Translate(whole=True), AXIAL, {}),
    "rotate structure": (Rotate(whole=True), AXIAL, {}),
    "scale structure": (Scale(whole=True), AXIAL, {}),
}
MOVES = 250


def _path(pane):
    """Around the liver's outline twice and a bit, with the tremor of a hand: 3 mm from event to event."""
    rng = np.random.default_rng(4)
    angle = np.linspace(0, 4.6 * math.pi, MOVES)
    around = np.column_stack([-60 + 85 * np.cos(angle), -20 + 65 * np.sin(angle)])
    if pane is CORONAL:
        around = np.column_stack([-60 + 85 * np.cos(angle), -10 + 75 * np.sin(angle)])
    return around + rng.normal(0, 0.6, around.shape)


@pytest.fixture(scope="module")
def bodies():
    return {s.name: s for s in structures()}


@pytest.fixture(scope="module")
def image():
    """A texture about as fine and as deep as the liver's in a TrueFISP: noise, blurred over two pixels, of a standard deviation of 60."""
    rng = np.random.default_rng(5)
    planes = [cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in rng.normal(0, 212, GRID.shape_zyx).astype(np.float32)]
    return Image("image", "MR", "TrueFISP", GRID, np.array(planes, dtype=np.int16))


@pytest.mark.benchmark(group="mouse move", timer=time.thread_time)
@pytest.mark.parametrize("name", TOOLS)
def test_mouse_move(benchmark, bodies, image, name):
    tool, pane, limits = TOOLS[name]
    liver = bodies["Liver"]
    case = Case(structure_sets=(StructureSet("set", "set", tuple(bodies.values())),))
    wishes = dict(limits)
    if wishes.pop("limited", False):
        wishes["within"] = [bodies["Body"]]
    target = Target.on(case, liver, pane, image=image, **wishes)
    pens = [Pen((float(x), float(y)), 0.5) for x, y in _path(pane)]
    stroke = tool.begin(target)
    stroke.hover(pens[0])
    stroke.press(pens[0])
    left = iter(pens[1:-1])

    def move():
        stroke.drag(next(left))
        return stroke.draft

    benchmark.pedantic(move, rounds=25 if "structure" in name.split()[1:] and "brush" not in name else MOVES - 2)
    start = time.thread_time()
    stroke.release(pens[-1])
    after = drafted(stroke)
    benchmark.extra_info["release ms"] = round(1000 * (time.thread_time() - start), 2)
    benchmark.extra_info["corners"] = max(len(shapely.get_coordinates(region)) for region in after.planes.values())
