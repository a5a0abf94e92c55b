"""Smart fill and threshold on images with known values, against closed forms and SimpleITK's region growing."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import shapely
import SimpleITK as sitk
from hands import image_on
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import planes_grid

from reviewer.case import Image
from reviewer.edit.operations.fill import Seed, fill, values_near
from reviewer.edit.operations.sampling import band, samples
from reviewer.edit.operations.threshold import threshold
from reviewer.errors import InputError

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
    with pytest.raises(InputError, match="before it begins"):
        fill(BALL, SAME, GRID, Seed(12, 0, 0), *values, BOX)


# -- smart fill -----------------------------------------------------------------------------------------------------------


def test_the_range_around_a_click_is_mean_and_deviation_of_a_disc():
    """A ramp of 10 per mm along u: in a disc of radius r around u0 the mean is 10 u0 and the deviation 10 r / 2."""
    grid = planes_grid(2.0 * np.arange(3), spacing=0.25, half=20)
    image = image_on(grid, lambda u, v, w: 10 * u)
    low, high = values_near(image, SAME, grid, Seed(1, 4.0, -3.0), radius_mm=5.0, spread=2.0)
    assert (low + high) / 2 == pytest.approx(40.0, abs=0.5)
    assert (high - low) / 4 == pytest.approx(25.0, rel=0.01)


def test_the_range_of_an_even_area_is_not_empty():
    flat = replace(BALL, voxels=np.full(GRID.shape_zyx, 37, dtype=np.int16))
    assert values_near(flat, SAME, GRID, Seed(12, 0, 0)) == pytest.approx((36.5, 37.5))
    found = fill(flat, SAME, GRID, Seed(12, 0, 0), 36.5, 37.5, BOX)
    assert found[12].area == pytest.approx(100 * 100)


def test_no_values_around_a_click_are_told():
    for image, seed in (
        (replace(BALL, voxels=np.full(GRID.shape_zyx, np.nan, dtype=np.float32)), Seed(12, 0, 0)),
        (replace(BALL, pending=np.ones(25, dtype=bool)), Seed(12, 0, 0)),
        (BALL, Seed(12, 300, 0)),
    ):
        with pytest.raises(InputError, match="no values here"):
            values_near(image, SAME, GRID, seed)


def test_a_body_is_filled_through_its_slices_and_only_that():
    """Two balls of 8 mm; a click in the one fills it and leaves the other."""
    image = image_on(GRID, lambda u, v, w: np.maximum(100 - 5 * away(u - 15, v, w), 100 - 5 * away(u + 15, v, w)))
    found = fill(image, SAME, GRID, Seed(13, -15.0, 2.0), 60.0, 200.0, BOX, first=0, last=24)
    assert set(found) == {9, 10, 11, 12, 13, 14, 15}
    for k, region in found.items():
        radius = math.sqrt(64 - GRID.positions_mm[k] ** 2)
        assert np.hypot(*(shapely.get_coordinates(region) - (-15, 0)).T) == pytest.approx(radius, abs=0.15)
    only = fill(image, SAME, GRID, Seed(13, -15.0, 2.0), 60.0, 200.0, BOX)
    assert set(only) == {13}


def test_a_fill_comes_up_again_on_the_other_side():
    """A U in the coronal plane: from one leg down, through the bottom, and up the other leg, on slices where the two do not touch."""
    image = image_on(
        GRID,
        lambda u, v, w: 100.0 * ((np.abs(v) < 5) & ((np.abs(np.abs(u) - 15) < 4) | ((w < -15) & (np.abs(u) < 19)))),
    )
    found = fill(image, SAME, GRID, Seed(18, -15.0, 0.0), 50.0, 200.0, BOX, first=0, last=24)
    assert set(found) == set(range(25))
    assert shapely.get_num_geometries(found[18]) == 2
    short = fill(image, SAME, GRID, Seed(18, -15.0, 0.0), 50.0, 200.0, BOX, first=6, last=24)
    assert all(shapely.get_num_geometries(r) == 1 and r.bounds[2] < 0 for r in short.values())


def test_box_and_limit_hold_the_fill():
    """The way round lies outside of the limit: what is beyond it is not reached although it is in the range."""
    image = image_on(GRID, lambda u, v, w: 0 * u + 50)
    assert fill(image, SAME, GRID, Seed(12, 0, 0), 0.0, 99.0, (-10, -5, 20, 5))[12].equals(shapely.box(-10, -5, 20, 5))
    walls = {12: shapely.union_all([shapely.box(-10, -50, 0, 50), shapely.box(5, -50, 20, 50)])}
    found = fill(image, SAME, GRID, Seed(12, -5, 0), 0.0, 99.0, BOX, limit=walls)
    assert found[12].equals(shapely.box(-10, -50, 0, 50))


def test_narrow_passages_are_not_passed():
    """Two squares joined by a bridge 3 mm wide."""
    image = image_on(
        planes_grid([0.0, 2.0], spacing=0.5),
        lambda u, v, w: (
            100.0 * (((np.abs(np.abs(u) - 20) < 10) & (np.abs(v) < 10)) | ((np.abs(u) < 15) & (np.abs(v) < 1.6)))
        ),
    )
    grid = image.grid
    through = fill(image, SAME, grid, Seed(0, -20, 0), 50.0, 200.0, BOX, passage_mm=2.0)[0]
    closed = fill(image, SAME, grid, Seed(0, -20, 0), 50.0, 200.0, BOX, passage_mm=5.0)[0]
    assert through.bounds[2] > 29
    assert closed.bounds[2] < -5
    assert closed.area == pytest.approx(400, rel=0.08)


def test_a_click_beside_the_range_is_told():
    with pytest.raises(InputError, match="not between 40 and 200"):
        fill(BALL, SAME, GRID, Seed(12, 20, 0), 40.0, 200.0, BOX)
    near = fill(BALL, SAME, GRID, Seed(12, 17, 0), 40.0, 200.0, BOX, near_mm=3.0)
    as_circle(near[12], 15.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(30.0, 70.0))
def test_the_same_pixels_as_region_growing_in_simpleitk(seed, level):
    """Pixel by pixel: what face-connected growing finds lies in the area, and nothing beyond what corner-connected growing finds."""
    grid = planes_grid([0.0, 1.0], spacing=1.0, half=15.0)
    noise = np.random.default_rng(seed).uniform(0, 100, grid.shape_zyx).astype(np.float32)
    image = Image("noise", "MR", "noise", grid, noise)
    v, u = np.argwhere(noise[0] >= level)[0].tolist()
    picture = sitk.GetImageFromArray(noise[0])
    pixel = [(u, v)]
    least = sitk.GetArrayFromImage(sitk.ConnectedThreshold(picture, pixel, level, 1000.0, 1, 0)).astype(bool)
    most = sitk.GetArrayFromImage(sitk.ConnectedThreshold(picture, pixel, level, 1000.0, 1, 1)).astype(bool)
    region = fill(image, SAME, grid, Seed(0, u - 15.0, v - 15.0), level, 1000.0, (-16, -16, 16, 16))[0]
    assert region.is_valid
    y, x = np.mgrid[:31, :31] - 15.0
    inside = shapely.intersects_xy(region, x, y)
    assert not (least & ~inside).any()
    # A sample a hair below the level makes a hole too small to be kept.
    assert not (inside & ~most & (noise[0] < level - 0.05)).any()


@settings(max_examples=30, deadline=None)
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
