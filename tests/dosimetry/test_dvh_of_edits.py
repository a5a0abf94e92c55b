"""A DVH is a sum over layers: after an edit only what the edit reaches is added up again, and that does not show."""

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, linear_dose, planes_grid, rectangle, stack
from shapely import affinity, box

from reviewer.case import Dose
from reviewer.dosimetry.cells import Cubes, Voxels
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.interpolation import DOSE as OF_DOSE
from reviewer.dosimetry.interpolation import SPREAD as OF_SPREAD
from reviewer.dosimetry.interpolation import cells_for, doses_of_cells, rows_for, weigh, whole_row, widen
from reviewer.dosimetry.moments import FIELDS, OF_ROW, add_moments, of_cell, of_row, pass_by, shape_of, stride_for
from reviewer.errors import CancelledError
from reviewer.geometry.grid import Grid
from reviewer.geometry.pieces import room_for
from reviewer.geometry.solid import solid, unlike

GRID = planes_grid(np.arange(-40.0, 41.0, 2.5))
DOSE = linear_dose(2.5, (0.3, -0.2, 0.5), half=60.0, shift=(0.4, 0.7, 0.9))

EDITS = {
    "grow": lambda region: affinity.scale(region, 1.4, 1.1),
    "move": lambda region: affinity.translate(region, 3.0, -2.0),
    "hole": lambda region: region.difference(box(-2, -2, 3, 3)),
    "island": lambda region: region.union(box(28, 0, 33, 5)),
    "gone": lambda region: None,
}


def body():
    return stack(GRID, lambda w: [circle(16 - 0.01 * w**2, (w / 9, 1.0))] if abs(w) < 32 else None)


def drawn_anew(structure):
    """The same contours as other objects, of which nothing is known."""
    return replace(structure, planes={k: shapely.from_wkb(shapely.to_wkb(r)) for k, r in structure.planes.items()})


def prisms_of(found):
    """What a solid consists of, to be compared."""
    return {
        (*borders, found.segments[a:b].tobytes())
        for borders, a, b in zip(found.borders_mm.tolist(), found.starts[:-1], found.starts[1:], strict=True)
    }


@pytest.mark.parametrize("edit", EDITS)
def test_where_two_solids_differ(edit):
    """The hull of all prisms that only one of them has."""
    one = body()
    planes = {k: r for k, r in one.planes.items() if k != 15}
    changed = EDITS[edit](one.planes[15])
    other = replace(one, planes=planes if changed is None else {**planes, 15: changed})
    assert unlike(solid(one), solid(replace(one))) is None
    first, second = prisms_of(solid(one)), prisms_of(solid(other))
    low, high = min(p[0] for p in first ^ second), max(p[1] for p in first ^ second)
    assert unlike(solid(one), solid(other)) == unlike(solid(other), solid(one)) == (low, high)
    wider = unlike(solid(one), solid(other), beyond=1)
    bottom, top = solid(other).borders_mm[[0, -1], [0, 1]]
    assert wider[0] < low or low <= bottom
    assert wider[1] > high or high >= top


def turned(degrees: float):
    a, tie = math.radians(degrees), np.eye(4)
    tie[1:3, 1:3] = [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
    return tie


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(range(len(GRID.positions_mm))), st.sampled_from(sorted(EDITS))), max_size=3),
    st.sampled_from([0.0, 10.0]),
)
def test_the_dvh_after_edits_is_that_of_the_same_contours_drawn_from_scratch(edits, degrees):
    structure, tie = body(), turned(degrees)
    dvh(structure, DOSE, tie)
    for plane, edit in edits:
        region = EDITS[edit](structure.planes.get(plane, box(-6, -5, 6, 5)))
        planes = {k: r for k, r in structure.planes.items() if k != plane}
        structure = replace(
            structure, planes=planes if region is None or region.is_empty else {**planes, plane: region}
        )
        kept, anew = dvh(structure, DOSE, tie), dvh(drawn_anew(structure), DOSE, tie)
        for name in ("volume_cc", "outside_fraction", "min_gy", "mean_gy", "max_gy"):
            assert getattr(kept, name) == pytest.approx(getattr(anew, name), rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(kept.dose_gy, anew.dose_gy, rtol=1e-9)
        # What lies on the border of two dose levels may be rounded to either, and no further.
        curve, rounding = kept.cumulative_cc, 1e-9 * anew.volume_cc
        assert (anew.cumulative_cc[1:] <= curve[:-1] + rounding).all()
        assert (anew.cumulative_cc[:-1] >= curve[1:] - rounding).all()


@pytest.mark.parametrize("degrees", [0.0, 10.0])
def test_an_edit_of_one_plane_adds_up_a_part(monkeypatch, degrees):
    structure, tie = body(), turned(degrees)
    added: list[int] = []
    for kind in (Voxels, Cubes):
        share = kind.share
        monkeypatch.setattr(kind, "share", lambda self, n, *rest, share=share: added.append(n) or share(self, n, *rest))
    dvh(structure, DOSE, tie)
    whole = len(added)
    added.clear()
    changed = affinity.translate(structure.planes[16], 1.0, 0.0)
    dvh(replace(structure, planes={**structure.planes, 16: changed}), DOSE, tie)
    assert 0 < len(added) <= whole / 2
    added.clear()
    dvh(replace(structure, name="an organ like it"), DOSE, tie)
    assert not added


def test_another_dose_or_tie_is_added_up_anew():
    structure = body()
    other = Dose("other", "other", DOSE.grid, DOSE.gray + np.float32(5))
    before = dvh(structure, DOSE)
    for dose, tie in ((other, np.eye(4)), (DOSE, turned(10.0))):
        kept, anew = dvh(structure, dose, tie), dvh(drawn_anew(structure), dose, tie)
        np.testing.assert_array_equal(kept.cumulative_cc, anew.cumulative_cc)
        assert kept.mean_gy == anew.mean_gy != before.mean_gy


def test_work_that_nobody_waits_for_ends():
    with pytest.raises(CancelledError):
        dvh(body(), DOSE, cancelled=lambda: True)


def test_no_dose_beyond_those_of_the_voxels_around():
    """A cliff of one voxel: interpolated, the dose lies between 10 and 40 Gy, and so does every number."""
    grid = Grid(np.eye(3), (-20, -20), (2.5, 2.5), (17, 17), np.arange(-20.0, 21.0, 2.5), "frame")
    gray = np.full(grid.shape_zyx, 10, np.float32)
    gray[:, :, 9:] = 40
    structure = stack(planes_grid(np.arange(-12.5, 13, 2.5)), lambda w: [rectangle(-11, -11, 11, 11)])
    result = dvh(structure, Dose("d", "d", grid, gray))
    assert result.min_gy == pytest.approx(10, abs=1e-4)
    assert result.max_gy == pytest.approx(40, abs=1e-4)
    assert result.dose_at_gy(result.known_cc * 0.99) == pytest.approx(10, abs=0.02)
    assert result.dose_at_gy(result.known_cc * 0.01) == pytest.approx(40, abs=0.02)


@settings(max_examples=30)
@given(
    # In steps of a thousandth: about points 1e-38 apart it is Shapely that loses whole parts.
    st.lists(st.tuples(st.integers(-3000, 9000), st.integers(-3000, 8000)), min_size=3, max_size=7, unique=True).map(
        lambda points: [(x / 1000, y / 1000) for x, y in points]
    ),
    st.tuples(st.floats(-0.4, 0.9), st.floats(0.05, 0.9)),
    st.booleans(),
)
def test_moments_are_those_of_the_clipped_polygon(points, extent, flipped):
    """Against Shapely's intersections with each cell, and the moments of their triangles, prism by prism."""
    hull = stack(planes_grid([0.0]), lambda w: [np.array(points)]).planes.get(0)
    if hull is None or hull.geom_type != "Polygon" or hull.area < 0.01:
        return
    ring = np.array(hull.normalize().exterior.coords)[::-1]
    if flipped:
        ring = (ring * (1, -1) + (0, 5))[::-1]
        hull = affinity.translate(affinity.scale(hull, 1, -1, origin=(0, 0)), 0, 5)
    segments = np.hstack([ring[:-1], ring[1:]])
    holes = [np.array(h.coords) for h in hull.interiors]
    if holes:
        return
    floor, height = extent
    ny, nx = 5, 6
    stride = stride_for(nx)
    moments, touched = np.zeros(ny * stride * FIELDS), np.zeros(ny * stride, dtype=np.uint8)
    borders, starts = np.array([[floor, floor + height]]), np.array([0, len(segments)])
    found = add_moments(
        moments, touched, *room_for(ny, nx), 0.0, 1.0, borders, starts, segments, np.eye(2, 3), 0, 0, ny, nx, stride
    )
    low, high = max(floor, 0.0), min(floor + height, 1.0)
    assert found == (high > low)
    if not found:
        return
    for row in range(ny):
        running = np.zeros(OF_ROW)
        for column in range(nx):
            cell = row * stride + column
            integrals = of_cell(running, moments, cell) if touched[cell] else of_row(running)
            pass_by(running, moments, touched, cell)
            piece = hull.intersection(box(column, row, column + 1, row + 1))
            assert integrals[0] == pytest.approx(piece.area * (high - low), abs=1e-9)
            if integrals[0] < 1e-4:
                continue
            shape = shape_of(integrals)
            truth = planar_moments(piece, (column + 0.5, row + 0.5))
            depth, thick = (low + high) / 2 - 0.5, (high - low) ** 2 / 12
            assert shape == pytest.approx(
                [truth[0], truth[1], depth, truth[2], truth[3], thick, truth[4], 0.0, 0.0], abs=1e-6
            )
    assert not moments.any()
    assert not touched.any()


ROUGH = np.random.default_rng(5).uniform(0, 60, (8, 8, 30)).astype(np.float32)
WHOLE_WIDTH, ALONG_V, ALONG_W = (0.0, 1 / 12), (-0.1, 0.02), (0.2, 0.03)
"""Centroid and variance of what is occupied of a voxel: its whole width, and part of its height and depth."""


def cells_like_that(voxels, plane, below=0.4, above=0.5):
    """Doses and spreads of cells as large as voxels, 1 mm deep, occupied like that and with v and w going together a little."""
    (x, xx), (y, yy), (z, zz) = WHOLE_WIDTH, ALONG_V, ALONG_W
    room, part = cells_for(), 0.3
    for n, voxel in enumerate(voxels):
        room[0][:10, n] = part * np.array([1, y, yy + y * y, z, zz + z * z, 0.01 + y * z, x, xx + x * x, x * y, x * z])
        room[0][10:12, n] = 0.0
        room[2][:, n] = voxel
    place = (plane, 0.0, math.sqrt(3), 1.0, 1.0, 1.0, below, above)
    doses_of_cells(room, len(voxels), ROUGH, place, True)
    return room[0][OF_DOSE, : len(voxels)], room[0][OF_SPREAD, : len(voxels)]


def test_the_dose_of_a_cell_is_the_mean_of_the_interpolated_one():
    """Over a box as large as what is occupied, in 30 x 30 x 30 points; planes 2.5 mm below and 2 mm above."""
    found, _ = cells_like_that([(3, 5)], 4)
    middles = (np.arange(30) + 0.5) / 30 * 2 - 1
    u, v, w = (c + middles * math.sqrt(3 * s) for c, s in (WHOLE_WIDTH, ALONG_V, ALONG_W))

    def weights(x):
        return np.maximum(-x, 0), 1 - np.abs(x), np.maximum(x, 0)

    along_w = np.maximum(-w, 0) / 2.5, 1 - np.maximum(-w, 0) / 2.5 - np.maximum(w, 0) / 2, np.maximum(w, 0) / 2
    sampled = np.einsum("kw,jv,iu,kji->wvu", along_w, weights(v), weights(u), ROUGH[3:6, 2:5, 4:7])
    assert found[0] == pytest.approx(sampled.mean(), abs=0.02)


@pytest.mark.parametrize("edge", [0, 7])
def test_a_row_at_once_is_what_its_voxels_are_one_by_one(edge):
    """In the midst of a dose and at its border, with a lean part of the row's height and width occupied."""
    along_v, along_w = (
        weigh(c, math.sqrt(3 * s), *by) for (c, s), by in ((ALONG_V, (1.0, 1.0)), (ALONG_W, (0.4, 0.5)))
    )
    for k, j, first, stop in ((4, 3, 5, 20), (edge, edge, 0, 30)):
        rows, count = rows_for(30), stop - first
        whole_row(rows, ROUGH, k, j, first, stop, along_w, along_v, ALONG_V[1], ALONG_W[1], 0.01)
        doses, spreads = cells_like_that([(j, i) for i in range(first, stop)], k)
        np.testing.assert_allclose(rows[0, :count], doses, atol=1e-4)
        np.testing.assert_allclose(rows[1, :count], spreads, atol=1e-4)
        lows, highs = np.full(count, np.float32(9)), np.full(count, np.float32(50))
        widen(lows, highs, rows[0], rows[1])
        np.testing.assert_allclose(lows, np.minimum(doses - spreads, 9), atol=1e-4)
        np.testing.assert_allclose(highs, np.maximum(doses + spreads, 50), atol=1e-4)


def planar_moments(piece, origin):
    """Centroid and covariances xx, yy, xy by Green's theorem over the rings of a polygon."""
    sums = np.zeros(6)
    for part in getattr(piece, "geoms", [piece]):
        if part.geom_type != "Polygon":
            continue
        for ring, sign in [(part.exterior, 1.0), *((r, -1.0) for r in part.interiors)]:
            x, y = (np.array(ring.coords) - origin).T
            cross = x[:-1] * y[1:] - x[1:] * y[:-1]
            turn = sign * np.sign(cross.sum())
            xa, ya, xb, yb = x[:-1], y[:-1], x[1:], y[1:]
            sums += turn * np.array(
                [
                    cross.sum() / 2,
                    (cross * (xa + xb)).sum() / 6,
                    (cross * (ya + yb)).sum() / 6,
                    (cross * (xa * xa + xa * xb + xb * xb)).sum() / 12,
                    (cross * (ya * ya + ya * yb + yb * yb)).sum() / 12,
                    (cross * (xa * yb + 2 * xa * ya + 2 * xb * yb + xb * ya)).sum() / 24,
                ]
            )
    area, cx, cy = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    return cx, cy, sums[3] / area - cx * cx, sums[4] / area - cy * cy, sums[5] / area - cx * cy
