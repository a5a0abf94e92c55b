"""`Edit`: one undoable change of the case, as the structures before and after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from reviewer.case import Case, Structure, StructureSet
from reviewer.errors import InputError


@dataclass(frozen=True, eq=False)
class Swap:
    """`after` in the place of `before`; a new structure has no `before`, a deleted one no `after`.

    set_id: the structure set that they belong to.
    place:  where in the list of the set a new structure comes to stand, or a deleted one stood; None: at the end, or not known.
    """

    set_id: str
    before: Structure | None
    after: Structure | None
    place: int | None = None

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
            place = len(structures) if self.place is None else self.place
            return structures if self.after is None else (*structures[:place], self.after, *structures[place:])
        if not any(self._replaces(s) for s in structures):
            raise InputError("the structure has changed since the edit was made", where=self.before.name)
        new = () if self.after is None else (self.after,)
        return tuple(x for s in structures for x in (new if self._replaces(s) else (s,)))

    def placed_in(self, structures: tuple[Structure, ...]) -> Swap:
        """The same with its place in the list, where it adds or deletes."""
        if self.before is None:
            return self if self.place is not None else replace(self, place=len(structures))
        if self.after is None:
            return replace(self, place=next((k for k, s in enumerate(structures) if self._replaces(s)), None))
        return self

    @property
    def inverse(self) -> Swap:
        return Swap(self.set_id, self.after, self.before, self.place)

    def _replaces(self, structure: Structure) -> bool:
        """Whether this is `before`; one that follows a formula may have moved with it meanwhile."""
        before = self.before
        return structure is before or (
            before is not None and before.live and structure.live and structure.id == before.id
        )


@dataclass(frozen=True, eq=False)
class Edit:
    """Swaps that are done and undone together, with the name a person reads in the history ("Recolour Duodenum").

    added:   empty structure sets that come first, so that swaps can fill them; removed: empty sets that go at last. To add one is how
             a case without contours gets its first structure; to remove one is how that is undone.
    """

    label: str
    swaps: tuple[Swap, ...]
    added: tuple[StructureSet, ...] = ()
    removed: tuple[StructureSet, ...] = ()

    @classmethod
    def of(cls, label: str, case: Case, before: Structure, after: Structure) -> Edit:
        """The edit of one structure of the case."""
        return cls(label, (Swap(set_of(case, before).id, before, after),))

    @classmethod
    def of_contours(cls, what: str, case: Case, before: Structure, after: Structure) -> Edit:
        """The edit of the contours of one structure, named after what was done and on which slices ("Brush on Duodenum, slice 37")."""
        swap = Swap(set_of(case, before).id, before, after)
        return cls(f"{what}, {_slices([after.grid.slice_number(k) for k in swap.planes])}", (swap,))

    @property
    def inverse(self) -> Edit:
        return Edit(self.label, tuple(s.inverse for s in reversed(self.swaps)), self.removed, self.added)

    def applied_to(self, case: Case) -> Case:
        """The case after the edit. Raises InputError where the case holds another state than the edit was made for."""
        return without(swapped(joined(case, self.added), self.swaps), self.removed)

    def placed_in(self, case: Case) -> Edit:
        """The same with the place of every structure that it adds or deletes, so that its inverse restores the order of the lists."""
        structures = {group.id: group.structures for group in joined(case, self.added).structure_sets}
        placed = []
        for swap in self.swaps:
            now = structures.get(swap.set_id, ())
            placed.append(swap.placed_in(now))
            structures[swap.set_id] = swap.within(now)
        return replace(self, swaps=tuple(placed))


def _slices(numbers: Collection[int]) -> str:
    first, last = min(numbers), max(numbers)
    if first == last:
        return f"slice {first}"
    return (
        f"slices {first}–{last}"
        if len(numbers) == last - first + 1
        else f"{len(numbers)} slices from {first} to {last}"
    )


def merged(swaps: Iterable[Swap]) -> tuple[Swap, ...]:
    """What swaps that follow each other amount to: one for each structure, from how it was at first to how it is at last."""
    first: dict[str, Swap] = {}
    last: dict[str, Swap] = {}
    for swap in swaps:
        first.setdefault(swap.structure_id, swap)
        last[swap.structure_id] = swap
    both = (Swap(s.set_id, s.before, last[i].after) for i, s in first.items())
    return tuple(swap for swap in both if swap.before is not swap.after)


def joined(case: Case, groups: Collection[StructureSet]) -> Case:
    """With more structure sets, empty ones; raises InputError where one of their ids is taken."""
    for group in groups:
        if case.structure_set(group.id) is not None or group.structures:
            raise InputError("the structure set is in the case already", where=group.label)
    return replace(case, structure_sets=(*case.structure_sets, *groups)) if groups else case


def without(case: Case, groups: Collection[StructureSet]) -> Case:
    """Without these structure sets; raises InputError where one is not there or holds structures."""
    for group in groups:
        found = case.structure_set(group.id)
        if found is None or found.structures:
            raise InputError("the structure set has changed since the edit was made", where=group.label)
    gone = {group.id for group in groups}
    return replace(case, structure_sets=tuple(g for g in case.structure_sets if g.id not in gone)) if gone else case


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
