"""A small case to draw on, and edits of it that are the same at every run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from shapely import box
from shapely.affinity import translate

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.geometry.grid import Grid

PLANES = 12


def drawn_case() -> Case:
    """A grid, an image on it, and a set of three structures; every call makes new objects of the same content."""
    grid = Grid(np.eye(3), (0.0, 0.0), (1.5, 1.5), (60, 60), np.arange(PLANES) * 3.0, "frame")
    image = Image("image", "MR", "MR", grid, np.zeros((PLANES, 60, 60), np.int16))
    structures = tuple(
        Structure(f"set#{n}", name, grid, planes, "ORGAN", (10 * n, 20, 30), "image", n)
        for n, (name, planes) in enumerate(
            [
                ("Stomach", {k: box(10, 10, 40, 40).difference(box(20, 20, 25, 25)) for k in range(3, 9)}),
                ("Duodenum", {k: box(40, 40, 55 + k / 3, 50) for k in range(2, 6)}),
                ("Liver", {}),
            ],
            start=1,
        )
    )
    group = StructureSet("set", "Day", structures, "image", "frame", path="/nowhere/rs.dcm")
    return Case(Patient("Doe^Jane", "1"), (image,), (group,))


def stroke(case: Case, number: int) -> Edit:
    """The n-th stroke: another square on another plane of the first structure, at places with digits that JSON would round."""
    before = case.structures[0]
    k = number % PLANES
    square = translate(box(5, 5, 12, 12), xoff=(number * np.pi) % 40, yoff=(number / 7) % 40)
    old = before.planes.get(k)
    planes = {**before.planes, k: square if old is None else old.union(square)}
    return Edit.of(f"Brush {before.name} ({number})", case, before, replace(before, planes=planes))


def same_contents(a: Case, b: Case) -> None:
    """Asserts that two cases hold the same sets and structures, to the last bit of every coordinate."""
    assert [g.id for g in a.structure_sets] == [g.id for g in b.structure_sets]
    for one, other in zip(a.structure_sets, b.structure_sets, strict=True):
        assert replace(one, structures=()).__dict__ == replace(other, structures=()).__dict__
        assert [s.id for s in one.structures] == [s.id for s in other.structures]
        for s, t in zip(one.structures, other.structures, strict=True):
            names = ("name", "type", "colour", "image_id", "number", "formula", "locked", "frozen")
            assert [getattr(s, n) for n in names] == [getattr(t, n) for n in names]
            assert s.grid.same_lattice(t.grid)
            assert s.planes.keys() == t.planes.keys()
            for k, region in s.planes.items():
                assert region.wkb == t.planes[k].wkb


def rename(case: Case, index: int, name: str) -> Edit:
    before = case.structures[index]
    return Edit.of(f"Rename {before.name}", case, before, replace(before, name=name))


def delete(case: Case, index: int) -> Edit:
    return Edit(f"Delete {case.structures[index].name}", (Swap("set", case.structures[index], None),))
