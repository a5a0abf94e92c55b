"""The demo case, written and opened again: what comes back is what went out."""

from __future__ import annotations

import numpy as np
import pytest

from reviewer.demo import demo_case
from reviewer.dicom.write import write_case
from reviewer.opening import open_case

pytestmark = pytest.mark.slow

TOTAL_MB = 150


@pytest.fixture(scope="module")
def sent():
    return demo_case()


@pytest.fixture(scope="module")
def folder(sent, tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    write_case(sent, place)
    return place


@pytest.fixture(scope="module")
def received(folder):
    return open_case([folder])


def same(a, b, *names: str) -> None:
    assert {n: getattr(a, n) for n in names} == {n: getattr(b, n) for n in names}


def test_nothing_is_wrong_with_it(folder, received):
    assert [p for p in received.problems if p.severity != "note"] == []
    assert sum(f.stat().st_size for f in folder.rglob("*.dcm")) < TOTAL_MB * 1e6


def test_patient_and_numbers_of_things(sent, received):
    assert received.patient == sent.patient
    for kind in ("images", "structure_sets", "doses", "plans", "registrations", "cines"):
        assert {i.id for i in getattr(received, kind)} == {i.id for i in getattr(sent, kind)}


def test_images(sent, received):
    for image in sent.images:
        back = received.image(image.id)
        same(image, back, "modality", "description", "slope", "intercept", "window", "sop_instance_uids", "study_uid")
        same(image, back, "patient_position", "date", "field_strength_t")
        assert back.grid.same_lattice(image.grid)
        assert np.array_equal(back.voxels, image.voxels)


def test_structures(sent, received):
    for group in sent.structure_sets:
        back = received.structure_set(group.id)
        same(group, back, "label", "image_id", "frame_of_reference_uid", "date", "approval")
        for a, b in zip(group.structures, back.structures, strict=True):
            same(a, b, "name", "type", "colour", "image_id")
            assert set(a.planes) == set(b.planes)
            assert max(a.planes[k].symmetric_difference(b.planes[k]).area for k in a.planes) < 1e-4


def test_doses(sent, received):
    for dose in sent.doses:
        back = received.dose(dose.id)
        same(dose, back, "label", "type", "summation", "plan_id", "structure_set_id", "date")
        assert back.grid.same_lattice(dose.grid)
        assert back.gray == pytest.approx(dose.gray, abs=1e-5)


def test_plans(sent, received):
    for plan in sent.plans:
        back = received.plan(plan.id)
        same(plan, back, "label", "date", "approval", "fractions", "prescriptions", "beams", "structure_set_id")
        same(plan, back, "frame_of_reference_uid")


def test_registrations_and_cines(sent, received):
    ties = {r.id: r for r in received.registrations}
    for tie in sent.registrations:
        same(tie, ties[tie.id], "label", "moving_frame_uid", "fixed_frame_uid", "date")
        assert ties[tie.id].matrix == pytest.approx(tie.matrix, abs=1e-10)
    for cine, back in zip(sent.cines, received.cines, strict=True):
        same(cine, back, "id", "modality", "description", "date")
        assert np.array_equal(back.frames, cine.frames)
        assert back.times_s == pytest.approx(cine.times_s, abs=1e-6)
        assert back.grid.same_lattice(cine.grid)
