"""Ties between the session and the widgets: one line each, and one refresh per turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QSlider

from reviewer.changes import (
    ApprovalChanged,
    CaseOpened,
    Change,
    DosesChanged,
    ImagesChanged,
    StructuresChanged,
    ViewChanged,
)
from reviewer.session import Session


@dataclass(frozen=True)
class Changes:
    """What happened since the last refresh, in order."""

    messages: tuple[Change, ...]

    @property
    def opened(self) -> bool:
        """Another case is there: forget everything."""
        return self.any(CaseOpened)

    @property
    def edited(self) -> frozenset[str]:
        """Ids of the structures that an edit touched."""
        return frozenset(i for m in self.messages if isinstance(m, StructuresChanged) for i in m.structure_ids)

    def any(self, *kinds: type) -> bool:
        return any(isinstance(m, kinds) for m in self.messages)

    def view(self, *names: str) -> bool:
        """Whether one of these fields of the view may differ."""
        return self.opened or any(isinstance(m, ViewChanged) and not m.fields.isdisjoint(names) for m in self.messages)


class Follower(QObject):
    """Calls `refresh(changes)` once per turn of the event loop in which the session changed, and lives as long as its parent.

    strokes: whether it is to hear, too, that a stroke in hand has moved on and nothing else: hardly anybody shows that, and a hand that draws
    waits for everybody who does.
    """

    def __init__(
        self, parent: QObject, session: Session, refresh: Callable[[Changes], None], strokes: bool = False
    ) -> None:
        super().__init__(parent)
        self._strokes = strokes
        self._session, self._refresh = session, refresh
        self._heard: list[Change] = []
        session.changed.connect(self._hear)

    def flush(self) -> None:
        """Refresh now if anything was heard."""
        heard, self._heard = tuple(self._heard), []
        if heard:
            self._refresh(Changes(heard))

    def customEvent(self, _: QEvent) -> None:
        self.flush()
        # What the widget now wants to do later in this turn would else come behind the paint that others have asked for already.
        QCoreApplication.sendPostedEvents(self.parent(), QEvent.Type.User)

    def _hear(self, change: Change) -> None:
        if not shiboken6.isValid(self):
            self._session.changed.disconnect(self._hear)
            return
        if not self._strokes and isinstance(change, ViewChanged) and change.fields == {"stroke"}:
            return
        if not self._heard:
            # An event of this kind comes before the paint of the same turn, as a timer would not: all that follows is painted once.
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.User))
        self._heard.append(change)


def follow(widget: QObject, session: Session, refresh: Callable[[Changes], None], strokes: bool = False) -> Follower:
    """Refresh `widget` after changes of the session. A new case counts as a change from the start: call `refresh` yourself once.

    strokes: see `Follower`.
    """
    return Follower(widget, session, refresh, strokes)


@dataclass(frozen=True)
class Choice:
    """An entry of a combo box. A refusal greys it and says why."""

    label: str
    value: Hashable
    refusal: str = ""
    tooltip: str = ""


def couple_combo(combo: QComboBox, session: Session, field: str, choices: Callable[[], Sequence[Choice]]) -> None:
    """Show a field of the view in a combo box; `choices` is asked anew after every change that it may depend on."""

    shown: list[Choice] = []

    def show() -> None:
        entries = list(choices())
        with QSignalBlocker(combo):
            if entries != shown:
                shown[:] = entries
                combo.clear()
                for row, entry in enumerate(entries):
                    combo.addItem(entry.label, entry.value)
                    tip = entry.refusal or entry.tooltip
                    if tip:
                        combo.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
                    if entry.refusal:
                        combo.model().item(row).setEnabled(False)  # type: ignore[attr-defined]
            value = getattr(session.view, field)
            combo.setCurrentIndex(next((i for i, e in enumerate(entries) if e.value == value), -1))
        combo.setEnabled(any(not e.refusal and e.value is not None for e in entries))

    def refresh(changes: Changes) -> None:
        if changes.view(field, "base") or changes.edited or changes.any(DosesChanged, ImagesChanged, ApprovalChanged):
            show()

    def pick(row: int) -> None:
        session.look(**{field: combo.itemData(row)})

    follow(combo, session, refresh)
    combo.activated.connect(pick)
    show()


def couple_slider(slider: QSlider, session: Session, field: str) -> None:
    """Show a field of the view between 0 and 1 on a slider of 0 to 100."""
    slider.setRange(0, 100)

    def show() -> None:
        with QSignalBlocker(slider):
            slider.setValue(round(100 * getattr(session.view, field)))

    def refresh(changes: Changes) -> None:
        if changes.view(field):
            show()

    def slide(value: int) -> None:
        session.look(**{field: value / 100})

    follow(slider, session, refresh)
    slider.valueChanged.connect(slide)
    show()
