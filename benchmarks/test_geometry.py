"""Coverage, solids and cuts of twelve structures on 512 x 512 x 120 voxels. `make bench`, or `pytest benchmarks/test_geometry.py`."""

from __future__ import annotations

import numpy as np
import pytest
from liver_case import GRID, structures

from reviewer.geometry.coverage import coverage
from reviewer.geometry.region import region_of_rings, rings_of
from reviewer.geometry.section import section
from reviewer.geometry.solid import solid
from reviewer.geometry.volume import volume_cc

PLANES = {
    "axial": ((0, 0, 0), (1, 0, 0), (0, 1, 0)),
    "axial between slices": ((0, 0, 0.8), (1, 0, 0), (0, 1, 0)),
    "coronal": ((0, -10, 0), (1, 0, 0), (0, 0, -1)),
    "sagittal": ((-60, 0, 0), (0, 1, 0), (0, 0, -1)),
    "oblique": ((0, 0, 0), (1, 0, 0), (0, np.cos(0.05), np.sin(0.05))),
}


@pytest.fixture(scope="module")
def bodies():
    found = structures()
    for body in found:
        coverage(body, GRID)
    return found


def test_solids_of_twelve_new_structures(benchmark):
    def build(new):
        return sum(volume_cc(s) for s in new)

    build(structures()[-2:])
    benchmark.pedantic(build, setup=lambda: ((structures(),), {}), rounds=3)


def test_solid_of_a_new_gtv(benchmark):
    benchmark.pedantic(solid, setup=lambda: ((structures()[10],), {}), rounds=5)


def test_coverage_of_twelve_structures(benchmark, bodies):
    benchmark(lambda: [coverage(body, GRID) for body in bodies])


def test_coverage_of_all_but_the_body(benchmark, bodies):
    benchmark(lambda: [coverage(body, GRID) for body in bodies[1:]])


@pytest.mark.parametrize("plane", PLANES)
def test_cuts_of_twelve_structures(benchmark, bodies, plane):
    origin, right, down = PLANES[plane]
    benchmark(lambda: [section(body, None, origin, right, down) for body in bodies])


def test_region_of_one_ring(benchmark, bodies):
    ring = rings_of(bodies[1].planes[60])
    benchmark(region_of_rings, ring)


def test_peer_masks_of_twelve_structures(benchmark, bodies):
    """The usual way of the peers: each slice's polygon drawn as a mask (OpenCV), pixels in or out."""
    cv2 = pytest.importorskip("cv2")

    def masks():
        for body in bodies:
            mask = np.zeros(GRID.shape_zyx, dtype=np.uint8)
            for k, region in body.planes.items():
                rings = [
                    np.rint((r - GRID.origin_uv_mm) / GRID.spacing_uv_mm).astype(np.int32) for r in rings_of(region)
                ]
                cv2.fillPoly(mask[k], rings, 1)

    benchmark(masks)
