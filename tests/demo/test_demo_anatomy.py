"""The demo patient against what is known of adults, and against itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reviewer.demo.anatomy import Anatomy, anatomy
from reviewer.demo.contours import STRUCTURES, contours
from reviewer.demo.field import Box, Field
from reviewer.demo.identity import FRAMES, SEED, frame_uid, to_simulation
from reviewer.demo.organs import PTV_MARGIN_MM, Body
from reviewer.demo.shapes import ellipsoid, expanded, place
from reviewer.errors import GeometryError
from reviewer.geometry.grid import Grid
from reviewer.geometry.volume import volume_cc

STATES = ("simulation", "day")


def world_grid(low: tuple[float, float, float], high: tuple[float, float, float], step: float) -> Grid:
    """An axial grid in the frame of simulation."""
    nx, ny, nz = (int((b - a) / step) + 1 for a, b in zip(low, high, strict=True))
    return Grid(
        np.eye(3),
        (low[0], low[1]),
        (step, step),
        (nx, ny),
        low[2] + step * np.arange(nz, dtype=float),
        frame_uid(SEED, "simulation"),
    )


TRUNK = world_grid((-170, -120, -120), (170, 120, 115), 3.0)


@pytest.fixture(scope="module", params=STATES)
def patient(request: pytest.FixtureRequest) -> Anatomy:
    return anatomy(request.param)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("Liver", 900, 2100),  # Ugurluer 2021: 1296 mL (927-2131)
        ("Spleen", 80, 315),  # Prassopoulos 1997 (Eur Radiol 7:246): 215 (107-315) mL
        ("Kidney_L", 90, 200),  # Cheong 2007 (CJASN 2:38), women: 154 +- 33 mL
        ("Kidney_R", 90, 200),
        ("Gallbladder", 15, 60),
        ("Stomach", 100, 700),
        ("Duodenum", 40, 150),
        ("GTV_1", 9, 11),
    ],
)
def test_volumes_are_those_of_adults(patient: Anatomy, name: str, low: float, high: float) -> None:
    volume = patient.inside(name, TRUNK).sum(dtype=float) * 27 / 1000
    assert low <= volume <= high


def test_organs_do_not_overlap(patient: Anatomy) -> None:
    """Structures that cannot share space share less than the blur of their borders; lesions and rinds are part of others."""
    apart = [
        name
        for name, kind, _ in STRUCTURES
        if kind == "ORGAN" and name not in ("Skin", "Chestwall")
    ]  # fmt: skip
    deep = {name: patient.distance(name, TRUNK) < -0.75 for name in apart}
    for a, b in itertools.combinations(apart, 2):
        assert not np.any(deep[a] & deep[b]), (a, b)


def test_lesions_lie_in_the_liver_and_everything_in_the_body(patient: Anatomy) -> None:
    liver, body = patient.distance("Liver", TRUNK), patient.distance("Body", TRUNK)
    for name in ("GTV_1", "GTV_2"):
        inside = patient.distance(name, TRUNK) < 0
        assert inside.any()
        assert np.all(liver[inside] < 0)
    for name, _, _ in STRUCTURES:
        assert np.all(body[patient.distance(name, TRUNK) < -0.5] < 0), name


@pytest.mark.parametrize("state", STATES)
def test_first_lesion_is_within_5_mm_of_the_duodenum_and_closer_on_the_day(state: str) -> None:
    def gap(which: str) -> float:
        fields = anatomy(which).body.fields  # type: ignore[arg-type]
        lesion = fields["GTV_1"]
        return float(fields["Duodenum"].on(lesion.box)[lesion.distance_mm < 0].min())

    assert 0 < gap(state) < 5
    assert gap("day") < gap("simulation")


def test_liver_moves_by_millimetres_and_the_lesions_rigidly_with_it() -> None:
    motion = anatomy("day").body.liver_motion
    for name in ("GTV_1", "GTV_2"):
        centres = []
        for state in STATES:
            field = anatomy(state).body.fields[name]  # type: ignore[arg-type]
            index = np.argwhere(field.distance_mm < 0).mean(axis=0)[::-1]
            centres.append(field.box.origin_mm + index * field.box.spacing_mm)
        moved = motion[:3, :3] @ centres[0] + motion[:3, 3]
        assert np.linalg.norm(moved - centres[1]) < 0.1
        assert 3 < np.linalg.norm(centres[1] - centres[0]) < 15


def test_ptv_is_5_mm_around_the_gtv() -> None:
    """Of a ball the margin is a ball: 10 mm and 5 mm make 15 mm in every direction."""
    p = place((-20, -20, -20), (20, 20, 20), 1.0)
    wide = expanded(p.field(ellipsoid(p, (0.3, -0.2, 0.4), (10, 10, 10))), PTV_MARGIN_MM)
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(50, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    for d in direction:
        for radius, sign in ((14.8, -1), (15.2, 1)):
            x, y, z = (0.3, -0.2, 0.4) + radius * d
            here = wide.on(Box((float(x), float(y), float(z)), 1.0, (1, 1, 1)))[0, 0, 0]
            assert np.sign(here) == sign


@pytest.mark.parametrize("name", ["Liver", "GTV_1", "PTV_1", "Duodenum", "Kidney_L", "Stomach", "A_Aorta", "Skin"])
def test_contours_hold_the_volume_of_the_field(name: str) -> None:
    """Areas of the contours times their distance against the field counted on a 0.75 mm lattice."""
    body = anatomy("simulation")
    low, high = np.array([-170.0, -120, -60]), np.array([170.0, 120, 60])
    if name not in ("Skin", "Liver"):
        field = body.field(name)
        size = np.array(field.box.shape_zyx[::-1]) * field.box.spacing_mm
        low, high = np.maximum(field.box.origin_mm, low), np.minimum(field.box.origin_mm + size, high)
    step = 0.75 if name not in ("Skin", "Liver") else 1.5
    fine = world_grid(tuple(low), tuple(high), step)  # type: ignore[arg-type]
    thick = world_grid((-170, -120, fine.positions_mm[0]), (170, 120, fine.positions_mm[-1]), 2 * step)
    counted = np.count_nonzero(body.distance(name, fine) < 0) * step**3
    drawn = sum(region.area for region in contours(body, name, thick).values()) * 2 * step
    assert drawn == pytest.approx(counted, rel=0.02)


def test_contours_are_rounded_and_have_holes_where_anatomy_has() -> None:
    body = anatomy("simulation")
    grid = world_grid((-170, -120, 0), (170, 120, 0), 3.0)
    (skin,) = contours(body, "Skin", grid).values()
    assert skin.is_valid
    assert len(skin.interiors) == 1
    points = np.array(skin.exterior.coords)
    np.testing.assert_allclose(points, np.round(points, 2), atol=1e-9)
    steps = np.hypot(*np.diff(np.array(contours(body, "Liver", grid)[0].exterior.coords).T))
    assert 0.7 < np.median(steps) <= 1.55


def test_the_same_structure_of_both_ways_has_the_same_volume() -> None:
    """The solid between the contours on the MR's 3 mm planes against the field."""
    body = anatomy("simulation")
    grid = Grid(
        np.eye(3),
        (-170.0, -120.0),
        (1.5, 1.5),
        (228, 161),
        np.arange(-120.0, 117.0, 3.0),
        frame_uid(SEED, "simulation"),
    )

    class Drawn:
        pass

    drawn = Drawn()
    drawn.grid, drawn.planes = grid, contours(body, "Kidney_R", grid)  # type: ignore[attr-defined]
    field = body.field("Kidney_R")
    counted = np.count_nonzero(field.distance_mm < 0) * field.box.spacing_mm**3 / 1000
    assert volume_cc(drawn) == pytest.approx(counted, rel=0.02)  # type: ignore[arg-type]


def test_same_seed_same_patient() -> None:
    again = Body(SEED, "simulation")
    for name, field in anatomy("simulation").body.fields.items():
        np.testing.assert_array_equal(again.fields[name].distance_mm, field.distance_mm)


@pytest.mark.parametrize("frame", FRAMES)
def test_landmarks_are_the_same_in_every_frame(frame: str) -> None:
    """The middle of the lesion and of the left kidney, mapped into a frame and looked for there."""
    body = anatomy("simulation")
    matrix = to_simulation(frame)  # type: ignore[arg-type]
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    back = np.linalg.inv(matrix)
    for name, point in (("GTV_1", (-66.0, -14.0, -12.0)), ("Kidney_L", (78.0, 40.0, -16.0))):
        x, y, z = back[:3, :3] @ point + back[:3, 3]
        grid = Grid(
            np.eye(3), (x - 2, y - 2), (1.0, 1.0), (5, 5), np.array([z]), frame_uid(SEED, frame)  # type: ignore[arg-type]
        )  # fmt: skip
        expected = body.field(name).on(Box(point, 1.0, (1, 1, 1)))[0, 0, 0]
        assert body.distance(name, grid)[0, 2, 2] == pytest.approx(expected, abs=1e-4)
        assert expected < -5


def test_a_foreign_frame_is_refused() -> None:
    grid = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (2, 2), np.array([0.0]), "1.2.3")
    with pytest.raises(GeometryError, match="frames of reference"):
        anatomy("simulation").density(grid)


def test_occupancy_of_a_slab_is_its_share_of_each_voxel() -> None:
    """A half-space x < 0.3 on voxels of 1 mm: full left of it, 0.8 in the voxel it cuts, empty beyond."""
    box = Box((-5.0, -5.0, -5.0), 1.0, (11, 11, 11))
    field = Field(box, np.broadcast_to(box.axes_mm[0] - np.float32(0.3), box.shape_zyx).astype(np.float32).copy())
    grid = Grid(np.eye(3), (-2.0, 0.0), (1.0, 1.0), (5, 1), np.array([0.0]), "1.2")
    out = np.zeros(grid.shape_zyx, dtype=np.float32)
    field.paint(out, grid, np.eye(4), 1.0)
    np.testing.assert_allclose(out[0, 0], [1, 1, 0.8, 0, 0], atol=1e-4)


def test_density_is_that_of_tissue(patient: Anatomy) -> None:
    density = patient.density(TRUNK)
    liver = patient.distance("Liver", TRUNK) < -4
    lung = patient.distance("Lung_R", TRUNK) < -6
    outside = patient.distance("Body", TRUNK) > 6
    assert np.all((density[liver] > 1.0) & (density[liver] < 1.1))
    assert np.median(density[lung]) == pytest.approx(0.26, abs=0.01)
    assert density[outside].max() < 0.01
