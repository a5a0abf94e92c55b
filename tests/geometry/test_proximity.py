"""Distances and overlaps of spheres and boxes against closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest
from phantoms import circle, planes_grid, rectangle, sphere, stack

from reviewer.errors import GeometryError
from reviewer.geometry.proximity import distance_mm, overlap_cc
from reviewer.geometry.volume import volume_cc

GRID = planes_grid(np.arange(-61.5, 62, 3.0))


def block(u0, v0, u1, v1, low, high, grid=GRID):
    return stack(grid, lambda w: [rectangle(u0, v0, u1, v1)] if low < w < high else None)


@pytest.mark.parametrize(
    ("centre", "expected"),
    [((30.0, 0.0, 0.0), 8.0), ((0.0, 0.0, 30.0), 8.0), ((15.0, 12.0, 20.0), math.sqrt(769) - 22), ((9, 0, 0), 0.0)],
)
def test_spheres_are_as_far_apart_as_their_centres_less_their_radii(centre, expected):
    """12 and 10 mm radius, slices of 3 mm; each solid has steps of 1 mm, half of which may lie outside the sphere."""
    near = distance_mm(sphere(GRID, 12.0), sphere(GRID, 10.0, centre))
    assert near == pytest.approx(expected, abs=1.0)


def test_boxes_on_slab_borders_are_exact():
    """Gaps of 3 mm across, 4 mm down and 12 mm along: 13 mm from edge to edge."""
    one = block(-10, -10, 0, 0, -15, 0)
    other = block(3, 4, 20, 20, 12, 30)
    assert distance_mm(one, other) == pytest.approx(13.0, abs=1e-6)
    assert distance_mm(other, one) == pytest.approx(13.0, abs=1e-6)
    assert overlap_cc(one, other) == 0.0


def test_inside_a_hollow_the_wall_is_what_is_near():
    def shell(w):
        return [circle(40.0), circle(30.0)] if abs(w) < 45 else None

    assert distance_mm(sphere(GRID, 10.0), stack(GRID, shell)) == pytest.approx(20.0, abs=0.1)
    assert distance_mm(sphere(GRID, 10.0), stack(GRID, shell), within_mm=19.0) == math.inf
    assert distance_mm(sphere(GRID, 10.0), stack(GRID, shell), within_mm=21.0) == pytest.approx(20.0, abs=0.1)


def test_the_same_on_slices_of_another_thickness():
    fine = planes_grid(np.arange(-40.5, 41, 1.0))
    assert distance_mm(sphere(GRID, 10.0), sphere(fine, 10.0, (0, 24.0, 0))) == pytest.approx(4.0, abs=0.3)


def test_overlap_is_the_lens_of_two_spheres():
    """pi (4 r + d) (2 r - d)^2 / 12 for equal spheres of radius r at distance d."""
    lens = math.pi * (4 * 15 + 20) * (2 * 15 - 20) ** 2 / 12
    assert overlap_cc(sphere(GRID, 15.0), sphere(GRID, 15.0, (20.0, 0, 0))) * 1000 == pytest.approx(lens, rel=0.015)


def test_what_overlaps_itself_is_all_of_it():
    ball = sphere(GRID, 12.0)
    assert overlap_cc(ball, ball) == pytest.approx(volume_cc(ball), rel=1e-9)


def test_nothing_is_near_what_is_empty():
    empty = stack(GRID, lambda w: None)
    assert distance_mm(sphere(GRID, 10.0), empty) == math.inf
    assert overlap_cc(sphere(GRID, 10.0), empty) == 0.0


def test_other_frames_and_tilted_slices_are_refused():
    ball = sphere(GRID, 10.0)
    with pytest.raises(GeometryError, match="frames of reference"):
        distance_mm(ball, replace(ball, grid=planes_grid(GRID.positions_mm, frame="other")))
    tilted = np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])
    with pytest.raises(GeometryError, match="not parallel"):
        overlap_cc(ball, replace(ball, grid=planes_grid(GRID.positions_mm, axes=tilted)))
