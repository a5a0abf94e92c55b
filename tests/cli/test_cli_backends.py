"""`reviewer backends`: the list, its JSON, and the conformance suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reviewer.backends import discovery
from reviewer.cli import main

HOSTILE = Path(__file__).parents[1] / "backends" / "hostile.py"


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    """Three of the user's: a good one, one that cannot be loaded, one that is no manifest."""
    monkeypatch.setattr(discovery, "entry_points", lambda group: [])
    monkeypatch.setattr(discovery, "user_config_dir", lambda name: str(tmp_path))
    folder = tmp_path / "backends"
    folder.mkdir()
    for name, entry in (("test", "Good"), ("bad", "BadStart")):
        (folder / f"{name}.toml").write_text(f'kind = "dose"\nname = "{name}"\nentry = "{HOSTILE}:{entry}"\n')
    (folder / "odd.toml").write_text("kind = ")
    return folder


def test_the_list(manifests, capsys):
    assert main(["backends"]) == 0
    out = capsys.readouterr().out
    assert "For tests" in out
    assert "ready" in out
    assert "cannot be loaded: OSError: libcuda.so.1" in out
    assert "is not TOML" in out
    assert "scale" in out
    assert str(manifests) in out


def test_the_list_as_json(manifests, capsys):
    assert main(["backends", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    bad, good = document["backends"]
    assert good["reason"] is None
    assert (good["name"], good["version"], good["licence"], good["magnetic_field"]) == ("test", "1.2", "MIT", False)
    assert good["settings"][0]["name"] == "scale"
    assert bad["reason"].startswith("backend bad: cannot be loaded")
    assert [line["name"] for line in document["broken"]] == ["odd"]


def test_a_kind_alone(manifests, capsys):
    assert main(["backends", "--kind", "gating", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backends"] == []


def test_conform_tells_every_trial_and_whether_all_passed(manifests, capsys):
    assert main(["backends", "--conform", "test", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert all(trial["passed"] for trial in document["trials"])
    assert main(["backends", "--conform", "bad"]) == 1
    assert "✗ says who it is" in capsys.readouterr().out


def test_conform_wants_a_name_that_is_there(manifests, capsys):
    assert main(["backends", "--conform", "nobody"]) == 2
    assert "there is no dose backend 'nobody'; there is bad, test" in capsys.readouterr().err
