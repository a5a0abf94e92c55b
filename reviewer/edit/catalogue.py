"""Operations on whole contours as a person asks for them: settings with labels, the slice shown, one undoable edit.

Each is a frozen dataclass whose `changes` works in any thread and changes nothing. `of` makes the edit of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Case, Structure
from reviewer.edit.edit import Edit
from reviewer.edit.operations.crop import crop
from reviewer.edit.operations.interpolate import interpolate
from reviewer.edit.operations.outline import grow, simplify, smooth
from reviewer.edit.operations.parts import delete_islands, fill_holes, keep_largest, keep_largest_solid
from reviewer.edit.operations.slices import clear, copy
from reviewer.edit.operations.through import smooth_through
from reviewer.edit.refusal import refusal
from reviewer.edit.tools.setting import setting
from reviewer.errors import InputError
from reviewer.geometry.region import Region

Changes = Mapping[int, Region | None]
"""Plane index -> region after the operation; None: emptied. Only planes that differ."""

Scope = Literal["this slice", "all slices"]


@dataclass(frozen=True, eq=False)
class Where:
    """What an operation works on.

    plane: index of the slice shown, None where no view shows one. other: the structure to crop at, with the (4, 4) map to its frame, mm.
    """

    structure: Structure
    plane: int | None = None
    other: Structure | None = None
    to_other: NDArray[np.float64] | None = None

    @property
    def shown(self) -> int:
        """The slice shown. Raises InputError where none is."""
        if self.plane is None:
            raise InputError("no view shows a slice of it", where=self.structure.name, remedy="go to one of its slices")
        return self.plane

    def planes(self, scope: Scope) -> Collection[int] | None:
        """Those that a scope names, None for all."""
        return (self.shown,) if scope == "this slice" else None


class Operation(Protocol):
    """name: as in the list; tip: one sentence on what it does."""

    name: ClassVar[str]
    tip: ClassVar[str]

    def changes(self, where: Where) -> Changes:
        """What would differ. Raises InputError, with the sentence to show, where it cannot be done."""
        ...


@dataclass(frozen=True)
class Interpolate:
    name: ClassVar[str] = "Interpolate"
    tip: ClassVar[str] = "Fills the slices between those that are drawn, as the shape changes from one to the other"

    def changes(self, where: Where) -> Changes:
        return interpolate(where.structure)


@dataclass(frozen=True)
class Smooth:
    name: ClassVar[str] = "Smooth"
    tip: ClassVar[str] = "Evens the outline out and keeps its area"

    mm: float = setting(2.0, "Strength", "What is smaller than this is evened out", unit="mm", least=0.5, most=20.0, step=0.5)  # fmt: skip
    scope: Literal["this slice", "all slices"] = setting("this slice", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return smooth(where.structure, self.mm, where.planes(self.scope))


@dataclass(frozen=True)
class SmoothThrough:
    name: ClassVar[str] = "Smooth between slices"
    tip: ClassVar[str] = "Evens out steps from slice to slice"

    scope: Literal["this slice", "all slices"] = setting("all slices", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return smooth_through(where.structure, where.planes(self.scope))


@dataclass(frozen=True)
class Simplify:
    name: ClassVar[str] = "Simplify"
    tip: ClassVar[str] = "Takes points away that the outline does not need"

    tolerance_mm: float = setting(0.3, "Tolerance", "The outline moves no further than this", unit="mm", least=0.05, most=5.0, step=0.05)  # fmt: skip
    scope: Literal["this slice", "all slices"] = setting("all slices", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return simplify(where.structure, self.tolerance_mm, where.planes(self.scope))


@dataclass(frozen=True)
class Grow:
    name: ClassVar[str] = "Grow or shrink"
    tip: ClassVar[str] = "Moves the outline within its slice; for a margin in all directions make a derived structure"

    mm: float = setting(2.0, "By", "Negative shrinks", unit="mm", least=-50.0, most=50.0, step=0.5)
    scope: Literal["this slice", "all slices"] = setting("this slice", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return grow(where.structure, self.mm, where.planes(self.scope))


@dataclass(frozen=True)
class FillHoles:
    name: ClassVar[str] = "Fill holes"
    tip: ClassVar[str] = "Takes in what the contour leaves out inside"

    below_mm2: float = setting(10_000.0, "Up to", "Larger holes stay", unit="mm²", least=1.0, most=100_000.0, step=50.0)
    scope: Literal["this slice", "all slices"] = setting("all slices", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return fill_holes(where.structure, self.below_mm2, where.planes(self.scope))


@dataclass(frozen=True)
class DeleteIslands:
    name: ClassVar[str] = "Delete small islands"
    tip: ClassVar[str] = "Takes away parts that are too small to be meant"

    below_mm2: float = setting(20.0, "Below", "Larger islands stay", unit="mm²", least=1.0, most=100_000.0, step=5.0)
    scope: Literal["this slice", "all slices"] = setting("all slices", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        return delete_islands(where.structure, self.below_mm2, where.planes(self.scope))


@dataclass(frozen=True)
class KeepLargest:
    name: ClassVar[str] = "Keep the largest part"
    tip: ClassVar[str] = "Everything else goes"

    body: Literal["in 3D", "on this slice", "on each slice"] = setting("in 3D", "Largest", "3D: what hangs together")  # fmt: skip

    def changes(self, where: Where) -> Changes:
        if self.body == "in 3D":
            return keep_largest_solid(where.structure)
        return keep_largest(
            where.structure, 1, where.planes("this slice" if self.body == "on this slice" else "all slices")
        )


@dataclass(frozen=True)
class Copy:
    name: ClassVar[str] = "Copy to the next slice"
    tip: ClassVar[str] = "The contour of the slice shown on its neighbour"

    to: Literal["up", "down"] = setting("up", "To", "Up: towards rising slice numbers, as Page Up scrolls")
    unite: bool = setting(False, "Keep what is there", "Unite both; otherwise it is replaced")

    def changes(self, where: Where) -> Changes:
        further = 1 if where.structure.grid.rising == (self.to == "up") else -1
        return copy(where.structure, where.shown, where.shown + further, unite=self.unite)


@dataclass(frozen=True)
class Clear:
    name: ClassVar[str] = "Clear slices"
    tip: ClassVar[str] = "Takes the contours of several slices away"

    which: Literal["this slice", "this and above", "this and below", "from … to …", "all"] = setting(
        "this slice", "Which", "Seen from the slice shown, or by numbers"
    )
    first: int = setting(1, "From slice", "Counted as in the view of its image; cleared, too", least=1, most=100_000)
    last: int = setting(1, "To slice", "Counted as in the view of its image; cleared, too", least=1, most=100_000)

    def changes(self, where: Where) -> Changes:
        grid = where.structure.grid
        lowest, highest = grid.plane_of(1), grid.plane_of(len(grid.positions_mm))
        if self.which == "all":
            return clear(where.structure, lowest, highest)
        if self.which == "from … to …":
            return clear(where.structure, grid.plane_of(self.first), grid.plane_of(self.last))
        here = where.shown
        ends = {"this slice": (here, here), "this and above": (here, highest), "this and below": (lowest, here)}
        return clear(where.structure, *ends[self.which])


@dataclass(frozen=True)
class Crop:
    name: ClassVar[str] = "Crop at a structure"
    tip: ClassVar[str] = "Takes away what lies in another structure, or outside of it"

    keep: Literal["outside", "inside"] = setting("outside", "Keep", "What lies outside the other structure, or inside of it")  # fmt: skip
    gap_mm: float = setting(0.0, "Gap", "Distance kept from its surface, in 3D", unit="mm", least=0.0, most=50.0, step=0.5)  # fmt: skip
    scope: Literal["this slice", "all slices"] = setting("all slices", "On", "Which slices")

    def changes(self, where: Where) -> Changes:
        if where.other is None:
            raise InputError("no structure is chosen to crop at", remedy="choose one")
        planes = where.planes(self.scope)
        return crop(where.structure, where.other, self.keep, gap_mm=self.gap_mm, to_other=where.to_other, planes=planes)


OPERATIONS: tuple[type[Operation], ...] = (
    Interpolate, Smooth, SmoothThrough, Simplify, Grow, FillHoles, DeleteIslands, KeepLargest, Copy, Clear, Crop,
)  # fmt: skip


def proposed(where: Where, changes: Changes) -> Structure:
    """The structure with the changes; the structure itself where there are none."""
    if not changes:
        return where.structure
    planes = {k: region for k, region in {**where.structure.planes, **changes}.items() if region is not None}
    return replace(where.structure, planes=MappingProxyType(planes))


def edit_of_operation(case: Case, operation: Operation, where: Where, changes: Changes) -> Edit | None:
    """The undoable edit; None where nothing differs. Raises InputError where the structure may not be edited or has changed meanwhile."""
    reason = refusal(case, where.structure)
    if reason:
        raise InputError(reason)
    after = proposed(where, changes)
    if after is where.structure:
        return None
    return Edit.of_contours(f"{operation.name} {where.structure.name}", case, where.structure, after)
