"""`reviewer backends --install`: the commands that make an environment, and the manifest that the host then finds."""

import subprocess
import sys

import pytest

from reviewer.backends import discovery, installation
from reviewer.backends.discovery import discover, read_manifest
from reviewer.errors import InputError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A home of its own, and a list of the commands that were run; none of them is, but the environment's python appears."""
    ran = []

    def run(command, **options):
        ran.append([str(word) for word in command])
        python = installation.environment_folder("monte-carlo") / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch(mode=0o755)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(installation, "user_data_dir", lambda name: str(tmp_path / "data" / name))
    monkeypatch.setattr(discovery, "user_config_dir", lambda name: str(tmp_path / "config" / name))
    monkeypatch.setattr(installation.subprocess, "run", run)
    return ran


@pytest.mark.parametrize("uv", ["/usr/bin/uv", None])
def test_the_manifest_is_found(machine, monkeypatch, uv):
    monkeypatch.setattr(installation.shutil, "which", lambda name: uv)
    said = []
    manifest = installation.install("monte-carlo", said.append)
    backend = discover().get("dose", "monte-carlo")
    assert backend == read_manifest(manifest)
    assert backend.interpreter == installation.environment_folder("monte-carlo") / "bin" / "python"
    assert backend.entry.endswith("dose_monte_carlo/monte_carlo.py:MonteCarlo")
    make, fill = machine
    assert make[0] == fill[0] == uv if uv else make[0] == sys.executable and fill[0] == str(backend.interpreter)
    assert fill[-1].endswith("requirements.txt")
    assert said == [" ".join(make), " ".join(fill), f"manifest {manifest}"]


def test_the_requirements_are_pinned():
    for folder in installation.installable().values():
        lines = (folder / installation.REQUIREMENTS).read_text(encoding="utf-8").splitlines()
        assert all("==" in line for line in lines if line and not line.startswith("#"))


def test_an_engine_that_does_not_come_with_reviewer(machine):
    with pytest.raises(InputError, match="monte-carlo"):
        installation.install("nothing", lambda line: None)
    assert machine == []


def test_a_machine_without_a_network(machine, monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 2, "", "error: Failed to fetch: `pyradmc`\n\n")

    monkeypatch.setattr(installation.subprocess, "run", run)
    with pytest.raises(InputError, match="Failed to fetch"):
        installation.install("monte-carlo", lambda line: None)
    assert not discovery.manifest_folder().exists()
