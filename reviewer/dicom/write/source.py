"""The file that a structure set was read from, read once more: what nobody touched is written as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from reviewer.case import Case, Structure, StructureSet
from reviewer.case.uid import stand_in_uid
from reviewer.dicom.file import DicomFile, read_file
from reviewer.dicom.structures import CLOSED, RT_STRUCTURE_SET, ReadRoi, rois_of
from reviewer.dicom.values import integer, items, text
from reviewer.errors import InputError
from reviewer.geometry.region import Region

CONTOUR_DATA = Tag(0x3006, 0x0050)

Report = Callable[[str], None]
"""Told in a sentence what a reader of the written file should know."""


@dataclass(frozen=True, slots=True)
class SourceRoi:
    """Items of the three sequences that belong to one ROI, and what our reader makes of them."""

    read: ReadRoi
    roi: Dataset
    contours: Dataset
    observations: tuple[Dataset, ...]

    def changed(self, structure: Structure) -> frozenset[int]:
        """Planes of the structure's grid on which it is not what the file says; all planes of both where the grids differ."""
        before, after = self.read.structure.planes, structure.planes
        if before and after and not structure.grid.same_lattice(self.read.structure.grid):
            return frozenset(before) | frozenset(after)
        return frozenset(k for k in before.keys() | after.keys() if not _identical(before.get(k), after.get(k)))


@dataclass(frozen=True, slots=True)
class Source:
    """sop_uid: as the file gives it, empty where it gives none. rois: by the id of the structure that is read from them.

    whole: whether they are all that the file has; those that it doesn't tell apart by their numbers are not among them.
    """

    dataset: Dataset
    sop_uid: str
    rois: Mapping[str, SourceRoi]
    whole: bool

    def untouched(self, structure_set: StructureSet) -> bool:
        """Whether the set consists of the same ROIs, with the same names, types and contours."""
        now = {s.id: s for s in structure_set.structures}
        return (
            self.whole
            and now.keys() == self.rois.keys()
            and all(
                not self.rois[key].changed(s)
                and (s.name, s.type) == (self.rois[key].read.structure.name, self.rois[key].read.structure.type)
                for key, s in now.items()
            )
        )


def source_of(structure_set: StructureSet, case: Case, report: Report) -> Source | None:
    """The source of a set, None for one that was not read from an RTSTRUCT. report: told where it is not to be had any more."""
    path = structure_set.path
    if not path:
        return None
    try:
        file = read_file(path)
    except (InputError, OSError):
        report(f"{path} cannot be read any more: nothing of it was taken over, all contours were written anew")
        return None
    if file is None or file.sop_class_uid != RT_STRUCTURE_SET:
        return None  # a label map
    given = file.sop_uid
    if structure_set.id not in (given, stand_in_uid(given, path), stand_in_uid("object", path)):
        report(f"{path} holds another object than when it was opened: nothing of it was taken over")
        return None
    # The dose grid that stands in for an image was not there when the file was read.
    images = [image for image in case.images if image.modality != "RTDOSE"]
    read = rois_of(replace(file, sop_uid=structure_set.id), images, lambda file, severity, message: None)
    numbers = Counter(integer(item, "ReferencedROINumber") for item in items(file.dataset, "ROIContourSequence"))
    lost = len(items(file.dataset, "StructureSetROISequence")) - len(read)
    lost_contours = sum(numbers.values()) - len(numbers.keys() & {roi.structure.number for roi in read})
    if lost or lost_contours:
        report(
            f"{path} has ROIs or contours that it does not tell apart by their numbers: they are not in what is written"
        )
    known = {roi.structure.id: _items_of(roi, file) for roi in read}
    return Source(file.dataset, given, known, whole=not (lost or lost_contours))


def _items_of(read: ReadRoi, file: DicomFile) -> SourceRoi:
    """As the reader pairs them: the first item of a number counts, for observations all."""
    number = read.structure.number

    def numbered(sequence: str, keyword: str) -> list[Dataset]:
        return [item for item in items(file.dataset, sequence) if integer(item, keyword) == number]

    return SourceRoi(
        read,
        numbered("StructureSetROISequence", "ROINumber")[0],
        next(iter(numbered("ROIContourSequence", "ReferencedROINumber")), Dataset()),
        tuple(numbered("RTROIObservationsSequence", "ReferencedROINumber")),
    )


def _identical(a: Region | None, b: Region | None) -> bool:
    return a is b or (a is not None and b is not None and bool(a.equals_exact(b, 0.0)))


def closed(contour: Dataset) -> bool:
    """Whether an item of the Contour Sequence bounds an area."""
    return text(contour, "ContourGeometricType").upper() in CLOSED


def carried(dataset: Dataset, without: Container[BaseTag] = (), *, private: bool = True) -> Dataset:
    """A copy of what can be read, in sequences too, fit for a file of any transfer syntax and character set.

    Coordinates keep their bytes. without: attributes of this level, and private: whether private ones of every level come along.
    """
    copy = Dataset()
    for tag in list(dataset.keys()):
        if tag in without or tag.element == 0 or (tag.is_private and not private):
            continue
        try:
            copy[tag] = _copied(dataset, tag, private)
        except Exception:  # an untrusted file: what cannot be understood cannot be written in another encoding
            continue
    return copy


def _copied(dataset: Dataset, tag: BaseTag, private: bool) -> DataElement | RawDataElement:
    if tag == CONTOUR_DATA:
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.value is not None:
            return contour_data(raw.value)
    element = dataset[tag]
    if element.VR == "UN" and dataset.original_encoding[1] is False:
        raise ValueError("bytes of unknown meaning in big-endian order")
    if element.VR == "SQ":
        return DataElement(tag, "SQ", Sequence([carried(item, private=private) for item in element.value]))
    return element


def contour_data(value: bytes) -> RawDataElement:
    """ContourData of these very bytes: pydicom would make an object of each of a million numbers."""
    return RawDataElement(CONTOUR_DATA, "DS", len(value), value, 0, True, True)
