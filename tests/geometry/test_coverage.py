"""Volume and occupancy of voxels against closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, rectangle, sphere, stack

from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid
from reviewer.geometry.volume import volume_cc


def total_mm3(result, grid):
    z = result.box[0]
    heights = np.diff(grid.slab_borders_mm)[z]
    per_plane = result.fraction.sum(axis=(1, 2), dtype=float)
    return float(per_plane @ heights) * grid.spacing_uv_mm[0] * grid.spacing_uv_mm[1]


def full(result, grid):
    out = np.zeros(grid.shape_zyx)
    out[result.box] = result.fraction
    return out


def rotation(axis, degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def box(grid, u0, v0, w0, u1, v1, w1):
    return stack(grid, lambda w: [rectangle(u0, v0, u1, v1)] if w0 < w < w1 else None)


def test_a_box_off_the_pixels_fills_them_by_hand_computed_parts():
    grid = planes_grid(np.arange(-3.0, 4.0) * 2, half=5.0)
    result = full(coverage(box(grid, -1.25, -2, -3, 2.5, 1.75, 3), grid), grid)
    # Pixel x spans [x - 5.5, x - 4.5]: columns -1.25..2.5 fill 0.75 of pixel 4 (-1.5..-0.5), all of 5 and 6, all of 7 (1.5..2.5).
    across = np.array([0, 0, 0, 0, 0.75, 1, 1, 1, 0, 0, 0])
    down = np.array([0, 0, 0, 0.5, 1, 1, 1, 0.25, 0, 0, 0])
    for k in range(7):
        expected = np.outer(down, across) if 2 <= k <= 4 else np.zeros((11, 11))
        np.testing.assert_allclose(result[k], expected, atol=1e-6)


def test_a_triangle_cuts_pixels_into_known_parts():
    grid = planes_grid([0.0, 1.0, 2.0], half=2.0)
    triangle = np.array([(-0.5, -0.5), (1.5, -0.5), (-0.5, 0.5)])
    body = stack(grid, lambda w: [triangle] if w == 1 else None)
    result = full(coverage(body, grid), grid)[1]
    # Hypotenuse v = 0.25 - u/2: the pixel around (0, 0) keeps 0.75, the one around (1, 0) 0.25.
    assert result[2, 2] == pytest.approx(0.75)
    assert result[2, 3] == pytest.approx(0.25)
    assert result.sum() == pytest.approx(1)


def test_holes_and_islands_count_as_they_are():
    grid = planes_grid(np.arange(3.0), half=30.0)
    rings = [circle(20), circle(12), circle(5)]
    body = stack(grid, lambda w: rings if w == 1 else None)
    expected = np.pi * (400 - 144 + 25)
    assert volume_cc(body) * 1000 == pytest.approx(expected, rel=1e-9)
    assert total_mm3(coverage(body, grid), grid) == pytest.approx(expected, rel=1e-6)
    assert full(coverage(body, grid), grid)[1, 30, 30] == 1
    assert full(coverage(body, grid), grid)[1, 30, 38] == pytest.approx(0, abs=1e-12)


def test_an_empty_structure_covers_nothing():
    grid = planes_grid(np.arange(3.0))
    body = stack(grid, lambda w: None)
    assert volume_cc(body) == 0
    assert coverage(body, grid).fraction.size == 0


def test_a_structure_beside_the_grid_covers_nothing():
    grid = planes_grid(np.arange(10.0), half=10.0)
    for rings_at in (lambda w: [rectangle(20, 0, 25, 5)], lambda w: [rectangle(0, -30, 5, -20)]):
        assert coverage(stack(grid, rings_at), grid).fraction.size == 0
    elsewhere = planes_grid(np.arange(10.0) + 40, half=10.0)
    assert coverage(stack(grid, lambda w: [rectangle(0, 0, 5, 5)]), elsewhere).fraction.size == 0


def test_a_structure_that_leaves_the_grid_is_cut_at_its_border():
    planes = planes_grid(np.arange(-10.0, 11.0), half=30.0)
    body = box(planes, -20, -7, -8.2, 20, 3, 8.2)
    small = planes_grid(np.arange(-2.0, 3.0), half=10.0)
    result = coverage(body, small)
    assert total_mm3(result, small) == pytest.approx(21 * 10 * 5)
    assert set(np.unique(result.fraction[:, 1:10])) == {1.0}


@settings(max_examples=40)
@given(
    st.floats(0.4, 4.0),
    st.floats(0.4, 4.0),
    st.floats(-2.0, 2.0),
    st.floats(0.0, 360.0),
    st.sampled_from([1.0, -1.0]),
)
def test_parallel_grids_of_any_spacing_shift_turn_and_side_hold_the_volume(spacing, thickness, shift, degrees, side):
    body = sphere(planes_grid(np.arange(-8.0, 9.0) * 2.5), 17.0, (3.0, -2.0, 0.6))
    axes = rotation(2, degrees)[:3, :3] @ np.diag([1.0, side, side])
    n = int(60 / spacing)
    positions = (np.arange(int(60 / thickness)) + 0.3) * thickness - 30 + shift
    grid = Grid(axes, (-30.0 + shift, -30.0), (spacing, spacing * 1.3), (n, n), positions, "frame")
    result = coverage(body, grid)
    assert total_mm3(result, grid) == pytest.approx(volume_cc(body) * 1000, rel=1e-5)
    assert result.fraction.min() >= 0
    assert result.fraction.max() <= 1


def test_uneven_planes_reach_to_the_middle_between_them():
    grid = planes_grid([0.0, 2.0, 3.0, 7.0, 8.0], half=10.0)
    body = stack(grid, lambda w: [rectangle(-5, -5, 5, 5)] if w in (2.0, 3.0, 7.0) else None)
    assert volume_cc(body) * 1000 == pytest.approx(100 * (7.5 - 1.0))
    fine = planes_grid(np.arange(0.25, 9.0, 0.5), half=10.0)
    column = full(coverage(body, fine), fine)[:, 10, 10]
    np.testing.assert_allclose(column, (fine.positions_mm > 1) & (fine.positions_mm < 7.5), atol=1e-6)


def test_a_shift_between_frames_moves_the_cover():
    grid = planes_grid(np.arange(-5.0, 6.0), half=20.0)
    body = box(grid, -4, -4, -2.6, 4, 4, 2.6)
    to_stack = np.eye(4)
    to_stack[:3, 3] = (-3, 5, 1)
    there = full(coverage(body, grid), grid)
    moved = full(coverage(body, grid, to_stack), grid)
    np.testing.assert_allclose(np.roll(there, (-1, -5, 3), (0, 1, 2)), moved, atol=1e-6)


@pytest.mark.parametrize(("axis", "degrees"), [(0, 90), (1, 90), (0, 17), (1, -33)])
def test_a_tilted_grid_holds_the_volume_and_knows_inside_from_outside(axis, degrees):
    body = sphere(planes_grid(np.arange(-40.0, 41.0)), 20.0)
    grid = planes_grid(np.arange(-15.0, 16.0) * 2, spacing=2.0, half=40.0)
    result = coverage(body, grid, rotation(axis, degrees))
    assert total_mm3(result, grid) == pytest.approx(volume_cc(body) * 1000, rel=5e-3)
    z, y, x = np.meshgrid(grid.positions_mm, *[np.arange(-40.0, 41.0, 2)] * 2, indexing="ij")
    distance = np.sqrt(x**2 + y**2 + z**2)
    cover = full(result, grid)
    assert (cover[distance < 17] > 0.999).all()
    assert (cover[distance > 23] < 0.001).all()
