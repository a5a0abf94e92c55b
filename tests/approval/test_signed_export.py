"""An approval given in the program leaves with the RTSTRUCT; a part of what was approved does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from drawn import drawn_case
from pydicom import dcmread

from reviewer.approval.content import content_of
from reviewer.approval.signing import Person, approve
from reviewer.export import Formats, export

AT = datetime(2026, 11, 21, 14, 2, 5).astimezone()


def signed(verdict):
    case = drawn_case()
    content = content_of(case, case.structure_sets[0])
    return approve(case, content, Person("Dupont^Marie", "physician"), "Good.", verdict, AT).signed


@pytest.mark.parametrize("verdict", ["approved", "rejected"])
def test_status_name_date_and_time(tmp_path, verdict):
    case = signed(verdict)
    written = export(case, case.structure_sets, tmp_path / "out").files
    ds = dcmread(written[0].path)
    assert ds.ApprovalStatus == verdict.upper()
    assert (ds.ReviewerName, ds.ReviewDate, ds.ReviewTime) == ("Dupont^Marie", "20261121", "140205")


def test_a_part_of_it_is_not_approved(tmp_path):
    case = signed("approved")
    part = replace(case.structure_sets[0], structures=case.structures[:1])
    found = export(case, [part], tmp_path / "out")
    ds = dcmread(found.files[0].path)
    assert ds.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in ds
    assert any("a part of it" in remark for remark in found.remarks)


def test_who_approved_is_nobody_without_identity(tmp_path):
    case = signed("approved")
    found = export(case, case.structure_sets, tmp_path / "out", Formats(anonymise=True))
    for file in found.files:
        assert b"Dupont" not in file.path.read_bytes()
