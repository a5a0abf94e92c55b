"""`SinceOpened`: what has become of the active structure since the case was opened, in one line."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QWidget

from reviewer.case import Structure
from reviewer.session import Session

from ..binding import Changes, follow
from ..drawing import Drawing
from ..jobs import Jobs, Progress
from ..loading import load

PATIENCE_MS = 250
"""After an edit: volumes and DVHs come first."""

TIP = (
    "The active structure against itself as the case was opened: change of the volume, Dice of the solids, "
    "95th percentile of the surface distance"
)


class SinceOpened(QLabel):
    """Worked out in a job after each edit; nothing is said of what has not changed."""

    def __init__(self, session: Session, jobs: Jobs, drawing: Drawing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tools.since")
        self.setProperty("role", "muted")
        self.setWordWrap(True)
        self.setToolTip(TIP)
        self._session, self._jobs, self._drawing = session, jobs, drawing
        self._opened: dict[str, Structure] = {}
        self._compared: tuple[Structure, Structure] | None = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._compare)
        follow(self, session, self._refresh)
        self._keep()
        self._show()

    def _keep(self) -> None:
        self._opened = {s.id: s for s in self._session.case.structures}

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self._keep()
        if changes.edited or changes.view("active", "structure_set", "mode"):
            self._show()

    def _show(self) -> None:
        now = self._drawing.active
        before = self._opened.get(now.id) if now is not None else None
        if now is None or self._session.view.mode != "contour" or (before is not None and before.same_shape(now)):
            self._say("")
            return
        if before is None or before.empty:
            self._say(f"new since opened: {_count(now)}" if not now.empty else "")
            return
        if now.empty:
            self._say("since opened: emptied")
            return
        if self._compared is not None and self._compared[0] is before and self._compared[1].same_shape(now):
            return
        self._jobs.cancel("since opened")
        self.setText("since opened: …")
        self.setVisible(True)
        self._patience.start()

    def _compare(self) -> None:
        now = self._drawing.active
        before = self._opened.get(now.id) if now is not None else None
        if now is None or before is None:
            return

        def work(_: Progress) -> Any:
            return load("reviewer.comparison").compare(before, now)

        def done(found: Any) -> None:
            self._compared = before, now
            shift = found.volume_cc[1] - found.volume_cc[0]
            hd95 = "" if found.hd95_mm is None else f" · HD95 {found.hd95_mm:.1f} mm"
            self._say(f"since opened: {shift:+.1f} cc · Dice {found.dice:.3f}{hd95}", keep=True)

        def failed(error: Exception) -> None:
            self._say(f"since opened: not compared ({error})")

        self._jobs.run(f"Comparing {now.name}", work, done, failed, key="since opened")

    def _say(self, text: str, keep: bool = False) -> None:
        if not keep:
            self._compared = None
            self._patience.stop()
            self._jobs.cancel("since opened")
        self.setText(text)
        self.setVisible(bool(text))


def _count(structure: Structure) -> str:
    n = len(structure.planes)
    return f"contours on {n} slice{'s' if n > 1 else ''}"
