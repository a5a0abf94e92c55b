"""A backend in an environment of its own, which has numpy and no Reviewer."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import numpy as np
import pytest

from reviewer.backends import discovery
from reviewer.backends.conformance import water_job
from reviewer.backends.discovery import discover
from reviewer.backends.host import run


@pytest.fixture
def interpreter(tmp_path):
    """Of a new environment that borrows the numpy of this one; a borrowed folder's own .pth files, the editable Reviewer, are not read."""
    venv.create(tmp_path / "own", with_pip=False)
    packages = next((tmp_path / "own").glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text(str(Path(np.__file__).parents[1]))
    python = tmp_path / "own" / "bin" / "python"
    there = subprocess.run([python, "-c", "import reviewer"], capture_output=True, cwd=tmp_path)
    if there.returncode == 0:
        pytest.skip("Reviewer is installed beside numpy, not editable")
    return python


def test_an_engine_in_its_own_environment(interpreter, tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "entry_points", lambda group: [])
    (tmp_path / "engine.py").write_text(
        "import sys, numpy as np\n"
        "from beside import DOSE\n"
        "from reviewer.backends.aperture import transmission\n"
        "from reviewer.backends.contract import BackendInfo, DoseResult\n"
        "class Engine:\n"
        "    info = BackendInfo('own', 'Own', '1', 'GPL-3.0-only')\n"
        "    def settings(self): return ()\n"
        "    def available(self, job): return None\n"
        "    def compute(self, job, progress):\n"
        "        return DoseResult(job.body * np.float32(DOSE), (sys.prefix, *sorted(m for m in sys.modules if m.startswith('reviewer'))))\n"
    )
    (tmp_path / "beside.py").write_text("DOSE = 1.5\n")
    (tmp_path / "own.toml").write_text(
        f'kind = "dose"\nname = "own"\nentry = "engine.py:Engine"\ninterpreter = "{interpreter}"\n'
    )
    answer = run(discover(tmp_path).get("dose", "own"), water_job())
    assert answer.result.gray.max() == np.float32(1.5)
    prefix, *modules = answer.result.statements[:-1]
    assert prefix == str(tmp_path / "own")
    assert all(m == "reviewer" or m.startswith("reviewer.backends") for m in modules), modules
