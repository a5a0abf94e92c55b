"""Saving: every edit goes to the disk as it is made; here it is said where, and what to do when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QMessageBox, QPushButton, QToolButton, QWidget

from reviewer import __version__
from reviewer.changes import JournalChanged, VoxelsArrived
from reviewer.errors import ReviewerError
from reviewer.session import Session
from reviewer.view_state import document, wishes

from ..actions import NOTHING_OPEN, Command
from ..binding import Changes, follow
from ..jobs import Jobs, Progress
from ..loading import load
from ..panels.strip import ErrorStrip, Strip
from ..theme import RHYTHM, icon, theme, theme_changed

IDLE_MS = 5000
"""After the last edit the log is brought into the file, so that a copy made by hand is complete."""

FILTER = "Workspaces of Reviewer (*.reviewer)"


class Saving(QObject):
    """The workspace of the case in the window.

    open_paths: of the window. remember: keep a journal at all; a picture for a report does not.
    placed: the workspace has a file now, by its first edit or under a name of the user's own; and which it had before, or None.
    """

    placed = Signal(Path, object)

    def __init__(
        self,
        window: QWidget,
        session: Session,
        jobs: Jobs,
        strip: ErrorStrip,
        say: Callable[[str], None],
        open_paths: Callable[[Sequence[Path]], None],
        remember: bool,
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._jobs, self._strip, self._say = window, session, jobs, strip, say
        self._open_paths, self._remember = open_paths, remember
        self.workspace: Any = None
        self._opening: Any = None
        self._refusal = ""
        self._place: Path | None = None
        self._checked = False
        self.offer = OfferStrip()
        self.state = QToolButton()
        self.state.setObjectName("status.saved")
        self.state.setProperty("role", "flat")
        self.state.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.state.clicked.connect(self._clicked)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(self._rest)
        follow(self, session, self._heard)
        theme_changed.connect(self._show)
        self._show()

    def commands(self) -> Iterator[Command]:
        yield Command(
            "file.save",
            "Save",
            "File",
            self.save,
            "Ctrl+S",
            "Every edit is on the disk already: tells where",
            refusal=self._no_case,
        )
        yield Command(
            "file.save_as",
            "Save as…",
            "File",
            self._ask_save_as,
            "Ctrl+Shift+S",
            "The workspace (edits, history, settings) under a name of your own; the DICOM files stay as they are",
            refusal=self._no_case,
        )
        yield Command(
            "file.workspace",
            "Open workspace…",
            "File",
            self._ask_open,
            tip="A case with everything that was edited in it",
        )

    # -- the case comes and goes ----------------------------------------------------------------------------------------

    def open(self, opening: Any, case: Any) -> None:
        """A case was read: show it, with its journal, or a new one that begins with the first edit. case: as it is to be shown."""
        self.leave()
        self._opening, self._checked, self._refusal = opening, False, ""
        self.workspace = opening.workspace or (self._new(opening) if self._remember else None)
        if self.workspace is not None:
            self.workspace.begin_session({"program": "Reviewer", "version": __version__})
        self._place = self.workspace.keeping.path if self.workspace is not None else None
        self._session.open(case, opening.history, self.workspace)
        if opening.workspace is not None:
            asked = wishes(opening.workspace.settings.get("view"), case)
            if asked:
                self._session.look(**asked)
            for sentence in opening.workspace.told:
                self._strip.tell(sentence)
            if opening.workspace.keeping.refusal and self._remember:
                self._strip.tell(
                    f"{opening.workspace.keeping.path}: {opening.workspace.keeping.refusal}. "
                    "It can be looked at; edits would stay in memory until they are saved elsewhere."
                )
        elif self.workspace is not None:
            self._look_for_earlier(opening)
        self._show()

    def is_open(self, path: Path) -> bool:
        """Whether this is the workspace in the window."""
        now = self.workspace.keeping.path if self.workspace is not None else None
        return now is not None and now.absolute() == path.absolute()

    def may_leave(self) -> bool:
        """Nothing is asked, because everything is on the disk; only where it is not, the user decides."""
        unsaved = self.workspace.keeping.unsaved if self.workspace is not None else 0
        if not unsaved:
            return True
        question = QMessageBox(self._window)
        question.setObjectName("unsaved")
        question.setIcon(QMessageBox.Icon.Warning)
        question.setWindowTitle("Not saved")
        question.setText(f"{unsaved} edit{'s are' if unsaved != 1 else ' is'} in memory only: {self._refusal}.")
        question.setInformativeText("Save the workspace elsewhere, or lose them.")
        question.setStandardButtons(
            QMessageBox.StandardButton.Save | QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel
        )
        question.setDefaultButton(QMessageBox.StandardButton.Save)
        answer = question.exec()
        if answer == QMessageBox.StandardButton.Save:
            self._ask_save_as()
            return self.workspace is None or not self.workspace.keeping.unsaved
        return answer == QMessageBox.StandardButton.Discard

    def leave(self) -> None:
        """Let the workspace go; everything is in it."""
        workspace, self.workspace, self._opening = self.workspace, None, None
        self.offer.withdraw()
        if workspace is not None:
            self._session.keep(None)
            self._idle.stop()
            if workspace.keeping.path is not None:
                workspace.set("view", document(self._session.view))
            workspace.close()

    def _new(self, opening: Any) -> Any:
        store, patient = load("reviewer.store"), opening.case.patient
        about = {"patient": {"name": patient.name, "id": patient.id}, "version": __version__}
        return store.Workspace.new(lambda: store.automatic_place(patient), opening.sources, about)

    def _look_for_earlier(self, opening: Any) -> None:
        """Workspaces of the same files are offered; which is a matter of a strip, not of a question in the way."""
        names = {source.name for source in opening.sources}
        folders = {Path(source.path).parent for source in opening.sources}
        folders |= {folder.parent for folder in folders}

        def done(found: Any) -> None:
            if found and opening is self._opening and self.workspace is not None and not self.workspace.entries:
                moment = load("reviewer.store").moment
                self.offer.make(
                    f"These files were edited before, last on {moment(found[0].at)}.",
                    [
                        (
                            f"Continue the edits of {moment(f.at)} ({f.edits} edit{'s' if f.edits != 1 else ''})",
                            str(f.path),
                            lambda path=f.path: self._open_paths([path]),
                        )
                        for f in found
                    ],
                )

        self._jobs.run(
            "Looking for earlier edits",
            lambda progress: load("reviewer.store").matching(names, folders),
            done,
            key="earlier",
        )

    def _check_sources(self) -> None:
        """Compute the SHA-256 of the files beside the window, once the images are there."""
        workspace = self.workspace
        if self._checked or workspace is None or workspace.keeping.path is None:
            return
        if any(not image.complete for image in self._session.case.images):
            return
        self._checked = True
        sources, folder = workspace.sources, workspace.keeping.path.parent

        def work(progress: Progress) -> Any:
            return load("reviewer.store").digests(sources, folder, progress.report, progress.cancelled)

        def done(found: Any) -> None:
            if workspace is self.workspace:
                problems = workspace.sources_read(found)
                self._session.found(problems)
                for problem in problems:
                    self._strip.tell(f"{problem.file}: {problem.message}")

        self._jobs.run("Checking the files", work, done, key="sources")

    # -- saving ---------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        workspace = self.workspace
        if workspace is None:
            return
        if workspace.keeping.path is not None:
            workspace.set("view", document(self._session.view))
            workspace.checkpoint()
        self._tell_refusal(again=True)
        keeping = workspace.keeping
        if keeping.path is None:
            self._say("Nothing has been edited yet: the first edit begins a workspace by itself")
        elif not keeping.refusal:
            where = f"{keeping.path}" + (
                " (made by itself: Save as… puts it where you want)" if workspace.automatic else ""
            )
            self._say(f"Everything is in {where}")
        self._show()

    def save_as(self, path: Path) -> None:
        """Everything, also what could not be written before, goes into another file, and so do all further edits."""
        workspace = self.workspace
        if workspace is None:
            return
        workspace.set("view", document(self._session.view))
        try:
            workspace.save_as(path)
        except ReviewerError as error:
            self._strip.tell(str(error))
        else:
            self._say(f"Saved as {workspace.keeping.path}; every further edit goes there")
            self._refusal = ""
            self._tell_place()
        self._show()

    def _ask_save_as(self) -> None:
        workspace = self.workspace
        if workspace is None:
            return
        now = workspace.keeping.path
        folder = Path(self._opening.sources[0].path).parent if self._opening.sources else Path.home()
        start = now if now is not None and not workspace.automatic else folder / (now.name if now else "case.reviewer")
        file, _ = QFileDialog.getSaveFileName(self._window, "Save the workspace as", str(start), FILTER)
        if file:
            self.save_as(Path(file))

    def _ask_open(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self._window, "Open a workspace", str(Path.home()), FILTER)
        if file:
            self._open_paths([Path(file)])

    def _clicked(self) -> None:
        self._ask_save_as() if self._refusal else self.save()

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _heard(self, changes: Changes) -> None:
        if changes.any(JournalChanged):
            if self.workspace is not None and self.workspace.edits and not self.offer.isHidden():
                self.offer.withdraw()
                self._say("Begun anew: the edits of before are kept, and offered again when these files are opened")
            self._tell_refusal()
            self._tell_place()
            self._show()
            self._idle.start()
        if changes.opened or changes.any(JournalChanged, VoxelsArrived):
            self._check_sources()

    def _rest(self) -> None:
        workspace = self.workspace
        if workspace is not None and workspace.keeping.path is not None and not workspace.keeping.refusal:
            workspace.set("view", document(self._session.view))
            workspace.checkpoint()

    def _tell_place(self) -> None:
        """Once for each file."""
        place = self.workspace.keeping.path if self.workspace is not None else None
        if place is not None and place != self._place:
            self.placed.emit(place, self._place)
        self._place = place

    def _tell_refusal(self, again: bool = False) -> None:
        """At once, and where it must be read; once for every reason."""
        keeping = self.workspace.keeping if self.workspace is not None else None
        refusal = keeping.refusal if keeping is not None and keeping.unsaved else ""
        if refusal and (again or refusal != self._refusal):
            self._strip.tell(
                f"NOT SAVED: {refusal}. Editing goes on in memory and is lost when the program ends: "
                "save elsewhere with Save as… (Ctrl+Shift+S)"
            )
        self._refusal = refusal

    def _show(self) -> None:
        keeping = self.workspace.keeping if self.workspace is not None else None
        self.state.setVisible(keeping is not None)
        if keeping is None:
            return
        text, picture, tip = saved_state(keeping, self.workspace.edits)
        self.state.setText(f" {text}")
        self.state.setIcon(icon(picture))
        self.state.setToolTip(tip)
        style = f"QToolButton {{ color: {theme().bad}; font-weight: 600; }}" if picture == "error" else ""
        if style != self.state.styleSheet():  # to set it is slow, and this is done after every stroke
            self.state.setStyleSheet(style)

    def _no_case(self) -> str:
        return "" if self.workspace is not None else NOTHING_OPEN


def saved_state(keeping: Any, edits: int) -> tuple[str, str, str]:
    """Words, icon and tooltip for the status strip. keeping: `reviewer.store.Keeping`."""
    count = f"{keeping.unsaved} edit{'s' if keeping.unsaved != 1 else ''}"
    if keeping.refusal and keeping.unsaved:
        return (
            f"NOT SAVED: {keeping.refusal} (save elsewhere…)",
            "error",
            f"{count} in memory only. Click to save the workspace elsewhere.",
        )
    if keeping.refusal:
        return keeping.refusal, "lock", "Edits would stay in memory: save the workspace elsewhere to keep them."
    if keeping.path is None:
        return (
            "journal on",
            "note",
            "The first edit begins a workspace; from then on every edit is on the disk at once.",
        )
    clock = load("reviewer.store").clock
    at = f"saved {clock(keeping.saved)} · " if keeping.saved else ""
    return f"{at}journal on", "check", f"{keeping.path}\n{edits} edits; every one is on the disk as it is made."


class OfferStrip(Strip):
    """One offer at a time, with others of its kind in a menu, which is taken by a button, or goes away by another or with the first edit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._does: Callable[[], None] = lambda: None
        self.text = QLabel()
        self.text.setObjectName("offer.text")
        self.take_button = QPushButton()
        self.take_button.setObjectName("offer.take")
        self.take_button.setProperty("role", "primary")
        self.take_button.clicked.connect(lambda: self._take(self._does))
        self.others_button = QPushButton()
        self.others_button.setObjectName("offer.others")
        self.others_button.setMenu(QMenu(self.others_button))
        self.others_button.menu().setToolTipsVisible(True)
        self.leave_button = QPushButton("Begin anew")
        self.leave_button.setObjectName("offer.leave")
        self.leave_button.setToolTip("What was edited before stays where it is")
        self.leave_button.clicked.connect(self.withdraw)
        row = QHBoxLayout(self)
        row.setContentsMargins(RHYTHM, RHYTHM // 2, RHYTHM, RHYTHM // 2)
        row.setSpacing(RHYTHM)
        row.addWidget(self.text)
        row.addWidget(self.take_button)
        row.addWidget(self.others_button)
        row.addWidget(self.leave_button)
        row.addStretch(1)
        theme_changed.connect(self._draw)
        self._draw()
        self.hide()

    def make(self, text: str, offers: Sequence[tuple[str, str, Callable[[], None]]]) -> None:
        """offers: what each does in words, its tooltip, and what does it; the first has a button of its own."""
        (button, tip, self._does), *others = offers
        self.text.setText(text)
        self.take_button.setText(button)
        self.take_button.setToolTip(tip)
        menu = self.others_button.menu()
        menu.clear()
        for words, where, does in others:
            action = menu.addAction(words)
            action.setToolTip(where)
            action.triggered.connect(lambda _=False, does=does: self._take(does))
        self.others_button.setText(f"{len(others)} earlier")
        self.others_button.setVisible(bool(others))
        self.show()

    def withdraw(self) -> None:
        self._does = lambda: None
        self.go()

    def _take(self, does: Callable[[], None]) -> None:
        self.withdraw()
        does()

    def _draw(self) -> None:
        self.setStyleSheet(f"QWidget#offer {{ background: {theme().panel}; border-left: 4px solid {theme().accent}; }}")
