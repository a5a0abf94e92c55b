"""The signature: who, as what, and what is said by it. Nothing else in the program stands in the way like this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QWidget,
)

from reviewer.case import Case

from ..theme import RHYTHM, heading, muted, tint
from .frame import Foot, framed

WIDTH = 480

TITLES = {"sign": "Approve or reject", "second": "Second signature", "reopen": "Open again"}
STATEMENTS = {
    "approved": "I have reviewed contours, goals and plans as they are shown, and approve them.",
    "rejected": "I have reviewed contours, goals and plans as they are shown, and reject them.",
    "second": "I have reviewed the same contours, goals and plans, and agree.",
    "reopen": "",
}
WHAT_IT_IS = (
    "A name that is typed, under the account of this computer, bound to what is signed by SHA-256 and to the log. "
    "It proves nobody's identity."
)


@dataclass(frozen=True)
class Words:
    """What was typed. close: the dialogue, when it is done."""

    name: str
    role: str
    statement: str
    verdict: str
    close: Callable[[], None]


class ApprovalDialog(QDialog):
    """purpose: sign, second or reopen. content: `reviewer.approval.content.Content`.

    carry_out(purpose, case, content, words, failed): signs; failed is told in a sentence why it could not.
    """

    def __init__(
        self, purpose: str, case: Case, content: Any, carry_out: Callable[..., None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("approval")
        self.setWindowTitle(TITLES[purpose])
        self.setModal(True)
        self._purpose, self._case, self._content, self._carry_out = purpose, case, content, carry_out
        self.what = QLabel(summary(content))
        self.what.setObjectName("approval.what")
        self.what.setWordWrap(True)
        self.approve, self.reject_ = QRadioButton("✓ Approve"), QRadioButton("✗ Reject")
        for name, verdict in (("approve", self.approve), ("reject", self.reject_)):
            verdict.setObjectName(f"approval.{name}")
            verdict.toggled.connect(self._verdict_changed)
        self.name, self.role = QLineEdit(), QLineEdit()
        self.name.setObjectName("approval.name")
        self.role.setObjectName("approval.role")
        self.role.setPlaceholderText("radiation oncologist")
        self.role.setText(str(QSettings().value("approval/role", "")))
        self.statement = QPlainTextEdit()
        self.statement.setObjectName("approval.statement")
        self.statement.setFixedHeight(9 * RHYTHM)
        self.statement.setTabChangesFocus(True)
        self.note = QLabel()
        self.note.setObjectName("approval.note")
        self.note.setWordWrap(True)
        text = "Open again" if purpose == "reopen" else "Sign"
        foot = Foot(self, ("approval.cancel", "Cancel", self.reject), ("approval.sign", text, self._sign))
        self.cancel, self.sign = foot.leave, foot.go

        grid = QGridLayout()
        grid.setHorizontalSpacing(RHYTHM)
        grid.setVerticalSpacing(RHYTHM)
        grid.setColumnStretch(1, 1)
        if purpose == "sign":
            verdicts = QHBoxLayout()
            verdicts.addWidget(self.approve)
            verdicts.addWidget(self.reject_)
            verdicts.addStretch(1)
            grid.addLayout(verdicts, 0, 1)
        for row, (label, field) in enumerate(
            (
                ("Name", self.name),
                ("Role", self.role),
                ("Reason" if purpose == "reopen" else "Statement", self.statement),
            ),
            start=1,
        ):
            grid.addWidget(QLabel(label), row, 0)
            grid.addWidget(field, row, 1)
        kind = muted()
        kind.setText(WHAT_IT_IS)
        kind.setWordWrap(True)
        column = framed(self)
        column.addWidget(heading(TITLES[purpose]))
        column.addWidget(self.what)
        column.addLayout(grid)
        column.addWidget(kind)
        column.addWidget(self.note)
        column.addLayout(foot)
        self.setMinimumWidth(WIDTH)
        for field in (self.name, self.role, self.statement):
            field.textChanged.connect(self._show_state)
        self.statement.setPlainText(STATEMENTS.get(purpose, ""))
        self.name.setFocus()
        self._show_state()

    @property
    def verdict(self) -> str:
        """Neither is chosen to begin with: nobody approves by pressing Enter."""
        return "approved" if self.approve.isChecked() else "rejected" if self.reject_.isChecked() else ""

    def _verdict_changed(self) -> None:
        if self.verdict and self.statement.toPlainText() in ("", *STATEMENTS.values()):
            self.statement.setPlainText(STATEMENTS[self.verdict])
        self._show_state()

    def _refusal(self) -> str:
        if self._purpose == "sign" and not self.verdict:
            return "approve or reject?"
        for field, what in ((self.name.text(), "name"), (self.role.text(), "role")):
            if not field.strip():
                return f"the {what} is missing"
        return "" if self.statement.toPlainText().strip() else "there is no text"

    def _show_state(self) -> None:
        refusal = self._refusal()
        self.sign.setEnabled(not refusal)
        self.sign.setToolTip(f"Not now: {refusal}" if refusal else "It goes into the log at once")

    def _sign(self) -> None:
        self.sign.setEnabled(False)
        self.note.setText("")
        QSettings().setValue("approval/role", self.role.text())
        words = Words(self.name.text(), self.role.text(), self.statement.toPlainText(), self.verdict, self.accept)
        self._carry_out(self._purpose, self._case, self._content, words, self._failed)

    def _failed(self, sentence: str) -> None:
        tint(self.note, "bad")
        self.note.setText(f"✗ {sentence}")
        self._show_state()

    def done(self, result: int) -> None:
        super().done(result)
        self.deleteLater()


def summary(content: Any) -> str:
    """What is signed, in a few lines."""
    sets = ", ".join(f"{each['label']} ({len(each['structures'])} structures)" for each in content["structure_sets"])
    lines = [f"Contours: {sets}"]
    if content["doses"]:
        lines.append(f"Plans: {', '.join(each['label'] for each in content['doses'])}")
    if content["sheet"]:
        lines.append(f"Goals: {content['sheet']['name']}")
        columns: dict[str, Counter[str]] = {}
        for goal in content["goals"]:
            for plan in goal["plans"]:
                if plan is not None:
                    columns.setdefault(plan["plan"], Counter())[plan["status"]] += 1
        lines += [
            f"   {plan}: ✓ {n['met']}  ~ {n['acceptable']}  ✗ {n['violated']}  ? {n['not-evaluated']}"
            for plan, n in columns.items()
        ]
    return "\n".join([*lines, *([content["decision"]] if content["decision"] else [])])
