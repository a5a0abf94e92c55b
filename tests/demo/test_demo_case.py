"""The demo case as a whole: what it holds, how it is tied together, and that its folder is safe to make."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import reviewer.demo as demo
from reviewer.case import Case
from reviewer.demo import build, images
from reviewer.demo.anatomy import anatomy
from reviewer.demo.cine import HOLD_FROM_S, breathing_mm, cine, target_mm
from reviewer.demo.identity import FRAMES, SEED, frame_uid, to_simulation, uid
from reviewer.demo.organs import GTV_1_MM


def test_uids_depend_on_seed_and_name_only() -> None:
    assert uid(1, "a") == uid(1, "a")
    assert len({uid(1, "a"), uid(2, "a"), uid(1, "b"), uid(1, "a", "b")}) == 4
    assert all(len(uid(SEED, "image", "ct", str(k))) <= 64 for k in range(200))


def test_registrations_bring_the_lesion_to_one_place() -> None:
    case = Case(registrations=build.registrations(SEED))
    fixed = frame_uid(SEED, "simulation")
    point = np.array([*GTV_1_MM, 1.0])
    for frame in FRAMES:
        there = np.linalg.inv(to_simulation(frame)) @ point
        np.testing.assert_allclose(case.transform(frame_uid(SEED, frame), fixed) @ there, point, atol=1e-9)


def test_truefisp_shows_what_it_should() -> None:
    """At 0.35 T fluid is bright, liver dark, lung black; the 300 x 300 picture has 1.5 mm pixels and slices of 3 mm."""
    image = images.truefisp(SEED, "simulation")
    body = anatomy("simulation")
    assert image.grid.shape_zyx == (80, 300, 300)
    assert image.grid.spacing_mm == (1.5, 1.5, 3.0)
    assert len(set(image.sop_instance_uids)) == 80

    def median(name: str, depth: float) -> float:
        return float(np.median(image.voxels[body.distance(name, image.grid) < -depth]))

    assert median("Gallbladder", 5) > 2 * median("Liver", 8) > 4 * median("Lung_R", 10)
    again = images.truefisp(SEED, "simulation")
    np.testing.assert_array_equal(image.voxels, again.voxels)


def test_lesions_are_dark_in_the_hepatobiliary_phase() -> None:
    image = images.hepatobiliary(SEED)
    body = anatomy("simulation")
    liver = np.median(image.voxels[body.distance("Liver", image.grid) < -8])
    for name in ("GTV_1", "GTV_2"):
        assert np.median(image.voxels[body.distance(name, image.grid) < -3]) < 0.6 * liver


def test_cine_shows_the_breath_and_its_hold() -> None:
    film = cine(SEED)
    assert film.frames.shape[0] == 120
    np.testing.assert_allclose(np.diff(film.times_s), 0.25)
    motion = breathing_mm(film.times_s)
    held = film.times_s >= HOLD_FROM_S + 0.5
    assert np.ptp(motion[~held]) > 8
    assert np.abs(motion[held]).max() < 3

    # Around the target the picture of each frame is found again, moved by the breath, in the first held frame.
    v, u = film.grid.index_zyx(target_mm(SEED))[1:]
    reference = film.frames[60].astype(np.float32)
    y, x = round(v), round(u)
    patch = cv2.GaussianBlur(reference, (0, 0), 1.0)[y - 10 : y + 11, x - 12 : x + 13]
    for k in (0, 6, 14, 30):
        score = cv2.matchTemplate(
            cv2.GaussianBlur(film.frames[k].astype(np.float32), (0, 0), 1.0), patch, cv2.TM_CCOEFF_NORMED
        )
        window = score[y - 10 - 12 : y - 10 + 7, x - 12 - 2 : x - 12 + 3]
        found = np.unravel_index(np.argmax(window), window.shape)[0] - 12
        up_mm = -found * film.grid.spacing_uv_mm[1]
        assert up_mm == pytest.approx(motion[k] - motion[60], abs=2.4)


def test_folder_is_made_once_and_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fails(folder: Path, seed: int, progress: object) -> list[Path]:
        (folder / "half.dcm").write_bytes(b"")
        raise RuntimeError("disk full")

    def works(folder: Path, seed: int, progress: object) -> list[Path]:
        calls.append(folder)
        (folder / "whole.dcm").write_bytes(b"x")
        return [folder / "whole.dcm"]

    monkeypatch.setattr(demo, "write_demo", fails)
    with pytest.raises(RuntimeError, match="disk full"):
        demo.demo_folder(cache=tmp_path)
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setattr(demo, "write_demo", works)
    place = demo.demo_folder(cache=tmp_path)
    assert demo.demo_folder(cache=tmp_path) == place
    assert len(calls) == 1
    assert [p.name for p in tmp_path.iterdir()] == [place.name]
    assert (place / "whole.dcm").exists()


def test_two_processes_at_once_keep_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While this process writes, another one puts its own result in place."""

    def slow(folder: Path, seed: int, progress: object) -> list[Path]:
        (folder / "mine.dcm").write_bytes(b"1")
        other = folder.parent / folder.name.rsplit(".", 1)[0]
        other.mkdir()
        (other / "theirs.dcm").write_bytes(b"2")
        return []

    monkeypatch.setattr(demo, "write_demo", slow)
    place = demo.demo_folder(cache=tmp_path)
    assert [p.name for p in place.iterdir()] == ["theirs.dcm"]
    assert [p.name for p in tmp_path.iterdir()] == [place.name]


@pytest.mark.slow
def test_whole_case_is_written_and_the_same_twice(tmp_path: Path) -> None:
    first = demo.write_demo(tmp_path / "a")
    second = demo.write_demo(tmp_path / "b")
    assert len(first) == len(second) > 400
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a
