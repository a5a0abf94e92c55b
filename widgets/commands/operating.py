"""`Operating`: the operation that was chosen, its preview in the views, and taking it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from reviewer.case import Structure
from reviewer.edit.refusal import refusal
from reviewer.errors import InputError, ReviewerError
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command
from ..binding import Changes, follow
from ..jobs import Jobs, Progress
from ..loading import load
from .drawing import Drawing

CATALOGUE = "reviewer.edit.catalogue"
"""Loaded when Contour mode begins: the geometry behind operations is slow to load."""

NAMES = (
    "Interpolate", "Smooth", "SmoothThrough", "Simplify", "Grow", "FillHoles", "DeleteIslands", "KeepLargest", "Copy", "Clear", "Crop",
)  # fmt: skip
"""Classes of the catalogue, in the order of the list; a test compares."""

TITLES = (
    "Interpolate", "Smooth", "Smooth between slices", "Simplify", "Grow or shrink", "Fill holes", "Delete small islands",
    "Keep the largest part", "Copy to the next slice", "Clear slices", "Crop at a structure",
)  # fmt: skip

KEYS = {"Interpolate": "I"}

WHILE_DRAWING = frozenset({"Interpolate"})
"""Those whose preview follows the stroke in hand, not only what is drawn."""

OUTCOME = "operation"
"""Key of the job that works an outcome out."""


class Operating(QObject):
    """One operation at a time, open until it is taken or dropped; its preview follows every edit and every setting. tell, warn: as in `Drawing`.

    changed: another operation, other settings, or its preview has come.
    """

    changed = Signal()

    def __init__(
        self,
        session: Session,
        jobs: Jobs,
        drawing: Drawing,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._drawing = session, jobs, drawing
        self._tell, self._warn = tell, warn
        self._settings: dict[str, Any] = {}
        self.name: str | None = None
        self.other: str | None = None
        self.note = ""
        self._ready: tuple[Any, Any, Any] | None = None
        self._wanted = False
        self._asked: Any = None
        self._at_work = False
        drawing.operating = self
        follow(self, session, self._heard, strokes=True)

    @property
    def operation(self) -> Any:
        """The one that is open, with its settings; None where none is."""
        if self.name is None:
            return None
        if self.name not in self._settings:
            self._settings[self.name] = getattr(load(CATALOGUE), self.name)()
        return self._settings[self.name]

    @property
    def ready(self) -> bool:
        """Whether its outcome is known and changes something."""
        return self._ready is not None and bool(self._ready[2])

    def choose(self, name: str | None) -> None:
        """Open an operation; None closes."""
        self._wanted = False
        self.name = name
        if name is not None:
            self._drawing.reveal()
        operation, plane = self.operation, self._drawing.plane
        if operation is not None and plane is not None and any(f.name == "first" for f in fields(operation)):
            active = self._drawing.active
            number = active.grid.slice_number(plane) if active is not None else 1
            self._settings[self.name or ""] = replace(operation, first=number, last=number)
        self._ask()

    def set(self, **values: Any) -> None:
        operation = self.operation
        if not {"first", "last"}.isdisjoint(values):  # whoever writes numbers means them
            values = {"which": "from … to …", **values}
        if operation is not None and self.name is not None:
            self._settings[self.name] = replace(operation, **values)
            self._ask()

    def crop_at(self, structure_id: str | None) -> None:
        self.other = structure_id
        self._ask()

    def accept(self) -> bool:
        """Take it, as soon as its outcome is known; False where no operation is open."""
        if self.name is None:
            return False
        if self._drawing.pending:
            self._tell("Finish the stroke first: Enter takes it, Esc drops it")
            return True
        if self._ready is None or self._at_work or self._outdated():
            self._wanted = True
            if not self._at_work:
                self._begin()
            return True
        operation, where, changes = self._ready
        catalogue = load(CATALOGUE)
        try:
            edit = catalogue.edit_of_operation(self._session.case, operation, where, changes)
            if edit is None:
                self._tell(f"{operation.name}: nothing to change on {where.structure.name}")
            else:
                self._session.apply(edit)
                self._tell(f"{edit.label}; Undo takes it back")
        except ReviewerError as error:
            self._warn(str(error))
        self.choose(None)
        return True

    def cancel(self) -> bool:
        """Drop it; False where none is open."""
        was = self.name is not None
        if was:
            self.choose(None)
        return was

    def copy_along(self, slices: int) -> None:
        """Go one slice further, +1 or -1 as Page Up and Down do, and take the contour along."""
        if self._drawing.pending:
            self._tell("Finish the stroke first: Enter takes it, Esc drops it")
            return
        self._drawing.reveal()
        before = self._drawing.plane
        self._drawing.scroll(slices)
        after = self._drawing.plane
        catalogue = load(CATALOGUE)
        try:
            if before is None or after is None or abs(after - before) != 1:
                raise InputError("there is no next slice in this direction")
            operation = catalogue.Copy("up" if slices > 0 else "down")
            where = replace(self._where(self._active_or_refuse()), plane=before)
            edit = catalogue.edit_of_operation(self._session.case, operation, where, operation.changes(where))
            if edit is not None:
                self._session.apply(edit)
        except ReviewerError as error:
            self._tell(str(error)[:1].upper() + str(error)[1:])
            if after != before:
                self._drawing.scroll(-slices)

    def _active_or_refuse(self) -> Structure:
        active = self._drawing.active
        reason = refusal(self._session.case, active) if active is not None else "no structure is active"
        if active is None or reason:
            raise InputError(reason)
        return active

    def _where(self, active: Structure) -> Any:
        case = self._session.case
        other = case.structure(self.other)
        to_other = None
        if other is not None:
            to_other = case.transform(active.grid.frame_of_reference_uid, other.grid.frame_of_reference_uid)
        return load(CATALOGUE).Where(active, self._drawing.plane, other, to_other)

    def _seen(self, active: Structure) -> Structure:
        """The active structure, with the stroke in hand where the operation is shown while it is drawn."""
        stroke = self._session.view.stroke if self.name in WHILE_DRAWING else None
        return stroke if stroke is not None and stroke.id == active.id else active

    def _ask(self) -> None:
        """Work the outcome out anew, in a job."""
        self._ready, self.note = None, ""
        self._jobs.cancel(OUTCOME)
        self._at_work = False
        if self.operation is None:
            self._show(None)
        else:
            self._begin()
        self.changed.emit()

    def _begin(self) -> None:
        """The job. While it is at work on what a stroke was, the next one waits, so that a moving hand sees a preview at all."""
        operation = self.operation
        try:
            where = self._where(self._seen(self._active_or_refuse()))
        except ReviewerError as error:
            self._fail(error)
            return
        self._asked, self._at_work = where, True

        def work(_: Progress) -> Any:
            return operation.changes(where)

        def done(changes: Any) -> None:
            self._at_work = False
            self._ready = operation, where, changes
            self.note = _count(len(changes)) if changes else "nothing to change"
            self._show(load(CATALOGUE).proposed(where, changes) if changes else None)
            self.changed.emit()
            if self._outdated():
                self._begin()
            elif self._wanted:
                self.accept()

        def failed(error: Exception) -> None:
            if self._outdated():
                self._begin()
            else:
                self._fail(error)

        self._jobs.run(operation.name, work, done, failed, key=OUTCOME)

    def _fail(self, error: Exception) -> None:
        self._wanted = self._at_work = False
        self._ready = None
        self.note = str(error)
        self._show(None)
        self.changed.emit()
        if not isinstance(error, ReviewerError):
            self._warn(f"{self.name}: unexpected {type(error).__name__}: {error}")

    def _show(self, structure: Structure | None) -> None:
        preview = () if structure is None else (structure,)
        if preview or self._session.view.preview:
            self._session.look(preview=preview)

    def _heard(self, changes: Changes) -> None:
        if self.name is None:
            return
        if changes.opened or (changes.view("mode") and self._session.view.mode != "contour"):
            self.choose(None)
        elif (changes.edited or changes.view("active", "structure_set", "base", "point_mm")) and self._outdated():
            self._ask()
        elif changes.view("stroke") and not self._at_work and self._outdated():
            self._begin()

    def _outdated(self) -> bool:
        """Whether what was asked for last is about other structures or another slice than those there now."""
        active, asked = self._drawing.active, self._asked
        if active is None or asked is None:
            return True
        if asked.structure is not self._seen(active) or asked.plane != self._drawing.plane:
            return True
        return asked.other is not self._session.case.structure(self.other)


def operation_commands(session: Session, operating: Operating, drawing: Drawing) -> Iterator[Command]:
    """One that opens each operation, and two that copy a contour and go along."""

    def refused() -> str:
        if not session.view.base:
            return NOTHING_OPEN
        if session.view.mode != "contour":
            return "choose the mode Contour to draw"
        return "" if drawing.active is not None else "no structure is active"

    for name, title in zip(NAMES, TITLES, strict=True):
        yield Command(
            f"operation.{name.lower()}",
            f"{title}…",
            "Contouring",
            lambda name=name: operating.choose(None if operating.name == name else name),  # type: ignore[misc]
            KEYS.get(name, ""),
            "Shows what it would do; Enter takes it, Esc drops it",
            refusal=refused,
            checked=lambda name=name: operating.name == name,  # type: ignore[misc]
            icon="interpolate" if name == "Interpolate" else "",
        )
    for to, key in (("up", "Ctrl+Up"), ("down", "Ctrl+Down")):
        yield Command(
            f"operation.copy_{to}",
            f"Copy the contour to the next slice {to} and go there",
            "Contouring",
            lambda to=to: operating.copy_along(1 if to == "up" else -1),  # type: ignore[misc]
            key,
            refusal=refused,
        )


def _count(slices: int) -> str:
    return "one slice" if slices == 1 else f"{slices} slices"
