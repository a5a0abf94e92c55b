"""One DICOM file: is it one, is it whole, what does its header say."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from reviewer.dicom.pixels import Pixels, inflated, locate
from reviewer.dicom.values import text
from reviewer.errors import InputError

# Files are judged here, value by value; pydicom's own remarks on them would only be noise on standard error.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")

MODALITY_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}
"""SOP class that a file without SOP class is taken for, by its modality."""


@dataclass(frozen=True, slots=True)
class DicomFile:
    """The header of one file up to its pixel data; `pixels` where it has some that can be read, else `refusal` says why not."""

    path: str
    dataset: Dataset
    sop_class_uid: str
    sop_uid: str
    pixels: Pixels | None
    refusal: str = ""

    @property
    def patient_id(self) -> str:
        return text(self.dataset, "PatientID")

    @property
    def study_uid(self) -> str:
        return text(self.dataset, "StudyInstanceUID")

    @property
    def series_uid(self) -> str:
        return text(self.dataset, "SeriesInstanceUID")

    @property
    def modality(self) -> str:
        return text(self.dataset, "Modality").upper()

    @property
    def kind(self) -> str:
        """What it is, for a person: "MR Image Storage", or the UID of a class that DICOM does not know."""
        return UID(self.sop_class_uid).name if self.sop_class_uid else f"{self.modality or 'unknown'} object"


def read_file(path: str) -> DicomFile | None:
    """The header of a DICOM file, None where it is not DICOM.

    Raises InputError for a file that is DICOM but broken.
    """
    with Path(path).open("rb") as stream:
        start = stream.read(2048)
        marked = start[128:132] == b"DICM"
        if not marked and not _like_a_dataset(start):
            return None
        try:
            if marked and DeflatedExplicitVRLittleEndian.encode() in start:
                return _parse(path, BytesIO(inflated(path)), DeflatedExplicitVRLittleEndian)
            stream.seek(0)
            return _parse(path, stream, "")
        except InputError:
            raise
        except Exception as error:  # an untrusted file: whatever the parser stumbles over is a statement about the file
            raise InputError(f"it cannot be read as DICOM ({_gist(error)})") from error


def _gist(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _like_a_dataset(start: bytes) -> bool:
    """Whether the bytes begin like a DICOM dataset without preamble: a first element of group 0002 or 0008, sane in length."""
    if len(start) < 16 or start[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    length = int.from_bytes(start[6:8] if explicit else start[4:8], "little")
    return int.from_bytes(start[2:4], "little") <= 0x0020 and length <= 256


def _parse(path: str, stream: BinaryIO, deflated_syntax: str) -> DicomFile | None:
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    element_at = stream.tell()
    meta = dataset.file_meta
    sop_class = text(dataset, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID")
    sop_class = sop_class or MODALITY_CLASSES.get(text(dataset, "Modality").upper(), "")
    implicit, little = dataset.original_encoding
    syntax = deflated_syntax or text(meta, "TransferSyntaxUID")
    if not syntax:
        syntax = ImplicitVRLittleEndian if implicit else (ExplicitVRLittleEndian if little else ExplicitVRBigEndian)
    if not sop_class and not text(dataset, "Modality") and "PatientID" not in dataset:
        raise InputError("it is DICOM, but holds nothing that says what it is")
    pixels, refusal = None, ""
    if "Rows" in dataset:
        try:
            pixels = locate(dataset, path, stream, element_at, syntax=syntax, deflated=bool(deflated_syntax))
        except InputError as error:
            refusal = error.what
    else:
        refusal = "it has no pixel data"
        stream.seek(0, os.SEEK_END)
        if not deflated_syntax:
            _check_whole(stream, stream.tell(), _dataset_start(stream), implicit=bool(implicit), little=bool(little))
    sop_uid = text(dataset, "SOPInstanceUID") or text(meta, "MediaStorageSOPInstanceUID")
    return DicomFile(path, dataset, sop_class, sop_uid, pixels, refusal)


# -- completeness -------------------------------------------------------------------------------------------------------
# pydicom takes the end of a file for the end of the dataset; a plan or structure set that lost its tail must not pass for whole.

_LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UNDEFINED = 0xFFFFFFFF
_MAX_DEPTH = 32


def _dataset_start(stream: BinaryIO) -> int:
    """Byte position behind the file meta information (PS3.10 7.1)."""
    stream.seek(0)
    start = stream.read(132)
    at = 132 if start[128:] == b"DICM" else 0
    while True:
        stream.seek(at)
        head = stream.read(12)
        if head[:2] != b"\x02\x00" or len(head) < 12:
            return at
        long = head[4:6] in _LONG_VRS
        at += (12 if long else 8) + int.from_bytes(head[8:12] if long else head[6:8], "little")


def _check_whole(stream: BinaryIO, end: int, at: int, *, implicit: bool, little: bool) -> None:
    """Raise InputError unless every element up to `end` is there to its last byte."""
    if _walk(stream, at, end, implicit, little, 0) != end:
        raise InputError("the file ends in the middle of an element")


def _walk(stream: BinaryIO, at: int, end: int, implicit: bool, little: bool, depth: int) -> int:
    """Byte position behind the last element, or behind the delimiter of an item of undefined length."""
    order: Literal["little", "big"] = "little" if little else "big"
    if depth > _MAX_DEPTH:
        raise InputError("sequences are nested too deeply")
    while at < end:
        stream.seek(at)
        head = stream.read(12)
        if len(head) < 8:
            raise InputError("the file ends in the middle of an element")
        group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
        if (group, element) == (0xFFFE, 0xE00D):
            return at + 8
        long = not implicit and head[4:6] in _LONG_VRS
        plain = implicit or group == 0xFFFE
        field = head[4:8] if plain else (head[8:12] if long else head[6:8])
        length = int.from_bytes(field, order)
        at += 12 if long and not plain else 8
        if length != _UNDEFINED:
            at += length
            if at > end:
                raise InputError("the file ends early")
            continue
        inner_implicit = implicit or (long and head[4:6] == b"UN")
        at = _walk_items(stream, at, end, inner_implicit, little, depth + 1)
    if depth:
        raise InputError("the file ends inside a sequence")
    return at


def _walk_items(stream: BinaryIO, at: int, end: int, implicit: bool, little: bool, depth: int) -> int:
    """Byte position behind the delimiter of a sequence of undefined length."""
    order: Literal["little", "big"] = "little" if little else "big"
    while at + 8 <= end:
        stream.seek(at)
        head = stream.read(8)
        element, length = int.from_bytes(head[2:4], order), int.from_bytes(head[4:8], order)
        at += 8
        if element == 0xE0DD:
            return at
        if element != 0xE000:
            raise InputError("a sequence holds something that is not an item")
        at = _walk(stream, at, end, implicit, little, depth) if length == _UNDEFINED else at + length
    raise InputError("the file ends inside a sequence")
