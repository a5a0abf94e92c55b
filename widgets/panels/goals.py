"""`GoalsPanel`: a goal sheet put to one plan or to several, goal by goal. Loaded when it is first shown."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QMouseEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from reviewer.case import Case
from reviewer.changes import ApprovalChanged
from reviewer.columns import Column
from reviewer.errors import NotRegisteredError
from reviewer.session import Session, structure_set_of

from ..actions import Actions
from ..binding import Changes, follow
from ..commands.plans import show_column
from ..jobs import Jobs
from ..theme import RHYTHM, theme, theme_changed
from ..wording import dose_title, said, structure_set_title
from .goals_list import Goals, GoalsHead, Head, Line
from .goals_work import GoalWork, Outcome
from .layers import ElidedCombo, tool_button
from .said import Said

MENU = (
    ("goals.planned", "goals.bands", "goals.match", "goals.edit"),
    ("dose.prescription", "dose.sum", "dose.effect", "dose.remove"),
    ("plans.beside", "plans.switch", "dose.both"),
    ("dose.map.gy", "dose.map.percent", "dose.map.gamma", "dose.gamma"),
    ("plans.decision",),
)


class GoalsPanel(QWidget):
    """decision_wanted: the sentence about the day was clicked."""

    decision_wanted = Signal()

    def __init__(
        self, session: Session, jobs: Jobs, actions: Actions, work: GoalWork, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("goalsPanel")
        self._session, self._actions = session, actions
        self.work = work

        self.sheet = ElidedCombo()
        self.sheet.setObjectName("goals.sheet")
        self.sheet.activated.connect(self._choose)
        self.menu_button = QToolButton()
        self.menu_button.setObjectName("goals.menu")
        self.menu_button.setProperty("role", "small")
        self.menu_button.setText("⋯")
        self.menu_button.setFixedSize(24, 22)
        self.menu_button.setToolTip("Columns, matching, own sheets, doses, maps")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.menu_button)
        self.columns_menu = menu.addMenu("Plans to compare")
        self.columns_menu.setObjectName("goals.columns")
        self.columns_menu.aboutToShow.connect(self._fill_columns)
        for group in MENU:
            for name in group:
                menu.addAction(actions[name])
            menu.addSeparator()
        self.menu_button.setMenu(menu)
        self.tools = (tool_button(actions, "plans.day"), self.menu_button)

        self.basis = QLabel()
        self.basis.setObjectName("goals.basis")
        self.basis.setProperty("role", "muted")
        self.basis.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.head = GoalsHead()
        self.head.clicked.connect(self._show_column)
        self.list = Goals()
        self.list.setMinimumHeight(120)
        self.list.chosen.connect(self._go_to)
        self.list.verticalScrollBar().rangeChanged.connect(lambda *_: self._show_head())
        self.empty = QLabel()
        self.empty.setObjectName("goals.empty")
        self.empty.setProperty("role", "muted")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setMinimumHeight(60)
        self.counts = QLabel()
        self.counts.setObjectName("goals.counts")
        self.counts.setTextFormat(Qt.TextFormat.PlainText)
        self.counts.setProperty("role", "muted")
        self.counts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.decision = _Sentence()
        self.decision.setObjectName("goals.decision")
        self.decision.clicked.connect(self.decision_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addWidget(self.sheet)
        column.addWidget(self.basis)
        column.addWidget(Said(session, "goals.said"))
        column.addWidget(self.head)
        column.addWidget(self.empty, 1)
        column.addWidget(self.list, 1)
        column.addWidget(self.counts)
        column.addWidget(self.decision)
        work.watch(self)
        work.arrived.connect(self._show)
        work.waiting.connect(self._show)
        theme_changed.connect(self._show)
        follow(self, session, self._refresh)
        self._show()

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.work.ask()
        self._show()

    def _refresh(self, changes: Changes) -> None:
        asked = changes.view("columns", "sheet", "prescribed", "assigned", "dose", "structure_set")
        if (changes.edited or asked) and self.isVisible():
            self.list.lines.outdate(self.work.holding())
        if asked or changes.any(ApprovalChanged):  # after an edit everybody is asked
            self.work.ask()
        if changes.view("dose", "bands") or changes.any(ApprovalChanged):
            self._show()

    # -- showing --------------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        work, outcome = self.work, self.work.outcome
        self._show_sheets()
        self._show_head()
        self.list.setVisible(outcome is not None)
        self.head.setVisible(outcome is not None)
        self.counts.setVisible(outcome is not None)
        self.empty.setVisible(outcome is None)
        self.basis.setVisible(outcome is not None)
        if outcome is None:
            self.empty.setText(work.state)
            self.decision.say("", "")
            return
        titles, holds = titles_of(self._session.case, outcome.columns), work.holding()
        self.list.show_lines([self._line(row, titles, not holds(row)) for row in outcome.comparison.rows])
        self.basis.setText(basis_of(outcome))
        self.basis.setToolTip(f"{outcome.sheet.source}\n{self.basis.text()}")
        self.counts.setText(work.state or counts_of(outcome, self._session.case))
        decision = outcome.decision
        if decision is None:
            self.decision.say("", "")
        elif not work.fresh:
            self.decision.say("", work.state)
        else:
            self.decision.say(
                "⚠" if decision.broken else "✓" if not decision.baseline.unknown else "?", decision.sentence
            )

    def _line(self, row: Any, titles: tuple[str, ...], pending: bool) -> Line:
        if self._session.view.bands:
            for bands in self.work.bands:
                band = bands.get(row.name, row.goal.metric)
                if band is not None:
                    return Line(row, titles, band, bands.source, pending)
        return Line(row, titles, pending=pending)

    def _show_sheets(self) -> None:
        sheets = self.work.sheets.sheets if self.work.sheets else ()
        chosen = self.work.sheet()
        wanted = [(s.name + ("  (own)" if s.own else ""), s.id, s.source) for s in sheets]
        if wanted != [
            (self.sheet.itemText(n), self.sheet.itemData(n), self.sheet.itemData(n, Qt.ItemDataRole.ToolTipRole))
            for n in range(self.sheet.count())
        ]:
            with QSignalBlocker(self.sheet):
                self.sheet.clear()
                for n, (name, sheet_id, source) in enumerate(wanted):
                    self.sheet.addItem(name, sheet_id)
                    self.sheet.setItemData(n, source, Qt.ItemDataRole.ToolTipRole)
        with QSignalBlocker(self.sheet):
            self.sheet.setCurrentIndex(self.sheet.findData(chosen.id) if chosen else -1)
        locked = self._session.judging_refusal
        self.sheet.setEnabled(not locked)
        told = f"Goal sheet: {chosen.name}\n{chosen.source}" if chosen else "Goal sheet"
        self.sheet.setToolTip(f"{told}\n{locked}".strip())

    def _show_head(self) -> None:
        outcome = self.work.outcome
        if outcome is None:
            return
        case, shown = self._session.case, self._session.view.dose
        heads = [
            Head(title, column_tip(case, column), column.dose == shown, column.dose != shown)
            for title, column in zip(titles_of(case, outcome.columns), outcome.columns, strict=True)
        ]
        bar = self.list.verticalScrollBar()
        self.head.show_heads(heads, bar.sizeHint().width() if bar.maximum() > 0 else 0)

    def _fill_columns(self) -> None:
        """Every dose on every anatomy that something ties it to; those that are compared are ticked."""
        menu, case, now = self.columns_menu, self._session.case, self.work.columns()
        menu.clear()
        offered = columns_offered(case)
        for title, column in zip(titles_of(case, offered), offered, strict=True):
            group = case.structure_set(column.structure_set)
            action = menu.addAction(
                title if " on " + structure_set_title(group) in title else f"{title} on {structure_set_title(group)}"
            )
            action.setCheckable(True)
            action.setChecked(column in now)
            action.triggered.connect(lambda on, column=column: self._take_column(column, on))

    def _take_column(self, column: Column, on: bool) -> None:
        now = self.work.columns()
        self._session.look(columns=(*now, column) if on else tuple(c for c in now if c != column))

    # -- hands ----------------------------------------------------------------------------------------------------------

    def _choose(self, row: int) -> None:
        self._session.judge(f"Goal sheet: {self.sheet.itemText(row)}", sheet=self.sheet.itemData(row))
        self.work.ask()  # the same one again where it was stopped

    def _show_column(self, number: int) -> None:
        outcome = self.work.outcome
        if outcome is not None:
            show_column(self._session, outcome.columns[number])

    def _go_to(self, line: Line) -> None:
        """Its structure in all views, and the slice of its highest dose, or lowest where more is wanted."""
        outcome, case = self.work.outcome, self._session.case
        if outcome is None:
            return
        shown = self._session.view.dose
        number = next((n for n, c in enumerate(outcome.columns) if c.dose == shown), 0)
        result = line.row.results[number] or next((r for r in line.row.results if r is not None), None)
        structure = result.structure if result is not None else None
        current = case.structure(structure.id) if structure is not None else None
        if current is None:
            return
        hidden = self._session.view.hidden - {current.id}
        self._session.look(active=current.id, highlighted=current.id, hidden=hidden)
        dose = case.dose(outcome.columns[number].dose)
        if dose is not None and not current.empty:
            self.work.find_spot(current, dose, lowest=line.row.goal.limit.at_least)


class _Sentence(QLabel):
    """A sentence over several lines that can be clicked; hidden while there is none."""

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setVisible(False)

    def say(self, mark: str, text: str) -> None:
        self.setText(f"{mark} {text}".strip())
        self.setToolTip(f"{text}\nClick for the price of each plan" if text else "")
        colour = theme().caution if mark == "⚠" else theme().text
        self.setStyleSheet(f"color: {colour}; background: {theme().raised}; border-radius: 4px; padding: 4px 6px;")
        self.setVisible(bool(text))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self.rect().contains(event.position().toPoint()):
            self.clicked.emit()


# -- words and columns --------------------------------------------------------------------------------------------------


def titles_of(case: Case, columns: Sequence[Column]) -> tuple[str, ...]:
    """What the columns are called, without what all of them begin with; with the anatomy where one dose is judged on several."""
    names = []
    for column in columns:
        dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
        name = dose_title(dose, case.plan(dose.plan_id)) if dose else "dose"
        if sum(c.dose == column.dose for c in columns) > 1 and group is not None:
            name = f"{name} on {structure_set_title(group)}"
        names.append(name)
    if len(names) > 1:
        same = next((n for n, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), 0)
        cut = names[0].rfind(" ", 0, same) + 1
        shorter = [name[cut:].strip() for name in names]
        if cut and all(shorter) and len(set(shorter)) == len(shorter):
            return tuple(shorter)
    return tuple(names)


def columns_offered(case: Case) -> tuple[Column, ...]:
    """A dose on its own structures first, then on others whose frame is tied to its own."""
    own, other = [], []
    for dose in case.doses:
        home = structure_set_of(case, dose)
        for group in case.structure_sets:
            if group is home:
                own.append(Column(dose.id, group.id))
                continue
            with suppress(NotRegisteredError):
                case.transform(group.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
                other.append(Column(dose.id, group.id))
    return (*own, *other)


def column_tip(case: Case, column: Column) -> str:
    dose, group = case.dose(column.dose), case.structure_set(column.structure_set)
    if dose is None or group is None:
        return ""
    plan = case.plan(dose.plan_id)
    about = f"plan {plan.label if plan else 'not among the files'}, structures {structure_set_title(group)}"
    return "\n".join((dose_title(dose, plan), about, *said(dose)))


def basis_of(outcome: Outcome) -> str:
    """Prescription and fractions, once where they are the same for all."""
    found = dict.fromkeys(
        (
            f"{e.delivery.prescription} prescribed" if e.delivery.prescription else "no prescription known",
            f"{e.delivery.fractions} fx" if e.delivery.fractions else "fractions not known",
        )
        for e in outcome.comparison.evaluations
    )
    return "  |  ".join(" in ".join(parts) for parts in found)


def counts_of(outcome: Outcome, case: Case) -> str:
    titles = titles_of(case, outcome.columns)
    lines = []
    for title, evaluation in zip(titles, outcome.comparison.evaluations, strict=True):
        counts = [
            f"{symbol} {evaluation.count(status)}"
            for symbol, status in (("✓", "met"), ("~", "acceptable"), ("✗", "violated"), ("?", "not-evaluated"))
            if evaluation.count(status)
        ]
        lines.append(f"{'  '.join(counts)}   {title if len(titles) > 1 else ''}".rstrip())
    return "\n".join(lines)
