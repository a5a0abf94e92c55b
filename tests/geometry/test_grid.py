"""Coordinates: every conversion has an inverse, and known corners land where DICOM says."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reviewer.errors import GeometryError
from reviewer.geometry.grid import Grid, orientation_letters


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """Rotation about x, then y, then z."""
    transform = sitk.Euler3DTransform()
    transform.SetComputeZYX(True)
    transform.SetRotation(*np.radians([x_deg, y_deg, z_deg]))
    return np.array(transform.GetMatrix()).reshape(3, 3)


def oblique_grid() -> Grid:
    turn = rotation(25, -18, 35)
    row, column, normal = turn[:, 0], turn[:, 1], turn[:, 2]
    firsts = np.array([-31.0, 12.0, 77.0]) + np.outer([0.0, 2.5, 5.0, 12.0], normal)
    return Grid.from_directions(row, column, firsts, (0.9, 1.4), (7, 5), "1.2.3")


def test_first_voxel_and_its_neighbours_lie_where_dicom_puts_them() -> None:
    """PS3.3 equation C.7.6.2.1-1: P = S + row * dx * i + column * dy * j."""
    grid = oblique_grid()
    turn = rotation(25, -18, 35)
    start = np.array([-31.0, 12.0, 77.0])
    np.testing.assert_allclose(grid.point_of_index_mm([0, 0, 0]), start, atol=1e-9)
    np.testing.assert_allclose(grid.point_of_index_mm([0, 0, 3]), start + 3 * 0.9 * turn[:, 0], atol=1e-9)
    np.testing.assert_allclose(grid.point_of_index_mm([0, 2, 0]), start + 2 * 1.4 * turn[:, 1], atol=1e-9)
    np.testing.assert_allclose(grid.point_of_index_mm([3, 0, 0]), start + 12 * turn[:, 2], atol=1e-9)


def test_uniform_grid_agrees_with_simpleitk() -> None:
    turn = rotation(25, -18, 35)
    image = sitk.Image(6, 5, 4, sitk.sitkUInt8)
    image.SetDirection(turn.ravel())
    image.SetOrigin((10.0, -20.0, 30.0))
    image.SetSpacing((0.9, 1.4, 3.0))
    firsts = np.array([image.TransformIndexToPhysicalPoint((0, 0, k)) for k in range(4)])
    grid = Grid.from_directions(turn[:, 0], turn[:, 1], firsts, (0.9, 1.4), (6, 5), "1")
    for z, y, x in [(0, 0, 0), (3, 4, 5), (1, 2, 3)]:
        expected = image.TransformIndexToPhysicalPoint((x, y, z))
        np.testing.assert_allclose(grid.point_of_index_mm([z, y, x]), expected, atol=1e-9)
        np.testing.assert_allclose(grid.index_zyx(expected), [z, y, x], atol=1e-9)


@given(hnp.arrays(np.float64, (6, 3), elements=st.floats(-300, 300)))
def test_index_and_point_are_inverse_on_an_uneven_oblique_grid(points: np.ndarray) -> None:
    grid = oblique_grid()
    np.testing.assert_allclose(grid.point_of_index_mm(grid.index_zyx(points)), points, atol=1e-6)
    np.testing.assert_allclose(grid.point_mm(grid.uvw_mm(points)), points, atol=1e-9)


def test_uneven_planes_keep_their_positions_and_slabs_meet_midway() -> None:
    grid = Grid(np.eye(3), (0, 0), (1, 1), (2, 2), np.array([0.0, 2.0, 4.0, 10.0]), "1")
    assert not grid.uniform
    assert grid.spacing_w_mm == 2.0
    np.testing.assert_allclose(grid.slab_borders_mm, [-1, 1, 3, 7, 13])
    assert grid.plane_index(7.0) == pytest.approx(2.5)
    assert grid.nearest_plane(6.9) == 2
    assert grid.nearest_plane(7.1) == 3


def test_single_plane_has_a_slab_of_its_thickness() -> None:
    grid = Grid(np.eye(3), (0, 0), (1, 1), (2, 2), np.array([5.0]), "1", thickness_mm=4.0)
    np.testing.assert_allclose(grid.slab_borders_mm, [3, 7])
    assert grid.spacing_w_mm == 4.0
    assert grid.plane_index(7.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions_mm": np.array([0.0, 0.0])}, "increasing"),
        ({"positions_mm": np.array([])}, "at least one plane"),
        ({"positions_mm": np.array([0.0, np.nan])}, "finite"),
        ({"axes": np.diag([1.0, 1.0, -1.0])}, "left-handed"),
        ({"axes": np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.0]])}, "orthonormal"),
        ({"spacing_uv_mm": (0.0, 1.0)}, "positive"),
        ({"size_uv": (0, 4)}, "empty"),
    ],
)
def test_impossible_grids_are_refused(change: dict, message: str) -> None:
    good = {
        "axes": np.eye(3),
        "origin_uv_mm": (0.0, 0.0),
        "spacing_uv_mm": (1.0, 1.0),
        "size_uv": (4, 4),
        "positions_mm": np.array([0.0, 1.0]),
        "frame_of_reference_uid": "1",
    }
    with pytest.raises(GeometryError, match=message):
        Grid(**(good | change))


def test_sheared_stack_is_refused() -> None:
    firsts = [(0, 0, 0), (0, 1.0, 3), (0, 2.0, 6)]
    with pytest.raises(GeometryError, match=r"shifted against each other by 2\.00 mm"):
        Grid.from_directions((1, 0, 0), (0, 1, 0), firsts, (1, 1), (4, 4), "1")


@pytest.mark.parametrize(
    ("direction", "letters"),
    [((1, 0, 0), "L"), ((-1, 0, 0), "R"), ((0, 1, 0), "P"), ((0, -1, 0), "A"), ((0, 0, 1), "H"), ((0, 0, -1), "F"),
     ((0.8, 0.6, 0.01), "LP"), ((0.1, -0.995, 0), "A")],
)  # fmt: skip
def test_letters(direction: tuple[float, float, float], letters: str) -> None:
    assert orientation_letters(direction) == letters
