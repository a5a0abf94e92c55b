"""Operations on regions alone: islands, holes, outlines, whole slices, cropping."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, rectangle, sphere, stack
from shapely import Polygon, affinity, box

from reviewer.edit.operations.crop import crop
from reviewer.edit.operations.outline import clean, cleaned, grow, simplified, simplify, smooth, smoothed
from reviewer.edit.operations.parts import (
    connected,
    delete_islands,
    fill_holes,
    keep_largest,
    keep_largest_solid,
)
from reviewer.edit.operations.slices import clear, copy
from reviewer.errors import GeometryError, InputError

GRID = planes_grid(3.0 * np.arange(-5, 6))
ISLANDS = {
    4: shapely.union_all([box(0, 0, 10, 10), box(20, 0, 24, 4), box(30, 0, 31, 1)]),
    5: shapely.union_all(
        [box(0, 0, 10, 10).difference(box(2, 2, 4, 4)).difference(box(6, 6, 7, 7)), box(20, 0, 24, 4)]
    ),
    6: shapely.union_all([box(40, 0, 50, 12)]),
}
BODY = replace(stack(GRID, lambda w: None, "body"), planes=ISLANDS)


def areas(changes):
    return {k: None if r is None else pytest.approx(r.area) for k, r in changes.items()}


@st.composite
def regions(draw):
    """Star-shaped islands, some overlapping, some with a hole: ragged, but valid."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        radii = draw(st.lists(st.floats(2.0, 20.0), min_size=5, max_size=40))
        angle = 2 * math.pi * np.arange(len(radii)) / len(radii)
        centre = draw(st.tuples(st.floats(-40, 40), st.floats(-40, 40)))
        star = np.column_stack([np.cos(angle), np.sin(angle)]) * np.array(radii)[:, None]
        part = Polygon(star + centre)
        if draw(st.booleans()):
            part = part.difference(affinity.scale(Polygon(star + centre), 0.4, 0.4, origin=centre))
        parts.append(part)
    return shapely.union_all(parts)


def sound(region):
    return region is None or (
        region.is_valid and not region.is_empty and region.geom_type in ("Polygon", "MultiPolygon")
    )


# -- islands and holes ----------------------------------------------------------------------------------------------------


def test_the_largest_islands_stay():
    assert areas(keep_largest(BODY)) == {4: 100, 5: 95}
    assert areas(keep_largest(BODY, 2)) == {4: 116}
    assert areas(keep_largest(BODY, planes=[5, 6])) == {5: 95}


def test_islands_below_an_area_go_and_take_the_slice_with_them():
    assert areas(delete_islands(BODY, 16.5)) == {4: 100, 5: 95}
    assert areas(delete_islands(BODY, 2.0)) == {4: 116}
    assert delete_islands(BODY, 110.0) == {4: None, 5: None}


def test_the_largest_body_is_the_one_with_the_largest_volume():
    """Slices of 100 + 95 mm2 beat the single one of 120 mm2, which is the largest of all slices. On uneven ones four of 100 mm2, 1 mm apart, are
    less than two of 81 mm2 that stand for 10 mm each."""
    assert areas(keep_largest_solid(BODY)) == {4: 100, 5: 95, 6: None}
    assert keep_largest_solid(sphere(GRID, 10.0)) == {}
    flat, tall = box(-20, -20, -10, -10), box(0, 0, 9, 9)
    uneven = planes_grid(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 14.0, 24.0]))
    bodies = replace(stack(uneven, lambda w: None), planes={**dict.fromkeys(range(4), flat), 5: tall, 6: tall})
    assert areas(keep_largest_solid(bodies)) == dict.fromkeys(range(4))


def test_parts_hang_together_over_a_chain_of_overlaps():
    """A U: two legs that only meet at the bottom; beside it a separate column."""
    legs = [box(0, 0, 4, 4), box(10, 0, 14, 4)]
    groups = connected(
        {1: [box(0, 0, 14, 4)], 2: legs, 3: [*legs, box(30, 0, 31, 1)], 4: [box(30, 0, 31, 1)], 6: legs[:1]}
    )
    assert sorted(sum(len(p) for p in g.values()) for g in groups) == [1, 2, 5]


def test_holes_are_filled_all_or_below_an_area():
    assert areas(fill_holes(BODY)) == {5: 116}
    assert areas(fill_holes(BODY, 2.0)) == {5: 112}
    assert fill_holes(BODY, 0.5) == {}


def test_an_island_in_a_filled_hole_is_taken_in():
    ring = box(0, 0, 20, 20).difference(box(5, 5, 15, 15))
    body = replace(BODY, planes={5: shapely.union(ring, box(8, 8, 12, 12))})
    (filled,) = fill_holes(body).values()
    assert filled.equals(box(0, 0, 20, 20))
    hollow = replace(body, planes={5: body.planes[5].difference(box(9, 9, 11, 11))})  # the island has a hole itself
    (filled,) = fill_holes(hollow).values()
    assert filled.equals(box(0, 0, 20, 20))


# -- outlines -------------------------------------------------------------------------------------------------------------


def test_a_circle_stays_a_circle_however_often_it_is_smoothed():
    region = Polygon(circle(12.0, (3, 4), 90))
    first = region
    for _ in range(20):
        region = smoothed(region, 3.0)
    assert region.area == pytest.approx(first.area, rel=0.002)
    away = np.hypot(*(shapely.get_coordinates(region) - (3, 4)).T)
    assert away == pytest.approx(12.0, abs=0.05)


def test_smoothing_takes_the_noise_and_leaves_the_area():
    """A circle of 20 mm with a ripple of 1 mm, 5 mm long: the ripple all but vanishes at 3 mm, the area within 0.5 %."""
    angle = np.linspace(0, 2 * math.pi, 400, endpoint=False)
    radius = 20 + np.cos(25 * angle)
    rippled = Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    plain = smoothed(rippled, 3.0)
    away = np.hypot(*shapely.get_coordinates(plain).T)
    assert np.ptp(away) < 0.1
    assert plain.area == pytest.approx(rippled.area, rel=0.005)


def test_smoothing_attenuates_a_long_wave_as_a_gaussian_does():
    """A wave of amplitude 0.2 mm and length 2 pi 40 / 10 mm on a circle of 40 mm, averaged over 3 mm, keeps about exp(-(10 * 3 / 40)^2 / 2)."""
    angle = np.linspace(0, 2 * math.pi, 2000, endpoint=False)
    radius = 40 + 0.2 * np.cos(10 * angle)
    plain = smoothed(Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])), 3.0)
    u, v = shapely.get_coordinates(plain)[:-1].T
    around = np.argsort(np.arctan2(v, u))
    even = np.interp(angle - math.pi, np.arctan2(v, u)[around], np.hypot(u, v)[around], period=2 * math.pi)
    wave = 2 * abs(np.mean(even * np.exp(-10j * angle)))
    assert wave == pytest.approx(0.2 * math.exp(-((10 * 3 / 40) ** 2) / 2), abs=0.01)


@settings(max_examples=40)
@given(regions(), st.floats(0.2, 8.0))
def test_smoothing_is_valid_and_keeps_single_outlines_at_their_area(region, mm):
    found = smoothed(region, mm)
    assert sound(found)
    if region.geom_type == "Polygon" and not region.interiors:
        assert found.area == pytest.approx(region.area, rel=0.005)


@settings(max_examples=60)
@given(regions(), st.floats(0.05, 4.0))
def test_simplifying_stays_within_its_tolerance_both_ways(region, tolerance):
    simple = simplified(region, tolerance)
    assert sound(simple)
    assert len(shapely.get_coordinates(simple)) <= len(shapely.get_coordinates(region))
    for a, b in ((region.boundary, simple.boundary), (simple.boundary, region.boundary)):
        points = shapely.points(shapely.get_coordinates(shapely.segmentize(a, 0.1)))
        assert shapely.distance(points, b).max() <= tolerance * (1 + 1e-9)


def test_simplifying_leaves_the_corners_of_a_dense_rectangle():
    dense = shapely.segmentize(box(0, 0, 30, 20), 0.5)
    assert len(shapely.get_coordinates(simplified(dense, 0.1))) == 5
    body = replace(BODY, planes={5: dense, 6: box(0, 0, 1, 1)})
    assert list(simplify(body, 0.1)) == [5]


def test_growing_and_shrinking_within_the_slice():
    body = stack(GRID, lambda w: [circle(10.0)] if abs(w) < 4 else None)
    for mm in (3.0, -3.0):
        changes = grow(body, mm)
        assert sorted(changes) == [4, 5, 6]
        for region in changes.values():
            assert region.area == pytest.approx(math.pi * (10 + mm) ** 2, rel=2e-3)
    assert grow(body, -10.5, planes=[5]) == {5: None}
    for mm in (50.5, math.nan):
        with pytest.raises(InputError, match="at most 50 mm"):
            grow(body, mm)


def test_cleaning_resolves_what_is_not_valid():
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert cleaned(bow).area == pytest.approx(50)
    assert cleaned(bow).is_valid
    overlapping = shapely.MultiPolygon([box(0, 0, 10, 10), box(5, 0, 15, 10)])
    assert cleaned(overlapping).area == pytest.approx(150)
    assert cleaned(Polygon([(0, 0), (5, 0), (10, 0)])) is None
    assert cleaned(Polygon()) is None
    with np.errstate(invalid="ignore"), pytest.raises(GeometryError, match="finite"):
        cleaned(Polygon([(0, 0), (math.nan, 1), (2, 0)]))


def test_cleaning_takes_slivers_pinholes_and_repeated_points():
    pinhole = box(4, 4, 4.05, 4.05)
    dirty = shapely.union(box(0, 0, 10, 10).difference(pinhole), box(20, 0, 20.05, 0.05))
    points = shapely.get_coordinates(cleaned(dirty))
    assert len(points) == 5
    repeated = Polygon([(0, 0), (0.001, 0), (10, 0), (10, 10), (0, 10)])
    assert len(shapely.get_coordinates(cleaned(repeated))) == 5
    assert clean(replace(BODY, planes={5: box(0, 0, 10, 10)})) == {}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30)), min_size=3, max_size=25))
def test_cleaning_any_ring_gives_a_valid_region_or_none(points):
    assert sound(cleaned(Polygon(points)))


def odd_area(points):
    """Of what a ring goes round an odd number of times: in strips between all corners and crossings, where the edges stay in order."""
    start = np.array(points)
    end = np.roll(start, -1, axis=0)
    way = end - start
    places = [start[:, 0]]
    for n in range(len(start)):
        turn = way[n, 0] * way[:, 1] - way[n, 1] * way[:, 0]
        off = start - start[n]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (off[:, 0] * way[:, 1] - off[:, 1] * way[:, 0]) / turn
        places.append(start[n, 0] + way[n, 0] * share[np.isfinite(share) & (share >= 0) & (share <= 1)])
    borders = np.unique(np.concatenate(places))
    total = 0.0
    for x0, x1 in itertools.pairwise(borders):
        x = (x0 + x1) / 2
        met = (start[:, 0] > x) != (end[:, 0] > x)
        heights = np.sort(start[met, 1] + (x - start[met, 0]) / way[met, 0] * way[met, 1])
        total += (heights[1::2] - heights[::2]).sum() * (x1 - x0)
    return total


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.integers(-300, 300).map(lambda n: n / 10)] * 2), min_size=3, max_size=25))
def test_cleaning_a_ring_keeps_what_it_goes_round_an_odd_number_of_times(points):
    ring = Polygon(points)
    found = cleaned(ring)
    assert sound(found)
    kept = 0.0 if found is None else found.area
    assert abs(kept - odd_area(points)) <= 0.01 * ring.length + 0.01 * len(points) ** 2
    if found is not None:
        assert all(shapely.Polygon(ring).area > 0.005 for ring in shapely.get_rings(shapely.get_parts(found)))


# -- slices and cropping --------------------------------------------------------------------------------------------------


def test_a_slice_is_copied_in_place_of_what_is_there_or_united_with_it():
    assert copy(BODY, 5, 7) == {7: ISLANDS[5]}
    assert copy(BODY, 5, 6) == {6: ISLANDS[5]}
    assert areas(copy(BODY, 5, 6, unite=True)) == {6: 111 + 120}
    assert copy(replace(BODY, planes={4: ISLANDS[4], 5: ISLANDS[4]}), 4, 5) == {}
    with pytest.raises(InputError, match="nothing is drawn on slice 1"):
        copy(BODY, 0, 1)
    with pytest.raises(InputError, match="no slice beyond slice 11"):
        copy(replace(BODY, planes={10: ISLANDS[4]}), 10, 11)


def test_clearing_a_range():
    assert clear(BODY, 5, 9) == {5: None, 6: None}
    assert clear(BODY, 5, 4) == {4: None, 5: None}
    with pytest.raises(InputError, match="nothing is drawn from slice 1 to slice 4"):
        clear(BODY, 0, 3)


def test_cropping_inside_and_outside_complete_each_other():
    body = stack(GRID, lambda w: [rectangle(-20, -20, 20, 20)] if abs(w) < 10 else None)
    other = stack(GRID, lambda w: [rectangle(0, -30, 30, 30)] if w < 4 else None)
    inside, outside = crop(body, other, "inside"), crop(body, other, "outside")
    for k in body.planes:
        if k in other.planes:
            assert inside[k].area == pytest.approx(800)
            assert outside[k].area == pytest.approx(800)
        else:
            assert inside[k] is None
            assert k not in outside
    assert list(crop(body, other, "outside", planes=[3])) == [3]


def test_slices_that_a_crop_takes_nothing_from_stay_as_they_are():
    ball = sphere(GRID, 10.0)
    beside = stack(GRID, lambda w: [rectangle(8, -20, 30, 20)] if abs(w) < 1 else [rectangle(20, -20, 30, 20)])
    assert list(crop(ball, beside, "outside")) == [5]
    around = stack(GRID, lambda w: [rectangle(-30, -30, 8 if abs(w) < 1 else 30, 30)])
    assert list(crop(ball, around, "inside")) == [5]


def test_a_gap_is_kept_in_three_dimensions():
    """A ball of 12 mm with 5 mm around it is a ball of 17 mm: also above the ball's own top, where no contour of it lies."""
    grid = planes_grid(2.0 * np.arange(-12, 13))
    body = stack(grid, lambda w: [rectangle(-40, -40, 40, 40)])
    outside = crop(body, sphere(grid, 12.0), "outside", gap_mm=5.0)
    for k, region in outside.items():
        w = grid.positions_mm[k]
        assert 6400 - region.area == pytest.approx(math.pi * (17**2 - w**2), abs=0.02 * math.pi * 17**2)
    assert {abs(grid.positions_mm[k]) for k in outside} >= {14.0, 16.0}
    inside = crop(body, sphere(grid, 12.0), "inside", gap_mm=5.0)
    assert inside[12].area == pytest.approx(math.pi * 49, rel=0.03)
    assert inside[12 + 4] is None


def test_cropping_by_a_structure_of_other_slices_and_another_frame():
    """The other's slices are sagittal, and its frame is shifted by 7 mm along x."""
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    slab = stack(
        planes_grid(2.0 * np.arange(-15, 16), axes=axes),
        lambda x: [rectangle(-60, -60, 60, 60)] if 0 < x < 30 else None,
    )
    body = stack(GRID, lambda w: [rectangle(-20, -20, 20, 20)] if abs(w) < 4 else None)
    shift = np.eye(4)
    shift[0, 3] = 7.0
    for region in crop(body, slab, "outside", to_other=shift).values():
        assert region.bounds[2] == pytest.approx(1.0 - 7.0, abs=0.01)
    with pytest.raises(GeometryError, match="parallel slices"):
        crop(body, slab, "outside", gap_mm=3.0)
    with pytest.raises(InputError, match="0 to 50 mm"):
        crop(body, body, "outside", gap_mm=-1.0)


@settings(max_examples=40)
@given(regions(), regions(), st.floats(0.1, 200.0))
def test_all_of_them_give_valid_regions_that_differ(region, other, size):
    body = replace(BODY, planes={4: region, 5: other})
    for changes in (
        keep_largest(body), delete_islands(body, size), fill_holes(body, size), keep_largest_solid(body), clean(body),
        grow(body, min(size / 20, 3)), grow(body, -min(size / 20, 3)), smooth(body, min(size / 20, 5)),
        simplify(body, min(size / 50, 3)), copy(body, 4, 5, unite=True),
        crop(body, replace(BODY, planes={4: other}), "inside"), crop(body, replace(BODY, planes={4: other}), "outside"),
    ):  # fmt: skip
        for k, changed in changes.items():
            assert sound(changed)
            before = body.planes.get(k)
            assert changed is not None or before is not None
            assert changed is None or before is None or not changed.equals_exact(before, 0.0)
