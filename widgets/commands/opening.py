"""Opening: files and folders become the case of the window; its voxels are read beside it. Which cases were opened last is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from reviewer.case import Case, Problem
from reviewer.errors import CancelledError
from reviewer.session import Session, with_dose_as_image

from ..actions import Command
from ..jobs import Job, Jobs, Progress
from ..panels.strip import ErrorStrip
from .saving import Saving

RECENT_KEPT = 8

DOSE_FOR_IMAGE = (
    "There is no image among these files: what is shown in grey is the dose grid itself, in Gy. "
    "Open it together with the series that it was made on."
)
ONLY_CINE = (
    "There is a cine among these files, but no image to contour or to lay doses on: the cine is shown in Gating mode."
)
NO_IMAGE = (
    "There is no image among these files: contours and doses have nothing to lie on. "
    "Open them together with the series that they were made on."
)


def without_image(case: Case) -> str:
    """What there is in a case without an image, and where it is shown."""
    if case.doses:
        return DOSE_FOR_IMAGE
    return ONLY_CINE if case.cines else NO_IMAGE


@dataclass(frozen=True)
class Request:
    """What is to be opened. patient_id and study_uids narrow it down where the files belong to several."""

    paths: tuple[Path, ...]
    demo: bool = False
    patient_id: str | None = None
    study_uids: frozenset[str] | None = None


class Opening(QObject):
    """tell_failure: tells what was done, and the error. remember: keep the cases opened last.

    changed: a case is being opened, or not any more. opened: it is shown, its voxels may still be arriving; with the opening.
    """

    changed = Signal()
    opened = Signal(object)
    recent_changed = Signal()
    _arrived = Signal(str)
    _stopped = Signal(object)

    def __init__(
        self,
        window: QWidget,
        session: Session,
        jobs: Jobs,
        saving: Saving,
        strip: ErrorStrip,
        say: Callable[[str], None],
        tell_failure: Callable[[str, Exception], None],
        remember: bool,
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._jobs, self._saving = window, session, jobs, saving
        self._strip, self._say, self._tell_failure, self._remember = strip, say, tell_failure, remember
        self.failure: Exception | None = None
        self._asked: Job | None = None
        self._reading: Any = None
        jobs.changed.connect(self._jobs_changed)
        self._arrived.connect(session.voxels_arrived)
        self._stopped.connect(self._reading_stopped)
        saving.placed.connect(self._placed)

    def commands(self) -> Iterator[Command]:
        yield Command("file.demo", "Demo case", "File", lambda: self.open_paths([], demo=True), icon="body")
        yield Command("file.folder", "Open folder…", "File", self._ask_folder, "Ctrl+O", icon="folder")
        yield Command("file.files", "Open files…", "File", self._ask_files, "Ctrl+Shift+O", icon="files")

    @property
    def waiting(self) -> bool:
        """Whether a case is being opened."""
        return self._asked is not None and not self._asked.progress.cancelled()

    def leave(self) -> None:
        """The window closes: nobody waits for voxels any more."""
        self._reading = None

    def open_paths(self, paths: Sequence[Path], demo: bool = False) -> None:
        """Open files and folders, or the demo case; what was open stays until the new case is there."""
        self.open(Request(tuple(paths), demo))

    def open(self, request: Request) -> None:
        if any(self._saving.is_open(path) for path in request.paths):
            self._say(f"{request.paths[0].name} is open already")
            return
        if not self._saving.may_leave():
            return
        self.failure = None
        self._asked = self._jobs.run(
            "Preparing the demo case" if request.demo else f"Opening {_named(request.paths)}",
            lambda progress: _begin(request, progress, hold=self._remember),
            lambda opening: self._case_is_there(request, opening),
            lambda error: self._could_not_open(request, error),
            key="open",
        )
        self.changed.emit()

    def _case_is_there(self, request: Request, opening: Any) -> None:
        self._asked = None
        self._jobs.cancel_all()
        self._strip.clear()
        self._reading = opening
        self._saving.open(opening, with_dose_as_image(opening.case))
        if not request.demo:
            self.keep_recent(request.paths)
        self.changed.emit()
        if not opening.case.images:
            self._strip.tell(without_image(opening.case))
        if any(not image.complete for image in opening.case.images):
            self._read_voxels(opening)
        self.opened.emit(opening)

    def _read_voxels(self, opening: Any) -> None:
        images = [i for i in opening.case.images if i.pending is not None]
        planes = sum(len(i.pending) for i in images)
        first = self._session.view.base

        def work(progress: Progress) -> tuple[Problem, ...]:
            def arrived(image_id: str) -> None:
                missing = sum(int(i.pending.sum()) for i in images)
                progress.report(1 - missing / planes, f"{planes - missing} of {planes} slices")
                self._arrived.emit(image_id)

            try:
                return opening.read_voxels(arrived, cancelled=progress.cancelled, first=first)
            except CancelledError:
                self._stopped.emit(opening)
                raise

        self._jobs.run("Reading images", work, self._session.found, key="voxels")

    def _reading_stopped(self, opening: Any) -> None:
        if opening is self._reading:
            missing = sum(int(i.pending.sum()) for i in opening.case.images if i.pending is not None)
            self._strip.tell(
                f"Reading was cancelled: {missing} slices have not been read. Open the case again to read them."
            )

    def _could_not_open(self, request: Request, error: Exception) -> None:
        self.failure = error
        self._asked = None
        self.changed.emit()
        opening = import_module("reviewer.opening")
        if isinstance(error, opening.SeveralPatientsError):
            choose = import_module("..dialogs.choose", __package__)
            dialog = choose.ChooseDialog(error.candidates, self._window)
            dialog.chosen.connect(
                lambda patient, studies: self.open(
                    Request(request.paths, request.demo, patient, frozenset(studies) or None)
                )
            )
            dialog.open()
        else:
            self._tell_failure("The demo case" if request.demo else "Opening", error)

    # -- asking ---------------------------------------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open a folder", self._last_folder())
        if folder:
            self.open_paths([Path(folder)])

    def _ask_files(self) -> None:
        found, _ = QFileDialog.getOpenFileNames(self._window, "Open files", self._last_folder())
        if found:
            self.open_paths([Path(f) for f in found])

    def _last_folder(self) -> str:
        recent = self.recent()
        return str(Path(recent[0][0]).parent) if recent else str(Path.home())

    # -- remembering ----------------------------------------------------------------------------------------------------

    def recent(self) -> list[list[str]]:
        """Paths of each case, the last opened first."""
        if not self._remember:
            return []
        try:
            stored = json.loads(str(QSettings().value("recent", "[]")))
        except ValueError:
            return []
        return [list(map(str, paths)) for paths in stored if isinstance(paths, list) and paths]

    def keep_recent(self, paths: Sequence[Path], instead: Path | None = None) -> None:
        """The first of the list from now on. instead: of this file, which is not there any more."""
        if not self._remember:
            return
        entry = [str(p.resolve()) for p in paths]
        gone = [str(instead.resolve())] if instead is not None else None
        rest = [p for p in self.recent() if p not in (entry, gone)]
        QSettings().setValue("recent", json.dumps([entry, *rest][:RECENT_KEPT]))
        self.recent_changed.emit()

    def _placed(self, path: Path, before: Path | None) -> None:
        self.keep_recent([path], before if before is not None and not before.exists() else None)

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _jobs_changed(self) -> None:
        if self._asked is not None and self._asked.progress.cancelled():
            self._asked = None
            self.changed.emit()


def _begin(request: Request, progress: Progress, hold: bool) -> Any:
    """In a worker: find out what the files hold; hold: a workspace is to be written. pydicom and the readers are imported here, beside the window."""
    paths = list(request.paths)
    share: Callable[[float, str], None] = progress.report
    if request.demo:
        paths = [import_module("reviewer.demo").demo_folder(lambda f, text: progress.report(0.9 * f, text))]

        def share(fraction: float, text: str) -> None:
            progress.report(0.9 + 0.1 * fraction, text)

    return import_module("reviewer.opening").begin(
        paths,
        patient_id=request.patient_id,
        study_uids=request.study_uids,
        progress=share,
        cancelled=progress.cancelled,
        hold=hold,
    )


def _named(paths: Sequence[Path]) -> str:
    first = paths[0].resolve().name if paths else "nothing"
    return first if len(paths) < 2 else f"{first} and {len(paths) - 1} more"
