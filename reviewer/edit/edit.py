"""`Edit`: one undoable change of one structure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reviewer.case import Case, Structure
from reviewer.errors import InputError


@dataclass(frozen=True, eq=False)
class Edit:
    """before -> after of one structure, with the name a person reads in the history ("Recolour Duodenum")."""

    label: str
    before: Structure
    after: Structure

    @property
    def planes(self) -> frozenset[int]:
        """Planes whose region differs."""
        keys = set(self.before.planes) | set(self.after.planes)
        return frozenset(k for k in keys if self.before.planes.get(k) is not self.after.planes.get(k))

    @property
    def inverse(self) -> Edit:
        return Edit(self.label, self.after, self.before)

    def applied_to(self, case: Case) -> Case:
        """The case with `after` where `before` was. Raises InputError where the case holds another state of the structure."""
        if case.structure(self.before.id) is not self.before:
            raise InputError("the structure has changed since the edit was made", where=self.before.name)
        sets = tuple(
            replace(group, structures=tuple(self.after if s is self.before else s for s in group.structures))
            if self.before in group.structures
            else group
            for group in case.structure_sets
        )
        return replace(case, structure_sets=sets)
