"""Replay: the entries of the log become the case as it was left, and the history with all that can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reviewer.case import Case
from reviewer.edit import Edit, History
from reviewer.geometry.region import Region
from reviewer.store.chain import Entry, first_break
from reviewer.store.codec import Document, Key, Reader, UnreadableError, regions_of, unpacked
from reviewer.store.followed import Fingerprint, read
from reviewer.store.lock import clock

JOURNAL = ("edit", "go")
"""Kinds of entries that change the case; "go" to a position of the history is undo, redo, or a jump."""


@dataclass(frozen=True)
class Replay:
    """What the log amounts to.

    case:     as the last entry left it; structures that follow a formula still have to be evaluated.
    history:  all edits, those that were undone included.
    good:     entries that could be replayed; those behind are kept, but not shown. stopped: why, empty where all could.
    followed: structure id -> what its formula had made of it.
    known:    structures that the log tells of. remarks: what else a person has to be told.
    """

    case: Case
    history: History
    good: int
    stopped: str
    followed: Mapping[str, Fingerprint]
    known: frozenset[Key]
    remarks: tuple[str, ...]


def replay(entries: Sequence[Entry], workspace_id: str, case: Case, renamed: Mapping[str, str] | None = None) -> Replay:
    """Raises nothing: what cannot be read ends the replay there, see `Replay.stopped`.

    renamed: ids that are paths, as they are now, where the files have been moved.
    """
    stopped = ""
    broken = first_break(entries, workspace_id)
    good = len(entries) if broken is None else min(broken[0] - 1, len(entries))
    if broken is not None:
        stopped = broken[1]
    wkb, reason = _all_shapes(entries[:good])
    if reason:
        good, stopped = len(wkb), reason
    regions = regions_of([shape for of_entry in wkb for shape in of_entry])  # all at once, which is many times faster
    told, first = _Told(Reader(case, renamed or {})), 0
    for n, entry in enumerate(entries[:good]):
        last = first + len(wkb[n])
        try:
            told.take(entry, iter(regions[first:last]))
        except UnreadableError as error:
            good, stopped = n, f"entry {entry.number} ({entry.label}): {error.what}"
            break
        first = last
    if stopped:
        stopped = _sentence(entries, good, stopped)
    reader = told.reader
    return Replay(
        reader.case,
        told.history(),
        good,
        stopped,
        told.followed,
        frozenset(reader.known),
        tuple(dict.fromkeys(reader.remarks)),
    )


class _Told:
    """What has been told so far."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.followed: dict[str, Fingerprint] = {}
        self._edits: list[Edit] = []
        self._position = 0

    def take(self, entry: Entry, regions: Iterator[Region | None]) -> None:
        """Raises UnreadableError, and then has changed nothing."""
        if entry.kind not in JOURNAL:
            return
        content = _content(entry)
        if entry.kind == "edit":
            edit = self.reader.edit(entry.label, content, regions)
            self.reader.carry_out([edit])
            self._edits[self._position :] = [edit]
            self._position += 1
        else:
            position = content.get("position")
            if not isinstance(position, int) or not 0 <= position <= len(self._edits):
                raise UnreadableError(f"it goes to a place in the history that is not there ({position})")
            back = [e.inverse for e in reversed(self._edits[position : self._position])]
            self.reader.carry_out([*back, *self._edits[self._position : position]])
            self._position = position
        followed = content.get("followed")
        if isinstance(followed, dict):
            self.followed.update({self.reader.now(i): found for i, found in read(followed).items()})

    def history(self) -> History:
        history = History()
        for edit in self._edits:
            history.record(edit)
        if history.floor > self._position:  # more was undone than the history has room for
            history = History()
            for edit in self._edits[: self._position]:
                history.record(edit)
        history.move_to(self._position)
        return history


def _content(entry: Entry) -> Document:
    try:
        content = entry.content
    except (ValueError, RecursionError) as error:
        raise UnreadableError("it is no JSON") from error
    if not isinstance(content, dict):
        raise UnreadableError("it is no JSON object")
    return content


def _all_shapes(entries: Sequence[Entry]) -> tuple[list[list[bytes]], str]:
    found: list[list[bytes]] = []
    for entry in entries:
        try:
            found.append(unpacked(entry.shapes))
        except UnreadableError as error:
            return found, f"entry {entry.number} ({entry.label}): {error.what}"
    return found, ""


def _sentence(entries: Sequence[Entry], good: int, reason: str) -> str:
    rest = len(entries) - good
    until = f"everything up to {clock(entries[good - 1].at)} is here" if good else "nothing before it was edited"
    behind = (
        f"; {rest} {'entry' if rest == 1 else 'entries'} from there on could not be replayed and are kept in the file"
    )
    return f"the journal is damaged, {reason}: {until}{behind if rest else ''}"
