"""NIfTI and MetaImage: positions against SimpleITK's own, label maps against their voxels."""

from __future__ import annotations

import os

import numpy as np
import pytest
import shapely
import SimpleITK as sitk
from dicom_samples import write_stack
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings
from reviewer.geometry.tracing import pixel_rings, regions_of_labels
from reviewer.opening import open_case

TURNED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
MIRRORED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


def write(path, voxels, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1), origin=(-10.0, 5.0, 3.0), spacing=(1.0, 2.0, 3.0)):
    image = sitk.GetImageFromArray(voxels)
    image.SetDirection([float(d) for d in direction])
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return image


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".mhd"])
@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), FLIPPED, MIRRORED, TURNED])
def test_every_voxel_lies_where_simpleitk_says(tmp_path, suffix, direction):
    voxels = np.random.default_rng(0).integers(-500, 500, (3, 4, 5)).astype(np.int16)
    written = write(tmp_path / f"scan{suffix}", voxels, direction)
    case = open_case([tmp_path])
    (volume,) = case.images
    assert volume.voxels.dtype == np.int16
    for z, y, x in np.ndindex(voxels.shape):
        point = written.TransformIndexToPhysicalPoint((x, y, z))
        index = volume.grid.index_zyx(point)
        np.testing.assert_allclose(index, np.rint(index), atol=1e-4)
        assert volume.voxels[tuple(np.rint(index).astype(int))] == voxels[z, y, x]
    assert [p.severity for p in case.problems] == ["note"]


def test_a_label_map_lies_on_the_image_with_the_same_voxels_whatever_its_axes(tmp_path):
    write_stack(tmp_path, [0.0, 3.0, 6.0])  # 6 rows of 2 mm, 8 columns of 1.5 mm, first voxel at (-10, -20, 0)
    truth = np.zeros((3, 6, 8), np.uint8)
    truth[1, 2:4, 3:6] = 1
    truth[1, 5, 0] = 2
    flipped = truth[:, ::-1, ::-1]
    write(
        tmp_path / "seg.nii.gz",
        np.ascontiguousarray(flipped),
        FLIPPED,
        (-10 + 7 * 1.5, -20 + 5 * 2.0, 0.0),
        (1.5, 2.0, 3.0),
    )
    case = open_case([tmp_path])
    (group,) = case.structure_sets
    assert group.image_id == case.images[0].id
    first, second = group.structures
    assert list(first.planes) == [1]
    assert first.planes[1].bounds == pytest.approx(
        (-10 + 2.5 * 1.5, -20 + 1.5 * 2, -10 + 5.5 * 1.5, -20 + 3.5 * 2), abs=1e-4
    )
    assert second.planes[1].bounds == pytest.approx((-10.75, -20 + 4.5 * 2, -9.25, -20 + 5.5 * 2), abs=1e-4)
    assert any("coincide" in p.message for p in case.problems)


def test_a_label_map_with_turned_axes_finds_its_image(tmp_path):
    write_stack(tmp_path, [0.0, 3.0, 6.0])
    truth = np.zeros((3, 6, 8), np.uint8)
    truth[1, 2:4, 3:6] = 1
    # stored with its first axis along z, its second along x, its third along y
    turned = truth.transpose(1, 2, 0)
    direction = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], float)
    write(tmp_path / "label.nii", np.ascontiguousarray(turned), direction.ravel(), (-10.0, -20.0, 0.0), (3.0, 1.5, 2.0))
    case = open_case([tmp_path])
    (structure,) = case.structures
    assert structure.image_id == case.images[0].id
    assert list(structure.planes) == [1]
    assert structure.planes[1].area == pytest.approx(6 * 3.0)


def test_a_label_map_without_its_image_keeps_its_own_lattice(tmp_path):
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1:3, 1:3] = 7
    write(tmp_path / "mask.mha", labels)
    case = open_case([tmp_path])
    (structure,) = case.structures
    assert structure.image_id is None
    assert structure.planes[1].area == pytest.approx(4 * 1.0 * 2.0)
    assert any("no image has the same voxels" in p.message for p in case.problems)


def test_a_shifted_label_map_is_not_laid_on_the_image(tmp_path):
    write_stack(tmp_path, [0.0, 3.0, 6.0])
    labels = np.zeros((3, 6, 8), np.uint8)
    labels[1, 2, 2] = 1
    write(tmp_path / "seg.nii", labels, origin=(-9.0, -20.0, 0.0), spacing=(1.5, 2.0, 3.0))
    case = open_case([tmp_path])
    assert case.structures[0].image_id is None


@pytest.mark.parametrize(
    ("name", "voxels", "images"),
    [
        ("scan", np.arange(60).reshape(3, 4, 5).astype(np.int16), 1),  # many values
        ("scan", -np.eye(4, dtype=np.int16)[None].repeat(3, 0), 1),  # negative
        ("seg", np.eye(4, dtype=np.float32)[None].repeat(3, 0), 1),  # not integer
        ("scan", np.eye(4, dtype=np.int16)[None].repeat(3, 0), 0),
        ("organs_seg", np.arange(60).reshape(3, 4, 5).astype(np.uint8), 0),  # many, but named so
    ],
)
def test_what_is_taken_for_a_label_map_is_said(tmp_path, name, voxels, images):
    write(tmp_path / f"{name}.nii", voxels)
    case = open_case([tmp_path])
    assert len(case.images) == images
    assert any(p.message.startswith("taken for ") for p in case.problems)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.98])
def test_a_truncated_volume_is_an_input_error(tmp_path, suffix, part):
    path = tmp_path / f"a{suffix}"
    write(path, np.random.default_rng(0).integers(0, 999, (7, 14, 15)).astype(np.int16))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError):
        open_case([tmp_path])


@pytest.mark.parametrize("name", [b"M\xfcller/a.nii", b"\xfc.mha"])
def test_a_volume_whose_path_is_no_text_is_a_line(tmp_path, name):
    write(tmp_path / "b.nii", np.arange(60, dtype=np.float32).reshape(3, 4, 5))
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "b.nii").rename(path)
    with pytest.raises(InputError, match="rename the file or its folder"):
        open_case([tmp_path])


def test_a_volume_that_claims_more_than_it_has_allocates_nothing(tmp_path):
    write(tmp_path / "a.mha", np.zeros((3, 4, 5), np.int16))
    path = tmp_path / "a.mha"
    path.write_bytes(path.read_bytes().replace(b"DimSize = 5 4 3", b"DimSize = 50000 50000 50000"))
    with pytest.raises(InputError, match="not believable"):
        open_case([tmp_path])


# -- tracing --------------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_traced_rings_are_the_union_of_the_pixels(mask):
    boxes = [shapely.box(x, y, x + 1, y + 1) for y, x in np.argwhere(mask)]
    truth = shapely.union_all(boxes)
    region = region_of_rings(pixel_rings(mask))
    if not mask.any():
        assert region is None
        return
    assert region.is_valid
    assert region.symmetric_difference(truth).area < 1e-9
    assert region.area == pytest.approx(mask.sum())


def test_rings_touch_at_corners_but_never_cross():
    for mask in ([[1, 0], [0, 1]], [[0, 1], [1, 0]]):
        rings = pixel_rings(np.array(mask, bool))
        assert sorted(len(r) for r in rings) == [4, 4]


def test_labels_of_a_plane_in_millimetres():
    grid = Grid(np.eye(3), (10.0, 20.0), (2.0, 3.0), (4, 3), np.array([0.0]), "f")
    plane = np.array([[1, 1, 0, 0], [1, 1, 0, 2], [0, 0, 0, 0]])
    regions = dict(regions_of_labels(plane, grid))
    assert regions[1].bounds == (9, 18.5, 13, 24.5)
    assert regions[2].bounds == (15, 21.5, 17, 24.5)


@pytest.mark.parametrize(
    "direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (-1, 0, 0, 0, 0, 1, 0, 1, 0), (0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, -1)]
)
def test_a_nifti_file_that_says_two_places_is_told(tmp_path, direction):
    """Its sform is moved by 20 mm along x; SimpleITK takes one of the two, without a word."""
    path = tmp_path / "scan.nii"
    write(path, np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4), direction)
    assert all("qform" not in p.message for p in open_case([path]).problems)
    header = bytearray(path.read_bytes())
    codes = np.frombuffer(header, "<i2", 2, 252)
    assert codes.min() > 0
    moved = np.frombuffer(header, "<f4", 1, 292)[0] + 20
    header[292:296] = np.float32(moved).tobytes()
    path.write_bytes(header)
    case = open_case([path])
    (line,) = [p for p in case.problems if p.severity == "warning"]
    assert "20.0 mm apart" in line.message
    image = sitk.ReadImage(str(path))
    which = "sform" if image.GetOrigin()[0] == pytest.approx(-moved) else "qform"
    assert line.message.endswith(f"where the {which} says")
