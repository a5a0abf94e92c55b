"""Who the case belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patient:
    """Identity as DICOM gives it; dates as ``YYYY-MM-DD`` or empty."""

    name: str = ""
    id: str = ""
    sex: str = ""
    birth_date: str = ""
    age: str = ""
