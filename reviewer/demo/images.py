"""Images of the demo patient: what a CT and two MR scanners would make of the anatomy.

Each image is painted tissue by tissue, partial volume included, and then given the noise, shading and artefacts of its kind.
Signals are typical values, not a simulation of the physics, but for one thing: in TrueFISP (balanced SSFP) fat and water of one
voxel add with a phase between them, which draws the dark line along their borders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from reviewer.case import Image, Window
from reviewer.demo.anatomy import Anatomy, anatomy
from reviewer.demo.field import Floats32
from reviewer.demo.identity import DAY_DATE, SIMULATION_DATE, Frame, frame_uid, uid
from reviewer.demo.organs import State
from reviewer.demo.shapes import periodic_noise
from reviewer.geometry.grid import Grid

CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4"

Contrast = Literal["ct", "truefisp", "hepatobiliary"]


@dataclass(frozen=True)
class Tissue:
    """One coat of paint: where (a field, moved inward by `inset` mm), and what it looks like.

    ct: HU; truefisp: signal, below zero where it comes from fat; hepatobiliary: signal.
    mottle: (z, y, x)-noise of that relative strength (CT: HU / 100, MR: part of the signal) and grain in mm.
    """

    field: str
    ct: float
    truefisp: float
    hepatobiliary: float
    inset: float = 0.0
    mottle: tuple[float, float] = (0.0, 1.0)


TISSUES: tuple[Tissue, ...] = (
    Tissue("Body", 10, 110, 90),
    Tissue("Body", -104, -350, 62, 2.0, (0.07, 5.0)),
    Tissue("wall_muscle", 54, 105, 165, 0.0, (0.10, 2.6)),
    Tissue("wall_fat", -25, -200, 110),
    Tissue("cavity", -106, -335, 62, 2.5, (0.09, 3.5)),
    Tissue("muscle", 56, 108, 168, 0.0, (0.12, 2.6)),
    Tissue("muscle_fat", -60, -280, 90),
    Tissue("Lung_L", -868, 14, 12, 0.0, (0.22, 2.2)),
    Tissue("Lung_R", -868, 14, 12, 0.0, (0.22, 2.2)),
    Tissue("diaphragm", 52, 105, 160),
    Tissue("vessels_lung", 30, 60, 60),
    Tissue("Heart", 102, 150, 190),
    Tissue("heart_blood", 158, 380, 230, 0.0, (0.04, 6.0)),
    Tissue("sternum", 300, 40, 60),
    Tissue("sternum", 130, -170, 80, 1.6, (0.5, 2.5)),
    Tissue("cartilage", 105, 60, 120, 0.0, (0.4, 3.0)),
    Tissue("bone_ribs", 720, 22, 40),
    Tissue("bone_ribs", 190, -190, 90, 1.5, (0.35, 2.5)),
    Tissue("disc", 88, 120, 130, 0.0, (0.05, 4.0)),
    Tissue("disc", 80, 230, 120, 4.5, (0.05, 4.0)),
    Tissue("bone_spine", 520, 28, 50),
    Tissue("bone_spine", 205, -215, 105, 1.7, (0.3, 2.0)),
    Tissue("canal", 0, -330, 62),
    Tissue("canal", 14, 470, 60, 1.6),
    Tissue("SpinalCord", 38, 215, 150),
    Tissue("mesentery", 115, 330, 150),
    Tissue("Esophagus", 70, 170, 190),
    Tissue("Esophagus", 15, 120, 110, 4.6),
    Tissue("A_Aorta", 90, 160, 150),
    Tissue("A_Aorta", 156, 420, 205, 1.2, (0.03, 6.0)),
    Tissue("V_Venacava_I", 122, 300, 300, -1.0),
    Tissue("V_Venacava_I", 150, 410, 200, 0.0, (0.12, 9.0)),
    Tissue("renal_veins", 150, 400, 205),
    Tissue("arteries", 155, 400, 205),
    Tissue("veins", 172, 420, 205),
    Tissue("adrenals", 78, 170, 190),
    Tissue("Kidney_L", 186, 255, 300, 0.0, (0.05, 4.0)),
    Tissue("Kidney_R", 186, 255, 300, 0.0, (0.05, 4.0)),
    Tissue("medulla_Kidney_L", 166, 330, 245, 0.0, (0.05, 4.0)),
    Tissue("medulla_Kidney_R", 166, 330, 245, 0.0, (0.05, 4.0)),
    Tissue("sinus_Kidney_L", -70, -340, 80, 0.0, (0.2, 3.0)),
    Tissue("sinus_Kidney_R", -70, -340, 80, 0.0, (0.2, 3.0)),
    Tissue("sinus_Kidney_L", 20, 460, 420, 4.5),
    Tissue("sinus_Kidney_R", 20, 460, 420, 4.5),
    Tissue("Spleen", 124, 235, 195, 0.0, (0.04, 5.0)),
    Tissue("pancreas", 96, 205, 250, 0.0, (0.14, 2.4)),
    Tissue("Duodenum", 88, 200, 200, 0.0, (0.12, 2.5)),
    Tissue("Duodenum", 22, 430, 120, 2.8, (0.30, 2.2)),
    Tissue("Stomach", 82, 195, 205, 0.0, (0.08, 3.0)),
    Tissue("lumen_stomach", 16, 440, 58, 0.0, (0.16, 3.5)),
    Tissue("gas_stomach", -960, 4, 4),
    Tissue("Bowel_Large", 72, 180, 185, 0.0, (0.08, 3.0)),
    Tissue("Bowel_Large", 32, 185, 120, 1.9, (0.85, 3.6)),
    Tissue("gas_colon", -930, 4, 4),
    Tissue("Bowel_Small", 92, 215, 215, 0.0, (0.08, 2.5)),
    Tissue("lumen_small_bowel", 26, 350, 105, 2.2, (0.35, 2.0)),
    Tissue("gas_small_bowel", -900, 4, 4),
    Tissue("Liver", 114, 165, 430, 0.0, (0.045, 6.0)),
    Tissue("vessels_hepatic", 158, 385, 215),
    Tissue("vessels_portal", 170, 385, 215),
    Tissue("Gallbladder", 45, 210, 260),
    Tissue("Gallbladder", 7, 520, 130, 1.6),
    Tissue("GTV_1", 92, 235, 215, 0.0, (0.07, 3.0)),
    Tissue("GTV_1", 58, 275, 165, 3.2, (0.10, 3.0)),
    Tissue("GTV_2", 92, 235, 215, 0.0, (0.07, 3.0)),
    Tissue("GTV_2", 62, 270, 170, 2.4, (0.10, 3.0)),
)


@lru_cache(maxsize=1)
def _mottle() -> Floats32:
    return periodic_noise(11, 64, 0.8)


def paint(anatomy: Anatomy, grid: Grid, contrast: Contrast, *, unsigned: bool = False, soften: float = 1.0) -> Floats32:
    """(z, y, x) noise-free values; `unsigned` paints fat with its magnitude."""
    out: Floats32 = np.full(grid.shape_zyx, -1000.0 if contrast == "ct" else 3.0, dtype=np.float32)
    world = anatomy.to_world(grid)
    for tissue in TISSUES:
        if tissue.field not in anatomy.body.fields:
            continue
        value = float(getattr(tissue, contrast))
        if unsigned:
            value = abs(value)
        strength, grain = tissue.mottle
        amplitude = 100 * strength if contrast == "ct" else strength * value
        anatomy.field(tissue.field).paint(
            out,
            grid,
            world,
            value,
            shift_mm=tissue.inset,
            soften=soften,
            texture=_mottle(),
            grain_mm=grain,
            amplitude=amplitude,
        )
    return out


# -- the scanners -------------------------------------------------------------------------------------------------------


def axial_grid(
    seed: int,
    frame: Frame,
    centre: tuple[float, float],
    spacing: float,
    size: int,
    low: float,
    step: float,
    planes: int,
) -> Grid:
    """An axial stack in one of the frames: `centre` (x, y) of the pictures, from z = `low` in `planes` steps."""
    corner = (centre[0] - spacing * (size - 1) / 2, centre[1] - spacing * (size - 1) / 2)
    return Grid(
        np.eye(3),
        corner,
        (spacing, spacing),
        (size, size),
        low + step * np.arange(planes, dtype=np.float64),
        frame_uid(seed, frame),
        thickness_mm=step,
    )


def ct(seed: int) -> Image:
    """Portal-venous CT: 512 x 512, 0.9 mm, slices of 2.5 mm."""
    frame: Frame = "ct"
    grid = axial_grid(seed, frame, (-3.0, 8.0), 0.9, 512, -132.0, 2.5, 101)
    values = paint(anatomy("simulation", seed), grid, "ct", soften=1.35)
    _couch(values, grid)
    rng = np.random.default_rng(seed + 101)
    x = np.linspace(-1, 1, 512, dtype=np.float32)
    heavier = np.exp(-3.2 * (x[None, :] ** 2 + x[:, None] ** 2)).astype(
        np.float32
    )  # fewer photons pass through the middle
    for plane in values:
        white = rng.standard_normal((512, 512), dtype=np.float32)
        grain = cv2.GaussianBlur(white, (0, 0), 0.85) - 0.75 * cv2.GaussianBlur(white, (0, 0), 2.2)
        plane += grain * (7.0 + 26.0 * heavier)
    stored = np.clip(np.rint(values), -1024, 3071).astype(np.int16)
    return _image(
        seed, frame, "CT", "CT abdomen portal venous 2.5 mm", grid, stored, Window(45.0, 350.0), None, intercept=0.0
    )


def _couch(values: Floats32, grid: Grid) -> None:
    """The couch top below the patient: a carbon shell with a foam core, slightly hollow, level in the frame of the CT."""
    u = grid.origin_uv_mm[0] + grid.spacing_uv_mm[0] * np.arange(grid.size_uv[0])
    v = grid.origin_uv_mm[1] + grid.spacing_uv_mm[1] * np.arange(grid.size_uv[1])
    bottom = 108.5 + 13.5 + 5.0
    sag = bottom - 7 * (u / 200) ** 2
    depth = np.minimum(v[:, None] - sag[None, :], bottom + 26 - v[:, None])
    depth = np.minimum(depth, 262 - np.abs(u)[None, :])
    shell = np.clip(depth / 0.9 + 0.5, 0, 1)
    core = np.clip((depth - 2.2) / 0.9 + 0.5, 0, 1)
    top = (-1000 + 820 * shell - 720 * core).astype(np.float32)
    np.maximum(values, top[None], out=values)


def truefisp(seed: int, state: State) -> Image:
    """0.35 T TrueFISP in breath-hold: 300 x 300, 1.5 mm, slices of 3 mm."""
    grid = axial_grid(seed, state, (0.0, 0.0), 1.5, 300, -121.5, 3.0, 80)
    clean = balanced(anatomy(state, seed), grid)
    rng = np.random.default_rng(seed + (103 if state == "day" else 102))
    clean *= _coils(grid, rng, 0.28)
    receive(clean, rng, 17.0)
    stored = np.clip(np.rint(clean), 0, 4095).astype(np.uint16)
    name = (
        "TrueFISP 0.35 T breath-hold simulation" if state == "simulation" else "TrueFISP 0.35 T breath-hold of the day"
    )
    return _image(seed, state, "MR", name, grid, stored, Window(230.0, 480.0), 0.35)


def balanced(body: Anatomy, grid: Grid) -> Floats32:
    """Noise-free TrueFISP: fat and water of a voxel add at an angle, and the signal drops where the field is off (banding)."""
    angle = np.float32(np.cos(np.deg2rad(138.0)))
    difference = paint(body, grid, "truefisp", soften=1.15)
    total = paint(body, grid, "truefisp", unsigned=True, soften=1.15)
    signal = np.sqrt((total**2 * (1 + angle) + difference**2 * (1 - angle)) / 2)
    return np.asarray(signal * _bands(body, grid), dtype=np.float32)


def _bands(body: Anatomy, grid: Grid) -> Floats32:
    """Pass band of balanced SSFP, 0 to 1: the field is off towards the ends of the magnet and beside gas."""
    coarse = replace(
        grid,
        origin_uv_mm=grid.origin_uv_mm,
        spacing_uv_mm=(grid.spacing_uv_mm[0] * 4, grid.spacing_uv_mm[1] * 4),
        size_uv=((grid.size_uv[0] + 3) // 4, (grid.size_uv[1] + 3) // 4),
    )
    gas = np.zeros(coarse.shape_zyx, dtype=np.float32)
    for name in ("Lung_L", "Lung_R", "gas_stomach", "gas_colon"):
        gas += body.inside(name, coarse)
    index = np.moveaxis(np.indices(coarse.shape_zyx, dtype=np.float32), 0, -1)
    x, y, z = np.moveaxis(coarse.point_of_index_mm(index), -1, 0)
    off = 0.5 + 4.4 * ((x / 185) ** 2) ** 2 + 1.2 * (z / 150) ** 4 - 1.6 * (y / 150) ** 3
    for k in range(len(gas)):
        wide = cv2.GaussianBlur(gas[k], (0, 0), 3.0)
        off[k] += 4.5 * (wide - cv2.GaussianBlur(gas[k], (0, 0), 9.0))
    phase = off.astype(np.float32)
    band = 1 - 0.82 * np.exp(-(((np.mod(phase + np.pi, 2 * np.pi) - 2 * np.pi * 0.985) / 0.34) ** 2))
    band *= 1 - 0.10 * np.cos(phase)
    size = grid.size_uv
    return np.stack(
        [cv2.resize(np.asarray(b, dtype=np.float32), (size[0], size[1]), interpolation=cv2.INTER_CUBIC) for b in band]
    )


def hepatobiliary(seed: int) -> Image:
    """1.5 T T1 gradient echo with fat suppression, 20 min after Gd-EOB-DTPA: 320 x 320, 1.25 mm, slices of 3 mm."""
    frame: Frame = "hepatobiliary"
    grid = axial_grid(seed, frame, (2.0, -2.0), 1.25, 320, -112.5, 3.0, 72)
    clean = paint(anatomy("simulation", seed), grid, "hepatobiliary", soften=1.1)
    rng = np.random.default_rng(seed + 104)
    clean *= _coils(grid, rng, 0.16)
    receive(clean, rng, 9.0)
    stored = np.clip(np.rint(clean), 0, 4095).astype(np.uint16)
    return _image(
        seed, frame, "MR", "T1 VIBE FS hepatobiliary phase 20 min 1.5 T", grid, stored, Window(250.0, 500.0), 1.5
    )


def _coils(grid: Grid, rng: np.random.Generator, strength: float) -> Floats32:
    """Receive profile of a surface array around the trunk, about 1: brighter near the skin, uneven between the elements."""
    small = 40
    nz, ny, nx = grid.shape_zyx
    x = np.linspace(-1, 1, small, dtype=np.float32)
    z = np.linspace(-1, 1, nz, dtype=np.float32)[:, None, None]
    r2 = x[None, None, :] ** 2 + 1.7 * x[None, :, None] ** 2
    shade = (
        1
        + strength * (1.4 * np.clip(r2, 0, 1.2) - 0.35)
        + strength * 0.4 * x[None, None, :]
        - strength * 0.5 * x[None, :, None]
    )
    shade = shade * (1 - 0.22 * z**2)
    for _ in range(4):
        a, b, c, phase = rng.normal(0, 2.2), rng.normal(0, 2.2), rng.normal(0, 1.5), rng.uniform(0, 6.28)
        shade = shade + 0.22 * strength * np.sin(a * x[None, None, :] + b * x[None, :, None] + c * z + phase)
    return np.stack(
        [cv2.resize(np.asarray(s, dtype=np.float32), (nx, ny), interpolation=cv2.INTER_CUBIC) for s in shade]
    )


def receive(signal: Floats32, rng: np.random.Generator, sigma: float) -> None:
    """Magnitude of signal plus complex noise (Rician), in place; slightly smoothed as scanners' interpolation does."""
    for plane in signal:
        real = cv2.GaussianBlur(rng.standard_normal(plane.shape, dtype=np.float32), (0, 0), 0.55)
        imaginary = cv2.GaussianBlur(rng.standard_normal(plane.shape, dtype=np.float32), (0, 0), 0.55)
        np.hypot(plane + 1.55 * sigma * real, 1.55 * sigma * imaginary, out=plane)


def _image(
    seed: int,
    frame: Frame,
    modality: str,
    description: str,
    grid: Grid,
    stored: np.ndarray,
    window: Window,
    tesla: float | None,
    intercept: float = 0.0,
) -> Image:
    return Image(
        id=uid(seed, "series", frame),
        modality=modality,
        description=description,
        grid=grid,
        voxels=stored,
        intercept=intercept,
        window=window,
        sop_instance_uids=tuple(uid(seed, "image", frame, str(k)) for k in range(grid.shape_zyx[0])),
        sop_class_uid=CT_STORAGE if modality == "CT" else MR_STORAGE,
        study_uid=uid(seed, "study", "day" if frame == "day" else "simulation"),
        patient_position="HFS",
        date=DAY_DATE if frame == "day" else SIMULATION_DATE,
        field_strength_t=tesla,
    )
