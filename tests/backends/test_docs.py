"""docs/backends.md: its example is the template's, it conforms, and its physics is what it says."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reviewer.backends.conformance import conform, water_job
from reviewer.backends.contract import Leaves
from reviewer.backends.discovery import Backend, read_manifest
from reviewer.backends.host import run

DOCS = Path(__file__).parents[2] / "docs"
TEMPLATE = DOCS / "backend-template"


@pytest.fixture
def example(tmp_path) -> Backend:
    """The first block of Python in the document, as a file of its own."""
    block = re.search(r"```python\n(.*?)```", (DOCS / "backends.md").read_text(), re.DOTALL)
    assert block is not None
    (tmp_path / "primary_dose.py").write_text(block[1])
    return Backend.here("dose", "primary", f"{tmp_path}/primary_dose.py:PrimaryDose")


def test_the_example_conforms(example):
    assert [trial for trial in conform(example) if not trial.passed] == []


def test_the_example_is_the_template(example):
    assert Path(example.entry.rpartition(":")[0]).read_text() == (TEMPLATE / "primary_dose.py").read_text()


def test_the_example_attenuates_by_the_inverse_square_law(example):
    """On the axis of 100 MU: exp(-mu depth) * (900 / distance)²; steps of 4 mm know the surface to half of one."""
    job = water_job()
    gray = run(example, job).result.gray
    y = -78.0 + 4 * np.arange(2, 38)
    depth = y - (-78.0 + 4 * 2 - 2)
    expected = np.exp(-0.0049 * depth) * (900 / (900 + y)) ** 2
    np.testing.assert_allclose(gray[17, 2:38, 19], expected, rtol=0.0049 * 2.5)


def test_the_example_sees_the_aperture(example):
    """The lower x half shut: no dose there beyond the penumbra of one pixel, and as before on the other side."""
    job = water_job()
    (beam,) = job.beams
    half = Leaves("x", np.array([-40.0, 40.0]), np.array([0.0]), np.array([40.0]))
    shut = replace(job, beams=(replace(beam, segments=(replace(beam.segments[0], devices=(half,)),)),))
    whole, gray = run(example, job).result.gray, run(example, shut).result.gray
    assert not gray[:, :, :19].any()
    np.testing.assert_array_equal(gray[:, :, 21:], whole[:, :, 21:])


def test_the_manifest_of_the_template_is_one(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "template")
    backend = read_manifest(tmp_path / "template" / "primary.toml")
    assert (backend.kind, backend.name, backend.time_s) == ("dose", "primary", 600)
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["reviewer.dose"] == {"primary": "primary_dose:PrimaryDose"}


def test_the_document_links_to_files_that_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", (DOCS / "backends.md").read_text())
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []
