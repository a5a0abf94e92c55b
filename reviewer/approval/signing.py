"""Signing: a person approves or rejects, a second one agrees, somebody opens again what was signed.

A signature here is a statement under a name that was typed at this computer, under the account that the log names: nobody's identity is
proved by it, and no password is asked for, for the program has none that would prove anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from reviewer import __version__
from reviewer.approval.act import Act
from reviewer.approval.content import Content, differences
from reviewer.approval.trail import SignOff, marked, with_set
from reviewer.case import Case
from reviewer.errors import InputError

LONGEST = 64
"""Characters of a name (value representation PN, PS3.5 table 6.2-1), and of a role."""

LONGEST_STATEMENT = 2000

Verdict = Literal["approved", "rejected"]


@dataclass(frozen=True)
class Person:
    """As whom somebody signs."""

    name: str
    role: str

    @property
    def refusal(self) -> str:
        """Why this is nobody who can sign; empty where it is."""
        for what, text in (("name", self.name), ("role", self.role)):
            if not text.strip():
                return f"the {what} is missing"
            if len(text) > LONGEST or not text.isprintable() or "\\" in text:
                return f"a {what} has at most {LONGEST} characters, none of them a backslash"
        return ""


def approve(
    case: Case,
    content: Content,
    person: Person,
    statement: str,
    verdict: Verdict = "approved",
    at: datetime | None = None,
) -> Act:
    """Approve or reject. content: of this very case (`content_of`). at: with a time zone; now, where it is not given.

    Raises InputError for a person or statement that is none, for what is signed already, and for a case that is not what `content` tells.
    """
    _check(person, statement, "statement")
    group = case.structure_set(content["signed_set"])
    if group is None:
        raise InputError("there is no structure set to sign")
    if group.signed:
        raise InputError(f"it is {group.approval.lower()} by {group.reviewer} already", where=group.label)
    changed = differences(content, case)
    if changed:
        raise InputError(f"what was to be signed has changed: {changed[0]}", remedy="look at it again")
    stamp = _stamp(at)
    body = {
        "verdict": verdict,
        "name": person.name.strip(),
        "role": person.role.strip(),
        "statement": statement.strip(),
        "at": stamp,
        "version": __version__,
        "content": content,
        "before": {"approval": group.approval, "reviewer": group.reviewer, "reviewed": group.reviewed},
    }
    label = f"{verdict.capitalize()} by {person.name.strip()} ({person.role.strip()})"
    signed = marked(case, group, verdict, person.name.strip(), stamp)
    return Act("sign", label, body, case, signed)


def countersign(case: Case, sign_off: SignOff, person: Person, statement: str, at: datetime | None = None) -> Act:
    """A second person agrees with a sign-off that stands. Raises InputError as `approve`, and where it is the same person."""
    _check(person, statement, "statement")
    if sign_off.reopened is not None:
        raise InputError("it has been opened again since")
    if sign_off.second is not None:
        raise InputError(f"{sign_off.second.name} has signed as the second already")
    if _alike(person.name) == _alike(sign_off.first.name):
        raise InputError("the second signature is that of another person", where=person.name)
    changed = differences(sign_off.content, case)
    if changed:
        raise InputError(f"it is not what {sign_off.first.name} signed: {changed[0]}")
    body = {
        "of": sign_off.number,
        "name": person.name.strip(),
        "role": person.role.strip(),
        "statement": statement.strip(),
        "at": _stamp(at),
        "version": __version__,
    }
    label = f"Second signature: {sign_off.verdict}, {person.name.strip()} ({person.role.strip()})"
    return Act("countersign", label, body, case, case)


def reopen(case: Case, sign_off: SignOff, person: Person, reason: str, at: datetime | None = None) -> Act:
    """What was signed can be changed again, and the signature is void from now on. Raises InputError as `approve`."""
    _check(person, reason, "reason")
    if sign_off.reopened is not None:
        raise InputError("it is open already")
    body = {
        "of": sign_off.number,
        "name": person.name.strip(),
        "role": person.role.strip(),
        "reason": reason.strip(),
        "at": _stamp(at),
        "version": __version__,
    }
    group = case.structure_set(sign_off.content["signed_set"])
    opened = case
    if group is not None:
        was = sign_off.before
        free = replace(
            group, approval=was["approval"], reviewer=was["reviewer"], reviewed=was["reviewed"], signed=False
        )
        opened = with_set(case, group, free)
    return Act("reopen", f"Opened again by {person.name.strip()}: {reason.strip()}", body, case, opened)


def _check(person: Person, words: str, what: str) -> None:
    if person.refusal:
        raise InputError(person.refusal, remedy="give name and role")
    if not words.strip():
        raise InputError(f"the {what} is missing")
    if len(words) > LONGEST_STATEMENT:
        raise InputError(f"the {what} has more than {LONGEST_STATEMENT} characters")


def _alike(name: str) -> str:
    return " ".join(name.casefold().split())


def _stamp(at: datetime | None) -> str:
    """ISO 8601 to the second, with the zone."""
    return (at or datetime.now()).astimezone().isoformat(timespec="seconds")
