"""`History`: what was done, by name, and the way back to each state of it."""

from __future__ import annotations

from dataclasses import dataclass

import shapely

from reviewer.edit.edit import Edit
from reviewer.errors import InputError

LIMIT_BYTES = 512 * 1024**2
"""Of contours that only the history still holds."""

_BYTES_PER_POINT, _BYTES_PER_PLANE = 16, 200


@dataclass(frozen=True)
class Entry:
    """One edit. undoable: False where its contours were dropped to save memory; then neither it nor what came before can be undone."""

    label: str
    undoable: bool


class History:
    """Every edit since the case was opened, oldest first. A new edit forgets those that were undone.

    The names are kept without limit; the contours of the oldest edits are dropped when all of them together exceed `limit_bytes`.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._labels: list[str] = []
        self._edits: list[Edit | None] = []
        self._bytes: list[int] = []
        self._position = 0
        self._floor = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(Entry(label, k >= self._floor) for k, label in enumerate(self._labels))

    @property
    def position(self) -> int:
        """How many of the entries are done; the others were undone."""
        return self._position

    @property
    def floor(self) -> int:
        """The earliest position that can still be reached."""
        return self._floor

    @property
    def undo_label(self) -> str | None:
        return self._labels[self._position - 1] if self._position > self._floor else None

    @property
    def redo_label(self) -> str | None:
        return self._labels[self._position] if self._position < len(self._labels) else None

    @property
    def formulas(self) -> bool:
        """Whether an edit, done or undone, has to do with a structure that follows a formula."""
        edits = (edit for edit in self._edits if edit is not None)
        sides = (side for edit in edits for swap in edit.swaps for side in (swap.before, swap.after))
        return any(side is not None and side.live for side in sides)

    def record(self, edit: Edit) -> None:
        for column in (self._labels, self._edits, self._bytes):
            del column[self._position :]
        self._labels.append(edit.label)
        self._edits.append(edit)
        self._bytes.append(size_of(edit))
        self._position += 1
        kept = sum(self._bytes[self._floor :])
        while kept > self._limit and self._floor < self._position - 1:
            kept -= self._bytes[self._floor]
            self._edits[self._floor] = None
            self._floor += 1

    def steps_to(self, position: int) -> tuple[Edit, ...]:
        """The edits that lead there from here, those on the way back inverted. Raises InputError for what cannot be reached."""
        if position < self._floor:
            raise InputError("the history does not go back so far any more", remedy="open the file as it was before")
        if position > len(self._labels):
            raise InputError(f"there is no edit {position} to go to")
        back = [e.inverse for e in reversed(self._edits[position : self._position]) if e is not None]
        return (*back, *(e for e in self._edits[self._position : position] if e is not None))

    def move_to(self, position: int) -> None:
        """The edits of `steps_to` have been carried out."""
        self._position = position


def size_of(edit: Edit) -> int:
    """Memory of the contours that differ before and after an edit, estimated from their points."""
    sides = [(side, swap.planes) for swap in edit.swaps for side in (swap.before, swap.after) if side is not None]
    regions = [side.planes[k] for side, planes in sides for k in planes if k in side.planes]
    points = int(shapely.get_num_coordinates(regions).sum()) if regions else 0
    return _BYTES_PER_POINT * points + _BYTES_PER_PLANE * sum(len(side.planes) + 1 for side, _ in sides)
