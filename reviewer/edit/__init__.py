"""Edits and their history. A tool proposes an edit, the session applies it."""

from reviewer.edit.edit import Edit, Swap, merged, set_of, swapped
from reviewer.edit.history import Entry, History
from reviewer.edit.refusal import approved, approved_refusal, edit_refusal, locked, refusal

__all__ = [
    "Edit",
    "Entry",
    "History",
    "Swap",
    "approved",
    "approved_refusal",
    "edit_refusal",
    "locked",
    "merged",
    "refusal",
    "set_of",
    "swapped",
]
