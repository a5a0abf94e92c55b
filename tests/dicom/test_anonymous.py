"""Files without identity: nothing of the patient is in them, and they still fit together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import shapely

from reviewer.case import Case, Dose, Image, Patient, Registration, Structure, StructureSet
from reviewer.dicom.anonymous import anonymous
from reviewer.dicom.write import write_case
from reviewer.geometry.grid import Grid
from reviewer.opening import open_case

SECRETS = (
    b"Doe", b"Jane", b"MRN-4711", b"19621105", b"Smith", b"Mercy", b"20250224", b"20250307", b"062Y",
    b"1.2.99.1", b"1.2.99.2", b"1.2.99.3", b"1.2.99.4", b"1.2.99.5", b"1.2.99.6", b"1.2.99.7",
)  # fmt: skip


@pytest.fixture
def case() -> Case:
    first = Grid(np.eye(3), (-30.0, -30.0), (2.0, 2.0), (31, 31), np.arange(6) * 3.0, "1.2.99.1")
    second = replace(first, frame_of_reference_uid="1.2.99.2")
    series = ("1.2.99.3", "1.2.99.4")
    images = tuple(
        Image(
            uid, "MR", "Dr Smith, Mercy", grid, np.full(grid.shape_zyx, 7, np.int16), study_uid=f"1.2.99.5.{n}",
            sop_instance_uids=tuple(f"{uid}.{k}" for k in range(6)), patient_position="HFS", date=day,
        )
        for n, (uid, grid, day) in enumerate(zip(series, (first, second), ("2025-02-24", "2025-03-07"), strict=True))
    )  # fmt: skip
    planes = {k: shapely.box(-5, -5, 6, 7) for k in (2, 3)}
    structures = (
        Structure("a", "Leber", first, planes, "ORGAN", number=1, image_id=series[0], formula='"GTV Smith" + 3 mm', frozen=True, locked=True),
        Structure("b", "GTV Smith", first, planes, "GTV", number=2, image_id=series[0]),
        Structure("c", "Liver", first, {}, "ORGAN", number=3, image_id=series[0]),
    )  # fmt: skip
    group = StructureSet("1.2.99.6", "Mercy plan", structures, series[0], "1.2.99.1", "2025-03-02", path="/Doe/rs.dcm")
    dose = Dose(
        "1.2.99.7.1", "Smith", first, np.ones(first.shape_zyx, np.float32), structure_set_id=group.id, date="2025-03-02"
    )
    tie = Registration("1.2.99.7.2", "Doe to Doe", "1.2.99.2", "1.2.99.1", np.eye(4), "2025-03-07")
    patient = Patient("Doe^Jane", "MRN-4711", "F", "1962-11-05", "062Y")
    return Case(patient, images, (group,), (dose,), (), (tie,))


def test_no_file_tells_who_it_was(case, tmp_path):
    paths = write_case(anonymous(case), tmp_path)
    assert len(paths) == 6 + 6 + 1 + 1 + 1
    for path in paths:
        data = path.read_bytes()
        assert not [secret for secret in SECRETS if secret in data], path
        assert not [s for s in SECRETS if s.decode() in str(path.relative_to(tmp_path))]
        ds = pydicom.dcmread(path)
        assert ds.PatientIdentityRemoved == "YES"
        assert [c.CodeValue for c in ds.DeidentificationMethodCodeSequence] == ["113100", "113105", "113107"]
        assert ds.LongitudinalTemporalInformationModified == "MODIFIED"
        assert (ds.PatientSex, ds.PatientBirthDate) == ("", "")


def test_free_text_in_the_place_of_a_code_goes(case, tmp_path):
    """A file may say anything where DICOM wants a word of a list."""
    group = case.structure_sets[0]
    dirty = replace(
        case,
        images=tuple(replace(i, patient_position="SMITH") for i in case.images),
        structure_sets=(
            replace(group, approval="SMITH", structures=tuple(replace(s, type="SMITH") for s in group.structures)),
        ),
        doses=tuple(replace(d, type="SMITH", summation="SMITH") for d in case.doses),
    )
    paths = write_case(anonymous(dirty), tmp_path)
    assert len(paths) == 15
    assert not [path for path in paths if b"SMITH" in path.read_bytes()]
    kept = anonymous(case)
    assert [s.type for s in kept.structures] == ["ORGAN", "GTV", "ORGAN"]
    assert kept.images[0].patient_position == "HFS"


def test_the_files_still_fit_together(case, tmp_path):
    write_case(anonymous(case), tmp_path)
    back = open_case([tmp_path])
    assert [p.message for p in back.problems if p.severity != "note"] == []
    (group,) = back.structure_sets
    assert [s.name for s in group.structures] == ["Liver", "ROI_2", "Liver_2"]
    assert group.image_id in {i.id for i in back.images}
    assert back.doses[0].structure_set_id == group.id
    a, b = sorted(back.images, key=lambda i: i.date)
    assert (a.date, b.date) == ("2000-01-01", "2000-01-12")  # eleven days from 24 February to 7 March 2025
    assert np.array_equal(back.transform(b.grid.frame_of_reference_uid, a.grid.frame_of_reference_uid), np.eye(4))
    for k, region in case.structures[0].planes.items():
        assert group.structures[0].planes[k].symmetric_difference(region).area < 1e-3
    assert [(s.formula, s.locked) for s in group.structures] == [(None, False)] * 3


def test_identifiers_lead_nowhere_and_are_alike_for_one_key(case):
    one, two = anonymous(case), anonymous(case)
    assert one.images[0].id != two.images[0].id
    assert anonymous(case, "key").images[0].id == anonymous(case, "key").images[0].id
    assert one.structures[0].grid is one.images[0].grid
