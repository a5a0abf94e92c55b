"""`Said`: what a backend says of the doses whose numbers stand in a panel. It goes with them wherever they are."""

from __future__ import annotations

from PySide6.QtWidgets import QSizePolicy

from reviewer.changes import DosesChanged
from reviewer.session import Session

from ..binding import Changes, follow
from ..theme import theme, theme_changed
from ..wording import said
from .banner import Elided


class Said(Elided):
    """One line for the dose that is shown and those beside it, all of it in its tooltip; hidden where nothing is to be said."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(name)
        self._session = session
        self._lines: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        follow(self, session, self._refresh)
        theme_changed.connect(self._show)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.view("dose", "columns") or changes.any(DosesChanged):
            self._show()

    def _show(self) -> None:
        case, view = self._session.case, self._session.view
        ids = dict.fromkeys((view.dose, *(column.dose for column in view.columns)))
        self._lines = tuple(line for i in ids if (dose := case.dose(i)) is not None for line in said(dose))
        self.setStyleSheet(f"color: {theme().caution};")
        self.setVisible(bool(self._lines))
        self.say(" · ".join(self._lines))

    def _fit(self) -> None:
        super()._fit()
        self.setToolTip("\n".join(self._lines))
