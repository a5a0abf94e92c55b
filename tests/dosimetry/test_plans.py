"""Plans side by side, and the reason to adapt, on results that are made up."""

from __future__ import annotations

import pytest

from reviewer.case import Case, Dose, Structure, StructureSet
from reviewer.dosimetry.goals import Delivery, Evaluation, GoalResult
from reviewer.dosimetry.plans import compare, decide
from reviewer.dosimetry.sheets import read_sheet
from reviewer.errors import InputError

SHEET = read_sheet(
    """
name: A
source: B
goals:
  - {structures: PTV, metric: "V100%[%]", limit: ">= 95 %", acceptable: ">= 90 %"}
  - {structures: [Duodenum, Stomach], metric: "D0.5cc[Gy]", limit: "< 36 Gy"}
  - {structures: PTV, metric: "D2%[Gy]", limit: "< 60 Gy"}
""",
    "a.yaml",
)
PTV, GUT, HOT = SHEET.goals
STATUSES = {"+": "met", "~": "acceptable", "-": "violated", "?": "not-evaluated"}


def results(**rows):
    """``PTV="+96"``: status and value; hot: the third goal, on the PTV."""
    found = []
    for key, text in rows.items():
        goal, name = (HOT, "PTV") if key == "hot" else (PTV if key.startswith("PTV") else GUT, key)
        structure = Structure(name, name, None, {}, type="PTV" if name.startswith("PTV") else "ORGAN")
        found.append(GoalResult(goal, name, structure, STATUSES[text[0]], float(text[1:]) if text[1:] else None))
    return found


def evaluation(label, **rows):
    delivery = Delivery(Case(), Dose(label, label, None, None), StructureSet("s", "s", ()), label=label)
    return Evaluation(SHEET, delivery, tuple(results(**rows)))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"PTV": "-80", "Duodenum": "+30"}, "target coverage"),
        ({"PTV": "+96", "Duodenum": "-38"}, "OAR dose"),
        ({"PTV": "-80", "Duodenum": "-38"}, "both"),
        ({"PTV": "-80", "Duodenum": "-38", "hot": "-61"}, "both"),
        ({"PTV": "+96", "Duodenum": "+30", "hot": "-61"}, "other"),
        ({"PTV": "~92", "Duodenum": "+30"}, "none"),
        ({"PTV": "?", "Duodenum": "?30"}, "none"),
    ],
)
def test_the_reason_in_the_terms_of_ugurluer(rows, reason):
    assert decide(evaluation("baseline", **rows)).reason == reason


def test_the_story_of_a_day():
    planned = evaluation("planned", PTV="-88", Duodenum="+34", Stomach="+10")
    baseline = evaluation("baseline", PTV="-85", Duodenum="-38", Stomach="?")
    adapted = evaluation("adapted", PTV="-84.5", Duodenum="+35", Stomach="?")
    found = decide(baseline, adapted, planned)
    assert (found.reason, [r.name for r in found.broken]) == ("OAR dose", ["Duodenum"])
    assert [r.name for r in found.accepted] == ["PTV"], "it was violated when the plan was approved"
    assert [r.name for r in found.mended] == ["Duodenum"]
    assert found.sentence == "Reason to adapt: OAR dose (Duodenum D0.5cc[Gy]); 1 goal could not be evaluated."
    assert [(r.name, d) for r, d in found.baseline.worse] == [("Duodenum", 3.0)]
    assert [(r.name, d) for r, d in found.adapted.worse] == [("PTV", -0.5)]
    assert [r.name for r in found.baseline.violated] == ["PTV", "Duodenum"]
    assert [r.name for r in found.adapted.unknown] == ["Stomach"]


def test_nothing_broken_is_said_with_what_is_not_known():
    assert decide(evaluation("b", PTV="+96")).sentence == "The baseline plan breaks no goal."
    assert decide(evaluation("b", PTV="+96", Stomach="?", Duodenum="?")).sentence == (
        "The baseline plan breaks no goal; 2 goals could not be evaluated."
    )
    planned = evaluation("planned", PTV="-80")
    assert "no goal that it met when it was planned" in decide(evaluation("b", PTV="-80"), planned=planned).sentence


def test_a_goal_that_could_not_be_told_when_planned_is_no_excuse():
    planned = evaluation("planned", Duodenum="?")
    assert decide(evaluation("b", Duodenum="-38"), planned=planned).reason == "OAR dose"


def test_rows_belong_together_by_standard_name():
    one = evaluation("one", PTV_1="+96", Duodenum="+30")
    other = evaluation("other", Duodenum="+31", PTV1="~91", Stomach="+5")
    found = compare([one, other])
    assert [(row.goal, row.name) for row in found.rows] == [(PTV, "PTV_1"), (GUT, "Duodenum"), (GUT, "Stomach")]
    ptv, duodenum, stomach = found.rows
    assert ptv.difference(1) == -5.0
    assert ptv.worse(1, 0)
    assert not ptv.worse(0, 1)
    assert duodenum.worse(1, 0)
    assert stomach.results[0] is None
    assert stomach.difference(1) is None
    assert not stomach.worse(1, 0)


def test_differences_below_rounding_are_none():
    (row,) = compare([evaluation("a", Duodenum="+30"), evaluation("b", Duodenum="+30.05")]).rows
    assert not row.worse(1, 0)


def test_a_value_that_cannot_be_judged_is_neither_better_nor_worse():
    (row,) = compare([evaluation("a", Duodenum="+30"), evaluation("b", Duodenum="?40")]).rows
    assert not row.worse(1, 0)


def test_two_structures_of_one_name_keep_their_rows():
    found = compare([evaluation("a", PTV1="+96", PTV_1="-70"), evaluation("b", PTV1="+97", PTV_1="-71")])
    assert [tuple(r.value for r in row.results) for row in found.rows] == [(96, 97), (70, 71)]


def test_other_sheets_do_not_compare():
    other = read_sheet('name: A\nsource: B\ngoals: [{structures: PTV, metric: Max, limit: "< 9 Gy"}]', "b.yaml")
    strange = Evaluation(other, evaluation("x").delivery, ())
    with pytest.raises(InputError, match="one goal sheet"):
        compare([evaluation("a"), strange])
    with pytest.raises(InputError):
        compare([])
