"""`Case`: everything that was opened for one patient, and what went wrong while opening it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reviewer.case.cine import Cine
from reviewer.case.dose import Dose
from reviewer.case.image import Image
from reviewer.case.patient import Patient
from reviewer.case.plan import Plan
from reviewer.case.registration import Registration
from reviewer.case.structure import Structure, StructureSet
from reviewer.errors import NotRegisteredError

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Problem:
    """One line about a file: what was found and what follows from it.

    error: the file was not opened; warning: opened, with a consequence; note: for the record.
    """

    file: str
    severity: Severity
    message: str


@dataclass(frozen=True, eq=False)
class Case:
    """A frozen case. Ids are unique across the case; edits make a new Case (see `reviewer.session`)."""

    patient: Patient = field(default_factory=Patient)
    images: tuple[Image, ...] = ()
    structure_sets: tuple[StructureSet, ...] = ()
    doses: tuple[Dose, ...] = ()
    plans: tuple[Plan, ...] = ()
    registrations: tuple[Registration, ...] = ()
    cines: tuple[Cine, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The structures of all sets, in the order of the sets."""
        return tuple(s for group in self.structure_sets for s in group.structures)

    def image(self, image_id: str | None) -> Image | None:
        return next((i for i in self.images if i.id == image_id), None)

    def dose(self, dose_id: str | None) -> Dose | None:
        return next((d for d in self.doses if d.id == dose_id), None)

    def plan(self, plan_id: str | None) -> Plan | None:
        return next((p for p in self.plans if p.id == plan_id), None)

    def structure(self, structure_id: str | None) -> Structure | None:
        return next((s for s in self.structures if s.id == structure_id), None)

    def structure_set(self, set_id: str | None) -> StructureSet | None:
        return next((s for s in self.structure_sets if s.id == set_id), None)

    def prescription(self, dose: Dose) -> tuple[float | None, int | None]:
        """What 100 % of a dose is, in Gy on its own scale, and in how many fractions; None where that is not known.

        A plan prescribes physical dose: of its effective dose it says only in how many fractions, and nothing of a part of its dose, or of a
        sum that other plans have a share in.
        """
        if dose.recipe is not None:
            return dose.prescribed_gy, dose.fractions
        plan = self.plan(dose.plan_id)
        if plan is None or not dose.whole or dose.summation == "MULTI_PLAN":
            return None, None
        return plan.prescribed_gy if dose.type == "PHYSICAL" else None, plan.fractions

    def transform(self, from_frame_uid: str, to_frame_uid: str) -> NDArray[np.float64]:
        """(4, 4) map of patient points (mm) from one frame of reference to another over the fewest registrations, the first
        that ties two frames (the reader puts the newest first).

        Raises NotRegisteredError where no chain of registrations connects the frames. Frames without UID are tied to nothing.
        """
        key = (from_frame_uid, to_frame_uid)
        if key not in self._transforms:
            self._transforms[key] = self._chain(from_frame_uid, to_frame_uid)
        return self._transforms[key]

    @cached_property
    def _transforms(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        return {}

    def _chain(self, from_frame_uid: str, to_frame_uid: str) -> NDArray[np.float64]:
        if from_frame_uid and from_frame_uid == to_frame_uid:
            return np.eye(4)
        reached = {from_frame_uid: np.eye(4)}
        queue = deque([from_frame_uid] if from_frame_uid else [])
        while queue:
            frame = queue.popleft()
            for registration in self.registrations:
                for start, end, matrix in (
                    (registration.moving_frame_uid, registration.fixed_frame_uid, registration.matrix),
                    (registration.fixed_frame_uid, registration.moving_frame_uid, None),
                ):
                    if start != frame or end in reached or not end:
                        continue
                    step = np.linalg.inv(registration.matrix) if matrix is None else matrix
                    reached[end] = step @ reached[frame]
                    if end == to_frame_uid:
                        return reached[end]
                    queue.append(end)
        raise NotRegisteredError(
            "the two frames of reference are not registered", remedy="open the registration (REG) that ties them"
        )
