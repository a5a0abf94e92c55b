"""What DICOM has no attribute for, formula and lock of an ROI, as lines of its ROI Description (PS3.3 C.8.8.5); of a segment its RT ROI type.

A line of ours begins with PREFIX; whatever else the description says is left as it is. A formula comes back frozen: whether the
contours in a file are still those that it makes is not known before it is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.errors import InputError
from reviewer.formula.grammar import parse

PREFIX = "Reviewer: "
FORMULA, LOCKED, TYPE = f"{PREFIX}formula = ", f"{PREFIX}locked", f"{PREFIX}type = "

LONGEST = 1024
"""Characters of an ST (PS3.5 6.2)."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """formula: one that can be read, else None. type: of a segment, None where nothing is said of it."""

    formula: str | None = None
    locked: bool = False
    type: str | None = None


def annotations_in(description: str) -> Annotations:
    """What our lines of a description say; a formula that cannot be read is no formula."""
    formula, locked, kind = None, False, None
    for line in description.splitlines():
        if line.startswith(FORMULA):
            formula = _readable(line.removeprefix(FORMULA).strip())
        elif line.strip() == LOCKED:
            locked = True
        elif line.startswith(TYPE.rstrip()):
            kind = line.removeprefix(TYPE.rstrip()).strip()[:16]
    return Annotations(formula, locked, kind)


def described(description: str, own: Annotations) -> str:
    """A description with our lines renewed. Raises InputError where there is no room for them; nothing is cut off."""
    lines = [line for line in description.splitlines() if not line.startswith(PREFIX)]
    if own.formula is not None:
        lines.append(f"{FORMULA}{own.formula}")
    if own.locked:
        lines.append(LOCKED)
    if own.type is not None:
        lines.append(f"{TYPE}{own.type}")
    whole = "\r\n".join(lines)
    if len(whole) > LONGEST:
        raise InputError(f"the description with the formula has {len(whole)} characters and {LONGEST} fit")
    return whole


def _readable(formula: str) -> str | None:
    try:
        parse(formula)
    except InputError:
        return None
    return formula
