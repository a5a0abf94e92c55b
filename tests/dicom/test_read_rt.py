"""Structure sets, doses, plans and registrations from DICOM, and everything that can be wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_samples import (
    DEFORMABLE,
    FRAME,
    REG,
    RTPLAN,
    base,
    change,
    contour,
    dose,
    item,
    save,
    square,
    structure_set,
    write_stack,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from reviewer.dicom.values import _any_decimals, _plain_decimals
from reviewer.errors import InputError
from reviewer.opening import open_case


def messages(case, severity):
    return [p.message for p in case.problems if p.severity == severity]


# -- structures -----------------------------------------------------------------------------------------------------------


def opened(tmp_path, rois, positions=(0.0, 3.0, 6.0, 9.0), **options):
    if positions:
        write_stack(tmp_path, list(positions))
    save(structure_set(rois, **options), tmp_path / "rs.dcm")
    case = open_case([tmp_path])
    return case, {s.name: s for s in case.structures}


def test_contours_lie_on_the_planes_of_their_image(tmp_path):
    case, structures = opened(tmp_path, {"GTV": [square(3.0), square(6.0, 1.0, 2.0)]})
    gtv = structures["GTV"]
    assert gtv.image_id == case.images[0].id
    assert gtv.grid is case.images[0].grid
    assert list(gtv.planes) == [1, 2]
    assert gtv.planes[1].bounds == (0, 0, 4, 4)
    assert gtv.planes[2].area == pytest.approx(1.0)
    assert (gtv.type, gtv.number, gtv.colour) == ("ORGAN", 1, (10, 20, 30))
    assert gtv.id == f"{case.structure_sets[0].id}#1"
    assert case.structure_sets[0].image_id == case.images[0].id
    assert case.problems == ()


def test_rounding_snaps_to_the_plane_and_more_does_not(tmp_path):
    case, structures = opened(tmp_path, {"near": [square(3.29)], "far": [square(3.0), square(4.5)]})
    assert list(structures["near"].planes) == [1]
    far = structures["far"]
    assert far.image_id is None
    np.testing.assert_allclose(far.grid.positions_mm, [3.0, 4.5])
    assert far.grid.frame_of_reference_uid == FRAME
    np.testing.assert_array_equal(far.grid.axes, case.images[0].grid.axes)
    (line,) = messages(case, "warning")
    assert '"far" (1 of 2)' in line
    assert "lie off the slices" in line


def test_rois_that_share_a_warning_share_a_line(tmp_path):
    rois = {f"R{n}": [square(3.0), square(4.5)] for n in range(23)}
    case, _ = opened(tmp_path, {**rois, "elsewhere": [square(0.7)], "good": [square(3.0)]})
    (line,) = messages(case, "warning")
    assert line.startswith("24 ROIs,")
    assert '"R19" (1 of 2) and 4 more: contours lie off' in line
    assert '"good"' not in line


def test_holes_as_second_ring_and_as_keyhole_are_holes(tmp_path):
    keyhole = [(0, 0), (9, 0), (9, 9), (0, 9), (0, 3), (3, 3), (3, 6), (6, 6), (6, 3), (0, 3)]
    _, structures = opened(
        tmp_path,
        {
            "rings": [square(0.0, 0, 9), square(0.0, 3, 6)],
            "key": [contour([(float(x), float(y), 0.0) for x, y in keyhole])],
            "xor": [contour(square(0.0, 0, 9), "CLOSEDPLANAR_XOR"), contour(square(0.0, 3, 6), "CLOSEDPLANAR_XOR")],
        },
    )
    for structure in structures.values():
        assert structure.planes[0].area == pytest.approx(81 - 9)


def test_a_contour_that_is_given_twice_counts_once(tmp_path):
    """By the even-odd rule alone the structure would vanish."""
    turned = np.roll(square(3.0), 1, axis=0)[::-1]
    case, found = opened(tmp_path, {"twice": [square(3.0), turned], "hole": [square(3.0), square(3.0, 1.0, 3.0)]})
    assert found["twice"].planes[1].area == pytest.approx(16)
    assert found["hole"].planes[1].area == pytest.approx(12)
    (line,) = messages(case, "warning")
    assert line == 'ROI "twice" (1): contours are given twice and taken once'


def test_a_contour_that_goes_around_twice_is_lost_with_a_warning_and_a_line_with_a_note(tmp_path):
    line = square(3.0)[[0, 1, 2, 1]]
    case, found = opened(tmp_path, {"wound": [np.tile(square(3.0), (2, 1))], "line": [line]})
    assert not found["wound"].planes
    assert not found["line"].planes
    (warned,), (noted,) = messages(case, "warning"), messages(case, "note")
    assert 'ROI "wound"' in warned
    assert 'ROI "line"' in noted


def test_contours_that_cross_are_told(tmp_path):
    """DICOM says of CLOSED_PLANAR contours neither that they add up nor that they take away from each other."""
    rois = {
        "crossing": [square(3.0), square(3.0, 2.0, 6.0)],
        "beside": [square(3.0), square(3.0, 4.0, 8.0)],
        "hole": [square(3.0), square(3.0, 0.0, 2.0)],
        "rounded": [square(3.0), square(3.0, -0.001, 2.0)],
    }
    case, found = opened(tmp_path, rois)
    assert found["crossing"].planes[1].area == pytest.approx(16 + 16 - 2 * 4)
    (line,) = messages(case, "warning")
    assert line.startswith('ROI "crossing" (one plane): contours of a plane cross')


def test_contours_on_every_other_slice_are_told(tmp_path):
    """They are kept as they were drawn, which is half of what was meant."""
    every_other = [square(z) for z in (0.0, 6.0, 12.0)]
    two_parts = [square(z) for z in (0.0, 6.0, 9.0)]
    case, found = opened(tmp_path, {"sparse": every_other, "parts": two_parts}, positions=(0.0, 3.0, 6.0, 9.0, 12.0))
    assert sorted(found["sparse"].planes) == [0, 2, 4]
    (line,) = messages(case, "warning")
    assert line.startswith('ROI "sparse": no two contours lie on neighbouring slices')


def test_points_open_contours_and_rubbish_are_lines_and_the_roi_stays(tmp_path):
    nan = contour(square(0.0))
    nan.ContourData = ["nan" if n == 4 else "1" for n in range(12)]
    nan["ContourData"].VR = "LT"
    case, structures = opened(
        tmp_path,
        {
            "POI": [contour([(1.0, 2.0, 3.0)], "POINT")],
            "line": [contour([(1.0, 2.0, 3.0), (2.0, 2.0, 3.0)], "OPEN_PLANAR")],
            "empty": [],
            "two": [contour([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)])],
            "odd": [item(ContourGeometricType="CLOSED_PLANAR", ContourData=["1"] * 10)],
            "good": [square(0.0), contour([(1.0, 2.0, 3.0)], "POINT")],
        },
    )
    assert [s.name for s in case.structures] == ["POI", "line", "empty", "two", "odd", "good"]
    assert [s.empty for s in case.structures] == [True, True, True, True, True, False]
    notes, warnings = messages(case, "note"), messages(case, "warning")
    assert any('"POI"' in m and "POINT" in m and "empty" in m for m in notes)
    assert any('"line"' in m and "OPEN_PLANAR" in m for m in notes)
    assert any('"two"' in m and "three points" in m for m in warnings)
    assert any('"odd"' in m and "not valid" in m for m in warnings)
    assert structures["good"].planes[0].area == pytest.approx(16)


def test_contours_with_an_offset_are_not_shown_anywhere_and_told(tmp_path):
    contours = [contour(square(z)) for z in (0.0, 3.0, 6.0)]
    contours[0].ContourOffsetVector = [0, 0, 0]
    contours[1].ContourOffsetVector = [0, 10.5, 0]
    case, structures = opened(tmp_path, {"x": contours})
    assert sorted(structures["x"].planes) == [0, 2]
    assert "ContourOffsetVector" in messages(case, "warning")[0]


def test_an_roi_without_contour_item_is_listed_empty(tmp_path):
    write_stack(tmp_path, [0.0, 3.0])
    ds = structure_set({"a": [square(0.0)], "b": []})
    del ds.ROIContourSequence[1]
    save(ds, tmp_path / "rs.dcm")
    assert [(s.name, s.empty) for s in open_case([tmp_path]).structures] == [("a", False), ("b", True)]


def test_without_image_the_contours_make_the_planes(tmp_path):
    case, structures = opened(tmp_path, {"two parts": [square(z) for z in (0.0, 2.5, 5.0, 15.0, 17.5)]}, positions=())
    structure = structures["two parts"]
    np.testing.assert_allclose(structure.grid.positions_mm, np.arange(0, 18, 2.5))
    assert list(structure.planes) == [0, 1, 2, 6, 7]
    assert structure.image_id is None
    assert any("not among the opened files" in m for m in messages(case, "note"))


def test_sagittal_contours_keep_their_own_planes(tmp_path):
    sagittal = [[(x, p[0], p[1]) for p in square(0.0)[:, :2]] for x in (1.0, 2.0)]
    case, structures = opened(tmp_path, {"s": [contour(np.array(c)) for c in sagittal]})
    structure = structures["s"]
    assert sorted(structure.planes) == [0, 1]
    assert all(region.area == pytest.approx(16) for region in structure.planes.values())
    assert abs(structure.grid.axes[2]).tolist() == [1, 0, 0]
    assert any("own planes" in m for m in messages(case, "warning"))


def test_contours_that_are_not_planar_are_refused(tmp_path):
    twisted = square(0.0)
    twisted[2, 2] = 7.0
    case, structures = opened(tmp_path, {"bad": [twisted], "good": [square(0.0)]})
    assert structures["bad"].empty
    assert not structures["good"].empty
    assert any('"bad"' in m for m in messages(case, "error"))


def test_another_frame_of_reference_is_never_laid_on_the_image(tmp_path):
    case, structures = opened(tmp_path, {"a": [square(0.0)]}, frame="1.2.3")
    assert structures["a"].image_id is None
    assert structures["a"].grid.frame_of_reference_uid == "1.2.3"
    assert any("another frame of reference" in m for m in messages(case, "warning"))


def test_an_oblique_image_carries_its_contours(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    u, v = np.array([c, s, 0]), np.array([0, 0, -1.0])
    w = np.cross(u, v)
    for n in range(3):
        origin = np.array([1.0, 2.0, 3.0]) + 4.0 * n * w
        write_stack(
            tmp_path / str(n),
            [0.0],
            ImageOrientationPatient=[float(x) for x in (*u, *v)],
            ImagePositionPatient=[float(x) for x in origin],
        )
    origin = np.array([1.0, 2.0, 3.0]) + 4.0 * w
    points = np.array([origin + a * u + b * v for a, b in ((0, 0), (4, 0), (4, 4), (0, 4))])
    save(structure_set({"o": [points]}), tmp_path / "rs.dcm")
    case = open_case([tmp_path])
    (structure,) = case.structures
    assert structure.image_id == case.images[0].id
    (region,) = structure.planes.values()
    assert region.area == pytest.approx(16, rel=1e-3)


@given(st.lists(st.decimals(-99999, 99999, places=4, allow_nan=False), min_size=1, max_size=40))
def test_bulk_parsing_gives_the_very_doubles_of_float(values):
    text = "\\".join(f"{v:f}" for v in values).encode()
    assert _plain_decimals(text).tolist() == [float(f"{v:f}") for v in values]


@pytest.mark.parametrize(
    "text", [b"1e5", b"+1", b" 1\\2 ", b"1\\\\2", b"--1", b"1.2.3", b"x", b"1-2", b".", b"12345678901234567"]
)
def test_bulk_parsing_leaves_everything_unusual_to_float(text):
    assert _plain_decimals(text) is None


def test_unusual_numbers_are_read_or_refused():
    assert _any_decimals(b"1e1\\ +2\\-.5").tolist() == [10, 2, -0.5]
    assert _any_decimals(b"1\\x") is None


# -- dose -----------------------------------------------------------------------------------------------------------------


def only_dose(tmp_path, values, offsets, **tags):
    save(dose(values, offsets, **tags), tmp_path / "rd.dcm")
    (found,) = open_case([tmp_path]).doses
    return found


VALUES = np.arange(3 * 4 * 5, dtype=np.uint32).reshape(3, 4, 5)


@pytest.mark.parametrize(
    ("offsets", "orientation", "positions", "order"),
    [
        ([0, 2, 5], (1, 0, 0, 0, 1, 0), [7, 9, 12], [0, 1, 2]),
        ([7, 9, 12], (1, 0, 0, 0, 1, 0), [7, 9, 12], [0, 1, 2]),  # absolute z
        ([0, -2, -5], (1, 0, 0, 0, 1, 0), [2, 5, 7], [2, 1, 0]),
        ([7, 5, 2], (1, 0, 0, 0, 1, 0), [2, 5, 7], [2, 1, 0]),
        ([0, 2, 5], (-1, 0, 0, 0, 1, 0), [-7, -5, -2], [0, 1, 2]),  # feet first: w is -z, offsets along it
        ([0, 2, 5], (1, 0, 0, 0, 0, -1), [6, 8, 11], [0, 1, 2]),  # coronal: w is y
    ],
)
def test_dose_planes_lie_where_the_offsets_put_them(tmp_path, offsets, orientation, positions, order):
    found = only_dose(tmp_path, VALUES, offsets, ImageOrientationPatient=list(orientation))
    np.testing.assert_allclose(found.grid.positions_mm, positions)
    np.testing.assert_allclose(found.gray, 0.01 * VALUES[order], rtol=1e-6)
    first = order.index(0)
    np.testing.assert_allclose(found.grid.point_of_index_mm([first, 0, 0]), [5, 6, 7], atol=1e-9)
    np.testing.assert_allclose(found.grid.spacing_uv_mm, (2.0, 3.0))
    assert found.gray.dtype == np.float32


def test_a_dose_of_several_plans_has_no_plan_that_could_say_what_100_percent_is(tmp_path):
    plans = [item(ReferencedSOPClassUID=RTPLAN, ReferencedSOPInstanceUID=f"1.2.{n}") for n in (1, 2)]
    several = only_dose(tmp_path, VALUES, [0, 2, 5], DoseSummationType="MULTI_PLAN", ReferencedRTPlanSequence=plans)
    assert several.plan_id is None
    assert only_dose(tmp_path, VALUES, [0, 2, 5], ReferencedRTPlanSequence=plans[:1]).plan_id == "1.2.1"


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"DoseUnits": None}, "no units"),
        ({"DoseUnits": "RELATIVE"}, "RELATIVE"),
        ({"DoseGridScaling": None}, "no scale"),
        ({"DoseGridScaling": "0"}, "scale is 0"),
        ({"DoseType": "ERROR"}, "ERROR"),
        ({"GridFrameOffsetVector": None}, "GridFrameOffsetVector"),
        ({"GridFrameOffsetVector": [0, 2]}, "positions for 2"),
        ({"GridFrameOffsetVector": [0, 2, 2]}, "same place"),
        ({"GridFrameOffsetVector": [1, 2, 3]}, "neither"),
        ({"ImagePositionPatient": None}, "where it lies"),
        ({"ImageOrientationPatient": None}, "where it lies"),
        ({"PixelSpacing": None}, "where it lies"),
        ({"NumberOfFrames": 500}, "ends early"),
    ],
)
def test_a_dose_that_leaves_something_open_is_not_opened(tmp_path, tags, words):
    write_stack(tmp_path, [0.0, 3.0])
    save(change(dose(VALUES, [0, 2, 5]), **tags), tmp_path / "rd.dcm")
    case = open_case([tmp_path])
    assert case.doses == ()
    (line,) = [p for p in case.problems if p.severity == "error"]
    assert words in line.message
    assert line.file == str(tmp_path / "rd.dcm")


def test_feet_first_dose_with_absolute_offsets_is_not_defined_by_dicom_and_refused(tmp_path):
    save(dose(VALUES, [7, 9, 12], ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]), tmp_path / "rd.dcm")
    with pytest.raises(InputError, match="neither"):
        open_case([tmp_path])


def test_what_a_dose_leaves_out_and_what_of_it_is_not_used_is_told(tmp_path):
    save(dose(VALUES, [0, 2, 5], DoseSummationType=None, DVHSequence=[item(DVHType="CUMULATIVE")] * 3), tmp_path / "d")
    case = open_case([tmp_path])
    assert "taken for that of all fractions" in messages(case, "warning")[0]
    assert "3 DVHs" in messages(case, "note")[0]


# -- plan -----------------------------------------------------------------------------------------------------------------


def plan():
    ds = base(RTPLAN, "RTPLAN")
    ds.RTPlanLabel, ds.RTPlanDate, ds.ApprovalStatus = "A", "20260103", "APPROVED"
    ds.DoseReferenceSequence = [
        item(DoseReferenceType="TARGET", DoseReferenceDescription="PTV", TargetPrescriptionDose=50),
        item(DoseReferenceType="ORGAN_AT_RISK", OrganAtRiskMaximumDose=60),
    ]
    ds.FractionGroupSequence = [
        item(NumberOfFractionsPlanned=5, ReferencedBeamSequence=[item(ReferencedBeamNumber=3, BeamMeterset=120.5)])
    ]
    leaves = item(RTBeamLimitingDeviceType="MLCX", NumberOfLeafJawPairs=2, LeafPositionBoundaries=[-5, 0, 5])
    first = item(
        CumulativeMetersetWeight=0,
        GantryAngle=350,
        BeamLimitingDeviceAngle=5,
        PatientSupportAngle=1,
        NominalBeamEnergy=6,
        IsocenterPosition=[1, 2, 3],
        BeamLimitingDevicePositionSequence=[
            item(RTBeamLimitingDeviceType="ASYMY", LeafJawPositions=[-10, 10]),
            item(RTBeamLimitingDeviceType="MLCX", LeafJawPositions=[-1, -2, 3, 4]),
        ],
    )
    second = item(
        CumulativeMetersetWeight=0.5,
        BeamLimitingDevicePositionSequence=[item(RTBeamLimitingDeviceType="MLCX", LeafJawPositions=[-5, -6, 7, 8])],
    )
    third = item(CumulativeMetersetWeight=1)
    ds.BeamSequence = [
        item(
            BeamNumber=3,
            BeamName="B",
            BeamType="STATIC",
            RadiationType="PHOTON",
            SourceAxisDistance=900,
            FinalCumulativeMetersetWeight=1,
            BeamLimitingDeviceSequence=[leaves],
            ControlPointSequence=[first, second, third],
        )
    ]
    return ds


def test_what_a_control_point_leaves_out_is_carried_over(tmp_path):
    save(plan(), tmp_path / "rp.dcm")
    case = open_case([tmp_path])
    (found,) = case.plans
    assert (found.label, found.date, found.approval, found.fractions) == ("A", "2026-01-03", "APPROVED", 5)
    assert found.prescribed_gy == 50
    (beam,) = found.beams
    assert (beam.number, beam.meterset, beam.energy_mv, beam.sad_mm, beam.isocentre_mm) == (3, 120.5, 6, 900, (1, 2, 3))
    assert [p.weight for p in beam.control_points] == [0, 0.5, 1]
    assert {(p.gantry_deg, p.collimator_deg, p.couch_deg) for p in beam.control_points} == {(350, 5, 1)}
    shapes = [{a.device: a.positions_mm for a in p.apertures} for p in beam.control_points]
    assert [s["ASYMY"] for s in shapes] == [(-10, 10)] * 3
    assert [s["MLCX"] for s in shapes] == [(-1, -2, 3, 4), (-5, -6, 7, 8), (-5, -6, 7, 8)]
    assert beam.leaf_boundaries_mm == (("MLCX", (-5, 0, 5)),)


def test_the_only_setup_is_that_of_a_beam_that_names_none(tmp_path):
    ds = plan()
    ds.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition="HFP")]
    save(ds, tmp_path / "rp.dcm")
    assert open_case([tmp_path]).plans[0].beams[0].patient_position == "HFP"


def test_a_tilted_table_is_told_with_the_beam(tmp_path):
    """No engine here follows it; 359.8° is level."""
    ds = plan()
    ds.BeamSequence[0].ControlPointSequence[0].TableTopPitchAngle = 357
    ds.BeamSequence[0].ControlPointSequence[0].TableTopRollAngle = 359.8
    save(ds, tmp_path / "rp.dcm")
    assert open_case([tmp_path]).plans[0].beams[0].modifiers == ("a table pitch of -3°",)


def test_a_plan_of_several_fraction_groups_has_no_one_number_of_fractions(tmp_path):
    """20 fractions, then a boost of 5: an EQD2 in 20 would be wrong, as would a limit for 5."""
    ds = plan()
    ds.FractionGroupSequence.append(item(NumberOfFractionsPlanned=20))
    save(ds, tmp_path / "rp.dcm")
    case = open_case([tmp_path])
    assert case.plans[0].fractions is None
    assert case.plans[0].prescribed_gy == 50
    assert any("2 fraction groups" in m for m in messages(case, "warning"))


def test_leaf_positions_of_a_wrong_number_are_left_out_with_a_line(tmp_path):
    ds = plan()
    ds.BeamSequence[0].ControlPointSequence[1].BeamLimitingDevicePositionSequence[0].LeafJawPositions = [1, 2, 3]
    save(ds, tmp_path / "rp.dcm")
    case = open_case([tmp_path])
    assert any("MLCX positions are not valid" in m for m in messages(case, "warning"))
    last = case.plans[0].beams[0].control_points[2]
    assert [a.device for a in last.apertures] == ["ASYMY"]


def test_a_plan_that_lost_its_tail_is_not_opened(tmp_path):
    path = save(plan(), tmp_path / "rp.dcm")
    whole = path.read_bytes()
    write_stack(tmp_path, [0.0, 3.0])
    for cut in (1, 20, 200, len(whole) // 2):
        path.write_bytes(whole[:-cut])
        case = open_case([tmp_path])
        assert case.plans == ()
        assert any(p.file == str(path) and p.severity == "error" for p in case.problems)


# -- registration ---------------------------------------------------------------------------------------------------------


def registration(*matrices, moving="1.9.9", **tags):
    steps = [
        item(FrameOfReferenceTransformationMatrix=list(m), FrameOfReferenceTransformationMatrixType="RIGID")
        for m in matrices
    ]
    ds = base(REG, "REG")
    identity = item(FrameOfReferenceTransformationMatrix=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    ds.RegistrationSequence = [
        item(FrameOfReferenceUID=FRAME, MatrixRegistrationSequence=[item(MatrixSequence=[identity])]),
        item(FrameOfReferenceUID=moving, MatrixRegistrationSequence=[item(MatrixSequence=steps)]),
    ]
    return change(ds, **tags)


SHIFT = (1, 0, 0, 10, 0, 1, 0, 20, 0, 0, 1, 30, 0, 0, 0, 1)
TURN = (0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)


def test_a_registration_maps_moving_points_to_fixed_ones(tmp_path):
    save(registration(TURN, SHIFT), tmp_path / "reg.dcm")
    case = open_case([tmp_path])
    (found,) = case.registrations
    assert (found.moving_frame_uid, found.fixed_frame_uid) == ("1.9.9", FRAME)
    # first turned (x to y), then shifted
    np.testing.assert_allclose(case.transform("1.9.9", FRAME) @ [1, 0, 0, 1], [10, 21, 30, 1])
    np.testing.assert_allclose(case.transform(FRAME, "1.9.9") @ [10, 21, 30, 1], [1, 0, 0, 1], atol=1e-12)


def test_of_registrations_that_contradict_each_other_the_newest_holds_and_the_others_are_named(tmp_path):
    """The older one is met first; the one of the other direction says the same as the newest."""
    there = np.array(SHIFT, float).reshape(4, 4)
    save(registration(TURN, ContentDate="20260101"), tmp_path / "a.dcm")
    save(registration(SHIFT, ContentDate="20260201"), tmp_path / "b.dcm")
    back = registration(np.linalg.inv(there).ravel().tolist(), moving=FRAME, ContentDate="20260110")
    back.FrameOfReferenceUID, back.RegistrationSequence = "1.9.9", back.RegistrationSequence[1:]
    save(back, tmp_path / "c.dcm")
    case = open_case([tmp_path])
    np.testing.assert_allclose(case.transform("1.9.9", FRAME), there)
    (line,) = [p for p in case.problems if p.severity == "warning"]
    assert line.file == str(tmp_path / "a.dcm")
    # of the corners of a cube of 200 mm to all sides, turned by 90 degrees: x + y + 10, y - x + 20, 30 are greatest at x = -200, y = 200
    assert f"{tmp_path / 'b.dcm'} ties the same two frames" in line.message
    assert f"up to {np.hypot(np.hypot(10, 420), 30):.1f} mm" in line.message


def test_registrations_that_go_round_and_do_not_come_back_are_told(tmp_path):
    """5 mm and 1 mm one after the other are not the 2 mm of the direct way; with 6 mm nothing would be said."""
    for direct, told in ((2, ["up to 4.0 mm"]), (6, [])):
        folder = tmp_path / str(direct)
        folder.mkdir()
        for n, (moving, fixed, mm) in enumerate(
            [("1.9.1", "1.9.2", 5), ("1.9.2", "1.9.3", 1), ("1.9.3", "1.9.1", -direct)]
        ):
            item = registration((1, 0, 0, mm, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1), moving=moving)
            item.FrameOfReferenceUID, item.RegistrationSequence = fixed, item.RegistrationSequence[1:]
            save(item, folder / f"{n}.dcm")
        case = open_case([folder])
        np.testing.assert_allclose(case.transform("1.9.1", "1.9.3")[:3, 3], (direct, 0, 0))
        lines = messages(case, "warning")
        assert len(lines) == len(told)
        assert all(part in line for part, line in zip(told, lines, strict=True))


@pytest.mark.parametrize(
    "matrix",
    [
        (2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1),
        (-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
        (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1),
    ],
)
def test_a_registration_that_is_not_rigid_is_not_used(tmp_path, matrix):
    write_stack(tmp_path, [0.0, 3.0])
    save(registration(matrix), tmp_path / "reg.dcm")
    case = open_case([tmp_path])
    assert case.registrations == ()
    assert any("not rigid" in m for m in messages(case, "error"))


def test_a_deformable_registration_is_one_line(tmp_path):
    write_stack(tmp_path, [0.0, 3.0])
    save(base(DEFORMABLE, "REG"), tmp_path / "reg.dcm")
    (line,) = messages(open_case([tmp_path]), "error")
    assert "deformable" in line


# -- hostile --------------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_objects_never_raise_anything_but_an_input_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    make = data.draw(st.sampled_from(["rs", "rd", "rp", "reg"]))
    ds = {
        "rs": lambda: structure_set({"a": [square(0.0)], "b": [square(3.0)]}),
        "rd": lambda: dose(VALUES, [0, 2, 5]),
        "rp": plan,
        "reg": lambda: registration(SHIFT),
    }[make]()
    if data.draw(st.booleans()):
        keyword = data.draw(
            st.sampled_from(sorted(e.keyword for e in ds if e.keyword not in ("SOPClassUID", "SOPInstanceUID")))
        )
        delattr(ds, keyword)
    path = save(ds, folder / "x.dcm")
    content = bytearray(path.read_bytes())
    at = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(content))
    kind = data.draw(st.sampled_from(["cut", "flip", "none"]))
    if kind == "cut":
        content = content[:at]
    elif kind == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        case = open_case([folder])
    except InputError:
        return
    for structure in case.structures:
        assert all(region.is_valid and region.area > 0 for region in structure.planes.values())
    for found in case.doses:
        assert np.isfinite(found.gray).all()


def test_two_objects_with_one_uid_are_both_opened_under_ids_of_their_own(tmp_path):
    uid = generate_uid()
    save(structure_set({"a": [square(0.0)]}, SOPInstanceUID=uid), tmp_path / "a.dcm")
    save(structure_set({"b": [square(0.0)]}, SOPInstanceUID=uid), tmp_path / "b.dcm")
    (tmp_path / "c.dcm").write_bytes((tmp_path / "a.dcm").read_bytes())
    case = open_case([tmp_path])
    assert [s.name for s in case.structures] == ["a", "b"]
    assert len({s.id for s in case.structures}) == 2
    assert any("copy" in m for m in messages(case, "note"))
    assert any("same SOP instance UID" in m for m in messages(case, "warning"))
