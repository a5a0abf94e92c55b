"""From a case to a dose: density, the host, and the answer as a dose of the case."""

import numpy as np
import pytest
from shapely import box

from reviewer.backends.contract import BackendInfo
from reviewer.backends.density import density_map, tables
from reviewer.backends.discovery import Backend
from reviewer.backends.dose_check import Question, ask, normalised, prepare
from reviewer.case import (
    Aperture,
    Beam,
    Case,
    ControlPoint,
    Dose,
    Image,
    Plan,
    Prescription,
    Registration,
    Structure,
    StructureSet,
)
from reviewer.dicom.dose import dose_of
from reviewer.dicom.file import read_file
from reviewer.dicom.write.dose import write_dose
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid

SHIFT = np.array([6.0, -3.0, 9.0])


def stack(frame):
    return Grid(np.eye(3), (-75.0, -75.0), (3.0, 3.0), (51, 51), np.arange(-45.0, 46.0, 3.0), frame)


def structure(name, side_mm, kind, grid, offset=(0, 0), planes=range(31)):
    u, v = offset
    region = box(u - side_mm, v - side_mm, u + side_mm, v + side_mm)
    return Structure(f"{grid.frame_of_reference_uid}-{name}", name, grid, dict.fromkeys(planes, region), kind)


def group(frame):
    grid = stack(frame)
    parts = (
        structure("Body", 60, "EXTERNAL", grid),
        structure("Liver", 30, "ORGAN", grid),
        structure("PTV", 12, "PTV", grid, planes=range(12, 19)),
        structure("Bowel gas", 6, "CAVITY", grid, (45, 45)),
    )
    return StructureSet(f"1.2.{len(frame)}", frame, parts, frame_of_reference_uid=frame)


def ct(frame, value=0):
    grid = stack(frame)
    return Image("1.3", "CT", "planning CT", grid, np.full(grid.shape_zyx, value, np.int16), patient_position="HFS")


def plan():
    devices = (Aperture("X", (-15.0, 15.0)), Aperture("Y", (-15.0, 15.0)))
    points = tuple(ControlPoint(w, 0, 0, 0, devices) for w in (0.0, 1.0))
    field = Beam(
        1, "AP", "STATIC", "PHOTON", 6.0, "M", 900.0, (0.0, 0.0, 0.0), 100.0, 1.0, points, patient_position="HFS"
    )
    return Plan("1.4", "plan", fractions=5, prescriptions=(Prescription("PTV", 5.0),), beams=(field,),
                structure_set_id="1.2.3", frame_of_reference_uid="sim")  # fmt: skip


def case(value=0):
    """A simulation with CT, and a day on which everything has moved by SHIFT."""
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    tie = Registration("1.5", "tie", "sim", "treat", matrix)
    return Case(
        images=(ct("sim", value),), structure_sets=(group("sim"), group("treat")), plans=(plan(),), registrations=(tie,)
    )


def pencil():
    return Backend.here("dose", "pencil-beam", "reviewer_plugins.dose_pencil_beam:PencilBeam")


def test_hounsfield_units_become_densities():
    """0 HU is water; 225 HU lies half-way between the table's 100 (1.095) and 350 (1.199)."""
    for value, density in ((0, 1.0), (225, 1.147), (-1024, 0.001)):
        found = density_map(case(value), case().structure_sets[0])
        middle = tuple(n // 2 for n in found.values.shape)
        assert found.values[middle] == pytest.approx(density, abs=1e-4)
        assert not found.values[~found.body].any()
        assert found.body.mean() == pytest.approx(0.8, abs=0.15)
        assert "unverified" in found.notes[0]


def test_without_ct_structures_have_their_density():
    there = case()
    found = density_map(there, there.structure_sets[0], "bulk")
    inside = {name: found.values[tuple(np.rint(found.grid.index_zyx(point)).astype(int))]
              for name, point in (("Liver", (20, 0, 0)), ("Body", (0, 45, 0)))}  # fmt: skip
    assert inside["Liver"] == pytest.approx(tables().bulk["Liver"])
    assert inside["Body"] == pytest.approx(1.0)
    assert "unverified" in " ".join(found.notes)


def test_overrides_win_in_their_order():
    there = case()
    liver, ptv = there.structure_sets[0].structures[1:3]
    found = density_map(there, there.structure_sets[0], "ct", [(liver.id, 0.5), (ptv.id, 1.7)])
    at = {r: float(found.values[tuple(np.rint(found.grid.index_zyx((r, 0, 0))).astype(int))]) for r in (0, 21, 45)}
    assert at == pytest.approx({0: 1.7, 21: 0.5, 45: 1.0})


def test_a_ct_that_is_registered_is_carried_over():
    there = case(225)
    found = density_map(there, there.structure_sets[1])
    assert found.values[tuple(n // 2 for n in found.values.shape)] == pytest.approx(1.147, abs=1e-3)
    assert "carried over rigidly" in " ".join(found.notes)


def test_what_is_missing_is_said():
    there = case()
    naked = StructureSet("1.9", "naked", (structure("Liver", 30, "ORGAN", stack("sim")),), frame_of_reference_uid="sim")
    with pytest.raises(InputError, match="outline of the body"):
        density_map(there, naked)
    without = Case(structure_sets=there.structure_sets)
    with pytest.raises(InputError, match="no CT"):
        density_map(without, there.structure_sets[0], "ct")


def test_the_isocentre_follows_the_registration():
    there = case()
    question = Question(there, plan(), there.structure_sets[1], density_map(there, there.structure_sets[1], "bulk"))
    info = BackendInfo("x", "x", "1", "x", needs=("beams", "density"))
    job, _, notes = prepare(question, info, {})
    assert job.beams[0].isocentre_mm == pytest.approx(SHIFT)
    assert "isocentre of the plan carried over by the registration" in notes


def test_the_answer_is_a_dose_of_the_case(tmp_path):
    """Through the host; 5 fractions; normalised to the planned mean of the PTV; written as RTDOSE with all that is said of it."""
    there = case()
    density = density_map(there, there.structure_sets[0])
    check = ask(pencil(), Question(there, plan(), there.structure_sets[0], density))
    assert check.dose.summation == "PLAN"
    assert "generic 6 MV FFF beam (TPR20,10 0.635), no magnetic field, not commissioned" in check.dose.statements
    centre = check.dose.gray[tuple(np.rint(check.dose.grid.index_zyx((0, 0, 0))).astype(int))]
    assert 5 * 0.6 < centre < 5 * 1.0  # 100 MU a fraction, 60 mm deep
    grid = check.dose.grid
    planned = Dose("1.6", "planned", grid, np.full(grid.shape_zyx, 4.0, np.float32), plan_id="1.4")
    ptv = there.structure_sets[0].structures[2]
    scaled = normalised(check, planned, ptv, np.eye(4))
    factor = scaled.dose.gray.max() / check.dose.gray.max()
    assert 4.0 / 5.0 < factor < 4.0 / 3.0
    assert f"{factor:.3f}" in scaled.statements[0]
    path = write_dose(scaled.dose, there, tmp_path / "dose.dcm")
    back = dose_of(read_file(path), lambda *line: None)
    assert back.statements == scaled.statements
    assert np.abs(back.gray - scaled.dose.gray).max() < 1e-5
