"""What a backend hands back is checked before anybody sees it: form, size, units, and what cannot be true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reviewer.backends.contract import BackendInfo, DoseJob, DoseResult, Floats, GatingJob, GatingResult, Tracked

HIGHEST_GY = 300.0
"""No fraction of photons delivers more anywhere; what is higher is not in Gy."""

NEGATIVE_OF_MAXIMUM = 1e-6
"""Rounding of a convolution; it is set to zero. More below zero than this is no dose."""

MOST_STATEMENTS, LONGEST_STATEMENT = 50, 500


def checked_dose(result: object, job: DoseJob, info: BackendInfo) -> tuple[DoseResult, str]:
    """The dose, copied out of the job's folder, and its uncertainty in words. Raises ValueError with one clause."""
    if not isinstance(result, DoseResult):
        raise ValueError("it is no DoseResult")
    if result.unit != "Gy":
        raise ValueError(f"the dose is in {str(result.unit)[:20]!r}, not in Gy")
    statements = _statements(result.statements)
    gray = _volume(result.gray, job.dose_lattice.shape_zyx, "the dose")
    highest, lowest = float(gray.max(initial=0.0)), float(gray.min(initial=0.0))
    if highest > HIGHEST_GY:
        raise ValueError(f"the dose of one fraction reaches {highest:.0f}, which cannot be Gy")
    if lowest < -NEGATIVE_OF_MAXIMUM * highest:
        raise ValueError(f"the dose goes down to {lowest:.3g} Gy")
    if highest == 0.0 and any(segment.mu > 0 for beam in job.beams for segment in beam.segments):
        raise ValueError("there is no dose anywhere")
    np.maximum(gray, 0.0, out=gray)
    sigma = None
    if result.sigma_gray is not None:
        sigma = _volume(result.sigma_gray, job.dose_lattice.shape_zyx, "the uncertainty")
        if float(sigma.min(initial=0.0)) < 0:
            raise ValueError("the uncertainty is negative")
    elif info.statistical:
        raise ValueError("the backend is statistical, but gives no uncertainty")
    return DoseResult(gray, statements, sigma), _uncertainty(gray, sigma)


def checked_gating(result: object, job: GatingJob, info: BackendInfo) -> tuple[GatingResult, str]:
    """The tracked frames, copied out of the job's folder, and their uncertainty in words. Raises ValueError with one clause."""
    if not isinstance(result, GatingResult):
        raise ValueError("it is no GatingResult")
    count = len(job.frames)
    if not isinstance(result.frames, tuple) or len(result.frames) != count:
        raise ValueError(f"there is not one answer to each of the {count} frames")
    frames = tuple(_tracked(frame, job, n) for n, frame in enumerate(result.frames))
    spent = np.array(result.frame_ms, dtype=np.float64)
    if spent.shape != (count,) or not np.all(np.isfinite(spent)):
        raise ValueError("the times of the frames are not whole")
    return GatingResult(frames, spent, _statements(result.statements)), "not stated"


def _tracked(frame: object, job: GatingJob, n: int) -> Tracked:
    if not isinstance(frame, Tracked) or not isinstance(frame.tracked, bool):
        raise ValueError(f"frame {n}: it is no Tracked")
    if not frame.tracked:
        return Tracked(False, confidence=_confidence(frame.confidence, n))
    shift = _numbers(frame.shift_mm, (2,), f"frame {n}: the shift")
    contours, mask = frame.contours, frame.mask
    if contours is not None:
        if not isinstance(contours, tuple):
            raise ValueError(f"frame {n}: the contours are no tuple of rings")
        contours = tuple(_numbers(ring, (None, 2), f"frame {n}: a contour") for ring in contours)
        if any(len(ring) < 3 for ring in contours):
            raise ValueError(f"frame {n}: a contour has less than three points")
    if mask is not None:
        mask = np.array(_array(mask, f"frame {n}: the mask"), dtype=np.float32)
        if mask.shape != job.mask.shape:
            raise ValueError(f"frame {n}: the mask has {mask.shape} pixels, the frames {job.mask.shape}")
        if not np.all(np.isfinite(mask)) or mask.min() < 0 or mask.max() > 1:
            raise ValueError(f"frame {n}: the mask is not between 0 and 1")
    return Tracked(True, (float(shift[0]), float(shift[1])), _confidence(frame.confidence, n), contours, mask)


def _confidence(value: object, n: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"frame {n}: the confidence is not between 0 and 1")
    return float(value)


def _statements(statements: object) -> tuple[str, ...]:
    """At least one: a result about which there is nothing to say does not exist."""
    if not isinstance(statements, tuple) or not all(isinstance(s, str) and s.strip() for s in statements):
        raise ValueError("its statements are no sentences")
    if not 0 < len(statements) <= MOST_STATEMENTS:
        raise ValueError(f"it makes {len(statements)} statements about itself; at least one is needed")
    return tuple(" ".join(s.split())[:LONGEST_STATEMENT] for s in statements)


def _array(value: object, what: str) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise ValueError(f"{what} is no array of numbers")
    return value


def _volume(value: object, shape: tuple[int, int, int], what: str) -> NDArray[np.float32]:
    array = _array(value, what)
    if array.shape != tuple(shape):
        raise ValueError(f"{what} has the shape {array.shape} (z, y, x), the grid asked for {tuple(shape)}")
    volume = np.array(array, dtype=np.float32)
    if bad := int(np.count_nonzero(~np.isfinite(volume))):
        raise ValueError(f"{what} is not a number in {bad} voxels")
    return volume


def _numbers(value: object, shape: Sequence[int | None], what: str) -> Floats:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is no array of numbers") from None
    if array.ndim != len(shape) or any(w not in (None, n) for n, w in zip(array.shape, shape, strict=True)):
        raise ValueError(f"{what} has the shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{what} is not a number somewhere")
    return array


def _uncertainty(gray: NDArray[np.float32], sigma: NDArray[np.float32] | None) -> str:
    if sigma is None:
        return "not stated"
    high = gray > gray.max(initial=0.0) / 2
    if not high.any():
        return "not stated"
    relative = float(np.sqrt(np.mean(np.square(sigma[high] / gray[high], dtype=np.float64))))
    return f"one standard deviation {100 * relative:.1f} % of the dose, where it is above half of its maximum"
