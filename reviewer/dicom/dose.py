"""Dose in Gy from an RTDOSE (PS3.3 C.8.8.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reviewer.case import Dose
from reviewer.dicom.file import DicomFile
from reviewer.dicom.pixels import read_frame
from reviewer.dicom.planes import axes_of
from reviewer.dicom.series import Report
from reviewer.dicom.values import date, decimal_array, item, items, number, numbers, text
from reviewer.errors import InputError
from reviewer.geometry.grid import AXIS_TOLERANCE, MAX_MM, POSITION_TOLERANCE_MM, Grid

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"


def dose_of(file: DicomFile, report: Report) -> Dose:
    """The dose of one file, its planes sorted by position.

    Raises InputError where unit, scale or geometry are missing or not defined by DICOM: a dose is never guessed.
    """
    ds, pixels = file.dataset, file.pixels
    units, kind = text(ds, "DoseUnits").upper(), text(ds, "DoseType").upper()
    if not units:
        raise InputError("the dose has no units (DoseUnits)")
    if units != "GY":
        raise InputError(f"the dose is in {units}, not in Gy")
    if kind == "ERROR":
        raise InputError("it holds differences of doses (DoseType ERROR), not a dose")
    if kind not in ("PHYSICAL", "EFFECTIVE"):
        report(
            file.path,
            "warning",
            f"the dose type is {kind or 'missing'}: taken as it is, physical or effective is unknown",
        )
    if pixels is None:
        raise InputError(file.refusal)
    summation = text(ds, "DoseSummationType").upper()
    if not summation:
        report(
            file.path,
            "warning",
            "it does not say of what the dose is (DoseSummationType): taken for that of all fractions",
        )
    histograms = len(items(ds, "DVHSequence"))
    if histograms:
        counted = "a DVH" if histograms == 1 else f"{histograms} DVHs"
        report(
            file.path,
            "note",
            f"the dose brings {counted} of its own: not shown, all values are computed from dose and contours",
        )
    scaling = number(ds, "DoseGridScaling")
    if scaling is None or scaling <= 0:
        raise InputError(
            "the dose has no scale (DoseGridScaling)" if scaling is None else f"the dose scale is {scaling}"
        )
    grid, order = _grid(file, pixels.frames)
    if not grid.frame_of_reference_uid:
        report(file.path, "warning", "the dose names no frame of reference: it cannot be laid over an image")
    gray = np.empty(grid.shape_zyx, np.float32)
    for k, frame in enumerate(order):
        np.multiply(read_frame(pixels, int(frame)), scaling, out=gray[k], casting="unsafe")
    if not np.isfinite(gray).all():
        raise InputError("the dose holds values that are not finite numbers")
    plans = {uid for plan in items(ds, "ReferencedRTPlanSequence") if (uid := text(plan, "ReferencedSOPInstanceUID"))}
    if len(plans) > 1:
        report(
            file.path,
            "note",
            f"the dose is that of {len(plans)} plans together: what 100 % of it would be is not known",
        )
    structures = item(ds, "ReferencedStructureSetSequence")
    label = text(ds, "DoseComment") or text(ds, "SeriesDescription") or f"Dose ({summation.lower() or 'unknown sum'})"
    return Dose(
        id=file.sop_uid,
        label=label,
        grid=grid,
        gray=gray,
        type=kind,
        summation=summation,
        plan_id=plans.pop() if len(plans) == 1 else None,
        structure_set_id=text(structures, "ReferencedSOPInstanceUID") or None,
        date=date(ds, "InstanceCreationDate", "ContentDate", "SeriesDate", "StudyDate"),
        path=file.path,
        statements=tuple(s for s in text(ds, "DerivationDescription", 1024).split(" | ") if s),
    )


def _grid(file: DicomFile, frames: int) -> tuple[Grid, NDArray[np.intp]]:
    """The grid, and the frames in the order of its planes (PS3.3 C.8.8.3.2)."""
    ds = file.dataset
    position = numbers(ds, "ImagePositionPatient", 3)
    orientation = numbers(ds, "ImageOrientationPatient", 6)
    spacing = numbers(ds, "PixelSpacing", 2)
    if position is None or orientation is None or spacing is None:
        raise InputError(
            "the dose does not say where it lies (ImagePositionPatient, ImageOrientationPatient, PixelSpacing)"
        )
    if max(map(abs, (*position, *spacing))) > MAX_MM or min(spacing) <= 0:
        raise InputError("the position or spacing of the dose is impossible")
    axes = axes_of(orientation)
    uvw = axes @ np.array(position)
    thickness = number(ds, "SliceThickness") or 0.0
    offsets = decimal_array(ds, "GridFrameOffsetVector")
    if offsets is None:
        if frames > 1:
            raise InputError("the dose does not say where its planes lie (GridFrameOffsetVector)")
        if thickness <= 0:
            raise InputError("the dose has a single plane of unknown thickness")
        offsets = np.zeros(1)
    if len(offsets) != frames:
        raise InputError(f"the dose has {frames} planes, but positions for {len(offsets)}")
    if not np.isfinite(offsets).all() or np.abs(offsets).max() > MAX_MM:
        raise InputError("the positions of the dose planes are not finite numbers")
    if abs(offsets[0]) <= POSITION_TOLERANCE_MM:
        w = uvw[2] + offsets  # relative to the first plane, along u x v
    elif abs(offsets[0] - position[2]) <= POSITION_TOLERANCE_MM and axes[2, 2] > 1 - AXIS_TOLERANCE:
        w = uvw[2] + (offsets - position[2])  # patient z; defined for planes with z as their normal only
    else:
        raise InputError(
            "the positions of the dose planes (GridFrameOffsetVector) begin neither at 0 nor, in transverse planes, at the first z"
        )
    order = np.argsort(w, kind="stable")
    w = w[order]
    if np.any(np.diff(w) <= 0):
        raise InputError("two planes of the dose lie in the same place")
    columns, rows = file.pixels.columns, file.pixels.rows  # type: ignore[union-attr]
    frame_uid = text(ds, "FrameOfReferenceUID")
    grid = Grid(
        axes, (float(uvw[0]), float(uvw[1])), (spacing[1], spacing[0]), (columns, rows), w, frame_uid, thickness or 1.0
    )
    return grid, order
