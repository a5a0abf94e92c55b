"""Values of a DICOM dataset as plain Python, taking nothing on trust: what is missing, malformed or not finite is None or empty."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from reviewer.dicom.elements import Elements

Header: TypeAlias = Dataset | Elements
"""What values are read from."""

MAX_TEXT = 256
"""Longest text that is carried over; the longest VR of a name or label (LO, UI, PN) is shorter."""


MAX_LINES = 4096
"""Longest text of several lines; an ST, which descriptions are, holds 1024 characters."""


def raw(dataset: Header, keyword: str) -> object:
    """The value as pydicom converts it, None where it is absent, empty or cannot be converted."""
    try:
        value: object = dataset.get(keyword)
    except Exception:  # pydicom raises many kinds for a value that does not fit its VR
        return None
    return value


def text(dataset: Header, keyword: str, limit: int = MAX_TEXT) -> str:
    """A single-line text of up to `limit` characters; several values joined by a backslash as in DICOM."""
    value = raw(dataset, keyword)
    if value is None:
        return ""
    if isinstance(value, str) and value.isprintable():
        return value.strip()[:limit]
    try:
        several = isinstance(value, Iterable) and hasattr(
            value, "insert"
        )  # MultiValue; a PersonName can be iterated too
        parts = [str(v) for v in value] if several and isinstance(value, Iterable) else [str(value)]
    except Exception:
        return ""
    joined = "\\".join(parts)
    return "".join(c for c in joined if c.isprintable()).strip()[:limit]


def lines(dataset: Header, keyword: str) -> str:
    """A text of several lines (ST, LT, UT), its ends of line as \\n."""
    value = raw(dataset, keyword)
    if not isinstance(value, str):
        return ""
    cleaned = value[:MAX_LINES].replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in cleaned if c.isprintable() or c == "\n").strip()


def numbers(dataset: Header, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
    """All values as finite floats; None where one is not finite or there are not `count` of them."""
    value = raw(dataset, keyword)
    if value is None or isinstance(value, bytes | Dataset):
        return None
    if isinstance(value, str):
        value = value.split("\\")
    try:
        found = [float(v) for v in value] if hasattr(value, "__iter__") else [float(value)]  # type: ignore[arg-type]
    except Exception:
        return None
    if not found or not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        return None
    return tuple(found)


def number(dataset: Header, keyword: str) -> float | None:
    """The first value as a finite float."""
    values = numbers(dataset, keyword)
    return values[0] if values else None


def integer(dataset: Header, keyword: str) -> int | None:
    value = number(dataset, keyword)
    return int(value) if value is not None and value == int(value) else None


def items(dataset: Header, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty where it is absent or not a sequence."""
    value = raw(dataset, keyword)
    try:
        return [item for item in value if isinstance(item, Dataset)] if value is not None else []  # type: ignore[attr-defined]
    except Exception:
        return []


def item(dataset: Header, keyword: str) -> Dataset:
    """The first item of a sequence, else an empty dataset."""
    found = items(dataset, keyword)
    return found[0] if found else Dataset()


def date(dataset: Header, *keywords: str) -> str:
    """The first valid date of these attributes (DA or DT) as ``YYYY-MM-DD``, else empty."""
    for keyword in keywords:
        found = _day(text(dataset, keyword).replace(".", "").replace("-", ""))
        if found is not None:
            return found.isoformat()
    return ""


def _day(digits: str) -> datetime.date | None:
    if not digits[:8].isdigit() or len(digits) < 8:
        return None
    try:
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def seconds(time: str) -> float | None:
    """Seconds since midnight of a DICOM TM (``HHMMSS.ffffff``, shorter forms allowed), None where it is not one."""
    digits = time.replace(":", "").strip()
    whole, _, fraction = digits.partition(".")
    if not whole.isdigit() or len(whole) not in (2, 4, 6) or (fraction and not fraction.isdigit()):
        return None
    hours, minutes, rest = int(whole[:2]), int(whole[2:4] or 0), int(whole[4:6] or 0)
    if hours > 23 or minutes > 59 or rest > 60:
        return None
    return hours * 3600 + minutes * 60 + rest + (float(f"0.{fraction}") if fraction else 0.0)


def moment(stamp: str) -> float | None:
    """Seconds of a DICOM DT (``YYYYMMDDHHMMSS.ffffff``, time zone ignored) from a fixed day, None where it is not one."""
    stamp = stamp.split("+")[0].split("-")[0].strip()
    day, time = _day(stamp), seconds(stamp[8:])
    return None if day is None or time is None else day.toordinal() * 86400.0 + time


def decimal_array(dataset: Dataset, keyword: str) -> NDArray[np.float64] | None:
    """A long DS attribute as floats; None where it is absent or malformed. NaN and infinities are passed on: the caller judges them."""
    return decimal_arrays([dataset], keyword)[0]


def decimal_arrays(datasets: Sequence[Dataset], keyword: str) -> list[NDArray[np.float64] | None]:
    """The same attribute of many datasets, as `decimal_array` each; parsed together from their bytes, without an object per number."""
    texts = [_decimal_bytes(dataset, keyword) for dataset in datasets]
    given = [text for text in texts if text]
    together = _plain_decimals(b"\\".join(given)) if given else None
    if together is None:
        return [_any_decimals(text) if text else None for text in texts]
    counts = [text.count(b"\\") + 1 if text else 0 for text in texts]
    borders = np.cumsum([0, *counts])
    return [together[a:b] if b > a else None for a, b in pairwise(borders.tolist())]


def _decimal_bytes(dataset: Dataset, keyword: str) -> bytes:
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return b""
    try:
        value = dataset.get_item(tag).value
        if isinstance(value, bytes):
            return value.strip(b" \0\r\n")
        if value is None:
            return b""
        return b"\\".join(str(v).encode() for v in value) if hasattr(value, "__iter__") else str(value).encode()
    except Exception:
        return b""


def _any_decimals(text: bytes) -> NDArray[np.float64] | None:
    try:
        return np.array(text.decode("ascii").split("\\"), dtype=np.float64)
    except ValueError:
        return None


_POWERS = 10.0 ** np.arange(16)


def _plain_decimals(text: bytes) -> NDArray[np.float64] | None:
    """Numbers of up to 15 digits without exponent, separated by backslashes; None where a number is of another form.

    Digits and power of ten are both exact in a double, so that their quotient is the double nearest to the decimal.
    """
    characters = np.frombuffer(text, np.uint8)
    digits = characters - np.uint8(48)
    is_digit = digits < 10
    is_end = characters == ord("\\")
    others = np.flatnonzero(~(is_digit | is_end))
    dots, signs = others[characters[others] == ord(".")], others[characters[others] == ord("-")]
    ends = np.append(np.flatnonzero(is_end), len(text))
    starts = np.append(0, ends[:-1] + 1)
    if len(dots) + len(signs) != len(others) or np.any(starts >= ends):
        return None
    count = np.cumsum(is_digit)
    last = count[ends - 1]
    first = np.append(0, last[:-1])
    of_dot, of_sign = np.searchsorted(ends, dots), np.searchsorted(ends, signs)
    used = last - first
    if used.min() < 1 or used.max() > 15 or np.any(np.diff(of_dot) == 0) or np.any(starts[of_sign] != signs):
        return None
    places = np.flatnonzero(is_digit)
    weights = _POWERS[np.repeat(last, used) - np.arange(1, len(places) + 1)]
    values = np.add.reduceat(digits[places] * weights, first)
    values[of_dot] /= _POWERS[last[of_dot] - count[dots]]
    values[of_sign] *= -1.0
    return values
