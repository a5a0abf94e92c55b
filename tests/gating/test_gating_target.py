"""Targets on a cine, and the demo's cine against the truth of its motion, through the isolated host."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from synthetic_cine import film

from reviewer.backends.discovery import discover
from reviewer.backends.host import run
from reviewer.case import Case, Structure, StructureSet
from reviewer.demo import demo_folder
from reviewer.demo.cine import breathing_mm, times_s
from reviewer.errors import InputError
from reviewer.gating.target import candidates, target_of_polygon, target_of_structure
from reviewer.gating.trace import trace_of
from reviewer.gating.tracking import job_of, track_of
from reviewer.geometry.grid import Grid
from reviewer.opening import begin


@pytest.fixture(scope="module")
def demo():
    opening = begin([demo_folder()])
    opening.read_voxels(lambda image_id: None)
    return opening.case


def ball(radius=15.0, frame="cine", centre=(0.0, 0.0, 0.0), name="GTV", spacing=1.0):
    z = centre[2] + np.arange(-20, 21) * spacing
    grid = Grid(np.eye(3), (-50.0, -50.0), (1.0, 1.0), (101, 101), z, frame)
    planes = {}
    for k, w in enumerate(z - centre[2]):
        if abs(w) < radius:
            planes[k] = shapely.Point(centre[0], centre[1]).buffer(np.sqrt(radius**2 - w**2), quad_segs=64)
    return Structure(name, name, grid, planes, "GTV")


def case_of(*structures):
    return Case(
        structure_sets=(StructureSet("RS", "set", structures),), cines=(film(lambda t: 0 * t, duration_s=0.5).cine,)
    )


def test_a_ball_is_cut_to_a_disk_where_the_plane_runs():
    case = case_of(ball(centre=(4.0, 10.0, -5.0)))
    target = target_of_structure(case, case.cines[0], case.structures[0])
    # The plane x = 0 passes 4 mm beside the middle; (u, v) is (posterior, to the feet).
    assert target.region.area == pytest.approx(np.pi * (15**2 - 4**2), rel=0.01)
    assert shapely.get_coordinates(target.region.centroid)[0] == pytest.approx([10.0, 5.0], abs=0.1)
    assert "unproven" in target.statements[0], "without an image nothing tells which frame fits"


def test_what_the_plane_misses_is_refused_and_the_likeliest_comes_first():
    case = case_of(
        ball(name="PTV"), ball(centre=(30.0, 0.0, 0.0), name="GTV far"), ball(frame="other", name="GTV other"), ball()
    )
    order = [(s.name, bool(why)) for s, why in candidates(case, case.cines[0])]
    assert order == [("PTV", False), ("GTV far", True), ("GTV", False), ("GTV other", True)]
    with pytest.raises(InputError, match="does not cut GTV far"):
        target_of_structure(case, case.cines[0], case.structures[1])


def test_a_polygon_is_given_in_pixels():
    cine = film(lambda t: 0 * t, duration_s=0.5).cine
    target = target_of_polygon(cine, [(10, 10), (20, 10), (20, 15), (10, 15)], 1)
    assert target.region.area == pytest.approx(50 * 2.4 * 2.4)
    assert target.reference == 1
    for points in ([(1, 1), (2, 2)], [(1, 1), (2, 2), (3, 3)], [(1, 1), (2, np.nan), (3, 0)]):
        with pytest.raises(InputError):
            target_of_polygon(cine, points)
    with pytest.raises(InputError, match="frames 0 to 3"):
        target_of_polygon(cine, [(10, 10), (20, 10), (20, 15)], 4)
    rows, columns = cine.frames.shape[1:]
    assert target_of_polygon(cine, [(-0.5, -0.5), (columns - 0.5, 0), (columns - 0.5, rows - 0.5)]).region.area > 0
    for corner in ((-1, 5), (columns, 5), (5, rows)):
        with pytest.raises(InputError, match="leaves the frame"):
            target_of_polygon(cine, [(10, 10), (20, 10), corner])


def test_the_job_is_in_mm_from_the_first_pixel():
    cine = film(lambda t: 0 * t, duration_s=0.5).cine
    job = job_of(cine, target_of_polygon(cine, [(9.5, 9.5), (19.5, 9.5), (19.5, 14.5), (9.5, 14.5)]))
    assert job.mask[10:15, 10:20] == pytest.approx(1.0)
    assert job.mask.sum() == pytest.approx(50.0)
    assert np.concatenate(job.contours).min(axis=0) == pytest.approx([9.5 * 2.4, 9.5 * 2.4])


@pytest.mark.parametrize("backend", ["template", "optical-flow"])
def test_the_demo_against_its_truth(demo, backend):
    (cine,) = demo.cines
    structure = next(s for s, why in candidates(demo, cine) if not why)
    target = target_of_structure(demo, cine, structure)
    truth = breathing_mm(times_s())
    assert abs(truth[target.reference]) < 1.0, "the frame that was matched is one of the breath-hold"
    answer = run(discover().get("gating", backend), job_of(cine, target))
    track = track_of(cine, target, answer.result, answer.provenance)
    trace = trace_of(track)
    # The lesion moves with the liver: cranially by the truth, where tissue moves in full.
    error = trace.motion[0].mm - (truth - truth[target.reference])
    tracked = np.isfinite(error)
    assert tracked.mean() > 0.98
    assert np.abs(error[tracked]).mean() <= 0.6
    assert np.abs(error[tracked]).max() < trace.rule.margin_mm, "what is that wrong must count as lost"
    # Far out it is held, deep in the breath-hold the beam is on; what lies between hangs on tenths of a millimetre.
    assert not trace.beam_on[truth > 7].any()
    assert trace.beam_on[np.abs(truth) < 2.5].all()
    assert answer.provenance.statements
    assert trace.holds[0].start_s == 0.0
