"""The log of a workspace: entries that each carry a hash over themselves and the hash of the one before."""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One thing that was done.

    number: from 1 without gaps. at: UTC, ISO 8601. who: user@host.
    kind:   edit, go (undo, redo), or an event of the audit trail. label: for the person who reads the history.
    body:   canonical JSON. shapes: the regions that belong to it, see `reviewer.store.codec`.
    hash:   SHA-256 over the hash before and everything above.
    """

    number: int
    at: str
    who: str
    kind: str
    label: str
    body: str
    shapes: bytes
    hash: bytes

    @property
    def time(self) -> datetime:
        """In the time zone of this computer."""
        return datetime.fromisoformat(self.at).astimezone()

    @property
    def content(self) -> Any:
        return json.loads(self.body)


def canonical(document: object) -> str:
    """The one way to write a document as JSON. Raises ValueError for NaN and infinities."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def genesis(workspace_id: str) -> bytes:
    """What stands in for the hash before the first entry."""
    return hashlib.sha256(f"reviewer workspace {workspace_id}".encode()).digest()


def hash_of(before: bytes, number: int, at: str, who: str, kind: str, label: str, body: str, shapes: bytes) -> bytes:
    """SHA-256 of the hash before, the fields as canonical JSON, and the SHA-256 of the shapes."""
    fields = canonical([number, at, who, kind, label, body, hashlib.sha256(shapes).hexdigest()])
    return hashlib.sha256(before + fields.encode()).digest()


def link(before: bytes, number: int, kind: str, label: str, body: object, shapes: bytes = b"") -> Entry:
    """A new entry, of this moment and this user."""
    at, who, text = now(), me(), canonical(body)
    label = label.encode(errors="replace").decode()  # of a structure that is called as a file whose name is no text
    return Entry(
        number, at, who, kind, label, text, shapes, hash_of(before, number, at, who, kind, label, text, shapes)
    )


def first_break(entries: Iterable[Entry], workspace_id: str) -> tuple[int, str] | None:
    """(number, what is wrong) of the first entry that does not hold, None where all do."""
    before, expected = genesis(workspace_id), 1
    for entry in entries:
        if entry.number != expected:
            return expected, f"entry {expected} is missing"
        try:
            right = hash_of(
                before, *[getattr(entry, f) for f in ("number", "at", "who", "kind", "label", "body", "shapes")]
            )
        except (TypeError, ValueError, AttributeError):
            return expected, f"entry {expected} cannot be read"
        if right != entry.hash:
            return expected, f"entry {expected} ({entry.label}) is not as it was written"
        before, expected = entry.hash, expected + 1
    return None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@cache
def me() -> str:
    """user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
