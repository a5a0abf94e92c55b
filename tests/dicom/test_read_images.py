"""Images from DICOM: values and positions against what was written, and everything that can be wrong with a series."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from dicom_samples import ENHANCED_MR, MR, SERIES, base, change, image, item, pixels, save, write_stack
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from reviewer.dicom.file import read_file
from reviewer.errors import InputError
from reviewer.opening import begin, open_case


def only_image(folder):
    case = open_case([folder])
    assert len(case.images) == 1
    return case.images[0], case.problems


def messages(problems, severity):
    return [p.message for p in problems if p.severity == severity]


def test_a_stack_is_sorted_by_position_and_keeps_its_values(tmp_path):
    write_stack(tmp_path, [10.0, 13.0, 16.0, 19.0])
    volume, problems = only_image(tmp_path)
    assert problems == ()
    assert volume.voxels.dtype == np.int16
    assert (volume.slope, volume.intercept, volume.unit) == (1.0, -1024.0, "HU")
    np.testing.assert_array_equal(volume.grid.positions_mm, [10, 13, 16, 19])
    for k, z in enumerate([10, 13, 16, 19]):
        np.testing.assert_array_equal(volume.voxels[k], (100 * z + np.arange(48)).reshape(6, 8))
    np.testing.assert_allclose(volume.grid.point_of_index_mm([2, 3, 5]), [-10 + 5 * 1.5, -20 + 3 * 2.0, 16])
    assert volume.complete
    assert volume.id == SERIES


@pytest.mark.parametrize(
    ("orientation", "normal"),
    [
        ((1, 0, 0, 0, 1, 0), (0, 0, 1)),
        ((-1, 0, 0, 0, 1, 0), (0, 0, -1)),  # feet first supine
        ((0, 1, 0, 0, 0, -1), (-1, 0, 0)),  # sagittal
        ((1, 0, 0, 0, 0, -1), (0, 1, 0)),  # coronal
        ((0.8, 0.6, 0, 0, 0, -1), (-0.6, 0.8, 0)),  # oblique
    ],
)
def test_every_voxel_lies_where_image_position_and_orientation_put_it(tmp_path, orientation, normal):
    rng = np.random.default_rng(0)
    truth = {}
    for n, distance in enumerate([4.0, 0.0, 11.0, 7.5]):  # uneven, out of order
        position = [float(v) for v in np.array([1.0, 2.0, 3.0]) + distance * np.array(normal)]
        values = rng.integers(0, 1000, (6, 8)).astype(np.uint16)
        save(image(0, values, position=position, orientation=orientation, InstanceNumber=n), tmp_path / f"{n}.dcm")
        for row in range(6):
            for column in range(8):
                point = (
                    np.array(position)
                    + 1.5 * column * np.array(orientation[:3])
                    + 2.0 * row * np.array(orientation[3:])
                )
                truth[tuple(np.round(point, 4))] = values[row, column]
    volume, _ = only_image(tmp_path)
    z, y, x = np.indices(volume.grid.shape_zyx).reshape(3, -1)
    points = volume.grid.point_of_index_mm(np.stack([z, y, x], axis=1))
    found = {tuple(np.round(p, 4)): v for p, v in zip(points, volume.voxels.ravel(), strict=True)}
    assert {k: int(v) for k, v in found.items()} == {k: int(v) for k, v in truth.items()}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_transfer_syntaxes_give_the_same_values(tmp_path, syntax):
    values = np.random.default_rng(1).integers(-1000, 1000, (6, 8)).astype(np.int16)
    for z in (0.0, 3.0):
        ds = image(z, values if syntax != ExplicitVRBigEndian else values.astype(">i2"))
        ds.PixelRepresentation = 1
        ds.file_meta.TransferSyntaxUID = syntax
        save(ds, tmp_path / f"{z}.dcm")
    volume, problems = only_image(tmp_path)
    assert problems == ()
    np.testing.assert_array_equal(volume.voxels[1], values)


def test_rle_is_decoded(tmp_path):
    for z in (0.0, 3.0):
        ds = image(z)
        ds.compress(RLELossless)
        save(ds, tmp_path / f"{z}.dcm")
    volume, _ = only_image(tmp_path)
    np.testing.assert_array_equal(volume.voxels[1], 300 + np.arange(48).reshape(6, 8))


def test_bits_above_high_bit_are_dropped_and_the_sign_extended(tmp_path):
    twelve = np.array([[0x0001, 0xF001, 0x0FFF, 0x8800]], dtype=np.uint16).repeat(2, axis=0)
    for z in (0.0, 3.0):
        save(change(image(z, twelve), BitsStored=12, HighBit=11), tmp_path / f"u{z}.dcm")
    volume, _ = only_image(tmp_path)
    assert volume.voxels[0, 0].tolist() == [1, 1, 0x0FFF, 0x0800]
    for z in (0.0, 3.0):
        signed = change(image(z, twelve.view(np.int16)), BitsStored=12, HighBit=11, SeriesInstanceUID="1.2.3")
        save(signed, tmp_path / f"u{z}.dcm")
    volume, _ = only_image(tmp_path)
    assert volume.voxels[0, 0].tolist() == [1, 1, -1, -2048]


def test_a_rescale_that_differs_between_slices_gives_float_values(tmp_path):
    save(image(0.0, modality="MR", sop_class=MR, RescaleSlope=2, RescaleIntercept=1), tmp_path / "a.dcm")
    save(image(3.0, modality="MR", sop_class=MR, RescaleSlope=0.5, RescaleIntercept=0), tmp_path / "b.dcm")
    volume, _ = only_image(tmp_path)
    assert volume.voxels.dtype == np.float32
    assert (volume.slope, volume.intercept) == (1.0, 0.0)
    np.testing.assert_array_equal(volume.voxels[0], 2 * np.arange(48).reshape(6, 8) + 1)
    np.testing.assert_array_equal(volume.voxels[1], 0.5 * (300 + np.arange(48).reshape(6, 8)))


def test_missing_slices_leave_the_real_positions_and_name_the_gap(tmp_path):
    write_stack(tmp_path, [0.0, 3.0, 6.0, 15.0, 18.0])
    volume, problems = only_image(tmp_path)
    np.testing.assert_array_equal(volume.grid.positions_mm, [0, 3, 6, 15, 18])
    (message,) = messages(problems, "warning")
    assert "6.00 to 15.00 mm" in message


def test_a_copied_file_is_left_out_with_a_note(tmp_path):
    files = write_stack(tmp_path, [0.0, 3.0, 6.0])
    shutil.copy(files[0], tmp_path / "copy.dcm")
    volume, problems = only_image(tmp_path)
    assert volume.grid.shape_zyx[0] == 3
    assert "copy" in messages(problems, "note")[0]


def test_different_planes_in_one_place_without_a_mark_are_never_averaged(tmp_path):
    write_stack(tmp_path, [float(z) for z in range(0, 30, 3)])
    save(image(9.0, np.full((6, 8), 7, np.int16), InstanceNumber=4), tmp_path / "other.dcm")
    volume, problems = only_image(tmp_path)
    assert 9.0 not in volume.grid.positions_mm
    assert volume.grid.shape_zyx[0] == 9
    assert any("left out" in m and "9.00" in m for m in messages(problems, "warning"))


@pytest.mark.parametrize(
    "marks",
    [
        ({"EchoTime": 2.3}, {"EchoTime": 4.6}),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "W"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "F"]}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({"DiffusionGradientOrientation": [1.0, 0.0, 0.0]}, {"DiffusionGradientOrientation": [0.0, 0.6, 0.8]}),
        ({"ContentTime": "120000"}, {"ContentTime": "120010"}),
    ],
)
def test_images_of_one_place_that_are_marked_become_images_of_their_own(tmp_path, marks):
    for n, mark in enumerate(marks):
        for z in (0.0, 3.0, 6.0):
            values = np.full((6, 8), 10 * n + z, np.int16)
            save(image(z, values, modality="MR", sop_class=MR, **mark), tmp_path / f"{n}{z}.dcm")
    case = open_case([tmp_path])
    assert len(case.images) == 2
    assert len({i.id for i in case.images}) == 2
    assert sorted(i.voxels[:, 0, 0].tolist() for i in case.images) == [[0, 3, 6], [10, 13, 16]]
    assert messages(case.problems, "error") == []


def test_mixed_orientations_become_one_image_each(tmp_path):
    write_stack(tmp_path / "a", [0.0, 3.0])
    for n, x in enumerate((0.0, 5.0)):
        save(image(0, position=[x, 0, 0], orientation=(0, 1, 0, 0, 0, -1)), tmp_path / f"{n}.dcm")
    case = open_case([tmp_path])
    assert sorted(i.grid.shape_zyx[0] for i in case.images) == [2, 2]
    assert any("2 orientations" in m for m in messages(case.problems, "note"))


def test_a_tilted_gantry_is_resampled_exactly_on_a_linear_image(tmp_path):
    # f(point) = 3 x + 2 y - z is linear, so that linear resampling must reproduce it to the rounding of the voxels
    for n in range(5):
        y0 = -20.0 + 1.25 * n
        x, y = -10 + 1.5 * np.arange(8), y0 + 2.0 * np.arange(6)
        values = np.rint(10 * (3 * x[None, :] + 2 * y[:, None] - 4.0 * n)).astype(np.int16)
        save(image(0, values, position=[-10, y0, 4.0 * n]), tmp_path / f"{n}.dcm")
    volume, problems = only_image(tmp_path)
    assert any("sheared" in m for m in messages(problems, "warning"))
    z, y, x = np.indices(volume.grid.shape_zyx).reshape(3, -1)
    points = volume.grid.point_of_index_mm(np.stack([z, y, x], axis=1))
    truth = 10 * points @ np.array([3.0, 2.0, -1.0])
    values = volume.voxels.ravel()
    inside = values * volume.slope + volume.intercept != -1000
    assert inside.sum() >= 5 * 5 * 8
    assert np.abs(values - truth)[inside].max() <= 1.0


@pytest.mark.parametrize(
    "broken",
    [
        {"ImagePositionPatient": None},
        {"ImageOrientationPatient": None},
        {"PixelSpacing": None},
        {"PixelSpacing": [0, 1]},
        {"PixelSpacing": [-1, 1]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 2, 0]},
        {"ImagePositionPatient": ["nan", "0", "0"]},
        {"ImagePositionPatient": ["1e30", "0", "0"]},
        {"Rows": 60000, "Columns": 60000},
        {"NumberOfFrames": 2000000000},
        {"SamplesPerPixel": 3},
        {"BitsAllocated": 7},
        {"BitsStored": 20},
        {"RescaleSlope": 0},
        {"RescaleSlope": "nan"},
    ],
)
def test_a_plane_whose_geometry_or_size_cannot_be_trusted_is_not_opened(tmp_path, broken):
    files = write_stack(tmp_path, [0.0, 3.0, 6.0])
    ds = dcmread(files[0])
    for keyword, value in broken.items():
        if value is None:
            delattr(ds, keyword)
        else:
            ds.add_new(
                keyword,
                "LO" if "nan" in str(value) or "1e30" in str(value) else ds[keyword].VR if keyword in ds else "IS",
                value,
            )
    ds.save_as(files[0])
    volume, problems = only_image(tmp_path)
    assert volume.grid.shape_zyx[0] == 2
    assert any(p.severity == "error" and p.file == str(files[0]) for p in problems)


def test_truncated_pixel_data_is_an_error_of_its_file_only(tmp_path):
    files = write_stack(tmp_path, [0.0, 3.0, 6.0])
    files[1].write_bytes(files[1].read_bytes()[:-10])
    volume, problems = only_image(tmp_path)
    assert volume.grid.shape_zyx[0] == 2
    assert any("ends early" in p.message and p.file == str(files[1]) for p in problems)


def test_a_series_without_frame_of_reference_is_tied_to_nothing_but_itself(tmp_path):
    write_stack(tmp_path, [0.0, 3.0], FrameOfReferenceUID=None)
    case = open_case([tmp_path])
    frame = case.images[0].grid.frame_of_reference_uid
    assert frame
    assert case.transform(frame, frame).tolist() == np.eye(4).tolist()
    assert any("no frame of reference" in m for m in messages(case.problems, "warning"))


def enhanced(positions, times=None, **tags):
    values = np.stack([np.full((6, 8), n, np.uint16) for n in range(len(positions))])
    ds = pixels(base(ENHANCED_MR, "MR", SERIES), values)
    ds.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[2.0, 1.5], SliceThickness=3)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
            PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=0)],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(p))],
            FrameContentSequence=[item(**({"FrameAcquisitionDateTime": times[n]} if times else {}))],
        )
        for n, p in enumerate(positions)
    ]
    return change(ds, **tags)


def test_an_enhanced_multi_frame_object_is_a_volume(tmp_path):
    save(enhanced([(5.0, 0, 0), (1.0, 0, 0), (3.0, 0, 0)]), tmp_path / "e.dcm")
    volume, _ = only_image(tmp_path)
    np.testing.assert_array_equal(volume.grid.positions_mm, [-5, -3, -1])  # the normal of (0,1,0) x (0,0,-1) is -x
    assert volume.voxels[:, 0, 0].tolist() == [0, 2, 1]
    assert volume.slope == 2.0


@pytest.mark.parametrize(("order", "images"), [("ABABAB", 2), ("AAABBB", 1), ("AAAAAA", 1)])
def test_stacks_whose_planes_alternate_are_images_of_their_own(tmp_path, order, images):
    """Stacks one behind the other are one volume: so many scanners acquire a long one."""
    ds = enhanced([(float(-n), 0, 0) for n in range(6)])
    for frame, stack in zip(ds.PerFrameFunctionalGroupsSequence, order, strict=True):
        frame.FrameContentSequence[0].StackID = stack
    save(ds, tmp_path / "e.dcm")
    case = open_case([tmp_path])
    assert len(case.images) == images
    if images == 2:
        first, second = case.images
        assert first.grid.positions_mm.tolist() == [0, 2, 4]
        assert second.voxels[:, 0, 0].tolist() == [1, 3, 5]
        assert [i.description for i in case.images] == ["stack A", "stack B"]
        assert any("alternate" in m for m in messages(case.problems, "note"))


def test_directions_of_one_b_value_are_images_of_their_own(tmp_path):
    ds = enhanced([(float(-n // 2), 0, 0) for n in range(6)])
    for n, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        direction = item(DiffusionGradientOrientation=[1.0, 0.0, 0.0] if n % 2 else [0.0, 1.0, 0.0])
        frame.MRDiffusionSequence = [
            item(DiffusionBValue=800.0, DiffusionGradientDirectionSequence=[direction]),
        ]
    save(ds, tmp_path / "e.dcm")
    case = open_case([tmp_path])
    assert sorted(i.voxels[:, 0, 0].tolist() for i in case.images) == [[0, 2, 4], [1, 3, 5]]
    assert all("gradient direction" in i.description for i in case.images)


def test_an_enhanced_object_with_a_wrong_number_of_frames_is_refused(tmp_path):
    save(enhanced([(0.0, 0, 0), (1.0, 0, 0)], NumberOfFrames=1), tmp_path / "e.dcm")
    with pytest.raises(InputError, match="describes 2"):
        open_case([tmp_path])


def test_frames_of_one_place_at_different_times_are_a_cine(tmp_path):
    times = [f"20260102120000.{k}" for k in (0, 25, 5, 75)]
    save(enhanced([(4.0, 0, 0)] * 4, times), tmp_path / "e.dcm")
    case = open_case([tmp_path])
    (cine,) = case.cines
    assert case.images == ()
    np.testing.assert_allclose(cine.times_s, [0, 0.25, 0.5, 0.75], atol=1e-5)
    assert cine.frames[:, 0, 0].tolist() == [0, 2, 4, 6]
    assert cine.grid.positions_mm.tolist() == [-4.0]
    assert any("FrameAcquisitionDateTime" in m for m in messages(case.problems, "note"))


@pytest.mark.parametrize(
    ("clock", "marks", "step"),
    [
        ("TriggerTime", [{"TriggerTime": 250 * k} for k in range(5)], 0.25),
        ("AcquisitionTime", [{"AcquisitionTime": f"1200{k:02d}.5"} for k in range(5)], 1.0),
        ("ContentTime", [{"AcquisitionTime": "120000", "ContentTime": f"12000{k}.000"} for k in range(5)], 1.0),
        ("FrameTime", [{"FrameTime": 125} for _ in range(5)], 0.125),
    ],
)
def test_a_classic_series_of_one_plane_in_time_is_a_cine(tmp_path, clock, marks, step):
    for n, mark in enumerate(marks):
        save(
            image(0.0, np.full((6, 8), n, np.int16), modality="MR", sop_class=MR, InstanceNumber=n + 1, **mark),
            tmp_path / f"{9 - n}.dcm",
        )
    case = open_case([tmp_path])
    (cine,) = case.cines
    np.testing.assert_allclose(cine.times_s, step * np.arange(5))
    assert cine.frames[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert any(clock in m for m in messages(case.problems, "note"))


def test_a_classic_multi_frame_cine_takes_its_frame_time(tmp_path):
    ds = image(0.0, modality="MR", sop_class=MR, FrameTime=200)
    pixels(ds, np.arange(3 * 48, dtype=np.int16).reshape(3, 6, 8))
    save(ds, tmp_path / "c.dcm")
    (cine,) = open_case([tmp_path]).cines
    np.testing.assert_allclose(cine.times_s, [0, 0.2, 0.4])
    assert cine.frames[2, 0, 0] == 96


def test_frames_of_one_place_without_times_are_refused(tmp_path):
    for n in range(4):
        save(image(0.0, np.full((6, 8), n, np.int16), modality="MR", sop_class=MR), tmp_path / f"{n}.dcm")
    with pytest.raises(InputError, match="nothing that tells them apart"):
        open_case([tmp_path])


def test_voxels_come_after_the_case_middle_plane_first(tmp_path):
    write_stack(tmp_path, [3.0 * k for k in range(11)])
    opening = begin([tmp_path])
    volume = opening.case.images[0]
    assert not volume.complete
    assert volume.pending.all()
    seen = []
    opening.read_voxels(lambda image_id: seen.append(np.flatnonzero(~volume.pending).tolist()))
    assert seen[0] == [5]
    assert len(seen[-1]) == 11
    assert volume.complete


def test_one_sop_instance_uid_for_all_slices_does_not_lose_slices(tmp_path):
    write_stack(tmp_path, [0.0, 3.0, 6.0], SOPInstanceUID=generate_uid())
    volume, problems = only_image(tmp_path)
    assert volume.grid.shape_zyx[0] == 3
    assert any("same SOP instance UID" in m for m in messages(problems, "warning"))


def test_unsupported_objects_are_one_line_for_each_series(tmp_path):
    write_stack(tmp_path, [0.0, 3.0])
    for n in range(3):
        save(
            image(3.0 * n, sop_class="1.2.840.10008.5.1.4.1.1.128", modality="PT", SeriesInstanceUID="1.2.9"),
            tmp_path / f"pt{n}.dcm",
        )
    save(base("1.2.3.4.5.6", "XX"), tmp_path / "private.dcm")
    _, problems = only_image(tmp_path)
    errors = messages(problems, "error")
    assert len(errors) == 2
    assert any("3 files" in m for m in errors)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_files_never_raise_anything_but_an_input_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    files = write_stack(folder, [0.0, 3.0])
    victim = data.draw(st.sampled_from(files))
    content = bytearray(victim.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    at = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(content))
    if kind == "cut":
        content = content[:at]
    elif kind == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    victim.write_bytes(content)
    try:
        case = open_case([folder])
    except InputError:
        return
    for volume in case.images:
        assert np.isfinite(volume.grid.positions_mm).all()


@pytest.mark.parametrize("apart", ["acquisition", "orientation", "frame"])
def test_parts_of_a_series_keep_their_ids_when_folders_are_renamed(tmp_path, apart):
    found = []
    for folders in (("a", "b"), ("b", "a")):
        root = tmp_path / "".join(folders)
        for part, folder in enumerate(folders, start=1):
            second = {
                "acquisition": {"AcquisitionNumber": 10 * part - 8},
                "orientation": {"orientation": (0, 1, 0, 0, 0, -1), "position": (3.0, 0, 0)} if part == 2 else {},
                "frame": {"FrameOfReferenceUID": f"1.2.{part}"},
            }[apart]
            (root / folder).mkdir(parents=True)
            values = np.full((6, 8), part, np.int16)
            save(image(0.0, values, InstanceNumber=1, SOPInstanceUID=f"1.3.{part}", **second), root / folder / "x.dcm")
        found.append({i.id: int(i.voxels[0, 0, 0]) for i in open_case([root]).images})
    assert found[0] == found[1]
    assert sorted(found[0].values()) == [1, 2]
    if apart == "acquisition":  # 2 and 12: by number
        assert found[0][f"{SERIES}#1"] == 1


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.999.1.2"])
def test_pixels_in_a_private_transfer_syntax_are_not_guessed(tmp_path, syntax):
    """That of GE is implicit little-endian with big-endian pixels."""
    write_stack(tmp_path, [0.0])
    path = next(tmp_path.iterdir())
    known = ExplicitVRLittleEndian.encode()
    path.write_bytes(path.read_bytes().replace(known + b"\0", syntax.encode().ljust(len(known) + 1, b"\0")))
    with pytest.raises(InputError, match=syntax):
        begin([tmp_path])


def test_packed_pixels_that_would_fill_the_memory_are_refused(tmp_path):
    blank = image(0.0)
    blank.file_meta.TransferSyntaxUID = RLELossless
    blank.PixelData = encapsulate([b"\0\0"] * 300)
    change(blank, Rows=4000, Columns=4000, NumberOfFrames=300, FrameTime=10)
    save(blank, tmp_path / "x.dcm")
    with pytest.raises(InputError, match="would take 8 GiB"):
        begin([tmp_path])


def test_the_header_of_a_deflated_file_does_not_keep_the_file(tmp_path):
    deflated = image(0.0)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    save(deflated, tmp_path / "x.dcm")
    file = read_file(str(tmp_path / "x.dcm"))
    assert file.pixels.deflated
    assert file.dataset.buffer is None
