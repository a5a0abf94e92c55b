"""The story of issue 5 in the window: the baseline breaks the duodenum today, the adapted plan does not, it is approved, and goes on paper."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader
from PySide6.QtWidgets import QDialog
from reviewer_widgets.main_window import MainWindow

from reviewer.approval.trail import sign_offs
from reviewer.cli import main
from reviewer.columns import day_plans
from reviewer.demo import demo_folder
from reviewer.edit import Edit
from reviewer.errors import InputError
from reviewer.opening import begin

PATIENCE_S = 600.0
PATIENCE_MS = 600_000
"""For a condition, on a machine that is slow, loaded, and compiles for the first time."""


@pytest.fixture
def window(qtbot, no_survivors):
    window = MainWindow()
    qtbot.addWidget(window)
    window.open_paths([demo_folder()])
    assert window.jobs.wait(PATIENCE_S)
    yield window
    window.close()


def dialog(window) -> QDialog:
    window.jobs.wait(PATIENCE_S)
    return next(d for d in window.findChildren(QDialog, "approval") if d.isVisible())


def sign(window, name, role, statement=None, verdict="approve"):
    box = dialog(window)
    assert not box.sign.isEnabled()
    assert not box.approve.isChecked()  # nobody approves by pressing Enter
    assert not box.reject_.isChecked()
    if box._purpose == "sign":
        getattr(box, "approve" if verdict == "approve" else "reject_").setChecked(True)
    box.name.setText(name)
    box.role.setText(role)
    if statement is not None:
        box.statement.setPlainText(statement)
    assert box.sign.isEnabled()
    box.sign.click()
    assert window.jobs.wait(PATIENCE_S)


def goal(content, structure, metric):
    row = next(g for g in content["goals"] if (g["structure"], g["metric"]) == (structure, metric))
    return {p["plan"]: p["status"] for p in row["plans"]}


def printed(content, structure, metric):
    """Value and verdict under each plan, as they are on paper."""
    row = next(g for g in content["goals"] if (g["structure"], g["metric"]) == (structure, metric))
    return [f"{p['value']:.2f} Gy {p['status']}" for p in row["plans"]]


def pages(path) -> str:
    return "\n".join(re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(path).pages)


def test_the_story_from_opening_to_paper(window, tmp_path, qtbot):
    session = window.session
    session.look(columns=day_plans(session.case).columns)
    window.actions_.trigger("review.sign")
    content = dialog(window)._content
    for metric in ("D0.5cc[Gy]", "D1cc[Gy]"):
        assert goal(content, "Duodenum", metric) == {"LIV_50_5 on day": "violated", "LIV_50_5 adapted": "met"}
    assert content["decision"].startswith("Reason to adapt: OAR dose (Duodenum")

    sign(window, "Dupont^Marie", "radiation oncologist")
    group = session.case.structure_set(session.view.structure_set)
    assert (group.label, group.approval, group.reviewer) == ("Fraction 3 of 5", "APPROVED", "Dupont^Marie")
    qtbot.waitUntil(
        lambda: window.banner.approval.whole().startswith("✓ approved by Dupont^Marie"), timeout=PATIENCE_MS
    )
    sets = window.structures.set_combo
    qtbot.waitUntil(lambda: sets.itemText(sets.currentIndex()) == "Fraction 3 of 5 ✓", timeout=PATIENCE_MS)
    duodenum = next(s for s in group.structures if s.name == "Duodenum")
    edit = Edit.of("Rename", session.case, duodenum, replace(duodenum, name="Other"))
    with pytest.raises(InputError, match="approved by"):
        session.apply(edit)
    assert not window.actions_["review.sign"].isEnabled()
    window.actions_.trigger("dose.prescription")
    typed = next(d for d in window.findChildren(QDialog, "prescription") if d.isVisible())
    typed.gy.setValue(45.0)
    typed.carry_out()
    assert "approved by Dupont^Marie: what the goals are judged by stays" in typed.trouble.text()
    typed.reject()
    assert dict(session.view.prescribed) == {}

    window.actions_.trigger("review.second")
    sign(window, "Otto Berg", "medical physicist", "I agree.")
    window.approving.write_report(tmp_path / "report.pdf")
    assert window.jobs.wait(PATIENCE_S)
    text = pages(tmp_path / "report.pdf")
    for told in (
        "HEPAR, DEMO",
        "Approved by Dupont^Marie and Otto Berg",
        "Duodenum",
        *printed(content, "Duodenum", "D0.5cc[Gy]"),
    ):
        assert told in text
    assert text.count("not a medical device") == len(PdfReader(tmp_path / "report.pdf").pages)
    assert window.saving.workspace.head.hex() in text.replace(" ", "")

    window.actions_.trigger("review.reopen")
    sign(window, "Dupont^Marie", "radiation oncologist", "the stomach has filled")
    qtbot.waitUntil(lambda: sets.itemText(sets.currentIndex()) == "Fraction 3 of 5", timeout=PATIENCE_MS)
    session.apply(edit)
    qtbot.waitUntil(lambda: not window.banner.approval.isVisible(), timeout=PATIENCE_MS)
    assert session.judging_refusal == ""
    window.approving.write_report(tmp_path / "after.pdf")
    assert window.jobs.wait(PATIENCE_S)
    after = pages(tmp_path / "after.pdf")
    assert "an earlier signature is void" in after
    assert "VOID: opened again by Dupont^Marie" in after
    (found,) = sign_offs(window.saving.workspace.entries)
    assert (found.second.name, found.reopened.statement) == ("Otto Berg", "the stomach has filled")


def test_it_is_still_approved_when_it_is_opened_again(window, tmp_path):
    """With a dose that was made here, by which it was judged."""
    window.actions_.trigger("dose.sum")
    made = next(d for d in window.findChildren(QDialog, "sum") if d.isVisible())
    made.rows[0][1].setValue(0.4)
    made.rows[1][1].setValue(0.6)
    made.carry_out()
    assert window.jobs.wait(PATIENCE_S)
    total = window.session.case.dose(window.session.view.dose)
    assert total.recipe is not None
    window.actions_.trigger("review.sign")
    sign(window, "M", "physician")
    window.saving.save_as(tmp_path / "x.reviewer")
    window.close()
    opening = begin([tmp_path / "x.reviewer"])
    assert [g.reviewer for g in opening.case.structure_sets if g.signed] == ["M"]
    assert opening.workspace.doubts == ()
    again = opening.case.dose(total.id)
    np.testing.assert_array_equal(again.gray, total.gray)
    assert (again.label, again.recipe) == (total.label, total.recipe)
    assert opening.workspace.settings["view"]["dose"] == total.id
    assert main(["verify", str(tmp_path / "x.reviewer")]) == 0


def test_what_was_changed_from_outside_stays_in_sight(qtbot):
    window = MainWindow()
    qtbot.addWidget(window)
    window.banner.warn(("entry 3 is not as it was written",))
    assert window.banner.doubt.whole() == "⚠ changed from outside"
    assert "entry 3" in window.banner.doubt.toolTip()
