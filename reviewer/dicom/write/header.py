"""What every object that we write has in common: identity, UIDs, numbers as text, and the file itself."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import RE_VALID_UID, UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from reviewer import __version__
from reviewer.case import AnonymousPatient, Case, Image
from reviewer.files import new_file

STORAGE_CLASS = {"CT": CTImageStorage, "MR": MRImageStorage}
"""The classic image objects: one plane per file."""

MANUFACTURER = "Reviewer"
IMPLEMENTATION_CLASS_UID = UID("2.25.104577313318279911474917498013164275969")
"""A random UUID (PS3.5 B.2), the same for every version of this program."""


def uid_of(identity: str, *role: str) -> UID:
    """`identity` itself where it is a UID and no role is given; else a UID that is always the same for the same words (PS3.5 B.2)."""
    if not role and len(identity) <= 64 and re.fullmatch(RE_VALID_UID, identity):
        return UID(identity)
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join((identity, *role))).int}")


def fresh_uid() -> UID:
    """A UID that nobody has (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid4().int}")


def decimal(number: float) -> str:
    """A DS of at most 16 characters (PS3.5 6.2), as exact as fits. Raises ValueError for NaN and infinity."""
    return str(format_number_as_ds(float(number))).removesuffix(".0")


def millimetres(lengths: ArrayLike) -> list[str]:
    """DS of positions and lengths in mm, to a millionth: what lies below is rounding noise of rotations."""
    # What fits is written plainly: pydicom's own formatting costs seconds for the contours of a case.
    values = np.asarray(lengths, dtype=np.float64).tolist()
    texts = [f"{v:.6f}".rstrip("0").rstrip(".") if abs(v) < 1e8 else decimal(round(v, 6)) for v in values]
    return ["0" if text == "-0" else text for text in texts]


def date(iso: str) -> str:
    """``YYYY-MM-DD`` as DA; anything else is no date."""
    return iso.replace("-", "") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", iso) else ""


def text(words: str, length: int = 64) -> str:
    """LO (64 characters) or SH (16): without what cannot be printed and without the backslash, which separates values."""
    return "".join(c if c.isprintable() and c != "\\" else " " for c in words).strip()[:length].strip()


def study_uid(case: Case, image: Image | None) -> UID:
    """The study of an image; an object without image goes into a study of its own patient."""
    if image is None:
        return uid_of(case.patient.id or case.patient.name or "patient", "study")
    return uid_of(image.study_uid) if image.study_uid else uid_of(image.id, "study")


def series_uid(image: Image) -> str:
    """The series that an image is read from; where one series makes several images, their ids count them behind a #."""
    return image.id.split("#")[0]


def image_of_frame(case: Case, frame_uid: str) -> Image | None:
    """The first image in a frame of reference."""
    return next((i for i in case.images if frame_uid and i.grid.frame_of_reference_uid == frame_uid), None)


def frame_uid(frame: str, owner: str) -> UID:
    """The frame of reference as it is; without one, a frame of the owner's own, tied to nothing else."""
    return uid_of(frame) if frame else uid_of(owner, "frame of reference")


def plane_uids(image: Image) -> tuple[UID, ...]:
    """SOP instance UID of each plane."""
    return tuple(_plane_uid(image, k) for k in range(len(image.grid.positions_mm)))


def _plane_uid(image: Image, k: int) -> UID:
    if len(image.sop_instance_uids) == len(image.grid.positions_mm):
        return uid_of(image.sop_instance_uids[k])
    return uid_of(image.id, "plane", str(k))


def new_object(
    case: Case, sop_class: str, owner: UID, modality: str, description: str, made: str, image: Image | None
) -> Dataset:
    """Patient, study, series, equipment and SOP common modules (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1, C.12.1).

    made: date of the object, ``YYYY-MM-DD``. image: the image whose study the object joins.
    owner: UID of what is written: the series of an image or cine, the instance of anything else, which then is alone in its series.
    """
    study = study_uid(case, image)
    dates = [i.date for i in case.images if i.date and study_uid(case, i) == study] or [made]
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = owner
    ds.StudyDate = date(min(dates))
    ds.SeriesDate = date(made)
    ds.StudyTime = ""
    ds.AccessionNumber = ""
    ds.Modality = modality
    ds.Manufacturer = MANUFACTURER
    ds.ReferringPhysicianName = ""
    ds.SeriesDescription = text(description)
    ds.ManufacturerModelName = MANUFACTURER
    ds.PatientName = case.patient.name
    ds.PatientID = text(case.patient.id)
    ds.PatientBirthDate = date(case.patient.birth_date)
    ds.PatientSex = case.patient.sex if case.patient.sex in ("F", "M", "O") else ""
    if re.fullmatch(r"\d{3}[DWMY]", case.patient.age):
        ds.PatientAge = case.patient.age
    ds.SoftwareVersions = __version__
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = uid_of(owner, "series")
    ds.StudyID = ""
    ds.SeriesNumber = next((n for n, known in enumerate(_ids(case), 1) if uid_of(known) == owner), None)
    if modality.startswith("RT"):
        ds.OperatorsName = ""
    else:
        ds.Laterality = ""  # 2C: required where the body part is paired, which the case does not tell
    ds.InstanceNumber = 1
    if not ds.SeriesDate:
        del ds.SeriesDate
    mark_identity(ds, case)
    return ds


DEIDENTIFICATION = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
"""PS3.16 CID 7050; what of PS3.15 annex E `reviewer.dicom.anonymous` follows."""


def mark_identity(ds: Dataset, case: Case) -> None:
    """Say in the object that the patient's identity was removed, where it was (C.7.1.1, C.12.1)."""
    if not isinstance(case.patient, AnonymousPatient):
        return
    ds.PatientIdentityRemoved = "YES"
    ds.LongitudinalTemporalInformationModified = "MODIFIED"
    ds.DeidentificationMethodCodeSequence = []
    for value, meaning in DEIDENTIFICATION:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        ds.DeidentificationMethodCodeSequence.append(code)


def _ids(case: Case) -> list[str]:
    imaging = [i.id for i in case.images] + [c.id for c in case.cines]
    planning = [s.id for s in case.structure_sets] + [p.id for p in case.plans] + [d.id for d in case.doses]
    return imaging + planning + [r.id for r in case.registrations]


def reference(sop_class: str, sop_instance: str) -> Dataset:
    """Item of a sequence that refers to an SOP instance (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def plane_references(image: Image) -> list[Dataset]:
    """References to the DICOM objects that hold the planes, a multi-frame one once with all its frames; none for volumes that are not DICOM."""
    found: dict[str, Dataset] = {}
    frames: dict[str, list[int]] = {}
    for k in range(len(image.grid.positions_mm)):
        item = plane_reference(image, k)
        if item is not None:
            uid = item.ReferencedSOPInstanceUID
            found.setdefault(uid, item)
            if image.frame_numbers:
                frames.setdefault(uid, []).append(image.frame_numbers[k])
                found[uid].ReferencedFrameNumber = frames[uid]
    return list(found.values())


def plane_reference(image: Image, k: int) -> Dataset | None:
    """Reference to the DICOM object, and its frame, of one plane, see `plane_references`."""
    sop_class = image.sop_class_uid or STORAGE_CLASS.get(image.modality, "")
    if sop_class not in STORAGE_CLASS.values() and not image.sop_instance_uids:
        return None
    item = reference(sop_class, _plane_uid(image, k))
    if image.frame_numbers:
        item.ReferencedFrameNumber = image.frame_numbers[k]
    return item


def save(ds: Dataset, path: Path, transfer_syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a DICOM file (PS3.10), folders included. Raises InputError where a file is there already."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"REVIEWER_{__version__}"[:16]
    ds.file_meta = meta
    with new_file(path) as unfinished:
        ds.save_as(unfinished, enforce_file_format=True)
    return path
