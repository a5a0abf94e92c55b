"""Measures of agreement against closed form, laws that hold for any pair, and a second implementation on fine masks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, rectangle, sphere, stack
from shapely import affinity

from reviewer.comparison import compare
from reviewer.errors import GeometryError, NotRegisteredError
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid

SPACINGS = (1.0, 2.0, 2.5, 3.0, 5.0)


def grid_of(spacing: float, shift: float = 0.0, half: float = 45.0, **options) -> Grid:
    n = math.ceil(half / spacing)
    return planes_grid(np.arange(-n, n + 1) * spacing + shift, **options)


def turn(x: float, y: float, z: float) -> np.ndarray:
    """Rotation by angles (radians) about the three axes."""
    cx, sx, cy, sy, cz, sz = (f(a) for a in (x, y, z) for f in (math.cos, math.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ about_y @ about_x


def symmetric(found) -> list[float]:
    return [found.dice, found.hausdorff_mm, found.hd95_mm, found.mean_surface_distance_mm, *found.surface_dice.values()]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("part", [0.0, 0.13, 0.29, 0.5, 0.77])
def test_concentric_spheres(spacing: float, part: float) -> None:
    """Issue 3: 20 and 21.5 mm, mean = HD95 = 1.50 ± 0.1 mm, surface Dice 1 at 2 mm and 0 at 1 mm, on any slices."""
    grid = grid_of(spacing, part * spacing)
    found = compare(sphere(grid, 20.0, (0.3, -0.2, 0.0)), sphere(grid, 21.5, (0.3, -0.2, 0.0)))
    assert found.mean_surface_distance_mm == pytest.approx(1.5, abs=0.02)
    assert found.hd95_mm == pytest.approx(1.5, abs=0.05)
    assert found.hausdorff_mm == pytest.approx(1.5, abs=0.1)
    assert found.surface_dice == {1.0: 0.0, 2.0: 1.0, 3.0: 1.0}
    assert found.dice == pytest.approx(2 * 20**3 / (20**3 + 21.5**3), abs=0.003)
    np.testing.assert_allclose(found.centroid_shift_mm, 0, atol=0.05)


@pytest.mark.parametrize("shift", [(5.0, 0.0, 0.0), (0.0, 0.0, 4.0), (3.0, -4.0, 0.0), (2.0, 3.0, 6.0)], ids=str)
@pytest.mark.parametrize(("spacing", "other"), [(1.0, 1.0), (3.0, 3.0), (3.0, 2.0), (2.5, 5.0)])
def test_shifted_spheres(shift, spacing: float, other: float) -> None:
    """Equal spheres: the height t along the shift is spread evenly (Archimedes), |p - shift|^2 = R^2 + s^2 - 2 R s t."""
    r, s = 20.0, math.dist(shift, (0, 0, 0))
    t = np.linspace(-1, 1, 200_001)
    away = np.abs(np.sqrt(r**2 + s**2 - 2 * r * s * t) - r)
    found = compare(sphere(grid_of(spacing, 0.4), r), sphere(grid_of(other), r, shift))
    assert found.hausdorff_mm == pytest.approx(s, abs=0.1)
    assert found.hd95_mm == pytest.approx(np.quantile(away, 0.95), abs=0.1)
    assert found.mean_surface_distance_mm == pytest.approx(away.mean(), abs=0.03)
    assert found.dice == pytest.approx(1 - 3 * s / (4 * r) + s**3 / (16 * r**3), abs=0.003)
    for mm in (1.0, 2.0, 3.0):
        assert found.surface_dice[mm] == pytest.approx((away <= mm).mean(), abs=0.01)
    np.testing.assert_allclose(found.centroid_shift_mm, shift, atol=0.05)


def box(grid: Grid, low, high):
    return stack(grid, lambda w: [rectangle(low[0], low[1], high[0], high[1])] if low[2] < w < high[2] else None)


def on_box(low, high, step: float) -> np.ndarray:
    """Points in the middles of squares that cover the faces of a box."""
    axes = [np.arange(a + step / 2, b, step) for a, b in zip(low, high, strict=True)]
    faces = []
    for i in range(3):
        for end in (low[i], high[i]):
            sides = [np.array([end]) if j == i else axes[j] for j in range(3)]
            faces.append(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3))
    return np.concatenate(faces)


def from_box(points, low, high) -> np.ndarray:
    """Distance of points from the surface of a box."""
    beyond = np.maximum(np.subtract(low, points), np.subtract(points, high))
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
    return np.where(outside > 0, outside, -beyond.max(axis=1))


@pytest.mark.parametrize("shift", [(4.0, 0.0, 0.0), (0.0, 0.0, 6.0), (3.0, 2.0, -3.0)], ids=str)
def test_shifted_boxes(shift) -> None:
    grid = grid_of(3.0, 1.5)
    low, high = np.array([-20.0, -15, -12]), np.array([20.0, 15, 12])
    found = compare(box(grid, low, high), box(grid, low + shift, high + shift))
    assert found.dice == pytest.approx(np.prod((high - low) - np.abs(shift)) / np.prod(high - low), rel=1e-9)
    here, there = on_box(low, high, 0.25), on_box(low + shift, high + shift, 0.25)
    away = from_box(here, low + shift, high + shift), from_box(there, low, high)
    whole = np.concatenate(away)
    # Edges and corners are met to a part of a cell of half a millimetre.
    assert found.mean_surface_distance_mm == pytest.approx(whole.mean(), abs=0.05)
    assert found.hausdorff_mm == pytest.approx(whole.max(), abs=0.3)
    assert found.hd95_mm == pytest.approx(max(np.quantile(d, 0.95) for d in away), abs=0.15)
    np.testing.assert_allclose(found.centroid_shift_mm, shift, atol=1e-6)
    assert found.volume_cc == pytest.approx((28.8, 28.8), rel=1e-9)


def test_a_face_moved_outward_is_found_where_it_is() -> None:
    """Only the right face differs, by 2.4 mm: the part of the surface beyond 1 mm is that face but for its rim, and the sides' outer 1.4 mm."""
    grid = grid_of(3.0, 1.5)
    found = compare(box(grid, (-20, -15, -12), (20, 15, 12)), box(grid, (-20, -15, -12), (22.4, 15, 12)))
    inner = (30 - 2) * (24 - 2)
    outer = 30 * 24 + 1.4 * 2 * (30 + 24)
    area = 2 * (40 * 30 + 40 * 24 + 30 * 24) + 2 * (42.4 * 30 + 42.4 * 24 + 30 * 24)
    assert found.surface_dice[1.0] == pytest.approx(1 - (inner + outer) / area, abs=0.005)
    assert found.surface_dice[3.0] == 1.0


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.6), (0.02, 0.03, 0.0), (0.3, -0.2, 0.5), (math.pi, 0.0, 0.0)], ids=str)
def test_through_a_registration(angles) -> None:
    """b lies in another frame, which the registration turns and shifts; it is 4 mm to the left of a all the same."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn(*angles), (5.0, -7.0, 3.0)
    centre = matrix[:3, :3] @ (4.0, 0.0, 0.0) + matrix[:3, 3]
    b = sphere(grid_of(3.0, frame="day"), 20.0, tuple(centre))
    found = compare(sphere(grid_of(2.5, 0.7), 20.0), b, matrix)
    assert found.dice == pytest.approx(1 - 3 * 4 / 80 + 4**3 / (16 * 20**3), abs=0.003)
    assert found.hausdorff_mm == pytest.approx(4.0, abs=0.1)
    assert found.mean_surface_distance_mm == pytest.approx(2.0, abs=0.03)
    np.testing.assert_allclose(found.centroid_shift_mm, (4.0, 0.0, 0.0), atol=0.05)


def test_nothing_changes_when_both_move_together() -> None:
    def pair(grid):
        return sphere(grid, 16.0, (2.0, 1.0, 0.5)), stack(
            grid, lambda w: [rectangle(-15, -12, 17, 14)] if abs(w) < 14 else None
        )

    still = compare(*pair(grid_of(3.0)))
    moved = compare(*pair(grid_of(3.0, axes=turn(0.4, 0.2, -0.3))))
    assert symmetric(moved) == pytest.approx(symmetric(still), rel=1e-6)
    assert moved.added_path_length_mm == pytest.approx(still.added_path_length_mm, rel=1e-6)
    np.testing.assert_allclose(moved.centroid_shift_mm, still.centroid_shift_mm @ turn(0.4, 0.2, -0.3), atol=1e-6)


@settings(max_examples=15)
@given(st.floats(8, 18), st.floats(8, 18), st.tuples(*[st.floats(-12, 12)] * 3), st.sampled_from([2.0, 3.0, 5.0]))
def test_laws(one: float, other: float, shift, spacing: float) -> None:
    grid = grid_of(spacing)
    a = sphere(grid, one, points=60)
    b = stack(
        grid,
        lambda w: [circle(other, shift[:2], 60), circle(other / 3, shift[:2], 60)] if abs(w - shift[2]) < 11 else None,
    )
    there, back = compare(a, b), compare(b, a)
    assert symmetric(back) == pytest.approx(symmetric(there), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(back.centroid_shift_mm, -there.centroid_shift_mm, atol=1e-9)
    assert 0 <= there.dice <= 1
    assert 0 <= there.mean_surface_distance_mm <= there.hd95_mm <= there.hausdorff_mm
    parts = list(there.surface_dice.values())
    assert parts == sorted(parts)
    assert parts[-1] <= 1 + 1e-12
    assert there.hausdorff_mm >= np.linalg.norm(there.centroid_shift_mm) - max(one, other)


def test_identical_structures_agree_exactly() -> None:
    a = sphere(grid_of(3.0, 0.4), 20.0, (0.3, 0.2, 0.0))
    found = compare(a, replace(a, id="copy", planes={k: affinity.translate(r, 0, 0) for k, r in a.planes.items()}))
    assert (found.dice, found.hausdorff_mm, found.hd95_mm, found.mean_surface_distance_mm) == (1.0, 0.0, 0.0, 0.0)
    assert set(found.surface_dice.values()) == {1.0}
    assert found.added_path_length_mm == 0.0
    np.testing.assert_array_equal(found.centroid_shift_mm, 0.0)
    for s in found.slices:
        assert (s.dice, s.hausdorff_mm, s.mean_distance_mm, s.added_path_length_mm) == (1.0, 0.0, 0.0, 0.0)


def test_one_edited_slice_leaves_the_others_exact() -> None:
    a = sphere(grid_of(3.0), 20.0)
    edited = {k: affinity.translate(r, 3, 0) if a.grid.positions_mm[k] == 0 else r for k, r in a.planes.items()}
    found = compare(a, replace(a, planes=edited))
    changed = [s for s in found.slices if s.dice < 1]
    assert [s.position_mm for s in changed] == [0.0]
    assert changed[0].hausdorff_mm == pytest.approx(3.0, abs=0.01)
    assert found.added_path_length_mm == changed[0].added_path_length_mm > 0
    assert 0.9 < found.dice < 1


def test_empty_structures() -> None:
    grid = grid_of(3.0)
    full, empty = sphere(grid, 10.0), stack(grid, lambda w: None)
    for pair in ((full, empty), (empty, full)):
        found = compare(*pair)
        assert found.dice == 0.0
        assert (found.hausdorff_mm, found.hd95_mm, found.mean_surface_distance_mm) == (None, None, None)
        assert found.centroid_shift_mm is None
        assert set(found.surface_dice.values()) == {0.0}
        assert {(s.dice, s.hausdorff_mm) for s in found.slices} == {(0.0, None)}
    perimeter = sum(r.length for r in full.planes.values())
    assert compare(full, empty).added_path_length_mm == pytest.approx(perimeter)
    assert compare(empty, full).added_path_length_mm == 0.0
    nothing = compare(empty, empty)
    assert (nothing.dice, nothing.added_path_length_mm, nothing.volume_cc) == (None, None, (0.0, 0.0))
    assert set(nothing.surface_dice.values()) == {None}
    assert nothing.slices == ()


def test_far_apart() -> None:
    found = compare(sphere(grid_of(3.0), 10.0), sphere(grid_of(2.0, 300.0), 10.0, (0.0, 0.0, 300.0)))
    assert found.dice == 0.0
    assert found.hausdorff_mm == pytest.approx(300.0, abs=0.1)
    assert found.surface_dice[3.0] == 0.0
    low, high = [s for s in found.slices if s.position_mm < 100], [s for s in found.slices if s.position_mm > 100]
    assert all(s.area_mm2[1] == 0 for s in low)
    assert [s.area_mm2[0] for s in high] == [0.0] * 7, "planes go on at 3 mm where only the other has contours"


def test_one_slice() -> None:
    """A structure on a single plane is a slab as thick as the slices are apart."""
    grid = grid_of(3.0)
    one = box(grid, (-10, -10, -1), (10, 10, 1))
    found = compare(one, box(grid, (-8, -10, -1), (12, 10, 1)))
    assert found.dice == pytest.approx(0.9, rel=1e-9)
    assert found.hausdorff_mm == pytest.approx(2.0, abs=0.2)


def test_slices_of_cylinders() -> None:
    grid = grid_of(3.0)
    inner, outer = (stack(grid, lambda w, r=r: [circle(r, points=720)] if abs(w) < 10 else None) for r in (20.0, 21.5))
    found = compare(inner, outer)
    assert [s.position_mm for s in found.slices] == [-9, -6, -3, 0, 3, 6, 9]
    for s in found.slices:
        assert s.dice == pytest.approx(2 * 20**2 / (20**2 + 21.5**2), rel=1e-9)
        assert s.hausdorff_mm == pytest.approx(1.5, abs=1e-3)
        assert s.mean_distance_mm == pytest.approx(1.5, abs=1e-3)
        assert s.added_path_length_mm == pytest.approx(2 * math.pi * 20, rel=1e-4)
    assert found.added_path_length_mm == pytest.approx(7 * 2 * math.pi * 20, rel=1e-4)


def test_slices_of_a_square_with_one_side_moved() -> None:
    """The right side lies 3 mm farther out. Of its 20 mm, 1 mm at either end is within 1 mm of the other square's top and bottom.

    Distances, integrated: of the first square's right side 2 * 3^2 / 2 + 14 * 3 = 51; of the second's 60, and of its longer sides 2 * 4.5.
    """
    grid = grid_of(3.0)
    found = compare(box(grid, (0, 0, -10), (20, 20, 10)), box(grid, (0, 0, -10), (23, 20, 10)))
    for s in found.slices:
        assert s.area_mm2 == (400.0, 460.0)
        assert s.dice == pytest.approx(800 / 860, rel=1e-12)
        assert s.hausdorff_mm == pytest.approx(3.0, rel=1e-9)
        assert s.mean_distance_mm == pytest.approx((51 + 69) / (80 + 86), rel=1e-9)
        assert s.added_path_length_mm == pytest.approx(18.0, rel=1e-9)


def test_holes_count_as_surface() -> None:
    grid = grid_of(2.0, 1.0)
    full = box(grid, (-20, -20, -14), (20, 20, 14))
    hollow = stack(grid, lambda w: [rectangle(-20, -20, 20, 20), circle(4.0)] if abs(w) < 14 else None)
    found = compare(full, hollow)
    assert found.dice == pytest.approx(2 * (1600 - 16 * math.pi) / (3200 - 16 * math.pi), rel=1e-3)
    # From the wall of the hole, half-way up, the nearest surface of the full box is its end, 14 mm away.
    assert found.hausdorff_mm == pytest.approx(14.0, abs=0.5)


def test_against_fine_masks() -> None:
    """SimpleITK on masks of 0.5 mm. Its surface is a shell of whole voxels, so its distances come out up to a voxel low or high and its mean
    is low (on spheres of 20 and 21.5 mm by a third at 1 mm voxels); its Dice is nearly free of that.
    """
    grid = grid_of(3.0, 0.6)

    def ellipsoid(w: float, axes, centre):
        square = 1 - ((w - centre[2]) / axes[2]) ** 2
        return [circle(1.0) * np.multiply(axes[:2], math.sqrt(square)) + centre[:2]] if square > 1e-3 else None

    a = stack(grid, lambda w: ellipsoid(w, (24.0, 16.0, 20.0), (0.0, 0.0, 0.0)))
    b = stack(grid, lambda w: ellipsoid(w, (20.0, 19.0, 22.0), (3.0, -2.0, 2.0)))
    voxel = 0.5
    n = int(60 / voxel)
    fine = Grid(np.eye(3), (-30.0, -30.0), (voxel, voxel), (n, n), np.arange(n) * voxel - 30, "frame")
    masks = []
    for body in (a, b):
        cover = coverage(body, fine)
        mask = np.zeros(fine.shape_zyx, dtype=np.uint8)
        mask[cover.box] = cover.fraction >= 0.5
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing((voxel,) * 3)
        masks.append(image)
    found = compare(a, b)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*masks)
    assert found.dice == pytest.approx(overlap.GetDiceCoefficient(), abs=0.005)
    away = []
    for one, other in (masks, masks[::-1]):
        distance = sitk.Abs(sitk.SignedMaurerDistanceMap(other, squaredDistance=False, useImageSpacing=True))
        shell = sitk.GetArrayFromImage(sitk.BinaryContour(one)) > 0
        away.append(sitk.GetArrayFromImage(distance)[shell])
    assert found.hausdorff_mm == pytest.approx(max(d.max() for d in away), abs=voxel)
    assert found.hd95_mm == pytest.approx(max(np.percentile(d, 95) for d in away), abs=voxel)
    assert found.mean_surface_distance_mm == pytest.approx(np.concatenate(away).mean(), abs=voxel)


def test_frames_that_are_not_tied_are_refused() -> None:
    a, b = sphere(grid_of(3.0), 10.0), sphere(grid_of(3.0, frame="day"), 10.0)
    with pytest.raises(NotRegisteredError, match="not registered"):
        compare(a, b)
    assert compare(a, b, np.eye(4)).dice == 1.0


@pytest.mark.parametrize(
    "matrix", [np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.eye(3), np.full((4, 4), np.nan)]
)
def test_maps_that_are_not_rigid_are_refused(matrix) -> None:
    a = sphere(grid_of(3.0), 10.0)
    with pytest.raises(GeometryError):
        compare(a, a, matrix)
