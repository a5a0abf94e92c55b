"""`Banner`: whose case this is, which plan, and the modes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from reviewer.changes import ApprovalChanged
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, follow
from ..theme import RHYTHM, icon, theme, theme_changed
from ..wording import approval, fractions, patient_facts, patient_name, plan_in_view
from .layers import tool_button

TOOLS = ("tool.point", "tool.window", "tool.distance")
MODES = ("review", "contour", "day", "gating", "practice")


class Elided(QLabel):
    """A label that ends in … where the room is too small, after a whole part where parts are set off by " · ", and then tells the whole in its
    tooltip. keeps: pixels that it does not give way."""

    def __init__(self, name: str, keeps: int = 24) -> None:
        super().__init__()
        self.setObjectName(name)
        self._whole, self._keeps = "", keeps
        self._briefer: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def say(self, text: str, *briefer: str) -> None:
        """briefer: what is said instead, the first of them that has room; only the last is cut."""
        self._whole, self._briefer = text, briefer
        self._fit()
        self.updateGeometry()

    def whole(self) -> str:
        return self._whole

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self._keeps, self.sizeHint().width()), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = self._shortened(max(1, self.width()))
        self.setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")

    def _shortened(self, width: int) -> str:
        metrics = self.fontMetrics()
        texts = self._whole, *self._briefer
        text = next((t for t in texts if metrics.horizontalAdvance(t) <= width), texts[-1])
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
        parts = self._whole.split(" · ")
        if shown == text or len(parts) < 3:
            return shown
        for count in range(len(parts) - 1, 1, -1):
            shorter = " · ".join([*parts[:count], "…"])
            if metrics.horizontalAdvance(shorter) <= width:
                return shorter
        return shown


class Banner(QWidget):
    """One line across the window."""

    def __init__(
        self, session: Session, actions: Actions, menu_button: QToolButton, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("banner")
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(5 * RHYTHM)
        self.logo = QLabel()
        self.logo.setObjectName("banner.logo")
        self.logo.setToolTip("Reviewer: not a medical device")
        self.name = Elided("banner.name", 180)
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        self.name.setFont(bold)
        self.facts = Elided("banner.facts")
        self.facts.setProperty("role", "muted")
        self.plan = Elided("banner.plan")
        self.approval = Elided("banner.approval", 180)
        self.doubt = Elided("banner.doubt", 180)
        row = QHBoxLayout(self)
        row.setContentsMargins(RHYTHM // 2, 0, RHYTHM, 0)
        row.setSpacing(RHYTHM)
        row.addWidget(menu_button)
        row.addWidget(self.logo)
        row.addWidget(self.name)
        row.addWidget(self.facts)
        self._line = _line()
        row.addWidget(self._line)
        row.addWidget(self.plan)
        row.addWidget(self.approval)
        row.addWidget(self.doubt)
        row.addStretch(1)
        row.addWidget(_line())
        tools = QHBoxLayout()
        tools.setSpacing(RHYTHM // 4)
        for tool in TOOLS:
            tools.addWidget(tool_button(actions, tool))
        row.addLayout(tools)
        row.addWidget(_line())
        modes = QHBoxLayout()
        modes.setSpacing(0)
        for mode in MODES:
            button = QToolButton()
            button.setObjectName(f"mode.{mode}")
            button.setDefaultAction(actions[f"mode.{mode}"])
            button.setProperty("role", "mode")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            modes.addWidget(button)
        row.addLayout(modes)
        row.addWidget(_line())
        for name in ("view.theme", "help.keys"):
            row.addWidget(tool_button(actions, name, "bare"))
        follow(self, session, self._refresh)
        theme_changed.connect(self._draw)
        self._draw()
        self.warn(())
        self._show()

    def _draw(self) -> None:
        self.logo.setPixmap(icon("logo", 24).pixmap(24, 24))
        self.doubt.setStyleSheet(f"color: {theme().bad}; font-weight: 600;")
        self._show_approval()

    def _refresh(self, changes: Changes) -> None:
        if changes.view("dose", "structure_set") or changes.any(ApprovalChanged):
            self._show()

    def warn(self, doubts: Sequence[str]) -> None:
        """What was changed from outside stays in sight for as long as the case is open."""
        self.doubt.say("⚠ changed from outside" if doubts else "")
        self.doubt.setVisible(bool(doubts))
        self.doubt.setToolTip("\n".join(doubts))

    def _show_approval(self) -> None:
        group = self._session.structure_set
        signed = group is not None and group.signed
        self.approval.setVisible(signed)
        if group is not None and signed:
            symbol, colour = ("✓", theme().good) if group.approval == "APPROVED" else ("✗", theme().bad)
            self.approval.say(f"{symbol} {group.approval.lower()} by {group.reviewer}, {group.reviewed[11:16]}")
            self.approval.setToolTip(
                f"{group.label}: {group.approval.lower()} by {group.reviewer}, {group.reviewed}.\nIts contours are locked until it is opened again."
            )
            self.approval.setStyleSheet(f"color: {colour}; font-weight: 600;")

    def _show(self) -> None:
        self._show_approval()
        case = self._session.case
        is_open = bool(case.images or case.doses or case.structure_sets or case.plans or case.cines)
        self.name.say(patient_name(case.patient) if is_open else "Reviewer")
        self.facts.say(patient_facts(case.patient) if is_open else "no case open")
        view = self._session.view
        plan = plan_in_view(case, view.dose)
        self._line.setVisible(plan is not None)
        if plan is None:
            self.plan.say("")
            return
        group = case.structure_set(view.structure_set)
        which = fractions(plan, group)
        # What the RTPLAN says of itself would contradict the signature beside it.
        said = approval(plan.approval) if group is None or not group.signed else ""
        parts = [p for p in (f"Plan {plan.label}", said, plan.date, which) if p]
        briefer = ["   ".join(parts[:count]) for count in range(len(parts) - 1, 1, -1)]
        # The approval is read whole in the narrowest window.
        self.plan.say("   ".join(parts), *briefer, f"{said}   {plan.label}".strip())


def _line() -> QFrame:
    line = QFrame()
    line.setProperty("role", "line")
    line.setFixedSize(1, 2 * RHYTHM)
    return line
