"""Why something cannot be edited, in one sentence; the same wherever it is asked."""

from __future__ import annotations

from dataclasses import replace

from reviewer.case import Case, Structure, StructureSet
from reviewer.edit.edit import Edit, Swap


def refusal(case: Case, structure: Structure) -> str:
    """Why the contours of a structure cannot be drawn on; empty where they can."""
    group = next((g for g in case.structure_sets if any(s.id == structure.id for s in g.structures)), None)
    reason = (approved(group) if group else "") or locked(structure)
    if reason:
        return reason
    if structure.live:
        return f"{structure.name} follows its formula ({structure.formula}): freeze it to draw on it"
    if structure.empty and case.image(structure.image_id) is None:
        return f"{structure.name} has no slices to be drawn on: open the image that it belongs to"
    return ""


def approved(group: StructureSet) -> str:
    """Why nothing in a structure set can be changed; empty where it is neither approved nor signed."""
    if group.signed:
        verdict = group.approval.lower()
        return f"the structure set {group.label or 'without a label'} is {verdict} by {group.reviewer}: reopen it, or work on a copy of it"
    if group.approval.upper() != "APPROVED":
        return ""
    return f"the structure set {group.label or 'without a label'} is approved: make a copy of it and work on that"


def locked(structure: Structure) -> str:
    """Why a structure cannot be changed; empty where it is not locked."""
    return f"{structure.name} is locked: unlock it first" if structure.locked else ""


def edit_refusal(case: Case, edit: Edit) -> str:
    """Why an edit must not be applied: it changes an approved set, or more of a locked structure than its lock."""
    for swap in edit.swaps:
        group = case.structure_set(swap.set_id)
        reason = approved(group) if group else ""
        if not reason and swap.before is not None and not _unlocks(swap):
            reason = locked(swap.before)
        if reason:
            return reason
    return ""


def approved_refusal(case: Case, edit: Edit) -> str:
    """Why an edit must be neither done nor taken back: it concerns an approved set."""
    ids = [swap.set_id for swap in edit.swaps] + [group.id for group in edit.removed]
    groups = (case.structure_set(set_id) for set_id in dict.fromkeys(ids))
    return next((reason for group in groups if group and (reason := approved(group))), "")


def _unlocks(swap: Swap) -> bool:
    """Whether it takes away the lock and leaves everything else as it is."""
    before, after = swap.before, swap.after
    if before is None or after is None:
        return False
    free = replace(before, locked=False)
    return after.same_shape(free) and all(
        getattr(after, name) == getattr(free, name)
        for name in ("name", "type", "colour", "number", "formula", "frozen", "locked", "image_id")
    )
