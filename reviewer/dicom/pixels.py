"""Pixel data of a DICOM file: where it lies, whether it can all be there, and one frame of it as an array.

Nothing is allocated before the sizes that the header claims have been held against the bytes that the file has.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from reviewer.dicom.values import Header, integer, text
from reviewer.errors import InputError

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
"""Transfer syntaxes whose pixels are not encapsulated. A private one may be like one of these but for the order of the bytes of pixels."""

MAX_FRAME_BYTES = 2**31
"""No single frame of CT, MR or dose comes near 2 GiB; a header that claims one is wrong."""

MAX_INFLATED_BYTES = 2**30
"""A deflated file may not unpack to more than 1 GiB."""

USUAL_FRAME_BYTES = 2**25
MAX_RATIO = 1100
"""Frames above 32 MiB must have packed bytes in proportion; smaller ones may be blank and pack to almost nothing."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixel data element of one file.

    offset: byte position of the first pixel, or of the basic offset table where the data is encapsulated;
            in the unpacked dataset where the file is deflated.
    dtype:  of the stored samples as they lie in the file, byte order included; bool for one bit each, the first in the lowest (PS3.5 D.2).
    """

    path: str
    syntax: str
    encapsulated: bool
    offset: int
    frames: int
    rows: int
    columns: int
    dtype: np.dtype[np.generic]
    bits_stored: int
    high_bit: int
    deflated: bool

    @property
    def native(self) -> np.dtype[np.generic]:
        """The type that voxels are kept in: int16 or uint16 where that holds all values, else float32."""
        if self.dtype.kind == "f" or self.dtype.itemsize > 2:
            return np.dtype(np.float32)
        return np.dtype(np.int16 if self.dtype.kind == "i" else np.uint16)

    @property
    def frame_bytes(self) -> int:
        return self.rows * self.columns * self.dtype.itemsize

    @property
    def packed(self) -> bool:
        """Whether frames are of single bits, and begin within a byte where the one before ends there."""
        return self.dtype.kind == "b"


def locate(dataset: Header, path: str, stream: BinaryIO, element_at: int, *, syntax: str, deflated: bool) -> Pixels:
    """What the header and the pixel data element at byte `element_at` of `stream` say of each other.

    Raises InputError where they do not fit: missing or impossible sizes, colour, data that ends early.
    """
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise InputError("the image has no rows and columns")
    frames = 1 if not text(dataset, "NumberOfFrames") else integer(dataset, "NumberOfFrames")
    if frames is None or frames < 1:
        raise InputError(f"the number of frames is {text(dataset, 'NumberOfFrames')!r}, which is not a count")
    if (integer(dataset, "SamplesPerPixel") or 1) != 1:
        raise InputError("it is a colour picture, not CT, MR or dose values")
    photometric = text(dataset, "PhotometricInterpretation")
    segments = "SegmentationType" in dataset
    if photometric not in ("", "MONOCHROME1", "MONOCHROME2") and not (segments and photometric == "PALETTE COLOR"):
        raise InputError(f"its pixels are {photometric}, not CT, MR or dose values")
    encapsulated = syntax not in NATIVE
    if encapsulated and not UID(syntax).is_transfer_syntax:
        raise InputError(f"its transfer syntax {syntax} is not one of DICOM: how its pixels are stored is not known")
    big = syntax == ExplicitVRBigEndian

    stream.seek(0, os.SEEK_END)
    end = stream.tell()
    stream.seek(element_at)
    head = stream.read(12)
    if len(head) < 8:
        raise InputError("it has no pixel data")
    order: Literal["big", "little"] = "big" if big else "little"
    group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
    if group != 0x7FE0 or element not in (0x0008, 0x0009, 0x0010):
        raise InputError("it has no pixel data")
    explicit = head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN")
    start = element_at + (12 if explicit else 8)
    length = int.from_bytes(head[8:12] if explicit else head[4:8], order)

    dtype = _sample_type(dataset, element, ">" if big else "<")
    if big and dtype.itemsize == 1 and head[4:6] == b"OW":
        raise InputError("8-bit pixels in big-endian words are not supported")
    stored = integer(dataset, "BitsStored") or 8 * dtype.itemsize
    high = integer(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if not 0 < stored <= 8 * dtype.itemsize or not stored - 1 <= high < 8 * dtype.itemsize:
        raise InputError(f"{stored} bits stored below bit {high} do not fit into {8 * dtype.itemsize} bits allocated")
    if dtype.kind == "f":
        stored = 8 * dtype.itemsize
        high = stored - 1

    bits = 1 if dtype.kind == "b" else 8 * dtype.itemsize
    frame_bytes = rows * columns * bits // 8
    if frame_bytes > MAX_FRAME_BYTES:
        raise InputError(f"{rows} x {columns} pixels are not believable for a file of {end} bytes")
    if encapsulated:
        count, packed = _fragments(stream, start, end)
        if count < frames and not (count and frames == 1):
            raise InputError(f"the pixel data has {count} of {frames} frames")
        if frame_bytes > USUAL_FRAME_BYTES and frame_bytes * frames > MAX_RATIO * packed:
            raise InputError(f"{rows} x {columns} pixels are not believable for {packed} packed bytes")
    else:
        if length == 0xFFFFFFFF:
            raise InputError("its pixel data is packed in items, which its transfer syntax does not allow")
        present, expected = min(length, end - start), (rows * columns * frames * bits + 7) // 8
        if expected > present:
            raise InputError(f"the pixel data ends early: {max(present, 0)} of {expected} bytes are there")
    return Pixels(path, syntax, encapsulated, start, frames, rows, columns, dtype, stored, high, deflated)


def _sample_type(dataset: Header, element: int, order: str) -> np.dtype[np.generic]:
    if element == 0x0008:
        return np.dtype(f"{order}f4")
    if element == 0x0009:
        return np.dtype(f"{order}f8")
    allocated = integer(dataset, "BitsAllocated")
    if allocated == 1 and "SegmentationType" in dataset:
        return np.dtype(bool)
    if allocated not in (8, 16, 32):
        raise InputError(f"{allocated} bits per pixel are not supported")
    return np.dtype(f"{order}{'i' if integer(dataset, 'PixelRepresentation') == 1 else 'u'}{allocated // 8}")


def _fragments(stream: BinaryIO, start: int, end: int) -> tuple[int, int]:
    """Number of fragments after the offset table and their bytes; raises InputError where the last one is cut off (PS3.5 A.4)."""
    count, packed, at = -1, 0, start
    while True:
        stream.seek(at)
        head = stream.read(8)
        tag, length = head[:4], int.from_bytes(head[4:8], "little")
        if tag == b"\xfe\xff\xdd\xe0":
            return max(count, 0), packed
        if tag != b"\xfe\xff\x00\xe0" or at + 8 + length > end:
            raise InputError("the compressed pixel data ends early")
        count, at = count + 1, at + 8 + length
        packed += length if count > 0 else 0


@lru_cache(maxsize=1)
def inflated(path: str) -> bytes:
    """The dataset of a file in the deflated transfer syntax, without its file meta information (PS3.5 A.5)."""
    with Path(path).open("rb") as stream:
        stream.seek(132)
        head = stream.read(12)
        if head[:4] != b"\x02\x00\x00\x00":
            raise InputError("the deflated file has no length of its meta information")
        stream.seek(144 + int.from_bytes(head[8:12], "little"))
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpack.decompress(stream.read(), MAX_INFLATED_BYTES)
        except zlib.error as error:
            raise InputError(f"the deflated data cannot be unpacked ({error})") from error
    if unpack.unconsumed_tail:
        raise InputError(f"it unpacks to more than {MAX_INFLATED_BYTES >> 20} MiB")
    return data


def read_frame(pixels: Pixels, index: int, out: NDArray[np.generic] | None = None) -> NDArray[np.generic]:
    """Stored values of one frame, (rows, columns), in `pixels.native`; into `out` where it is given (C-contiguous, of that type).

    Raises InputError where the file has changed or cannot be decoded.
    """
    shape = (pixels.rows, pixels.columns)
    frame = np.empty(shape, pixels.native) if out is None else out
    try:
        if pixels.encapsulated:
            frame[...] = _decoded(pixels, index)
            return frame
        if pixels.packed:
            first, count = index * frame.size, frame.size
            data = np.frombuffer(_bytes(pixels, first // 8, (first + count + 7) // 8 - first // 8), np.uint8)
            frame[...] = np.unpackbits(data, bitorder="little")[first % 8 :][:count].reshape(shape)
            return frame
        if not pixels.deflated and pixels.dtype == frame.dtype:
            with Path(pixels.path).open("rb", buffering=0) as stream:
                stream.seek(pixels.offset + index * pixels.frame_bytes)
                if stream.readinto(frame.reshape(-1).view(np.uint8)) != pixels.frame_bytes:  # type: ignore[arg-type]
                    raise InputError("the pixel data ends early")
            _keep_stored_bits(frame, pixels)
            return frame
        stored = np.frombuffer(_bytes(pixels, index * pixels.frame_bytes, pixels.frame_bytes), pixels.dtype)
        raw = stored.reshape(shape).astype(pixels.dtype.newbyteorder("="))
        _keep_stored_bits(raw, pixels)
        frame[...] = raw
        return frame
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the pixel data cannot be decoded ({_gist(error)})") from error


def _gist(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _bytes(pixels: Pixels, at: int, count: int) -> bytes:
    """`count` bytes from byte `at` of the pixels on."""
    start = pixels.offset + at
    if pixels.deflated:
        data = inflated(pixels.path)[start : start + count]
    else:
        with Path(pixels.path).open("rb") as stream:
            stream.seek(start)
            data = stream.read(count)
    if len(data) != count:
        raise InputError("the pixel data ends early")
    return data


def _keep_stored_bits(frame: NDArray[np.generic], pixels: Pixels) -> None:
    """Drop what lies above HighBit (old overlays) and below, and extend the sign (PS3.5 8.1.1)."""
    width = 8 * pixels.dtype.itemsize
    if pixels.bits_stored == width or frame.dtype.kind == "f":
        return
    if frame.dtype.kind == "u" and pixels.high_bit == pixels.bits_stored - 1:
        np.bitwise_and(frame, frame.dtype.type((1 << pixels.bits_stored) - 1), out=frame)
        return
    np.left_shift(frame, width - 1 - pixels.high_bit, out=frame)
    np.right_shift(frame, width - pixels.bits_stored, out=frame)


@lru_cache(maxsize=2)
def _whole(path: str) -> Dataset:
    """The last files that frames were decoded from, so that a multi-frame file is parsed once."""
    return dcmread(path, force=True)


def release() -> None:
    """Forget the files that were kept for their next frame."""
    _whole.cache_clear()
    inflated.cache_clear()


def _decoded(pixels: Pixels, index: int) -> NDArray[np.generic]:
    dataset = _whole(pixels.path)
    decoder = get_decoder(UID(pixels.syntax))
    frame, _ = decoder.as_array(dataset, index=index, raw=True)
    if frame.shape != (pixels.rows, pixels.columns):
        raise InputError(f"the decoded frame has {frame.shape} pixels instead of {(pixels.rows, pixels.columns)}")
    return np.asarray(frame)
