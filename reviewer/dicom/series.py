"""A series of planes becomes images and cines: sorted by position, told apart where several lie in one place, never averaged.

The voxels are not read here, except where only they can tell (repeated positions); `Load` reads them plane by plane later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, pairwise
from math import inf
from os.path import commonpath
from statistics import median

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Cine, Image, Severity
from reviewer.dicom.pixels import read_frame
from reviewer.dicom.planes import Head, Plane
from reviewer.errors import InputError, ReviewerError
from reviewer.geometry.grid import AXIS_TOLERANCE, POSITION_TOLERANCE_MM, Grid

GAP_FACTOR = 1.5
"""Planes further apart than this many median distances have a gap between them."""

MAX_SHEAR = 1.0
"""A sheared stack may widen the grid by at most this many times the plane's own size; beyond, its positions are not of one stack."""

MAX_SERIES_BYTES = 2**33
"""No series comes near 8 GiB; packed pixels that claim more are wrong, however few bytes they take."""

AIR_HU = -1000.0

Report = Callable[[str, Severity, str], None]
"""(file, severity, message) of a problem."""


@dataclass(frozen=True, slots=True)
class Load:
    """An image whose voxels are still in files. shifts_uv: (n, 2) pixels by which each plane lies off the grid, None where none does."""

    image: Image
    planes: tuple[Plane, ...]
    shifts_uv: NDArray[np.float64] | None
    rescale: bool
    fill: float

    def read(self, k: int) -> None:
        """Put plane k of the image in its place. Raises InputError where it cannot be read; it then stays pending."""
        plane, target = self.planes[k], self.image.voxels[k]
        if self.shifts_uv is None and not self.rescale:
            read_frame(plane.pixels, plane.frame, target)
        else:
            stored: NDArray[np.generic] = read_frame(plane.pixels, plane.frame)
            if self.rescale:
                stored = stored.astype(np.float32) * np.float32(plane.slope) + np.float32(plane.intercept)
            if self.shifts_uv is not None:
                stored = _shifted(stored, self.shifts_uv[k], target.shape, self.fill)
            target[...] = stored
        if target.dtype.kind == "f" and not np.isfinite(target).all():
            target[...] = 0
            raise InputError("it holds values that are not finite numbers")
        if self.image.pending is not None:
            self.image.pending[k] = False


def _shifted(
    stored: NDArray[np.generic], shift_uv: NDArray[np.float64], shape: tuple[int, ...], fill: float
) -> NDArray[np.generic]:
    """A plane moved by a fraction of pixels in its own plane, linear between pixels; `fill` where it does not reach."""
    columns = np.arange(shape[1], dtype=np.float64) - shift_uv[0]
    rows = np.arange(shape[0], dtype=np.float64) - shift_uv[1]
    values = stored.astype(np.float32)

    def along(values: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float32]:
        """Linear interpolation along the last axis; NaN beyond the outer pixels."""
        last = values.shape[-1] - 1
        low = np.clip(np.floor(at + 1e-6).astype(int), 0, max(last - 1, 0))
        weight = (at - low).astype(np.float32)
        high = np.minimum(low + 1, last)
        moved: NDArray[np.float32] = values[..., low] * (1 - weight) + values[..., high] * weight
        moved[..., (at < -1e-3) | (at > last + 1e-3)] = np.nan
        return moved

    moved = along(along(values, columns).T, rows).T
    moved[np.isnan(moved)] = fill
    return np.rint(moved).astype(stored.dtype) if stored.dtype.kind in "iu" else moved


# -- sorting a series apart -----------------------------------------------------------------------------------------------


def open_series(head: Head, planes: Sequence[Plane], report: Report) -> tuple[list[Load], list[Cine]]:
    """The images and cines of one series. Problems go to `report`; what cannot be opened without a guess is left out.

    Raises InputError where its pixels would fill the memory.
    """
    label = _label(head, planes)
    size = sum(plane.pixels.rows * plane.pixels.columns * plane.pixels.native.itemsize for plane in planes)
    if size > MAX_SERIES_BYTES:
        raise InputError(f"its {len(planes)} planes are not believable: they would take {size >> 30} GiB")
    parts = _by_geometry(sorted(planes, key=_by_number))
    if len(parts) > 1:
        report(_place(planes), "note", f"{label} has {len(parts)} orientations or formats; each is an image of its own")
    stacks: list[tuple[str, list[Plane]]] = []
    cines: list[tuple[str, str, list[Plane]]] = []
    for part in parts:
        found_stacks, found_cines = _apart(label, part, report)
        stacks += found_stacks
        cines += found_cines
    loads: list[Load] = []
    opened: list[Cine] = []
    count = len(stacks) + len(cines)
    series_id = head.series_uid or head.frame_uid or planes[0].sop_uid
    for number, (suffix, stack) in enumerate(stacks, start=1):
        own_id = series_id if count == 1 else f"{series_id}#{number}"
        try:
            loads.append(_image(replace(head, description=_joined(head.description, suffix)), own_id, stack, report))
        except (ReviewerError, MemoryError) as error:
            report(_place(stack), "error", f"{label} was not opened: {_what(error)}")
    for number, (suffix, clock, frames) in enumerate(cines, start=len(stacks) + 1):
        own_id = series_id if count == 1 else f"{series_id}#{number}"
        try:
            opened.append(_cine(replace(head, description=_joined(head.description, suffix)), own_id, clock, frames))
        except (ReviewerError, MemoryError) as error:
            report(_place(frames), "error", f"{label} was not opened: {_what(error)}")
        else:
            report(_place(frames), "note", f"{label} is a cine of {len(frames)} frames; their times are from {clock}")
    return loads, opened


def _what(error: BaseException) -> str:
    return error.what if isinstance(error, ReviewerError) else "there is not enough memory for it"


def _joined(description: str, suffix: str) -> str:
    return f"{description} ({suffix})" if description and suffix else description or suffix


def _label(head: Head, planes: Sequence[Plane]) -> str:
    name = f' "{head.description}"' if head.description else ""
    return f"the {head.modality} series{name}"


def _place(planes: Sequence[Plane]) -> str:
    """The file of a single plane, else the folder that all of them lie in."""
    paths = sorted({p.pixels.path for p in planes})
    if len(paths) == 1:
        return paths[0]
    try:
        return commonpath(paths)
    except ValueError:
        return paths[0]


def _by_number(plane: Plane) -> tuple[int, str, int]:
    """An order that does not depend on how files and folders are called: parts of a series are known by their place in it."""
    return plane.instance, plane.sop_uid, plane.frame


def _by_geometry(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes of one orientation, size and pixel spacing together, in the order in which they are met."""
    parts: list[list[Plane]] = []
    for plane in planes:
        for part in parts:
            first = part[0]
            if (
                first.size_uv == plane.size_uv
                and (
                    first.spacing_uv_mm == plane.spacing_uv_mm
                    or np.allclose(first.spacing_uv_mm, plane.spacing_uv_mm, rtol=1e-4)
                )
                and (first.axes is plane.axes or np.abs(first.axes - plane.axes).max() <= AXIS_TOLERANCE)
            ):
                part.append(plane)
                break
        else:
            parts.append([plane])
    return parts


def _positions(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes in the same place together, by rising position along the first one's normal."""
    axes = planes[0].axes
    order = sorted(planes, key=lambda p: (float(_in(axes, p)[2]), *_by_number(p), p.pixels.path))
    places: list[list[Plane]] = []
    for plane in order:
        if places and _in(axes, plane)[2] - _in(axes, places[-1][0])[2] <= POSITION_TOLERANCE_MM:
            places[-1].append(plane)
        else:
            places.append([plane])
    return places


def _in(axes: NDArray[np.float64], plane: Plane) -> NDArray[np.float64]:
    """The first pixel of a plane in the coordinates of other, nearly the same axes."""
    if plane.axes is axes:
        return plane.uvw_mm
    return axes @ (plane.uvw_mm @ plane.axes)


Stacks = list[tuple[str, list[Plane]]]
Cines = list[tuple[str, str, list[Plane]]]


def _apart(label: str, planes: list[Plane], report: Report) -> tuple[Stacks, Cines]:
    """Planes of one geometry as stacks with one plane in each place, and as cines (suffix, clock, frames in time)."""
    places = _positions(planes)
    if all(len(place) == 1 for place in places):
        planes = [place[0] for place in places]
        woven = _interwoven(planes)
        if woven:
            report(
                _place(planes), "note", f"{label} holds {len(woven)} stacks whose planes alternate, told apart by stack"
            )
        return woven or [("", planes)], []
    places = _without_copies(label, places, report)
    planes = [plane for place in places for plane in place]
    most = max(map(len, places))
    if most == 1:
        return [("", planes)], []

    by_contrast = _partition(planes, lambda p: p.contrast)
    if len(by_contrast) > 1 and all(_repeats(part) < most for part in by_contrast.values()):
        stacks: Stacks = []
        cines: Cines = []
        names = _differing(list(by_contrast))
        for key, part in by_contrast.items():
            suffix = _suffix(key, names)
            more_stacks, more_cines = _apart(label, part, report)
            stacks += [(", ".join(filter(None, (suffix, s))), p) for s, p in more_stacks]
            cines += [(", ".join(filter(None, (suffix, s))), c, p) for s, c, p in more_cines]
        report(
            _place(planes), "note", f"{label} holds several images of the same place, told apart by {', '.join(names)}"
        )
        return stacks, cines

    if most > len(places):
        clocked = [_clocked(place) for place in places]
        if all(clocked) and all(len(place) > 1 for place in places):
            return [], [
                (f"position {n}" if len(places) > 1 else "", clock, frames)
                for n, (clock, frames) in enumerate(filter(None, clocked), start=1)
            ]
    parted = _by_repetition(planes, most)
    if parted:
        name, parts = parted
        report(_place(planes), "note", f"{label} holds {len(parts)} images of the same place, told apart by {name}")
        return [(suffix, [place[0] for place in _positions(part)]) for suffix, part in parts], []

    certain = [place[0] for place in places if _one_picture(place)]
    doubtful = [place for place in places if not _one_picture(place)]
    if not doubtful:
        report(_place(planes), "note", f"{label} repeats planes with the same pixels: only the first of each was kept")
        return [("", certain)], []
    where = ", ".join(f"{_in(planes[0].axes, p[0])[2]:.2f}" for p in doubtful[:5]) + (" …" if len(doubtful) > 5 else "")
    found = f"{label} has several different planes at {where} mm and nothing that tells them apart"
    if len(certain) < 3 * len(doubtful):
        report(_place(planes), "error", f"{found}: it was not opened")
        return [], []
    report(_place([q for p in doubtful for q in p]), "warning", f"{found}: these planes were left out")
    return [("", certain)], []


def _interwoven(planes: Sequence[Plane]) -> Stacks:
    """Stacks (PS3.3 C.7.6.16.2.2: frames that belong together) of sorted planes that alternate; none where they follow each other."""
    parts = _partition(planes, partial(_marks_of, names=["stack"]))
    keys = [_marks_of(plane, ["stack"]) for plane in planes]
    borders = sum(a != b for a, b in pairwise(keys))
    if borders < len(parts) or min(map(len, parts.values())) < 2:
        return []
    return [(_suffix(key, ["stack"]), part) for key, part in parts.items()]


def _without_copies(label: str, places: list[list[Plane]], report: Report) -> list[list[Plane]]:
    """Of planes in the same place with the same pixels and scale only the first is kept."""
    kept_places = []
    copies: list[Plane] = []
    for place in places:
        if len(place) == 1:
            kept_places.append(place)
            continue
        kept: list[tuple[Plane, NDArray[np.generic] | None]] = []
        for plane in place:
            values = _values(plane)
            same = (
                k
                for k, others in kept
                if values is not None
                and others is not None
                and (k.slope, k.intercept) == (plane.slope, plane.intercept)
                and np.abs(k.uvw_mm[:2] - plane.uvw_mm[:2]).max() <= POSITION_TOLERANCE_MM
                and np.array_equal(values, others)
                and (k.sop_uid == plane.sop_uid or not _told_apart(k, plane))
            )
            if next(same, None) is None:
                kept.append((plane, values))
            else:
                copies.append(plane)
        kept_places.append([k for k, _ in kept])
    if copies:
        counted = (
            "a plane is a copy of another one" if len(copies) == 1 else f"{len(copies)} planes are copies of others"
        )
        report(_place(copies), "note", f"{label}: {counted} and left out")
    return kept_places


def _one_picture(place: Sequence[Plane]) -> bool:
    """Whether the planes of a place all show the same values."""
    if len(place) == 1:
        return True
    pictures = [_values(plane) for plane in place]
    return all(
        other is not None and pictures[0] is not None and np.array_equal(other, pictures[0]) and
        (plane.slope, plane.intercept) == (place[0].slope, place[0].intercept)
        for plane, other in zip(place, pictures, strict=True)
    )  # fmt: skip


def _told_apart(a: Plane, b: Plane) -> bool:
    """Whether two planes with the same pixels are meant to be two: frames of a cine that happen to look the same."""
    return a.contrast != b.contrast or dict(a.group) != dict(b.group) or a.times_s != b.times_s


def _values(plane: Plane) -> NDArray[np.generic] | None:
    try:
        return read_frame(plane.pixels, plane.frame)
    except InputError:
        return None


def _partition(
    planes: Sequence[Plane], key: Callable[[Plane], tuple[tuple[str, str], ...]]
) -> dict[tuple[tuple[str, str], ...], list[Plane]]:
    """Parts by their marks, in rising order of these, 2 before 10."""
    parts = defaultdict(list)
    for plane in planes:
        parts[key(plane)].append(plane)
    return dict(sorted(parts.items(), key=lambda part: [_natural(value) for _, value in part[0]]))


def _natural(value: str) -> tuple[float, str]:
    """Numbers by their size, before words by their letters."""
    try:
        return float(value), ""
    except ValueError:
        return inf, value


def _repeats(planes: Sequence[Plane]) -> int:
    return max(map(len, _positions(planes)))


def _differing(keys: Sequence[tuple[tuple[str, str], ...]]) -> list[str]:
    names = dict.fromkeys(name for key in keys for name, _ in key)
    return [name for name in names if len({dict(key).get(name) for key in keys}) > 1]


def _suffix(key: tuple[tuple[str, str], ...], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {dict(key)[name]}" for name in names if name in dict(key))


def _clocked(place: Sequence[Plane]) -> tuple[str, list[Plane]] | None:
    """The first clock that gives every plane a time of its own, and the planes in its order."""
    for clock in _CLOCKS:
        times = [plane.times_s.get(clock) for plane in place]
        if None not in times and len(set(times)) == len(times):
            return clock, sorted(place, key=lambda p: p.times_s[clock])
    return None


_CLOCKS = (
    "FrameTimeVector",
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
    "TemporalPositionTimeOffset",
    "NominalCardiacTriggerDelayTime",
    "TriggerTime",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ContentTime",
    "TemporalPositionIdentifier",
    "FrameTime",
)
"""Most direct first."""


def _marks_of(plane: Plane, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in plane.group if name in names)


def _by_repetition(planes: list[Plane], most: int) -> tuple[str, Stacks] | None:
    """Parts with one plane in each place: by one mark or two, by the place in the plane, or by volumes one after the other in time."""
    names = list(dict.fromkeys(name for plane in planes for name, _ in plane.group))
    for chosen in [*combinations(names, 1), *combinations(names, 2)]:
        parts = _partition(planes, partial(_marks_of, names=chosen))
        if len(parts) == most and all(_repeats(part) == 1 for part in parts.values()):
            return " and ".join(chosen), [(_suffix(key, chosen), part) for key, part in parts.items()]
    axes = planes[0].axes
    parts = _partition(planes, lambda p: (("in-plane origin", f"{_in(axes, p)[0]:.1f} {_in(axes, p)[1]:.1f} mm"),))
    if len(parts) == most and all(_repeats(part) == 1 for part in parts.values()):
        return "in-plane origin", [(_suffix(key, ["in-plane origin"]), part) for key, part in parts.items()]
    for clock in _CLOCKS:
        rows = [sorted(place, key=lambda p: p.times_s.get(clock, -1.0)) for place in _positions(planes)]
        if any(len(row) != most or any(clock not in p.times_s for p in row) for row in rows):
            continue
        volumes = [[row[k] for row in rows] for k in range(most)]
        spans = [(min(t), max(t)) for t in ([p.times_s[clock] for p in v] for v in volumes)]
        if all(before[1] < after[0] for before, after in pairwise(spans)):
            return clock, [(f"{clock} {k}", v) for k, v in enumerate(volumes, start=1)]
    return None


# -- one stack, one image -------------------------------------------------------------------------------------------------


def _image(head: Head, image_id: str, stack: Sequence[Plane], report: Report) -> Load:
    """The image of a stack sorted by position, its voxels pending."""
    label, first = _label(head, stack), stack[0]
    uvw = np.array([_in(first.axes, plane) for plane in stack])
    spacing = np.array(first.spacing_uv_mm)
    offsets = uvw[:, :2] - uvw[0, :2]
    size = np.array(first.size_uv)
    origin, shifts = uvw[0, :2], None
    shear = float(np.ptp(offsets, axis=0).max())
    if shear > max(0.1 * float(spacing.min()), POSITION_TOLERANCE_MM):
        low, high = offsets.min(axis=0), offsets.max(axis=0)
        extra = np.ceil((high - low) / spacing - 1e-3).astype(int)
        if np.any(extra > MAX_SHEAR * size):
            raise InputError(f"its planes lie {shear:.0f} mm beside each other, so they are not one stack")
        origin = origin + low
        shifts = (offsets - low) / spacing
        size = size + extra
        report(
            _place(stack),
            "warning",
            f"{label} is sheared (gantry tilt): its planes lie up to {shear:.1f} mm beside each other and were "
            "resampled linearly onto an upright grid",
        )
    thickness = first.thickness_mm
    if len(stack) == 1 and thickness is None:
        thickness = 1.0
        report(_place(stack), "warning", f"{label} has one plane and no slice thickness: it is shown 1 mm thick")
    _report_gaps(label, stack, uvw[:, 2], report)
    if head.modality == "CT":
        if not head.rescaled:
            report(_place(stack), "warning", f"{label} has no rescale slope and intercept: its values may not be HU")
        elif head.rescale_type not in ("", "HU"):
            report(_place(stack), "warning", f"{label} states its values in {head.rescale_type}, not HU")
    if head.inverted:
        report(_place(stack), "note", f"{label} is MONOCHROME1: values are as stored, bright is still high")
    if len({plane.sop_uid for plane in stack}) == 1 < len({plane.pixels.path for plane in stack}):
        report(_place(stack), "warning", f"{label}: all its files carry the same SOP instance UID")

    grid = Grid(
        first.axes, (float(origin[0]), float(origin[1])), first.spacing_uv_mm, (int(size[0]), int(size[1])), uvw[:, 2],
        head.frame_uid, thickness or 1.0,
    )  # fmt: skip
    scales = {(plane.slope, plane.intercept) for plane in stack}
    natives = {plane.pixels.native for plane in stack}
    rescale = len(scales) > 1 or len(natives) > 1 or natives == {np.dtype(np.float32)}
    dtype = np.dtype(np.float32) if rescale else first.pixels.native
    slope, intercept = (1.0, 0.0) if rescale else (first.slope, first.intercept)
    fill = 0.0
    if head.modality == "CT":
        fill = (AIR_HU - intercept) / slope
        if dtype.kind != "f":
            limits = np.iinfo(np.int16 if dtype.kind == "i" else np.uint16)
            fill = float(np.clip(np.rint(fill), limits.min, limits.max))
    told_apart = len({(plane.sop_uid, plane.frame) for plane in stack}) == len(stack)
    frames = any(plane.pixels.frames > 1 for plane in stack)
    image = Image(
        id=image_id,
        modality=head.modality,
        description=head.description,
        grid=grid,
        voxels=np.zeros(grid.shape_zyx, dtype),
        slope=slope,
        intercept=intercept,
        window=head.window,
        sop_instance_uids=tuple(plane.sop_uid for plane in stack) if told_apart else (),
        sop_class_uid=head.sop_class_uid,
        frame_numbers=tuple(plane.frame + 1 for plane in stack) if told_apart and frames else (),
        study_uid=head.study_uid,
        patient_position=head.patient_position,
        date=head.date,
        field_strength_t=head.field_strength_t,
        pending=np.ones(len(stack), bool),
    )
    load = Load(image, tuple(stack), shifts, rescale, fill)
    if first.pixels.encapsulated:
        load.read(len(stack) // 2)  # one plane proves that the codec is there
    return load


def _report_gaps(label: str, stack: Sequence[Plane], w: NDArray[np.float64], report: Report) -> None:
    steps = np.diff(w)
    if steps.size < 2 or float(np.ptp(steps)) <= 2 * POSITION_TOLERANCE_MM:
        return
    usual = median(steps.tolist()) if steps.size > 2 else float(steps.min())
    gaps = [k for k in range(len(steps)) if steps[k] > GAP_FACTOR * usual]
    if gaps:
        named = ", ".join(f"{w[k]:.2f} to {w[k + 1]:.2f}" for k in gaps[:5]) + (" …" if len(gaps) > 5 else "")
        report(
            _place(stack),
            "warning",
            f"{label} has {'a gap' if len(gaps) == 1 else f'{len(gaps)} gaps'} where slices are missing or further apart "
            f"than {usual:.2f} mm: between {named} mm along its normal; the real positions are kept",
        )
    else:
        report(
            _place(stack),
            "note",
            f"{label} is unevenly spaced, {steps.min():.2f} to {steps.max():.2f} mm; the real positions are kept",
        )


def _cine(head: Head, cine_id: str, clock: str, frames: Sequence[Plane]) -> Cine:
    """A cine of planes sorted by time; its frames are read at once."""
    first = frames[0]
    offsets = np.array([_in(first.axes, p)[:2] - first.uvw_mm[:2] for p in frames])
    if float(np.abs(offsets).max()) > max(0.1 * min(first.spacing_uv_mm), POSITION_TOLERANCE_MM):
        raise InputError("its frames lie beside each other in their plane")
    grid = Grid(
        first.axes, (float(first.uvw_mm[0]), float(first.uvw_mm[1])), first.spacing_uv_mm, first.size_uv,
        first.uvw_mm[2:3], head.frame_uid, first.thickness_mm or 1.0,
    )  # fmt: skip
    plain = {(p.slope, p.intercept, p.pixels.native) for p in frames} == {(1.0, 0.0, first.pixels.native)}
    values = np.empty((len(frames), *grid.shape_zyx[1:]), first.pixels.native if plain else np.float32)
    for k, plane in enumerate(frames):
        stored = read_frame(plane.pixels, plane.frame)
        values[k] = stored if plain else stored.astype(np.float32) * plane.slope + plane.intercept
    times = np.array([plane.times_s[clock] for plane in frames])
    return Cine(cine_id, head.modality, head.description, grid, values, times - times[0], head.date)
