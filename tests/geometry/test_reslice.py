"""Sampling along planes: against SimpleITK, against linear functions (which trilinear sampling keeps exactly), and voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import PlaneSampling, cut, reslice, value_at

EYE = np.eye(4)
UNEVEN = np.array([-20.0, -17.0, -15.5, -11.0, -9.0, -4.0, 1.0, 2.5, 8.0, 13.0])


def turn(axes, degrees):
    """The rotation about the fixed axes x, y, z in the order named."""
    degrees = (degrees,) if np.isscalar(degrees) else degrees
    matrix = np.eye(3)
    for axis, angle in zip(axes, np.radians(degrees), strict=True):
        a, b = [i for i in range(3) if i != "xyz".index(axis)]
        step = np.eye(3)
        sign = -1.0 if axis == "y" else 1.0
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -sign * np.sin(angle), sign * np.sin(angle)
        matrix = step @ matrix
    return matrix


def grid_of(axes=None, positions=None, spacing=(1.5, 2.0), size=(14, 11), origin=(-9.0, -12.0)):
    axes = np.eye(3) if axes is None else axes
    positions = np.arange(10) * 3.0 - 14.0 if positions is None else positions
    return Grid(axes, origin, spacing, size, positions, "frame")


def rigid(degrees, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = turn("xyz", degrees)
    matrix[:3, 3] = shift
    return matrix


def linear(grid):
    """Values 2x - 3y + 5z + 7 of the patient coordinates at the voxel centres, and the function."""

    def f(p):
        return p @ np.array([2.0, -3.0, 5.0]) + 7.0

    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape_zyx), indexing="ij"), axis=-1)
    return f(grid.point_of_index_mm(index)).astype(np.float32), f


def points_of(plane):
    j, i = np.meshgrid(np.arange(plane.size[0]), np.arange(plane.size[1]))
    right, down = np.array(plane.right) * plane.step_mm[0], np.array(plane.down) * plane.step_mm[1]
    return np.array(plane.origin_mm) + j[..., None] * right + i[..., None] * down


def plane_through(origin, rotation, step, size):
    right, down = rotation[0], rotation[1]
    return PlaneSampling(tuple(origin), tuple(right), tuple(down), step, size)


def sitk_image(array, grid):
    image = sitk.GetImageFromArray(array)
    image.SetOrigin(tuple(grid.point_of_index_mm([0, 0, 0])))
    image.SetSpacing(grid.spacing_mm)
    image.SetDirection(grid.axes.T.ravel().tolist())
    return image


def sitk_reslice(array, grid, to_grid, plane):
    """A second implementation: SimpleITK resamples onto an image of one slice; its transform maps output points to input points."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(tuple(to_grid[:3, :3].ravel()))
    transform.SetTranslation(tuple(to_grid[:3, 3]))
    axes = np.array([plane.right, plane.down, np.cross(plane.right, plane.down)])
    reference = sitk.Image([plane.size[0], plane.size[1], 1], sitk.sitkFloat32)
    reference.SetOrigin(plane.origin_mm)
    reference.SetSpacing((*plane.step_mm, 1.0))
    reference.SetDirection(axes.T.ravel().astype(float).tolist())
    out = sitk.Resample(sitk_image(array, grid), reference, transform, sitk.sitkLinear, -9999.0, sitk.sitkFloat32)
    return sitk.GetArrayFromImage(out)[0]


TURNS = {
    "straight": (0, 0, 0),
    "25 about x": (25, 0, 0),
    "-18 about y": (0, -18, 0),
    "35 about z": (0, 0, 35),
    "all": (25, -18, 35),
    "half turn": (180, 0, 0),
    "quarter turn": (0, 90, 0),
}


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("name", TURNS)
def test_agrees_with_simpleitk(name, dtype):
    rng = np.random.default_rng(3)
    grid = grid_of()
    array = rng.integers(0, 1000, grid.shape_zyx).astype(dtype)
    to_grid = rigid(TURNS[name], (1.7, -2.3, 0.9))
    centre = np.linalg.inv(to_grid) @ np.append(grid.centre_mm, 1)
    plane = PlaneSampling(tuple(centre[:3] - [15.13, 15.17, 0]), (1, 0, 0), (0, 1, 0), (0.61, 0.47), (50, 64))
    values, inside = reslice(array, grid, to_grid, plane)
    truth = sitk_reslice(array.astype(np.float32), grid, to_grid, plane)
    known = truth > -9000
    assert np.array_equal(known, inside)
    both = known & inside
    assert both.mean() > 0.25
    assert np.abs(values - truth)[both].max() < 0.05  # of a noise that jumps by up to 1000 from voxel to voxel


@pytest.mark.parametrize("positions", [None, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("name", TURNS)
def test_a_linear_function_is_kept_between_even_and_uneven_planes(name, positions):
    grid = grid_of(turn("xyz", (10, 20, -5)), positions)
    array, f = linear(grid)
    axes = turn("xyz", TURNS[name]) @ grid.axes
    to_grid = rigid((4, -7, 11), (3, -5, 2))
    to_plane = np.linalg.inv(to_grid)
    axes = axes @ to_plane[:3, :3].T
    origin = to_plane[:3, :3] @ grid.centre_mm + to_plane[:3, 3] - 14 * axes[0] - 13 * axes[1] + 0.4 * axes[2]
    plane = plane_through(origin, axes, (0.7, 0.9), (40, 30))
    values, inside = reslice(array, grid, to_grid, plane)
    points = points_of(plane) @ to_grid[:3, :3].T + to_grid[:3, 3]
    index = grid.index_zyx(points)
    between_centres = np.all((index >= 0) & (index <= np.array(grid.shape_zyx) - 1), axis=-1)
    assert between_centres.mean() > 0.3
    assert inside[between_centres].all()
    assert np.abs(values - f(points))[between_centres].max() < 2e-3  # mm-sized values up to 150; float32


@pytest.mark.parametrize("across", [0, 1, 2])
def test_samples_at_voxel_centres_are_the_voxels(across):
    """A lattice laid on the voxel centres returns the array itself, to the bit, in each direction and turned round."""
    grid = grid_of(positions=UNEVEN)
    array = np.random.default_rng(1).integers(-1000, 3000, grid.shape_zyx).astype(np.int16)
    for k in (0, 3, 9):
        start = [0, 0, 0]
        start[2 - across] = k
        right, down = [axis for axis in (0, 1, 2) if axis != across]
        slice_ = np.moveaxis(array, 2 - across, 0)[k]
        made = cut(array, grid, EYE, tuple(grid.point_of_index_mm(start)), grid.axes[right], grid.axes[down])
        assert np.array_equal(made.values, slice_)
        turned = cut(array, grid, EYE, tuple(grid.point_of_index_mm(start)), -grid.axes[right], grid.axes[down])
        assert np.array_equal(turned.values, slice_[:, ::-1])
        swapped = cut(array, grid, EYE, tuple(grid.point_of_index_mm(start)), grid.axes[down], grid.axes[right])
        assert np.array_equal(swapped.values, slice_.T)
        assert np.all(np.diff(turned.x_mm) > 0)


def test_a_single_bright_voxel_lands_on_its_own_centre():
    grid = grid_of(spacing=(2.0, 3.0))
    array = np.zeros(grid.shape_zyx, np.int16)
    array[4, 5, 6] = 1000
    x, y, z = grid.point_of_index_mm([4, 5, 6])
    plane = PlaneSampling((x - 4, y - 6, z), (1, 0, 0), (0, 1, 0), (0.5, 0.5), (17, 25))
    values, _ = reslice(array, grid, EYE, plane)
    assert values[12, 8] == 1000
    assert np.unravel_index(values.argmax(), values.shape) == (12, 8)
    assert values[12, 6] == pytest.approx(500, abs=0.2)  # 1 mm of 2 mm to the neighbour
    assert values[9, 8] == pytest.approx(500, abs=0.2)  # 1.5 mm of 3 mm
    weights = values.sum() * 0.25
    assert weights == pytest.approx(1000 * 6.0, rel=2e-3)  # the area under the tent is one pixel of 2 x 3 mm


def test_the_volume_ends_half_a_voxel_beyond_its_centres():
    grid = grid_of(spacing=(2.0, 2.0), size=(4, 4), origin=(0.0, 0.0), positions=np.array([0.0, 1.0, 4.0]))
    array = np.full(grid.shape_zyx, 9, np.float32)
    line = PlaneSampling((-1.25, 1.0, 0.0), (1, 0, 0), (0, 1, 0), (0.5, 0.5), (18, 1))
    values, inside = reslice(array, grid, EYE, line)
    x = -1.25 + 0.5 * np.arange(18)
    assert np.array_equal(inside[0], (x >= -1) & (x <= 7))
    assert np.all(values[0][inside[0]] == 9)
    for z, expected in ((-0.6, False), (-0.4, True), (5.4, True), (5.6, False)):
        above = PlaneSampling((1.0, 1.0, z), (1, 0, 0), (0, 1, 0), (0.5, 0.5), (3, 3))
        assert reslice(array, grid, EYE, above)[1].all() == expected
        assert (value_at(array, grid, EYE, (1.0, 1.0, z)) is not None) == expected


@pytest.mark.parametrize("tilt", [0.0, 20.0], ids=["straight", "oblique"])
def test_planes_without_data_are_not_inside(tilt):
    grid = grid_of()
    array = np.full(grid.shape_zyx, 5, np.int16)
    present = np.ones(10, bool)
    present[4] = False
    axes = turn("x", 90 + tilt).T  # rows: right = x, down = along the stack
    plane = plane_through(grid.centre_mm - 8 * axes[0] - 16 * axes[1], axes, (0.5, 0.5), (32, 64))
    _, inside = reslice(array, grid, EYE, plane, present=present)
    _, whole = reslice(array, grid, EYE, plane)
    index = grid.index_zyx(points_of(plane))[..., 0]
    touches = (index > 3 + 1e-5) & (index < 5 - 1e-5)
    assert touches.any()
    assert not inside[touches].any()
    clear = (index < 3 - 1e-5) | (index > 5 + 1e-5)
    assert np.array_equal(inside[clear], whole[clear])


def test_a_smaller_picture_averages_the_voxels_under_a_step():
    """A checkerboard of single voxels, shown at four voxels to the sample, is even grey; sampled at points it is noise."""
    grid = grid_of(spacing=(1.0, 1.0), size=(64, 64), origin=(0.0, 0.0))
    array = np.zeros(grid.shape_zyx, np.int16)
    array[:, ::2, ::2] = array[:, 1::2, 1::2] = 1000
    plane = PlaneSampling((1.5, 1.5, 0.0), (1, 0, 0), (0, 1, 0), (4.0, 4.0), (15, 15))
    smooth, inside = reslice(array, grid, EYE, plane, smooth=True)
    assert inside.all()
    assert np.abs(smooth - 500).max() < 1e-2


def test_smoothing_does_not_move_the_picture():
    grid = grid_of(spacing=(1.0, 1.0), size=(64, 64), origin=(0.0, 0.0))
    array, f = linear(grid)
    plane = PlaneSampling((6.3, 7.1, 0.0), (1, 0, 0), (0, 1, 0), (3.3, 4.1), (12, 11))
    values, inside = reslice(array, grid, EYE, plane, smooth=True)
    assert inside.all()
    assert np.abs(values - f(points_of(plane))).max() < 2e-3


def test_an_oblique_cut_is_as_wide_as_the_volume_and_right_at_its_samples():
    grid = grid_of(positions=UNEVEN)
    array, f = linear(grid)
    axes = turn("xyz", (25, -18, 35))
    made = cut(array, grid, EYE, tuple(grid.centre_mm), axes[0], axes[1])
    points = (
        made.x_mm[None, :, None] * axes[0] + made.y_mm[:, None, None] * axes[1] + (grid.centre_mm @ axes[2]) * axes[2]
    )
    index = grid.index_zyx(points)
    between = np.all((index >= 0) & (index <= np.array(grid.shape_zyx) - 1), axis=-1)
    assert between.mean() > 0.2
    assert made.inside[between].all()
    assert np.abs(made.values - f(points))[between].max() < 2e-3
    outside = grid.index_zyx(points)
    far = np.any((outside < -0.51) | (outside > np.array(grid.shape_zyx) - 0.49), axis=-1) & (
        (points @ grid.axes[2] < UNEVEN[0] - 1.6) | (points @ grid.axes[2] > UNEVEN[-1] + 2.8)
    )
    assert not made.inside[far].any()


def test_a_plane_beside_the_volume_has_no_cut():
    grid = grid_of()
    array = np.zeros(grid.shape_zyx, np.int16)
    assert cut(array, grid, EYE, (0, 0, 100.0), (1, 0, 0), (0, 1, 0)) is None
    tilted = turn("x", 20)
    assert cut(array, grid, EYE, (0, 0, 500.0), tilted[0], tilted[1]) is None
    assert not reslice(array, grid, EYE, PlaneSampling((0, 0, 100.0), (1, 0, 0), (0, 1, 0), (1, 1), (4, 4)))[1].any()


def test_the_value_at_a_point():
    grid = grid_of(positions=UNEVEN)
    array, f = linear(grid)
    point = grid.point_of_index_mm([4.3, 5.2, 6.7])
    assert value_at(array, grid, EYE, point) == pytest.approx(f(point), abs=1e-3)
    assert value_at(array, grid, EYE, point, nearest=True) == array[4, 5, 7]
    assert value_at(array, grid, EYE, point, present=np.arange(10) != 5) is None
    assert value_at(array, grid, EYE, (500.0, 0.0, 0.0)) is None
    shifted = rigid((0, 0, 0), (10, 0, 0))
    assert value_at(array, grid, shifted, point - [10, 0, 0]) == pytest.approx(f(point), abs=1e-3)


def test_a_grid_of_one_plane():
    grid = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (8, 8), np.array([5.0]), "frame", thickness_mm=6.0)
    array = np.arange(64, dtype=np.int16).reshape(1, 8, 8)
    flat = PlaneSampling((0, 0, 7.9), (1, 0, 0), (0, 1, 0), (1, 1), (8, 8))
    assert np.array_equal(reslice(array, grid, EYE, flat)[0], array[0])
    assert not reslice(array, grid, EYE, PlaneSampling((0, 0, 8.1), (1, 0, 0), (0, 1, 0), (1, 1), (8, 8)))[1].any()
    tilted = turn("x", 15).T
    values, inside = reslice(array, grid, EYE, plane_through((0, 0, 4.0), tilted, (1, 1), (8, 8)))
    assert inside.any()
    assert values[inside].max() <= 63
