"""Cuts of structures with planes, against the areas and outlines that a ruler gives."""

import numpy as np
import pytest
import shapely
from phantoms import circle, planes_grid, rectangle, sphere, stack

from reviewer.geometry.level import level_rings
from reviewer.geometry.region import region_of_rings
from reviewer.geometry.section import Sketch, outline, section, upright

RIGHT, DOWN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
FEET = (0.0, 0.0, -1.0)


def brick(positions=None):
    """-10..20 along x, -5..15 along y, slabs of the planes -6 to 18 along z: -7.5..19.5."""
    grid = planes_grid(np.arange(-10, 15) * 3.0 if positions is None else positions)
    return stack(grid, lambda w: [rectangle(-10, -5, 20, 15)] if -8 < w < 20 else None)


def sketch(body, to_stack, origin, right, down):
    return Sketch(body.grid, to_stack, origin, right, down).rings(body.planes)


def test_on_a_plane_the_cut_is_the_region_itself():
    body = brick()
    assert section(body, np.eye(4), (0, 0, 6), RIGHT, DOWN) is body.planes[12]


def test_a_parallel_plane_seen_from_the_feet_is_mirrored():
    cut = section(brick(), np.eye(4), (100.0, 50.0, 5.0), (-1, 0, 0), DOWN)
    assert cut.bounds == (-20, -5, 10, 15)


def test_above_and_below_there_is_nothing():
    for z in (-9.8, 22.0, 400.0):
        assert section(brick(), np.eye(4), (0, 0, z), RIGHT, DOWN) is None


@pytest.mark.parametrize(("right", "origin", "width"), [((1, 0, 0), (0, 3, 0), 30), ((0, 1, 0), (2, 0, 0), 20)])
def test_coronal_and_sagittal_cuts_of_a_brick_are_rectangles(right, origin, width):
    cut = section(brick(), np.eye(4), origin, right, FEET)
    assert cut.is_valid
    assert cut.area == pytest.approx(width * 27)
    assert cut.bounds[1] == pytest.approx(-19.5)
    assert cut.bounds[3] == pytest.approx(7.5)


def test_a_vertical_diagonal_cut_of_a_brick():
    right = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    cut = section(brick(), np.eye(4), (0, 0, 0), right, FEET)
    # The diagonal y = x enters at (-5, -5) and leaves at (15, 15).
    assert cut.area == pytest.approx(20 * np.sqrt(2) * 27)


def test_a_sketch_of_a_brick_is_its_cut():
    for right, origin, width in (((1, 0, 0), (0, 3, 0), 30), ((0, 1, 0), (2, 0, 0), 20)):
        cut = region_of_rings(sketch(brick(), np.eye(4), origin, right, FEET))
        assert cut.area == pytest.approx(width * 27)
    assert sketch(brick(), np.eye(4), (0, 40, 0), (1, 0, 0), FEET) == []


def test_a_sketch_of_a_sphere_is_right_on_its_planes():
    ball, w = sphere(planes_grid(np.arange(-10, 11) * 3.0), 20.0), 6.0
    cut = region_of_rings(sketch(ball, np.eye(4), (0, 5, 0), (1, 0, 0), FEET))
    chord = shapely.intersection(cut, shapely.LineString([(-50, -w), (50, -w)]))
    assert chord.length == pytest.approx(2 * np.sqrt(20.0**2 - w**2 - 5.0**2), rel=2e-3)


def test_a_sketch_of_what_a_hand_changed_is_that_of_all_anew():
    body = sphere(planes_grid(np.arange(-10, 11) * 3.0), 20.0)
    kept = Sketch(body.grid, np.eye(4), (0, 5, 0), (1, 0, 0), FEET)
    planes = dict(body.planes)
    for k, more in ((9, shapely.box(15, 0, 40, 10)), (10, shapely.box(-30, 4, -25, 8)), (9, shapely.box(0, 3, 9, 6))):
        assert kept.rings(planes)
        planes[k] = planes[k].union(more) if k == 10 else planes[k].symmetric_difference(more)
    del planes[6]
    anew = Sketch(body.grid, np.eye(4), (0, 5, 0), (1, 0, 0), FEET).rings(planes)
    assert len(anew) > 2
    assert all(np.array_equal(a, b) for a, b in zip(kept.rings(planes), anew, strict=True))
    assert kept.rings({}) == []


def test_a_sketch_along_the_slices_is_the_region_of_the_slab():
    body = brick()
    flat = Sketch(body.grid, np.eye(4), (0, 0, 5), (-1, 0, 0), DOWN)
    assert region_of_rings(flat.rings(body.planes)).bounds == (-20, -5, 10, 15)
    assert flat.rings({}) == []


def branching(w):
    """Two legs below 0, a body with a hole across it, one arm above 12."""
    if w < 0:
        return [rectangle(-20, -5, -12, 5), rectangle(6, -5, 26, 5)]
    if w < 4 or 8 < w < 12:
        return [rectangle(-18, -5, 22, 5)]
    if w < 12:
        return [rectangle(-18, -5, -4, 5), rectangle(8, -5, 22, 5)]
    return [rectangle(0, -5, 30, 5)]


def test_a_cut_through_branches_is_drawn_along_what_is_outside_only():
    body = stack(planes_grid(np.arange(-5, 9) * 3.0), lambda w: branching(w) if -10 < w < 20 else None)
    rings = sketch(body, np.eye(4), (0, 0, 0), (1, 0, 0), FEET)
    assert len(rings) == 2  # one around all of it, one around the hole
    cut = region_of_rings(rings)
    assert cut.is_valid
    assert len(cut.interiors) == 1
    # slabs of 3 mm about -9 ... 18: two legs up to -3, the body at 0 and 3, the hole at 6, the body at 9, drawn straight on to the arm from 12
    expected = shapely.union_all(
        [
            shapely.box(-20, 1.5, -12, 10.5),
            shapely.box(6, 1.5, 26, 10.5),
            shapely.box(-18, -4.5, 22, 1.5),
            shapely.box(-18, -7.5, -4, -4.5),
            shapely.box(8, -7.5, 22, -4.5),
            shapely.Polygon(
                [(-18, -7.5), (22, -7.5), (22, -9), (30, -12), (30, -19.5), (0, -19.5), (0, -12), (-18, -9)]
            ),
        ]
    )
    assert cut.symmetric_difference(expected).area == pytest.approx(0, abs=1e-9)
    assert cut.length == pytest.approx(expected.length)


def test_what_is_drawn_encloses_what_is_cut():
    ball = sphere(planes_grid(np.arange(-10, 11) * 3.0), 20.0)
    for right, down in (((1, 0, 0), FEET), (RIGHT, DOWN), ((1, 0, 0), (0.0, np.cos(0.5), np.sin(0.5)))):
        cut = section(ball, np.eye(4), (0, 2.0, 1.0), right, down)
        assert region_of_rings(outline(ball, np.eye(4), (0, 2.0, 1.0), right, down)).equals(cut)


def test_upright_is_what_is_not_tilted():
    body = brick()
    assert upright(body, np.eye(4), RIGHT, DOWN)
    assert upright(body, np.eye(4), (0, 1, 0), FEET)
    assert not upright(body, np.eye(4), RIGHT, (0.0, np.cos(0.5), np.sin(0.5)))


def test_a_cut_that_misses_is_none():
    assert section(brick(), np.eye(4), (0, 40, 0), (1, 0, 0), FEET) is None
    tilted = np.array([0.0, np.cos(0.5), np.sin(0.5)])
    assert section(brick(), np.eye(4), (0, 0, 200), RIGHT, tilted) is None


def test_a_shift_of_the_frame_moves_the_cut():
    shift = np.eye(4)
    shift[:3, 3] = (0, 0, 3)
    body = brick()
    there = section(body, np.eye(4), (0, 3, 0), (1, 0, 0), FEET)
    moved = section(body, shift, (0, 3, 0), (1, 0, 0), FEET)
    assert moved.bounds[1] - there.bounds[1] == pytest.approx(3)
    assert moved.area == pytest.approx(there.area)


def test_holes_stay_open_in_every_cut():
    grid = planes_grid(np.arange(-10, 11) * 2.0)
    tube = stack(grid, lambda w: [circle(20), circle(12)] if abs(w) < 13 else None)
    coronal = section(tube, np.eye(4), (0, 0, 0), (1, 0, 0), FEET)
    assert coronal.geom_type == "MultiPolygon"
    assert coronal.area == pytest.approx(2 * 8 * 26, rel=1e-3)
    shell = stack(grid, lambda w: [circle(20), circle(12)] if abs(w) < 7 else [circle(20)] if abs(w) < 13 else None)
    coronal = section(shell, np.eye(4), (0, 0, 0), (1, 0, 0), FEET)
    assert coronal.is_valid
    assert len(coronal.interiors) == 1


def test_empty_planes_in_between_stay_empty():
    grid = planes_grid(np.arange(-10, 11) * 2.0)
    pair = stack(grid, lambda w: [circle(10)] if abs(w) > 5 and abs(w) < 15 else None)
    coronal = section(pair, np.eye(4), (0, 0, 0), (1, 0, 0), FEET)
    assert coronal.geom_type == "MultiPolygon"
    assert not coronal.contains(shapely.Point(0, 0))


@pytest.mark.parametrize("degrees", [0.0, 2.0, 20.0, 45.0, 70.0, 90.0])
def test_a_sphere_is_a_circle_from_every_side(degrees):
    body = sphere(planes_grid(np.arange(-25.0, 26.0)), 20.0, (2.0, -3.0, 0.3))
    a = np.deg2rad(degrees)
    down = np.array([0.0, np.cos(a), np.sin(a)])
    cut = section(body, np.eye(4), (2.0, -3.0, 0.3), RIGHT, down)
    centre = shapely.Point(2.0, float(np.array([2.0, -3.0, 0.3]) @ down))
    assert cut.is_valid
    assert cut.area == pytest.approx(np.pi * 400, rel=5e-3)
    distances = [centre.distance(shapely.Point(p)) for p in cut.exterior.coords]
    assert np.mean(distances) == pytest.approx(20, abs=0.1)


def test_level_rings_of_a_hill_with_a_crater():
    y, x = np.mgrid[0:60, 0:80]
    distance = np.hypot(x - 40, y - 30)
    rings = level_rings(5 - np.abs(distance - 15), 0.0)
    areas = sorted(shapely.Polygon(r).area * (1 if shapely.LinearRing(r).is_ccw else -1) for r in rings)
    assert areas == pytest.approx([-np.pi * 100, np.pi * 400], rel=3e-3)


def test_level_rings_close_along_the_edge_of_the_samples():
    (ring,) = level_rings(np.ones((4, 6)), 0.0)
    assert shapely.Polygon(ring).is_valid
    assert shapely.Polygon(ring).area >= 15
    assert level_rings(np.zeros((4, 6)), 0.0) == []


def test_level_rings_split_or_join_at_a_saddle_by_its_mean():
    field = np.array([[0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0]], dtype=float)
    assert len(level_rings(field, 1.0)) == 1
    assert len(level_rings(field, 2.0)) == 2
