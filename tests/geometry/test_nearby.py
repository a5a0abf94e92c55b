"""Combining near a patch against combining all of the region."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from reviewer.geometry.nearby import FEW_CORNERS, combined
from reviewer.geometry.region import region_of


def sieve(seed):
    """Islands within holes within parts, some hundreds of them."""
    rng = np.random.default_rng(seed)
    places, sizes = rng.uniform(0, 100, (300, 2)), rng.uniform(0.3, 4.0, 300)
    disks = shapely.buffer(shapely.points(places), sizes, quad_segs=3)
    holes = shapely.union_all(disks[:240])
    islands = shapely.union_all(shapely.buffer(disks[:240], -1.2))
    return region_of(shapely.union_all([shapely.box(5, 5, 60, 95).difference(holes), islands, disks[240]]))


@pytest.mark.parametrize("combine", [shapely.union, shapely.difference])
@pytest.mark.parametrize("seed", range(6))
def test_what_lies_apart_makes_no_difference(combine, seed):
    region = sieve(seed)
    assert shapely.get_num_coordinates(region) > FEW_CORNERS
    rng = np.random.default_rng(seed + 100)
    for place in rng.uniform(-10, 110, (25, 2)):
        patch = shapely.box(*place, *(place + rng.uniform(1, 40, 2)))
        found, truth = combined(combine, region, patch), combine(region, patch)
        assert found.is_valid
        assert found.symmetric_difference(truth).area < 1e-6
        assert len(shapely.get_parts(found)) == len(shapely.get_parts(truth))
        assert len(shapely.get_rings(found)) == len(shapely.get_rings(truth))


@pytest.mark.parametrize("combine", [shapely.union, shapely.difference])
def test_a_patch_over_all_and_one_far_away(combine):
    region = sieve(0)
    for patch in (shapely.box(-50, -50, 200, 200), shapely.box(500, 500, 510, 510)):
        found = combined(combine, region, patch)
        assert found.symmetric_difference(combine(region, patch)).area < 1e-6
