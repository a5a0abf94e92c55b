"""`DvhCache`: DVHs that have been computed, by what they were computed from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviewer.case import Dose, Structure
from reviewer.geometry.grid import Grid
from reviewer.geometry.memo import Memo

if TYPE_CHECKING:  # importing it for good would load numba
    from reviewer.dosimetry.dvh import Dvh

CAPACITY = 8_000_000
"""Numbers of 8 bytes that are kept: 64 MB, some thousand curves."""


class DvhCache:
    """A DVH holds for exactly these regions, this dose object and this tie; after an undo it is known again. The longest unused go first.

    A structure that was only renamed or recoloured finds its DVH again, which then bears the old name. Safe for several threads.
    """

    def __init__(self) -> None:
        # Grid and dose are kept with the DVH, so that no other object can take on their identity.
        self._known: Memo[tuple[Dvh, Grid, Dose]] = Memo(CAPACITY)
        self._turns: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, structure: Structure, dose: Dose, to_dose: ArrayLike) -> Dvh | None:
        """to_dose: (4, 4) map of the structure's frame to the dose's, mm. None where no DVH of these three is known."""
        found = self._known.get(tuple(structure.planes.values()), _rest(structure, dose, to_dose))
        return None if found is None else found[0]

    def put(self, structure: Structure, dose: Dose, to_dose: ArrayLike, dvh: Dvh) -> None:
        regions = tuple(structure.planes.values())
        self._known.put(regions, (dvh, structure.grid, dose), 1 + 2 * len(dvh.dose_gy), _rest(structure, dose, to_dose))

    def once(self, structure: Structure, dose: Dose, to_dose: ArrayLike, compute: Callable[[], Dvh]) -> Dvh:
        """The DVH that is known, else the one that `compute` makes; threads that ask for it meanwhile wait for it.

        Raises what `compute` raises.
        """
        key = (structure, dose)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        try:
            with turn:
                found = self.get(structure, dose, to_dose)
                if found is None:
                    found = compute()
                    self.put(structure, dose, to_dose, found)
        finally:
            with self._lock:
                self._turns.pop(key, None)
        return found


def _rest(structure: Structure, dose: Dose, to_dose: ArrayLike) -> Hashable:
    """What a DVH depends on besides the regions."""
    tie: NDArray[np.float64] = np.asarray(to_dose, dtype=np.float64)
    return structure.id, tuple(structure.planes), id(structure.grid), id(dose), tie.tobytes()
