"""Dose questions in the notation of AAPM TG-263 (Mayo et al., Int J Radiat Oncol Biol Phys 2018;100:1057-1066).

    D95%[Gy]   D2%   D0.035cc   D95%[%]          lowest dose in the hottest part of the volume; [%] is that of the prescription
    DC700cc[Gy]                                  highest dose in the coldest 700 cc
    V18Gy[cc]  V18Gy[%]  V95%[%]                 volume with at least this dose; V95% is 95 % of the prescription, [%] that of the volume
    CV15.7Gy[cc]                                 volume with less than this dose
    Mean[Gy]  Max  Min  Median                   of the structure's volume
    D0.5cc[EQD2_3]  Mean[BED_10]  V98EQD2_3[cc]  the same in EQD2 with α/β = 3 Gy, BED with α/β = 10 Gy (BED10 is read too); the dose is that
                                                 of all fractions, each voxel with its own dose per fraction
    gEUD(8)[Gy]                                  generalised equivalent uniform dose with a = 8 (Niemierko, Med Phys 1999;26:1100)
    HI                                           homogeneity (D2% − D98%)/D50% (ICRU report 83, section 3.7.1)
    CI_RTOG                                      isodose volume of the prescription / volume of the target (Shaw 1993)
    CI_Paddick                                   (target volume within it)² / (target volume × isodose volume) (Paddick 2000)
    GI                                           isodose volume of half the prescription / of the prescription (Paddick and Lippitz 2006)
    R50                                          isodose volume of half the prescription / volume of the target (RTOG 0813)

Upper and lower case and blanks do not matter. What can be read in two ways is refused: a D without % or cc, a V without Gy or %, an EQD2
without α/β.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reviewer.dosimetry.biology import Effect
from reviewer.errors import InputError

if TYPE_CHECKING:  # importing them for good would load numba
    from reviewer.dosimetry.dvh import Dvh
    from reviewer.dosimetry.isodose import Isodoses

EXAMPLES = "D95%[Gy], D0.035cc[Gy], DC700cc[Gy], V18Gy[cc], V95%[%], CV18Gy[cc], Mean[Gy], Max[Gy], D0.5cc[EQD2_3], gEUD(8)[Gy], HI, CI_Paddick"

_DEFAULT_UNITS = {"D": "Gy", "DC": "Gy", "V": "%", "CV": "cc", "Mean": "Gy", "Max": "Gy", "Min": "Gy", "Median": "Gy"}
_KINDS = {kind.casefold(): kind for kind in _DEFAULT_UNITS}
_UNITS = {"%": "%", "cc": "cc", "gy": "Gy"}
_TEXT = re.compile(
    r"(?P<kind>[A-Za-z]+?)\s*(?:(?P<at>\d+(?:\.\d*)?|\.\d+)\s*(?P<at_unit>%|[A-Za-z][\w.]*)?)?\s*(?:\[\s*(?P<unit>[^\]]*?)\s*\])?"
)
_GEUD = re.compile(r"gEUD\s*\(\s*(?P<a>[+-]?\d+(?:\.\d*)?)\s*\)\s*(?:\[\s*(?P<unit>[^\]]*?)\s*\])?", re.IGNORECASE)

RATIOS = ("HI", "CI_RTOG", "CI_Paddick", "GI", "R50")
"""Numbers without unit."""
_RATIOS = {kind.casefold(): kind for kind in RATIOS}
_OF_ISODOSES = ("CI_RTOG", "CI_Paddick", "GI", "R50")

NEGATIVE_GY = -1e-3
"""A dose below is no rounding."""


class MetricError(InputError):
    """A dose question that cannot be read."""


@dataclass(frozen=True)
class Basis:
    """What a question may need besides the DVH.

    prescribed_gy: what 100 % is. fractions: in how many the dose is given.
    physical: the dose is absorbed dose; else BED or EQD2 on `scale`, None where nobody knows which.
    isodoses: of the dose around the structure.
    """

    prescribed_gy: float | None = None
    fractions: int | None = None
    isodoses: Isodoses | None = None
    physical: bool = True
    scale: Effect | None = None


@dataclass(frozen=True)
class Metric:
    """One question to a DVH; `str` gives its full notation. The module says what each kind asks.

    unit: of the answer: Gy, % (of prescription), EQD2_3 … for a dose, cc or % (of the volume) for a volume, nothing for a ratio.
    at:   the number after the kind: in %, cc, Gy, EQD2_3 …; of gEUD the parameter a.
    """

    kind: str
    unit: str
    at: float | None = None
    at_unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Reads the notation; without unit, doses answer in Gy, V in % and CV in cc. Raises MetricError."""
        ratio = _RATIOS.get(re.sub(r"\s", "", text).casefold())
        if ratio is not None:
            return cls(ratio, "")
        uniform = _GEUD.fullmatch(text.strip())
        if uniform is not None:
            return cls._uniform(text, uniform)
        match = _TEXT.fullmatch(text.strip())
        kind = _KINDS.get(match["kind"].casefold()) if match else None
        if match is None or kind is None:
            raise MetricError("not a dose-volume metric", where=repr(text), remedy=f"write it as in {EXAMPLES}")
        is_volume, has_point = kind in ("V", "CV"), kind in ("D", "DC", "V", "CV")
        answers = ("cc", "%") if is_volume else ("Gy", "%")
        unit = _DEFAULT_UNITS[kind] if match["unit"] is None else _unit(match["unit"])
        if unit not in answers and (is_volume or Effect.parse(unit) is None):
            raise MetricError(
                f"{kind} answers in {answers[0]} or {answers[1]}, not in {match['unit'] or 'nothing'}",
                where=repr(text),
                remedy=f"end it with [{answers[0]}] or [{answers[1]}]"
                + ("" if is_volume else ", or with [EQD2_3] for α/β = 3 Gy"),
            )
        if not has_point:
            if match["at"] is not None:
                raise MetricError(f"{kind} takes no number", where=repr(text), remedy=f"write {kind}[{unit}]")
            return cls(kind, unit)
        points = ("Gy", "%") if is_volume else ("%", "cc")
        at_unit = _unit(match["at_unit"] or "")
        if match["at"] is None or (at_unit not in points and not (is_volume and Effect.parse(at_unit))):
            asked = "a dose in Gy or % of prescription" if is_volume else "a volume in % or cc"
            example = f"{kind}18Gy[cc]" if is_volume else f"{kind}2%[Gy]"
            raise MetricError(f"{kind} needs {asked}", where=repr(text), remedy=f"write it as in {example}")
        at = float(match["at"])
        if not is_volume and (at <= 0 or (at_unit == "%" and at > 100)):
            raise MetricError(
                f"{match['at']} {at_unit} is no part of a volume",
                where=repr(text),
                remedy="give more than 0 and at most 100 %" if at_unit == "%" else "give more than 0 cc",
            )
        return cls(kind, unit, at, at_unit)

    @classmethod
    def _uniform(cls, text: str, match: re.Match[str]) -> Metric:
        unit = "Gy" if match["unit"] is None else _unit(match["unit"])
        if unit not in ("Gy", "%"):
            raise MetricError("gEUD answers in Gy or %", where=repr(text), remedy="end it with [Gy] or [%]")
        if float(match["a"]) == 0:
            raise MetricError(
                "gEUD has no a of 0", where=repr(text), remedy="1 is the mean, high numbers weigh hot spots"
            )
        return cls("gEUD", unit, float(match["a"]))

    def __str__(self) -> str:
        if self.kind in RATIOS:
            return self.kind
        at = "" if self.at is None else f"{self.at:.10g}"
        return f"{self.kind}{f'({at})' if self.kind == 'gEUD' else at}{self.at_unit}[{self.unit}]"

    @property
    def needs_prescription(self) -> bool:
        """Whether a percentage in the question is one of the prescribed dose."""
        if self.kind in ("V", "CV"):
            return self.at_unit == "%"
        return self.unit == "%" or self.needs_isodoses

    @property
    def needs_isodoses(self) -> bool:
        return self.kind in _OF_ISODOSES

    @property
    def effect(self) -> Effect | None:
        """The scale of biological dose that the question is asked in."""
        return Effect.parse(self.at_unit if self.kind in ("V", "CV") else self.unit)

    @property
    def monotone(self) -> bool:
        """Whether more dose anywhere can only raise the answer, or only lower it."""
        return self.kind not in RATIOS

    def of(self, dvh: Dvh, prescribed_gy: float | None = None, *, basis: Basis | None = None) -> float | None:
        """The answer in `unit`, for the part of the structure with known dose; None where `refusal` says why there is none."""
        basis = basis or Basis(prescribed_gy)
        if self.refusal(dvh, basis):
            return None
        if self.kind in ("V", "CV"):
            volume = dvh.volume_at_cc(self._level_gy(basis))
            if self.kind == "CV":
                volume = dvh.known_cc - volume
            return volume if self.unit == "cc" else 100 * volume / dvh.known_cc
        if self.kind in RATIOS:
            return self._ratio(dvh, basis)
        answer = self._dose_gy(dvh)
        effect = self.effect
        if effect is not None:
            if not basis.physical:
                return answer
            return _mean_effect(dvh, effect, basis) if self.kind == "Mean" else effect.of(answer, basis.fractions or 0)
        return answer if self.unit == "Gy" else 100 * answer / (basis.prescribed_gy or 0.0)

    def refusal(self, dvh: Dvh, basis: Basis) -> str:
        """Why there is no answer, in a clause; empty where there is one."""
        if dvh.mean_gy is None or dvh.min_gy is None:
            return "no dose is known there"
        if dvh.min_gy < NEGATIVE_GY:
            return f"the dose is negative there ({dvh.min_gy:.2f} Gy)"
        if self.needs_prescription and not basis.prescribed_gy:
            return "no prescribed dose is known"
        if not basis.physical and basis.scale is None:
            return "the dose is effective dose of unknown kind"
        if not basis.physical and self.effect != basis.scale:
            return f"the dose is {basis.scale} already"
        if self.effect is not None and basis.physical and not basis.fractions:
            return "the number of fractions is not known"
        if self.kind in ("D", "DC") and self._volume_cc(dvh) > dvh.known_cc * (1 + 1e-9):
            return f"the structure has {dvh.known_cc:.3g} cc of known dose, less than {self.at:g} cc"
        if self.kind == "HI" and not dvh.dose_at_gy(dvh.known_cc / 2):
            return "half of the structure has no dose"
        if self.needs_isodoses:
            if basis.isodoses is None:
                return "the isodoses around the structure are not known"
            for level in self._isodose_levels(basis.prescribed_gy or 0.0):
                found = basis.isodoses.volume(level)
                if found.refusal:
                    return found.refusal
                if not found.volume_cc:
                    return f"no isodose of {level:g} Gy touches the structure"
        return ""

    def _level_gy(self, basis: Basis) -> float:
        assert self.at is not None
        effect = self.effect
        if effect is not None:
            return effect.inverse(self.at, basis.fractions or 0) if basis.physical else self.at
        return self.at if self.at_unit == "Gy" else self.at / 100 * (basis.prescribed_gy or 0.0)

    def _volume_cc(self, dvh: Dvh) -> float:
        assert self.at is not None
        return self.at if self.at_unit == "cc" else self.at / 100 * dvh.known_cc

    def _dose_gy(self, dvh: Dvh) -> float:
        if self.kind in ("Mean", "Max", "Min"):
            return {"Mean": dvh.mean_gy, "Max": dvh.max_gy, "Min": dvh.min_gy}[self.kind] or 0.0
        if self.kind == "gEUD":
            return _uniform_dose(dvh, self.at or 1.0)
        if self.kind == "Median":
            return dvh.dose_at_gy(dvh.known_cc / 2) or 0.0
        volume = min(self._volume_cc(dvh), dvh.known_cc)
        return dvh.dose_at_gy(dvh.known_cc - volume if self.kind == "DC" else volume) or 0.0

    def _isodose_levels(self, prescribed_gy: float) -> tuple[float, ...]:
        half = (prescribed_gy / 2,) if self.kind in ("GI", "R50") else ()
        return half if self.kind == "R50" else (prescribed_gy, *half)

    def _ratio(self, dvh: Dvh, basis: Basis) -> float:
        known = dvh.known_cc
        if self.kind == "HI":
            d2, d98, d50 = (dvh.dose_at_gy(part * known) or 0.0 for part in (0.02, 0.98, 0.5))
            return (d2 - d98) / d50
        prescribed = basis.prescribed_gy or 0.0
        first, *second = (
            (basis.isodoses.volume(level).volume_cc or 0.0) if basis.isodoses else 0.0
            for level in self._isodose_levels(prescribed)
        )
        if self.kind == "CI_Paddick":
            return dvh.volume_at_cc(prescribed) ** 2 / (known * first)
        return second[0] / first if self.kind == "GI" else first / known


def _unit(text: str) -> str:
    effect = Effect.parse(text)
    return str(effect) if effect else _UNITS.get(text.casefold(), "")


def _pieces(dvh: Dvh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The volume between each two points of the curve, over whose doses it spreads evenly, and these doses; last what lies at the maximum."""
    low, high = dvh.dose_gy, np.append(dvh.dose_gy[1:], dvh.dose_gy[-1])
    return low, high, dvh.cumulative_cc - np.append(dvh.cumulative_cc[1:], 0.0)


def _mean_effect(dvh: Dvh, effect: Effect, basis: Basis) -> float:
    """Mean of the effect over the volume, by the mean of the squared dose."""
    low, high, volume = _pieces(dvh)
    square = float(volume @ (low * low + low * high + high * high)) / 3 / dvh.known_cc
    mean, fractions = dvh.mean_gy or 0.0, basis.fractions or 1
    return (mean + max(square, mean * mean) / (fractions * effect.alpha_beta_gy)) * effect.per_bed


def _uniform_dose(dvh: Dvh, a: float) -> float:
    """(mean of dose^a)^(1/a), the power integrated between the points of the curve; relative to the highest dose, so that it stays finite."""
    top = dvh.max_gy or 0.0
    if top <= 0 or (a < 0 and (dvh.min_gy or 0.0) <= 0):
        return 0.0
    low, high, volume = _pieces(dvh)
    low, high = np.clip(low / top, 0, None), np.clip(high / top, 0, None)
    apart = high - low > 1e-9
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if a == -1:
            integral = np.log(high / low) / (high - low)
        else:
            integral = (high ** (a + 1) - low ** (a + 1)) / ((a + 1) * (high - low))
        power = np.where(apart, integral, ((low + high) / 2) ** a)
    return float(top * (volume @ power / dvh.known_cc) ** (1 / a))
