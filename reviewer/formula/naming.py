"""Another name for a structure, in the formulas that mention it too."""

from __future__ import annotations

from dataclasses import replace

from reviewer.case import Case, Structure
from reviewer.edit import Edit, Swap, set_of
from reviewer.edit.structures import name_refusal
from reviewer.errors import InputError
from reviewer.formula.grammar import renamed


def rename(case: Case, structure: Structure, name: str) -> Edit:
    """One edit of the structure and of every formula of its set that mentions it; raises InputError for a name that cannot be taken."""
    group = set_of(case, structure)
    refused = name_refusal(group, name, structure)
    if refused:
        raise InputError(refused, where=structure.name)
    swaps = [Swap(group.id, structure, replace(structure, name=name))]
    for other in group.structures:
        if other is structure or other.formula is None:
            continue
        text = renamed(other.formula, structure.name, name)
        if text != other.formula:
            swaps.append(Swap(group.id, other, replace(other, formula=text)))
    return Edit(f"Rename {structure.name} to {name}", tuple(swaps))
