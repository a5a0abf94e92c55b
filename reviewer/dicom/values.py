"""Values of a DICOM dataset as plain Python, taking nothing on trust: what is missing, malformed or not finite is None or empty."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reviewer.dicom.elements import Elements

Header: TypeAlias = Dataset | Elements
"""What values are read from."""

MAX_TEXT = 256
"""Longest text that is carried over; the longest VR of a name or label (LO, UI, PN) is shorter."""


def raw(dataset: Header, keyword: str) -> object:
    """The value as pydicom converts it, None where it is absent, empty or cannot be converted."""
    try:
        value: object = dataset.get(keyword)
    except Exception:  # pydicom raises many kinds for a value that does not fit its VR
        return None
    return value


def text(dataset: Header, keyword: str) -> str:
    """A single-line text; several values joined by a backslash as in DICOM."""
    value = raw(dataset, keyword)
    if value is None:
        return ""
    if isinstance(value, str) and value.isprintable():
        return value.strip()[:MAX_TEXT]
    try:
        several = isinstance(value, Iterable) and hasattr(
            value, "insert"
        )  # MultiValue; a PersonName can be iterated too
        parts = [str(v) for v in value] if several and isinstance(value, Iterable) else [str(value)]
    except Exception:
        return ""
    joined = "\\".join(parts)
    return "".join(c for c in joined if c.isprintable()).strip()[:MAX_TEXT]


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
    """A long DS attribute as floats, parsed from its bytes without an object per number; None where it is absent or malformed.

    NaN and infinities are passed on: the caller judges them.
    """
    try:
        element = dataset.get_item(keyword)
    except Exception:
        return None
    value = getattr(element, "value", None)
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.strip(" \0\r\n")
        if not value:
            return None
        try:
            return np.array(value.split("\\"), dtype=np.float64)
        except ValueError:
            return None
    if value is None:
        return None
    try:
        return np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        return None
