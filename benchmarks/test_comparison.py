"""Comparing two livers of 1400 cc on 512 x 512 x 120 voxels with slices of 3 mm: at most 250 ms (issue 3), surface-distance beside it.

The peer is handed finished masks and computes no Dice, no centroid and nothing per slice. It is not in the environment; elsewhere:
    pip install --target /tmp/peer --no-deps surface-distance scipy absl-py; PYTHONPATH=/tmp/peer pytest benchmarks/test_comparison.py
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reviewer.case import Structure
from reviewer.comparison import compare
from reviewer.geometry.coverage import coverage
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings
from reviewer.geometry.solid import solid

GRID = Grid(np.eye(3), (-250.0, -250.0), (0.977, 0.977), (512, 512), np.arange(120) * 3.0 - 180, "frame")


def organ(axes, centre, phase, points) -> Structure:
    """An ellipsoid with a ripple, so that no contour is a copy of the one below."""
    angle = 2 * math.pi * np.arange(points) / points
    planes = {}
    for k, w in enumerate(GRID.positions_mm):
        square = 1 - ((w - centre[2]) / axes[2]) ** 2
        if square > 0.002:
            radius = math.sqrt(square) * (1 + 0.06 * np.cos(5 * angle + w / 15 + phase))
            ring = np.column_stack([axes[0] * np.cos(angle) * radius, axes[1] * np.sin(angle) * radius])
            planes[k] = region_of_rings([ring + centre[:2]])
    return Structure("organ", "organ", GRID, planes)


PAIRS = {
    "liver": (
        organ((85, 60, 65), (-60, -20, 10), 0.0, 250),
        organ((83, 62, 66), (-58, -21, 11), 1.0, 250),
    ),
    "gtv": (organ((13, 13, 13), (0, 0, 0), 0.0, 60), organ((14, 12, 13), (1, 0, 1), 1.0, 60)),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_compare(benchmark, kind) -> None:
    """The solids are there, as in every session that shows volumes; surfaces and distances are not."""

    def fresh():
        pair = [replace(s) for s in PAIRS[kind]]  # nothing is remembered of a new structure
        for structure in pair:
            solid(structure)
        return pair, {}

    benchmark.group = f"compare {kind}"
    benchmark.pedantic(compare, setup=fresh, rounds=15, warmup_rounds=2)


@pytest.mark.parametrize("kind", PAIRS)
def test_compare_from_contours(benchmark, kind) -> None:
    """The solids too."""

    def fresh():
        return [replace(s) for s in PAIRS[kind]], {}

    benchmark.group = f"compare {kind}"
    benchmark.pedantic(compare, setup=fresh, rounds=10, warmup_rounds=1)


@pytest.mark.parametrize("kind", PAIRS)
def test_peer_surface_distance(benchmark, kind) -> None:
    peer = pytest.importorskip("surface_distance")
    masks = []
    for structure in PAIRS[kind]:
        cover = coverage(structure, GRID)
        mask = np.zeros(GRID.shape_zyx, dtype=bool)
        mask[cover.box] = cover.fraction >= 0.5
        masks.append(mask)

    def measures():
        found = peer.compute_surface_distances(*masks, spacing_mm=(3.0, 0.977, 0.977))
        peer.compute_robust_hausdorff(found, 100)
        peer.compute_robust_hausdorff(found, 95)
        peer.compute_average_surface_distance(found)
        for mm in (1.0, 2.0, 3.0):
            peer.compute_surface_dice_at_tolerance(found, mm)

    benchmark.group = f"compare {kind}"
    benchmark.pedantic(measures, rounds=8, warmup_rounds=1)
