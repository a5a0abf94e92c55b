"""Formulas of one command line that need each other."""

import pytest

from reviewer.cli import main


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        (["X = Y + 5 mm", "Y = X + 5 mm"], "“Y” is made only later at character 1"),
        (["PTVopt = PTV - Heart", "PTV = GTV + 5 mm"], "“PTV” is made only later at character 1"),
    ],
)
def test_what_needs_a_later_one_is_refused(tmp_path, capsys, formulas, message):
    assert main(["derive", str(tmp_path), *formulas]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out
