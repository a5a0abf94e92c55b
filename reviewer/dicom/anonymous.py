"""A case without the patient's identity, after the Basic Application Confidentiality Profile (PS3.15 annex E).

Not the files are cleaned but the case: what is then written is made of it alone, so that nothing can be overlooked that stood in a file.
Options: clean descriptors (structures keep names only that TG-263 knows) and modified dates (all shifted alike, intervals stay true).
Not done: text burned into pixels, and faces that could be drawn from images of a head, are neither looked for nor removed.
"""

from __future__ import annotations

import datetime
import secrets
from collections import Counter
from dataclasses import replace

from reviewer.case import AnonymousPatient, Case, Dose, Image, Registration, Structure, StructureSet
from reviewer.case.uid import stand_in_uid
from reviewer.geometry.grid import Grid
from reviewer.names import standard

FIRST_DAY = datetime.date(2000, 1, 1)
"""What the earliest date of the case becomes."""

# RT ROI Interpreted Type (PS3.3 C.8.8.8.1), Approval Status (C.8.8.16), Patient Position (C.7.3.1.1.2), Dose Type and Summation Type (C.8.8.3)
CODES = {
    "EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER", "REGISTRATION",
    "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT",
    "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT", "DEVICE", "APPROVED", "UNAPPROVED", "REJECTED", "HFP", "HFS", "HFDR", "HFDL",
    "FFP", "FFS", "FFDR", "FFDL", "PHYSICAL", "EFFECTIVE", "PLAN", "MULTI_PLAN", "PLAN_OVERVIEW", "FRACTION", "BEAM", "BRACHY",
    "FRACTION_SESSION", "BEAM_SESSION", "BRACHY_SESSION", "CONTROL_POINT", "RECORD",
}  # fmt: skip
"""What may stand where DICOM wants a word of a list; anything else there is free text."""


def anonymous(case: Case, key: str = "") -> Case:
    """The images, structures, doses and registrations of a case as those of nobody; plans and cines are left out.

    key: secret from which identifiers are made; the same key gives the same ones. Without it they are new and lead back to nothing.
    """
    return _Cleaner(case, key or secrets.token_hex(16)).cleaned(case)


class _Cleaner:
    """Replaces identifiers, dates and free text, alike wherever they are met."""

    def __init__(self, case: Case, key: str) -> None:
        self._key = key
        self._grids: dict[int, Grid] = {}
        dates = [i.date for i in case.images] + [g.date for g in case.structure_sets]
        dates += [d.date for d in case.doses] + [r.date for r in case.registrations]
        days = [day for iso in dates if (day := _day(iso)) is not None]
        self._shift = FIRST_DAY - min(days) if days else datetime.timedelta()

    def cleaned(self, case: Case) -> Case:
        number = stand_in_uid(self._key, "patient", case.patient.id, case.patient.name)[-8:]
        return Case(
            AnonymousPatient("Anonymous", f"ANON-{number}"),
            images=tuple(self._image(i, n) for n, i in enumerate(case.images, start=1)),
            structure_sets=tuple(self._set(g, n) for n, g in enumerate(case.structure_sets, start=1)),
            doses=tuple(self._dose(d, n) for n, d in enumerate(case.doses, start=1)),
            registrations=tuple(self._tie(r, n) for n, r in enumerate(case.registrations, start=1)),
        )

    def _uid(self, identity: str) -> str:
        """Parts of one series, whose ids count behind a #, stay parts of one."""
        base, mark, part = identity.partition("#")
        return f"{stand_in_uid(self._key, base)}{mark}{part}" if identity else ""

    def _date(self, iso: str) -> str:
        day = _day(iso)
        return (day + self._shift).isoformat() if day is not None else ""

    def _grid(self, grid: Grid) -> Grid:
        """The same new grid for the same old one, so that what lies on one grid still does."""
        if id(grid) not in self._grids:
            self._grids[id(grid)] = replace(grid, frame_of_reference_uid=self._uid(grid.frame_of_reference_uid))
        return self._grids[id(grid)]

    def _image(self, image: Image, n: int) -> Image:
        return replace(
            image,
            id=self._uid(image.id),
            description=f"{image.modality} {n}".strip(),
            grid=self._grid(image.grid),
            sop_instance_uids=tuple(self._uid(u) for u in image.sop_instance_uids),
            study_uid=self._uid(image.study_uid),
            patient_position=_code(image.patient_position),
            date=self._date(image.date),
        )

    def _set(self, group: StructureSet, n: int) -> StructureSet:
        names = _clean_names(group.structures)
        return replace(
            group,
            id=self._uid(group.id),
            label=f"SET {n}",
            structures=tuple(self._structure(s, name) for s, name in zip(group.structures, names, strict=True)),
            image_id=self._uid(group.image_id) if group.image_id else None,
            frame_of_reference_uid=self._uid(group.frame_of_reference_uid),
            date=self._date(group.date),
            approval=_code(group.approval),
            path="",
            referenced_series_uids=(),
            reviewer="",
            reviewed="",
            signed=False,
        )

    def _structure(self, structure: Structure, name: str) -> Structure:
        """Without its formula, which names other structures."""
        return replace(
            structure,
            id=self._uid(structure.id),
            name=name,
            type=_code(structure.type),
            grid=self._grid(structure.grid),
            image_id=self._uid(structure.image_id) if structure.image_id else None,
            formula=None,
            frozen=False,
            locked=False,
        )

    def _dose(self, dose: Dose, n: int) -> Dose:
        return replace(
            dose,
            id=self._uid(dose.id),
            label=f"DOSE {n}",
            type=_code(dose.type),
            summation=_code(dose.summation),
            grid=self._grid(dose.grid),
            plan_id=None,
            structure_set_id=self._uid(dose.structure_set_id) if dose.structure_set_id else None,
            date=self._date(dose.date),
            path="",
        )

    def _tie(self, tie: Registration, n: int) -> Registration:
        return replace(
            tie,
            id=self._uid(tie.id),
            label=f"REGISTRATION {n}",
            moving_frame_uid=self._uid(tie.moving_frame_uid),
            fixed_frame_uid=self._uid(tie.fixed_frame_uid),
            date=self._date(tie.date),
            path="",
        )


def _clean_names(structures: tuple[Structure, ...]) -> list[str]:
    """The standard name of each structure that has one, the others by number; none twice."""
    names = []
    used: Counter[str] = Counter()
    for n, structure in enumerate(structures, start=1):
        known = standard(structure.name)
        name = known.name if known is not None else f"ROI_{structure.number or n}"
        used[name] += 1
        names.append(name if used[name] == 1 else f"{name}_{used[name]}")
    return names


def _code(word: str) -> str:
    return word if word in CODES else ""


def _day(iso: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(iso)
    except ValueError:
        return None
