"""`PaintedSlice`: a widget that shows one plane of `session.scene` and paints anew what differs. `SliceView` puts hands on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from reviewer.scene import Orientation
from reviewer.session import Session

from ..theme import theme
from . import late
from .facts import Placed
from .framing import Framing
from .painting import Painting, Plan, Touched
from .repaint import Mark, merged
from .viewport import Pair, Viewport


class PaintedSlice(QWidget):
    """A painted slice of the case in one orientation."""

    def __init__(self, session: Session, orientation: Orientation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setObjectName(f"{orientation}_view")
        self.setAccessibleName(f"{orientation} slice")
        self._session = session
        self._orientation: Orientation = orientation
        self._framing = Framing(session, orientation)
        self._painting = Painting(session, self._framing)
        self._seeing = False
        self._plan: tuple[Any, Plan] | None = None
        self._asked: Plan | None = None
        self._late = QTimer(self)
        self._late.setInterval(30)
        self._late.timeout.connect(self._see_whether_loaded)

    @property
    def orientation(self) -> Orientation:
        return self._orientation

    @property
    def viewport_now(self) -> Viewport | None:
        """Where things are at this moment; None without an image."""
        return self._framing.viewport(self._size, self.devicePixelRatioF())

    def settle(self) -> None:
        """Come back when the next paint will be complete, cuts and oblique overlays included (screenshots, tests)."""
        self._painting.settle()
        self._plan = None
        self.see()

    @property
    def complete(self) -> bool:
        """Whether the next paint will be complete, as far as the last one knew what it takes."""
        return late.ready() and not late.building()

    @property
    def facts(self) -> tuple[Placed, ...]:
        """The words of the last paint, and where they stand."""
        return tuple(self._painting.words.placed)

    def sizeHint(self) -> QSize:
        return QSize(480, 400)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 100)

    @property
    def _size(self) -> Pair:
        return float(max(self.width(), 1)), float(max(self.height(), 1))

    # -- what a hand adds, for who puts one on it -----------------------------------------------------------------------

    @property
    def _touched(self) -> Touched:
        return Touched(None, None, (), False, self.hasFocus())

    def _hand_marks(self, port: Viewport) -> tuple[Mark, ...]:
        """What the hand draws with, above all else."""
        return ()

    # -- painting -------------------------------------------------------------------------------------------------------

    def see(self) -> None:
        """Paint anew, before long, where what is to be seen differs from what is."""
        if not self._seeing:
            self._seeing = True
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.User))

    def customEvent(self, event: QEvent) -> None:
        self._seeing = False
        if not self.isVisible():
            self._asked = None
            return
        self._plan = None
        if self._asked is None:
            self.update()
        finished = late.finished()
        self._ask(self._planned())
        self._come_again(finished)

    def _ask(self, plan: Plan) -> None:
        """Have painted what differs from what has been asked for before."""
        if self._asked is not None and plan is not self._asked:
            for box in plan.unlike(self._asked):
                self.update(box)
        self._asked = plan

    def _planned(self) -> Plan:
        """What is to be seen now; the plan before, as long as nothing has been heard of."""
        port = self.viewport_now
        key = self._painting.heard, port, self._touched, self.complete, late.finished(), theme().name
        if self._plan is None or self._plan[0] != key or self._seeing:
            plan = self._painting.plan(port, self.rect(), self._touched)
            if port is not None:
                plan = replace(plan, hand=self._hand_marks(port))
            self._plan = key, plan
        return self._plan[1]

    def paintEvent(self, event: QPaintEvent) -> None:
        finished = late.finished()
        painter = QPainter(self)
        try:
            plan, touched = self._planned(), self._touched
            self._painting.paint(painter, plan, self.viewport_now, merged([*event.region()]), touched.cursor)
        finally:
            painter.end()
        self._ask(plan)  # something may differ that nobody has told of, or that was seen in a picture of the view only
        self._come_again(finished)

    def _come_again(self, finished: int) -> None:
        """A plan begun when so many solids were finished may lack some: it is made anew when they are there."""
        if (not self.complete or late.finished() != finished) and not self._late.isActive():
            self._late.start()

    def _see_whether_loaded(self) -> None:
        if self.complete:
            self._late.stop()
            self.see()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._asked = None  # all of it is painted anyway
