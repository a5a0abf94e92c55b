"""After an edit a cut across the planes is that of the state before until the solid of the new one is there; then it is the new one's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from reviewer_widgets.canvas import late
from reviewer_widgets.canvas.paths import SAME_FRAME, Outlines
from reviewer_widgets.canvas.viewport import Viewport

from reviewer.case import Structure
from reviewer.geometry.grid import Grid
from reviewer.scene import Drawn, view_planes

GRID = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (64, 64), np.arange(10) * 2.0, "frame")
SAGITTAL = Viewport(view_planes(GRID)["sagittal"], 10.0, (10.0, -9.0), 0.5, (100.0, 100.0))
AXIAL = Viewport(view_planes(GRID)["axial"], 8.0, (10.0, 10.0), 0.5, (100.0, 100.0))


def box(width: float) -> Drawn:
    planes = {k: shapely.box(5.0, 5.0, 15.0, 5.0 + width) for k in range(2, 8)}
    return Drawn(Structure("a", "A", GRID, planes), SAME_FRAME, False, False)


@pytest.mark.parametrize("port", [SAGITTAL, AXIAL])
def test_the_cut_before_an_edit_stays_until_the_solid_is_there(port, monkeypatch):
    late.wait()
    outlines, before = Outlines(), box(10.0)
    outlines.build(before)
    narrow = outlines.of(before, port, True)
    after = replace(before, structure=box(20.0).structure)
    outlines.forget(frozenset({"a"}))
    real = late.solid_known
    monkeypatch.setattr(late, "solid_known", lambda structure: False)
    meanwhile = outlines.of(after, port, True)
    across = port is SAGITTAL
    assert outlines.waits(after, port) == across
    outlines.build(after)
    monkeypatch.setattr(late, "solid_known", real)
    wide = outlines.of(after, port, True)
    assert not outlines.waits(after, port)
    assert narrow
    assert meanwhile
    assert wide
    assert meanwhile.region.area == pytest.approx((narrow if across else wide).region.area)
    assert wide.region.area == pytest.approx(2 * narrow.region.area)
