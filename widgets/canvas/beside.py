"""`OtherDose`: the session as it is, but with the compared dose in the place of the shown one, for a picture beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reviewer.case import Case
from reviewer.scene import Scene, View, resolve
from reviewer.session import Session


class OtherDose:
    """Hears, looks and answers like its session; slice, zoom, window and structures are the same."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: tuple[Case, View, Scene] | None = None

    @property
    def scene(self) -> Scene:
        case, view = self._session.case, self._session.view
        if self._kept is None or self._kept[0] is not case or self._kept[1] is not view:
            other = replace(view, dose=view.other_dose, columns=(), both_isodoses=False, map=None)
            self._kept = case, view, resolve(case, other)
        return self._kept[2]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
