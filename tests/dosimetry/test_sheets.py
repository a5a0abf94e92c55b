"""Goal sheets and published bands: those of the program, one's own, and what is said about a bad one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reviewer.dosimetry.bands import all_bands, read_bands
from reviewer.dosimetry.metrics import Metric
from reviewer.dosimetry.sheets import Limit, all_sheets, load_sheet, read_sheet, save_sheet
from reviewer.errors import InputError
from reviewer.names import standard
from reviewer.tables import TableError

GOOD = """\
name: Mine
source: nobody
goals:
  - {structures: [Liver, Colon or Bowel_Large], metric: "Mean[Gy]", limit: "< 8 Gy", acceptable: "< 10 Gy", priority: 2}
"""


def limits(sheet_id):
    """(structures, metric) -> limit of one of the program's sheets."""
    goals = all_sheets().get(sheet_id).goals
    return {(names[0], str(g.metric)): str(g.limit) for g in goals for names in g.structures}


def test_the_smart_sheets_say_what_the_paper_says():
    five, three = limits("smart-liver-5fx"), limits("smart-liver-3fx")
    assert five["PTV", "V100%[%]"] == three["PTV", "V100%[%]"] == "≥ 95 %"
    assert (five["Liver", "CV18Gy[cc]"], three["Liver", "CV15.7Gy[cc]"]) == ("≥ 700 cc", "≥ 700 cc")
    for organ in ("Stomach", "Duodenum", "Bowel_Large", "Bowel_Small"):
        assert (five[organ, "D0.5cc[Gy]"], five[organ, "D1cc[Gy]"]) == ("< 36 Gy", "< 33 Gy")
        assert (three[organ, "D0.5cc[Gy]"], three[organ, "D1cc[Gy]"]) == ("< 28.9 Gy", "< 26.6 Gy")
    assert (five["SpinalCord", "Max[Gy]"], three["SpinalCord", "Max[Gy]"]) == ("< 30 Gy", "< 21.9 Gy")
    for kidney in ("Kidney_L", "Kidney_R"):
        assert (five[kidney, "V12Gy[%]"], five[kidney, "Mean[Gy]"]) == ("< 10 %", "< 10 Gy")
    assert (five["A_Aorta", "Max[Gy]"], five["A_Aorta", "V47Gy[cc]"]) == ("< 53 Gy", "< 10 cc")
    assert (three["A_Aorta", "Max[Gy]"], three["A_Aorta", "V39Gy[cc]"]) == ("< 45 Gy", "< 10 cc")
    assert [all_sheets().get(f"smart-liver-{n}fx").fractions for n in (5, 3)] == [5, 3]


def test_the_single_fraction_sheet():
    one = limits("liver-1fx")
    assert one["Liver-GTV", "CV9.1Gy[cc]"] == "≥ 700 cc"
    assert (one["SpinalCord", "V10Gy[cc]"], one["SpinalCord", "V7Gy[cc]"]) == ("< 0.35 cc", "< 1.2 cc")
    assert (one["Stomach", "D0.035cc[Gy]"], one["Stomach", "V11.2Gy[cc]"]) == ("≤ 12.4 Gy", "< 10 cc")
    assert (one["Duodenum", "D0.035cc[Gy]"], one["Duodenum", "V11.2Gy[cc]"]) == ("≤ 12.4 Gy", "< 5 cc")
    assert (one["Jejunum_Ileum", "D0.035cc[Gy]"], one["Jejunum_Ileum", "V11.9Gy[cc]"]) == ("≤ 15.4 Gy", "< 5 cc")
    assert (one["Colon", "D0.035cc[Gy]"], one["Colon", "V14.3Gy[cc]"]) == ("≤ 18.4 Gy", "< 20 cc")
    assert (one["Skin", "D0.035cc[Gy]"], one["Skin", "V23Gy[cc]"]) == ("≤ 26 Gy", "< 10 cc")


def test_the_others():
    assert limits("montpellier-50gy-5fx") == {("PTV", "V95%[%]"): "≥ 95 %"}
    again = limits("liver-reirradiation")
    assert again["Duodenum", "D0.1cc[Gy]"] == "≤ 35 Gy"
    assert again["Bowel_Small", "V15Gy[cc]"] == "< 120 cc"
    assert again["Bowel_Small", "Max[EQD2_3]"] == "< 98 EQD2_3"
    for sheet in all_sheets().sheets:
        assert sheet.source
        assert all(standard(name) for goal in sheet.goals for names in goal.structures for name in names)


def test_what_nobody_checked_is_marked():
    for sheet, metrics in (("smart-liver-5fx", {"V47Gy[cc]"}), ("smart-liver-3fx", {"V39Gy[cc]"})):
        assert {str(g.metric) for g in all_sheets().get(sheet).goals if g.unverified} == metrics
    assert all(g.unverified for g in all_sheets().get("liver-reirradiation").goals[:2])


def test_reading():
    sheet = read_sheet(GOOD, "mine.yaml", "mine")
    (goal,) = sheet.goals
    assert goal.structures == (("Liver",), ("Colon", "Bowel_Large"))
    assert (goal.limit, goal.acceptable, goal.priority) == (Limit("<", 8.0, "Gy"), Limit("<", 10.0, "Gy"), 2)
    assert goal.line == 4


def test_the_example_of_the_documentation_is_a_sheet():
    text = Path(__file__).parents[2].joinpath("docs", "goals.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    sheet = read_sheet(example, "goals.md")
    assert [(str(g.metric), str(g.limit), g.fractions) for g in sheet.goals] == [
        ("V95%[%]", "≥ 95 %", 5),
        ("D0.5cc[Gy]", "< 36 Gy", 5),
        ("Max[EQD2_3]", "< 98 EQD2_3", 5),
    ]
    named = set(re.findall(r"^\| `([a-z0-9-]+)`(?:, `([a-z0-9-]+)`)?", text, re.MULTILINE))
    assert {name for pair in named for name in pair if name} == {s.id for s in all_sheets().sheets if not s.own}


def goal(**changes):
    keys = {"structures": "Liver", "metric": '"Mean[Gy]"', "limit": '"< 8 Gy"', **changes}
    return "name: A\nsource: B\ngoals:\n  - " + "\n    ".join(f"{k}: {v}" for k, v in keys.items() if v is not None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (goal(metric="Dmax"), "s.yaml, line 5: 'Dmax': not a dose-volume metric; write it as in"),
        (goal(metric='"D0.5cc[EQD2]"'), "line 5: 'D0.5cc[EQD2]'"),
        (goal(limit='"8 Gy"'), "s.yaml, line 6: limit is '8 Gy'; write it as in \"< 36 Gy\""),
        (goal(limit='"< 8 cc"'), "line 6: limit is in cc, Mean[Gy] in Gy"),
        (goal(limit="8"), "line 6: limit is 8, not text"),
        (goal(limit=None), "line 4: limit is missing"),
        (goal(acceptable='"> 9 Gy"'), "line 7: acceptable points the other way"),
        (goal(acceptable='"< 7 Gy"'), "line 7: acceptable (< 7 Gy) is not laxer than limit (< 8 Gy)"),
        (goal(acceptable='"< 8 Gy"'), "is not laxer"),
        (goal(priority="0"), "line 7: priority is 0; choose 1"),
        (goal(priority="high"), "line 7: priority is 'high', not a whole number"),
        (goal(dose="both"), "line 7: dose is 'both'; choose one of plan, sum"),
        (goal(fractions="0"), "line 7: fractions is 0"),
        (goal(fractions="true"), "line 7: fractions is True, not a whole number"),
        (goal(limt="x"), "line 7: unknown key 'limt'; the keys here are"),
        (goal(structures="[]"), "line 4: structures is missing"),
        (goal(structures="3"), "line 4: structures is 3, not a list of words"),
        ("name: A\nsource: B\n", "line 1: goals is missing"),
        ("name: A\nsource: B\ngoals: 3\n", "line 3: goals is 3, not a list"),
        ("name: A\nsource: B\ngoals: [a]\n", "line 3: goals is not a list of entries"),
        ("name: A\ngoals:\n  - {}\n", "line 3: metric is missing"),
        ("- a\n", "s.yaml, line 1: the file does not begin with keys and values"),
        ("", "s.yaml: the file is empty"),
        ("name: [a\n", "this is not YAML"),
        ("name: A\nsource: B\ngoals:\n\t- x\n", "s.yaml, line 4: this is not YAML"),
        ("name: !!python/object/apply:os.system [ls]\nsource: B\ngoals: []", "line 1: the tag"),
        ("\x00", "this is not YAML"),
    ],
)
def test_a_bad_sheet_is_told_with_file_and_line(text, says):
    with pytest.raises(TableError) as caught:
        read_sheet(text, "s.yaml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("s.yaml")


def test_own_sheets_join_those_of_the_program(tmp_path):
    path = save_sheet(GOOD, "mine", tmp_path / "goals")
    found = all_sheets(tmp_path / "goals")
    assert found.get("MINE").name == "Mine"
    assert found.get("mine").own
    assert found.errors == ()
    (tmp_path / "goals" / "bad.yaml").write_text("name: x\n")
    (tmp_path / "goals" / "smart-liver-5fx.yaml").write_text(GOOD)
    found = all_sheets(tmp_path / "goals")
    assert [s.id for s in found.sheets if s.own] == ["mine"]
    assert {e.where.split("/")[-1].split(",")[0] for e in found.errors} == {"bad.yaml", "smart-liver-5fx.yaml"}
    with pytest.raises(TableError, match="goals is missing"):
        found.get("bad")
    with pytest.raises(InputError, match="there is no goal sheet 'other'; there are: liver-1fx"):
        found.get("other")
    assert load_sheet(path).goals == found.get("mine").goals


def test_a_bad_sheet_is_not_saved(tmp_path):
    save_sheet(GOOD, "mine", tmp_path)
    with pytest.raises(TableError):
        save_sheet(goal(limit="x"), "mine", tmp_path)
    assert (tmp_path / "mine.yaml").read_text() == GOOD
    for name in ("../mine", "", "a/b", "smart-liver-5fx"):
        with pytest.raises(InputError):
            save_sheet(GOOD, name, tmp_path)


def test_a_sheet_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_sheet(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(InputError, match="too long"):
        load_sheet(tmp_path / "big.yaml")


def test_bands_of_the_papers():
    bordeau, ugurluer = all_bands()
    duodenum = bordeau.get("duodenum", Metric.parse("Max[Gy]"))
    assert (duodenum.low, duodenum.median, duodenum.high) == (0.0, 11.4, 27.4)
    assert bordeau.get("PTV_2", Metric.parse("V95%[%]")).median == 95.9
    assert bordeau.get("Niere links", Metric.parse("V18Gy[cc]")).high == 0.4
    assert bordeau.get("Liver", None).high == 2158.5
    assert ugurluer.get("GTV1", None).median == 7.1
    assert ugurluer.get("Liver", Metric.parse("Mean[Gy]")).low == 1.4
    assert bordeau.get("GTV1", None) is None
    with pytest.raises(TableError, match=r"b.yaml, line 3: the median 5 does not lie between 1 and 2"):
        read_bands(
            "name: A\nsource: B\nbands: [{structures: PTV, metric: Volume, median: 5, low: 1, high: 2}]", "b.yaml", "b"
        )
