"""`StatusStrip`: reading, problems, registration, value under the cursor."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget

from reviewer.case import Case, Problem
from reviewer.changes import ProblemsFound
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Jobs
from ..theme import RHYTHM, icon, theme_changed
from ..wording import image_title, tie
from .banner import Elided

SEVERITIES = ("error", "warning", "note")

PATIENCE_MS = 250
"""Work that is done sooner is not announced."""


class StatusStrip(QWidget):
    """One line at the bottom of the window."""

    problems_wanted = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self.setObjectName("status")
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(28)

        self.problems = QToolButton()
        self.problems.setObjectName("status.problems")
        self.problems.setProperty("role", "flat")
        self.problems.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.problems.clicked.connect(self.problems_wanted)
        self.job = QLabel()
        self.job.setObjectName("status.job")
        self.bar = QProgressBar()
        self.bar.setObjectName("status.progress")
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(120)
        self.cancel = QToolButton()
        self.cancel.setObjectName("status.cancel")
        self.cancel.setText("Cancel")
        self.cancel.setFixedHeight(22)
        self.cancel.clicked.connect(self._cancel)
        self.said = Elided("status.said")
        self.registration = Elided("status.registration")
        self.registration.setProperty("role", "muted")
        self.names = Elided("status.names", 0)
        self.names.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.names.setMaximumWidth(0)
        self.value = QLabel()
        self.value.setObjectName("status.value")

        row = QHBoxLayout(self)
        row.setContentsMargins(RHYTHM, 0, RHYTHM, 0)
        row.setSpacing(RHYTHM)
        for widget in (self.problems, self.job, self.bar, self.cancel, self.said):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.registration)
        row.addWidget(self.names, 1000)  # of what the others leave, all that it takes; the gap has the rest
        row.addWidget(self.value)
        self._row = row

        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._show_job)
        self._silence = QTimer(self)
        self._silence.setSingleShot(True)
        self._silence.setInterval(8000)
        self._hint = ""
        self._silence.timeout.connect(lambda: self.said.say(self._hint))
        jobs.changed.connect(self._jobs_changed)
        follow(self, session, self._refresh)
        theme_changed.connect(self._draw)
        self._show_job()
        self._show()

    def put(self, widget: QWidget) -> None:
        """Something that always stands here, to the right."""
        self._row.insertWidget(self._row.indexOf(self.registration), widget)

    def say(self, sentence: str) -> None:
        """A passing remark that nobody has to read."""
        self.said.say(sentence)
        self._silence.start()

    def hint(self, sentence: str) -> None:
        """What the hand can do now: stands where remarks pass. A new one takes the place of the remark: the hand has gone on."""
        if sentence != self._hint:
            self._hint = sentence
            self._silence.stop()
            self.said.say(sentence)

    def point(self, names: str, value: str) -> None:
        """What is under the cursor; the names of structures give way to what the hand can do."""
        if names != self.names.whole():
            self.names.say(names)
            self.names.setMaximumWidth(self.names.sizeHint().width())
        self.value.setText(value)

    # -- jobs -----------------------------------------------------------------------------------------------------------

    def _jobs_changed(self) -> None:
        if not self.bar.isHidden() or not self._jobs.running:
            self._show_job()
        elif not self._patience.isActive():
            self._patience.start()

    def _show_job(self) -> None:
        running = self._jobs.running
        for widget in (self.job, self.bar, self.cancel):
            widget.setVisible(bool(running))
        if running:
            job = running[0]
            others = f"   (+{len(running) - 1})" if len(running) > 1 else ""
            self.job.setText(
                f"{job.label}: {job.progress.text}{others}" if job.progress.text else f"{job.label}{others}"
            )
            self.cancel.setToolTip(f"Stop: {job.label}")
            known = job.progress.fraction > 0
            self.bar.setRange(0, 1000 if known else 0)
            self.bar.setValue(round(1000 * job.progress.fraction))

    def _draw(self) -> None:
        """The symbol of the worst problem."""
        found = {p.severity for p in self._session.case.problems}
        self.problems.setIcon(icon(next((s for s in SEVERITIES if s in found), "note")))

    def _cancel(self) -> None:
        for job in self._jobs.running[:1]:
            job.cancel()
        self._show_job()

    # -- the case -------------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.any(ProblemsFound) or changes.view("base", "overlay", "overlay_on", "dose", "structure_set"):
            self._show()

    def _show(self) -> None:
        problems = self._session.case.problems
        self.problems.setVisible(bool(problems))
        self.problems.setText(f" {problem_count(problems)}")
        self._draw()
        self.problems.setToolTip("What was found while reading the files")
        self.registration.say(registration_state(self._session))


def problem_count(problems: tuple[Problem, ...]) -> str:
    """For example "2 errors, 1 warning while reading (show)"."""
    counts = [(sum(p.severity == s for p in problems), s) for s in SEVERITIES]
    words = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for n, s in counts if n)
    return f"{words} while reading (show)"


def registration_state(session: Session) -> str:
    """By what overlay, dose and structures are tied to the base image; nothing where all lie in its own frame."""
    case, view, scene = session.case, session.view, session.scene
    base = case.image(view.base)
    if base is None:
        return ""
    refusals = [r for r in (scene.overlay_refusal, scene.dose_refusal, scene.contour_refusal) if r]
    if refusals:
        return "⚠ " + "; ".join(refusals)
    frame = base.grid.frame_of_reference_uid
    tied = []
    if scene.overlay is not None:
        tied.append((image_title(scene.overlay.image), scene.overlay.image.grid.frame_of_reference_uid))
    if scene.dose is not None:
        tied.append(("dose", scene.dose.dose.grid.frame_of_reference_uid))
    if scene.drawn:
        tied.append(("structures", scene.drawn[0].structure.grid.frame_of_reference_uid))
    return "   ".join(_tied(case, name, image_title(base), other, frame) for name, other in tied if other != frame)


def _tied(case: Case, name: str, base: str, other: str, frame: str) -> str:
    return f"{name} → {base} {tie(case, other, frame)}"
