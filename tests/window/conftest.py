"""The screen that the tests of the real window share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_screen import SIZE, Screen, need


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    server = need("Xvfb")
    need("xdotool")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            server,
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            f"{SIZE[0]}x{SIZE[1]}x24",
            "-fbdir",
            str(tmp_path),
            "-nolisten",
            "tcp",
        ],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as number:
        display = number.readline().strip()
    try:
        if not display:
            pytest.skip("Xvfb does not start here")
        yield Screen(f":{display}")
    finally:
        process.terminate()
        process.wait(20)
