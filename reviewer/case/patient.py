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


@dataclass(frozen=True)
class AnonymousPatient(Patient):
    """Stands in for a patient whose identity was taken away; files of such a case say that it was, and how."""
