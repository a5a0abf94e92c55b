"""The sagittal cine of the day: half a minute of TrueFISP through the target, free breathing and then breath-hold."""

from __future__ import annotations

import cv2
import numpy as np

from reviewer.case import Cine
from reviewer.demo.anatomy import anatomy
from reviewer.demo.field import Floats
from reviewer.demo.identity import DAY_DATE, frame_uid, uid
from reviewer.demo.images import balanced, receive
from reviewer.demo.organs import GTV_1_MM
from reviewer.geometry.grid import Grid

FRAMES_PER_S = 4.0
DURATION_S = 30.0
PIXEL_MM = 2.4
SLICE_MM = 7.0
HOLD_FROM_S = 13.0
"""From here on the breath is held at the level of the day's breath-hold scan."""

_SAGITTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
_SHARP = 2


def times_s() -> Floats:
    """(t,) time of each frame, s."""
    return np.arange(int(DURATION_S * FRAMES_PER_S)) / FRAMES_PER_S


def breathing_mm(time_s: Floats) -> Floats:
    """Cranial displacement of the liver in mm against the breath-hold scan: the truth of the cine."""
    t = np.asarray(time_s, dtype=np.float64)
    cycle = 17.0 - 11.0 * np.sin(np.pi * t / 3.7) ** 4 + 1.2 * np.sin(t / 2.3)
    inhale = np.clip((t - 10.6) / (HOLD_FROM_S - 10.6), 0, 1)
    inhale = inhale**2 * (3 - 2 * inhale)
    held = 0.7 * np.sin((t - HOLD_FROM_S) / 3.1) + 0.12 * np.clip(t - HOLD_FROM_S, 0, None)
    return np.asarray(cycle * (1 - inhale) + held * inhale)


def target_mm(seed: int) -> Floats:
    """(3,) position of GTV_1's middle in the frame of the day."""
    body = anatomy("day", seed)
    matrix = np.linalg.inv(body.to_simulation) @ body.body.liver_motion
    return np.asarray(matrix[:3, :3] @ GTV_1_MM + matrix[:3, 3])


def cine(seed: int) -> Cine:
    """120 frames, 2.4 mm pixels, a slice of 7 mm, in the frame of the day."""
    target = target_mm(seed)
    uid_of_day = frame_uid(seed, "day")
    columns, rows = 128, 106
    first = (-PIXEL_MM * (columns - 1) / 2, -(118.0))
    grid = Grid(
        _SAGITTAL,
        first,
        (PIXEL_MM, PIXEL_MM),
        (columns, rows),
        np.array([-target[0]]),
        uid_of_day,
        thickness_mm=SLICE_MM,
    )
    still, moves = _still(seed, grid)
    u = np.arange(columns, dtype=np.float32)[None, :] * np.ones((rows, 1), dtype=np.float32)
    v = np.arange(rows, dtype=np.float32)[:, None] * np.ones((1, columns), dtype=np.float32)
    times = times_s()
    rng = np.random.default_rng(seed + 105)
    flicker = 1 + 0.015 * rng.standard_normal(len(times))
    frames = np.empty((len(times), rows, columns), dtype=np.float32)
    for k, up in enumerate(breathing_mm(times)):
        # A frame shows at (u, v) what lies lower in the breath-hold scan by the displacement, and the belly flatter by a quarter of it.
        shift_v = moves[0] * up / PIXEL_MM
        shift_u = -moves[1] * 0.22 * up / PIXEL_MM
        frames[k] = flicker[k] * cv2.remap(
            still,
            ((u + shift_u) * _SHARP).astype(np.float32),
            ((v + shift_v) * _SHARP).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    receive(frames, rng, 20.0)
    stored = np.clip(np.rint(frames), 0, 4095).astype(np.uint16)
    return Cine(uid(seed, "series", "cine"), "MR", "TrueFISP 0.35 T cine sagittal", grid, stored, times, DAY_DATE)


def _still(seed: int, grid: Grid) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The noise-free slice in breath-hold at twice the resolution, and how far each pixel goes with the breath: (cranial, dorsal) 0 to 1."""
    body = anatomy("day", seed)
    sharp = Grid(
        grid.axes,
        grid.origin_uv_mm,
        (PIXEL_MM / _SHARP, PIXEL_MM / _SHARP),
        (grid.size_uv[0] * _SHARP, grid.size_uv[1] * _SHARP),
        grid.positions_mm[0] + np.array([-SLICE_MM / 3, 0, SLICE_MM / 3]),
        grid.frame_of_reference_uid,
        SLICE_MM / 3,
    )
    still = cv2.GaussianBlur(balanced(body, sharp).mean(axis=0), (0, 0), 0.9)
    depth = -body.distance("cavity", grid)[0]
    index = np.moveaxis(np.indices(grid.shape_zyx), 0, -1)[0]
    points = grid.point_of_index_mm(index)
    inside = np.clip((depth + 1) / 9, 0, 1)
    inside = inside**2 * (3 - 2 * inside)
    below = np.clip((points[..., 2] + 150) / 100, 0.25, 1)
    front = np.clip((-points[..., 1] - 15) / 80, 0, 1) * np.clip((40 - points[..., 2]) / 90, 0, 1)
    smooth = cv2.GaussianBlur((inside * below).astype(np.float32), (0, 0), 1.2)
    return still.astype(np.float32), (smooth, front.astype(np.float32))
