"""A new base image: the crosshair stays on the same anatomy, whatever frame of reference the image has."""

from __future__ import annotations

import numpy as np
import pytest

from reviewer.case import Case, Image, Registration
from reviewer.geometry.grid import Grid
from reviewer.scene import Camera
from reviewer.session import Session


def image(name: str, frame: str, first=(0.0, 0.0, 0.0)) -> Image:
    x, y, z = first
    grid = Grid.from_directions(
        (1, 0, 0), (0, 1, 0), [(x, y, z), (x, y, z + 3), (x, y, z + 6)], (2.0, 2.0), (5, 5), frame
    )
    return Image(name, "MR", name, grid, np.zeros((3, 5, 5), np.int16))


def registration() -> Registration:
    """A turn of 90° about z and a shift of 10, 20, 30 mm: (x, y, z) of `a` is (10 - y, 20 + x, 30 + z) of `b`."""
    matrix = np.array([[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]], float)
    return Registration("r", "REG", "a", "b", matrix)


def test_the_crosshair_follows_the_registration_there_and_back():
    session = Session(Case(images=(image("A", "a"), image("B", "b")), registrations=(registration(),)))
    session.look(point_mm=(1.0, 2.0, 3.0), cameras={"axial": Camera(1.0, (5.0, 5.0))})
    session.look(base="B")
    assert session.view.point_mm == pytest.approx((8.0, 21.0, 33.0))
    assert not session.view.cameras
    session.look(base="A")
    assert session.view.point_mm == pytest.approx((1.0, 2.0, 3.0))


def test_without_a_registration_the_crosshair_goes_to_the_middle_of_the_image():
    session = Session(Case(images=(image("A", "a"), image("B", "b", (100.0, 0.0, 0.0)))))
    session.look(base="B")
    assert session.view.point_mm == pytest.approx((104.0, 4.0, 3.0))


def test_a_point_that_is_asked_for_is_taken():
    session = Session(Case(images=(image("A", "a"), image("B", "b")), registrations=(registration(),)))
    session.look(base="B", point_mm=(0.0, 1.0, 2.0))
    assert session.view.point_mm == (0.0, 1.0, 2.0)
