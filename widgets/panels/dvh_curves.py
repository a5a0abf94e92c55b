"""`DvhCurves`: DVHs on request, computed in the background and shared by whoever shows or judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from reviewer.case import Dose, Structure
from reviewer.changes import CaseOpened, Change
from reviewer.dosimetry.cache import DvhCache
from reviewer.session import Session

from ..jobs import Jobs, Progress
from ..loading import load

if TYPE_CHECKING:  # importing it for good would load numba
    from reviewer.dosimetry.dvh import Dvh


class DvhCurves(QObject):
    """arrived: ids of structure and dose whose DVH, or failure, has just become known."""

    arrived = Signal(str, str)

    def __init__(self, session: Session, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self._cache = DvhCache()
        self._failures: dict[tuple[str, str], tuple[Structure, Dose, str]] = {}
        self._asked: dict[tuple[str, str], tuple[Structure, Dose]] = {}
        session.changed.connect(self._hear)

    def ask(self, structure: Structure, dose: Dose) -> Dvh | None:
        """The DVH if it is known; else None, and it is computed, unless it failed for this very shape and dose.

        Raises NotRegisteredError where structure and dose have no common frame of reference.
        """
        to_dose = self._session.case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
        found = self._cache.get(structure, dose, to_dose)
        key = (structure.id, dose.id)
        if found is not None or self.failure(structure, dose):
            return found
        under_way = self._asked.get(key)
        if under_way is not None and under_way[0].same_shape(structure) and under_way[1] is dose:
            return None
        self._asked[key] = (structure, dose)
        earlier = self._cache.latest(structure, dose)

        def work(progress: Progress) -> Dvh:
            # In the job's thread: what numba compiles is loaded with the first DVH.
            dvh = load("reviewer.dosimetry.dvh").dvh
            result: Dvh = dvh(structure, dose, to_dose, earlier, progress.cancelled)
            return result

        def done(result: Dvh) -> None:
            self._asked.pop(key, None)
            self._cache.put(structure, dose, to_dose, result)
            self.arrived.emit(*key)

        def failed(error: Exception) -> None:
            self._asked.pop(key, None)
            self._failures[key] = (structure, dose, str(error))
            self.arrived.emit(*key)

        self._jobs.run(f"DVH of {structure.name}", work, done, failed, key=self._job_key(key))
        return None

    def failure(self, structure: Structure, dose: Dose) -> str:
        """Why there is no DVH, or empty."""
        known = self._failures.get((structure.id, dose.id))
        return known[2] if known is not None and known[0].same_shape(structure) and known[1] is dose else ""

    def _job_key(self, key: tuple[str, str]) -> str:
        return f"DVH {id(self)} {key}"

    def _hear(self, change: Change) -> None:
        # At once, not in the next turn: whoever else hears of the new case may ask before that.
        if isinstance(change, CaseOpened):
            for key in self._asked:
                self._jobs.cancel(self._job_key(key))
            self._asked.clear()
            self._cache.clear()
            self._failures.clear()
