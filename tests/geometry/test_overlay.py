"""Overlays of regions obey the laws of areas, also where GEOS loses its way in floating point."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reviewer.geometry.overlay import either, shared, united, without
from reviewer.geometry.region import region_of_rings, rings_of

corners = arrays(float, st.tuples(st.integers(3, 7), st.just(2)), elements=st.integers(-40, 40).map(lambda n: n / 2))


@settings(max_examples=150)
@given(corners, corners)
def test_areas_add_up_for_what_touches_itself(one, other):
    a, b = (region_of_rings([ring]) or shapely.Polygon() for ring in (one, other))
    both, all_of_it = shared(a, b), united(a, b)
    assert all_of_it.area + both.area == pytest.approx(a.area + b.area, abs=1e-6)
    # Cut up along computed corners, which is where borders nearly coincide.
    assert without(a, b).area == pytest.approx(a.area - both.area, abs=1e-6)
    assert without(all_of_it, without(a, b)).area == pytest.approx(b.area, abs=1e-6)
    assert either(all_of_it, both).area == pytest.approx(all_of_it.area - both.area, abs=1e-6)


def test_what_geos_refuses_or_loses():
    """Two sets of rings whose plain overlays raise, and lose 17 of 20 mm²."""
    for rings in (
        [[(1, 18), (-1, 7), (-2, 0)], [(-2, 0), (1, 18), (0, 0), (0, 16), (1, 0)]],
        [[(-24, 0), (2, 17.5), (0, 0), (0, 17), (1, 0)], [(2, 17.5), (-24, 0), (0, 0), (0, 23)]],
    ):
        region = region_of_rings([np.array(ring, float) for ring in rings])
        assert region_of_rings(rings_of(region)).area == pytest.approx(region.area, abs=1e-6)


def test_arrays_are_taken_one_by_one():
    squares = [shapely.box(n, 0, n + 2, 2) for n in range(3)]
    assert [g.area for g in united(squares, [shapely.box(1, 0, 3, 2)] * 3)] == [6, 4, 6]
