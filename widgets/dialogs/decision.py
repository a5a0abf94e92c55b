"""`DecisionDialog`: what speaks for adapting, in sentences with numbers. It states facts; the human decides."""

from __future__ import annotations

from html import escape
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QScrollArea

from ..panels.goals_list import number, signed, told
from ..panels.goals_work import GoalWork, Outcome
from ..theme import RHYTHM, muted, theme, theme_changed
from .frame import framed

DECIDES = "Reviewer states what the goal sheet says. Whether the adapted plan is delivered is decided by the physician."


class DecisionDialog(QDialog):
    """Follows the goals while it is open. window: has `goals.work` and `actions_`."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self.setObjectName("decision")
        self.setWindowTitle("Decision of the day")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._work: GoalWork = window.goals.work
        if self._work.outcome is None or self._work.outcome.decision is None:
            window.actions_.trigger("plans.day")
        self.text = QLabel()
        self.text.setObjectName("decision.text")
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setContentsMargins(RHYTHM, RHYTHM, 2 * RHYTHM, RHYTHM)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self.text)
        decides = muted(DECIDES)
        decides.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = framed(self)
        column.addWidget(area, 1)
        column.addWidget(decides)
        column.addWidget(buttons)
        self.resize(660, 640)
        self._work.arrived.connect(self._show)
        self._work.waiting.connect(self._show)
        theme_changed.connect(self._show)
        self._show()

    def open(self) -> None:
        """Beside the window, which stays usable."""
        self.show()

    def _show(self) -> None:
        outcome = self._work.outcome
        if outcome is None or outcome.decision is None:
            self.text.setText(escape(self._work.state))
        else:
            self.text.setText(as_html(outcome))


def as_html(outcome: Outcome) -> str:
    """The decision in sentences."""
    decision = outcome.decision
    assert decision is not None
    t = theme()
    colour = t.caution if decision.broken else t.text
    baseline, adapted = decision.baseline, decision.adapted
    parts = [
        f"<h3 style='color:{colour}'>{escape(decision.sentence)}</h3>",
        f"<p style='color:{t.muted}'>{escape(outcome.sheet.name)} ({escape(outcome.sheet.source)}); "
        "reasons in the terms of Ugurluer 2021: target coverage, OAR dose, both, other, none.</p>",
    ]
    if decision.broken:
        mended = set(map(id, decision.mended))
        rows = [
            _item(
                r,
                f"{_asked(r)}: {_value(r)} under {baseline.label}"
                + (f"; ✓ mended by {adapted.label} ({_under(outcome, r)})" if adapted and id(r) in mended else "")
                + (f"; ✗ not mended ({_under(outcome, r)})" if adapted and id(r) not in mended else ""),
            )
            for r in decision.broken
        ]
        parts.append(f"<p><b>Broken today, met when it was planned</b></p><ul>{''.join(rows)}</ul>")
    if decision.accepted:
        rows = [_item(r, f"{_asked(r)}: {_value(r)}") for r in decision.accepted]
        parts.append(f"<p><b>Violated today and accepted when it was planned</b></p><ul>{''.join(rows)}</ul>")
    for price in (baseline, adapted):
        if price is None:
            continue
        parts.append(f"<p><b>The price of {escape(price.label)}</b></p><ul>")
        parts.append(_listed("violates", price.violated, "violates no goal"))
        if price.acceptable:
            parts.append(_listed("meets only within the acceptable variation", price.acceptable, ""))
        if price.unknown:
            names = "; ".join(dict.fromkeys(f"{r.name} {r.goal.metric}: {r.reason}" for r in price.unknown))
            parts.append(f"<li>? not evaluated: {escape(names)}</li>")
        worse = "; ".join(f"{r.name} {r.goal.metric} {signed(d)} {r.goal.metric.unit}".strip() for r, d in price.worse)
        parts.append(
            f"<li>{'worse than the other in ' + escape(worse) if worse else 'nowhere worse than the other'}</li></ul>"
        )
    return "".join(parts)


def _asked(result: Any) -> str:
    return f"{result.name} {result.goal.metric} {result.goal.limit}"


def _value(result: Any) -> str:
    return f"{number(result.value)} {result.goal.metric.unit}".strip() if result.value is not None else told(result)


def _under(outcome: Outcome, result: Any) -> str:
    """The same goal under the adapted plan."""
    for row in outcome.comparison.rows:
        if row.results[0] is not None and row.results[0].goal is result.goal and row.name == result.name:
            return told(row.results[1])
    return "unknown"


def _item(result: Any, text: str) -> str:
    return f"<li><span style='color:{theme().bad}'>✗</span> {escape(text)}</li>"


def _listed(verb: str, results: Any, none: str) -> str:
    if not results:
        return f"<li>{none}</li>"
    return f"<li>{verb}: {escape('; '.join(f'{_asked(r)} ({_value(r)})' for r in results))}</li>"
