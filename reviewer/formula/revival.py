"""Formulas that came back from a file, frozen: which of them still make the contours that they stand at.

An RTSTRUCT holds contours; that a formula made them is a remark in it (`reviewer.dicom.annotation`). Between then and now another program
may have changed either. So a formula comes alive again only when somebody asks for it, and only where nothing visible changes by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reviewer.case import Case, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.errors import ReviewerError
from reviewer.formula.derivations import CaseSources
from reviewer.formula.evaluate import Evaluation, grid_for
from reviewer.formula.grammar import mentions, parse
from reviewer.geometry.overlay import either

ROUNDING_MM = 0.01
"""Contours agree where the area between them is less than their length times this: coordinates in a file have fewer digits."""


@dataclass(frozen=True)
class Revival:
    """edit: the formulas of `alive` followed again; None where there are none. differing: names of those that make other contours now."""

    edit: Edit | None
    alive: tuple[str, ...]
    differing: tuple[str, ...]


def revival(case: Case, group: StructureSet) -> Revival:
    """The frozen formulas of a set, each evaluated with the other structures as they are. Takes as long as making them; changes nothing."""
    frozen = [s for s in group.structures if s.formula is not None and s.frozen and not s.locked]
    alive = [s for s in frozen if reproduces(case, group, s)]
    names = tuple(s.name for s in alive)
    swaps = tuple(Swap(group.id, s, replace(s, frozen=False)) for s in alive)
    return Revival(
        Edit(f"Follow {', '.join(names)}", swaps) if swaps else None,
        names,
        tuple(s.name for s in frozen if s not in alive),
    )


def reproduces(case: Case, group: StructureSet, structure: Structure) -> bool:
    """Whether the formula of a structure can be evaluated and makes its contours, within rounding."""
    text = structure.formula or ""
    try:
        node = parse(text)
        sources = CaseSources(case, group, text)
        named = [sources.structure(mention) for mention in mentions(node)]
        if not named or structure in named:
            return False
        evaluation = Evaluation(text, node, grid_for(node, named), sources)
    except ReviewerError:
        return False
    made, planes = evaluation.planes, structure.planes
    if made.keys() != planes.keys() or not (made and evaluation.grid.same_lattice(structure.grid)):
        return False
    return all(
        either(planes[k], region).area <= ROUNDING_MM * (planes[k].length + region.length) for k, region in made.items()
    )
