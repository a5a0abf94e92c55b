"""What a dose says against itself. The sound dose is a ball of 4 Gy about a target off the middle of the grid, of one field that looks at it."""

from dataclasses import replace

import numpy as np
import pytest
from shapely import box

from reviewer.backends.contract import BeamInput, Leaves, Segment
from reviewer.backends.plausible import remarks
from reviewer.case import Dose, Plan, Prescription, Structure, StructureSet
from reviewer.geometry.grid import Grid

GRID = Grid(np.eye(3), (-60.0, -60.0), (4.0, 4.0), (31, 31), np.arange(-60.0, 61.0, 4.0), "f")
TARGET_MM = np.array([36.0, -12.0, 24.0])
PLAN = Plan("p", "plan", fractions=2, prescriptions=(Prescription("PTV", 4.0),))


def ball(centre_mm, radius_mm=14.0):
    """Gy: 4 within the ball, falling off outside; ellipsoidal, so that no two axes are alike."""
    z, y, x = np.meshgrid(GRID.positions_mm, *[-60 + 4.0 * np.arange(31)] * 2, indexing="ij")
    away = np.sqrt((x - centre_mm[0]) ** 2 + ((y - centre_mm[1]) / 1.5) ** 2 + ((z - centre_mm[2]) / 0.8) ** 2)
    return (4 / (1 + np.exp((away - radius_mm) / 3))).astype(np.float32)


def field(gantry):
    """5 x 5 cm about the target, from the front (0) or from the left (90), isocentre at 0."""
    source, x_axis, y_axis = {
        0: ((0.0, -900.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        90: ((900.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    }[gantry]
    source, x_axis, y_axis = (np.array(v) for v in (source, x_axis, y_axis))
    depth = (TARGET_MM - source) @ (-source / 900.0)
    u, v = ((TARGET_MM - source) @ axis * 900 / depth for axis in (x_axis, y_axis))
    leaves = Leaves("x", np.array([v - 25, v + 25]), np.array([u - 25]), np.array([u + 25]))
    segment = Segment(100.0, gantry, 0.0, 0.0, source, x_axis, y_axis, (leaves,))
    return BeamInput(1, f"{gantry}", np.zeros(3), 900.0, 6.0, (segment,))


FIELDS = field(0), field(90)


def group():
    x, y, z = TARGET_MM
    planes = dict.fromkeys(np.flatnonzero(np.abs(GRID.positions_mm - z) < 7).tolist(), box(x - 8, y - 8, x + 8, y + 8))
    return StructureSet("s", "s", (Structure("ptv", "PTV", GRID, planes, "PTV"),))


PLANNED = Dose("planned", "planned", GRID, ball(TARGET_MM))


def said(gray, plan=PLAN, planned=PLANNED, beams=FIELDS):
    return remarks(Dose("d", "d", GRID, np.ascontiguousarray(gray, np.float32)), plan, group(), beams, planned)


def test_a_sound_dose_is_left_alone():
    sound = ball(TARGET_MM)
    for gray in (sound, 1.4 * sound, 0.7 * sound, ball(TARGET_MM + 4), ball(TARGET_MM, 18.0)):
        assert said(gray) == ()
        assert said(gray, planned=None) == ()
        assert said(gray, beams=()) == ()


def test_no_dose_anywhere_is_told():
    assert said(np.zeros(GRID.shape_zyx), beams=(), planned=None) == ("implausible: there is no dose anywhere",)


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.5])
def test_other_units_are_told(factor):
    (line,) = said(factor * ball(TARGET_MM))
    assert line.startswith("implausible: PTV gets ")
    assert line.endswith("4.00 Gy are prescribed")
    (line,) = said(factor * ball(TARGET_MM), plan=replace(PLAN, prescriptions=()))
    highest = PLANNED.gray.max()
    assert line == (
        f"implausible: its highest dose is {factor * highest:.2f} Gy, that of the plan's own dose {highest:.2f} Gy"
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_grid_is_told(axis):
    """Where the target lies 12 mm from the middle only the plan's own dose shows it: the beams still pass near."""
    lines = said(np.flip(ball(TARGET_MM), axis))
    assert f"implausible: it is like the plan's own dose, but with {'zyx'[axis]} mirrored" in lines


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_transposed_axes_are_told(order):
    lines = said(ball(TARGET_MM).transpose(order))
    back = ", ".join("zyx"[order.index(n)] for n in range(3))
    assert f"implausible: it is like the plan's own dose, but with axes {back} instead of z, y, x" in lines


def test_without_the_plans_dose_the_apertures_tell_that_the_grid_is_mirrored():
    """They look at the target; its mirror image in x and z lies 72 and 48 mm from it."""
    lines = said(np.flip(ball(TARGET_MM), (0, 2)), planned=None, plan=replace(PLAN, prescriptions=()))
    (line,) = lines
    assert line.startswith("implausible: most apertures look past its high dose, by ")
    mm = float(line.split(" by ")[1].split(" mm")[0])
    front = np.hypot(72.0, 48.0) - 14  # the ball begins before its middle
    assert 0.5 * (48 - 14) < mm < front + 5
