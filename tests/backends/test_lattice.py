"""Places of a lattice, and what lies there: turned axes, by hand."""

import numpy as np

from reviewer.backends.contract import Lattice

TURNED = Lattice(
    (2, 3, 4), (1.0, 2.0, 5.0), np.array([10.0, 20.0, 30.0]), np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
)
"""x index along +y, y index along -x."""


def test_places_of_turned_axes():
    points = TURNED.points_mm()
    assert points.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(points[0, 0, 0], [10, 20, 30])
    np.testing.assert_allclose(points[1, 2, 3], [10 - 2 * 2, 20 + 3 * 1, 30 + 5])


def test_a_point_has_the_value_of_its_voxel_and_0_beyond():
    volume = np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(TURNED.nearest(volume, TURNED.points_mm()), volume)
    near = np.array([[6.9, 23.4, 32.6], [6.9, 23.6, 32.6], [6.9, 23.4, 37.4], [6.9, 23.4, 37.6]])
    np.testing.assert_array_equal(TURNED.nearest(volume, near), [24, 0, 24, 0])
    assert TURNED.nearest(volume > 3, near).dtype == np.bool_
