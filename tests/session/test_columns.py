"""Plans side by side: which pair belongs to a day, what of it is seen, doses that come and go, maps and spots with known values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from reviewer.case import Case, Dose, Image, Plan, Structure, StructureSet
from reviewer.columns import Column, day_plans
from reviewer.dose_map import difference_map, gamma_map
from reviewer.dosimetry.hot_spot import hot_spot
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.session import Session


def grid(frame="day"):
    first = [(-20.0, -20.0, 4.0 * k) for k in range(6)]
    return Grid.from_directions((1, 0, 0), (0, 1, 0), first, (2.0, 2.0), (21, 21), frame)


def dose(name, plan, group, frame="day", gray=1.0):
    return Dose(
        name, name, grid(frame), np.full(grid().shape_zyx, gray, np.float32), plan_id=plan, structure_set_id=group
    )


def case(*left_out):
    body = Structure("body", "Body", grid(), {k: shapely.box(-10, -10, 10, 10) for k in range(1, 5)}, image_id="image")
    doses = (
        dose("original", "old", "sim", "sim"),
        dose("carried", "old", "today", gray=40.0),
        dose("new", "made", "today", gray=37.0),
    )
    return Case(
        images=(Image("image", "MR", "day", grid(), np.zeros(grid().shape_zyx, np.int16)),),
        structure_sets=(
            StructureSet("sim", "Simulation", (), None, "sim", "2025-01-01"),
            StructureSet("today", "Day", (body,), "image", "day", "2025-01-08"),
        ),
        doses=tuple(d for d in doses if d.id not in left_out),
        plans=(
            Plan("old", "LIV", "2025-01-02", "APPROVED", 5, structure_set_id="sim"),
            Plan("made", "LIV adapted", "2025-01-08", "UNAPPROVED", 5, structure_set_id="today"),
        ),
    )


def test_the_plans_of_a_day():
    found = day_plans(case())
    assert found is not None
    assert found.baseline == Column("carried", "today")
    assert found.adapted == Column("new", "today")
    assert found.planned == Column("original", "sim")
    assert day_plans(case("original")).planned is None


@pytest.mark.parametrize("missing", ["carried", "new"])
def test_without_a_pair_there_are_no_plans_of_a_day(missing):
    assert day_plans(case(missing)) is None


def test_a_dose_that_is_no_plans_dose_is_no_column():
    made = case()
    part = replace(made.doses[1], summation="FRACTION")
    assert day_plans(replace(made, doses=(made.doses[0], part, made.doses[2]))) is None


@pytest.fixture
def session():
    made = Session(case())
    made.look(dose="new", columns=day_plans(made.case).columns)
    return made


def test_the_other_dose_is_that_of_the_next_column(session):
    assert session.view.other_dose == "carried"
    session.look(dose="carried")
    assert session.view.other_dose == "new"
    session.look(columns=())
    assert session.view.other_dose is None


def test_isodoses_of_both_only_when_asked_for(session):
    assert session.scene.against is None
    session.look(both_isodoses=True)
    assert session.scene.against.dose.id == "carried"
    assert not session.scene.against.wash


def test_a_map_is_shown_only_with_the_doses_that_it_is_of(session):
    new, carried = session.case.dose("new"), session.case.dose("carried")
    session.look(map=difference_map(new, carried, new.gray - carried.gray))
    assert session.scene.map is not None
    session.look(columns=())
    assert session.scene.map is None


def test_a_difference_in_gy_and_in_percent():
    new, carried = dose("new", "", "", gray=37.0), dose("carried", "", "", gray=40.0)
    gy = difference_map(new, carried, new.gray - carried.gray)
    assert gy.values == pytest.approx(-3.0)
    assert (gy.unit, gy.stops[0][0], gy.stops[-1][0]) == ("Gy", -5.0, 5.0)
    percent = difference_map(new, carried, new.gray - carried.gray, 50.0)
    assert percent.values == pytest.approx(-6.0)
    assert percent.unit == "% of 50 Gy"
    assert "new − carried" in percent.title


def test_small_differences_are_clear_and_unknown_ones_stay_unknown():
    new = dose("new", "", "")
    values = np.full(grid().shape_zyx, np.nan, np.float32)
    values[0, 0, 0] = 10.0
    made = difference_map(new, new, values)
    colours = made.colours(401)
    assert colours[200, 3] == 0
    assert colours[-1, 3] > 0.8
    assert np.isnan(made.values[1, 1, 1])


def test_gamma_changes_its_colour_at_one():
    made = gamma_map(dose("a", "", ""), dose("b", "", ""), np.ones(grid().shape_zyx, np.float32), "3 %", 98.5)
    at = np.linspace(0, 2, 2001)
    red = made.colours(2001)[:, 0]
    assert red[at <= 1].max() < 100
    assert red[at > 1.01].min() > 200
    assert "98.5 % pass" in made.title


def test_a_made_dose_comes_and_goes(session):
    heard = []
    session.changed.connect(lambda change: heard.append(type(change).__name__))
    session.put_dose(dose("sum", None, None))
    session.look(dose="sum", columns=(*session.view.columns, Column("sum", "today")))
    assert session.made("sum")
    assert not session.made("new")
    session.take_dose("sum")
    assert session.case.dose("sum") is None
    assert session.view.dose == "new"
    assert [c.dose for c in session.view.columns] == ["carried", "new"]
    assert heard.count("DosesChanged") == 2


def test_doses_of_files_stay_and_none_comes_twice(session):
    with pytest.raises(InputError):
        session.take_dose("new")
    session.put_dose(dose("sum", None, None))
    with pytest.raises(InputError):
        session.put_dose(dose("sum", None, None))


def test_spots_of_the_highest_and_lowest_dose():
    made = case()
    body = made.structure("body")
    gray = np.full(grid().shape_zyx, 20.0, np.float32)
    gray[2, 8, 12] = 60.0
    gray[3, 12, 9] = 5.0
    gray[2, 0, 0] = 99.0  # outside the structure
    gray[4, 10, 10] = np.nan
    one = replace(made.doses[1], gray=gray)
    assert hot_spot(body, one, np.eye(4)) == pytest.approx((4.0, -4.0, 8.0))
    assert hot_spot(body, one, np.eye(4), lowest=True) == pytest.approx((-2.0, 4.0, 12.0))
    assert hot_spot(body, replace(one, gray=np.full_like(gray, np.nan)), np.eye(4)) is None
