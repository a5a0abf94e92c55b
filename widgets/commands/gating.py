"""`GatingPlace`: the page of Gating mode, made when it is first asked for, and its commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from reviewer.session import Session

from ..actions import NOTHING_OPEN, Actions, Command
from ..jobs import Jobs
from ..loading import load

if TYPE_CHECKING:  # loaded late: it needs numba and pyqtgraph
    from reviewer.gating.trace import Trace

    from ..panels.gating import GatingPanel

ELSEWHERE = "it belongs to Gating mode"

ENGINE = ("reviewer.gating.target", "reviewer.gating.trace", "reviewer.gating.document", "reviewer.backends.host")
"""What the page needs and takes long to load: it is loaded beside the window."""


class GatingPlace(QWidget):
    def __init__(
        self, session: Session, jobs: Jobs, actions: Actions, tell: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("gating.place")
        self._session, self._jobs, self._actions, self._tell = session, jobs, actions, tell
        self.panel: GatingPanel | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def refusal(self) -> str:
        """Why the mode cannot be entered."""
        case = self._session.case
        if not (case.images or case.cines):
            return NOTHING_OPEN
        return "" if case.cines else "this case has no cine"

    def enter(self) -> None:
        if self.panel is None:
            self._jobs.run(
                "Loading Gating mode", lambda _: [load(name) for name in ENGINE], self._show, key="gating.load"
            )
        else:
            self.panel.start()

    def _show(self, _: object) -> None:
        if self.panel is None:
            gating = load("..panels.gating", __package__)
            self.panel = gating.GatingPanel(self._session, self._jobs, self._actions, self._tell)
            self._column.addWidget(self.panel)
        if not self._no_page():
            self.panel.start()
        self._actions.refresh()

    def leave(self) -> None:
        if self.panel is not None:
            self.panel.leave()

    def traces(self) -> Sequence[Trace]:
        """What was tracked, as far as it holds for the case as it is now."""
        return self.panel.traces if self.panel is not None and self.panel.stands_for(self._session.case) else ()

    def commands(self) -> Iterator[Command]:
        for name, text, keys, tip, does in (
            ("play", "Play", "Ctrl+Space", "Play the cine, or pause", lambda p: p.player.toggle()),
            ("previous", "Previous frame", "Ctrl+Left", "", lambda p: p.player.step(-1)),
            ("next", "Next frame", "Ctrl+Right", "", lambda p: p.player.step(1)),
            ("slower", "Play slower", "Alt+Left", "", lambda p: p.player.faster(-1)),
            ("faster", "Play faster", "Alt+Right", "", lambda p: p.player.faster(1)),
        ):
            yield Command(
                f"gating.{name}", text, "Gating", lambda does=does: self._with(does), keys, tip, refusal=self._no_page
            )  # type: ignore[misc]
        yield Command(
            "gating.track",
            "Track the target",
            "Gating",
            lambda: self._with(lambda p: p.track()),
            "Ctrl+Return",
            "Follow the target through the cine with the chosen backends",
            refusal=self._no_target,
        )
        yield Command(
            "gating.export",
            "Export the trace…",
            "Gating",
            lambda: self._with(lambda p: p.export()),
            "Ctrl+Shift+E",
            "Of all backends that have answered, as CSV (a line a frame) or JSON (all of it); never over a file that is there",
            refusal=self._no_trace,
        )

    def _with(self, does: Callable[[GatingPanel], object]) -> None:
        if self.panel is not None:
            does(self.panel)

    def _no_page(self) -> str:
        return "" if self.panel is not None and self._session.view.mode == "gating" else ELSEWHERE

    def _no_target(self) -> str:
        return self._no_page() or (self.panel.refusal() if self.panel is not None else "")

    def _no_trace(self) -> str:
        return self._no_page() or ("" if self.panel is not None and self.panel.traces else "nothing has been tracked")
