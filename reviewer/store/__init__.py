"""The workspace file: journal of edits, audit trail, where the data lie. See docs/workspace.md."""

from reviewer.store.chain import Entry, first_break
from reviewer.store.folder import Found, automatic_folder, automatic_place, matching
from reviewer.store.lock import HeldError, Holder, clock, moment
from reviewer.store.replay import Replay
from reviewer.store.schema import SUFFIX
from reviewer.store.sources import Located, Source, digests, located, renamed, source
from reviewer.store.workspace import Keeping, Workspace

__all__ = [
    "SUFFIX",
    "Entry",
    "Found",
    "HeldError",
    "Holder",
    "Keeping",
    "Located",
    "Replay",
    "Source",
    "Workspace",
    "automatic_folder",
    "automatic_place",
    "clock",
    "digests",
    "first_break",
    "located",
    "matching",
    "moment",
    "renamed",
    "source",
]
