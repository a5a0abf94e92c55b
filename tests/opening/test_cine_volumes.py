"""Frames and labels as MetaImage, in the layout of the TrackRAD2025 data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from reviewer.gating.target import candidates, target_of_structure
from reviewer.opening import open_case


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 1.0))
    sitk.WriteImage(image, str(path))


def patient(folder, last_axis_is_time=True, labels=True, rate=4.0, frames=6):
    """(t, y, x) frames that count themselves, stored as released: time on the last axis of the array."""
    film = np.arange(frames, dtype=np.uint16)[:, None, None] + np.zeros((1, 20, 30), np.uint16)
    film[:, 3, 7] = 999
    film[:, 10] = 100 * np.arange(30)  # too many values for a map of labels
    film[:, 11] = 101 * np.arange(30)
    mask = np.zeros((1, 20, 30), np.uint8)
    mask[0, 5:9, 10:20] = 1
    axis = 2 if last_axis_is_time else 0
    write(folder / "images" / "Z_001_frames.mha", np.moveaxis(film, 0, axis))
    if labels:
        write(folder / "targets" / "Z_001_first_label.mha", np.moveaxis(mask, 0, axis))
        write(folder / "targets" / "Z_001_labels.mha", np.moveaxis(np.repeat(mask, frames, 0), 0, axis))
    if rate is not None:
        (folder / "frame-rate.json").write_text(json.dumps(rate))
    return folder


@pytest.mark.parametrize("last", [True, False])
def test_frames_and_the_target_on_the_first(tmp_path, last):
    case = open_case([patient(tmp_path / "Z_001", last)])
    (cine,) = case.cines
    assert cine.frames.shape == (6, 20, 30)
    assert cine.frames[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert (cine.frames[:, 3, 7] == 999).all()
    assert cine.times_s.tolist() == [0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert not cine.oriented
    assert not case.images, "labels of all frames are no volume"
    (structure,) = case.structures
    target = target_of_structure(case, cine, structure)
    assert target.reference == 0
    assert target.region.area == pytest.approx(40.0)
    assert target.region.bounds == pytest.approx((9.5, 4.5, 19.5, 8.5))
    assert candidates(case, cine) == [(structure, "")]


def test_without_labels(tmp_path):
    case = open_case([patient(tmp_path / "A", labels=False)])
    assert case.cines[0].frames.shape == (6, 20, 30)
    assert not case.structures


def test_without_a_frame_rate_it_is_a_volume(tmp_path):
    case = open_case([patient(tmp_path / "A", rate=None)])
    assert not case.cines
    assert len(case.images) == 1


@pytest.mark.parametrize("rate", ["fast", -1, 0, None, [4], 1e9, True])
def test_a_frame_rate_that_is_none_is_told(tmp_path, rate):
    folder = patient(tmp_path / "A", labels=False)
    (folder / "frame-rate.json").write_text(json.dumps(rate))
    patient(tmp_path / "B")
    case = open_case([tmp_path])
    assert len(case.cines) == 1
    assert any("frame rate" in p.message and p.severity == "error" for p in case.problems)


def test_a_broken_file_is_told(tmp_path):
    folder = patient(tmp_path / "A")
    (folder / "images" / "Z_001_frames.mha").write_bytes(b"ObjectType = Image\nNDims = 3\n")
    patient(tmp_path / "B")
    case = open_case([tmp_path])
    assert len(case.cines) == 1
    assert sum(p.severity == "error" for p in case.problems) == 1
