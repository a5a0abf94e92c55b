"""`reviewer dvh` on a box in a dose that rises along x, where every value is known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

LEVEL_GY = 0.01
"""Finer than anybody reads; the dose is linear, so that interpolation adds nothing."""


def hottest(percent: float, middle_gy: float = 30.0) -> float:
    """Lowest dose in the hottest `percent` of a box of 40 mm in a gradient of 0.5 Gy/mm about its middle."""
    return middle_gy + 0.5 * (20 - 40 * percent / 100)


def test_default_metrics(box_case, box_cc, json_of):
    document = json_of(box_case, "dvh")
    assert document["dose"]["index"] == 0
    assert document["prescribed_gy"] == 50.0
    ptv, empty = document["structures"]
    assert ptv["name"] == "PTV"
    assert ptv["volume_cc"] == box_cc
    assert ptv["outside_dose_fraction"] == 0.0
    assert set(ptv["metrics"]) == {"D95%[Gy]", "D2%[Gy]", "Mean[Gy]", "Max[Gy]", "D0.035cc[Gy]"}
    assert ptv["metrics"]["D95%[Gy]"] == pytest.approx(hottest(95), abs=LEVEL_GY)
    assert ptv["metrics"]["D2%[Gy]"] == pytest.approx(hottest(2), abs=LEVEL_GY)
    assert ptv["metrics"]["Mean[Gy]"] == pytest.approx(30.0, abs=LEVEL_GY)
    # 0.035 cc of this box is a sheet of 0.03 mm, thinner than a sample of 0.5 mm: known to half a sample, 0.25 mm times 0.5 Gy/mm.
    assert ptv["metrics"]["D0.035cc[Gy]"] == pytest.approx(hottest(100 * 0.035 / 27), abs=0.125)
    assert 39.5 <= ptv["metrics"]["Max[Gy]"] <= 40.0 + 1e-9, (
        "the hottest sample lies within one voxel of the edge at 40 Gy"
    )
    assert empty["name"] == "Empty"
    assert empty["outside_dose_fraction"] is None
    assert set(empty["metrics"].values()) == {None}


def test_metrics_and_structures_that_are_asked_for(box_case, json_of):
    (ptv,) = json_of(box_case, "dvh", "-s", "ptv", "-m", "V30Gy[cc]", "-m", "CV30Gy[%]", "-m", "D50%")["structures"]
    assert ptv["name"] == "PTV"
    assert list(ptv["metrics"]) == ["V30Gy[cc]", "CV30Gy[%]", "D50%[Gy]"]
    assert list(ptv["metrics"].values()) == pytest.approx([13.5, 50.0, 30.0], abs=0.02)


def test_percent_of_the_prescription(box_case, json_of):
    """V70% is the volume above 35 Gy of the 50 Gy prescribed: from x = 10 mm on, a quarter."""
    (ptv,) = json_of(box_case, "dvh", "-s", "PTV", "-m", "V70%[%]")["structures"]
    assert ptv["metrics"]["V70%[%]"] == pytest.approx(25.0, abs=0.02)


def test_curves(box_case, json_of):
    (ptv,) = json_of(box_case, "dvh", "-s", "PTV", "--curves")["structures"]
    gy, cc = np.array(ptv["curve"]["dose_gy"]), np.array(ptv["curve"]["volume_cc"])
    assert np.all(np.diff(gy) > 0)
    assert np.all(np.diff(cc) <= 1e-9)
    assert np.interp(25.0, gy, cc) == pytest.approx(27.0 * 0.75, abs=0.02)


def test_structures_in_another_frame_go_through_the_registration(moved_case, json_of):
    (ptv,) = json_of(moved_case, "dvh", "-s", "PTV", "-m", "Mean", "-m", "D95%")["structures"]
    assert ptv["metrics"]["Mean[Gy]"] == pytest.approx(35.0, abs=LEVEL_GY)
    assert ptv["metrics"]["D95%[Gy]"] == pytest.approx(hottest(95, 35.0), abs=LEVEL_GY)


def test_without_a_registration_nothing_is_computed(moved_case, on_case):
    status, out, err = on_case(replace(moved_case, registrations=()), "dvh", "--json")
    assert (status, out) == (2, "")
    assert "not registered" in err


def test_the_part_outside_the_dose_is_said(box_case, json_of):
    """A dose that is known from x = 0 on: the grid's voxels from there have their borders 1 mm before."""
    (dose,) = box_case.doses
    half = replace(dose.grid, origin_uv_mm=(0.0, dose.grid.origin_uv_mm[1]), size_uv=(31, 61))
    case = replace(box_case, doses=(replace(dose, grid=half, gray=dose.gray[:, :, 30:].copy()),))
    (ptv,) = json_of(case, "dvh", "-s", "PTV", "-m", "Mean")["structures"]
    assert ptv["outside_dose_fraction"] == pytest.approx(19 / 40, abs=1e-3)


def test_the_last_dose_that_has_structures_is_meant(box_case, json_of):
    (dose,) = box_case.doses
    stray_grid = replace(dose.grid, frame_of_reference_uid="elsewhere")
    stray = replace(dose, id="1.5.9", label="stray", grid=stray_grid, plan_id=None, structure_set_id=None)
    double = replace(dose, id="1.5.2", label="double", gray=dose.gray * 2)
    case = replace(box_case, doses=(dose, double, stray))
    assert json_of(case, "dvh", "-m", "Mean")["dose"]["label"] == "double"
    chosen = json_of(case, "dvh", "-m", "Mean", "-s", "PTV", "--dose", "0")
    assert chosen["dose"]["label"] == "rising"
    assert chosen["structures"][0]["metrics"]["Mean[Gy]"] == pytest.approx(30.0, abs=LEVEL_GY)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-s", "Livre"), "no structure is called 'Livre'; there are: PTV, Empty"),
        (("--dose", "1"), "--dose: there is no dose 1"),
        (("--dose", "-1"), "--dose: there is no dose -1"),
        (("--set", "3"), "--set: there is no structure set 3"),
        (("-m", "D95"), "D95"),
        (("-m", "nonsense"), "nonsense"),
        (("--curves",), "--curves needs --json"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_refused(box_case, on_case, arguments, sentence):
    status, out, err = on_case(box_case, "dvh", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_case_without_dose_or_structures(box_case, on_case):
    assert on_case(replace(box_case, doses=()), "dvh")[0::2] == (
        2,
        "reviewer: the input holds no dose; add the RTDOSE to PATH\n",
    )
    assert on_case(replace(box_case, structure_sets=()), "dvh")[0::2] == (
        2,
        "reviewer: the input holds no structures; add the RTSTRUCT to PATH\n",
    )


def test_several_sets_and_a_dose_that_names_none(box_case, on_case, json_of):
    (group,) = box_case.structure_sets
    (dose,) = box_case.doses
    case = replace(
        box_case,
        structure_sets=(group, replace(group, id="1.3.2", label="other")),
        doses=(replace(dose, plan_id=None, structure_set_id=None),),
    )
    status, _, err = on_case(case, "dvh")
    assert status == 2
    assert "--set: 0 (plan), 1 (other)" in err
    assert json_of(case, "dvh", "--set", "1")["structure_set"]["label"] == "other"


def test_table_for_people(box_case, box_cc, on_case):
    status, out, _ = on_case(box_case, "dvh")
    assert status == 0
    row = next(line.split() for line in out.splitlines() if line.split()[:1] == ["PTV"])
    assert float(row[1]) == box_cc
    assert row[2:4] == ["0.0", f"{hottest(95):.2f}"]
    empty = next(line.split() for line in out.splitlines() if line.split()[:1] == ["Empty"])
    assert set(empty[2:]) == {"–"}


def test_what_is_not_evaluated_says_why_and_what_kind_of_dose_it_is(box_case, on_case):
    """The share of a beam: no prescription is about it, and the table says whose dose the numbers are."""
    beam = replace(box_case, doses=(replace(box_case.doses[0], summation="BEAM"),))
    status, out, _ = on_case(beam, "dvh", "-s", "PTV", "-m", "V70%[%]", "-m", "D50%")
    assert status == 0
    assert "(beam dose)" in out
    assert "no prescription" in out
    assert "V70%[%]: no prescribed dose is known (PTV)" in out


def test_a_structure_in_a_frame_that_nothing_ties_keeps_the_others_from_nothing(box_case, json_of):
    (group,) = box_case.structure_sets
    ptv, _ = group.structures
    apart = replace(ptv, id="s9", name="Apart", grid=replace(ptv.grid, frame_of_reference_uid="1.9.77"))
    case = replace(box_case, structure_sets=(replace(group, structures=(ptv, apart)),))
    near, far = json_of(case, "dvh", "-m", "D50%")["structures"]
    assert near["metrics"]["D50%[Gy]"] == pytest.approx(30.0, abs=LEVEL_GY)
    assert far["volume_cc"] == near["volume_cc"]
    assert far["outside_dose_fraction"] is None
    assert far["metrics"] == {"D50%[Gy]": None}
    assert far["reasons"] == {"D50%[Gy]": "the two frames of reference are not registered"}
