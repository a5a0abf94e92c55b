"""Modules that several threads want come one after the other."""

from __future__ import annotations

import sys
import threading

import pytest
from reviewer_widgets.loading import load

SLOW = """
import time, {log}
{log}.lines.append("begin")
time.sleep(0.05)
{log}.lines.append("end")
"""


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "loading_log.py").write_text("lines = []")
    for name in ("loading_one", "loading_two"):
        (tmp_path / f"{name}.py").write_text(SLOW.format(log="loading_log"))
    yield load("loading_log").lines
    for name in ("loading_log", "loading_one", "loading_two"):
        sys.modules.pop(name, None)


def test_two_threads_do_not_import_at_the_same_time(log):
    threads = [threading.Thread(target=load, args=(name,)) for name in ("loading_one", "loading_two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log == ["begin", "end", "begin", "end"]


def test_relative_names_and_failures_are_those_of_python():
    assert load(".loading", "reviewer_widgets").load is load
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("no_such_module")
