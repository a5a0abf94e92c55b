"""`Session`: the one door. Whoever wants to change the case or what is seen of it comes through here, and hears of it here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from psygnal import Signal

from reviewer.approval.act import Act
from reviewer.case import Case, Dose, Image, Problem, Structure, StructureSet, Window
from reviewer.changes import (
    ApprovalChanged,
    CaseOpened,
    DosesChanged,
    HistoryChanged,
    ImagesChanged,
    JournalChanged,
    ProblemsFound,
    StructuresChanged,
    ViewChanged,
    VoxelsArrived,
)
from reviewer.dosimetry.recipe import MADE, REMOVED, document
from reviewer.edit import Edit, History, Swap, approved_refusal, edit_refusal, merged, swapped
from reviewer.errors import InputError, NotRegisteredError
from reviewer.scene import Point, Scene, View, drawn_on, resolve
from reviewer.view_state import judging


class Formulas(Protocol):
    """Keeps derived structures up to date; `reviewer.formula.derivations.Derivations` is one."""

    def follow(self, case: Case, swaps: Iterable[Swap]) -> tuple[Swap, ...]:
        """What else changes in a case in which `swaps` were just done; raises where a formula cannot follow."""


class Journal(Protocol):
    """Takes down what is done, so that it outlives the program; `reviewer.store.Workspace` is one.

    A disk that cannot be written is no error here: the journal keeps what it could not write, and says so when it is asked.
    """

    def applied(self, edit: Edit, case: Case, swaps: Sequence[Swap]) -> None:
        """`edit` is done to `case`; `swaps` is all that changes: the edit itself and what formulas make of it."""

    def moved(self, position: int, label: str, swaps: Sequence[Swap]) -> None:
        """The history goes to a position; swaps: as in `applied`; label: for whoever reads the journal."""

    def note(self, kind: str, label: str, body: object) -> object:
        """Something else happened that belongs into the audit trail: a signature."""

    def stroke_begun(self, label: str) -> None:
        """A hand has begun a stroke; label: "a stroke on Stomach"."""

    def stroke_ended(self) -> None:
        """It was given up."""


class Session:
    """One case, one view, one history. `changed` emits a message of `reviewer.changes` after the state is consistent."""

    changed = Signal(object)

    def __init__(self, case: Case | None = None) -> None:
        self._case = case or Case()
        self._view = first_view(self._case)
        self._history = History()
        self._formulas: Formulas | None = None
        self._journal: Journal | None = None
        self._scene: Scene | None = None
        self._made: frozenset[str] = frozenset()
        self._active: tuple[Case, View, Structure | None] | None = None

    @property
    def case(self) -> Case:
        return self._case

    @property
    def view(self) -> View:
        return self._view

    @property
    def history(self) -> History:
        return self._history

    @property
    def scene(self) -> Scene:
        if self._scene is None:
            self._scene = resolve(self._case, self._view)
        return self._scene

    @property
    def structure_set(self) -> StructureSet | None:
        """The set whose structures are shown."""
        return self._case.structure_set(self._view.structure_set)

    @property
    def active(self) -> Structure | None:
        """The structure that strokes and commands mean: one of the set that is shown."""
        known = self._active
        if known is None or known[0] is not self._case or known[1] is not self._view:
            group = self.structure_set
            found = next((s for s in group.structures if s.id == self._view.active), None) if group else None
            known = self._active = self._case, self._view, found  # asked for many times after each change
        return known[2]

    def open(self, case: Case, history: History | None = None, journal: Journal | None = None) -> None:
        """Replace the case. history: how it came about, else it starts anew; journal: as `keep`."""
        self._case, self._view, self._scene = case, first_view(case), None
        self._history, self._journal, self._made = history or History(), journal, frozenset()
        self.changed.emit(CaseOpened())

    def look(self, **wishes: Any) -> None:
        """Change fields of the view; emits ViewChanged with the names of those that differ, or nothing.

        A new base without a new point keeps the crosshair on the same anatomy, or puts it in the middle of an image that no
        registration ties to the one before; zoom and pan, which count from the image's centre, start anew.
        """
        base = self._case.image(wishes.get("base"))
        if base is not None and base.id != self._view.base and "point_mm" not in wishes:
            wishes = {"point_mm": self._point_on(base), "cameras": MappingProxyType({}), **wishes}
        after = replace(self._view, **wishes)
        different = frozenset(name for name in wishes if getattr(after, name) != getattr(self._view, name))
        if not different:
            return
        stroked = self._scene is not None and different == {"stroke"}
        self._view, self._scene = after, drawn_on(self._scene, after.stroke) if stroked and self._scene else None
        self.changed.emit(ViewChanged(different))

    @property
    def judging_refusal(self) -> str:
        """Why sheet, typed prescriptions, chosen structures and doses made here cannot be changed; empty where they can."""
        group = next((g for g in self._case.structure_sets if g.signed), None)
        if group is None:
            return ""
        what = f"{group.label or 'the structure set'} is {group.approval.lower()} by {group.reviewer}"
        return f"{what}: what the goals are judged by stays as it was signed, until it is opened again"

    def judge(self, label: str, **wishes: Any) -> None:
        """Change by what goals are judged: `sheet`, `prescribed`, `assigned` of the view, and what of it follows; it goes into the journal.

        label: what was done, for the reader of the journal. Raises InputError while anything in the case is signed.
        """
        if all(getattr(self._view, name) == value for name, value in wishes.items()):
            return
        if self.judging_refusal:
            raise InputError(self.judging_refusal, where=label)
        self._take_down("judging", label, judging(replace(self._view, **wishes)))
        self.look(**wishes)
        self.changed.emit(JournalChanged())

    def follow(self, formulas: Formulas) -> None:
        """Let derived structures follow every edit from now on. A part of its own: it needs the geometry, which is slow to load."""
        self._formulas = formulas

    def keep(self, journal: Journal | None) -> None:
        """Take down everything that is done to this case from now on; before anybody hears of an edit, it is in the journal."""
        self._journal = journal
        self.changed.emit(JournalChanged())

    def stroke_begun(self, label: str) -> None:
        """A hand is about to draw ("a stroke on Stomach"): should the program end now, the next one can say what is missing."""
        if self._journal is not None:
            self._journal.stroke_begun(label)
            self.changed.emit(JournalChanged())

    def stroke_ended(self) -> None:
        """The stroke was given up. One that becomes an edit is ended by `apply`."""
        if self._journal is not None:
            self._journal.stroke_ended()

    def apply(self, edit: Edit) -> None:
        """Carry out an edit, let derived structures follow, and record it. Where one of them cannot follow, nothing is changed.

        Raises InputError for what is locked or approved, and for an edit that was made for another state of the case.
        """
        refused = edit_refusal(self._case, edit)
        if refused:
            raise InputError(refused, where=edit.label)
        edit = edit.placed_in(self._case)
        changed = self._replace((edit,), lambda journal, case, swaps: journal.applied(edit, case, swaps))
        self._history.record(edit)
        self._announce(changed)

    def foresee(self, edit: Edit) -> Callable[[], Case]:
        """What works out, in any thread, the case as `apply` would make it of this edit, which then finds the same derived structures.

        It changes nothing. Raises, when it is called, what `apply` would.
        """
        case, formulas = self._case, self._formulas
        return lambda: _carried_out(case, (edit,), formulas)[0]

    def sign(self, act: Act) -> None:
        """A signature, or that what was signed is open again: into the journal, then for everybody to see.

        Raises InputError where there is no journal to keep it, and for an act that was made for another state of the case.
        """
        if self._journal is None:
            raise InputError("nothing keeps a record here, so nothing can be signed", where=act.label)
        if act.case is not self._case:
            raise InputError("the case has changed since", where=act.label, remedy="look at it again and sign then")
        self._journal.note(act.kind, act.label, act.body)
        self._case, self._scene = act.signed, None
        self.changed.emit(ApprovalChanged())
        self.changed.emit(JournalChanged())

    def move_refusal(self, position: int) -> str:
        """Why the history cannot go to a position because it would change what is approved; empty where it can."""
        steps = self._history.steps_to(position)
        return next((reason for step in steps if (reason := approved_refusal(self._case, step))), "")

    def undo(self) -> None:
        """Take the newest edit back, if there is one to take back."""
        if self._history.undo_label is not None:
            self.go_to(self._history.position - 1)

    def redo(self) -> None:
        """Do again what was undone last, if there is something."""
        if self._history.redo_label is not None:
            self.go_to(self._history.position + 1)

    def go_to(self, position: int) -> None:
        """Undo or redo until so many entries of the history are done; derived structures follow once, views redraw once.

        Raises InputError for a position that does not exist, that the history cannot go back to any more, or that would change
        what is approved.
        """
        refused = self.move_refusal(position)
        if refused:
            raise InputError(refused)
        steps = self._history.steps_to(position)
        if steps:
            back = position < self._history.position
            one = f"Undo {self._history.undo_label}" if back else f"Redo {self._history.redo_label}"
            label = one if len(steps) == 1 else f"Go to edit {position} in the history"
            changed = self._replace(steps, lambda journal, case, swaps: journal.moved(position, label, swaps))
            self._history.move_to(position)
            self._announce(changed)

    def voxels_arrived(self, image_id: str) -> None:
        """The reader filled more planes of an image; to be called in the thread that owns the session."""
        image = self._case.image(image_id)
        if image is not None:
            self.changed.emit(VoxelsArrived(image_id, image.complete))

    def found(self, problems: tuple[Problem, ...]) -> None:
        """Reading found more that is wrong; to be called in the thread that owns the session."""
        if problems:
            self._case = replace(self._case, problems=(*self._case.problems, *problems))
            self._scene = None
            self.changed.emit(ProblemsFound())

    def put_dose(self, dose: Dose) -> None:
        """Add a dose that was computed here. One that has a recipe is kept by it in the journal; that of a backend is not.

        Raises InputError where a dose with its id is there already.
        """
        if self._case.dose(dose.id) is not None:
            raise InputError("this dose is there already", where=dose.label)
        if dose.recipe is not None:
            self._take_down(MADE, f"Made {dose.label}", {"id": dose.id, "recipe": document(dose.recipe)})
        self._case = replace(self._case, doses=(*self._case.doses, dose))
        self._made, self._scene = self._made | {dose.id}, None
        self.changed.emit(DosesChanged())
        self.changed.emit(JournalChanged())

    def take_dose(self, dose_id: str) -> None:
        """Remove a dose that `put_dose` added, now or before; what showed it shows the newest of the others.

        Raises InputError for a dose of the files, and for one that a signature may stand for.
        """
        dose = self._case.dose(dose_id)
        if dose is None or not self.made(dose_id):
            raise InputError("only doses that were made here can be removed", where=dose_id)
        if dose.recipe is not None:
            if self.judging_refusal:
                raise InputError(self.judging_refusal, where=dose.label)
            self._take_down(REMOVED, f"Removed {dose.label}", {"id": dose_id})
        self._case = replace(self._case, doses=tuple(d for d in self._case.doses if d.id != dose_id))
        self._made, self._scene = self._made - {dose_id}, None
        self.changed.emit(DosesChanged())
        self.changed.emit(JournalChanged())
        view, newest = self._view, newest_dose(self._case)
        columns = tuple(c for c in view.columns if c.dose != dose_id)
        shown = view.dose if view.dose != dose_id else newest.id if newest else None
        self.look(columns=columns, dose=shown)

    def made(self, dose_id: str) -> bool:
        """Whether a dose was computed here."""
        dose = self._case.dose(dose_id)
        return dose_id in self._made or (dose is not None and dose.recipe is not None)

    def put_image(self, image: Image) -> None:
        """Show a map that was made here (electron density) among the images, in place of one with its id; it is kept in no workspace.

        Raises InputError where an image of the files has this id.
        """
        if self._case.image(image.id) is not None and image.id not in self._made:
            raise InputError("an image of the files has this name", where=image.description)
        others = tuple(i for i in self._case.images if i.id != image.id)
        self._case = replace(self._case, images=(*others, image))
        self._made, self._scene = self._made | {image.id}, None
        self.changed.emit(ImagesChanged())

    def take_image(self, image_id: str) -> None:
        """Remove an image that `put_image` added; where it was the base the first of the others is. Raises InputError for one of the files."""
        if image_id not in self._made:
            raise InputError("only images that were made here can be removed", where=image_id)
        images = tuple(i for i in self._case.images if i.id != image_id)
        view = self._view
        if view.overlay == image_id:
            self.look(overlay=None)
        if view.base == image_id and images:
            self.look(base=images[0].id)
        self._case = replace(self._case, images=images)
        self._made, self._scene = self._made - {image_id}, None
        self.changed.emit(ImagesChanged())

    def _take_down(self, kind: str, label: str, body: object) -> None:
        if self._journal is not None:
            self._journal.note(kind, label, body)

    def _point_on(self, image: Image) -> Point:
        """The crosshair in the frame of another image."""
        before = self._case.image(self._view.base)
        point = image.grid.centre_mm
        if before is not None:
            with suppress(NotRegisteredError):
                matrix = self._case.transform(before.grid.frame_of_reference_uid, image.grid.frame_of_reference_uid)
                point = (matrix @ [*self._view.point_mm, 1.0])[:3]
        return float(point[0]), float(point[1]), float(point[2])

    def _replace(
        self, edits: tuple[Edit, ...], take_down: Callable[[Journal, Case, tuple[Swap, ...]], None]
    ) -> StructuresChanged:
        """Carry out edits one after the other, let derived structures follow them all, and take it down.

        Raises where that cannot be done, and changes nothing.
        """
        case, swaps = _carried_out(self._case, edits, self._formulas)
        if self._journal is not None:
            take_down(self._journal, self._case, swaps)
        self._case, self._scene = case, None
        touched = frozenset(swap.structure_id for swap in swaps)
        return StructuresChanged(touched, frozenset(k for swap in swaps for k in swap.planes))

    def _announce(self, changed: StructuresChanged) -> None:
        self.changed.emit(changed)
        self.changed.emit(HistoryChanged())
        if self._journal is not None:
            self.changed.emit(JournalChanged())
        if self._view.structure_set is not None and self._case.structure_set(self._view.structure_set) is None:
            self.look(structure_set=next((group.id for group in self._case.structure_sets), None), active=None)


def _carried_out(case: Case, edits: tuple[Edit, ...], formulas: Formulas | None) -> tuple[Case, tuple[Swap, ...]]:
    """The case after edits, one after the other, and all that changes in it, last what formulas make of it."""
    for edit in edits:
        case = edit.applied_to(case)
    swaps = merged(swap for edit in edits for swap in edit.swaps)
    followed = formulas.follow(case, swaps) if formulas is not None else ()
    return swapped(case, followed), (*swaps, *followed)


def with_dose_as_image(case: Case) -> Case:
    """A case of doses without any image gets the grid of the dose to begin with as a grey image in Gy, so that it can be looked at.

    For what is shown only: the image is no data of the patient and belongs into no file. Every other case comes back as it is.
    """
    dose = newest_dose(case)
    if case.images or dose is None:
        return case
    known = dose.gray[np.isfinite(dose.gray)]
    top = max(float(known.max(initial=0.0)), 1e-3)
    image = Image(
        id=f"{dose.id}#grid",
        modality="RTDOSE",
        description="dose grid",
        grid=dose.grid,
        voxels=dose.gray,
        window=Window(top / 2, top),
        date=dose.date,
    )
    return replace(case, images=(image,))


def first_view(case: Case) -> View:
    """What a freshly opened case shows: the dose of the newest plan, its structures, and the image that they were drawn on."""
    dose = newest_dose(case)
    group = structure_set_of(case, dose) if dose else None
    frames = {image.grid.frame_of_reference_uid for image in case.images}
    on_image = [g for g in case.structure_sets if g.frame_of_reference_uid in frames] or case.structure_sets
    group = group or (on_image[-1] if on_image else None)
    base = (case.image(group.image_id) if group else None) or (case.images[0] if case.images else None)
    if base is None:
        return View()
    if dose is not None and group is not structure_set_of(case, dose):
        frame = base.grid.frame_of_reference_uid
        dose = next((d for d in case.doses if d.grid.frame_of_reference_uid == frame), None)
    target = next(
        (
            s
            for kind in ("GTV", "PTV", "CTV")
            for s in (group.structures if group else ())
            if s.type == kind and s.planes
        ),
        None,
    )
    point = base.grid.centre_mm
    if target is not None and target.grid.frame_of_reference_uid == base.grid.frame_of_reference_uid:
        middle = sorted(target.planes)[len(target.planes) // 2]
        centroid = target.planes[middle].centroid
        point = target.grid.point_mm(np.array([centroid.x, centroid.y, target.grid.positions_mm[middle]]))
    return View(
        base=base.id,
        point_mm=(float(point[0]), float(point[1]), float(point[2])),
        structure_set=group.id if group else None,
        dose=dose.id if dose else None,
        reference_gy=case.prescription(dose)[0] if dose else None,
    )


def newest_dose(case: Case) -> Dose | None:
    """The dose to begin with: of those that belong to structures the one with the newest plan, else with the newest date, else the last.

    What was computed here or by a backend is not begun with while there is another, nor is the share of a beam or of a fraction.
    """
    planned = [d for d in case.doses if not d.statements and d.recipe is None] or list(case.doses)
    whole = [d for d in planned if d.whole] or planned
    belonging = [d for d in whole if structure_set_of(case, d) is not None] or whole

    def age(dose: Dose) -> tuple[str, str, int]:
        plan = case.plan(dose.plan_id)
        return (plan.date if plan else "", dose.date, case.doses.index(dose))

    return max(belonging, key=age, default=None)


def structure_set_of(case: Case, dose: Dose) -> StructureSet | None:
    """The structures that a dose belongs to: those that it or its plan names, else the only set in its frame of reference."""
    plan = case.plan(dose.plan_id)
    for set_id in (dose.structure_set_id, plan.structure_set_id if plan else None):
        group = case.structure_set(set_id)
        if group is not None:
            return group
    same = [g for g in case.structure_sets if g.frame_of_reference_uid == dose.grid.frame_of_reference_uid]
    return same[0] if len(same) == 1 else None
