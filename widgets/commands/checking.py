"""The command of the independent dose check, and which doses it can be made of. The dialogue is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from reviewer.case import Case, Dose
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command
from ..jobs import Jobs

if TYPE_CHECKING:  # loaded late: it asks the backends
    from ..dialogs.dose_check import DoseCheckDialog


class DoseChecking:
    """say: shows a sentence in the window."""

    def __init__(self, window: QWidget, session: Session, jobs: Jobs, say: Callable[[str], None]) -> None:
        self._window, self._session, self._jobs, self._say = window, session, jobs, say
        self.dialog: DoseCheckDialog | None = None

    def commands(self) -> Iterator[Command]:
        yield Command(
            "plans.dose_check",
            "Dose check…",
            "Plans",
            self.open,
            "Ctrl+Shift+D",
            "The dose of a plan computed again by another engine: a second opinion, no quality assurance",
            refusal=lambda: refusal(self._session.case),
        )

    def open(self) -> None:
        """Or bring it to the front: what it found stays in it."""
        if self.dialog is None:
            dialogs = import_module("..dialogs.dose_check", __package__)
            self.dialog = dialogs.DoseCheckDialog(self._session, self._jobs, self._say, self._window)
            self.dialog.destroyed.connect(self._gone)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _gone(self) -> None:
        self.dialog = None


def checkable(case: Case) -> tuple[Dose, ...]:
    """Doses of the files whose plan says by which beams they come about."""
    return tuple(
        dose
        for dose in case.doses
        if dose.type == "PHYSICAL"
        and dose.summation in ("PLAN", "")
        and not dose.statements
        and (plan := case.plan(dose.plan_id)) is not None
        and plan.beams
    )


def refusal(case: Case) -> str:
    """Why no dose can be checked; empty where one can."""
    if not case.images and not case.doses:
        return NOTHING_OPEN
    if checkable(case):
        return ""
    if not case.plans:
        return "there is no plan (RTPLAN)"
    if not case.doses:
        return "there is no dose (RTDOSE) to compare with"
    return "no dose of a whole plan whose beams are known is among the files"
