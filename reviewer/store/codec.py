"""Edits as text and bytes, and back. An edit is told by what differs: changed planes, changed attributes.

The text is JSON (see `encoded`); regions stand apart as WKB, each behind its length, in the order in which the text names their planes.
Whole structures are told when they are new, when their grid changes, when they cease to follow a formula, and `before` the first
edit of each, so that what was edited stays whole even where its file changes or is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import shapely

from reviewer.case import Case, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.errors import GeometryError, ReviewerError
from reviewer.geometry.grid import MAX_MM, Grid
from reviewer.geometry.region import Region, region_of

Key = tuple[str, str]
"""Ids of a structure set and of a structure in it."""

Document = dict[str, Any]

Rename = Callable[[str], str]

T = TypeVar("T")

_LENGTH = struct.Struct("<I")

_AREAS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

_POLYGON, _MULTIPOLYGON = (struct.pack("<BI", 1, code) for code in (3, 6))
"""How their WKB begins."""

_FIT_MM = 1e-6
"""Contours that differ by less are the same ones."""


class UnreadableError(ReviewerError):
    """An entry that cannot be understood."""


# -- to text --------------------------------------------------------------------------------------------------------------


def encoded(edit: Edit, case: Case, known: Collection[Key], named: Rename) -> tuple[Document, bytes]:
    """The edit as JSON document and regions.

    case: before the edit; known: structures that the journal has told of already; named: an id as the journal calls it.
    """
    regions: list[Region] = []
    document: Document = {"swaps": [_swap(s, known, regions, named) for s in edit.swaps]}
    for name, groups in (("added", edit.added), ("removed", edit.removed)):
        if groups:
            document[name] = [_group(g, named) for g in groups]
    touched = {s.set_id for s in edit.swaps} - {set_id for set_id, _ in known}
    sets = [_group(g, named) for g in case.structure_sets if g.id in touched]
    if sets:
        document["sets"] = sets
    return document, packed(regions)


def keys_of(edit: Edit) -> set[Key]:
    """The structures that an edit tells of."""
    return {(s.set_id, s.structure_id) for s in edit.swaps}


def packed(regions: Sequence[Region]) -> bytes:
    shapes = shapely.to_wkb(np.array(regions, dtype=object), output_dimension=2)
    return b"".join(_LENGTH.pack(len(wkb)) + wkb for wkb in shapes)


def _swap(swap: Swap, known: Collection[Key], regions: list[Region], named: Rename) -> Document:
    before, after = swap.before, swap.after
    document: Document = {"set": named(swap.set_id), "structure": named(swap.structure_id)}
    if swap.place is not None:
        document["place"] = int(swap.place)
    if before is not None and (swap.set_id, before.id) not in known:
        document["before"] = _whole(before, regions, named)
    if after is None:
        return document
    if before is None:
        document["new"] = _whole(after, regions, named)
    elif before.live and not after.live:
        document["after"] = _whole(after, regions, named)
    elif after.live and before.live:  # its planes are what its formula makes of the others
        document["change"] = {"attributes": _differing(before, after, named), "planes": [], "emptied": []}
    elif not _same_grid(before.grid, after.grid):
        document["after"] = _whole(after, regions, named)
    else:
        changed = sorted(swap.planes)
        filled = _areas({k: after.planes[k] for k in changed if k in after.planes}, after.name)
        regions += filled.values()
        document["change"] = {
            "attributes": _differing(before, after, named),
            "planes": list(filled),
            "emptied": [int(k) for k in changed if int(k) not in filled],
        }
    return document


def _areas(planes: Mapping[int, Region], name: str) -> dict[int, Region]:
    """What of them is an area; a region that is none, which no tool should make, must not spoil what is read back."""
    shapes = np.array(list(planes.values()), dtype=object)
    if not np.abs(shapely.get_coordinates(shapes)).max(initial=0.0) <= MAX_MM:  # NaN fails the comparison
        raise GeometryError("its contours have coordinates that are no patient's", where=name)
    good = np.isin(shapely.get_type_id(shapes), _AREAS) & ~shapely.is_empty(shapes)
    pairs = ((int(k), r if fine else region_of(r)) for (k, r), fine in zip(planes.items(), good, strict=True))
    return {k: region for k, region in pairs if region is not None}


def _whole(structure: Structure, regions: list[Region], named: Rename) -> Document:
    planes = _areas(structure.planes, structure.name)
    regions += planes.values()
    grid = grid_document(structure.grid)
    return {
        "attributes": {name: _plain(name, getattr(structure, name), named) for name in STRUCTURE},
        "grid": {**grid, "frame": named(grid["frame"])},
        "planes": list(planes),
    }


def _differing(before: Structure, after: Structure, named: Rename) -> Document:
    changed = [name for name in STRUCTURE if getattr(after, name) != getattr(before, name)]
    return {name: _plain(name, getattr(after, name), named) for name in changed}


def _group(group: StructureSet, named: Rename) -> Document:
    attributes = {name: _plain(name, getattr(group, name), named) for name in STRUCTURE_SET}
    return {"id": named(group.id), **attributes}


def _plain(name: str, value: Any, named: Rename) -> Any:
    if name in NAMES and value is not None:
        return named(value)
    if isinstance(value, tuple):
        return [_simple(v) for v in value]
    return _simple(value)


def _simple(value: Any) -> Any:
    """Python's own numbers, which JSON knows, for those of numpy."""
    return value.item() if isinstance(value, np.generic) else value


def grid_document(grid: Grid) -> Document:
    return {
        "axes": grid.axes.tolist(),
        "origin": [float(v) for v in grid.origin_uv_mm],
        "spacing": [float(v) for v in grid.spacing_uv_mm],
        "size": [int(v) for v in grid.size_uv],
        "positions": grid.positions_mm.tolist(),
        "frame": grid.frame_of_reference_uid,
        "thickness": float(grid.thickness_mm),
    }


def _same_grid(a: Grid, b: Grid) -> bool:
    return a is b or grid_document(a) == grid_document(b)


# -- from text ------------------------------------------------------------------------------------------------------------


def unpacked(shapes: bytes) -> list[bytes]:
    """The WKB of each region. Raises UnreadableError for bytes that are cut off."""
    found, at = [], 0
    while at < len(shapes):
        if at + _LENGTH.size > len(shapes):
            raise UnreadableError("its contours are cut off")
        (length,) = _LENGTH.unpack_from(shapes, at)
        at += _LENGTH.size
        if at + length > len(shapes):
            raise UnreadableError("its contours are cut off")
        found.append(shapes[at : at + length])
        at += length
    return found


def regions_of(wkb: Sequence[bytes]) -> list[Region | None]:
    """The regions of many WKBs at once, mended where they are no valid areas; None for one that is no area at all."""
    if not wkb:
        return []
    sound = [shape if _is_flat(shape) else b"" for shape in wkb]
    shapes = shapely.from_wkb(np.array(sound, dtype=object), on_invalid="ignore")
    good = np.isin(shapely.get_type_id(shapes), _AREAS)
    good &= shapely.get_coordinate_dimension(shapes) == 2
    good &= ~shapely.is_empty(shapes)
    good &= ~(np.abs(shapely.bounds(shapes)) > MAX_MM).any(axis=1)
    valid = shapely.is_valid(shapes)
    return [
        shape if fine and right else _mended(shape) if fine else None
        for shape, fine, right in zip(shapes, good, valid, strict=True)
    ]


def _is_flat(wkb: bytes) -> bool:
    """Whether it begins as a polygon or a multipolygon of polygons: GEOS goes down into anything nested until the stack overflows."""
    if wkb.startswith(_POLYGON):
        return True
    if not wkb.startswith(_MULTIPOLYGON):
        return False
    try:
        (parts,), at = _LENGTH.unpack_from(wkb, 5), 9
        for _ in range(parts):
            if not wkb.startswith(_POLYGON, at):
                return False
            (rings,), at = _LENGTH.unpack_from(wkb, at + 5), at + 9
            for _ in range(rings):
                at += 4 + 16 * _LENGTH.unpack_from(wkb, at)[0]
    except struct.error:
        return False
    return True


def _mended(shape: shapely.Geometry) -> Region | None:
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        return None
    return region_of(shapely.make_valid(shape))


class Reader:
    """Turns documents back into edits of a case that it follows from edit to edit.

    case:     as the last edit left it; structures that follow a formula may lag behind it.
    remarks:  sentences on what was not as when the edits were made.
    renamed:  old id -> new id of sets and images that are called by their path, which has changed. now: an old id as it is now.
    """

    def __init__(self, case: Case, renamed: Mapping[str, str]) -> None:
        self.case, self.known = case, set[Key]()
        self.remarks: list[str] = []
        self.now = renaming(renamed)
        self._grids = {_grid_key(grid_document(g)): g for g in _grids(case)}

    def edit(self, label: str, document: Document, regions: Iterator[Region | None]) -> Edit:
        """The edit of a document, for the case as it is; carry it out by `carry_out`. Raises UnreadableError."""
        try:
            for group in _list(document.get("sets", []), self._group):
                self._missing_set(group)
            added = _list(document.get("added", []), self._group)
            removed = _list(document.get("removed", []), self._group)
            swaps = [self._swap(each, added, regions) for each in _list(document["swaps"], _document)]
            return Edit(label, tuple(swaps), tuple(added), tuple(removed))
        except UnreadableError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, ReviewerError) as error:
            raise UnreadableError(f"it cannot be understood ({type(error).__name__}: {error})") from error

    def carry_out(self, edits: Sequence[Edit]) -> None:
        """All or none. Raises UnreadableError where an edit does not fit the case."""
        case = self.case
        try:
            for edit in edits:
                case = edit.applied_to(case)
        except ReviewerError as error:
            raise UnreadableError(f"it does not fit what was there ({error})") from error
        self.case = case

    def _swap(self, document: Document, added: Sequence[StructureSet], regions: Iterator[Region | None]) -> Swap:
        key = self.now(_text(document["set"])), self.now(_text(document["structure"]))
        group = self.case.structure_set(key[0])
        if group is None and key[0] not in {g.id for g in added}:
            raise UnreadableError(f"it changes a structure set that is not there ({key[0]})")
        before = next((s for s in group.structures if s.id == key[1]), None) if group else None
        if "before" in document:
            before = self._as_it_was(key, before, self._whole(key[1], _document(document["before"]), regions))
        self.known.add(key)
        place = document.get("place")
        if place is not None and _number(place) < 0:
            raise ValueError("a negative place")
        if "new" in document:
            return Swap(key[0], None, self._whole(key[1], _document(document["new"]), regions), place)
        if before is None:
            raise UnreadableError(f"it changes a structure that is not there ({key[1]})")
        if "change" in document:
            return Swap(key[0], before, self._changed(before, _document(document["change"]), regions))
        if "after" in document:
            return Swap(key[0], before, self._whole(key[1], _document(document["after"]), regions))
        return Swap(key[0], before, None, place)

    def _changed(self, before: Structure, change: Document, regions: Iterator[Region | None]) -> Structure:
        attributes = self._attributes(_document(change["attributes"]))
        planes = dict(before.planes)
        for k in _planes(change["emptied"], before.grid):
            planes.pop(k, None)
        planes.update({k: _region(regions) for k in _planes(change["planes"], before.grid)})
        return replace(before, planes=planes, **attributes)

    def _whole(self, structure_id: str, document: Document, regions: Iterator[Region | None]) -> Structure:
        text = _document(document["grid"])
        text = {**text, "frame": self.now(_text(text["frame"]))}
        grid = self._grids.setdefault(_grid_key(text), _grid(text))
        planes = {k: _region(regions) for k in _planes(document["planes"], grid)}
        return Structure(
            id=structure_id, grid=grid, planes=planes, **self._attributes(_document(document["attributes"]))
        )

    def _attributes(self, document: Document) -> Document:
        found = {name: STRUCTURE[name](value) for name, value in document.items()}
        return self._now(found)

    def _group(self, document: Any) -> StructureSet:
        found = {name: STRUCTURE_SET[name](value) for name, value in _document(document).items() if name != "id"}
        return StructureSet(id=self.now(_text(document["id"])), structures=(), **self._now(found))

    def _now(self, attributes: Document) -> Document:
        return {k: self.now(v) if k in NAMES and v is not None else v for k, v in attributes.items()}

    def _missing_set(self, group: StructureSet) -> None:
        """A set whose file is gone stands again with what was edited in it."""
        if self.case.structure_set(group.id) is None:
            self.case = replace(self.case, structure_sets=(*self.case.structure_sets, group))
            self.remarks.append(
                f"the structure set {group.label} is not among the files any more: only its edited structures are here"
            )

    def _as_it_was(self, key: Key, there: Structure | None, told: Structure) -> Structure:
        """What an edit was made on: the very structure of the file where it is still the same, else the one that was told."""
        if there is not None and alike(there, told):
            return there
        if there is not None and there.live and told.live and there.formula == told.formula:
            return there
        group = self.case.structure_set(key[0])
        if group is None:
            raise UnreadableError(f"{told.name} is said to have been in a new structure set")
        self.remarks.append(
            f"{told.name} is not in its file as it was when it was edited: it is shown as it was edited, not as it is in the file"
        )
        rest = (
            (*group.structures, told) if there is None else tuple(told if s is there else s for s in group.structures)
        )
        groups = tuple(replace(g, structures=rest) if g is group else g for g in self.case.structure_sets)
        self.case = replace(self.case, structure_sets=groups)
        return told


def renaming(names: Mapping[str, str]) -> Rename:
    """How sets, images and their structures ("set#3") are called where some ids have changed."""

    def rename(text: str) -> str:
        for old, new in names.items():
            if text == old or text.startswith(f"{old}#"):
                return new + text[len(old) :]
        return text

    return rename


def alike(a: Structure, b: Structure) -> bool:
    """Whether two structures are the same to all that matters: attributes, grid, contours within _FIT_MM."""
    if any(getattr(a, name) != getattr(b, name) for name in STRUCTURE) or a.planes.keys() != b.planes.keys():
        return False
    if not a.grid.same_lattice(b.grid):
        return False
    ours, theirs = (np.array(list(s.planes.values()), dtype=object) for s in (a, b))
    if bool(np.all(shapely.equals_exact(ours, theirs, 0.0))):
        return True
    apart = shapely.area(shapely.symmetric_difference(ours, theirs))
    return bool(np.all(apart <= _FIT_MM * np.maximum(1.0, shapely.length(ours))))


def _grids(case: Case) -> Iterator[Grid]:
    yield from (image.grid for image in case.images)
    yield from (structure.grid for structure in case.structures)


def _grid_key(document: Document) -> str:
    return repr(sorted(document.items()))


def _grid(document: Document) -> Grid:
    (ou, ov), (su, sv), (nu, nv) = (document[k] for k in ("origin", "spacing", "size"))
    if not all(abs(_real(mm)) <= MAX_MM for mm in (ou, ov, su, sv, document["thickness"], *document["positions"])):
        raise ValueError(
            "a grid that is no patient's"
        )  # NaN, which JSON does not know but Python reads, fails the comparison
    return Grid(
        np.array(document["axes"], dtype=np.float64),
        (_real(ou), _real(ov)),
        (_real(su), _real(sv)),
        (_number(nu), _number(nv)),
        np.array(document["positions"], dtype=np.float64),
        _text(document["frame"]),
        _real(document["thickness"]),
    )


# -- trust nothing --------------------------------------------------------------------------------------------------------


def _region(regions: Iterator[Region | None]) -> Region:
    found = next(regions, None)
    if found is None:
        raise UnreadableError("one of its contours is missing or no valid area")
    return found


def _planes(value: Any, grid: Grid) -> list[int]:
    planes = _list(value, _number)
    if any(not 0 <= k < len(grid.positions_mm) for k in planes) or len(set(planes)) != len(planes):
        raise UnreadableError("it names slices that its grid does not have")
    return planes


def _list(value: Any, item: Callable[[Any], T]) -> list[T]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return [item(v) for v in value]


def _document(value: Any) -> Document:
    if not isinstance(value, dict):
        raise TypeError("a JSON object was expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _maybe(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number was expected")
    return value


def _real(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("a number was expected")
    return float(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false was expected")
    return value


def _colour(value: Any) -> tuple[int, int, int]:
    r, g, b = _list(value, _number)
    if not all(0 <= c <= 255 for c in (r, g, b)):
        raise ValueError("a colour beyond 255")
    return r, g, b


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_list(value, _text))


STRUCTURE: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "type": _text,
    "colour": _colour,
    "image_id": _maybe,
    "number": _number,
    "formula": _maybe,
    "locked": _switch,
    "frozen": _switch,
}
"""Attributes of a structure, and how each is read back."""

STRUCTURE_SET: Mapping[str, Callable[[Any], Any]] = {
    "label": _text,
    "image_id": _maybe,
    "frame_of_reference_uid": _text,
    "date": _text,
    "approval": _text,
    "path": _text,
    "referenced_series_uids": _texts,
    "reviewer": _text,
    "reviewed": _text,
    "signed": _switch,
}
"""Attributes of a structure set, and how each is read back."""

NAMES = frozenset({"image_id", "frame_of_reference_uid"})
"""Attributes that name something by its id."""
