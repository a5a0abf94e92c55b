"""Whether a DICOM dataset is there to its last byte.

pydicom takes the end of a file for the end of the dataset; a plan or a structure set that lost its tail must not pass for whole.
"""

from __future__ import annotations

from typing import BinaryIO, Literal

from reviewer.errors import InputError

LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
UNDEFINED = 0xFFFFFFFF
_MAX_DEPTH = 32


def dataset_start(stream: BinaryIO) -> int:
    """Byte position behind the file meta information (PS3.10 7.1)."""
    stream.seek(0)
    start = stream.read(132)
    at = 132 if start[128:] == b"DICM" else 0
    while True:
        stream.seek(at)
        head = stream.read(12)
        if head[:2] != b"\x02\x00" or len(head) < 12:
            return at
        long = head[4:6] in LONG_VRS
        at += (12 if long else 8) + int.from_bytes(head[8:12] if long else head[6:8], "little")


def check_whole(stream: BinaryIO, end: int, at: int, *, implicit: bool, little: bool) -> None:
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
        long = not implicit and head[4:6] in LONG_VRS
        plain = implicit or group == 0xFFFE
        field = head[4:8] if plain else (head[8:12] if long else head[6:8])
        length = int.from_bytes(field, order)
        at += 12 if long and not plain else 8
        if length != UNDEFINED:
            at += length
            if at > end:
                raise InputError("the file ends early")
            continue
        inner_implicit = implicit or (long and head[4:6] == b"UN")
        at = behind_items(stream, at, end, implicit=inner_implicit, little=little, depth=depth + 1)
    if depth:
        raise InputError("the file ends inside a sequence")
    return at


def behind_items(stream: BinaryIO, at: int, end: int, *, implicit: bool, little: bool, depth: int = 1) -> int:
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
        at = _walk(stream, at, end, implicit, little, depth) if length == UNDEFINED else at + length
    raise InputError("the file ends inside a sequence")
