"""Rings to regions: the even-odd rule, whatever the rings look like."""

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from reviewer.errors import GeometryError
from reviewer.geometry.region import region_of_rings, regions_of_rings, rings_of


def square(x0, y0, x1, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


@njit(cache=True)
def even_odd_area(points, starts, lines, y0, y1):
    """Second implementation: midpoint rule over scan lines of the total length between odd and even crossings."""
    area = 0.0
    crossings = np.empty(len(points))
    for i in range(lines):
        y = y0 + (i + 0.5) / lines * (y1 - y0)
        n = 0
        for r in range(len(starts) - 1):
            for k in range(starts[r], starts[r + 1]):
                m = k + 1 if k + 1 < starts[r + 1] else starts[r]
                if (points[k, 1] > y) != (points[m, 1] > y):
                    f = (y - points[k, 1]) / (points[m, 1] - points[k, 1])
                    crossings[n] = points[k, 0] + f * (points[m, 0] - points[k, 0])
                    n += 1
        ordered = np.sort(crossings[:n])
        for k in range(0, n - 1, 2):
            area += ordered[k + 1] - ordered[k]
    return area * (y1 - y0) / lines


def scanned(rings):
    points = np.concatenate(rings)
    starts = np.concatenate([[0], np.cumsum([len(r) for r in rings])])
    return even_odd_area(points, starts, 20000, points[:, 1].min() - 1e-3, points[:, 1].max() + 1e-3)


def test_a_simple_ring_in_either_direction_and_closed_or_not():
    ring = square(0, 0, 4, 3)
    for variant in (ring, ring[::-1], np.concatenate([ring, ring[:1]])):
        region = region_of_rings([variant])
        assert region.area == 12
        assert len(rings_of(region)[0]) == 4


def test_hole_and_island_in_any_order():
    rings = [square(0, 0, 10, 10), square(2, 2, 8, 8), square(4, 4, 6, 6)]
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        region = region_of_rings([rings[i] for i in order])
        assert region.is_valid
        assert region.area == pytest.approx(100 - 36 + 4)
        assert len(rings_of(region)) == 3


def test_overlapping_rings_cancel_where_they_overlap():
    region = region_of_rings([square(0, 0, 4, 4), square(2, 0, 6, 4)])
    assert region.is_valid
    assert region.area == pytest.approx(16)


def test_the_channel_of_a_keyhole_vanishes():
    keyhole = np.array(
        [(0, 0), (10, 0), (10, 10), (0, 10), (0, 5), (3, 5), (3, 3), (7, 3), (7, 7), (3, 7), (3, 5), (0, 5)], float
    )
    region = region_of_rings([keyhole])
    assert region.is_valid
    assert region.geom_type == "Polygon"
    assert len(region.interiors) == 1
    assert region.area == pytest.approx(100 - 16)
    assert region.exterior.length == pytest.approx(40)


def test_a_keyhole_whose_way_back_has_other_vertices():
    keyhole = np.array(
        [(0, 0), (10, 0), (10, 10), (0, 10), (0, 5), (2, 5), (3, 5), (3, 3), (7, 3), (7, 7), (3, 7), (3, 5), (0, 5)],
        float,
    )
    region = region_of_rings([keyhole])
    assert region.area == pytest.approx(84)
    assert len(region.interiors) == 1


def test_a_channel_between_islands_vanishes():
    dumbbell = np.array(
        [(0, 0), (2, 0), (2, 1), (5, 1), (5, 0), (7, 0), (7, 2), (5, 2), (5, 1), (2, 1), (2, 2), (0, 2)], float
    )
    region = region_of_rings([dumbbell])
    assert region.geom_type == "MultiPolygon"
    assert region.area == pytest.approx(8)


def test_a_figure_of_eight_keeps_both_loops():
    region = region_of_rings([np.array([(0, 0), (4, 4), (4, 0), (0, 4)], float)])
    assert region.is_valid
    assert region.area == pytest.approx(8)


def test_a_pentagram_has_a_hollow_middle():
    angle = np.deg2rad(90 + 144 * np.arange(5))
    star = 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    region = region_of_rings([star])
    assert region.is_valid
    assert not region.contains(shapely.Point(0, 0))
    inner = 10 * np.cos(np.deg2rad(72)) / np.cos(np.deg2rad(36))
    assert region.area == pytest.approx(
        5 * 0.5 * 2 * inner * np.sin(np.deg2rad(36)) * (10 - inner * np.cos(np.deg2rad(36)))
    )


@pytest.mark.parametrize(
    "rings",
    [
        [],
        [np.empty((0, 2))],
        [np.array([(1.0, 1.0)])],
        [np.array([(1.0, 1.0), (2.0, 2.0)])],
        [np.array([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (5.0, 5.0)])],
        [np.array([(3.0, 3.0)] * 6)],
        [np.array([(0.0, 0.0), (5.0, 0.0), (0.0, 0.0), (5.0, 0.0)])],
        [square(0, 0, 1, 1), square(0, 0, 1, 1)],
    ],
)
def test_nothing_with_area_is_none(rings):
    assert region_of_rings(rings) is None


def test_repeated_points_and_spikes():
    ring = np.array([(0, 0), (4, 0), (4, 0), (4, 2), (9, 2), (4, 2), (4, 4), (0, 4), (0, 4)], float)
    region = region_of_rings([ring])
    assert region.is_valid
    assert region.area == pytest.approx(16)
    assert region.bounds == (0, 0, 4, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_coordinates_that_are_no_numbers_are_refused(bad):
    ring = square(0, 0, 4, 4)
    ring[2, 1] = bad
    with pytest.raises(GeometryError, match="finite"):
        region_of_rings([ring])


def test_points_with_three_coordinates_are_refused():
    with pytest.raises(GeometryError, match="shape"):
        region_of_rings([np.zeros((4, 3))])


coordinate = st.floats(-50, 50, allow_nan=False).map(lambda x: round(x, 2))
wild_ring = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=14).map(lambda p: np.array(p, float))


@settings(max_examples=150)
@given(st.lists(wild_ring, min_size=1, max_size=4))
def test_any_rings_give_a_valid_region_of_the_even_odd_area(rings):
    region = region_of_rings(rings)
    expected = scanned(rings)
    assert (region is None) or region.is_valid
    assert (0.0 if region is None else region.area) == pytest.approx(expected, rel=2e-3, abs=0.1)


# GEOS gives the symmetric difference of these two as an outline that crosses itself, of the right area
NEARLY_THE_SAME = [
    np.array([(23.29, 18.75), (-22.25, 12.58), (13, 0), (1, 50), (40, 0), (20.15, 24.48), (39.03, 0.75), (21, -3), (-17.75, 0), (1, 50), (0, 23.29)]),
    np.array([(23.29, 18.75), (-22.25, 12.58), (13, 0), (1, 50), (40, 0), (21, -3), (-17.75, 0), (23.29, -2.5), (0, 23.29)]),
]  # fmt: skip


@settings(max_examples=100)
@given(st.lists(wild_ring, min_size=1, max_size=4))
@example(NEARLY_THE_SAME)
def test_rings_of_and_back_is_the_same_region(rings):
    region = region_of_rings(rings)
    if region is not None:
        again = region_of_rings(rings_of(region))
        assert again.is_valid
        assert again.symmetric_difference(region).area == pytest.approx(0, abs=1e-6)


def test_regions_of_several_planes_at_once():
    """A plane of a square; one of nothing; one of a square with a hole and an island; one whose ring crosses itself; one of no area."""
    large, hole, island, small = (
        square(0, 0, 4, 4),
        square(1, 1, 2, 2)[::-1],
        square(9, 9, 13, 13),
        square(0, 0, 4e-4, 4e-4),
    )
    bow = np.array([(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0)])
    planes = [[large], [], [large, hole, island], [bow], [small]]
    rings = [ring for plane in planes for ring in plane]
    found = regions_of_rings(
        np.concatenate(rings),
        np.cumsum([0, *map(len, rings)]),
        np.cumsum([0, *map(len, planes)]),
    )
    areas = [None if region is None else region.area for region in found]
    assert areas == [16.0, None, 31.0, 2.0, None]
    assert found[2].covers(shapely.Point(11, 11))
    assert not found[2].covers(shapely.Point(1.5, 1.5))
    assert len(found[3].geoms) == 2
