"""What is kept from one edit to the next never shows: the solid after edits is the solid of the same contours drawn from scratch."""

from dataclasses import replace

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, planes_grid, stack
from shapely import affinity, box

from reviewer.geometry import solid as solids
from reviewer.geometry.memo import Memo, Recent
from reviewer.geometry.solid import solid

GRID = planes_grid(np.arange(-15.0, 16.0, 2.5))

EDITS = {
    "grow": lambda region: affinity.scale(region, 1.3, 1.2),
    "move": lambda region: affinity.translate(region, 3.0, -2.0),
    "hole": lambda region: region.difference(box(-2, -2, 3, 3)),
    "island": lambda region: region.union(box(25, 0, 31, 5)),
    "far": lambda region: affinity.translate(region, 40.0, 0.0),
    "gone": lambda region: None,
}


def body():
    return stack(GRID, lambda w: [circle(14 - 0.04 * w**2, (w / 5, 1.0))] if abs(w) < 12 else None)


def drawn_anew(structure):
    """The same contours as other objects."""
    return replace(structure, planes={k: shapely.from_wkb(shapely.to_wkb(r)) for k, r in structure.planes.items()})


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(range(len(GRID.positions_mm))), st.sampled_from(sorted(EDITS))), max_size=4))
def test_edits_give_what_drawing_anew_gives(edits):
    structure = body()
    solid(structure)
    for plane, edit in edits:
        region = EDITS[edit](structure.planes.get(plane, box(-6, -5, 6, 5)))
        planes = {k: r for k, r in structure.planes.items() if k != plane}
        structure = replace(
            structure, planes=planes if region is None or region.is_empty else {**planes, plane: region}
        )
        kept, anew = solid(structure), solid(drawn_anew(structure))
        np.testing.assert_array_equal(kept.borders_mm, anew.borders_mm)
        np.testing.assert_array_equal(kept.starts, anew.starts)
        np.testing.assert_array_equal(kept.segments, anew.segments)
        assert kept.drawn.keys() == anew.drawn.keys()


def test_an_edit_works_out_only_what_it_reaches(monkeypatch):
    structure = body()
    solid(structure)
    computed = []
    layers = solids.Between.layers
    monkeypatch.setattr(
        solids.Between,
        "layers",
        lambda self, below, above, *rest: computed.append(below[0].w_mm) or layers(self, below, above, *rest),
    )
    changed = affinity.scale(structure.planes[6], 0.9, 0.9)
    solid(replace(structure, planes={**structure.planes, 6: changed}))
    w = GRID.positions_mm[6]
    assert computed
    assert all(w - 3 * 2.5 <= below <= w + 2 * 2.5 for below in computed), (
        "three planes to either side shape an interval"
    )


def test_the_longest_unused_goes_first():
    a, b, c = box(0, 0, 1, 1), box(0, 0, 2, 2), box(0, 0, 3, 3)
    memo = Memo[str](10)
    memo.put((a,), "a", 4)
    memo.put((b,), "b", 4)
    assert memo.get((a,)) == "a"
    memo.put((c,), "c", 4)
    assert (memo.get((a,)), memo.get((b,)), memo.get((c,))) == ("a", None, "c")
    assert memo.get((a, None)) is None
    assert memo.get((a,), "other") is None
    memo.put((b,), "too large", 11)
    assert memo.get((b,)) is None


class Body:
    """Something that may be referred to weakly."""


def test_what_is_known_of_objects_ends_with_them_and_is_bounded():
    a, b, c = Body(), Body(), Body()
    recent = Recent[Body, str](10)
    recent.put(a, "a", 4)
    recent.put(b, "b", 4)
    assert recent.get(a) == "a"
    recent.put(c, "c", 4)
    assert (recent.get(a), recent.get(b), recent.get(c)) == ("a", None, "c")
    del c
    recent.put(b, "b", 6)
    assert (recent.get(a), recent.get(b)) == ("a", "b"), "the room of c is free again"
    recent.put(b, "too large", 11)
    assert (recent.get(a), recent.get(b)) == (None, "too large")


def test_an_outline_across_the_border_of_a_lattice_leaves_far_planes_alone(monkeypatch):
    """A body of 100 mm: a stroke that makes it wider works out no more than one that does not."""
    grid = planes_grid(np.arange(-30.0, 31.0, 2.5), half=80.0)
    structure = stack(grid, lambda w: [circle(50 - 0.01 * w**2, (w / 5, 1.0))] if abs(w) < 28 else None)
    solid(structure)
    computed = []
    layers = solids.Between.layers
    monkeypatch.setattr(
        solids.Between,
        "layers",
        lambda self, below, above, *rest: computed.append(below[0].w_mm) or layers(self, below, above, *rest),
    )
    solid(replace(structure, planes={**structure.planes, 12: structure.planes[12].union(box(0, 0, 70, 3))}))
    assert computed
    assert all(abs(below) <= 3 * 2.5 for below in computed)
