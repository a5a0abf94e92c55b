"""NIfTI and MetaImage volumes as images, label maps as structures.

Files like these carry a lattice in space, but no patient and no frame of reference: each volume is in a frame of its own. A label
map belongs to the image whose voxels coincide with its own, one to one; it is traced exactly, along the edges of its voxels.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from reviewer.case import Colour, Image, Problem, Structure, StructureSet
from reviewer.case.structure import PALETTE
from reviewer.case.uid import frame_of_volume, name_of_volume
from reviewer.errors import InputError
from reviewer.files import text_path
from reviewer.geometry.grid import AXIS_TOLERANCE, MAX_MM, Grid
from reviewer.geometry.region import Region
from reviewer.geometry.tracing import regions_of_labels

SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd")

MAX_VOXELS = 2**31
HINTED_LABELS, PLAIN_LABELS = 256, 32
"""Most distinct values of a label map whose name says that it is one, and of one whose name does not."""
HINT = re.compile(r"seg|label|mask|roi|struct|contour", re.IGNORECASE)

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what is wrong with a file becomes a line in `problems`

LATTICE_TOLERANCE = 0.05
"""Two lattices coincide where no corner is off by more than this part of a voxel."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A file's voxels, (z, y, x), on a grid in a frame of its own. name: of its content, which is its id. doubt: a sentence about its place."""

    path: str
    name: str
    grid: Grid
    voxels: NDArray[np.generic]
    labels: bool
    reason: str
    doubt: str = ""


def is_volume(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


def read_volume(path: str) -> Volume:
    """The volume in a file. Raises InputError where it is not a 3D scalar volume on an orthogonal lattice, or is not all there."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(text_path(path))
    try:
        reader.ReadImageInformation()
        size, components = reader.GetSize(), reader.GetNumberOfComponents()
        if reader.GetDimension() == 4 and size[3] == 1:
            reader.SetExtractSize((*size[:3], 0))
        elif reader.GetDimension() != 3:
            raise InputError(f"it has {reader.GetDimension()} dimensions, not three")
        if components != 1:
            raise InputError(f"it has {components} values in each voxel, not one")
        if np.prod([float(s) for s in size]) > MAX_VOXELS:
            raise InputError(f"it claims {' x '.join(map(str, size))} voxels, which is not believable")
        if path.lower().endswith((".nii", ".nii.gz")):
            codes = [reader.GetMetaData(key) for key in ("qform_code", "sform_code") if reader.HasMetaDataKey(key)]
            if codes and all(code.strip() == "0" for code in codes):
                raise InputError("it does not say how it lies in the patient (qform and sform codes are 0)")
            _check_nifti_whole(path, int(np.prod(size)))
        image = reader.Execute()
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(f"it cannot be read ({lines[-1][:160] if lines else 'no reason given'})") from error
    voxels = sitk.GetArrayFromImage(image)
    name = name_of_volume(voxels, *image.GetOrigin(), *image.GetSpacing(), *image.GetDirection())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin, spacing = np.array(image.GetOrigin()), image.GetSpacing()
    if not np.abs([*origin, *spacing, *direction.ravel()]).max() <= MAX_MM or min(spacing) <= 0:  # NaN fails it
        raise InputError("its position, spacing or direction is not valid")
    if not np.allclose(direction.T @ direction, np.eye(3), atol=AXIS_TOLERANCE):
        raise InputError("its axes are not perpendicular")
    u, v = direction[:, 0], direction[:, 1]
    axes = np.array([u, v, np.cross(u, v)])
    uvw = axes @ origin
    steps = np.arange(voxels.shape[0]) * spacing[2]
    if direction[:, 2] @ axes[2] < 0:  # stored against the right-handed normal
        voxels, w = voxels[::-1], uvw[2] - steps[::-1]
    else:
        w = uvw[2] + steps
    grid = Grid(
        axes, (float(uvw[0]), float(uvw[1])), (spacing[0], spacing[1]), (voxels.shape[2], voxels.shape[1]), w,
        frame_of_volume(name), spacing[2],
    )  # fmt: skip
    labels, reason = _is_label_map(path, voxels)
    doubt = ""
    if path.lower().endswith((".nii", ".nii.gz")):
        doubt = _two_places(path, np.column_stack([direction * spacing, origin]), min(spacing))
    return Volume(path, name, grid, voxels, labels, reason, doubt)


def another(volume: Volume, number: int) -> Volume:
    """The same content in another file: a volume of its own, though it looks alike. number: from 2."""
    name = f"{volume.name} {number}"
    return replace(volume, name=name, grid=replace(volume.grid, frame_of_reference_uid=frame_of_volume(name)))


def _is_label_map(path: str, voxels: NDArray[np.generic]) -> tuple[bool, str]:
    if voxels.dtype.kind not in "iu":
        return False, "its values are not integers"
    if int(voxels.min()) < 0:
        return False, "it has negative values"
    if int(voxels.max()) >= 2**16:
        return False, "its values are large"
    distinct = int(np.count_nonzero(np.bincount(voxels.ravel())))
    hinted = bool(HINT.search(Path(path).name))
    most = HINTED_LABELS if hinted else PLAIN_LABELS
    if not 2 <= distinct <= most:
        return False, f"it has {distinct} distinct values"
    return True, f"{distinct - 1} labels" + (", and its name says so" if hinted else "")


def image_of(volume: Volume) -> tuple[Image, Problem]:
    """The volume as an image, complete; the note says that it was taken for one."""
    voxels = volume.voxels
    kind, low, high = voxels.dtype.kind, float(voxels.min()), float(voxels.max())
    if kind in "iu" and low >= -32768 and high <= 32767:
        voxels = voxels.astype(np.int16, copy=False)
    elif kind in "iu" and low >= 0 and high <= 65535:
        voxels = voxels.astype(np.uint16, copy=False)
    else:
        voxels = voxels.astype(np.float32, copy=False)
        if not np.isfinite(voxels).all():
            raise InputError("it holds values that are not finite numbers")
    name = _stem(volume.path)
    modality = next((m for m in ("CT", "MR") if re.search(rf"(?<![a-z]){m}", name, re.IGNORECASE)), "")
    image = Image(volume.name, modality, name, volume.grid, np.ascontiguousarray(voxels))
    message = f"taken for an image ({volume.reason}), in a frame of reference of its own" + (
        f"; taken for {modality} by its name" if modality else "; its modality is unknown"
    )
    return image, Problem(volume.path, "note", message)


def structures_of(volume: Volume, images: Sequence[Image]) -> tuple[StructureSet, list[Problem]]:
    """The labels as structures, on the image whose voxels coincide with the label map's, else on the map's own lattice."""
    grid, voxels, image = volume.grid, volume.voxels, None
    for candidate in images:
        fitted = _on_lattice(volume, candidate.grid)
        if fitted is not None:
            grid, voxels, image = candidate.grid, fitted, candidate
            break
    table = _label_table(volume.path)
    structures = []
    values = [int(v) for v in np.flatnonzero(np.bincount(voxels.ravel().astype(np.int64))) if v != 0]
    planes: dict[int, dict[int, Region]] = {value: {} for value in values}
    for k, plane in enumerate(voxels):
        for value, region in regions_of_labels(plane, grid):
            planes[value][k] = region
    for n, value in enumerate(values):
        name, colour = table.get(value, ("", None))
        if not name:
            name = _stem(volume.path) if len(values) == 1 else f"Label {value}"
        structures.append(
            Structure(
                f"{volume.name}#{value}", name, grid, planes[value], colour=colour or PALETTE[n % len(PALETTE)],
                image_id=image.id if image else None, number=value,
            )
        )  # fmt: skip
    group = StructureSet(
        volume.name,
        _stem(volume.path),
        tuple(structures),
        image.id if image else None,
        grid.frame_of_reference_uid,
        path=volume.path,
    )
    where = (
        f'on "{image.description or image.id}", whose voxels coincide with its own'
        if image
        else "on its own lattice, in a frame of reference of its own: no image has the same voxels"
    )
    return group, [Problem(volume.path, "note", f"taken for a label map ({volume.reason}); its structures lie {where}")]


def _stem(path: str) -> str:
    name = Path(path).name
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


def _on_lattice(volume: Volume, grid: Grid) -> NDArray[np.generic] | None:
    """The label map's voxels in the order of another grid's, None where the two lattices do not coincide."""
    own = volume.grid
    if sorted(own.shape_zyx) != sorted(grid.shape_zyx) or not grid.uniform:
        return None
    corner, size = np.zeros(3), np.array(own.shape_zyx)
    ends = np.vstack([corner, np.diag(np.maximum(size - 1, 1))])  # first voxel and one step along each axis to its end
    index = grid.index_zyx(own.point_of_index_mm(ends))
    along = index[1:] - index[0]
    order = np.abs(along).argmax(axis=1)  # own axis -> axis of the grid
    if sorted(order.tolist()) != [0, 1, 2]:
        return None
    flips = along[range(3), order] < 0
    voxels = np.flip(volume.voxels, axis=tuple(k for k in range(3) if flips[k])).transpose(np.argsort(order))
    if voxels.shape != grid.shape_zyx:
        return None
    expected = np.zeros((4, 3))
    for own_axis, axis in enumerate(order):
        last = max(size[own_axis] - 1, 1)
        expected[:, axis] = last if flips[own_axis] and size[own_axis] > 1 else 0
        expected[own_axis + 1, axis] += -last if flips[own_axis] else last
    return voxels if np.abs(index - expected).max() <= LATTICE_TOLERANCE else None


# -- names ----------------------------------------------------------------------------------------------------------------


def _label_table(path: str) -> Mapping[int, tuple[str, Colour | None]]:
    """Names and colours of labels from the XML extension that segmentation tools put into NIfTI headers; empty where there is none."""
    if not path.lower().endswith((".nii", ".nii.gz")):
        return {}
    text = _nifti_extensions(path)
    found = re.search(r"<LabelTable>.*?</LabelTable>", text, re.DOTALL)
    if found is None or "<!" in found[0].replace("<![CDATA[", ""):
        return {}
    try:
        root = ElementTree.fromstring(found[0])
    except ElementTree.ParseError:
        return {}
    table: dict[int, tuple[str, Colour | None]] = {}
    for label in root.iter("Label"):
        try:
            rgb = [round(255 * float(label.get(c, ""))) for c in ("Red", "Green", "Blue")]
            colour = (rgb[0], rgb[1], rgb[2]) if all(0 <= c <= 255 for c in rgb) else None
        except ValueError:
            colour = None
        key = label.get("Key", "")
        if key.isdigit():
            table[int(key)] = ((label.text or "").strip()[:64], colour)
    return table


def _check_nifti_whole(path: str, voxels: int) -> None:
    """Raise InputError where a NIfTI-1 file is shorter than its header says; SimpleITK fills up what is missing without a word."""
    header = _nifti_header(path)
    if header is None:
        return  # NIfTI-2 or a byte order of its own: SimpleITK's judgement stands
    offset, bits = header
    expected = offset + voxels * bits // 8
    file = Path(path)
    if not path.lower().endswith(".gz"):
        present = file.stat().st_size
    else:
        with file.open(
            "rb"
        ) as stream:  # the last four bytes of a gzip member are its length (RFC 1952), unless it was cut
            stream.seek(-4, 2)
            present = int.from_bytes(stream.read(4), "little")
        if present != expected % 2**32:
            present = _unpacked_length(path, expected)
        else:
            present = expected
    if present < expected:
        raise InputError(f"the file ends early: {max(present, 0)} of {expected} bytes are there")


def _unpacked_length(path: str, enough: int) -> int:
    length = 0
    try:
        with gzip.open(path, "rb") as stream:
            while length < enough and (chunk := stream.read(2**20)):
                length += len(chunk)
    except (OSError, EOFError, zlib.error):
        return length
    return length


def _two_places(path: str, taken: NDArray[np.float64], voxel_mm: float) -> str:
    """What is to be said of a NIfTI-1 file whose qform and sform (codes above 0 both) put its voxels into different places; else nothing.

    taken: (3, 4) map of voxel indices (x, y, z, 1) to LPS mm that SimpleITK made of the two. The quaternion's rotation is that of the
    standard (nifti1.h, method 2), which counts in RAS.
    """
    found = _nifti_start(path)
    if found is None:
        return ""
    header, order = found
    codes = np.frombuffer(header, f"{order}i2", 2, 252)
    if codes.min() <= 0:
        return ""
    b, c, d, *shift = np.frombuffer(header, f"{order}f4", 6, 256).astype(np.float64)
    a = np.sqrt(max(1.0 - b * b - c * c - d * d, 0.0))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    steps = np.frombuffer(header, f"{order}f4", 4, 76).astype(np.float64)
    by_quaternion = np.column_stack([turn * (steps[1], steps[2], steps[3] * (-1.0 if steps[0] < 0 else 1.0)), shift])
    by_rows = np.frombuffer(header, f"{order}f4", 12, 280).reshape(3, 4).astype(np.float64)
    last = np.frombuffer(header, f"{order}i2", 3, 42) - 1
    corners = np.column_stack([np.array(list(np.ndindex(2, 2, 2))) * last, np.ones(8)])
    ras = taken * np.array([[-1.0], [-1.0], [1.0]])

    def apart_mm(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())

    apart = apart_mm(by_quaternion, by_rows)
    if not apart > LATTICE_TOLERANCE * voxel_mm:
        return ""
    which = "sform" if apart_mm(ras, by_rows) < apart_mm(ras, by_quaternion) else "qform"
    return f"its qform and its sform put it up to {apart:.1f} mm apart: it is shown where the {which} says"


def _nifti_start(path: str) -> tuple[bytes, str] | None:
    """The header of a NIfTI-1 file and its byte order as numpy writes it, None for another form."""
    opener = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as stream:
            header = stream.read(352)
    except (OSError, EOFError, zlib.error):
        return None
    if len(header) < 352:
        raise InputError("the file ends in its header")
    order = next((o for o in ("<", ">") if np.frombuffer(header, f"{o}i4", 1)[0] == 348), None)
    if order is None:
        return None
    if header[344:347] != b"n+1":
        raise InputError("it is not a NIfTI file (an Analyze file does not say how it lies in the patient)")
    return header, order


def _nifti_header(path: str) -> tuple[int, int] | None:
    """Byte offset of the voxels and bits per voxel (vox_offset, bitpix) of a NIfTI-1 single file, None for another form."""
    found = _nifti_start(path)
    if found is None:
        return None
    header, order = found
    offset = float(np.frombuffer(header, f"{order}f4", 1, 108)[0])
    bits = int(np.frombuffer(header, f"{order}i2", 1, 72)[0])
    return (int(offset), bits) if 352 <= offset < 2**31 and bits > 0 else None


def _nifti_extensions(path: str) -> str:
    """The text between the header and the voxels of a NIfTI-1 file, empty beyond 1 MiB."""
    header = _nifti_header(path)
    if header is None or not 352 < header[0] < 2**20:
        return ""
    opener = gzip.open if path.lower().endswith(".gz") else open
    with opener(path, "rb") as stream:
        stream.seek(352)
        return stream.read(header[0] - 352).decode("utf-8", "replace")
