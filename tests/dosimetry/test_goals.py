"""Goals on a box in a dose that rises along x, where every value is known; what is not known is never met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from phantoms import linear_dose, planes_grid

from reviewer.case import Case, Plan, Prescription, Registration, Structure, StructureSet
from reviewer.dosimetry.biology import Effect
from reviewer.dosimetry.cache import DvhCache
from reviewer.dosimetry.dvh import Dvh
from reviewer.dosimetry.goals import SYMBOLS, Delivery, evaluate, match, with_unknown
from reviewer.dosimetry.metrics import Metric
from reviewer.dosimetry.sheets import read_sheet
from reviewer.errors import CancelledError, InputError

GRID = planes_grid(np.arange(-20.0, 21.0, 2.0))


def box(name, u0=-10.0, u1=10.0, kind="ORGAN", grid=GRID, planes=range(5, 16)):
    """20 mm along v, 11 planes of 2 mm; `u0` to `u1` along u: the dose there is 50 + u Gy. By default 8.8 cc from 40 to 60 Gy."""
    return Structure(name, name, grid, {k: shapely.box(u0, -10, u1, 10) for k in planes}, type=kind)


def case(*structures, half=40.0, prescribed=50.0, fractions=5, **changes):
    dose = replace(linear_dose(2.0, (1.0, 0.0, 0.0), half=half), plan_id="plan", **changes)
    plan = Plan(
        "plan", "LIV", fractions=fractions, prescriptions=(Prescription("PTV", prescribed),) if prescribed else ()
    )
    group = StructureSet("set", "day", structures, frame_of_reference_uid="frame")
    return Case(structure_sets=(group,), doses=(dose,), plans=(plan,))


def delivery(*structures, **changes):
    made = case(*structures, **changes)
    return Delivery.of(made, made.doses[0], made.structure_sets[0])


def sheet(*goals, head=""):
    keys = ("structures", "metric", "limit", "acceptable", "dose")
    rows = "".join(
        "  - {"
        + ", ".join(f'{k}: "{v}"' if k != "structures" else f"{k}: {v}" for k, v in zip(keys, g, strict=False) if v)
        + "}\n"
        for g in goals
    )
    return read_sheet(f"name: A\nsource: B\n{head}goals:\n{rows}", "a.yaml", "a")


def only(*goal, to, head=""):
    (result,) = evaluate(sheet(goal, head=head), to).results
    return result


@pytest.mark.parametrize(
    ("metric", "limit", "acceptable", "status", "value"),
    [
        ("Mean[Gy]", "< 50.5 Gy", "", "met", 50.0),
        ("Mean[Gy]", "< 49 Gy", "< 50.5 Gy", "acceptable", 50.0),
        ("Mean[Gy]", "< 49 Gy", "< 49.5 Gy", "violated", 50.0),
        ("D95%[Gy]", ">= 41.5 Gy", ">= 40.9 Gy", "acceptable", 41.0),
        ("D95%[Gy]", ">= 40.9 Gy", "", "met", 41.0),
        ("V100%[%]", ">= 95 %", "", "violated", 50.0),
        ("V55Gy[cc]", "< 2.5 cc", "", "met", 2.2),
        ("CV45Gy[cc]", ">= 2 cc", "", "met", 2.2),
        ("D0.88cc[EQD2_3]", "< 170 Gy", "", "met", 58 * (1 + 58 / 15) / (1 + 2 / 3)),
    ],
)
def test_statuses(metric, limit, acceptable, status, value):
    found = only("Liver", metric, limit, acceptable, to=delivery(box("Liver")))
    assert found.value == pytest.approx(value, rel=5e-3)
    assert (found.status, found.reason, found.note) == (status, "", "")
    assert SYMBOLS[found.status]


def test_limits_with_and_without_the_limit_itself():
    """A dose that is 50 Gy everywhere, to the last bit."""
    made = delivery(box("Liver"))
    flat = replace(made, dose=replace(made.dose, gray=np.full_like(made.dose.gray, 50.0)))
    statuses = {
        text: only("Liver", "Max[Gy]", text, to=flat).status for text in ("< 50 Gy", "<= 50 Gy", ">= 50 Gy", "> 50 Gy")
    }
    assert statuses == {"< 50 Gy": "violated", "<= 50 Gy": "met", ">= 50 Gy": "met", "> 50 Gy": "violated"}


# -- who is meant ----------------------------------------------------------------------------------------------------------


def test_structures_are_found_by_standard_name_and_synonym():
    structures = [box(n) for n in ("Leber", "PTV_1", "PTV_2", "PTVopt", "Niere links", "Bowel_Large", "odd thing")]

    def names(*wanted):
        return [s.name for s in match(wanted, structures)]

    assert names("Liver") == ["Leber"]
    assert names("PTV") == ["PTV_1", "PTV_2"]
    assert names("PTV2") == ["PTV_2"]
    assert names("Kidney_L") == ["Niere links"]
    assert names("Kidney_R") == []
    assert names("Colon", "Bowel_Large") == ["Bowel_Large"]
    assert names("Odd Thing") == ["odd thing"]
    assert [s.name for s in match(["Liver"], structures, {"Liver": "odd thing"})] == ["odd thing"]


def test_what_is_missing_is_shown_and_so_is_what_no_goal_is_about():
    table = sheet(("[Liver, Stomach]", "Mean[Gy]", "< 60 Gy"), ("Liver-GTV", "Mean[Gy]", "< 60 Gy"))
    found = evaluate(table, delivery(box("Liver"), box("GTV", kind="GTV"), box("Skin")))
    assert [(r.name, r.status) for r in found.results] == [
        ("Liver", "met"),
        ("Stomach", "not-evaluated"),
        ("Liver-GTV", "not-evaluated"),
    ]
    assert found.results[1].reason == "no structure is called Stomach"
    assert found.results[2].reason.endswith("the formula Liver-GTV = Liver - GTV makes it")
    assert [s.name for s in found.unmatched] == ["GTV", "Skin"]
    assert (found.count("met"), found.count("not-evaluated")) == (1, 2)


def test_a_structure_that_two_names_stand_for_has_one_row():
    found = evaluate(
        sheet(("[A_Aorta or GreatVes, V_Venacava_I or GreatVes]", "Max[Gy]", "< 90 Gy")), delivery(box("GreatVes"))
    )
    assert [r.name for r in found.results] == ["GreatVes"]


# -- what is not known -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "changes", "why"),
    [
        (("Liver", "V95%[%]", "> 1 %"), {"prescribed": None}, "no prescribed dose is known"),
        (("Liver", "Max[EQD2_3]", "< 999 Gy"), {"fractions": None}, "the number of fractions is not known"),
        (("Liver", "DC700cc[Gy]", "< 99 Gy"), {}, "less than 700 cc"),
        (
            ("Liver", "Mean[Gy]", "< 99 Gy"),
            {"summation": "FRACTION"},
            "the dose is that of a fraction, not of the plan",
        ),
        (("Liver", "Mean[Gy]", "< 99 Gy"), {"summation": "BEAM"}, "that of a beam"),
        (("Liver", "Mean[Gy]", "< 99 Gy"), {"type": "ERROR"}, "of type ERROR"),
        (("Liver", "Mean[Gy]", "< 99 Gy"), {"type": "EFFECTIVE"}, "effective dose of unknown kind"),
        (("Liver", "Mean[Gy]", "< 99 Gy", "", "sum"), {}, "the sum of all courses"),
        (("Liver", "CI_RTOG", "< 99"), {}, "reaches the border of the dose grid"),
    ],
)
def test_why_a_goal_is_not_evaluated(goal, changes, why):
    found = only(*goal, to=delivery(box("Liver"), **changes))
    assert found.status == "not-evaluated"
    assert why in found.reason


@pytest.mark.parametrize(
    ("fractions", "why"), [(3, "the limit is for 5 fractions, the plan has 3"), (None, "are not known")]
)
def test_limits_hold_for_their_number_of_fractions(fractions, why):
    found = only("Liver", "Mean[Gy]", "< 99 Gy", head="fractions: 5\n", to=delivery(box("Liver"), fractions=fractions))
    assert found.status == "not-evaluated"
    assert why in found.reason


def test_an_empty_structure():
    assert only("Liver", "Mean[Gy]", "< 99 Gy", to=delivery(box("Liver", planes=()))).reason == "the structure is empty"


def test_dose_in_another_frame():
    far = replace(GRID, frame_of_reference_uid="elsewhere")
    made = delivery(box("Liver", grid=far))
    found = only("Liver", "Mean[Gy]", "< 99 Gy", to=made)
    assert found.status == "not-evaluated"
    assert "another frame of reference" in found.reason
    shift = np.eye(4)
    shift[0, 3] = 5.0
    tied = replace(made.case, registrations=(Registration("r", "r", "elsewhere", "frame", shift),))
    assert only("Liver", "Mean[Gy]", "< 99 Gy", to=replace(made, case=tied)).value == pytest.approx(55.0, rel=1e-3)


def test_negative_and_missing_doses():
    made = delivery(box("Liver"))
    below = replace(made.dose, gray=made.dose.gray - np.float32(45))
    found = only("Liver", "Mean[Gy]", "< 99 Gy", to=replace(made, dose=below))
    assert found.status == "not-evaluated"
    assert "negative" in found.reason
    gray = made.dose.gray.copy()
    gray[20, 20, 20] = np.nan
    found = only("Liver", "Mean[Gy]", "< 99 Gy", to=replace(made, dose=replace(made.dose, gray=gray)))
    assert found.status == "not-evaluated"
    assert 0 < found.outside_fraction < 0.05


# The dose grid ends at 20 mm, with its voxels at 21 mm: of a box from 10 to 30 mm 11/20 are known, 60 to 71 Gy.
@pytest.mark.parametrize(
    ("metric", "limit", "status"),
    [
        ("Max[Gy]", "< 99 Gy", "not-evaluated"),
        ("Max[Gy]", "< 65 Gy", "violated"),
        ("Mean[Gy]", "< 99 Gy", "not-evaluated"),
        ("Mean[Gy]", "> 30 Gy", "met"),  # at least 11/20 of 65.5 Gy
        ("Mean[Gy]", "> 40 Gy", "not-evaluated"),
        ("Min[Gy]", ">= 50 Gy", "not-evaluated"),
        ("Min[Gy]", "> 62 Gy", "violated"),
        ("V50Gy[%]", ">= 50 %", "met"),  # 55 % at least
        ("V50Gy[%]", ">= 60 %", "not-evaluated"),
        ("V80Gy[%]", "< 50 %", "met"),  # 45 % at most
        ("V80Gy[%]", "< 40 %", "not-evaluated"),
        ("V80Gy[%]", "> 50 %", "violated"),
        ("CV65Gy[cc]", ">= 2 cc", "met"),  # 5/20 of 8.8 cc at least
        ("CV65Gy[cc]", ">= 3 cc", "not-evaluated"),
        ("CV65Gy[cc]", ">= 7 cc", "violated"),  # 14/20 at most
        ("D0.5cc[Gy]", "< 80 Gy", "not-evaluated"),
        ("D7cc[Gy]", ">= 1 Gy", "not-evaluated"),
        ("HI", "< 5", "not-evaluated"),
    ],
)
def test_part_of_the_structure_outside_the_dose(metric, limit, status):
    found = only("Liver", metric, limit, to=delivery(box("Liver", 10.0, 30.0), half=20.0))
    assert found.outside_fraction == pytest.approx(9 / 20, abs=2e-3)
    assert found.status == status
    assert (
        "45.0 % of the structure lies outside the dose grid" in (found.reason or found.note)
        or "less than 7 cc" in found.reason
    )
    assert bool(found.reason) == (status == "not-evaluated")


def test_a_structure_quite_outside_the_dose():
    found = only("Liver", "Max[Gy]", "< 99 Gy", to=delivery(box("Liver", 30.0, 40.0), half=20.0))
    assert (found.status, found.value) == ("not-evaluated", None)
    assert found.reason == "the structure lies outside the dose grid"


def test_the_bounds_are_histograms_of_the_whole():
    """60 of 100 cc known, evenly between 10 and 60 Gy."""
    curve = Dvh("x", 100.0, 0.4, np.array([10.0, 60.0]), np.array([60.0, 0.0]), 10.0, 35.0, 60.0)
    low, high = with_unknown(curve, 0.0), with_unknown(curve, 1000.0)

    def ask(text):
        return [Metric.parse(text).of(each) for each in (low, high)]

    assert ask("V35Gy[cc]") == pytest.approx([30, 70])
    assert ask("Mean") == pytest.approx([21, 421])
    assert ask("D50%[Gy]") == pytest.approx([10 + 50 / 6, 60 - 50 / 6])
    assert ask("Min") == pytest.approx([0, 10])
    assert ask("D30%") == pytest.approx([35, 1000])
    assert ask("D70%") == pytest.approx([0, 35], abs=1e-6)


# -- sums and assumptions --------------------------------------------------------------------------------------------------


def test_a_goal_about_the_sum_is_put_to_the_sum():
    made = replace(delivery(box("Duodenum"), type="EFFECTIVE"), dose_kind="sum", scale=Effect("EQD2", 3.0))
    found = only("Duodenum", "Max[EQD2_3]", "< 98 Gy", "", "sum", to=made)
    assert (found.status, found.value) == ("met", pytest.approx(60, abs=0.1))
    assert only("Duodenum", "Max[EQD2_10]", "< 98 Gy", "", "sum", to=made).reason == "the dose is EQD2_3 already"
    assert only("Duodenum", "Mean[Gy]", "< 98 Gy", to=made).reason == "the goal is about one plan"


def test_prescription_and_fractions_may_be_typed():
    made = case(box("PTV", kind="PTV"), prescribed=None, fractions=None)
    typed = Delivery.of(made, made.doses[0], made.structure_sets[0], 45.0, 3)
    assert only("PTV", "V100%[%]", "> 1 %", to=typed).value == pytest.approx(75, abs=0.5)
    for wrong in ({"prescribed_gy": 0.0}, {"prescribed_gy": float("nan")}, {"fractions": 0}):
        with pytest.raises(InputError):
            Delivery.of(made, made.doses[0], made.structure_sets[0], **wrong)


def test_each_target_has_its_own_prescription():
    """The dose runs from 40 to 60 Gy along each box: 100 % of 45 Gy is reached by three quarters of it, of 50 Gy by half."""
    targets = [box(name, kind="PTV") for name in ("PTV_1", "PTV_2", "PTV_3")]
    made = case(*targets, box("Liver"))
    several = (Prescription("PTV1", 50.0), Prescription("ptv_2", 45.0), Prescription("Liver", 10.0, "ORGAN_AT_RISK"))
    made = replace(made, plans=(replace(made.plans[0], prescriptions=several),))
    to = Delivery.of(made, made.doses[0], made.structure_sets[0])
    goals = sheet(("PTV", "V100%[%]", ">= 60 %"), ("Liver", "V100%[%]", "< 60 %"), ("PTV", "Mean[Gy]", "> 49 Gy"))
    found = evaluate(goals, to).results
    assert [r.value for r in found[:2]] == [pytest.approx(50.0, abs=0.1), pytest.approx(75.0, abs=0.1)]
    assert [r.status for r in found[:2]] == ["violated", "met"]
    assert (found[2].status, found[2].value) == ("not-evaluated", None)
    assert found[2].reason == "the plan prescribes 45 Gy and 50 Gy, and does not say which to this target"
    assert found[3].value == pytest.approx(50.0, abs=0.1), "organs go by the highest"
    assert [r.status for r in found[4:]] == ["met"] * 3, "questions in Gy need none"
    typed = Delivery.of(made, made.doses[0], made.structure_sets[0], prescribed_gy=45.0)
    assert [r.value for r in evaluate(goals, typed).results[:4]] == [pytest.approx(75.0, abs=0.1)] * 4


def test_curves_that_are_there_are_used_again():
    made, cache = delivery(box("Liver")), DvhCache()
    table = sheet(("Liver", "Mean[Gy]", "< 60 Gy"), ("Liver", "Max[Gy]", "< 70 Gy"))
    evaluate(table, made, cache)
    (liver,) = made.group.structures
    kept = cache.get(liver, made.dose, np.eye(4))
    assert kept is not None
    evaluate(table, made, cache)
    assert cache.get(liver, made.dose, np.eye(4)) is kept


def test_an_edit_goes_on_from_what_was_known_and_changes_the_verdict():
    table, cache = sheet(("Liver", "Max[Gy]", "< 62 Gy")), DvhCache()
    before = delivery(box("Liver"))
    (liver,) = before.group.structures
    drawn = replace(liver, planes={**liver.planes, 10: shapely.box(-10, -10, 20, 10)})
    after = replace(before, group=replace(before.group, structures=(drawn,)))
    statuses = [evaluate(table, each, cache).results[0].status for each in (before, after, before)]
    assert statuses == ["met", "violated", "met"]
    assert evaluate(table, after, cache).results[0].value == evaluate(table, after).results[0].value


def test_an_evaluation_can_be_stopped():
    with pytest.raises(CancelledError):
        evaluate(sheet(("Liver", "Max[Gy]", "< 62 Gy")), delivery(box("Liver")), cancelled=lambda: True)


@pytest.mark.parametrize(
    ("name", "kind", "limit", "side"),
    [
        ("PTV", "PTV", ">= 95 %", "target"),
        ("PTV", "", ">= 95 %", "target"),
        ("PTV", "PTV", "< 10 %", "other"),
        ("Duodenum", "ORGAN", "< 10 %", "organ"),
        ("Liver", "", ">= 70 %", "organ"),
        ("my organ", "", "< 70 %", "organ"),
    ],
)
def test_sides(name, kind, limit, side):
    assert only(name, "V20Gy[%]", limit, to=delivery(box(name, kind=kind))).side == side
