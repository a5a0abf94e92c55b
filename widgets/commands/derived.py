"""Commands on derived structures: the dialogues that make them, freezing, deleting. Formulas follow from the first one on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

from PySide6.QtWidgets import QDialog, QWidget

from reviewer.case import Structure
from reviewer.edit import Edit, Swap, set_of
from reviewer.errors import ReviewerError
from reviewer.formula.grammar import needing
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command
from ..binding import Changes, follow
from ..jobs import Jobs


class DerivedCommands:
    """window: owns the dialogues. tell: shows a sentence; warn: shows one that must be read. meant: the structure that a command means."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        jobs: Jobs,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        meant: Callable[[], Structure | None],
    ) -> None:
        self._window, self._session, self._jobs = window, session, jobs
        self._tell, self._warn, self._meant = tell, warn, meant
        self._derivations: Any = None
        follow(window, session, self._heard)

    def commands(self) -> Iterator[Command]:
        yield Command(
            "structure.targets",
            "Targets…",
            "Structures",
            self.open_targets,
            "Ctrl+Shift+T",
            "From GTV to PTV and PTVopt, liver outside, rings: with a preview",
            refusal=self._no_structures,
            icon="target",
        )
        yield Command(
            "structure.derive",
            "New derived structure…",
            "Structures",
            lambda: self.open_formula(None),
            tip="A structure that is made of others by a formula, and follows them",
            refusal=self._no_structures,
        )
        yield Command(
            "structure.formula",
            "Edit formula…",
            "Structures",
            lambda: self.open_formula(self._meant()),
            refusal=self._no_formula,
        )
        yield Command(
            "structure.frozen",
            "Freeze: do not follow the formula",
            "Structures",
            self.freeze,
            tip="The contours stay as they are; switched off, they follow the formula again",
            refusal=self._no_formula,
            checked=lambda: (s := self._meant()) is not None and s.frozen,
        )
        yield Command(
            "structure.revive",
            "Follow the formulas of the file",
            "Structures",
            self.revive,
            tip="Formulas that came back from an RTSTRUCT follow again where they still make its contours; the others stay frozen",
            refusal=self._no_frozen,
        )
        yield Command(
            "structure.delete",
            "Delete structure",
            "Structures",
            self.delete,
            tip="Undo brings it back",
            refusal=self._no_active,
        )

    # -- what they do ---------------------------------------------------------------------------------------------------

    def open_targets(self) -> None:
        group = self._session.structure_set
        if group is not None and not self._raised("targets"):
            dialog = import_module("..dialogs.targets", __package__).TargetsDialog(
                self._session, self._jobs, group, self.build, self._window
            )
            dialog.open_over(self._window)

    def open_formula(self, structure: Structure | None) -> None:
        group = self._session.structure_set
        if group is not None and not self._raised("formula"):
            dialog = import_module("..dialogs.formula", __package__).FormulaDialog(
                self._session, self._jobs, group, structure, self.build, self._window
            )
            dialog.open_over(self._window)

    def build(self, proposal: Any, label: str) -> None:
        """One edit; from now on what was made follows. proposal: `reviewer.formula.proposal.Proposal`."""
        self._keep_following()
        proposal.adopted_by(self._derivations)
        edit = proposal.edit(label)
        self._session.apply(edit)
        if edit.swaps:  # the panel shows where they are
            self._session.look(active=edit.swaps[0].structure_id)
        self._tell(f"{label}: done; Undo takes it back")

    def freeze(self) -> None:
        """Or follow the formula again."""
        before = self._meant()
        if before is not None:
            label = f"{'Follow the formula of' if before.frozen else 'Freeze'} {before.name}"
            self._apply(Edit.of(label, self._session.case, before, replace(before, frozen=not before.frozen)))

    def revive(self) -> None:
        """Formulas that make the contours as they are follow again; which do not is told."""
        group, case = self._session.structure_set, self._session.case
        if group is not None:
            self._jobs.run(
                "Comparing formulas with contours",
                lambda progress: import_module("reviewer.formula.revival").revival(case, group),
                self._revived,
                key="revive",
            )

    def _revived(self, found: Any) -> None:
        """found: `reviewer.formula.revival.Revival`."""
        if found.edit is not None:
            self._apply(found.edit)
            self._tell(f"{found.edit.label}: the contours are those of the formulas")
        if found.differing:
            self._warn(f"Still frozen, since their formulas make other contours now: {', '.join(found.differing)}")

    def delete(self) -> None:
        before = self._meant()
        if before is None:
            return
        group = set_of(self._session.case, before)
        needed = needing([(s.name, s.formula) for s in group.structures if s.live and s.formula], before.name)
        if needed:
            names = ", ".join(needed)
            self._warn(f"{before.name} is not deleted: {names} is made of it; delete or freeze {names} first")
            return
        self._apply(Edit(f"Delete {before.name}", (Swap(group.id, before, None),)))

    def _apply(self, edit: Edit) -> None:
        try:
            self._keep_following()
            self._session.apply(edit)
        except ReviewerError as error:
            self._warn(f"{edit.label}: {error}")

    def _keep_following(self) -> None:
        """The geometry behind formulas is slow to load, so it is not loaded before there is one."""
        if self._derivations is None:
            self._derivations = import_module("reviewer.formula.derivations").Derivations()
            self._session.follow(self._derivations)

    def _heard(self, changes: Changes) -> None:
        if changes.opened:
            # Evaluations of another case, whose sets may have the same ids, are of no use.
            was_following, self._derivations = self._derivations is not None, None
            if was_following or self._session.history.formulas or any(s.live for s in self._session.case.structures):
                self._keep_following()

    def _raised(self, name: str) -> bool:
        """Whether the dialogue is open already; then it comes to the front."""
        dialog = next((d for d in self._window.findChildren(QDialog, name) if d.isVisible()), None)
        if dialog is not None:
            dialog.raise_()
            dialog.activateWindow()
        return dialog is not None

    # -- why not --------------------------------------------------------------------------------------------------------

    def _no_structures(self) -> str:
        if not self._session.view.base:
            return NOTHING_OPEN
        group = self._session.structure_set
        return "" if group and any(not s.empty for s in group.structures) else "there are no structures with contours"

    def _no_active(self) -> str:
        meant = self._meant()
        if meant is None:
            return self._no_structures() or "no structure is active"
        return f"{meant.name} is locked" if meant.locked else ""

    def _no_frozen(self) -> str:
        group = self._session.structure_set
        frozen = group is not None and any(s.formula is not None and s.frozen for s in group.structures)
        return self._no_structures() or ("" if frozen else "no structure has a formula that it does not follow")

    def _no_formula(self) -> str:
        meant = self._meant()
        return self._no_active() or (
            "" if meant and meant.formula else f"{meant.name if meant else 'it'} is drawn by hand"
        )
