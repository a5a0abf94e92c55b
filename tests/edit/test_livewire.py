"""Paths along edges: known edges are followed within half a pixel, and the search finds what a plain Dijkstra finds."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hands import image_on
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import planes_grid

from reviewer.case import Window
from reviewer.edit.operations import livewire
from reviewer.edit.operations.livewire import Picture, Wire, picture
from reviewer.errors import InputError

SAME = np.eye(4)
STEP = 0.8


def shown(values, half=50.0, step=STEP):
    """The picture of ``values(x, y)`` on square pixels around the origin."""
    at = np.arange(-half, half + step / 2, step)
    x, y = np.meshgrid(at, at)
    return Picture(values(x, y).astype(np.float32), (-half, -half), step)


def disc(radius, noise=0.0, centre=(3.3, -7.7)):
    def values(x, y):
        away = np.hypot(x - centre[0], y - centre[1])
        grain = np.random.default_rng(1).normal(0, 1, x.shape) * noise
        return 100 / (1 + np.exp((away - radius) / STEP)) + grain

    return values


def on_circle(radius, degrees, centre=(3.3, -7.7)):
    return centre[0] + radius * math.cos(math.radians(degrees)), centre[1] + radius * math.sin(math.radians(degrees))


def off_circle(path, radius, centre=(3.3, -7.7)):
    """Distances from the circle, in pixels."""
    return np.abs(np.hypot(*(path - centre).T) - radius) / STEP


# -- known edges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [8.0, 15.0, 35.0])
def test_a_round_edge_is_followed_within_half_a_pixel(radius):
    path = Wire(shown(disc(radius))).path(on_circle(radius, 20), on_circle(radius, 150))
    assert off_circle(path, radius).max() < 0.5
    assert off_circle(path, radius).mean() < 0.2
    angles = np.degrees(np.arctan2(path[:, 1] + 7.7, path[:, 0] - 3.3))
    assert (np.diff(angles) > -1).all()
    assert angles[[0, -1]] == pytest.approx([20, 150])


@pytest.mark.parametrize("radius", [15.0, 35.0])
def test_noise_of_a_tenth_of_the_step_is_not_followed(radius):
    path = Wire(shown(disc(radius, noise=10.0))).path(on_circle(radius, -60), on_circle(radius, 60))
    assert off_circle(path, radius).max() < 0.75
    assert off_circle(path, radius).mean() < 0.25


@pytest.mark.parametrize("degrees", [0, 13, 45, 90])
def test_straight_edges_in_any_direction(degrees):
    n = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    wire = Wire(shown(lambda x, y: 50 * np.tanh((x * n[0] + y * n[1] - 2.0) / STEP)))
    along = np.array([-n[1], n[0]])
    path = wire.path(tuple(2 * n - 25 * along), tuple(2 * n + 25 * along))
    assert np.abs(path @ n - 2.0).max() < 0.5 * STEP
    assert np.hypot(*np.diff(path, axis=0).T).sum() < 52


def test_a_path_goes_around_rather_than_across():
    """Between two places of a horseshoe the way along the edge is four times as long as the straight one through even values."""
    radius = 25.0
    path = Wire(shown(disc(radius))).path(on_circle(radius, 40), on_circle(radius, 200))
    assert off_circle(path, radius).max() < 0.5


def test_places_off_the_picture_and_equal_places():
    wire = Wire(shown(disc(15.0)))
    path = wire.path((-70.0, 0.0), (20.0, 10.0))
    assert len(path) > 50
    assert path[0].tolist() == [-70.0, 0.0]
    assert path[-1].tolist() == [20.0, 10.0]
    assert np.isfinite(path).all()
    assert wire.path((-70.0, 0.0), (70.0, 80.0)).tolist() == [[-70.0, 0.0], [70.0, 80.0]]
    assert wire.path((1.0, 1.0), (1.0, 1.1)).tolist() == [[1.0, 1.0], [1.0, 1.1]]


def test_an_even_picture_gives_the_short_way():
    wire = Wire(shown(lambda x, y: 0 * x))
    path = wire.path((-20.0, -4.0), (20.0, 4.0))
    assert np.hypot(*np.diff(path, axis=0).T).sum() < 1.1 * math.hypot(40, 8)
    assert wire.snapped((3.0, 4.0), 5.0) == (3.0, 4.0)


def test_a_click_jumps_to_the_edge_between_the_pixels():
    wire = Wire(shown(disc(15.0)))
    for degrees in range(0, 360, 24):
        for off in (-1.6, 1.6):
            x, y = wire.snapped(on_circle(15.0 + off, degrees), 3.0)
            assert abs(math.hypot(x - 3.3, y + 7.7) - 15.0) < 0.35 * STEP
    near = on_circle(13.0, 10)
    assert wire.snapped(near, 0.5) == near


def test_what_the_window_leaves_white_has_no_edges():
    """A faint edge at x = 0 beside one of a hundred times its height at x = 6, of which the window leaves a quarter of the faint one."""
    wire = shown(lambda x, y: np.tanh(x / STEP) + 100 * np.tanh((x - 6) / STEP))
    ends = (0.0, -20.0), (0.0, 20.0)
    # Values are -101 to -99 on the left of x = 6, and +101 on the right.
    through = Wire(wire, Window(-100.0, 3.0)).snapped((3.0, 0.0), 5.0)
    assert through[0] == pytest.approx(0.0, abs=0.5 * STEP)
    assert np.abs(Wire(wire, Window(-100.0, 3.0)).path(*ends)[:, 0]).max() < 0.5 * STEP
    assert Wire(wire).snapped((3.0, 0.0), 5.0)[0] == pytest.approx(6.0, abs=0.5 * STEP)


def test_unknown_values_make_no_edge():
    def values(x, y):
        found = disc(15.0)(x, y)
        found[:, x[0] > 20] = np.nan
        return found

    wire = Wire(shown(values))
    assert wire.snapped((20.0, 30.0), 3.0) == (20.0, 30.0)
    path = wire.path(on_circle(15, 30), on_circle(15, 150))
    assert off_circle(path, 15.0).max() < 0.5
    nothing = Wire(shown(lambda x, y: np.full_like(x, np.nan)))
    assert np.isfinite(nothing.path((0, 0), (10, 10))).all()


def test_the_same_path_whether_the_end_moved_there_or_not():
    wire = Wire(shown(disc(35.0, noise=5.0)))
    start = on_circle(35, 0)
    for degrees in (5, 40, -30, 80):
        moved = wire.path(start, on_circle(35, degrees))
    fresh = Wire(shown(disc(35.0, noise=5.0))).path(start, on_circle(35, 80))
    assert off_circle(moved, 35.0).max() < 0.75
    assert len(moved) == pytest.approx(len(fresh), abs=3)


# -- the search -----------------------------------------------------------------------------------------------------------


def plain_dijkstra(static, along_x, along_y, start):
    """The cost from `start` to every pixel, by the formula of the paper and a heap."""
    ny, nx = static.shape
    best = {start: 0.0}
    queue = [(0.0, start)]
    while queue:
        cost, p = heapq.heappop(queue)
        if cost > best[p]:
            continue
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                q = p[0] + dy, p[1] + dx
                if q == p or not (0 <= q[0] < ny and 0 <= q[1] < nx):
                    continue
                new = cost + step_cost(static, along_x, along_y, p, q)
                if new < best.get(q, math.inf) - 1e-12:
                    best[q] = new
                    heapq.heappush(queue, (new, q))
    return best


def step_cost(static, along_x, along_y, p, q):
    length = math.hypot(q[0] - p[0], q[1] - p[1])
    link = np.array([q[1] - p[1], q[0] - p[0]]) / length
    d_p = along_x[p] * link[0] + along_y[p] * link[1]
    if d_p < 0:
        link, d_p = -link, -d_p
    d_q = along_x[q] * link[0] + along_y[q] * link[1]
    turned = math.acos(min(max(d_p, -1), 1)) + math.acos(min(max(d_q, -1), 1))
    return (static[q] + 0.43 * 2 / (3 * math.pi) * turned) * length


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_search_finds_the_cheapest_path(seed):
    """Costs are counted in steps of 1/255: so much a step, and what a cosine's table rounds, may a path be dearer."""
    rng = np.random.default_rng(seed)
    static = rng.uniform(0, 0.57, (17, 23)).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi, static.shape)
    along_x, along_y = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    start = (int(rng.integers(17)), int(rng.integers(23)))
    came = livewire._spread(static, along_x, along_y, start[0], start[1], livewire._ANGLES)
    best = plain_dijkstra(static, along_x, along_y, start)
    for end in [(0, 0), (16, 22), (0, 22), (8, 11)]:
        way = [(int(y), int(x)) for x, y in livewire._way(came, end[1], end[0])]
        assert way[0] == start
        assert way[-1] == end
        cost = sum(step_cost(static, along_x, along_y, p, q) for p, q in pairwise(way))
        assert best[end] - 1e-6 <= cost <= best[end] + len(way) * (2 / 255)


# -- the picture of a pane ------------------------------------------------------------------------------------------------

GRID = planes_grid(3.0 * np.arange(-10, 11), spacing=1.5)
RAMP = image_on(GRID, lambda u, v, w: 2 * u + 3 * v + 5 * w)


@pytest.mark.parametrize(
    ("right", "down", "point"),
    [
        ((1, 0, 0), (0, 1, 0), (3.0, 4.0, 7.0)),
        ((0, 1, 0), (0, 0, -1), (-20.0, 4.0, 0.0)),
        ((-1, 0, 0), (0, 0, 1), (0.0, 11.0, 0.0)),
        ((0.8, 0.6, 0), (0, 0, -1), (1.0, 2.0, 3.0)),
    ],
)
def test_a_picture_holds_the_values_of_its_places(right, down, point):
    """A linear image, so that interpolation is exact wherever a sample lies between voxel centres."""
    found = picture(replace(RAMP, slope=2.0, intercept=-7.0), SAME, right, down, point)
    assert found.step_mm == 1.5
    i, j = np.indices(found.values.shape)
    at = np.stack([found.first_mm[0] + found.step_mm * j, found.first_mm[1] + found.step_mm * i], axis=-1)
    r, d, p = (np.asarray(a, dtype=float) for a in (right, down, point))
    place = p - (p @ r) * r - (p @ d) * d + at[..., :1] * r + at[..., 1:] * d
    truth = 2 * (place @ (2.0, 3.0, 5.0)) - 7
    inner = (np.abs(place[..., :2]) <= 60).all(axis=-1) & (np.abs(place[..., 2]) <= 30)
    assert inner.sum() > 500
    assert found.values[inner] == pytest.approx(truth[inner], abs=0.3)


def test_a_picture_of_nothing_is_told():
    with pytest.raises(InputError, match="no values in this view"):
        picture(RAMP, SAME, (1, 0, 0), (0, 1, 0), (0, 0, 99.0))
    with pytest.raises(InputError, match="no values in this view"):
        picture(replace(RAMP, pending=np.ones(21, dtype=bool)), SAME, (1, 0, 0), (0, 1, 0), (0, 0, 0))
