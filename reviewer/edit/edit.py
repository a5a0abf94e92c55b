"""`Edit`: one undoable change of the case, as the structures before and after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reviewer.case import Case, Structure, StructureSet
from reviewer.errors import InputError


@dataclass(frozen=True, eq=False)
class Swap:
    """`after` in the place of `before`; a new structure has no `before`, a deleted one no `after`.

    set_id: the structure set that they belong to.
    """

    set_id: str
    before: Structure | None
    after: Structure | None

    @property
    def structure_id(self) -> str:
        structure = self.after or self.before
        return structure.id if structure else ""

    @property
    def planes(self) -> frozenset[int]:
        """Planes whose region differs."""
        old = self.before.planes if self.before else {}
        new = self.after.planes if self.after else {}
        return frozenset(k for k in old.keys() | new.keys() if old.get(k) is not new.get(k))

    def within(self, structures: tuple[Structure, ...]) -> tuple[Structure, ...]:
        """The structures of the set after the swap. Raises InputError where `before` is not among them."""
        if self.before is None:
            return structures if self.after is None else (*structures, self.after)
        if not any(self._replaces(s) for s in structures):
            raise InputError("the structure has changed since the edit was made", where=self.before.name)
        new = () if self.after is None else (self.after,)
        return tuple(x for s in structures for x in (new if self._replaces(s) else (s,)))

    def _replaces(self, structure: Structure) -> bool:
        """Whether this is `before`; one that follows a formula may have moved with it meanwhile."""
        before = self.before
        return structure is before or (
            before is not None and before.live and structure.live and structure.id == before.id
        )


@dataclass(frozen=True, eq=False)
class Edit:
    """Swaps that are done and undone together, with the name a person reads in the history ("Recolour Duodenum")."""

    label: str
    swaps: tuple[Swap, ...]

    @classmethod
    def of(cls, label: str, case: Case, before: Structure, after: Structure) -> Edit:
        """The edit of one structure of the case."""
        return cls(label, (Swap(set_of(case, before).id, before, after),))

    @property
    def inverse(self) -> Edit:
        return Edit(self.label, tuple(Swap(s.set_id, s.after, s.before) for s in reversed(self.swaps)))

    def applied_to(self, case: Case) -> Case:
        """The case after the edit. Raises InputError where the case holds another state than the edit was made for."""
        return swapped(case, self.swaps)


def swapped(case: Case, swaps: Iterable[Swap]) -> Case:
    """The case after swaps; raises InputError for a set or a structure that the case does not hold."""
    structures = {group.id: group.structures for group in case.structure_sets}
    for swap in swaps:
        if swap.set_id not in structures:
            raise InputError("the structure set is not in the case", where=swap.set_id)
        structures[swap.set_id] = swap.within(structures[swap.set_id])
    return replace(
        case,
        structure_sets=tuple(
            group if structures[group.id] is group.structures else replace(group, structures=structures[group.id])
            for group in case.structure_sets
        ),
    )


def set_of(case: Case, structure: Structure) -> StructureSet:
    """The set that holds a structure. Raises InputError where none does."""
    for group in case.structure_sets:
        if any(s is structure for s in group.structures):
            return group
    raise InputError("the structure has changed since the edit was made", where=structure.name)
