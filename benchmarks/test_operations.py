"""Operations of editing on 512 x 512 x 120 voxels: interpolation, livewire, smart fill, threshold, outlines.

`make bench`, or `pytest benchmarks/test_operations.py --benchmark-group-by=group`. The peers do what their program does at the same task.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from liver_case import GRID, structures

from reviewer.case import Image
from reviewer.edit.operations import interpolate as interpolation
from reviewer.edit.operations.fill import Seed, fill
from reviewer.edit.operations.interpolate import interpolate
from reviewer.edit.operations.livewire import Wire, picture
from reviewer.edit.operations.outline import simplify, smooth
from reviewer.edit.operations.threshold import threshold
from reviewer.edit.operations.through import smooth_through
from reviewer.geometry.coverage import coverage
from reviewer.geometry.memo import Memo

SAME = np.eye(4)


@pytest.fixture(scope="module")
def bodies():
    return {s.name: s for s in structures()}


@pytest.fixture(scope="module")
def image(bodies):
    """Noise of 8 around 100 in the liver, 60 in the rest of the body, 0 outside."""
    rng = np.random.default_rng(3)
    values = 60 * whole(bodies["Body"]) + 40 * whole(bodies["Liver"])
    return Image("image", "MR", "TrueFISP", GRID, np.rint(values + rng.normal(0, 8, values.shape)).astype(np.int16))


def whole(body):
    """(z, y, x) occupied fraction on the whole grid."""
    found, values = coverage(body, GRID), np.zeros(GRID.shape_zyx, dtype=np.float32)
    values[found.box] = found.fraction
    return values


def sparse(body, count):
    """Drawn on every fifth slice, with `count` slices to fill."""
    drawn = sorted(body.planes)[4 : 5 + count + count // 4 : 5]
    return replace(body, planes={k: body.planes[k] for k in drawn})


@pytest.mark.parametrize("name", ["GTV", "Stomach", "Liver", "Body"])
def test_interpolate_20_slices(benchmark, bodies, monkeypatch, name):
    benchmark.group = f"interpolate {name}"
    body = sparse(bodies[name], 4 if name == "GTV" else 20)

    def afresh():
        monkeypatch.setattr(interpolation, "_found", Memo(20_000))
        return interpolate(body)

    assert len(benchmark(afresh)) == (4 if name == "GTV" else 20)


@pytest.mark.parametrize("name", ["GTV", "Stomach", "Liver", "Body"])
def test_peer_simpleitk_distance_20_slices(benchmark, bodies, name):
    """Signed distance maps of masks, one for each drawn slice, and a weighted mean for each empty one, in the structure's box."""
    sitk = pytest.importorskip("SimpleITK")
    benchmark.group = f"interpolate {name}"
    body = sparse(bodies[name], 4 if name == "GTV" else 20)
    inside = whole(body)
    masks = {k: sitk.GetImageFromArray((inside[k] > 0.5).astype(np.uint8)) for k in body.planes}
    low, high = (
        np.clip(((np.array(c) + 250) / 0.977).astype(int) + d, 0, 511) for c, d in zip(_box(body), (-8, 8), strict=True)
    )
    masks = {k: m[int(low[0]) : int(high[0]), int(low[1]) : int(high[1])] for k, m in masks.items()}

    def peer():
        maps = {
            k: sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(m, False, False, True)) for k, m in masks.items()
        }
        return [(maps[a] * (b - k) + maps[b] * (k - a) < 0) for a, b in pairwise(sorted(maps)) for k in range(a + 1, b)]

    assert len(benchmark(peer)) == (4 if name == "GTV" else 20)


def _box(body):
    bounds = np.array([r.bounds for r in body.planes.values()])
    return bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)


def test_interpolate_preview_of_a_stroke(benchmark, bodies):
    """While a slice is drawn: the gaps beside it are worked out anew, the others are known."""
    benchmark.group = "interpolate Liver"
    body = sparse(bodies["Liver"], 20)
    middle = sorted(body.planes)[2]
    interpolate(body)
    turn = iter(range(10_000))

    def stroke():
        moved = body.planes[middle].buffer(-0.01 * (1 + next(turn)))
        return interpolate(replace(body, planes={**body.planes, middle: moved}))

    assert len(benchmark.pedantic(stroke, rounds=20)) == 20


LIVER_EDGE = [(-145.0, -20.0), (-60.0, -85.0)]
"""Two places on the outline of the liver on the middle slice, 107 mm apart."""


def test_livewire_begin(benchmark, image):
    benchmark.group = "livewire"
    benchmark(lambda: Wire(picture(image, SAME, (1, 0, 0), (0, 1, 0), (0, 0, 10.0))))


def test_livewire_segment(benchmark, image):
    """A new anchor: the search of the window, and the path."""
    benchmark.group = "livewire"
    wire = Wire(picture(image, SAME, (1, 0, 0), (0, 1, 0), (0, 0, 10.0)))
    turn = iter(range(10_000))

    def segment():
        start = LIVER_EDGE[0][0] + 0.001 * next(turn), LIVER_EDGE[0][1]
        wire._tree = None
        return wire.path(start, LIVER_EDGE[1])

    assert len(benchmark(segment)) > 50


def test_livewire_whole_slice(benchmark, image):
    benchmark.group = "livewire"
    wire = Wire(picture(image, SAME, (1, 0, 0), (0, 1, 0), (0, 0, 10.0)))

    def segment():
        wire._tree = None
        return wire.path((-249.0, -249.0), (249.0, 249.0))

    assert len(benchmark(segment)) > 400


def test_livewire_hover(benchmark, image):
    benchmark.group = "livewire"
    wire = Wire(picture(image, SAME, (1, 0, 0), (0, 1, 0), (0, 0, 10.0)))
    wire.path(*LIVER_EDGE)
    benchmark(wire.path, *LIVER_EDGE)


SEED = Seed(64, -60.0, -20.0)


@pytest.mark.parametrize(("what", "planes"), [("slice", 0), ("body", 16)])
def test_smart_fill(benchmark, image, what, planes):
    """From a click in the liver, in a box of 240 x 190 mm about it."""
    benchmark.group = f"smart fill {what}"
    near = range(SEED.plane - planes, SEED.plane + planes + 1)
    box = (SEED.u_mm - 120, SEED.v_mm - 95, SEED.u_mm + 120, SEED.v_mm + 95)
    assert len(benchmark(fill, image, SAME, GRID, SEED, box, near)) == 2 * planes + 1


@pytest.mark.parametrize("what", ["slice", "liver"])
def test_threshold(benchmark, image, bodies, what):
    benchmark.group = f"threshold {what}"
    liver = bodies["Liver"].planes
    limit = liver if what == "liver" else {64: liver[64]}
    assert len(benchmark(threshold, image, SAME, GRID, limit, 85.0, 130.0, smallest_mm2=20.0)) == len(limit)


@pytest.mark.parametrize("what", [smooth, simplify, smooth_through], ids=lambda f: f.__name__)
def test_outlines(benchmark, bodies, what):
    benchmark.group = "outlines of the liver"
    arguments = () if what is smooth_through else (1.0,)
    assert benchmark(what, bodies["Liver"], *arguments)
