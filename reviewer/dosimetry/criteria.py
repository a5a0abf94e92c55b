"""`Criteria` of the gamma index. No numba: the window imports it at start."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.errors import InputError


@dataclass(frozen=True)
class Criteria:
    """What counts as agreement.

    dose_percent:   difference, in % of `normal_gy`, or with `local` of the reference dose in each point.
    distance_mm:    distance to agreement. cutoff_percent: points with less than this % of `normal_gy` in the reference are not asked.
    normal_gy:      what 100 % is; None for the highest dose of the reference.
    """

    dose_percent: float = 3.0
    distance_mm: float = 2.0
    cutoff_percent: float = 10.0
    local: bool = False
    normal_gy: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.dose_percent <= 100 and 0 < self.distance_mm <= 50 and 0 <= self.cutoff_percent < 100):
            raise InputError(
                "the gamma criteria make no sense",
                where=str(self),
                remedy="give a dose of up to 100 %, a distance of up to 50 mm and a cut-off below 100 %",
            )
        if self.local and self.cutoff_percent == 0:
            raise InputError("a local dose difference needs a cut-off", where=str(self), remedy="give more than 0 %")

    def __str__(self) -> str:
        scope = "local" if self.local else "global"
        return f"{self.dose_percent:g} % {scope}, {self.distance_mm:g} mm, cut-off {self.cutoff_percent:g} %"
