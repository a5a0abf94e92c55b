"""`Preview`: derived structures worked out beside the window and shown in the views before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from PySide6.QtCore import QObject, QTimer, Signal

from reviewer.formula.proposal import Known, Proposal, Wish, propose
from reviewer.geometry.volume import volume_cc
from reviewer.session import Session

from ..jobs import Jobs, Progress

PAUSE_MS = 120
"""How long a hand rests before the preview follows it."""


@dataclass(frozen=True)
class Outcome:
    """volumes: of every structure that was made, cc."""

    proposal: Proposal
    volumes: dict[Wish, float]


class Preview(QObject):
    """Ask with `ask`; `came` brings the outcome. What is shown goes with `close`, which whoever owns this calls."""

    came = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Session, jobs: Jobs, set_id: str, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._jobs, self.set_id = session, jobs, set_id
        self._wishes: tuple[Wish, ...] = ()
        self.known: Known = MappingProxyType({})
        self.outcome: Outcome | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._begin)

    def ask(self, wishes: Sequence[Wish]) -> None:
        """Until the outcome has come there is none."""
        self.outcome = None
        self._wishes = tuple(wishes)
        self._jobs.cancel("preview")
        self._timer.start()

    @property
    def fresh(self) -> bool:
        """Whether the outcome is of the case as it is now."""
        return self.outcome is not None and self.outcome.proposal.case is self._session.case

    def close(self) -> None:
        self._timer.stop()
        self._jobs.cancel("preview")
        self._session.look(preview=())

    def _begin(self) -> None:
        case, set_id, wishes, known = self._session.case, self.set_id, self._wishes, self.known

        def work(progress: Progress) -> Outcome:
            proposal = propose(case, set_id, wishes, known, progress.cancelled)
            return Outcome(proposal, {wish: volume_cc(made.structure) for wish, made in proposal.made.items()})

        self._jobs.run("Preview of derived structures", work, self._done, self.failed.emit, key="preview")

    def _done(self, outcome: Outcome) -> None:
        self.outcome, self.known = outcome, outcome.proposal.known
        self._session.look(preview=tuple(made.structure for made in outcome.proposal.made.values()))
        self.came.emit(outcome)
