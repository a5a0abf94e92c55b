"""Settings as values from a form, a file or a command line."""

from __future__ import annotations

import pytest

from reviewer.backends.contract import Setting, checked_settings

SETTINGS = (
    Setting("spacing", "Spacing", "number", 3.0, "mm", minimum=1.0),
    Setting("histories", "Histories", "integer", 1000, minimum=1, maximum=10**9),
    Setting("heterogeneity", "Heterogeneity", "flag", True),
    Setting("kernel", "Kernel", "choice", "6 MV", choices=("6 MV", "10 MV")),
    Setting("comment", "Comment", "text", ""),
)


def test_what_is_not_given_is_the_default():
    assert checked_settings(SETTINGS, {"kernel": "10 MV"}) == {
        "spacing": 3.0,
        "histories": 1000,
        "heterogeneity": True,
        "kernel": "10 MV",
        "comment": "",
    }


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("spacing", "2.5", 2.5),
        ("spacing", 2, 2.0),
        ("histories", "1e6", 1_000_000),
        ("heterogeneity", "no", False),
        ("heterogeneity", "On", True),
        ("comment", "ä", "ä"),
    ],
)
def test_a_value_is_read(name, given, taken):
    value = checked_settings(SETTINGS, {name: given})[name]
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("spacing", 0.5, "spacing is at least 1 mm, not 0.5"),
        ("spacing", "nan", "spacing is a number"),
        ("spacing", float("inf"), "spacing is a number"),
        ("spacing", None, "spacing is a number"),
        ("histories", 1.5, "histories is a whole number"),
        ("histories", 0, "at least 1 and at most 1e"),
        ("heterogeneity", "maybe", "heterogeneity is yes or no"),
        ("heterogeneity", 1, "heterogeneity is yes or no"),
        ("kernel", "15 MV", "kernel is one of 6 MV, 10 MV, not '15 MV'"),
        ("comment", 1, "comment is a text"),
        ("energy", 6, "there is no setting energy"),
    ],
)
def test_a_bad_value_is_refused(name, value, words):
    with pytest.raises(ValueError, match=words):
        checked_settings(SETTINGS, {name: value})
