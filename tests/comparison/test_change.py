"""What an edit made of a structure: the measures of `compare`, from the part that moved alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.case import Structure
from reviewer.comparison import change, compare
from reviewer.comparison.surface import surface
from reviewer.geometry.grid import Grid
from reviewer.geometry.solid import solid

GRID = Grid(np.eye(3), (-80.0, -80.0), (1.0, 1.0), (161, 161), (np.arange(41) - 20) * 3.0, "F")


def cylinder(radius=20.0, low=-36.0, high=36.0):
    disc = shapely.Point(0, 0).buffer(radius, quad_segs=32)
    return Structure("s", "s", GRID, {k: disc for k, w in enumerate(GRID.positions_mm) if low < w < high})


def sphere(radius=30.0):
    planes = {}
    for k, w in enumerate(GRID.positions_mm):
        if abs(w) < radius - 1:
            planes[k] = shapely.Point(0, 0).buffer(float(np.sqrt(radius**2 - w**2)), quad_segs=32)
    return Structure("s", "s", GRID, planes)


def edited(before, planes):
    return replace(before, planes={k: r for k, r in {**before.planes, **planes}.items() if r is not None})


def stroke(before, plane, way, radius=6.0, erase=False):
    path = shapely.LineString(way).buffer(radius)
    region = before.planes[plane]
    return edited(before, {plane: region.difference(path) if erase else region.union(path)})


def test_nothing_changed():
    before = cylinder()
    found = change(before, edited(before, {}))
    assert found.dice == 1.0
    assert found.hd95_mm == 0.0
    assert found.volume_cc[0] == found.volume_cc[1]


CASES = {
    "a stroke": lambda b: stroke(b, 20, [(18, -8), (22, 8)]),
    "an eraser": lambda b: stroke(b, 20, [(18, -8), (22, 8)], erase=True),
    "a large stroke": lambda b: stroke(b, 20, [(20, -20), (50, 20)], radius=12),
    "an island far away": lambda b: edited(b, {20: b.planes[20].union(shapely.Point(60, 0).buffer(8))}),
    "two slices far apart": lambda b: stroke(stroke(b, 12, [(18, 0), (24, 8)]), 27, [(-20, 0), (-22, 9)], erase=True),
    "slices cut off at the top": lambda b: edited(b, dict.fromkeys(list(b.planes)[-3:])),
    "slices added at the top": lambda b: edited(b, {k: b.planes[max(b.planes)] for k in range(max(b.planes) + 1, max(b.planes) + 4)}),
    "a slice without contour": lambda b: edited(b, {20: None}),
    "all slices": lambda b: edited(b, {k: shapely.affinity.translate(r, 2.0, 1.0) for k, r in b.planes.items()}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "name"),
    [(cylinder, name) for name in CASES] + [(sphere, name) for name in ("a stroke", "an eraser", "an island far away")],
)
def test_it_says_what_the_whole_comparison_says(body, name):
    before = body()
    after = CASES[name](before)
    found, whole = change(before, after), compare(before, after)
    assert found.volume_cc == pytest.approx(whole.volume_cc, rel=1e-12)
    assert found.dice == pytest.approx(whole.dice, abs=1e-9)
    lower, upper = (hd(before, after, percent) for percent in (94.5, 95.5))
    assert lower - 0.1 <= found.hd95_mm <= upper + 0.1


def hd(before, after, percent):
    """The surface distance that `percent` of either surface does not exceed, from the whole surfaces."""
    surfaces = [surface(solid(s)) for s in (before, after)]
    found = []
    for one, other in (surfaces, surfaces[::-1]):
        away = other.tree.distances(one.vertices_mm)
        order = np.argsort(away)
        reached = np.cumsum(one.areas_mm2[order]) / one.areas_mm2.sum()
        found.append(away[order[np.searchsorted(reached, percent / 100)]])
    return max(found)


def test_a_cylinder_that_grows_all_over():
    """Radius 20 to 23 mm: the wall, nine tenths of the surface, is 3 mm away; Dice is that of the discs."""
    found = change(cylinder(20, -60, 60), cylinder(23, -60, 60))
    a, b = (r**2 for r in (20, 23))
    assert found.dice == pytest.approx(2 * a / (a + b), abs=1e-6)
    assert found.hd95_mm == pytest.approx(3.0, abs=0.1)


def test_a_dot_that_lies_between_the_points_of_a_lattice():
    """0.4 mm about the middle of a disc of 12 mm: the wall is 11.6 mm away, the larger part of the disc's surface is its ends."""
    dot, disc = cylinder(0.4), cylinder(12.0)
    assert change(dot, disc).hd95_mm == pytest.approx(11.5, abs=0.2)
    assert change(dot, disc).hd95_mm == pytest.approx(change(disc, dot).hd95_mm, abs=0.1)


def volume_in_common(one, other):
    """Of two solids, by shapely."""
    found = 0.0
    for n, (low, high) in enumerate(one.borders_mm):
        for m, (floor, top) in enumerate(other.borders_mm):
            height = min(high, top) - max(low, floor)
            if height > 1e-9:
                found += one.floor(n).intersection(other.floor(m)).area * height
    return found


def fresh(structure):
    """The same with regions of its own, of which nothing is known."""
    return replace(structure, planes={k: shapely.from_wkb(shapely.to_wkb(r)) for k, r in structure.planes.items()})


COARSE = Grid(np.eye(3), (-80.0, -80.0), (1.0, 1.0), (161, 161), (np.arange(12) - 6) * 5.0, "F")
STROKES = st.tuples(
    st.integers(2, 8),
    st.tuples(*[st.floats(-28, 28)] * 4),
    st.floats(1.5, 9.0),
    st.sampled_from(["draw", "erase", "clear", "undo"]),
)


@settings(max_examples=4, deadline=None)
@given(st.lists(STROKES, min_size=1, max_size=3))
def test_whatever_was_known_before_it_says_what_it_says_of_structures_that_are_new(strokes):
    """A structure with a hole and a second part; strokes that draw, erase and empty slices, and go back."""
    ring = shapely.Point(0, 0).buffer(18).difference(shapely.Point(3, 0).buffer(7))
    island = shapely.Point(26, 5).buffer(4)
    opened = Structure("s", "s", COARSE, {k: shapely.union(ring, island) if k > 4 else ring for k in range(2, 9)})
    states = [opened]
    for plane, (x0, y0, x1, y1), radius, what in strokes:
        planes = dict(states[-1].planes)
        path = shapely.LineString([(x0, y0), (x1, y1)]).buffer(radius)
        was = planes.pop(plane, shapely.Polygon())
        if what == "undo":
            states.append(states[-2] if len(states) > 1 else opened)
        else:
            now = {"draw": was.union(path), "erase": was.difference(path), "clear": shapely.Polygon()}[what]
            states.append(replace(opened, planes=planes if now.is_empty else {**planes, plane: now}))
        found, anew = change(opened, states[-1]), change(fresh(opened), fresh(states[-1]))
        assert found.volume_cc == pytest.approx(anew.volume_cc, rel=1e-12)
        assert found.dice == pytest.approx(anew.dice, abs=1e-12)
        assert found.hd95_mm == pytest.approx(anew.hd95_mm, abs=1e-9)
        bodies = solid(opened), solid(states[-1])
        common = volume_in_common(*bodies)
        assert found.dice == pytest.approx(2 * common / sum(b.volume_mm3 for b in bodies), abs=1e-9)


def test_what_is_empty():
    before = cylinder()
    nothing = replace(before, planes={})
    assert change(before, nothing).hd95_mm is None
    assert change(before, nothing).dice == 0.0
    assert change(nothing, replace(nothing)).dice is None
