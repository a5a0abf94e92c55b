"""`DvhCache`: DVHs that have been computed, for as long as what they were computed from is what is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Dose, Structure

if TYPE_CHECKING:  # importing it for good would load numba
    from reviewer.dosimetry.dvh import Dvh


class DvhCache:
    """One DVH for each pair of a structure and a dose, valid for exactly these regions, this dose object and this tie.

    A structure that was only renamed or recoloured finds its DVH again, which then bears the old name. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[Structure, Dose, NDArray[np.float64], Dvh]] = {}

    def get(self, structure: Structure, dose: Dose, to_dose: ArrayLike) -> Dvh | None:
        """to_dose: (4, 4) map of the structure's frame to the dose's, mm. None where no DVH of these three is known."""
        entry = self._entries.get((structure.id, dose.id))
        if entry is None or entry[1] is not dose or not entry[0].same_shape(structure):
            return None
        return entry[3] if np.array_equal(entry[2], to_dose) else None

    def latest(self, structure: Structure, dose: Dose) -> Dvh | None:
        """The DVH that was computed last of this structure, whatever its shape was then: the next one can go on from there."""
        entry = self._entries.get((structure.id, dose.id))
        return None if entry is None else entry[3]

    def put(self, structure: Structure, dose: Dose, to_dose: ArrayLike, dvh: Dvh) -> None:
        self._entries[structure.id, dose.id] = (structure, dose, np.array(to_dose, dtype=np.float64), dvh)

    def clear(self) -> None:
        self._entries.clear()
