"""`reviewer info`: the keys that are promised, with the values of a case known by hand."""

from __future__ import annotations

from dataclasses import replace

from reviewer.case import Case
from reviewer.geometry.grid import Grid


def test_images(box_case, json_of):
    ct, mr = json_of(box_case, "info")["images"]
    assert ct["modality"] == "CT"
    assert ct["description"] == "planning"
    assert ct["series_uid"] == "1.2.1"
    assert ct["shape_zyx"] == [9, 61, 61]
    assert ct["spacing_mm"] == [2.0, 2.0, 2.5]
    assert ct["plane_positions_mm"] == [0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0]
    assert ct["frame_of_reference_uid"] == "1.9.1"
    assert ct["patient_position"] == "HFS"
    assert ct["uniform"] is True
    assert mr["uniform"] is False
    assert mr["plane_positions_mm"] == [0.0, 3.0, 7.5]
    assert mr["field_strength_t"] == 0.35


def test_positions_are_along_the_planes_own_normal(box_case, json_of):
    """Feet first: rows to the patient's right, columns to posterior, so the normal points to the feet and the order follows it."""
    feet = Grid.from_directions((-1, 0, 0), (0, 1, 0), [(60, -60, 10), (60, -60, 7)], (2, 2), (61, 61), "1.9.1")
    image = json_of(replace(box_case, images=(replace(box_case.images[0], grid=feet),)), "info")["images"][0]
    assert image["plane_positions_mm"] == [-10.0, -7.0]
    assert image["normal"] == [0.0, 0.0, -1.0]


def test_structures(box_case, box_cc, json_of):
    ptv, empty = json_of(box_case, "info")["structures"]
    assert (ptv["name"], ptv["type"], ptv["planes"]) == ("PTV", "PTV", 9)
    assert ptv["volume_cc"] == box_cc
    assert (empty["name"], empty["planes"], empty["volume_cc"]) == ("Empty", 0, 0.0)


def test_doses_plans_registrations_cines_problems(box_case, json_of):
    document = json_of(box_case, "info")
    (dose,) = document["doses"]
    assert (dose["index"], dose["label"], dose["plan"], dose["structure_set"]) == (0, "rising", "LIV", 0)
    assert dose["max_gy"] == 60.0
    (plan,) = document["plans"]
    assert (plan["fractions"], plan["prescribed_gy"], plan["meterset_mu"]) == (5, 50.0, 247.0)
    assert plan["prescriptions"] == [{"target": "PTV", "dose_gy": 50.0, "type": "TARGET"}]
    assert [b["meterset_mu"] for b in plan["beams"]] == [123.5, 123.5]
    (registration,) = document["registrations"]
    assert registration["matrix"][0] == [1.0, 0.0, 0.0, 0.0]
    (cine,) = document["cines"]
    assert (cine["frames"], cine["seconds"], cine["shape_yx"]) == (5, 1.0, [12, 10])
    assert document["problems"] == [{"file": "x.dcm", "severity": "warning", "message": "odd"}]


def test_a_plan_without_meterset_is_not_zero(box_case, json_of):
    (plan,) = box_case.plans
    bare = replace(plan, beams=tuple(replace(b, meterset=None) for b in plan.beams), prescriptions=())
    (described,) = json_of(replace(box_case, plans=(bare,)), "info")["plans"]
    assert described["meterset_mu"] is None
    assert described["prescribed_gy"] is None


def test_an_empty_case_has_all_keys(json_of):
    document = json_of(Case(), "info")
    for key in ("images", "structures", "doses", "plans", "registrations", "cines", "problems"):
        assert document[key] == []


def test_tables_for_people(box_case, box_cc, on_case):
    status, out, err = on_case(box_case, "info")
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if line.strip()]
    assert ["Box^Test", "4711", "F"] in rows
    ptv = next(row for row in rows if row[:3] == ["0", "PTV", "PTV"])
    assert float(ptv[3]) == box_cc
    assert ptv[4] == "9"
    assert rows[-2:] == [["warning", "odd"], ["x.dcm"]]
    assert next(row for row in rows if row[0] == "CT")[:4] == ["CT", "planning", "61×61×9", "2×2×2.5"]
    assert "uneven" in next(row for row in rows if row[:2] == ["MR", "day"])
