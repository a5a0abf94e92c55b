"""What lies between the planes: closed forms where they exist, and the stated rules where nothing can be known."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import SPHERE_CC, circle, planes_grid, rectangle, sphere, stack

from reviewer.geometry.section import section
from reviewer.geometry.solid import solid
from reviewer.geometry.volume import volume_cc

RIGHT, DOWN, FEET = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)


def area_at(body, w):
    cut = section(body, None, (0, 0, w), RIGHT, DOWN)
    return 0.0 if cut is None else cut.area


def extent(body):
    borders = solid(body).borders_mm
    return borders[0, 0], borders[-1, 1]


@pytest.mark.parametrize("slices", [1.0, 2.0, 2.5, 3.0, 5.0])
@pytest.mark.parametrize("radius", [10.0, 13.7, 25.0])
def test_spheres_at_any_offset(radius, slices):
    limit = 0.016 if slices == 3 else 0.01
    count = math.ceil(radius / slices) + 2
    for offset in (0.0, 0.17, 0.4, 0.5, 0.73, 0.95):
        body = sphere(planes_grid(np.arange(-count, count + 1) * slices), radius, (0.3, -0.4, offset * slices))
        assert volume_cc(body) == pytest.approx(SPHERE_CC * radius**3, rel=limit)


@pytest.mark.parametrize("slices", [1.5, 2.0, 2.5, 3.0])
def test_a_small_sphere(slices):
    """0.5 cc, three or more contours."""
    for offset in (0.0, 0.17, 0.4, 0.5, 0.73, 0.95):
        body = sphere(planes_grid(np.arange(-8, 9) * slices), 5.0, (0.3, -0.4, offset * slices))
        assert volume_cc(body) == pytest.approx(SPHERE_CC * 125, rel=0.01)


@pytest.mark.parametrize("slices", [1.0, 2.0, 2.5, 3.0, 5.0])
def test_a_hollow_sphere(slices):
    """Both surfaces close by their own curvature; what the one does does not depend on where the other ends. At 5 mm the wall is one slice thick."""
    count = math.ceil(20 / slices) + 2
    for offset in (0.0, 0.17, 0.4, 0.5, 0.73, 0.95):

        def rings(w, middle=offset * slices):
            squares = [r**2 - (w - middle) ** 2 for r in (20.0, 15.0)]
            return [circle(math.sqrt(square)) for square in squares if square > 1e-6]

        body = stack(planes_grid(np.arange(-count, count + 1) * slices), rings)
        assert volume_cc(body) == pytest.approx(SPHERE_CC * (20**3 - 15**3), rel=0.015 if slices == 5 else 0.005)


@pytest.mark.parametrize("slices", [2.0, 3.0])
def test_a_torus_that_lies_in_the_planes(slices):
    """A ring closes as its thickness does, 7 mm around a circle of 18 mm: V = 2 pi^2 R r^2."""
    for offset in (0.0, 0.25, 0.5):

        def rings(w, middle=offset * slices):
            square = 49 - (w - middle) ** 2
            return [circle(18 + side * math.sqrt(square)) for side in (1, -1)] if square > 1e-6 else None

        body = stack(planes_grid(np.arange(-10, 11) * slices), rings)
        assert volume_cc(body) * 1000 == pytest.approx(2 * math.pi**2 * 18 * 49, rel=0.01)


@pytest.mark.parametrize("slices", [2.5, 3.0, 5.0])
def test_a_sphere_closes_at_its_poles(slices):
    radius = 20.0
    for offset in (0.0, 0.3, 0.6):
        body = sphere(planes_grid(np.arange(-12, 13) * slices), radius, (0, 0, offset * slices))
        low, high = extent(body)
        assert low == pytest.approx(offset * slices - radius, abs=0.7)
        assert high == pytest.approx(offset * slices + radius, abs=0.7)
        for w in (-15.2, -3.3, 1.7, 8.1, 16.4):
            # A cut is that of the nearest level, at most half a millimetre away.
            around = [math.pi * (400 - (w + d - offset * slices) ** 2) for d in (-0.5, 0, 0.5)]
            assert 0.995 * min(around) < area_at(body, w) < 1.005 * max(around)


def test_uneven_slices_hold_a_sphere_too():
    positions = np.cumsum([0, 3, 2, 2.5, 4, 1, 3, 3, 2, 5, 2.5, 3, 2, 3, 3]) - 20.0
    body = sphere(planes_grid(positions), 13.7, (0, 0, 0.4))
    assert volume_cc(body) == pytest.approx(SPHERE_CC * 13.7**3, rel=0.01)


def test_a_cylinder_whose_ends_lie_on_slab_borders_is_exact():
    body = stack(planes_grid(np.arange(-6, 7) * 3.0), lambda w: [circle(12)] if abs(w) < 8 else None)
    assert extent(body) == pytest.approx((-7.5, 7.5))
    assert volume_cc(body) == pytest.approx(math.pi * 144 * 15 / 1000, rel=1e-9)


@pytest.mark.parametrize("slices", [2.0, 3.0, 5.0])
def test_a_slanted_cylinder_has_no_steps(slices):
    """The axis moves by 0.8 mm in the plane for each mm along the stack; parts overlap from plane to plane."""
    body = stack(
        planes_grid(np.arange(-5, 6) * slices + slices / 2),
        lambda w: [circle(9, (0.8 * w, 0))] if abs(w) < 4 * slices else None,
    )
    middle = section(body, None, (0, 0, 0.1), RIGHT, DOWN)
    assert middle.area == pytest.approx(math.pi * 81, rel=0.01)
    # The nearest level is at most half a millimetre away.
    assert middle.centroid.x == pytest.approx(0.08, abs=0.8 * 0.5 + 0.02)
    assert volume_cc(body) == pytest.approx(math.pi * 81 * 8 * slices / 1000, rel=0.01)


@pytest.mark.parametrize("slices", [1.0, 2.0, 3.0, 5.0])
def test_a_frustum_on_slab_borders(slices):
    height, foot, top = 30.0, 20.0, 8.0
    count = round(height / slices)
    grid = planes_grid((np.arange(-2, count + 2) + 0.5) * slices)
    body = stack(grid, lambda w: [circle(foot - (foot - top) * w / height)] if 0 < w < height else None)
    assert volume_cc(body) * 1000 == pytest.approx(math.pi * height / 3 * (400 + 160 + 64), rel=0.01)
    assert extent(body) == pytest.approx((0, height), abs=0.1)


@pytest.mark.parametrize("slices", [2.0, 3.0])
def test_a_box_is_exact(slices):
    body = stack(
        planes_grid(np.arange(-6, 7) * slices),
        lambda w: [rectangle(-10, -20, 30, 5)] if abs(w) < 3.5 * slices else None,
    )
    assert volume_cc(body) == pytest.approx(40 * 25 * 7 * slices / 1000, rel=1e-9)


def test_one_slice_is_one_slab():
    body = stack(planes_grid([0.0, 3.0, 7.0, 10.0]), lambda w: [circle(10)] if w == 3 else None)
    assert extent(body) == pytest.approx((1.5, 5.0))
    assert volume_cc(body) == pytest.approx(math.pi * 100 * 3.5 / 1000, rel=1e-9)


def test_a_grid_of_one_plane_is_one_slab():
    body = stack(planes_grid([4.0]), lambda w: [circle(10)])
    assert volume_cc(body) == pytest.approx(math.pi * 100 * body.grid.thickness_mm / 1000, rel=1e-9)


def test_where_the_image_ends_the_solid_ends_half_a_slice_beyond():
    body = sphere(planes_grid(np.arange(0, 9) * 3.0), 20.0)
    assert extent(body)[0] == pytest.approx(-1.5)


def test_missing_planes_are_a_gap():
    """Two blocks with two empty planes between them: each ends half-way to the first empty one."""
    body = stack(planes_grid(np.arange(10) * 3.0), lambda w: [circle(10)] if w in (3, 6, 15, 18) else None)
    assert volume_cc(body) == pytest.approx(math.pi * 100 * 12 / 1000, rel=1e-9)
    assert area_at(body, 7.4) == pytest.approx(math.pi * 100, rel=1e-6)
    assert area_at(body, 7.6) == area_at(body, 10.5) == area_at(body, 13.4) == 0


def test_two_parts_that_merge_keep_between_the_planes_what_both_have():
    """Two discs on the lower planes, one oblong on the upper ones, which covers both."""
    discs = [circle(8, (-12, 0)), circle(8, (12, 0))]
    oblong = [rectangle(-20, -8, 20, 8)]
    body = stack(planes_grid(np.arange(-4, 5) * 3.0), lambda w: None if abs(w) > 7 else discs if w < -1 else oblong)
    areas = [area_at(body, w) for w in (-3.0, -2.0, -1.0, 0.0)]
    assert areas == sorted(areas)
    lower, upper = 2 * math.pi * 64, 640
    assert areas[0] == pytest.approx(lower, rel=1e-3)
    assert areas[-1] == pytest.approx(upper, rel=1e-3)
    for w in (-2.0, -1.0):
        cut = section(body, None, (0, 0, w), RIGHT, DOWN)
        assert cut.is_valid
        assert cut.buffer(0.1).covers(body.planes[2])


def test_a_part_that_ends_beside_one_that_goes_on_keeps_its_half_slice():
    body = stack(
        planes_grid(np.arange(-4, 5) * 3.0),
        lambda w: (
            None if abs(w) > 10 else [circle(10, (-25, 0)), circle(6, (25, 0))] if w < 1 else [circle(10, (-25, 0))]
        ),
    )
    # Planes -9 to 9; the small part is there on -9 to 0.
    expected = math.pi * (100 * 21 + 36 * 12)
    assert volume_cc(body) * 1000 == pytest.approx(expected, rel=2e-3)


def test_a_hole_that_ends_inside_keeps_its_half_slice():
    body = stack(
        planes_grid(np.arange(-4, 5) * 3.0),
        lambda w: None if abs(w) > 10 else [circle(20), circle(6)] if abs(w) < 4 else [circle(20)],
    )
    expected = math.pi * (400 * 21 - 36 * 9)
    assert volume_cc(body) * 1000 == pytest.approx(expected, rel=2e-3)
    assert section(body, None, (0, 0, 0), RIGHT, FEET).interiors


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(4, 25), st.floats(-12, 12), st.floats(-12, 12)), min_size=2, max_size=6),
    st.sampled_from([1.5, 3.0, 5.0]),
)
def test_any_stack_of_discs_stays_between_what_its_planes_show(discs, slices):
    """The solid has the planes' own regions, no gaps between overlapping ones, and a volume between those of all-smallest and all-largest."""
    grid = planes_grid(np.arange(-1, len(discs) + 1) * slices)
    at = {k * slices: d for k, d in enumerate(discs)}
    body = stack(grid, lambda w: [circle(at[w][0], at[w][1:], 60)] if w in at else None)
    borders = solid(body).borders_mm
    assert (np.diff(borders, axis=1) > 0).all()
    assert (borders[1:, 0] >= borders[:-1, 1] - 1e-6).all()
    for k, region in body.planes.items():
        assert section(body, None, (0, 0, grid.positions_mm[k]), RIGHT, DOWN) is region
    areas = [math.pi * d[0] ** 2 for d in discs]
    slabs = sum(areas) * slices / 1000
    assert 0.4 * slabs < volume_cc(body) < 1.6 * slabs


def test_the_sagittal_cut_of_a_sphere_is_smooth():
    body = sphere(planes_grid(np.arange(-8, 9) * 3.0), 20.0)
    cut = section(body, None, (0, 0, 0), DOWN, FEET)
    radii = np.hypot(*np.array(cut.exterior.coords).T)
    assert np.abs(radii - 20).max() < 0.6
    assert np.abs(radii - 20).mean() < 0.1
    assert cut.area == pytest.approx(math.pi * 400, rel=5e-3)


def test_contours_that_pass_through_lattice_points_give_whole_floors():
    """Contours from masks run along multiples of the pixel; the floors as regions must have the areas of their edges."""
    staircase = np.array(
        [(-20, -10), (0, -10), (0, -5), (10, -5), (10, 0), (20, 0), (20, 10), (5, 10), (5, 15), (-20, 15)], dtype=float
    )
    moved = np.add(staircase, (2.0, -1.0))
    body = stack(
        planes_grid(np.arange(-3, 4) * 3.0), lambda w: None if abs(w) > 7 else [staircase] if w < 0 else [moved]
    )
    found = solid(body)
    for prism, area in enumerate(found.areas_mm2):
        assert found.floor(prism).area == pytest.approx(area, rel=1e-6)


@pytest.mark.parametrize("slices", [1.0, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_target_whose_end_an_organ_dents(slices, side):
    """A sphere of 17 mm less one of 20 mm whose centre lies 30 mm away along the stack: the ring at its end is on one or two planes only.

    Common volume of two spheres: pi (a + b - d)^2 (d^2 + 2 d (a + b) - 3 (a - b)^2) / 12 d.
    """
    a, b, d = 17.0, 20.0, 30.0
    truth = 4 / 3 * math.pi * a**3 - math.pi * (a + b - d) ** 2 * (d**2 + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d)
    grid = planes_grid((np.arange(41) - 20) * slices)

    for offset in np.arange(8) / 8 * slices:

        def rings(w, offset=offset):
            along = side * (w - offset)
            outer, dent = a**2 - along**2, b**2 - (along - d) ** 2
            if outer <= max(dent, 0.0):
                return None
            return [circle(math.sqrt(outer)), *([circle(math.sqrt(dent))] if dent > 0 else [])]

        assert volume_cc(stack(grid, rings)) * 1000 == pytest.approx(truth, rel=0.015)


@pytest.mark.parametrize("slices", [2.0, 3.0])
def test_a_wall_as_thick_as_the_slice_distance(slices):
    """A hollow sphere, and a tube that shifts by more than its wall from plane to plane, its ends on slab borders."""
    for offset in (0.0, 0.41):
        grid = planes_grid(offset * slices + slices * np.arange(-9, 10))

        def rings(w):
            return [circle(math.sqrt(r**2 - w**2)) for r in (16.0, 16.0 - slices) if abs(w) < r - 1e-6]

        shell = stack(grid, rings)
        assert volume_cc(shell) == pytest.approx(SPHERE_CC * (16.0**3 - (16.0 - slices) ** 3), rel=0.005)
    tube = stack(
        planes_grid(slices * np.arange(-9, 10)),
        lambda w: [circle(r, (1.2 * w, 0.3 * w)) for r in (10.0, 10.0 - slices)] if abs(w) < 5.5 * slices else None,
    )
    truth = math.pi * (10.0**2 - (10.0 - slices) ** 2) * 11 * slices / 1000
    assert volume_cc(tube) == pytest.approx(truth, rel=0.005)


def test_a_lumen_that_opens_to_the_side_stays_open():
    """A ring whose wall is missing on the next plane: no wall closes it half-way, nor fills it."""
    square, hole = rectangle(-15, -15, 15, 15), rectangle(-8, -8, 8, 8)
    bay = np.array([(-15, -15), (15, -15), (15, -8), (-8, -8), (-8, 8), (15, 8), (15, 15), (-15, 15)], dtype=float)
    body = stack(
        planes_grid(3.0 * np.arange(-3, 4)), lambda w: [square, hole] if -7 < w < 1 else [bay] if 0 < w < 7 else None
    )
    floor = solid(body)
    for n in range(len(floor.borders_mm)):
        region = floor.floor(n)
        assert region is None or not region.contains(shapely.Point(0.0, 0.0))
