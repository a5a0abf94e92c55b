"""Every message of the program. `Session.changed` emits one of these; nothing else does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseOpened:
    """Another case is in the session: forget everything."""


@dataclass(frozen=True)
class VoxelsArrived:
    """Planes of an image that is still being read have become visible; `complete` with the last of them."""

    image_id: str
    complete: bool


@dataclass(frozen=True)
class ProblemsFound:
    """Reading went on after the case was opened and found more that is wrong with the files."""


@dataclass(frozen=True)
class StructuresChanged:
    """An edit, undo or redo touched these structures. planes: what moved, empty where only name, colour or type changed."""

    structure_ids: frozenset[str]
    planes: frozenset[int] = frozenset()


@dataclass(frozen=True)
class HistoryChanged:
    """What can be undone or redone is different."""


@dataclass(frozen=True)
class JournalChanged:
    """What is kept on the disk is different: an edit was written down, or could not be."""


@dataclass(frozen=True)
class ApprovalChanged:
    """Somebody signed, or what was signed was opened again."""


@dataclass(frozen=True)
class DosesChanged:
    """A dose that was made of others has come or gone."""


@dataclass(frozen=True)
class ImagesChanged:
    """A map that was made here has come or gone among the images."""


@dataclass(frozen=True)
class ViewChanged:
    """The user looks at something else. fields: names of the fields of `View` that differ."""

    fields: frozenset[str]


Change = (
    CaseOpened
    | VoxelsArrived
    | ProblemsFound
    | StructuresChanged
    | HistoryChanged
    | JournalChanged
    | ApprovalChanged
    | DosesChanged
    | ImagesChanged
    | ViewChanged
)
