"""`SinceOpened`: what has become of the active structure since the case was opened, in one line."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from reviewer.case import Case, Structure
from reviewer.geometry.memo import Memo
from reviewer.geometry.region import Region
from reviewer.geometry.stack import small
from reviewer.session import Session

from ..binding import Changes, follow
from ..commands.drawing import Drawing
from ..jobs import Progress
from ..loading import load
from ..numbers import Numbers, Want

TIP = (
    "The active structure against itself as the case was opened: change of the volume, Dice of the solids, "
    "95th percentile of the surface distance"
)


LINES = 2

KEPT = 1000
"""How many states of structures are known again, after an undo."""


class SinceOpened(QWidget):
    """Worked out in a job after each edit.

    It keeps the room of two lines, whatever it says: the tools below stay where they are from before the first stroke on, and other words do
    not lay the whole column out anew.
    """

    def __init__(self, session: Session, numbers: Numbers, drawing: Drawing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._said = QLabel(self)
        self._said.setObjectName("tools.since")
        self._said.setProperty("role", "muted")
        self._said.setWordWrap(True)
        self._said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._said.setToolTip(TIP)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._session, self._numbers, self._drawing = session, numbers, drawing
        self._opened: dict[str, Structure] = {}
        numbers.follow(self._wanted)
        numbers.told.connect(self._show)
        follow(self, session, self._refresh)
        self._keep()
        self._show()

    def _keep(self) -> None:
        self._opened = {s.id: s for s in self._session.case.structures}
        self._known: Memo[str] = Memo(KEPT)

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self._keep()
        if changes.view("active", "structure_set", "mode"):
            self._numbers.ask()
            self._show()

    def _text(self, now: Structure | None) -> str | None:
        """What is said of the active structure; None while it is not known."""
        before = self._opened.get(now.id) if now is not None else None
        if now is None or self._session.view.mode != "contour":
            return ""
        if before is None or before.empty:
            return f"new: {_count(now)}" if not now.empty else "nothing is drawn yet"
        if before.same_shape(now):
            return "unchanged since opened"
        if now.empty:
            return "since opened: emptied"
        return self._known.get(*_key(before, now))

    def _wanted(self, case: Case) -> Iterator[Want]:
        active = self._drawing.active
        now = case.structure(active.id) if active is not None else None
        if now is None or self._text(now) is not None:
            return
        before = self._opened[now.id]

        def work(_: Progress) -> Any:
            return load("reviewer.comparison").change(before, now)

        def say(text: str) -> None:
            regions, rest = _key(before, now)
            self._known.put(regions, text, rest=rest)

        def done(found: Any) -> None:
            shift = found.volume_cc[1] - found.volume_cc[0]
            hd95 = "" if found.hd95_mm is None else f" · HD95 {found.hd95_mm:.1f} mm"
            say(f"since opened: {shift:+.1f} cc · Dice {found.dice:.3f}{hd95}")

        def failed(error: Exception) -> None:
            say(f"since opened: not compared ({error})")

        yield Want(
            ("since opened", before, now), f"Comparing {now.name}", work, done, failed, long=True, large=not small(now)
        )

    def _show(self) -> None:
        text = self._text(self._drawing.active)
        text = "since opened: …" if text is None else text
        self._said.setText(text)
        self.setVisible(bool(text))

    def sizeHint(self) -> QSize:
        return QSize(0, LINES * self._said.fontMetrics().lineSpacing())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._said.setGeometry(self.rect())


def _key(before: Structure, now: Structure) -> tuple[tuple[Region, ...], Hashable]:
    """What a comparison depends on: the regions of both, and where they lie."""
    return (*before.planes.values(), *now.planes.values()), (now.id, tuple(before.planes), tuple(now.planes))


def _count(structure: Structure) -> str:
    n = len(structure.planes)
    return f"contours on {n} slice{'s' if n > 1 else ''}"
