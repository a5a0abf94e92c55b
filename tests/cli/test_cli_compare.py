"""`reviewer compare`: what it prints of two boxes 4 mm apart, and what it does with names, sets and frames that do not fit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from shapely import affinity

from reviewer.case import Case
from reviewer.cli import command, main
from reviewer.dicom.write import write_case


def shifted(case: Case, mm: float, **renamed: str) -> Case:
    """The structures of the case moved along x; renamed: old name = new name."""
    (group,) = case.structure_sets
    structures = tuple(
        replace(
            s,
            name=renamed.get(s.name, s.name),
            planes={k: affinity.translate(region, mm, 0) for k, region in s.planes.items()},
        )
        for s in group.structures
    )
    return replace(case, structure_sets=(replace(group, structures=structures),))


@pytest.fixture
def compared(monkeypatch, capsys, tmp_path):
    """``compared(a, b, *arguments)`` -> status, output, messages."""

    def run(a: Case, b: Case, *arguments: str) -> tuple[int, str, str]:
        cases = {tmp_path / "a": a, tmp_path / "b": b}
        for path in cases:
            path.mkdir(exist_ok=True)
        monkeypatch.setattr(command("compare"), "load_case", lambda given: cases[given.paths[0]])
        status = main(["compare", *map(str, list(cases)[:1]), "--with", *map(str, list(cases)[1:]), *arguments])
        return status, *capsys.readouterr()

    return run


def test_keys_and_values(box_case, compared) -> None:
    """40 × 30 × 22.5 mm, shifted by 4 mm along x: Dice 36/40."""
    status, out, err = compared(box_case, shifted(box_case, 4.0), "--json", "--tolerance", "5", "--tolerance", "0.5")
    assert (status, err) == (0, "")
    document = json.loads(out)
    ptv, empty = document["structures"]
    assert ptv["name"] == "PTV"
    assert ptv["dice"] == pytest.approx(0.9, rel=1e-6)
    assert ptv["hausdorff_mm"] == pytest.approx(4.0, abs=0.3)
    assert 0 < ptv["mean_surface_distance_mm"] < ptv["hd95_mm"] <= ptv["hausdorff_mm"]
    assert list(ptv["surface_dice"]) == ["0.5", "1", "2", "3", "5"]
    assert ptv["surface_dice"]["5"] == 1.0
    assert ptv["volume_cc"] == pytest.approx([27.0, 27.0])
    assert ptv["centroid_shift_mm"] == pytest.approx(4.0)
    assert ptv["centroid_shift_lps_mm"] == pytest.approx([4.0, 0.0, 0.0], abs=1e-9)
    # On each of 9 planes: the right side but for the 1 mm at either end near the other's top and bottom; the left side, 30 mm, lies
    # outside the other box, 4 mm off; of the top and bottom sides there, the 3 mm farther than 1 mm from its corner.
    assert ptv["added_path_length_mm"] == pytest.approx(9 * (28 + 30 + 2 * 3))
    assert (empty["dice"], empty["hausdorff_mm"], empty["empty"]) == (None, None, ["A", "B"])
    assert document["unmatched"] == []
    assert "slices" not in ptv


def test_slices(box_case, compared) -> None:
    _, out, _ = compared(box_case, shifted(box_case, 4.0), "--json", "--slices", "-s", "ptv")
    (ptv,) = json.loads(out)["structures"]
    assert [s["position_mm"] for s in ptv["slices"]] == pytest.approx([2.5 * k for k in range(9)])
    assert [s["dice"] for s in ptv["slices"]] == pytest.approx([0.9] * 9)


def test_table(box_case, compared) -> None:
    status, out, err = compared(box_case, shifted(box_case, 4.0))
    assert (status, err) == (0, "")
    heading = next(line for line in out.splitlines() if "Dice" in line)
    row = next(line for line in out.splitlines() if line.split()[:1] == ["PTV"])
    assert len(heading) == len(row)
    assert row.split()[1:4] == ["27.00", "27.00", "0.900"]
    assert row.split()[-1] == "4.00"


def test_names_without_partner_are_told(box_case, compared) -> None:
    status, out, err = compared(box_case, shifted(box_case, 4.0, Empty="Liver", PTV="ptv "), "--json")
    document = json.loads(out)
    assert status == 0
    assert [s["name"] for s in document["structures"]] == ["PTV"]
    assert [(u["name"], u["in"]) for u in document["unmatched"]] == [("Empty", "A"), ("Liver", "B")]
    assert err.count("was not compared") == 2


def test_a_name_twice_in_one_set_is_not_guessed(box_case, compared) -> None:
    status, out, err = compared(shifted(box_case, 0.0, Empty="PTV"), box_case, "--json")
    assert (status, out) == (2, "")
    assert "no structure of A has a namesake in B" in err
    assert "several of this name" in err


def test_several_sets(box_case, compared) -> None:
    (group,) = box_case.structure_sets
    (moved,) = shifted(box_case, 4.0).structure_sets
    two = replace(box_case, structure_sets=(group, replace(moved, id="1.3.2", label="day")))
    status, out, err = compared(two, two)
    assert (status, out) == (2, "")
    assert "choose with --set: 0 (plan), 1 (day)" in err
    status, out, _ = compared(two, two, "--set", "0", "--with-set", "1", "--json", "-s", "PTV")
    assert status == 0
    assert json.loads(out)["structures"][0]["centroid_shift_mm"] == pytest.approx(4.0)


def test_through_the_registration_of_either_input(box_case, moved_case, compared) -> None:
    """moved_case's box lies 10 mm to the left in the frame of box_case."""
    for a, b in ((box_case, moved_case), (replace(box_case, registrations=moved_case.registrations), moved_case)):
        status, out, err = compared(replace(a, registrations=()), b, "--json", "-s", "PTV")
        assert (status, err) == (0, "")
        assert json.loads(out)["structures"][0]["centroid_shift_lps_mm"] == pytest.approx([10, 0, 0], abs=1e-9)


def test_not_registered(box_case, moved_case, compared) -> None:
    a, b = (replace(c, registrations=()) for c in (box_case, moved_case))
    status, out, err = compared(a, b, "--json")
    assert (status, out) == (2, "")
    assert "not registered" in err
    status, out, _ = compared(a, b, "--json", "--same-frame", "-s", "PTV")
    assert status == 0
    assert json.loads(out)["structures"][0]["dice"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-s", "Livre"), "no structure is called 'Livre'"),
        (("--tolerance", "-1"), "--tolerance"),
        (("--tolerance", "nan"), "--tolerance"),
        (("--set", "3"), "--set: there is no structure set 3"),
        (("--with-set", "-1"), "--with-set: there is no structure set -1"),
        (("--slices",), "--slices needs --json"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_refused(box_case, compared, arguments, sentence) -> None:
    status, out, err = compared(box_case, box_case, *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_no_structures(box_case, compared) -> None:
    status, out, err = compared(box_case, replace(box_case, structure_sets=()))
    assert (status, out, err) == (2, "", "reviewer: B: the input holds no structures\n")


def test_dicom_files(box_case, tmp_path, capsys) -> None:
    for name, mm in (("a", 0.0), ("b", 4.0)):
        write_case(shifted(box_case, mm), tmp_path / name)
    assert main(["compare", str(tmp_path / "a"), "--with", str(tmp_path / "b"), "--json", "-s", "PTV"]) == 0
    (ptv,) = json.loads(capsys.readouterr().out)["structures"]
    assert ptv["dice"] == pytest.approx(0.9, rel=1e-4)
    np.testing.assert_allclose(ptv["centroid_shift_lps_mm"], [4, 0, 0], atol=0.01)
    assert main(["compare", str(tmp_path / "a"), "--with", str(tmp_path / "gone")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
