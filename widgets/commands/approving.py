"""Commands that sign, open again what was signed, and make the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QLocale, QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

from reviewer.case import Case, StructureSet
from reviewer.columns import Column
from reviewer.scene import View
from reviewer.session import Session, structure_set_of
from reviewer.view_state import judging

from ..actions import NOTHING_OPEN, Command
from ..jobs import Jobs, Progress
from ..loading import load
from .saving import Saving

KINDS = {
    "PDF on A4 (*.pdf)": (".pdf", "a4"),
    "PDF on letter (*.pdf)": (".pdf", "letter"),
    "HTML (*.html)": (".html", "a4"),
    "CSV (*.csv)": (".csv", "a4"),
}
"""What a report is asked as: the ending of its name, and the paper, which only a PDF has."""

KIND = "report/kind"
"""The setting that remembers it."""


class Approving:
    """say: shows a sentence; warn: shows one that must be read; gating: what was tracked on the case as it is, for the report."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        jobs: Jobs,
        saving: Saving,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        gating: Callable[[], Sequence[Any]],
    ) -> None:
        self._gating = gating
        self._window, self._session, self._jobs, self._saving = window, session, jobs, saving
        self._say, self._warn = say, warn

    def commands(self) -> Iterator[Command]:
        yield Command(
            "review.sign",
            "Approve or reject…",
            "Sign-off",
            self.sign,
            "Ctrl+Shift+P",
            "With name, role and statement; contours, goals and plans as they are now are bound to it",
            refusal=self._no_signing,
        )
        yield Command(
            "review.second",
            "Second signature…",
            "Sign-off",
            self.countersign,
            tip="Another person agrees",
            refusal=self._no_second,
        )
        yield Command(
            "review.reopen",
            "Open again…",
            "Sign-off",
            self.reopen,
            tip="The signature becomes void, and the contours can be changed; the reason is kept",
            refusal=self._no_reopening,
        )
        yield Command(
            "file.report",
            "Report…",
            "File",
            self.ask_report,
            "Ctrl+P",
            "Goals, pictures, DVH, gating, decision and signatures as PDF, HTML or CSV",
            refusal=self._no_report,
        )

    # -- signing --------------------------------------------------------------------------------------------------------

    def sign(self) -> None:
        """What is signed is worked out first, beside the window."""
        case, view, group = self._session.case, self._session.view, self._group
        if group is None:
            return
        self._jobs.run(
            "What is to be signed",
            lambda progress: _content(case, view, group, progress),
            lambda content: self._open("sign", case, content),
            key="signing",
        )

    def countersign(self) -> None:
        self._open("second", self._session.case, self._standing.content)

    def reopen(self) -> None:
        self._open("reopen", self._session.case, self._standing.content)

    def _open(self, purpose: str, case: Case, content: Any) -> None:
        if case is not self._session.case:
            self._warn("The case has changed while it was made ready for the signature: look at it again.")
            return
        module = import_module("..dialogs.approval", __package__)
        module.ApprovalDialog(purpose, case, content, self._carry_out, self._window).open()

    def _carry_out(self, purpose: str, case: Case, content: Any, words: Any, failed: Callable[[str], None]) -> None:
        """words: `dialogs.approval.Words`. The hashes are made once more beside the window, then the session signs."""
        stands = self._standing

        def work(_: Progress) -> Any:
            signing = load("reviewer.approval.signing")
            person = signing.Person(words.name, words.role)
            if purpose == "second":
                return signing.countersign(case, stands, person, words.statement)
            if purpose == "reopen":
                return signing.reopen(case, stands, person, words.statement)
            return signing.approve(case, content, person, words.statement, words.verdict)

        def done(act: Any) -> None:
            try:
                self._session.sign(act)
            except Exception as error:
                failed(str(error))
                return
            words.close()
            self._say(act.label)

        self._jobs.run("Signing", work, done, lambda error: failed(str(error)), key="signing")

    # -- the report -----------------------------------------------------------------------------------------------------

    def ask_report(self) -> None:
        """The kind that was taken last is offered first; to begin with letter where it is usual, else A4."""
        usual = "letter" if QLocale().measurementSystem() == QLocale.MeasurementSystem.ImperialUSSystem else "a4"
        first = next(kind for kind, (_, paper) in KINDS.items() if paper == usual)
        last = str(QSettings().value(KIND, first))
        file, kind = QFileDialog.getSaveFileName(
            self._window, "Report", str(Path.home() / "report.pdf"), ";;".join(KINDS), last if last in KINDS else first
        )
        if file:
            QSettings().setValue(KIND, kind)
            suffix, paper = KINDS[kind]
            path = Path(file)
            self.write_report(path if path.suffix else path.with_suffix(suffix), paper)

    def write_report(self, path: Path, paper: str = "a4") -> None:
        case, view, workspace = self._session.case, self._session.view, self._saving.workspace
        traces = tuple(self._gating())

        def work(progress: Progress) -> Path:
            contents, writing = load("reviewer.report.contents"), load("reviewer.report.write")
            writing.check(path)
            report = contents.gather(
                case,
                sheet=_sheet(view),
                columns=_columns(case, view),
                assigned=view.assigned,
                prescribed=view.prescribed,
                workspace=workspace,
                gating=traces,
                progress=progress.report,
                cancelled=progress.cancelled,
            )
            progress.report(0.8, "Writing")
            writing.write(report, path, paper)
            return path

        self._jobs.run("Report", work, lambda there: self._say(f"The report is {there}"), key="report")

    # -- why not --------------------------------------------------------------------------------------------------------

    @property
    def _group(self) -> StructureSet | None:
        return self._session.structure_set

    @property
    def _standing(self) -> Any:
        """`reviewer.approval.trail.SignOff` of the set that is shown."""
        workspace, group = self._saving.workspace, self._group
        if workspace is None or group is None or not group.signed:
            return None
        trail = load("reviewer.approval.trail")
        return trail.standing(trail.sign_offs(workspace.entries), group.id)

    def _no_case(self) -> str:
        return "" if self._session.view.base else NOTHING_OPEN

    def _no_signing(self) -> str:
        case, group, workspace = self._session.case, self._group, self._saving.workspace
        if not self._session.view.base:
            return NOTHING_OPEN
        if workspace is None:
            return "nothing keeps a record here"
        if workspace.keeping.refusal:
            return f"a signature must be kept, and {workspace.keeping.refusal}"
        if group is None:
            return "there is no structure set"
        if group.signed:
            return f"{group.label} is {group.approval.lower()} by {group.reviewer} already"
        doses = (case.dose(column.dose) for column in _columns(case, self._session.view))
        passing = next((d for d in doses if d is not None and self._session.made(d.id) and d.recipe is None), None)
        return f"{passing.label} is kept nowhere: export it and open its file first" if passing is not None else ""

    def _no_reopening(self) -> str:
        return self._no_case() or ("" if self._group is not None and self._group.signed else "it is not signed")

    def _no_second(self) -> str:
        refused = self._no_reopening()
        if refused:
            return refused
        stands = self._standing
        return "there is a second signature already" if stands is not None and stands.second is not None else ""

    def _no_report(self) -> str:
        return self._no_case() or ("" if self._session.case.doses else "there is no dose")


def _columns(case: Case, view: View) -> tuple[Column, ...]:
    """The plans that are side by side, else the dose that is shown on the structures that are shown; empty where there is none."""
    there = tuple(
        c for c in view.columns if case.dose(c.dose) is not None and case.structure_set(c.structure_set) is not None
    )
    dose = case.dose(view.dose)
    group = case.structure_set(view.structure_set) or (structure_set_of(case, dose) if dose else None)
    return there or ((Column(dose.id, group.id),) if dose is not None and group is not None else ())


def _sheet(view: View) -> Any:
    return load("reviewer.dosimetry.sheets").all_sheets().get(view.sheet) if view.sheet else None


def _content(case: Case, view: View, group: StructureSet, progress: Progress) -> Any:
    """In a worker: contours, and where there is a dose the goals with their values."""
    content_of, columns = load("reviewer.approval.content").content_of, _columns(case, view)
    if not columns:
        return content_of(case, group)
    evaluations, decision = load("reviewer.report.contents").judged(
        case, columns, _sheet(view), view.assigned, view.prescribed, cancelled=progress.cancelled
    )
    return content_of(case, group, evaluations, decision.sentence if decision else "", judging(view))
