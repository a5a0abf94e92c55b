"""A workspace folder of its own, and a small case to draw on."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
