"""Rigid registrations from spatial registration objects (REG, PS3.3 A.39 and C.20.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reviewer.case import Registration
from reviewer.dicom.file import DicomFile
from reviewer.dicom.series import Report
from reviewer.dicom.values import date, item, items, numbers, text

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.3"

RIGID_TOLERANCE = 1e-3
"""Largest deviation of the rotation part from orthonormal (matrices are commonly written with six decimals)."""


def registrations_of(file: DicomFile, frame_of_sop: Mapping[str, str], report: Report) -> list[Registration]:
    """The ties that one REG makes: from each frame of reference in it to the one that it registers to.

    frame_of_sop: SOP instance UID -> frame of reference UID of the opened images, for items that name images only.
    """
    ds = file.dataset
    fixed = text(ds, "FrameOfReferenceUID")
    if not fixed:
        report(
            file.path,
            "error",
            "the registration was not opened: it does not say which frame of reference it registers to",
        )
        return []
    label = (
        text(ds, "ContentDescription") or text(ds, "SeriesDescription") or text(ds, "ContentLabel") or "Registration"
    )
    found: list[Registration] = []
    for entry in items(ds, "RegistrationSequence"):
        moving = text(entry, "FrameOfReferenceUID") or next(
            (
                frame_of_sop[uid]
                for image in items(entry, "ReferencedImageSequence")
                if (uid := text(image, "ReferencedSOPInstanceUID")) in frame_of_sop
            ),
            "",
        )
        matrix = np.eye(4)
        steps = items(item(entry, "MatrixRegistrationSequence"), "MatrixSequence")
        refusal = "" if steps else "it has no matrix"
        for step in steps:  # applied one after the other, C.20.2.1.1
            values = numbers(step, "FrameOfReferenceTransformationMatrix", 16)
            refusal = refusal or ("its matrix does not have 16 numbers" if values is None else "")
            if values is not None:
                matrix = np.array(values).reshape(4, 4) @ matrix
        if not refusal and not _rigid(matrix):
            refusal = "its matrix is not rigid (a rotation and a shift)"
        if moving == fixed:
            if not refusal and not np.allclose(matrix, np.eye(4), atol=1e-6):
                report(
                    file.path,
                    "warning",
                    "the registration moves a frame of reference onto itself: that part was left out",
                )
            continue
        if not moving:
            refusal = refusal or "it does not say which frame of reference it moves"
        if refusal:
            report(file.path, "error", f"a registration was not opened: {refusal}")
            continue
        own_id = file.sop_uid if not found else f"{file.sop_uid}#{len(found) + 1}"
        found.append(
            Registration(
                own_id, label, moving, fixed, matrix, date(ds, "ContentDate", "SeriesDate", "StudyDate"), file.path
            )
        )
    if not found:
        report(file.path, "note", "the registration ties no two frames of reference")
    return found


def _rigid(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    rotation = matrix[:3, :3]
    return bool(
        np.allclose(rotation @ rotation.T, np.eye(3), atol=RIGID_TOLERANCE)
        and np.linalg.det(rotation) > 0
        and np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-9)
    )
