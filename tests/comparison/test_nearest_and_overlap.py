"""Distances from triangles against brute force, areas in common against shapely, the surface against its solid."""

import math

import numpy as np
import pytest
from phantoms import circle, planes_grid, rectangle, sphere, stack
from shapely import Point, Polygon, affinity, box

from reviewer.comparison.nearest import Tree
from reviewer.comparison.overlap import common_mm2
from reviewer.comparison.surface import drawn, surface
from reviewer.errors import GeometryError
from reviewer.geometry.edges import segments_of
from reviewer.geometry.solid import solid


def sampled(corners: np.ndarray, steps: int = 60) -> np.ndarray:
    """Points spread over triangles (m, 3, 3)."""
    s, t = (p.ravel() for p in np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps)))
    s, t = s[s + t <= 1], t[s + t <= 1]
    a, b, c = corners[:, :1], corners[:, 1:2], corners[:, 2:]
    return (a + s[:, None] * (b - a) + t[:, None] * (c - a)).reshape(-1, 3)


@pytest.mark.parametrize("kind", ["triangles", "segments", "points", "one"])
def test_nearest_is_the_nearest(kind: str) -> None:
    chance = np.random.default_rng(5)
    corners = chance.uniform(-20, 20, (40, 1, 3)) + chance.uniform(-3, 3, (40, 3, 3))
    if kind == "segments":
        corners[:, 2] = corners[:, 1]
    elif kind == "points":
        corners[:, 1] = corners[:, 2] = corners[:, 0]
    elif kind == "one":
        corners = corners[:1]
    tree = Tree.of(corners.reshape(-1, 3), np.arange(corners.size // 3).reshape(-1, 3))
    points = chance.uniform(-40, 40, (200, 3))
    cloud = sampled(corners)
    expected = np.array([np.linalg.norm(cloud - p, axis=1).min() for p in points])
    found = tree.distances(points)
    assert np.all(found <= expected + 1e-9), "no sample lies nearer than the triangles themselves"
    np.testing.assert_allclose(found, expected, atol=0.15)  # the samples lie 0.1 mm apart
    np.testing.assert_allclose(tree.distances(corners.reshape(-1, 3)), 0, atol=1e-9)


def test_nothing_is_near_nothing() -> None:
    with pytest.raises(GeometryError, match="too small"):
        Tree.of(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))


def area_in_common(a, b) -> float:
    edges, starts = segments_of([a, b])
    return common_mm2(edges[: starts[1]], edges[starts[1] :])


@pytest.mark.parametrize("seed", range(12))
def test_common_area_is_shapelys(seed: int) -> None:
    chance = np.random.default_rng(seed)

    def blob():
        angle = np.sort(chance.uniform(0, 2 * math.pi, 40))
        radius = chance.uniform(5, 20, 40)
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + chance.uniform(-8, 8, 2)
        return Polygon(ring).buffer(0).difference(Point(*chance.uniform(-5, 5, 2)).buffer(3))

    a, b = blob(), blob().union(box(30, -5, 34, 5))
    assert area_in_common(a, b) == pytest.approx(a.intersection(b).area, rel=1e-9)


def test_common_area_of_borders_that_coincide() -> None:
    square = box(0, 0, 10, 10)
    assert area_in_common(square, square) == pytest.approx(100, rel=1e-12)
    assert area_in_common(square, box(10, 0, 20, 10)) == 0
    assert area_in_common(square, box(5, 0, 15, 10)) == pytest.approx(50, rel=1e-12)
    assert area_in_common(square, affinity.rotate(square, 45)) == pytest.approx(200 * (math.sqrt(2) - 1), rel=1e-12)


@pytest.mark.parametrize("spacing", [1.0, 3.0, 5.0])
def test_surface_of_a_sphere(spacing: float) -> None:
    body = surface(solid(sphere(planes_grid(np.arange(-12, 13) * spacing + 0.3), 12.0)))
    away = np.linalg.norm(body.vertices_mm, axis=1) - 12
    assert np.abs(away).max() < 0.06
    assert body.areas_mm2.sum() == pytest.approx(4 * math.pi * 144, rel=0.005)


@pytest.mark.parametrize("spacing", [2.0, 5.0])
def test_surface_of_a_box_and_of_its_hole(spacing: float) -> None:
    """One vertex in each cell cuts edges off, by a cell of 0.5 mm to both sides at the most: along each edge (2 - sqrt 2) cells are lacking."""
    half = 2.5 * spacing
    grid = planes_grid(np.arange(-4, 5) * spacing)

    def rings(w):
        return [rectangle(-12, -10, 12, 10), rectangle(-3, -3, 3, 3)] if abs(w) < half else None

    body = surface(solid(stack(grid, rings)))
    exact = 2 * (24 * 20 - 36) + 2 * half * (88 + 24)
    edges = 2 * (88 + 24) + 8 * 2 * half
    assert exact - (2 - math.sqrt(2)) * body.cell_mm * edges <= body.areas_mm2.sum() <= exact * (1 + 1e-9)
    assert np.abs(body.vertices_mm[:, 2]).max() == pytest.approx(half, abs=1e-6)
    np.testing.assert_allclose(np.abs(body.vertices_mm[:, :2]).max(axis=0), (12, 10), atol=0.05)


@pytest.mark.parametrize(("low", "high"), [(-6.0, 2.0), (-40.0, 0.0), (8.0, 40.0)])
def test_a_part_of_a_surface_is_that_of_the_whole(low: float, high: float) -> None:
    body = solid(sphere(planes_grid(np.arange(-12, 13) * 2.0), 20.0))
    whole, part = drawn(body, 2.0), drawn(body, 2.0, low, high)
    chosen = [(s.vertices_mm[:, 2] >= low) & (s.vertices_mm[:, 2] <= high) for s in (whole, part)]
    assert len(part.vertices_mm) < len(whole.vertices_mm)
    np.testing.assert_array_equal(part.vertices_mm[chosen[1]], whole.vertices_mm[chosen[0]])
    np.testing.assert_allclose(part.areas_mm2[chosen[1]], whole.areas_mm2[chosen[0]], rtol=1e-12)


def test_surface_is_closed() -> None:
    """Every side of a triangle belongs to an even number of them, where two parts merge into one and across a gap of planes."""
    grid = planes_grid(np.arange(-8, 9) * 3.0)

    def rings(w):
        if abs(w - 9) < 2:
            return None
        return [circle(9.0, (-w / 2 - 6, 0)), circle(7.0, (w / 2 + 12, 0))] if w < 6 else [circle(14.0)]

    body = surface(solid(stack(grid, rings)))
    sides = np.sort(body.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, uses = np.unique(sides, axis=0, return_counts=True)
    assert np.all(uses % 2 == 0)
