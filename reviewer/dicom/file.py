"""One DICOM file: is it one, is it whole, what does its header say."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import config, dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from reviewer.dicom.completeness import check_whole, dataset_start
from reviewer.dicom.elements import LONGEST, plain_elements, plain_meta
from reviewer.dicom.pixels import Pixels, inflated, locate
from reviewer.dicom.values import Header, text
from reviewer.errors import InputError

# Files are judged here, value by value; pydicom's own remarks on them would only be noise on standard error.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")

NOT_PLAIN = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence")
"""Sequences that matter to an image; files with one are read by pydicom."""

MODALITY_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}
"""SOP class that a file without SOP class is taken for, by its modality."""


@dataclass(frozen=True, slots=True)
class DicomFile:
    """The header of one file up to its pixel data; `pixels` where it has some that can be read, else `refusal` says why not."""

    path: str
    dataset: Header
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
        if marked and (plain := _plain(path, stream, start)) is not None:
            return plain
        try:
            if marked and DeflatedExplicitVRLittleEndian.encode() in start:
                return _parse(path, BytesIO(inflated(path)), DeflatedExplicitVRLittleEndian)
            stream.seek(0)
            return _parse(path, stream, "")
        except InputError:
            raise
        except Exception as error:  # an untrusted file: whatever the parser stumbles over is a statement about the file
            raise InputError(f"it cannot be read as DICOM ({_gist(error)})") from error


def _plain(path: str, stream: BinaryIO, start: bytes) -> DicomFile | None:
    """A classic CT or MR image in the fast way, None where the file is anything else."""
    begin = dataset_start(stream)
    meta = plain_meta(start, begin)
    if meta is None:
        return None
    sop_class, sop_uid, syntax = meta
    if sop_class not in MODALITY_CLASSES.values() or syntax in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        return None
    stream.seek(0)
    found = plain_elements(stream.read(LONGEST), begin, implicit=syntax == ImplicitVRLittleEndian)
    if found is None or any(keyword in found[0] for keyword in NOT_PLAIN):
        return None
    elements, element_at = found
    pixels, refusal = None, ""
    try:
        pixels = locate(elements, path, stream, element_at, syntax=syntax, deflated=False)
    except InputError as error:
        refusal = error.what
    sop_class = text(elements, "SOPClassUID") or sop_class
    return DicomFile(path, elements, sop_class, text(elements, "SOPInstanceUID") or sop_uid, pixels, refusal)


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
    dataset.buffer = None  # else the header would keep the whole of an unpacked file
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
            check_whole(stream, stream.tell(), dataset_start(stream), implicit=bool(implicit), little=bool(little))
    sop_uid = text(dataset, "SOPInstanceUID") or text(meta, "MediaStorageSOPInstanceUID")
    return DicomFile(path, dataset, sop_class, sop_uid, pixels, refusal)
