"""Formulas that come back from a file follow again only where they still make the contours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phantoms import planes_grid, sphere
from shapely.affinity import translate

from reviewer.case import Case, Image, Structure, StructureSet
from reviewer.edit import Swap, swapped
from reviewer.export import export
from reviewer.formula.derivations import Derivations, derive
from reviewer.formula.revival import revival
from reviewer.opening import open_case

FORMULAS = {"PTV": "GTV + 5 mm", "PTVopt": "PTV - (Stomach + 3 mm)"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The GTV of 10 mm radius beside a stomach, with PTV and PTVopt as formulas, exported and opened again."""
    grid = planes_grid(np.arange(-20.5, 21, 3.0), half=45.0, spacing=2.0, frame="1.2.3.4")
    image = Image("1.2.3.5", "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")

    def ball(name: str, number: int, x: float) -> Structure:
        body = sphere(grid, 10.0, (x, 0.0, 0.0))
        return Structure(f"s{number}", name, grid, body.planes, "ORGAN", image_id=image.id, number=number)

    group = StructureSet("1.2.3.6", "Day", (ball("GTV", 1, 0), ball("Stomach", 2, 22)), image.id, "1.2.3.4")
    case = Case(images=(image,), structure_sets=(group,))
    for name, text in FORMULAS.items():
        case = swapped(case, [Swap(group.id, None, derive(case, case.structure_sets[0], name, text).structure)])
    folder = tmp_path_factory.mktemp("revival")
    export(case, case.structure_sets, folder)
    return case, folder


def reopened(files) -> Case:
    case, folder = files
    back = open_case([folder])
    grid = case.images[0].grid
    (group,) = back.structure_sets
    at_home = tuple(replace(s, grid=grid, planes=on(grid, s), image_id="1.2.3.5") for s in group.structures)
    return Case(images=case.images, structure_sets=(replace(group, structures=at_home),))


def on(grid, structure: Structure):
    """The regions by the planes of another grid; the file alone, without the image, has only planes with contours."""
    return {grid.nearest_plane(structure.grid.positions_mm[k]): r for k, r in structure.planes.items()}


def test_what_was_live_follows_again_without_a_change(files):
    case = reopened(files)
    (group,) = case.structure_sets
    assert [(s.name, s.formula, s.live) for s in group.structures[2:]] == [(n, f, False) for n, f in FORMULAS.items()]
    found = revival(case, group)
    assert (found.alive, found.differing) == (("PTV", "PTVopt"), ())
    alive = found.edit.applied_to(case)
    assert all(s.live for s in alive.structures[2:])
    followed = swapped(alive, Derivations().follow(alive, found.edit.swaps))
    for before, after in zip(case.structures, followed.structures, strict=True):
        for k, region in before.planes.items():
            assert region.symmetric_difference(after.planes[k]).area < 0.01 * 2 * region.length


def test_what_another_program_moved_stays_frozen(files):
    case = reopened(files)
    (group,) = case.structure_sets
    gtv, stomach, ptv, opt = group.structures
    moved = replace(gtv, planes={k: translate(r, 0.2) for k, r in gtv.planes.items()})
    group = replace(group, structures=(moved, stomach, ptv, opt))
    found = revival(replace(case, structure_sets=(group,)), group)
    assert (found.alive, found.differing) == (("PTVopt",), ("PTV",))


def test_a_formula_of_what_is_gone_stays_frozen(files):
    case = reopened(files)
    group = replace(case.structure_sets[0], structures=case.structures[1:])
    assert revival(replace(case, structure_sets=(group,)), group).alive == ("PTVopt",)


def test_locked_structures_and_drawn_ones_are_left_alone(files):
    case = reopened(files)
    (group,) = case.structure_sets
    locked = replace(group, structures=tuple(replace(s, locked=True) for s in group.structures))
    found = revival(replace(case, structure_sets=(locked,)), locked)
    assert (found.edit, found.alive, found.differing) == (None, (), ())
