"""`Dose`: absorbed dose in Gy on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviewer.geometry.grid import Grid

WHOLE = ("PLAN", "MULTI_PLAN", "")
"""DoseSummationTypes that stand for all fractions and beams; others are parts of a plan, a treatment record as a rule that of one session."""


@dataclass(frozen=True)
class Part:
    """One of the doses that another was made of.

    dose: its id. weight: how often it counts: 0.4 for two of five fractions. fractions: in how many the whole of it is given, None: not known.
    """

    dose: str
    weight: float = 1.0
    fractions: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How a dose was made of others, on the lattice of the first: enough to make it again.

    scale:   EQD2_3, BED_10 …, to which each part is brought before it is added; empty: added as they are.
    courses: the parts are courses, each with its own prescription, rather than fractions of one course. name: as somebody called it.
    """

    parts: tuple[Part, ...]
    scale: str = ""
    courses: bool = False
    name: str = ""


@dataclass(frozen=True, eq=False)
class Dose:
    """One RTDOSE, or what a backend computed in its stead.

    gray:  (z, y, x) float32, Gy. Outside the grid the dose is unknown, not zero.
    type:  PHYSICAL, EFFECTIVE or ERROR (DICOM DoseType); only PHYSICAL and EFFECTIVE are doses to a patient.
    summation: PLAN, FRACTION, BEAM … (DoseSummationType): of what the dose is.
    statements: what a backend that computed it says of it, shown wherever it is; empty for a dose of the files.
    scale: of biological dose in the notation of TG-263 (EQD2_3, BED_10), empty where it is physical or nobody knows.
    recipe: how it was made of others; prescribed_gy, fractions: then what 100 % of it is, on its own scale (`Case.prescription` is to be asked).
    """

    id: str
    label: str
    grid: Grid
    gray: NDArray[np.float32]
    type: str = "PHYSICAL"
    summation: str = "PLAN"
    plan_id: str | None = None
    structure_set_id: str | None = None
    date: str = ""
    path: str = ""
    statements: tuple[str, ...] = ()
    scale: str = ""
    recipe: Recipe | None = None
    prescribed_gy: float | None = None
    fractions: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is what the patient receives, rather than the share of a beam or of some fractions, which no prescription is about."""
        return self.summation in WHOLE

    @property
    def unusual(self) -> tuple[str, ...]:
        """What sets it apart from a plan's physical dose, a word each: effective, beam, fraction …"""
        return tuple(k.lower() for k, usual in ((self.type, "PHYSICAL"), (self.summation, "PLAN")) if k and k != usual)

    @property
    def title(self) -> str:
        """The label, with a mark where there are statements."""
        return f"{'⚠ ' if self.statements else ''}{self.label.strip() or 'dose'}"
