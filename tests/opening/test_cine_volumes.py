"""Frames and labels as MetaImage, in the layout of the TrackRAD2025 data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from reviewer.errors import InputError
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


def labels_file(folder, name, frames=6, shift=0, kind=np.uint8):
    """Labels that go one pixel to the right with each frame, and are gone on the last."""
    labels = np.zeros((frames, 20, 30), kind)
    for k in range(frames - 1):
        labels[k, 5:9, 10 + k + shift : 20 + k + shift] = 1
    write(folder / "targets" / name, np.moveaxis(labels, 0, 2))


def test_labels_of_all_frames_go_with_the_target(tmp_path):
    folder = patient(tmp_path / "Z_001")
    labels_file(folder, "Z_001_labels.mha")
    case = open_case([folder])
    (cine,), (structure,) = case.cines, case.structures
    target = target_of_structure(case, cine, structure)
    assert [None if r is None else r.bounds[0] for r in target.labelled] == [9.5, 10.5, 11.5, 12.5, 13.5, None]
    later = target_of_structure(case, cine, structure, reference=3)
    assert later.region.bounds[0] == 12.5, "as it is labelled there, not as on the first frame"
    with pytest.raises(InputError, match="not labelled on frame 5"):
        target_of_structure(case, cine, structure, reference=5)


def test_of_several_observers_the_consensus_is_taken_and_told(tmp_path):
    folder = patient(tmp_path / "Z_001")
    labels_file(folder, "Z_001_labels2.mha", shift=3)
    labels_file(folder, "Z_001_staple_labels.mha")
    case = open_case([folder])
    assert case.cines[0].labels[0, 5, 10] == 1
    left = {Path(p.file).name for p in case.problems if p.message.startswith("left alone")}
    assert left == {"Z_001_labels.mha", "Z_001_labels2.mha"}
    assert not case.images


def test_first_frame_and_labels_that_differ_are_told(tmp_path):
    folder = patient(tmp_path / "Z_001")
    labels_file(folder, "Z_001_labels.mha", shift=2)
    assert any("not that of the labels" in p.message for p in open_case([folder]).problems if p.severity == "warning")


@pytest.mark.parametrize("bad", ["frames", "kind", "broken"])
def test_labels_that_do_not_fit_leave_the_cine(tmp_path, bad):
    folder = patient(tmp_path / "Z_001")
    labels_file(
        folder, "Z_001_labels.mha", frames=4 if bad == "frames" else 6, kind=np.float32 if bad == "kind" else np.uint8
    )
    if bad == "broken":
        (folder / "targets" / "Z_001_labels.mha").write_bytes(b"ObjectType = Image")
    case = open_case([folder])
    assert case.cines[0].labels is None
    assert len(case.structures) == 1, "the first label is there still"
    assert sum(p.severity == "error" and "left out" in p.message for p in case.problems) == 1


def test_each_series_of_a_patient_has_its_own_rate_and_only_the_first_the_labels(tmp_path):
    folder = patient(tmp_path / "Z_001")
    film = np.repeat(np.arange(5, dtype=np.uint16)[None, None], 20, 0).repeat(30, 1)
    write(folder / "images" / "Z_001_frames44.mha", film)
    write(folder / "images" / "Z_001_frames45.mha", film)
    (folder / "frame-rate44.json").write_text("1.3")
    case = open_case([folder])
    assert [(len(c.frames), c.times_s[1]) for c in case.cines] == [(6, 0.25), (5, pytest.approx(1 / 1.3))]
    assert case.cines[1].labels is None
    assert any("frame-rate45.json" in p.message for p in case.problems), "no rate is borrowed"
