"""`reviewer check`: every part of the installation that could be broken, found broken."""

from __future__ import annotations

import json

import pytest

from reviewer.cli import command, main
from reviewer.errors import InputError


@pytest.fixture
def outcome(capsys):
    """The status and the checks by name."""

    def run() -> tuple[int, dict[str, dict]]:
        status = main(["check", "--json"])
        return status, {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}

    return run


def test_this_installation_is_sound(outcome):
    status, checks = outcome()
    assert {"versions", "decoders", "window", "resources", "cache", "volume", "dvh"} == set(checks)
    assert [c for c in checks.values() if not c["ok"]] == []
    assert status == 0


def test_a_wrong_volume_is_found(outcome, monkeypatch):
    check = command("check")
    right = check.volume_cc
    monkeypatch.setattr(check, "volume_cc", lambda stack: 1.01 * right(stack))
    status, checks = outcome()
    assert status == 1
    assert [name for name, c in checks.items() if not c["ok"]] == ["volume"]
    assert "33.5103 cc is right" in checks["volume"]["detail"]


def test_a_missing_decoder_is_found(outcome, monkeypatch):
    monkeypatch.setattr(command("check"), "missing_decoders", lambda: ["JPEG 2000 Image Compression"])
    status, checks = outcome()
    assert status == 1
    assert "JPEG 2000" in checks["decoders"]["detail"]


def test_a_window_that_cannot_be_loaded_is_found(outcome, monkeypatch):
    def broken():
        raise InputError("the window cannot be loaded (libGL.so.1: cannot open shared object file)")

    monkeypatch.setattr(command("check"), "load_window", broken)
    status, checks = outcome()
    assert status == 1
    assert "libGL.so.1" in checks["window"]["detail"]


def test_a_cache_that_cannot_be_written_is_found(outcome, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    status, checks = outcome()
    assert status == 1
    assert [name for name, c in checks.items() if not c["ok"]] == ["cache"]


def test_table_for_people(capsys):
    assert main(["check"]) == 0
    assert "ok  volume" in capsys.readouterr().out
