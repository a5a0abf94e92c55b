"""A case small enough to know every number of: a box in a dose that rises along x."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import shapely

from reviewer.case import (
    Beam,
    Case,
    Cine,
    Dose,
    Image,
    Patient,
    Plan,
    Prescription,
    Problem,
    Registration,
    Structure,
    StructureSet,
)
from reviewer.cli import command, main
from reviewer.geometry.grid import Grid

FRAME, DAY_FRAME = "1.9.1", "1.9.2"

SOLID = 1e-3
"""Of a volume: how near the interpolation between planes comes to a box (its corners; tests/geometry/ says more)."""


def axial(z_mm, frame: str, pixels: int = 61, spacing: float = 2.0) -> Grid:
    """An axial grid about the origin, `pixels` squared, with planes at `z_mm`."""
    start = -spacing * (pixels - 1) / 2
    first = [(start, start, z) for z in z_mm]
    return Grid.from_directions((1, 0, 0), (0, 1, 0), first, (spacing, spacing), (pixels, pixels), frame)


@pytest.fixture
def box_cc():
    """40 × 30 × 9 planes of 2.5 mm, as a number to compare with."""
    return pytest.approx(40 * 30 * 9 * 2.5 / 1000, rel=SOLID)


@pytest.fixture
def box_case() -> Case:
    """PTV: -20..20 × -15..15 mm on planes 2.5 mm apart from 0 to 20 mm. Dose: 30 Gy + 0.5 Gy/mm along x, all around it."""
    image_grid = axial(np.arange(0.0, 22.5, 2.5), FRAME)
    image = Image(
        "1.2.1", "CT", "planning", image_grid, np.zeros(image_grid.shape_zyx, np.int16), patient_position="HFS"
    )
    uneven = axial(np.array([0.0, 3.0, 7.5]), DAY_FRAME)
    mr = Image("1.2.2", "MR", "day", uneven, np.zeros(uneven.shape_zyx, np.int16), field_strength_t=0.35)
    planes = {n: shapely.box(-20, -15, 20, 15) for n in range(9)}
    ptv = Structure("s1", "PTV", image_grid, planes, type="PTV", image_id="1.2.1", number=1)
    nothing = Structure("s2", "Empty", image_grid, {}, type="ORGAN", number=2)
    group = StructureSet("1.3.1", "plan", (ptv, nothing), "1.2.1", FRAME)
    dose_grid = axial(np.arange(-30.0, 51.0, 2.0), FRAME)
    x = np.arange(61) * 2.0 - 60
    gray = np.broadcast_to((30 + 0.5 * x).astype(np.float32), dose_grid.shape_zyx).copy()
    beam = Beam(1, "B1", "STATIC", "PHOTON", 6.0, "MRIdian", 900.0, (0.0, 0.0, 0.0), 123.5, 1.0, ())
    plan = Plan("1.4.1", "LIV", fractions=5, prescriptions=(Prescription("PTV", 50.0),), beams=(beam, beam))
    sagittal = Grid.from_directions((0, 1, 0), (0, 0, -1), [(0, -50, 50)], (2.4, 2.4), (10, 12), FRAME, 7.0)
    cine = Cine("1.6.1", "MR", "cine", sagittal, np.zeros((5, 12, 10), np.uint16), np.arange(5) * 0.25)
    return Case(
        Patient("Box^Test", "4711", "F"),
        images=(image, mr),
        structure_sets=(group,),
        doses=(Dose("1.5.1", "rising", dose_grid, gray, plan_id="1.4.1", structure_set_id="1.3.1"),),
        plans=(plan,),
        registrations=(Registration("1.7.1", "day to plan", DAY_FRAME, FRAME, np.eye(4)),),
        cines=(cine,),
        problems=(Problem("x.dcm", "warning", "odd"),),
    )


@pytest.fixture
def moved_case(box_case) -> Case:
    """The same box drawn in another frame, which a registration shifts by +10 mm along x into that of the dose."""
    (group,) = box_case.structure_sets
    structures = tuple(replace(s, grid=replace(s.grid, frame_of_reference_uid=DAY_FRAME)) for s in group.structures)
    shift = np.eye(4)
    shift[0, 3] = 10.0
    return replace(
        box_case,
        structure_sets=(replace(group, structures=structures, frame_of_reference_uid=DAY_FRAME),),
        registrations=(Registration("1.7.1", "day to plan", DAY_FRAME, FRAME, shift),),
    )


@pytest.fixture
def on_case(monkeypatch, capsys):
    """Runs a command on a given case instead of files: ``on_case(case, "info", "--json")`` -> status, output, messages."""

    def run(case: Case, name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(command(name), "load_case", lambda _: case)
        status = main([name, *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def json_of(on_case):
    """The one JSON document that a command prints; NaN and Infinity, which JSON does not know, are refused."""

    def run(case: Case, name: str, *arguments: str):
        status, out, err = on_case(case, name, "--json", *arguments)
        assert (status, err) == (0, "")
        return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    return run
