"""Frames of reference are tied by registrations only, in both directions and over several steps."""

import numpy as np
import pytest

from reviewer.case import Case, Dose, Plan, Prescription, Registration
from reviewer.errors import NotRegisteredError
from reviewer.geometry.grid import Grid


def shift(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


QUARTER_TURN = np.array([[0, -1, 0, 10], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
"""Turns x into y, then shifts by 10 mm along x."""


def test_the_way_goes_through_a_third_frame_against_the_arrow() -> None:
    """CT -> simulation <- day: a point of CT is first turned, then shifted back."""
    case = Case(
        registrations=(
            Registration("1", "", "ct", "sim", QUARTER_TURN),
            Registration("2", "", "day", "sim", shift(0, 0, 5)),
        )
    )
    point = np.array([1.0, 2.0, 3.0, 1.0])
    np.testing.assert_allclose(case.transform("ct", "sim") @ point, [8, 1, 3, 1])
    np.testing.assert_allclose(case.transform("ct", "day") @ point, [8, 1, -2, 1])
    np.testing.assert_allclose(case.transform("day", "ct") @ case.transform("ct", "day"), np.eye(4), atol=1e-12)


def test_a_direct_registration_is_preferred_to_a_chain() -> None:
    case = Case(
        registrations=(
            Registration("1", "", "a", "b", shift(1, 0, 0)),
            Registration("2", "", "b", "c", shift(1, 0, 0)),
            Registration("3", "", "a", "c", shift(2.5, 0, 0)),
        )
    )
    np.testing.assert_allclose(case.transform("a", "c"), shift(2.5, 0, 0))


@pytest.mark.parametrize(("start", "end"), [("a", "z"), ("", ""), ("", "a"), ("a", "")])
def test_frames_that_nothing_ties_are_refused(start: str, end: str) -> None:
    case = Case(registrations=(Registration("1", "", "a", "b", np.eye(4)), Registration("2", "", "", "a", np.eye(4))))
    with pytest.raises(NotRegisteredError, match="not registered"):
        case.transform(start, end)


def test_one_frame_needs_no_registration() -> None:
    np.testing.assert_array_equal(Case().transform("a", "a"), np.eye(4))


@pytest.mark.parametrize(
    ("summation", "prescribed"),
    [("PLAN", (50.0, 5)), *((part, (None, None)) for part in ("BEAM", "FRACTION", "RECORD", "MULTI_PLAN"))],
)
def test_no_prescription_is_about_a_part_of_a_plan(summation: str, prescribed: tuple[float | None, int | None]) -> None:
    """100 % of a plan is not 100 % of a beam, and a fraction's dose is not given in all fractions: EQD2 of it would be wrong."""
    plan = Plan("plan", "P", fractions=5, prescriptions=(Prescription("PTV", 50.0, "TARGET"),))
    grid = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (2, 2), [0.0, 1.0], "f")
    dose = Dose("dose", "dose", grid, np.zeros((2, 2, 2), np.float32), summation=summation, plan_id="plan")
    assert Case(doses=(dose,), plans=(plan,)).prescription(dose) == prescribed
