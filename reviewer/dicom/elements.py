"""The header of a classic image read without pydicom: a series has hundreds of them, all alike, and most of opening it was their parsing.

Only the plain case is read here, little endian and at the top level; anything else is left to pydicom by returning None.
"""

from __future__ import annotations

import struct
from io import BytesIO

from pydicom.datadict import dictionary_VR, tag_for_keyword

from reviewer.dicom.completeness import LONG_VRS, UNDEFINED, behind_items
from reviewer.errors import InputError

_HEAD = struct.Struct("<HH2sH")
_TEXT_VRS = {
    b"AE",
    b"AS",
    b"CS",
    b"DA",
    b"DS",
    b"DT",
    b"IS",
    b"LO",
    b"LT",
    b"PN",
    b"SH",
    b"ST",
    b"TM",
    b"UC",
    b"UI",
    b"UR",
    b"UT",
}
_NUMBERS = {b"US": "<H", b"SS": "<h", b"UL": "<I", b"SL": "<i", b"FL": "<f", b"FD": "<d"}
_PIXELS = 0x7FE0

LONGEST = 2**16
"""A header that goes on beyond this many bytes is not a plain one."""


class Elements:
    """The elements of a header by keyword; as much of pydicom's `Dataset` as reading a value takes."""

    __slots__ = ("_data", "_where")

    def __init__(self, data: bytes, where: dict[int, tuple[bytes, int, int]]) -> None:
        self._data, self._where = data, where

    def __contains__(self, keyword: str) -> bool:
        return tag_for_keyword(keyword) in self._where

    def get(self, keyword: str) -> str | list[float] | None:
        """The value: text with its backslashes, or numbers. None where it is absent, empty or of another kind."""
        tag = tag_for_keyword(keyword)
        place = self._where.get(-1 if tag is None else tag)
        if place is None or place[2] == 0:
            return None
        vr, start, length = place
        value = self._data[start : start + length]
        if vr in _TEXT_VRS:
            return value.decode("ascii", "replace").rstrip(" \0")
        form = _NUMBERS.get(vr)
        size = struct.calcsize(form) if form else 0
        if form is None or length % size:
            return None
        return [number for (number,) in struct.iter_unpack(form, value)]


def plain_elements(data: bytes, at: int, *, implicit: bool) -> tuple[Elements, int] | None:
    """The elements from byte `at` up to the pixel data, and its position; None where pydicom has to look at the file.

    data: the beginning of a file. Text beyond ASCII is left to pydicom, which knows the character sets.
    """
    where: dict[int, tuple[bytes, int, int]] = {}
    end = len(data)
    while at + 12 <= end:
        group, element, vr, short = _HEAD.unpack_from(data, at)
        if group == _PIXELS:
            return (Elements(data, where), at) if element == 0x0010 else None
        tag = group << 16 | element
        if implicit:
            length, start = int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
            vr = _implicit_vr(tag)
        elif vr in LONG_VRS:
            length, start = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        elif vr in _TEXT_VRS or vr in _NUMBERS or vr == b"AT":
            length, start = short, at + 8
        else:
            return None
        if length == UNDEFINED:
            try:
                at = behind_items(BytesIO(data), start, end, implicit=implicit or vr == b"UN", little=True)
            except InputError:
                return None
            where[tag] = (b"SQ", start, 0)
            continue
        at = start + length
        if vr in (b"PN", b"LO", b"SH", b"ST", b"LT") and group < 0x0030 and not data[start:at].isascii():
            return None
        where[tag] = (vr, start, length)
    return None


def plain_meta(data: bytes, end: int) -> tuple[str, str, str] | None:
    """SOP class, SOP instance and transfer syntax UID of the file meta information before byte `end` (PS3.10 7.1)."""
    found = {0x0002: "", 0x0003: "", 0x0010: ""}
    at = 132
    while at + 12 <= end <= len(data):
        group, element, vr, length = _HEAD.unpack_from(data, at)
        start = at + 8
        if group != 0x0002:
            return None
        if vr in LONG_VRS:
            length, start = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        at = start + length
        if element in found:
            found[element] = data[start:at].decode("ascii", "replace").rstrip(" \0")
    return (found[0x0002], found[0x0003], found[0x0010]) if found[0x0010] else None


def _implicit_vr(tag: int) -> bytes:
    vr = _VRS.get(tag)
    if vr is None:
        try:
            vr = dictionary_VR(tag)[:2].encode() if not tag >> 16 & 1 else b"UN"  # "US or SS" is read as US
        except KeyError:
            vr = b"UN"
        _VRS[tag] = vr
    return vr


_VRS: dict[int, bytes] = {}
