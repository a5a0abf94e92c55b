"""`Structure`: a stack of planar regions in millimetres, and the set that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reviewer.geometry.grid import Grid
from reviewer.geometry.region import Region

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

PALETTE: tuple[Colour, ...] = (
    (230, 75, 60), (60, 160, 230), (90, 190, 90), (240, 190, 60), (170, 110, 220), (70, 200, 190),
    (240, 130, 50), (230, 110, 170), (150, 170, 60), (110, 130, 240), (190, 140, 100), (130, 200, 120),
)  # fmt: skip
"""Colours, in turn, for structures that come without one."""


@dataclass(frozen=True, eq=False)
class Structure:
    """One ROI.

    id:      unique in the case.
    type:    RT ROI Interpreted Type (PS3.3 C.8.8.8.1): GTV, CTV, PTV, ORGAN, EXTERNAL, AVOIDANCE …, or empty.
    grid:    the planes that the regions lie on: those of `image_id`'s grid, or, where contours lie off its slices or no image is
             there, a grid with the contours' own positions.
    planes:  plane index of `grid` -> valid, non-empty Region in plane coordinates (u, v) mm. Planes without contour are absent.
    formula: text of a derived structure, None when drawn. frozen: it was once made by its formula and does not follow it any more.
    """

    id: str
    name: str
    grid: Grid
    planes: Mapping[int, Region]
    type: str = ""
    colour: Colour = (255, 255, 0)
    image_id: str | None = None
    number: int = 0
    formula: str | None = None
    locked: bool = False
    frozen: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "planes", MappingProxyType(dict(sorted(self.planes.items()))))

    @property
    def live(self) -> bool:
        """Whether the structure follows its formula."""
        return self.formula is not None and not self.frozen

    @property
    def empty(self) -> bool:
        return not self.planes

    def same_shape(self, other: Structure) -> bool:
        """Whether the very same regions lie on the very same grid, so that what was computed of one holds for the other."""
        if self is other:
            return True
        return (
            self.grid is other.grid
            and self.planes.keys() == other.planes.keys()
            and all(region is other.planes[k] for k, region in self.planes.items())
        )


@dataclass(frozen=True, eq=False)
class StructureSet:
    """The structures of one RTSTRUCT (or label map). `id` is its SOP instance UID or path.

    approval: as in DICOM (APPROVED, REJECTED, UNAPPROVED, or empty); reviewer, reviewed: by whom and when (ISO 8601), as far as it is known.
    signed:   the approval is a signature in this program (`reviewer.approval`), which locks the set.
    """

    id: str
    label: str
    structures: tuple[Structure, ...]
    image_id: str | None = None
    frame_of_reference_uid: str = ""
    date: str = ""
    approval: str = ""
    path: str = ""
    referenced_series_uids: tuple[str, ...] = field(default=())
    reviewer: str = ""
    reviewed: str = ""
    signed: bool = False
