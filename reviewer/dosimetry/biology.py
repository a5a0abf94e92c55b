"""Biologically effective dose of the linear-quadratic model: BED = D (1 + d/(α/β)), EQD2 = BED / (1 + 2/(α/β)), d = D/n.

Fowler, Br J Radiol 1989;62:679-694; EQD2 as in Joiner and van der Kogel, Basic Clinical Radiobiology. Neither repopulation nor the
known failures of the model at high doses per fraction are in it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Dose
from reviewer.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """A scale of biological dose: BED or EQD2 with its α/β in Gy; `str` gives its notation, EQD2_3."""

    kind: Literal["BED", "EQD2"]
    alpha_beta_gy: float

    @classmethod
    def parse(cls, text: str) -> Effect | None:
        """Reads EQD2_3, BED_10, BED10; None for anything else, an EQD2 without α/β included."""
        match = re.fullmatch(r"(EQD2_|BED_?)(\d{1,3}(?:\.\d+)?)", text.strip(), re.IGNORECASE)
        if match is None or float(match[2]) <= 0:
            return None
        return cls("EQD2" if match[1].upper().startswith("EQD2") else "BED", float(match[2]))

    def __str__(self) -> str:
        return f"{self.kind}_{self.alpha_beta_gy:g}"

    @property
    def per_bed(self) -> float:
        """What a BED is multiplied with."""
        return 1.0 if self.kind == "BED" else 1 / (1 + 2 / self.alpha_beta_gy)

    def of(self, total_gy: float, fractions: int) -> float:
        """The effect of a total dose given in equal fractions."""
        return total_gy * (1 + total_gy / (fractions * self.alpha_beta_gy)) * self.per_bed

    def inverse(self, effect_gy: float, fractions: int) -> float:
        """The total physical dose with this effect, not negative."""
        scale = fractions * self.alpha_beta_gy
        return scale / 2 * (math.sqrt(1 + 4 * max(effect_gy, 0.0) / self.per_bed / scale) - 1)


def effect_map(dose: Dose, effect: Effect, fractions: int) -> Dose:
    """BED or EQD2 of each voxel, with the dose per fraction that this very voxel gets; negative doses become unknown (NaN).

    Raises InputError where the dose is no physical one, or the fractions are not known.
    """
    if dose.type != "PHYSICAL":
        raise InputError(
            f"the dose is {dose.type.lower() or 'of unknown type'}, not physical",
            where=dose.label,
            remedy=f"{effect.kind} is made of physical dose",
        )
    if fractions < 1:
        raise InputError(f"{fractions} is no number of fractions", where=dose.label, remedy="give 1 or more")
    gray = dose.gray.astype(np.float32, copy=True)
    gray[gray < 0] = np.nan
    scale = np.float32(1 / (fractions * effect.alpha_beta_gy))
    gray *= (1 + gray * scale) * np.float32(effect.per_bed)
    name = f"{effect.kind} (α/β {effect.alpha_beta_gy:g} Gy, {fractions} fx)"
    return replace(
        dose,
        id=f"{dose.id}#{effect}#{fractions}",
        label=f"{dose.label} {name}",
        gray=gray,
        type="EFFECTIVE",
        scale=str(effect),
    )
