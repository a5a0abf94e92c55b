"""How things are called on the screen."""

from __future__ import annotations

import pytest
from reviewer_widgets.wording import fractions

from reviewer.case import Plan, StructureSet


@pytest.mark.parametrize(
    ("label", "planned", "said"),
    [
        ("Fraction 3 of 5", 5, "Fraction 3 of 5"),
        ("day, fraction 02/05", 5, "Fraction 2 of 5"),
        ("Fraction 3 of 5", None, "Fraction 3 of 5"),
        ("Fraction 3 of 5", 8, "8 fractions"),
        ("Fraction 6 of 5", 5, "5 fractions"),
        ("Fraction 3", 5, "5 fractions"),
        ("Simulation", 5, "5 fractions"),
        ("Simulation", 1, "1 fraction"),
        ("Simulation", None, ""),
    ],
)
def test_the_fraction_is_said_only_where_the_data_say_it(label, planned, said):
    assert fractions(Plan("p", "P", fractions=planned), StructureSet("s", label, ())) == said


def test_without_structures_there_is_no_fraction_to_name():
    assert fractions(Plan("p", "P", fractions=5), None) == "5 fractions"
