"""Grips of an outline: moved, put between, taken away."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hands import BALL, GRID, SQUARE, axial, clicked, drawn, on
from phantoms import circle, rectangle, stack

from reviewer.edit.tools.tool import Pen
from reviewer.edit.tools.vertices import Vertices

CIRCLE = stack(GRID, lambda w: [circle(30.0, points=300)] if abs(w) < 10 else None, "circle")


def grips(stroke):
    return stroke.guides[0].points_mm


def test_a_sparse_outline_shows_its_corners():
    np.testing.assert_allclose(
        sorted(map(tuple, grips(Vertices().begin(on(SQUARE))))), [(-20, -20), (-20, 20), (20, -20), (20, 20)]
    )


def test_a_dense_outline_shows_few_grips_on_it():
    points = grips(Vertices(0.75).begin(on(CIRCLE)))
    assert 6 <= len(points) <= 40
    np.testing.assert_allclose(np.hypot(*points.T), 30.0, atol=0.01)


def test_a_corner_is_moved():
    stroke = drawn(Vertices().begin(on(SQUARE)), (20.0, 20.0), (30.0, 30.0))
    assert stroke.finished
    assert stroke.draft[10].equals(shapely.Polygon([(-20, -20), (20, -20), (30, 30), (-20, 20)]))


def test_the_line_between_is_pulled_out():
    stroke = drawn(Vertices().begin(on(SQUARE)), (20.5, 0.0), (40.0, 0.0))
    assert stroke.draft[10].area == pytest.approx(1600 + 40 * 20 / 2)


def test_the_last_side_of_a_ring_is_pulled_too():
    for at, to in (((0.0, -20.0), (0.0, -40.0)), ((0.0, 20.0), (0.0, 40.0)), ((-20.0, 0.0), (-40.0, 0.0))):
        assert drawn(Vertices().begin(on(SQUARE)), at, to).draft[10].area == pytest.approx(2000)


def test_a_grip_is_taken_away():
    stroke = clicked(Vertices().begin(on(SQUARE)), (20.0, 20.0), shift=True)
    assert stroke.draft[10].area == pytest.approx(800)
    assert stroke.finished


def test_a_dense_outline_follows_smoothly_and_locally():
    stroke = Vertices(0.75).begin(on(CIRCLE))
    points = grips(stroke)
    start = points[np.argmax(points[:, 0])]
    drawn(stroke, tuple(start), (float(start[0]) + 6.0, float(start[1])))
    region = stroke.draft[10]
    assert region.bounds[2] == pytest.approx(start[0] + 6.0)
    neighbours = np.sort(np.hypot(*(points - start).T))[1:3].max()
    moved = region.symmetric_difference(CIRCLE.planes[10])
    assert shapely.hausdorff_distance(moved, shapely.Point(start)) < neighbours + 6.0
    ring = shapely.get_coordinates(region)[:-1]
    way = np.roll(ring, -1, axis=0) - ring
    angle = np.degrees(np.arctan2(way[:, 1], way[:, 0]))
    turn = np.abs((np.roll(angle, -1) - angle + 180) % 360 - 180)
    assert turn[np.hypot(*(np.roll(ring, -1, axis=0) - start - (6.0, 0.0)).T) > 1].max() < 35


def test_an_outline_pulled_across_itself_stays_valid():
    region = drawn(Vertices().begin(on(SQUARE)), (20.0, 20.0), (-60.0, 10.0)).draft[10]
    assert region.is_valid
    assert region.area > 0


def test_a_hole_is_pulled_into_the_outline():
    ring = stack(
        GRID, lambda w: [rectangle(-20, -20, 20, 20), rectangle(-10, -10, 10, 10)] if abs(w) < 10 else None, "ring"
    )
    region = drawn(Vertices().begin(on(ring)), (10.0, 10.0), (15.0, 15.0)).draft[10]
    assert region.area == pytest.approx(1600 - 400 - 2 * 20 * 5 / 2)
    region = drawn(Vertices().begin(on(ring)), (10.0, 10.0), (30.0, 30.0)).draft[10]
    assert region.is_valid
    assert not region.interiors


def test_a_click_on_the_line_changes_nothing():
    stroke = clicked(Vertices().begin(on(SQUARE)), (20.0, 3.0))
    assert stroke.finished
    assert not stroke.draft


def test_a_press_beside_the_outline_does_nothing():
    stroke = drawn(Vertices().begin(on(SQUARE)), (0.0, 0.0), (40.0, 0.0))
    assert not stroke.finished
    assert not stroke.draft
    assert "drag a grip" in stroke.note


def test_a_slice_without_contour_says_so():
    stroke = Vertices().begin(on(SQUARE, axial(27.0)))
    assert not clicked(stroke, (0.0, 0.0)).draft
    assert "no contour" in stroke.note


def test_the_grip_under_the_hand_is_marked():
    stroke = Vertices().begin(on(BALL))
    start = tuple(grips(stroke)[0])
    stroke.hover(Pen((start[0] + 1.0, start[1]), 0.5))
    np.testing.assert_allclose(stroke.guides[1].points_mm, [start])
    stroke.hover(Pen((0.0, 0.0), 0.5))
    assert len(stroke.guides) == 1
