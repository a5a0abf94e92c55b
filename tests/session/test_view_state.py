"""What is remembered of a view comes back; what makes no sense in the case, or at all, does not."""

import json
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from drawn import drawn_case

from reviewer.case import Dose, Window
from reviewer.columns import Column, Prescribed
from reviewer.session import Session
from reviewer.view_state import document, wishes


@pytest.fixture
def case():
    made = drawn_case()
    grid = made.images[0].grid
    second = replace(made.images[0], id="other")
    return replace(
        made,
        images=(*made.images, second),
        doses=(Dose("dose", "D", grid, np.zeros(grid.shape_zyx, np.float32)),),
    )


def test_a_view_comes_back_through_json(case):
    session = Session(case)
    session.look(
        base="other",
        overlay="image",
        style="swipe",
        blend=0.2,
        swipe=0.7,
        windows=MappingProxyType({"image": Window(40.5, 350.0)}),
        point_mm=(1.5, 2.25, 3.125),
        structure_set="set",
        hidden=frozenset({"set#1"}),
        filled=frozenset({"set#2"}),
        active="set#2",
        dose="dose",
        reference_gy=50.0,
        wash=False,
        isodose_lines=False,
        wash_opacity=0.1,
        crosshair=False,
        overlay_on=False,
        sheet="smart-liver-5fx",
        columns=(Column("dose", "set"),),
        prescribed=MappingProxyType({"dose": Prescribed(45.0, None)}),
        assigned=MappingProxyType({"Colon": "set#2"}),
    )
    again = Session(case)
    again.look(**wishes(json.loads(json.dumps(document(session.view))), case))
    assert again.view == session.view


def test_what_the_case_does_not_hold_is_not_asked_for(case):
    session = Session(case)
    session.look(base="other", dose="dose", active="set#2", hidden=frozenset({"set#1"}), structure_set="set")
    asked = wishes(document(session.view), drawn_case())
    assert "base" not in asked
    assert "point_mm" not in asked
    assert "dose" not in asked
    bare = wishes(document(session.view), replace(case, structure_sets=()))
    assert bare["hidden"] == frozenset()
    assert "active" not in bare
    assert "structure_set" not in bare


@pytest.mark.parametrize("columns", ["dose", [["dose"]], [["dose", None]], [["dose", "gone"]], [["gone", "set"]], [7]])
def test_columns_that_are_not_there_are_left_out(case, columns):
    assert wishes({"columns": columns}, case).get("columns", ()) == ()


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "view",
        {"base": ["image"], "blend": 7, "swipe": "left", "wash": 1, "style": "magic", "point_mm": [1, 2]},
        {"base": "image", "point_mm": [1, "x", None], "windows": {"image": [40, -1], "other": 7}, "hidden": "set#1"},
        {"hidden": [1, None, ["set#1"]], "windows": [], "active": {}, "reference_gy": -3, "blend": float("nan")},
    ],
)
def test_nonsense_changes_nothing(case, found):
    session = Session(case)
    before = session.view
    session.look(**wishes(found, case))
    assert replace(session.view, base=before.base, windows=before.windows) == before
    assert session.view.base in {"image", before.base}
    assert session.view.windows == {}
