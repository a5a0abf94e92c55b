"""The report says what is there, on every page whose it is, and never more than is known."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from drawn import drawn_case
from pypdf import PdfReader
from synthetic_cine import film

from reviewer.approval.content import content_of
from reviewer.approval.signing import Person, approve
from reviewer.case import Dose, Patient, Plan, Prescription
from reviewer.cli import main
from reviewer.columns import Prescribed
from reviewer.dosimetry.sheets import read_sheet
from reviewer.errors import InputError
from reviewer.gating.trace import trace_of
from reviewer.gating.tracking import Track
from reviewer.report.contents import default_columns, gather, judged
from reviewer.report.pdf import write_pdf
from reviewer.report.web import write_csv, write_html
from reviewer.report.wording import patient_name, state
from reviewer.report.write import write
from reviewer.store import Workspace

SHEET = read_sheet(
    """
name: Trial <b>sheet</b>
source: nobody
goals:
  - {structures: Stomach, metric: Mean, limit: < 36 Gy}
  - {structures: Duodenum, metric: Max, limit: < 10 Gy}
  - {structures: Heart, metric: Mean, limit: < 10 Gy}
""",
    "trial.yaml",
    "trial",
)


def planned_case(name="Doe^Jane", extra=0):
    case = drawn_case()
    grid = case.images[0].grid
    plan = Plan("plan", "LIV", prescriptions=(Prescription("PTV", 50.0),), fractions=5)
    dose = Dose("dose", "=LIV & <Co>", grid, np.full(grid.shape_zyx, 20.0, np.float32), plan_id="plan")
    group = case.structure_sets[0]
    more = tuple(
        replace(group.structures[0], id=f"set#{n}", name=f"Structure_with_a_long_name_{n}_" + "x" * 40, number=n)
        for n in range(10, 10 + extra)
    )
    group = replace(group, structures=(*group.structures, *more))
    return replace(case, patient=Patient(name, "1"), structure_sets=(group,), plans=(plan,), doses=(dose,))


def text_of(pdf: bytes) -> list[str]:
    return [re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(BytesIO(pdf)).pages]


@pytest.mark.parametrize(("paper", "size"), [("a4", (595.28, 841.89)), ("letter", (612, 792))])
def test_every_page_says_whose_it_is_and_what_it_is_not(paper, size):
    pdf = write_pdf(gather(planned_case(extra=60), sheet=SHEET), paper)
    pages = text_of(pdf)
    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert "Doe, Jane" in page
        assert "not a medical device" in page
        assert f"Page {number} of {len(pages)}" in page
    box = PdfReader(BytesIO(pdf)).pages[0].mediabox
    assert (float(box.width), float(box.height)) == pytest.approx(size, abs=0.1)
    assert "Structure_with_a_long_name_69" in " ".join(pages)


def test_verdicts_and_what_is_not_known():
    report = gather(planned_case(), sheet=SHEET)
    text = " ".join(text_of(write_pdf(report)))
    assert "✓ 20.00 Gy met" in text
    assert "✗ 20.00 Gy violated" in text
    assert "? not evaluated no structure is called Heart" in text
    assert "Not signed" in text
    page = write_html(report).decode()
    assert "Trial &lt;b&gt;sheet&lt;/b&gt;" in page
    assert "=LIV &amp; &lt;Co&gt;" in page
    rows = list(csv.reader(write_csv(report).decode("utf-8-sig").splitlines()))
    values = {row[0]: (row[6], row[8]) for row in rows if len(row) == 10}
    assert values["Stomach"] == ("20", "met")
    assert values["Heart"] == ("", "not-evaluated")
    assert {row[4] for row in rows if len(row) == 10} == {"plan", "'=LIV & <Co>"}  # no spreadsheet computes it


def test_each_form_says_what_100_percent_is_and_what_of_a_structure_has_no_dose():
    case = planned_case()
    known = case.doses[0].gray.copy()
    known[:, :, : known.shape[2] // 2] = np.nan
    report = gather(replace(case, doses=(replace(case.doses[0], gray=known),)), sheet=SHEET)
    part = next(each.dvhs[0].outside_fraction for each in report.curves if 0 < each.dvhs[0].outside_fraction < 1)
    pdf, page, table = " ".join(text_of(write_pdf(report))), write_html(report).decode(), write_csv(report).decode()
    for text in (pdf, page, table):
        assert "50 Gy" in text
        assert "prescription" in text
    for text in (pdf, page):
        assert f"{100 * part:.1f} %" in text
    assert f"{part:.6g}" in table
    assert "Trial <b>sheet</b>,nobody" in table


@pytest.mark.parametrize("name", ["Παπαδοπούλου^Ελένη", "Ковалёва^Анна", "Żółć^Łucja", "Ångström^Åsa" + "é" * 200])
def test_names_in_other_alphabets_can_be_read_back(name):
    first = text_of(write_pdf(gather(planned_case(name), sheet=SHEET)))[0]
    assert patient_name(Patient(name)).replace(" ", "") in first.replace(" ", "")


def test_names_in_chinese_japanese_and_korean_make_a_page():
    pdf = write_pdf(gather(planned_case("Yamada^Tarou=山田^太郎=やまだ^たろう"), sheet=SHEET))
    assert b"HeiseiKakuGo-W5" in pdf
    assert b"HYGothic-Medium" in write_pdf(gather(planned_case("Hong^Gildong=洪^吉洞=홍^길동"), sheet=SHEET))


def test_a_case_without_dose_has_nothing_to_report(tmp_path):
    with pytest.raises(InputError, match="no dose"):
        gather(drawn_case())


def test_where_it_cannot_go(tmp_path):
    report = gather(planned_case(), sheet=SHEET)
    for path in (tmp_path / "x.doc", tmp_path / "no" / "x.pdf"):
        with pytest.raises(InputError):
            write(report, path)
    assert list(tmp_path.iterdir()) == []
    assert main(["report", "--demo", "-o", str(tmp_path / "x.doc")]) == 2


def test_gating_comes_with_figures_and_statements():
    made = film(lambda t: 6 * t, duration_s=2, fps=4)
    tracked = tuple(made.region(k) for k in range(len(made.scale)))
    track = Track(made.cine, made.target, tracked, made.shift_mm, made.scale, made.scale, ("an <odd> statement",))
    report = gather(planned_case(), sheet=SHEET, gating=[trace_of(track)])
    text = " ".join(text_of(write_pdf(report)))
    page = write_html(report).decode()
    rows = list(csv.reader(write_csv(report).decode("utf-8-sig").splitlines()))
    duty = f"{report.gating[0].duty_cycle_percent:.1f} %"
    for told in ("Gating: synthetic", "an <odd> statement", duty, "this program does not gate"):
        assert told in text
    assert "an &lt;odd&gt; statement" in page
    assert "beam on shaded" in page
    assert ["statement", "an <odd> statement"] in rows
    assert ["Duty cycle", duty] in rows
    assert "Gating" not in " ".join(text_of(write_pdf(gather(planned_case(), sheet=SHEET))))


def test_what_a_backend_says_goes_with_its_numbers():
    """Below each table, in HTML and CSV too; and no report of another dose is an approved one."""
    case = planned_case()
    said = replace(case.doses[0], statements=("not commissioned", "no quality assurance"))
    report = gather(replace(case, doses=(said,)), sheet=SHEET)
    text = " ".join(text_of(write_pdf(report)))
    assert text.count("not the plan's own dose: not commissioned; no quality assurance") == 3
    assert "⚠ =LIV" in text
    assert "not commissioned; no quality assurance" in write_html(report).decode()
    rows = [row for row in csv.reader(write_csv(report).decode("utf-8-sig").splitlines()) if row[:1] == ["statement"]]
    assert len(rows) == 1
    assert rows[0][1].endswith("not commissioned; no quality assurance")
    silent = " ".join(text_of(write_pdf(gather(case, sheet=SHEET))))
    assert "not the plan's own dose" not in silent


def test_approved_is_what_was_signed_and_nothing_else(tmp_path):
    case, person = planned_case(), Person("Marie Dupont", "physician")
    evaluations, _ = judged(case, default_columns(case), SHEET)
    workspace = Workspace.new(lambda: tmp_path / "x.reviewer", (), {})
    act = approve(case, content_of(case, case.structure_sets[0], evaluations), person, "Good.")
    workspace.note(act.kind, act.label, act.body)
    same = gather(act.signed, sheet=SHEET, workspace=workspace)
    assert state(same)[0] == "✓"
    dose = case.doses[0].id
    typed = gather(act.signed, sheet=SHEET, workspace=workspace, prescribed={dose: Prescribed(45.0)})
    symbol, sentence = state(typed)
    assert symbol == "!"
    assert sentence.startswith("Approved by Marie Dupont")
    assert sentence.endswith("but not as it is reported here: =LIV & <Co> was signed with another prescription")
    workspace.close()
