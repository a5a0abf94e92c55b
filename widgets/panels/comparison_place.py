"""`ComparisonPlace`: the views, and below them the comparison of contours while it is open."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command
from ..binding import Changes, follow
from ..jobs import Jobs
from ..loading import load

HEIGHT = 292


class ComparisonPlace(QSplitter):
    """The panel is made when it is asked for and goes when it is closed; nothing of it stays in the scene."""

    def __init__(self, views: QWidget, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setObjectName("views.place")
        self.setHandleWidth(3)
        self.setChildrenCollapsible(False)
        self.addWidget(views)
        self._session, self._jobs = session, jobs
        self.panel: QWidget | None = None
        follow(self, session, self._heard)

    def command(self) -> Command:
        return Command(
            "structure.compare",
            "Compare contours…",
            "Structures",
            self.toggle,
            "Ctrl+Shift+C",
            "Two sets of contours, or two structures: Dice, distances and differences, in all and slice by slice",
            refusal=self._refusal,
            checked=lambda: self.panel is not None,
        )

    def toggle(self) -> None:
        if self.panel is not None:
            self.close_panel()
            return
        panel = load(".panels.comparison", "reviewer_widgets").ComparisonPanel(self._session, self._jobs)
        panel.close_wanted.connect(self.close_panel)
        self.addWidget(panel)
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        height = min(HEIGHT, self.height() // 2)
        self.setSizes([self.height() - height, height])
        self.panel = panel
        panel.start()

    def close_panel(self) -> None:
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.leave()  # type: ignore[attr-defined]
            panel.setParent(None)
            panel.deleteLater()
            self._session.look(highlighted=None)  # every command is asked anew whether it is switched on

    def _heard(self, changes: Changes) -> None:
        if changes.opened:
            self.close_panel()

    def _refusal(self) -> str:
        if not self._session.view.base:
            return NOTHING_OPEN
        if sum(not s.empty for s in self._session.case.structures) < 2:
            return "there are fewer than two structures with contours"
        return ""
