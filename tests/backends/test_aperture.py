"""Apertures: exact open areas, against areas worked out by hand and by polygons."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.ops import unary_union

from reviewer.backends.aperture import openings, transmission
from reviewer.backends.contract import Leaves


def device(along, sides, low, high) -> Leaves:
    return Leaves(along, np.array(sides, float), np.array(low, float), np.array(high, float))


EDGES = np.arange(-10.0, 11.0, 5.0)


def test_a_part_of_a_pixel_is_that_part():
    """x from -7 to 3: 2/5 of the first column is shut, 3/5 of the third open; one leaf of 5 mm."""
    leaf = device("x", [-5, 0], [-7], [3])
    expected = np.zeros((4, 4))
    expected[1] = [2 / 5, 1, 3 / 5, 0]
    np.testing.assert_allclose(transmission([leaf], EDGES, EDGES), expected, atol=1e-7)


def test_y_leaves_are_x_leaves_turned():
    x, y = (device(along, [-5, 0, 5], [-7, -1], [3, 8]) for along in ("x", "y"))
    np.testing.assert_array_equal(transmission([y], EDGES, EDGES), transmission([x], EDGES, EDGES).T)


def test_without_a_device_all_is_open_and_a_closed_pair_is_shut():
    assert np.all(transmission([], EDGES, EDGES) == 1)
    assert not transmission([device("x", [-10, 10], [3], [3])], EDGES, EDGES).any()
    assert not transmission([device("x", [-10, 10], [3], [-3])], EDGES, EDGES).any()


def test_jaws_without_sides_cut_leaves():
    leaves = device("x", [-10, 0, 10], [-10, -5], [10, 5])
    jaws = device("y", [-np.inf, np.inf], [-5], [2])
    assert openings([leaves, jaws]).tolist() == [[-10, 10, -5, 0], [-5, 5, 0, 2]]


positions = st.lists(st.floats(-20, 20), min_size=2, max_size=5, unique=True).map(sorted)


@st.composite
def devices(draw):
    sides = draw(positions)
    count = len(sides) - 1
    banks = [draw(st.lists(st.floats(-20, 20), min_size=count, max_size=count)) for _ in range(2)]
    return device(draw(st.sampled_from("xy")), sides, *banks)


def area(leaves: Leaves) -> shapely.Geometry:
    boxes = []
    for n, (low, high) in enumerate(zip(leaves.low_mm, leaves.high_mm, strict=True)):
        if high > low:
            a, b = leaves.boundaries_mm[n : n + 2]
            boxes.append(shapely.box(low, a, high, b) if leaves.along == "x" else shapely.box(a, low, b, high))
    return unary_union(boxes)


@given(stack=st.lists(devices(), min_size=1, max_size=3))
def test_the_open_area_of_any_stack_is_that_of_the_polygons(stack):
    """Stacked banks and jaws multiply: open is where all are open."""
    edges = np.linspace(-20, 20, 9)
    mask = transmission(stack, edges, edges)
    whole = area(stack[0])
    for leaves in stack[1:]:
        whole = whole.intersection(area(leaves))
    assert mask.sum() * 25 == pytest.approx(whole.area, abs=2e-3)
    assert mask.min() >= 0
    assert mask.max() <= 1 + 1e-6
