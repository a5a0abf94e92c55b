"""The journal: one stroke to the disk, and thousands of them read back (512 x 512 x 120, contours of 150 points)."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import liver_case
import pytest
from shapely.affinity import translate

from reviewer.case import Case, StructureSet
from reviewer.edit import Edit, History
from reviewer.session import Session
from reviewer.store import Workspace

STROKES = 5000


def case() -> Case:
    structures = tuple(liver_case.structures())
    return Case(structure_sets=(StructureSet("set", "Day", structures, None, "frame"),))


def stroke(session: Session, number: int) -> Edit:
    """Three planes of the stomach are drawn anew, as by a ball-shaped brush."""
    before = session.case.structures[2]
    planes = list(before.planes)
    drawn = {k: translate(before.planes[k], 0.01 * (number % 7), 0.01) for k in (planes + planes)[number % 40 :][:3]}
    return Edit.of(f"Brush Stomach {number}", session.case, before, replace(before, planes={**before.planes, **drawn}))


def kept(folder) -> tuple[Session, Workspace]:
    workspace = Workspace.new(lambda: folder / "x.reviewer", (), {})
    session = Session(case())
    session.keep(workspace)
    session.apply(stroke(session, 0))
    return session, workspace


@pytest.mark.benchmark(group="store: a stroke")
def test_stroke_to_the_disk(benchmark, tmp_path):
    """What the journal adds to a stroke of three planes."""
    session, workspace = kept(tmp_path)
    numbers = count(1)

    def setup():
        edit = stroke(session, next(numbers))
        before, _ = session.case, session.keep(None)
        session.apply(edit)
        return (edit, before, ()), {}

    benchmark.pedantic(workspace.applied, setup=setup, rounds=300, warmup_rounds=5)
    assert workspace.keeping.refusal == ""
    workspace.close()


@pytest.mark.benchmark(group="store: a stroke")
def test_stroke_is_noted_when_it_begins(benchmark, tmp_path):
    session, workspace = kept(tmp_path)
    benchmark.pedantic(session.stroke_begun, ("a stroke on Stomach",), rounds=300, warmup_rounds=5)
    workspace.close()


@pytest.fixture(scope="module")
def thousands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thousands")
    (folder / "no folder").touch()
    session, workspace = kept(folder / "no folder")  # in memory, until save_as writes them all at once
    for number in range(1, STROKES):
        session.apply(stroke(session, number))
    workspace.save_as(folder / "many.reviewer")
    workspace.close()
    return folder / "many.reviewer"


@pytest.mark.benchmark(group="store: opening")
def test_five_thousand_strokes_are_replayed(benchmark, thousands):
    """Beyond reading the DICOM files: checking the chain, contours, and the whole history that can be undone."""
    opened = case()

    def replayed() -> History:
        return Workspace.open(thousands, hold=False).replay(opened).history

    history = benchmark.pedantic(replayed, rounds=3)
    assert history.position == STROKES
