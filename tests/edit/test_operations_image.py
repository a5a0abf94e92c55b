"""Smart fill and threshold on images with known values, against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hands import image_on
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import planes_grid

from reviewer.case import Image
from reviewer.edit.operations.fill import Seed, fill
from reviewer.edit.operations.sampling import band, samples
from reviewer.edit.operations.threshold import threshold, typical_range
from reviewer.errors import CancelledError, InputError

SAME = np.eye(4)
GRID = planes_grid(2.0 * np.arange(-12, 13), spacing=1.5)
BOX = (-50.0, -50.0, 50.0, 50.0)
EVERYWHERE = dict.fromkeys(range(25), shapely.box(*BOX))


def away(u, v, w):
    return np.sqrt(u**2 + v**2 + w**2)


BALL = image_on(GRID, lambda u, v, w: 100 - 4 * away(u, v, w))
"""100 in the middle, falling by 4 per mm: values over 40 are a ball of 15 mm."""


def as_circle(region, radius):
    points = shapely.get_coordinates(region)
    assert np.hypot(*points.T) == pytest.approx(radius, abs=0.05)


# -- the edge between samples ---------------------------------------------------------------------------------------------


def test_a_ball_has_round_edges_on_every_slice():
    found = threshold(BALL, SAME, GRID, EVERYWHERE, 40.0, 1000.0)
    assert set(found) == {k for k, w in enumerate(GRID.positions_mm) if abs(w) < 15}
    for k, region in found.items():
        radius = math.sqrt(225 - GRID.positions_mm[k] ** 2)
        if radius > 4:
            as_circle(region, radius)


def test_the_range_to_begin_with_holds_the_middle_of_what_a_structure_has():
    """Values rise by 2 per mm along u: in 50 mm about 0 lie -50 to 50, the middle 95 % of them are -47.5 to 47.5."""
    image = image_on(GRID, lambda u, v, w: 2 * u + 0 * w)
    regions = dict.fromkeys(range(4, 20), shapely.box(-25.0, -20.0, 25.0, 20.0))
    low, high = typical_range(image, SAME, GRID, regions)
    assert (low, high) == pytest.approx((-47.5, 47.5), abs=1.5)  # a pixel is 3 wide, the ends are rounded outwards
    assert low == int(low)
    assert high == int(high)
    stored = replace(image, slope=2.0, intercept=-10.0)
    assert typical_range(stored, SAME, GRID, regions) == pytest.approx((-105.0, 85.0), abs=3.0)
    density = typical_range(replace(image, slope=0.001, intercept=1.0), SAME, GRID, regions)
    assert density == pytest.approx((0.9525, 1.0475), abs=0.002)
    assert [round(end, 3) for end in density] == list(density)
    assert typical_range(replace(image, slope=0.0, intercept=1.5), SAME, GRID, regions) == (1.5, 1.5)


def test_no_range_to_begin_with_where_nothing_is_known():
    assert typical_range(BALL, SAME, GRID, {}) is None
    assert typical_range(BALL, SAME, GRID, {12: shapely.box(900.0, 900.0, 950.0, 950.0)}) is None


def test_a_range_is_a_shell_with_both_edges_between_the_samples():
    region = threshold(BALL, SAME, GRID, {12: EVERYWHERE[12]}, 20.0, 60.0)[12]
    (ring,) = shapely.get_parts(region)
    as_circle(ring.exterior, 20.0)
    as_circle(ring.interiors[0], 10.0)


def test_a_step_lies_half_way_between_its_pixels():
    """0 up to u = 0, 100 from the next pixel (1.5 mm) on: the value 25 lies at a quarter of the way."""
    image = image_on(GRID, lambda u, v, w: np.where(u > 0.1, 100.0, 0.0))
    region = threshold(image, SAME, GRID, {12: shapely.box(-30, -10, 30, 10)}, 25.0, 1000.0)[12]
    assert region.symmetric_difference(shapely.box(0.375, -10, 30, 10)).area == pytest.approx(0, abs=1e-3)


def test_the_ends_of_a_range_belong_to_it():
    image = image_on(GRID, lambda u, v, w: np.where(u > 0.1, 100.0, 0.0))
    for low, high, length in ((0.0, 100.0, 20.0), (100.0, 200.0, 8.5)):
        region = threshold(image, SAME, GRID, {12: shapely.box(-10, -5, 10, 5)}, low, high)[12]
        assert region.area == pytest.approx(10 * length, rel=1e-4)


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept"), [(np.int16, 1.0, -1024.0), (np.uint16, 0.25, 0.0), (np.float32, 2.0, 5.0)]
)
def test_stored_values_are_scaled(dtype, slope, intercept):
    stored = (np.maximum(BALL.voxels, 0) - intercept) / slope
    voxels = stored if dtype == np.float32 else np.rint(stored)
    image = replace(BALL, voxels=voxels.astype(dtype), slope=slope, intercept=intercept)
    region = threshold(image, SAME, GRID, {12: EVERYWHERE[12]}, 40.0, 1000.0)[12]
    assert region.area == pytest.approx(math.pi * 225, rel=0.01)


def test_the_image_reaches_half_a_voxel_beyond_its_outermost_centres():
    image = image_on(GRID, lambda u, v, w: 0 * u + 5)
    region = threshold(image, SAME, GRID, {0: shapely.box(-100, -100, 100, 100)}, 0.0, 10.0)[0]
    assert region.bounds == pytest.approx((-60.75, -60.75, 60.75, 60.75))


def test_unknown_values_are_in_no_range():
    voxels = BALL.voxels.copy()
    voxels[:, :, :40] = np.nan  # up to u = -60 + 39 * 1.5 = -1.5 mm
    region = threshold(replace(BALL, voxels=voxels), SAME, GRID, {12: EVERYWHERE[12]}, -1e6, 1e6)[12]
    assert region.bounds[0] == pytest.approx(0.0)
    pending = np.zeros(25, dtype=bool)
    pending[10:14] = True
    found = threshold(replace(BALL, pending=pending), SAME, GRID, EVERYWHERE, 40.0, 1000.0)
    assert not set(found) & {10, 11, 12, 13}
    assert set(found) >= {8, 9, 14, 15}


def test_an_image_on_other_slices_and_in_another_frame():
    """Sagittal planes of 2.5 mm, and a frame that is shifted by (5, -3, 2) mm: the ball is where the shift says."""
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    grid = planes_grid(2.5 * np.arange(-20, 21), axes=axes)
    image = image_on(grid, lambda v, w, u: 100 - 4 * away(u - 5, v + 3, w - 2))
    shift = np.eye(4)
    shift[:3, 3] = 5, -3, 2
    found = threshold(image, shift, GRID, EVERYWHERE, 40.0, 1000.0)
    as_circle(found[12].exterior, 15.0)
    oblique = np.eye(4)
    turn = math.radians(20)
    oblique[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    as_circle(threshold(BALL, oblique, GRID, EVERYWHERE, 40.0, 1000.0)[12].exterior, 15.0)


def test_a_threshold_stays_in_its_limit_and_skips_specks():
    limit = {11: shapely.box(0, 0, 50, 50), 12: shapely.box(0, -50, 50, 50)}
    found = threshold(BALL, SAME, GRID, limit, 40.0, 1000.0)
    assert set(found) == {11, 12}
    assert found[12].area == pytest.approx(math.pi * 225 / 2, rel=0.005)
    speckled = BALL.voxels.copy()
    speckled[12, 5, 5], speckled[12, 40, 40] = (
        100,
        -100,
    )  # one speck far out, one hole near the middle (40, 40) = (0, 0)
    image = replace(BALL, voxels=speckled)
    raw = threshold(image, SAME, GRID, {12: EVERYWHERE[12].buffer(9)}, 40.0, 1000.0)[12]
    plain = threshold(image, SAME, GRID, {12: EVERYWHERE[12].buffer(9)}, 40.0, 1000.0, smallest_mm2=10.0)[12]
    assert shapely.get_num_geometries(raw) == 2
    as_circle(plain, 15.0)


@pytest.mark.parametrize("values", [(10.0, 5.0), (math.nan, 5.0), (0.0, math.nan)])
def test_a_range_that_ends_before_it_begins_is_refused(values):
    with pytest.raises(InputError, match="before it begins"):
        threshold(BALL, SAME, GRID, EVERYWHERE, *values)


# -- smart fill -----------------------------------------------------------------------------------------------------------

ALL = range(25)
RNG = np.random.default_rng(7)


def noisy(values, deviation):
    """An image with values(u, v, w) and noise of a standard deviation."""
    image = image_on(GRID, values)
    return replace(image, voxels=image.voxels + RNG.normal(0, deviation, image.voxels.shape).astype(np.float32))


def shaded(u, v, w):
    """The sensitivity of a coil: from 0.7 on the one side of the image to 1.3 on the other."""
    return 1 + 0.3 * (u + v) / 120


def dice(found, radius, centre=(0.0, 0.0)):
    """Of regions with a ball about a centre, slice by slice."""
    both, areas = 0.0, 0.0
    for k, w in enumerate(GRID.positions_mm):
        square = radius**2 - w**2
        true = shapely.Point(centre).buffer(math.sqrt(square), quad_segs=64) if square > 0 else shapely.Polygon()
        area = found.get(k, shapely.Polygon())
        both += area.intersection(true).area
        areas += area.area + true.area
    return 2 * both / areas


@pytest.mark.parametrize("deviation", [0.0, 5.0, 15.0])
def test_a_ball_is_found_in_noise_and_shading(deviation):
    """100 in a ball of 18 mm, 50 about it, both shaded by 30 %: with noise of 15 their values overlap, and no range would tell them apart."""
    image = noisy(lambda u, v, w: shaded(u, v, w) * np.where(away(u, v, w) < 18, 100.0, 50.0), deviation)
    found = fill(image, SAME, GRID, Seed(12, 2.0, -3.0), (-28.0, -33.0, 32.0, 27.0), ALL)
    assert dice(found, 18.0) > (0.95 if deviation < 10 else 0.9)
    only = fill(image, SAME, GRID, Seed(12, 2.0, -3.0), (-28.0, -33.0, 32.0, 27.0))
    assert set(only) == {12}


def test_a_leak_is_held_by_the_narrowness_of_the_passage_and_by_the_step():
    """A second ball of the same values touches the first: on the slice of the press a bridge of 4 mm, to be closed."""
    image = noisy(
        lambda u, v, w: np.where(
            (away(u, v, w) < 14) | (away(u - 30, v, w) < 14) | ((np.abs(v) < 2) & (np.abs(w) < 3) & (u > 0) & (u < 30)), 100.0, 40.0
        ),
        4.0,
    )  # fmt: skip
    found = fill(image, SAME, GRID, Seed(12, 0.0, 0.0), (-25.0, -25.0, 25.0, 25.0), ALL)
    assert dice(found, 14.0) > 0.9
    assert max(r.bounds[2] for r in found.values()) < 20


def test_a_body_ends_where_it_ends():
    """A cylinder with flat ends at -15 and 15 mm, in tissue of other values."""
    image = noisy(lambda u, v, w: np.where((np.hypot(u, v) < 15) & (np.abs(w) < 15), 100.0, 60.0), 5.0)
    found = fill(image, SAME, GRID, Seed(10, 0.0, 0.0), BOX, ALL)
    assert set(found) == {k for k, w in enumerate(GRID.positions_mm) if abs(w) < 15}
    middles = GRID.origin_uv_mm[0] + 1.5 * np.arange(GRID.size_uv[0])
    cells = int((np.hypot(*np.meshgrid(middles, middles)) < 15).sum())
    for region in found.values():
        assert region.area == pytest.approx(cells * 1.5**2, rel=0.05)
    assert set(fill(image, SAME, GRID, Seed(10, 0.0, 0.0), BOX, range(9, 13))) == {9, 10, 11, 12}


def test_a_slanted_tube_is_followed():
    """Its middle moves by 3 mm from slice to slice, out of the box that was drawn on the first."""
    image = noisy(lambda u, v, w: np.where(np.hypot(u - 1.5 * w, v) < 8, 100.0, 50.0), 5.0)
    found = fill(image, SAME, GRID, Seed(12, 0.0, 0.0), (-12.0, -12.0, 12.0, 12.0), ALL)
    assert set(found) == set(ALL)
    for k, region in found.items():
        assert region.centroid.x == pytest.approx(1.5 * GRID.positions_mm[k], abs=1.0)
        assert region.area == pytest.approx(math.pi * 64, rel=0.15)


def test_an_even_area_is_filled_to_its_box():
    """To the last cells whose middles lie in it, and the line between inside and outside may take one of them."""
    flat = replace(BALL, voxels=np.full(GRID.shape_zyx, 37, dtype=np.int16))
    found = fill(flat, SAME, GRID, Seed(12, 0, 0), (-20.0, -10.0, 20.0, 10.0))
    assert found[12].bounds == pytest.approx((-20, -10, 20, 10), abs=2.25)


def test_no_values_around_a_click_are_told():
    for image, seed in (
        (replace(BALL, voxels=np.full(GRID.shape_zyx, np.nan, dtype=np.float32)), Seed(12, 0, 0)),
        (replace(BALL, pending=np.ones(25, dtype=bool)), Seed(12, 0, 0)),
        (BALL, Seed(12, 300, 0)),
    ):
        with pytest.raises(InputError, match="no values here"):
            fill(image, SAME, GRID, seed, seed.around(20.0))


def test_a_limit_holds_the_fill():
    image = noisy(lambda u, v, w: np.where(away(u, v, w) < 18, 100.0, 50.0), 5.0)
    half = dict.fromkeys(range(10, 16), shapely.box(0, -50, 50, 50))
    found = fill(image, SAME, GRID, Seed(12, 6.0, 0.0), (-30.0, -30.0, 40.0, 30.0), ALL, limit=half)
    assert set(found) == set(half)
    assert all(region.bounds[0] >= 0 for region in found.values())
    with pytest.raises(InputError, match="limits"):
        fill(image, SAME, GRID, Seed(12, -20.0, 0.0), Seed(12, -20.0, 0.0).around(15.0), limit=half)


def test_an_area_without_end_is_refused_and_the_work_can_be_stopped():
    with pytest.raises(InputError, match="too large"):
        fill(BALL, SAME, GRID, Seed(12, 0, 0), (-1e6, -1e6, 1e6, 1e6))
    told = []

    def stop(share):
        told.append(share)
        if share > 0.1:
            raise CancelledError

    with pytest.raises(CancelledError):
        fill(BALL, SAME, GRID, Seed(12, 0, 0), BOX, ALL, report=stop)
    assert told == sorted(told)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 24), st.floats(-60, 60), st.floats(-60, 60), st.floats(1, 40))
def test_whatever_the_image_regions_are_valid_and_in_their_box(seed, plane, u, v, half):
    noise = np.random.default_rng(seed).integers(0, 100, GRID.shape_zyx).astype(np.int16)
    image = replace(BALL, voxels=noise)
    try:
        found = fill(image, SAME, GRID, Seed(plane, u, v), Seed(plane, u, v).around(half), ALL)
    except InputError:
        return
    assert all(region.is_valid and not region.is_empty for region in found.values())
    assert found[plane].within(shapely.box(u - half, v - half, u + half, v + half).buffer(1.6))
    assert sorted(found) == list(range(min(found), max(found) + 1))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 60), st.floats(0, 60), st.floats(0, 6))
def test_bands_of_noise_are_valid_and_disjoint_and_fill_the_plane(seed, low, width, smallest):
    grid = planes_grid([0.0, 1.0], spacing=2.0, half=20.0)
    rng = np.random.default_rng(seed)
    values = np.rint(rng.uniform(0, 100, grid.shape_zyx) / 10) * 10  # plateaus, and many saddles
    plane = samples(Image("noise", "MR", "noise", grid, values.astype(np.int16)), SAME, grid, 0.0)
    ends = -1.0, low + 0.123, low + 0.123 + width, 101.0
    pieces = [band(plane, a, b) for a, b in pairwise(ends)]
    for parts in pieces:
        assert all(p.is_valid for p in parts)
        assert shapely.union_all(parts).area == pytest.approx(sum(p.area for p in parts), abs=1e-6)
    assert sum(p.area for parts in pieces for p in parts) == pytest.approx(42.0**2, rel=1e-3)
    assert all(shapely.Polygon(p.exterior).area >= smallest for p in band(plane, low, low + width, smallest))
