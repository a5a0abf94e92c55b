"""What the log tells of sign-offs, and what of it holds for the case as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from reviewer.approval.content import Content, differences, sheet_difference
from reviewer.case import Case, StructureSet
from reviewer.dosimetry.sheets import all_sheets
from reviewer.store.chain import Entry

KINDS = ("sign", "countersign", "reopen")


@dataclass(frozen=True)
class Signature:
    """at: ISO 8601 with the zone, as it was signed. account: user@host, as the log has it. hash: of the entry, hexadecimal."""

    name: str
    role: str
    statement: str
    at: str
    account: str
    hash: str


@dataclass(frozen=True, eq=False)
class SignOff:
    """One approval or rejection. number: of its entry. reopened: by whom and why it is void (`statement`), None while it stands.

    before: approval, reviewer and reviewed of the set until then. version: of the program.
    """

    number: int
    verdict: str
    first: Signature
    content: Content
    before: dict[str, str]
    version: str
    second: Signature | None = None
    reopened: Signature | None = None


def sign_offs(entries: Sequence[Entry]) -> tuple[SignOff, ...]:
    """All of a log, oldest first, those that are void too. What cannot be understood is left out: a chain that holds has none of it."""
    found: dict[int, SignOff] = {}
    for entry in entries:
        if entry.kind not in KINDS:
            continue
        try:
            body = entry.content
            if entry.kind == "sign":
                found[entry.number] = SignOff(
                    entry.number,
                    str(body["verdict"]),
                    _signature(entry, body, "statement"),
                    dict(body["content"]),
                    {name: str(body["before"][name]) for name in ("approval", "reviewer", "reviewed")},
                    str(body["version"]),
                )
            elif entry.kind == "countersign":
                found[body["of"]] = replace(found[body["of"]], second=_signature(entry, body, "statement"))
            else:
                found[body["of"]] = replace(found[body["of"]], reopened=_signature(entry, body, "reason"))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return tuple(found.values())


def standing(found: Sequence[SignOff], set_id: str | None) -> SignOff | None:
    """The sign-off of a set that has not been opened again."""
    return next(
        (s for s in reversed(found) if s.reopened is None and s.content.get("signed_set") == set_id),
        None,
    )


def signed_case(case: Case, entries: Sequence[Entry]) -> tuple[Case, tuple[str, ...]]:
    """The case with the sets marked whose sign-off stands and holds; sentences on what stands in the log and does not hold."""
    remarks: list[str] = []
    sheets = all_sheets()
    for each in sign_offs(entries):
        if each.reopened is not None:
            continue
        try:
            changed = differences(each.content, case)
            other = sheet_difference(each.content, sheets)
        except (KeyError, TypeError, AttributeError):
            changed, other = ["what was signed cannot be read"], ""
        if changed:
            more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
            remarks.append(f"what {each.first.name} {each.verdict} does not hold any more: {changed[0]}{more}")
            continue
        group = case.structure_set(each.content["signed_set"])
        if group is not None:
            case = marked(case, group, each.verdict, each.first.name, each.first.at)
        remarks += [other] if other else []
    return case, tuple(remarks)


def judging_signed(case: Case, entries: Sequence[Entry]) -> Content:
    """By what the goals were judged that are signed now (`reviewer.view_state.judging`); empty where nothing is."""
    for each in reversed(sign_offs(entries)):
        group = case.structure_set(each.content.get("signed_set"))
        if each.reopened is None and group is not None and group.signed:
            found = each.content.get("judging")
            return found if isinstance(found, dict) else {}
    return {}


def marked(case: Case, group: StructureSet, verdict: str, name: str, at: str) -> Case:
    """The case with a set that is signed."""
    return with_set(case, group, replace(group, approval=verdict.upper(), reviewer=name, reviewed=at, signed=True))


def with_set(case: Case, group: StructureSet, other: StructureSet) -> Case:
    """The case with one set in place of another."""
    return replace(case, structure_sets=tuple(other if g is group else g for g in case.structure_sets))


def _signature(entry: Entry, body: Any, words: str) -> Signature:
    return Signature(
        str(body["name"]), str(body["role"]), str(body[words]), str(body["at"]), entry.who, entry.hash.hex()
    )
