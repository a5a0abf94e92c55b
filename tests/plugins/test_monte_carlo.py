"""The Monte Carlo plug-in: its photons against the geometry of the beams, its phantoms, its statistics; where it is installed, its dose."""

from dataclasses import replace

import numpy as np
import pytest
from reviewer_plugins.dose_monte_carlo import monte_carlo as engine

from reviewer.backends.beams import beam_axes, patient_matrix
from reviewer.backends.conformance import conform
from reviewer.backends.contract import BeamInput, DoseJob, Lattice, Leaves, Segment
from reviewer.backends.discovery import discover, read_manifest
from reviewer.backends.host import describe, run
from reviewer.backends.installation import MANIFEST, environment_folder, installable
from reviewer.backends.photons import PhotonBeam

EVEN = PhotonBeam("even", 6.0, 0.66, 0.0, 0.0, 0.0, np.array([0.0, 400.0]), np.array([1.0, 1.0]), "")
PHOTONS = 40_000
ENGINE_PYTHON = environment_folder("monte-carlo") / "bin" / "python"
"""Of the environment that the user of this machine may have made; asked for here, before the tests have folders of their own."""


def opening(x_mm, y_mm):
    return Leaves("x", np.array(y_mm, float), np.array([x_mm[0]], float), np.array([x_mm[1]], float))


def beam(openings, isocentre=(0, 0, 0), sad=900.0, gantry=0.0, collimator=0.0, couch=0.0, mu=(100.0,)):
    axes = beam_axes(gantry, collimator, couch, patient_matrix("HFS"))
    centre = np.array(isocentre, dtype=float)
    source = centre + sad * axes[2]
    segments = [
        Segment(m, gantry, collimator, couch, source, axes[0], axes[1], (o,)) for o, m in zip(openings, mu, strict=True)
    ]
    return BeamInput(1, "field", centre, sad, 6.0, tuple(segments))


def water(beams, shape=(21, 31, 25), step=5.0, dose_lattice=None, **settings):
    lattice = Lattice(shape, (step, step, step), -(np.array(shape[::-1]) - 1) / 2 * step)
    body = np.zeros(shape, dtype=bool)
    body[1:-1, 1:-1, 1:-1] = True
    return DoseJob(lattice, body.astype(np.float32), body, tuple(beams), dose_lattice or lattice, settings=settings)


def on_isocentre_plane(photons, field, axes=None):
    """(n, 2) aperture coordinates of sampled photons, and their weights; axes: of the lattice that they are given in."""
    start, way, weights = photons.sample(np.random.default_rng(5), PHOTONS)
    if axes is not None:
        start, way = start @ axes, way @ axes
    segment = field.segments[0]
    ahead = np.cross(segment.x_axis, segment.y_axis)
    reach = (field.isocentre_mm - start) @ ahead / (way @ ahead)
    away = start + reach[:, None] * way - field.isocentre_mm
    return np.stack([away @ segment.x_axis, away @ segment.y_axis], axis=1), weights


@pytest.mark.parametrize(("gantry", "collimator", "couch"), [(0, 0, 0), (137, 30, 0), (270, 0, 90)])
def test_photons_fill_the_aperture(gantry, collimator, couch):
    """Evenly, whichever way the beam comes from: mean and standard deviation of a uniform distribution, and none outside."""
    field = beam([opening((10, 50), (-20, 10))], (12.0, -7.0, 20.0), 900.0, gantry, collimator, couch)
    places, weights = on_isocentre_plane(engine.plan_photons(water([field]), 900.0, EVEN, 0.66), field)
    assert np.all(places >= np.array([10, -20]) - 1e-6)
    assert np.all(places <= np.array([50, 10]) + 1e-6)
    error = 5 / np.sqrt(PHOTONS)
    assert places.mean(axis=0) == pytest.approx([30, -5], abs=40 / np.sqrt(12) * error)
    assert places.std(axis=0) == pytest.approx(np.array([40, 30]) / np.sqrt(12), rel=0.02)
    assert np.all(weights == pytest.approx(1.0))


def test_photons_in_the_axes_of_a_turned_dose_lattice():
    turned = beam_axes(20.0, 35.0, 50.0, np.eye(3))
    field = beam([opening((10, 50), (-20, 10))], (12.0, -7.0, 20.0), gantry=70.0)
    job = water([field], dose_lattice=Lattice((5, 5, 5), (3.0, 3.0, 3.0), np.zeros(3), turned))
    places, _ = on_isocentre_plane(engine.plan_photons(job, 900.0, EVEN, 0.66), field, turned)
    assert places.mean(axis=0) == pytest.approx([30, -5], abs=0.5)


def test_segments_get_photons_by_monitor_units_and_area():
    """40 MU through 2 × 2 cm², 60 MU through 1 × 4 cm² with the same area."""
    field = beam([opening((-40, -20), (-10, 10)), opening((20, 60), (-5, 5))], mu=(40.0, 60.0))
    photons = engine.plan_photons(water([field]), 900.0, EVEN, 0.66)
    assert photons.amount == pytest.approx(100 * 400)
    places, weights = on_isocentre_plane(photons, field)
    assert weights[places[:, 0] > 0].sum() / weights.sum() == pytest.approx(0.6, abs=5 * 0.5 / np.sqrt(PHOTONS))


def test_fluence_across_the_field_is_that_of_the_same_angle():
    """A fluence that falls by half to 100 mm at 1 m: at an SAD of 900 mm it has fallen by half at 90 mm. Weights make up for uneven shares."""
    falling = replace(EVEN, radius_mm=np.array([0.0, 100.0]), off_axis=np.array([1.0, 0.5]))
    photons = engine.reference_photons(900.0, falling, 0.66)
    start, way, weights = photons.sample(np.random.default_rng(5), PHOTONS)
    places = (way / way[:, 2:])[:, :2] * 900.0
    assert np.all(start == [0.0, 0.0, -900.0])
    middle = np.abs(places).max(axis=1) < engine.CENTRE_MM / 2
    assert middle.mean() == pytest.approx(engine.CENTRE_SHARE, abs=0.01)
    expected = 1 - 0.5 * np.hypot(*places.T) / 90.0
    of_share = np.where(middle, 1024 / 10000 / 0.85, (1 - 1024 / 10000) / 0.15)
    assert weights == pytest.approx(expected * of_share, rel=1e-6)


def test_the_part_from_the_head_is_spread_wide():
    head = replace(EVEN, focal_sigma_mm=2.0, extra_focal=0.25, extra_focal_sigma_mm=30.0)
    field = beam([opening((-0.5, 0.5), (-0.5, 0.5))])
    places, _ = on_isocentre_plane(engine.plan_photons(water([field]), 900.0, head, 0.66), field)
    variance = 0.75 * 2.0**2 + 0.25 * 30.0**2 + 1 / 12
    assert places.var(axis=0) == pytest.approx([variance, variance], rel=0.05)


def test_apertures_that_cannot_be_computed():
    closed = beam([opening((10, 10), (-20, 10))])
    with pytest.raises(ValueError, match="closed"):
        engine.plan_photons(water([closed]), 900.0, EVEN, 0.66)
    unbounded = beam([opening((-20, 20), (-np.inf, np.inf))])
    with pytest.raises(ValueError, match="no bounds"):
        engine.plan_photons(water([unbounded]), 900.0, EVEN, 0.66)


def centre_of_mass(phantom):
    """In the phantom's own axes, of what is denser than 1.5."""
    index = np.argwhere(phantom.density > 1.5).mean(axis=0)
    return phantom.corner_mm + (index + 0.5) * np.array(phantom.spacing_mm)


def test_the_phantom_lies_where_the_density_lies():
    job = water([], (21, 31, 25))
    density = np.array(job.density)
    density[12:15, 20:25, 4:7] = 2.0
    job = replace(job, density=density)
    at = job.lattice.matrix @ [5.0, 22.0, 13.0, 1.0]
    assert centre_of_mass(engine.patient_phantom(job)) == pytest.approx(at[:3])
    turned = beam_axes(20.0, 35.0, 50.0, np.eye(3))
    phantom = engine.patient_phantom(replace(job, dose_lattice=Lattice((4, 5, 6), (2.0, 3.0, 4.0), np.ones(3), turned)))
    assert centre_of_mass(phantom) == pytest.approx(turned @ at[:3], abs=1.0)
    assert phantom.scored_shape == (6, 5, 4)
    assert phantom.scored_corner_mm + np.array([1.0, 1.5, 2.0]) == pytest.approx(turned @ np.ones(3))


def test_gas_is_a_little_water_and_outside_is_air():
    job = water([])
    density = np.array(job.density)
    density[10, 10, 10] = 0.0
    values = engine.patient_phantom(replace(job, density=density)).density
    assert values[10, 10, 10] == pytest.approx(0.05)
    assert values[0, 0, 0] == pytest.approx(0.001)


def test_batches_are_added_until_the_mean_is_known(monkeypatch):
    """Batches scatter by 10 %: the mean is known to 2 % after some 25 of them, and its standard deviation is what it says."""

    def batches(phantom, photons, seed):
        generator = np.random.default_rng(seed)
        while True:
            yield generator.normal(3.0, 0.3, (10, 10, 10))

    monkeypatch.setattr(engine, "_batches", batches)
    photons = engine.reference_photons(900.0, EVEN, 0.66)
    phantom = engine.reference_phantom(100.0)

    def relative(mean, sigma):
        return float(np.sqrt(np.mean(np.square(sigma / mean))))

    found = engine.averaged(phantom, photons, 1, relative, 0.02, lambda part, text: None)
    assert found.histories / engine.BATCH == pytest.approx(25, abs=3)
    assert (found.mean / photons.amount).mean() == pytest.approx(3.0, abs=0.01)
    assert (found.mean / photons.amount).std() == pytest.approx(0.3 / 5, rel=0.2)
    assert found.sigma.mean() == pytest.approx(found.mean.std(), rel=0.2)


# -- with the engine itself ------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed():
    """The engine of this checkout in the environment that there is: the manifest that was written at its installation may name another checkout's."""
    if not ENGINE_PYTHON.exists():
        pytest.skip("not installed: reviewer backends --install monte-carlo")
    return replace(read_manifest(installable()["monte-carlo"] / MANIFEST), interpreter=ENGINE_PYTHON)


def test_it_has_the_same_beams_as_the_pencil_beam(installed):
    pencil, carlo = (
        next(s for s in describe(b).settings if s.name == "beam")
        for b in (discover().get("dose", "pencil-beam"), installed)
    )
    assert pencil.choices == carlo.choices
    assert pencil.default == carlo.default


@pytest.mark.slow
def test_it_conforms(installed):
    assert [trial for trial in conform(installed) if not trial.passed] == []


@pytest.mark.slow
def test_the_calibration_holds_in_the_patient(installed):
    """100 MU, 10 × 10 cm², 13 mm deep at the isocentre: 1 Gy, in water and on a grid other than those of the calibration."""
    line = Lattice((1, 1, 1), (20.0, 6.0, 20.0), np.zeros(3))
    lattice = Lattice((62, 60, 62), (5.0, 3.0, 5.0), np.array([-152.5, -11.5, -152.5]))
    body = np.ones(lattice.shape_zyx, dtype=bool)
    opened = opening((-50, 50), (-50, 50))
    job = DoseJob(lattice, body.astype(np.float32), body, (beam([opened]),), line, settings={"uncertainty": 1.0})
    answer = run(installed, job).result
    sigma = float(answer.sigma_gray[0, 0, 0])
    assert sigma < 0.015
    assert answer.gray[0, 0, 0] == pytest.approx(1.0, abs=4 * sigma)
