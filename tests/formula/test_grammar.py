"""The notation: what is meant, and that whatever can be meant in two ways is refused with the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.errors import InputError
from reviewer.formula.grammar import (
    DIRECTIONS,
    Boolean,
    Clean,
    FormulaError,
    IsodoseVolume,
    Margin,
    Name,
    Ring,
    names_in,
    parse,
    split_assignment,
)


def shape(node: object) -> object:
    """A tree as nested tuples, without the places in the text."""
    match node:
        case Name(name):
            return name
        case Boolean(operator, left, right):
            return operator, shape(left), shape(right)
        case Margin(of, mm):
            return ("margin", shape(of), dict(mm))
        case Ring(of, inner, outer):
            return ("ring", shape(of), inner, outer)
        case Clean(kind, of, mm):
            return (kind, shape(of), mm)
        case IsodoseVolume(dose, level, unit):
            return ("isodose", dose, level, unit)
    raise AssertionError(node)


def everywhere(mm: float) -> dict:
    return dict.fromkeys(DIRECTIONS, mm)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("GTV", "GTV"),
        ("GTV + 5 mm", ("margin", "GTV", everywhere(5))),
        ("GTV+5mm", ("margin", "GTV", everywhere(5))),
        ("GTV − 2.5 mm", ("margin", "GTV", everywhere(-2.5))),
        ("Liver - GTV", ("-", "Liver", "GTV")),
        ("A - B - C", ("-", ("-", "A", "B"), "C")),
        ("A | (B & C)", ("|", "A", ("&", "B", "C"))),
        ("(PTV + 30 mm) - PTV", ("-", ("margin", "PTV", everywhere(30)), "PTV")),
        ("PTV + 30 mm - PTV", ("-", ("margin", "PTV", everywhere(30)), "PTV")),
        ("PTV - ((Stomach | Heart) + 5 mm)", ("-", "PTV", ("margin", ("|", "Stomach", "Heart"), everywhere(5)))),
        ("expand(GTV, left=5 mm, inf=-2 mm)", ("margin", "GTV", everywhere(0) | {"left": 5, "inf": -2})),
        ("ring(PTV, 20 mm)", ("ring", "PTV", 0, 20)),
        ("ring(PTV, 5 mm, 20 mm)", ("ring", "PTV", 5, 20)),
        ("isodose(first, 50 %) & Liver", ("&", ("isodose", "first", 50, "%"), "Liver")),
        ('isodose("on day", 25 Gy)', ("isodose", "on day", 25, "Gy")),
        ("largest(fill(smooth(A, 2 mm)))", ("largest", ("fill", ("smooth", "A", 2), 0), 0)),
        ("\"PTV 50\" ^ 'Liver-GTV'", ("^", "PTV 50", "Liver-GTV")),
    ],
)
def test_meaning(text: str, meaning: object) -> None:
    assert shape(parse(text)) == meaning


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("", 1, "a structure, a function or “(” is expected"),
        ("A |", 4, "is expected"),
        ("A B", 3, "“B” is not expected"),
        ("(A", 3, "“)” is expected"),
        ("A)", 2, "“)” is not expected"),
        ("A + B", 3, "for the union of two structures write “|”"),
        ("A + 5", 5, "the unit is missing … write 5 mm"),
        ("A + 5 cm", 5, "“cm” is not the unit mm … give it in mm"),
        ("A + 0,5 mm", 5, "the decimal sign is a point … write 0.5 mm"),
        ("ring(A, 2, 8 mm)", 9, "the unit is missing … write 2 mm"),
        ("A - B | C", 7, "can be read in two ways … add parentheses"),
        ("A - B + 5 mm", 7, "write A - (B + 5 mm) or (A - B) + 5 mm"),
        ("grow(A)", 1, "there is no function “grow” … known are expand"),
        ("expand(A)", 9, "at least one side"),
        ("expand(A, up=5 mm)", 11, "a side of the patient is expected"),
        ("expand(A, sup=5 mm, sup=6 mm)", 21, "stands twice"),
        ("ring(A, 5 mm, 3 mm)", 1, "not larger than its inner one"),
        ("isodose(d, 5)", 12, "the unit is missing"),
        ("isodose(d, 0 Gy)", 12, "larger than 0"),
        ("largest(A, 3 mm)", 10, "is written differently … largest"),
        ("A ? B", 3, "“?” has no meaning"),
        ("'A", 1, "a quoted name that does not end"),
        ("''", 1, "an empty name"),
        ("(" * 999 + "A", 51, "too many parentheses"),
        ("A | " * 5000 + "A", 801, "more than 400 names"),
        ("largest(" * 999 + "A", 401, "too many functions"),
    ],
)
def test_mistakes_are_located_and_explained(text: str, place: int, sentence: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert all(part in str(caught.value) for part in sentence.split(" … "))
    assert caught.value.span.start == place - 1


def test_names_come_once_in_the_order_of_the_text() -> None:
    assert list(names_in(parse("PTV - ((B | A | B) + 5 mm)"))) == ["PTV", "B", "A"]


def test_assignment() -> None:
    assert split_assignment("PTV = GTV + 5 mm") == ("PTV", "GTV + 5 mm")
    assert split_assignment("'PTV 2'=expand(GTV, sup=3 mm)") == ("PTV 2", "expand(GTV, sup=3 mm)")
    with pytest.raises(InputError, match="NAME = FORMULA"):
        split_assignment("GTV + 5 mm")


@given(st.text(alphabet="AB|&-+^()=,% \"'5.mGyexpandringisodose", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except FormulaError as error:
        place = error.span
    else:
        place = tree.span
    assert 0 <= place.start <= place.end <= len(text)
