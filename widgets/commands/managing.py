"""Commands on what structures there are: new, rename, colour, type, lock, duplicate, copy of a set. Each is one step that Undo takes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QDialog, QWidget

from reviewer.case import Structure
from reviewer.edit import Edit, approved, locked
from reviewer.edit.structures import add_structures, copy_set, duplicate
from reviewer.errors import ReviewerError
from reviewer.names import TYPES, Standard, standard, suggestions
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command


class StructureManagement:
    """window: owns the dialogues. tell: shows a sentence; warn: shows one that must be read. edit_name: opens the field of a name in the list.

    under_cursor: id of the structure under the cursor in a picture. meant: the structure that a command means.
    """

    def __init__(
        self,
        window: QWidget,
        session: Session,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        edit_name: Callable[[str], None],
        under_cursor: Callable[[], str | None],
        meant: Callable[[], Structure | None],
    ) -> None:
        self._window, self._session = window, session
        self._tell, self._warn, self._edit_name, self._under_cursor = tell, warn, edit_name, under_cursor
        self._meant = meant

    def commands(self) -> Iterator[Command]:
        yield Command(
            "structure.new",
            "New structure…",
            "Structures",
            self.open_new,
            "Ctrl+N",
            "From the standard names of TG-263, or with a name of your own",
            refusal=self.no_new,
            icon="plus",
        )
        yield Command(
            "structure.rename",
            "Rename",
            "Structures",
            lambda: self._edit_name(meant.id if (meant := self._meant()) else ""),
            "F2",
            "Formulas that mention it follow",
            refusal=self._no_change,
        )
        yield Command("structure.colour", "Colour…", "Structures", self._choose_colour, refusal=self._no_change)
        for kind in TYPES:
            yield Command(
                f"structure.type.{kind.lower()}",
                f"Type: {kind.replace('_', ' ').lower()}",
                "Structures",
                lambda kind=kind: self.retype(kind),  # type: ignore[misc]
                refusal=self._no_change,
                checked=lambda kind=kind: (s := self._meant()) is not None and s.type == kind,  # type: ignore[misc]
            )
        yield Command(
            "structure.duplicate",
            "Duplicate",
            "Structures",
            self.duplicate,
            "Ctrl+D",
            "A copy that is drawn by hand from now on",
            refusal=lambda: self._no_active() or self._set_approved(),
            icon="copy",
        )
        yield Command(
            "structure.locked",
            "Lock: refuse every change",
            "Structures",
            self.lock,
            "L",
            refusal=lambda: self._no_active() or self._set_approved(),
            checked=lambda: (s := self._meant()) is not None and s.locked,
            icon="lock",
        )
        yield Command(
            "structure.pick",
            "Make the structure under the cursor the active one",
            "Structures",
            self.pick,
            "Q",
            refusal=lambda: "" if self._session.view.base else NOTHING_OPEN,
            icon="pick",
        )
        yield Command(
            "structure.copy_set",
            "Copy of the structure set",
            "Structures",
            self.copy_set,
            tip="To work on while the other stays as it is, approved as it may be",
            refusal=lambda: "" if self._session.structure_set else "there is no structure set",
        )

    # -- what they do ---------------------------------------------------------------------------------------------------

    def open_new(self) -> None:
        dialog = next((d for d in self._window.findChildren(QDialog, "new_structure") if d.isVisible()), None)
        if dialog is None:
            module = import_module("..dialogs.new_structure", __package__)
            dialog = module.NewStructureDialog(self._session, self.add, self._window)
            dialog.open()
        dialog.raise_()

    def add(self, wanted: Sequence[Standard]) -> None:
        """New structures at the end of the set that is shown; the first becomes the active one. Raises InputError for names that are taken."""
        case, view = self._session.case, self._session.view
        edit = add_structures(case, self._session.structure_set, case.image(view.base), wanted)
        self._session.apply(edit)
        first = edit.swaps[0]
        self._session.look(structure_set=first.set_id, active=first.structure_id)
        self._tell(f"{edit.label}: done" + "".join(f"; {name_note(s.name)}" for s in wanted if name_note(s.name)))

    def rename(self, structure_id: str, name: str) -> None:
        before = self._session.case.structure(structure_id)
        if before is None or not name.strip() or name.strip() == before.name:
            return
        try:
            naming = import_module("reviewer.formula.naming")
            self._session.apply(naming.rename(self._session.case, before, name.strip()))
        except ReviewerError as error:
            self._warn(str(error))
            return
        note = name_note(name.strip())
        if note:
            self._tell(note)

    def recolour(self, structure_id: str, colour: tuple[int, int, int]) -> None:
        before = self._session.case.structure(structure_id)
        if before is not None and before.colour != colour:
            self._apply(Edit.of(f"Recolour {before.name}", self._session.case, before, replace(before, colour=colour)))

    def retype(self, kind: str) -> None:
        before = self._meant()
        if before is not None and before.type != kind:
            self._apply(
                Edit.of(f"{before.name} is {kind.lower()}", self._session.case, before, replace(before, type=kind))
            )

    def lock(self) -> None:
        """Or unlock."""
        before = self._meant()
        if before is not None:
            label = f"{'Unlock' if before.locked else 'Lock'} {before.name}"
            self._apply(Edit.of(label, self._session.case, before, replace(before, locked=not before.locked)))

    def duplicate(self) -> None:
        before = self._meant()
        if before is not None:
            edit = duplicate(self._session.case, before)
            if self._apply(edit):
                self._session.look(active=edit.swaps[0].structure_id)

    def copy_set(self) -> None:
        group = self._session.structure_set
        if group is not None:
            edit = copy_set(self._session.case, group)
            active = self._session.active
            if self._apply(edit):
                (fresh,) = edit.added
                copy = next((s.after for s in edit.swaps if active and s.after and s.after.name == active.name), None)
                self._session.look(structure_set=fresh.id, active=copy.id if copy else None)
                self._tell(f"{fresh.label} is shown now; {group.label} stays as it is")

    def pick(self) -> None:
        found = self._under_cursor()
        if found is None:
            self._tell("There is no structure under the cursor")
        else:
            self._session.look(active=found)

    def _choose_colour(self) -> None:
        meant = self._meant()
        if meant is not None:
            self.choose_colour(meant)

    def choose_colour(self, structure: Structure) -> None:
        refused = self._fixed(structure)
        if refused:
            self._tell(f"Colour: {refused}")
            return
        dialog = QColorDialog(QColor(*structure.colour), self._window)
        dialog.setObjectName("structure.colour")
        dialog.setWindowTitle(f"Colour of {structure.name}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(
            lambda chosen, i=structure.id: self.recolour(i, (chosen.red(), chosen.green(), chosen.blue()))
        )
        dialog.open()

    def _apply(self, edit: Edit) -> bool:
        try:
            self._session.apply(edit)
        except ReviewerError as error:
            self._warn(str(error))
            return False
        return True

    # -- why not --------------------------------------------------------------------------------------------------------

    def _set_approved(self) -> str:
        group = self._session.structure_set
        return approved(group) if group else ""

    def no_new(self) -> str:
        """Why no structure can be made."""
        case = self._session.case
        if not case.images or not self._session.view.base:
            return NOTHING_OPEN if not self._session.view.base else "there is no image to draw on"
        return self._set_approved()

    def _no_active(self) -> str:
        return "" if self._meant() is not None else "no structure is active"

    def _fixed(self, structure: Structure) -> str:
        return self._set_approved() or locked(structure)

    def _no_change(self) -> str:
        meant = self._meant()
        return self._fixed(meant) if meant is not None else self._no_active()


def name_note(name: str) -> str:
    """A warning and a suggestion for a name outside TG-263, empty for one that is right."""
    meant = standard(name)
    if meant is not None:
        return "" if meant.name == name else f"{name} is {meant.name} in TG-263"
    first, _, number = name.rpartition("_")
    if number.isdecimal() and (of := standard(first)) is not None and of.name == first:
        return f"{name} is one more {first}: other programs may not know the name"
    near = [s.name for s in suggestions(name, 2)]
    hint = f"is {' or '.join(near)} meant?" if near else "other programs may not know it"
    return f"{name} is not among the names of TG-263 known here: {hint}"
