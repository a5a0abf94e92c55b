"""The boundary rule against areas worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from reviewer.errors import InputError
from reviewer.gating.rule import Rule, outside_percent

SQUARE = shapely.box(0, 0, 20, 20)


def moved(region, x, y):
    return shapely.transform(region, lambda p: p + np.array([x, y]))


def test_the_boundary_of_a_square_is_its_offset_with_round_corners():
    grown = Rule(3.0).boundary(SQUARE)
    assert grown.area == pytest.approx(400 + 4 * 20 * 3 + math.pi * 9, rel=1e-3)
    assert grown.bounds == pytest.approx((-3, -3, 23, 23))
    assert Rule(0.0).boundary(SQUARE).area == pytest.approx(400)


def test_a_square_that_goes_over_the_edge_by_a_millimetre_is_out_by_a_twentieth():
    # 3 mm margin: moved by 4 mm, a strip of 1 mm of its 20 mm lies outside.
    (share,) = outside_percent([moved(SQUARE, 4, 0)], Rule(3.0).boundary(SQUARE))
    assert share == pytest.approx(5.0, abs=1e-9)
    assert Rule().holds(np.array([share])).tolist() == [True], "5 % or more is out"
    (less,) = outside_percent([moved(SQUARE, 3.999, 0)], Rule(3.0).boundary(SQUARE))
    assert Rule().holds(np.array([less])).tolist() == [False]


def test_what_is_not_tracked_holds_the_beam():
    shares = outside_percent([None, SQUARE, None], Rule().boundary(SQUARE))
    assert np.isnan(shares).tolist() == [True, False, True]
    assert Rule().holds(shares).tolist() == [True, False, True]
    assert Rule(50.0, 100.0).holds(shares).tolist() == [True, False, True]


def test_holes_and_islands_count_as_they_are():
    ring = shapely.box(0, 0, 20, 20).difference(shapely.box(5, 5, 15, 15))
    boundary = Rule(0.0).boundary(ring)
    # A full square over the ring's place: its middle, 100 of 400 mm², lies in the hole and so outside.
    assert outside_percent([SQUARE], boundary)[0] == pytest.approx(25.0)
    two = shapely.MultiPolygon([shapely.box(0, 0, 4, 4), shapely.box(100, 0, 104, 4)])
    assert outside_percent([two], Rule().boundary(SQUARE))[0] == pytest.approx(50.0)


@given(x=st.floats(-40, 40), y=st.floats(-40, 40), margin=st.floats(0, 10))
def test_a_wider_margin_never_lets_more_out(x, y, margin):
    region = moved(SQUARE, x, y)
    narrow, wide = (outside_percent([region], Rule(m).boundary(SQUARE))[0] for m in (margin, margin + 1))
    assert -1e-9 <= wide <= narrow + 1e-6 <= 100 + 1e-5


@pytest.mark.parametrize("bad", [(-1.0, 5.0), (51.0, 5.0), (3.0, 0.0), (3.0, 101.0), (math.nan, 5.0), (3.0, math.nan)])
def test_rules_that_make_no_sense_are_refused(bad):
    with pytest.raises(InputError):
        Rule(*bad)
