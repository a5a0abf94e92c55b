"""Crosshair to a structure: inside it, in the frame of the base image."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import MultiPolygon, box

from reviewer.case import Case, Image, Registration, Structure
from reviewer.errors import NotRegisteredError
from reviewer.geometry.grid import Grid
from reviewer.navigate import middle_of, next_contour
from reviewer.scene import View

SHIFT = np.array([[1, 0, 0, 100], [0, 1, 0, 0], [0, 0, 1, 50], [0, 0, 0, 1]], float)


def grid(frame: str, row=(1, 0, 0), column=(0, 1, 0), step=(0, 0, 3)) -> Grid:
    first = [tuple(k * s for s in step) for k in range(10)]
    return Grid.from_directions(row, column, first, (1.0, 1.0), (64, 64), frame)


def case(structure_grid: Grid, registered: bool = True) -> tuple[Case, View]:
    image = Image("A", "MR", "A", grid("a"), np.zeros((10, 64, 64), np.int16))
    ties = (Registration("r", "REG", structure_grid.frame_of_reference_uid, "a", SHIFT),) if registered else ()
    return Case(images=(image,), registrations=ties), View(base="A")


def structure(on: Grid, planes) -> Structure:
    return Structure("s", "GTV", on, planes)


def test_middle_plane_and_centroid_in_the_frame_of_the_base():
    made, view = case(grid("b"))
    square = structure(grid("b"), {2: box(0, 0, 1, 1), 3: box(10, 20, 14, 30), 4: box(0, 0, 1, 1)})
    assert middle_of(made, view, square) == pytest.approx((112.0, 25.0, 59.0))


def test_a_centroid_between_islands_is_not_taken():
    made, view = case(grid("a"), registered=False)
    islands = structure(grid("a"), {1: MultiPolygon([box(0, 0, 2, 2), box(10, 0, 12, 2)])})
    x, y, z = middle_of(made, view, islands)
    assert 0 < x < 2 or 10 < x < 12
    assert 0 < y < 2
    assert z == pytest.approx(3.0)


def test_next_contour_up_and_down_skips_gaps_and_ends():
    made, view = case(grid("a"), registered=False)
    s = structure(grid("a"), {k: box(0, 0, 2, 2) for k in (1, 2, 6)})
    seen = []
    for direction in ("up", "up", "up", "down", "down", "down"):
        point = next_contour(made, view, s, direction)
        seen.append(None if point is None else round(point[2]))
        if point is not None:
            view = View(base="A", point_mm=point)
    assert seen == [3, 6, 18, 6, 3, None]


def test_up_is_towards_the_head_even_where_slices_are_stacked_towards_the_feet():
    feet = grid("a", column=(0, -1, 0), step=(0, 0, -3))
    made, view = case(grid("a"), registered=False)
    s = structure(feet, {k: box(0, 0, 2, 2) for k in (1, 3)})
    view = View(base="A", point_mm=(0.0, 0.0, -9.0))
    up = next_contour(made, view, s, "up")
    assert up is not None
    assert up[2] == pytest.approx(-3.0)


def test_without_a_registration_nothing_is_guessed():
    made, view = case(grid("b"), registered=False)
    s = structure(grid("b"), {1: box(0, 0, 2, 2)})
    with pytest.raises(NotRegisteredError):
        middle_of(made, view, s)
    with pytest.raises(NotRegisteredError):
        next_contour(made, view, s, "up")
