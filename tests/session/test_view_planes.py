"""Radiological convention on every orientation that images come in: the viewer looks from the feet, the patient's left is on the right."""

import numpy as np
import pytest

from reviewer.geometry.grid import Grid, orientation_letters
from reviewer.scene import view_planes

ROWS_AND_COLUMNS = {
    "axial, head first supine": ((1, 0, 0), (0, 1, 0)),
    "axial, feet first supine as written by a dose engine": ((-1, 0, 0), (0, 1, 0)),
    "axial, prone": ((-1, 0, 0), (0, -1, 0)),
    "decubitus": ((0, 1, 0), (-1, 0, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique, 20 degrees": ((np.cos(0.35), np.sin(0.35), 0), (-np.sin(0.35), np.cos(0.35), 0)),
}


@pytest.mark.parametrize("name", ROWS_AND_COLUMNS)
def test_letters_on_the_screen(name: str) -> None:
    row, column = ROWS_AND_COLUMNS[name]
    normal = np.cross(row, column)
    grid = Grid.from_directions(row, column, np.outer([0, 3, 6], normal), (1, 1), (8, 8), "1")
    planes = view_planes(grid)
    shown = {o: (orientation_letters(p.right)[0], orientation_letters(p.down)[0]) for o, p in planes.items()}
    assert shown == {"axial": ("L", "P"), "sagittal": ("P", "F"), "coronal": ("L", "F")}
    for plane in planes.values():
        assert abs(np.dot(plane.right, plane.down)) < 1e-9
        assert max(abs(np.dot(plane.normal, plane.right)), abs(np.dot(plane.normal, plane.down))) < 1e-9
        assert any(np.allclose(np.abs(grid.axes @ plane.normal), unit) for unit in np.eye(3)), (
            "along the grid's own axes"
        )


def test_normals_point_to_left_posterior_and_head() -> None:
    grid = Grid.from_directions((-1, 0, 0), (0, 1, 0), [(0, 0, 0), (0, 0, -3)], (1, 1), (8, 8), "1")
    planes = view_planes(grid)
    assert [orientation_letters(planes[o].normal) for o in ("axial", "sagittal", "coronal")] == ["H", "L", "P"]
