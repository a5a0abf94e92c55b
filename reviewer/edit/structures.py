"""Edits of what structures there are, and what they are called: everything about them but their contours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain, count
from uuid import uuid4

from reviewer.case import PALETTE, Case, Image, Structure, StructureSet
from reviewer.edit.edit import Edit, Swap, set_of
from reviewer.errors import InputError
from reviewer.names import Standard

LONGEST_NAME = 64
"""Characters of an ROI name (value representation LO, PS3.5 table 6.2-1)."""

LAST_NUMBER = 2**31 - 1


def add_structures(case: Case, group: StructureSet | None, image: Image | None, wanted: Sequence[Standard]) -> Edit:
    """New, empty structures at the end of a set, on the slices that its others lie on, else on those of `image`.

    Without a set they come with a new one on `image`. wanted: name, type and colour of each.
    Raises InputError for a name that cannot be taken, and where there are no slices to draw on.
    """
    added: tuple[StructureSet, ...] = ()
    if group is None:
        if image is None:
            raise InputError("there is no image to draw on", remedy="open one")
        label = free_name("Contours", {g.label for g in case.structure_sets})
        group = StructureSet(new_uid(), label, (), image.id, image.grid.frame_of_reference_uid)
        added = (group,)
    own = case.image(group.image_id) or image
    if own is None:
        raise InputError("there is no image to draw on", remedy="open the one that the structures belong to")
    set_id, extended = group.id, group
    for each in wanted:
        refused = name_refusal(extended, each.name)
        if refused:
            raise InputError(refused)
        number = free_number(extended)
        fresh = Structure(f"{set_id}#{number}", each.name, own.grid, {}, each.type, each.colour, own.id, number)
        extended = replace(extended, structures=(*extended.structures, fresh))
    fresh_ones = extended.structures[len(group.structures) :]
    label = f"New {fresh_ones[0].name}" if len(fresh_ones) == 1 else f"{len(fresh_ones)} new structures"
    return Edit(label, tuple(Swap(set_id, None, fresh) for fresh in fresh_ones), added)


def duplicate(case: Case, structure: Structure) -> Edit:
    """A copy right after the structure, drawn by hand from now on, in a colour of its own."""
    group = set_of(case, structure)
    number = free_number(group)
    copy = replace(
        structure,
        id=f"{group.id}#{number}",
        name=free_name(structure.name, {s.name for s in group.structures}),
        number=number,
        colour=PALETTE[number % len(PALETTE)],
        formula=None,
        frozen=False,
        locked=False,
    )
    place = next(k for k, s in enumerate(group.structures) if s is structure) + 1
    return Edit(f"Duplicate {structure.name}", (Swap(group.id, None, copy, place),))


def copy_set(case: Case, group: StructureSet) -> Edit:
    """A copy of a whole structure set that can be worked on, whatever the state of approval of the other; formulas stay formulas."""
    label = free_name(f"{group.label} copy".strip(), {g.label for g in case.structure_sets})
    fresh = replace(
        group, id=new_uid(), label=label, structures=(), approval="", path="", reviewer="", reviewed="", signed=False
    )
    copies = (replace(s, id=f"{fresh.id}#{s.number}", locked=False) for s in group.structures)
    return Edit(f"Copy {group.label}", tuple(Swap(fresh.id, None, copy) for copy in copies), (fresh,))


def name_refusal(group: StructureSet, name: str, of: Structure | None = None) -> str:
    """Why a name cannot be taken in a set, by a new structure or by `of`; empty where it can."""
    if not name.strip():
        return "a structure needs a name"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    if "\\" in name or not name.isprintable():
        return "a name has no backslash and no control characters"
    same = next((s for s in group.structures if s is not of and _alike(s.name) == _alike(name)), None)
    return f"there is a structure {same.name} already" if same is not None else ""


def _alike(name: str) -> str:
    """What names have in common that a file (blanks at its ends, PS3.5 6.2) or another planning system (capitals) would not tell apart."""
    return name.strip().casefold()


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The name itself, else with the first number from 2 that makes it new; what is too long then loses letters in front of the number."""
    known = {_alike(name) for name in taken}
    numbered = (f"{wanted[: LONGEST_NAME - len(f'_{k}')]}_{k}" for k in count(2))
    return next(name for name in chain([wanted], numbered) if _alike(name) not in known)


def free_number(group: StructureSet) -> int:
    """The ROI number after the largest; where that is the last of an IS (PS3.5 6.2), the first that is free."""
    taken = {s.number for s in group.structures}
    after = max(taken, default=0) + 1
    return after if after <= LAST_NUMBER else next(n for n in count(1) if n not in taken)


def new_uid() -> str:
    """A UID that nothing else has: 2.25 and a random UUID (PS3.5 B.2)."""
    return f"2.25.{uuid4().int}"
