"""Margins and formulas that follow edits, on 512 x 512 x 120 voxels, beside the peers' way: a mask, its distance map, a threshold.

`make bench`, or `pytest benchmarks/test_margin.py --benchmark-group-by=group`
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from liver_case import GRID, structures
from shapely import affinity

from reviewer.case import Case, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.formula.derivations import Derivations, derive
from reviewer.geometry.coverage import coverage
from reviewer.geometry.margin import Sides, margin
from reviewer.geometry.solid import solid
from reviewer.session import Session

MARGINS = {"GTV 5 mm": ("GTV", 5.0), "liver 5 mm": ("Liver", 5.0), "liver 20 mm": ("Liver", 20.0)}
OPTIMISED = "PTV - ((Duodenum | Bowel_Large | Kidney_R) + 5 mm)"


@pytest.fixture(scope="module")
def bodies():
    found = {s.name: replace(s, image_id="ct") for s in structures()}
    for body in found.values():
        solid(body)
    return found


@pytest.mark.parametrize("case", MARGINS)
def test_margin(benchmark, bodies, case):
    benchmark.group = case
    name, mm = MARGINS[case]
    assert benchmark(margin, bodies[name], Sides.all_around(mm), GRID)


def _mask(bodies, case):
    """Voxels more than half inside, in the box that the margin reaches, and their size (z, y, x)."""
    name, mm = MARGINS[case]
    inside = coverage(bodies[name], GRID)
    wide = [int(np.ceil(mm / s)) + 1 for s in GRID.spacing_mm[::-1]]
    return np.pad((inside.fraction > 0.5).astype(np.uint8), [(n, n) for n in wide]), GRID.spacing_mm[::-1], mm


@pytest.mark.parametrize("case", MARGINS)
def test_peer_simpleitk_distance(benchmark, bodies, case):
    sitk = pytest.importorskip("SimpleITK")
    benchmark.group = case
    mask, spacing, mm = _mask(bodies, case)

    def grow():
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing(spacing[::-1])
        return (
            sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True))
            <= mm
        )

    assert benchmark(grow).any()


@pytest.mark.parametrize("case", ["GTV 5 mm", "liver 5 mm"])
def test_peer_simpleitk_dilate(benchmark, bodies, case):
    sitk = pytest.importorskip("SimpleITK")
    benchmark.group = case
    mask, spacing, mm = _mask(bodies, case)
    radius = [round(mm / s) for s in spacing[::-1]]

    def grow():
        return sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(mask), radius, sitk.sitkBall))

    assert benchmark.pedantic(grow, rounds=3).any()


@pytest.mark.parametrize("case", MARGINS)
def test_peer_edt(benchmark, bodies, case):
    edt = pytest.importorskip("edt")
    benchmark.group = case
    mask, spacing, mm = _mask(bodies, case)
    assert benchmark(lambda: edt.edt(mask == 0, anisotropy=spacing) <= mm).any()


def _session(bodies):
    drawn = tuple(s for s in bodies.values() if s.name != "PTV")
    case = Case(structure_sets=(StructureSet("set", "Set", drawn, "ct", "frame"),))
    session, formulas = Session(case), Derivations()
    session.follow(formulas)
    for name, text in (("PTV", "GTV + 5 mm"), ("PTVopt", OPTIMISED)):
        group = session.case.structure_sets[0]
        made = derive(session.case, group, name, text, "PTV")
        formulas.adopt(group, made)
        session.apply(Edit(name, (Swap("set", None, made.structure),)))
    return session


def test_ptvopt_of_three_oars(benchmark, bodies):
    """PTV and organs known, nothing else: margin and booleans."""
    session = _session(bodies)
    group = session.case.structure_sets[0]
    assert benchmark(derive, session.case, group, "again", OPTIMISED).structure.planes


def test_ptv_and_ptvopt_follow_a_stroke_on_one_slice(benchmark, bodies):
    session = _session(bodies)
    step = 0

    def stroke():
        nonlocal step
        step += 1
        before = session.case.structure_sets[0].structures[
            [s.name for s in session.case.structure_sets[0].structures].index("GTV")
        ]
        middle = sorted(before.planes)[len(before.planes) // 2]
        shifted = affinity.translate(bodies["GTV"].planes[middle], 0.3 * (step % 5), 0.1)
        after = replace(before, planes={**before.planes, middle: shifted})
        return (Edit("stroke", (Swap("set", before, after),)),), {}

    benchmark.pedantic(session.apply, setup=stroke, rounds=20, warmup_rounds=2)


@pytest.mark.parametrize("name", ["GTV", "Liver", "Body"])
def test_solid_after_a_stroke_on_one_slice(benchmark, bodies, name):
    body, step = bodies[name], 0

    def stroke():
        nonlocal body, step
        step += 1
        middle = sorted(body.planes)[len(body.planes) // 2]
        body = replace(
            body, planes={**body.planes, middle: affinity.translate(bodies[name].planes[middle], 0.2 * (step % 5), 0.1)}
        )
        return (body,), {}

    benchmark.pedantic(solid, setup=stroke, rounds=10, warmup_rounds=1)
