"""Standard names: what the report lists, how people spell it, and what must never be taken for something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.demo.contours import STRUCTURES
from reviewer.names import LONGEST, read_names, standard, standards, suggestions, templates
from reviewer.tables import TableError

SPELLINGS = {
    "Liver": ["liver", " LIVER ", "Leber", "foie", "Fegato", "whole_liver"],
    "Liver-GTV": ["liver-gtv", "Liver - GTV", "Liver–GTV", "uninvolved liver", "Leber-GTV", "foie sain", "Liver_N"],
    "Kidney_L": ["L Kidney", "kidney left", "Lt_Kidney", "Niere li", "Niere links", "Rein gauche", "Rein G", "Rene sx"],
    "Kidney_R": ["Kidney R", "Right kidney", "Niere rechts", "Rein droit", "rene destro"],
    "SpinalCord": ["Spinal Cord", "spinal-cord", "Cord", "Rückenmark", "Rueckenmark", "Moelle épinière", "midollo"],
    "SpinalCanal": ["Spinal canal", "Spinalkanal", "canal medullaire"],
    "Esophagus": ["Oesophagus", "Ösophagus", "Œsophage", "esofago"],
    "Bowel_Small": ["small bowel", "Bowel-Small", "Dünndarm", "Duenndarm", "intestin grêle", "intestino tenue"],
    "Bowel_Large": ["Large Bowel", "Dickdarm", "gros intestin"],
    "Bowel_Bag": ["Bag_Bowel", "bowel bag"],
    "V_Venacava_I": ["IVC", "vena cava inferior", "Veine cave inférieure"],
    "BileDuct_Common": ["CBD", "common bile duct", "cholédoque"],
    "Heart": ["Herz", "Cœur", "coeur", "cuore"],
    "Colon_Decending": ["Colon_Descending"],
    "Chestwall": ["Chest wall", "Thoraxwand"],
    "Body": ["External", "BODY", "Außenkontur", "contour externe"],
    "SpinalCord_PRV05": ["SpinalCord_PRV05", "cord PRV 5mm", "PRV_SpinalCord_5mm", "Rückenmark_PRV5"],
    "GTV1": ["GTV1", "GTV_1", "gtv 01", "GTV-1"],
    "PTV_5000": ["PTV_5000", "PTV 5000cGy"],
    "PTV_50Gy": ["PTV_50Gy", "ptv 50 gy"],
    "PTVopt": ["PTVopt", "PTV_opt", "PTV_optimised"],
    "Liver-PTV": ["Liver-PTV", "leber - ptv"],
    "Ring_10mm": ["Ring_10mm", "Ring 10 mm"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "spelling"), [(n, s) for n, all_ in SPELLINGS.items() for s in all_])
def test_spellings(name, spelling):
    found = standard(spelling)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "name", ["", "Liver GTV", "Liver_GTV", "LiverGTV", "zPTV", "_PTV", "Liver~", "kidney", "Rein", "Lung PTV", "prostate bed", "GTV-Body"]
)  # fmt: skip
def test_what_is_no_standard_name(name):
    """Above all a GTV of the liver is not the liver less its GTV, and one kidney is not the other."""
    found = standard(name)
    assert found is None or found.name not in {s.name for s in standards()}


@pytest.mark.parametrize(
    ("name", "kind", "root"),
    [
        ("GTVp2", "GTV", "GTV"),
        ("PTV_2", "PTV", "PTV"),
        ("PTV_5000", "PTV", "PTV"),
        ("PTV_High", "PTV", "PTV"),
        ("GTV_MR", "GTV", "GTV"),
        ("ITV", "CTV", "ITV"),
        ("PTVopt", "PTV", "PTVopt"),
        ("PTV!", "PTV", "PTV!"),
        ("PTV-Duodenum", "PTV", "PTV-Duodenum"),
        ("Liver-GTV", "ORGAN", "Liver-GTV"),
        ("Duodenum_PRV03", "AVOIDANCE", "Duodenum_PRV03"),
        ("Ring_30mm", "CONTROL", "Ring_30mm"),
        ("Body", "EXTERNAL", "Body"),
        ("Markers", "MARKER", "Markers"),
    ],
)
def test_type_and_root(name, kind, root):
    found = standard(name)
    assert (found.type, found.root) == (kind, root)


@pytest.mark.parametrize(("name", "kind", "colour"), STRUCTURES)
def test_the_demo_speaks_this_language(name, kind, colour):
    found = standard(name)
    assert found.type == kind
    if kind not in ("GTV", "PTV"):
        assert (found.name, found.colour) == (name, colour)


def test_the_list_keeps_the_rules_of_the_report():
    names = [s.name for s in standards()]
    assert len(set(names)) == len(names)
    assert all(len(n) <= LONGEST and " " not in n for n in names)
    for each in standards():
        assert standard(each.name) is each


@pytest.mark.parametrize(
    ("typed", "first"), [("kid", "Kidney_L"), ("du", "Duodenum"), ("livr", "Liver"), ("lebr", "Liver"), ("cord", "SpinalCord"), ("GTV3", "GTV3")]
)  # fmt: skip
def test_suggestions(typed, first):
    assert suggestions(typed)[0].name == first


def test_suggestions_for_nothing_typed_are_the_first_of_the_list():
    assert suggestions("", 5) == list(standards()[:5])


@given(st.text(max_size=30))
def test_any_text_has_an_answer(text):
    found = standard(text)
    assert found is None or standard(found.name).name == found.name, "a standard name stands for itself"
    assert len(suggestions(text)) <= 8


def test_templates():
    assert {t.name for t in templates()} >= {"Liver, MR-guided", "Targets"}
    assert [s.name for s in next(t for t in templates() if t.name == "Targets").structures] == ["GTV", "CTV", "PTV"]


HEAD = "sides: {en: {L: [L], R: [R]}}\nstructures:\n"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("  - {name: Liver, type: LIVER, colour: [1, 2, 3], meaning: x}", "line 3: type is 'LIVER'"),
        ("  - {name: A B, type: ORGAN, colour: [1, 2, 3], meaning: x}", "line 3: 'A B' is no name"),
        ("  - {name: Liver, type: ORGAN, colour: [1, 2], meaning: x}", "line 3: colour is no colour"),
        ("  - {name: Liver, type: ORGAN, colour: [1, 2, 3]}", "line 3: meaning is missing"),
        ("  - {name: Liver, typ: ORGAN}", "line 3: unknown key 'typ'"),
        ("  - &a {name: A, type: ORGAN, colour: [1, 2, 3], meaning: x}\n  - *a", "line 3: anchors"),
        ("  - {name: A, type: ORGAN, colour: [1, 2, 3], meaning: x, en: [b]}\n  - {name: B, type: ORGAN, colour: [1, 2, 3], meaning: x}",
         "line 4: 'B' is both B and A"),
        ("  - {name: A, name: B}", "line 3: name is given twice"),
        ("  - {name: A", "this is not YAML"),
    ],
)  # fmt: skip
def test_a_bad_table_is_told_with_file_and_line(rows, sentence):
    with pytest.raises(TableError) as caught:
        read_names(HEAD + rows, "names.yaml")
    assert str(caught.value).startswith("names.yaml")
    assert sentence in str(caught.value)
