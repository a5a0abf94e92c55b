"""Rigid registrations as Spatial Registration Storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SpatialRegistrationStorage

from reviewer.case import Case, Image, Registration
from reviewer.dicom.write.header import (
    date,
    decimal,
    image_of_frame,
    new_object,
    plane_references,
    save,
    series_uid,
    study_uid,
    text,
    uid_of,
)
from reviewer.errors import InputError

RIGID_TOLERANCE = 1e-6
"""Deviation from a rotation above which a matrix is not called RIGID."""


def write_registration(registration: Registration, case: Case, path: Path) -> Path:
    """A REG whose frame of reference is the fixed one (PS3.3 C.20.2): the fixed frame's matrix is the identity, the moving one's maps to it.

    Raises InputError for a matrix that is not rigid, and for a registration without both frames.
    """
    if not registration.moving_frame_uid or not registration.fixed_frame_uid:
        raise InputError("the registration does not name both frames of reference", where=registration.label)
    turn = registration.matrix[:3, :3]
    rigid = np.allclose(turn @ turn.T, np.eye(3), atol=RIGID_TOLERANCE) and np.linalg.det(turn) > 0
    if not rigid or not np.allclose(registration.matrix[3], (0, 0, 0, 1)):
        raise InputError("the matrix of the registration is not rigid", where=registration.label)
    moving = image_of_frame(case, registration.moving_frame_uid)
    fixed = image_of_frame(case, registration.fixed_frame_uid)
    ds = new_object(
        case,
        SpatialRegistrationStorage,
        uid_of(registration.id),
        "REG",
        registration.label,
        registration.date,
        moving or fixed,
    )
    ds.ContentDate = date(registration.date)
    ds.ContentTime = "120000"
    ds.ContentLabel = "REGISTRATION"
    ds.ContentDescription = text(registration.label)
    ds.ContentCreatorName = ""
    ds.FrameOfReferenceUID = uid_of(registration.fixed_frame_uid)
    ds.PositionReferenceIndicator = ""
    ds.RegistrationSequence = [
        _item(registration.fixed_frame_uid, np.eye(4), fixed),
        _item(registration.moving_frame_uid, registration.matrix, moving),
    ]
    _reference_instances(ds, [i for i in (fixed, moving) if i is not None and plane_references(i)], case)
    return save(ds, path)


def _item(frame: str, matrix: NDArray[np.float64], image: Image | None) -> Dataset:
    transformation = Dataset()
    transformation.FrameOfReferenceTransformationMatrixType = "RIGID"
    transformation.FrameOfReferenceTransformationMatrix = [decimal(v) for v in matrix.ravel()]
    step = Dataset()
    step.MatrixSequence = [transformation]
    item = Dataset()
    item.FrameOfReferenceUID = uid_of(frame)
    step.RegistrationTypeCodeSequence = []
    item.MatrixRegistrationSequence = [step]
    if image is not None and (references := plane_references(image)):
        item.ReferencedImageSequence = references
    return item


def _reference_instances(ds: Dataset, images: list[Image], case: Case) -> None:
    """Common Instance Reference (C.12.2): what is referred to, by series, in this study and in others."""
    others: dict[str, list[Dataset]] = {}
    for image in images:
        series = Dataset()
        series.SeriesInstanceUID = uid_of(series_uid(image))
        series.ReferencedInstanceSequence = plane_references(image)
        others.setdefault(study_uid(case, image), []).append(series)
    own = others.pop(ds.StudyInstanceUID, [])
    if own:
        ds.ReferencedSeriesSequence = own
    if others:
        ds.StudiesContainingOtherReferencedInstancesSequence = []
    for uid, series_of_study in others.items():
        study = Dataset()
        study.StudyInstanceUID = uid
        study.ReferencedSeriesSequence = series_of_study
        ds.StudiesContainingOtherReferencedInstancesSequence.append(study)
