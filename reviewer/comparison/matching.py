"""Which structures of two sets are the same: those of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reviewer.case import Structure


@dataclass(frozen=True)
class Unmatched:
    """A structure that is not compared, the side that has it, and why."""

    structure: Structure
    side: Literal["A", "B"]
    reason: str


def same_name(name: str) -> str:
    """What two names that count as the same have in common: upper and lower case and blanks around do not matter."""
    return name.strip().casefold()


def matched(
    a: Sequence[Structure], b: Sequence[Structure]
) -> tuple[list[tuple[Structure, Structure]], list[Unmatched]]:
    """Pairs with the same name in the order of `a`, and who has none. A name that one side has twice belongs to no pair."""
    pairs: list[tuple[Structure, Structure]] = []
    unmatched: list[Unmatched] = []
    sides: tuple[tuple[Literal["A", "B"], Literal["A", "B"], Sequence[Structure], Sequence[Structure]], ...] = (
        ("A", "B", a, b),
        ("B", "A", b, a),
    )
    for here, there, own, others in sides:
        for structure in own:
            name = same_name(structure.name)
            twins = [s for s in own if same_name(s.name) == name]
            found = [s for s in others if same_name(s.name) == name]
            if len(twins) > 1 or len(found) > 1:
                reason = f"{here if len(twins) > 1 else there} has several of this name"
                unmatched.append(Unmatched(structure, here, reason))
            elif not found:
                unmatched.append(Unmatched(structure, here, f"{there} has none of this name"))
            elif here == "A":
                pairs.append((structure, found[0]))
    return pairs, unmatched
