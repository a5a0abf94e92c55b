"""`History`: what can be undone and redone."""

from __future__ import annotations

from reviewer.edit.edit import Edit


class History:
    """Two stacks of edits; a new edit forgets what could be redone."""

    def __init__(self) -> None:
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    def record(self, edit: Edit) -> None:
        self._done.append(edit)
        self._undone.clear()

    @property
    def undo_label(self) -> str | None:
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        return self._undone[-1].label if self._undone else None

    def step_back(self) -> Edit | None:
        """The edit that undoes the newest one, None where there is nothing to undo."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1].inverse

    def step_forward(self) -> Edit | None:
        """The edit that was undone last, None where there is none."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
