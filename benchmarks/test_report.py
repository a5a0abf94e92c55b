"""The report of the demo: to hold, 5 s from an opened case to the PDF."""

from __future__ import annotations

import pytest

from reviewer.demo import demo_folder
from reviewer.opening import open_case
from reviewer.report.contents import gather
from reviewer.report.pdf import write_pdf


@pytest.fixture(scope="module")
def case():
    case = open_case([demo_folder()])
    write_pdf(gather(case))  # code compiled
    return case


def test_report(benchmark, case):
    benchmark.pedantic(lambda: write_pdf(gather(case)), rounds=3)
