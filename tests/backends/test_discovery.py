"""Manifests and entry points: what is good is found, what is broken is a line."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reviewer.backends import discovery
from reviewer.backends.conformance import water_job
from reviewer.backends.discovery import discover, read_manifest
from reviewer.backends.host import describe, run
from reviewer.errors import InputError

GOOD = f"""
kind = "dose"
name = "test"
entry = "{Path(__file__).with_name("hostile.py")}:Good"
interpreter = "{sys.executable}"
time_limit_s = 20
memory_limit_gb = 2.5
"""


@pytest.fixture
def points(monkeypatch):
    """Entry points as if a package had them, instead of those that are installed."""
    there: list[EntryPoint] = []
    monkeypatch.setattr(discovery, "entry_points", lambda group: [p for p in there if p.group == group])
    return there


def manifest(folder: Path, text: str, name: str = "test.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_manifest_is_a_backend(tmp_path, points):
    path = manifest(tmp_path, GOOD)
    found = discover(tmp_path)
    assert found.broken == ()
    backend = found.get("dose", "test")
    assert (backend.origin, backend.time_s, backend.memory_bytes) == (str(path), 20.0, 2560 << 20)
    assert describe(backend).info.title == "For tests"
    assert run(backend, water_job()).result.gray.max() == 1.0


def test_paths_start_at_the_manifest(tmp_path, points):
    (tmp_path / "engine.py").write_text("")
    (tmp_path / "python").symlink_to(sys.executable)
    text = 'kind = "gating"\nname = "a"\nentry = "engine.py:A"\ninterpreter = "python"\n'
    backend = read_manifest(manifest(tmp_path, text))
    assert backend.entry == f"{tmp_path}/engine.py:A"
    assert backend.interpreter == tmp_path / "python"  # the link itself: it says which environment it is


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = ", "is not TOML"),
        ("", "says no kind"),
        (GOOD.replace('kind = "dose"', ""), "says no kind"),
        (GOOD.replace('"dose"', '"report"'), "kind is 'report', not dose or gating"),
        (GOOD.replace('"test"', '"Test 1"'), "small letters"),
        (GOOD.replace('"test"', "5"), "name is 5"),
        (GOOD.replace(":Good", ""), "entry is "),
        (GOOD.replace("hostile.py:", "gone.py:"), "gone.py"),
        (GOOD.replace(sys.executable, "/nowhere/python"), "there is no interpreter /nowhere/python"),
        (GOOD.replace(sys.executable, "/tmp"), "there is no interpreter /tmp"),
        (GOOD.replace("= 20", "= -1"), "time_limit_s is -1"),
        (GOOD.replace("= 20", "= true"), "time_limit_s is True"),
        (GOOD.replace("= 20", "= nan"), "time_limit_s is nan"),
        (GOOD + "licence = 1\n", "unknown key 'licence'"),
    ],
)
def test_a_broken_manifest_is_a_line(text, words, tmp_path, points):
    manifest(tmp_path, text)
    manifest(tmp_path, GOOD.replace('"test"', '"other"'), "other.toml")
    found = discover(tmp_path)
    assert [backend.name for backend in found.backends] == ["other"]
    (line,) = found.broken
    assert words in line.reason
    assert line.origin.endswith("test.toml")


def test_a_manifest_that_is_no_text(tmp_path, points):
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.toml").mkdir()
    assert [line.name for line in discover(tmp_path).broken] == ["a", "b"]


def test_entry_points_are_backends_and_a_dead_one_is_a_line(tmp_path, points):
    points += [
        EntryPoint("fine", "somewhere:Backend", "reviewer.dose"),
        EntryPoint("fine", "somewhere:Tracker", "reviewer.gating"),
        EntryPoint("Not Fine", "somewhere:Backend", "reviewer.dose"),
        EntryPoint("no-class", "somewhere", "reviewer.dose"),
    ]
    found = discover(tmp_path)
    assert [(b.kind, b.name, b.entry) for b in found.backends] == [
        ("dose", "fine", "somewhere:Backend"),
        ("gating", "fine", "somewhere:Tracker"),
    ]
    assert [line.name for line in found.broken] == ["Not Fine", "no-class"]


def test_two_of_one_name(tmp_path, points):
    points.append(EntryPoint("test", "somewhere:Backend", "reviewer.dose"))
    manifest(tmp_path, GOOD)
    found = discover(tmp_path)
    assert [b.entry for b in found.backends] == ["somewhere:Backend"]
    assert "has a dose backend of this name, too" in found.broken[0].reason


def test_no_folder_is_no_manifests(tmp_path, points):
    assert discover(tmp_path / "nowhere") == discovery.Found((), ())


def test_a_name_that_is_not_there_names_the_others(tmp_path, points):
    manifest(tmp_path, GOOD)
    with pytest.raises(InputError, match="there is no dose backend 'tset'; there is test"):
        discover(tmp_path).get("dose", "tset")
    with pytest.raises(InputError, match="there is no gating backend 'test'; there is none"):
        discover(tmp_path).get("gating", "test")


def test_the_embedded_backends_are_found():
    kinds = {(b.kind, b.name) for b in discover(Path("/nowhere")).backends}
    assert {("gating", "template"), ("gating", "optical-flow")} <= kinds
