"""The embedded pencil beam against published data of 6 MV beams, and against what geometry and superposition demand."""

from dataclasses import replace

import numpy as np
import pytest
from reviewer_plugins.dose_pencil_beam import PencilBeam, machine

from reviewer.backends.beams import TABLE_TO_PATIENT, beam_axes, beams_of, patient_matrix
from reviewer.backends.contract import BeamInput, DoseJob, Lattice, Leaves, Segment
from reviewer.case import Aperture, Beam, ControlPoint, Plan


def jaws(x_mm, y_mm=None):
    low, high = x_mm
    bottom, top = y_mm or x_mm
    ends = np.array([-np.inf, np.inf])
    return (
        Leaves("x", ends, np.array([low]), np.array([high])),
        Leaves("y", ends, np.array([bottom]), np.array([top])),
    )


def beam(devices, isocentre=(0, 0, 0), sad=1000.0, gantry=0.0, collimator=0.0, couch=0.0, position="HFS", mu=100.0):
    axes = beam_axes(gantry, collimator, couch, patient_matrix(position))
    centre = np.array(isocentre, dtype=float)
    segment = Segment(mu, gantry, collimator, couch, centre + sad * axes[2], axes[0], axes[1], devices)
    return BeamInput(1, "field", centre, sad, 6.0, (segment,))


def water(shape=(71, 101, 71), spacing=(3.0, 3.0, 3.0), origin=None, density=1.0):
    """A box of water in the middle of which is the isocentre."""
    first = -(np.array(shape[::-1]) - 1) / 2 * spacing if origin is None else np.array(origin, dtype=float)
    lattice = Lattice(shape, spacing, first)
    return lattice, np.full(shape, density, np.float32), np.ones(shape, bool)


def dose(beams, phantom, dose_lattice=None, **settings):
    lattice, density, body = phantom
    backend = PencilBeam()
    chosen = {s.name: s.default for s in backend.settings()} | settings
    job = DoseJob(lattice, density, body, tuple(beams), dose_lattice or lattice, settings=chosen)
    return backend.compute(job, lambda part, text="": None).gray


def depth_dose(half_mm=50.0, ssd=1000.0):
    """Depth in mm, and dose along the axis of a square field in water."""
    # surface at y = -0.5, so voxel k is at depth 1 k + 0.5
    phantom = water((101, 320, 101), (3.0, 1.0, 3.0), (-150.0, 0.0, -150.0))
    line = Lattice((1, 320, 1), (3.0, 1.0, 3.0), np.array([0.0, 0.0, 0.0]))
    source_to_axis = 1000.0
    field = beam(jaws((-half_mm, half_mm)), isocentre=(0, source_to_axis - ssd - 0.5, 0))
    return np.arange(320) + 0.5, dose([field], phantom, line)[0, :, 0]


def test_depth_dose_of_a_10_by_10_field():
    """SSD 100 cm. At 10 cm: 66.3 % of the maximum, the open 6 MV field of a Varian linear accelerator. The course of the curve, normalised
    at 10 cm to that value: d / sqrt(d² + 0.208) exp(-0.0515 d), d in cm, fitted to published measurements (Li et al., PLoS ONE 2022;17:e0261042)."""
    depth, along = depth_dose()
    assert depth[along.argmax()] == pytest.approx(14, abs=3)
    assert 100 * np.interp(100, depth, along) / along.max() == pytest.approx(66.3, abs=2)
    d = depth / 10
    published = d / np.sqrt(d**2 + 0.208) * np.exp(-0.0515 * d)
    published *= 66.3 / np.interp(100, depth, published)
    percent = 66.3 * along / np.interp(100, depth, along)
    beyond = (depth > 20) & (depth < 300)
    assert np.abs(percent - published)[beyond].max() < 2


def test_the_beam_quality_is_that_of_6_mv():
    """TPR20,10 from PDD20,10 (TRS-398, 2000, section 6.3.1); linear accelerators of 6 MV have 0.66 to 0.69."""
    depth, along = depth_dose()
    ratio = np.interp(200, depth, along) / np.interp(100, depth, along)
    assert 1.2661 * ratio - 0.0595 == pytest.approx(0.675, abs=0.015)


def test_profile_of_a_10_by_10_field():
    """At 10 cm depth half of the dose is at the edge, diverged; 20 % to 80 % within 5 to 9 mm; flat within 3 % over 80 % of the width."""
    phantom = water((101, 101, 101))
    line = Lattice((1, 1, 401), (0.5, 1.0, 1.0), np.array([-100.0, -50.0, 0.0]))
    surface = -151.5
    field = beam(jaws((-50, 50)), isocentre=(0, surface + 100, 0))
    at_depth = dose([field], phantom, replace(line, origin_mm=np.array([-100.0, surface + 100, 0.0])))[0, 0]
    x = np.arange(401) * 0.5 - 100
    right = x >= 0
    percent = 100 * at_depth / at_depth[200]

    def where(level):
        return float(np.interp(-level, -percent[right], x[right]))

    assert where(50) == pytest.approx(50, abs=1)
    assert 5 < where(20) - where(80) < 9
    flat = percent[np.abs(x) < 40]
    assert flat.max() - flat.min() < 6
    assert np.allclose(at_depth, at_depth[::-1], rtol=1e-4)


def test_the_calibration_holds():
    """100 MU, 10 × 10 cm² at the isocentre 13 mm deep: 1 Gy."""
    phantom = water((71, 101, 71), (3.0, 3.0, 3.0), (-105.0, 0.0, -105.0))
    centre = Lattice((1, 1, 1), (1.0, 1.0, 1.0), np.array([0.0, 11.5, 0.0]))
    field = beam(jaws((-50, 50)), isocentre=(0, 11.5, 0))
    assert dose([field], phantom, centre)[0, 0, 0] == pytest.approx(1.0, rel=0.01)


def test_inverse_square_law():
    """In water as thin as air the way to a point is what counts: at the same depth of water dose falls with the square of the distance."""
    shape = (41, 301, 41)
    density = np.full(shape, 1e-7, np.float32)
    slab = slice(20, 30)  # 30 mm of water
    density[:, slab] = 1.0
    phantom = (Lattice(shape, (3.0, 3.0, 3.0), np.array([-60.0, -450.0, -60.0])), density, np.ones(shape, bool))
    points = Lattice((1, 2, 1), (3.0, 600.0, 3.0), np.array([0.0, -300.0, 0.0]))
    near, far = dose([beam(jaws((-20, 20)))], phantom, points)[0, :, 0]
    assert near / far == pytest.approx((1300 / 700) ** 2, rel=0.002)


def test_fields_diverge_from_the_focal_spot():
    phantom = water((41, 101, 101))
    for depth in (-120.0, 0.0, 120.0):
        line = Lattice((1, 1, 161), (0.5, 1.0, 1.0), np.array([0.0, depth, 0.0]))
        along = dose([beam(jaws((-30, 30)), sad=900.0)], phantom, line)[0, 0]
        edge = np.interp(-along[0] / 2, -along, np.arange(161) * 0.5)
        assert edge == pytest.approx(30 * (900 + depth) / 900, abs=1.0)


@pytest.mark.parametrize("position", TABLE_TO_PATIENT)
@pytest.mark.parametrize("gantry", [0, 90, 137, 270])
@pytest.mark.parametrize("couch", [0, 90])
def test_a_beam_through_a_known_point_hits_it(position, gantry, couch):
    """A small aperture off the axis, turned with the collimator: the peak across the ray lies where the room's geometry says."""
    x, y, sad, collimator = 24.0, -15.0, 900.0, 30.0
    centre = np.array([12.0, -7.0, 20.0])
    # the room, by elementary turns of points: device, then gantry, then out of the turned table into the patient
    g, c, t = np.deg2rad([gantry, collimator, couch])
    flat = np.array([x * np.cos(c) - y * np.sin(c), x * np.sin(c) + y * np.cos(c), 0.0])
    room = np.array([flat[0] * np.cos(g), flat[1], -flat[0] * np.sin(g)])
    on_table = np.array([room[0] * np.cos(t) + room[1] * np.sin(t), room[1] * np.cos(t) - room[0] * np.sin(t), room[2]])
    head, face = position[:2] == "HF", position[2:]
    # what the table's x, y and z are in the patient: head or feet first to y, and which side is up
    up = {"S": (0, -1, 0), "P": (0, 1, 0), "DR": (1, 0, 0), "DL": (-1, 0, 0)}[face]
    ahead = np.array((0, 0, 1 if head else -1))
    point = centre + on_table @ np.array([np.cross(ahead, up), ahead, up])

    phantom = water((61, 61, 61), origin=np.array([12.0, -7.0, 20.0]) - 90)
    around = Lattice((17, 17, 17), (1.0, 1.0, 1.0), np.round(point) - 8)
    field = beam(jaws((x - 4, x + 4), (y - 4, y + 4)), centre, sad, gantry, collimator, couch, position)
    gray = dose([field], phantom, around)
    # the centre of the dose in the plane across the ray
    away = point - field.segments[0].source_mm
    places = np.stack(np.meshgrid(*(np.arange(17),) * 3, indexing="ij"), -1)[..., ::-1] + around.origin_mm
    across = np.abs((places - point) @ away / np.linalg.norm(away)) < 3
    weights = np.where(gray > 0.5 * gray.max(), gray, 0) * across
    found = (places * weights[..., None]).sum((0, 1, 2)) / weights.sum()
    off = found - point
    off -= (off @ away) * away / (away @ away)
    assert np.linalg.norm(off) < 0.5


def test_dose_is_linear_in_mu_and_beams_add_up():
    phantom = water((31, 41, 41))
    one = beam(jaws((-20, 20)), gantry=30)
    other = replace(beam(jaws((-10, 15), (-30, 5)), gantry=200, couch=20), number=2)
    twice = replace(one, segments=(replace(one.segments[0], mu=200.0),))
    a, b = dose([one], phantom), dose([other], phantom)
    assert np.allclose(dose([twice], phantom), 2 * a, rtol=1e-5)
    assert np.allclose(dose([one, other], phantom), a + b, rtol=1e-5, atol=1e-6)


def test_two_halves_are_the_whole():
    phantom = water((31, 41, 41))
    whole = dose([beam(jaws((-30, 30)))], phantom)
    left, right = (dose([beam(jaws(x, (-30, 30)))], phantom) for x in ((-30, 3.3), (3.3, 30)))
    assert np.abs(left + right - whole).max() < 1e-4 * whole.max()


def test_depth_counts_in_water():
    """Behind 60 mm at a third of the density of water as behind 20 mm of water, inverse square apart."""
    shape = (31, 61, 31)
    density = np.ones(shape, np.float32)
    thin = density.copy()
    thin[:, 10:30] = 1 / 3
    lattice = Lattice(shape, (3.0, 3.0, 3.0), np.array([-45.0, 0.0, -45.0]))
    body = np.ones(shape, bool)
    field = beam(jaws((-20, 20)), isocentre=(0, 90, 0))
    point = Lattice((1, 2, 1), (3.0, 40.0, 3.0), np.array([0.0, 110.0, 0.0]))
    shallow = dose([field], (lattice, density, body), point)[0, 0, 0] * (1020 / 1060) ** 2
    behind = dose([field], (lattice, thin, body), point)[0, 1, 0]
    assert behind == pytest.approx(shallow, rel=0.005)


def test_nothing_outside_the_body():
    lattice, density, body = water((31, 41, 41))
    body[:, :5] = False
    gray = dose([beam(jaws((-20, 20)))], (lattice, density, body))
    assert not gray[:, :5].any()
    assert gray[15, 20, 20] > 0


def test_the_notice_of_the_table_is_kept():
    assert "BSD-3" in machine().source


def plan_of(points, devices=(("MLCX", (-10.0, 0.0, 10.0)),), **changes):
    field = Beam(1, "B", "DYNAMIC", "PHOTON", 6.0, "M", 900.0, (0.0, 0.0, 0.0), 100.0, 1.0, points, devices)
    return Plan("1", "plan", beams=(replace(field, **({"patient_position": "HFS"} | changes)),), fractions=5)


def test_an_arc_is_many_segments():
    aperture = (Aperture("MLCX", (-5.0, -5.0, 5.0, 5.0)),)
    points = tuple(ControlPoint(w, g, 0, 0, aperture) for w, g in ((0.0, 350.0), (0.4, 356.0), (1.0, 4.0)))
    (arc,) = beams_of(plan_of(points), "HFS")
    assert [s.gantry_deg for s in arc.segments] == pytest.approx([351, 353, 355, 357, 359, 1, 3])
    assert sum(s.mu for s in arc.segments) == pytest.approx(100)
    assert arc.segments[0].mu == pytest.approx(40 / 3)


def test_steps_without_weight_only_move():
    a, b = (Aperture("MLCX", (-x, -x, x, x)) for x in (5.0, 20.0))
    points = tuple(ControlPoint(w, 10.0, 0, 0, (p,)) for w, p in ((0.0, a), (0.5, a), (0.5, b), (1.0, b)))
    (step,) = beams_of(plan_of(points), "HFS")
    assert [(s.mu, float(s.devices[0].high_mm[0])) for s in step.segments] == [(50, 5), (50, 20)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"meterset": None}, "monitor units"),
        ({"sad_mm": None}, "source-axis"),
        ({"isocentre_mm": None}, "isocentre"),
        ({"radiation": "ELECTRON"}, "electron"),
        ({"modifiers": ("1 wedge",)}, "1 wedge"),
        ({"leaf_boundaries_mm": ()}, "leaf boundaries"),
        ({"patient_position": "XXX"}, "patient position"),
        ({"final_weight": 2.0}, "50.00 of 100.00 MU"),
        ({"delivery": "SETUP"}, "no treatment beams"),
    ],
)
def test_what_is_not_covered_is_said(changes, sentence):
    aperture = (Aperture("MLCX", (-5.0, -5.0, 5.0, 5.0)),)
    points = tuple(ControlPoint(w, 0, 0, 0, aperture) for w in (0.0, 1.0))
    with pytest.raises(Exception, match=sentence):
        beams_of(plan_of(points, **changes), "HFS")
