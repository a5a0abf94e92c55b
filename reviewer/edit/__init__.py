"""Edits and their history. A tool proposes an edit, the session applies it."""

from reviewer.edit.edit import Edit, Swap, set_of, swapped
from reviewer.edit.history import History

__all__ = ["Edit", "History", "Swap", "set_of", "swapped"]
