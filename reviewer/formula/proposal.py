"""Several derived structures proposed at once, some made of others; nothing is changed until their edit is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from reviewer.case import PALETTE, Case, Structure, StructureSet
from reviewer.edit import Edit, Swap, swapped
from reviewer.errors import CancelledError, InputError, ReviewerError
from reviewer.formula.derivations import Derivations, Derived, derive, in_order
from reviewer.formula.grammar import FormulaError, mentions, names_in, parse


@dataclass(frozen=True)
class Wish:
    """A structure that is asked for; the formula of a derived structure of that name is replaced.

    kind:   RT ROI Interpreted Type (PS3.3 C.8.8.8.1). number: ROI number, not that of another structure or wish (see `free_number`).
    """

    name: str
    formula: str
    kind: str
    number: int


Known = Mapping[Wish, tuple[tuple[Structure, ...], Derived]]
"""What was made for a wish before, and of which structures."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What becomes of wishes in a case.

    case:   the case that they were asked of; made: wish -> structure, in the order in which they are made of each other.
    errors: wish -> why it can't be.
    """

    case: Case
    set_id: str
    made: Mapping[Wish, Derived] = field(default_factory=lambda: MappingProxyType({}))
    errors: Mapping[Wish, ReviewerError] = field(default_factory=lambda: MappingProxyType({}))
    known: Known = field(default_factory=lambda: MappingProxyType({}))

    def edit(self, label: str) -> Edit:
        """One edit that brings everything that was made into the case."""
        before = {s.name: s for s in _structures(self.case, self.set_id)}
        return Edit(
            label,
            tuple(Swap(self.set_id, before.get(wish.name), derived.structure) for wish, derived in self.made.items()),
        )

    def adopted_by(self, derivations: Derivations) -> None:
        """Let the evaluations go on in there, so that nothing is computed twice."""
        group = self.case.structure_set(self.set_id)
        if group is not None:
            for derived in self.made.values():
                derivations.adopt(group, derived)


def propose(
    case: Case,
    set_id: str,
    wishes: Sequence[Wish],
    known: Known = MappingProxyType({}),
    cancelled: Callable[[], bool] = lambda: False,
) -> Proposal:
    """Make what is wished for in a structure set of the case; may run in any thread.

    known: of an earlier proposal; what was made there of the very same structures is taken from there.
    Raises CancelledError soon after `cancelled` says so.
    """
    before = {s.name: s for s in _structures(case, set_id)}
    replaced = [Swap(set_id, before[w.name], None) for w in wishes if w.name in before and before[w.name].formula]
    draft = swapped(case, replaced)
    made: dict[Wish, Derived] = {}
    errors: dict[Wish, ReviewerError] = {}
    now = dict(known)
    for wish in _sorted(wishes):
        if cancelled():
            raise CancelledError
        try:
            _check_names(wish, wishes, before, errors)
            group = draft.structure_set(set_id)
            if group is None:
                raise InputError("the structure set is not in the case", where=set_id)
            sources = tuple(s for s in group.structures if s.name in names_in(parse(wish.formula)))
            if wish not in now or [*map(id, now[wish][0])] != [*map(id, sources)]:
                now[wish] = sources, _named(derive(draft, group, wish.name, wish.formula), wish, before.get(wish.name))
        except ReviewerError as error:
            errors[wish] = error
            continue
        made[wish] = now[wish][1]
        draft = swapped(draft, [Swap(set_id, None, made[wish].structure)])
    try:
        in_order(draft.structure_set(set_id) or StructureSet(set_id, "", ()))
    except FormulaError as circle:
        for wish in [w for w in made if w.name in before]:
            del made[wish]
            errors[wish] = circle
    return Proposal(case, set_id, made, errors, now)


def _structures(case: Case, set_id: str) -> tuple[Structure, ...]:
    group = case.structure_set(set_id)
    return group.structures if group else ()


def _sorted(wishes: Sequence[Wish]) -> list[Wish]:
    """Each after those that it is made of; within a circle, and with formulas that cannot be read, as they come."""
    by_name = {w.name: w for w in reversed(wishes)}
    ordered: dict[Wish, None] = {}

    def visit(wish: Wish, above: tuple[Wish, ...]) -> None:
        if wish in ordered or wish in above:
            return
        with suppress(FormulaError):
            for name in names_in(parse(wish.formula)):
                if name in by_name:
                    visit(by_name[name], (*above, wish))
        ordered[wish] = None

    for wish in wishes:
        visit(wish, ())
    return list(ordered)


def _check_names(
    wish: Wish, wishes: Sequence[Wish], before: Mapping[str, Structure], errors: Mapping[Wish, ReviewerError]
) -> None:
    if not wish.name:
        raise InputError("a structure needs a name")
    if sum(w.name == wish.name for w in wishes) > 1:
        raise InputError(f"“{wish.name}” is asked for twice", remedy="choose another name")
    old = before.get(wish.name)
    if old is not None and old.formula is None:
        raise InputError(f"“{wish.name}” is there already, drawn by hand", remedy="choose another name")
    if old is not None and old.locked:
        raise InputError(f"“{wish.name}” is locked", remedy="choose another name")
    for mention in mentions(parse(wish.formula)):
        if mention.name == wish.name:
            raise FormulaError(f"“{wish.name}” cannot be made of itself", wish.formula, mention.span)
        if any(failed.name == mention.name for failed in errors):
            raise FormulaError(f"“{mention.name}” could not be made, which is needed", wish.formula, mention.span)


def _named(derived: Derived, wish: Wish, old: Structure | None) -> Derived:
    """With the identity of the structure that it replaces, else one of its own."""
    fresh = derived.structure
    if old is not None:
        identity: dict[str, Any] = {"id": old.id, "number": old.number, "colour": old.colour, "type": old.type}
    else:
        identity = {
            "id": fresh.id.rsplit("#", 1)[0] + f"#{wish.number}",
            "number": wish.number,
            "colour": PALETTE[wish.number % len(PALETTE)],
            "type": wish.kind,
        }
    return replace(derived, structure=replace(fresh, **identity))
