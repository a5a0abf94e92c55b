"""Interpolation between drawn slices against closed forms, and what is said where there is nothing to go by."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, rectangle, sphere, stack

from reviewer.edit.operations.interpolate import gaps, interpolate
from reviewer.edit.operations.through import smooth_through
from reviewer.errors import InputError
from reviewer.geometry.solid import solid

GRID = planes_grid(np.arange(-20, 21) * 1.0)


def thinned(body, step, first=0):
    return replace(body, planes={k: r for n, (k, r) in enumerate(body.planes.items()) if n % step == first})


def accepted(body, changes):
    planes = {**body.planes, **changes}
    return replace(body, planes={k: r for k, r in planes.items() if r is not None})


def radii(regions):
    return {k: math.sqrt(r.area / math.pi) for k, r in regions.items()}


@pytest.mark.parametrize("step", [2, 3, 5, 7])
def test_a_sphere_is_met_between_its_slices(step):
    """Also where the outermost drawn slice is far from the pole. The circle itself, not only its area."""
    body = thinned(sphere(GRID, 15.0, (1.3, -0.7, 0.0)), step)
    changes = interpolate(body)
    low, *_, high = body.planes
    assert set(changes) == set(range(low, high + 1)) - set(body.planes)
    for k, region in changes.items():
        away = np.hypot(*(shapely.get_coordinates(region) - (1.3, -0.7)).T)
        assert away == pytest.approx(math.sqrt(225 - GRID.positions_mm[k] ** 2), abs=0.04)


@pytest.mark.parametrize("lean", [0.0, 0.6])
def test_a_cone_is_met_straight_or_slanted(lean):
    body = stack(GRID, lambda w: [circle(14 + 0.4 * w, (lean * w, 0.0))] if abs(w) <= 18 else None)
    for k, region in interpolate(thinned(body, 6)).items():
        w = GRID.positions_mm[k]
        away = np.hypot(*(shapely.get_coordinates(region) - (lean * w, 0.0)).T)
        assert away == pytest.approx(14 + 0.4 * w, abs=0.05)


def test_an_ellipsoid_is_met_within_a_fraction_of_a_millimetre():
    """Distances to ellipses are no quadratics of w, so this is not exact; linear interpolation of distances is off by up to 1.2 mm here."""

    def ellipse(w):
        square = 1 - (w / 19) ** 2
        return [circle(1.0) * (24 * math.sqrt(square), 15 * math.sqrt(square))] if square > 0.01 else None

    for k, region in interpolate(thinned(stack(GRID, ellipse), 5, 1)).items():
        truth = shapely.Polygon(ellipse(GRID.positions_mm[k])[0])
        assert shapely.hausdorff_distance(region.boundary, truth.boundary) < 0.35
        assert region.area == pytest.approx(truth.area, rel=0.015)


def test_a_box_keeps_its_corners():
    body = stack(GRID, lambda w: [rectangle(-10, -5, 12, 8)])
    for region in interpolate(thinned(body, 8)).values():
        assert region.equals(shapely.box(-10, -5, 12, 8))


def test_uneven_slices():
    grid = planes_grid(np.cumsum([0, 3, 2, 2.5, 4, 1, 3, 3, 2, 5, 2.5, 3, 2, 3, 3]) - 20.0)
    found = radii(interpolate(thinned(sphere(grid, 17.0, (0, 0, 0.4)), 3)))
    assert found
    for k, radius in found.items():
        assert radius == pytest.approx(math.sqrt(17**2 - (grid.positions_mm[k] - 0.4) ** 2), abs=0.04)


def test_volumes_agree_before_and_after():
    """The solid of a stack with every fourth plane alone, on a grid of its own, and of the finer one with the planes accepted."""

    def volume(body, low, high):
        whole = solid(body)
        heights = np.diff(np.clip(whole.borders_mm, low, high), axis=1)[:, 0]
        return float(whole.areas_mm2 @ heights)

    body = thinned(stack(GRID, lambda w: [circle(12 + 3 * math.sin(w / 6), (w / 4, 0)), circle(4, (w / 4, 0))]), 4)
    drawn = sorted(body.planes)
    alone = planes_grid(GRID.positions_mm[drawn])
    coarse = replace(body, grid=alone, planes={n: body.planes[k] for n, k in enumerate(drawn)})
    low, high = alone.positions_mm[[0, -1]]
    fine = volume(accepted(body, interpolate(body)), low, high)
    assert fine == pytest.approx(volume(coarse, low, high), rel=1e-3)


def test_two_that_merge_reach_up_to_what_they_merge_into():
    """Two legs of 8 mm up to w = 0, a trunk that covers both from 10 mm on; drawn every 10 mm."""

    def rings(w):
        return [rectangle(-20, -4, -12, 4), rectangle(12, -4, 20, 4)] if w < 5 else [rectangle(-22, -6, 22, 6)]

    body = thinned(stack(GRID, rings), 10)
    between = interpolate(body)
    near_legs, near_trunk = between[21], between[29]
    assert near_legs.geom_type == "MultiPolygon"
    assert near_trunk.geom_type == "Polygon"
    legs, trunk = body.planes[20], body.planes[30]
    for k in range(21, 30):
        assert between[k].buffer(0.1).contains(legs)
        assert trunk.buffer(0.1).contains(between[k])


def test_an_island_that_ends_is_cut_half_way_and_the_other_goes_on():
    def rings(w):
        return [circle(10.0), *([circle(5.0, (30, 0))] if w < 5 else [])]

    body = thinned(stack(GRID, rings), 10)
    between = interpolate(body)
    assert [k for k in range(21, 30) if shapely.get_num_geometries(between[k]) == 2] == [21, 22, 23, 24, 25]
    for region in between.values():
        main = max(shapely.get_parts(region), key=lambda p: p.area)
        assert main.area == pytest.approx(100 * math.pi, rel=0.003)


def test_several_gaps_or_only_some_of_them():
    body = thinned(sphere(GRID, 15.0), 5)
    assert gaps(body) == [(6, 11), (11, 16), (16, 21), (21, 26), (26, 31)]
    assert set(interpolate(body, 11, 16)) == {12, 13, 14, 15}
    assert set(interpolate(body, 13, 18)) == {13, 14, 15, 17, 18}
    assert set(interpolate(body, 18, 13)) == {13, 14, 15, 17, 18}
    assert set(interpolate(body, 0, 9)) == {7, 8, 9}


def test_slices_between_two_good_ones_are_drawn_anew():
    good = sphere(GRID, 15.0)
    wrong = {k: shapely.box(-30, -30, 30, 30) for k in range(16, 19)}
    changes = interpolate(replace(good, planes={**good.planes, **wrong}), 15, 19, anew=True)
    assert set(changes) == {16, 17, 18}
    for k, region in changes.items():
        assert math.sqrt(region.area / math.pi) == pytest.approx(math.sqrt(225 - GRID.positions_mm[k] ** 2), abs=0.04)


def test_why_not_is_said():
    body = thinned(sphere(GRID, 15.0), 5)
    for args, words in (
        ((31, 40), "nothing is drawn beyond slice 32, so there is nothing to interpolate towards"),
        ((0, 6), "nothing is drawn before slice 7, so there is nothing to interpolate from"),
        ((11, 11), "no empty slice between"),
    ):
        with pytest.raises(InputError, match=words):
            interpolate(body, *args)
    with pytest.raises(InputError, match="nothing is drawn, so"):
        interpolate(replace(body, planes={}))
    with pytest.raises(InputError, match="only slice 7 is drawn"):
        interpolate(replace(body, planes={6: body.planes[6]}))
    with pytest.raises(InputError, match="no empty slice between"):
        interpolate(sphere(GRID, 15.0))


def test_islands_that_never_meet_leave_their_gap_half_way_each():
    """Nothing says how a contour here and another one there would be connected: both end half-way, as in the solid."""
    body = replace(
        stack(GRID, lambda w: None), planes={10: shapely.box(-40, -5, -30, 5), 20: shapely.box(30, -5, 40, 5)}
    )
    between = interpolate(body)
    assert all(between[k].bounds[2] < -29 for k in range(11, 15))
    assert all(between[k].bounds[0] > 29 for k in range(16, 20))


def test_what_was_found_is_kept_while_another_gap_is_drawn():
    body = thinned(sphere(GRID, 15.0), 4)
    first = interpolate(body)
    last = max(body.planes)
    moved = replace(body, planes={**body.planes, last: body.planes[last].buffer(-0.2)})
    second = interpolate(moved)
    same = [k for k in first if first[k] is second[k]]
    assert same == [k for k in first if k < last - 8 - 4]


@st.composite
def stacks(draw):
    planes = {}
    for k in draw(st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True)):
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            u, v, r = draw(st.floats(-30, 30)), draw(st.floats(-30, 30)), draw(st.floats(1.0, 20.0))
            ring = shapely.Point(u, v).buffer(r, quad_segs=4)
            parts.append(ring.difference(shapely.Point(u, v).buffer(r / 2)) if draw(st.booleans()) else ring)
        planes[k] = shapely.union_all(parts)
    return replace(stack(GRID, lambda w: None), planes=planes)


@settings(max_examples=40)
@given(stacks())
def test_any_gap_gives_valid_regions_within_reach(body):
    if not gaps(body):
        return
    changes = interpolate(body)
    low, *_, high = sorted(body.planes)
    around = shapely.union_all(list(body.planes.values())).envelope.buffer(21)
    for k, region in changes.items():
        assert low < k < high
        assert k not in body.planes
        assert region is None or (region.is_valid and not region.is_empty and around.contains(region))


@settings(max_examples=15)
@given(stacks())
def test_smoothing_through_slices_gives_valid_regions(body):
    for region in smooth_through(body).values():
        assert region is not None
        assert region.is_valid


def test_smoothing_through_slices_halves_what_juts_out_and_leaves_a_sphere():
    ball = sphere(planes_grid(np.arange(-10, 11) * 2.0), 18.0)
    smoothed = ball
    for _ in range(4):
        smoothed = accepted(smoothed, smooth_through(smoothed))
    for k, radius in radii(smoothed.planes).items():
        assert radius == pytest.approx(math.sqrt(18**2 - ball.grid.positions_mm[k] ** 2), abs=0.08)
    column = stack(GRID, lambda w: [circle(12.0 if w == 0 else 10.0)])
    found = radii(smooth_through(column))
    assert found[20] == pytest.approx(11.0, abs=0.05)
    assert all(abs(radius - 10) < 0.7 for k, radius in found.items() if k != 20)
    assert set(smooth_through(column, planes=[20])) == {20}
    assert 0 not in smooth_through(
        replace(column, planes={0: column.planes[20], 1: column.planes[1], 2: column.planes[2]})
    )
