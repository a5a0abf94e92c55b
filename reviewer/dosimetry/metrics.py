"""Dose questions in the notation of AAPM TG-263 (Mayo et al., Int J Radiat Oncol Biol Phys 2018;100:1057-1066)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewer.errors import InputError

if TYPE_CHECKING:
    from reviewer.dosimetry.dvh import Dvh

EXAMPLES = "D95%[Gy], D0.035cc[Gy], DC700cc[Gy], V18Gy[cc], V95%[%], CV18Gy[cc], Mean[Gy], Max[Gy], Min[Gy], Median[Gy]"

_DEFAULT_UNITS = {"D": "Gy", "DC": "Gy", "V": "%", "CV": "cc", "Mean": "Gy", "Max": "Gy", "Min": "Gy", "Median": "Gy"}
_KINDS = {kind.casefold(): kind for kind in _DEFAULT_UNITS}
_UNITS = {"%": "%", "cc": "cc", "gy": "Gy"}
_TEXT = re.compile(
    r"(?P<kind>[A-Za-z]+?)\s*(?:(?P<at>\d+(?:\.\d*)?|\.\d+)\s*(?P<at_unit>%|[A-Za-z]+)?)?\s*(?:\[\s*(?P<unit>[^\]]*?)\s*\])?"
)


class MetricError(InputError):
    """A dose question that cannot be read."""


@dataclass(frozen=True)
class Metric:
    """One question to a DVH; `str` gives its full notation.

    D   lowest dose in the hottest `at` (% of the volume, or cc)        DC  highest dose in the coldest `at`
    V   volume that receives at least `at` (Gy, or % of prescription)   CV  volume that receives less than `at`
    Mean, Max, Min; Median is D50%.
    unit: of the answer: Gy or % (of prescription) for a dose, cc or % (of the volume) for a volume.
    """

    kind: str
    unit: str
    at: float | None = None
    at_unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Reads the notation; without unit, doses answer in Gy, V in % and CV in cc. Raises MetricError."""
        match = _TEXT.fullmatch(text.strip())
        kind = _KINDS.get(match["kind"].casefold()) if match else None
        if match is None or kind is None:
            raise MetricError("not a dose-volume metric", where=repr(text), remedy=f"write it as in {EXAMPLES}")
        is_volume, has_point = kind in ("V", "CV"), kind in ("D", "DC", "V", "CV")
        unit = _DEFAULT_UNITS[kind] if match["unit"] is None else _UNITS.get(match["unit"].casefold(), "")
        answers = ("cc", "%") if is_volume else ("Gy", "%")
        if unit not in answers:
            raise MetricError(
                f"{kind} answers in {answers[0]} or {answers[1]}, not in {match['unit'] or 'nothing'}",
                where=repr(text),
                remedy=f"end it with [{answers[0]}] or [{answers[1]}]",
            )
        if not has_point:
            if match["at"] is not None:
                raise MetricError(f"{kind} takes no number", where=repr(text), remedy=f"write {kind}[{unit}]")
            return cls(kind, unit)
        points = ("Gy", "%") if is_volume else ("%", "cc")
        at_unit = _UNITS.get((match["at_unit"] or "").casefold(), "")
        if match["at"] is None or at_unit not in points:
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

    def __str__(self) -> str:
        return f"{self.kind}{'' if self.at is None else f'{self.at:.10g}'}{self.at_unit}[{self.unit}]"

    @property
    def needs_prescription(self) -> bool:
        """Whether a percentage in the question is one of the prescribed dose."""
        if self.kind in ("V", "CV"):
            return self.at_unit == "%"
        return self.unit == "%"

    def of(self, dvh: Dvh, prescribed_gy: float | None = None) -> float | None:
        """The answer in `unit`, for the part of the structure with known dose.

        None where there is none: no known dose, a structure smaller than the volume asked for, or a prescription needed and not given.
        """
        if dvh.mean_gy is None or (self.needs_prescription and not prescribed_gy):
            return None
        if self.kind in ("V", "CV"):
            assert self.at is not None
            dose = self.at if self.at_unit == "Gy" else self.at / 100 * (prescribed_gy or 0.0)
            volume = dvh.volume_at_cc(dose)
            if self.kind == "CV":
                volume = dvh.known_cc - volume
            return volume if self.unit == "cc" else 100 * volume / dvh.known_cc
        answer = self._dose_gy(dvh)
        if answer is None or self.unit == "Gy":
            return answer
        return 100 * answer / (prescribed_gy or 0.0)

    def _dose_gy(self, dvh: Dvh) -> float | None:
        if self.kind in ("Mean", "Max", "Min"):
            return {"Mean": dvh.mean_gy, "Max": dvh.max_gy, "Min": dvh.min_gy}[self.kind]
        if self.kind == "Median" or self.at is None:
            return dvh.dose_at_gy(dvh.known_cc / 2)
        volume = self.at if self.at_unit == "cc" else self.at / 100 * dvh.known_cc
        if self.kind == "DC":
            volume = dvh.known_cc - volume
        return dvh.dose_at_gy(volume)
