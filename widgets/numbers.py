"""`Numbers`: what the panels tell of the case, worked out beside the window in one job after each change and told at once.

While a hand rests in a stroke, the numbers of the edit that it would become are worked out beforehand; if it ends there they are known.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal

from reviewer.case import Case, Dose, Structure
from reviewer.changes import CaseOpened, Change, DosesChanged, StructuresChanged, ViewChanged
from reviewer.dosimetry.cache import DvhCache
from reviewer.edit import Edit
from reviewer.errors import CancelledError, NotRegisteredError, ReviewerError
from reviewer.geometry.memo import Memo
from reviewer.geometry.stack import small
from reviewer.session import Session
from reviewer.threads import shared

from .jobs import Job, Jobs, Progress
from .loading import load

if TYPE_CHECKING:  # importing it for good would load numba
    from reviewer.dosimetry.dvh import Dvh

PATIENCE_MS = 100
"""So long a screen may wait after a change; then it shows what is known, and that the rest is not."""

BREATH_S = 0.04
"""So long the window holds its breath after an edit: mostly its numbers stand by then. What it painted meanwhile would take turns with them at
Python's lock, and both would come later."""

VOLUMES = 20_000
"""How many volumes are kept."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Want:
    """Something that a panel wants to know.

    key:    says what, from what; two of one key are one.
    work:   in a thread beside others; `done` or `failed` hear of it in the thread of the window, before `Numbers.told`.
    long:   takes longer than others, and so is begun first. last: only when all others are done.
    large:  two threads are faster at it and the others than one.
    """

    key: Hashable
    label: str
    work: Callable[[Progress], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    long: bool = False
    last: bool = False
    large: bool = False


class Numbers(QObject):
    """Volumes and DVHs of structures, and whatever else panels `want`.

    After an edit the work begins before the call that made the edit returns, and before anything is painted.
    told: everything that is wanted is known; or it takes long, then also each time that some more is.
    """

    told = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self._wanting: list[Callable[[Case], Iterable[Want]]] = []
        self._edited = False
        self._forget()
        self._again = self._timer(0, self.renew)
        self._patience = self._timer(PATIENCE_MS, self._tell_some)
        session.changed.connect(self._hear)
        jobs.changed.connect(self._see_whether_stopped)

    def _timer(self, ms: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(ms)
        timer.timeout.connect(act)
        return timer

    def _forget(self) -> None:
        self.curves = DvhCache()
        self._volumes: Memo[tuple[float, Any]] = Memo(VOLUMES)
        self._failures: dict[tuple[str, str], tuple[Structure, Dose, str]] = {}
        self._job: Job | None = None
        self._foreseeing: Job | None = None
        self._beforehand = self._known = False
        self._asked: frozenset[Hashable] = frozenset()
        self._ready: deque[Callable[[], None]] = deque()

    # -- what is known --------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether nothing is worked out, or waits to be told."""
        working = self._working and not self._beforehand
        return not working and not self._again.isActive() and not self._known

    @property
    def _working(self) -> bool:
        return self._job is not None and not self._job.progress.cancelled()

    def volume(self, structure: Structure) -> float | None:
        """In cc, of exactly this shape; None while it is not known, NaN where it can't be."""
        found = self._volumes.get(tuple(structure.planes.values()), _shape(structure))
        return None if found is None else found[0]

    def curve(self, structure: Structure, dose: Dose) -> Dvh | None:
        """Of exactly this shape; None while it is not known. Raises NotRegisteredError where nothing ties structure and dose."""
        return self.curves.get(structure, dose, self._tie(structure, dose))

    def tied(self, structure: Structure, dose: Dose) -> bool:
        """Whether the structure lies in the dose's frame of reference, or a registration leads there."""
        try:
            self._tie(structure, dose)
        except NotRegisteredError:
            return False
        return True

    def failure(self, structure: Structure, dose: Dose) -> str:
        """Why there is no curve, or empty."""
        known = self._failures.get((structure.id, dose.id))
        return known[2] if known is not None and known[0].same_shape(structure) and known[1] is dose else ""

    # -- what is wanted -------------------------------------------------------------------------------------------------

    def follow(self, wanting: Callable[[Case], Iterable[Want]]) -> None:
        """Ask `wanting` after every edit, and after `ask`, what is to be known of the case as it is then and is not; and what will be in one
        that an edit under way would make."""
        self._wanting.append(wanting)

    def ask(self) -> None:
        """Somebody wants something else: look into it in the next turn."""
        self._again.start()

    def volumes(self, structures: Iterable[Structure]) -> Iterator[Want]:
        """Those that are not known."""
        for structure in structures:
            if not structure.empty and self.volume(structure) is None:
                yield Want(
                    ("volume", structure),
                    f"Volume of {structure.name}",
                    partial(_measure, structure),
                    partial(self._keep_volume, structure),
                    partial(self._no_volume, structure),
                    large=not small(structure),
                )

    def dvhs(self, pairs: Iterable[tuple[Structure, Dose]]) -> Iterator[Want]:
        """Those that are not known and did not fail. Raises NotRegisteredError where nothing ties structure and dose."""
        for structure, dose in pairs:
            if self.curve(structure, dose) is None and not self.failure(structure, dose):
                yield Want(
                    ("dvh", structure, dose),
                    f"DVH of {structure.name}",
                    partial(_compute, self.curves, structure, dose, self._tie(structure, dose)),
                    lambda _: None,
                    partial(self._no_curve, structure, dose),
                    large=not small(structure),
                )

    def _tie(self, structure: Structure, dose: Dose) -> NDArray[np.float64]:
        return self._session.case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)

    def _keep_volume(self, structure: Structure, cc: float) -> None:
        self._volumes.put(tuple(structure.planes.values()), (cc, structure.grid), 1, _shape(structure))

    def _no_volume(self, structure: Structure, error: Exception) -> None:
        self._keep_volume(structure, float("nan"))
        self._jobs.failed.emit(f"Volume of {structure.name}", error)

    def _no_curve(self, structure: Structure, dose: Dose, error: Exception) -> None:
        self._failures[structure.id, dose.id] = structure, dose, str(error)

    # -- from the change to what is told --------------------------------------------------------------------------------

    def _hear(self, change: Change) -> None:
        if isinstance(change, CaseOpened):
            self._stop()
            self._forget()
        if isinstance(change, StructuresChanged):
            self._edited = True
            self.renew()
        elif isinstance(change, (CaseOpened, DosesChanged)):
            self.ask()
        elif isinstance(change, ViewChanged) and "stroke" in change.fields:
            self._give_up()

    def renew(self) -> None:
        """Work out what is wanted now; what is under way is left alone where it is the same."""
        self._again.stop()
        self._take_in()
        wants = self._wants(self._session.case)
        if self._working and wants and wants.keys() <= self._asked:
            if self._beforehand:
                self._beforehand = False
                self._hold_breath()
            return
        self._stop()
        self._known = not wants and self._edited
        if wants:
            self._begin(wants)
            self._hold_breath()
        elif self._known:
            self._come_first()

    def _hold_breath(self) -> None:
        self._patience.start()
        if self._edited and self._job is not None and self._job.wait(BREATH_S):
            self._come_first()

    def _come_first(self) -> None:
        """All is known: in the next turn, and before anybody looks at the edit, it is told and painted. The pictures, which take longer, follow."""
        QCoreApplication.postEvent(self, QEvent(QEvent.Type.User), Qt.EventPriority.HighEventPriority.value)

    def customEvent(self, _: QEvent) -> None:
        if self._known:
            self._finished()
        QCoreApplication.sendPostedEvents(self._jobs, QEvent.Type.MetaCall)  # the job that is done tells so
        QCoreApplication.sendPostedEvents(None, QEvent.Type.UpdateRequest)

    def _wants(self, case: Case) -> dict[Hashable, Want]:
        return {want.key: want for wanting in self._wanting for want in wanting(case)}

    def _begin(self, wants: dict[Hashable, Want]) -> None:
        self._asked = frozenset(wants)
        ready = self._ready = deque()
        chosen = sorted(wants.values(), key=lambda want: not want.long)

        def one(want: Want, progress: Progress) -> None:
            if progress.cancelled():
                return
            try:
                ready.append(partial(want.done, want.work(progress)))
            except CancelledError:
                pass
            except Exception as error:
                if not isinstance(error, ReviewerError):
                    log.exception("%s", want.label)
                ready.append(partial(want.failed, error))

        def work(progress: Progress) -> None:
            first = [want for want in chosen if not want.last]
            if any(want.large for want in first):
                shared(lambda want: one(want, progress), first)
            else:
                for want in first:
                    one(want, progress)
            for want in chosen:
                if want.last:
                    one(want, progress)

        label = chosen[0].label if len(chosen) == 1 else f"Volumes, DVHs, goals ({len(chosen)})"
        self._job = self._jobs.run(label, work, self._finished)

    # -- before the change ----------------------------------------------------------------------------------------------

    def foresee(self, edit: Edit) -> None:
        """A hand rests in a stroke that would become this edit: work out what would be wanted then. Nobody is told."""
        if self._working or self._again.isActive():
            return
        self._give_up()
        before, work = self._session.case, self._session.foresee(edit)

        def begin(case: Case) -> None:
            self._foreseeing = None
            if self._session.case is before and not self._working and not self._again.isActive():
                wants = self._wants(case)
                if wants:
                    self._beforehand = True
                    self._begin(wants)

        # What cannot be done is told when it is done.
        self._foreseeing = self._jobs.run("Derived structures", lambda _: work(), begin, lambda _: None)

    def _give_up(self) -> None:
        """The hand goes on, and what was worked out beforehand comes to nothing."""
        if self._foreseeing is not None:
            self._foreseeing.cancel()
            self._foreseeing = None
        if self._beforehand:
            self._stop()

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job, self._beforehand = None, False
        self._patience.stop()

    def _see_whether_stopped(self) -> None:
        """Somebody cancelled the job: what is not known stays so until something is asked for again."""
        if self._job is not None and self._job.progress.cancelled():
            self._finished()

    def _finished(self, _: None = None) -> None:
        told = not self._beforehand
        self._job, self._beforehand, self._known = None, False, False
        self._patience.stop()
        self._take_in()
        if told:
            self._edited = False
            self.told.emit()

    def _tell_some(self) -> None:
        self._take_in()
        self.told.emit()
        if self._working:
            self._patience.start()

    def _take_in(self) -> None:
        while self._ready:
            self._ready.popleft()()


def _measure(structure: Structure, progress: Progress) -> float:
    """The volume; and the solid is put in order for the views that stand across the slices, so that their next frame need not."""
    body = load("reviewer.geometry.solid").solid(structure)
    if len(body.segments):
        body.by_u, body.by_v  # noqa: B018 -- kept by the solid
    return float(load("reviewer.geometry.volume").volume_cc(structure))


def _compute(
    curves: DvhCache, structure: Structure, dose: Dose, to_dose: NDArray[np.float64], progress: Progress
) -> Dvh:
    # In the job's thread: what numba compiles is loaded with the first DVH.
    dvh = load("reviewer.dosimetry.dvh").dvh
    return curves.once(structure, dose, to_dose, lambda: dvh(structure, dose, to_dose, progress.cancelled))


def _shape(structure: Structure) -> Hashable:
    """What a volume depends on besides the regions."""
    return tuple(structure.planes), id(structure.grid)
